//! A state, and the threads that wait until it has changed.
//!
//! What is simple enough that its waiters look again after every change is built on it:
//! `oneshot`, `WaitGroup`. The state is looked at and changed under one spin lock, and a thread
//! queues itself under the same one: no change comes between a look and the wait.
//!
//! It is not for objects whose threads are served one by one: those have a [`Queue`] of their
//! own. The closures it is given call nobody's code, for the lock is held.

use trefoil_runtime::{Outcome, Spin, Wait};

use crate::budget::spend;
use crate::queue::{Batch, Node, Queue, wait_in};

#[derive(Debug)]
pub(crate) struct Gate<S> {
    inner: Spin<Inner<S>>,
}

#[derive(Debug)]
struct Inner<S> {
    state: S,
    queue: Queue<()>,
}

/// Why a wait ended without what it waited for.
#[must_use]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Early {
    TimedOut,
    /// The caller puts its things in order, then raises the cancellation.
    Cancelled,
}

impl<S> Gate<S> {
    pub(crate) fn new(state: S) -> Gate<S> {
        Gate {
            inner: Spin::new(Inner {
                state,
                queue: Queue::new(),
            }),
        }
    }

    /// Looks at the state. It may change what no waiter waits for.
    pub(crate) fn look<R>(&self, f: impl FnOnce(&mut S) -> R) -> R {
        f(&mut self.inner.lock().state)
    }

    /// Changes the state, and lets all who wait look again.
    pub(crate) fn change<R>(&self, f: impl FnOnce(&mut S) -> R) -> R {
        let mut waiting = Batch::new();
        let mut inner = self.inner.lock();
        let result = f(&mut inner.state);
        while let Some(node) = inner.queue.pop() {
            waiting.add(node);
        }
        drop(inner);
        waiting.fire();
        result
    }

    /// Waits until `ready` gives something; it is asked with the lock held. A thread that gives
    /// up has called `left`, also with the lock held.
    pub(crate) fn wait<R>(
        &self,
        wait: &Wait,
        mut ready: impl FnMut(&mut S) -> Option<R>,
        mut left: impl FnMut(&mut S),
    ) -> Result<R, Early> {
        loop {
            if let Some(result) = self.look(&mut ready) {
                spend();
                return Ok(result);
            }
            // Made without the lock, for it panics where a wait is refused.
            let node = Node::new(());
            let mut inner = self.inner.lock();
            if let Some(result) = ready(&mut inner.state) {
                return Ok(result);
            }
            // SAFETY: `wait_in` returns after the node is out of the queue, and fired if
            // somebody else took it out.
            unsafe { inner.queue.push_back(&node) };
            drop(inner);
            // SAFETY: it was put into this queue, and into no other; `change` fires whom it
            // takes out.
            let outcome = unsafe {
                wait_in(
                    &self.inner,
                    &node,
                    wait,
                    |inner| &mut inner.queue,
                    |inner| left(&mut inner.state),
                )
            };
            match outcome {
                Outcome::Woken => {}
                Outcome::TimedOut => return Err(Early::TimedOut),
                Outcome::Cancelled => return Err(Early::Cancelled),
            }
        }
    }
}

/// The protocols of `oneshot` and `WaitGroup`: what they do with their gate.
#[cfg(all(test, trefoil_loom))]
mod loom_models {
    use super::*;
    use loom::sync::Arc;
    use loom::thread;
    use std::time::Instant;
    use trefoil_runtime::Reason;

    fn forever() -> Wait {
        Wait::new(Reason::Receive)
    }

    /// For loom, any deadline may have passed or not.
    fn some_time() -> Wait {
        forever().until(Some(Instant::now()))
    }

    fn bounded(body: impl Fn() + Sync + Send + 'static) {
        let mut model = loom::model::Builder::new();
        model.preemption_bound = Some(3);
        model.check(body);
    }

