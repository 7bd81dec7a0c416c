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
//! * *Memory goes back when it is not needed.* Of what is dirty and was not touched for a period,
//!   what is above a watermark is *cold*, and is cleaned portion by portion. A slab that has nothing
//!   but clean slots for a period is unmapped. Where the kernel refuses a slab, all slabs of other
//!   classes whose slots are free are unmapped at once.
//!
//! # Which free slots are kept
//!
//! Threads end in any order, so the free slots of a burst lie in all its slabs, with a few that are
//! still taken between them. Were the last ones to come back kept, hardly a slab would ever be
//! clean. So once in a period the slabs are ranked: first those of which most is taken, which stay
//! mapped anyway, then those of which most is dirty.
//!
//! * *Kept* are dirty slots of the first slabs, down the ranking: as many as the watermark says, and
//!   of slabs of which nothing is taken only so far that these have as many slots.
//! * *Handed out* is first what is kept, then what is clean, each by the same ranking, so that the
//!   slabs at its end drain.
//! * *Unmapped* are slabs from its end.
//!
//! So what stays mapped is the slabs of which something is taken, the others that the watermark
//! needs, and what is promised.
//!
//! What this does not do: map, guard or give back memory. It is bookkeeping under the pool's lock,
//! in constant time but for what is done once in a period, and `start_clearing`.

#![forbid(unsafe_code)]

