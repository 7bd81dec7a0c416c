//! A select and another thread, in every interleaving: one operation is carried out, and no message is
//! lost, doubled or left with an arm that was not chosen.
#![forbid(unsafe_code)]

use std::sync::Arc;
use std::time::Instant;

use loom::thread;

use super::arm::{Arm, Putter, Taker};
use super::choose::{Limit, Order, choose};
use crate::channel::error::{RecvError, RecvTimeoutError, SendTimeoutError};
use crate::channel::shared::Shared;
use crate::channel::watched::Message;

type Channel = Arc<Shared<Message>>;

fn bounded(capacity: usize) -> Channel {
    Arc::new(Shared::bounded(capacity))
}

fn unbounded() -> Channel {
    Arc::new(Shared::unbounded())
}

fn send(channel: &Channel, number: usize) {
    let sent = channel.send(Message::new(number), None);
    assert!(sent.is_ok(), "the receivers are there");
}

/// For loom, any deadline may have passed or not.
fn some_time() -> Limit {
    Limit::Until(Some(Instant::now()))
}

const FOR_EVER: Limit = Limit::Until(None);

/// What a select of these, of which the second one may be to send `number`, has done.
#[derive(Debug, PartialEq, Eq)]
enum Done {
    Received(usize, Result<usize, RecvError>),
    Sent(bool),
    Nothing,
}

/// Receives from one of these.
fn receive(channels: [&Channel; 2], limit: Limit) -> Done {
    let arms = channels.map(|channel| Taker::new(channel));
    let mut list = [&arms[0] as &dyn Arm, &arms[1]];
    match choose(&mut list, Order::Given, limit) {
        None => Done::Nothing,
        Some(arm) => {
            let received = arms[arm].take().expect("it was chosen");
            Done::Received(arm, received.map(|message| message.touch()))
        }
    }
}

/// Receives from the first, or sends to the second.
fn exchange(from: &Channel, to: &Channel, number: usize, limit: Limit) -> Done {
    let (receive, send) = (Taker::new(from), Putter::new(to));
    match choose(&mut [&receive as &dyn Arm, &send], Order::Given, limit) {
        None => Done::Nothing,
        Some(0) => {
            let received = receive.take().expect("it was chosen");
            Done::Received(0, received.map(|message| message.touch()))
        }
        Some(_) => Done::Sent(send.put(Message::new(number)).is_ok()),
    }
}

fn with<T: 'static, const N: usize>(
    channels: [&Channel; N],
    body: impl FnOnce([&Channel; N]) -> T + 'static,
) -> thread::JoinHandle<T> {
    let channels = channels.map(Arc::clone);
    thread::spawn(move || body(channels.each_ref()))
}

fn model(preemptions: usize, body: impl Fn() + Send + Sync + 'static) {
    let mut model = loom::model::Builder::new();
    model.preemption_bound = Some(preemptions);
    model.check(body);
}

/// Of two messages in two channels a select takes one, and the next select the other.
#[test]
fn the_other_message_stays() {
    for make in [unbounded as fn() -> Channel, || bounded(1)] {
        model(2, move || {
            let channels = [make(), make()];
            let [one, two] = channels.each_ref();
            let sender = with([one, two], |[one, two]| {
                send(one, 1);
                send(two, 2);
            });
            let got = [(); 2].map(|()| receive([one, two], FOR_EVER));
            sender.join().unwrap();
            let numbers = got.map(|done| match done {
                Done::Received(arm, Ok(number)) => {
                    assert_eq!(arm + 1, number);
                    number
                }
                other => unreachable!("{other:?}"),
            });
            assert_eq!(numbers.iter().sum::<usize>(), 3);
            assert_eq!(one.len() + two.len(), 0);
        });
    }
}

/// A select that gives up while it is handed a message has it; else the message stays.
#[test]
fn a_message_is_received_or_stays() {
    for make in [unbounded as fn() -> Channel, || bounded(1)] {
        model(3, move || {
            let (one, two) = (make(), make());
            let sender = with([&one], |[one]| send(one, 1));
            let done = receive([&two, &one], some_time());
            sender.join().unwrap();
            match done {
                Done::Received(1, Ok(1)) => assert_eq!(one.len(), 0),
                Done::Nothing => assert_eq!(one.len(), 1),
                other => unreachable!("{other:?}"),
            }
        });
    }
}

