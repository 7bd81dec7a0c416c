//! Which worker this OS thread is, and values that only it touches.
//!
//! By Rule 1 a started fiber belongs to one OS thread. The fiber's control block holds that
//! OS thread's number, and so does a thread-local: one comparison tells whether a wake-up
//! is local and needs no atomic read-modify-write.

use core::cell::{Cell, UnsafeCell};
use core::fmt;
use core::marker::PhantomData;
use core::ops::Deref;
use core::sync::atomic::{AtomicUsize, Ordering};
use std::rc::Rc;

thread_local! {
    static HERE: Cell<usize> = const { Cell::new(0) };
}

/// Set in the numbers of [`Roaming`](crate::Roaming) threads' owner, which are no OS thread's: they are
/// here nowhere.
const ROAMING: usize = 1 << (usize::BITS - 1);

/// Numbers are never used again, so a fiber that outlives its owner is nobody's.
static NEXT: AtomicUsize = AtomicUsize::new(1);

/// The number of an owner that is no OS thread.
#[cfg(feature = "fibers")]
pub(crate) fn roaming_number() -> usize {
    // A counter: any order will do.
    NEXT.fetch_add(1, Ordering::Relaxed) | ROAMING
}

/// Whether fibers with this owner may change their OS thread.
#[inline]
pub(crate) fn is_roaming(key: usize) -> bool {
    key & ROAMING != 0
}

/// The number of the calling OS thread as an owner; 0: it is none. Not inlined: a fiber that roams keeps no
/// address of an OS thread's own.
#[inline(never)]
pub(crate) fn here() -> usize {
    HERE.get()
}

/// Whether the calling OS thread has the owner's number `key`. 0 is nobody's.
#[inline]
pub(crate) fn is_here(key: usize) -> bool {
    key == HERE.get() && key != 0
}

/// The calling OS thread as the owner of fibers. It stays on its OS thread.
#[derive(Debug)]
pub struct Owner {
    key: usize,
    _not_send: PhantomData<*const ()>,
}

impl Owner {
    /// Makes the calling OS thread an owner, until the value is dropped.
    ///
    /// # Panics
    ///
    /// If it is one already.
    #[must_use]
    fn claim() -> Owner {
        let key = NEXT.fetch_add(1, Ordering::Relaxed);
        assert_eq!(HERE.get(), 0, "an OS thread owns the fibers of one worker");
        HERE.set(key);
        Owner {
            key,
            _not_send: PhantomData,
        }
    }

    /// Whether the calling OS thread is the owner with this number, whatever it runs.
    #[must_use]
    pub fn is_here(key: usize) -> bool {
        is_here(key)
    }

    /// The number of the owner that the calling OS thread is. 0: it is none.
    #[must_use]
    pub fn here() -> usize {
        here()
    }

    /// The owner's number, never 0, and no other owner's.
    #[must_use]
    #[inline]
    pub fn key(&self) -> usize {
        self.key
    }
}

impl Drop for Owner {
    fn drop(&mut self) {
        HERE.set(0);
    }
}

/// A worker's own part, with the proof that it is touched by the worker's OS thread.
#[derive(Debug)]
pub struct Held<T> {
    value: T,
    owner: Owner,
}

impl<T> Held<T> {
    /// The OS thread that owns the value, which is the calling one.
    #[must_use]
    #[inline]
    pub fn owner(&self) -> &Owner {
        &self.owner
    }
}

impl<T> Deref for Held<T> {
    type Target = T;
    #[inline]
    fn deref(&self) -> &T {
        &self.value
    }
}

/// A value inside a shared object that belongs to one OS thread: a worker's own part.
pub struct Owned<T> {
    key: usize,
    value: UnsafeCell<Option<Rc<Held<T>>>>,
}

// SAFETY: `value` is touched only by the OS thread that made it (`get` and `close` check);
// elsewhere it is not even dropped.
unsafe impl<T> Send for Owned<T> {}
// SAFETY: as above.
unsafe impl<T> Sync for Owned<T> {}

impl<T> Owned<T> {
    /// Makes the calling OS thread the owner of `value`, until [`close`](Owned::close).
    ///
    /// # Panics
    ///
    /// If the calling OS thread is an owner already.
    pub fn new(value: T) -> Owned<T> {
        let owner = Owner::claim();
        Owned {
            key: owner.key(),
            value: UnsafeCell::new(Some(Rc::new(Held { value, owner }))),
        }
    }

    /// The value, if the calling OS thread is its owner and has not closed it.
    #[inline]
    pub fn get(&self) -> Option<Rc<Held<T>>> {
        if !is_here(self.key) {
            return None;
        }
        // SAFETY: only the owner comes here. A number is in the thread-local only on the
        // OS thread that claimed it. The reference ends with this expression.
        unsafe { (*self.value.get()).clone() }
    }

    /// Takes the value out for good: the calling OS thread owns it no longer once the last
    /// of what [`get`](Owned::get) gave has gone.
    pub fn close(&self) -> Option<Rc<Held<T>>> {
        if !is_here(self.key) {
            return None;
        }
        // SAFETY: as in `get`.
        unsafe { (*self.value.get()).take() }
    }

    /// The owner's number.
    #[must_use]
    pub fn key(&self) -> usize {
        self.key
    }
}

impl<T> Drop for Owned<T> {
    fn drop(&mut self) {
        let left = self.value.get_mut().take();
        if !is_here(self.key) {
            // The value was not closed, and must not be dropped by another OS thread.
            core::mem::forget(left);
        }
    }
}

impl<T> fmt::Debug for Owned<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Owned")
            .field("key", &self.key)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;

    #[test]
    fn only_the_owner_reaches_the_value() {
        let owned = Arc::new(Owned::new(Cell::new(1)));
        owned.get().unwrap().set(2);
        let other = Arc::clone(&owned);
        let elsewhere =
            std::thread::spawn(move || other.get().is_none() && other.close().is_none());
        assert!(elsewhere.join().unwrap());
        assert_eq!(owned.get().unwrap().get(), 2);
        let key = owned.key();
        assert!(is_here(key));
        drop(owned.close());
        assert!(!is_here(key));
        assert!(owned.get().is_none());
    }
}
