//! Channels with the names and the meaning of `std::sync::mpsc`: many senders, one receiver.
//!
//! It is a dress of [`channel`](mod@crate::channel), with `std`'s own error types, so that a program
//! needs to change its `use` line only. What waits, and how, is told there.
#![forbid(unsafe_code)]

use std::cell::Cell;
use std::fmt;
use std::iter::FusedIterator;
use std::marker::PhantomData;
use std::panic::RefUnwindSafe;
use std::time::Duration;

pub use std::sync::mpsc::{RecvError, RecvTimeoutError, SendError, TryRecvError, TrySendError};

use crate::channel;

/// The sending side of [`channel()`]: sending never waits.
///
/// ```
/// use trefoil_sync::mpsc;
///
/// let (sender, receiver) = mpsc::channel();
/// let second = sender.clone();
/// std::thread::spawn(move || sender.send(1));
/// std::thread::spawn(move || second.send(2));
/// assert_eq!(receiver.iter().sum::<i32>(), 3);
/// ```
pub struct Sender<T> {
    inner: channel::Sender<T>,
}

/// The sending side of [`sync_channel`]: sending waits while the channel is full.
///
/// ```
/// use trefoil_sync::mpsc;
///
/// let (sender, receiver) = mpsc::sync_channel(1);
/// std::thread::spawn(move || (0..3).for_each(|n| sender.send(n).unwrap()));
/// assert_eq!(receiver.iter().collect::<Vec<_>>(), [0, 1, 2]);
/// ```
pub struct SyncSender<T> {
    inner: channel::Sender<T>,
}

/// The receiving side. There is one, and one thread at a time uses it.
///
/// ```compile_fail
/// let (sender, receiver) = trefoil_sync::mpsc::channel::<u32>();
/// // It is not `Sync`, as `std`'s.
/// std::thread::scope(|scope| scope.spawn(|| receiver.recv()));
/// ```
///
/// ```
/// let (sender, receiver) = trefoil_sync::mpsc::channel();
/// sender.send(1).unwrap();
/// std::thread::spawn(move || assert_eq!(receiver.recv(), Ok(1)));
/// ```
pub struct Receiver<T> {
    inner: channel::Receiver<T>,
    _one: PhantomData<Cell<()>>,
}

/// A channel that holds any number of messages.
///
/// ```
/// let (sender, receiver) = trefoil_sync::mpsc::channel();
/// sender.send(1).unwrap();
/// assert_eq!(receiver.recv(), Ok(1));
/// ```
#[must_use]
pub fn channel<T>() -> (Sender<T>, Receiver<T>) {
    let (inner, receiver) = channel::unbounded();
    (Sender { inner }, Receiver::new(receiver))
}

/// A channel that holds at most `bound` messages. With 0 each message goes from hand to hand.
///
/// # Panics
///
/// If room for so many messages cannot be had.
///
/// ```
/// use trefoil_sync::mpsc::{TrySendError, sync_channel};
///
/// let (sender, receiver) = sync_channel(1);
/// sender.send(1).unwrap();
/// assert_eq!(sender.try_send(2), Err(TrySendError::Full(2)));
/// assert_eq!(receiver.recv(), Ok(1));
/// ```
#[must_use]
pub fn sync_channel<T>(bound: usize) -> (SyncSender<T>, Receiver<T>) {
    let (inner, receiver) = channel::bounded(bound);
    (SyncSender { inner }, Receiver::new(receiver))
}

impl<T> Sender<T> {
    /// Sends a message. Never waits.
    ///
    /// # Errors
    ///
    /// If the receiver has gone; the error holds the message.
    ///
    /// ```
    /// let (sender, receiver) = trefoil_sync::mpsc::channel();
    /// drop(receiver);
    /// assert_eq!(sender.send(1).unwrap_err().0, 1);
    /// ```
    pub fn send(&self, message: T) -> Result<(), SendError<T>> {
        self.inner
            .send(message)
            .map_err(|error| SendError(error.into_inner()))
    }
}

