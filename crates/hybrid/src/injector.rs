//! Threads that were spawned from outside the workers, first in, first out.
//!
//! A thread in here is owed by the workers ([`Idlers`]): one of them is not idle.
#![forbid(unsafe_code)]

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use trefoil_runtime::{Idlers, NewThread, Spin};

#[derive(Debug)]
pub(crate) struct Injector {
    /// `None`: the workers are ending.
    queue: Spin<Option<VecDeque<NewThread>>>,
    len: AtomicUsize,
    idlers: Arc<Idlers>,
}

impl Injector {
    /// One of the workers that `idlers` counts.
    pub(crate) fn new(idlers: Arc<Idlers>) -> Injector {
        Injector {
            idlers,
            queue: Spin::new(Some(VecDeque::new())),
            len: AtomicUsize::new(0),
        }
    }

    /// Adds a thread, or gives it back if the workers are ending.
    pub(crate) fn push(&self, thread: NewThread) -> Result<(), NewThread> {
        let mut queue = self.queue.lock();
        let Some(queue) = &mut *queue else {
            return Err(thread);
        };
        self.idlers.owe();
        queue.push_back(thread);
        // Relaxed: a hint. Who is about to sleep looks after a fence (`Idle::last_look`).
        self.len.store(queue.len(), Ordering::Relaxed);
        Ok(())
    }

    pub(crate) fn pop(&self) -> Option<NewThread> {
        if self.is_empty() {
            return None;
        }
        let mut queue = self.queue.lock();
        let queue = queue.as_mut()?;
        let thread = queue.pop_front()?;
        self.len.store(queue.len(), Ordering::Relaxed);
        self.idlers.add();
        Some(thread)
    }

    pub(crate) fn len(&self) -> usize {
        self.len.load(Ordering::Relaxed)
    }

    #[inline]
    pub(crate) fn is_empty(&self) -> bool {
        self.len.load(Ordering::Relaxed) == 0
    }

    /// Refuses what comes from now on.
    pub(crate) fn close(&self) {
        let left = self.queue.lock().take();
        self.len.store(0, Ordering::Relaxed);
        for thread in left.into_iter().flatten() {
            drop(thread);
            self.idlers.add();
        }
    }
}
