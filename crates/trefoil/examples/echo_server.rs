//! A TCP echo server: one thread for each connection, plain blocking code.
//!
//! ```sh
//! TREFOIL_MODEL=hybrid cargo run -p trefoil --all-features --example echo_server
//! cargo run -p trefoil --example echo_server -- --listen 127.0.0.1:7000   # until it is killed
//! ```
//!
//! Without arguments it serves a hundred clients of its own and checks what they hear.
#![forbid(unsafe_code)]

use std::env;
use std::io::{self, Read, Write};
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use trefoil::net::{TcpListener, TcpStream};
use trefoil::thread;

const CLIENTS: usize = 100;
const MESSAGES: usize = 10;

#[trefoil::main]
fn main() -> io::Result<()> {
    let arguments: Vec<String> = env::args().skip(1).collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        [] => demonstrate(),
        ["--listen", address] => {
            let listener = TcpListener::bind(address)?;
            println!("echoing on {}", listener.local_addr()?);
            serve(&listener)
        }
        _ => Err(io::Error::new(
            io::ErrorKind::InvalidInput,
            "usage: echo_server [--listen ADDRESS:PORT]",
        )),
    }
}

/// Takes connections, and gives each a thread. It never returns.
fn serve(listener: &TcpListener) -> ! {
    loop {
        match listener.accept() {
            Ok((stream, peer)) => {
                thread::spawn(move || {
                    if let Err(broken) = echo(stream) {
                        eprintln!("{peer}: {broken}");
                    }
                });
            }
            Err(refused) => {
                // No descriptors, mostly: they come back when connections end.
                eprintln!("accept: {refused}");
                thread::sleep(Duration::from_millis(100));
            }
        }
    }
}

/// Sends back what comes, until the other side has said all.
fn echo(mut stream: TcpStream) -> io::Result<()> {
    let mut buffer = [0; 4096];
    loop {
        match stream.read(&mut buffer)? {
            0 => return Ok(()),
            length => stream.write_all(&buffer[..length])?,
        }
    }
}

/// Serves clients of its own. The server's thread is not told to stop: it is cancelled when the
/// main thread ends.
fn demonstrate() -> io::Result<()> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let address = listener.local_addr()?;
    thread::spawn(move || serve(&listener));

    let begun = Instant::now();
    let clients: Vec<_> = (0..CLIENTS)
        .map(|number| thread::spawn(move || converse(address, number)))
        .collect();
    let mut bytes = 0;
    for client in clients {
        bytes += client.join().expect("no client panics")?;
    }
    println!(
        "echo_server ({}): {CLIENTS} clients, {} messages, {bytes} bytes: each came back as it \
         was, in {:.1?}",
        thread::current().model(),
        CLIENTS * MESSAGES,
        begun.elapsed(),
    );
    Ok(())
}

/// Says something, and wants to hear it. Returns the number of bytes that came back.
fn converse(server: SocketAddr, number: usize) -> io::Result<usize> {
    let mut stream = TcpStream::connect(server)?;
    let mut bytes = 0;
    for message in 0..MESSAGES {
        let said = format!("client {number} says {message}");
        stream.write_all(said.as_bytes())?;
        let mut heard = vec![0; said.len()];
        stream.read_exact(&mut heard)?;
        assert_eq!(heard, said.as_bytes(), "the echo is another");
        bytes += heard.len();
    }
    Ok(bytes)
}
