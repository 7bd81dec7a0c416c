//! tokio's tasks, on its multi-thread runtime, or on its current-thread runtime where one worker
//! is asked for. The workload itself is a task too: it would otherwise run outside the workers,
//! and each of its wake-ups would be one across OS threads.
#![forbid(unsafe_code)]

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::Arc;

use tokio::runtime::{Builder, Runtime};
use tokio::sync::mpsc::{self, Receiver, Sender};
use tokio::task::{self, JoinHandle};

use self::gate::Gate;
use crate::failure::Failure;
use crate::measurement::{Measurement, Stopwatch};
use crate::order::Order;
use crate::workloads::fib::Tree;
use crate::workloads::{blocking, fib, ping_pong, primes, ring, spawn_join, yield_now};

mod gate;
mod mpmc;
mod mutex;
mod parked;
mod select;
mod server;
mod sleepers;

type Outcome = Result<Measurement, Failure>;

pub(super) fn run(workload: &str, order: &Order, workers: usize) -> Outcome {
    let runtime = runtime(workload, workers).map_err(Failure::io("build tokio's runtime"))?;
    let order = order.clone();
    let workload = workload.to_string();
    runtime.block_on(async move { joined(tokio::spawn(perform(workload, order))).await? })
}

/// Its timers are enabled for the workload that sleeps: for the others they would be one more thing
/// to look at.
fn runtime(workload: &str, workers: usize) -> io::Result<Runtime> {
    let mut builder = match workers {
        1 => Builder::new_current_thread(),
        _ => Builder::new_multi_thread(),
    };
    builder.worker_threads(workers).enable_io();
    if workload == "sleepers" {
        builder.enable_time();
    }
    builder.build()
}

async fn perform(workload: String, order: Order) -> Outcome {
    match workload.as_str() {
        "spawn_join" => spawn_join(&order).await,
        "spawn_batch" => spawn_batch(&order).await,
        "yield" => yield_now(&order).await,
        "ping_pong" => ping_pong(&order).await,
        "ring" => ring(&order).await,
        "mpmc" => mpmc::mpmc(&order).await,
        "mutex" => mutex::mutex(&order).await,
        "select" => select::select(&order).await,
        "primes" => primes(&order).await,
        "fib" => fib(&order).await,
        "blocking" => blocking(&order).await,
        "parked" => parked::parked(&order).await,
        "sleepers" => sleepers::sleepers(&order).await,
        name if super::echo::NAMES.contains(&name) => server::serve(&workload, order).await,
        other => Err(super::unknown(other)),
    }
}

async fn joined<T>(handle: JoinHandle<T>) -> Result<T, Failure> {
    handle.await.map_err(|error| match error.try_into_panic() {
        Ok(payload) => Failure::panicked(payload),
        Err(cancelled) => Failure::Panicked(cancelled.to_string()),
    })
}

/// Joins all, and adds up their results.
async fn sum(handles: Vec<JoinHandle<u64>>) -> Result<u64, Failure> {
    let mut sum = 0;
    for handle in handles {
        sum += joined(handle).await?;
    }
    Ok(sum)
}

async fn spawn_join(order: &Order) -> Outcome {
    let threads = order.get("threads");
    let mut sum = 0;
    let watch = Stopwatch::start();
    for number in 0..threads {
        sum += joined(tokio::spawn(async move { number })).await?;
    }
    let measurement = watch.stop(threads);
    spawn_join::check(threads, sum)?;
    Ok(measurement)
}

async fn spawn_batch(order: &Order) -> Outcome {
    let threads = order.get("threads");
    let watch = Stopwatch::start();
    let handles = (0..threads).map(|number| tokio::spawn(async move { number }));
    let sum = sum(handles.collect()).await?;
    let measurement = watch.stop(threads);
    spawn_join::check(threads, sum)?;
    Ok(measurement)
}

async fn yield_now(order: &Order) -> Outcome {
    let (threads, rounds) = (order.get("threads"), yield_now::rounds(order));
    let gate = Gate::new(threads);
    let give_way = move |gate: Arc<Gate>| async move {
        gate.pass().await;
        let mut returned = 0;
        for _ in 0..rounds {
            task::yield_now().await;
            returned += 1;
        }
        returned
    };
    let spawn = |_| tokio::spawn(give_way(Arc::clone(&gate)));
    let handles = (0..threads).map(spawn).collect();
    gate.wait_for_all().await;
    let watch = Stopwatch::start();
    gate.open();
    let returned = sum(handles).await?;
    let measurement = watch.stop(threads * rounds);
    yield_now::check(threads, rounds, returned)?;
    Ok(measurement)
}

