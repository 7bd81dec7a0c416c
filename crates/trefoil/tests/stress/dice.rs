//! The choices of one actor: random numbers that the seed decides, whoever else runs meanwhile.
//!
//! It knows how deep in turns of others it is, so that turns do not nest without end.

use std::time::Duration;

/// Random numbers (splitmix64).
#[derive(Debug)]
pub(crate) struct Dice {
    state: u64,
    depth: u32,
}

impl Dice {
    pub(crate) fn new(seed: u64) -> Dice {
        Dice {
            state: seed,
            depth: 0,
        }
    }

    fn next(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.state;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    pub(crate) fn below(&mut self, end: u64) -> u64 {
        self.next() % end
    }

    /// Once in so many times.
    pub(crate) fn once_in(&mut self, times: u64) -> bool {
        self.below(times) == 0
    }

    /// A time up to that, and mostly much shorter.
    pub(crate) fn moment(&mut self, most: Duration) -> Duration {
        let most = u64::try_from(most.as_micros()).unwrap_or(u64::MAX);
        let scale = self.below(most + 1);
        Duration::from_micros(self.below(scale + 1))
    }

    /// Choices of its own for somebody else, one turn deeper.
    pub(crate) fn branch(&mut self) -> Dice {
        Dice {
            state: self.next(),
            depth: self.depth + 1,
        }
    }

    /// The same, but no deeper.
    pub(crate) fn sibling(&mut self) -> Dice {
        Dice {
            state: self.next(),
            depth: self.depth,
        }
    }

    pub(crate) fn depth(&self) -> u32 {
        self.depth
    }
}
