//! A worker's queue of threads that are ready: first in, first out, touched by its OS thread
//! only. A thread that has not started may stand in it as well, if it is to be started here.
//!
//! A ring of pointers, and not a list through the control blocks: a list must visit a thread
//! to know the next one, but a ring tells who comes some turns later, so that this thread's
//! memory can be asked for in time.
//!
//! It grows when a thread is spawned or started, so that a wake-up allocates nothing: there is
//! always room for every thread of the worker.

use core::cell::{Cell, UnsafeCell};
use core::fmt;
use core::marker::PhantomData;
use core::ptr::NonNull;
use core::sync::atomic::Ordering;

use crate::state::RunState;
use crate::thread::{Header, Live, NewThread, Thread, fiber};

/// A thread whose turn it is.
#[derive(Debug)]
pub enum Next {
    /// It has not started: give it a stack.
    New(NewThread),
    /// It goes on.
    Ready(Live),
}

/// `None`: nothing, or what was there has been claimed.
type Slot = Cell<Option<NonNull<Header>>>;

/// What so many threads use at their turns does not stay in the cache until the next.
const MANY: usize = 2048;
/// So many turns ahead a control block is asked for,
const FAR: usize = 24;
/// and so many the top of its stack, which the control block names.
const NEAR: usize = 3;
/// One line of each stack is asked for before that, of so many stacks at once: a prefetch is not over
/// before its address is translated, and so the translations, each a miss of its own, come side by side.
const BATCH: usize = 8;
/// How many places [`ReadyQueue::claim_last`] looks at.
const LAST: usize = 16;
/// A batch begins behind those that were asked for already, and finds their control blocks there.
const _: () = assert!(NEAR < BATCH && 2 * BATCH < FAR && FAR < MANY);

/// A queue of threads that are ready.
pub struct ReadyQueue {
    /// Whose turn it is. Not in the ring, so that a pop waits for one load, and not for one
    /// after the other.
    front: Cell<Option<NonNull<Header>>>,
    /// Those behind it.
    ring: Ring,
    /// How many of them have not started.
    new: Cell<usize>,
    _not_send: PhantomData<*const ()>,
}

impl ReadyQueue {
    /// An empty queue.
    #[must_use]
    pub fn new() -> ReadyQueue {
        ReadyQueue {
            front: Cell::new(None),
            ring: Ring::new(),
            new: Cell::new(0),
            _not_send: PhantomData,
        }
    }

    /// Makes room, so that `started` threads and those that have not started can be ready at
    /// the same time.
    #[inline]
    pub fn make_room(&self, started: usize) {
        self.ring
            .make_room(started + self.new.get() + self.ring.holes.get());
    }

    /// Puts a thread last.
    ///
    /// It allocates only if [`make_room`](ReadyQueue::make_room) has not been told of it.
    #[inline]
    pub fn push(&self, thread: Live) {
        self.put(thread.into_pointer());
    }

    /// Puts a thread last that has not started.
    #[inline]
    pub fn push_new(&self, thread: NewThread) {
        self.new.set(self.new.get() + 1);
        let header = thread.into_pointer();
        // SAFETY: we have just been given it. Relaxed: a hint, for this OS thread.
        unsafe { header.as_ref() }
            .queued_at
            .store(self.ring.tail.get() as u32, Ordering::Relaxed);
        self.put(header);
    }

    /// Takes this thread out of the middle, if it is here and has not started.
    #[inline]
    pub fn claim(&self, thread: &Thread) -> Option<NewThread> {
        let header = thread.pointer();
        if self.front.get() == Some(header) {
            self.front.set(self.ring.pop());
        } else {
            // Relaxed: a hint. It may have been told by another queue, and then the thread is not there.
            let number = thread.header().queued_at.load(Ordering::Relaxed);
            if !self.ring.claim(header, number) {
                return None;
            }
        }
        self.new.set(self.new.get() - 1);
        // SAFETY: it has not started, so `push_new` put it in, and it was taken out once.
        Some(unsafe { NewThread::from_pointer(header) })
    }

    /// Takes the last thread out that has not started and is `wanted`. It looks at the last few.
    pub fn claim_last(&self, wanted: impl Fn(&Thread) -> bool) -> Option<NewThread> {
        let found = self.ring.last().chain(self.front.get()).find(|header| {
            // SAFETY: the queue holds its reference, so it is alive.
            let thread = unsafe { Thread::borrowed(header) };
            thread.header().state.get() == RunState::New && wanted(thread)
        })?;
        // SAFETY: as above.
        self.claim(unsafe { Thread::borrowed(&found) })
    }

