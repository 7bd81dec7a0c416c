//! A worker's beat: by it others see whether the worker comes back to its loop.
//!
//! The worker alone writes it, with plain stores; others compare what they read with what they have read
//! before. Of the word, the lowest bit says that the worker sleeps, and the others count its rounds.
#![forbid(unsafe_code)]

use std::sync::atomic::{AtomicU32, Ordering};

/// It has a cache line, and its neighbour, of its own: it is written in every round.
#[derive(Debug, Default)]
#[repr(align(128))]
pub(crate) struct Beat(AtomicU32);

const ASLEEP: u32 = 1;
const ROUND: u32 = 2;

impl Beat {
    /// A round begins.
    #[inline]
    pub(crate) fn round(&self) {
        self.0
            .store(self.get().wrapping_add(ROUND), Ordering::Relaxed);
    }

    /// The worker is going to sleep: it does not come back because there is nothing to do.
    pub(crate) fn falls_asleep(&self) {
        self.0.store(self.get() | ASLEEP, Ordering::Relaxed);
    }

    pub(crate) fn wakes_up(&self) {
        let awake = (self.get() & !ASLEEP).wrapping_add(ROUND);
        self.0.store(awake, Ordering::Relaxed);
    }

    /// What changes with every round.
    #[inline]
    pub(crate) fn get(&self) -> u32 {
        self.0.load(Ordering::Relaxed)
    }

    pub(crate) fn is_asleep(word: u32) -> bool {
        word & ASLEEP != 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_step_is_seen() {
        let beat = Beat(AtomicU32::new(u32::MAX - 3));
        let mut words = vec![beat.get()];
        let steps = [Beat::round, Beat::falls_asleep, Beat::wakes_up, Beat::round];
        for step in steps {
            step(&beat);
            words.push(beat.get());
        }
        assert!(words.windows(2).all(|pair| pair[0] != pair[1]), "{words:?}");
        let asleep: Vec<bool> = words.into_iter().map(Beat::is_asleep).collect();
        assert_eq!(asleep, [false, false, true, false, false]);
    }
}
