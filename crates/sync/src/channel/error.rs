//! What the operations of a channel return when they fail. They give the message back.
#![forbid(unsafe_code)]

use std::error::Error;
use std::fmt;

/// From [`Sender::send`](super::Sender::send): the last receiver has gone. It holds the message.
///
/// ```
/// use trefoil_sync::channel::{SendError, unbounded};
///
/// let (sender, receiver) = unbounded();
/// drop(receiver);
/// let error = sender.send("unread").unwrap_err();
/// assert_eq!(error, SendError("unread"));
/// assert_eq!(error.to_string(), "sending on a disconnected channel");
/// ```
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct SendError<T>(pub T);

/// From [`Sender::try_send`](super::Sender::try_send). It holds the message.
///
/// ```
/// use trefoil_sync::channel::{TrySendError, bounded};
///
/// let (sender, receiver) = bounded(0);
/// assert_eq!(sender.try_send(1), Err(TrySendError::Full(1)));
/// drop(receiver);
/// assert_eq!(sender.try_send(1), Err(TrySendError::Disconnected(1)));
/// ```
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum TrySendError<T> {
    /// There is no room; at a rendezvous, no receiver waits.
    Full(T),
    /// The last receiver has gone.
    Disconnected(T),
}

/// From [`Sender::send_timeout`](super::Sender::send_timeout) and
/// [`Sender::send_deadline`](super::Sender::send_deadline). It holds the message.
///
/// ```
/// use std::time::Duration;
/// use trefoil_sync::channel::{SendTimeoutError, bounded};
///
/// let (sender, _receiver) = bounded(0);
/// let error = sender.send_timeout(1, Duration::ZERO).unwrap_err();
/// assert_eq!(error, SendTimeoutError::Timeout(1));
/// assert_eq!(error.to_string(), "timed out waiting on send operation");
/// ```
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum SendTimeoutError<T> {
    /// There was no room in time; at a rendezvous, no receiver came.
    Timeout(T),
    /// The last receiver has gone.
    Disconnected(T),
}

/// From [`Receiver::recv`](super::Receiver::recv): there is no message, and the last sender has
/// gone.
///
/// ```
/// use trefoil_sync::channel::{RecvError, unbounded};
///
/// let (sender, receiver) = unbounded::<u8>();
/// drop(sender);
/// assert_eq!(receiver.recv(), Err(RecvError));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RecvError;

/// From [`Receiver::try_recv`](super::Receiver::try_recv).
///
/// ```
/// use trefoil_sync::channel::{TryRecvError, unbounded};
///
/// let (sender, receiver) = unbounded::<u8>();
/// assert_eq!(receiver.try_recv(), Err(TryRecvError::Empty));
/// drop(sender);
/// assert_eq!(receiver.try_recv(), Err(TryRecvError::Disconnected));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TryRecvError {
    /// There is no message; at a rendezvous, no sender waits.
    Empty,
    /// There is no message, and the last sender has gone.
    Disconnected,
}

/// From [`Receiver::recv_timeout`](super::Receiver::recv_timeout) and
/// [`Receiver::recv_deadline`](super::Receiver::recv_deadline).
///
/// ```
/// use std::time::Duration;
/// use trefoil_sync::channel::{RecvTimeoutError, unbounded};
///
/// let (_sender, receiver) = unbounded::<u8>();
/// let error = receiver.recv_timeout(Duration::ZERO).unwrap_err();
/// assert_eq!(error, RecvTimeoutError::Timeout);
/// assert_eq!(error.to_string(), "timed out waiting on receive operation");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RecvTimeoutError {
    /// No message came in time.
    Timeout,
    /// There is no message, and the last sender has gone.
    Disconnected,
}

/// From [`Select::try_select`](super::Select::try_select): no operation could be done at once.
///
/// ```
/// use trefoil_sync::channel::Select;
///
/// let error = Select::new().try_select().unwrap_err();
/// assert_eq!(error.to_string(), "all operations in select would block");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TrySelectError;

