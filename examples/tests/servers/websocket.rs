//! The WebSocket server, by `tungstenite`'s client, whose streams are Trefoil's too.

use std::net::SocketAddr;
use std::time::Duration;

use trefoil::net::TcpStream;
use trefoil::{Builder, Model, thread};
use tungstenite::{Error, Message, WebSocket};

use crate::server::Server;

const PROGRAM: &str = env!("CARGO_BIN_EXE_websocket_echo");

fn connect(address: SocketAddr) -> WebSocket<TcpStream> {
    let stream = TcpStream::connect(address).unwrap();
    stream
        .set_read_timeout(Some(Duration::from_secs(60)))
        .unwrap();
    let (socket, response) = tungstenite::client("ws://localhost/", stream).unwrap();
    assert_eq!(response.status(), 101);
    socket
}

fn on_every_model(test: fn(SocketAddr)) {
    for model in Model::ALL {
        let server = Server::start(PROGRAM, model, &[]);
        let address = server.address;
        let runtime = Builder::new().model(model).build().unwrap();
        runtime.run(move || test(address));
    }
}

#[test]
fn messages_come_back() {
    on_every_model(|address| {
        let clients = (0..20).map(|number| {
            thread::spawn(move || {
                let mut socket = connect(address);
                for size in [0, 1, 125, 126, 65_536, 200_000] {
                    let message = Message::binary(vec![number; size]);
                    socket.send(message.clone()).unwrap();
                    assert_eq!(socket.read().unwrap(), message);
                }
                socket.send(Message::Ping(vec![number].into())).unwrap();
                assert_eq!(socket.read().unwrap(), Message::Pong(vec![number].into()));
                socket.close(None).unwrap();
                while let Ok(message) = socket.read() {
                    assert!(message.is_close());
                }
            })
        });
        let clients: Vec<_> = clients.collect();
        clients
            .into_iter()
            .for_each(|client| client.join().unwrap());
    });
}

#[test]
fn a_message_that_is_too_large_ends_the_connection() {
    on_every_model(|address| {
        let mut socket = connect(address);
        // The server may end before it has read all.
        let _ = socket.send(Message::binary(vec![0; (1 << 20) + 1]));
        let ended = socket.read().unwrap_err();
        assert!(
            matches!(ended, Error::Protocol(_) | Error::Io(_)),
            "{ended}"
        );
        // The next one is served all the same.
        let mut other = connect(address);
        other.send(Message::text("hello")).unwrap();
        assert_eq!(other.read().unwrap(), Message::text("hello"));
    });
}
