//! `sieve`, for libraries whose channels are used as those of `std` are.
#![forbid(unsafe_code)]

use super::StdShaped;
use crate::failure::Failure;
use crate::measurement::{Measurement, Stopwatch};
use crate::order::Order;
use crate::workloads::sieve::{Found, Plan, capacity};

pub(super) fn sieve<L: StdShaped>(order: &Order) -> Result<Measurement, Failure> {
    let (capacity, plan) = (capacity(order), Plan::of(order));
    let watch = Stopwatch::start();
    let (first, mut incoming) = L::channel(capacity);
    let source = L::spawn(move || count_up::<L>(plan.last, &first));
    let mut found = Found::default();
    let mut filters = Vec::new();
    while found.primes < plan.primes {
        let prime = L::recv(&incoming).ok_or(Failure::Disconnected)?;
        found.add(prime);
        let (out, next) = L::channel(capacity);
        let from = std::mem::replace(&mut incoming, next);
        filters.push(L::spawn(move || pass_on::<L>(prime, &from, &out)));
    }
    drop(incoming);
    L::join(source)?.ok_or(Failure::Disconnected)?;
    for filter in filters {
        found.hops += L::join(filter)?.ok_or(Failure::Disconnected)?;
    }
    let measurement = watch.stop(found.hops);
    plan.check(found)?;
    Ok(measurement)
}

fn count_up<L: StdShaped>(last: u64, out: &L::Sender) -> Option<()> {
    (2..=last).try_for_each(|number| L::send(out, number))
}

fn pass_on<L: StdShaped>(prime: u64, incoming: &L::Receiver, out: &L::Sender) -> Option<u64> {
    let mut hops = 0;
    while let Some(number) = L::recv(incoming) {
        hops += 1;
        if !number.is_multiple_of(prime) {
            L::send(out, number)?;
        }
    }
    Some(hops)
}
