//! Whose turn it is to write: a lock that its thread may take again.
//!
//! `std`'s locks of standard output are such, and programs rely on it. This one belongs to the thread, and
//! not to its OS thread, and may be held across any wait. The owner's number is written by the owner alone,
//! and compared with one's own: only who is the owner finds it there.
#![forbid(unsafe_code)]

use std::marker::PhantomData;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use trefoil_runtime::thread;
use trefoil_sync::Semaphore;

/// The number of no thread.
const NOBODY: u64 = 0;

#[derive(Debug)]
pub(super) struct Turn {
    free: Semaphore,
    owner: AtomicU64,
    /// How often its owner has taken it.
    depth: AtomicUsize,
}

/// It is the current thread's turn. It stays with its thread.
#[derive(Debug)]
pub(super) struct Taken<'a> {
    turn: &'a Turn,
    not_send: PhantomData<*const ()>,
}

impl Turn {
    pub(super) const fn new() -> Turn {
        Turn {
            free: Semaphore::new(1),
            owner: AtomicU64::new(NOBODY),
            depth: AtomicUsize::new(0),
        }
    }

    /// Waits for the turn, unless the current thread has it. As no lock, it is no cancellation point.
    #[track_caller]
    pub(super) fn take(&self) -> Taken<'_> {
        let me = thread::current().id().get().get();
        // Relaxed: only this thread writes its number, and the semaphore orders the rest.
        if self.owner.load(Ordering::Relaxed) != me {
            match self.free.try_acquire() {
                Some(permit) => permit.forget(),
                None => thread::uncancellable(|| self.free.acquire().forget()),
            }
            self.owner.store(me, Ordering::Relaxed);
        }
        // Relaxed: it is the owner's alone.
        self.depth.fetch_add(1, Ordering::Relaxed);
        Taken {
            turn: self,
            not_send: PhantomData,
        }
    }
}

impl Drop for Taken<'_> {
    fn drop(&mut self) {
        if self.turn.depth.fetch_sub(1, Ordering::Relaxed) == 1 {
            self.turn.owner.store(NOBODY, Ordering::Relaxed);
            self.turn.free.add_permits(1);
        }
    }
}
