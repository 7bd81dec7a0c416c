//! `mpmc`, for libraries that are shaped like `std`.
#![forbid(unsafe_code)]

use std::ops::Range;

use super::StdShaped;
use crate::failure::Failure;
use crate::measurement::{Measurement, Stopwatch};
use crate::order::Order;
use crate::workloads::mpmc::{self, Got};

pub(super) fn mpmc<L: StdShaped>(order: &Order) -> Result<Measurement, Failure> {
    let (messages, capacity) = (order.get("messages"), order.get("capacity"));
    let capacity = usize::try_from(capacity).expect("the largest one fits");
    let watch = Stopwatch::start();
    let (sender, receiver) = L::queue(capacity);
    let producers: Vec<_> = mpmc::shares(messages, order.get("producers"))
        .map(|share| {
            let sender = sender.clone();
            L::spawn(move || produce::<L>(share, &sender))
        })
        .collect();
    let consumers: Vec<_> = (0..order.get("consumers"))
        .map(|_| {
            let receiver = receiver.clone();
            L::spawn(move || consume::<L>(&receiver))
        })
        .collect();
    drop((sender, receiver));
    for producer in producers {
        L::join(producer)?.ok_or(Failure::Disconnected)?;
    }
    let mut got = Got::default();
    for consumer in consumers {
        got = got.and(L::join(consumer)?);
    }
    let measurement = watch.stop(messages);
    mpmc::check(messages, got)?;
    Ok(measurement)
}

fn produce<L: StdShaped>(share: Range<u64>, producer: &L::Producer) -> Option<()> {
    for number in share {
        L::produce(producer, number)?;
    }
    Some(())
}

fn consume<L: StdShaped>(consumer: &L::Consumer) -> Got {
    let numbers = std::iter::from_fn(|| L::consume(consumer));
    numbers.fold(Got::default(), Got::with)
}
