//! The token that users hold, and how one waits for it.

#![forbid(unsafe_code)]

use core::convert::Infallible;
use core::fmt;
use std::panic::{RefUnwindSafe, UnwindSafe};
use std::sync::Arc;
use std::time::{Duration, Instant};

use trefoil_runtime::limit::{self, Interrupt};
use trefoil_runtime::thread::deadline_after;

use super::tree;
use crate::channel::{Receiver, RecvTimeoutError, Sender, bounded};

type Node = tree::Node<Listener>;

/// Who is to hear that a token is cancelled.
#[derive(Debug)]
enum Listener {
    /// A thread in [`CancellationToken::run_until_cancelled`].
    Run(Arc<Interrupt>),
    /// A channel, whose end of the senders goes. One serves all who wait.
    Done(
        #[expect(dead_code, reason = "it is dropped")] Sender<Infallible>,
        Receiver<Infallible>,
    ),
}

impl Listener {
    fn tell(self) {
        match self {
            Listener::Run(interrupt) => interrupt.interrupt(),
            Listener::Done(..) => {}
        }
    }
}

/// A signal to stop, as in tokio-util: whoever holds a clone can give it, ask for it, and wait
/// for it.
///
/// Tokens form a tree. Cancelling one cancels its [children](CancellationToken::child_token) and
/// theirs, and not its parent. A token that goes is not cancelled by that, and its parent keeps
/// nothing of it.
///
/// It ends no thread: it is for those who listen. A wait for it parks the thread in every model,
/// and works from a plain `std::thread`.
///
/// ```
/// use trefoil_sync::CancellationToken;
///
/// let server = CancellationToken::new();
/// let request = server.child_token();
/// let waits = {
///     let request = request.clone();
///     std::thread::spawn(move || request.wait())
/// };
/// server.cancel();
/// waits.join().unwrap();
/// assert!(request.is_cancelled());
/// ```
pub struct CancellationToken {
    node: Arc<Node>,
}

impl CancellationToken {
    /// A token that is not cancelled, with nobody above it.
    ///
    /// ```
    /// let token = trefoil_sync::CancellationToken::new();
    /// assert!(!token.is_cancelled());
    /// ```
    #[must_use]
    pub fn new() -> CancellationToken {
        CancellationToken { node: Node::root() }
    }

    /// A token that is cancelled with this one, and can be cancelled alone. Of a cancelled token
    /// it is cancelled already. Does not wait.
    ///
    /// ```
    /// let server = trefoil_sync::CancellationToken::new();
    /// let (first, second) = (server.child_token(), server.child_token());
    /// first.cancel();
    /// assert!(first.is_cancelled() && !second.is_cancelled());
    /// server.cancel();
    /// assert!(second.is_cancelled());
    /// ```
    #[must_use]
    pub fn child_token(&self) -> CancellationToken {
        CancellationToken {
            node: self.node.child(),
        }
    }

    /// Cancels the token, its clones, and all tokens below it. Does not wait. A second time does
    /// nothing.
    ///
    /// ```
    /// let token = trefoil_sync::CancellationToken::new();
    /// let clone = token.clone();
    /// token.cancel();
    /// assert!(clone.is_cancelled());
    /// ```
    pub fn cancel(&self) {
        self.node.cancel(Listener::tell);
    }

    /// Whether it is cancelled. Does not wait.
    ///
    /// ```
    /// let token = trefoil_sync::CancellationToken::new();
    /// std::thread::scope(|scope| {
    ///     let computes = scope.spawn(|| {
    ///         while !token.is_cancelled() {
    ///             std::thread::yield_now();
    ///         }
    ///     });
    ///     token.cancel();
    ///     computes.join().unwrap();
    /// });
    /// ```
    #[must_use]
    pub fn is_cancelled(&self) -> bool {
        self.node.is_cancelled()
    }

    /// Parks the thread until the token is cancelled. A cancellation point, if it has to wait.
    /// In dumps such a thread waits for a message: that of [`done`](CancellationToken::done).
    ///
    /// ```
    /// let token = trefoil_sync::CancellationToken::new();
    /// std::thread::scope(|scope| {
    ///     scope.spawn(|| token.cancel());
    ///     token.wait();
    /// });
    /// ```
    #[track_caller]
    pub fn wait(&self) {
        if !self.is_cancelled() {
            // No message can come: this is the channel's end.
            let _ = self.done().recv();
        }
    }

    /// The same as [`wait`](CancellationToken::wait), by the name that it has in tokio-util.
    ///
    /// ```
    /// let token = trefoil_sync::CancellationToken::new();
    /// let guard = token.clone().drop_guard();
    /// std::thread::spawn(move || drop(guard));
    /// token.cancelled();
    /// ```
    #[track_caller]
    pub fn cancelled(&self) {
        self.wait();
    }

    /// As [`wait`](CancellationToken::wait), for at most this long. Whether it is cancelled.
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// let token = trefoil_sync::CancellationToken::new();
    /// assert!(!token.wait_timeout(Duration::from_millis(1)));
    /// token.cancel();
    /// assert!(token.wait_timeout(Duration::from_millis(1)));
    /// ```
    #[track_caller]
    pub fn wait_timeout(&self, timeout: Duration) -> bool {
        match deadline_after(timeout) {
            Some(deadline) => self.wait_deadline(deadline),
            None => {
                self.wait();
                true
            }
        }
    }

