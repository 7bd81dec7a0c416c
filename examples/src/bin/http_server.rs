//! An HTTP/1.1 server: one thread for each connection, plain blocking code.
//!
//! ```sh
//! TREFOIL_MODEL=green cargo run --release -p trefoil-examples --bin http_server -- --files docs
//! curl http://127.0.0.1:8080/
//! curl --data-binary @Cargo.toml http://127.0.0.1:8080/echo
//! curl http://127.0.0.1:8080/files/architecture.md
//! ```
//!
//! SIGTERM, or Ctrl-C, ends it with grace: it accepts no connection any more; connections without a request end;
//! the others have some time to come to their end, and are cancelled then. It says how that went.
#![forbid(unsafe_code)]

use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use clap::Parser;
use trefoil::net::TcpListener;
use trefoil::thread;
use trefoil_examples::http::{Control, Files, Limits, Method, Request, Response, Status, serve};
use trefoil_examples::{server, tls};

/// Answers `/` with a greeting, `POST /echo` with what was sent, and `/files/…` with a file.
#[derive(Debug, Parser)]
struct Options {
    /// Where to listen; port 0 takes a free one, which is written to standard output
    #[arg(long, default_value = "127.0.0.1:8080")]
    listen: String,
    /// Have one listener, and one accepting thread, for each processor, for connections that are short
    #[arg(long)]
    sharded: bool,
    /// The certificate, in a PEM file, with which all is served by TLS
    #[arg(long, requires = "key")]
    certificate: Option<PathBuf>,
    /// The certificate's key
    #[arg(long, requires = "certificate")]
    key: Option<PathBuf>,
    /// Whose files are served
    #[arg(long)]
    files: Option<PathBuf>,
    /// How long a connection may be without a request, in milliseconds
    #[arg(long, default_value_t = 60_000)]
    idle: u64,
    /// How long a request may take to come, in milliseconds
    #[arg(long, default_value_t = 10_000)]
    request: u64,
    /// How long requests may take to be answered that are there when the server is asked to end, in milliseconds
    #[arg(long, default_value_t = 5_000)]
    grace: u64,
}

/// A file is read as a whole.
const LARGEST_FILE: u64 = 16 << 20;

#[trefoil::main]
fn main() -> io::Result<()> {
    let options = Options::parse();
    let files = options.files.as_deref();
    let files = files
        .map(|root| Files::below(root, LARGEST_FILE))
        .transpose()?;
    let limits = Limits {
        idle: Duration::from_millis(options.idle),
        request: Duration::from_millis(options.request),
        ..Limits::default()
    };
    let tls = match (&options.certificate, &options.key) {
        (Some(certificate), Some(key)) => Some(tls::config(certificate, key)?),
        _ => None,
    };
    let listeners = listen(&options)?;
    let control = Arc::new(Control::default());
    let grace = Duration::from_millis(options.grace);
    let serving = Arc::clone(&control);
    server::run(listeners, &control, grace, move |stream, _| {
        let answer = |request: &Request| answer(request, files.as_ref());
        // Who has gone needs no answer.
        let _ = match &tls {
            None => serve(stream, &limits, &serving, answer),
            Some(tls) => tls::accept(tls, stream, limits.request, &serving)
                .and_then(|stream| serve(stream, &limits, &serving, answer)),
        };
    })
}

fn listen(options: &Options) -> io::Result<Vec<TcpListener>> {
    if options.sharded {
        let processors = thread::available_parallelism()?.get();
        TcpListener::builder().bind_sharded(&options.listen, processors)
    } else {
        Ok(vec![TcpListener::bind(&options.listen)?])
    }
}

fn answer(request: &Request, files: Option<&Files>) -> Response {
    let path = request.target.split(['?', '#']).next().unwrap_or_default();
    match (request.method, path) {
        (Method::Get | Method::Head, "/") => Response::text_of_ours("Hello, World!"),
        (Method::Post, "/echo") => Response::text(request.body.clone()),
        (Method::Get | Method::Head, "/echo") | (Method::Post, "/") => {
            Response::failure(Status::MethodNotAllowed)
        }
        (Method::Get | Method::Head, path) => match (path.strip_prefix("/files/"), files) {
            (Some(file), Some(files)) => files.response(file),
            _ => Response::failure(Status::NotFound),
        },
        (Method::Post, _) => Response::failure(Status::NotFound),
    }
}
