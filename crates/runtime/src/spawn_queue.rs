//! A worker's queue of threads that were spawned there and have not started, which other workers may take:
//! first in, first out, but for one that its joiner takes out of the middle.
//!
//! A ring of pointers. **The slot is the truth**: whoever exchanges a pointer for null has taken that
//! thread, be it the worker, another one, or the joiner; and only the worker puts pointers in. `head` and
//! `tail` say where to look:
//!
//! | word     | meaning                                                 | who writes it                         |
//! |----------|---------------------------------------------------------|---------------------------------------|
//! | a slot   | a thread, or null: none, or it was taken                | the worker; anybody, by exchange for null |
//! | `tail`   | the number of the next thread                           | the worker                            |
//! | `head`   | all of lower numbers have been taken; and how often the ring has grown | the worker; others, by an exchange |
//! | `buffer` | the ring                                                | the worker, when it grows             |
//!
//! The thread of number `n` is put into slot `n` modulo the ring's size, when all up to `n - size` are
//! known to have been taken. So
//!
//! 1. a number below `tail` whose slot is null has been taken, for good. Who has found that of all from
//!    `head` on may set `head` behind them, if it is still what it was. The worker's own store may set it
//!    back to what it has found itself; that is true as well.
//! 2. When the ring grows, threads are moved, and others may take for taken what they find no more. So the
//!    worker tells the new ring first, and then sets `head` to what it was before, with one more growth in
//!    it: what others have set meanwhile is void, and no exchange of an old `head` succeeds any more. Who
//!    reads `head`, then `tail`, then `buffer` looks into a ring that is no older than that `head`.
//! 3. Who looks with an old `head` may find a thread of a higher number in the slot. It takes it: only the
//!    order suffers.
//!
//! Rings that were outgrown are kept until the queue goes: others may be looking. Together they are smaller
//! than the last one.

use core::cell::{Cell, UnsafeCell};
use core::fmt;
use core::ptr::{self, NonNull};
use std::sync::Arc;

use crate::atomic::{AtomicPtr, AtomicU64, Ordering};

/// What a new ring has room for.
const FIRST: usize = if cfg!(trefoil_loom) { 2 } else { 64 };
/// So many bits of `head` are a number, which begins anew after a year of ten million threads a second; the
/// others count how often the ring has grown.
const NUMBER_BITS: u32 = 48;
const NUMBERS: u64 = (1 << NUMBER_BITS) - 1;

/// How many numbers there are from one on to another.
#[inline]
fn between(head: u64, tail: u64) -> usize {
    (tail.wrapping_sub(head) & NUMBERS) as usize
}

/// The worker's end, which stays on its OS thread.
pub(crate) struct Queue<T> {
    shared: Arc<Shared<T>>,
    /// How often the ring has grown. Only one OS thread puts something in: a cell is not `Sync`.
    growths: Cell<u64>,
}

/// The others' end.
pub(crate) struct Others<T> {
    shared: Arc<Shared<T>>,
}

struct Shared<T> {
    head: Apart<AtomicU64>,
    tail: Apart<AtomicU64>,
    buffer: AtomicPtr<Ring<T>>,
    /// All rings there were, the present one last; for the worker, and for who drops the queue.
    rings: UnsafeCell<Vec<NonNull<Ring<T>>>>,
}

/// Two cache lines of its own: `head` and `tail` are written by different OS threads.
#[repr(align(128))]
struct Apart<T>(T);

struct Ring<T>(Box<[AtomicPtr<T>]>);

// SAFETY: what is shared are pointers, which are handed over, and the rings, of which `rings` is touched by
// the worker alone: its end is not `Sync`.
unsafe impl<T> Send for Shared<T> {}
// SAFETY: as above.
unsafe impl<T> Sync for Shared<T> {}

impl<T> Queue<T> {
    pub(crate) fn new() -> Queue<T> {
        let ring = Ring::boxed(FIRST);
        Queue {
            shared: Arc::new(Shared {
                head: Apart(AtomicU64::new(0)),
                tail: Apart(AtomicU64::new(0)),
                buffer: AtomicPtr::new(ring.as_ptr()),
                rings: UnsafeCell::new(vec![ring]),
            }),
            growths: Cell::new(0),
        }
    }

    pub(crate) fn others(&self) -> Others<T> {
        Others {
            shared: Arc::clone(&self.shared),
        }
    }

