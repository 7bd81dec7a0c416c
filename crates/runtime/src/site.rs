//! What has been seen of threads, by the line that spawns them and the closure that they run: whether they wait.
//!
//! A table of a fixed size. What two have in one place, the later one has: the other one's threads
//! are then as good as never seen. So nothing grows, and nobody takes a lock.
//!
//! | an entry's bits | mean                                                                 |
//! |-----------------|----------------------------------------------------------------------|
//! | the upper 48    | whose it is                                                          |
//! | the lower 16    | how many threads have ended since the last one that waited, [`ENOUGH`] at most |
//!
//! An entry is read and written apart: of two threads that end at the same time one may not be counted.
#![forbid(unsafe_code)]

use core::ptr;
use core::sync::atomic::{AtomicU64, Ordering};

use crate::thread::Header;

/// After so many threads in a row that have not waited, the next one is expected not to.
const ENOUGH: u64 = 64;

const PLACES: usize = 1024;
const COUNT: u64 = 0xffff;

static SEEN: [AtomicU64; PLACES] = [const { AtomicU64::new(0) }; PLACES];

/// The line that spawned a thread, and the type of its closure, in one runtime: what happens in one does not
/// change what another one does.
///
/// The type is there because one line, in a generic function, may spawn all threads of a program. The line is
/// there by its numbers, and not by its address: of a generic function each instance may have its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Site(u64);

impl Site {
    pub(crate) fn of(thread: &Header) -> Site {
        let traits = &thread.traits;
        let line = traits.spawned_at.map_or(0, |line| {
            u64::from(line.line()) << 32 | u64::from(line.column())
        });
        let closure = ptr::from_ref(thread.vtable).addr() as u64;
        // Odd constants that mix the bits (Fibonacci hashing).
        let mixed = line.wrapping_mul(0xd6e8_feb8_6659_fd93) ^ closure;
        let mixed = (mixed.rotate_left(32) ^ traits.domain.runtime)
            .wrapping_mul(0xd6e8_feb8_6659_fd93)
            .wrapping_mul(0x9e37_79b9_7f4a_7c15);
        Site(mixed ^ (mixed >> 32))
    }

    /// A hash of all that.
    pub(crate) fn number(self) -> u64 {
        self.0
    }

    fn place(self) -> &'static AtomicU64 {
        &SEEN[self.0 as usize % PLACES]
    }

    /// How many in a row have ended without a wait, if the place is this line's.
    fn count(self) -> Option<u64> {
        // Relaxed, here and below: a guess.
        let seen = self.place().load(Ordering::Relaxed);
        (seen & !COUNT == self.0 & !COUNT).then_some(seen & COUNT)
    }

    /// Whether a thread that this line has spawned is expected to run to its end without a wait, but for its
    /// own threads.
    pub(crate) fn never_waits(self) -> bool {
        self.count() == Some(ENOUGH)
    }

    /// A thread of this line has ended.
    pub(crate) fn ended(self, waited: bool) {
        let before = self.count();
        let count = match before {
            _ if waited => 0,
            Some(count) => ENOUGH.min(count + 1),
            None => 1,
        };
        // In the long run nothing is written, and no cache line travels.
        if before != Some(count) {
            self.place()
                .store(self.0 & !COUNT | count, Ordering::Relaxed);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn enough_in_a_row_make_a_habit() {
        let site = Site(0xfeed_beef_0000_0000 | 7);
        for _ in 0..ENOUGH - 1 {
            site.ended(false);
        }
        assert!(!site.never_waits());
        site.ended(false);
        assert!(site.never_waits());
        site.ended(true);
        assert!(!site.never_waits());
        (1..ENOUGH).for_each(|_| site.ended(false));
        assert!(!site.never_waits(), "all of them once more");
    }

    #[test]
    fn who_loses_its_place_begins_anew() {
        let (one, other) = (Site(0xaaaa_0000_0000_0009), Site(0xbbbb_0000_0000_0009));
        (0..ENOUGH).for_each(|_| one.ended(false));
        assert!(one.never_waits() && !other.never_waits());
        other.ended(false);
        assert!(!one.never_waits() && !other.never_waits());
    }
}