    #[inline]
    fn put(&self, header: NonNull<Header>) {
        if self.front.get().is_none() {
            self.front.set(Some(header));
        } else {
            self.ring.push(header);
        }
    }

    /// Takes the first thread.
    #[inline(always)]
    pub fn pop(&self) -> Option<Next> {
        let header = self.front.get()?;
        self.front.set(self.ring.pop());
        if self.ring.len() >= MANY {
            self.prefetch();
        }
        // SAFETY: the ring held the thread's reference, so it is alive. The right to run it,
        // or to start it, was put in by `push` or `push_new`, on this OS thread; its state
        // tells which.
        Some(unsafe {
            if header.as_ref().state.get() == RunState::New {
                self.new.set(self.new.get() - 1);
                Next::New(NewThread::from_pointer(header))
            } else {
                Next::Ready(Live::from_pointer(header))
            }
        })
    }

    /// Asks for the memory of those who come soon.
    #[inline]
    fn prefetch(&self) {
        if let Some(header) = self.ring.at(FAR) {
            fiber::prefetch_header(header);
        }
        if self.ring.head.get().is_multiple_of(BATCH) {
            for turns in BATCH..2 * BATCH {
                if let Some(header) = self.ring.at(turns) {
                    // SAFETY: the ring holds its reference, so it is alive.
                    fiber::prefetch_page(unsafe { header.as_ref() });
                }
            }
        }
        if let Some(header) = self.ring.at(NEAR) {
            // SAFETY: as above.
            fiber::prefetch_stack(unsafe { header.as_ref() });
        }
    }

    /// How many threads are ready.
    #[must_use]
    #[inline]
    pub fn len(&self) -> usize {
        let behind = self.ring.len() - self.ring.holes.get();
        behind + usize::from(self.front.get().is_some())
    }

    /// Whether none is.
    #[must_use]
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.front.get().is_none()
    }
}

impl Default for ReadyQueue {
    fn default() -> ReadyQueue {
        ReadyQueue::new()
    }
}

impl fmt::Debug for ReadyQueue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ReadyQueue")
            .field("len", &self.len())
            .finish_non_exhaustive()
    }
}

/// Pointers in a ring, which grows and never shrinks: eight bytes for each of the most threads
/// that were alive at the same time.
struct Ring {
    /// A power of two of them.
    slots: UnsafeCell<Box<[Slot]>>,
    /// Which one is taken next, and which one put: they only grow, and may wrap.
    head: Cell<usize>,
    tail: Cell<usize>,
    /// Places between them from which one was claimed. Neither the first nor the last place is one.
    holes: Cell<usize>,
}

impl Ring {
    const FIRST: usize = 64;

    fn new() -> Ring {
        Ring {
            slots: UnsafeCell::new(Ring::fresh(Ring::FIRST)),
            head: Cell::new(0),
            tail: Cell::new(0),
            holes: Cell::new(0),
        }
    }

    /// How many places there are, with the holes.
    #[inline]
    fn len(&self) -> usize {
        self.tail.get().wrapping_sub(self.head.get())
    }

    #[inline]
    fn slots(&self) -> &[Slot] {
        // SAFETY: only `grow` changes it, which is called where no such reference is kept. The
        // ring is not `Sync`.
        unsafe { &*self.slots.get() }
    }

    #[inline]
    fn slot(&self, number: usize) -> &Slot {
        let slots = self.slots();
        &slots[number & (slots.len() - 1)]
    }

    /// The one that comes `turns` after the next one. There are more than that.
    #[inline]
    fn at(&self, turns: usize) -> Option<NonNull<Header>> {
        self.slot(self.head.get().wrapping_add(turns)).get()
    }

    #[inline]
    fn push(&self, header: NonNull<Header>) {
        if self.len() == self.slots().len() {
            self.grow(self.len() + 1);
        }
        let tail = self.tail.get();
        self.slot(tail).set(Some(header));
        self.tail.set(tail.wrapping_add(1));
    }

    #[inline]
    fn pop(&self) -> Option<NonNull<Header>> {
        let head = self.head.get();
        if head == self.tail.get() {
            return None;
        }
        self.head.set(head.wrapping_add(1));
        let first = self.slot(head).get();
        if self.holes.get() != 0 {
            self.trim();
        }
        first
    }

    /// Takes this one out, which may have a number that ends so. `false`: it is not there.
    fn claim(&self, header: NonNull<Header>, number: u32) -> bool {
        let turns = number.wrapping_sub(self.head.get() as u32) as usize;
        if turns >= self.len() || self.at(turns) != Some(header) {
            return false;
        }
        self.slot(self.head.get().wrapping_add(turns)).set(None);
        self.holes.set(self.holes.get() + 1);
        self.trim();
        true
    }

