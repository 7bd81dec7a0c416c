//! A shelf: the slabs of one size class, and which of their slots are free.
//!
//! A free slot is *dirty* if it was used since its memory was last given back, else *clean*. Dirty
//! slots are handed out first, because their memory is there and perhaps still in the cache, the
//! one that came back last before the others.
//!
//! ```text
//!              take                      put
//!   clean ──────────────► taken ──────────────────► dirty ──┐ take
//!     ▲                     ▲                          │    │
//!     │  cleaned            └──────────────────────────┼────┘
//!     └─────── being cleaned ◄─────────────────────────┘
//!               start_cleaning: those that were not touched for a whole period
//! ```
//!
//! Two promises are kept here:
//!
//! * *A stack that was reserved is there.* `slots` is never less than what was reserved, and what
//!   may lie in workers' caches or is just being cleaned. So whoever takes with a reservation finds
//!   a free slot, and a kernel that has no more address space refuses a reservation, which is to
//!   say a spawn, and no thread that was spawned.
//! * *Memory goes back when it is not needed.* What is dirty and was not touched for a period is
//!   *cold*. It is cleaned portion by portion, down to a watermark; a slab that has nothing but
//!   clean slots for a period is unmapped.
//!
//! What this does not do: map, guard or give back memory. It is bookkeeping under the pool's lock,
//! in constant time but for `start_period`.

#![forbid(unsafe_code)]

use std::collections::VecDeque;
use std::mem;
use std::ptr::NonNull;

use crate::size::Class;
use crate::slab::{Place, Slab, Span};

/// Which slot of which slab.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Slot {
    pub(crate) slab: u32,
    pub(crate) slot: u16,
}

/// The slabs of one class.
pub(crate) struct Shelf {
    class: Class,
    slabs: Vec<Option<Entry>>,
    /// Numbers of slabs that have gone.
    vacant: Vec<u32>,
    /// The dirty free slots, in the order in which they came back.
    dirty: VecDeque<Slot>,
    /// Slabs that may have a clean free slot: each at most once.
    cool: Vec<u32>,
    /// Slots of all slabs.
    slots: usize,
    taken: usize,
    /// Slots that are being cleaned.
    cleaning: usize,
    /// Stacks that were promised to threads, started or not.
    reserved: usize,
    /// Stacks that may lie in the caches of workers.
    cached: usize,
    /// The fewest dirty slots there were in this period: so many were not touched in it.
    fewest: usize,
    /// Dirty slots, the coldest, that were not touched in the last period.
    cold: usize,
    cleaned: u64,
}

/// One slab and its slots.
struct Entry {
    slab: Slab,
    /// Clean free slots that have a guard page.
    clean: Vec<u16>,
    /// Free slots whose guard page could not be made.
    bare: Vec<u16>,
    /// Slots that are neither clean nor fresh.
    used: u16,
    in_cool: bool,
    /// It had nothing but clean slots when the period began.
    idle: bool,
}

/// A slot that was handed out.
pub(crate) struct Taken {
    pub(crate) slot: Slot,
    pub(crate) place: Place,
    /// Where the guard page belongs, if there is none yet. The shelf counts on the taker to make
    /// it, or to say by [`Shelf::put_bare`] that it could not.
    pub(crate) needs_guard: Option<NonNull<u8>>,
}

/// Slots that are being cleaned: none can be taken until [`Shelf::finish_cleaning`].
#[must_use]
pub(crate) struct Cleaning {
    slots: Vec<Slot>,
    /// Their memory, by rising address.
    pub(crate) spans: Vec<Span>,
}

impl Shelf {
    pub(crate) fn new(class: Class) -> Shelf {
        Shelf {
            class,
            slabs: Vec::new(),
            vacant: Vec::new(),
            dirty: VecDeque::new(),
            cool: Vec::new(),
            slots: 0,
            taken: 0,
            cleaning: 0,
            reserved: 0,
            cached: 0,
            fewest: 0,
            cold: 0,
            cleaned: 0,
        }
    }

    // ----- what is promised

    /// How many slots the next slab is to have, if there are too few for `more` reservations.
    pub(crate) fn lacks(&self, more: usize) -> Option<u16> {
        (self.spare() < more).then(|| self.class.slots_after(self.mapped()))
    }

