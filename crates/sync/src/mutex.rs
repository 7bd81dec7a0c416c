//! One at a time.

use core::cell::UnsafeCell;
use core::fmt;
use core::marker::PhantomData;
use core::ops::{Deref, DerefMut};
use std::panic::{RefUnwindSafe, UnwindSafe};
use std::sync::{LockResult, TryLockError, TryLockResult};
use std::time::{Duration, Instant};

use trefoil_runtime::cancel::Unwinding;
use trefoil_runtime::thread::deadline_after;

use crate::lock::Lock;
use crate::poison::Flag;

/// A lock around a value, as [`std::sync::Mutex`].
///
/// A thread that waits for it is parked, in every model, and the holder may itself wait for
/// anything. Waiting for it is no cancellation point. It is not fair, but nobody waits for
/// ever: a thread that was passed over once gets it next.
///
/// It is poisoned by a thread that panics while it holds it, and not by one that is
/// cancelled.
///
/// ```
/// use trefoil_sync::Mutex;
///
/// static TOTAL: Mutex<u32> = Mutex::new(0);
/// *TOTAL.lock().unwrap() += 2;
/// assert_eq!(*TOTAL.lock().unwrap(), 2);
/// ```
pub struct Mutex<T: ?Sized> {
    lock: Lock,
    poison: Flag,
    value: UnsafeCell<T>,
}

// SAFETY: the lock hands the value to one thread at a time, so it need not be `Sync`.
unsafe impl<T: ?Sized + Send> Sync for Mutex<T> {}

/// The right to use the value of a [`Mutex`]; gives the lock back when it is dropped.
///
/// ```
/// let list = trefoil_sync::Mutex::new(vec![1]);
/// {
///     let mut guard = list.lock().unwrap();
///     guard.push(2);
///     assert!(list.try_lock().is_err());
/// }
/// assert!(list.try_lock().is_ok());
/// ```
#[must_use = "if unused the mutex is given back at once"]
pub struct MutexGuard<'a, T: ?Sized> {
    mutex: &'a Mutex<T>,
    taken: Unwinding,
    /// It stays with its thread, as `std`'s.
    _not_send: PhantomData<*const ()>,
}

// SAFETY: it gives `&T` only; giving the lock back needs the guard itself.
unsafe impl<T: ?Sized + Sync> Sync for MutexGuard<'_, T> {}

impl<T> Mutex<T> {
    /// A free mutex around `value`.
    ///
    /// ```
    /// use trefoil_sync::Mutex;
    ///
    /// static NAMES: Mutex<Vec<&str>> = Mutex::new(Vec::new());
    /// NAMES.lock().unwrap().push("Ada");
    /// ```
    pub const fn new(value: T) -> Mutex<T> {
        Mutex {
            lock: Lock::new(),
            poison: Flag::new(),
            value: UnsafeCell::new(value),
        }
    }

    /// The value. Does not wait: nobody else has the mutex.
    ///
    /// # Errors
    ///
    /// If the mutex is poisoned; the error holds the value.
    ///
    /// ```
    /// let mutex = trefoil_sync::Mutex::new(1);
    /// *mutex.lock().unwrap() += 1;
    /// assert_eq!(mutex.into_inner().unwrap(), 2);
    /// ```
    pub fn into_inner(self) -> LockResult<T> {
        let Mutex { poison, value, .. } = self;
        poison.wrap(value.into_inner())
    }
}

