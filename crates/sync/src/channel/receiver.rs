//! The receiving end of a channel.
#![forbid(unsafe_code)]

use std::fmt;
use std::panic::{RefUnwindSafe, UnwindSafe};
use std::ptr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use trefoil_runtime::spend;
use trefoil_runtime::thread::deadline_after;

use super::clock::{self, Clock, Comes};
use super::error::{RecvError, RecvTimeoutError, TryRecvError};
use super::iter::{Iter, TryIter};
use super::select::RecvArm;
use super::shared::Shared;
#[cfg(feature = "stream")]
use super::stream::ReceiverStream;

/// The receiving end of a channel. Clones receive from the same one, from any thread of any
/// model: each message goes to one of them.
///
/// When the last one goes, the messages that are left are dropped, and senders get an error.
///
/// ```
/// use trefoil_sync::channel::unbounded;
///
/// let (sender, receiver) = unbounded();
/// let second = receiver.clone();
/// sender.send(1).unwrap();
/// sender.send(2).unwrap();
/// assert_eq!(receiver.recv(), Ok(1));
/// assert_eq!(second.recv(), Ok(2));
/// ```
pub struct Receiver<T> {
    source: Source<T>,
}

/// Who sends.
enum Source<T> {
    /// Threads.
    Channel(Arc<Shared<T>>),
    /// Time.
    Clock(Arc<dyn Comes<T>>),
    Nobody,
}

impl<T> Receiver<T> {
    /// The channel counts one receiver when it is made.
    pub(super) fn new(shared: Arc<Shared<T>>) -> Receiver<T> {
        Receiver {
            source: Source::Channel(shared),
        }
    }

    pub(super) fn of_nothing() -> Receiver<T> {
        Receiver {
            source: Source::Nobody,
        }
    }

