//! A server of keys and values for the clients of Redis: one thread for each connection, plain blocking code.
//!
//! ```sh
//! TREFOIL_MODEL=hybrid cargo run --release -p trefoil-examples --bin kv_server
//! redis-cli -p 6380 set greeting hello
//! redis-benchmark -p 6380 -q -P 16 -t set,get
//! ```
//!
//! Values are kept in memory alone. SIGTERM, Ctrl-C or the command SHUTDOWN ends it with grace: it accepts no
//! connection any more; connections without a command end; the others end after their answer.
#![forbid(unsafe_code)]

use std::io;
use std::sync::Arc;
use std::time::Duration;

use clap::Parser;
use trefoil::channel::bounded;
use trefoil::net::TcpListener;
use trefoil::thread;
use trefoil_examples::http::Control;
use trefoil_examples::kv::{Limits, Store, serve};
use trefoil_examples::server;

/// Keeps keys and values, and speaks the protocol of Redis.
#[derive(Debug, Parser)]
struct Options {
    /// Where to listen; port 0 takes a free one, which is written to standard output
    #[arg(long, default_value = "127.0.0.1:6380")]
    listen: String,
    /// How long a connection may be without a command, in milliseconds
    #[arg(long, default_value_t = 300_000, value_parser = clap::value_parser!(u64).range(1..))]
    idle: u64,
    /// How long a command may take to come, in milliseconds
    #[arg(long, default_value_t = 10_000, value_parser = clap::value_parser!(u64).range(1..))]
    complete: u64,
    /// How many bytes a command may have, with all its arguments
    #[arg(long, default_value_t = 8 << 20)]
    largest: usize,
    /// How long commands may take to be answered that are there when the server is asked to end, in milliseconds
    #[arg(long, default_value_t = 5_000)]
    grace: u64,
}

/// How often the room of values is given back whose time is over.
const SWEEP: Duration = Duration::from_secs(1);

#[trefoil::main]
fn main() -> io::Result<()> {
    let options = Options::parse();
    let limits = Limits {
        idle: Duration::from_millis(options.idle),
        complete: Duration::from_millis(options.complete),
        request: options.largest,
        ..Limits::default()
    };
    let (store, control) = (Arc::new(Store::default()), Arc::new(Control::default()));
    let swept = Arc::clone(&store);
    // It ends with the program.
    thread::spawn(move || {
        loop {
            thread::sleep(SWEEP);
            swept.sweep();
        }
    });
    let listeners = vec![TcpListener::bind(&options.listen)?];
    let (end, asked) = bounded(1);
    let grace = Duration::from_millis(options.grace);
    let serving = Arc::clone(&control);
    server::run_until(&asked, listeners, &control, grace, move |stream, _| {
        // Who has gone needs no answer.
        if let Ok(true) = serve(stream, &store, &limits, &serving) {
            // Another one may have asked before.
            let _ = end.try_send(());
        }
    })
}
