//! Waiting, with a lock given back, until another thread has changed what the lock guards.
#![forbid(unsafe_code)]

use core::fmt;
use std::panic::{RefUnwindSafe, UnwindSafe};
use std::sync::{LockResult, PoisonError};
use std::time::{Duration, Instant};

use trefoil_runtime::{Outcome, Reason, Wait, cancel, thread};

use crate::mutex::MutexGuard;
use crate::notices::Notices;

/// A condition variable, as [`std::sync::Condvar`].
///
/// Its waits are cancellation points; a cancelled thread does not take the mutex again. It may
/// be used with different mutexes at different times. Like `std`'s it may wake a thread
/// without a reason, so ask the condition in a loop, or use [`wait_while`](Condvar::wait_while).
///
/// ```
/// use trefoil_sync::{Condvar, Mutex};
///
/// let (done, changed) = (Mutex::new(false), Condvar::new());
/// std::thread::scope(|scope| {
///     scope.spawn(|| {
///         *done.lock().unwrap() = true;
///         changed.notify_one();
///     });
///     let guard = done.lock().unwrap();
///     assert!(*changed.wait_while(guard, |done| !*done).unwrap());
/// });
/// ```
pub struct Condvar {
    notices: Notices,
}

/// Whether a timed wait of a [`Condvar`] ended by its time.
///
/// ```
/// use std::time::Duration;
/// use trefoil_sync::{Condvar, Mutex};
///
/// let mutex = Mutex::new(());
/// let guard = mutex.lock().unwrap();
/// let waited = Condvar::new().wait_timeout_while(guard, Duration::ZERO, |()| true);
/// assert!(waited.unwrap().1.timed_out());
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WaitTimeoutResult(bool);

impl WaitTimeoutResult {
    /// Whether the time was over before a notification came. Does not wait.
    ///
    /// ```
    /// use std::time::Duration;
    /// use trefoil_sync::{Condvar, Mutex};
    ///
    /// let ready = Mutex::new(true);
    /// let guard = ready.lock().unwrap();
    /// let waited = Condvar::new().wait_timeout_while(guard, Duration::from_secs(5), |ready| !*ready);
    /// assert!(!waited.unwrap().1.timed_out());
    /// ```
    #[must_use]
    pub fn timed_out(&self) -> bool {
        self.0
    }
}

impl Condvar {
    /// A condition variable that nobody waits for.
    ///
    /// ```
    /// use trefoil_sync::{Condvar, Mutex};
    ///
    /// static READY: (Mutex<bool>, Condvar) = (Mutex::new(false), Condvar::new());
    /// *READY.0.lock().unwrap() = true;
    /// READY.1.notify_all(); // nobody waits: it is forgotten
    /// ```
    #[must_use]
    pub const fn new() -> Condvar {
        Condvar {
            notices: Notices::new(),
        }
    }