async fn ping_pong(order: &Order) -> Outcome {
    let rounds = order.get("rounds");
    let watch = Stopwatch::start();
    let (to_pong, from_ping) = mpsc::channel(1);
    let (to_ping, from_pong) = mpsc::channel(1);
    let ping = tokio::spawn(lead(rounds, to_pong, from_pong));
    let pong = tokio::spawn(pass_on(rounds, from_ping, to_ping));
    let ball = joined(ping).await?.ok_or(Failure::Disconnected)?;
    joined(pong).await?.ok_or(Failure::Disconnected)?;
    let measurement = watch.stop(rounds);
    ping_pong::check(rounds, ball)?;
    Ok(measurement)
}

async fn ring(order: &Order) -> Outcome {
    let (threads, rounds) = (order.get("threads"), order.get("rounds"));
    let watch = Stopwatch::start();
    let (to_first, mut incoming) = mpsc::channel(1);
    let mut handles = Vec::new();
    for _ in 1..threads {
        let (out, next) = mpsc::channel(1);
        let from = std::mem::replace(&mut incoming, next);
        handles.push(tokio::spawn(pass_on(rounds, from, out)));
    }
    let first = tokio::spawn(lead(rounds, to_first, incoming));
    let token = joined(first).await?.ok_or(Failure::Disconnected)?;
    for handle in handles {
        joined(handle).await?.ok_or(Failure::Disconnected)?;
    }
    let measurement = watch.stop(threads * rounds);
    ring::check(threads, rounds, token)?;
    Ok(measurement)
}

async fn lead(rounds: u64, out: Sender<u64>, mut incoming: Receiver<u64>) -> Option<u64> {
    let mut token = 0;
    for _ in 0..rounds {
        out.send(token + 1).await.ok()?;
        token = incoming.recv().await?;
    }
    Some(token)
}

async fn pass_on(rounds: u64, mut incoming: Receiver<u64>, out: Sender<u64>) -> Option<()> {
    for _ in 0..rounds {
        let token = incoming.recv().await?;
        out.send(token + 1).await.ok()?;
    }
    Some(())
}

async fn primes(order: &Order) -> Outcome {
    let (limit, tasks) = (order.get("limit"), order.get("tasks"));
    let watch = Stopwatch::start();
    let handles = primes::chunks(limit, tasks)
        .map(|chunk| tokio::spawn(async move { primes::count(chunk) }))
        .collect();
    let primes = sum(handles).await?;
    let measurement = watch.stop(limit);
    primes::check(limit, primes)?;
    Ok(measurement)
}

async fn fib(order: &Order) -> Outcome {
    let (n, cutoff) = (order.get("n"), order.get("cutoff"));
    let watch = Stopwatch::start();
    let tree = fork(n, cutoff).await?;
    let measurement = watch.stop(tree.forks.max(1));
    fib::check(n, cutoff, tree)?;
    Ok(measurement)
}

/// An async function that calls itself needs a box for each call.
fn fork(n: u64, cutoff: u64) -> Pin<Box<dyn Future<Output = Result<Tree, Failure>> + Send>> {
    Box::pin(async move {
        if n < cutoff {
            return Ok(Tree::leaf(n));
        }
        let left = tokio::spawn(fork(n - 1, cutoff));
        let right = fork(n - 2, cutoff).await?;
        let left = joined(left).await??;
        Ok(left.joined(right))
    })
}

async fn blocking(order: &Order) -> Outcome {
    let calls = order.get("calls") * order.get("rounds");
    let mut complete = 0;
    let watch = Stopwatch::start();
    for _ in 0..order.get("rounds") {
        complete += calls_at_once(order).await?;
    }
    let measurement = watch.stop(calls);
    blocking::check(calls, complete)?;
    Ok(measurement)
}

async fn calls_at_once(order: &Order) -> Result<u64, Failure> {
    let is_direct = order.get("direct") == 1;
    let duration = blocking::duration(order);
    let call = move || u64::from(blocking::call(duration));
    let task = |_| match is_direct {
        true => tokio::spawn(async move { call() }),
        false => task::spawn_blocking(call),
    };
    sum((0..order.get("calls")).map(task).collect()).await
}
