//! The buffer of a channel with room for a given number of messages: many threads put in and take out
//! at once, and none of them takes a lock or waits for room.
//!
//! Two words tell which place comes next, `tail` for who puts and `head` for who takes; each place has
//! a stamp that tells whose turn it is there. (The design is Dmitry Vyukov's bounded queue.)
//!
//! | stamp of a place            | the place                                | next          |
//! |-----------------------------|------------------------------------------|---------------|
//! | `turn`                      | is empty, for the message of this turn   | `put` at `tail == turn`     |
//! | `turn + 1`                  | holds the message of this turn           | `take` at `head == turn`    |
//! | `turn + LAP`                | is empty, for the message of the next lap | as the first row           |
//!
//! A turn is a place and a lap, counted on together: `LAP` is the least power of two above the number
//! of places. By an exchange of `tail` or `head` a thread wins its turn; only it touches the place
//! until it sets the stamp.
//!
//! Each word also carries a **flag**: from now on it is moved under the channel's lock only, because
//! threads wait that are to be served first. Who would move it without the lock is told by the very
//! exchange that would do so. So no wake-up is lost, and no fence is needed: a thread that is going to
//! wait raises the flag, under the lock, and then tries once more. An exchange that would come after the
//! flag fails; one that came before is seen by that last try, which then waits for the stamp and does
//! not say that there is nothing.
//!
//! What it does not do: it knows no threads. Who waits, and is to be woken, is `state`'s to say.

use core::iter;
use core::mem::{self, MaybeUninit};
use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

use self::cell::UnsafeCell;
use crate::atomic::{AtomicUsize, Ordering};

const FLAG: usize = 1;
/// A word is a turn and the flag below it.
const SHIFT: u32 = 1;

/// The most places that a ring can have: then a word still counts some million laps.
pub(super) const MOST: usize = usize::MAX >> (SHIFT + 22);

pub(super) struct Ring<T> {
    /// Whose message is taken next.
    head: Padded,
    /// Where the next message is put.
    tail: Padded,
    places: Box<[Place<T>]>,
    lap: usize,
}

/// Senders and receivers each have a cache line, and its neighbour, which comes along.
#[repr(align(128))]
struct Padded(AtomicUsize);

struct Place<T> {
    stamp: AtomicUsize,
    message: UnsafeCell<MaybeUninit<T>>,
}

// SAFETY: a message goes from the thread that puts it to the one that takes it; the stamp says which
// of them touches the place.
unsafe impl<T: Send> Send for Ring<T> {}
// SAFETY: as above; nobody gets a reference to a message that lies here.
unsafe impl<T: Send> Sync for Ring<T> {}

/// Who moves a word.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum By {
    /// Anybody, unless the flag is raised.
    Anybody,
    /// Who holds the channel's lock.
    Holder,
}

/// Why nothing was put. The message comes back.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Refused<T> {
    /// There is no room.
    Full(T),
    /// The lock is needed.
    Flagged(T),
}

/// Why nothing was taken.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Nothing {
    /// There is no message.
    Empty,
    /// The lock is needed.
    Flagged,
}

impl<T> Ring<T> {
    /// With this many places: at least one, and at most [`MOST`].
    pub(super) fn new(places: usize) -> Ring<T> {
        assert!((1..=MOST).contains(&places), "a ring has some places");
        Ring {
            head: Padded(AtomicUsize::new(0)),
            tail: Padded(AtomicUsize::new(0)),
            places: (0..places).map(Place::new).collect(),
            lap: (places + 1).next_power_of_two(),
        }
    }

