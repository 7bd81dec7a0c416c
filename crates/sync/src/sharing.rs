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

use trefoil_runtime::{Reason, Spin, Wait};

use crate::atomic::{AtomicU32, Ordering};
use crate::queue::{Batch, Node, Queue};

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

    #[cold]
    #[track_caller]
    fn take_slow(&self, access: Access) {
        let wait = Wait::new(match access {
            Access::Read => Reason::RwLockRead,
            Access::Write => Reason::RwLockWrite,
        });
        let node = Node::new(access);
        let mut queue = self.queue.lock();
        loop {
            if self.try_take(access) {
                return;
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
        // SAFETY: we wait until the node is fired.
        unsafe { queue.push_back(&node) };
        drop(queue);
        // When it returns, the lock has been handed to us.
        node.wait(&wait);
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
            self.hand_on();
        }
    }

    /// Nobody holds the lock any more, and threads are queued: they get it.
    #[cold]
    fn hand_on(&self) {
        let mut queue = self.queue.lock();
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
    #[cfg(not(trefoil_loom))]
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
}
