//! tokio's tasks, on its multi-thread runtime, or on its current-thread runtime where one worker
//! is asked for. The workload itself is a task too: it would otherwise run outside the workers,
//! and each of its wake-ups would be one across OS threads.
//!
//! Its channel has one receiver: where several consume, they share that, by a mutex, as programs do which
//! take no other library.
#![forbid(unsafe_code)]

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::{Builder, Runtime};
use tokio::sync::Mutex;
use tokio::sync::mpsc::{self, Receiver, Sender};
use tokio::task::{self, JoinHandle};

use self::gate::Gate;
use super::tasks::{self, Outcome, Tasks};
use crate::failure::Failure;
use crate::order::Order;

mod gate;
mod select;

pub(super) struct Tokio;

pub(super) fn run(workload: &str, order: &Order, workers: usize) -> Outcome {
    let runtime = runtime(workload, workers).map_err(Failure::io("build tokio's runtime"))?;
    let order = order.clone();
    let workload = workload.to_string();
    let task = async move {
        match workload.as_str() {
            "select" => select::select(&order).await,
            _ => tasks::perform::<Tokio>(workload, order).await,
        }
    };
    runtime.block_on(async move { joined(tokio::spawn(task)).await? })
}

/// Its timers are enabled for the workloads that use them: for the others they would be one more thing
/// to look at.
fn runtime(workload: &str, workers: usize) -> io::Result<Runtime> {
    let mut builder = match workers {
        1 => Builder::new_current_thread(),
        _ => Builder::new_multi_thread(),
    };
    builder.worker_threads(workers).enable_io();
    if matches!(workload, "sleepers" | "timers_cancelled" | "fairness") {
        builder.enable_time();
    }
    builder.build()
}

async fn joined<T>(handle: JoinHandle<T>) -> Result<T, Failure> {
    handle.await.map_err(|error| match error.try_into_panic() {
        Ok(payload) => Failure::panicked(payload),
        Err(cancelled) => Failure::Panicked(cancelled.to_string()),
    })
}

impl Tasks for Tokio {
    type Handle<T: Send + 'static> = JoinHandle<T>;
    type Gate = Gate;
    type Sender = Sender<u64>;
    type Receiver = Receiver<u64>;
    type Consumer = Arc<Mutex<Receiver<u64>>>;
    type Mutex = Mutex<u64>;
    type Listener = TcpListener;
    type Stream = TcpStream;

    fn spawn<F>(task: F) -> JoinHandle<F::Output>
    where
        F: Future<Output: Send + 'static> + Send + 'static,
    {
        tokio::spawn(task)
    }

    async fn join<T: Send + 'static>(handle: JoinHandle<T>) -> Result<T, Failure> {
        joined(handle).await
    }

    fn detach<T: Send + 'static>(handle: JoinHandle<T>) {
        drop(handle);
    }

    async fn yield_now() {
        task::yield_now().await;
    }

    async fn sleep(duration: Duration) {
        tokio::time::sleep(duration).await;
    }

    fn channel(capacity: usize) -> (Sender<u64>, Receiver<u64>) {
        mpsc::channel(capacity)
    }

    async fn send(sender: &Sender<u64>, message: u64) -> Option<()> {
        sender.send(message).await.ok()
    }

    async fn recv(receiver: &mut Receiver<u64>) -> Option<u64> {
        receiver.recv().await
    }

    async fn recv_within(receiver: &mut Receiver<u64>, patience: Duration) -> Option<u64> {
        let received = tokio::time::timeout(patience, receiver.recv()).await;
        received.ok().flatten()
    }

    fn shared(receiver: Receiver<u64>) -> Arc<Mutex<Receiver<u64>>> {
        Arc::new(Mutex::new(receiver))
    }

    async fn consume(consumer: &Arc<Mutex<Receiver<u64>>>) -> Option<u64> {
        // The lock is given back before the next message.
        consumer.lock().await.recv().await
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

    fn block<T: Send + 'static>(call: impl FnOnce() -> T + Send + 'static) -> JoinHandle<T> {
        task::spawn_blocking(call)
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
