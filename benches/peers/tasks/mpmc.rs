//! `mpmc`, for tasks.
#![forbid(unsafe_code)]

use std::ops::Range;

use super::{Outcome, Tasks};
use crate::failure::Failure;
use crate::measurement::Stopwatch;
use crate::order::Order;
use crate::workloads::mpmc::{self, Got};

pub(super) async fn mpmc<L: Tasks>(order: &Order) -> Outcome {
    let (messages, capacity) = (order.get("messages"), order.get("capacity"));
    let capacity = usize::try_from(capacity).expect("the largest one fits");
    let watch = Stopwatch::start();
    let (sender, receiver) = L::channel(capacity);
    let consumer = L::shared(receiver);
    let producers: Vec<_> = mpmc::shares(messages, order.get("producers"))
        .map(|share| L::spawn(produce::<L>(share, sender.clone())))
        .collect();
    let consumers: Vec<_> = (0..order.get("consumers"))
        .map(|_| L::spawn(consume::<L>(consumer.clone())))
        .collect();
    drop((sender, consumer));
    for producer in producers {
        L::join(producer).await?.ok_or(Failure::Disconnected)?;
    }
    let mut got = Got::default();
    for consumer in consumers {
        got = got.and(L::join(consumer).await?);
    }
    let measurement = watch.stop(messages);
    mpmc::check(messages, got)?;
    Ok(measurement)
}

async fn produce<L: Tasks>(share: Range<u64>, sender: L::Sender) -> Option<()> {
    for number in share {
        L::send(&sender, number).await?;
    }
    Some(())
}

async fn consume<L: Tasks>(consumer: L::Consumer) -> Got {
    let mut got = Got::default();
    while let Some(number) = L::consume(&consumer).await {
        got = got.with(number);
    }
    got
}