impl<T: ?Sized> Mutex<T> {
    /// Takes the lock; parks the thread while another one has it. No cancellation point.
    ///
    /// A thread that holds it already waits for itself, for ever.
    ///
    /// # Errors
    ///
    /// If a thread has panicked while it held the lock; the error holds the guard.
    ///
    /// ```
    /// let sum = trefoil_sync::Mutex::new(0);
    /// std::thread::scope(|scope| {
    ///     for n in 1..=3 {
    ///         let sum = &sum;
    ///         scope.spawn(move || *sum.lock().unwrap() += n);
    ///     }
    /// });
    /// assert_eq!(*sum.lock().unwrap(), 6);
    /// ```
    #[inline]
    #[track_caller]
    pub fn lock(&self) -> LockResult<MutexGuard<'_, T>> {
        self.lock.lock();
        self.poison.wrap(self.guard())
    }

    /// Takes the lock if it is free. Does not wait.
    ///
    /// # Errors
    ///
    /// [`TryLockError::WouldBlock`] if it is not free, else as [`lock`](Mutex::lock).
    ///
    /// ```
    /// use std::sync::TryLockError;
    ///
    /// let mutex = trefoil_sync::Mutex::new(1);
    /// let held = mutex.lock().unwrap();
    /// assert!(matches!(mutex.try_lock(), Err(TryLockError::WouldBlock)));
    /// drop(held);
    /// assert_eq!(*mutex.try_lock().unwrap(), 1);
    /// ```
    #[inline]
    pub fn try_lock(&self) -> TryLockResult<MutexGuard<'_, T>> {
        let locked = self.lock.try_lock().then(|| self.guard());
        self.poison.wrap_attempt(locked)
    }

    /// As [`lock`](Mutex::lock), for at most this long.
    ///
    /// # Errors
    ///
    /// [`TryLockError::WouldBlock`] if the time was over, else as [`lock`](Mutex::lock).
    ///
    /// ```
    /// use std::time::Duration;
    /// use trefoil_sync::Mutex;
    ///
    /// let lock = Mutex::new(1);
    /// let held = lock.lock().unwrap();
    /// assert!(lock.try_lock_for(Duration::from_millis(1)).is_err());
    /// drop(held);
    /// assert_eq!(*lock.try_lock_for(Duration::from_millis(1)).unwrap(), 1);
    /// ```
    #[track_caller]
    pub fn try_lock_for(&self, duration: Duration) -> TryLockResult<MutexGuard<'_, T>> {
        self.try_lock_as(deadline_after(duration))
    }

    /// As [`try_lock_for`](Mutex::try_lock_for), until this time.
    ///
    /// # Errors
    ///
    /// As there.
    ///
    /// ```
    /// use std::time::Instant;
    ///
    /// let lock = trefoil_sync::Mutex::new(1);
    /// assert!(lock.try_lock_until(Instant::now()).is_ok());
    /// ```
    #[track_caller]
    pub fn try_lock_until(&self, deadline: Instant) -> TryLockResult<MutexGuard<'_, T>> {
        self.try_lock_as(Some(deadline))
    }

    #[track_caller]
    fn try_lock_as(&self, until: Option<Instant>) -> TryLockResult<MutexGuard<'_, T>> {
        let locked = self.lock.lock_until(until).then(|| self.guard());
        self.poison.wrap_attempt(locked)
    }

    /// The lock has just been taken.
    #[inline]
    fn guard(&self) -> MutexGuard<'_, T> {
        MutexGuard {
            mutex: self,
            taken: Unwinding::now(),
            _not_send: PhantomData,
        }
    }

    /// Whether a thread has panicked while it held the lock. Does not wait.
    ///
    /// ```
    /// let mutex = trefoil_sync::Mutex::new(());
    /// let panics = std::thread::scope(|scope| {
    ///     let panics = scope.spawn(|| {
    ///         let _held = mutex.lock().unwrap();
    ///         panic!("what it guards may be half changed");
    ///     });
    ///     panics.join()
    /// });
    /// assert!(panics.is_err() && mutex.is_poisoned());
    /// ```
    #[must_use]
    pub fn is_poisoned(&self) -> bool {
        self.poison.is_set()
    }

    /// Forgets that a thread has panicked while it held the lock. Does not wait.
    ///
    /// ```
    /// let mutex = trefoil_sync::Mutex::new(1);
    /// let panics = std::thread::scope(|scope| {
    ///     let panics = scope.spawn(|| {
    ///         *mutex.lock().unwrap() = 2;
    ///         let _held = mutex.lock();
    ///         panic!("it is meant to");
    ///     });
    ///     panics.join()
    /// });
    /// assert!(panics.is_err());
    /// *mutex.lock().unwrap_err().into_inner() = 1; // put in order
    /// mutex.clear_poison();
    /// assert_eq!(*mutex.lock().unwrap(), 1);
    /// ```
    pub fn clear_poison(&self) {
        self.poison.clear();
    }

    /// The value, when the mutex is not shared. Does not wait.
    ///
    /// # Errors
    ///
    /// If the mutex is poisoned; the error holds the reference.
    ///
    /// ```
    /// let mut mutex = trefoil_sync::Mutex::new(1);
    /// *mutex.get_mut().unwrap() += 1;
    /// assert_eq!(mutex.into_inner().unwrap(), 2);
    /// ```
    pub fn get_mut(&mut self) -> LockResult<&mut T> {
        self.poison.wrap(self.value.get_mut())
    }
}

impl<'a, T: ?Sized> MutexGuard<'a, T> {
    /// Gives the lock back, to take it [again](MutexGuard::again).
    pub(crate) fn interrupt(self) -> &'a Mutex<T> {
        let mutex = self.mutex;
        drop(self);
        mutex
    }

    #[track_caller]
    pub(crate) fn again(mutex: &'a Mutex<T>) -> LockResult<MutexGuard<'a, T>> {
        mutex.lock()
    }
}

impl<T: ?Sized> Deref for MutexGuard<'_, T> {
    type Target = T;
    #[inline]
    fn deref(&self) -> &T {
        // SAFETY: the guard exists, so its thread holds the lock.
        unsafe { &*self.mutex.value.get() }
    }
}

impl<T: ?Sized> DerefMut for MutexGuard<'_, T> {
    #[inline]
    fn deref_mut(&mut self) -> &mut T {
        // SAFETY: the guard exists, so its thread holds the lock.
        unsafe { &mut *self.mutex.value.get() }
    }
}

impl<T: ?Sized> Drop for MutexGuard<'_, T> {
    #[inline]
    fn drop(&mut self) {
        self.mutex.poison.given_back(self.taken);
        self.mutex.lock.unlock();
    }
}

impl<T: Default> Default for Mutex<T> {
    fn default() -> Mutex<T> {
        Mutex::new(T::default())
    }
}

impl<T> From<T> for Mutex<T> {
    fn from(value: T) -> Mutex<T> {
        Mutex::new(value)
    }
}

impl<T: ?Sized + fmt::Debug> fmt::Debug for Mutex<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut text = f.debug_struct("Mutex");
        match self.try_lock() {
            Ok(guard) => text.field("data", &&*guard),
            Err(TryLockError::Poisoned(error)) => text.field("data", &&*error.into_inner()),
            Err(TryLockError::WouldBlock) => text.field("data", &"<locked>"),
        };
        text.field("poisoned", &self.is_poisoned())
            .finish_non_exhaustive()
    }
}

impl<T: ?Sized + fmt::Debug> fmt::Debug for MutexGuard<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        (**self).fmt(f)
    }
}

impl<T: ?Sized + fmt::Display> fmt::Display for MutexGuard<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        (**self).fmt(f)
    }
}

// A panic is told by the poison.
impl<T: ?Sized> UnwindSafe for Mutex<T> {}
impl<T: ?Sized> RefUnwindSafe for Mutex<T> {}
