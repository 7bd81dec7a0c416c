//! A state, and the threads that wait until it has changed.
//!
//! What is simple enough that its waiters look again after every change is built on it:
//! `oneshot`, `WaitGroup`. The state is looked at and changed under one spin lock, and a thread
//! queues itself under the same one: no change comes between a look and the wait.
//!
//! It is not for objects whose threads are served one by one: those have a [`Queue`] of their
//! own. The closures it is given call nobody's code, for the lock is held.

use trefoil_runtime::{Outcome, Spin, Wait};

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
            let mut inner = self.inner.lock();
            if let Some(result) = ready(&mut inner.state) {
                return Ok(result);
            }
            let node = Node::new(());
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