use std::cmp::Reverse;
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
    /// The dirty free slots: first those that are cold, then those that are kept, the best last,
    /// then those that came back in this period, in that order.
    dirty: VecDeque<Slot>,
    /// Slabs that may have a clean free slot, each at most once: the best last.
    cool: VecDeque<u32>,
    /// Slots of all slabs.
    slots: usize,
    /// Slabs whose guard pages are not counted.
    uncounted: usize,
    taken: usize,
    /// Slots that are being cleaned.
    cleaning: usize,
    /// Stacks that were promised to threads, started or not.
    reserved: usize,
    /// Stacks that may lie in the caches of workers.
    cached: usize,
    /// The fewest dirty slots there were in this period: so many were not touched in it.
    fewest: usize,
    /// So many dirty slots, the first, are to be cleaned.
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
    /// Those of them that are free and dirty.
    dirty: u16,
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
    /// It is counted, should it cost mappings.
    pub(crate) is_counted: bool,
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
            cool: VecDeque::new(),
            slots: 0,
            uncounted: 0,
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
        entry.dirty -= 1;
        Some(entry.hand_out(slot, false))
    }

    fn take_clean(&mut self) -> Option<Taken> {
        while let Some(&slab) = self.cool.back() {
            let entry = self.entry(slab);
            if let Some((slot, bare)) = entry.pop_clean() {
                return Some(entry.hand_out(Slot { slab, slot }, bare));
            }
            entry.in_cool = false;
            self.cool.pop_back();
        }
        None
    }

    /// Adds a fresh slab, all of whose slots are clean and without guard pages.
    pub(crate) fn add(&mut self, slab: Slab) {
        self.slots += usize::from(slab.slots());
        self.uncounted += usize::from(!slab.is_counted());
        let entry = Some(Entry {
            slab,
            clean: Vec::new(),
            bare: Vec::new(),
            used: 0,
            dirty: 0,
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
        // The others first: they may have guard pages already.
        self.cool.push_front(number);
    }

    /// Takes back a slot that was used.
    pub(crate) fn put(&mut self, slot: Slot) {
        self.taken -= 1;
        self.dirty.push_back(slot);
        self.entry(slot.slab).dirty += 1;
    }

    /// Takes back a slot whose guard page could not be made: it was not used.
    pub(crate) fn put_bare(&mut self, slot: Slot, is_counted: bool) {
        self.taken -= 1;
        let entry = self.entry(slot.slab);
        entry.bare.push(slot.slot);
        if !is_counted && entry.slab.is_counted() {
            entry.slab.count_guard();
        }
        self.is_clean(slot.slab);
    }

    // ----- what guard pages cost

    /// Guard pages cost mappings: counts those that are still to be made in slabs which were there
    /// before they did. Slots for which there are too few, and which are not promised, are given up.
    pub(crate) fn count_guards(&mut self) {
        if mem::take(&mut self.uncounted) == 0 {
            return;
        }
        for number in 0..self.slabs.len() {
            let spare = self.spare();
            if let Some(entry) = &mut self.slabs[number]
                && !entry.slab.is_counted()
            {
                let fewer = entry.slab.count_guards(entry.bare.len(), spare);
                self.slots -= usize::from(fewer);
            }
        }
    }

    /// A guard page was made that costs mappings, and that was not counted when the slot was taken.
    pub(crate) fn count_guard(&mut self, slot: Slot) {
        self.entry(slot.slab).slab.count_guard();
    }

    /// One more slot of the slab is clean.
    fn is_clean(&mut self, slab: u32) {
        let entry = self.entry(slab);
        entry.used -= 1;
        entry.idle = false;
        if !mem::replace(&mut entry.in_cool, true) {
            // The last to be taken from, until the next ranking: it may be about to drain.
            self.cool.push_front(slab);
        }
    }

    fn entry(&mut self, slab: u32) -> &mut Entry {
        self.slabs[slab as usize]
            .as_mut()
            .expect("a slab stays while a slot of it is known")
    }

    // ----- periods

    /// A period is over: chooses what is cold from now on, of what was not touched in it. Gives the
    /// slabs that had nothing but clean slots all the while and are not needed, to be unmapped.
    pub(crate) fn start_period(&mut self) -> Vec<Slab> {
        let untouched = mem::replace(&mut self.fewest, self.dirty.len());
        let ranking = self.ranking();
        // Else there is enough to do: to choose anew takes time for each dirty slot.
        if self.cold == 0 {
            self.choose(untouched, &ranking);
        }
        let gone = self.remove_idle(&ranking);
        if !gone.is_empty() {
            self.forget_cool();
        }
        let places = self.places(&ranking);
        let cool = self.cool.make_contiguous();
        cool.sort_unstable_by_key(|&slab| Reverse(places[slab as usize]));
        gone
    }

    /// Removes the slabs that had nothing but clean slots since the last period began, and notes
    /// those that have from now on.
    fn remove_idle(&mut self, ranking: &[u32]) -> Vec<Slab> {
        let mut gone = Vec::new();
        for &number in ranking.iter().rev() {
            let spare = self.spare();
            let entry = self.entry(number);
            let clean = entry.used == 0;
            let idle = mem::replace(&mut entry.idle, clean);
            if idle && clean && spare >= usize::from(entry.slab.slots()) {
                gone.push(self.remove(number));
            }
        }
        gone
    }

    /// Gives all slabs whose slots are free and not promised, also those that have memory: the
    /// kernel has no room for a slab of another class.
    pub(crate) fn start_clearing(&mut self) -> Vec<Slab> {
        let mut gone = Vec::new();
        for number in 0..self.slabs.len() {
            let Some(entry) = &self.slabs[number] else {
                continue;
            };
            if entry.is_free() && self.spare() >= usize::from(entry.slab.slots()) {
                gone.push(self.remove(number as u32));
            }
        }
        if !gone.is_empty() {
            self.forget_cool();
            self.forget_dirty();
        }
        gone
    }

    /// Slabs have gone: they are not cool any more,
    fn forget_cool(&mut self) {
        let slabs = &self.slabs;
        self.cool.retain(|&slab| slabs[slab as usize].is_some());
    }

    /// and their dirty slots are not either.
    fn forget_dirty(&mut self) {
        let slabs = &self.slabs;
        let dirty = self.dirty.len();
        self.dirty
            .retain(|slot| slabs[slot.slab as usize].is_some());
        let fewer = dirty - self.dirty.len();
        self.fewest = self.fewest.saturating_sub(fewer);
        self.cold = self.cold.saturating_sub(fewer);
    }

    fn remove(&mut self, number: u32) -> Slab {
        let entry = self.slabs[number as usize].take();
        let slab = entry.expect("the slab is there").slab;
        self.slots -= usize::from(slab.slots());
        self.uncounted -= usize::from(!slab.is_counted());
        self.vacant.push(number);
        slab
    }

    // ----- which are kept

    /// The slabs, from the one that is most worth keeping down.
    fn ranking(&self) -> Vec<u32> {
        let slabs = self.slabs.iter().zip(0..);
        let mut ranked: Vec<_> = slabs
            .filter_map(|(entry, number)| Some((entry.as_ref()?.rank(), number)))
            .collect();
        ranked.sort_unstable();
        ranked.into_iter().map(|(_, number)| number).collect()
    }

    /// Where each slab stands in the ranking.
    fn places(&self, ranking: &[u32]) -> Vec<u32> {
        let mut places = vec![u32::MAX; self.slabs.len()];
        for (&slab, place) in ranking.iter().zip(0..) {
            places[slab as usize] = place;
        }
        places
    }

    /// How many of its dirty slots each slab is to keep: not more than the watermark in all, and so
    /// that the slabs which stay mapped for them alone are few.
    fn to_keep(&self, ranking: &[u32]) -> Vec<u16> {
        let mut keep = vec![0; self.slabs.len()];
        let mut stacks = self.class.watermark();
        let mut room = stacks;
        for &number in ranking {
            let Some(entry) = &self.slabs[number as usize] else {
                continue;
            };
            if entry.is_free() {
                if room == 0 {
                    break;
                }
                room = room.saturating_sub(usize::from(entry.slab.slots()));
            }
            let kept = usize::from(entry.dirty).min(stacks);
            keep[number as usize] = kept as u16;
            stacks -= kept;
        }
        keep
    }

    /// How many dirty slots are more than `keep`.
    fn surplus(&self, keep: &[u16]) -> usize {
        let kept: usize = keep.iter().map(|&kept| usize::from(kept)).sum();
        self.dirty.len() - kept
    }

    /// Of the first `untouched` dirty slots, the ones that are not worth keeping are cold from now
    /// on.
    fn choose(&mut self, untouched: usize, ranking: &[u32]) {
        let mut keep = self.to_keep(ranking);
        if untouched == 0 || self.surplus(&keep) == 0 {
            return;
        }
        let places = self.places(ranking);
        let slots = &mut self.dirty.make_contiguous()[..untouched];
        // Those that are kept go to the end; of a slab, those that came back last.
        let mut cold = untouched;
        for at in (0..untouched).rev() {
            let keep = &mut keep[slots[at].slab as usize];
            if *keep != 0 {
                *keep -= 1;
                cold -= 1;
                slots.swap(at, cold);
            }
        }
        slots[cold..].sort_unstable_by_key(|slot| Reverse((places[slot.slab as usize], slot.slot)));
        self.cold = cold;
    }

    // ----- cleaning

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
        for slot in &slots {
            self.entry(slot.slab).dirty -= 1;
        }
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
        let ranking = self.ranking();
        self.choose(self.dirty.len(), &ranking);
    }

    /// Whether something is cold.
    pub(crate) fn has_cold(&self) -> bool {
        self.cold.min(self.spare()) != 0
    }

    /// Whether another period may find something to give back.
    pub(crate) fn is_restless(&self) -> bool {
        let spare = self.spare();
        let could_go = |entry: &Entry| entry.used == 0 && spare >= usize::from(entry.slab.slots());
        let keep = self.to_keep(&self.ranking());
        self.surplus(&keep).min(spare) != 0 || self.slabs.iter().flatten().any(could_go)
    }

    /// Whether so much is free that [`is_restless`](Shelf::is_restless) is worth asking: it takes
    /// time for each slab.
    pub(crate) fn has_much(&self) -> bool {
        self.slots - self.taken > self.class.watermark()
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
    /// Nobody has a slot of it.
    fn is_free(&self) -> bool {
        self.used == self.dirty
    }

    /// Where it stands among all; the least first. By how much of it is taken, then by how much is
    /// dirty, and small ones before large ones.
    fn rank(&self) -> (Reverse<u32>, Reverse<u32>, u16) {
        let slots = u32::from(self.slab.slots()).max(1);
        let share = |some: u16| Reverse((u32::from(some) << 16) / slots);
        let taken = self.used - self.dirty;
        (share(taken), share(self.dirty), self.slab.slots())
    }

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
            is_counted: self.slab.is_counted(),
        }
    }
}

