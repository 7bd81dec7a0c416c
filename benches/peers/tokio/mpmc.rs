//! `mpmc`, for tasks. tokio's channel has one receiver: its consumers share that, by a mutex, as
//! programs do which take no other library.
#![forbid(unsafe_code)]

use std::ops::Range;
use std::sync::Arc;

use tokio::sync::Mutex;
use tokio::sync::mpsc::{self, Receiver, Sender};

use super::{Outcome, joined};
use crate::failure::Failure;
use crate::measurement::Stopwatch;
use crate::order::Order;
use crate::workloads::mpmc::{self, Got};

pub(super) async fn mpmc(order: &Order) -> Outcome {
    let (messages, capacity) = (order.get("messages"), order.get("capacity"));
    let capacity = usize::try_from(capacity).expect("the largest one fits");
    let watch = Stopwatch::start();
    let (sender, receiver) = mpsc::channel(capacity);
    let receiver = Arc::new(Mutex::new(receiver));
    let producers: Vec<_> = mpmc::shares(messages, order.get("producers"))
        .map(|share| tokio::spawn(produce(share, sender.clone())))
        .collect();
    let consumers: Vec<_> = (0..order.get("consumers"))
        .map(|_| tokio::spawn(consume(Arc::clone(&receiver))))
        .collect();
    drop((sender, receiver));
    for producer in producers {
        joined(producer).await?.ok_or(Failure::Disconnected)?;
    }
    let mut got = Got::default();
    for consumer in consumers {
        got = got.and(joined(consumer).await?);
    }
    let measurement = watch.stop(messages);
    mpmc::check(messages, got)?;
    Ok(measurement)
}

async fn produce(share: Range<u64>, sender: Sender<u64>) -> Option<()> {
    for number in share {
        sender.send(number).await.ok()?;
    }
    Some(())
}

async fn consume(receiver: Arc<Mutex<Receiver<u64>>>) -> Got {
    let mut got = Got::default();
    loop {
        // The lock is given back before the next message.
        let message = receiver.lock().await.recv().await;
        match message {
            Some(number) => got = got.with(number),
            None => return got,
        }
    }
}