    /// Promises `more` stacks. There are slots for them: [`lacks`](Shelf::lacks) says so.
    pub(crate) fn reserve(&mut self, more: usize) {
        debug_assert!(self.spare() >= more);
        self.reserved += more;
    }

    /// Takes back the promise of `fewer` stacks.
    pub(crate) fn unreserve(&mut self, fewer: usize) {
        self.reserved -= fewer;
    }

    /// A worker's cache comes, which may hold up to `stacks`.
    pub(crate) fn add_cache(&mut self, stacks: usize) {
        self.cached += stacks;
    }

    /// It goes.
    pub(crate) fn remove_cache(&mut self, stacks: usize) {
        self.cached -= stacks;
    }

    /// Slots that are not promised. The caches may hold more than there are slots at first.
    fn spare(&self) -> usize {
        let bound = self.reserved + self.cached + self.cleaning;
        self.slots.saturating_sub(bound)
    }

    // ----- slots

    /// Takes a free slot, if there is one.
    pub(crate) fn take(&mut self) -> Option<Taken> {
        let taken = self.take_dirty().or_else(|| self.take_clean())?;
        self.taken += 1;
        Some(taken)
    }

    fn take_dirty(&mut self) -> Option<Taken> {
        let slot = self.dirty.pop_back()?;
        self.fewest = self.fewest.min(self.dirty.len());
        self.cold = self.cold.min(self.dirty.len());
        let entry = self.entry(slot.slab);
        Some(entry.hand_out(slot, false))
    }

    fn take_clean(&mut self) -> Option<Taken> {
        while let Some(&slab) = self.cool.last() {
            let entry = self.entry(slab);
            if let Some((slot, bare)) = entry.pop_clean() {
                return Some(entry.hand_out(Slot { slab, slot }, bare));
            }
            entry.in_cool = false;
            self.cool.pop();
        }
        None
    }

    /// Adds a fresh slab, all of whose slots are clean and without guard pages.
    pub(crate) fn add(&mut self, slab: Slab) {
        self.slots += usize::from(slab.slots());
        let entry = Some(Entry {
            slab,
            clean: Vec::new(),
            bare: Vec::new(),
            used: 0,
            in_cool: true,
            idle: false,
        });
        let number = match self.vacant.pop() {
            Some(number) => {
                self.slabs[number as usize] = entry;
                number
            }
            None => {
                self.slabs.push(entry);
                u32::try_from(self.slabs.len() - 1).expect("fewer than 2^32 slabs")
            }
        };
        self.cool.push(number);
    }

    /// Takes back a slot that was used.
    pub(crate) fn put(&mut self, slot: Slot) {
        self.taken -= 1;
        self.dirty.push_back(slot);
    }

    /// Takes back a slot whose guard page could not be made: it was not used.
    pub(crate) fn put_bare(&mut self, slot: Slot) {
        self.taken -= 1;
        let entry = self.entry(slot.slab);
        entry.bare.push(slot.slot);
        self.is_clean(slot.slab);
    }

    /// One more slot of the slab is clean.
    fn is_clean(&mut self, slab: u32) {
        let entry = self.entry(slab);
        entry.used -= 1;
        entry.idle = false;
        if !mem::replace(&mut entry.in_cool, true) {
            self.cool.push(slab);
        }
    }

    fn entry(&mut self, slab: u32) -> &mut Entry {
        self.slabs[slab as usize]
            .as_mut()
            .expect("a slab stays while a slot of it is known")
    }

    // ----- cleaning

    /// A period is over: what was not touched in it is cold from now on. Gives the slabs that had
    /// nothing but clean slots all the while and are not needed, to be unmapped.
    pub(crate) fn start_period(&mut self) -> Vec<Slab> {
        self.cold = self.fewest.saturating_sub(self.class.watermark());
        self.fewest = self.dirty.len();
        let mut gone = Vec::new();
        let left = self.mapped();
        for number in 0..self.slabs.len() {
            let spare = self.spare();
            let Some(entry) = &mut self.slabs[number] else {
                continue;
            };
            let slots = usize::from(entry.slab.slots());
            let idle = mem::replace(&mut entry.idle, entry.used == 0);
            if idle && entry.used == 0 && spare >= slots {
                gone.push(self.remove(number));
            }
        }
        if self.mapped() != left {
            let slabs = &self.slabs;
            self.cool.retain(|&slab| slabs[slab as usize].is_some());
        }
        gone
    }