    /// Puts a message in, if there is room.
    #[inline]
    pub(super) fn put(&self, message: T, by: By) -> Result<(), Refused<T>> {
        let tail = &self.tail.0;
        let mut looks = 0;
        let mut word = tail.load(Ordering::Relaxed);
        loop {
            if by == By::Anybody && word & FLAG != 0 {
                return Err(Refused::Flagged(message));
            }
            let turn = word >> SHIFT;
            let place = self.place(turn);
            // Acquire: pairs with `take`, which has emptied the place.
            let stamp = place.stamp.load(Ordering::Acquire);
            if stamp == turn {
                match self.move_on(tail, word) {
                    Ok(()) => {
                        // SAFETY: the exchange gave us the turn, and the stamp says that the place
                        // is empty.
                        unsafe { place.fill(message) };
                        // Release: pairs with `take`.
                        place.stamp.store(turn + 1, Ordering::Release);
                        return Ok(());
                    }
                    Err(now) => word = now,
                }
                continue;
            }
            let before = turn.wrapping_sub(self.lap);
            if stamp == before.wrapping_add(1) && self.head_is_at(before) {
                return Err(Refused::Full(message));
            }
            // Another sender has won this turn, or a receiver is still at the place.
            looks = pause(looks);
            word = tail.load(Ordering::Relaxed);
        }
    }

    /// Takes the oldest message out, if there is one.
    #[inline]
    pub(super) fn take(&self, by: By) -> Result<T, Nothing> {
        let head = &self.head.0;
        let mut looks = 0;
        let mut word = head.load(Ordering::Relaxed);
        loop {
            if by == By::Anybody && word & FLAG != 0 {
                return Err(Nothing::Flagged);
            }
            let turn = word >> SHIFT;
            let place = self.place(turn);
            // Acquire: pairs with `put`.
            let stamp = place.stamp.load(Ordering::Acquire);
            if stamp == turn + 1 {
                match self.move_on(head, word) {
                    Ok(()) => {
                        // SAFETY: the exchange gave us the turn, and the stamp says that its
                        // message is there.
                        let message = unsafe { place.empty() };
                        // Release: pairs with `put`.
                        place.stamp.store(turn + self.lap, Ordering::Release);
                        return Ok(message);
                    }
                    Err(now) => word = now,
                }
                continue;
            }
            if stamp == turn && self.tail_is_at(turn) {
                return Err(Nothing::Empty);
            }
            // Another receiver has won this turn, or a sender is still at the place.
            looks = pause(looks);
            word = head.load(Ordering::Relaxed);
        }
    }

    /// Wins the turn that `word` tells.
    #[inline]
    fn move_on(&self, at: &AtomicUsize, word: usize) -> Result<(), usize> {
        let next = self.after(word >> SHIFT) << SHIFT | word & FLAG;
        // AcqRel: pairs with `raise`. Who raises the flag after this sees it, and what came before
        // it; if this comes after the flag was lowered, it sees what was done until then.
        at.compare_exchange_weak(word, next, Ordering::AcqRel, Ordering::Relaxed)
            .map(drop)
    }

    /// From here on messages are put under the lock only, which the caller holds. It tries once more
    /// before it waits.
    pub(super) fn flag_tail(&self) {
        raise(&self.tail.0);
    }

    /// From here on messages are taken under the lock only, which the caller holds. It tries once more
    /// before it waits.
    pub(super) fn flag_head(&self) {
        raise(&self.head.0);
    }

    /// Nobody waits any more, says who holds the lock.
    pub(super) fn lower_flags(&self) {
        lower(&self.tail.0);
        lower(&self.head.0);
    }

    /// What is left in it, for the only one who takes.
    pub(super) fn rest(&self) -> impl Iterator<Item = T> {
        iter::from_fn(|| self.take(By::Holder).ok())
    }

    /// How many messages are in it, at some moment during the call.
    pub(super) fn len(&self) -> usize {
        loop {
            let tail = self.tail.0.load(Ordering::Acquire) >> SHIFT;
            let head = self.head.0.load(Ordering::Acquire) >> SHIFT;
            // If nobody has put anything meanwhile, the two belong together.
            if self.tail.0.load(Ordering::Acquire) >> SHIFT == tail {
                return self.between(head, tail);
            }
        }
    }

    /// Whether it is full, and the lock is not needed to know it.
    pub(super) fn is_surely_full(&self) -> bool {
        // Relaxed: as if we had come earlier.
        self.tail.0.load(Ordering::Relaxed) & FLAG == 0 && self.len() == self.places.len()
    }

    fn between(&self, head: usize, tail: usize) -> usize {
        let (from, to) = (head & (self.lap - 1), tail & (self.lap - 1));
        match to.checked_sub(from) {
            Some(0) if head != tail => self.places.len(),
            Some(messages) => messages,
            None => to + self.places.len() - from,
        }
    }