    fn ring(&self) -> &Ring<T> {
        // Relaxed: only we write it.
        let ring = self.shared.buffer.load(Ordering::Relaxed);
        // SAFETY: rings live as long as the queue.
        unsafe { &*ring }
    }

    /// By the worker.
    #[inline]
    fn set_head(&self, number: u64) {
        let word = &self.shared.head.0;
        let head = self.growths.get() << NUMBER_BITS | number & NUMBERS;
        // Release: pairs with `Shared::first`. A store may set it back: point 1 of the file's head. For loom see
        // `fill`.
        if cfg!(trefoil_loom) {
            word.swap(head, Ordering::Release);
        } else {
            word.store(head, Ordering::Release);
        }
    }

    /// The number that the next pointer will get.
    #[inline]
    pub(crate) fn next_number(&self) -> u64 {
        // Relaxed: only we write it.
        self.shared.tail.0.load(Ordering::Relaxed)
    }

    /// Puts it behind all others.
    #[inline]
    pub(crate) fn push(&self, item: NonNull<T>) {
        let tail = self.next_number();
        // Acquire: pairs with the exchange of who has seen the slots below it null: so our store comes after
        // what made them null.
        let head = self.shared.head.0.load(Ordering::Acquire);
        let len = between(head, tail);
        // Relaxed: what we have seen null is null before our next store to it.
        if len != 0 && self.ring().slot(head).load(Ordering::Relaxed).is_null() {
            self.tidy(tail);
        }
        if len >= self.ring().0.len() {
            self.make_room(tail);
        }
        fill(self.ring().slot(tail), item);
        // Release: pairs with `Shared::first`: the slot has been filled.
        self.shared.tail.0.store(tail + 1, Ordering::Release);
    }

    /// Passes by what was taken out of the middle. Tells the number of the first that is left.
    fn tidy(&self, tail: u64) -> u64 {
        let mut head = self.first_number();
        let ring = self.ring();
        while head != tail & NUMBERS && ring.slot(head).load(Ordering::Relaxed).is_null() {
            head = (head + 1) & NUMBERS;
        }
        self.set_head(head);
        head
    }

    #[cold]
    fn make_room(&self, tail: u64) {
        let head = self.tidy(tail);
        if between(head, tail) >= self.ring().0.len() {
            self.grow(head, tail);
        }
    }

    fn grow(&self, head: u64, tail: u64) {
        let old = self.ring();
        let new = Ring::boxed(old.0.len() * 2);
        for number in (0..between(head, tail)).map(|turns| head + turns as u64) {
            if let Some(item) = take(old.slot(number)) {
                // SAFETY: we have just made it.
                fill(unsafe { new.as_ref() }.slot(number), item);
            }
        }
        // Release: pairs with `Shared::first`.
        self.shared.buffer.store(new.as_ptr(), Ordering::Release);
        self.growths.set(self.growths.get() + 1);
        self.set_head(head);
        // SAFETY: only the worker touches it, in here, and keeps no reference to it.
        unsafe { (*self.shared.rings.get()).push(new) };
    }

    /// Takes the first.
    #[inline]
    pub(crate) fn pop(&self) -> Option<NonNull<T>> {
        let tail = self.next_number();
        let mut head = self.first_number();
        let mut left = between(head, tail);
        if left == 0 {
            return None;
        }
        let ring = self.ring();
        let mut found = None;
        while found.is_none() && left != 0 {
            found = take(ring.slot(head));
            head += 1;
            left -= 1;
        }
        self.set_head(head);
        found
    }

    /// Takes this one out, which may have a number that ends so. `false`: it is not there.
    #[inline]
    pub(crate) fn claim(&self, item: NonNull<T>, number: u64) -> bool {
        let slot = self.ring().slot(number);
        // Relaxed: we put it in ourselves. Who exchanges first has it.
        slot.load(Ordering::Relaxed) == item.as_ptr()
            && slot
                .compare_exchange(
                    item.as_ptr(),
                    ptr::null_mut(),
                    Ordering::Relaxed,
                    Ordering::Relaxed,
                )
                .is_ok()
    }

    /// What is put at this number, if nobody has taken it: for a look from afar.
    #[inline]
    pub(crate) fn peek(&self, number: u64) -> *const T {
        self.ring().slot(number).load(Ordering::Relaxed)
    }

    /// The number of the first, or of one before it.
    #[inline]
    pub(crate) fn first_number(&self) -> u64 {
        self.shared.head.0.load(Ordering::Relaxed) & NUMBERS
    }

