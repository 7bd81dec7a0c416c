//! A shelf: the slabs of one size class, and which of their slots are free.
//!
//! A free slot is *dirty* if it was used since its memory was last given back, else *clean*. Dirty
//! slots are handed out first, because their memory is there and perhaps still in the cache, and
//! within a slab the one that came back last goes first. Clean slots are handed out from the lowest
//! on.
//!
//! ```text
//!              take                      put
//!   clean ──────────────► taken ──────────────────► dirty ──┐ take
//!     ▲                     ▲                          │    │
//!     │  trimmed            └──────────────────────────┼────┘
//!     └──────── being trimmed ◄────────────────────────┘
//!               start_trim: the whole slab, when all of its slots are free
//! ```
//!
//! Every operation takes constant time. The three lists (`warm`, `cool`, `idle`) hold each slab at
//! most once, and may hold one that no longer belongs there; who takes from a list looks.
//!
//! What this does not do: map, protect or give back memory. It is bookkeeping under the pool's lock.

#![forbid(unsafe_code)]

use std::collections::VecDeque;
use std::mem;
use std::ptr::NonNull;

use crate::size::Class;
use crate::slab::{Place, Slab, Span};

/// The slabs of one class.
pub(crate) struct Shelf {
    slabs: Vec<Entry>,
    /// Slabs that may have a dirty free slot, the latest last.
    warm: Vec<u32>,
    /// Slabs that may have a clean free slot.
    cool: Vec<u32>,
    /// Slabs that may have nothing but free slots, some dirty; the coldest first.
    idle: VecDeque<u32>,
    dirty: usize,
    dirty_limit: usize,
    taken: usize,
    trims: u64,
}

/// One slab and its slots. Bit `n` of a mask is slot `n`.
struct Entry {
    slab: Slab,
    /// The dirty free slots, in the order in which they came back.
    dirty: Vec<u8>,
    clean: u64,
    guarded: u64,
    taken: u8,
    in_warm: bool,
    in_cool: bool,
    in_idle: bool,
}

/// A slot that was handed out.
pub(crate) struct Taken {
    pub(crate) slab: u32,
    pub(crate) slot: u8,
    pub(crate) place: Place,
    /// Where the guard page belongs, if there is none yet. The shelf counts on the taker to make
    /// it, or to say by [`Shelf::put_unguarded`] that it could not.
    pub(crate) needs_guard: Option<NonNull<u8>>,
}

/// A slab that is being trimmed: none of its slots can be taken until [`Shelf::trimmed`].
#[must_use]
pub(crate) struct Trim {
    pub(crate) slab: u32,
    pub(crate) span: Span,
}

impl Shelf {
    pub(crate) fn new(class: Class) -> Shelf {
        Shelf {
            slabs: Vec::new(),
            warm: Vec::new(),
            cool: Vec::new(),
            idle: VecDeque::new(),
            dirty: 0,
            dirty_limit: class.dirty_limit(),
            taken: 0,
            trims: 0,
        }
    }

    /// Takes a free slot, if there is one.
    pub(crate) fn take(&mut self) -> Option<Taken> {
        self.take_dirty().or_else(|| self.take_clean())
    }

    fn take_dirty(&mut self) -> Option<Taken> {
        while let Some(&number) = self.warm.last() {
            let entry = &mut self.slabs[number as usize];
            if let Some(slot) = entry.dirty.pop() {
                self.dirty -= 1;
                self.taken += 1;
                return Some(entry.hand_out(number, slot));
            }
            entry.in_warm = false;
            self.warm.pop();
        }
        None
    }

    fn take_clean(&mut self) -> Option<Taken> {
        while let Some(&number) = self.cool.last() {
            let entry = &mut self.slabs[number as usize];
            if entry.clean != 0 {
                let slot = entry.clean.trailing_zeros() as u8;
                entry.clean &= !bit(slot);
                self.taken += 1;
                return Some(entry.hand_out(number, slot));
            }
            entry.in_cool = false;
            self.cool.pop();
        }
        None
    }

