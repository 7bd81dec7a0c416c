//! One value from one thread to another.
//!
//! | a channel is | it holds    | leaves by                                                   |
//! |--------------|-------------|-------------------------------------------------------------|
//! | open         | nothing     | `send`; the sender's drop; the receiver's `close` or drop   |
//! | sent         | the value   | a receive takes it, or the receiver's drop drops it         |
//! | closed       | nothing     | never: sends and receives fail                              |
//!
//! It is what `channel::bounded(1)` can do, in one allocation and without handles to count; and
//! each side can wait for the other's end. Values are dropped after the lock has been given back:
//! they may do anything then.
#![forbid(unsafe_code)]

use std::fmt;
use std::panic::{RefUnwindSafe, UnwindSafe};
use std::sync::Arc;
use std::sync::mpsc::{RecvError, RecvTimeoutError, SendError, TryRecvError};
use std::time::{Duration, Instant};

use trefoil_runtime::thread::deadline_after;
use trefoil_runtime::{Reason, Wait, cancel};

use crate::gate::{Early, Gate};

enum State<T> {
    Open,
    Sent(T),
    Closed,
}

impl<T> State<T> {
    /// Takes the value out, if there is one; then nothing else comes. `None`: one may come.
    fn receive(&mut self) -> Option<Result<T, RecvError>> {
        match std::mem::replace(self, State::Closed) {
            State::Open => {
                *self = State::Open;
                None
            }
            State::Sent(value) => Some(Ok(value)),
            State::Closed => Some(Err(RecvError)),
        }
    }

    /// Nothing can be sent any more. Gives what is left.
    fn end(&mut self) -> State<T> {
        std::mem::replace(self, State::Closed)
    }
}

/// The sending side: it sends one value, or is dropped.
///
/// ```
/// use trefoil_sync::oneshot;
///
/// let (sender, receiver) = oneshot::channel();
/// std::thread::spawn(move || sender.send(6 * 7));
/// assert_eq!(receiver.recv(), Ok(42));
/// ```
pub struct Sender<T> {
    /// `None`: it has sent.
    gate: Option<Arc<Gate<State<T>>>>,
}

/// The receiving side.
///
/// ```
/// use trefoil_sync::oneshot;
///
/// let (sender, receiver) = oneshot::channel::<u32>();
/// drop(sender);
/// assert!(receiver.recv().is_err());
/// ```
pub struct Receiver<T> {
    gate: Arc<Gate<State<T>>>,
}

/// A channel for one value.
///
/// ```
/// let (sender, receiver) = trefoil_sync::oneshot::channel();
/// sender.send("hello").unwrap();
/// assert_eq!(receiver.recv(), Ok("hello"));
/// ```
#[must_use]
pub fn channel<T>() -> (Sender<T>, Receiver<T>) {
    let gate = Arc::new(Gate::new(State::Open));
    let sender = Sender {
        gate: Some(Arc::clone(&gate)),
    };
    (sender, Receiver { gate })
}

impl<T> Sender<T> {
    /// Sends the value. Does not wait.
    ///
    /// # Errors
    ///
    /// If the receiver has gone or is closed; the error holds the value.
    ///
    /// ```
    /// use trefoil_sync::oneshot;
    ///
    /// let (sender, receiver) = oneshot::channel();
    /// drop(receiver);
    /// assert_eq!(sender.send("lost").unwrap_err().0, "lost");
    /// ```
    pub fn send(mut self, value: T) -> Result<(), SendError<T>> {
        let Some(gate) = self.gate.take() else {
            unreachable!("a sender that has sent is gone");
        };
        gate.change(|state| match state {
            State::Open => {
                *state = State::Sent(value);
                Ok(())
            }
            State::Sent(_) | State::Closed => Err(SendError(value)),
        })
    }

    /// Whether the receiver has gone or is closed, so that `send` would fail. Does not wait.
    ///
    /// ```
    /// let (sender, receiver) = trefoil_sync::oneshot::channel::<u32>();
    /// assert!(!sender.is_closed());
    /// drop(receiver);
    /// assert!(sender.is_closed());
    /// ```
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.gate().look(|state| matches!(state, State::Closed))
    }

    /// Parks the thread until the receiver has gone or is closed: then nobody wants the value.
    /// A cancellation point.
    ///
    /// ```
    /// let (sender, receiver) = trefoil_sync::oneshot::channel::<u32>();
    /// std::thread::spawn(move || drop(receiver));
    /// sender.closed();
    /// assert!(sender.send(1).is_err());
    /// ```
    #[track_caller]
    pub fn closed(&self) {
        let wait = Wait::new(Reason::Send).cancellable();
        let closed = |state: &mut State<T>| matches!(state, State::Closed).then_some(());
        match self.gate().wait(&wait, closed, |_| ()) {
            Ok(()) => {}
            Err(Early::Cancelled) => cancel::raise(),
            Err(Early::TimedOut) => unreachable!("it waits without a limit"),
        }
    }

    fn gate(&self) -> &Gate<State<T>> {
        match &self.gate {
            Some(gate) => gate,
            None => unreachable!("a sender that has sent is gone"),
        }
    }
}

impl<T> Drop for Sender<T> {
    fn drop(&mut self) {
        if let Some(gate) = self.gate.take() {
            // Nothing was sent: there is nothing to drop.
            drop(gate.change(State::end));
        }
    }
}

