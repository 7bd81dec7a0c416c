//! Whose overflow a fault is. Called in the signal handler.

use super::limit;
use crate::current;
use crate::model::Model;
use crate::thread::fiber;

/// A thread that has overflowed its stack, as the report describes it.
pub(super) struct Culprit<'a> {
    pub(super) name: Option<&'a str>,
    pub(super) model: Model,
    /// It is the first thread of a `run`.
    pub(super) is_main: bool,
    /// Of its stack, in bytes.
    pub(super) size: usize,
}

/// The current thread, if one of our runtimes runs it and `address` is in the guard page of its
/// stack. The guard pages of others do not count: nobody overflows into those.
pub(super) fn at<'a>(address: usize) -> Option<Culprit<'a>> {
    // SAFETY: the current thread is alive as long as it runs, and has started; the handler has
    // interrupted it.
    let (header, is_ours) = unsafe {
        let header = current::peek()?.as_ref();
        (header, header.has_home())
    };
    if !is_ours {
        // A plain OS thread that has used something of ours: `std` reports it.
        return None;
    }
    // A thread that is no fiber runs on the OS thread's own stack.
    let limit = fiber::limit(header).or_else(limit::here)?;
    limit.guards(address).then(|| Culprit {
        name: header.traits.name.as_deref(),
        model: header.kind.model(),
        is_main: header.is_main.get(),
        size: limit.size,
    })
}
