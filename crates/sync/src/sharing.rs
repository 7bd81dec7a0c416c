//! Who holds a read-write lock, and who is next.
//!
//! | bits of the word | meaning                                                        |
//! |------------------|----------------------------------------------------------------|
//! | WRITER           | a writer holds it; then there is no reader                     |
//! | QUEUED           | threads are queued: who comes queues itself behind them        |
//! | the rest         | how many readers hold it                                       |
//!
//! The last one to give it back hands it on: to the writer that is queued first, or to all
//! readers in front of the next writer. So it goes to everybody in turn, and neither readers
//! nor writers starve.
//!
//! QUEUED changes under the queue's lock only. While it is set, only that lock's holder, and
//! readers that give back, change the word: the last one finds QUEUED alone, and hands on.
//!
//! A thread that gives up takes itself out under that lock, clears QUEUED if it was the last
//! one, and lets readers in that waited behind it for nothing. So a reader that found QUEUED
//! alone looks again when it has the lock: if the word is another one, somebody was faster. A
//! writer need not look: while it has not handed on, the word says WRITER.

use std::time::Instant;

use trefoil_runtime::{Outcome, Reason, Spin, Wait};

use crate::atomic::{AtomicU32, Ordering};
use crate::queue::{Batch, Node, Queue, wait_in};

const WRITER: u32 = 1 << 31;
const QUEUED: u32 = 1 << 30;
const MOST_READERS: u32 = QUEUED - 1;

/// What a thread wants to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Access {
    Read,
    Write,
}

#[derive(Debug)]
pub(crate) struct Sharing {
    word: AtomicU32,
    queue: Spin<Queue<Access>>,
}

impl Sharing {
    #[cfg(not(trefoil_loom))]
    pub(crate) const fn new() -> Sharing {
        Sharing {
            word: AtomicU32::new(0),
            queue: Spin::new(Queue::new()),
        }
    }

    #[cfg(trefoil_loom)]
    pub(crate) fn new() -> Sharing {
        Sharing {
            word: AtomicU32::new(0),
            queue: Spin::new(Queue::new()),
        }
    }

    /// The word after this access was granted, if it can be granted now.
    #[inline]
    fn granted(word: u32, access: Access) -> Option<u32> {
        match access {
            Access::Write => (word == 0).then_some(WRITER),
            Access::Read if word & (WRITER | QUEUED) != 0 => None,
            Access::Read => {
                assert!(word < MOST_READERS, "too many readers of one lock");
                Some(word + 1)
            }
        }
    }

    #[inline]
    pub(crate) fn try_take(&self, access: Access) -> bool {
        let mut word = self.word.load(Ordering::Relaxed);
        while let Some(granted) = Sharing::granted(word, access) {
            // Acquire: pairs with the releases of `give_back` and `downgrade`.
            match self.word.compare_exchange_weak(
                word,
                granted,
                Ordering::Acquire,
                Ordering::Relaxed,
            ) {
                Ok(_) => return true,
                Err(now) => word = now,
            }
        }
        false
    }

    #[inline]
    #[track_caller]
    pub(crate) fn take(&self, access: Access) {
        if !self.try_take(access) {
            self.take_slow(access);
        }
    }

    /// Takes it, or gives up at this time. `true`: it was taken.
    #[track_caller]
    pub(crate) fn take_until(&self, access: Access, until: Option<Instant>) -> bool {
        self.try_take(access) || self.wait(access, &Sharing::wait_for(access).until(until))
    }

    #[cold]
    #[track_caller]
    fn take_slow(&self, access: Access) {
        let taken = self.wait(access, &Sharing::wait_for(access));
        debug_assert!(taken, "it waits without a limit");
    }

    #[track_caller]
    fn wait_for(access: Access) -> Wait {
        Wait::new(match access {
            Access::Read => Reason::RwLockRead,
            Access::Write => Reason::RwLockWrite,
        })
    }

