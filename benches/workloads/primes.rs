//! `primes`: count the primes below a limit by trial division, in many tasks, a thread each. One
//! operation is one number tested.
//!
//! It measures what more cores give to work that only computes. The tasks are of very different
//! length (some have eight times as many numbers as others, and large numbers take longer), so a
//! runtime has to spread them while they run. Parameters: `limit` (5,000,000), and `tasks` (64;
//! let it be at least four times the number of workers).
//!
//! The count must be that of a sieve, which runs after the watch was stopped.
#![forbid(unsafe_code)]

use std::ops::Range;

use trefoil::thread;

use super::{Workload, join};
use crate::failure::Failure;
use crate::measurement::{Measurement, Stopwatch};
use crate::order::Order;
use crate::parameters::Parameter;
use crate::scenario::Scenario;

/// The workload's entry in the list.
pub static WORKLOAD: Workload = Workload {
    name: "primes",
    about: "count primes by trial division, in uneven tasks",
    operation: "a number tested",
    scenario: Scenario::CpuBound,
    parameters: &[
        Parameter::new("limit", 5_000_000, "count the primes below this").within(2, 50_000_000),
        Parameter::new("tasks", 64, "threads that share the work").within(1, 100_000),
    ],
    contrast: None,
    run,
};

fn run(order: &Order) -> Result<Measurement, Failure> {
    let (limit, tasks) = (order.get("limit"), order.get("tasks"));
    let mut primes = 0;
    let watch = Stopwatch::start();
    let handles: Vec<_> = chunks(limit, tasks)
        .map(|chunk| thread::spawn(move || count(chunk)))
        .collect();
    for handle in handles {
        primes += join(handle)?;
    }
    let measurement = watch.stop(limit);
    check(limit, primes)?;
    Ok(measurement)
}

/// Cuts the numbers below `limit` into so many chunks, whose lengths are as 1 to 8.
pub fn chunks(limit: u64, tasks: u64) -> impl Iterator<Item = Range<u64>> {
    // A fixed order of the eight lengths; 5 steps of 8 visit them all.
    let weight = |task: u64| task * 5 % 8 + 1;
    let whole: u64 = (0..tasks).map(weight).sum();
    let mut before = 0;
    (0..tasks).map(move |task| {
        let start = limit * before / whole;
        before += weight(task);
        start..limit * before / whole
    })
}

/// How many primes are in the chunk.
#[must_use]
pub fn count(chunk: Range<u64>) -> u64 {
    chunk.filter(|&number| is_prime(number)).count() as u64
}

fn is_prime(number: u64) -> bool {
    // 32 bits are enough for the largest limit, and divide faster.
    let number = number as u32;
    if number < 4 {
        return number > 1;
    }
    if number.is_multiple_of(2) {
        return false;
    }
    let mut divisor = 3;
    while divisor * divisor <= number {
        if number.is_multiple_of(divisor) {
            return false;
        }
        divisor += 2;
    }
    true
}

/// The count is that of a sieve.
///
/// # Errors
///
/// If it is not.
pub fn check(limit: u64, primes: u64) -> Result<(), Failure> {
    Failure::unless_equal("the number of primes", sieve(limit), primes)
}

/// The number of primes below `limit`, by the sieve of Eratosthenes.
fn sieve(limit: u64) -> u64 {
    let limit = usize::try_from(limit).expect("the largest limit fits into memory");
    let mut composite = vec![false; limit];
    let mut primes = 0;
    for number in 2..limit {
        if composite[number] {
            continue;
        }
        primes += 1;
        for multiple in (number * number..limit).step_by(number) {
            composite[multiple] = true;
        }
    }
    primes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sieve_knows_the_primes() {
        assert_eq!(sieve(2), 0);
        assert_eq!(sieve(100), 25);
        assert_eq!(sieve(1_000_000), 78_498);
    }

    #[test]
    fn trial_division_agrees_with_the_sieve() {
        for limit in [2, 3, 4, 10, 100, 10_007, 10_008] {
            assert_eq!(count(0..limit), sieve(limit));
        }
    }

    #[test]
    fn chunks_cover_every_number_once() {
        for (limit, tasks) in [(1_000, 7), (3, 64), (1_000_000, 64)] {
            let mut next = 0;
            for chunk in chunks(limit, tasks) {
                assert_eq!(chunk.start, next);
                next = chunk.end;
            }
            assert_eq!(next, limit);
        }
    }

    #[test]
    fn a_wrong_count_is_seen() {
        assert!(check(100, 25).is_ok());
        assert!(check(100, 24).is_err());
    }
}