    #[inline]
    fn place(&self, turn: usize) -> &Place<T> {
        &self.places[turn & (self.lap - 1)]
    }

    /// The turn after this one.
    #[inline]
    fn after(&self, turn: usize) -> usize {
        let place = turn & (self.lap - 1);
        if place + 1 < self.places.len() {
            turn + 1
        } else {
            turn - place + self.lap
        }
    }

    #[inline]
    fn head_is_at(&self, turn: usize) -> bool {
        // Relaxed: if it has moved on and this is not seen, that is as if we had come earlier.
        self.head.0.load(Ordering::Relaxed) >> SHIFT == turn
    }

    #[inline]
    fn tail_is_at(&self, turn: usize) -> bool {
        // Relaxed: as above.
        self.tail.0.load(Ordering::Relaxed) >> SHIFT == turn
    }
}

fn raise(word: &AtomicUsize) {
    // Relaxed: if it is raised already, it stays so while we hold the lock. Whoever has moved the word
    // meanwhile holds it, or has moved it before, and is seen.
    if word.load(Ordering::Relaxed) & FLAG == 0 {
        // AcqRel: pairs with `move_on`.
        word.fetch_or(FLAG, Ordering::AcqRel);
    }
}

fn lower(word: &AtomicUsize) {
    // Relaxed: only who holds the lock changes the flag.
    if word.load(Ordering::Relaxed) & FLAG != 0 {
        // Release: pairs with `move_on`.
        word.fetch_and(!FLAG, Ordering::Release);
    }
}

impl<T> Drop for Ring<T> {
    fn drop(&mut self) {
        drop_each(self.rest());
    }
}

/// Drops the payload of a panic of which nobody is to hear. If that panics, its own is lost: it might go on so.
pub(super) fn drop_quietly(payload: Box<dyn Any + Send>) {
    if let Err(another) = catch_unwind(AssertUnwindSafe(|| drop(payload))) {
        mem::forget(another);
    }
}

/// Drops messages. The panic of one does not keep the others, nor does a second one end the process: the
/// first goes on when all are dropped.
pub(super) fn drop_each<T>(messages: impl Iterator<Item = T>) {
    let mut first = None;
    for message in messages {
        match (catch_unwind(AssertUnwindSafe(|| drop(message))), &first) {
            (Ok(()), _) => {}
            (Err(panic), None) => first = Some(panic),
            (Err(panic), Some(_)) => drop_quietly(panic),
        }
    }
    if let Some(panic) = first {
        resume_unwind(panic);
    }
}

impl<T> Place<T> {
    /// Empty, for the first lap.
    fn new(turn: usize) -> Place<T> {
        Place {
            stamp: AtomicUsize::new(turn),
            message: UnsafeCell::new(MaybeUninit::uninit()),
        }
    }

    /// # Safety
    ///
    /// The caller has won the turn to put a message here, and the place is empty.
    #[inline]
    unsafe fn fill(&self, message: T) {
        self.message.with_mut(|place| {
            // SAFETY: the caller's promise: nobody else touches the place.
            unsafe { (*place).write(message) };
        });
    }

    /// # Safety
    ///
    /// The caller has won the turn to take the message that is here.
    #[inline]
    unsafe fn empty(&self) -> T {
        self.message.with_mut(|place| {
            // SAFETY: the caller's promise: nobody else touches the place, and it was filled.
            unsafe { (*place).assume_init_read() }
        })
    }
}

/// Somebody else is in the middle of a turn, which takes a few instructions, unless the kernel has
/// taken its processor away.
#[cfg(not(trefoil_loom))]
#[cold]
fn pause(looks: u32) -> u32 {
    if looks < 8 {
        for _ in 0..1_u32 << looks {
            core::hint::spin_loop();
        }
    } else {
        std::thread::yield_now();
    }
    looks + 1
}

#[cfg(trefoil_loom)]
fn pause(looks: u32) -> u32 {
    loom::thread::yield_now();
    looks + 1
}

#[cfg(trefoil_loom)]
mod cell {
    pub(super) use loom::cell::UnsafeCell;
}

