//! What a program listens with.
#![forbid(unsafe_code)]

use std::fmt;
use std::io;
use std::ops::Deref;

use trefoil_sync::channel::Receiver;

use super::kind::{SIGINT, SignalKind};
use super::listeners;

/// Listens to a signal as long as the value lives. All that have come before are not told.
///
/// Does not wait, but the first listener starts an OS thread. What it changes for the process says
/// [the module](crate::signal).
///
/// # Errors
///
/// `InvalidInput`, with the reason, for a signal that nobody can listen to: SIGKILL, SIGSTOP, the faults
/// SIGSEGV, SIGBUS, SIGILL and SIGFPE, and a number that is none. Else that there is no descriptor, or no room
/// for the OS thread.
///
/// ```
/// use std::time::Duration;
/// use trefoil_net::signal::{SIGHUP, SIGTERM, SignalKind, on};
/// use trefoil_sync::channel::select;
///
/// let (again, end) = (on(SIGHUP)?, on(SIGTERM)?);
/// select! {
///     recv(again) -> _ => println!("reading the configuration again"),
///     recv(end) -> _ => println!("ending"),
///     default(Duration::from_millis(1)) => println!("nothing has come"),
/// }
/// assert!(on(SignalKind::from_raw(9)).is_err()); // SIGKILL
/// # Ok::<(), std::io::Error>(())
/// ```
pub fn on(kind: SignalKind) -> io::Result<Signals> {
    kind.check()?;
    let (number, receiver) = listeners::add(kind)?;
    Ok(Signals {
        number,
        kind,
        receiver,
    })
}

/// Waits for the next SIGINT: for Ctrl-C at the terminal. A cancellation point; it parks the thread on every
/// model.
///
/// What comes between two calls is not told, and does not end the process either: a program that wants
/// each keeps an [`on`]`(SIGINT)`.
///
/// # Errors
///
/// As [`on`].
///
/// ```
/// use std::time::Duration;
/// use trefoil_net::signal::ctrl_c;
/// use trefoil_runtime::time::timeout;
///
/// match timeout(Duration::from_millis(1), ctrl_c) {
///     Ok(pressed) => pressed?,
///     Err(_) => println!("nobody has pressed it"),
/// }
/// # Ok::<(), std::io::Error>(())
/// ```
#[track_caller]
pub fn ctrl_c() -> io::Result<()> {
    let signals = on(SIGINT)?;
    // As long as there are `signals` the other end of the channel is there too.
    let _ = signals.recv();
    Ok(())
}

/// A listener to one signal, made by [`on`]: the [`Receiver`] to which its kind is sent.
///
/// [`recv`](Receiver::recv) and its kin wait, on every model, and are cancellation points; and it is an arm of
/// a [`select!`](trefoil_sync::channel::select). Several listeners of a signal are each told. Clones of the
/// receiver share what comes, and are closed when this value is dropped.
///
/// ```
/// use trefoil_net::signal::{SIGUSR1, on};
///
/// let signals = on(SIGUSR1)?;
/// assert!(signals.try_recv().is_err()); // none has come
/// # Ok::<(), std::io::Error>(())
/// ```
pub struct Signals {
    number: u64,
    kind: SignalKind,
    receiver: Receiver<SignalKind>,
}

impl Signals {
    /// What it listens to.
    ///
    /// ```
    /// use trefoil_net::signal::{SIGUSR1, on};
    ///
    /// assert_eq!(on(SIGUSR1)?.kind(), SIGUSR1);
    /// # Ok::<(), std::io::Error>(())
    /// ```
    #[must_use]
    pub fn kind(&self) -> SignalKind {
        self.kind
    }
}

impl Deref for Signals {
    type Target = Receiver<SignalKind>;

    fn deref(&self) -> &Receiver<SignalKind> {
        &self.receiver
    }
}

impl Drop for Signals {
    fn drop(&mut self) {
        listeners::remove(self.number);
    }
}

impl fmt::Debug for Signals {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Signals")
            .field("kind", &self.kind)
            .finish_non_exhaustive()
    }
}
