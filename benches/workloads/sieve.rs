//! `sieve`: the sieve of primes as a chain of threads. The first one sends 2, 3, 4 and so on; behind it
//! stands a thread for each prime found so far, which passes on what its prime does not divide. What comes
//! out at the end is the next prime, and gets a thread of its own. One operation is one hop of a number
//! over one channel.
//!
//! It measures a pipeline: very many short messages along many threads, of which the first ones have most
//! of the work. Parameters: `primes` (1,000; 100 on kernel threads), how many are to be found, and the
//! `capacity` of each channel (1).
//!
//! The numbers end with the last prime, so that the hops are the same in each run: a number goes over as
//! many channels as its smallest divisor's place among the primes says. The primes and the number of hops
//! must be right; both are computed by the sieve of Eratosthenes before the clock starts.
#![forbid(unsafe_code)]

use trefoil::channel::{Receiver, Sender, bounded};
use trefoil::thread;

use super::{Workload, join};
use crate::failure::Failure;
use crate::measurement::{Measurement, Stopwatch};
use crate::order::Order;
use crate::parameters::Parameter;
use crate::scenario::Scenario;

/// The workload's entry in the list.
pub static WORKLOAD: Workload = Workload {
    name: "sieve",
    about: "numbers go along a chain with a thread for each prime",
    operation: "a hop from one thread to the next",
    scenario: Scenario::FineGrained,
    parameters: &[
        Parameter::new("primes", 1_000, "primes to be found, a thread each")
            .on_kernel(100)
            .within(1, 10_000),
        Parameter::new("capacity", 1, "messages that have room in each channel")
            .within(1, 1_000_000),
    ],
    contrast: None,
    run,
};

fn run(order: &Order) -> Result<Measurement, Failure> {
    let capacity = capacity(order);
    let plan = Plan::of(order);
    let watch = Stopwatch::start();
    let (first, mut incoming) = bounded(capacity);
    let last = plan.last;
    let source = thread::spawn(move || count_up(last, &first));
    let mut found = Found::default();
    let mut filters = Vec::new();
    while found.primes < plan.primes {
        let prime = incoming.recv().map_err(|_| Failure::Disconnected)?;
        found.add(prime);
        let (out, next) = bounded(capacity);
        let from = std::mem::replace(&mut incoming, next);
        filters.push(thread::spawn(move || pass_on(prime, &from, &out)));
    }
    // Nothing comes after the last prime: a filter that passes something on finds nobody there.
    drop(incoming);
    join(source)?.ok_or(Failure::Disconnected)?;
    for filter in filters {
        found.hops += join(filter)?.ok_or(Failure::Disconnected)?;
    }
    let measurement = watch.stop(found.hops);
    plan.check(found)?;
    Ok(measurement)
}

/// How many messages have room in each channel.
#[must_use]
pub fn capacity(order: &Order) -> usize {
    usize::try_from(order.get("capacity")).expect("the largest one fits")
}

/// Sends all numbers up to the last. `None`: nobody receives them any more.
fn count_up(last: u64, out: &Sender<u64>) -> Option<()> {
    (2..=last).try_for_each(|number| out.send(number).ok())
}

/// Passes on what the prime does not divide, and counts what has come.
fn pass_on(prime: u64, incoming: &Receiver<u64>, out: &Sender<u64>) -> Option<u64> {
    let mut hops = 0;
    for number in incoming {
        hops += 1;
        if !number.is_multiple_of(prime) {
            out.send(number).ok()?;
        }
    }
    Some(hops)
}

/// What there is to find.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Plan {
    /// How many primes.
    pub primes: u64,
    /// The last of them, with which the numbers end.
    pub last: u64,
    all: Found,
}

/// What was found.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Found {
    /// How many primes.
    pub primes: u64,
    sum: u64,
    /// How often a number went over a channel.
    pub hops: u64,
}

impl Plan {
    /// Computed without threads.
    #[must_use]
    pub fn of(order: &Order) -> Plan {
        Plan::new(order.get("primes"))
    }

    fn new(primes: u64) -> Plan {
        // The nth prime is below n (ln n + ln ln n), and that is below 12 n for each n that is allowed.
        let places = places_of_divisors(primes * 12 + 2);
        let mut found = Found::default();
        let mut hops = 0;
        let mut last = 0;
        for (number, place) in (2..).zip(&places[2..]) {
            hops += place;
            // A prime is its own smallest divisor, and the first one that is not known yet.
            if *place > found.primes {
                found.add(number);
                last = number;
            }
            if found.primes == primes {
                break;
            }
        }
        found.hops = hops;
        Plan {
            primes,
            last,
            all: found,
        }
    }

    /// All primes are there, and no number went another way.
    ///
    /// # Errors
    ///
    /// If it is otherwise.
    pub fn check(&self, found: Found) -> Result<(), Failure> {
        Failure::unless_equal("the number of primes", self.primes, found.primes)?;
        Failure::unless_equal("the sum of the primes", self.all.sum, found.sum)?;
        Failure::unless_equal("the number of hops", self.all.hops, found.hops)
    }
}

impl Found {
    /// One prime more, after a last hop.
    pub fn add(&mut self, prime: u64) {
        self.primes += 1;
        self.sum += prime;
        self.hops += 1;
    }
}

/// For each number below `limit` the place of its smallest divisor among the primes: 1 for 2, 2 for 3.
fn places_of_divisors(limit: u64) -> Vec<u64> {
    let mut places = vec![0; limit as usize];
    let mut primes = 0;
    for number in 2..limit {
        if places[number as usize] > 0 {
            continue;
        }
        primes += 1;
        for multiple in (number..limit).step_by(number as usize) {
            let place = &mut places[multiple as usize];
            if *place == 0 {
                *place = primes;
            }
        }
    }
    places
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_plan_is_the_definition() {
        // 2 and 4 go over one channel, 3 over two, 5 over three, 6 over one, 7 over four.
        let plan = Plan::new(4);
        assert_eq!((plan.last, plan.all.sum), (7, 2 + 3 + 5 + 7));
        assert_eq!(plan.all.hops, 1 + 2 + 1 + 3 + 1 + 4);
        assert_eq!(Plan::new(1_000).last, 7_919);
        assert_eq!(Plan::new(10_000).last, 104_729);
        assert_eq!(Plan::new(1).last, 2);
    }

    #[test]
    fn a_wrong_prime_and_a_hop_too_few_are_seen() {
        let plan = Plan::new(3);
        assert!(plan.check(plan.all).is_ok());
        let wrong = |change: fn(&mut Found)| {
            let mut found = plan.all;
            change(&mut found);
            plan.check(found).is_err()
        };
        assert!(wrong(|found| found.primes -= 1));
        assert!(wrong(|found| found.sum += 1));
        assert!(wrong(|found| found.hops -= 1));
    }

    #[test]
    fn a_filter_drops_the_multiples_of_its_prime() {
        let (sender, incoming) = bounded(10);
        let (out, passed) = bounded(10);
        count_up(7, &sender).unwrap();
        drop(sender);
        assert_eq!(pass_on(3, &incoming, &out), Some(6));
        drop(out);
        assert_eq!(passed.iter().collect::<Vec<_>>(), [2, 4, 5, 7]);
    }
}
