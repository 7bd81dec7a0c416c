//! Who is cancelled with whom, and who listens.
//!
//! | a node is | how it gets there         | its children and listeners          |
//! |-----------|---------------------------|-------------------------------------|
//! | alive     | `root`, `child`           | are entered                         |
//! | cancelled | `cancel` of it or a node above; `child` of a cancelled one | are told, and none is entered any more |
//!
//! A child is entered under its parent's lock, by which the parent is also cancelled: so it is
//! in the list that `cancel` takes, or finds its parent cancelled. A child keeps its parent
//! alive, and a parent does not keep its children: a child that goes takes itself out of the
//! list. No lock is taken while another one is held, and nobody is told under one.

#![forbid(unsafe_code)]

use std::collections::BTreeMap;
use std::mem;
use std::sync::{Arc, Weak};

use trefoil_runtime::Spin;

use crate::atomic::{AtomicU32, Ordering};

const ALIVE: u32 = 0;
const CANCELLED: u32 = 1;

/// A node of the tree. `L` is what a listener is told by.
#[derive(Debug)]
pub(crate) struct Node<L> {
    word: AtomicU32,
    state: Spin<State<L>>,
    /// And this node's number there.
    parent: Option<(Arc<Node<L>>, u64)>,
}

/// By their numbers.
type Children<L> = BTreeMap<u64, Weak<Node<L>>>;

#[derive(Debug)]
struct State<L> {
    next: u64,
    children: Children<L>,
    listeners: BTreeMap<u64, L>,
}

impl<L> State<L> {
    fn number(&mut self) -> u64 {
        self.next += 1;
        self.next
    }
}

impl<L> Node<L> {
    fn new(word: u32, parent: Option<(Arc<Node<L>>, u64)>) -> Node<L> {
        Node {
            word: AtomicU32::new(word),
            state: Spin::new(State {
                next: 0,
                children: BTreeMap::new(),
                listeners: BTreeMap::new(),
            }),
            parent,
        }
    }

    pub(crate) fn root() -> Arc<Node<L>> {
        Arc::new(Node::new(ALIVE, None))
    }

    /// A node that is cancelled with this one.
    pub(crate) fn child(self: &Arc<Self>) -> Arc<Node<L>> {
        let mut state = self.state.lock();
        if self.is_cancelled() {
            drop(state);
            return Arc::new(Node::new(CANCELLED, None));
        }
        let number = state.number();
        let child = Arc::new(Node::new(ALIVE, Some((Arc::clone(self), number))));
        state.children.insert(number, Arc::downgrade(&child));
        child
    }

    pub(crate) fn is_cancelled(&self) -> bool {
        // Acquire: pairs with `cancel_one`.
        self.word.load(Ordering::Acquire) == CANCELLED
    }

    /// Enters a listener; its number, by which it is taken out again. An error gives it back:
    /// there is nothing to wait for any more.
    pub(crate) fn listen(&self, listener: L) -> Result<u64, L> {
        let mut state = self.state.lock();
        if self.is_cancelled() {
            return Err(listener);
        }
        let number = state.number();
        state.listeners.insert(number, listener);
        Ok(number)
    }

    /// Takes a listener out. `None`: it is told, or has been.
    pub(crate) fn forget(&self, number: u64) -> Option<L> {
        self.state.lock().listeners.remove(&number)
    }

    /// The first listener for which `find` finds something.
    #[cfg(not(trefoil_loom))]
    pub(crate) fn find<R>(&self, find: impl FnMut(&L) -> Option<R>) -> Option<R> {
        self.state.lock().listeners.values().find_map(find)
    }

    /// Cancels this node and all below it, and tells all their listeners.
    pub(crate) fn cancel(self: &Arc<Self>, mut tell: impl FnMut(L)) {
        let mut nodes = vec![Arc::clone(self)];
        while let Some(node) = nodes.pop() {
            let (children, listeners) = node.cancel_one();
            nodes.extend(children.into_values().filter_map(|child| child.upgrade()));
            listeners.into_values().for_each(&mut tell);
        }
    }

    fn cancel_one(&self) -> (Children<L>, BTreeMap<u64, L>) {
        let mut state = self.state.lock();
        // Release: pairs with `is_cancelled`.
        self.word.store(CANCELLED, Ordering::Release);
        (
            mem::take(&mut state.children),
            mem::take(&mut state.listeners),
        )
    }

    #[cfg(test)]
    pub(crate) fn children(&self) -> usize {
        self.state.lock().children.len()
    }

