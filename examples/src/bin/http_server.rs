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
use trefoil::channel::select;
use trefoil::net::TcpListener;
use trefoil::signal::{self, SIGINT, SIGTERM};
use trefoil::sync::WaitGroup;
use trefoil::thread::{self, JoinHandle};
use trefoil_examples::http::{Control, Files, Limits, Method, Request, Response, Status, serve};

/// Answers `/` with a greeting, `POST /echo` with what was sent, and `/files/…` with a file.
#[derive(Debug, Parser)]
struct Options {
    /// Where to listen; port 0 takes a free one, which is written to standard output
    #[arg(long, default_value = "127.0.0.1:8080")]
    listen: String,
    /// Have one listener, and one accepting thread, for each processor, for connections that are short
    #[arg(long)]
    sharded: bool,
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
    let server = Arc::new(Server {
        limits,
        files,
        control: Control::default(),
    });
    let (terminate, interrupt) = (signal::on(SIGTERM)?, signal::on(SIGINT)?);
    let listeners = listen(&options)?;
    println!("listening on {}", listeners[0].local_addr()?);
    let connections = WaitGroup::new();
    let acceptors = listeners.into_iter().map(|listener| {
        let (server, connections) = (Arc::clone(&server), connections.clone());
        thread::spawn(move || accept(&listener, &server, &connections))
    });
    let acceptors: Vec<_> = acceptors.collect();
    select! {
        recv(terminate) -> _ => (),
        recv(interrupt) -> _ => (),
    }
    // They are waiting for the next connection; the sockets are closed with them.
    acceptors.iter().for_each(JoinHandle::cancel);
    for acceptor in acceptors {
        let _ = acceptor.join();
    }
    let open = server.control.close();
    let late = connections.wait_timeout(Duration::from_millis(options.grace));
    // Who is left when `main` returns is cancelled.
    let left = if late.is_ok() {
        0
    } else {
        server.control.open()
    };
    let served = server.control.served();
    println!(
        "ended: {served} requests served, {open} connections were open, {left} of them cancelled"
    );
    Ok(())
}

fn listen(options: &Options) -> io::Result<Vec<TcpListener>> {
    if options.sharded {
        let processors = thread::available_parallelism()?.get();
        TcpListener::builder().bind_sharded(&options.listen, processors)
    } else {
        Ok(vec![TcpListener::bind(&options.listen)?])
    }
}

/// What all connections need.
#[derive(Debug)]
struct Server {
    limits: Limits,
    files: Option<Files>,
    control: Control,
}

/// Takes connections, and gives each a thread, until it is cancelled.
fn accept(listener: &TcpListener, server: &Arc<Server>, connections: &WaitGroup) -> ! {
    loop {
        match listener.accept() {
            Ok((stream, _)) => {
                let (server, connection) = (Arc::clone(server), connections.clone());
                thread::spawn(move || {
                    let answer = |request: &Request| answer(request, server.files.as_ref());
                    // Who has gone needs no answer.
                    let _ = serve(stream, &server.limits, &server.control, answer);
                    drop(connection);
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
