//! Threads that wait for an object, first in, first out; each node lies on its thread's stack.
//!
//! | a node is | who may touch it                                                           |
//! |-----------|----------------------------------------------------------------------------|
//! | idle      | its thread                                                                  |
//! | queued    | whoever holds the lock around the queue                                     |
//! | taken     | whoever took it out, until it has fired the node's waiter; then it is gone  |
//!
//! A queue is always inside a [`Spin`]; taking a node out gives the right, and the duty, to
//! fire its waiter. A thread that gives up takes its node out itself, under the same lock; if
//! somebody else has taken it already, the thread waits on: it will be fired ([`wait_in`]).

use core::cell::Cell;
use core::iter;
use core::ptr;

use trefoil_runtime::{Outcome, Spin, Wait, Waiter};

/// One thread's place in a queue, with what the object must know about it.
#[derive(Debug)]
pub(crate) struct Node<T> {
    waiter: Waiter,
    data: T,
    queued: Cell<bool>,
    previous: Cell<*const Node<T>>,
    next: Cell<*const Node<T>>,
}

impl<T> Node<T> {
    /// A node of the current thread.
    pub(crate) fn new(data: T) -> Node<T> {
        Node {
            waiter: Waiter::new(),
            data,
            queued: Cell::new(false),
            previous: Cell::new(ptr::null()),
            next: Cell::new(ptr::null()),
        }
    }

    pub(crate) fn data(&self) -> &T {
        &self.data
    }

    /// Waits until the node has been taken out and fired.
    pub(crate) fn wait(&self, wait: &Wait) {
        debug_assert!(wait.deadline().is_none());
        let outcome = self.waiter.wait(wait);
        debug_assert_eq!(outcome, Outcome::Woken);
    }
}

/// A node that was taken out of its queue: its thread waits until it is fired.
#[must_use]
pub(crate) struct Taken<T>(*const Node<T>);

impl<T> Taken<T> {
    /// A node that is in no queue, and is handed to somebody by its own thread.
    ///
    /// # Safety
    ///
    /// The thread waits with the node until it is fired.
    pub(crate) unsafe fn new(node: &Node<T>) -> Taken<T> {
        Taken(node)
    }

    pub(crate) fn data(&self) -> &T {
        // SAFETY: the node's thread waits until we fire it.
        unsafe { &(*self.0).data }
    }

    /// Lets the thread go on.
    pub(crate) fn fire(self) {
        // SAFETY: the node lives until it is fired, and only who took it out does.
        unsafe { Waiter::fire(&raw const (*self.0).waiter) };
    }
}

/// Nodes in the order in which they came.
#[derive(Debug)]
pub(crate) struct Queue<T> {
    first: *const Node<T>,
    last: *const Node<T>,
    len: usize,
}

// SAFETY: the nodes are alive while they are queued (`push_back`), and what is done with them
// here may be done by any thread that has the queue to itself.
unsafe impl<T: Send> Send for Queue<T> {}

impl<T> Queue<T> {
    pub(crate) const fn new() -> Queue<T> {
        Queue {
            first: ptr::null(),
            last: ptr::null(),
            len: 0,
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.first.is_null()
    }

    pub(crate) fn len(&self) -> usize {
        self.len
    }

    /// Puts a node last.
    ///
    /// # Safety
    ///
    /// The node stays alive and where it is until it is out of the queue, and, if another
    /// thread took it out, until it has been fired. It is in no queue.
    pub(crate) unsafe fn push_back(&mut self, node: &Node<T>) {
        node.previous.set(self.last);
        node.next.set(ptr::null());
        node.queued.set(true);
        // SAFETY: queued nodes are alive, by the contract of this function.
        match unsafe { self.last.as_ref() } {
            Some(last) => last.next.set(node),
            None => self.first = node,
        }
        self.last = node;
        self.len += 1;
    }

    /// Puts a node first.
    ///
    /// # Safety
    ///
    /// As for [`push_back`](Queue::push_back).
    pub(crate) unsafe fn push_front(&mut self, node: &Node<T>) {
        node.previous.set(ptr::null());
        node.next.set(self.first);
        node.queued.set(true);
        // SAFETY: as in `push_back`.
        match unsafe { self.first.as_ref() } {
            Some(first) => first.previous.set(node),
            None => self.last = node,
        }
        self.first = node;
        self.len += 1;
    }

    /// What the first node says.
    pub(crate) fn front(&self) -> Option<&T> {
        // SAFETY: queued nodes are alive, by the contract of `push_back`.
        unsafe { self.first.as_ref() }.map(Node::data)
    }

    /// Takes the first node out.
    pub(crate) fn pop(&mut self) -> Option<Taken<T>> {
        // SAFETY: queued nodes are alive, by the contract of `push_back`; the first one is
        // queued here.
        let node = unsafe {
            let node = self.first.as_ref()?;
            self.unlink(node);
            node
        };
        Some(Taken(node))
    }

    /// Takes the first node out that says something of this kind.
    pub(crate) fn pop_where(&mut self, mut is: impl FnMut(&T) -> bool) -> Option<Taken<T>> {
        let node = self.nodes().find(|node| is(node.data()))?;
        // SAFETY: it was found in this queue.
        unsafe { self.unlink(node) };
        Some(Taken(node))
    }

    /// Whether a node says something of this kind.
    pub(crate) fn any(&self, mut is: impl FnMut(&T) -> bool) -> bool {
        self.nodes().any(|node| is(node.data()))
    }

    /// From the first to the last. The lifetime is as long as the nodes are left where they are.
    fn nodes<'a>(&self) -> impl Iterator<Item = &'a Node<T>> + use<'a, T>
    where
        T: 'a,
    {
        // SAFETY: queued nodes are alive, by the contract of `push_back`; so are their neighbours.
        iter::successors(unsafe { self.first.as_ref() }, |node| unsafe {
            node.next.get().as_ref()
        })
    }

    /// Takes this node out. `false`: it is not in the queue any more.
    ///
    /// # Safety
    ///
    /// The node is in this queue, or was taken out of it, and has been in no other since.
    pub(crate) unsafe fn remove(&mut self, node: &Node<T>) -> bool {
        let queued = node.queued.get();
        if queued {
            // SAFETY: it is queued, and by the caller's promise here.
            unsafe { self.unlink(node) };
        }
        queued
    }

    /// # Safety
    ///
    /// The node is in this queue.
    unsafe fn unlink(&mut self, node: &Node<T>) {
        let (previous, next) = (node.previous.get(), node.next.get());
        // SAFETY: queued nodes are alive, by the contract of `push_back`; so are a queued
        // node's neighbours.
        match unsafe { previous.as_ref() } {
            Some(previous) => previous.next.set(next),
            None => self.first = next,
        }
        // SAFETY: as above.
        match unsafe { next.as_ref() } {
            Some(next) => next.previous.set(previous),
            None => self.last = previous,
        }
        node.queued.set(false);
        self.len -= 1;
    }
}

/// Nodes that were taken out under the lock, to be fired after it.
#[must_use]
pub(crate) struct Batch<T> {
    first: *const Node<T>,
    last: *const Node<T>,
}

impl<T> Batch<T> {
    pub(crate) const fn new() -> Batch<T> {
        Batch {
            first: ptr::null(),
            last: ptr::null(),
        }
    }

