//! Scoped threads: children that may borrow from their parent. By Rule 5, a copy of
//! `std::thread::scope`.

use core::fmt;
use core::marker::PhantomData;
use core::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::io;
use std::panic::{self, AssertUnwindSafe};
use std::sync::Arc;
use std::thread::Result;

use super::Thread;
use super::builder::Builder;
use super::inline;
use super::join::JoinHandle;
use crate::cancel;
use crate::current;
use crate::no_suspend;
use crate::reason::Reason;
use crate::wait::Wait;

/// What a scope and its children share.
#[derive(Debug)]
pub(crate) struct ScopeData {
    running: AtomicUsize,
    /// Children that panicked and whose handles have not returned the panic.
    panics: AtomicUsize,
    /// A child has waited, in the sense of `Header::waited`.
    waited: AtomicBool,
    parent: Thread,
}

impl ScopeData {
    pub(super) fn child_begins(&self) {
        // Relaxed: the parent looks after the body has returned, and a child that spawns
        // another one is itself counted meanwhile.
        self.running.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn child_panicked(&self) {
        // Relaxed: ordered by `child_ended`.
        self.panics.fetch_add(1, Ordering::Relaxed);
    }

    /// Told last, for the destructors of a child's locals may wait.
    pub(super) fn child_has_waited(&self) {
        // Relaxed: ordered by `child_ended`.
        self.waited.store(true, Ordering::Relaxed);
    }

    /// A handle has returned the panic of its thread.
    pub(super) fn panic_was_seen(&self) {
        self.panics.fetch_sub(1, Ordering::Relaxed);
    }

    pub(super) fn child_ended(&self) {
        // Release: pairs with `all_ended`; what the child did is seen after the scope.
        if self.running.fetch_sub(1, Ordering::Release) == 1 {
            // SAFETY: the parent has started: it opened the scope, and what it gave the child
            // was made after its start.
            unsafe { self.parent.wake() };
        }
    }

    fn all_ended(&self) -> bool {
        // Acquire: pairs with `child_ended`.
        self.running.load(Ordering::Acquire) == 0
    }
}

/// A scope in which threads are spawned that may borrow from outside it; see [`scope`].
///
/// ```
/// use trefoil_runtime::thread::{self, Scope};
///
/// fn greet<'scope>(scope: &'scope Scope<'scope, '_>, name: &'scope str) {
///     scope.spawn(move || assert_eq!(name.len(), 3));
/// }
///
#[doc = include_str!("in_a_run.md")]
/// # run(|| {
/// let names = ["Ada".to_owned(), "Eve".to_owned()];
/// thread::scope(|scope| names.iter().for_each(|name| greet(scope, name)));
/// # });
/// ```
pub struct Scope<'scope, 'env: 'scope> {
    data: Arc<ScopeData>,
    /// Invariant over `'scope`, as in `std`: else a child could be given a shorter one.
    scope: PhantomData<&'scope mut &'scope ()>,
    env: PhantomData<&'env mut &'env ()>,
}

/// Runs `body` with a scope, and returns after every thread that was spawned in it has
/// ended. Such threads may borrow what lives outside the scope.
///
/// Waiting for the threads parks the calling thread, in every model; it is no
/// cancellation point.
///
/// # Panics
///
/// Inside [`no_suspend`](super::no_suspend), before `body` is called. With `body`'s panic, if it panicked; else, if a thread panicked whose handle was not
/// joined. In both cases all threads have ended before.
///
/// ```
/// use trefoil_runtime::thread;
///
#[doc = include_str!("in_a_run.md")]
/// # run(|| {
/// let mut numbers = [1, 2, 3];
/// thread::scope(|scope| {
///     for number in &mut numbers {
///         scope.spawn(|| *number *= 10);
///     }
/// });
/// assert_eq!(numbers, [10, 20, 30]);
/// # });
/// ```
#[track_caller]
pub fn scope<'env, F, T>(body: F) -> T
where
    F: for<'scope> FnOnce(&'scope Scope<'scope, 'env>) -> T,
{
    let wait = Wait::new(Reason::Scope);
    // At the end it would be too late: children may borrow.
    no_suspend::check();
    let scope = Scope {
        data: Arc::new(ScopeData {
            running: AtomicUsize::new(0),
            panics: AtomicUsize::new(0),
            waited: AtomicBool::new(false),
            parent: current::thread(),
        }),
        scope: PhantomData,
        env: PhantomData,
    };
    // The body's panic is caught, so that the wait is not in the middle of an unwinding.
    let result = panic::catch_unwind(AssertUnwindSafe(|| body(&scope)));
    let ended = || scope.data.all_ended();
    inline::run_children(&scope.data, &wait, ended);
    let _ = current::wait_until(&wait, ended);
    if scope.data.waited.load(Ordering::Relaxed) {
        current::note_waited();
    }
    match result {
        Err(payload) => cancel::resume(payload),
        Ok(_) if scope.data.panics.load(Ordering::Relaxed) != 0 => {
            panic!("a scoped thread panicked")
        }
        Ok(value) => value,
    }
}

impl<'scope> Scope<'scope, '_> {
    /// Spawns a thread in this scope, on the current thread's runtime. Waits no more than
    /// [`Builder::spawn`].
    ///
    /// # Panics
    ///
    /// If the thread cannot be started; [`Builder::spawn_scoped`] gives an error instead.
    ///
    /// ```
    /// use trefoil_runtime::thread;
    ///
    #[doc = include_str!("in_a_run.md")]
    /// # run(|| {
    /// let text = "one two".to_owned();
    /// let words = thread::scope(|scope| {
    ///     let counts = scope.spawn(|| text.split(' ').count());
    ///     counts.join().unwrap()
    /// });
    /// assert_eq!(words, 2);
    /// # });
    /// ```
    #[track_caller]
    pub fn spawn<F, T>(&'scope self, f: F) -> ScopedJoinHandle<'scope, T>
    where
        F: FnOnce() -> T + Send + 'scope,
        T: Send + 'scope,
    {
        super::builder::expect_spawned(Builder::new().spawn_scoped(self, f))
    }
}

