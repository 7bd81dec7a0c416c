//! A value that is written once.

use core::cell::UnsafeCell;
use core::fmt;
use core::marker::PhantomData;
use core::mem::MaybeUninit;
use std::panic::{RefUnwindSafe, UnwindSafe};

use crate::once::Once;

/// A cell that is written once and then read by everybody, as [`std::sync::OnceLock`].
///
/// Threads that come while another one initializes are parked, in every model, and the one
/// that initializes may itself wait for anything: `std`'s would block the OS thread, and all
/// fibers on it. Waiting is no cancellation point.
///
/// ```
/// use trefoil_sync::OnceLock;
///
/// static CELL: OnceLock<String> = OnceLock::new();
/// assert_eq!(CELL.get(), None);
/// assert_eq!(CELL.get_or_init(|| "first".to_owned()), "first");
/// assert_eq!(CELL.set("second".to_owned()), Err("second".to_owned()));
/// ```
pub struct OnceLock<T> {
    once: Once,
    value: UnsafeCell<MaybeUninit<T>>,
    _owns: PhantomData<T>,
}

// SAFETY: the value is written by one thread, once, and afterwards only read; `Send`, because
// the writer need not be the one that drops it.
unsafe impl<T: Send + Sync> Sync for OnceLock<T> {}

impl<T> OnceLock<T> {
    /// An empty cell.
    ///
    /// ```
    /// use trefoil_sync::OnceLock;
    ///
    /// static NAME: OnceLock<String> = OnceLock::new();
    /// assert_eq!(NAME.get(), None);
    /// ```
    #[must_use]
    pub const fn new() -> OnceLock<T> {
        OnceLock {
            once: Once::new(),
            value: UnsafeCell::new(MaybeUninit::uninit()),
            _owns: PhantomData,
        }
    }

    /// The value, if there is one. Does not wait.
    ///
    /// ```
    /// let cell = trefoil_sync::OnceLock::new();
    /// assert_eq!(cell.get(), None);
    /// cell.set(1).unwrap();
    /// assert_eq!(cell.get(), Some(&1));
    /// ```
    #[must_use]
    #[inline]
    pub fn get(&self) -> Option<&T> {
        // SAFETY: it is complete, so the value is there and nobody writes it any more.
        self.once
            .is_completed()
            .then(|| unsafe { (*self.value.get()).assume_init_ref() })
    }

    /// The value, if there is one, to change it. Does not wait.
    ///
    /// ```
    /// let mut cell = trefoil_sync::OnceLock::from(1);
    /// *cell.get_mut().unwrap() += 1;
    /// assert_eq!(cell.get(), Some(&2));
    /// ```
    #[must_use]
    pub fn get_mut(&mut self) -> Option<&mut T> {
        // SAFETY: it is complete, so the value is there.
        self.once
            .is_completed()
            .then(|| unsafe { self.value.get_mut().assume_init_mut() })
    }

    /// Writes the value, unless there is one. If another thread initializes, waits for it. No
    /// cancellation point.
    ///
    /// # Errors
    ///
    /// The value, if there was one.
    ///
    /// ```
    /// let cell = trefoil_sync::OnceLock::new();
    /// assert_eq!(cell.set(1), Ok(()));
    /// assert_eq!(cell.set(2), Err(2));
    /// assert_eq!(cell.get(), Some(&1));
    /// ```
    #[track_caller]
    pub fn set(&self, value: T) -> Result<(), T> {
        let mut value = Some(value);
        self.get_or_init(|| value.take().expect("it is called at most once"));
        value.map_or(Ok(()), Err)
    }

    /// The value, which `f` gives if there is none. If another thread initializes, waits for
    /// it. If `f` panics, the cell stays empty. No cancellation point.
    ///
    /// # Panics
    ///
    /// With `f`'s panic.
    ///
    /// ```
    /// let cell = trefoil_sync::OnceLock::new();
    /// assert_eq!(cell.get_or_init(|| 1), &1);
    /// assert_eq!(cell.get_or_init(|| unreachable!()), &1);
    /// ```
    #[inline]
    #[track_caller]
    pub fn get_or_init<F: FnOnce() -> T>(&self, f: F) -> &T {
        self.once.call_once_force(|_| {
            let value = f();
            // SAFETY: only the initialization that runs touches the value, and there is one.
            unsafe { (*self.value.get()).write(value) };
        });
        self.get().expect("it has just been initialized")
    }

    /// Waits until there is a value, which another thread writes. Parks the thread until then. No
    /// cancellation point.
    ///
    /// If an initialization panics, the cell is empty as before, and it waits for the next one.
    ///
    /// ```
    /// let cell = trefoil_sync::OnceLock::new();
    /// std::thread::scope(|scope| {
    ///     scope.spawn(|| cell.set(1));
    ///     assert_eq!(cell.wait(), &1);
    /// });
    /// ```
    #[track_caller]
    pub fn wait(&self) -> &T {
        // An initialization that has panicked has left the cell empty, and another one may come.
        self.once.wait_force();
        self.get().expect("it has just been initialized")
    }

    /// Takes the value out, and leaves the cell empty. Does not wait.
    ///
    /// ```
    /// let mut cell = trefoil_sync::OnceLock::from(1);
    /// assert_eq!(cell.take(), Some(1));
    /// assert_eq!(cell.set(2), Ok(()));
    /// ```
    pub fn take(&mut self) -> Option<T> {
        if !self.once.is_completed() {
            return None;
        }
        self.once = Once::new();
        // SAFETY: it was complete, so the value is there; nobody takes it again.
        Some(unsafe { self.value.get_mut().assume_init_read() })
    }

    /// The value. Does not wait.
    ///
    /// ```
    /// let cell = trefoil_sync::OnceLock::from(1);
    /// assert_eq!(cell.into_inner(), Some(1));
    /// ```
    pub fn into_inner(mut self) -> Option<T> {
        self.take()
    }
}

impl<T> Drop for OnceLock<T> {
    fn drop(&mut self) {
        drop(self.take());
    }
}

impl<T> Default for OnceLock<T> {
    fn default() -> OnceLock<T> {
        OnceLock::new()
    }
}

impl<T> From<T> for OnceLock<T> {
    fn from(value: T) -> OnceLock<T> {
        let cell = OnceLock::new();
        cell.get_or_init(|| value);
        cell
    }
}

impl<T: Clone> Clone for OnceLock<T> {
    fn clone(&self) -> OnceLock<T> {
        self.get().cloned().map_or_else(OnceLock::new, From::from)
    }
}

impl<T: PartialEq> PartialEq for OnceLock<T> {
    fn eq(&self, other: &OnceLock<T>) -> bool {
        self.get() == other.get()
    }
}

impl<T: Eq> Eq for OnceLock<T> {}

impl<T: fmt::Debug> fmt::Debug for OnceLock<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut text = f.debug_tuple("OnceLock");
        match self.get() {
            Some(value) => text.field(value),
            None => text.field(&format_args!("<uninit>")),
        };
        text.finish()
    }
}

impl<T: UnwindSafe> UnwindSafe for OnceLock<T> {}
impl<T: RefUnwindSafe + UnwindSafe> RefUnwindSafe for OnceLock<T> {}
