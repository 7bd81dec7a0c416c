//! `join`: two closures at the same time, of which the second may be a thread of its own.
//!
//! By Rule 5 it does not leave before the thread has ended, whatever happens.

use std::panic::{self, AssertUnwindSafe};
use std::thread::Result;

use super::builder::Builder;
use super::join::JoinHandle;
use crate::cancel::{self, Cancelled};
use crate::current;
use crate::no_suspend;
use crate::no_unwind::no_unwind;

/// Runs both closures, `b` as a thread of its own and `a` here, and returns when both have ended.
/// Both may borrow from the caller.
///
/// `b` is spawned on the current thread's runtime, with its model; on green it runs when `a` waits
/// or has ended. So each may wait for what the other does. Where no thread can be had, on a plain
/// `std::thread`, inside [`no_suspend`](super::no_suspend) or where the operating system refuses
/// one, `b` runs here after `a`: let `a` not wait for `b` there.
///
/// **What it costs**: a [`spawn`](super::spawn) and a join. The thread's control block, which also brings
/// `b`'s value back, is one that has been used before: on green and hybrid nothing is allocated once that
/// has been done a few times, unless another worker has taken `b` and ended after `a`. There `b` takes a
/// stack, on kernel the hand-over to another kernel thread, with an allocation. Split work accordingly: not down to a few additions.
///
/// Waiting for `b` parks the calling thread in every model. It is no cancellation point: `b` may
/// borrow. If `b` was cancelled, the caller is.
///
/// # Panics
///
/// With `a`'s panic, if it panicked; else with `b`'s. In both cases both have ended before.
///
/// ```
/// use trefoil_runtime::thread;
///
/// fn sum(numbers: &[u64]) -> u64 {
///     if numbers.len() <= 1000 {
///         return numbers.iter().sum();
///     }
///     let (low, high) = numbers.split_at(numbers.len() / 2);
///     let (low, high) = thread::join(|| sum(low), || sum(high));
///     low + high
/// }
/// let numbers: Vec<u64> = (1..=10_000).collect();
/// assert_eq!(sum(&numbers), 50_005_000);
/// ```
#[track_caller]
pub fn join<A, B, RA, RB>(a: A, b: B) -> (RA, RB)
where
    A: FnOnce() -> RA + Send,
    B: FnOnce() -> RB + Send,
    RA: Send,
    RB: Send,
{
    // It comes back to us where it cannot be a thread.
    let mut b = Some(b);
    // SAFETY: the thread is joined below, before we return or unwind, and `b` is not touched in
    // between. Nothing that is a value's is: `a`'s panic is caught, and the join does not unwind.
    let thread = unsafe { fork(&mut b) };
    let first = panic::catch_unwind(AssertUnwindSafe(a));
    let second = match thread {
        Some(thread) => no_unwind(|| thread.join_in_any_case()),
        None => panic::catch_unwind(AssertUnwindSafe(|| run(&mut b))),
    };
    both(first, second)
}

/// Both values, or the first panic.
fn both<RA, RB>(first: Result<RA>, second: Result<RB>) -> (RA, RB) {
    match (first, second) {
        (Ok(first), Ok(second)) => (first, second),
        (Err(payload), _) => cancel::resume(payload),
        (Ok(_), Err(payload)) if payload.is::<Cancelled>() => cancel::raise(),
        (Ok(_), Err(payload)) => cancel::resume(payload),
    }
}

/// Spawns a thread that takes the closure and runs it.
///
/// # Safety
///
/// The thread is joined before anybody else touches the closure, and before what the closure and its
/// value borrow goes.
#[track_caller]
unsafe fn fork<B: FnOnce() -> RB + Send, RB: Send>(b: &mut Option<B>) -> Option<JoinHandle<RB>> {
    if !current::in_runtime() || no_suspend::is_on() {
        return None;
    }
    // SAFETY: both types are `Send`; the caller's promise, passed on.
    unsafe { Builder::new().own().spawn_in(None, || run(b)) }.ok()
}

fn run<B: FnOnce() -> RB, RB>(b: &mut Option<B>) -> RB {
    b.take().expect("it runs once")()
}
