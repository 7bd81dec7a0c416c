//! Who holds a mutex, and who is next.
//!
//! | word      | meaning                                                     |
//! |-----------|-------------------------------------------------------------|
//! | FREE      | nobody holds it; a thread that was let go may be on its way |
//! | HELD      | held; nobody is queued, or one that was let go is on its way |
//! | CONTENDED | held; who gives it back looks at the queue                  |
//!
//! Giving it back lets the first of the queue go, who competes with whoever comes along: a
//! running thread need not wait until a sleeping one is up. But a thread that has lost this
//! competition once is queued first, and the next time the lock is handed to it: nobody
//! waits for ever.
//!
//! No wake-up is lost: a thread sets CONTENDED and queues itself under the queue's lock, and
//! whoever finds CONTENDED takes that lock and lets one go. The one that was let go sets
//! CONTENDED again if others are queued.
//!
//! A thread that gives up takes itself out of the queue. If it was let go meanwhile it does not
//! just leave: those behind it rely on it. It tries once more, and so takes the lock or sets
//! CONTENDED. That CONTENDED may be left with nobody queued costs one look at the queue.
//!
//! Fairness, argued: while a thread T is queued the word is CONTENDED, or somebody who was let
//! go is on the way. The next `unlock` lets the first of the queue go; so after as many times
//! as threads stand before T it is T that is let go. If T loses then, it stands first, and the
//! next `unlock` hands it the lock without a competition. So T is passed over by those before
//! it and, from when it was let go until it has run, by anybody; then once more at most. How
//! long it takes to run is its runtime's answer: a green thread that locks and unlocks and
//! never waits lets nobody run, with a lock or without one.

use core::cell::Cell;

use std::time::Instant;

use trefoil_runtime::{Outcome, Reason, Spin, Wait};

use crate::atomic::{AtomicU32, Ordering};
use crate::queue::{Node, Queue, wait_in};

const FREE: u32 = 0;
const HELD: u32 = 1;
const CONTENDED: u32 = 2;

/// How often a kernel thread looks at a lock that is held before it queues itself.
#[cfg(not(trefoil_loom))]
const LOOKS: u32 = 100;

#[derive(Debug)]
pub(crate) struct Lock {
    word: AtomicU32,
    queue: Spin<Queue<Turn>>,
}

/// What is known of a thread in the queue.
#[derive(Debug)]
struct Turn {
    /// It was let go once, and somebody else was faster.
    late: bool,
    /// It has been given the lock.
    served: Cell<bool>,
}

impl Lock {
    #[cfg(not(trefoil_loom))]
    pub(crate) const fn new() -> Lock {
        Lock {
            word: AtomicU32::new(FREE),
            queue: Spin::new(Queue::new()),
        }
    }

    #[cfg(trefoil_loom)]
    pub(crate) fn new() -> Lock {
        Lock {
            word: AtomicU32::new(FREE),
            queue: Spin::new(Queue::new()),
        }
    }

    #[inline]
    pub(crate) fn try_lock(&self) -> bool {
        // Acquire: pairs with the stores of `unlock` and `let_go`.
        self.word
            .compare_exchange(FREE, HELD, Ordering::Acquire, Ordering::Relaxed)
            .is_ok()
    }

    #[inline]
    #[track_caller]
    pub(crate) fn lock(&self) {
        if !self.try_lock() {
            self.lock_slow();
        }
    }

    /// Takes the lock, or gives up at this time. `true`: it was taken.
    #[track_caller]
    pub(crate) fn lock_until(&self, until: Option<Instant>) -> bool {
        self.try_lock() || self.spin() || self.wait(&Wait::new(Reason::Mutex).until(until))
    }

    #[cold]
    #[track_caller]
    fn lock_slow(&self) {
        if !self.spin() {
            let taken = self.wait(&Wait::new(Reason::Mutex));
            debug_assert!(taken, "it waits without a limit");
        }
    }

    /// `false`: the time was over, and the thread is in the queue no more.
    fn wait(&self, wait: &Wait) -> bool {
        let mut late = false;
        loop {
            let node = Node::new(Turn {
                late,
                served: Cell::new(false),
            });
            // SAFETY: if it was queued, `wait_in` returns after it is out of the queue, and
            // fired if somebody else took it out.
            if unsafe { self.take_or_queue(&node) } {
                return true;
            }
            // SAFETY: it was put into this queue, and into no other; `unlock_slow` fires whom
            // it takes out.
            let outcome = unsafe { wait_in(&self.queue, &node, wait, |queue| queue, |_| ()) };
            if outcome == Outcome::TimedOut {
                return false;
            }
            if node.data().served.get() {
                return true;
            }
            late = true;
        }
    }

    /// Takes the lock, or queues the node. `true`: it was taken.
    ///
    /// # Safety
    ///
    /// The node is in no queue. After `false` it stays where it is until it is out of the queue,
    /// and, if another thread took it out, until it has been fired.
    unsafe fn take_or_queue(&self, node: &Node<Turn>) -> bool {
        let mut queue = self.queue.lock();
        // Acquire: as in `try_lock`.
        if self.word.swap(CONTENDED, Ordering::Acquire) == FREE {
            if queue.is_empty() {
                // Nobody else changes the word: we hold both locks.
                self.word.store(HELD, Ordering::Relaxed);
            }
            return true;
        }
        // SAFETY: the caller's promise; nodes are taken out only to be fired.
        unsafe {
            if node.data().late {
                queue.push_front(node);
            } else {
                queue.push_back(node);
            }
        }
        false
    }

