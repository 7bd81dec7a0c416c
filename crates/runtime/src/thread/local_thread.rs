//! Threads whose closure is not `Send`: they start on the OS thread that spawns them, and so never
//! leave it (Rule 1).
//!
//! What keeps that is one number in the control block, the owner of the OS thread, which
//! `NewThread` compares when it is started and when it is dropped. A runtime of fibers puts such a
//! thread where only the worker that spawns it takes it from.

use core::fmt;
use core::marker::PhantomData;
use std::io;
use std::thread::Result;

use super::builder::{Builder, expect_spawned};
use super::handle::Thread;
use super::join::JoinHandle;

/// An owned permission to join a thread that [`spawn_local`] has spawned. As [`JoinHandle`], but it
/// stays on its OS thread: the thread's result need not be `Send`.
///
/// ```compile_fail,E0277
/// fn is_send(_: impl Send) {}
/// is_send(trefoil_runtime::thread::spawn_local(|| ()));
/// ```
pub struct LocalJoinHandle<T> {
    handle: JoinHandle<T>,
    _not_send: PhantomData<*const ()>,
}

impl<T> LocalJoinHandle<T> {
    /// The thread itself, as [`JoinHandle::thread`]. Does not wait.
    ///
    /// See [`spawn_local`] for an example.
    #[must_use]
    pub fn thread(&self) -> &Thread {
        self.handle.thread()
    }

    /// Whether the thread has ended, so that `join` would return at once. Does not wait.
    ///
    /// See [`spawn_local`] for an example.
    #[must_use]
    pub fn is_finished(&self) -> bool {
        self.handle.is_finished()
    }

    /// Waits for the thread to end and returns its result, as [`JoinHandle::join`]. A cancellation
    /// point.
    ///
    /// See [`spawn_local`] for an example.
    ///
    /// # Errors
    ///
    /// The payload of the thread's panic; [`Cancelled`](crate::cancel::Cancelled) if the thread was
    /// cancelled.
    ///
    /// # Panics
    ///
    /// If a thread joins itself, and inside [`no_suspend`](super::no_suspend).
    #[track_caller]
    pub fn join(self) -> Result<T> {
        self.handle.join()
    }
}

impl<T> fmt::Debug for LocalJoinHandle<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LocalJoinHandle")
            .field("thread", self.thread())
            .finish_non_exhaustive()
    }
}

/// Spawns a thread on the very OS thread that calls this: neither the closure nor its value need to
/// be `Send`. It never runs at the same time as the caller, and both may share an `Rc`.
///
/// On green that is every thread. On hybrid it is one that no other worker takes, so too many of
/// them are not spread over the processors. On kernel there is no other thread on the OS thread, and
/// never can be: it is refused. Never blocks.
///
/// # Panics
///
/// If the thread cannot be started: on a kernel thread, for instance;
/// [`Builder::spawn_local`] gives an error instead.
///
/// ```
/// use std::cell::Cell;
/// use std::rc::Rc;
/// use trefoil_runtime::thread;
///
/// fn program() -> u32 {
///     let count = Rc::new(Cell::new(0));
///     let adders = [1, 2, 3].map(|n| {
///         let count = Rc::clone(&count);
///         thread::spawn_local(move || count.set(count.get() + n))
///     });
///     for adder in adders {
///         assert!(!adder.thread().is_current());
///         adder.join().unwrap();
///     }
///     count.get()
/// }
/// # // Green is a crate above: its own documents run it.
/// # let _ = program;
/// # assert!(std::panic::catch_unwind(program).is_err());
/// ```
#[track_caller]
pub fn spawn_local<F, T>(f: F) -> LocalJoinHandle<T>
where
    F: FnOnce() -> T + 'static,
    T: 'static,
{
    expect_spawned(Builder::new().spawn_local(f))
}

impl Builder {
    /// Spawns a thread on the very OS thread that calls this, as this builder says; see
    /// [`spawn_local`]. Does not wait.
    ///
    /// # Errors
    ///
    /// As [`Builder::spawn`]. `Unsupported` too: the calling thread is a kernel thread, or another
    /// model than its own was asked for.
    ///
    /// ```
    /// use std::io::ErrorKind;
    /// use trefoil_runtime::thread::Builder;
    ///
    /// // A plain OS thread is a kernel thread.
    /// let refused = Builder::new().spawn_local(|| ()).unwrap_err();
    /// assert_eq!(refused.kind(), ErrorKind::Unsupported);
    /// ```
    #[track_caller]
    pub fn spawn_local<F, T>(self, f: F) -> io::Result<LocalJoinHandle<T>>
    where
        F: FnOnce() -> T + 'static,
        T: 'static,
    {
        let builder = self.here()?;
        // SAFETY: the thread is marked: it starts on this OS thread, or not at all, and never leaves
        // it. The one handle that reaches the result stays there too. The rest is by the bounds.
        let handle = unsafe { builder.spawn_in(None, f) }?;
        Ok(LocalJoinHandle {
            handle,
            _not_send: PhantomData,
        })
    }
}
