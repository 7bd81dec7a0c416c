//! smol's tasks, on an executor that has as many OS threads as there are workers. As with tokio, the workload
//! itself is a task too.
//!
//! Its own global executor takes the number of its threads from the environment; this one is run as that is.
#![forbid(unsafe_code)]

use std::future::{self, Future};
use std::io;
use std::net::SocketAddr;
use std::panic::AssertUnwindSafe;
use std::time::Duration;

use smol::channel::{self, Receiver, Sender};
use smol::future::FutureExt as _;
use smol::io::{AsyncReadExt as _, AsyncWriteExt as _};
use smol::lock::Mutex;
use smol::net::{TcpListener, TcpStream};
use smol::{Executor, Task, Timer};

use self::gate::Gate;
use super::tasks::{self, Outcome, Tasks};
use crate::failure::Failure;
use crate::order::Order;

mod gate;

pub(super) struct Smol;

static EXECUTOR: Executor<'static> = Executor::new();

/// Its workers stay until the process ends, which performs one workload.
pub(super) fn run(workload: &str, order: &Order, workers: usize) -> Outcome {
    for worker in 0..workers {
        std::thread::Builder::new()
            .name(format!("smol-{worker}"))
            .spawn(|| smol::block_on(EXECUTOR.run(future::pending::<()>())))
            .map_err(Failure::io("start smol's workers"))?;
    }
    let task = Smol::spawn(tasks::perform::<Smol>(workload.to_owned(), order.clone()));
    smol::block_on(Smol::join(task))?
}

/// A task of smol that panics takes the worker with it that runs it. So the panic is caught in the task, as tokio
/// does in each.
type Caught<T> = Result<T, Box<dyn std::any::Any + Send>>;

impl Tasks for Smol {
    type Handle<T: Send + 'static> = Task<Caught<T>>;
    type Gate = Gate;
    type Sender = Sender<u64>;
    type Receiver = Receiver<u64>;
    type Consumer = Receiver<u64>;
    type Mutex = Mutex<u64>;
    type Listener = TcpListener;
    type Stream = TcpStream;

    fn spawn<F>(task: F) -> Task<Caught<F::Output>>
    where
        F: Future<Output: Send + 'static> + Send + 'static,
    {
        EXECUTOR.spawn(AssertUnwindSafe(task).catch_unwind())
    }

    async fn join<T: Send + 'static>(task: Task<Caught<T>>) -> Result<T, Failure> {
        task.await.map_err(Failure::panicked)
    }

    fn detach<T: Send + 'static>(task: Task<Caught<T>>) {
        task.detach();
    }

    async fn yield_now() {
        smol::future::yield_now().await;
    }

    async fn sleep(duration: Duration) {
        Timer::after(duration).await;
    }

    fn channel(capacity: usize) -> (Sender<u64>, Receiver<u64>) {
        channel::bounded(capacity)
    }

    async fn send(sender: &Sender<u64>, message: u64) -> Option<()> {
        sender.send(message).await.ok()
    }

    async fn recv(receiver: &mut Receiver<u64>) -> Option<u64> {
        receiver.recv().await.ok()
    }

    async fn recv_within(receiver: &mut Receiver<u64>, patience: Duration) -> Option<u64> {
        let received = async { receiver.recv().await.ok() };
        let late = async {
            Timer::after(patience).await;
            None
        };
        received.or(late).await
    }

    fn shared(receiver: Receiver<u64>) -> Receiver<u64> {
        receiver
    }

    async fn consume(consumer: &Receiver<u64>) -> Option<u64> {
        consumer.recv().await.ok()
    }

    fn mutex() -> Mutex<u64> {
        Mutex::new(0)
    }

    async fn count(mutex: &Mutex<u64>) {
        *mutex.lock().await += 1;
    }

    async fn counted(mutex: &Mutex<u64>) -> u64 {
        *mutex.lock().await
    }

    fn block<T: Send + 'static>(call: impl FnOnce() -> T + Send + 'static) -> Task<Caught<T>> {
        Smol::spawn(smol::unblock(call))
    }

    async fn bind() -> io::Result<(TcpListener, SocketAddr)> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        Ok((listener, address))
    }

    async fn accept(listener: &TcpListener) -> io::Result<TcpStream> {
        let (stream, _) = listener.accept().await?;
        stream.set_nodelay(true)?;
        Ok(stream)
    }

    async fn read(stream: &mut TcpStream, room: &mut [u8]) -> io::Result<usize> {
        stream.read(room).await
    }

    async fn write_all(stream: &mut TcpStream, bytes: &[u8]) -> io::Result<()> {
        stream.write_all(bytes).await
    }
}
