//! What the tests share. They run on plain threads of `std`: the sockets need no runtime.
#![allow(dead_code, reason = "each test program uses its part")]

use std::net::SocketAddr;
use std::thread;
use std::time::Duration;

use trefoil_net::{TcpListener, TcpStream};
use trefoil_runtime::{Reason, Waiting};

/// Longer than anything here takes: who waits so long hangs.
pub(crate) const LONG: Duration = Duration::from_secs(30);

pub(crate) fn listener() -> (TcpListener, SocketAddr) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    (listener, address)
}

/// Two connected sockets.
pub(crate) fn pair() -> (TcpStream, TcpStream) {
    let (listener, address) = listener();
    let left = TcpStream::connect(address).unwrap();
    (left, listener.accept().unwrap().0)
}

/// Bytes that tell where they belong.
pub(crate) fn pattern(size: usize) -> Vec<u8> {
    (0..size).map(|n| (n / 251 + n) as u8).collect()
}

/// Runs `f` on a thread, and gives what it waits for once it waits.
pub(crate) fn waits<T: Send + 'static>(
    reason: Reason,
    f: impl FnOnce() -> T + Send + 'static,
) -> (thread::JoinHandle<T>, Waiting) {
    let (say, hear) = std::sync::mpsc::channel();
    let thread = thread::spawn(move || {
        say.send(trefoil_runtime::thread::current().id()).unwrap();
        f()
    });
    let id = hear.recv().unwrap();
    loop {
        let threads = trefoil_runtime::threads();
        let found = threads.into_iter().find(|info| info.id == id);
        match found.expect("it ended before it waited").waiting {
            Some(waiting) if waiting.reason == reason => return (thread, waiting),
            _ => thread::yield_now(),
        }
    }
}