    /// `false`: the time was over, and the thread is in the queue no more.
    fn wait(&self, access: Access, wait: &Wait) -> bool {
        let node = Node::new(access);
        let mut queue = self.queue.lock();
        loop {
            if self.try_take(access) {
                return true;
            }
            let word = self.word.load(Ordering::Relaxed);
            let free = Sharing::granted(word, access).is_some();
            // Relaxed: who gives it back hands it on under the lock that we hold.
            if !free
                && self
                    .word
                    .compare_exchange(word, word | QUEUED, Ordering::Relaxed, Ordering::Relaxed)
                    .is_ok()
            {
                break;
            }
        }
        // SAFETY: `wait_in` returns after the node is out of the queue, and fired if somebody
        // else took it out.
        unsafe { queue.push_back(&node) };
        drop(queue);
        let mut freed = Batch::new();
        // SAFETY: it was put into this queue, and into no other; whom `hand_on`, `downgrade`
        // and `withdrawn` take out is fired.
        let outcome = unsafe {
            wait_in(
                &self.queue,
                &node,
                wait,
                |queue| queue,
                |queue| freed = self.withdrawn(queue),
            )
        };
        freed.fire();
        // If it was fired, the lock has been handed to us.
        outcome == Outcome::Woken
    }

    /// A thread has left the queue, with its lock held and without having got what it wants.
    /// Readers that waited behind it may be next now.
    fn withdrawn(&self, queue: &mut Queue<Access>) -> Batch<Access> {
        let mut next = Batch::new();
        let word = self.word.load(Ordering::Relaxed);
        // If nobody holds it, whoever gave it back is about to hand on.
        if word & WRITER == 0 && word != QUEUED {
            let readers = Sharing::take_readers(queue, &mut next);
            // Acquire: what the last writer did is seen by the readers, whom we tell. They
            // may be the only ones by now: the last of the others then finds itself late.
            self.word.fetch_add(readers, Ordering::AcqRel);
        }
        if queue.is_empty() {
            // Release: in the order of the exchanges that `try_take` pairs with.
            self.word.fetch_and(!QUEUED, Ordering::AcqRel);
        }
        next
    }

    #[inline]
    pub(crate) fn give_back(&self, access: Access) {
        let given_back = match access {
            // Release: pairs with `try_take`. Acquire: the last reader hands on what all
            // readers have done.
            Access::Read => self.word.fetch_sub(1, Ordering::AcqRel) - 1,
            // Release: as above.
            Access::Write => self
                .word
                .compare_exchange(WRITER, 0, Ordering::Release, Ordering::Relaxed)
                .map_or_else(|word| word & !WRITER, |_| 0),
        };
        if given_back == QUEUED {
            self.hand_on(access);
        }
    }

    /// Nobody holds the lock any more, and threads are queued: they get it.
    #[cold]
    fn hand_on(&self, from: Access) {
        let mut queue = self.queue.lock();
        // Acquire: it may be other readers by now that have given back, and not we.
        if from == Access::Read && self.word.load(Ordering::Acquire) != QUEUED {
            return;
        }
        let mut next = Batch::new();
        let granted = if queue.front() == Some(&Access::Write) {
            queue.pop().into_iter().for_each(|node| next.add(node));
            WRITER
        } else {
            Sharing::take_readers(&mut queue, &mut next)
        };
        let queued = if queue.is_empty() { 0 } else { QUEUED };
        // Release: pairs with `try_take`, for readers that come later. Those that are queued
        // are told by their waiters.
        self.word.store(granted | queued, Ordering::Release);
        drop(queue);
        next.fire();
    }

    /// Moves all readers in front of the next writer, and counts them.
    fn take_readers(queue: &mut Queue<Access>, next: &mut Batch<Access>) -> u32 {
        let mut readers = 0;
        while queue.front() == Some(&Access::Read)
            && let Some(node) = queue.pop()
        {
            next.add(node);
            readers += 1;
        }
        readers
    }

    /// Makes the writer a reader, and lets the readers in that are next.
    pub(crate) fn downgrade(&self) {
        let mut queue = self.queue.lock();
        let mut next = Batch::new();
        let readers = 1 + Sharing::take_readers(&mut queue, &mut next);
        let queued = if queue.is_empty() { 0 } else { QUEUED };
        // Release: pairs with `try_take`.
        self.word.store(readers | queued, Ordering::Release);
        drop(queue);
        next.fire();
    }
}

#[cfg(all(test, trefoil_loom))]
mod loom_models {
    use super::*;
    use loom::cell::UnsafeCell;
    use loom::sync::Arc;
    use loom::thread;

    struct Shared {
        lock: Sharing,
        value: UnsafeCell<u32>,
    }

    // SAFETY: the lock guards the value, which is what the model checks.
    unsafe impl Send for Shared {}
    // SAFETY: as above.
    unsafe impl Sync for Shared {}

    impl Shared {
        fn write(&self) {
            self.lock.take(Access::Write);
            // SAFETY: loom checks that nobody else is here.
            self.value.with_mut(|value| unsafe { *value += 1 });
            self.lock.give_back(Access::Write);
        }

