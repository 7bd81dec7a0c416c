//! `checkpoint`: where a thread that computes lets others have their turn.
//!
//! A call counts down, and that is all, until the slice of time is likely to be over. Then the
//! clock is read, and tells how many calls the next slice will have. Kernel threads are preempted,
//! and need none of it.
#![forbid(unsafe_code)]

use core::cell::Cell;
use std::time::{Duration, Instant};

use crate::cancel;
use crate::current;
use crate::model::Model;
use crate::reason::Reason;
use crate::stretch;
use crate::wait::{Outcome, Wait};

/// About how long a thread computes between two turns of others: long beside a turn's cost, and so
/// short that 64 of them, after which a worker looks at its timers and sockets, are about a
/// millisecond.
const SLICE: Duration = Duration::from_micros(20);
/// So that a loop which becomes slower is noticed.
const MOST: u32 = 1 << 16;
/// How much more calls the next slice may have than this one, which may have been cut short.
const GROWTH: u32 = 16;

/// What is left of a thread's slice.
#[derive(Debug)]
pub(crate) struct Slice {
    /// Calls until the clock is read.
    left: Cell<u32>,
    /// How many there were when it was read last.
    calls: Cell<u32>,
    since: Cell<Option<Instant>>,
}

impl Slice {
    pub(crate) const fn new() -> Slice {
        Slice {
            left: Cell::new(0),
            calls: Cell::new(1),
            since: Cell::new(None),
        }
    }

    /// Counts a call. `false`: it is time to look at the clock.
    #[inline]
    pub(crate) fn spend(&self) -> bool {
        match self.left.get().checked_sub(1) {
            Some(left) => {
                self.left.set(left);
                true
            }
            None => false,
        }
    }

    /// Looks at the clock. `true`: the slice is over.
    fn look(&self, now: Instant) -> bool {
        let spent = self.since.get().map(|since| now - since);
        let calls = spent.map_or(1, |spent| next(self.calls.get(), spent));
        self.calls.set(calls);
        self.left.set(calls - 1);
        self.since.set(Some(now));
        // The next look comes after about a slice: what is nearly one counts.
        spent.is_some_and(|spent| spent >= SLICE / 2)
    }

    /// A new slice begins: what others have used meanwhile is not this thread's.
    fn begin(&self, now: Instant) {
        self.since.set(Some(now));
    }

    /// Nobody needs a turn of this thread.
    fn never_again(&self) {
        self.left.set(u32::MAX);
    }
}

/// How many calls fit into a slice, if `calls` took so long.
fn next(calls: u32, spent: Duration) -> u32 {
    let nanos = spent.as_nanos().max(1);
    let fit = u128::from(calls) * SLICE.as_nanos() / nanos;
    let most = calls.saturating_mul(GROWTH).min(MOST);
    u32::try_from(fit).unwrap_or(MOST).clamp(1, most)
}

/// For a loop that computes: lets others run if this thread has had the processor for long enough,
/// and ends the thread if it was asked to end.
///
/// Call it once a round. On green and hybrid other threads that are ready get their turn about
/// every 20 µs, and the worker its look at timers and sockets. Else it counts down a number, and asks
/// for no time. On kernel, and on a plain `std::thread`, the operating system takes turns, and it does
/// nothing but ask whether the thread is to end.
///
/// A cancellation point, in every model and at every call. Inside a
/// [`timeout`](crate::time::timeout) it asks for the time at every call. Inside
/// [`no_suspend`](super::no_suspend) nobody else gets a turn.
///
/// ```
/// use trefoil_runtime::thread;
///
/// fn digits(of: u64) -> u32 {
///     (0..of).map(|n| {
///         thread::checkpoint();
///         n.to_string().len() as u32
///     }).sum()
/// }
/// assert_eq!(digits(100), 190);
/// ```
#[inline]
pub fn checkpoint() {
    let (goes_on, asked_to_end) = current::with_slice(Slice::spend);
    if asked_to_end {
        end();
    }
    if !goes_on {
        take_turns();
    }
}

#[cold]
fn end() {
    let wait = Wait::new(Reason::Park).cancellable();
    if current::interruption(&wait) == Some(Outcome::Cancelled) {
        cancel::raise();
    }
}

#[cold]
fn take_turns() {
    let kernel = current::model() == Model::Kernel;
    if kernel && !stretch::is_measured() {
        current::with_slice(Slice::never_again);
        return;
    }
    if current::with_slice(|slice| slice.look(Instant::now())).0 {
        if kernel {
            stretch::turn();
        } else {
            current::yield_now();
        }
        current::with_slice(|slice| slice.begin(Instant::now()));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Plays a loop of rounds that take so long, and tells how long each slice was.
    fn slices(slice: &Slice, round: Duration, rounds: u32) -> Vec<Duration> {
        let begin = Instant::now();
        let mut last = begin;
        let times = (0..rounds).map(|number| begin + number * round);
        let mut over = Vec::new();
        for now in times {
            if !slice.spend() && slice.look(now) {
                over.push(now - last);
                last = now;
                slice.begin(now);
            }
        }
        over
    }

    #[test]
    fn a_slice_is_about_as_long_whatever_a_round_takes() {
        for nanos in [1, 10, 700, 15_000] {
            let round = Duration::from_nanos(nanos);
            let slices = slices(&Slice::new(), round, 1_000_000);
            // The first ones find the pace.
            let steady = &slices[slices.len().min(8)..];
            assert!(!steady.is_empty());
            for slice in steady {
                assert!(
                    *slice >= SLICE / 2 && *slice <= SLICE * 4,
                    "{nanos}: {slice:?}"
                );
            }
        }
    }

    #[test]
    fn a_round_longer_than_a_slice_is_one() {
        let round = SLICE * 5;
        let slices = slices(&Slice::new(), round, 10);
        assert_eq!(slices.len(), 9);
    }

    #[test]
    fn a_loop_that_becomes_slow_is_noticed() {
        let slice = Slice::new();
        slices(&slice, Duration::from_nanos(1), 1_000_000);
        let late = slices(&slice, SLICE, u32::from(u16::MAX) * 2);
        assert!(late.len() > usize::from(u16::MAX) / 2);
    }
}
