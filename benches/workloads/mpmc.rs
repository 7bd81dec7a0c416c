//! `mpmc`: producers and consumers at the two ends of one channel with little room. One operation is
//! one message.
//!
//! It measures a channel that many share: how the ends meet in it, and how threads wait for room and
//! for messages. It does not measure how evenly messages are shared out. Parameters: `producers` (4),
//! `consumers` (4), `capacity` (100), and `messages`, of all together (2,000,000; 400,000 on kernel
//! threads).
//!
//! Each message is a number of its own; what the consumers got must be as many, with the sum of all.
#![forbid(unsafe_code)]

use trefoil::channel::{Receiver, Sender, bounded};
use trefoil::thread;

use super::{Workload, join};
use crate::failure::Failure;
use crate::measurement::{Measurement, Stopwatch};
use crate::order::Order;
use crate::parameters::Parameter;
use crate::scenario::Scenario;

/// The workload's entry in the list.
pub static WORKLOAD: Workload = Workload {
    name: "mpmc",
    about: "producers and consumers share one channel",
    operation: "a message",
    scenario: Scenario::FineGrained,
    parameters: &[
        Parameter::new("producers", 4, "threads that send").within(1, 10_000),
        Parameter::new("consumers", 4, "threads that receive").within(1, 10_000),
        Parameter::new("capacity", 100, "messages that have room in the channel")
            .within(1, 1_000_000),
        Parameter::new("messages", 2_000_000, "messages of all producers together")
            .on_kernel(400_000)
            .within(1, 1_000_000_000),
    ],
    contrast: None,
    run,
};

fn run(order: &Order) -> Result<Measurement, Failure> {
    let (messages, capacity) = (order.get("messages"), order.get("capacity"));
    let capacity = usize::try_from(capacity).expect("the largest one fits");
    let watch = Stopwatch::start();
    let (sender, receiver) = bounded(capacity);
    let producers: Vec<_> = shares(messages, order.get("producers"))
        .map(|share| {
            let sender = sender.clone();
            thread::spawn(move || produce(share, &sender))
        })
        .collect();
    let consumers: Vec<_> = (0..order.get("consumers"))
        .map(|_| {
            let receiver = receiver.clone();
            thread::spawn(move || consume(&receiver))
        })
        .collect();
    // The ends of the threads are the last ones.
    drop((sender, receiver));
    for producer in producers {
        join(producer)?.ok_or(Failure::Disconnected)?;
    }
    let mut got = Got::default();
    for consumer in consumers {
        got = got.and(join(consumer)?);
    }
    let measurement = watch.stop(messages);
    check(messages, got)?;
    Ok(measurement)
}

/// The numbers below `messages`, shared out among so many producers.
pub fn shares(messages: u64, producers: u64) -> impl Iterator<Item = std::ops::Range<u64>> {
    (0..producers).map(move |producer| {
        let begin = |producer| messages * producer / producers;
        begin(producer)..begin(producer + 1)
    })
}

fn produce(share: std::ops::Range<u64>, sender: &Sender<u64>) -> Option<()> {
    for number in share {
        sender.send(number).ok()?;
    }
    Some(())
}

fn consume(receiver: &Receiver<u64>) -> Got {
    receiver.iter().fold(Got::default(), Got::with)
}

/// What consumers got.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Got {
    messages: u64,
    sum: u64,
}

impl Got {
    /// One message more.
    #[must_use]
    pub fn with(self, number: u64) -> Got {
        Got {
            messages: self.messages + 1,
            sum: self.sum + number,
        }
    }

    /// What two consumers got.
    #[must_use]
    pub fn and(self, other: Got) -> Got {
        Got {
            messages: self.messages + other.messages,
            sum: self.sum + other.sum,
        }
    }
}

/// Every message arrives once.
///
/// # Errors
///
/// If there were more or fewer, or others.
pub fn check(messages: u64, got: Got) -> Result<(), Failure> {
    Failure::unless_equal("the number of messages", messages, got.messages)?;
    let sum = messages * (messages - 1) / 2;
    Failure::unless_equal("the sum of all messages", sum, got.sum)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_lost_or_doubled_is_seen() {
        let got = |numbers: &[u64]| numbers.iter().copied().fold(Got::default(), Got::with);
        assert!(check(3, got(&[2, 0]).and(got(&[1]))).is_ok());
        assert!(check(3, got(&[0, 2])).is_err());
        assert!(check(3, got(&[0, 1, 1])).is_err());
        assert!(check(3, got(&[0, 1, 2, 0])).is_err());
    }

    #[test]
    fn every_message_is_in_one_share() {
        for producers in [1, 3, 4, 20] {
            let numbers: Vec<_> = shares(10, producers).flatten().collect();
            assert_eq!(numbers, (0..10).collect::<Vec<_>>());
        }
    }

    #[test]
    fn a_channel_without_consumers_is_no_room() {
        let (sender, _) = bounded(1);
        assert_eq!(produce(0..1, &sender), None);
    }
}
