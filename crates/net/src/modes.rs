//! How calls on a socket or a pipe wait: not at all, for so long, or without a limit. Its clones
//! share it, as they share a socket's options in `std`.
#![forbid(unsafe_code)]

use std::io;
use std::os::fd::{AsFd as _, BorrowedFd};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use trefoil_runtime::{Interest, Source, Wait, thread};

/// Relaxed throughout: a call that runs at the same time may see it or not.
#[derive(Debug, Default)]
pub(crate) struct Modes {
    nonblocking: AtomicBool,
    /// It is a socket whose calls wait in the kernel, unless they say that they do not.
    waits: AtomicBool,
    changing: Mutex<()>,
    read: Timeout,
    write: Timeout,
}

/// Nanoseconds; 0: no limit.
#[derive(Debug, Default)]
struct Timeout(AtomicU64);

impl Timeout {
    fn get(&self) -> Option<Duration> {
        match self.0.load(Ordering::Relaxed) {
            0 => None,
            nanoseconds => Some(Duration::from_nanos(nanoseconds)),
        }
    }

    fn set(&self, timeout: Option<Duration>) {
        let nanoseconds = match timeout {
            None => 0,
            // Longer than 584 years is 584 years.
            Some(timeout) => u64::try_from(timeout.as_nanos()).unwrap_or(u64::MAX),
        };
        self.0.store(nanoseconds, Ordering::Relaxed);
    }
}

pub(crate) fn zero() -> io::Error {
    io::Error::new(
        io::ErrorKind::InvalidInput,
        "a timeout of 0 is refused: it would be over before the call; `None` is no timeout",
    )
}

impl Modes {
    pub(crate) fn new(waits: bool) -> Modes {
        Modes {
            waits: AtomicBool::new(waits),
            ..Modes::default()
        }
    }

    fn timeout_of(&self, interest: Interest) -> &Timeout {
        match interest {
            Interest::Read => &self.read,
            Interest::Write => &self.write,
        }
    }

    pub(crate) fn timeout(&self, interest: Interest) -> Option<Duration> {
        self.timeout_of(interest).get()
    }

    /// One that is not 0.
    pub(crate) fn set_timeout(&self, interest: Interest, timeout: Option<Duration>) {
        self.timeout_of(interest).set(timeout);
    }

    /// Who changes a timeout of which the kernel knows too does it under this lock.
    pub(crate) fn change(&self) -> MutexGuard<'_, ()> {
        self.changing.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn is_nonblocking(&self) -> bool {
        self.nonblocking.load(Ordering::Relaxed)
    }

    /// Whether a kernel thread may wait in the call.
    #[inline]
    pub(crate) fn waits_in_call(&self) -> bool {
        self.waits.load(Ordering::Relaxed) && !self.is_nonblocking()
    }

    /// Whether calls wait in the kernel that do not say that they do not.
    pub(crate) fn waits(&self) -> bool {
        self.waits.load(Ordering::Relaxed)
    }

    pub(crate) fn let_wait(&self) {
        self.waits.store(true, Ordering::Relaxed);
    }

    pub(crate) fn set_nonblocking(&self, nonblocking: bool) {
        self.nonblocking.store(nonblocking, Ordering::Relaxed);
    }

    /// Does an operation in this mode. `short` tells of a success that it has used the
    /// socket's readiness up.
    pub(crate) fn io<T>(
        &self,
        source: &Source,
        interest: Interest,
        wait: Wait,
        short: impl Fn(&T) -> bool,
        mut operation: impl FnMut(BorrowedFd<'_>) -> io::Result<T>,
    ) -> io::Result<T> {
        if self.is_nonblocking() {
            return operation(source.as_fd());
        }
        source.io(interest, &self.limit(interest, wait), short, operation)
    }

    /// The same wait, for as long as a call in this direction may take. A cancellation point.
    pub(crate) fn limit(&self, interest: Interest, wait: Wait) -> Wait {
        let until = self.timeout(interest).and_then(thread::deadline_after);
        wait.until(until).cancellable()
    }
}
