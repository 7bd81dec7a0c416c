//! What the servers have in common: a thread for each connection, and a graceful end.
//!
//! On SIGTERM, or Ctrl-C, it accepts no connection any more; connections without a request end; the others have
//! some time to come to their end, and are cancelled then. It says how that went.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use trefoil::channel::{Receiver, never, select};
use trefoil::net::{TcpListener, TcpStream};
use trefoil::signal::{self, SIGINT, SIGTERM};
use trefoil::sync::WaitGroup;
use trefoil::thread::{self, JoinHandle};

use crate::http::Control;

/// Serves what comes to these listeners, by a thread for each, until it is asked to end.
///
/// # Errors
///
/// The signals cannot be listened to, or the first listener has no address, or there is none.
pub fn run(
    listeners: Vec<TcpListener>,
    control: &Control,
    grace: Duration,
    serve: impl Fn(TcpStream, SocketAddr) + Send + Sync + 'static,
) -> io::Result<()> {
    run_until(&never(), listeners, control, grace, serve)
}

/// The same. It is also asked to end by a message here.
///
/// # Errors
///
/// As [`run`].
pub fn run_until(
    asked: &Receiver<()>,
    listeners: Vec<TcpListener>,
    control: &Control,
    grace: Duration,
    serve: impl Fn(TcpStream, SocketAddr) + Send + Sync + 'static,
) -> io::Result<()> {
    let (terminate, interrupt) = (signal::on(SIGTERM)?, signal::on(SIGINT)?);
    let first = listeners.first().ok_or(io::ErrorKind::InvalidInput)?;
    println!("listening on {}", first.local_addr()?);
    let (serve, connections) = (Arc::new(serve), WaitGroup::new());
    let acceptors = listeners.into_iter().map(|listener| {
        let (serve, connections) = (Arc::clone(&serve), connections.clone());
        thread::spawn(move || accept(&listener, &serve, &connections))
    });
    let acceptors: Vec<_> = acceptors.collect();
    select! {
        recv(terminate) -> _ => (),
        recv(interrupt) -> _ => (),
        recv(asked) -> _ => (),
    }
    // They are waiting for the next connection; the sockets are closed with them.
    acceptors.iter().for_each(JoinHandle::cancel);
    for acceptor in acceptors {
        let _ = acceptor.join();
    }
    let open = control.close();
    let late = connections.wait_timeout(grace);
    // Who is left when `main` returns is cancelled.
    let left = if late.is_ok() { 0 } else { control.open() };
    let served = control.served();
    println!(
        "ended: {served} requests served, {open} connections were open, {left} of them cancelled"
    );
    Ok(())
}

/// Takes connections, and gives each a thread, until it is cancelled.
fn accept<F>(listener: &TcpListener, serve: &Arc<F>, connections: &WaitGroup) -> !
where
    F: Fn(TcpStream, SocketAddr) + Send + Sync + 'static,
{
    loop {
        match listener.accept() {
            Ok((stream, from)) => {
                let (serve, connection) = (Arc::clone(serve), connections.clone());
                thread::spawn(move || {
                    serve(stream, from);
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
