//! rayon's jobs: closures, run by a pool that has as many OS threads as there are workers. The workload itself is
//! run there too.
//!
//! What stands for a thread, and what for its join:
//!
//! | workload | a thread | its join |
//! |---|---|---|
//! | `spawn_join`, `fib` | the second closure of `rayon::join`, which others may steal while the first one runs | the end of `rayon::join` |
//! | `spawn_batch` | a closure of `Scope::spawn` | the end of the scope |
//! | `skynet_join` | an item of a parallel iterator | its sum |
//! | `primes` | an item of a parallel iterator | its sum |
//!
//! A job has no stack that could be put aside: if it waits, its worker waits. So the other workloads, whose threads
//! wait for each other, for time or for sockets, are not for it.
#![forbid(unsafe_code)]

use std::ops::Range;

use rayon::ThreadPoolBuilder;
use rayon::iter::{IndexedParallelIterator, IntoParallelIterator, ParallelIterator};

use crate::failure::Failure;
use crate::measurement::{Measurement, Stopwatch};
use crate::order::Order;
use crate::workloads::fib::Tree;
use crate::workloads::skynet::{self, Node};
use crate::workloads::{fib, primes, spawn_join};

type Outcome = Result<Measurement, Failure>;

pub(super) fn run(workload: &str, order: &Order, workers: usize) -> Outcome {
    let jobs: fn(&Order) -> Outcome = match workload {
        "spawn_join" => spawn_join,
        "spawn_batch" => spawn_batch,
        "skynet_join" => skynet_join,
        "primes" => primes,
        "fib" => fib,
        _ => {
            let why = "rayon has no threads that wait: it does spawn_join, spawn_batch, skynet_join, primes and fib only";
            return Err(Failure::Unable(why.into()));
        }
    };
    enter(workers, || jobs(order))?
}

/// Runs `f` in a pool of its own. A panic comes out of it as it is.
fn enter<T: Send>(workers: usize, f: impl FnOnce() -> T + Send) -> Result<T, Failure> {
    let pool = ThreadPoolBuilder::new()
        .num_threads(workers)
        .thread_name(|worker| format!("rayon-{worker}"))
        .build()
        .map_err(|error| Failure::Unable(format!("cannot start rayon's workers: {error}")))?;
    Ok(pool.install(f))
}

fn spawn_join(order: &Order) -> Outcome {
    let threads = order.get("threads");
    let mut sum = 0;
    let watch = Stopwatch::start();
    for number in 0..threads {
        let ((), result) = rayon::join(|| (), move || number);
        sum += result;
    }
    let measurement = watch.stop(threads);
    spawn_join::check(threads, sum)?;
    Ok(measurement)
}

/// A closure of a scope returns nothing: each has a place for its result.
fn spawn_batch(order: &Order) -> Outcome {
    let threads = order.get("threads");
    let watch = Stopwatch::start();
    let mut results = vec![0; threads as usize];
    rayon::scope(|scope| {
        for (number, result) in (0..threads).zip(&mut results) {
            scope.spawn(move |_| *result = number);
        }
    });
    let sum = results.iter().sum();
    let measurement = watch.stop(threads);
    spawn_join::check(threads, sum)?;
    Ok(measurement)
}

fn skynet_join(order: &Order) -> Outcome {
    let tree = skynet::Tree::of(order)?;
    let watch = Stopwatch::start();
    let sum = grow(tree.root());
    let measurement = watch.stop(tree.threads);
    tree.check(sum)?;
    Ok(measurement)
}

/// Each child is a job of its own.
fn grow(node: Node) -> u64 {
    if let Some(number) = node.leaf() {
        return number;
    }
    let children: Vec<Node> = node.children().collect();
    children.into_par_iter().with_max_len(1).map(grow).sum()
}

/// Each chunk is a job of its own, as it is a thread elsewhere: by itself, the iterator puts several into one.
fn primes(order: &Order) -> Outcome {
    let (limit, tasks) = (order.get("limit"), order.get("tasks"));
    let watch = Stopwatch::start();
    let chunks: Vec<Range<u64>> = primes::chunks(limit, tasks).collect();
    let jobs = chunks.into_par_iter().with_max_len(1);
    let primes = jobs.map(primes::count).sum();
    let measurement = watch.stop(limit);
    primes::check(limit, primes)?;
    Ok(measurement)
}

fn fib(order: &Order) -> Outcome {
    let (n, cutoff) = (order.get("n"), order.get("cutoff"));
    let watch = Stopwatch::start();
    let tree = fork(n, cutoff);
    let measurement = watch.stop(tree.forks.max(1));
    fib::check(n, cutoff, tree)?;
    Ok(measurement)
}

/// The left branch may be stolen, the right one is computed here, as on all others.
fn fork(n: u64, cutoff: u64) -> Tree {
    if n < cutoff {
        return Tree::leaf(n);
    }
    let (right, left) = rayon::join(|| fork(n - 2, cutoff), || fork(n - 1, cutoff));
    left.joined(right)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_pool_has_as_many_workers_as_asked_for() {
        for workers in [1, 2, 5] {
            let found = enter(workers, rayon::current_num_threads).unwrap();
            assert_eq!(found, workers);
        }
    }

    #[test]
    fn the_workload_runs_on_a_worker() {
        let worker = enter(1, rayon::current_thread_index).unwrap();
        assert_eq!(worker, Some(0));
        let name = enter(1, || std::thread::current().name().map(str::to_owned)).unwrap();
        assert_eq!(name.as_deref(), Some("rayon-0"));
    }

    #[test]
    fn a_panic_in_a_job_reaches_the_caller() {
        let caught =
            std::panic::catch_unwind(|| enter(2, || rayon::join(|| (), || panic!("out of luck"))));
        let failure = Failure::panicked(caught.unwrap_err());
        assert!(failure.to_string().contains("out of luck"), "{failure}");
    }
}
