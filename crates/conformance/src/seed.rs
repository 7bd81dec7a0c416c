//! Random numbers that can be had again: the seed comes from the environment variable
//! `TREFOIL_SEED`, else from chance, and is printed when a test fails or hangs.

use std::env;
use std::hash::{BuildHasher as _, RandomState};

use crate::watchdog;

/// Random numbers (splitmix64).
#[derive(Debug)]
pub(crate) struct Random(u64);

impl Random {
    /// The numbers that begin here.
    pub(crate) fn from_state(state: u64) -> Random {
        Random(state)
    }

    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number below `end`.
    pub(crate) fn below(&mut self, end: u64) -> u64 {
        self.next() % end
    }

    /// Numbers of its own for another thread.
    pub(crate) fn branch(&mut self) -> Random {
        Random(self.next())
    }
}

/// The seed of one test, which prints itself when the test panics.
#[derive(Debug)]
pub(crate) struct Seed(u64);

/// Draws the seed of the current test.
pub(crate) fn draw() -> Seed {
    let seed = match env::var("TREFOIL_SEED") {
        Ok(text) => text.parse().expect("TREFOIL_SEED is a number"),
        Err(_) => RandomState::new().hash_one("seed"),
    };
    watchdog::note(&format!(" Again with TREFOIL_SEED={seed}"));
    Seed(seed)
}

impl Seed {
    pub(crate) fn random(&self) -> Random {
        Random(self.0)
    }
}

impl Drop for Seed {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!(
                "failed with random numbers; again with TREFOIL_SEED={}",
                self.0
            );
        }
    }
}
