//! Who waits at a condition variable, whatever the lock is that they give back.
//!
//! A thread is queued *before* it gives its lock back. So whoever changes the condition with the lock held,
//! and notifies then or later, finds it in the queue: no notification comes between the look at the condition and
//! the wait. A notification goes to one that still waits: one whose time is over takes itself out under the
//! queue's lock, or finds that it was taken out, and then was notified.

use trefoil_runtime::{Outcome, Spin, Wait};

use crate::queue::{Node, Queue, wait_in};

#[derive(Debug)]
pub(crate) struct Notices {
    queue: Spin<Queue<()>>,
}

impl Notices {
    #[cfg(not(trefoil_loom))]
    pub(crate) const fn new() -> Notices {
        Notices {
            queue: Spin::new(Queue::new()),
        }
    }

    /// As above: loom's lock is made while a model runs.
    #[cfg(trefoil_loom)]
    pub(crate) fn new() -> Notices {
        Notices {
            queue: Spin::new(Queue::new()),
        }
    }

    /// Waits until it is notified, or as `wait` says. Meanwhile the lock is free that `release` gives back, which
    /// does not unwind.
    #[track_caller]
    pub(crate) fn wait(&self, wait: &Wait, release: impl FnOnce()) -> Outcome {
        let node = Node::new(());
        // SAFETY: `wait_in` returns after the node is out of the queue, and fired if
        // somebody else took it out; nothing before it unwinds.
        unsafe { self.queue.lock().push_back(&node) };
        release();
        // SAFETY: it was put into this queue, and into no other; whoever notifies fires whom it
        // takes out.
        unsafe { wait_in(&self.queue, &node, wait, |queue| queue, |_| ()) }
    }

    /// Lets the first that waits go on.
    pub(crate) fn notify_one(&self) {
        let taken = self.queue.lock().pop();
        if let Some(taken) = taken {
            taken.fire();
        }
    }

    /// Lets all go on that wait now. Those that come while we wake the others are not meant.
    pub(crate) fn notify_all(&self) {
        let waiting = self.queue.lock().len();
        for _ in 0..waiting {
            self.notify_one();
        }
    }
}

#[cfg(all(test, trefoil_loom))]
mod loom_models {
    use super::*;
    use std::time::Instant;

    use loom::sync::Arc;
    use loom::thread;
    use trefoil_runtime::Reason;

    /// A number of tokens behind a lock, and who waits for one. (The lock is loom's: with ours, which spins,
    /// the models are too large. Its own are in `lock.rs`.)
    struct Tokens {
        count: loom::sync::Mutex<u32>,
        notices: Notices,
    }

    impl Tokens {
        fn new() -> Arc<Tokens> {
            Arc::new(Tokens {
                count: loom::sync::Mutex::new(0),
                notices: Notices::new(),
            })
        }

        fn give(&self, all: bool) {
            *self.count.lock().unwrap() += 1;
            if all {
                self.notices.notify_all();
            } else {
                self.notices.notify_one();
            }
        }

        /// Waits for one. `false`: the time was over before.
        fn take(&self, hasty: bool) -> bool {
            let wait = Wait::new(Reason::Condvar).until(hasty.then(Instant::now));
            let mut count = self.count.lock().unwrap();
            while *count == 0 {
                let outcome = self.notices.wait(&wait, || drop(count));
                count = self.count.lock().unwrap();
                if outcome == Outcome::TimedOut && *count == 0 {
                    return false;
                }
            }
            *count -= 1;
            true
        }
    }

    fn model(body: impl Fn() + Sync + Send + 'static) {
        let mut model = loom::model::Builder::new();
        model.preemption_bound = Some(3);
        model.check(body);
    }

    fn with<T: 'static>(
        tokens: &Arc<Tokens>,
        body: impl FnOnce(&Tokens) -> T + 'static,
    ) -> thread::JoinHandle<T> {
        let tokens = Arc::clone(tokens);
        thread::spawn(move || body(&tokens))
    }

    /// Who looks and finds nothing is told of what comes.
    #[test]
    fn a_notification_is_not_missed() {
        for all in [false, true] {
            model(move || {
                let tokens = Tokens::new();
                let taker = with(&tokens, |tokens| tokens.take(false));
                tokens.give(all);
                assert!(taker.join().unwrap());
            });
        }
    }

    /// Of two who wait, one of which gives up, the other is told: the notification does not go with the one
    /// that leaves, or that one has the token.
    #[test]
    fn a_notification_goes_to_one_who_waits() {
        model(|| {
            let tokens = Tokens::new();
            let hasty = with(&tokens, |tokens| tokens.take(true));
            let patient = with(&tokens, |tokens| tokens.take(false));
            tokens.give(false);
            if hasty.join().unwrap() {
                tokens.give(false);
            }
            assert!(patient.join().unwrap());
        });
    }
}
