use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{Shutdown, SocketAddr};
use trefoil::net::{TcpListener, TcpStream};
use trefoil::thread;

/// A server with a thread for each connection, and its clients.
fn answer(stream: TcpStream) -> io::Result<()> {
    let mut reader = BufReader::new(stream.try_clone()?);
    let mut writer = stream;
    let mut line = String::new();
    while reader.read_line(&mut line)? != 0 {
        writer.write_all(line.to_uppercase().as_bytes())?;
        line.clear();
    }
    Ok(())
}

fn ask(server: SocketAddr, question: &str) -> io::Result<String> {
    let mut stream = TcpStream::connect(server)?;
    stream.set_nodelay(true)?;
    writeln!(stream, "{question}")?;
    stream.shutdown(Shutdown::Write)?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    Ok(answer)
}

pub(crate) fn program() -> Vec<String> {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let server = thread::spawn(move || {
        let handlers: Vec<_> = (0..3)
            .map(|_| {
                let (stream, _) = listener.accept().unwrap();
                thread::spawn(move || answer(stream))
            })
            .collect();
        handlers
            .into_iter()
            .for_each(|handler| handler.join().unwrap().unwrap());
    });
    let clients = ["north", "east", "west"].map(|word| thread::spawn(move || ask(address, word)));
    let answers = clients.map(|client| client.join().unwrap().unwrap());
    server.join().unwrap();
    answers.to_vec()
}
