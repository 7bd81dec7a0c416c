//! A thread that has not started: only its closure.

use core::fmt;
use core::mem;
use core::panic::Location;
use core::ptr::NonNull;
use std::sync::Arc;

use super::block::Block;
use super::header::{Header, Traits};
use super::join::JoinHandle;
use super::live::Live;
use super::{Thread, live};
use crate::contract::Runtime;
use crate::domain::Domain;
use crate::model::Model;
use crate::os::Placement;
use crate::owner::Owner;
use crate::registry;

/// A spawned thread that has not started. It costs no stack, and may move between OS
/// threads until somebody starts it.
///
/// Dropping it drops its closure; its joiner then gets
/// [`Cancelled`](crate::cancel::Cancelled).
pub struct NewThread {
    header: NonNull<Header>,
}

// SAFETY: a thread's closure is `Send`, and nobody else touches it before the start. That of a local
// thread is not: then `start`, `refuse` and `drop` see to it that only its own OS thread does.
unsafe impl Send for NewThread {}

impl NewThread {
    /// # Safety
    ///
    /// `F` and `T` outlive the thread; and they are `Send`, or `only_on` names the calling OS thread
    /// and the handle stays there.
    pub(super) unsafe fn make<F: FnOnce() -> T, T>(
        closure: F,
        model: Model,
        traits: Traits,
    ) -> (NewThread, JoinHandle<T>) {
        let header = Block::<F, T>::allocate(closure, model, traits, 2);
        // SAFETY: it is new, so nobody has listed it. `conclude` takes it out before the
        // `NewThread`'s reference, or the started thread's, is given back.
        unsafe { registry::insert(header) };
        // SAFETY: the block was made with two references, and its result is a `T`.
        let handle = unsafe { JoinHandle::new(Thread::from_reference(header)) };
        (NewThread { header }, handle)
    }

    /// The first thread of a `run`, named "main". `stack_size` as the builder's; `None`:
    /// the runtime's default. It was spawned where the caller says it was called.
    #[track_caller]
    pub fn main<F, T>(
        closure: F,
        model: Model,
        stack_size: Option<usize>,
        domain: &Domain,
    ) -> (NewThread, JoinHandle<T>)
    where
        F: FnOnce() -> T + Send + 'static,
        T: Send + 'static,
    {
        let traits = Traits {
            name: Some("main".into()),
            stack_size: stack_size.unwrap_or(0),
            domain: domain.id(),
            spawned_at: Some(Location::caller()),
            ..Traits::default()
        };
        // SAFETY: by the bounds.
        let (thread, handle) = unsafe { NewThread::make(closure, model, traits) };
        thread.thread().header().is_main.set(true);
        (thread, handle)
    }

    /// The thread's handle.
    #[must_use]
    pub fn thread(&self) -> &Thread {
        // SAFETY: a `NewThread` has a reference for as long as it exists.
        unsafe { Thread::borrowed(&self.header) }
    }

    /// The stack size that was asked for. `None`: the runtime's default.
    #[must_use]
    pub fn stack_size(&self) -> Option<usize> {
        self.thread().stack_size()
    }

    /// Whether it may start on one OS thread alone, which is the one that spawns it: on its worker,
    /// and not where another one may take it.
    #[must_use]
    pub fn is_local(&self) -> bool {
        self.thread().header().traits.only_on != 0
    }

    /// What was asked of the operating system's scheduler, of a kernel thread alone.
    #[must_use]
    pub fn placement(&self) -> Option<&Placement> {
        self.thread().header().traits.placement.as_deref()
    }

    fn may_run_here(&self) -> bool {
        let only_on = self.thread().header().traits.only_on;
        only_on == 0 || Owner::is_here(only_on)
    }

    #[track_caller]
    fn assert_may_run_here(&self) {
        assert!(
            self.may_run_here(),
            "a local thread starts and ends on the OS thread that spawned it"
        );
    }

