//! Many readers or one writer.

use core::cell::UnsafeCell;
use core::fmt;
use core::marker::PhantomData;
use core::mem;
use core::ops::{Deref, DerefMut};
use std::panic::{RefUnwindSafe, UnwindSafe};
use std::sync::{LockResult, TryLockError, TryLockResult};
use std::time::{Duration, Instant};

use trefoil_runtime::cancel::Unwinding;
use trefoil_runtime::thread::deadline_after;

use crate::poison::Flag;
use crate::sharing::{Access, Sharing};

/// A lock around a value that many may read or one may write, as [`std::sync::RwLock`].
///
/// It goes to those who wait for it in their order, so that readers do not starve a writer,
/// nor writers a reader: a thread that reads it twice at the same time may wait for a writer
/// in between, which waits for that thread. Waiting parks the thread, in every model, and is
/// no cancellation point.
///
/// It is poisoned by a thread that panics while it writes, and not by one that is cancelled.
///
/// ```
/// use trefoil_sync::RwLock;
///
/// let lock = RwLock::new(1);
/// assert_eq!(*lock.read().unwrap() + *lock.read().unwrap(), 2);
/// *lock.write().unwrap() = 5;
/// assert_eq!(lock.into_inner().unwrap(), 5);
/// ```
pub struct RwLock<T: ?Sized> {
    sharing: Sharing,
    poison: Flag,
    value: UnsafeCell<T>,
}

// SAFETY: the lock hands `&mut T` to one thread at a time, and `&T` to several.
unsafe impl<T: ?Sized + Send + Sync> Sync for RwLock<T> {}

/// The right to read the value of a [`RwLock`]; gives it back when it is dropped.
///
/// ```
/// let lock = trefoil_sync::RwLock::new(1);
/// {
///     let guard = lock.read().unwrap();
///     assert_eq!(*guard, 1);
///     assert!(lock.try_write().is_err());
/// }
/// assert!(lock.try_write().is_ok());
/// ```
#[must_use = "if unused the lock is given back at once"]
pub struct RwLockReadGuard<'a, T: ?Sized> {
    lock: &'a RwLock<T>,
    _not_send: PhantomData<*const ()>,
}

/// The right to write the value of a [`RwLock`]; gives it back when it is dropped.
///
/// ```
/// let lock = trefoil_sync::RwLock::new(1);
/// {
///     let mut guard = lock.write().unwrap();
///     *guard += 1;
///     assert!(lock.try_read().is_err());
/// }
/// assert_eq!(*lock.try_read().unwrap(), 2);
/// ```
#[must_use = "if unused the lock is given back at once"]
pub struct RwLockWriteGuard<'a, T: ?Sized> {
    lock: &'a RwLock<T>,
    taken: Unwinding,
    _not_send: PhantomData<*const ()>,
}

// SAFETY: it gives `&T` only; giving the lock back needs the guard itself.
unsafe impl<T: ?Sized + Sync> Sync for RwLockReadGuard<'_, T> {}
// SAFETY: as above.
unsafe impl<T: ?Sized + Sync> Sync for RwLockWriteGuard<'_, T> {}

impl<T> RwLock<T> {
    /// A free lock around `value`.
    ///
    /// ```
    /// use trefoil_sync::RwLock;
    ///
    /// static NAMES: RwLock<Vec<&str>> = RwLock::new(Vec::new());
    /// NAMES.write().unwrap().push("Ada");
    /// assert_eq!(NAMES.read().unwrap().len(), 1);
    /// ```
    pub const fn new(value: T) -> RwLock<T> {
        RwLock {
            sharing: Sharing::new(),
            poison: Flag::new(),
            value: UnsafeCell::new(value),
        }
    }

    /// The value. Does not wait: nobody else has the lock.
    ///
    /// # Errors
    ///
    /// If the lock is poisoned; the error holds the value.
    ///
    /// ```
    /// let lock = trefoil_sync::RwLock::new(1);
    /// *lock.write().unwrap() += 1;
    /// assert_eq!(lock.into_inner().unwrap(), 2);
    /// ```
    pub fn into_inner(self) -> LockResult<T> {
        let RwLock { poison, value, .. } = self;
        poison.wrap(value.into_inner())
    }
}