/// From [`Select::select_timeout`](super::Select::select_timeout) and
/// [`Select::select_deadline`](super::Select::select_deadline): no operation could be done in time.
///
/// ```
/// use std::time::Instant;
/// use trefoil_sync::channel::Select;
///
/// let error = Select::new().select_deadline(Instant::now()).unwrap_err();
/// assert_eq!(error.to_string(), "timed out waiting on select");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SelectTimeoutError;

/// From [`Select::try_ready`](super::Select::try_ready): no operation can be done now.
///
/// ```
/// use trefoil_sync::channel::{Select, TryReadyError};
///
/// assert_eq!(Select::new().try_ready(), Err(TryReadyError));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TryReadyError;

/// From [`Select::ready_timeout`](super::Select::ready_timeout) and
/// [`Select::ready_deadline`](super::Select::ready_deadline): no operation could be done in time.
///
/// ```
/// use std::time::Instant;
/// use trefoil_sync::channel::{ReadyTimeoutError, Select};
///
/// assert_eq!(Select::new().ready_deadline(Instant::now()), Err(ReadyTimeoutError));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReadyTimeoutError;

impl<T> SendError<T> {
    /// The message.
    ///
    /// ```
    /// # let (sender, receiver) = trefoil_sync::channel::unbounded();
    /// # drop(receiver);
    /// assert_eq!(sender.send(1).unwrap_err().into_inner(), 1);
    /// ```
    pub fn into_inner(self) -> T {
        self.0
    }
}

impl<T> TrySendError<T> {
    /// The message.
    ///
    /// ```
    /// # let (sender, _receiver) = trefoil_sync::channel::bounded(0);
    /// assert_eq!(sender.try_send(1).unwrap_err().into_inner(), 1);
    /// ```
    pub fn into_inner(self) -> T {
        match self {
            TrySendError::Full(message) | TrySendError::Disconnected(message) => message,
        }
    }

    /// Whether there was no room.
    ///
    /// ```
    /// # let (sender, _receiver) = trefoil_sync::channel::bounded(0);
    /// assert!(sender.try_send(1).unwrap_err().is_full());
    /// ```
    pub fn is_full(&self) -> bool {
        matches!(self, TrySendError::Full(_))
    }

    /// Whether the last receiver has gone.
    ///
    /// ```
    /// # let (sender, receiver) = trefoil_sync::channel::bounded(0);
    /// drop(receiver);
    /// assert!(sender.try_send(1).unwrap_err().is_disconnected());
    /// ```
    pub fn is_disconnected(&self) -> bool {
        matches!(self, TrySendError::Disconnected(_))
    }
}

impl<T> SendTimeoutError<T> {
    /// The message.
    ///
    /// ```
    /// # let (sender, _receiver) = trefoil_sync::channel::bounded(0);
    /// # let now = std::time::Instant::now();
    /// assert_eq!(sender.send_deadline(1, now).unwrap_err().into_inner(), 1);
    /// ```
    pub fn into_inner(self) -> T {
        match self {
            SendTimeoutError::Timeout(message) | SendTimeoutError::Disconnected(message) => message,
        }
    }

    /// Whether the time came first.
    ///
    /// ```
    /// # let (sender, _receiver) = trefoil_sync::channel::bounded(0);
    /// # let now = std::time::Instant::now();
    /// assert!(sender.send_deadline(1, now).unwrap_err().is_timeout());
    /// ```
    pub fn is_timeout(&self) -> bool {
        matches!(self, SendTimeoutError::Timeout(_))
    }

    /// Whether the last receiver has gone.
    ///
    /// ```
    /// # let (sender, receiver) = trefoil_sync::channel::bounded(0);
    /// # let now = std::time::Instant::now();
    /// drop(receiver);
    /// assert!(sender.send_deadline(1, now).unwrap_err().is_disconnected());
    /// ```
    pub fn is_disconnected(&self) -> bool {
        matches!(self, SendTimeoutError::Disconnected(_))
    }
}

impl TryRecvError {
    /// Whether there was no message.
    ///
    /// ```
    /// # let (_sender, receiver) = trefoil_sync::channel::unbounded::<u8>();
    /// assert!(receiver.try_recv().unwrap_err().is_empty());
    /// ```
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == TryRecvError::Empty
    }

    /// Whether the last sender has gone.
    ///
    /// ```
    /// # let (sender, receiver) = trefoil_sync::channel::unbounded::<u8>();
    /// drop(sender);
    /// assert!(receiver.try_recv().unwrap_err().is_disconnected());
    /// ```
    #[must_use]
    pub fn is_disconnected(&self) -> bool {
        *self == TryRecvError::Disconnected
    }
}

