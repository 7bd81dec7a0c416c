//! A scope whose threads may fail: the first failure cancels the others.
//!
//! It is a [`scope`](super::scope()) (Rule 5) with one more thing that its threads share: the
//! first failure, and who is to hear of it. A thread enters itself when it begins, and leaves
//! when its closure has ended; under the same lock the first failure is written down. So a
//! thread either is told, or finds the failure and does not begin.

#![forbid(unsafe_code)]

use core::fmt;
use std::any::Any;
use std::collections::BTreeMap;
use std::io;
use std::mem;
use std::panic::{self, AssertUnwindSafe};
use std::sync::Arc;

use super::block::quietly;
use super::{Builder, Scope, ScopedJoinHandle, Thread, ThreadId, scope};
use crate::cancel::{self, Cancelled};
use crate::current;
use crate::limit::{self, Interrupt};
use crate::spin::Spin;

/// Why a scope has failed.
enum Failure<E> {
    Error(E),
    Panic(Box<dyn Any + Send>),
}

/// What a scope and its threads share.
struct Shared<E> {
    state: Spin<State<E>>,
    /// Ends the waits of the scope's body.
    body: Arc<Interrupt>,
}

struct State<E> {
    /// The first failure, until the scope takes it out.
    failure: Option<Failure<E>>,
    failed: bool,
    /// Those that have begun and not ended.
    running: BTreeMap<ThreadId, Thread>,
}

impl<E> Shared<E> {
    fn new() -> Shared<E> {
        Shared {
            state: Spin::new(State {
                failure: None,
                failed: false,
                running: BTreeMap::new(),
            }),
            body: Interrupt::new(),
        }
    }

    /// The current thread begins. `false`: it must not, the scope has failed.
    fn enter(&self) -> bool {
        let thread = current::thread();
        let mut state = self.state.lock();
        if state.failed {
            return false;
        }
        state.running.insert(thread.id(), thread);
        true
    }

    fn leave(&self) {
        let left = self.state.lock().running.remove(&current::id());
        drop(left);
    }

    /// Writes the failure down if it is the first, and cancels the others then.
    fn fail(&self, failure: Failure<E>) {
        let mut state = self.state.lock();
        if state.failed {
            drop(state);
            // A destructor may panic, and that is one more failure that is not the first.
            quietly(|| drop(failure));
            return;
        }
        state.failed = true;
        state.failure = Some(failure);
        let others = mem::take(&mut state.running);
        drop(state);
        others.into_values().for_each(|thread| thread.cancel());
        self.body.interrupt();
    }

    /// Runs what a thread of the scope runs. `None`: it has brought no value.
    fn run<T>(&self, f: impl FnOnce() -> Result<T, E>) -> Option<T> {
        if !self.enter() {
            // As above.
            quietly(|| drop(f));
            return None;
        }
        let result = panic::catch_unwind(AssertUnwindSafe(f));
        self.leave();
        match result {
            Ok(Ok(value)) => return Some(value),
            Ok(Err(error)) => self.fail(Failure::Error(error)),
            Err(payload) if payload.is::<Cancelled>() => {}
            Err(payload) => self.fail(Failure::Panic(payload)),
        }
        None
    }
}

/// A scope in which threads are spawned that may fail; see [`try_scope`].
///
/// A clone names the same scope: a thread of it takes one along to spawn others.
///
/// ```
/// use trefoil_runtime::thread::{self, TryScope};
///
/// /// Counts down, each number in a thread of its own.
/// fn count_down<'scope>(scope: &TryScope<'scope, '_, &'static str>, n: u32) {
///     let own = scope.clone();
///     scope.spawn(move || match n {
///         0 => Err("at the bottom"),
///         _ => Ok(count_down(&own, n - 1)),
///     });
/// }
///
#[doc = include_str!("in_a_run.md")]
/// # run(|| {
/// let result = thread::try_scope(|scope| {
///     count_down(scope, 3);
///     Ok(())
/// });
/// assert_eq!(result, Err("at the bottom"));
/// # });
/// ```
pub struct TryScope<'scope, 'env: 'scope, E> {
    scope: &'scope Scope<'scope, 'env>,
    shared: Arc<Shared<E>>,
}

