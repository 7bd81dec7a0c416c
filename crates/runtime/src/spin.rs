//! A lock for a few instructions.
//!
//! It guards the queues of our own locks and channels. A holder never waits and never
//! calls foreign code, so a fiber is never switched away while it holds one: on one OS
//! thread it is always free. Across OS threads a holder may be preempted by the kernel;
//! therefore a waiter spins for ever longer pauses and then offers its processor to the kernel.

use core::cell::UnsafeCell;
use core::marker::PhantomData;
use core::ops::{Deref, DerefMut};

use core::sync::atomic::{AtomicU32, Ordering};

/// A value behind a spin lock.
///
/// Never hold the guard across a wait, a call of a user's closure, or a drop of a
/// user's value.
///
/// ```
/// let lock = trefoil_runtime::Spin::new(1);
/// *lock.lock() += 1;
/// assert_eq!(lock.into_inner(), 2);
/// ```
#[derive(Debug)]
pub struct Spin<T> {
    held: AtomicU32,
    value: UnsafeCell<T>,
}

// SAFETY: the lock hands out the value to one OS thread at a time.
unsafe impl<T: Send> Send for Spin<T> {}
// SAFETY: as above; a shared `Spin` gives exclusive access only.
unsafe impl<T: Send> Sync for Spin<T> {}

impl<T> Spin<T> {
    /// A free lock around `value`.
    pub const fn new(value: T) -> Spin<T> {
        Spin {
            held: AtomicU32::new(0),
            value: UnsafeCell::new(value),
        }
    }

    /// Takes the lock, spinning while another OS thread holds it.
    #[inline]
    pub fn lock(&self) -> SpinGuard<'_, T> {
        // Acquire: pairs with the guard's drop.
        if self
            .held
            .compare_exchange(0, 1, Ordering::Acquire, Ordering::Relaxed)
            .is_err()
        {
            self.lock_slow();
        }
        SpinGuard {
            lock: self,
            _value: PhantomData,
        }
    }

    #[cold]
    fn lock_slow(&self) {
        let mut looks = 0u32;
        loop {
            if self.held.load(Ordering::Relaxed) == 0
                // Acquire: pairs with the guard's drop.
                && self
                    .held
                    .compare_exchange(0, 1, Ordering::Acquire, Ordering::Relaxed)
                    .is_ok()
            {
                return;
            }
            looks += 1;
            pause(looks);
        }
    }

    /// The value, when the lock is not shared.
    pub fn get_mut(&mut self) -> &mut T {
        self.value.get_mut()
    }

    /// The value.
    pub fn into_inner(self) -> T {
        self.value.into_inner()
    }
}

/// So many times a waiter looks before it lets the kernel run somebody else.
const LOOKS: u32 = 8;

/// Each pause is twice as long as the one before, some ten microseconds in all. Meanwhile whoever
/// has the lock may take it again and again with all that it guards in its cache: each change of
/// hands costs more than what is done under the lock.
fn pause(looks: u32) {
    if looks < LOOKS {
        for _ in 0..1_u32 << looks {
            core::hint::spin_loop();
        }
    } else {
        // The holder may be off its processor: let the kernel run it.
        std::thread::yield_now();
    }
}

/// Access to the value of a [`Spin`]; gives the lock back when dropped.
#[derive(Debug)]
pub struct SpinGuard<'a, T> {
    lock: &'a Spin<T>,
    /// It is shared between OS threads only if the value may be.
    _value: PhantomData<&'a mut T>,
}

impl<T> Deref for SpinGuard<'_, T> {
    type Target = T;
    fn deref(&self) -> &T {
        // SAFETY: the guard exists, so this OS thread holds the lock.
        unsafe { &*self.lock.value.get() }
    }
}

impl<T> DerefMut for SpinGuard<'_, T> {
    fn deref_mut(&mut self) -> &mut T {
        // SAFETY: the guard exists, so this OS thread holds the lock.
        unsafe { &mut *self.lock.value.get() }
    }
}

impl<T> Drop for SpinGuard<'_, T> {
    fn drop(&mut self) {
        // Release: pairs with `lock`.
        self.lock.held.store(0, Ordering::Release);
    }
}