impl<T: ?Sized> RwLock<T> {
    /// Takes the lock to read; parks the thread while a writer has it or is next. No cancellation
    /// point.
    ///
    /// # Errors
    ///
    /// If the lock is poisoned; the error holds the guard.
    ///
    /// # Panics
    ///
    /// If more than 2^30 guards exist.
    ///
    /// ```
    /// let lock = trefoil_sync::RwLock::new(1);
    /// let here = lock.read().unwrap();
    /// std::thread::scope(|scope| {
    ///     scope.spawn(|| assert_eq!(*lock.read().unwrap(), *here));
    /// });
    /// ```
    #[inline]
    #[track_caller]
    pub fn read(&self) -> LockResult<RwLockReadGuard<'_, T>> {
        self.sharing.take(Access::Read);
        self.poison.wrap(self.reads())
    }

    /// Takes the lock to read if no writer has it or is next. Does not wait.
    ///
    /// # Errors
    ///
    /// [`TryLockError::WouldBlock`], else as [`read`](RwLock::read).
    ///
    /// ```
    /// let lock = trefoil_sync::RwLock::new(1);
    /// let writing = lock.write().unwrap();
    /// assert!(lock.try_read().is_err());
    /// drop(writing);
    /// assert_eq!(*lock.try_read().unwrap(), 1);
    /// ```
    #[inline]
    pub fn try_read(&self) -> TryLockResult<RwLockReadGuard<'_, T>> {
        let locked = self.sharing.try_take(Access::Read).then(|| self.reads());
        self.poison.wrap_attempt(locked)
    }

    /// Takes the lock to write; parks the thread while anybody has it. No cancellation point.
    ///
    /// # Errors
    ///
    /// If the lock is poisoned; the error holds the guard.
    ///
    /// ```
    /// let sum = trefoil_sync::RwLock::new(0);
    /// std::thread::scope(|scope| {
    ///     for n in 1..=3 {
    ///         let sum = &sum;
    ///         scope.spawn(move || *sum.write().unwrap() += n);
    ///     }
    /// });
    /// assert_eq!(*sum.read().unwrap(), 6);
    /// ```
    #[inline]
    #[track_caller]
    pub fn write(&self) -> LockResult<RwLockWriteGuard<'_, T>> {
        self.sharing.take(Access::Write);
        self.poison.wrap(self.writes())
    }

    /// Takes the lock to write if nobody has it. Does not wait.
    ///
    /// # Errors
    ///
    /// [`TryLockError::WouldBlock`], else as [`write`](RwLock::write).
    ///
    /// ```
    /// let lock = trefoil_sync::RwLock::new(1);
    /// let reading = lock.read().unwrap();
    /// assert!(lock.try_write().is_err());
    /// drop(reading);
    /// *lock.try_write().unwrap() = 2;
    /// ```
    #[inline]
    pub fn try_write(&self) -> TryLockResult<RwLockWriteGuard<'_, T>> {
        let locked = self.sharing.try_take(Access::Write).then(|| self.writes());
        self.poison.wrap_attempt(locked)
    }

    /// As [`read`](RwLock::read), for at most this long.
    ///
    /// # Errors
    ///
    /// [`TryLockError::WouldBlock`] if the time was over, else as [`read`](RwLock::read).
    ///
    /// ```
    /// use std::time::Duration;
    /// use trefoil_sync::RwLock;
    ///
    /// let lock = RwLock::new(1);
    /// let held = lock.write().unwrap();
    /// assert!(lock.try_read_for(Duration::from_millis(1)).is_err());
    /// drop(held);
    /// assert_eq!(*lock.try_read_for(Duration::from_millis(1)).unwrap(), 1);
    /// ```
    #[track_caller]
    pub fn try_read_for(&self, duration: Duration) -> TryLockResult<RwLockReadGuard<'_, T>> {
        self.try_read_as(deadline_after(duration))
    }

    /// As [`try_read_for`](RwLock::try_read_for), until this time.
    ///
    /// # Errors
    ///
    /// As there.
    ///
    /// ```
    /// use std::time::Instant;
    ///
    /// let lock = trefoil_sync::RwLock::new(1);
    /// assert!(lock.try_read_until(Instant::now()).is_ok());
    /// ```
    #[track_caller]
    pub fn try_read_until(&self, deadline: Instant) -> TryLockResult<RwLockReadGuard<'_, T>> {
        self.try_read_as(Some(deadline))
    }

    /// As [`write`](RwLock::write), for at most this long.
    ///
    /// # Errors
    ///
    /// [`TryLockError::WouldBlock`] if the time was over, else as [`write`](RwLock::write).
    ///
    /// ```
    /// use std::time::Duration;
    /// use trefoil_sync::RwLock;
    ///
    /// let lock = RwLock::new(1);
    /// let held = lock.read().unwrap();
    /// assert!(lock.try_write_for(Duration::from_millis(1)).is_err());
    /// drop(held);
    /// assert_eq!(*lock.try_write_for(Duration::from_millis(1)).unwrap(), 1);
    /// ```
    #[track_caller]
    pub fn try_write_for(&self, duration: Duration) -> TryLockResult<RwLockWriteGuard<'_, T>> {
        self.try_write_as(deadline_after(duration))
    }

    /// As [`try_write_for`](RwLock::try_write_for), until this time.
    ///
    /// # Errors
    ///
    /// As there.
    ///
    /// ```
    /// use std::time::Instant;
    ///
    /// let lock = trefoil_sync::RwLock::new(1);
    /// assert!(lock.try_write_until(Instant::now()).is_ok());
    /// ```
    #[track_caller]
    pub fn try_write_until(&self, deadline: Instant) -> TryLockResult<RwLockWriteGuard<'_, T>> {
        self.try_write_as(Some(deadline))
    }

    #[track_caller]
    fn try_read_as(&self, until: Option<Instant>) -> TryLockResult<RwLockReadGuard<'_, T>> {
        let taken = self.sharing.take_until(Access::Read, until);
        self.poison.wrap_attempt(taken.then(|| self.reads()))
    }

    #[track_caller]
    fn try_write_as(&self, until: Option<Instant>) -> TryLockResult<RwLockWriteGuard<'_, T>> {
        let taken = self.sharing.take_until(Access::Write, until);
        self.poison.wrap_attempt(taken.then(|| self.writes()))
    }

    fn reads(&self) -> RwLockReadGuard<'_, T> {
        RwLockReadGuard {
            lock: self,
            _not_send: PhantomData,
        }
    }

    fn writes(&self) -> RwLockWriteGuard<'_, T> {
        RwLockWriteGuard {
            lock: self,
            taken: Unwinding::now(),
            _not_send: PhantomData,
        }
    }

    /// Whether a thread has panicked while it wrote. Does not wait.
    ///
    /// ```
    /// let lock = trefoil_sync::RwLock::new(());
    /// let panics = std::thread::scope(|scope| {
    ///     let panics = scope.spawn(|| {
    ///         let _writing = lock.write().unwrap();
    ///         panic!("what it guards may be half changed");
    ///     });
    ///     panics.join()
    /// });
    /// assert!(panics.is_err() && lock.is_poisoned());
    /// ```
    #[must_use]
    pub fn is_poisoned(&self) -> bool {
        self.poison.is_set()
    }

    /// Forgets that a thread has panicked while it wrote. Does not wait.
    ///
    /// ```
    /// let lock = trefoil_sync::RwLock::new(1);
    /// let panics = std::thread::scope(|scope| {
    ///     let panics = scope.spawn(|| {
    ///         *lock.write().unwrap() = 2;
    ///         let _writing = lock.write();
    ///         panic!("it is meant to");
    ///     });
    ///     panics.join()
    /// });
    /// assert!(panics.is_err());
    /// *lock.write().unwrap_err().into_inner() = 1; // put in order
    /// lock.clear_poison();
    /// assert_eq!(*lock.read().unwrap(), 1);
    /// ```
    pub fn clear_poison(&self) {
        self.poison.clear();
    }

    /// The value, when the lock is not shared. Does not wait.
    ///
    /// # Errors
    ///
    /// If the lock is poisoned; the error holds the reference.
    ///
    /// ```
    /// let mut lock = trefoil_sync::RwLock::new(1);
    /// *lock.get_mut().unwrap() += 1;
    /// assert_eq!(lock.into_inner().unwrap(), 2);
    /// ```
    pub fn get_mut(&mut self) -> LockResult<&mut T> {
        self.poison.wrap(self.value.get_mut())
    }
}