/// As loom's, which watches who touches what.
#[cfg(not(trefoil_loom))]
mod cell {
    pub(super) struct UnsafeCell<T>(core::cell::UnsafeCell<T>);

    impl<T> UnsafeCell<T> {
        pub(super) fn new(value: T) -> UnsafeCell<T> {
            UnsafeCell(core::cell::UnsafeCell::new(value))
        }

        #[inline]
        pub(super) fn with_mut<R>(&self, body: impl FnOnce(*mut T) -> R) -> R {
            body(self.0.get())
        }
    }
}

#[cfg(all(test, not(trefoil_loom)))]
mod tests {
    use super::By::{Anybody, Holder};
    use super::*;
    use std::rc::Rc;
    use std::sync::atomic::AtomicU64;
    use std::thread;

    #[test]
    fn messages_come_in_order_for_many_laps() {
        for places in [1, 2, 3, 4, 7, 8] {
            let ring = Ring::new(places);
            let (mut put, mut taken) = (0, 0);
            // Ever other numbers of messages in it, so that each place is the first and the last.
            for step in 0..100 {
                for _ in 0..=step % places {
                    if ring.put(put, Anybody).is_ok() {
                        put += 1;
                    }
                }
                assert_eq!(ring.len(), put - taken);
                for _ in 0..=step % 3 {
                    if let Ok(message) = ring.take(Anybody) {
                        assert_eq!(message, taken);
                        taken += 1;
                    }
                }
                assert_eq!(ring.len(), put - taken);
            }
            assert!(taken > 10 * places);
        }
    }

    #[test]
    fn what_finds_no_room_comes_back() {
        let ring = Ring::new(2);
        assert!(ring.put(1, Anybody).is_ok() && ring.put(2, Anybody).is_ok());
        assert_eq!(ring.put(3, Anybody), Err(Refused::Full(3)));
        assert_eq!(ring.take(Anybody), Ok(1));
        assert!(ring.put(3, Anybody).is_ok());
    }

    #[test]
    fn a_flag_is_for_all_but_the_holder_of_the_lock() {
        let ring = Ring::new(2);
        ring.flag_tail();
        assert_eq!(ring.put(1, Anybody), Err(Refused::Flagged(1)));
        assert_eq!(ring.put(1, Holder), Ok(()));
        assert_eq!(ring.put(2, Holder), Ok(()));
        ring.flag_head();
        assert_eq!(ring.take(Anybody), Err(Nothing::Flagged));
        assert_eq!(ring.take(Holder), Ok(1));
        ring.lower_flags();
        assert_eq!(ring.put(3, Anybody), Ok(()));
        assert_eq!(ring.take(Anybody), Ok(2));
        assert_eq!(ring.take(Anybody), Ok(3));
        assert_eq!(ring.take(Anybody), Err(Nothing::Empty));
    }

    #[test]
    fn what_is_left_is_dropped_once() {
        let witness = Rc::new(());
        let ring = Ring::new(3);
        for _ in 0..5 {
            let _ = ring.put(Rc::clone(&witness), Anybody);
        }
        ring.flag_head();
        assert_eq!(Rc::strong_count(&witness), 4);
        drop(ring);
        assert_eq!(Rc::strong_count(&witness), 1);
    }

    /// Nothing is lost, doubled or turned round, with more threads than processors.
    #[test]
    fn many_threads_share_it() {
        const EACH: u64 = 20_000;
        for places in [1, 3, 64] {
            let ring = Ring::new(places);
            let (sum, count) = (AtomicU64::new(0), AtomicU64::new(0));
            thread::scope(|scope| {
                for sender in 0..3 {
                    let ring = &ring;
                    scope.spawn(move || {
                        for number in 0..EACH {
                            let mut message = (sender, number);
                            while let Err(Refused::Full(back)) = ring.put(message, Anybody) {
                                message = back;
                                thread::yield_now();
                            }
                        }
                    });
                }
                for _ in 0..2 {
                    scope.spawn(|| {
                        let mut last = [None; 3];
                        while count.load(Ordering::Relaxed) < 3 * EACH {
                            let Ok((sender, number)) = ring.take(Anybody) else {
                                thread::yield_now();
                                continue;
                            };
                            assert!(last[sender] < Some(number), "out of order");
                            last[sender] = Some(number);
                            sum.fetch_add(number, Ordering::Relaxed);
                            count.fetch_add(1, Ordering::Relaxed);
                        }
                    });
                }
            });
            assert_eq!(sum.into_inner(), 3 * (EACH * (EACH - 1) / 2));
        }
    }
}

