//! The end of a thread, as a channel's.
#![forbid(unsafe_code)]

use std::convert::Infallible;

use trefoil_runtime::thread::{JoinHandle, ScopedJoinHandle};

use super::pair::bounded;
use super::receiver::Receiver;

/// A receiver that is disconnected when the thread has finished, so that `join` returns at once, and
/// receives nothing before: for an arm of [`select!`](crate::channel::select). Does not wait.
///
/// It goes on if the handle is dropped: then it tells of the end of a detached thread.
///
/// ```
/// use trefoil_runtime::thread::JoinHandle;
/// use trefoil_sync::channel::{Receiver, finished, select};
///
/// /// The worker's result, or `None` if somebody wants to stop first.
/// fn wait<T>(worker: JoinHandle<T>, stop: &Receiver<()>) -> Option<T> {
///     select! {
///         recv(finished(&worker)) -> _ => worker.join().ok(),
///         recv(stop) -> _ => None,
///     }
/// }
/// ```
#[must_use]
pub fn finished(thread: &impl Finish) -> Receiver<Infallible> {
    let (sender, receiver) = bounded(0);
    thread.on_finish(Box::new(move || drop(sender)));
    receiver
}

/// A thread's handle: [`JoinHandle`] or [`ScopedJoinHandle`].
pub trait Finish: sealed::Sealed {
    #[doc(hidden)]
    fn on_finish(&self, hook: Box<dyn FnOnce() + Send>);
}

impl<T> Finish for JoinHandle<T> {
    fn on_finish(&self, hook: Box<dyn FnOnce() + Send>) {
        JoinHandle::on_finish(self, hook);
    }
}

impl<T> Finish for ScopedJoinHandle<'_, T> {
    fn on_finish(&self, hook: Box<dyn FnOnce() + Send>) {
        ScopedJoinHandle::on_finish(self, hook);
    }
}

mod sealed {
    use super::{JoinHandle, ScopedJoinHandle};

    pub trait Sealed {}
    impl<T> Sealed for JoinHandle<T> {}
    impl<T> Sealed for ScopedJoinHandle<'_, T> {}
}
