//! How long a worker that has run out of work searches before it sleeps.
//!
//! A search pays if something comes before it would have ended anyway: it saves a sleep and a
//! wake-up, which cost about as much as the longest search. Whether it will is told by whether it
//! did: where threads chat across workers, each on a processor of its own, the answer comes within
//! microseconds. Where they share a processor, or wait for the network, it never comes, and the
//! search takes time from those who could bring it.
//!
//! The longest search must be longer than a wake-up takes. Where two workers that chat have both come
//! to sleep, each hears from the other only after it has been woken; with shorter searches none of them
//! would ever pay, and they would go on like that. Measured with a ring of 500 threads on two workers: a
//! hop takes 600 to 1,100 ns with 20 us at most, and 110 to 140 ns with 50.
#![forbid(unsafe_code)]

use std::cell::Cell;
use std::time::Duration;

/// The longest search. What it takes to put a worker to sleep and wake it, or a little more.
pub(crate) const LONGEST: Duration = Duration::from_micros(50);
/// The search of a worker that was woken for it. It was woken because there was something to find.
pub(crate) const WOKEN: Duration = Duration::from_micros(20);
/// What is shorter is not worth the look at the clock.
const SHORTEST: Duration = Duration::from_micros(1);
/// Of so many that are left out, one is made in full: things may have changed.
const FIRST_PROBE: u32 = 16;
/// While that does not pay either, it is made ever more rarely, down to this.
const LAST_PROBE: u32 = 256;

#[derive(Debug)]
pub(crate) struct Effort {
    span: Cell<Duration>,
    left_out: Cell<u32>,
    probe: Cell<u32>,
}

impl Effort {
    pub(crate) fn new() -> Effort {
        Effort {
            span: Cell::new(LONGEST),
            left_out: Cell::new(0),
            probe: Cell::new(FIRST_PROBE),
        }
    }

    /// How long the next search may take. Zero: a single look.
    pub(crate) fn next(&self) -> Duration {
        let span = self.span.get();
        if span >= SHORTEST {
            return span;
        }
        let (left_out, probe) = (self.left_out.get() + 1, self.probe.get());
        if left_out < probe {
            self.left_out.set(left_out);
            return Duration::ZERO;
        }
        self.left_out.set(0);
        self.probe.set(LAST_PROBE.min(probe * 2));
        LONGEST
    }

    /// Whether the search has paid.
    pub(crate) fn paid(&self, paid: bool) {
        if paid {
            self.span.set(LONGEST);
            self.probe.set(FIRST_PROBE);
        } else {
            self.span.set(self.span.get() / 2);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_search_that_never_pays_is_made_ever_more_rarely() {
        let effort = Effort::new();
        let search = || {
            let span = effort.next();
            effort.paid(false);
            span
        };
        while search() != Duration::ZERO {}
        let left_out_before_probe = || 1 + (0..).take_while(|_| search() != LONGEST).count();
        let pauses = [(); 7].map(|()| left_out_before_probe());
        let (first, last) = (FIRST_PROBE as usize, LAST_PROBE as usize);
        // One was left out above.
        assert_eq!(pauses[..3], [first - 1, first * 2, first * 4]);
        assert_eq!(pauses[4..], [last; 3]);
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