        fn read(&self) -> u32 {
            self.lock.take(Access::Read);
            // SAFETY: loom checks that nobody writes.
            let value = self.value.with(|value| unsafe { *value });
            self.lock.give_back(Access::Read);
            value
        }
    }

    fn check(body: impl Fn(Arc<Shared>) + Sync + Send + 'static) {
        let mut model = loom::model::Builder::new();
        model.preemption_bound = Some(3);
        model.check(move || {
            body(Arc::new(Shared {
                lock: Sharing::new(),
                value: UnsafeCell::new(0),
            }));
        });
    }

    /// A writer is alone, and nobody waits for ever.
    #[test]
    fn two_writers_and_a_reader() {
        check(|shared| {
            let others = [0, 1].map(|_| {
                let shared = Arc::clone(&shared);
                thread::spawn(move || shared.write())
            });
            assert!(shared.read() <= 2);
            for other in others {
                other.join().unwrap();
            }
            assert_eq!(shared.read(), 2);
            assert_eq!(shared.lock.word.load(Ordering::Relaxed), 0);
        });
    }

    /// Two readers that give back at the same time hand on once.
    #[test]
    fn two_readers_and_a_writer() {
        check(|shared| {
            let others = [0, 1].map(|_| {
                let shared = Arc::clone(&shared);
                thread::spawn(move || assert!(shared.read() <= 1))
            });
            shared.write();
            for other in others {
                other.join().unwrap();
            }
            assert_eq!(shared.lock.word.load(Ordering::Relaxed), 0);
        });
    }

    impl Shared {
        fn try_write(&self) -> u32 {
            // For loom, any deadline may have passed or not.
            let taken = self.lock.take_until(Access::Write, Some(Instant::now()));
            if taken {
                // SAFETY: loom checks that nobody else is here.
                self.value.with_mut(|value| unsafe { *value += 1 });
                self.lock.give_back(Access::Write);
            }
            u32::from(taken)
        }

        fn try_read(&self) {
            if self.lock.take_until(Access::Read, Some(Instant::now())) {
                // SAFETY: loom checks that nobody writes.
                self.value.with(|value| assert!(unsafe { *value } <= 2));
                self.lock.give_back(Access::Read);
            }
        }

        fn write_and_read(&self) -> u32 {
            self.lock.take(Access::Write);
            // SAFETY: loom checks that nobody else is here.
            self.value.with_mut(|value| unsafe { *value += 1 });
            self.lock.downgrade();
            // SAFETY: loom checks that nobody writes.
            let value = self.value.with(|value| unsafe { *value });
            self.lock.give_back(Access::Read);
            value
        }

        fn assert_free(&self) {
            assert_eq!(self.lock.word.load(Ordering::Relaxed), 0);
            assert!(self.lock.queue.lock().is_empty());
        }
    }

    /// A writer that gives up lets in the reader behind it, whoever gives back meanwhile.
    #[test]
    fn a_writer_gives_up_between_readers() {
        check(|shared| {
            let readers = [0, 1].map(|_| {
                let shared = Arc::clone(&shared);
                thread::spawn(move || shared.read())
            });
            let written = shared.try_write();
            for reader in readers {
                assert!(reader.join().unwrap() <= written);
            }
            shared.assert_free();
        });
    }

    /// A reader and a writer that give up leave nothing behind beside a writer that does not.
    #[test]
    fn two_give_up_beside_a_writer() {
        check(|shared| {
            let (other, third) = (Arc::clone(&shared), Arc::clone(&shared));
            let writer = thread::spawn(move || other.write());
            let reader = thread::spawn(move || third.try_read());
            let written = shared.try_write();
            writer.join().unwrap();
            reader.join().unwrap();
            assert_eq!(shared.read(), 1 + written);
            shared.assert_free();
        });
    }

    /// A writer that becomes a reader sees what it wrote: no other writer comes between.
    #[test]
    fn a_downgrade_lets_no_writer_in() {
        check(|shared| {
            let (other, third) = (Arc::clone(&shared), Arc::clone(&shared));
            let writer = thread::spawn(move || other.write());
            let reader = thread::spawn(move || third.read());
            let before = shared.write_and_read();
            writer.join().unwrap();
            assert!(reader.join().unwrap() <= 2);
            assert!(before == 1 || before == 2);
            assert_eq!(shared.read(), 2);
            shared.assert_free();
        });
    }
}
