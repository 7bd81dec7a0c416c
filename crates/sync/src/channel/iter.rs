//! The messages of a channel, one after another.
#![forbid(unsafe_code)]

use std::fmt;
use std::iter::FusedIterator;

use super::receiver::Receiver;

/// Waits for each message, until the last sender has gone: see [`Receiver::iter`].
///
/// ```
/// let (sender, receiver) = trefoil_sync::channel::unbounded();
/// sender.send(1).unwrap();
/// drop(sender);
/// let mut messages = receiver.iter();
/// assert_eq!((messages.next(), messages.next()), (Some(1), None));
/// ```
pub struct Iter<'a, T> {
    receiver: &'a Receiver<T>,
}

/// Takes the messages that are there: see [`Receiver::try_iter`]. When there is none it gives
/// `None`, and goes on when there is one again.
///
/// ```
/// let (sender, receiver) = trefoil_sync::channel::unbounded();
/// sender.send(1).unwrap();
/// let mut messages = receiver.try_iter();
/// assert_eq!((messages.next(), messages.next()), (Some(1), None));
/// ```
pub struct TryIter<'a, T> {
    receiver: &'a Receiver<T>,
}

/// Owns its receiver, and waits for each message, until the last sender has gone.
///
/// ```
/// let (sender, receiver) = trefoil_sync::channel::unbounded();
/// sender.send(1).unwrap();
/// drop(sender);
/// assert_eq!(receiver.into_iter().collect::<Vec<_>>(), [1]);
/// ```
pub struct IntoIter<T> {
    receiver: Receiver<T>,
}

impl<'a, T> Iter<'a, T> {
    pub(super) fn new(receiver: &'a Receiver<T>) -> Iter<'a, T> {
        Iter { receiver }
    }
}

impl<'a, T> TryIter<'a, T> {
    pub(super) fn new(receiver: &'a Receiver<T>) -> TryIter<'a, T> {
        TryIter { receiver }
    }
}

impl<T> Iterator for Iter<'_, T> {
    type Item = T;

    #[track_caller]
    #[inline]
    fn next(&mut self) -> Option<T> {
        self.receiver.recv().ok()
    }
}

impl<T> Iterator for TryIter<'_, T> {
    type Item = T;

    #[track_caller]
    #[inline]
    fn next(&mut self) -> Option<T> {
        self.receiver.try_recv().ok()
    }
}

impl<T> Iterator for IntoIter<T> {
    type Item = T;

    #[track_caller]
    #[inline]
    fn next(&mut self) -> Option<T> {
        self.receiver.recv().ok()
    }
}

// A channel whose senders have gone stays so.
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

impl<T> fmt::Debug for Iter<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad("Iter { .. }")
    }
}

impl<T> fmt::Debug for TryIter<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad("TryIter { .. }")
    }
}

impl<T> fmt::Debug for IntoIter<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad("IntoIter { .. }")
    }
}