    /// No hole is the first place, and none the last.
    fn trim(&self) {
        while self.len() != 0 && self.slot(self.tail.get().wrapping_sub(1)).get().is_none() {
            self.tail.set(self.tail.get().wrapping_sub(1));
            self.holes.set(self.holes.get() - 1);
        }
        while self.len() != 0 && self.at(0).is_none() {
            self.head.set(self.head.get().wrapping_add(1));
            self.holes.set(self.holes.get() - 1);
        }
    }

    /// The last few, the last one first.
    fn last(&self) -> impl Iterator<Item = NonNull<Header>> {
        let tail = self.tail.get();
        (1..=self.len().min(LAST)).filter_map(move |back| self.slot(tail.wrapping_sub(back)).get())
    }

    #[inline]
    fn make_room(&self, count: usize) {
        if count > self.slots().len() {
            self.grow(count);
        }
    }

    #[cold]
    fn grow(&self, count: usize) {
        let larger = Ring::fresh(count.next_power_of_two());
        let (head, last) = (self.head.get(), larger.len() - 1);
        // They keep their numbers.
        for turns in 0..self.len() {
            larger[head.wrapping_add(turns) & last].set(self.at(turns));
        }
        // SAFETY: nobody has a reference to the old ones.
        unsafe { *self.slots.get() = larger };
    }

    fn fresh(count: usize) -> Box<[Slot]> {
        vec![Cell::new(None); count].into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Threads that are only told apart.
    fn number(number: usize) -> NonNull<Header> {
        let address = core::num::NonZero::new(number * align_of::<Header>()).unwrap();
        NonNull::without_provenance(address)
    }

    #[test]
    fn a_ring_gives_back_in_order_also_while_it_grows() {
        let ring = Ring::new();
        let (mut put, mut taken) = (0, 0);
        for burst in [1, 63, 64, 65, 500, 3, 2000, 1] {
            for _ in 0..burst {
                put += 1;
                ring.push(number(put));
            }
            assert_eq!(ring.at(0), Some(number(taken + 1)));
            assert_eq!(ring.at(put - taken - 1), Some(number(put)));
            for _ in 0..burst / 2 + 1 {
                taken += 1;
                assert_eq!(ring.pop(), Some(number(taken)));
            }
            assert_eq!(ring.len(), put - taken);
        }
        while ring.pop().is_some() {
            taken += 1;
        }
        assert_eq!(taken, put);
    }

    #[test]
    fn holes_are_passed_by_and_no_longer_counted() {
        let ring = Ring::new();
        let places: Vec<u32> = (1..=70)
            .map(|n| {
                let place = ring.tail.get() as u32;
                ring.push(number(n));
                place
            })
            .collect();
        for n in [1, 2, 30, 69, 70] {
            assert!(ring.claim(number(n), places[n - 1]));
            assert!(!ring.claim(number(n), places[n - 1]), "once");
        }
        assert_eq!(
            (ring.len(), ring.holes.get()),
            (66, 1),
            "only the middle one is left"
        );
        assert_eq!(
            ring.last().collect::<Vec<_>>()[..2],
            [number(68), number(67)]
        );
        assert!(
            !ring.claim(number(31), places[31]),
            "not at another one's place"
        );
        let left: Vec<_> = core::iter::from_fn(|| ring.pop()).collect();
        assert_eq!(
            left,
            (3..=68)
                .filter(|n| *n != 30)
                .map(number)
                .collect::<Vec<_>>()
        );
        assert_eq!(ring.holes.get(), 0);
    }

    /// What was popped is not there any more, though its place has not been used again.
    #[test]
    fn what_has_gone_is_not_claimed() {
        let ring = Ring::new();
        ring.push(number(1));
        assert_eq!(ring.pop(), Some(number(1)));
        assert!(!ring.claim(number(1), 0));
    }

    #[test]
    fn numbers_may_wrap() {
        let ring = Ring::new();
        ring.head.set(usize::MAX - 1);
        ring.tail.set(usize::MAX - 1);
        (1..=200).for_each(|n| ring.push(number(n)));
        (1..=200).for_each(|n| assert_eq!(ring.pop(), Some(number(n))));
        assert!(ring.pop().is_none());
    }

    #[test]
    fn there_is_room_for_what_was_told() {
        let ring = Ring::new();
        ring.make_room(1000);
        let slots = ring.slots().as_ptr();
        (1..=1000).for_each(|n| ring.push(number(n)));
        assert_eq!(ring.slots().as_ptr(), slots);
    }
}