    /// As [`wait`](CancellationToken::wait), until this time at most. Whether it is cancelled.
    ///
    /// ```
    /// use std::time::Instant;
    ///
    /// let token = trefoil_sync::CancellationToken::new();
    /// assert!(!token.wait_deadline(Instant::now()));
    /// token.cancel();
    /// assert!(token.wait_deadline(Instant::now()));
    /// ```
    #[track_caller]
    pub fn wait_deadline(&self, deadline: Instant) -> bool {
        self.is_cancelled()
            || match self.done().recv_deadline(deadline) {
                Err(RecvTimeoutError::Timeout) => self.is_cancelled(),
                Ok(_) | Err(RecvTimeoutError::Disconnected) => true,
            }
    }

    /// A receiver that is disconnected when the token is cancelled, and receives nothing before:
    /// something to wait for besides other channels, like `ctx.Done()` in Go.
    ///
    /// Keep the token, or a clone or child of it, as long as the receiver is used: when the last
    /// of them goes, nobody can cancel it any more, and the receiver is disconnected too.
    ///
    /// ```
    /// use trefoil_sync::CancellationToken;
    /// use trefoil_sync::channel::TryRecvError;
    ///
    /// let token = CancellationToken::new();
    /// let done = token.done();
    /// assert_eq!(done.try_recv(), Err(TryRecvError::Empty));
    /// token.cancel();
    /// assert_eq!(done.try_recv(), Err(TryRecvError::Disconnected));
    /// ```
    #[must_use]
    pub fn done(&self) -> Receiver<Infallible> {
        let known = self.node.find(|listener| match listener {
            Listener::Done(_, receiver) => Some(receiver.clone()),
            Listener::Run(_) => None,
        });
        known.unwrap_or_else(|| {
            // Two that come together make two; both end.
            let (sender, receiver) = bounded(0);
            // If it is cancelled, the sender is given back, and goes.
            drop(self.node.listen(Listener::Done(sender, receiver.clone())));
            receiver
        })
    }

    /// Runs `f` on this thread, and ends its waits when the token is cancelled: then `f` is unwound
    /// up to here, as by [`timeout`](trefoil_runtime::time::timeout), and the answer is `None`. An
    /// `f` that never waits comes to its end, and its value is returned. If the token is cancelled
    /// already, `f` is not called.
    ///
    /// # Panics
    ///
    /// With `f`'s panic. A cancellation of the thread itself goes through.
    ///
    /// ```
    /// use trefoil_runtime::thread;
    /// use trefoil_sync::CancellationToken;
    ///
    /// let token = CancellationToken::new();
    /// assert_eq!(token.run_until_cancelled(|| 1 + 1), Some(2));
    /// let ended = token.run_until_cancelled(|| {
    ///     token.cancel();
    ///     thread::park();
    /// });
    /// assert_eq!(ended, None);
    /// ```
    pub fn run_until_cancelled<T>(&self, f: impl FnOnce() -> T) -> Option<T> {
        let interrupt = Interrupt::new();
        let listener = Listener::Run(Arc::clone(&interrupt));
        let number = self.node.listen(listener).ok()?;
        let _entered = Entered {
            node: &self.node,
            number,
        };
        limit::until(&interrupt, f)
    }

    /// A guard that cancels the token when it is dropped. Neither waits.
    ///
    /// ```
    /// use trefoil_sync::CancellationToken;
    ///
    /// let token = CancellationToken::new();
    /// let guard = token.clone().drop_guard();
    /// drop(guard);
    /// assert!(token.is_cancelled());
    /// ```
    #[must_use = "dropping it at once cancels the token"]
    pub fn drop_guard(self) -> DropGuard {
        DropGuard { token: Some(self) }
    }
}

/// A listener that is taken out however its call ends.
struct Entered<'a> {
    node: &'a Node,
    number: u64,
}

impl Drop for Entered<'_> {
    fn drop(&mut self) {
        drop(self.node.forget(self.number));
    }
}

impl Clone for CancellationToken {
    fn clone(&self) -> CancellationToken {
        CancellationToken {
            node: Arc::clone(&self.node),
        }
    }
}

impl Default for CancellationToken {
    fn default() -> CancellationToken {
        CancellationToken::new()
    }
}

impl fmt::Debug for CancellationToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CancellationToken")
            .field("is_cancelled", &self.is_cancelled())
            .finish_non_exhaustive()
    }
}

// Nobody's code runs while its state is changed.
impl UnwindSafe for CancellationToken {}
impl RefUnwindSafe for CancellationToken {}

/// Cancels its token when it is dropped, unless it is [disarmed](DropGuard::disarm).
///
/// ```
/// use trefoil_sync::CancellationToken;
///
/// let token = CancellationToken::new();
/// let guard = token.clone().drop_guard();
/// let panics = std::thread::spawn(move || {
///     let _guard = guard;
///     panic!("it is meant to");
/// });
/// token.wait(); // however the thread ends
/// assert!(panics.join().is_err());
/// ```
#[derive(Debug)]
#[must_use = "dropping it at once cancels the token"]
pub struct DropGuard {
    token: Option<CancellationToken>,
}

impl DropGuard {
    /// Gives the token back, without cancelling it. Does not wait.
    ///
    /// ```
    /// use trefoil_sync::CancellationToken;
    ///
    /// let guard = CancellationToken::new().drop_guard();
    /// let token = guard.disarm();
    /// assert!(!token.is_cancelled());
    /// ```
    #[must_use]
    pub fn disarm(mut self) -> CancellationToken {
        self.token
            .take()
            .expect("a guard has its token until it goes")
    }
}

impl Drop for DropGuard {
    fn drop(&mut self) {
        if let Some(token) = &self.token {
            token.cancel();
        }
    }
}
