//! Whether a descriptor that others share, and that blocks, is ready; and waiting until it is.
//!
//! Such a descriptor stays as it is. A thread asks by `poll(2)`, which does not wait. If it is not ready, a
//! duplicate of it is watched until it is: by the poller of the thread's worker, or, on a kernel thread, by
//! a `poll(2)` that waits. A duplicate, because somebody else may close the number meanwhile, or put
//! another file behind it.

use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};

use trefoil_runtime::{Interest, Source, Wait, thread};

/// Waits until the direction is ready: data, room, an end or an error. A cancellation point, also if it is
/// ready at once. Somebody else may have been faster when it returns.
pub(super) fn until_ready(fd: BorrowedFd<'_>, interest: Interest, wait: Wait) {
    thread::checkpoint();
    if is_ready(fd, interest) {
        return;
    }
    // Where it cannot be duplicated or watched, whoever reads or writes waits, with an OS thread of the pool.
    if let Ok(own) = fd.try_clone_to_owned() {
        // It is only asked, never read or written.
        let source = Source::from_nonblocking(own);
        let asks = |fd: BorrowedFd<'_>| match is_ready(fd, interest) {
            true => Ok(()),
            false => Err(io::ErrorKind::WouldBlock.into()),
        };
        let _ = source.io(interest, &wait.cancellable(), |()| false, asks);
    }
}

fn is_ready(fd: BorrowedFd<'_>, interest: Interest) -> bool {
    let events = match interest {
        Interest::Read => libc::POLLIN,
        Interest::Write => libc::POLLOUT,
    };
    let mut asked = libc::pollfd {
        fd: fd.as_fd().as_raw_fd(),
        events,
        revents: 0,
    };
    // SAFETY: one live `pollfd`, and a length of one; it does not wait.
    let answers = unsafe { libc::poll(&raw mut asked, 1, 0) };
    // An error is for the call that comes next to tell.
    answers != 0
}