/// Runs `body` with a scope whose threads return a `Result`. As soon as one of them, or `body`,
/// returns an error or panics, all others are cancelled: the threads as by
/// [`Thread::cancel`](super::Thread::cancel), and `body` in its waits. Then the scope waits for
/// all of them, and returns that first error. Later failures are dropped, and that a thread was
/// cancelled is none.
///
/// As with [`scope`](super::scope()) the threads may borrow what lives outside. The wait at the end parks the
/// calling thread, in every model; it is no cancellation point. If the calling thread is itself
/// cancelled in `body`, or a timeout ends it there, that is a failure like a panic of `body`,
/// and goes on when all have ended.
///
/// Only waits are ended: a thread that computes should ask
/// [`is_cancelled`](super::is_cancelled). In a program that is compiled with `panic = "abort"`
/// the others are only told.
///
/// # Errors
///
/// The first error that a thread or `body` returned, if no panic came before it.
///
/// # Panics
///
/// With the first panic of a thread or of `body`, if no error came before it.
///
/// ```
/// use trefoil_runtime::thread;
///
/// # std::thread::spawn(|| {
/// let result: Result<u32, &str> = thread::try_scope(|_| Err("no luck"));
/// assert_eq!(result, Err("no luck"));
/// # }).join().unwrap();
/// ```
#[track_caller]
pub fn try_scope<'env, F, T, E>(body: F) -> Result<T, E>
where
    F: for<'scope> FnOnce(&TryScope<'scope, 'env, E>) -> Result<T, E>,
    E: Send + 'env,
{
    let shared = Arc::new(Shared::new());
    let in_body = Arc::clone(&shared);
    let value = scope(|scope| {
        let shared = in_body;
        let scope = TryScope {
            scope,
            shared: Arc::clone(&shared),
        };
        let body = AssertUnwindSafe(|| limit::until(&shared.body, || body(&scope)));
        match panic::catch_unwind(body) {
            Ok(Some(Ok(value))) => return Some(value),
            Ok(Some(Err(error))) => shared.fail(Failure::Error(error)),
            // It was interrupted, because somebody has failed.
            Ok(None) => {}
            Err(payload) => shared.fail(Failure::Panic(payload)),
        }
        None
    });
    let failure = shared.state.lock().failure.take();
    match failure {
        Some(Failure::Error(error)) => Err(error),
        Some(Failure::Panic(payload)) => cancel::resume(payload),
        None => Ok(value.expect("a body that brings no value is a failure")),
    }
}

impl<'scope, 'env, E> TryScope<'scope, 'env, E> {
    /// Spawns a thread in this scope, on the current thread's runtime. Waits no more than
    /// [`Builder::spawn`].
    ///
    /// # Panics
    ///
    /// If the thread cannot be started; [`spawn_with`](TryScope::spawn_with) gives an error
    /// instead.
    ///
    /// ```
    /// use trefoil_runtime::thread;
    ///
    #[doc = include_str!("in_a_run.md")]
    /// # run(|| {
    /// let result = thread::try_scope(|scope| {
    ///     scope.spawn(|| "many".parse::<u32>());
    ///     scope.spawn(|| Ok(thread::park())); // cancelled by the other's failure
    ///     Ok(())
    /// });
    /// assert_eq!(result.unwrap_err().to_string(), "invalid digit found in string");
    /// # });
    /// ```
    #[track_caller]
    pub fn spawn<F, T>(&self, f: F) -> TryJoinHandle<'scope, T>
    where
        F: FnOnce() -> Result<T, E> + Send + 'scope,
        T: Send + 'scope,
        E: Send + 'scope,
    {
        super::builder::expect_spawned(self.spawn_with(Builder::new(), f))
    }

    /// Spawns a thread in this scope, as the builder says. Waits no more than [`Builder::spawn`].
    ///
    /// # Errors
    ///
    /// As [`Builder::spawn`].
    ///
    /// ```
    /// use trefoil_runtime::thread::{self, Builder};
    ///
    #[doc = include_str!("in_a_run.md")]
    /// # run(|| {
    /// let sum = thread::try_scope(|scope| {
    ///     let builder = Builder::new().name("parses".to_owned());
    ///     let parses = scope.spawn_with(builder, || "20".parse::<u32>()).unwrap();
    ///     Ok::<u32, std::num::ParseIntError>(parses.join().unwrap() + 1)
    /// });
    /// assert_eq!(sum, Ok(21));
    /// # });
    /// ```
    #[track_caller]
    pub fn spawn_with<F, T>(&self, builder: Builder, f: F) -> io::Result<TryJoinHandle<'scope, T>>
    where
        F: FnOnce() -> Result<T, E> + Send + 'scope,
        T: Send + 'scope,
        E: Send + 'scope,
    {
        let shared = Arc::clone(&self.shared);
        let handle = builder.spawn_scoped(self.scope, move || shared.run(f))?;
        Ok(TryJoinHandle(handle))
    }