    #[inline]
    pub(crate) fn unlock(&self) {
        // Release: pairs with `try_lock` and `take_or_queue`.
        if self
            .word
            .compare_exchange(HELD, FREE, Ordering::Release, Ordering::Relaxed)
            .is_err()
        {
            self.unlock_slow();
        }
    }

    #[cold]
    fn unlock_slow(&self) {
        let mut queue = self.queue.lock();
        let next = queue.pop();
        match &next {
            Some(turn) if turn.data().late => {
                turn.data().served.set(true);
                let word = if queue.is_empty() { HELD } else { CONTENDED };
                // Relaxed: its new holder is told by its waiter.
                self.word.store(word, Ordering::Relaxed);
            }
            // Release: as in `unlock`.
            _ => self.word.store(FREE, Ordering::Release),
        }
        drop(queue);
        if let Some(turn) = next {
            turn.fire();
        }
    }

    /// Looks a few times whether the holder is about to give it back. Not among green
    /// threads: there the holder does not run while another thread does.
    #[cfg(not(trefoil_loom))]
    fn spin(&self) -> bool {
        if trefoil_runtime::model() == trefoil_runtime::Model::Green {
            return false;
        }
        for _ in 0..LOOKS {
            match self.word.load(Ordering::Relaxed) {
                FREE if self.try_lock() => return true,
                // Others sleep for it already.
                CONTENDED => return false,
                _ => core::hint::spin_loop(),
            }
        }
        false
    }

    #[cfg(trefoil_loom)]
    fn spin(&self) -> bool {
        false
    }
}

#[cfg(all(test, trefoil_loom))]
mod loom_models {
    use super::*;
    use loom::cell::UnsafeCell;
    use loom::sync::Arc;
    use loom::thread;

    struct Counter {
        lock: Lock,
        value: UnsafeCell<u32>,
    }

    // SAFETY: the lock guards the value, which is what the model checks.
    unsafe impl Send for Counter {}
    // SAFETY: as above.
    unsafe impl Sync for Counter {}

    impl Counter {
        fn add(&self) {
            self.lock.lock();
            // SAFETY: loom checks that nobody else is here.
            self.value.with_mut(|value| unsafe { *value += 1 });
            self.lock.unlock();
        }
    }

    fn add_in_threads(threads: u32, times: u32) {
        let mut model = loom::model::Builder::new();
        model.preemption_bound = Some(3);
        model.check(move || {
            let counter = Arc::new(Counter {
                lock: Lock::new(),
                value: UnsafeCell::new(0),
            });
            let others: Vec<_> = (1..threads)
                .map(|_| {
                    let counter = Arc::clone(&counter);
                    thread::spawn(move || (0..times).for_each(|_| counter.add()))
                })
                .collect();
            (0..times).for_each(|_| counter.add());
            for other in others {
                other.join().unwrap();
            }
            // SAFETY: the others have ended.
            assert_eq!(
                counter.value.with(|value| unsafe { *value }),
                threads * times
            );
            assert_eq!(counter.lock.word.load(Ordering::Relaxed), FREE);
        });
    }

    /// Mutual exclusion, and nobody waits for ever.
    #[test]
    fn two_threads_take_turns() {
        add_in_threads(2, 2);
    }

    /// The same with a queue of two.
    #[test]
    fn three_threads_take_turns() {
        add_in_threads(3, 1);
    }

    impl Counter {
        /// Adds, unless the time is over before it has the lock.
        fn try_add(&self) -> u32 {
            // For loom, any deadline may have passed or not.
            let taken = self.lock.lock_until(Some(Instant::now()));
            if taken {
                // SAFETY: loom checks that nobody else is here.
                self.value.with_mut(|value| unsafe { *value += 1 });
                self.lock.unlock();
            }
            u32::from(taken)
        }
    }

    /// `patient` threads wait without a limit beside one that may give up.
    fn give_up_beside(patient: u32) {
        let mut model = loom::model::Builder::new();
        model.preemption_bound = Some(3);
        model.check(move || {
            let counter = Arc::new(Counter {
                lock: Lock::new(),
                value: UnsafeCell::new(0),
            });
            let others: Vec<_> = (0..patient)
                .map(|_| {
                    let counter = Arc::clone(&counter);
                    thread::spawn(move || counter.add())
                })
                .collect();
            let added = counter.try_add();
            for other in others {
                other.join().unwrap();
            }
            // SAFETY: the others have ended.
            let value = counter.value.with(|value| unsafe { *value });
            assert_eq!(value, patient + added);
            // CONTENDED may have been left behind, but only until it is given back next.
            assert_eq!(counter.lock.word.load(Ordering::Relaxed), FREE);
        });
    }

    /// A thread that gives up takes the lock, or leaves it to the other one.
    #[test]
    fn one_gives_up_beside_another() {
        give_up_beside(1);
    }

    /// A thread that was let go and then gives up does not keep the one behind it waiting.
    #[test]
    fn one_gives_up_beside_two() {
        give_up_beside(2);
    }
}
