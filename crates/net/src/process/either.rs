//! Waits for either of two descriptors: an `epoll(7)` that holds both is itself a descriptor that is readable
//! when one of them is.

use std::io;
use std::os::fd::{AsFd as _, AsRawFd as _, BorrowedFd, FromRawFd as _, OwnedFd};

use trefoil_runtime::{Interest, Source, Wait};

/// Several descriptors of which one is to be readable.
pub(super) struct Either(Source);

impl Either {
    /// # Errors
    ///
    /// `EMFILE`, `ENFILE`, `ENOMEM`, and the limit `fs.epoll.max_user_watches`.
    pub(super) fn of(descriptors: [BorrowedFd<'_>; 2]) -> io::Result<Either> {
        // SAFETY: numbers only.
        let fd = unsafe { libc::epoll_create1(libc::EPOLL_CLOEXEC) };
        if fd < 0 {
            return Err(io::Error::last_os_error());
        }
        // SAFETY: it was just made, and is nobody else's.
        let epoll = unsafe { OwnedFd::from_raw_fd(fd) };
        for descriptor in descriptors {
            control(epoll.as_fd(), libc::EPOLL_CTL_ADD, descriptor)?;
        }
        // It is only polled, which never waits.
        Ok(Either(Source::from_nonblocking(epoll)))
    }

    /// Takes a descriptor out: it has come to its end, and would be readable for ever.
    pub(super) fn forget(&self, descriptor: BorrowedFd<'_>) {
        // It is in there, so nothing can fail.
        let _ = control(self.0.as_fd(), libc::EPOLL_CTL_DEL, descriptor);
    }

    /// Does `attempt` as soon as it does not say `WouldBlock`.
    pub(super) fn io(
        &self,
        wait: &Wait,
        mut attempt: impl FnMut() -> io::Result<()>,
    ) -> io::Result<()> {
        self.0.io(Interest::Read, wait, |()| false, |_| attempt())
    }
}

fn control(epoll: BorrowedFd<'_>, what: libc::c_int, fd: BorrowedFd<'_>) -> io::Result<()> {
    let mut event = libc::epoll_event {
        events: libc::EPOLLIN as u32,
        u64: 0,
    };
    // SAFETY: one live event, which the kernel copies; both descriptors are open.
    let done = unsafe { libc::epoll_ctl(epoll.as_raw_fd(), what, fd.as_raw_fd(), &raw mut event) };
    if done < 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(())
}
