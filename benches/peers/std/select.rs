//! `select`, for kernel threads: by crossbeam's `select!`, since `std` has none.
#![forbid(unsafe_code)]

use std::thread;

use crossbeam_channel::{Receiver, Sender, bounded};

use crate::failure::Failure;
use crate::measurement::{Measurement, Stopwatch};
use crate::order::Order;
use crate::workloads::mpmc::{self, Got};
use crate::workloads::select::channels;

pub(in crate::peers) fn select(order: &Order) -> Result<Measurement, Failure> {
    let (messages, channels) = (order.get("messages"), channels(order)?);
    let capacity = usize::try_from(order.get("capacity")).expect("the largest one fits");
    let watch = Stopwatch::start();
    // One that ends would be an arm that is always ready.
    let mut open = Vec::new();
    let mut receivers = Vec::new();
    let mut producers = Vec::new();
    for share in mpmc::shares(messages, channels) {
        let (sender, receiver): (Sender<u64>, _) = bounded(capacity);
        open.push(sender.clone());
        receivers.push(receiver);
        producers.push(thread::spawn(move || {
            share
                .into_iter()
                .try_for_each(|number| sender.send(number).ok())
        }));
    }
    let got = consume(messages, &receivers).ok_or(Failure::Disconnected)?;
    drop(open);
    for producer in producers {
        let sent = producer.join().map_err(Failure::panicked)?;
        sent.ok_or(Failure::Disconnected)?;
    }
    let measurement = watch.stop(messages);
    mpmc::check(messages, got)?;
    Ok(measurement)
}

/// One `select!` over all of these, until as many messages have come.
macro_rules! select_all {
    ($messages:expr, $receivers:expr, [$($name:ident)*]) => {{
        let [$($name),*] = $receivers.first_chunk().expect("there are as many");
        let mut got = Got::default();
        for _ in 0..$messages {
            let message = crossbeam_channel::select! {
                $(recv($name) -> message => message,)*
            };
            got = got.with(message.ok()?);
        }
        Some(got)
    }};
}

fn consume(messages: u64, receivers: &[Receiver<u64>]) -> Option<Got> {
    if receivers.len() == 2 {
        select_all!(messages, receivers, [a b])
    } else {
        select_all!(messages, receivers, [a b c d e f g h i j k l m n o p])
    }
}
