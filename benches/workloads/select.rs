//! `select`: one thread receives from several channels, each with a producer of its own, by one `select!`
//! for each message. One operation is one message.
//!
//! It measures a wait for whichever of several comes first: what it costs to look at all of them, and to
//! stand in all their queues. Where messages come faster than they are taken, it is mostly the former. It
//! does not measure selects that send. (Go measures the same as `SelectProdCons`.) Parameters: `channels` (2,
//! or 16), `capacity` of each (100), and `messages`, of all together (1,000,000; 200,000 on kernel threads).
//!
//! Each message is a number of its own; what came must be as many, with the sum of all.
#![forbid(unsafe_code)]

use std::ops::Range;

use trefoil::channel::{Receiver, Sender, bounded};
use trefoil::thread;

use super::mpmc::{self, Got};
use super::{Workload, join};
use crate::failure::Failure;
use crate::measurement::{Measurement, Stopwatch};
use crate::order::Order;
use crate::parameters::Parameter;
use crate::scenario::Scenario;

/// The workload's entry in the list.
pub static WORKLOAD: Workload = Workload {
    name: "select",
    about: "one thread receives from several channels",
    operation: "a message",
    scenario: Scenario::FineGrained,
    parameters: &[
        Parameter::new("channels", 2, "channels, each with a producer: 2 or 16").within(2, 16),
        Parameter::new("capacity", 100, "messages that have room in each channel")
            .within(1, 1_000_000),
        Parameter::new("messages", 1_000_000, "messages of all producers together")
            .on_kernel(200_000)
            .within(1, 1_000_000_000),
    ],
    contrast: Some("channels=16"),
    run,
};

fn run(order: &Order) -> Result<Measurement, Failure> {
    let (messages, channels) = (order.get("messages"), channels(order)?);
    let capacity = usize::try_from(order.get("capacity")).expect("the largest one fits");
    let watch = Stopwatch::start();
    // One that ends would be an arm that is always ready.
    let mut open = Vec::new();
    let mut receivers = Vec::new();
    let mut producers = Vec::new();
    for share in mpmc::shares(messages, channels) {
        let (sender, receiver) = bounded(capacity);
        open.push(sender.clone());
        receivers.push(receiver);
        producers.push(thread::spawn(move || produce(share, &sender)));
    }
    let got = consume(messages, &receivers).ok_or(Failure::Disconnected)?;
    drop(open);
    for producer in producers {
        join(producer)?.ok_or(Failure::Disconnected)?;
    }
    let measurement = watch.stop(messages);
    mpmc::check(messages, got)?;
    Ok(measurement)
}

/// How many channels: as many as some `select!` has arms.
///
/// # Errors
///
/// If none has.
pub fn channels(order: &Order) -> Result<u64, Failure> {
    match order.get("channels") {
        channels @ (2 | 16) => Ok(channels),
        other => Err(Failure::Unable(format!(
            "`channels` is 2 or 16, the arms of a `select!` that is compiled, and not {other}"
        ))),
    }
}

fn produce(share: Range<u64>, sender: &Sender<u64>) -> Option<()> {
    for number in share {
        sender.send(number).ok()?;
    }
    Some(())
}

/// One `select!` over all of these, until as many messages have come.
macro_rules! select_all {
    ($messages:expr, $receivers:expr, [$($name:ident)*]) => {{
        let [$($name),*] = $receivers.first_chunk().expect("there are as many");
        let mut got = Got::default();
        for _ in 0..$messages {
            let message = trefoil::channel::select! {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn channels_that_end_early_are_seen() {
        let (sender, receiver) = bounded(1);
        sender.send(1).unwrap();
        drop(sender);
        let (_other, silent) = bounded(1);
        let receivers = [receiver, silent];
        assert!(consume(1, &receivers).is_some());
        assert_eq!(consume(1, &receivers), None);
    }
}
