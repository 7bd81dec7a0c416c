//! Two threads at one channel, in every interleaving. (With three, loom follows two that spin for
//! the lock of the third without end; the stress tests do that.) A message holds a cell that loom
//! watches: it also sees whether what was done before `send` is visible after `recv`.
#![forbid(unsafe_code)]

use std::sync::Arc;
use std::time::Instant;

use loom::thread;

use super::error::{RecvTimeoutError, SendTimeoutError};
use super::shared::Shared;
use super::watched::Message;

type Channel = Arc<Shared<Message>>;

/// For loom, any deadline may have passed or not.
fn some_time() -> Option<Instant> {
    Some(Instant::now())
}

fn receive(channel: &Channel, until: Option<Instant>) -> Result<usize, RecvTimeoutError> {
    channel.recv(until).map(|message| message.touch())
}

fn send(
    channel: &Channel,
    number: usize,
    until: Option<Instant>,
) -> Result<(), SendTimeoutError<usize>> {
    let sent = channel.send(Message::new(number), until);
    sent.map_err(|error| match error {
        SendTimeoutError::Timeout(message) => SendTimeoutError::Timeout(message.touch()),
        SendTimeoutError::Disconnected(message) => SendTimeoutError::Disconnected(message.touch()),
    })
}

fn with<T: 'static>(
    channel: &Channel,
    body: impl FnOnce(&Channel) -> T + 'static,
) -> thread::JoinHandle<T> {
    let channel = Arc::clone(channel);
    thread::spawn(move || body(&channel))
}

/// The channels with a buffer: a ring, and one that grows.
fn buffered() -> [fn() -> Channel; 2] {
    [
        || Arc::new(Shared::bounded(1)),
        || Arc::new(Shared::unbounded()),
    ]
}

fn model(body: impl Fn() + Send + Sync + 'static) {
    let mut model = loom::model::Builder::new();
    model.preemption_bound = Some(3);
    model.check(body);
}

/// A receiver that gives up while it is handed the message has it; else the message stays.
#[test]
fn a_message_is_handed_over_or_stays() {
    for channel in buffered() {
        model(move || {
            let channel = channel();
            let receiver = with(&channel, |channel| receive(channel, some_time()));
            assert_eq!(send(&channel, 1, None), Ok(()));
            match receiver.join().unwrap() {
                Ok(number) => assert_eq!((number, channel.len()), (1, 0)),
                Err(error) => {
                    assert_eq!(error, RecvTimeoutError::Timeout);
                    assert_eq!(receive(&channel, None), Ok(1));
                }
            }
        });
    }
}

/// A receiver that waits for ever gets each message, in order.
#[test]
fn a_patient_receiver_gets_all() {
    for channel in buffered() {
        model(move || {
            let channel = channel();
            let receiver = with(&channel, |channel| {
                [(); 2].map(|()| receive(channel, None).unwrap())
            });
            assert_eq!(send(&channel, 1, None), Ok(()));
            assert_eq!(send(&channel, 2, None), Ok(()));
            assert_eq!(receiver.join().unwrap(), [1, 2]);
            assert_eq!(channel.len(), 0);
        });
    }
}

/// A sender that waits for ever finds room, more than once: flags are raised and lowered.
#[test]
fn a_patient_sender_finds_room() {
    model(|| {
        let channel = Arc::new(Shared::bounded(1));
        send(&channel, 1, None).unwrap();
        let sender = with(&channel, |channel| {
            send(channel, 2, None).unwrap();
            send(channel, 3, None).unwrap();
        });
        assert_eq!(
            [(); 3].map(|()| receive(&channel, None).unwrap()),
            [1, 2, 3]
        );
        sender.join().unwrap();
    });
}

/// At a rendezvous where both may give up, both succeed or neither.
#[test]
fn both_meet_or_neither() {
    model(|| {
        let channel = Arc::new(Shared::bounded(0));
        let receiver = with(&channel, |channel| receive(channel, some_time()));
        let sent = send(&channel, 1, some_time());
        match receiver.join().unwrap() {
            Ok(number) => assert_eq!((number, sent), (1, Ok(()))),
            Err(RecvTimeoutError::Timeout) => assert_eq!(sent, Err(SendTimeoutError::Timeout(1))),
            Err(RecvTimeoutError::Disconnected) => unreachable!(),
        }
        assert!(channel.try_recv().is_err());
    });
}

/// A sender that gives up while room is made has sent its message; else it has it back.
#[test]
fn room_is_given_or_left() {
    model(|| {
        let channel = Arc::new(Shared::bounded(1));
        send(&channel, 1, None).unwrap();
        let sender = with(&channel, |channel| send(channel, 2, some_time()));
        assert_eq!(receive(&channel, None), Ok(1));
        match sender.join().unwrap() {
            Ok(()) => assert_eq!(receive(&channel, None), Ok(2)),
            Err(error) => assert_eq!(error, SendTimeoutError::Timeout(2)),
        }
        assert_eq!(channel.len(), 0);
    });
}

/// The last sender goes while a receiver begins to wait, or gives up.
#[test]
fn a_receiver_hears_that_the_senders_have_gone() {
    for channel in buffered() {
        for patient in [true, false] {
            model(move || {
                let channel = channel();
                let until = move || if patient { None } else { some_time() };
                let receiver = with(&channel, move |channel| receive(channel, until()));
                channel.remove_sender();
                match receiver.join().unwrap() {
                    Err(RecvTimeoutError::Disconnected) => {}
                    Err(RecvTimeoutError::Timeout) => assert!(!patient),
                    Ok(_) => unreachable!(),
                }
            });
        }
    }
}

/// The last receiver goes while a sender begins to wait, or gives up: the message comes back.
#[test]
fn a_sender_hears_that_the_receivers_have_gone() {
    for full in [0, 1] {
        for patient in [true, false] {
            model(move || {
                let channel = Arc::new(Shared::bounded(full));
                (0..full).for_each(|_| send(&channel, 0, None).unwrap());
                let until = move || if patient { None } else { some_time() };
                let sender = with(&channel, move |channel| send(channel, 1, until()));
                channel.remove_receiver();
                match sender.join().unwrap() {
                    Err(SendTimeoutError::Disconnected(1)) => {}
                    Err(SendTimeoutError::Timeout(1)) => assert!(!patient),
                    other => unreachable!("{other:?}"),
                }
                assert_eq!(channel.len(), 0, "what was left is dropped");
            });
        }
    }
}

/// A message that is sent while the last receiver goes comes back, or is dropped with the rest.
#[test]
fn no_message_stays_behind_the_last_receiver() {
    for channel in buffered() {
        model(move || {
            let channel = channel();
            let sender = with(&channel, |channel| send(channel, 1, None).is_ok());
            channel.remove_receiver();
            let _ = sender.join().unwrap();
            assert_eq!(channel.len(), 0);
            assert!(send(&channel, 2, None).is_err());
        });
    }
}
