//! `sieve`, for tasks.
#![forbid(unsafe_code)]

use super::{Outcome, Tasks};
use crate::failure::Failure;
use crate::measurement::Stopwatch;
use crate::order::Order;
use crate::workloads::sieve::{Found, Plan, capacity};

pub(super) async fn sieve<L: Tasks>(order: &Order) -> Outcome {
    let (capacity, plan) = (capacity(order), Plan::of(order));
    let watch = Stopwatch::start();
    let (first, mut incoming) = L::channel(capacity);
    let source = L::spawn(count_up::<L>(plan.last, first));
    let mut found = Found::default();
    let mut filters = Vec::new();
    while found.primes < plan.primes {
        let prime = L::recv(&mut incoming).await.ok_or(Failure::Disconnected)?;
        found.add(prime);
        let (out, next) = L::channel(capacity);
        let from = std::mem::replace(&mut incoming, next);
        filters.push(L::spawn(pass_on::<L>(prime, from, out)));
    }
    drop(incoming);
    L::join(source).await?.ok_or(Failure::Disconnected)?;
    for filter in filters {
        found.hops += L::join(filter).await?.ok_or(Failure::Disconnected)?;
    }
    let measurement = watch.stop(found.hops);
    plan.check(found)?;
    Ok(measurement)
}

async fn count_up<L: Tasks>(last: u64, out: L::Sender) -> Option<()> {
    for number in 2..=last {
        L::send(&out, number).await?;
    }
    Some(())
}

async fn pass_on<L: Tasks>(prime: u64, mut incoming: L::Receiver, out: L::Sender) -> Option<u64> {
    let mut hops = 0;
    while let Some(number) = L::recv(&mut incoming).await {
        hops += 1;
        if !number.is_multiple_of(prime) {
            L::send(&out, number).await?;
        }
    }
    Some(hops)
}