impl fmt::Debug for Scope<'_, '_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Scope")
            .field("running", &self.data.running.load(Ordering::Relaxed))
            .finish_non_exhaustive()
    }
}

impl Builder {
    /// Spawns a thread in `scope`, as this builder says. Waits no more than [`Builder::spawn`].
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
    /// let text = "one two".to_owned();
    /// let words = thread::scope(|scope| {
    ///     let builder = Builder::new().name("counts".to_owned());
    ///     let counts = builder.spawn_scoped(scope, || text.split(' ').count())?;
    ///     Ok::<usize, std::io::Error>(counts.join().unwrap())
    /// })?;
    /// assert_eq!(words, 2);
    /// # Ok::<(), std::io::Error>(())
    /// # }).unwrap();
    /// ```
    #[track_caller]
    pub fn spawn_scoped<'scope, F, T>(
        self,
        scope: &'scope Scope<'scope, '_>,
        f: F,
    ) -> io::Result<ScopedJoinHandle<'scope, T>>
    where
        F: FnOnce() -> T + Send + 'scope,
        T: Send + 'scope,
    {
        scope.data.child_begins();
        // SAFETY: the scope ends after its count is zero again, which the thread sees to
        // when it has ended, or when it could not be started (`live::end`); so whatever
        // lives as long as `'scope` outlives it. Both types are `Send`.
        let handle = unsafe { self.spawn_in(Some(Arc::clone(&scope.data)), f) }?;
        Ok(ScopedJoinHandle {
            handle,
            scope: PhantomData,
        })
    }
}

/// An owned permission to join a thread of a scope. Dropping it lets the thread run on;
/// the scope waits for it.
///
/// ```
/// use trefoil_runtime::thread::{self, ScopedJoinHandle};
///
#[doc = include_str!("in_a_run.md")]
/// # run(|| {
/// let number = 20;
/// thread::scope(|scope| {
///     let adder: ScopedJoinHandle<'_, i32> = scope.spawn(|| number + 1);
///     assert_eq!(adder.join().unwrap(), 21);
/// });
/// # });
/// ```
pub struct ScopedJoinHandle<'scope, T> {
    handle: JoinHandle<T>,
    scope: PhantomData<&'scope ()>,
}

impl<T> ScopedJoinHandle<'_, T> {
    /// The thread itself. Does not wait.
    ///
    /// ```
    /// use trefoil_runtime::thread;
    ///
    #[doc = include_str!("in_a_run.md")]
    /// # run(|| {
    /// thread::scope(|scope| {
    ///     let waits = scope.spawn(thread::park);
    ///     waits.thread().unpark();
    /// });
    /// # });
    /// ```
    #[must_use]
    pub fn thread(&self) -> &Thread {
        self.handle.thread()
    }

    /// Whether the thread has ended, so that `join` would return at once. Does not wait.
    ///
    /// ```
    /// use trefoil_runtime::thread;
    ///
    #[doc = include_str!("in_a_run.md")]
    /// # run(|| {
    /// thread::scope(|scope| {
    ///     let adder = scope.spawn(|| 1 + 1);
    ///     while !adder.is_finished() {
    ///         thread::yield_now();
    ///     }
    ///     assert_eq!(adder.join().unwrap(), 2); // at once
    /// });
    /// # });
    /// ```
    #[must_use]
    pub fn is_finished(&self) -> bool {
        self.handle.is_finished()
    }

    /// Asks the thread to end; see [`Thread::cancel`]. Does not wait.
    ///
    /// ```
    /// use trefoil_runtime::cancel::Cancelled;
    /// use trefoil_runtime::thread;
    ///
    #[doc = include_str!("in_a_run.md")]
    /// # run(|| {
    /// thread::scope(|scope| {
    ///     let waits = scope.spawn(thread::park);
    ///     waits.cancel();
    ///     assert!(waits.join().unwrap_err().is::<Cancelled>());
    /// });
    /// # });
    /// ```
    pub fn cancel(&self) {
        self.handle.cancel();
    }

    /// As [`JoinHandle::on_finish`].
    ///
    /// ```
    /// use std::sync::mpsc;
    /// use trefoil_runtime::thread;
    ///
    #[doc = include_str!("in_a_run.md")]
    /// # run(|| {
    /// thread::scope(|scope| {
    ///     let (sender, receiver) = mpsc::channel();
    ///     scope.spawn(|| 1 + 1).on_finish(move || drop(sender.send("it has ended")));
    ///     assert_eq!(receiver.recv(), Ok("it has ended"));
    /// });
    /// # });
    /// ```
    pub fn on_finish(&self, hook: impl FnOnce() + Send + 'static) {
        self.handle.on_finish(hook);
    }

    /// As [`JoinHandle::join`]. A cancellation point when it has to wait.
    ///
    /// # Errors
    ///
    /// The payload of the thread's panic.
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
    /// thread::scope(|scope| {
    ///     let panics = scope.spawn(|| panic!("no luck"));
    ///     // It was joined, so it is not the scope's panic too.
    ///     assert_eq!(panics.join().unwrap_err().downcast_ref(), Some(&"no luck"));
    /// });
    /// # });
    /// ```
    #[track_caller]
    pub fn join(self) -> Result<T> {
        self.handle.join()
    }
}

impl<T> fmt::Debug for ScopedJoinHandle<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ScopedJoinHandle")
            .field("thread", self.thread())
            .finish_non_exhaustive()
    }
}
