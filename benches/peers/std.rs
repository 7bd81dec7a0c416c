//! Kernel threads as the standard library has them: a new one for each `spawn`.
#![forbid(unsafe_code)]

use std::io;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Mutex;
use std::sync::mpsc::{self, Receiver, SyncSender};
use std::thread::{self, JoinHandle, Thread};
use std::time::Duration;

use super::shaped::StdShaped;
use crate::failure::Failure;

mod select;

pub(super) use select::select;

pub(super) struct Std;

impl StdShaped for Std {
    type Handle<T: Send + 'static> = JoinHandle<T>;
    type Thread = Thread;
    type Sender = SyncSender<u64>;
    type Receiver = Receiver<u64>;
    type Producer = crossbeam_channel::Sender<u64>;
    type Consumer = crossbeam_channel::Receiver<u64>;
    type Mutex = Mutex<u64>;
    type Listener = TcpListener;
    type Stream = TcpStream;

    fn spawn<T: Send + 'static>(f: impl FnOnce() -> T + Send + 'static) -> JoinHandle<T> {
        thread::spawn(f)
    }

    fn start<T: Send + 'static>(
        stack: Option<usize>,
        f: impl FnOnce() -> T + Send + 'static,
    ) -> io::Result<JoinHandle<T>> {
        let mut builder = thread::Builder::new();
        if let Some(size) = stack {
            builder = builder.stack_size(size);
        }
        builder.spawn(f)
    }

    fn join<T: Send + 'static>(handle: JoinHandle<T>) -> Result<T, Failure> {
        handle.join().map_err(Failure::panicked)
    }

    fn yield_now() {
        thread::yield_now();
    }

    fn sleep(duration: Duration) {
        thread::sleep(duration);
    }

    fn current() -> Thread {
        thread::current()
    }

    fn unpark(thread: &Thread) {
        thread.unpark();
    }

    fn unpark_handle<T: Send + 'static>(handle: &JoinHandle<T>) {
        handle.thread().unpark();
    }

    fn park() {
        thread::park();
    }

    fn channel(capacity: usize) -> (SyncSender<u64>, Receiver<u64>) {
        mpsc::sync_channel(capacity)
    }

    fn send(sender: &SyncSender<u64>, message: u64) -> Option<()> {
        sender.send(message).ok()
    }

    fn recv(receiver: &Receiver<u64>) -> Option<u64> {
        receiver.recv().ok()
    }

    fn recv_within(receiver: &Receiver<u64>, patience: Duration) -> Option<u64> {
        receiver.recv_timeout(patience).ok()
    }

    /// `std::sync::mpsc` has one consumer only; this is what programs take instead.
    fn queue(capacity: usize) -> (Self::Producer, Self::Consumer) {
        crossbeam_channel::bounded(capacity)
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

    /// A kernel thread may block.
    fn block<T: Send + 'static>(call: impl FnOnce() -> T + Send + 'static) -> T {
        call()
    }

    fn enter<T: Send + 'static>(f: impl FnOnce() -> T + Send + 'static) -> Result<T, Failure> {
        Ok(f())
    }
}
