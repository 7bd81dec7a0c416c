//! The tree of `skynet_channel` and `skynet_join`, which differ in how a result goes up: one thread at the root, under each thread `width`
//! more, and the leaves `depth` levels below the root.
//!
//! A leaf's result is its number, of 0, 1, 2 and so on; that of every other thread is the sum of its
//! children's. So the root's result is the sum of all leaves.
#![forbid(unsafe_code)]

use crate::failure::Failure;
use crate::order::Order;
use crate::parameters::Parameter;

/// What can be set about both.
pub(super) const PARAMETERS: &[Parameter] = &[
    Parameter::new("width", 10, "threads that each one starts").within(1, 1_000),
    Parameter::new("depth", 6, "levels below the root")
        .on_kernel(4)
        .within(0, 1_000),
];

/// More threads than this are refused: the defaults make 1,111,111, or 11,111 of kernel threads.
const MOST_THREADS: u64 = 10_000_000;

/// How large the tree is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tree {
    width: u64,
    depth: u64,
    leaves: u64,
    /// How many threads there are in it.
    pub threads: u64,
}

/// A thread's place in the tree.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Node {
    width: u64,
    /// How many levels are below it.
    depth: u64,
    number: u64,
}

impl Tree {
    /// The tree that was asked for.
    ///
    /// # Errors
    ///
    /// If it has more threads than ten million.
    pub fn of(order: &Order) -> Result<Tree, Failure> {
        let (width, depth) = (order.get("width"), order.get("depth"));
        Tree::new(width, depth).ok_or_else(|| {
            let why =
                format!("a tree of width {width} and depth {depth} has more than {MOST_THREADS} threads; use less");
            Failure::Unable(why)
        })
    }

    fn new(width: u64, depth: u64) -> Option<Tree> {
        let (mut leaves, mut threads) = (1, 1);
        for _ in 0..depth {
            leaves *= width;
            threads += leaves;
            if threads > MOST_THREADS {
                return None;
            }
        }
        Some(Tree {
            width,
            depth,
            leaves,
            threads,
        })
    }

    /// Where its first thread is.
    #[must_use]
    pub fn root(self) -> Node {
        Node {
            width: self.width,
            depth: self.depth,
            number: 0,
        }
    }

    /// The root's result is the sum of all leaves.
    ///
    /// # Errors
    ///
    /// If it is another one.
    pub fn check(self, sum: u64) -> Result<(), Failure> {
        let expected = self.leaves * (self.leaves - 1) / 2;
        Failure::unless_equal("the sum of all leaves", expected, sum)
    }
}

impl Node {
    /// Its number, if it is a leaf.
    #[must_use]
    pub fn leaf(self) -> Option<u64> {
        (self.depth == 0).then_some(self.number)
    }

    /// How many children it has, unless it is a leaf.
    #[must_use]
    pub fn width(self) -> u64 {
        self.width
    }

    /// The places of its children.
    pub fn children(self) -> impl Iterator<Item = Node> {
        (0..self.width).map(move |child| Node {
            depth: self.depth - 1,
            number: self.number * self.width + child,
            ..self
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// All leaves, and how many threads there are above and among them.
    fn walk(node: Node, leaves: &mut Vec<u64>) -> u64 {
        if let Some(number) = node.leaf() {
            leaves.push(number);
            return 1;
        }
        let below: u64 = node.children().map(|child| walk(child, leaves)).sum();
        below + 1
    }

    #[test]
    fn every_leaf_has_a_number_of_its_own() {
        for (width, depth) in [(10, 3), (3, 4), (1, 5), (7, 0)] {
            let tree = Tree::new(width, depth).unwrap();
            let mut leaves = Vec::new();
            assert_eq!(walk(tree.root(), &mut leaves), tree.threads);
            assert_eq!(leaves, (0..tree.leaves).collect::<Vec<_>>());
        }
        assert_eq!(Tree::new(10, 6).unwrap().threads, 1_111_111);
    }

    #[test]
    fn a_tree_that_is_too_large_is_refused() {
        assert_eq!(Tree::new(1_000, 1_000), None);
        assert_eq!(Tree::new(10, 7), None);
        assert!(Tree::new(1, 1_000).is_some());
    }

    #[test]
    fn a_leaf_that_is_missing_is_seen() {
        let tree = Tree::new(2, 2).unwrap();
        assert!(tree.check(1 + 2 + 3).is_ok());
        assert!(tree.check(1 + 2).is_err());
    }
}