    /// The operation of a select.
    pub(super) fn arm(&self) -> RecvArm<'_, T> {
        match &self.source {
            Source::Channel(shared) => RecvArm::of_channel(shared),
            Source::Clock(clock) => RecvArm::of_clock(Some(&**clock)),
            Source::Nobody => RecvArm::of_clock(None),
        }
    }

    #[track_caller]
    fn recv_until(&self, until: Option<Instant>) -> Result<T, RecvTimeoutError> {
        match &self.source {
            Source::Channel(shared) => shared.recv(until),
            Source::Clock(clock) => clock::recv(Some(&**clock), until),
            Source::Nobody => clock::recv(None, until),
        }
    }

    /// Receives a message, and waits while there is none. A cancellation point when it has to
    /// wait. No message is lost by that: a thread that has got one returns, and ends at its next
    /// cancellation point.
    ///
    /// # Errors
    ///
    /// If there is no message and the last sender has gone, also while it waits.
    ///
    /// ```
    /// use trefoil_sync::channel::{RecvError, unbounded};
    ///
    /// let (sender, receiver) = unbounded();
    /// std::thread::spawn(move || sender.send(1));
    /// assert_eq!(receiver.recv(), Ok(1));
    /// assert_eq!(receiver.recv(), Err(RecvError));
    /// ```
    // Inlined for the reason told in the runtime's `fiber.rs`. Not where nothing is optimized: there each call
    // would have room of its own in the program's frame, for its node and many copies of the message.
    #[track_caller]
    #[cfg_attr(not(debug_assertions), inline(always))]
    #[cfg_attr(debug_assertions, inline)]
    pub fn recv(&self) -> Result<T, RecvError> {
        // Without a deadline the other error does not come.
        match &self.source {
            Source::Channel(shared) => shared.recv(None).map_err(|_| RecvError),
            _ => self.recv_until(None).map_err(|_| RecvError),
        }
    }

    /// Receives a message if there is one, or if a sender waits. Never waits, but for one case: a
    /// `select!` that sends at a rendezvous makes its message when it has met a receiver, which
    /// waits for that.
    ///
    /// # Errors
    ///
    /// If there is no message; it tells whether one may still come.
    ///
    /// ```
    /// use trefoil_sync::channel::{TryRecvError, unbounded};
    ///
    /// let (sender, receiver) = unbounded();
    /// assert_eq!(receiver.try_recv(), Err(TryRecvError::Empty));
    /// sender.send(1).unwrap();
    /// drop(sender);
    /// assert_eq!(receiver.try_recv(), Ok(1));
    /// assert_eq!(receiver.try_recv(), Err(TryRecvError::Disconnected));
    /// ```
    #[track_caller]
    #[inline]
    pub fn try_recv(&self) -> Result<T, TryRecvError> {
        match &self.source {
            Source::Channel(shared) => shared.try_recv(),
            Source::Clock(clock) => clock.take().ok_or(TryRecvError::Empty),
            Source::Nobody => Err(TryRecvError::Empty),
        }
    }

    /// As [`recv`](Receiver::recv), and gives up after this time. It tries at least once.
    ///
    /// # Errors
    ///
    /// If no message came in time, or if there is none and the last sender has gone.
    ///
    /// ```
    /// use std::time::Duration;
    /// use trefoil_sync::channel::{RecvTimeoutError, unbounded};
    ///
    /// let (sender, receiver) = unbounded();
    /// let timeout = Duration::from_millis(1);
    /// assert_eq!(receiver.recv_timeout(timeout), Err(RecvTimeoutError::Timeout));
    /// sender.send(1).unwrap();
    /// assert_eq!(receiver.recv_timeout(timeout), Ok(1));
    /// ```
    #[track_caller]
    pub fn recv_timeout(&self, timeout: Duration) -> Result<T, RecvTimeoutError> {
        // The clock is read only if there is need to wait.
        match self.try_recv() {
            Ok(message) => {
                spend();
                Ok(message)
            }
            Err(TryRecvError::Empty) => self.recv_until(deadline_after(timeout)),
            Err(TryRecvError::Disconnected) => Err(RecvTimeoutError::Disconnected),
        }
    }

    /// As [`recv`](Receiver::recv), and gives up at this time. It tries at least once.
    ///
    /// # Errors
    ///
    /// If no message came in time, or if there is none and the last sender has gone.
    ///
    /// ```
    /// use std::time::Instant;
    /// use trefoil_sync::channel::unbounded;
    ///
    /// let (sender, receiver) = unbounded();
    /// let past = Instant::now();
    /// sender.send(1).unwrap();
    /// assert_eq!(receiver.recv_deadline(past), Ok(1));
    /// assert!(receiver.recv_deadline(past).unwrap_err().is_timeout());
    /// ```
    #[track_caller]
    pub fn recv_deadline(&self, deadline: Instant) -> Result<T, RecvTimeoutError> {
        self.recv_until(Some(deadline))
    }

    /// The messages, as they come, until the last sender has gone. `next` waits as
    /// [`recv`](Receiver::recv) does.
    ///
    /// ```
    /// let (sender, receiver) = trefoil_sync::channel::unbounded();
    /// std::thread::spawn(move || (0..3).for_each(|n| sender.send(n).unwrap()));
    /// assert_eq!(receiver.iter().collect::<Vec<_>>(), [0, 1, 2]);
    /// ```
    pub fn iter(&self) -> Iter<'_, T> {
        Iter::new(self)
    }

    /// The messages that are there, until there is none. Waits only where [`try_recv`](Receiver::try_recv)
    /// does.
    ///
    /// ```
    /// let (sender, receiver) = trefoil_sync::channel::unbounded();
    /// sender.send(1).unwrap();
    /// sender.send(2).unwrap();
    /// assert_eq!(receiver.try_iter().collect::<Vec<_>>(), [1, 2]);
    /// ```
    pub fn try_iter(&self) -> TryIter<'_, T> {
        TryIter::new(self)
    }

    /// The messages as a `futures_core::Stream`, for async code. Needs the feature `stream`.
    ///
    /// ```
    /// use std::future::poll_fn;
    /// use std::pin::Pin;
    /// use futures_core::Stream as _;
    /// use trefoil_runtime::future::block_on;
    /// use trefoil_sync::channel::unbounded;
    ///
    /// let (sender, receiver) = unbounded();
    /// std::thread::spawn(move || (1..=4).for_each(|n| sender.send(n).unwrap()));
    /// let mut stream = receiver.into_stream();
    /// let sum = block_on(async {
    ///     let mut sum = 0;
    ///     while let Some(n) = poll_fn(|context| Pin::new(&mut stream).poll_next(context)).await {
    ///         sum += n;
    ///     }
    ///     sum
    /// });
    /// assert_eq!(sum, 10);
    /// ```
    #[cfg(feature = "stream")]
    pub fn into_stream(self) -> ReceiverStream<T> {
        ReceiverStream::new(self)
    }

    /// Whether no message is in the channel. A rendezvous is always empty.
    ///
    /// ```
    /// let (sender, receiver) = trefoil_sync::channel::unbounded();
    /// assert!(receiver.is_empty());
    /// sender.send(1).unwrap();
    /// assert!(!receiver.is_empty());
    /// ```
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Whether the channel holds as much as it can. A rendezvous is always full.
    ///
    /// ```
    /// let (_sender, receiver) = trefoil_sync::channel::bounded::<u8>(0);
    /// assert!(receiver.is_full());
    /// ```
    #[must_use]
    pub fn is_full(&self) -> bool {
        self.capacity()
            .is_some_and(|capacity| self.len() >= capacity)
    }

    /// How many messages are in the channel. Those of waiting senders do not count.
    ///
    /// ```
    /// let (sender, receiver) = trefoil_sync::channel::unbounded();
    /// sender.send(1).unwrap();
    /// assert_eq!(receiver.len(), 1);
    /// ```
    #[must_use]
    pub fn len(&self) -> usize {
        match &self.source {
            Source::Channel(shared) => shared.len(),
            Source::Clock(clock) => {
                let is_due = |due| due <= Instant::now();
                usize::from(clock.due().is_some_and(is_due))
            }
            Source::Nobody => 0,
        }
    }

    /// How many messages the channel can hold. `None`: any number.
    ///
    /// ```
    /// use trefoil_sync::channel::{bounded, unbounded};
    ///
    /// assert_eq!(bounded::<u8>(3).1.capacity(), Some(3));
    /// assert_eq!(unbounded::<u8>().1.capacity(), None);
    /// ```
    #[must_use]
    pub fn capacity(&self) -> Option<usize> {
        match &self.source {
            Source::Channel(shared) => shared.capacity(),
            Source::Clock(_) => Some(1),
            Source::Nobody => Some(0),
        }
    }

    /// Whether both receive from the same channel.
    ///
    /// ```
    /// use trefoil_sync::channel::unbounded;
    ///
    /// let (_sender, receiver) = unbounded::<u8>();
    /// let (_sender, other) = unbounded();
    /// assert!(receiver.same_channel(&receiver.clone()));
    /// assert!(!receiver.same_channel(&other));
    /// ```
    #[must_use]
    pub fn same_channel(&self, other: &Receiver<T>) -> bool {
        match (&self.source, &other.source) {
            (Source::Channel(one), Source::Channel(other)) => Arc::ptr_eq(one, other),
            (Source::Clock(one), Source::Clock(other)) => {
                ptr::addr_eq(Arc::as_ptr(one), Arc::as_ptr(other))
            }
            (Source::Nobody, Source::Nobody) => true,
            _ => false,
        }
    }
}

impl Receiver<Instant> {
    pub(super) fn by_clock(clock: Clock) -> Receiver<Instant> {
        Receiver {
            source: Source::Clock(Arc::new(clock)),
        }
    }
}

impl<T> Clone for Receiver<T> {
    fn clone(&self) -> Receiver<T> {
        let source = match &self.source {
            Source::Channel(shared) => Source::Channel(shared.add_receiver()),
            Source::Clock(clock) => Source::Clock(Arc::clone(clock)),
            Source::Nobody => Source::Nobody,
        };
        Receiver { source }
    }
}

impl<T> Drop for Receiver<T> {
    fn drop(&mut self) {
        if let Source::Channel(shared) = &self.source {
            shared.remove_receiver();
        }
    }
}

impl<T> fmt::Debug for Receiver<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad("Receiver { .. }")
    }
}

// No panic can be seen in a channel: no foreign code runs while it is being changed.
impl<T> UnwindSafe for Receiver<T> {}
impl<T> RefUnwindSafe for Receiver<T> {}
