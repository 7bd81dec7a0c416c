//! `skynet_channel`: a tree of threads. Each starts ten more and adds up what they send it; a leaf
//! sends its number. One operation is one thread, with its start and its message.
//!
//! It measures how a scheduler copes with very many threads that start each other, and most of which
//! live for a moment. Parameters: `width` (10), how many threads each one starts, and `depth` (6; 4 on
//! kernel threads), how many levels there are below the first thread: with the defaults 1,111,111
//! threads, or 11,111. The children of a thread share a channel that has room for all of them.
//!
//! Nobody is joined: the clock stops when the first thread's message has come.
//!
//! The leaves are numbered; the sum of all must be right.
#![forbid(unsafe_code)]

use trefoil::channel::{Sender, bounded};
use trefoil::thread;

use super::Workload;
use super::skynet::{self, Node, Tree};
use crate::failure::Failure;
use crate::measurement::{Measurement, Stopwatch};
use crate::order::Order;
use crate::scenario::Scenario;

/// The workload's entry in the list.
pub static WORKLOAD: Workload = Workload {
    name: "skynet_channel",
    about: "a tree of threads, each of which sends its sum to its parent",
    operation: "a thread, started and heard",
    scenario: Scenario::ShortLived,
    parameters: skynet::PARAMETERS,
    contrast: None,
    run,
};

fn run(order: &Order) -> Result<Measurement, Failure> {
    let tree = Tree::of(order)?;
    let watch = Stopwatch::start();
    let (up, result) = bounded(1);
    let root = tree.root();
    drop(thread::spawn(move || grow(root, &up)));
    let sum = result.recv().map_err(|_| Failure::Disconnected)?;
    let measurement = watch.stop(tree.threads);
    tree.check(sum)?;
    Ok(measurement)
}

/// Sends a node's result up. `None`: another thread has gone without its message.
fn grow(node: Node, up: &Sender<u64>) -> Option<()> {
    let sum = match node.leaf() {
        Some(number) => number,
        None => sum_of_children(node)?,
    };
    up.send(sum).ok()
}

fn sum_of_children(node: Node) -> Option<u64> {
    let width = usize::try_from(node.width()).expect("the largest one fits");
    let (sender, receiver) = bounded(width);
    for child in node.children() {
        let up = sender.clone();
        drop(thread::spawn(move || grow(child, &up)));
    }
    // A child that ends without its message is seen: it was the last to hold the channel.
    drop(sender);
    (0..width).map(|_| receiver.recv().ok()).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_parent_that_has_gone_is_seen() {
        let tree = trefoil::run(|| {
            let (up, _) = bounded(1);
            let order = super::super::tests::order(&WORKLOAD, &["width=2", "depth=1"]);
            grow(Tree::of(&order).unwrap().root(), &up)
        });
        assert_eq!(tree, None);
    }
}
