//! The workloads for libraries that are shaped like `std`: their threads are functions that block,
//! so what differs is only how the verbs are called.
#![forbid(unsafe_code)]

use std::io::{self, Read, Write};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use self::gate::Gate;
use crate::failure::Failure;
use crate::measurement::{Measurement, Stopwatch};
use crate::order::Order;
use crate::workloads::fib::Tree;
use crate::workloads::{blocking, fib, ping_pong, primes, ring, spawn_join, yield_now};

mod fairness;
mod gate;
mod mpmc;
mod mutex;
mod parked;
mod server;
mod sieve;
mod skynet;
mod sleepers;
mod timers;

/// The verbs of such a library. Its type is only a name for them.
pub(super) trait StdShaped: 'static {
    type Handle<T: Send + 'static>: Send;
    type Thread: Send + Sync;
    type Sender: Clone + Send;
    type Receiver: Send;
    type Producer: Clone + Send;
    type Consumer: Clone + Send;
    type Mutex: Send + Sync;
    type Listener: Send;
    type Stream: Read + Write + Send;

    fn spawn<T: Send + 'static>(f: impl FnOnce() -> T + Send + 'static) -> Self::Handle<T>;
    /// With a stack of so many bytes, if there is a number.
    fn start<T: Send + 'static>(
        stack: Option<usize>,
        f: impl FnOnce() -> T + Send + 'static,
    ) -> io::Result<Self::Handle<T>>;
    fn join<T: Send + 'static>(handle: Self::Handle<T>) -> Result<T, Failure>;
    fn yield_now();
    fn sleep(duration: Duration);

    fn current() -> Self::Thread;
    fn unpark(thread: &Self::Thread);
    fn unpark_handle<T: Send + 'static>(handle: &Self::Handle<T>);
    fn park();

    /// With room for so many messages, at least.
    fn channel(capacity: usize) -> (Self::Sender, Self::Receiver);
    fn send(sender: &Self::Sender, message: u64) -> Option<()>;
    fn recv(receiver: &Self::Receiver) -> Option<u64>;
    fn recv_within(receiver: &Self::Receiver, patience: Duration) -> Option<u64>;

    /// A channel that both ends may share, with room for so many messages.
    fn queue(capacity: usize) -> (Self::Producer, Self::Consumer);
    fn produce(producer: &Self::Producer, message: u64) -> Option<()>;
    fn consume(consumer: &Self::Consumer) -> Option<u64>;

    /// A mutex around a number.
    fn mutex() -> Self::Mutex;
    /// Locks, adds one, and unlocks.
    fn count(mutex: &Self::Mutex);
    fn counted(mutex: &Self::Mutex) -> u64;

    /// On a free port of the loopback interface.
    fn bind() -> io::Result<(Self::Listener, SocketAddr)>;
    /// The stream sends each write at once.
    fn accept(listener: &Self::Listener) -> io::Result<Self::Stream>;

    /// Makes a call that blocks its OS thread, as this library would have it made.
    fn block<T: Send + 'static>(call: impl FnOnce() -> T + Send + 'static) -> T;
    /// Runs `f` as a thread of this library.
    fn enter<T: Send + 'static>(f: impl FnOnce() -> T + Send + 'static) -> Result<T, Failure>;
}

pub(super) fn run<L: StdShaped>(workload: &str, order: &Order) -> Result<Measurement, Failure> {
    let threads: fn(&Order) -> Result<Measurement, Failure> = match workload {
        "spawn_join" => spawn_join::<L>,
        "spawn_batch" => spawn_batch::<L>,
        "skynet_channel" => skynet::by_channel::<L>,
        "skynet_join" => skynet::by_join::<L>,
        "yield" => yield_now::<L>,
        "ping_pong" => ping_pong::<L>,
        "timers_cancelled" => timers::timers_cancelled::<L>,
        "ring" => ring::<L>,
        "sieve" => sieve::sieve::<L>,
        "mpmc" => mpmc::mpmc::<L>,
        "mutex" => mutex::mutex::<L>,
        "primes" => primes::<L>,
        "fib" => fib::<L>,
        "blocking" => blocking::<L>,
        "parked" => parked::parked::<L>,
        "sleepers" => sleepers::sleepers::<L>,
        "fairness" => fairness::fairness::<L>,
        // Its driver blocks, so it is no thread of the library.
        _ if super::echo::NAMES.contains(&workload) => return server::serve::<L>(workload, order),
        other => return Err(super::unknown(other)),
    };
    let order = order.clone();
    L::enter(move || threads(&order))?
}

fn spawn_join<L: StdShaped>(order: &Order) -> Result<Measurement, Failure> {
    let threads = order.get("threads");
    let mut sum = 0;
    let watch = Stopwatch::start();
    for number in 0..threads {
        sum += L::join(L::spawn(move || number))?;
    }
    let measurement = watch.stop(threads);
    spawn_join::check(threads, sum)?;
    Ok(measurement)
}

fn spawn_batch<L: StdShaped>(order: &Order) -> Result<Measurement, Failure> {
    let threads = order.get("threads");
    let watch = Stopwatch::start();
    let handles: Vec<_> = (0..threads)
        .map(|number| L::spawn(move || number))
        .collect();
    let sum = sum::<L>(handles)?;
    let measurement = watch.stop(threads);
    spawn_join::check(threads, sum)?;
    Ok(measurement)
}

