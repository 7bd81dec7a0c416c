//! The HTTP server of the comparison on may: `may_minihttp`, as its own example has it. It gives the response
//! that `http_server` of the examples gives for `/`.
//!
//! `http_may ADDRESS WORKERS`
#![forbid(unsafe_code)]

use std::io;

use may_minihttp::{HttpServer, HttpService, Request, Response};

#[derive(Clone)]
struct Hello;

impl HttpService for Hello {
    fn call(&mut self, _: Request<'_, '_, '_>, response: &mut Response<'_>) -> io::Result<()> {
        response.header("Content-Type: text/plain; charset=utf-8");
        response.body("Hello, World!");
        Ok(())
    }
}

fn main() -> io::Result<()> {
    let mut arguments = std::env::args().skip(1);
    let address = arguments.next().unwrap_or_else(|| "127.0.0.1:8080".into());
    let workers = arguments.next().and_then(|it| it.parse().ok()).unwrap_or(1);
    may::config().set_workers(workers);
    let server = HttpServer(Hello).start(&address)?;
    println!("listening on {address}");
    server
        .join()
        .map_err(|_| io::Error::other("the server has panicked"))
}
