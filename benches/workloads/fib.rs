//! `fib`: Fibonacci numbers by the definition; the left branch is a thread, the right one is
//! computed here, then the left one is joined. One operation is one thread.
//!
//! It measures fork and join: a tree of threads that wait for each other, on all cores. Below the
//! cutoff a branch is computed without threads. Parameters: `n` (38) and `cutoff` (20; smaller
//! ones make more threads with less work each, and more wait at the same time).
//!
//! Both the number and how many threads were made must be right.
#![forbid(unsafe_code)]

use trefoil::thread;

use super::{Workload, join};
use crate::failure::Failure;
use crate::measurement::{Measurement, Stopwatch};
use crate::order::Order;
use crate::parameters::Parameter;
use crate::scenario::Scenario;

/// The workload's entry in the list.
pub static WORKLOAD: Workload = Workload {
    name: "fib",
    about: "Fibonacci numbers by fork and join",
    operation: "a thread, forked and joined",
    scenario: Scenario::CpuBound,
    parameters: &[
        Parameter::new("n", 38, "which Fibonacci number").within(2, 60),
        Parameter::new("cutoff", 20, "smaller ones are computed without threads").within(2, 60),
    ],
    contrast: None,
    run,
};

/// A Fibonacci number, and how many threads were forked for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tree {
    /// The Fibonacci number.
    pub value: u64,
    /// How many threads it took.
    pub forks: u64,
}

impl Tree {
    /// Computed without a thread.
    #[must_use]
    pub fn leaf(n: u64) -> Tree {
        Tree {
            value: alone(n),
            forks: 0,
        }
    }

    /// Of two branches, for one of which a thread was forked.
    #[must_use]
    pub fn joined(self, other: Tree) -> Tree {
        Tree {
            value: self.value + other.value,
            forks: self.forks + other.forks + 1,
        }
    }
}

fn run(order: &Order) -> Result<Measurement, Failure> {
    let (n, cutoff) = (order.get("n"), order.get("cutoff"));
    let watch = Stopwatch::start();
    let tree = fork(n, cutoff)?;
    // A tree without a fork is one operation: there must be something to divide by.
    let measurement = watch.stop(tree.forks.max(1));
    check(n, cutoff, tree)?;
    Ok(measurement)
}

fn fork(n: u64, cutoff: u64) -> Result<Tree, Failure> {
    if n < cutoff {
        return Ok(Tree::leaf(n));
    }
    let left = thread::spawn(move || fork(n - 1, cutoff));
    let right = fork(n - 2, cutoff)?;
    let left = join(left)??;
    Ok(left.joined(right))
}

/// The Fibonacci number by the definition, without threads.
#[must_use]
pub fn alone(n: u64) -> u64 {
    if n < 2 {
        n
    } else {
        alone(n - 1) + alone(n - 2)
    }
}

/// Both are as the recurrences say, which are computed here from below.
///
/// # Errors
///
/// If one of them is not.
pub fn check(n: u64, cutoff: u64, found: Tree) -> Result<(), Failure> {
    let expected = tree(n, cutoff);
    Failure::unless_equal("the Fibonacci number", expected.value, found.value)?;
    Failure::unless_equal("the number of threads", expected.forks, found.forks)
}

fn tree(n: u64, cutoff: u64) -> Tree {
    let mut this = Tree { value: 0, forks: 0 };
    let mut next = Tree { value: 1, forks: 0 };
    for number in 2..n + 2 {
        let after = Tree {
            value: this.value + next.value,
            forks: match number < cutoff {
                true => 0,
                false => this.forks + next.forks + 1,
            },
        };
        (this, next) = (next, after);
    }
    this
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_recurrence_is_the_definition() {
        for n in 0..20 {
            assert_eq!(tree(n, 2).value, alone(n));
        }
        // 5 = 4 + 3, 4 = 3 + 2, 3 = 2 + 1 (twice), 2 = 1 + 0 (three times).
        assert_eq!(tree(5, 2).forks, 7);
        assert_eq!(tree(5, 4).forks, 2);
        assert_eq!(tree(5, 6).forks, 0);
    }

    #[test]
    fn a_wrong_number_and_a_lost_thread_are_seen() {
        let right = Tree { value: 5, forks: 7 };
        assert!(check(5, 2, right).is_ok());
        assert!(check(5, 2, Tree { value: 6, ..right }).is_err());
        assert!(check(5, 2, Tree { forks: 6, ..right }).is_err());
    }
}