    pub(crate) fn add(&mut self, Taken(node): Taken<T>) {
        // SAFETY: nodes that were taken out are alive until they are fired, and ours alone.
        let (added, last) = unsafe { (&*node, self.last.as_ref()) };
        added.next.set(ptr::null());
        match last {
            Some(last) => last.next.set(node),
            None => self.first = node,
        }
        self.last = node;
    }

    /// Lets all the threads go on, in their order.
    pub(crate) fn fire(self) {
        let mut node = self.first;
        while !node.is_null() {
            // SAFETY: as in `add`. The link is read before the node is fired, and gone.
            let next = unsafe { (*node).next.get() };
            Taken(node).fire();
            node = next;
        }
    }
}

/// Waits with a node that is queued inside `lock`, as `wait` says. After `TimedOut` and
/// `Cancelled` the node has been taken out; `left` has been called with the lock held.
///
/// # Safety
///
/// The calling thread has put the node into the queue that `queue` finds inside `lock`, and
/// into no other since. Whoever takes it out fires it.
#[inline(always)]
pub(crate) unsafe fn wait_in<S, T>(
    lock: &Spin<S>,
    node: &Node<T>,
    wait: &Wait,
    queue: impl Fn(&mut S) -> &mut Queue<T>,
    left: impl FnOnce(&mut S),
) -> Outcome {
    match node.waiter.wait(wait) {
        Outcome::Woken => Outcome::Woken,
        // SAFETY: passed on.
        early => unsafe { take_out(lock, node, wait, early, queue, left) },
    }
}

/// The wait has ended early.
///
/// # Safety
///
/// As for [`wait_in`].
#[cold]
unsafe fn take_out<S, T>(
    lock: &Spin<S>,
    node: &Node<T>,
    wait: &Wait,
    outcome: Outcome,
    queue: impl Fn(&mut S) -> &mut Queue<T>,
    left: impl FnOnce(&mut S),
) -> Outcome {
    let mut state = lock.lock();
    // SAFETY: by the caller's promise it has been in this queue alone; the lock is held.
    if unsafe { queue(&mut state).remove(node) } {
        left(&mut state);
        return outcome;
    }
    drop(state);
    // It has been taken out: what it waited for has come, or a select makes it.
    node.waiter.wait(&wait.unlimited())
}

#[cfg(all(test, not(trefoil_loom)))]
mod tests {
    use super::*;

    #[test]
    fn nodes_leave_in_order_and_from_the_middle() {
        let mut queue = Queue::new();
        let nodes = [0, 1, 2, 3].map(Node::new);
        // SAFETY: the nodes outlive the queue.
        unsafe {
            queue.push_back(&nodes[1]);
            queue.push_back(&nodes[2]);
            queue.push_back(&nodes[3]);
            queue.push_front(&nodes[0]);
        }
        assert_eq!((queue.len(), queue.front()), (4, Some(&0)));
        // SAFETY: it was put into this queue, and into no other.
        unsafe {
            assert!(queue.remove(&nodes[2]));
            assert!(!queue.remove(&nodes[2]));
        }
        let mut batch = Batch::new();
        for expected in [0, 1, 3] {
            let taken = queue.pop().unwrap();
            assert_eq!(*taken.data(), expected);
            batch.add(taken);
        }
        assert!(queue.is_empty() && queue.pop().is_none());
        assert!(!nodes[0].waiter.is_fired());
        batch.fire();
        assert!(nodes[0].waiter.is_fired() && nodes[1].waiter.is_fired());
        assert!(!nodes[2].waiter.is_fired() && nodes[3].waiter.is_fired());
    }
}
