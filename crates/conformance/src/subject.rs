//! What the suite asks of a runtime: to be made, to run, and to say who did not end.
//!
//! It decides how every promise is checked to the end: [`run`] also sees to it that the
//! runtime leaves no thread behind.

use std::time::Duration;

use trefoil_runtime::{Model, StackUsage, ThreadInfo};

/// The time that threads get to end when `run` is over. It is never reached where all goes
/// well, and so long that a slow machine does not reach it either.
pub(crate) const GRACE: Duration = Duration::from_secs(60);

/// A runtime under test.
///
/// ```
/// use std::time::Duration;
/// use trefoil_conformance::Subject;
/// use trefoil_runtime::{Model, StackUsage, ThreadInfo};
///
/// /// Runs everything on the calling thread, and so keeps hardly any promise.
/// struct Nothing;
///
/// impl Subject for Nothing {
///     const MODEL: Model = Model::Kernel;
///
///     fn new(_grace: Duration) -> Nothing {
///         Nothing
///     }
///
///     fn metered(_grace: Duration, _on: bool) -> Nothing {
///         Nothing
///     }
///
///     fn run<F, T>(&self, f: F) -> T
///     where
///         F: FnOnce() -> T + Send + 'static,
///         T: Send + 'static,
///     {
///         f()
///     }
///
///     fn leftover(&self) -> Vec<ThreadInfo> {
///         Vec::new()
///     }
///
///     fn stack_usage(&self) -> Vec<StackUsage> {
///         Vec::new()
///     }
/// }
///
/// assert_eq!(Nothing::new(Duration::ZERO).run(|| 1 + 1), 2);
/// ```
pub trait Subject: Send + Sync + Sized + 'static {
    /// The model by which its threads wait.
    const MODEL: Model;

    /// How many OS threads run its fibers.
    #[must_use]
    fn workers() -> usize {
        1
    }

    /// Whether its threads may change their OS thread between two waits, by a promise of whoever made it. Some
    /// promises are not kept then, and ask for the opposite, or for nothing.
    fn migrates() -> bool {
        false
    }

    /// A runtime that gives the threads that are left after a `run` this long to end.
    ///
    /// # Panics
    ///
    /// If the operating system refuses what the runtime needs.
    #[must_use]
    fn new(grace: Duration) -> Self;

    /// The same, of which it is said whether it measures stacks.
    ///
    /// # Panics
    ///
    /// As there.
    #[must_use]
    fn metered(grace: Duration, on: bool) -> Self;

    /// Runs `f` as the first thread of a `run`, and returns its value.
    ///
    /// # Panics
    ///
    /// With `f`'s panic.
    #[track_caller]
    fn run<F, T>(&self, f: F) -> T
    where
        F: FnOnce() -> T + Send + 'static,
        T: Send + 'static;

    /// The threads that did not end in time after their `run`, as they were then.
    fn leftover(&self) -> Vec<ThreadInfo>;

    /// How deep stacks got. Empty if it does not measure them.
    fn stack_usage(&self) -> Vec<StackUsage>;
}

/// A runtime whose threads have all the time they may need to end.
pub(crate) fn patient<S: Subject>() -> S {
    S::new(GRACE)
}

/// Runs `f` on a runtime of its own, which must not leave a thread behind.
pub(crate) fn run<S: Subject, T: Send + 'static>(f: impl FnOnce() -> T + Send + 'static) -> T {
    let runtime = patient::<S>();
    let value = runtime.run(f);
    assert_nobody_left(&runtime);
    value
}

#[track_caller]
pub(crate) fn assert_nobody_left<S: Subject>(runtime: &S) {
    let left = runtime.leftover();
    assert!(left.is_empty(), "threads are left after the run: {left:#?}");
}
