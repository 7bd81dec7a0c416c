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

use crate::state::RunState;
use crate::thread::{Header, Live, NewThread, fiber};

/// A thread whose turn it is.
#[derive(Debug)]
pub enum Next {
    /// It has not started: give it a stack.
    New(NewThread),
    /// It goes on.
    Ready(Live),
}

type Slot = Cell<NonNull<Header>>;

/// What so many threads use at their turns does not stay in the cache until the next.
const MANY: usize = 2048;
/// So many turns ahead a control block is asked for,
const FAR: usize = 24;
/// and so many the top of its stack, which the control block names.
const NEAR: usize = 3;
/// One line of each stack is asked for before that, of so many stacks at once: a prefetch is not over
/// before its address is translated, and so the translations, each a miss of its own, come side by side.
const BATCH: usize = 8;
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
        self.ring.make_room(started + self.new.get());
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
        self.put(thread.into_pointer());
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
    #[inline]
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
        fiber::prefetch_header(self.ring.at(FAR));
        if self.ring.head.get().is_multiple_of(BATCH) {
            for turns in BATCH..2 * BATCH {
                // SAFETY: the ring holds its reference, so it is alive.
                fiber::prefetch_page(unsafe { self.ring.at(turns).as_ref() });
            }
        }
        // SAFETY: as above.
        fiber::prefetch_stack(unsafe { self.ring.at(NEAR).as_ref() });
    }

    /// How many threads are ready.
    #[must_use]
    #[inline]
    pub fn len(&self) -> usize {
        self.ring.len() + usize::from(self.front.get().is_some())
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
}

impl Ring {
    const FIRST: usize = 64;

    fn new() -> Ring {
        Ring {
            slots: UnsafeCell::new(Ring::fresh(Ring::FIRST)),
            head: Cell::new(0),
            tail: Cell::new(0),
        }
    }

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
    fn get(&self, number: usize) -> NonNull<Header> {
        let slots = self.slots();
        slots[number & (slots.len() - 1)].get()
    }

    /// The one that comes `turns` after the next one. There are more than that.
    #[inline]
    fn at(&self, turns: usize) -> NonNull<Header> {
        self.get(self.head.get().wrapping_add(turns))
    }

    #[inline]
    fn push(&self, header: NonNull<Header>) {
        if self.len() == self.slots().len() {
            self.grow(self.len() + 1);
        }
        let tail = self.tail.get();
        let slots = self.slots();
        slots[tail & (slots.len() - 1)].set(header);
        self.tail.set(tail.wrapping_add(1));
    }

    #[inline]
    fn pop(&self) -> Option<NonNull<Header>> {
        let head = self.head.get();
        if head == self.tail.get() {
            return None;
        }
        self.head.set(head.wrapping_add(1));
        Some(self.get(head))
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
        let len = self.len();
        for (turns, slot) in larger[..len].iter().enumerate() {
            slot.set(self.at(turns));
        }
        self.head.set(0);
        self.tail.set(len);
        // SAFETY: nobody has a reference to the old ones.
        unsafe { *self.slots.get() = larger };
    }

    fn fresh(count: usize) -> Box<[Slot]> {
        vec![Cell::new(NonNull::dangling()); count].into()
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
            assert_eq!(ring.at(0), number(taken + 1));
            assert_eq!(ring.at(put - taken - 1), number(put));
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