/// Joins all, and adds up their results.
fn sum<L: StdShaped>(handles: Vec<L::Handle<u64>>) -> Result<u64, Failure> {
    handles.into_iter().map(L::join).sum()
}

fn yield_now<L: StdShaped>(order: &Order) -> Result<Measurement, Failure> {
    let (threads, rounds) = (order.get("threads"), yield_now::rounds(order));
    let gate = Gate::<L>::new(threads);
    let give_way = move |gate: Arc<Gate<L>>| {
        gate.pass();
        let mut returned = 0;
        for _ in 0..rounds {
            L::yield_now();
            returned += 1;
        }
        returned
    };
    let handles: Vec<_> = (0..threads)
        .map(|_| {
            let gate = Arc::clone(&gate);
            L::spawn(move || give_way(gate))
        })
        .collect();
    gate.wait_for_all();
    let watch = Stopwatch::start();
    gate.open(&handles);
    let returned = sum::<L>(handles)?;
    let measurement = watch.stop(threads * rounds);
    yield_now::check(threads, rounds, returned)?;
    Ok(measurement)
}

fn ping_pong<L: StdShaped>(order: &Order) -> Result<Measurement, Failure> {
    let rounds = order.get("rounds");
    let watch = Stopwatch::start();
    let (to_pong, from_ping) = L::channel(1);
    let (to_ping, from_pong) = L::channel(1);
    let ping = L::spawn(move || lead::<L>(rounds, &to_pong, &from_pong));
    let pong = L::spawn(move || pass_on::<L>(rounds, &from_ping, &to_ping));
    let ball = L::join(ping)?.ok_or(Failure::Disconnected)?;
    L::join(pong)?.ok_or(Failure::Disconnected)?;
    let measurement = watch.stop(rounds);
    ping_pong::check(rounds, ball)?;
    Ok(measurement)
}

fn ring<L: StdShaped>(order: &Order) -> Result<Measurement, Failure> {
    let (threads, rounds) = (order.get("threads"), order.get("rounds"));
    let watch = Stopwatch::start();
    let (to_first, mut incoming) = L::channel(1);
    let mut handles = Vec::new();
    for _ in 1..threads {
        let (out, next) = L::channel(1);
        let from = std::mem::replace(&mut incoming, next);
        handles.push(L::spawn(move || pass_on::<L>(rounds, &from, &out)));
    }
    let first = L::spawn(move || lead::<L>(rounds, &to_first, &incoming));
    let token = L::join(first)?.ok_or(Failure::Disconnected)?;
    for handle in handles {
        L::join(handle)?.ok_or(Failure::Disconnected)?;
    }
    let measurement = watch.stop(threads * rounds);
    ring::check(threads, rounds, token)?;
    Ok(measurement)
}

fn lead<L: StdShaped>(rounds: u64, out: &L::Sender, incoming: &L::Receiver) -> Option<u64> {
    let mut token = 0;
    for _ in 0..rounds {
        L::send(out, token + 1)?;
        token = L::recv(incoming)?;
    }
    Some(token)
}

fn pass_on<L: StdShaped>(rounds: u64, incoming: &L::Receiver, out: &L::Sender) -> Option<()> {
    for _ in 0..rounds {
        let token = L::recv(incoming)?;
        L::send(out, token + 1)?;
    }
    Some(())
}

fn primes<L: StdShaped>(order: &Order) -> Result<Measurement, Failure> {
    let (limit, tasks) = (order.get("limit"), order.get("tasks"));
    let watch = Stopwatch::start();
    let handles = primes::chunks(limit, tasks)
        .map(|chunk| L::spawn(move || primes::count(chunk)))
        .collect();
    let primes = sum::<L>(handles)?;
    let measurement = watch.stop(limit);
    primes::check(limit, primes)?;
    Ok(measurement)
}

fn fib<L: StdShaped>(order: &Order) -> Result<Measurement, Failure> {
    let (n, cutoff) = (order.get("n"), order.get("cutoff"));
    let watch = Stopwatch::start();
    let tree = fork::<L>(n, cutoff)?;
    let measurement = watch.stop(tree.forks.max(1));
    fib::check(n, cutoff, tree)?;
    Ok(measurement)
}

fn fork<L: StdShaped>(n: u64, cutoff: u64) -> Result<Tree, Failure> {
    if n < cutoff {
        return Ok(Tree::leaf(n));
    }
    let left = L::spawn(move || fork::<L>(n - 1, cutoff));
    let right = fork::<L>(n - 2, cutoff)?;
    let left = L::join(left)??;
    Ok(left.joined(right))
}

fn blocking<L: StdShaped>(order: &Order) -> Result<Measurement, Failure> {
    let calls = order.get("calls") * order.get("rounds");
    let mut complete = 0;
    let watch = Stopwatch::start();
    for _ in 0..order.get("rounds") {
        complete += calls_at_once::<L>(order)?;
    }
    let measurement = watch.stop(calls);
    blocking::check(calls, complete)?;
    Ok(measurement)
}

fn calls_at_once<L: StdShaped>(order: &Order) -> Result<u64, Failure> {
    let is_direct = order.get("direct") == 1;
    let duration = blocking::duration(order);
    let call = move || blocking::call(duration);
    let thread = move || {
        u64::from(match is_direct {
            true => call(),
            false => L::block(call),
        })
    };
    let handles = (0..order.get("calls")).map(|_| L::spawn(thread));
    sum::<L>(handles.collect())
}
