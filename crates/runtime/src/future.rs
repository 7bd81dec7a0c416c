//! `block_on`: a thread that waits for a future, in whichever model.
//!
//! The future's waker says in a word of its own that it was called, and wakes the thread, which looks
//! again. The word is not the thread's park token: what others have unparked the thread for is theirs.
//! Between two looks at the word the thread is parked as for any other wait, so a call of the waker that
//! comes in between is not lost (`state.rs`). The waker may outlive the call and the thread: it holds a
//! handle, and waking a thread that has ended does nothing.
#![forbid(unsafe_code)]

use core::future::{Future, IntoFuture};
use core::pin::pin;
use core::sync::atomic::{AtomicBool, Ordering};
use core::task::{Context, Poll, Waker};
use std::sync::Arc;
use std::task::Wake;

use crate::cancel;
use crate::current;
use crate::no_suspend;
use crate::reason::Reason;
use crate::thread::Thread;
use crate::wait::{Outcome, Wait};

/// Whether the future is to be polled again, and who does that.
struct Signal {
    called: AtomicBool,
    thread: Thread,
}

impl Signal {
    fn take(&self) -> bool {
        // Acquire: pairs with `wake_by_ref`, so that the poll sees what the caller has done. An exchange
        // and not a store: of two calls, the later one's doings too.
        self.called.load(Ordering::Relaxed) && self.called.swap(false, Ordering::Acquire)
    }
}

impl Wake for Signal {
    fn wake(self: Arc<Signal>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Signal>) {
        // AcqRel: pairs with `take`; Acquire keeps the chain for a second caller.
        if !self.called.swap(true, Ordering::AcqRel) {
            self.thread.look_again();
        }
    }
}

/// Runs a future to its end on the calling thread, which is parked while the future waits.
///
/// It works on a thread of every model, and on a plain `std::thread`: others of the same OS thread go on
/// meanwhile. The future need not be `Send`, never leaves the thread, and may itself wait like any other
/// code of the thread (by a lock, say, or by another `block_on`). It may be woken from everywhere, of its
/// reactor's OS thread for instance: a future that needs a reactor or a timer of its library needs that
/// library's runtime beside. One that wakes itself while it is polled lets other threads run first.
///
/// A cancellation point where the future waits: a thread that is cancelled, or whose
/// [`timeout`](crate::time::timeout) is over, drops the future and unwinds.
///
/// # Panics
///
/// With the panic of the future. Where the future would have to wait, inside
/// [`no_suspend`](crate::thread::no_suspend).
///
/// ```
/// use std::sync::mpsc;
/// use trefoil_runtime::future::block_on;
///
/// assert_eq!(block_on(async { 1 + 1 }), 2);
///
/// // A future that another thread completes.
/// let (sender, wakers) = mpsc::channel::<std::task::Waker>();
/// std::thread::spawn(move || wakers.recv().unwrap().wake());
/// let mut sender = Some(sender);
/// let polls = block_on(std::future::poll_fn(move |context| match sender.take() {
///     Some(sender) => {
///         sender.send(context.waker().clone()).unwrap();
///         std::task::Poll::Pending
///     }
///     None => std::task::Poll::Ready(2),
/// }));
/// assert_eq!(polls, 2);
/// ```
#[track_caller]
pub fn block_on<F: IntoFuture>(future: F) -> F::Output {
    let wait = Wait::new(Reason::Future).cancellable();
    block_until(&wait, future.into_future()).expect("without a deadline it ends with the future")
}

/// The same, for what `wait` says, and until then. `None`: its time came first. Raises a cancellation.
pub fn block_until<F: Future>(wait: &Wait, future: F) -> Option<F::Output> {
    let signal = Arc::new(Signal {
        called: AtomicBool::new(false),
        thread: current::thread(),
    });
    let waker = Waker::from(Arc::clone(&signal));
    let mut context = Context::from_waker(&waker);
    let mut future = pin!(future);
    loop {
        if let Poll::Ready(value) = future.as_mut().poll(&mut context) {
            return Some(value);
        }
        let ended = if signal.take() {
            // That is how a future gives way. One that always does waits all the same.
            current::yield_now();
            current::interruption(wait)
        } else {
            no_suspend::check();
            Some(current::wait_until(wait, || signal.take()))
        };
        match ended {
            Some(Outcome::Woken) | None => {}
            Some(Outcome::TimedOut) => return None,
            Some(Outcome::Cancelled) => cancel::raise(),
        }
    }
}