impl Drop for Shelf {
    /// Unmaps the slabs whose slots are all back. The others stay for ever (Rule 3).
    fn drop(&mut self) {
        for entry in self.slabs.drain(..).flatten() {
            if !entry.is_free() {
                mem::forget(entry.slab);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::MIN_STACK;

    const SLOTS: u16 = 4;

    /// Two slabs, all of whose slots are out.
    fn taken_out() -> (Shelf, Vec<Slot>) {
        let class = Class::of(MIN_STACK).unwrap();
        let mut shelf = Shelf::new(class);
        for _ in 0..2 {
            shelf.add(Slab::map(class, SLOTS).unwrap());
        }
        let slots: Vec<Slot> = std::iter::from_fn(|| shelf.take())
            .map(|taken| taken.slot)
            .collect();
        assert_eq!(slots.len(), 2 * usize::from(SLOTS));
        (shelf, slots)
    }

    #[test]
    fn a_slab_of_which_somebody_has_a_slot_is_not_cleared() {
        let (mut shelf, slots) = taken_out();
        let kept = slots[3];
        for slot in slots.iter().filter(|&&slot| slot != kept) {
            shelf.put(*slot);
        }
        assert_eq!(shelf.start_clearing().len(), 1, "the other one");
        assert_eq!((shelf.mapped(), shelf.taken()), (1, 1));

        let mut left: Vec<_> = std::iter::from_fn(|| shelf.take())
            .map(|taken| taken.slot)
            .collect();
        assert!(
            left.iter().all(|slot| slot.slab == kept.slab),
            "no slot of a slab that has gone"
        );
        left.push(kept);
        left.sort_unstable_by_key(|slot| slot.slot);
        assert_eq!(
            left.iter().map(|slot| slot.slot).collect::<Vec<_>>(),
            [0, 1, 2, 3]
        );
        left.into_iter().for_each(|slot| shelf.put(slot));
    }

    #[test]
    fn what_is_cold_goes_with_its_slab() {
        let (mut shelf, slots) = taken_out();
        let kept = slots[0].slab;
        let (stay, go): (Vec<_>, Vec<_>) = slots.into_iter().partition(|slot| slot.slab == kept);
        go.into_iter().for_each(|slot| shelf.put(slot));
        shelf.put(stay[1]);
        shelf.cold = shelf.dirty();
        shelf.fewest = shelf.dirty();
        assert_eq!(shelf.start_clearing().len(), 1);
        assert_eq!((shelf.dirty(), shelf.cold, shelf.fewest), (1, 1, 1));
        let cleaning = shelf.start_cleaning().expect("one is cold");
        assert_eq!(cleaning.slots, [stay[1]]);
        assert!(shelf.start_clearing().is_empty(), "it is being cleaned");
        shelf.finish_cleaning(cleaning);
        for slot in [stay[0], stay[2], stay[3]] {
            shelf.put(slot);
        }
    }

    #[test]
    fn no_slot_comes_from_a_slab_that_has_gone() {
        let class = Class::of(MIN_STACK).unwrap();
        let mut shelf = Shelf::new(class);
        shelf.add(Slab::map(class, SLOTS).unwrap());
        assert_eq!(shelf.start_clearing().len(), 1);
        assert!(shelf.take().is_none());
    }

    #[test]
    fn what_is_promised_is_not_cleared() {
        let (mut shelf, slots) = taken_out();
        shelf.reserve(5);
        slots.into_iter().for_each(|slot| shelf.put(slot));
        assert!(shelf.start_clearing().is_empty());
        shelf.unreserve(1);
        assert_eq!(shelf.start_clearing().len(), 1);
        shelf.unreserve(4);
        assert_eq!(shelf.start_clearing().len(), 1);
        assert_eq!(shelf.mapped(), 0);
        assert!(shelf.take().is_none());
    }
}
