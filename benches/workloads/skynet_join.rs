//! `skynet_join`: a tree of threads. Each starts ten more, joins them and returns the sum of what they
//! return; a leaf returns its number. One operation is one thread, started and joined.
//!
//! It is `skynet_channel` by another way, with the same parameters: what a join costs beside a message.
//!
//! The leaves are numbered; the sum of all must be right.
#![forbid(unsafe_code)]

use trefoil::thread;

use super::skynet::{self, Node, Tree};
use super::{Workload, join};
use crate::failure::Failure;
use crate::measurement::{Measurement, Stopwatch};
use crate::order::Order;
use crate::scenario::Scenario;

/// The workload's entry in the list.
pub static WORKLOAD: Workload = Workload {
    name: "skynet_join",
    about: "a tree of threads, each of which joins those that it started",
    operation: "a thread, started and joined",
    scenario: Scenario::ShortLived,
    parameters: skynet::PARAMETERS,
    contrast: None,
    run,
};

fn run(order: &Order) -> Result<Measurement, Failure> {
    let tree = Tree::of(order)?;
    let root = tree.root();
    let watch = Stopwatch::start();
    let sum = join(thread::spawn(move || grow(root)))??;
    let measurement = watch.stop(tree.threads);
    tree.check(sum)?;
    Ok(measurement)
}

fn grow(node: Node) -> Result<u64, Failure> {
    if let Some(number) = node.leaf() {
        return Ok(number);
    }
    let children: Vec<_> = node
        .children()
        .map(|child| thread::spawn(move || grow(child)))
        .collect();
    children.into_iter().map(|child| join(child)?).sum()
}
