//! Blocking calls of fibers: made on a pool of kernel threads, while the fiber is parked.
//!
//! One pool serves all runtimes of the process. It is made when it is first needed.

use std::sync::OnceLock;
use std::time::Duration;

use crate::caller::Caller;
use crate::current;
use crate::pool::{Limits, Pool};
use crate::reason::Reason;
use crate::wait::{Wait, Waiter};

/// The most calls that block at the same time. Further ones wait for their turn.
const MOST: usize = 512;
const KEEP: Duration = Duration::from_secs(10);

/// A call on the stack of a thread that waits for its end.
struct Call {
    caller: Caller,
    body: *mut (dyn FnMut() + Send),
    done: *const Waiter,
}

// SAFETY: the body is `Send`; the waiter is fired from anywhere.
unsafe impl Send for Call {}

static POOL: OnceLock<Pool<Call>> = OnceLock::new();

/// What the pool for blocking calls does at the moment: [`blocking_stats`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct BlockingStats {
    /// How many OS threads it has.
    pub threads: usize,
    /// How many of them have nothing to do.
    pub idle: usize,
    /// How many calls wait for one of them: all are busy, and there are as many as there may be.
    pub queued: usize,
    /// How many OS threads it may have.
    pub most: usize,
}

/// What the pool that makes blocking calls does at the moment: how many OS threads it has, how many of
/// them are idle, and how many calls wait for one. It is one for the process: it serves
/// [`blocking`](crate::thread::blocking) on the green and the hybrid model, and all that is made by it, as
/// files and names of hosts are. Calls of kernel threads are made where they are, and not counted.
///
/// The figures are read one after the other, while others change them. Does not wait.
///
/// A queue that stays is a sign that calls block for long: 512 wait at the same time, and the next ones
/// for them.
///
/// ```
/// use trefoil_runtime::blocking_stats;
///
/// // Nobody has made a call yet.
/// let stats = blocking_stats();
/// assert_eq!((stats.threads, stats.idle, stats.queued), (0, 0, 0));
/// assert_eq!(stats.most, 512);
/// ```
#[must_use]
pub fn blocking_stats() -> BlockingStats {
    let (idle, queued) = POOL.get().map_or((0, 0), Pool::idle_and_queued);
    BlockingStats {
        threads: POOL.get().map_or(0, Pool::threads),
        idle,
        queued,
        most: MOST,
    }
}

fn pool() -> &'static Pool<Call> {
    POOL.get_or_init(|| {
        let limits = Limits {
            threads: MOST,
            keep: KEEP,
            stack_size: None,
        };
        Pool::new("trefoil-block", limits, perform)
    })
}

fn perform(call: Call) {
    // SAFETY: the caller waits until the waiter is fired, so both are alive till then, and
    // only this thread uses the body meanwhile.
    unsafe {
        call.caller.make(|| (*call.body)());
        Waiter::fire(call.done);
    }
}

/// Makes the call on another OS thread, and parks the calling thread until it has ended.
/// Where no OS thread can be had, the call is made right here, and blocks.
///
/// `call` does not unwind.
#[track_caller]
pub fn offload(call: &mut (dyn FnMut() + Send)) {
    let wait = current::placed_as_noted(Wait::new(Reason::Blocking));
    let done = Waiter::new();
    // SAFETY: only the lifetime is changed; we do not return before the call has ended.
    let body = unsafe {
        core::mem::transmute::<*mut (dyn FnMut() + Send + '_), *mut (dyn FnMut() + Send + 'static)>(
            core::ptr::from_mut(call),
        )
    };
    let job = Call {
        caller: Caller::current(),
        body,
        done: &raw const done,
    };
    match pool().submit(job) {
        Ok(()) => {
            let _ = done.wait(&wait);
        }
        Err((job, _)) => {
            // SAFETY: the job has come back, so the body is ours again.
            unsafe { (*job.body)() };
        }
    }
}
