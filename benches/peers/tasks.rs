//! The workloads for libraries whose threads are tasks of async Rust, written once: what differs is what
//! the verbs are called, and who runs the tasks.
#![forbid(unsafe_code)]

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use crate::failure::Failure;
use crate::measurement::{Measurement, Stopwatch};
use crate::order::Order;
use crate::workloads::fib::Tree;
use crate::workloads::{blocking, fib, ping_pong, primes, ring, spawn_join, yield_now};

mod fairness;
mod mpmc;
mod mutex;
mod parked;
mod server;
mod sieve;
mod skynet;
mod sleepers;
mod timers;

pub(super) type Outcome = Result<Measurement, Failure>;

/// The verbs of such a library. Its type is only a name for them.
pub(super) trait Tasks: Send + Sync + 'static {
    type Handle<T: Send + 'static>: Send;
    type Gate: Gate;
    type Sender: Clone + Send + Sync + 'static;
    type Receiver: Send + 'static;
    type Consumer: Clone + Send + Sync + 'static;
    type Mutex: Send + Sync + 'static;
    type Listener: Send + 'static;
    type Stream: Send + 'static;

    fn spawn<F>(task: F) -> Self::Handle<F::Output>
    where
        F: Future<Output: Send + 'static> + Send + 'static;
    fn join<T: Send + 'static>(
        handle: Self::Handle<T>,
    ) -> impl Future<Output = Result<T, Failure>> + Send;
    /// It runs on, and nobody joins it.
    fn detach<T: Send + 'static>(handle: Self::Handle<T>);
    fn yield_now() -> impl Future<Output = ()> + Send;
    fn sleep(duration: Duration) -> impl Future<Output = ()> + Send;

    /// A channel with room for so many messages.
    fn channel(capacity: usize) -> (Self::Sender, Self::Receiver);
    fn send(sender: &Self::Sender, message: u64) -> impl Future<Output = Option<()>> + Send;
    fn recv(receiver: &mut Self::Receiver) -> impl Future<Output = Option<u64>> + Send;
    fn recv_within(
        receiver: &mut Self::Receiver,
        patience: Duration,
    ) -> impl Future<Output = Option<u64>> + Send;

    /// Several take messages out of it from now on.
    fn shared(receiver: Self::Receiver) -> Self::Consumer;
    fn consume(consumer: &Self::Consumer) -> impl Future<Output = Option<u64>> + Send;

    /// A mutex around a number, which may be held while a task waits.
    fn mutex() -> Self::Mutex;
    /// Locks, adds one, and unlocks.
    fn count(mutex: &Self::Mutex) -> impl Future<Output = ()> + Send;
    fn counted(mutex: &Self::Mutex) -> impl Future<Output = u64> + Send;

    /// Makes a call that blocks its OS thread, as this library would have it made.
    fn block<T: Send + 'static>(call: impl FnOnce() -> T + Send + 'static) -> Self::Handle<T>;

    /// On a free port of the loopback interface.
    fn bind() -> impl Future<Output = io::Result<(Self::Listener, SocketAddr)>> + Send;
    /// The stream sends each write at once.
    fn accept(listener: &Self::Listener) -> impl Future<Output = io::Result<Self::Stream>> + Send;
    fn read(
        stream: &mut Self::Stream,
        room: &mut [u8],
    ) -> impl Future<Output = io::Result<usize>> + Send;
    fn write_all(
        stream: &mut Self::Stream,
        bytes: &[u8],
    ) -> impl Future<Output = io::Result<()>> + Send;
}

/// The gate before which many tasks gather.
pub(super) trait Gate: Send + Sync + 'static {
    fn new(tasks: u64) -> Arc<Self>;
    /// One more is there.
    fn arrive(&self);
    /// Arrives, and waits until it is open.
    fn pass(&self) -> impl Future<Output = ()> + Send;
    fn wait_for_all(&self) -> impl Future<Output = ()> + Send;
    fn open(&self);
}

/// Performs a workload, as a task.
pub(super) async fn perform<L: Tasks>(workload: String, order: Order) -> Outcome {
    match workload.as_str() {
        "spawn_join" => spawn_join::<L>(&order).await,
        "spawn_batch" => spawn_batch::<L>(&order).await,
        "skynet_channel" => skynet::by_channel::<L>(&order).await,
        "skynet_join" => skynet::by_join::<L>(&order).await,
        "yield" => yield_now::<L>(&order).await,
        "ping_pong" => ping_pong::<L>(&order).await,
        "timers_cancelled" => timers::timers_cancelled::<L>(&order).await,
        "ring" => ring::<L>(&order).await,
        "sieve" => sieve::sieve::<L>(&order).await,
        "mpmc" => mpmc::mpmc::<L>(&order).await,
        "mutex" => mutex::mutex::<L>(&order).await,
        "primes" => primes::<L>(&order).await,
        "fib" => fib::<L>(&order).await,
        "blocking" => blocking::<L>(&order).await,
        "parked" => parked::parked::<L>(&order).await,
        "sleepers" => sleepers::sleepers::<L>(&order).await,
        "fairness" => fairness::fairness::<L>(&order).await,
        name if super::echo::NAMES.contains(&name) => server::serve::<L>(&workload, order).await,
        other => Err(super::unknown(other)),
    }
}

/// Joins all, and adds up their results.
async fn sum<L: Tasks>(handles: Vec<L::Handle<u64>>) -> Result<u64, Failure> {
    let mut sum = 0;
    for handle in handles {
        sum += L::join(handle).await?;
    }
    Ok(sum)
}

async fn spawn_join<L: Tasks>(order: &Order) -> Outcome {
    let threads = order.get("threads");
    let mut sum = 0;
    let watch = Stopwatch::start();
    for number in 0..threads {
        sum += L::join(L::spawn(async move { number })).await?;
    }
    let measurement = watch.stop(threads);
    spawn_join::check(threads, sum)?;
    Ok(measurement)
}

