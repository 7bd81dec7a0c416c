//! Chance, for the order in which a select tries its arms.
#![forbid(unsafe_code)]

#[cfg(not(trefoil_loom))]
use core::cell::Cell;
#[cfg(not(trefoil_loom))]
use std::hash::{BuildHasher as _, RandomState};

/// Puts them in any order: each is as likely as another, nearly.
pub(super) fn shuffle<A>(arms: &mut [A]) {
    if arms.len() < 2 {
        return;
    }
    let mut chance = random();
    for last in (1..arms.len()).rev() {
        let bound = last as u64 + 1;
        // The upper bits decide; what is left decides the next.
        let wide = u128::from(chance) * u128::from(bound);
        arms.swap(last, (wide >> 64) as usize);
        chance = wide as u64;
    }
}

#[cfg(not(trefoil_loom))]
thread_local! {
    /// Of the OS thread.
    static STATE: Cell<u64> = Cell::new(RandomState::new().hash_one(0) | 1);
}

/// A random number (xorshift64*). It is not inlined, so that no fiber keeps the address of another OS
/// thread's state.
#[cfg(not(trefoil_loom))]
#[inline(never)]
fn random() -> u64 {
    STATE.with(|state| {
        let mut next = state.get();
        next ^= next >> 12;
        next ^= next << 25;
        next ^= next >> 27;
        state.set(next);
        next.wrapping_mul(0x2545_f491_4f6c_dd1d)
    })
}

/// A model tries all interleavings of one order.
#[cfg(trefoil_loom)]
fn random() -> u64 {
    0
}

#[cfg(all(test, not(trefoil_loom)))]
mod tests {
    use super::*;
    use std::collections::HashMap;

    #[test]
    fn every_order_comes_about_as_often() {
        let mut seen = HashMap::new();
        for _ in 0..24_000 {
            let mut arms = [0, 1, 2, 3];
            shuffle(&mut arms);
            *seen.entry(arms).or_insert(0) += 1;
        }
        assert_eq!(seen.len(), 24);
        // Of 1000 expected; ten standard deviations are some 310.
        assert!(
            seen.values().all(|count| (690..1310).contains(count)),
            "{seen:?}"
        );
    }

    #[test]
    fn many_arms_are_all_there() {
        let mut arms: Vec<_> = (0..100).collect();
        shuffle(&mut arms);
        assert!(!arms.is_sorted());
        arms.sort_unstable();
        assert!(arms.into_iter().eq(0..100));
    }
}
