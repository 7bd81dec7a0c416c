//! What a thread does with itself: park, sleep, yield, call what blocks.
#![forbid(unsafe_code)]

use std::panic::{self, AssertUnwindSafe};
use std::time::{Duration, Instant};

use super::Thread;
use crate::cancel;
use crate::current;
use crate::limit::{Kind, within};
use crate::no_suspend;
use crate::reason::Reason;
use crate::unwinding;
use crate::wait::{Outcome, Wait};

/// The calling thread's handle. A plain `std::thread` gets one too. Does not wait.
///
/// ```
/// let me = trefoil_runtime::thread::current();
/// assert!(me.is_current());
/// ```
#[must_use]
pub fn current() -> Thread {
    current::thread()
}

/// Parks the calling thread until somebody [unparks](Thread::unpark) it. An unpark that
/// came before makes it return at once. A cancellation point.
///
/// # Panics
///
/// Inside [`no_suspend`](super::no_suspend), unless it returns at once.
///
/// ```
/// use trefoil_runtime::thread;
/// thread::current().unpark();
/// thread::park(); // returns at once
/// ```
#[track_caller]
pub fn park() {
    park_as(&Wait::new(Reason::Park).cancellable());
}

/// As [`park`], for at most this long. The caller cannot tell which it was.
///
/// ```
/// use std::time::Duration;
/// use trefoil_runtime::thread;
/// thread::park_timeout(Duration::from_millis(1)); // returns by itself
/// ```
#[track_caller]
pub fn park_timeout(duration: Duration) {
    let until = deadline_after(duration);
    park_as(&Wait::new(Reason::Park).until(until).cancellable());
}

fn park_as(wait: &Wait) {
    if current::wait_for_token(wait) == Outcome::Cancelled {
        cancel::raise();
    }
}

/// Parks the calling thread for at least this long. A cancellation point.
///
/// # Panics
///
/// Inside [`no_suspend`](super::no_suspend).
///
/// ```
/// use std::time::{Duration, Instant};
/// use trefoil_runtime::thread;
/// let begin = Instant::now();
/// thread::sleep(Duration::from_millis(1));
/// assert!(begin.elapsed() >= Duration::from_millis(1));
/// ```
#[track_caller]
pub fn sleep(duration: Duration) {
    sleep_as(&Wait::new(Reason::Sleep).until(deadline_after(duration)));
}

/// Parks the calling thread at least until this time. A cancellation point.
///
/// # Panics
///
/// Inside [`no_suspend`](super::no_suspend).
///
/// ```
/// use std::time::{Duration, Instant};
/// use trefoil_runtime::thread;
/// let deadline = Instant::now() + Duration::from_millis(1);
/// thread::sleep_until(deadline);
/// assert!(Instant::now() >= deadline);
/// ```
#[track_caller]
pub fn sleep_until(deadline: Instant) {
    sleep_as(&Wait::new(Reason::Sleep).until(Some(deadline)));
}

#[track_caller]
fn sleep_as(wait: &Wait) {
    no_suspend::check();
    if current::wait_until(&wait.cancellable(), || false) == Outcome::Cancelled {
        cancel::raise();
    }
}

/// The time after `duration` by the current runtime's clock. `None`: beyond what the clock
/// can tell, which is longer than any process lives. Does not wait.
///
/// ```
/// use std::time::Duration;
/// use trefoil_runtime::thread::deadline_after;
///
/// assert!(deadline_after(Duration::from_secs(1)) > deadline_after(Duration::ZERO));
/// assert_eq!(deadline_after(Duration::MAX), None);
/// ```
#[must_use]
pub fn deadline_after(duration: Duration) -> Option<Instant> {
    current::with_runtime(|runtime| runtime.now().checked_add(duration))
}

/// Lets other threads that are ready run first. No cancellation point. On green and hybrid the
/// thread goes to the end of the ready queue; a kernel thread calls `sched_yield(2)`.
///
/// # Panics
///
/// Inside [`no_suspend`](super::no_suspend).
///
/// ```
/// use std::sync::atomic::{AtomicBool, Ordering};
/// use trefoil_runtime::thread;
///
/// let done = AtomicBool::new(false);
/// std::thread::scope(|scope| {
///     scope.spawn(|| done.store(true, Ordering::Release));
///     while !done.load(Ordering::Acquire) {
///         thread::yield_now();
///     }
/// });
/// ```
#[inline(always)]
#[track_caller]
pub fn yield_now() {
    no_suspend::check_call("yield_now");
    current::yield_anyway();
}

