//! A value that its first reader makes.

use core::cell::Cell;
use core::fmt;
use core::ops::{Deref, DerefMut};
use std::panic::{RefUnwindSafe, UnwindSafe};

use crate::once_lock::OnceLock;

/// A value that is made when it is first used, as [`std::sync::LazyLock`].
///
/// Threads that come while another one makes it are parked, in every model, and the closure
/// may itself wait for anything: `std`'s would block the OS thread, and all fibers on it.
/// Waiting is no cancellation point.
///
/// If the closure panics, the value is poisoned: every later use panics. The same holds if the
/// thread that makes it is cancelled in the closure: it is used up, and there is no other.
///
/// ```
/// use trefoil_sync::LazyLock;
///
/// static NAMES: LazyLock<Vec<String>> = LazyLock::new(|| vec!["one".to_owned()]);
/// assert_eq!(NAMES.len(), 1);
/// ```
pub struct LazyLock<T, F = fn() -> T> {
    value: OnceLock<T>,
    /// Taken by the one initialization.
    init: Cell<Option<F>>,
}

// SAFETY: `init` is touched by the initialization of `value` only, of which there is one at a
// time, and through `&mut`. What it makes is moved between threads, as it is itself.
unsafe impl<T: Send + Sync, F: Send> Sync for LazyLock<T, F> {}

impl<T, F: FnOnce() -> T> LazyLock<T, F> {
    /// A value that `f` will make.
    ///
    /// ```
    /// let lazy = trefoil_sync::LazyLock::new(|| 6 * 7);
    /// assert_eq!(*lazy, 42);
    /// ```
    pub const fn new(f: F) -> LazyLock<T, F> {
        LazyLock {
            value: OnceLock::new(),
            init: Cell::new(Some(f)),
        }
    }

    /// The value, which is made now if it was not before. If another thread makes it, waits for
    /// that. No cancellation point.
    ///
    /// # Panics
    ///
    /// With the closure's panic, and if it has panicked before, or was cancelled.
    ///
    /// ```
    /// use trefoil_sync::LazyLock;
    ///
    /// let lazy = LazyLock::new(|| 1);
    /// assert_eq!(LazyLock::force(&lazy), &1);
    /// ```
    #[inline]
    #[track_caller]
    pub fn force(this: &LazyLock<T, F>) -> &T {
        this.value.get_or_init(|| match this.init.take() {
            Some(f) => f(),
            None => refuse_poisoned(),
        })
    }

    /// The value, to change it; it is made now if it was not before. Nobody else can be making it,
    /// so it waits for nothing but the closure.
    ///
    /// # Panics
    ///
    /// As [`force`](LazyLock::force).
    ///
    /// ```
    /// use trefoil_sync::LazyLock;
    ///
    /// let mut lazy = LazyLock::new(|| 1);
    /// *LazyLock::force_mut(&mut lazy) += 1;
    /// assert_eq!(*lazy, 2);
    /// ```
    #[track_caller]
    pub fn force_mut(this: &mut LazyLock<T, F>) -> &mut T {
        LazyLock::force(this);
        match this.value.get_mut() {
            Some(value) => value,
            None => unreachable!("it has just been made"),
        }
    }
}

impl<T, F> LazyLock<T, F> {
    /// The value, if it has been made. Does not wait.
    ///
    /// ```
    /// use trefoil_sync::LazyLock;
    ///
    /// let lazy = LazyLock::new(|| 1);
    /// assert_eq!(LazyLock::get(&lazy), None);
    /// LazyLock::force(&lazy);
    /// assert_eq!(LazyLock::get(&lazy), Some(&1));
    /// ```
    #[must_use]
    #[inline]
    pub fn get(this: &LazyLock<T, F>) -> Option<&T> {
        this.value.get()
    }

    /// The value, if it has been made, to change it. Does not wait.
    ///
    /// ```
    /// use trefoil_sync::LazyLock;
    ///
    /// let mut lazy = LazyLock::new(|| 1);
    /// assert_eq!(LazyLock::get_mut(&mut lazy), None);
    /// ```
    #[must_use]
    pub fn get_mut(this: &mut LazyLock<T, F>) -> Option<&mut T> {
        this.value.get_mut()
    }
}

#[cold]
#[track_caller]
fn refuse_poisoned() -> ! {
    panic!("this `LazyLock` is poisoned: its closure has panicked, or was cancelled, before")
}

impl<T, F: FnOnce() -> T> Deref for LazyLock<T, F> {
    type Target = T;
    #[inline]
    #[track_caller]
    fn deref(&self) -> &T {
        LazyLock::force(self)
    }
}

impl<T, F: FnOnce() -> T> DerefMut for LazyLock<T, F> {
    #[inline]
    #[track_caller]
    fn deref_mut(&mut self) -> &mut T {
        LazyLock::force_mut(self)
    }
}

impl<T: Default> Default for LazyLock<T> {
    fn default() -> LazyLock<T> {
        LazyLock::new(T::default)
    }
}

impl<T: fmt::Debug, F> fmt::Debug for LazyLock<T, F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut text = f.debug_tuple("LazyLock");
        match LazyLock::get(self) {
            Some(value) => text.field(value),
            None => text.field(&format_args!("<uninit>")),
        };
        text.finish()
    }
}

impl<T: UnwindSafe, F: UnwindSafe> UnwindSafe for LazyLock<T, F> {}
impl<T: RefUnwindSafe + UnwindSafe, F: UnwindSafe> RefUnwindSafe for LazyLock<T, F> {}