    /// Adds a fresh slab, all of whose slots are clean and without guard pages.
    pub(crate) fn add(&mut self, slab: Slab, slots: u8) {
        let number = u32::try_from(self.slabs.len()).expect("fewer than 2^32 slabs");
        self.slabs.push(Entry {
            slab,
            dirty: Vec::with_capacity(usize::from(slots)),
            clean: u64::MAX >> (64 - slots),
            guarded: 0,
            taken: 0,
            in_warm: false,
            in_cool: true,
            in_idle: false,
        });
        self.cool.push(number);
    }

    /// Takes back a slot that was used.
    pub(crate) fn put(&mut self, number: u32, slot: u8) {
        let entry = &mut self.slabs[number as usize];
        entry.taken -= 1;
        entry.dirty.push(slot);
        self.taken -= 1;
        self.dirty += 1;
        if !mem::replace(&mut entry.in_warm, true) {
            self.warm.push(number);
        }
        if entry.taken == 0 && !mem::replace(&mut entry.in_idle, true) {
            self.idle.push_back(number);
        }
    }

    /// Takes back a slot whose guard page could not be made: it was not used.
    pub(crate) fn put_unguarded(&mut self, number: u32, slot: u8) {
        let entry = &mut self.slabs[number as usize];
        entry.taken -= 1;
        entry.clean |= bit(slot);
        entry.guarded &= !bit(slot);
        self.taken -= 1;
        if !mem::replace(&mut entry.in_cool, true) {
            self.cool.push(number);
        }
    }

    /// If too many dirty slots lie about, the slab that has been idle longest, with its slots now
    /// out of reach.
    pub(crate) fn start_trim(&mut self) -> Option<Trim> {
        if self.dirty <= self.dirty_limit {
            return None;
        }
        while let Some(number) = self.idle.pop_front() {
            let entry = &mut self.slabs[number as usize];
            entry.in_idle = false;
            if entry.taken > 0 || entry.dirty.is_empty() {
                continue;
            }
            self.dirty -= entry.dirty.len();
            entry.dirty.clear();
            entry.clean = 0;
            let span = entry.slab.span();
            return Some(Trim { slab: number, span });
        }
        None
    }

    /// The memory of the slab was given back: all of its slots are clean and free.
    pub(crate) fn trimmed(&mut self, number: u32, slots: u8) {
        let entry = &mut self.slabs[number as usize];
        entry.clean = u64::MAX >> (64 - slots);
        self.trims += 1;
        if !mem::replace(&mut entry.in_cool, true) {
            self.cool.push(number);
        }
    }

    /// How many slots are handed out.
    pub(crate) fn taken(&self) -> usize {
        self.taken
    }

    /// How many free slots are dirty.
    pub(crate) fn dirty(&self) -> usize {
        self.dirty
    }

    /// How many slabs are mapped.
    pub(crate) fn mapped(&self) -> usize {
        self.slabs.len()
    }

    /// How many times a slab was trimmed.
    pub(crate) fn trims(&self) -> u64 {
        self.trims
    }
}

impl Entry {
    fn hand_out(&mut self, slab: u32, slot: u8) -> Taken {
        let guarded = self.guarded & bit(slot) != 0;
        self.guarded |= bit(slot);
        self.taken += 1;
        Taken {
            slab,
            slot,
            place: self.slab.place(slab, slot),
            needs_guard: (!guarded).then(|| self.slab.guard(slot)),
        }
    }
}

impl Drop for Shelf {
    /// Unmaps the slabs whose slots are all back. The others stay for ever (Rule 3).
    fn drop(&mut self) {
        for entry in self.slabs.drain(..) {
            if entry.taken > 0 {
                mem::forget(entry.slab);
            }
        }
    }
}

fn bit(slot: u8) -> u64 {
    1 << slot
}