impl<T> SyncSender<T> {
    /// Sends a message; parks the thread while the channel is full. A cancellation point when it
    /// has to wait: then the message is dropped.
    ///
    /// # Errors
    ///
    /// If the receiver has gone, also meanwhile; the error holds the message.
    ///
    /// ```
    /// let (sender, receiver) = trefoil_sync::mpsc::sync_channel(0);
    /// std::thread::spawn(move || sender.send(1));
    /// assert_eq!(receiver.recv(), Ok(1));
    /// ```
    #[track_caller]
    pub fn send(&self, message: T) -> Result<(), SendError<T>> {
        self.inner
            .send(message)
            .map_err(|error| SendError(error.into_inner()))
    }

    /// Sends a message if there is room, or a receiver waits. Never waits.
    ///
    /// # Errors
    ///
    /// If the channel is full, or the receiver has gone; the error holds the message.
    ///
    /// ```
    /// use trefoil_sync::mpsc::{TrySendError, sync_channel};
    ///
    /// let (sender, _receiver) = sync_channel(0);
    /// assert_eq!(sender.try_send(1), Err(TrySendError::Full(1)));
    /// ```
    pub fn try_send(&self, message: T) -> Result<(), TrySendError<T>> {
        self.inner.try_send(message).map_err(|error| match error {
            channel::TrySendError::Full(message) => TrySendError::Full(message),
            channel::TrySendError::Disconnected(message) => TrySendError::Disconnected(message),
        })
    }
}

impl<T> Receiver<T> {
    fn new(inner: channel::Receiver<T>) -> Receiver<T> {
        Receiver {
            inner,
            _one: PhantomData,
        }
    }

    /// Receives a message; parks the thread while there is none. A cancellation point when it
    /// has to wait; a message that has come is returned first.
    ///
    /// # Errors
    ///
    /// If there is no message and the last sender has gone, also meanwhile.
    ///
    /// ```
    /// use trefoil_sync::mpsc::{RecvError, channel};
    ///
    /// let (sender, receiver) = channel();
    /// std::thread::spawn(move || sender.send(1));
    /// assert_eq!(receiver.recv(), Ok(1));
    /// assert_eq!(receiver.recv(), Err(RecvError));
    /// ```
    #[track_caller]
    pub fn recv(&self) -> Result<T, RecvError> {
        self.inner.recv().map_err(|_| RecvError)
    }

    /// Receives a message if there is one. Never waits.
    ///
    /// # Errors
    ///
    /// If there is none; it tells whether one may still come.
    ///
    /// ```
    /// use trefoil_sync::mpsc::{TryRecvError, channel};
    ///
    /// let (sender, receiver) = channel::<u32>();
    /// assert_eq!(receiver.try_recv(), Err(TryRecvError::Empty));
    /// drop(sender);
    /// assert_eq!(receiver.try_recv(), Err(TryRecvError::Disconnected));
    /// ```
    pub fn try_recv(&self) -> Result<T, TryRecvError> {
        self.inner.try_recv().map_err(|error| match error {
            channel::TryRecvError::Empty => TryRecvError::Empty,
            channel::TryRecvError::Disconnected => TryRecvError::Disconnected,
        })
    }

    /// As [`recv`](Receiver::recv), and gives up after this time.
    ///
    /// # Errors
    ///
    /// If no message came in time, or as [`recv`](Receiver::recv).
    ///
    /// ```
    /// use std::time::Duration;
    /// use trefoil_sync::mpsc::{RecvTimeoutError, channel};
    ///
    /// let (sender, receiver) = channel::<u32>();
    /// let timeout = Duration::from_millis(1);
    /// assert_eq!(receiver.recv_timeout(timeout), Err(RecvTimeoutError::Timeout));
    /// drop(sender);
    /// assert_eq!(receiver.recv_timeout(timeout), Err(RecvTimeoutError::Disconnected));
    /// ```
    #[track_caller]
    pub fn recv_timeout(&self, timeout: Duration) -> Result<T, RecvTimeoutError> {
        self.inner
            .recv_timeout(timeout)
            .map_err(|error| match error {
                channel::RecvTimeoutError::Timeout => RecvTimeoutError::Timeout,
                channel::RecvTimeoutError::Disconnected => RecvTimeoutError::Disconnected,
            })
    }