/// Runs `f`, which may block its OS thread, where it stops nobody else: on a kernel thread
/// right here, else on a pool of kernel threads while the calling thread is parked. The
/// pool grows on demand, to 512 threads; further calls then wait for their turn.
///
/// `f` may borrow from the caller, who waits for its end. It runs outside the runtime: it
/// cannot spawn, and [`current`] is another thread in there. No cancellation point: what
/// blocks cannot be called back.
///
/// `f` may run another runtime than the caller's. To run the caller's own, or to drop it, is
/// refused in there as it is outside.
///
/// # Panics
///
/// With `f`'s panic. Inside [`no_suspend`](super::no_suspend), before `f` is called.
///
/// ```
/// let text = trefoil_runtime::thread::blocking(|| std::fs::read_to_string("/proc/self/comm"));
/// assert!(text.is_ok());
/// ```
#[track_caller]
pub fn blocking<F, T>(f: F) -> T
where
    F: FnOnce() -> T + Send,
    T: Send,
{
    let mut call = Some(f);
    let mut result = None;
    current::note_wait(&Wait::new(Reason::Blocking), || {
        current::with_runtime(|runtime| {
            runtime.blocking(&mut || {
                if let Some(f) = call.take() {
                    // Alike where it is the caller's own thread: its waits are not ended.
                    let f = AssertUnwindSafe(|| uncancellable(f));
                    result = Some(panic::catch_unwind(f));
                }
            });
        });
    });
    match result.expect("the runtime makes the call before it returns") {
        Ok(value) => value,
        Err(payload) => cancel::resume(payload),
    }
}

/// Whether the calling thread was asked to end: by [`Thread::cancel`], or because the first
/// thread of its `run` has ended. Does not wait. For loops that compute, and to end early in
/// [`uncancellable`]; also where nothing can be unwound.
///
/// ```
/// assert!(!trefoil_runtime::thread::is_cancelled());
/// ```
#[must_use]
pub fn is_cancelled() -> bool {
    current::was_asked_to_end()
}

/// Runs `f` on this thread without cancellation: no wait of `f` is a cancellation point, nor is
/// it ended by a timeout from outside. A request that comes meanwhile stays, and is raised at
/// the next cancellation point afterwards. Nests; a [`timeout`](crate::time::timeout) inside
/// `f` ends what it is around.
///
/// At the end of a `run` a thread that waits in here is waited for, for the grace at most.
///
/// # Panics
///
/// With `f`'s panic.
///
/// ```
/// use std::time::Duration;
/// use trefoil_runtime::thread;
/// use trefoil_runtime::time::{Elapsed, timeout};
///
/// let result = timeout(Duration::ZERO, || {
///     thread::uncancellable(|| thread::sleep(Duration::from_millis(1))); // to its end
///     thread::park();
/// });
/// assert_eq!(result, Err(Elapsed));
/// ```
pub fn uncancellable<T>(f: impl FnOnce() -> T) -> T {
    within(Kind::Shield, f).expect("nothing is raised for a shield")
}

/// Whether the calling thread is unwinding because of a panic. Does not wait.
///
/// Other than `std::thread::panicking`, this is not fooled by another fiber of the same OS
/// thread that waits in the middle of an unwinding. While one does, it says `false` for
/// all its neighbours, even one that panics itself.
///
/// ```
/// use trefoil_runtime::thread;
///
/// struct Asks;
/// impl Drop for Asks {
///     fn drop(&mut self) {
///         assert!(thread::panicking());
///     }
/// }
///
/// let panics = std::thread::spawn(|| {
///     let _asks = Asks;
///     panic!("it is meant to");
/// });
/// assert!(panics.join().is_err() && !thread::panicking());
/// ```
#[must_use]
pub fn panicking() -> bool {
    unwinding::panicking()
}
