//! Who would wait for a thread that has not started runs it, on its own stack.
//!
//! It would wait anyway, so nothing is lost, and a stack, two switches and a wake-up are saved. Only the thread
//! that is waited for is run so, or one of a scope's at the scope's end, and never unrelated work: that could
//! need what its caller holds.
//!
//! ```text
//!            stack of the parent           the current thread    may be waited for, woken, cancelled as
//!   ┌──────────────────────────────┐
//!   │ the parent, up to its `join` │       the parent            itself
//!   ├──────────────────────────────┤
//!   │ the child                    │       the child             itself
//!   │                              │
//! ```
//!
//! The child is a thread like any other: it has its own control block, with its name, its locals, its limits and
//! its run state. What it shares is the fiber, whose stack has two owners one above the other; the *right to run*
//! it ([`Live`]) is the child's until its end. So a child may wait, and be woken, as usual. The parent meanwhile
//! stands as RUNNING that waits for a join: a wake-up is kept for it, as for any thread that has not parked.
//!
//! **What the parent loses.** A thread in a `join` is told at once that it was cancelled; one whose stack lies
//! below its child's cannot be, before the child has ended. So at a wait that is a cancellation point the child
//! is run only if nothing but a cancellation could end the wait early (no timeout, no limit), and if the threads
//! that the same line spawned with the same closure have ended without waiting for anything but threads like themselves
//! ([`Site`]): such a thread is not ended by any cancellation either.
//!
//! | it is not run inline                                  | because                                        |
//! |-------------------------------------------------------|------------------------------------------------|
//! | by a kernel thread                                    | its child has an OS thread already             |
//! | if it is no more in a queue of this worker            | somebody else is going to run it               |
//! | if the stack left is less than it asked for; or than three quarters of the default, if it asked for none | it could overflow |
//! | while the OS thread is in an unwinding                | a panic of the child must not be a second one  |
//! | inside `no_suspend`                                   | it may wait                                    |
//! | if stacks are measured                                | the parent's would be taken for as deep        |

use core::ptr;

use super::Thread;
use super::fiber;
use super::header::Header;
use super::live::{Handle, run_current};
use super::new::NewThread;
use super::scope::ScopeData;
use crate::current;
use crate::no_suspend;
use crate::owner;
use crate::site::Site;
use crate::state::RunState;
use crate::unwinding;
use crate::wait::Wait;

/// Runs this thread to its end, for the current thread that is going to wait for that. `false`: it has to wait.
#[inline]
pub(super) fn join(child: &Thread, wait: &Wait) -> bool {
    let me = current::thread_ref();
    // SAFETY: the current thread is alive, and stays the current one on this stack.
    let parent = unsafe { me.0.as_ref() };
    let header = child.header();
    let may = header.state.get() == RunState::New
        && header.kind.model() == parent.kind.model()
        && may_run_inside(parent)
        && (!wait.cancellable || is_told_late_in_any_case(parent, header));
    if !may {
        return false;
    }
    let left = fiber::remaining(parent);
    // SAFETY: the current thread has started.
    let thread = unsafe { parent.runtime() }.claim(child, left);
    thread
        .map(|thread| run_inside(parent, thread, wait, Handle::OnThisStack))
        .is_some()
}

/// Runs those threads of a scope that have not started, for its parent that is going to wait for them. `ended`
/// tells whether all have ended.
pub(super) fn run_children(scope: &ScopeData, wait: &Wait, ended: impl Fn() -> bool) {
    let me = current::thread_ref();
    // SAFETY: the current thread is alive, and stays the current one on this stack.
    let parent = unsafe { me.0.as_ref() };
    let wanted = |thread: &Thread| {
        let of = &thread.header().traits.scope;
        of.as_deref().is_some_and(|of| ptr::eq(of, scope))
    };
    while !ended() && may_run_inside(parent) {
        let left = fiber::remaining(parent);
        // SAFETY: the current thread has started.
        let runtime = unsafe { parent.runtime() };
        let Some(thread) = runtime.claim_last(left, &wanted) else {
            return;
        };
        run_inside(parent, thread, wait, Handle::Anywhere);
    }
}

fn may_run_inside(parent: &Header) -> bool {
    fiber::is_one(parent) && !no_suspend::is_on() && unwinding::is_calm()
}

/// Whether it makes no difference to the parent that it cannot be told of its end while the child runs.
fn is_told_late_in_any_case(parent: &Header, child: &Header) -> bool {
    parent.limits.get().is_null() && !current::is_cancelled(parent) && Site::of(child).never_waits()
}

fn run_inside(parent: &Header, thread: NewThread, wait: &Wait, handle: Handle) {
    // SAFETY: the current thread has started.
    let home = unsafe { parent.home() }.expect("a fiber has a runtime");
    let live = thread.start_inside(home, parent.owner());
    let child = live.header();
    fiber::lend(parent, child);
    // What they do counts as one turn.
    child.budget.set(parent.budget.get());
    let body = || run_current(None, handle);
    // SAFETY: the right to run it is ours, and keeps it alive; it is run on the stack of the current thread,
    // which is the fiber that it was lent. Both have the same owner.
    let has_ticked = unsafe {
        if owner::is_roaming(parent.owner()) {
            current::with_inside_anywhere(parent, wait, live.pointer(), body)
        } else {
            current::with_inside(parent, wait, live.pointer(), body)
        }
    };
    fiber::give_back(child);
    parent.budget.set(child.budget.get());
    live.finish();
    // Who joins one after the other lets others have their turn, as who waits would have: after so many, and
    // after one that has computed for long.
    if has_ticked {
        current::give_way();
    } else {
        current::spend();
    }
}
