//! Blocking calls of fibers: made on a pool of kernel threads, while the fiber is parked.
//!
//! One pool serves all runtimes of the process. It is made when it is first needed.

use std::sync::OnceLock;
use std::time::Duration;

use crate::caller::Caller;
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

fn pool() -> &'static Pool<Call> {
    static POOL: OnceLock<Pool<Call>> = OnceLock::new();
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
            let _ = done.wait(&Wait::new(Reason::Blocking));
        }
        Err((job, _)) => {
            // SAFETY: the job has come back, so the body is ours again.
            unsafe { (*job.body)() };
        }
    }
}
