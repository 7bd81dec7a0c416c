//! A descriptor that is readable when a process has ended.

use std::io;
use std::os::fd::{FromRawFd as _, OwnedFd};

use trefoil_runtime::Source;

/// Such a descriptor of the process `id`, which is a child that nobody has asked for its end yet: so the
/// number is not another's.
///
/// # Errors
///
/// `EMFILE`, `ENFILE`; `ENOSYS` before Linux 5.3; `EPERM` where a sandbox forbids it.
pub(super) fn open(id: u32) -> io::Result<Source> {
    // SAFETY: numbers only. The descriptor is closed on exec by itself.
    let fd = unsafe { libc::syscall(libc::SYS_pidfd_open, id, 0) };
    let fd = i32::try_from(fd).map_err(io::Error::other)?;
    if fd < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: it was just made, and is nobody else's.
    let fd = unsafe { OwnedFd::from_raw_fd(fd) };
    // It is only polled, which never waits.
    Ok(Source::from_nonblocking(fd))
}