    /// Starts it as a fiber of the calling OS thread, which is `owner`; `home` answers for
    /// it. By Rule 1 it never leaves this OS thread.
    ///
    /// # Panics
    ///
    /// If it is the local thread of another OS thread.
    pub fn start_here(self, home: Arc<dyn Runtime>, owner: &Owner) -> Live {
        self.start(home, owner.key())
    }

    /// Starts it as the calling kernel thread itself.
    ///
    /// # Panics
    ///
    /// If it is a local thread.
    pub fn start_kernel(self, home: Arc<dyn Runtime>) -> Live {
        self.start(home, 0)
    }

    /// Starts it on the stack of another fiber, which runs, on the OS thread with this number of an owner.
    pub(super) fn start_inside(self, home: Arc<dyn Runtime>, owner: usize) -> Live {
        self.start(home, owner)
    }

    /// Starts it as a fiber of all OS threads whose runtime has this number, of which the one with the number
    /// `worker` runs it first.
    ///
    /// # Panics
    ///
    /// If it is a local thread.
    #[cfg(feature = "fibers")]
    pub(super) fn start_roaming_as(
        self,
        home: Arc<dyn Runtime>,
        number: usize,
        worker: usize,
    ) -> Live {
        assert!(
            !self.is_local(),
            "a local thread does not change its OS thread"
        );
        let hint = &self.thread().header().queued_at;
        // Relaxed: a hint, and those that rely on it have acquired a later state.
        hint.store(worker as u32, core::sync::atomic::Ordering::Relaxed);
        self.start(home, number)
    }

    pub(crate) fn into_pointer(self) -> NonNull<Header> {
        mem::ManuallyDrop::new(self).header
    }

    /// # Safety
    ///
    /// The pointer comes from `into_pointer`, once.
    pub(crate) unsafe fn from_pointer(header: NonNull<Header>) -> NewThread {
        NewThread { header }
    }

    fn start(self, home: Arc<dyn Runtime>, owner: usize) -> Live {
        self.assert_may_run_here();
        let header = self.into_pointer();
        // SAFETY: we held the `NewThread`.
        unsafe {
            header.as_ref().start(Some(home), owner);
            Live::from_pointer(header)
        }
    }

    /// Ends the thread without having started it; its joiner gets `payload`.
    ///
    /// # Panics
    ///
    /// If it is the local thread of another OS thread.
    pub fn refuse(self, payload: Box<dyn core::any::Any + Send>) {
        self.assert_may_run_here();
        let header = self.into_pointer();
        // SAFETY: we held the `NewThread`, so the closure is in place and ours.
        unsafe {
            Header::refuse(header, payload);
            live::end(header);
        }
    }
}

impl Drop for NewThread {
    fn drop(&mut self) {
        if !self.may_run_here() {
            // A runtime that lets it get away has a defect; leaking is what is left that is sound.
            debug_assert!(
                std::thread::panicking(),
                "a local thread was dropped elsewhere"
            );
            return;
        }
        // SAFETY: we hold the `NewThread`, so the closure is in place and ours.
        unsafe {
            Header::refuse_cancelled(self.header);
            live::end(self.header);
        }
    }
}

impl fmt::Debug for NewThread {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("NewThread").field(self.thread()).finish()
    }
}

/// A block for an OS thread that Trefoil did not make, which runs already.
pub(crate) fn adopted(name: Option<&str>) -> NonNull<Header> {
    let traits = Traits {
        name: name.map(Into::into),
        ..Traits::default()
    };
    let header = Block::<fn(), ()>::allocate(|| (), Model::Kernel, traits, 1);
    // SAFETY: we have just made it.
    unsafe {
        Header::clear(header);
        header.as_ref().start(None, 0);
        // It is listed nowhere yet. `Adopted` takes it out before it gives the reference
        // back; where there is no `Adopted` the block is leaked.
        registry::insert(header);
    }
    header
}
