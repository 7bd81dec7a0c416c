//! A WebSocket echo server: `tungstenite`, a blocking library that knows nothing of Trefoil, on Trefoil's streams.
//!
//! ```sh
//! TREFOIL_MODEL=hybrid cargo run -p trefoil-examples --bin websocket_echo -- --listen 127.0.0.1:9001
//! ```
#![forbid(unsafe_code)]

use std::io;
use std::time::Duration;

use clap::Parser;
use trefoil::net::{TcpListener, TcpStream};
use trefoil::thread;
use tungstenite::protocol::WebSocketConfig;
use tungstenite::{Error, HandshakeError};

/// Sends each message back.
#[derive(Debug, Parser)]
struct Options {
    /// Where to listen; port 0 takes a free one, which is written to standard output
    #[arg(long, default_value = "127.0.0.1:9001")]
    listen: String,
    /// How long a client may say nothing, in milliseconds
    #[arg(long, default_value_t = 60_000)]
    idle: u64,
}

/// Bytes of a message.
const LARGEST: usize = 1 << 20;

#[trefoil::main]
fn main() -> io::Result<()> {
    let options = Options::parse();
    let idle = Duration::from_millis(options.idle);
    let listener = TcpListener::bind(&options.listen)?;
    println!("listening on {}", listener.local_addr()?);
    for stream in listener.incoming() {
        match stream {
            Ok(stream) => {
                thread::spawn(move || {
                    // Who goes without a word is no fault of the server.
                    let _ = echo(stream, idle);
                });
            }
            Err(refused) => {
                // No descriptors, mostly: they come back when connections end.
                eprintln!("accept: {refused}");
                thread::sleep(Duration::from_millis(100));
            }
        }
    }
    Ok(())
}

fn echo(stream: TcpStream, idle: Duration) -> Result<(), Error> {
    stream.set_read_timeout(Some(idle))?;
    stream.set_write_timeout(Some(idle))?;
    let config = WebSocketConfig::default().max_message_size(Some(LARGEST));
    let mut socket = match tungstenite::accept_with_config(stream, Some(config)) {
        Ok(socket) => socket,
        Err(HandshakeError::Failure(error)) => return Err(error),
        // The time is over.
        Err(HandshakeError::Interrupted(_)) => return Ok(()),
    };
    loop {
        let message = match socket.read() {
            Ok(message) => message,
            Err(Error::ConnectionClosed) => return Ok(()),
            Err(error) => return Err(error),
        };
        if message.is_text() || message.is_binary() {
            socket.send(message)?;
        }
    }
}
