//! How a server is asked to end: connections without a request end at once, the others after their answer.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use trefoil::sync::Mutex;
use trefoil::thread::{self, Thread, ThreadId};

/// What all connections of a server share.
#[derive(Debug, Default)]
pub struct Control {
    closing: AtomicBool,
    open: AtomicUsize,
    served: AtomicUsize,
    /// Threads that wait for the first byte of a request.
    idle: Mutex<HashMap<ThreadId, Thread>>,
}

impl Control {
    /// Asks all connections to end, and tells how many were open.
    pub fn close(&self) -> usize {
        let open = self.open();
        let idle = self.idle();
        self.closing.store(true, Ordering::Relaxed);
        // They wait for the network, which is a cancellation point.
        idle.values().for_each(Thread::cancel);
        open
    }

    /// How many connections are open.
    #[must_use]
    pub fn open(&self) -> usize {
        self.open.load(Ordering::Relaxed)
    }

    /// How many requests were answered.
    #[must_use]
    pub fn served(&self) -> usize {
        self.served.load(Ordering::Relaxed)
    }

    pub(super) fn is_closing(&self) -> bool {
        self.closing.load(Ordering::Relaxed)
    }

    pub(super) fn count_served(&self) {
        self.served.fetch_add(1, Ordering::Relaxed);
    }

    /// Counts the calling thread's connection, until this is dropped: also by a thread that is cancelled.
    pub(super) fn connection(&self) -> Opened<'_> {
        self.open.fetch_add(1, Ordering::Relaxed);
        Opened(self)
    }

    /// Waits for a request's first byte by `wait`, which is called unless the server ends.
    pub(super) fn while_idle<T>(&self, wait: impl FnOnce() -> T) -> Option<T> {
        let me = thread::current();
        let _idle = {
            let mut idle = self.idle();
            // Under the lock: who is not in the list yet when the server closes sees it here.
            if self.is_closing() {
                return None;
            }
            idle.insert(me.id(), me.clone());
            Idle(self, me.id())
        };
        Some(wait())
    }

    fn idle(&self) -> trefoil::sync::MutexGuard<'_, HashMap<ThreadId, Thread>> {
        self.idle.lock().expect("nobody panics with the list")
    }
}

/// A connection that is open.
pub(super) struct Opened<'a>(&'a Control);

impl Drop for Opened<'_> {
    fn drop(&mut self) {
        self.0.open.fetch_sub(1, Ordering::Relaxed);
    }
}

/// A thread that stands in the list.
struct Idle<'a>(&'a Control, ThreadId);

impl Drop for Idle<'_> {
    fn drop(&mut self) {
        self.0.idle().remove(&self.1);
    }
}
