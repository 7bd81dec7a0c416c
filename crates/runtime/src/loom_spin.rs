//! In place of `spin.rs` under loom, which would follow two threads that spin for a third one
//! without end: loom's own lock. What is checked is the code that uses the lock.
#![forbid(unsafe_code)]

use core::ops::{Deref, DerefMut};

use loom::sync::{Mutex, MutexGuard};

/// A value behind a lock.
#[derive(Debug)]
pub struct Spin<T>(Mutex<T>);

/// Access to the value.
#[derive(Debug)]
pub struct SpinGuard<'a, T>(MutexGuard<'a, T>);

impl<T> Spin<T> {
    /// A free lock around `value`.
    pub fn new(value: T) -> Spin<T> {
        Spin(Mutex::new(value))
    }

    /// Takes the lock.
    pub fn lock(&self) -> SpinGuard<'_, T> {
        SpinGuard(self.0.lock().unwrap())
    }

    /// The value, when the lock is not shared.
    pub fn get_mut(&mut self) -> &mut T {
        self.0.get_mut().unwrap()
    }

    /// The value.
    pub fn into_inner(self) -> T {
        self.0.into_inner().unwrap()
    }
}

impl<T> Deref for SpinGuard<'_, T> {
    type Target = T;
    fn deref(&self) -> &T {
        &self.0
    }
}

impl<T> DerefMut for SpinGuard<'_, T> {
    fn deref_mut(&mut self) -> &mut T {
        &mut self.0
    }
}
