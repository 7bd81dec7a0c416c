//! may's coroutines. Its stacks have the size that it gives them by itself, unless `parked` is told
//! another one.
#![forbid(unsafe_code)]

use std::io;
use std::net::SocketAddr;
use std::thread;
use std::time::Duration;

use may::coroutine::{self, Coroutine, JoinHandle};
use may::go;
use may::net::{TcpListener, TcpStream};
use may::sync::mpsc::{self, Receiver, Sender};
use may::sync::{Mutex, mpmc};

use super::shaped::StdShaped;
use crate::failure::Failure;

pub(super) struct May;

/// It is for the whole process, and only before the first coroutine.
pub(super) fn configure(workers: usize) {
    may::config().set_workers(workers);
}

impl StdShaped for May {
    type Handle<T: Send + 'static> = JoinHandle<T>;
    type Thread = Coroutine;
    type Sender = Sender<u64>;
    type Receiver = Receiver<u64>;
    type Producer = mpmc::Sender<u64>;
    type Consumer = mpmc::Receiver<u64>;
    type Mutex = Mutex<u64>;
    type Listener = TcpListener;
    type Stream = TcpStream;

    fn spawn<T: Send + 'static>(f: impl FnOnce() -> T + Send + 'static) -> JoinHandle<T> {
        go!(f)
    }

    /// Its builder counts in words.
    fn start<T: Send + 'static>(
        stack: Option<usize>,
        f: impl FnOnce() -> T + Send + 'static,
    ) -> io::Result<JoinHandle<T>> {
        let mut builder = coroutine::Builder::new();
        if let Some(size) = stack {
            builder = builder.stack_size(size / size_of::<usize>());
        }
        go!(builder, f)
    }

    fn join<T: Send + 'static>(handle: JoinHandle<T>) -> Result<T, Failure> {
        handle.join().map_err(Failure::panicked)
    }

    fn yield_now() {
        coroutine::yield_now();
    }

    fn sleep(duration: Duration) {
        coroutine::sleep(duration);
    }

    fn current() -> Coroutine {
        coroutine::current()
    }

    fn unpark(thread: &Coroutine) {
        thread.unpark();
    }

    fn unpark_handle<T: Send + 'static>(handle: &JoinHandle<T>) {
        handle.coroutine().unpark();
    }

    fn park() {
        coroutine::park();
    }

    /// It has no bounded channel. With one ball in the game this is the same, and so where there is room for
    /// all messages. In `sieve` its senders never wait.
    fn channel(_capacity: usize) -> (Sender<u64>, Receiver<u64>) {
        mpsc::channel()
    }

    fn send(sender: &Sender<u64>, message: u64) -> Option<()> {
        sender.send(message).ok()
    }

    fn recv(receiver: &Receiver<u64>) -> Option<u64> {
        receiver.recv().ok()
    }

    fn recv_within(receiver: &Receiver<u64>, patience: Duration) -> Option<u64> {
        receiver.recv_timeout(patience).ok()
    }

    /// It has no bounded channel: producers never wait.
    fn queue(_capacity: usize) -> (Self::Producer, Self::Consumer) {
        mpmc::channel()
    }

    fn produce(producer: &Self::Producer, message: u64) -> Option<()> {
        producer.send(message).ok()
    }

    fn consume(consumer: &Self::Consumer) -> Option<u64> {
        consumer.recv().ok()
    }

    fn mutex() -> Mutex<u64> {
        Mutex::new(0)
    }

    fn count(mutex: &Mutex<u64>) {
        *mutex.lock().expect("nobody panics in it") += 1;
    }

    fn counted(mutex: &Mutex<u64>) -> u64 {
        *mutex.lock().expect("nobody panics in it")
    }

    fn bind() -> io::Result<(TcpListener, SocketAddr)> {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let address = listener.local_addr()?;
        Ok((listener, address))
    }

    fn accept(listener: &TcpListener) -> io::Result<TcpStream> {
        let (stream, _) = listener.accept()?;
        stream.set_nodelay(true)?;
        Ok(stream)
    }

    /// It has no verb for this: a program takes a kernel thread, and hears from it by a channel.
    fn block<T: Send + 'static>(call: impl FnOnce() -> T + Send + 'static) -> T {
        let (done, result) = mpsc::channel();
        // A receiver that is gone has panicked, which its join reports.
        thread::spawn(move || done.send(call()));
        result.recv().expect("the call does not panic")
    }

    fn enter<T: Send + 'static>(f: impl FnOnce() -> T + Send + 'static) -> Result<T, Failure> {
        May::join(go!(f))
    }
}