    /// Takes itself out of its parent, which is given up.
    fn leave(&mut self) -> Option<Arc<Node<L>>> {
        let (parent, number) = self.parent.take()?;
        let left = parent.state.lock().children.remove(&number);
        drop(left);
        Some(parent)
    }
}

impl<L> Drop for Node<L> {
    fn drop(&mut self) {
        // A long line of parents goes one by one, and not by as many frames.
        let mut next = self.leave();
        while let Some(node) = next {
            next = Arc::into_inner(node).and_then(|mut node| node.leave());
        }
    }
}

#[cfg(all(test, not(trefoil_loom)))]
mod tests {
    use super::*;

    #[test]
    fn a_child_that_goes_is_forgotten_by_its_parent() {
        let root = Node::<()>::root();
        let children: Vec<_> = (0..10).map(|_| root.child()).collect();
        assert_eq!(root.children(), 10);
        drop(children);
        assert_eq!(root.children(), 0);
    }

    #[test]
    fn a_child_keeps_its_line_alive() {
        let root = Node::<()>::root();
        let leaf = root.child().child();
        assert_eq!(root.children(), 1);
        root.cancel(|()| ());
        assert!(leaf.is_cancelled());
    }

    #[test]
    fn a_long_line_goes_without_a_deep_stack() {
        let mut leaf = Node::<()>::root();
        for _ in 0..200_000 {
            leaf = leaf.child();
        }
        let small = std::thread::Builder::new().stack_size(64 << 10);
        small.spawn(move || drop(leaf)).unwrap().join().unwrap();
    }

    #[test]
    fn listeners_are_told_once() {
        let root = Node::root();
        let child = root.child();
        root.listen(1).unwrap();
        child.listen(2).unwrap();
        let three = child.listen(3).unwrap();
        assert_eq!(child.forget(three), Some(3));
        let mut told = Vec::new();
        root.cancel(|number| told.push(number));
        root.cancel(|number| told.push(number));
        told.sort_unstable();
        assert_eq!(told, [1, 2]);
        assert_eq!(child.listen(4), Err(4));
    }
}

#[cfg(all(test, trefoil_loom))]
mod loom_models {
    use super::*;
    use loom::thread;

    type Tree = Arc<Node<Arc<AtomicU32>>>;

    fn bounded(body: impl Fn() + Sync + Send + 'static) {
        let mut model = loom::model::Builder::new();
        model.preemption_bound = Some(3);
        model.check(body);
    }

    fn cancel(node: &Tree) {
        node.cancel(|told| {
            told.fetch_add(1, Ordering::Relaxed);
        });
    }

    /// A child that is made while its parent is cancelled is cancelled too, and its listener
    /// is told, or is told that there is nothing to wait for.
    #[test]
    fn a_child_made_during_a_cancel_is_cancelled() {
        bounded(|| {
            let root = Node::root();
            let told = Arc::new(AtomicU32::new(0));
            let other = {
                let (root, told) = (Arc::clone(&root), Arc::clone(&told));
                thread::spawn(move || {
                    let child = root.child();
                    let entered = child.listen(told).is_ok();
                    (child, entered)
                })
            };
            cancel(&root);
            let (child, entered) = other.join().unwrap();
            assert!(child.is_cancelled());
            assert_eq!(told.load(Ordering::Relaxed), u32::from(entered));
        });
    }

    /// A child that goes while its parent is cancelled leaves nothing behind.
    #[test]
    fn a_child_dropped_during_a_cancel_is_gone() {
        bounded(|| {
            let root: Tree = Node::root();
            let child = root.child();
            let weak = Arc::downgrade(&child);
            let other = thread::spawn(move || drop(child));
            cancel(&root);
            other.join().unwrap();
            assert!(weak.upgrade().is_none());
            assert_eq!(root.children(), 0);
            assert!(root.is_cancelled());
        });
    }

    /// A listener that gives up while it is told either gets itself back or has been told.
    #[test]
    fn a_listener_is_told_or_taken_back() {
        bounded(|| {
            let root: Tree = Node::root();
            let told = Arc::new(AtomicU32::new(0));
            let number = root.listen(Arc::clone(&told)).unwrap();
            let other = {
                let root = Arc::clone(&root);
                thread::spawn(move || cancel(&root))
            };
            let back = root.forget(number).is_some();
            other.join().unwrap();
            assert_eq!(told.load(Ordering::Relaxed), u32::from(!back));
        });
    }
}
