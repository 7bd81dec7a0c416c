//! A thread's end, for async code to await.
#![forbid(unsafe_code)]

use core::fmt;
use core::future::{Future, IntoFuture};
use core::pin::Pin;
use core::task::{Context, Poll, Waker};
use std::sync::Arc;
use std::thread::Result;

use super::join::JoinHandle;
use crate::spin::Spin;

/// Awaits the end of a thread: what [`JoinHandle::into_future`] makes. Like its handle, it detaches the
/// thread when it is dropped, and the thread runs on.
///
/// It can be awaited in any executor, and needs nothing from it.
///
/// # Panics
///
/// If it is polled again after it was ready, or by the very thread whose end it awaits.
///
/// ```
/// use trefoil_runtime::future::block_on;
/// use trefoil_runtime::thread;
///
#[doc = include_str!("in_a_run.md")]
/// # run(|| {
/// let (one, two) = (thread::spawn(|| 1), thread::spawn(|| 2));
/// let sum = block_on(async { one.await.unwrap() + two.await.unwrap() });
/// assert_eq!(sum, 3);
/// # });
/// ```
#[must_use = "a future does nothing unless it is awaited; dropped, it detaches the thread"]
pub struct JoinFuture<T> {
    handle: Option<JoinHandle<T>>,
    /// Shared with the thread, once it was polled.
    waker: Option<Arc<Spin<Option<Waker>>>>,
}

impl<T> IntoFuture for JoinHandle<T> {
    type Output = Result<T>;
    type IntoFuture = JoinFuture<T>;

    /// The thread's end as a future. Its output is what [`join`](JoinHandle::join) returns: a panic of the
    /// thread, or its cancellation, is an error.
    ///
    /// ```
    /// use trefoil_runtime::future::block_on;
    /// use trefoil_runtime::thread::{self, JoinHandle};
    ///
    /// /// What two threads compute, for async code.
    /// async fn sum(one: JoinHandle<u32>, two: JoinHandle<u32>) -> u32 {
    ///     one.await.unwrap() + two.await.unwrap()
    /// }
    ///
    #[doc = include_str!("in_a_run.md")]
    /// # run(|| {
    /// assert_eq!(block_on(sum(thread::spawn(|| 1), thread::spawn(|| 2))), 3);
    /// # });
    /// ```
    fn into_future(self) -> JoinFuture<T> {
        JoinFuture {
            handle: Some(self),
            waker: None,
        }
    }
}

impl<T> JoinFuture<T> {
    fn handle(&self) -> &JoinHandle<T> {
        self.handle
            .as_ref()
            .expect("a `JoinFuture` is not polled after it was ready")
    }

    /// Has the thread call this waker at its end, and no other.
    fn listen(&mut self, waker: &Waker) {
        let mut new = Some(waker.clone());
        if let Some(shared) = &self.waker {
            // The old one is dropped without the lock, as `new`.
            core::mem::swap(&mut *shared.lock(), &mut new);
            return;
        }
        let shared = Arc::new(Spin::new(new));
        self.waker = Some(Arc::clone(&shared));
        self.handle().on_finish(move || {
            let waker = shared.lock().take();
            if let Some(waker) = waker {
                waker.wake();
            }
        });
    }
}

impl<T> Future for JoinFuture<T> {
    type Output = Result<T>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Result<T>> {
        if !self.handle().is_finished() {
            self.handle().refuse_self();
            self.listen(context.waker());
        }
        // It may have ended before it could see the waker.
        if !self.handle().is_finished() {
            return Poll::Pending;
        }
        let handle = self.handle.take().expect("it was there above");
        Poll::Ready(handle.join())
    }
}

impl<T> Drop for JoinFuture<T> {
    fn drop(&mut self) {
        // The thread keeps what it shares, and need not keep the task alive.
        let waker = self.waker.take().and_then(|shared| shared.lock().take());
        drop(waker);
    }
}

// The handle is not pinned, and holds no `T`.
impl<T> Unpin for JoinFuture<T> {}

impl<T> fmt::Debug for JoinFuture<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("JoinFuture")
            .field("handle", &self.handle)
            .finish_non_exhaustive()
    }
}
