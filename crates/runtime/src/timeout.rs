//! A time after which whatever a call waits for is given up: [`timeout`].
//!
//! It sets a limit (`limit.rs`), and turns its end into [`Elapsed`].

#![forbid(unsafe_code)]

use core::fmt;
use std::io;
use std::time::{Duration, Instant};

use crate::limit::{Kind, within};
use crate::thread::deadline_after;

/// The time of a [`timeout`] was over before the call was.
///
/// ```
/// use std::io;
/// use std::time::Duration;
/// use trefoil_runtime::thread;
/// use trefoil_runtime::time::{Elapsed, timeout};
///
/// fn program() -> io::Result<()> {
///     timeout(Duration::from_millis(1), thread::park)?;
///     Ok(())
/// }
/// assert_eq!(program().unwrap_err().kind(), io::ErrorKind::TimedOut);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Elapsed;

impl fmt::Display for Elapsed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the deadline has elapsed")
    }
}

impl std::error::Error for Elapsed {}

impl From<Elapsed> for io::Error {
    fn from(elapsed: Elapsed) -> io::Error {
        io::Error::new(io::ErrorKind::TimedOut, elapsed)
    }
}

/// Runs `f` on this thread, for at most this long as far as it waits: a wait of `f` that is a
/// cancellation point, of whatever object, ends when the time is over. `f` is then unwound up
/// to here, with its destructors and without a panic hook.
///
/// It works alike in every model and on a plain `std::thread`, also for sockets. Timeouts nest:
/// each ends exactly its own call. What `f` holds is released, and no lock is poisoned.
///
/// It ends waits and nothing else. An `f` that never waits comes to its end, and its value is
/// returned however late it is. What is no cancellation point (a lock, the end of a scope,
/// [`blocking`](crate::thread::blocking)) is waited for, and so is what `f` waits for in
/// [`uncancellable`](crate::thread::uncancellable). Nothing is raised while the thread panics.
/// If `f` catches the unwinding with `catch_unwind`, its next wait raises it again.
///
/// In a program that is compiled with `panic = "abort"` nothing can be unwound: there the time
/// ends no wait, and `f` always comes to its end.
///
/// # Errors
///
/// [`Elapsed`] if a wait was ended because the time was over.
///
/// # Panics
///
/// With `f`'s panic. A cancellation of the thread goes through.
///
/// ```
/// use std::time::Duration;
/// use trefoil_runtime::thread;
/// use trefoil_runtime::time::{Elapsed, timeout};
///
/// assert_eq!(timeout(Duration::from_millis(5), thread::park), Err(Elapsed));
/// assert_eq!(timeout(Duration::from_secs(5), || 1 + 1), Ok(2));
/// ```
pub fn timeout<T>(duration: Duration, f: impl FnOnce() -> T) -> Result<T, Elapsed> {
    match deadline_after(duration) {
        Some(deadline) => timeout_at(deadline, f),
        // Longer than any process lives.
        None => Ok(f()),
    }
}

/// As [`timeout`], until this time.
///
/// # Errors
///
/// [`Elapsed`] if a wait was ended because the time was over.
///
/// # Panics
///
/// As [`timeout`].
///
/// ```
/// use std::time::Instant;
/// use trefoil_runtime::thread;
/// use trefoil_runtime::time::{Elapsed, timeout_at};
///
/// assert_eq!(timeout_at(Instant::now(), thread::park), Err(Elapsed));
/// ```
pub fn timeout_at<T>(deadline: Instant, f: impl FnOnce() -> T) -> Result<T, Elapsed> {
    within(Kind::Deadline(deadline), f).ok_or(Elapsed)
}
