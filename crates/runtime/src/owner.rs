//! Which worker this OS thread is, and values that only it touches.
//!
//! By Rule 1 a started fiber belongs to one OS thread. The fiber's control block holds that
//! OS thread's number, and so does a thread-local: one comparison tells whether a wake-up
//! is local and needs no atomic read-modify-write.

use core::cell::{Cell, UnsafeCell};
use core::fmt;
use core::marker::PhantomData;
use core::mem::ManuallyDrop;
use core::sync::atomic::{AtomicUsize, Ordering};

thread_local! {
    static HERE: Cell<usize> = const { Cell::new(0) };
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
    /// An OS thread may be a worker inside another worker's wait (never inside a fiber).
    outer: usize,
    _not_send: PhantomData<*const ()>,
}

impl Owner {
    /// Makes the calling OS thread an owner, until the value is dropped.
    #[must_use]
    pub fn claim() -> Owner {
        // Numbers are never used again, so a fiber that outlives its owner is nobody's.
        static NEXT: AtomicUsize = AtomicUsize::new(1);
        let key = NEXT.fetch_add(1, Ordering::Relaxed);
        Owner {
            key,
            outer: HERE.replace(key),
            _not_send: PhantomData,
        }
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
        HERE.set(self.outer);
    }
}

/// A value that lives in a shared object but belongs to one OS thread: the worker's own
/// part of a worker. It holds the [`Owner`], so whoever can reach the value is the owner.
pub struct Owned<T> {
    key: usize,
    value: UnsafeCell<ManuallyDrop<T>>,
    owner: ManuallyDrop<Owner>,
}

// SAFETY: `value` and `owner` are touched only by the OS thread that made them (`get` checks
// it); elsewhere they are not even dropped.
unsafe impl<T> Send for Owned<T> {}
// SAFETY: as above.
unsafe impl<T> Sync for Owned<T> {}

impl<T> Owned<T> {
    /// Makes the calling OS thread the owner of `value`.
    pub fn new(value: T) -> Owned<T> {
        let owner = Owner::claim();
        Owned {
            key: owner.key(),
            value: UnsafeCell::new(ManuallyDrop::new(value)),
            owner: ManuallyDrop::new(owner),
        }
    }

    /// The value, if the calling OS thread is its owner.
    #[inline]
    pub fn get(&self) -> Option<(&T, &Owner)> {
        // SAFETY: only its owner gets a reference, a shared one. The number is in the
        // thread-local only while the owner lives on this OS thread.
        is_here(self.key).then(|| unsafe { (&**self.value.get(), &*self.owner) })
    }

    /// The owner's number.
    pub fn key(&self) -> usize {
        self.key
    }
}

impl<T> Drop for Owned<T> {
    fn drop(&mut self) {
        if !is_here(self.key) {
            // Somebody else had the last reference. The value may hold what must not leave
            // its OS thread: leaked.
            return;
        }
        // SAFETY: we are the owner and have exclusive access; neither is used again.
        unsafe {
            ManuallyDrop::drop(self.value.get_mut());
            ManuallyDrop::drop(&mut self.owner);
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
        owned.get().unwrap().0.set(2);
        let other = Arc::clone(&owned);
        assert!(
            std::thread::spawn(move || other.get().is_none())
                .join()
                .unwrap()
        );
        assert_eq!(owned.get().unwrap().0.get(), 2);
        let key = owned.key();
        drop(owned);
        assert!(!is_here(key));
    }
}
