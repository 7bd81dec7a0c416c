//! A chat room: two threads for each connection, and channels between them.
//!
//! ```sh
//! TREFOIL_MODEL=green cargo run --release -p trefoil-examples --bin chat_server
//! nc 127.0.0.1 6667
//! ```
//!
//! SIGTERM, or Ctrl-C, ends it with grace, as `http_server`: everybody is told.
#![forbid(unsafe_code)]

use std::io;
use std::sync::Arc;
use std::time::Duration;

use clap::Parser;
use trefoil::net::TcpListener;
use trefoil_examples::chat::{Room, serve};
use trefoil_examples::http::Control;
use trefoil_examples::server;

/// Tells each line that somebody says to all others.
#[derive(Debug, Parser)]
struct Options {
    /// Where to listen; port 0 takes a free one, which is written to standard output
    #[arg(long, default_value = "127.0.0.1:6667")]
    listen: String,
    /// How long clients may take to hear the last word when the server is asked to end, in milliseconds
    #[arg(long, default_value_t = 5_000)]
    grace: u64,
}

#[trefoil::main]
fn main() -> io::Result<()> {
    let options = Options::parse();
    let listener = TcpListener::bind(&options.listen)?;
    let (room, control) = (Room::default(), Arc::new(Control::default()));
    let serving = Arc::clone(&control);
    let grace = Duration::from_millis(options.grace);
    server::run(vec![listener], &control, grace, move |stream, _| {
        // Who has gone needs no answer.
        let _ = serve(&stream, &room, &serving);
    })
}
