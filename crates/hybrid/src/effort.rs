//! How long a worker that has run out of work searches before it sleeps.
//!
//! A search pays if something comes before it would have ended anyway: it saves a sleep and a
//! wake-up, which cost about as much as the longest search. Whether it will is told by whether it
//! did: where threads chat across workers, each on a processor of its own, the answer comes within
//! a microsecond. Where they share a processor, or wait for the network, it never comes, and the
//! search takes time from those who could bring it.
#![forbid(unsafe_code)]

use std::cell::Cell;
use std::time::Duration;

/// The longest search. About what it costs to put a worker to sleep and wake it.
pub(crate) const LONGEST: Duration = Duration::from_micros(20);
/// What is shorter is not worth the look at the clock.
const SHORTEST: Duration = Duration::from_micros(1);
/// Of so many that are left out, one is made in full: things may have changed.
const PROBE: u32 = 16;

#[derive(Debug)]
pub(crate) struct Effort {
    span: Cell<Duration>,
    left_out: Cell<u32>,
}

impl Effort {
    pub(crate) fn new() -> Effort {
        Effort {
            span: Cell::new(LONGEST),
            left_out: Cell::new(0),
        }
    }

    /// How long the next search may take. Zero: a single look.
    pub(crate) fn next(&self) -> Duration {
        let span = self.span.get();
        if span >= SHORTEST {
            return span;
        }
        let left_out = self.left_out.get() + 1;
        self.left_out.set(left_out % PROBE);
        if left_out == PROBE {
            LONGEST
        } else {
            Duration::ZERO
        }
    }

    /// Whether the search has paid.
    pub(crate) fn paid(&self, paid: bool) {
        self.span
            .set(if paid { LONGEST } else { self.span.get() / 2 });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_search_that_never_pays_is_made_now_and_then() {
        let effort = Effort::new();
        let searches = 1_000;
        let spent: Duration = (0..searches)
            .map(|_| {
                let span = effort.next();
                effort.paid(false);
                span
            })
            .sum();
        assert!(spent < LONGEST * (2 + searches / PROBE + 1));
        assert!(spent > LONGEST * (searches / PROBE - 1));
    }

    #[test]
    fn one_that_has_paid_is_made_in_full() {
        let effort = Effort::new();
        for _ in 0..100 {
            let _ = effort.next();
            effort.paid(false);
        }
        effort.paid(true);
        assert_eq!(effort.next(), LONGEST);
    }
}