async fn spawn_batch<L: Tasks>(order: &Order) -> Outcome {
    let threads = order.get("threads");
    let watch = Stopwatch::start();
    let handles = (0..threads).map(|number| L::spawn(async move { number }));
    let sum = sum::<L>(handles.collect()).await?;
    let measurement = watch.stop(threads);
    spawn_join::check(threads, sum)?;
    Ok(measurement)
}

async fn yield_now<L: Tasks>(order: &Order) -> Outcome {
    let (threads, rounds) = (order.get("threads"), yield_now::rounds(order));
    let gate = L::Gate::new(threads);
    let give_way = move |gate: Arc<L::Gate>| async move {
        gate.pass().await;
        let mut returned = 0;
        for _ in 0..rounds {
            L::yield_now().await;
            returned += 1;
        }
        returned
    };
    let spawn = |_| L::spawn(give_way(Arc::clone(&gate)));
    let handles = (0..threads).map(spawn).collect();
    gate.wait_for_all().await;
    let watch = Stopwatch::start();
    gate.open();
    let returned = sum::<L>(handles).await?;
    let measurement = watch.stop(threads * rounds);
    yield_now::check(threads, rounds, returned)?;
    Ok(measurement)
}

async fn ping_pong<L: Tasks>(order: &Order) -> Outcome {
    let rounds = order.get("rounds");
    let watch = Stopwatch::start();
    let (to_pong, from_ping) = L::channel(1);
    let (to_ping, from_pong) = L::channel(1);
    let ping = L::spawn(lead::<L>(rounds, to_pong, from_pong));
    let pong = L::spawn(pass_on::<L>(rounds, from_ping, to_ping));
    let ball = L::join(ping).await?.ok_or(Failure::Disconnected)?;
    L::join(pong).await?.ok_or(Failure::Disconnected)?;
    let measurement = watch.stop(rounds);
    ping_pong::check(rounds, ball)?;
    Ok(measurement)
}

async fn ring<L: Tasks>(order: &Order) -> Outcome {
    let (threads, rounds) = (order.get("threads"), order.get("rounds"));
    let watch = Stopwatch::start();
    let (to_first, mut incoming) = L::channel(1);
    let mut handles = Vec::new();
    for _ in 1..threads {
        let (out, next) = L::channel(1);
        let from = std::mem::replace(&mut incoming, next);
        handles.push(L::spawn(pass_on::<L>(rounds, from, out)));
    }
    let first = L::spawn(lead::<L>(rounds, to_first, incoming));
    let token = L::join(first).await?.ok_or(Failure::Disconnected)?;
    for handle in handles {
        L::join(handle).await?.ok_or(Failure::Disconnected)?;
    }
    let measurement = watch.stop(threads * rounds);
    ring::check(threads, rounds, token)?;
    Ok(measurement)
}

async fn lead<L: Tasks>(rounds: u64, out: L::Sender, mut incoming: L::Receiver) -> Option<u64> {
    let mut token = 0;
    for _ in 0..rounds {
        L::send(&out, token + 1).await?;
        token = L::recv(&mut incoming).await?;
    }
    Some(token)
}

async fn pass_on<L: Tasks>(rounds: u64, mut incoming: L::Receiver, out: L::Sender) -> Option<()> {
    for _ in 0..rounds {
        let token = L::recv(&mut incoming).await?;
        L::send(&out, token + 1).await?;
    }
    Some(())
}

async fn primes<L: Tasks>(order: &Order) -> Outcome {
    let (limit, tasks) = (order.get("limit"), order.get("tasks"));
    let watch = Stopwatch::start();
    let handles = primes::chunks(limit, tasks)
        .map(|chunk| L::spawn(async move { primes::count(chunk) }))
        .collect();
    let primes = sum::<L>(handles).await?;
    let measurement = watch.stop(limit);
    primes::check(limit, primes)?;
    Ok(measurement)
}

async fn fib<L: Tasks>(order: &Order) -> Outcome {
    let (n, cutoff) = (order.get("n"), order.get("cutoff"));
    let watch = Stopwatch::start();
    let tree = fork::<L>(n, cutoff).await?;
    let measurement = watch.stop(tree.forks.max(1));
    fib::check(n, cutoff, tree)?;
    Ok(measurement)
}

/// An async function that calls itself needs a box for each call.
fn fork<L: Tasks>(
    n: u64,
    cutoff: u64,
) -> Pin<Box<dyn Future<Output = Result<Tree, Failure>> + Send>> {
    Box::pin(async move {
        if n < cutoff {
            return Ok(Tree::leaf(n));
        }
        let left = L::spawn(fork::<L>(n - 1, cutoff));
        let right = fork::<L>(n - 2, cutoff).await?;
        let left = L::join(left).await??;
        Ok(left.joined(right))
    })
}

async fn blocking<L: Tasks>(order: &Order) -> Outcome {
    let calls = order.get("calls") * order.get("rounds");
    let mut complete = 0;
    let watch = Stopwatch::start();
    for _ in 0..order.get("rounds") {
        complete += calls_at_once::<L>(order).await?;
    }
    let measurement = watch.stop(calls);
    blocking::check(calls, complete)?;
    Ok(measurement)
}

async fn calls_at_once<L: Tasks>(order: &Order) -> Result<u64, Failure> {
    let is_direct = order.get("direct") == 1;
    let duration = blocking::duration(order);
    let call = move || u64::from(blocking::call(duration));
    let task = |_| match is_direct {
        true => L::spawn(async move { call() }),
        false => L::block(call),
    };
    sum::<L>((0..order.get("calls")).map(task).collect()).await
}
