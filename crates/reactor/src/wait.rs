//! Sleeps until a descriptor is readable or a time has passed, to the nanosecond.
//!
//! `Reactor::poll` calls it for what `epoll_wait(2)`, which counts whole milliseconds, cannot
//! express. An epoll descriptor is readable when it has an event to give. Reads nothing itself.

use std::io;
use std::os::fd::{AsRawFd, BorrowedFd};
use std::ptr;
use std::time::Duration;

/// Waits until `fd` is readable, but not longer than `limit` and what the kernel's timer adds.
/// Does not tell which of the two it was. A signal ends it with `Interrupted`.
pub(crate) fn readable_within(fd: BorrowedFd<'_>, limit: Duration) -> io::Result<()> {
    let mut one = libc::pollfd {
        fd: fd.as_raw_fd(),
        events: libc::POLLIN,
        revents: 0,
    };
    let limit = libc::timespec {
        tv_sec: libc::time_t::try_from(limit.as_secs()).unwrap_or(libc::time_t::MAX),
        tv_nsec: libc::c_long::from(limit.subsec_nanos() as i32),
    };
    // SAFETY: `one` and `limit` are live for the call, the count of one matches the single
    // `pollfd`, the nanoseconds are below 10^9, and a null mask leaves the signal mask alone.
    let count = unsafe { libc::ppoll(&mut one, 1, &limit, ptr::null()) };
    if count < 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(())
}