/// Two threads each: with three, loom follows two that wait for the third one's turn without end. The
/// test of many threads above does that.
#[cfg(all(test, trefoil_loom))]
mod loom_models {
    use super::By::{Anybody, Holder};
    use super::*;
    use loom::sync::Arc;
    use loom::thread::{self, JoinHandle};

    fn model(body: impl Fn() + Send + Sync + 'static) {
        let mut model = loom::model::Builder::new();
        model.preemption_bound = Some(3);
        model.check(body);
    }

    fn beside<T: 'static>(
        ring: &Arc<Ring<u32>>,
        body: impl FnOnce(&Ring<u32>) -> T + 'static,
    ) -> JoinHandle<T> {
        let ring = Arc::clone(ring);
        thread::spawn(move || body(&ring))
    }

    fn put(ring: &Ring<u32>, message: u32) {
        while ring.put(message, Anybody).is_err() {
            thread::yield_now();
        }
    }

    fn take(ring: &Ring<u32>) -> u32 {
        loop {
            if let Ok(message) = ring.take(Anybody) {
                return message;
            }
            thread::yield_now();
        }
    }

    /// Two senders at once: both messages are there.
    #[test]
    fn two_put_at_once() {
        model(|| {
            let ring = Arc::new(Ring::new(2));
            let other = beside(&ring, |ring| ring.put(1, Anybody).is_ok());
            assert!(ring.put(2, Anybody).is_ok());
            assert!(other.join().unwrap());
            assert_eq!(take(&ring) + take(&ring), 3);
            assert_eq!(ring.take(Anybody), Err(Nothing::Empty));
        });
    }

    /// Two receivers at once: each gets another message.
    #[test]
    fn two_take_at_once() {
        model(|| {
            let ring = Arc::new(Ring::new(2));
            put(&ring, 1);
            put(&ring, 2);
            let other = beside(&ring, |ring| ring.take(Anybody).unwrap());
            let mine = ring.take(Anybody).unwrap();
            assert_eq!(mine + other.join().unwrap(), 3);
            assert_eq!(ring.take(Anybody), Err(Nothing::Empty));
        });
    }

    /// A message goes where another one has just been taken: the only place, some laps long.
    #[test]
    fn a_place_is_used_again() {
        model(|| {
            let ring = Arc::new(Ring::new(1));
            put(&ring, 1);
            let sender = beside(&ring, |ring| {
                put(ring, 2);
                put(ring, 3);
            });
            assert_eq!([(); 3].map(|()| take(&ring)), [1, 2, 3]);
            sender.join().unwrap();
        });
    }

    /// A receiver that is going to wait finds the message, or its sender hears of the flag.
    #[test]
    fn who_waits_is_heard_of_or_finds() {
        model(|| {
            let ring = Arc::new(Ring::new(1));
            let sender = beside(&ring, |ring| ring.put(1, Anybody));
            ring.flag_tail();
            let found = ring.take(Holder);
            match sender.join().unwrap() {
                Ok(()) => assert_eq!(found, Ok(1)),
                Err(refused) => {
                    assert_eq!(refused, Refused::Flagged(1));
                    assert_eq!(found, Err(Nothing::Empty));
                }
            }
        });
    }

    /// The same for a sender that is going to wait for room.
    #[test]
    fn who_waits_for_room_is_heard_of_or_finds() {
        model(|| {
            let ring = Arc::new(Ring::new(1));
            put(&ring, 1);
            let receiver = beside(&ring, |ring| ring.take(Anybody));
            ring.flag_head();
            let found = ring.put(2, Holder);
            match receiver.join().unwrap() {
                Ok(message) => assert_eq!((message, found), (1, Ok(()))),
                Err(nothing) => {
                    assert_eq!(nothing, Nothing::Flagged);
                    assert_eq!(found, Err(Refused::Full(2)));
                }
            }
        });
    }
}
