//! The sending end of a channel.
#![forbid(unsafe_code)]

use std::fmt;
use std::panic::{RefUnwindSafe, UnwindSafe};
use std::sync::Arc;
use std::time::{Duration, Instant};

use trefoil_runtime::thread::deadline_after;

use super::error::{SendError, SendTimeoutError, TrySendError};
use super::select::SendArm;
use super::shared::Shared;

/// The sending end of a channel: clones send to the same one, from any thread of any model.
///
/// When the last one goes, receivers get what is left, and then an error.
///
/// ```
/// use trefoil_sync::channel::unbounded;
///
/// let (sender, receiver) = unbounded();
/// let second = sender.clone();
/// std::thread::scope(|scope| {
///     scope.spawn(move || sender.send(1).unwrap());
///     scope.spawn(move || second.send(2).unwrap());
/// });
/// assert_eq!(receiver.iter().sum::<i32>(), 3);
/// ```
pub struct Sender<T> {
    shared: Arc<Shared<T>>,
}

impl<T> Sender<T> {
    /// The channel counts one sender when it is made.
    pub(super) fn new(shared: Arc<Shared<T>>) -> Sender<T> {
        Sender { shared }
    }

    /// The operation of a select.
    pub(super) fn arm(&self) -> SendArm<'_, T> {
        SendArm::new(&self.shared)
    }

    /// Sends a message, and waits while the channel is full; at a rendezvous, until a receiver
    /// has taken it. A cancellation point when it has to wait: the message is then dropped.
    ///
    /// # Errors
    ///
    /// Gives the message back if the last receiver has gone, also while it waits.
    ///
    /// ```
    /// use trefoil_sync::channel::{SendError, bounded};
    ///
    /// let (sender, receiver) = bounded(1);
    /// assert_eq!(sender.send(1), Ok(()));
    /// drop(receiver);
    /// assert_eq!(sender.send(2), Err(SendError(2)));
    /// ```
    #[track_caller]
    #[inline]
    pub fn send(&self, message: T) -> Result<(), SendError<T>> {
        self.shared
            .send(message, None)
            .map_err(|error| SendError(error.into_inner()))
    }

    /// Sends a message if there is room, or if a receiver waits. Never waits.
    ///
    /// # Errors
    ///
    /// Gives the message back if the channel is full, or if the last receiver has gone.
    ///
    /// ```
    /// use trefoil_sync::channel::{TrySendError, bounded};
    ///
    /// let (sender, _receiver) = bounded(1);
    /// assert_eq!(sender.try_send(1), Ok(()));
    /// assert_eq!(sender.try_send(2), Err(TrySendError::Full(2)));
    /// ```
    #[inline]
    pub fn try_send(&self, message: T) -> Result<(), TrySendError<T>> {
        self.shared.try_send(message)
    }

    /// As [`send`](Sender::send), and gives up after this time. It tries at least once.
    ///
    /// # Errors
    ///
    /// Gives the message back if the time is over, or if the last receiver has gone.
    ///
    /// ```
    /// use std::time::Duration;
    /// use trefoil_sync::channel::{SendTimeoutError, bounded};
    ///
    /// let (sender, _receiver) = bounded(1);
    /// let timeout = Duration::from_millis(1);
    /// assert_eq!(sender.send_timeout(1, timeout), Ok(()));
    /// assert_eq!(sender.send_timeout(2, timeout), Err(SendTimeoutError::Timeout(2)));
    /// ```
    #[track_caller]
    pub fn send_timeout(&self, message: T, timeout: Duration) -> Result<(), SendTimeoutError<T>> {
        // The clock is read only if there is need to wait.
        match self.shared.try_send(message) {
            Ok(()) => {
                self.shared.spend_as_sender();
                Ok(())
            }
            Err(TrySendError::Full(message)) => self.shared.send(message, deadline_after(timeout)),
            Err(TrySendError::Disconnected(message)) => {
                Err(SendTimeoutError::Disconnected(message))
            }
        }
    }

    /// As [`send`](Sender::send), and gives up at this time. It tries at least once.
    ///
    /// # Errors
    ///
    /// Gives the message back if the time has come, or if the last receiver has gone.
    ///
    /// ```
    /// use std::time::Instant;
    /// use trefoil_sync::channel::bounded;
    ///
    /// let (sender, _receiver) = bounded(1);
    /// let past = Instant::now();
    /// assert!(sender.send_deadline(1, past).is_ok());
    /// assert!(sender.send_deadline(2, past).unwrap_err().is_timeout());
    /// ```
    #[track_caller]
    pub fn send_deadline(&self, message: T, deadline: Instant) -> Result<(), SendTimeoutError<T>> {
        self.shared.send(message, Some(deadline))
    }

    /// Whether no message is in the channel. A rendezvous is always empty.
    ///
    /// ```
    /// let (sender, _receiver) = trefoil_sync::channel::unbounded();
    /// assert!(sender.is_empty());
    /// sender.send(1).unwrap();
    /// assert!(!sender.is_empty());
    /// ```
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Whether the channel holds as much as it can. A rendezvous is always full.
    ///
    /// ```
    /// let (sender, _receiver) = trefoil_sync::channel::bounded(1);
    /// assert!(!sender.is_full());
    /// sender.send(1).unwrap();
    /// assert!(sender.is_full());
    /// ```
    #[must_use]
    pub fn is_full(&self) -> bool {
        self.shared.is_full()
    }

    /// How many messages are in the channel. Those of waiting senders do not count.
    ///
    /// ```
    /// let (sender, _receiver) = trefoil_sync::channel::unbounded();
    /// sender.send(1).unwrap();
    /// assert_eq!(sender.len(), 1);
    /// ```
    #[must_use]
    pub fn len(&self) -> usize {
        self.shared.len()
    }

    /// How many messages the channel can hold. `None`: any number.
    ///
    /// ```
    /// use trefoil_sync::channel::{bounded, unbounded};
    ///
    /// assert_eq!(bounded::<u8>(3).0.capacity(), Some(3));
    /// assert_eq!(unbounded::<u8>().0.capacity(), None);
    /// ```
    #[must_use]
    pub fn capacity(&self) -> Option<usize> {
        self.shared.capacity()
    }

    /// Whether both send to the same channel.
    ///
    /// ```
    /// use trefoil_sync::channel::unbounded;
    ///
    /// let (sender, _receiver) = unbounded::<u8>();
    /// let (other, _receiver) = unbounded();
    /// assert!(sender.same_channel(&sender.clone()));
    /// assert!(!sender.same_channel(&other));
    /// ```
    #[must_use]
    pub fn same_channel(&self, other: &Sender<T>) -> bool {
        Arc::ptr_eq(&self.shared, &other.shared)
    }
}

impl<T> Clone for Sender<T> {
    fn clone(&self) -> Sender<T> {
        Sender::new(self.shared.add_sender())
    }
}

impl<T> Drop for Sender<T> {
    fn drop(&mut self) {
        self.shared.remove_sender();
    }
}

impl<T> fmt::Debug for Sender<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad("Sender { .. }")
    }
}

// No panic can be seen in a channel: no foreign code runs while it is being changed.
impl<T> UnwindSafe for Sender<T> {}
impl<T> RefUnwindSafe for Sender<T> {}