    fn remove(&mut self, number: usize) -> Slab {
        let entry = self.slabs[number].take().expect("the slab is there");
        self.slots -= usize::from(entry.slab.slots());
        self.vacant.push(number as u32);
        entry.slab
    }

    /// The next portion of what is cold, if any, with its slots now out of reach.
    pub(crate) fn start_cleaning(&mut self) -> Option<Cleaning> {
        let portion = self.cold.min(self.class.portion()).min(self.spare());
        if portion == 0 {
            return None;
        }
        let slots: Vec<Slot> = self.dirty.drain(..portion).collect();
        self.cold -= portion;
        self.fewest = self.fewest.saturating_sub(portion);
        self.cleaning += portion;
        let span = |slot: &Slot| {
            let entry = self.slabs[slot.slab as usize].as_ref();
            let entry = entry.expect("a slab stays while a slot of it is dirty");
            entry.slab.span(slot.slot)
        };
        let mut spans: Vec<Span> = slots.iter().map(span).collect();
        // Neighbours are given back in one piece.
        spans.sort_unstable_by_key(|span| span.low);
        Some(Cleaning { slots, spans })
    }

    /// Their memory was given back: these slots are clean and free.
    pub(crate) fn finish_cleaning(&mut self, cleaning: Cleaning) {
        self.cleaning -= cleaning.slots.len();
        self.cleaned += cleaning.slots.len() as u64;
        for slot in cleaning.slots {
            self.entry(slot.slab).clean.push(slot.slot);
            self.is_clean(slot.slab);
        }
    }

    /// Makes everything above the watermark cold, whenever it was touched.
    pub(crate) fn cool_down(&mut self) {
        self.cold = self.dirty.len().saturating_sub(self.class.watermark());
    }

    /// Whether something is cold.
    pub(crate) fn has_cold(&self) -> bool {
        self.cold.min(self.spare()) != 0
    }

    /// Whether another period may find something to give back.
    pub(crate) fn is_restless(&self) -> bool {
        let spare = self.spare();
        let could_go = |entry: &Entry| entry.used == 0 && spare >= usize::from(entry.slab.slots());
        self.dirty.len() > self.class.watermark() || self.slabs.iter().flatten().any(could_go)
    }

    // ----- figures

    /// How many slots are handed out.
    pub(crate) fn taken(&self) -> usize {
        self.taken
    }

    /// How many stacks are promised.
    pub(crate) fn reserved(&self) -> usize {
        self.reserved
    }

    /// How many free slots are dirty.
    pub(crate) fn dirty(&self) -> usize {
        self.dirty.len()
    }

    /// How many slabs are mapped.
    pub(crate) fn mapped(&self) -> usize {
        self.slabs.len() - self.vacant.len()
    }

    /// Address space of all slabs, in bytes.
    pub(crate) fn bytes(&self) -> usize {
        self.slabs
            .iter()
            .flatten()
            .map(|entry| entry.slab.bytes())
            .sum()
    }

    /// How many slots were cleaned so far.
    pub(crate) fn cleaned(&self) -> u64 {
        self.cleaned
    }
}

impl Entry {
    /// A clean free slot, and whether it lacks a guard page.
    fn pop_clean(&mut self) -> Option<(u16, bool)> {
        let free = if let Some(slot) = self.clean.pop() {
            (slot, false)
        } else if let Some(slot) = self.bare.pop() {
            (slot, true)
        } else {
            (self.slab.open()?, true)
        };
        self.used += 1;
        Some(free)
    }

    fn hand_out(&mut self, slot: Slot, bare: bool) -> Taken {
        Taken {
            slot,
            place: self.slab.place(slot.slab, slot.slot),
            needs_guard: bare.then(|| self.slab.guard(slot.slot)),
        }
    }
}

impl Drop for Shelf {
    /// Unmaps the slabs whose slots are all back. The others stay for ever (Rule 3).
    fn drop(&mut self) {
        let mut back = vec![0_usize; self.slabs.len()];
        for slot in &self.dirty {
            back[slot.slab as usize] += 1;
        }
        for (entry, back) in self.slabs.drain(..).zip(back) {
            if let Some(entry) = entry
                && usize::from(entry.used) != back
            {
                mem::forget(entry.slab);
            }
        }
    }
}
