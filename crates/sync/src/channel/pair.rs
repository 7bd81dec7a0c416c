//! A new channel: its first sender and its first receiver.
#![forbid(unsafe_code)]

use std::sync::Arc;

use super::receiver::Receiver;
use super::sender::Sender;
use super::shared::Shared;

/// A channel that holds any number of messages: sending never waits.
///
/// ```
/// use trefoil_sync::channel::unbounded;
///
/// let (sender, receiver) = unbounded();
/// std::thread::spawn(move || (1..=4).for_each(|n| sender.send(n).unwrap()));
/// assert_eq!(receiver.iter().sum::<i32>(), 10);
/// ```
#[must_use]
pub fn unbounded<T>() -> (Sender<T>, Receiver<T>) {
    pair(Shared::unbounded())
}

/// A channel that holds at most `capacity` messages, for which it allocates the room now. With
/// capacity 0 it is a rendezvous: a message goes from hand to hand, and `send` returns when a
/// receiver has taken it.
///
/// # Panics
///
/// If room for so many messages cannot be had.
///
/// ```
/// use trefoil_sync::channel::{TrySendError, bounded};
///
/// let (sender, receiver) = bounded(1);
/// assert_eq!(sender.send("first"), Ok(()));
/// assert_eq!(sender.try_send("second"), Err(TrySendError::Full("second")));
/// assert_eq!(receiver.recv(), Ok("first"));
///
/// let (sender, receiver) = bounded(0);
/// std::thread::spawn(move || sender.send("here you are"));
/// assert_eq!(receiver.recv(), Ok("here you are"));
/// ```
#[must_use]
pub fn bounded<T>(capacity: usize) -> (Sender<T>, Receiver<T>) {
    pair(Shared::bounded(capacity))
}

fn pair<T>(shared: Shared<T>) -> (Sender<T>, Receiver<T>) {
    let shared = Arc::new(shared);
    (Sender::new(Arc::clone(&shared)), Receiver::new(shared))
}