    /// Takes the last one. It may look at no more than `most` places that are empty.
    pub(crate) fn pop_last(&self, most: usize) -> Option<NonNull<T>> {
        let tail = self.next_number();
        let here = between(self.first_number(), tail).min(most);
        (1..=here).find_map(|back| take(self.ring().slot(tail.wrapping_sub(back as u64))))
    }

    /// How many there are, at most.
    #[inline]
    pub(crate) fn len(&self) -> usize {
        self.shared.len()
    }
}

impl<T> Others<T> {
    /// How many there are, at most: those that were taken from the middle count until somebody comes by.
    #[inline]
    pub(crate) fn len(&self) -> usize {
        self.shared.len()
    }

    /// Whether there is none. It looks: `len` may say that there is one.
    pub(crate) fn is_empty(&self) -> bool {
        self.shared
            // Relaxed: only whether it is null.
            .first(false, |slot| {
                (!slot.load(Ordering::Relaxed).is_null()).then_some(())
            })
            .is_none()
    }

    /// Takes the first.
    pub(crate) fn steal(&self) -> Option<NonNull<T>> {
        self.shared.first(true, take)
    }
}

impl<T> Shared<T> {
    #[inline]
    fn len(&self) -> usize {
        // Relaxed: a hint. Who is about to sleep looks after a fence.
        let head = self.head.0.load(Ordering::Relaxed);
        let len = between(head, self.tail.0.load(Ordering::Relaxed));
        // The tail that was read may be older than the head.
        if len > NUMBERS as usize / 2 { 0 } else { len }
    }

    /// The first that `look` finds in a slot, by anybody. `takes`: then the slot is empty.
    fn first<R>(&self, takes: bool, look: impl Fn(&AtomicPtr<T>) -> Option<R>) -> Option<R> {
        loop {
            // In this order: point 2 of the file's head. Acquire: pairs with the stores of the worker.
            let begin = self.head.0.load(Ordering::Acquire);
            let tail = self.tail.0.load(Ordering::Acquire);
            let buffer = self.buffer.load(Ordering::Acquire);
            // SAFETY: rings live as long as the queue.
            let ring = unsafe { &*buffer };
            // With an old head there are more numbers than slots.
            let len = between(begin, tail).min(ring.0.len());
            let mut empty = 0;
            let mut found = None;
            while found.is_none() && empty < len {
                found = look(ring.slot(begin + empty as u64));
                empty += usize::from(takes || found.is_none());
            }
            if empty != 0 {
                // Release: pairs with `push`: we have seen them null. Relaxed: it has moved.
                let number = (begin + empty as u64) & NUMBERS;
                let _ = self.head.0.compare_exchange(
                    begin,
                    begin & !NUMBERS | number,
                    Ordering::Release,
                    Ordering::Relaxed,
                );
            }
            // It has grown meanwhile: what we saw empty may have been moved.
            if found.is_some() || self.buffer.load(Ordering::Acquire) == buffer {
                return found;
            }
        }
    }
}

/// Puts an item into an empty slot. By the worker.
#[inline]
fn fill<T>(slot: &AtomicPtr<T>, item: NonNull<T>) {
    // Release: pairs with `take`. An exchange reads what is right before it in the order of a word's changes, and
    // so this store comes before it or after it. loom lets an exchange that comes later read what was there
    // before the store, and then takes it for the last change; of exchanges it knows the order.
    if cfg!(trefoil_loom) {
        slot.swap(item.as_ptr(), Ordering::Release);
    } else {
        slot.store(item.as_ptr(), Ordering::Release);
    }
}

/// Exchanges what is there for null.
#[inline]
fn take<T>(slot: &AtomicPtr<T>) -> Option<NonNull<T>> {
    // Relaxed: an empty one is passed by.
    if slot.load(Ordering::Relaxed).is_null() {
        return None;
    }
    // Acquire: pairs with `fill`.
    NonNull::new(slot.swap(ptr::null_mut(), Ordering::Acquire))
}

impl<T> Ring<T> {
    fn boxed(size: usize) -> NonNull<Ring<T>> {
        debug_assert!(size.is_power_of_two());
        let slots = (0..size).map(|_| AtomicPtr::new(ptr::null_mut())).collect();
        NonNull::from(Box::leak(Box::new(Ring(slots))))
    }