    /// What is sent arrives, also if the receiver gives up at that moment and then looks.
    #[test]
    fn a_value_meets_a_receiver_that_gives_up() {
        bounded(|| {
            let gate = Arc::new(Gate::new(None));
            let sender = {
                let gate = Arc::clone(&gate);
                thread::spawn(move || gate.change(|value| *value = Some(7)))
            };
            let received = gate.wait(&some_time(), Option::take, |_| ());
            let received = received.unwrap_or_else(|early| {
                assert_eq!(early, Early::TimedOut);
                let Ok(value) = gate.wait(&forever(), Option::take, |_| ()) else {
                    panic!("it waits without a limit");
                };
                value
            });
            assert_eq!(received, 7);
            sender.join().unwrap();
        });
    }

    /// Two that wait for one value: one gets it, and the other hears of the end.
    #[test]
    fn two_receivers_and_one_value() {
        bounded(|| {
            // The value, and whether the sender has gone.
            let gate = Arc::new(Gate::new((None, false)));
            let receive = |gate: &Gate<(Option<u32>, bool)>| {
                let ready = |state: &mut (Option<u32>, bool)| match state.0.take() {
                    Some(value) => Some(value),
                    None => state.1.then_some(0),
                };
                gate.wait(&forever(), ready, |_| ())
            };
            let other = {
                let gate = Arc::clone(&gate);
                thread::spawn(move || receive(&gate))
            };
            let sender = {
                let gate = Arc::clone(&gate);
                thread::spawn(move || gate.change(|state| *state = (Some(7), true)))
            };
            let (mine, others) = (receive(&gate), other.join().unwrap());
            assert_eq!(mine.unwrap_or(9) + others.unwrap_or(9), 7);
            sender.join().unwrap();
        });
    }

    /// A member that gives up counts again; the other one waits for it, and for nobody else.
    #[test]
    fn a_member_gives_up_and_the_other_waits() {
        bounded(|| {
            let members = Arc::new(Gate::new(2));
            let leave = |members: &Gate<u32>| members.change(|count| *count -= 1);
            let done = |count: &mut u32| (*count == 0).then_some(());
            let other = {
                let members = Arc::clone(&members);
                thread::spawn(move || {
                    leave(&members);
                    assert!(members.wait(&forever(), done, |_| ()).is_ok());
                })
            };
            leave(&members);
            if members
                .wait(&some_time(), done, |count| *count += 1)
                .is_err()
            {
                leave(&members);
            }
            other.join().unwrap();
            assert_eq!(members.look(|count| *count), 0);
        });
    }

    /// The queue of a condition variable: one notification wakes one of two, also if the other
    /// one gives up meanwhile; then it is not lost to who was late.
    #[test]
    fn a_notification_meets_a_thread_that_gives_up() {
        bounded(|| {
            let queue = Arc::new(Spin::new(Queue::new()));
            let wait_as = |queue: &Spin<Queue<()>>, wait: &Wait| {
                let node = Node::new(());
                // SAFETY: as in `Gate::wait`.
                unsafe { queue.lock().push_back(&node) };
                // SAFETY: as in `Gate::wait`.
                unsafe { wait_in(queue, &node, wait, |queue| queue, |_| ()) }
            };
            let late = {
                let queue = Arc::clone(&queue);
                thread::spawn(move || wait_as(&queue, &some_time()))
            };
            let notifier = {
                let queue = Arc::clone(&queue);
                thread::spawn(move || {
                    let taken = queue.lock().pop();
                    let notified = taken.is_some();
                    taken.into_iter().for_each(crate::queue::Taken::fire);
                    notified
                })
            };
            let mine = wait_as(&queue, &some_time());
            let woken = [mine, late.join().unwrap()].map(|it| u32::from(it == Outcome::Woken));
            assert_eq!(u32::from(notifier.join().unwrap()), woken[0] + woken[1]);
            assert!(queue.lock().is_empty());
        });
    }
}
