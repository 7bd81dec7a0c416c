//! An HTTP/1.1 reverse proxy: one thread for each connection, plain blocking code.
//!
//! ```sh
//! TREFOIL_MODEL=hybrid cargo run --release -p trefoil-examples --bin reverse_proxy -- \
//!     --listen 127.0.0.1:8000 --to 127.0.0.1:8080 --to 127.0.0.1:8081
//! curl http://127.0.0.1:8000/
//! ```
//!
//! The upstreams answer in turn; one that is not there is passed over, and answers 502 come when none is, or 504
//! when one takes too long. Connections to them are kept. SIGTERM, or Ctrl-C, ends it with grace, as the HTTP
//! server.
#![forbid(unsafe_code)]

use std::io;
use std::sync::Arc;
use std::time::Duration;

use clap::Parser;
use trefoil::net::TcpListener;
use trefoil_examples::http::Control;
use trefoil_examples::proxy::{Limits, Upstreams, serve};
use trefoil_examples::server;

/// Hands HTTP requests on to other servers.
#[derive(Debug, Parser)]
struct Options {
    /// Where to listen; port 0 takes a free one, which is written to standard output
    #[arg(long, default_value = "127.0.0.1:8000")]
    listen: String,
    /// Who answers: a host and a port; several are asked in turn
    #[arg(long, required = true)]
    to: Vec<String>,
    /// How long a client's connection may be without a request, in milliseconds
    #[arg(long, default_value_t = 60_000)]
    idle: u64,
    /// How long the head of a request may take to come, in milliseconds
    #[arg(long, default_value_t = 10_000)]
    request: u64,
    /// How long a connection to an upstream may take to be made, in milliseconds
    #[arg(long, default_value_t = 2_000)]
    connect: u64,
    /// How long an upstream may take until its answer begins, in milliseconds
    #[arg(long, default_value_t = 30_000)]
    answer: u64,
    /// How long either side may say nothing in the middle of a body, in milliseconds
    #[arg(long, default_value_t = 30_000)]
    stall: u64,
    /// How long requests may take to be answered that are there when the proxy is asked to end, in milliseconds
    #[arg(long, default_value_t = 5_000)]
    grace: u64,
}

#[trefoil::main]
fn main() -> io::Result<()> {
    let options = Options::parse();
    let limits = Limits {
        idle: Duration::from_millis(options.idle),
        request: Duration::from_millis(options.request),
        answer: Duration::from_millis(options.answer),
        stall: Duration::from_millis(options.stall),
        ..Limits::default()
    };
    let upstreams = Upstreams::new(&options.to, Duration::from_millis(options.connect))?;
    let listeners = vec![TcpListener::bind(&options.listen)?];
    let control = Arc::new(Control::default());
    let grace = Duration::from_millis(options.grace);
    let serving = Arc::clone(&control);
    server::run(listeners, &control, grace, move |stream, from| {
        // Who has gone needs no answer.
        let _ = serve(stream, from, &limits, &upstreams, &serving);
    })
}
