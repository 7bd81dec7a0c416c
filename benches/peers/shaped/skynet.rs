//! The trees of threads, for libraries whose threads are started and heard as those of `std` are.
#![forbid(unsafe_code)]

use super::StdShaped;
use crate::failure::Failure;
use crate::measurement::{Measurement, Stopwatch};
use crate::order::Order;
use crate::workloads::skynet::{Node, Tree};

pub(super) fn by_channel<L: StdShaped>(order: &Order) -> Result<Measurement, Failure> {
    let tree = Tree::of(order)?;
    let watch = Stopwatch::start();
    let (up, result) = L::channel(1);
    let root = tree.root();
    drop(L::spawn(move || send_sum::<L>(root, &up)));
    let sum = L::recv(&result).ok_or(Failure::Disconnected)?;
    let measurement = watch.stop(tree.threads);
    tree.check(sum)?;
    Ok(measurement)
}

fn send_sum<L: StdShaped>(node: Node, up: &L::Sender) -> Option<()> {
    let sum = match node.leaf() {
        Some(number) => number,
        None => hear_children::<L>(node)?,
    };
    L::send(up, sum)
}

fn hear_children<L: StdShaped>(node: Node) -> Option<u64> {
    let (sender, receiver) = L::channel(node.width() as usize);
    for child in node.children() {
        let up = sender.clone();
        drop(L::spawn(move || send_sum::<L>(child, &up)));
    }
    drop(sender);
    (0..node.width()).map(|_| L::recv(&receiver)).sum()
}

pub(super) fn by_join<L: StdShaped>(order: &Order) -> Result<Measurement, Failure> {
    let tree = Tree::of(order)?;
    let root = tree.root();
    let watch = Stopwatch::start();
    let sum = L::join(L::spawn(move || join_children::<L>(root)))??;
    let measurement = watch.stop(tree.threads);
    tree.check(sum)?;
    Ok(measurement)
}

/// The result of a leaf is its number.
fn join_children<L: StdShaped>(node: Node) -> Result<u64, Failure> {
    if let Some(number) = node.leaf() {
        return Ok(number);
    }
    let children: Vec<_> = node
        .children()
        .map(|child| L::spawn(move || join_children::<L>(child)))
        .collect();
    children.into_iter().map(|child| L::join(child)?).sum()
}