impl<T> Receiver<T> {
    /// Receives the value; parks the thread while there is none. A cancellation point when it
    /// has to wait; a value that has come is returned first.
    ///
    /// # Errors
    ///
    /// If the sender has gone without sending, or the value has been taken.
    ///
    /// ```
    /// let (sender, receiver) = trefoil_sync::oneshot::channel();
    /// std::thread::spawn(move || sender.send(1));
    /// assert_eq!(receiver.recv(), Ok(1));
    /// ```
    #[track_caller]
    pub fn recv(self) -> Result<T, RecvError> {
        // Without a deadline the other error does not come.
        self.receive(None).map_err(|_| RecvError)
    }

    /// Takes the value, if it is there. Does not wait.
    ///
    /// # Errors
    ///
    /// If there is none; it tells whether it may still come.
    ///
    /// ```
    /// use std::sync::mpsc::TryRecvError;
    ///
    /// let (sender, receiver) = trefoil_sync::oneshot::channel();
    /// assert_eq!(receiver.try_recv(), Err(TryRecvError::Empty));
    /// sender.send(1).unwrap();
    /// assert_eq!(receiver.try_recv(), Ok(1));
    /// assert_eq!(receiver.try_recv(), Err(TryRecvError::Disconnected));
    /// ```
    pub fn try_recv(&self) -> Result<T, TryRecvError> {
        match self.gate.look(State::receive) {
            Some(received) => received.map_err(TryRecvError::from),
            None => Err(TryRecvError::Empty),
        }
    }

    /// As [`recv`](Receiver::recv), and gives up after this time; then the receiver can be used
    /// again.
    ///
    /// # Errors
    ///
    /// If the time was over, or as [`recv`](Receiver::recv).
    ///
    /// ```
    /// use std::sync::mpsc::RecvTimeoutError;
    /// use std::time::Duration;
    ///
    /// let (sender, receiver) = trefoil_sync::oneshot::channel();
    /// let timeout = Duration::from_millis(1);
    /// assert_eq!(receiver.recv_timeout(timeout), Err(RecvTimeoutError::Timeout));
    /// sender.send(1).unwrap();
    /// assert_eq!(receiver.recv_timeout(timeout), Ok(1));
    /// ```
    #[track_caller]
    pub fn recv_timeout(&self, timeout: Duration) -> Result<T, RecvTimeoutError> {
        self.receive(deadline_after(timeout))
    }

    /// As [`recv_timeout`](Receiver::recv_timeout), until this time.
    ///
    /// # Errors
    ///
    /// As there.
    ///
    /// ```
    /// let (sender, receiver) = trefoil_sync::oneshot::channel();
    /// sender.send(1).unwrap();
    /// assert_eq!(receiver.recv_deadline(std::time::Instant::now()), Ok(1));
    /// ```
    #[track_caller]
    pub fn recv_deadline(&self, deadline: Instant) -> Result<T, RecvTimeoutError> {
        self.receive(Some(deadline))
    }

    #[track_caller]
    fn receive(&self, until: Option<Instant>) -> Result<T, RecvTimeoutError> {
        let wait = Wait::new(Reason::Receive).until(until).cancellable();
        match self.gate.wait(&wait, State::receive, |_| ()) {
            Ok(received) => received.map_err(RecvTimeoutError::from),
            Err(Early::TimedOut) => Err(RecvTimeoutError::Timeout),
            Err(Early::Cancelled) => cancel::raise(),
        }
    }

    /// Refuses a value from now on: the sender's `send` fails. One that was sent before can
    /// still be received. Does not wait.
    ///
    /// ```
    /// let (sender, receiver) = trefoil_sync::oneshot::channel();
    /// receiver.close();
    /// assert!(sender.send(1).is_err());
    /// ```
    pub fn close(&self) {
        self.gate.change(|state| {
            if matches!(state, State::Open) {
                *state = State::Closed;
            }
        });
    }

    /// Whether the value is there. Does not wait.
    ///
    /// ```
    /// let (sender, receiver) = trefoil_sync::oneshot::channel();
    /// assert!(receiver.is_empty());
    /// sender.send(1).unwrap();
    /// assert!(!receiver.is_empty());
    /// ```
    #[must_use]
    pub fn is_empty(&self) -> bool {
        !self.gate.look(|state| matches!(state, State::Sent(_)))
    }

    /// Whether no value will come any more: there is none, and the sender has gone, or the
    /// receiver was closed, or the value was taken. Does not wait.
    ///
    /// ```
    /// let (sender, receiver) = trefoil_sync::oneshot::channel::<u32>();
    /// assert!(!receiver.is_closed());
    /// drop(sender);
    /// assert!(receiver.is_closed());
    /// ```
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.gate.look(|state| matches!(state, State::Closed))
    }
}

impl<T> Drop for Receiver<T> {
    fn drop(&mut self) {
        // What was sent and not received is dropped here, after the lock.
        drop(self.gate.change(State::end));
    }
}

impl<T> fmt::Debug for Sender<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad("Sender { .. }")
    }
}

impl<T> fmt::Debug for Receiver<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad("Receiver { .. }")
    }
}

// No panic can be seen in a channel: no foreign code runs while it is being changed.
impl<T> UnwindSafe for Sender<T> {}
impl<T> RefUnwindSafe for Sender<T> {}
impl<T> UnwindSafe for Receiver<T> {}
impl<T> RefUnwindSafe for Receiver<T> {}
