//! A receiver's messages, for async code.
#![forbid(unsafe_code)]

use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll};

use futures_core::{FusedStream, Stream};

use super::error::TryRecvError;
use super::receiver::Receiver;
use super::state::Watch;

/// The messages of a [`Receiver`] as a [`Stream`], with the feature `stream`: what
/// [`Receiver::into_stream`] makes. It ends when the last sender has gone.
///
/// It parks no thread, but for what [`try_recv`](Receiver::try_recv) says, and can be used in any executor. A message is taken when the stream is polled, and
/// given to nobody before: what a dropped stream has not got goes to other receivers.
#[must_use = "a stream does nothing unless it is polled"]
pub struct ReceiverStream<T> {
    receiver: Receiver<T>,
    /// Its waker is in the channel since the last poll.
    watch: Option<Watch>,
    has_ended: bool,
}

impl<T> ReceiverStream<T> {
    pub(super) fn new(receiver: Receiver<T>) -> ReceiverStream<T> {
        ReceiverStream {
            receiver,
            watch: None,
            has_ended: false,
        }
    }

    /// The receiver. Does not wait, and loses no message.
    ///
    /// ```
    /// let (sender, receiver) = trefoil_sync::channel::unbounded();
    /// sender.send(1).unwrap();
    /// let stream = receiver.into_stream();
    /// assert_eq!(stream.get_ref().recv(), Ok(1));
    /// ```
    pub fn get_ref(&self) -> &Receiver<T> {
        &self.receiver
    }

    /// One try. `None`: nothing is there.
    fn take(&mut self) -> Option<Poll<Option<T>>> {
        match self.receiver.try_recv() {
            Ok(message) => Some(Poll::Ready(Some(message))),
            Err(TryRecvError::Empty) => None,
            Err(TryRecvError::Disconnected) => {
                self.has_ended = true;
                Some(Poll::Ready(None))
            }
        }
    }

    fn stop_watching(&mut self) {
        if let Some(watch) = self.watch.take() {
            self.receiver.arm().arm().unwatch(watch);
        }
    }
}

impl<T> Stream for ReceiverStream<T> {
    type Item = T;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<T>> {
        if self.has_ended {
            return Poll::Ready(None);
        }
        for _ in 0..2 {
            if let Some(taken) = self.take() {
                self.stop_watching();
                return taken;
            }
            let watch = *self.watch.get_or_insert_with(Watch::new);
            let waiting = self.receiver.arm().arm().watch(watch, context.waker());
            if waiting {
                return Poll::Pending;
            }
        }
        // Others are faster, or a select waits at a rendezvous, for which this thread may not wait.
        context.waker().wake_by_ref();
        Poll::Pending
    }
}

impl<T> FusedStream for ReceiverStream<T> {
    fn is_terminated(&self) -> bool {
        self.has_ended
    }
}

impl<T> Drop for ReceiverStream<T> {
    fn drop(&mut self) {
        self.stop_watching();
    }
}

// Nothing of it is pinned.
impl<T> Unpin for ReceiverStream<T> {}

impl<T> fmt::Debug for ReceiverStream<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad("ReceiverStream { .. }")
    }
}