impl RecvTimeoutError {
    /// Whether the time came first.
    ///
    /// ```
    /// # let (_sender, receiver) = trefoil_sync::channel::unbounded::<u8>();
    /// # let now = std::time::Instant::now();
    /// assert!(receiver.recv_deadline(now).unwrap_err().is_timeout());
    /// ```
    #[must_use]
    pub fn is_timeout(&self) -> bool {
        *self == RecvTimeoutError::Timeout
    }

    /// Whether the last sender has gone.
    ///
    /// ```
    /// # let (sender, receiver) = trefoil_sync::channel::unbounded::<u8>();
    /// # let now = std::time::Instant::now();
    /// drop(sender);
    /// assert!(receiver.recv_deadline(now).unwrap_err().is_disconnected());
    /// ```
    #[must_use]
    pub fn is_disconnected(&self) -> bool {
        *self == RecvTimeoutError::Disconnected
    }
}

// The message need not be printable, and is not printed.

impl<T> fmt::Debug for SendError<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad("SendError(..)")
    }
}

impl<T> fmt::Debug for TrySendError<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            TrySendError::Full(_) => "Full(..)",
            TrySendError::Disconnected(_) => "Disconnected(..)",
        })
    }
}

impl<T> fmt::Debug for SendTimeoutError<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad("SendTimeoutError(..)")
    }
}

impl<T> fmt::Display for SendError<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad("sending on a disconnected channel")
    }
}

impl<T> fmt::Display for TrySendError<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            TrySendError::Full(_) => "sending on a full channel",
            TrySendError::Disconnected(_) => "sending on a disconnected channel",
        })
    }
}

impl<T> fmt::Display for SendTimeoutError<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            SendTimeoutError::Timeout(_) => "timed out waiting on send operation",
            SendTimeoutError::Disconnected(_) => "sending on a disconnected channel",
        })
    }
}

impl fmt::Display for RecvError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad("receiving on an empty and disconnected channel")
    }
}

impl fmt::Display for TryRecvError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            TryRecvError::Empty => "receiving on an empty channel",
            TryRecvError::Disconnected => "receiving on an empty and disconnected channel",
        })
    }
}

impl fmt::Display for RecvTimeoutError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            RecvTimeoutError::Timeout => "timed out waiting on receive operation",
            RecvTimeoutError::Disconnected => "channel is empty and disconnected",
        })
    }
}

impl fmt::Display for TrySelectError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad("all operations in select would block")
    }
}

impl fmt::Display for SelectTimeoutError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad("timed out waiting on select")
    }
}

impl fmt::Display for TryReadyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad("no operation in select is ready")
    }
}

impl fmt::Display for ReadyTimeoutError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad("timed out waiting for readiness in select")
    }
}

impl<T> Error for SendError<T> {}
impl<T> Error for TrySendError<T> {}
impl<T> Error for SendTimeoutError<T> {}
impl Error for RecvError {}
impl Error for TryRecvError {}
impl Error for RecvTimeoutError {}
impl Error for TrySelectError {}
impl Error for SelectTimeoutError {}
impl Error for TryReadyError {}
impl Error for ReadyTimeoutError {}

impl<T> From<SendError<T>> for TrySendError<T> {
    fn from(error: SendError<T>) -> TrySendError<T> {
        TrySendError::Disconnected(error.0)
    }
}

impl<T> From<SendError<T>> for SendTimeoutError<T> {
    fn from(error: SendError<T>) -> SendTimeoutError<T> {
        SendTimeoutError::Disconnected(error.0)
    }
}

impl From<RecvError> for TryRecvError {
    fn from(_: RecvError) -> TryRecvError {
        TryRecvError::Disconnected
    }
}

impl From<RecvError> for RecvTimeoutError {
    fn from(_: RecvError) -> RecvTimeoutError {
        RecvTimeoutError::Disconnected
    }
}
