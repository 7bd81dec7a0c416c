//! The trees of threads, for tasks. An async function that calls itself needs a box for each call.
#![forbid(unsafe_code)]

use std::future::Future;
use std::pin::Pin;

use super::{Outcome, Tasks};
use crate::failure::Failure;
use crate::measurement::Stopwatch;
use crate::order::Order;
use crate::workloads::skynet::{Node, Tree};

type Boxed<T> = Pin<Box<dyn Future<Output = T> + Send>>;

pub(super) async fn by_channel<L: Tasks>(order: &Order) -> Outcome {
    let tree = Tree::of(order)?;
    let watch = Stopwatch::start();
    let (up, mut result) = L::channel(1);
    L::detach(L::spawn(send_sum::<L>(tree.root(), up)));
    let sum = L::recv(&mut result).await.ok_or(Failure::Disconnected)?;
    let measurement = watch.stop(tree.threads);
    tree.check(sum)?;
    Ok(measurement)
}

fn send_sum<L: Tasks>(node: Node, up: L::Sender) -> Boxed<Option<()>> {
    Box::pin(async move {
        let sum = match node.leaf() {
            Some(number) => number,
            None => hear_children::<L>(node).await?,
        };
        L::send(&up, sum).await
    })
}

async fn hear_children<L: Tasks>(node: Node) -> Option<u64> {
    let (sender, mut receiver) = L::channel(node.width() as usize);
    for child in node.children() {
        L::detach(L::spawn(send_sum::<L>(child, sender.clone())));
    }
    drop(sender);
    let mut sum = 0;
    for _ in 0..node.width() {
        sum += L::recv(&mut receiver).await?;
    }
    Some(sum)
}

pub(super) async fn by_join<L: Tasks>(order: &Order) -> Outcome {
    let tree = Tree::of(order)?;
    let watch = Stopwatch::start();
    let sum = L::join(L::spawn(join_children::<L>(tree.root()))).await??;
    let measurement = watch.stop(tree.threads);
    tree.check(sum)?;
    Ok(measurement)
}

/// The result of a leaf is its number.
fn join_children<L: Tasks>(node: Node) -> Boxed<Result<u64, Failure>> {
    Box::pin(async move {
        if let Some(number) = node.leaf() {
            return Ok(number);
        }
        let spawn = |child| L::spawn(join_children::<L>(child));
        let children: Vec<_> = node.children().map(spawn).collect();
        let mut sum = 0;
        for child in children {
            sum += L::join(child).await??;
        }
        Ok(sum)
    })
}