/// At a rendezvous a select that receives and a sender meet, or neither has done anything.
#[test]
fn a_select_and_a_sender_meet_or_neither() {
    model(3, || {
        let (one, two) = (bounded(0), bounded(0));
        let sender = with([&one], |[one]| {
            one.send(Message::new(1), Some(Instant::now()))
                .map_err(|error| match error {
                    SendTimeoutError::Timeout(message) => message.touch(),
                    SendTimeoutError::Disconnected(_) => unreachable!(),
                })
        });
        let done = receive([&two, &one], some_time());
        match sender.join().unwrap() {
            Ok(()) => assert_eq!(done, Done::Received(1, Ok(1))),
            Err(1) => assert_eq!(done, Done::Nothing),
            Err(_) => unreachable!(),
        }
    });
}

/// The same, of a select that sends, with its message made afterwards, and a receiver.
#[test]
fn a_select_and_a_receiver_meet_or_neither() {
    model(3, || {
        let (one, two) = (bounded(0), bounded(0));
        let receiver = with([&one], |[one]| {
            let received = one.recv(Some(Instant::now()));
            received.map(|message| message.touch())
        });
        let done = exchange(&two, &one, 7, some_time());
        match receiver.join().unwrap() {
            Ok(number) => assert_eq!((number, done), (7, Done::Sent(true))),
            Err(RecvTimeoutError::Timeout) => assert_eq!(done, Done::Nothing),
            Err(RecvTimeoutError::Disconnected) => unreachable!(),
        }
    });
}

/// Two selects, each of which would send or receive: one does the one and the other the other.
#[test]
fn two_selects_meet() {
    model(2, || {
        let (one, two) = (bounded(0), bounded(0));
        let other = with([&one, &two], |[one, two]| exchange(one, two, 1, FOR_EVER));
        let done = exchange(&two, &one, 2, FOR_EVER);
        match (done, other.join().unwrap()) {
            (Done::Sent(true), other) => assert_eq!(other, Done::Received(0, Ok(2))),
            (done, Done::Sent(true)) => assert_eq!(done, Done::Received(0, Ok(1))),
            other => unreachable!("{other:?}"),
        }
    });
}

/// Room that is kept for a select and given back is there for a sender that waits; if it is used, the
/// sender gets the room behind it.
#[test]
fn kept_room_is_used_or_given_back() {
    for used in [true, false] {
        model(3, move || {
            let channel = bounded(1);
            let sender = with([&channel], |[channel]| send(channel, 1));
            let arm = Putter::new(&channel);
            let chosen = choose(&mut [&arm as &dyn Arm], Order::Given, Limit::Now).is_some();
            if chosen && used {
                assert!(arm.put(Message::new(2)).is_ok());
            }
            drop(arm);
            if chosen && used {
                let got = [(); 2].map(|()| channel.recv(None).unwrap().touch());
                assert_eq!(got.iter().sum::<usize>(), 3);
                sender.join().unwrap();
            } else {
                // Nobody receives: the room is enough.
                sender.join().unwrap();
                assert_eq!(channel.recv(None).unwrap().touch(), 1);
            }
            assert_eq!(channel.len(), 0);
        });
    }
}

/// A receiver that waits while room is kept gets the message, or that of another sender.
#[test]
fn a_receiver_waits_for_a_kept_message() {
    model(3, || {
        let channel = bounded(1);
        let receiver = with([&channel], |[channel]| channel.recv(None).unwrap().touch());
        let arm = Putter::new(&channel);
        assert!(choose(&mut [&arm as &dyn Arm], Order::Given, FOR_EVER).is_some());
        assert!(arm.put(Message::new(1)).is_ok());
        assert_eq!(receiver.join().unwrap(), 1);
    });
}

/// A select hears that the last sender has gone, also while it waits.
#[test]
fn a_select_hears_of_the_end() {
    for make in [unbounded as fn() -> Channel, || bounded(1), || bounded(0)] {
        model(3, move || {
            let (one, two) = (make(), make());
            let last = with([&one], |[one]| one.remove_sender());
            assert_eq!(
                receive([&two, &one], FOR_EVER),
                Done::Received(1, Err(RecvError))
            );
            last.join().unwrap();
        });
    }
}
