//! `select`, for tasks: by tokio's `select!`, whose arms are futures.
#![forbid(unsafe_code)]

use tokio::sync::mpsc::{self, Receiver};

use super::joined;
use crate::failure::Failure;
use crate::measurement::Stopwatch;
use crate::order::Order;
use crate::peers::tasks::Outcome;
use crate::workloads::mpmc::{self as numbers, Got};
use crate::workloads::select::channels;

pub(super) async fn select(order: &Order) -> Outcome {
    let (messages, channels) = (order.get("messages"), channels(order)?);
    let capacity = usize::try_from(order.get("capacity")).expect("the largest one fits");
    let watch = Stopwatch::start();
    let mut receivers = Vec::new();
    let mut producers = Vec::new();
    for share in numbers::shares(messages, channels) {
        let (sender, receiver) = mpsc::channel(capacity);
        receivers.push(receiver);
        producers.push(tokio::spawn(async move {
            for number in share {
                sender.send(number).await.ok()?;
            }
            Some(())
        }));
    }
    let got = consume(messages, receivers)
        .await
        .ok_or(Failure::Disconnected)?;
    for producer in producers {
        joined(producer).await?.ok_or(Failure::Disconnected)?;
    }
    let measurement = watch.stop(messages);
    numbers::check(messages, got)?;
    Ok(measurement)
}

/// One `select!` over all of these, until as many messages have come. A channel that has ended is an arm
/// that is switched off.
macro_rules! select_all {
    ($messages:expr, $receivers:expr, [$($name:ident)*]) => {{
        let [$($name),*] = $receivers.first_chunk_mut().expect("there are as many");
        let mut got = Got::default();
        for _ in 0..$messages {
            let message = tokio::select! {
                $(Some(message) = $name.recv() => Some(message),)*
                else => None,
            };
            got = got.with(message?);
        }
        Some(got)
    }};
}

async fn consume(messages: u64, mut receivers: Vec<Receiver<u64>>) -> Option<Got> {
    if receivers.len() == 2 {
        select_all!(messages, receivers, [a b])
    } else {
        select_all!(messages, receivers, [a b c d e f g h i j k l m n o p])
    }
}