    /// Gives the lock back, parks the thread until a notification, and takes the lock again. A
    /// cancellation point while it waits for the notification, and not while it takes the lock
    /// again.
    ///
    /// # Errors
    ///
    /// If the mutex is poisoned; the error holds the guard.
    ///
    /// ```
    /// use trefoil_sync::{Condvar, Mutex};
    ///
    /// let (ready, changed) = (Mutex::new(false), Condvar::new());
    /// std::thread::scope(|scope| {
    ///     scope.spawn(|| {
    ///         *ready.lock().unwrap() = true;
    ///         changed.notify_one();
    ///     });
    ///     let mut guard = ready.lock().unwrap();
    ///     while !*guard {
    ///         guard = changed.wait(guard).unwrap();
    ///     }
    /// });
    /// ```
    #[track_caller]
    pub fn wait<'a, T>(&self, guard: MutexGuard<'a, T>) -> LockResult<MutexGuard<'a, T>> {
        self.wait_as(guard, &Wait::new(Reason::Condvar)).0
    }

    /// Waits as long as `condition` holds. Parks the thread as [`wait`](Condvar::wait) does, and is
    /// a cancellation point when it has to wait.
    ///
    /// # Errors
    ///
    /// As [`wait`](Condvar::wait).
    ///
    /// # Panics
    ///
    /// With `condition`'s panic, which poisons the mutex.
    ///
    /// ```
    /// use trefoil_sync::{Condvar, Mutex};
    ///
    /// let (number, changed) = (Mutex::new(0), Condvar::new());
    /// std::thread::scope(|scope| {
    ///     scope.spawn(|| {
    ///         for _ in 0..3 {
    ///             *number.lock().unwrap() += 1;
    ///             changed.notify_one();
    ///         }
    ///     });
    ///     let guard = number.lock().unwrap();
    ///     assert_eq!(*changed.wait_while(guard, |number| *number < 3).unwrap(), 3);
    /// });
    /// ```
    #[track_caller]
    pub fn wait_while<'a, T, F>(
        &self,
        mut guard: MutexGuard<'a, T>,
        mut condition: F,
    ) -> LockResult<MutexGuard<'a, T>>
    where
        F: FnMut(&mut T) -> bool,
    {
        while condition(&mut guard) {
            guard = self.wait(guard)?;
        }
        Ok(guard)
    }

    /// As [`wait`](Condvar::wait), for at most this long; then the lock is still waited for.
    ///
    /// # Errors
    ///
    /// As [`wait`](Condvar::wait).
    ///
    /// ```
    /// use std::time::Duration;
    /// use trefoil_sync::{Condvar, Mutex};
    ///
    /// let mutex = Mutex::new(1);
    /// let guard = mutex.lock().unwrap();
    /// let (guard, late) = Condvar::new().wait_timeout(guard, Duration::from_millis(1)).unwrap();
    /// assert!(late.timed_out() && *guard == 1);
    /// ```
    #[track_caller]
    pub fn wait_timeout<'a, T>(
        &self,
        guard: MutexGuard<'a, T>,
        duration: Duration,
    ) -> LockResult<(MutexGuard<'a, T>, WaitTimeoutResult)> {
        self.wait_as_until(guard, thread::deadline_after(duration))
    }

    /// Waits as long as `condition` holds, and at most this long. Parks the thread as
    /// [`wait`](Condvar::wait) does, and is a cancellation point when it has to wait.
    ///
    /// # Errors
    ///
    /// As [`wait`](Condvar::wait).
    ///
    /// # Panics
    ///
    /// With `condition`'s panic, which poisons the mutex.
    ///
    /// ```
    /// use std::time::Duration;
    /// use trefoil_sync::{Condvar, Mutex};
    ///
    /// let mutex = Mutex::new(0);
    /// let guard = mutex.lock().unwrap();
    /// let waited = Condvar::new().wait_timeout_while(guard, Duration::from_millis(1), |n| *n < 3);
    /// let (guard, late) = waited.unwrap();
    /// assert!(late.timed_out() && *guard == 0);
    /// ```
    #[track_caller]
    pub fn wait_timeout_while<'a, T, F>(
        &self,
        mut guard: MutexGuard<'a, T>,
        duration: Duration,
        mut condition: F,
    ) -> LockResult<(MutexGuard<'a, T>, WaitTimeoutResult)>
    where
        F: FnMut(&mut T) -> bool,
    {
        let until = thread::deadline_after(duration);
        let mut late = WaitTimeoutResult(false);
        while condition(&mut guard) {
            if late.timed_out() {
                return Ok((guard, late));
            }
            (guard, late) = self.wait_as_until(guard, until)?;
        }
        Ok((guard, WaitTimeoutResult(false)))
    }

    /// As [`wait`](Condvar::wait), until this time at the latest; then the lock is still waited
    /// for.
    ///
    /// # Errors
    ///
    /// As [`wait`](Condvar::wait).
    ///
    /// ```
    /// use std::time::Instant;
    /// use trefoil_sync::{Condvar, Mutex};
    ///
    /// let mutex = Mutex::new(1);
    /// let guard = mutex.lock().unwrap();
    /// let (guard, late) = Condvar::new().wait_until(guard, Instant::now()).unwrap();
    /// assert!(late.timed_out() && *guard == 1);
    /// ```
    #[track_caller]
    pub fn wait_until<'a, T>(
        &self,
        guard: MutexGuard<'a, T>,
        deadline: Instant,
    ) -> LockResult<(MutexGuard<'a, T>, WaitTimeoutResult)> {
        self.wait_as_until(guard, Some(deadline))
    }

    #[track_caller]
    fn wait_as_until<'a, T>(
        &self,
        guard: MutexGuard<'a, T>,
        until: Option<Instant>,
    ) -> LockResult<(MutexGuard<'a, T>, WaitTimeoutResult)> {
        let wait = Wait::new(Reason::Condvar).until(until);
        match self.wait_as(guard, &wait) {
            (Ok(guard), late) => Ok((guard, late)),
            (Err(poisoned), late) => Err(PoisonError::new((poisoned.into_inner(), late))),
        }
    }

    #[track_caller]
    fn wait_as<'a, T>(
        &self,
        guard: MutexGuard<'a, T>,
        wait: &Wait,
    ) -> (LockResult<MutexGuard<'a, T>>, WaitTimeoutResult) {
        let mut given_back = None;
        let outcome = self.notices.wait(&wait.cancellable(), || {
            given_back = Some(guard.interrupt());
        });
        if outcome == Outcome::Cancelled {
            cancel::raise();
        }
        let late = WaitTimeoutResult(outcome == Outcome::TimedOut);
        let mutex = given_back.expect("it was given back before the wait");
        (MutexGuard::again(mutex), late)
    }

    /// Wakes one of the threads that wait, the one that has waited longest. Does not wait.
    ///
    /// ```
    /// use trefoil_sync::{Condvar, Mutex};
    ///
    /// let (messages, changed) = (Mutex::new(vec![]), Condvar::new());
    /// std::thread::scope(|scope| {
    ///     let reads = scope.spawn(|| {
    ///         let guard = messages.lock().unwrap();
    ///         changed.wait_while(guard, |messages| messages.is_empty()).unwrap().pop()
    ///     });
    ///     messages.lock().unwrap().push("hello");
    ///     changed.notify_one();
    ///     assert_eq!(reads.join().unwrap(), Some("hello"));
    /// });
    /// ```
    pub fn notify_one(&self) {
        self.notices.notify_one();
    }

    /// Wakes all threads that wait. Does not wait.
    ///
    /// ```
    /// use trefoil_sync::{Condvar, Mutex};
    ///
    /// let (open, changed) = (Mutex::new(false), Condvar::new());
    /// std::thread::scope(|scope| {
    ///     for _ in 0..3 {
    ///         scope.spawn(|| drop(changed.wait_while(open.lock().unwrap(), |open| !*open)));
    ///     }
    ///     *open.lock().unwrap() = true;
    ///     changed.notify_all();
    /// });
    /// ```
    pub fn notify_all(&self) {
        self.notices.notify_all();
    }
}

impl Default for Condvar {
    fn default() -> Condvar {
        Condvar::new()
    }
}

impl fmt::Debug for Condvar {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Condvar").finish_non_exhaustive()
    }
}

// Nobody's code runs while its queue is changed.
impl UnwindSafe for Condvar {}
impl RefUnwindSafe for Condvar {}