    /// Whether a thread of the scope, or its body, has failed. Does not wait. For loops that
    /// compute.
    ///
    /// ```
    /// use trefoil_runtime::thread;
    ///
    #[doc = include_str!("in_a_run.md")]
    /// # run(|| {
    /// let result: Result<(), &str> = thread::try_scope(|scope| {
    ///     scope.spawn(|| Err::<(), _>("no luck"));
    ///     while !scope.has_failed() {
    ///         thread::yield_now();
    ///     }
    ///     Ok(())
    /// });
    /// assert_eq!(result, Err("no luck"));
    /// # });
    /// ```
    #[must_use]
    pub fn has_failed(&self) -> bool {
        self.shared.state.lock().failed
    }
}

impl<E> Clone for TryScope<'_, '_, E> {
    fn clone(&self) -> Self {
        TryScope {
            scope: self.scope,
            shared: Arc::clone(&self.shared),
        }
    }
}

impl<E> fmt::Debug for TryScope<'_, '_, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TryScope")
            .field("failed", &self.has_failed())
            .finish_non_exhaustive()
    }
}

/// An owned permission to join a thread of a [`try_scope`]. Dropping it lets the thread run on;
/// the scope waits for it.
///
/// ```
/// use trefoil_runtime::thread::{self, TryJoinHandle};
///
#[doc = include_str!("in_a_run.md")]
/// # run(|| {
/// let sum = thread::try_scope(|scope| {
///     let adder: TryJoinHandle<'_, i32> = scope.spawn(|| Ok::<_, ()>(1 + 1));
///     Ok(adder.join().unwrap())
/// });
/// assert_eq!(sum, Ok(2));
/// # });
/// ```
pub struct TryJoinHandle<'scope, T>(ScopedJoinHandle<'scope, Option<T>>);

impl<T> TryJoinHandle<'_, T> {
    /// The thread itself. Does not wait.
    ///
    /// ```
    /// use trefoil_runtime::thread;
    ///
    #[doc = include_str!("in_a_run.md")]
    /// # run(|| {
    /// let result = thread::try_scope(|scope| {
    ///     let waits = scope.spawn(|| Ok::<_, ()>(thread::park()));
    ///     waits.thread().unpark();
    ///     Ok(())
    /// });
    /// assert_eq!(result, Ok(()));
    /// # });
    /// ```
    #[must_use]
    pub fn thread(&self) -> &Thread {
        self.0.thread()
    }

    /// Whether the thread has ended, so that `join` would return at once. Does not wait.
    ///
    /// ```
    /// use trefoil_runtime::thread;
    ///
    #[doc = include_str!("in_a_run.md")]
    /// # run(|| {
    /// let result = thread::try_scope(|scope| {
    ///     let adder = scope.spawn(|| Ok::<_, ()>(1 + 1));
    ///     while !adder.is_finished() {
    ///         thread::yield_now();
    ///     }
    ///     Ok(adder.join().unwrap()) // at once
    /// });
    /// assert_eq!(result, Ok(2));
    /// # });
    /// ```
    #[must_use]
    pub fn is_finished(&self) -> bool {
        self.0.is_finished()
    }

    /// Asks the thread to end; see [`Thread::cancel`]. That is no failure of the scope. Does not
    /// wait.
    ///
    /// ```
    /// use trefoil_runtime::thread;
    ///
    #[doc = include_str!("in_a_run.md")]
    /// # run(|| {
    /// let result = thread::try_scope(|scope| {
    ///     let waits = scope.spawn(|| Ok::<_, ()>(thread::park()));
    ///     waits.cancel();
    ///     assert!(waits.join().is_err());
    ///     Ok(())
    /// });
    /// assert_eq!(result, Ok(()));
    /// # });
    /// ```
    pub fn cancel(&self) {
        self.0.cancel();
    }

    /// Waits for the thread to end, and returns its value. A cancellation point.
    ///
    /// # Errors
    ///
    /// [`Cancelled`] if the thread has failed, or was cancelled. Its error is the scope's.
    ///
    /// # Panics
    ///
    /// If a thread joins itself.
    ///
    /// ```
    /// use trefoil_runtime::thread;
    ///
    #[doc = include_str!("in_a_run.md")]
    /// # run(|| {
    /// let result = thread::try_scope(|scope| {
    ///     assert_eq!(scope.spawn(|| Ok(1 + 1)).join(), Ok(2));
    ///     let fails = scope.spawn(|| Err::<(), _>("no luck"));
    ///     // The wait is ended, or the thread had failed before.
    ///     assert!(fails.join().is_err());
    ///     Ok(())
    /// });
    /// assert_eq!(result, Err("no luck")); // the scope's
    /// # });
    /// ```
    #[track_caller]
    pub fn join(self) -> Result<T, Cancelled> {
        match self.0.join() {
            Ok(Some(value)) => Ok(value),
            _ => Err(Cancelled),
        }
    }
}

impl<T> fmt::Debug for TryJoinHandle<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TryJoinHandle")
            .field("thread", self.thread())
            .finish_non_exhaustive()
    }
}