    /// The messages, as they come, until the last sender has gone. Each is waited for as by
    /// [`recv`](Receiver::recv).
    ///
    /// ```
    /// let (sender, receiver) = trefoil_sync::mpsc::channel();
    /// std::thread::spawn(move || (0..3).for_each(|n| sender.send(n).unwrap()));
    /// assert_eq!(receiver.iter().collect::<Vec<_>>(), [0, 1, 2]);
    /// ```
    pub fn iter(&self) -> Iter<'_, T> {
        Iter { receiver: self }
    }

    /// The messages that are there, until there is none. Never waits.
    ///
    /// ```
    /// let (sender, receiver) = trefoil_sync::mpsc::channel();
    /// sender.send(1).unwrap();
    /// assert_eq!(receiver.try_iter().collect::<Vec<_>>(), [1]);
    /// ```
    pub fn try_iter(&self) -> TryIter<'_, T> {
        TryIter { receiver: self }
    }
}

/// Waits for each message, until the last sender has gone: see [`Receiver::iter`].
///
/// ```
/// let (sender, receiver) = trefoil_sync::mpsc::channel();
/// std::thread::spawn(move || (1..=3).for_each(|n| sender.send(n).unwrap()));
/// assert_eq!(receiver.iter().sum::<u32>(), 6);
/// ```
#[derive(Debug)]
pub struct Iter<'a, T: 'a> {
    receiver: &'a Receiver<T>,
}

/// Takes the messages that are there: see [`Receiver::try_iter`].
///
/// ```
/// let (sender, receiver) = trefoil_sync::mpsc::channel();
/// (1..=3).for_each(|n| sender.send(n).unwrap());
/// assert_eq!(receiver.try_iter().sum::<u32>(), 6);
/// ```
#[derive(Debug)]
pub struct TryIter<'a, T: 'a> {
    receiver: &'a Receiver<T>,
}

/// Owns its receiver, and waits for each message, until the last sender has gone.
///
/// ```
/// let (sender, receiver) = trefoil_sync::mpsc::channel();
/// sender.send(1).unwrap();
/// drop(sender);
/// assert_eq!(receiver.into_iter().collect::<Vec<_>>(), [1]);
/// ```
#[derive(Debug)]
pub struct IntoIter<T> {
    receiver: Receiver<T>,
}

impl<T> Iterator for Iter<'_, T> {
    type Item = T;
    #[track_caller]
    fn next(&mut self) -> Option<T> {
        self.receiver.recv().ok()
    }
}

impl<T> Iterator for TryIter<'_, T> {
    type Item = T;
    fn next(&mut self) -> Option<T> {
        self.receiver.try_recv().ok()
    }
}

impl<T> Iterator for IntoIter<T> {
    type Item = T;
    #[track_caller]
    fn next(&mut self) -> Option<T> {
        self.receiver.recv().ok()
    }
}

// The last sender does not come back.
impl<T> FusedIterator for Iter<'_, T> {}
impl<T> FusedIterator for IntoIter<T> {}

impl<'a, T> IntoIterator for &'a Receiver<T> {
    type Item = T;
    type IntoIter = Iter<'a, T>;
    fn into_iter(self) -> Iter<'a, T> {
        self.iter()
    }
}

impl<T> IntoIterator for Receiver<T> {
    type Item = T;
    type IntoIter = IntoIter<T>;
    fn into_iter(self) -> IntoIter<T> {
        IntoIter { receiver: self }
    }
}

impl<T> Clone for Sender<T> {
    fn clone(&self) -> Sender<T> {
        Sender {
            inner: self.inner.clone(),
        }
    }
}

impl<T> Clone for SyncSender<T> {
    fn clone(&self) -> SyncSender<T> {
        SyncSender {
            inner: self.inner.clone(),
        }
    }
}

impl<T> fmt::Debug for Sender<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sender").finish_non_exhaustive()
    }
}

impl<T> fmt::Debug for SyncSender<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SyncSender").finish_non_exhaustive()
    }
}

impl<T> fmt::Debug for Receiver<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Receiver").finish_non_exhaustive()
    }
}

// The marker has no state that a panic could break.
impl<T> RefUnwindSafe for Receiver<T> {}
