//! How a server is asked to end: connections without a request end at once, the others after their answer.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use trefoil::sync::{Mutex, MutexGuard};
use trefoil::thread::{self, Thread, ThreadId};

/// What all connections of a server share. A request touches nothing of it but its own connection's.
#[derive(Debug, Default)]
pub struct Control {
    closing: AtomicBool,
    connections: Mutex<Connections>,
}

#[derive(Debug, Default)]
struct Connections {
    /// Each has a thread of its own.
    open: HashMap<ThreadId, Arc<Connection>>,
    /// Requests that were answered on those which have ended.
    served: usize,
}

#[derive(Debug)]
struct Connection {
    thread: Thread,
    /// It waits for the first byte of a request. Who sets it back decides: its thread, that the request is
    /// answered, or [`Control::close`], that the thread ends.
    idle: AtomicBool,
    served: AtomicUsize,
}

impl Control {
    /// Asks all connections to end, and tells how many were open.
    pub fn close(&self) -> usize {
        // Before it looks for those that wait; pairs with `Opened::while_idle`, where a connection looks here
        // after it has said that it waits. One of the two sees the other.
        self.closing.store(true, Ordering::SeqCst);
        let connections = self.connections();
        for connection in connections.open.values() {
            if connection.idle.swap(false, Ordering::SeqCst) {
                // It waits for the network, which is a cancellation point.
                connection.thread.cancel();
            }
        }
        connections.open.len()
    }

    /// How many connections are open.
    #[must_use]
    pub fn open(&self) -> usize {
        self.connections().open.len()
    }

    /// How many requests were answered.
    #[must_use]
    pub fn served(&self) -> usize {
        let connections = self.connections();
        let open = connections.open.values();
        let served = open.map(|connection| connection.served.load(Ordering::Relaxed));
        connections.served + served.sum::<usize>()
    }

    pub(crate) fn is_closing(&self) -> bool {
        self.closing.load(Ordering::Relaxed)
    }

    /// Counts the calling thread's connection, until this is dropped: also by a thread that is cancelled.
    pub(crate) fn connection(&self) -> Opened<'_> {
        let connection = Arc::new(Connection {
            thread: thread::current(),
            idle: AtomicBool::new(false),
            served: AtomicUsize::new(0),
        });
        let id = connection.thread.id();
        self.connections().open.insert(id, Arc::clone(&connection));
        Opened {
            control: self,
            connection,
        }
    }

    fn connections(&self) -> MutexGuard<'_, Connections> {
        self.connections
            .lock()
            .expect("nobody panics with the list")
    }
}

/// A connection that is open.
pub(crate) struct Opened<'a> {
    control: &'a Control,
    connection: Arc<Connection>,
}

impl Opened<'_> {
    pub(crate) fn count_served(&self) {
        // By this thread alone.
        self.connection.served.fetch_add(1, Ordering::Relaxed);
    }

    /// Waits for a request's first byte by `wait`, which is called unless the server ends. `None`: it ends.
    pub(crate) fn while_idle<T>(&self, wait: impl FnOnce() -> T) -> Option<T> {
        let idle = &self.connection.idle;
        // Pairs with `Control::close`.
        idle.store(true, Ordering::SeqCst);
        if self.control.closing.load(Ordering::SeqCst) {
            return None;
        }
        let waited = wait();
        // Pairs with the other swap: it goes on, or was asked to end.
        idle.swap(false, Ordering::SeqCst).then_some(waited)
    }
}

impl Drop for Opened<'_> {
    fn drop(&mut self) {
        let mut connections = self.control.connections();
        connections.open.remove(&self.connection.thread.id());
        connections.served += self.connection.served.load(Ordering::Relaxed);
    }
}