impl<'a, T: ?Sized> RwLockWriteGuard<'a, T> {
    /// Turns the right to write into one to read, without giving the lock back between. Does not
    /// wait; readers that wait are let in.
    ///
    /// ```
    /// use trefoil_sync::{RwLock, RwLockWriteGuard};
    ///
    /// let lock = RwLock::new(1);
    /// let mut writing = lock.write().unwrap();
    /// *writing = 2;
    /// let reading = RwLockWriteGuard::downgrade(writing);
    /// assert_eq!(*reading + *lock.read().unwrap(), 4);
    /// assert!(lock.try_write().is_err());
    /// ```
    pub fn downgrade(guard: RwLockWriteGuard<'a, T>) -> RwLockReadGuard<'a, T> {
        let lock = guard.lock;
        lock.poison.given_back(guard.taken);
        mem::forget(guard);
        lock.sharing.downgrade();
        lock.reads()
    }
}

impl<T: ?Sized> Deref for RwLockReadGuard<'_, T> {
    type Target = T;
    #[inline]
    fn deref(&self) -> &T {
        // SAFETY: the guard exists, so nobody writes.
        unsafe { &*self.lock.value.get() }
    }
}

impl<T: ?Sized> Deref for RwLockWriteGuard<'_, T> {
    type Target = T;
    #[inline]
    fn deref(&self) -> &T {
        // SAFETY: the guard exists, so its thread has the lock alone.
        unsafe { &*self.lock.value.get() }
    }
}