    #[inline]
    fn slot(&self, number: u64) -> &AtomicPtr<T> {
        &self.0[number as usize & (self.0.len() - 1)]
    }
}

impl<T> Drop for Shared<T> {
    fn drop(&mut self) {
        for ring in self.rings.get_mut().drain(..) {
            // SAFETY: `boxed` made it, and nobody is left who could look into it.
            drop(unsafe { Box::from_raw(ring.as_ptr()) });
        }
    }
}

impl<T> fmt::Debug for Shared<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SpawnQueue")
            .field("len", &self.len())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn item(number: usize) -> NonNull<u64> {
        NonNull::without_provenance(core::num::NonZero::new(number * 8).unwrap())
    }

    fn push(queue: &Queue<u64>, number: usize) -> u64 {
        let place = queue.next_number();
        queue.push(item(number));
        place
    }

    #[cfg(not(trefoil_loom))]
    #[test]
    fn it_gives_back_in_order_also_while_it_grows() {
        let queue = Queue::new();
        let others = queue.others();
        let (mut put, mut taken) = (0, 0);
        for burst in [1, 63, 64, 65, 500, 3, 2000, 1] {
            for _ in 0..burst {
                put += 1;
                push(&queue, put);
            }
            assert_eq!(queue.len(), put - taken);
            for turn in 0..burst / 2 + 1 {
                taken += 1;
                let first = if turn % 2 == 0 {
                    queue.pop()
                } else {
                    others.steal()
                };
                assert_eq!(first, Some(item(taken)));
            }
            assert_eq!(others.is_empty(), taken == put);
        }
        while queue.pop().is_some() {
            taken += 1;
        }
        assert_eq!(taken, put);
        assert!(others.is_empty() && others.steal().is_none());
    }

    #[cfg(not(trefoil_loom))]
    #[test]
    fn what_was_claimed_is_passed_by() {
        let queue = Queue::new();
        let others = queue.others();
        let places: Vec<u64> = (1..=5).map(|number| push(&queue, number)).collect();
        for number in [1, 3, 5] {
            assert!(queue.claim(item(number), places[number - 1]));
            assert!(!queue.claim(item(number), places[number - 1]), "once");
        }
        assert_eq!(queue.pop_last(1), None, "the last place is empty");
        assert_eq!(queue.pop_last(2), Some(item(4)));
        assert_eq!(others.steal(), Some(item(2)));
        assert!(others.is_empty());
        assert_eq!(queue.pop(), None);
        assert_eq!(queue.len(), 0);
    }

    /// Whose places are all empty, though nobody has come by, needs no more room.
    #[cfg(not(trefoil_loom))]
    #[test]
    fn claims_alone_do_not_make_it_grow() {
        let queue = Queue::new();
        for number in 1..=10 * FIRST {
            let place = push(&queue, number);
            assert!(queue.claim(item(number), place));
        }
        assert_eq!(queue.ring().0.len(), FIRST);
    }

    #[cfg(not(trefoil_loom))]
    #[test]
    fn those_that_are_moved_can_still_be_claimed() {
        let queue = Queue::new();
        let places: Vec<u64> = (1..=FIRST * 3).map(|number| push(&queue, number)).collect();
        for (number, place) in places.into_iter().enumerate() {
            assert!(queue.claim(item(number + 1), place));
        }
        assert!(queue.pop().is_none());
    }

    /// Numbers begin anew some day.
    #[cfg(not(trefoil_loom))]
    #[test]
    fn numbers_may_wrap() {
        let queue = Queue::new();
        let others = queue.others();
        queue.shared.tail.0.store(NUMBERS - 2, Ordering::Relaxed);
        queue.set_head(NUMBERS - 2);
        let places: Vec<u64> = (1..=FIRST * 3).map(|number| push(&queue, number)).collect();
        assert_eq!(queue.len(), FIRST * 3);
        assert!(queue.claim(item(4), places[3]));
        for number in [1, 2, 3, 5] {
            assert_eq!(others.steal(), Some(item(number)));
        }
        for number in 6..=FIRST * 3 {
            assert_eq!(queue.pop(), Some(item(number)));
        }
        assert!(queue.pop().is_none() && others.is_empty() && queue.len() == 0);
    }

    /// Others steal all the time, seen from `items` things: each is taken once.
    #[cfg(not(trefoil_loom))]
    #[test]
    fn each_is_taken_once() {
        use core::sync::atomic::AtomicBool;
        const ITEMS: usize = 200_000;
        let queue = Queue::new();
        let done = AtomicBool::new(false);
        let mut all: Vec<usize> = std::thread::scope(|scope| {
            let thieves: Vec<_> = (0..2)
                .map(|_| {
                    let (others, done) = (queue.others(), &done);
                    scope.spawn(move || {
                        let mut taken = Vec::new();
                        loop {
                            // Acquire: pairs with the store below.
                            let last = done.load(Ordering::Acquire);
                            while let Some(item) = others.steal() {
                                taken.push(item.addr().get() / 8);
                            }
                            if last {
                                return taken;
                            }
                        }
                    })
                })
                .collect();
            let mut taken = Vec::new();
            for number in 1..=ITEMS {
                let place = push(&queue, number);
                match number % 7 {
                    0 => taken.extend(queue.pop()),
                    1 => taken.extend(queue.pop_last(3)),
                    2 if queue.claim(item(number), place) => taken.push(item(number)),
                    _ => {}
                }
            }
            taken.extend(std::iter::from_fn(|| queue.pop()).take(5));
            let mut all: Vec<usize> = taken.iter().map(|item| item.addr().get() / 8).collect();
            // Release: pairs with the load above.
            done.store(true, Ordering::Release);
            for thief in thieves {
                all.extend(thief.join().unwrap());
            }
            all
        });
        all.sort_unstable();
        assert_eq!(all, (1..=ITEMS).collect::<Vec<_>>());
    }

    #[cfg(trefoil_loom)]
    mod loom_models {
        use super::*;
        use loom::thread;

        /// All interleavings with so many preemptions.
        fn bounded(model: impl Fn() + Sync + Send + 'static) {
            let mut builder = loom::model::Builder::new();
            builder.preemption_bound = Some(2);
            builder.check(model);
        }

        fn numbers(items: impl IntoIterator<Item = NonNull<u64>>) -> Vec<usize> {
            items
                .into_iter()
                .map(|item| item.addr().get() / 8)
                .collect()
        }

        fn assert_once(mut all: Vec<usize>, items: usize) {
            all.sort_unstable();
            assert_eq!(all, (1..=items).collect::<Vec<_>>());
        }

        /// The ring has two slots: it grows, and slots are used again, while another one takes.
        #[test]
        fn a_ring_grows_while_others_take() {
            bounded(|| {
                let queue = Queue::new();
                let others = queue.others();
                push(&queue, 1);
                push(&queue, 2);
                let thief = thread::spawn(move || {
                    numbers([others.steal(), others.steal()].into_iter().flatten())
                });
                push(&queue, 3);
                let mut all = numbers(queue.pop());
                push(&queue, 4);
                all.extend(thief.join().unwrap());
                all.extend(numbers(std::iter::from_fn(|| queue.pop())));
                assert_once(all, 4);
            });
        }

        /// Another one, a joiner, and the worker, which fills the places again.
        #[test]
        fn a_claimed_one_is_nobody_elses() {
            bounded(|| {
                let queue = Queue::new();
                push(&queue, 1);
                let place = push(&queue, 2);
                let others = queue.others();
                let thief = thread::spawn(move || {
                    numbers([others.steal(), others.steal()].into_iter().flatten())
                });
                let mut all = Vec::new();
                if queue.claim(item(2), place) {
                    all.push(2);
                }
                push(&queue, 3);
                all.extend(numbers(queue.pop_last(1)));
                all.extend(thief.join().unwrap());
                all.extend(numbers(std::iter::from_fn(|| queue.pop())));
                assert_once(all, 3);
            });
        }

        /// Who finds it empty after it has seen a sign that was given after the push is wrong.
        #[test]
        fn what_was_pushed_is_seen() {
            bounded(|| {
                let queue = Queue::new();
                let others = queue.others();
                push(&queue, 1);
                push(&queue, 2);
                let sign = loom::sync::Arc::new(AtomicU64::new(0));
                let seen = loom::sync::Arc::clone(&sign);
                let looks = thread::spawn(move || {
                    // Acquire: pairs with the store below.
                    seen.load(Ordering::Acquire) == 1 && others.is_empty()
                });
                let _ = queue.claim(item(1), 0);
                push(&queue, 3);
                push(&queue, 4);
                sign.store(1, Ordering::Release);
                assert!(!looks.join().unwrap(), "three are there");
            });
        }
    }
}
