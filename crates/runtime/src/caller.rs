//! For whom an OS thread makes a blocking call.
//!
//! What `thread::blocking` runs is outside of the runtime: another runtime may be run there. But
//! whoever asked for it waits, so that its own runtime must neither be run nor dropped there. The
//! current thread does not tell:
//!
//! | where                                       | current thread            | noted here |
//! |---------------------------------------------|---------------------------|------------|
//! | in no call                                  | any                       | nobody     |
//! | in a call of a fiber, on the pool           | a plain one               | the fiber  |
//! | in a call of a kernel thread, made by itself | the caller               | the caller |
//! | in a `run` in there                         | a thread of that `run`    | the caller, or nobody on another OS thread |
//! | in a call for which the pool has no thread  | the fiber                 | nobody: it blocks its worker, and is inside |
//!
//! An OS thread that is started in a call is not known to be in it.
#![forbid(unsafe_code)]

use std::cell::RefCell;

use crate::current;
use crate::domain::DomainId;
use crate::thread::ThreadId;

/// A thread that has asked for a blocking call.
#[derive(Clone, Copy)]
pub(crate) struct Caller {
    thread: ThreadId,
    domain: DomainId,
}

thread_local! {
    /// The last one is the one for whom the innermost call is made.
    static CALLERS: RefCell<Vec<Caller>> = const { RefCell::new(Vec::new()) };
}

impl Caller {
    /// The current thread.
    pub(crate) fn current() -> Caller {
        Caller {
            thread: current::id(),
            domain: current::domain(),
        }
    }

    /// Makes its call on this OS thread, which no fiber may leave meanwhile. `call` does not
    /// unwind.
    pub(crate) fn make(self, call: impl FnOnce()) {
        // Where thread-locals are gone already, nothing is noted.
        let noted = CALLERS.try_with(|callers| callers.borrow_mut().push(self));
        call();
        if noted.is_ok() {
            CALLERS.with_borrow_mut(Vec::pop);
        }
    }
}

/// Whether the current thread is in a blocking call that it makes itself.
#[inline(never)]
pub(crate) fn is_current() -> bool {
    let innermost = CALLERS.try_with(|callers| callers.borrow().last().copied());
    innermost
        .ok()
        .flatten()
        .is_some_and(|caller| caller.thread == current::id())
}

/// Whether this OS thread makes a blocking call, or one inside of another, for a thread that belongs
/// to a `run` of this runtime.
#[inline(never)]
pub(crate) fn is_of_runtime(runtime: u64) -> bool {
    let is_of = |caller: &Caller| caller.domain.runtime == runtime;
    CALLERS
        .try_with(|callers| callers.borrow().iter().any(is_of))
        .unwrap_or(false)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(runtime: u64) -> Caller {
        let caller = Caller::current();
        Caller {
            domain: DomainId {
                runtime,
                ..caller.domain
            },
            ..caller
        }
    }

    #[test]
    fn a_call_inside_of_another_does_not_hide_it() {
        of(7).make(|| {
            of(8).make(|| assert!(is_of_runtime(7) && is_of_runtime(8)));
            assert!(is_of_runtime(7) && !is_of_runtime(8));
        });
        assert!(!is_of_runtime(7));
    }
}