impl<T: ?Sized> DerefMut for RwLockWriteGuard<'_, T> {
    #[inline]
    fn deref_mut(&mut self) -> &mut T {
        // SAFETY: the guard exists, so its thread has the lock alone.
        unsafe { &mut *self.lock.value.get() }
    }
}

impl<T: ?Sized> Drop for RwLockReadGuard<'_, T> {
    #[inline]
    fn drop(&mut self) {
        self.lock.sharing.give_back(Access::Read);
    }
}

impl<T: ?Sized> Drop for RwLockWriteGuard<'_, T> {
    #[inline]
    fn drop(&mut self) {
        self.lock.poison.given_back(self.taken);
        self.lock.sharing.give_back(Access::Write);
    }
}

impl<T: Default> Default for RwLock<T> {
    fn default() -> RwLock<T> {
        RwLock::new(T::default())
    }
}

impl<T> From<T> for RwLock<T> {
    fn from(value: T) -> RwLock<T> {
        RwLock::new(value)
    }
}

impl<T: ?Sized + fmt::Debug> fmt::Debug for RwLock<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut text = f.debug_struct("RwLock");
        match self.try_read() {
            Ok(guard) => text.field("data", &&*guard),
            Err(TryLockError::Poisoned(error)) => text.field("data", &&*error.into_inner()),
            Err(TryLockError::WouldBlock) => text.field("data", &format_args!("<locked>")),
        };
        text.field("poisoned", &self.is_poisoned())
            .finish_non_exhaustive()
    }
}

impl<T: ?Sized + fmt::Debug> fmt::Debug for RwLockReadGuard<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        (**self).fmt(f)
    }
}

impl<T: ?Sized + fmt::Debug> fmt::Debug for RwLockWriteGuard<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        (**self).fmt(f)
    }
}

impl<T: ?Sized + fmt::Display> fmt::Display for RwLockReadGuard<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        (**self).fmt(f)
    }
}

impl<T: ?Sized + fmt::Display> fmt::Display for RwLockWriteGuard<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        (**self).fmt(f)
    }
}

// A panic is told by the poison.
impl<T: ?Sized> UnwindSafe for RwLock<T> {}
impl<T: ?Sized> RefUnwindSafe for RwLock<T> {}
