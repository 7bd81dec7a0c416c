//! A key-value server that speaks Redis' protocol: one thread for each connection, plain blocking code.
//!
//! ```sh
//! TREFOIL_MODEL=green cargo run --release -p trefoil-examples --bin kv_server
//! redis-cli -p 6380 set greeting hello
//! redis-benchmark -p 6380 -t set,get,incr,lpush -P 16 -q
//! ```
//!
//! Nothing is written to a disk. SIGTERM, or Ctrl-C, ends it with grace, as `http_server`.
#![forbid(unsafe_code)]

use std::io;
use std::sync::Arc;
use std::time::Duration;

use clap::Parser;
use trefoil::net::TcpListener;
use trefoil::thread;
use trefoil_examples::http::Control;
use trefoil_examples::kv::{Store, serve};
use trefoil_examples::server;

/// Keeps values by keys, for clients that speak Redis' protocol (RESP 2).
#[derive(Debug, Parser)]
struct Options {
    /// Where to listen; port 0 takes a free one, which is written to standard output
    #[arg(long, default_value = "127.0.0.1:6380")]
    listen: String,
    /// How long requests may take that are there when the server is asked to end, in milliseconds
    #[arg(long, default_value_t = 5_000)]
    grace: u64,
}

/// How often keys whose time is over, and that nobody asks for, are dropped.
const SWEEP: Duration = Duration::from_secs(1);

#[trefoil::main]
fn main() -> io::Result<()> {
    let options = Options::parse();
    let listener = TcpListener::bind(&options.listen)?;
    let (store, control) = (Arc::new(Store::default()), Arc::new(Control::default()));
    let swept = Arc::clone(&store);
    let sweeper = thread::spawn(move || {
        loop {
            thread::sleep(SWEEP);
            swept.sweep();
        }
    });
    let serving = Arc::clone(&control);
    let grace = Duration::from_millis(options.grace);
    let ended = server::run(vec![listener], &control, grace, move |stream, _| {
        // Who has gone needs no answer.
        let _ = serve(stream, &store, &serving);
    });
    sweeper.cancel();
    ended
}
