//! Reading and writing a pipe: one system call each. None of them waits: the descriptors are non-blocking.
//!
//! A write to a pipe that nobody reads raises SIGPIPE, which ends a process that has not said otherwise, and
//! a pipe has no flag against it as a socket has. Rust's own `main` ignores the signal, but one that is
//! written in C does not. So the OS thread blocks it for the time of the call, and takes it back if it came.

use std::io::{self, IoSlice, IoSliceMut};
use std::mem::MaybeUninit;
use std::os::fd::{AsRawFd as _, BorrowedFd};

/// The system refuses a call with more buffers; `std` hands on the first ones, and so do we.
const MOST_BUFFERS: usize = libc::UIO_MAXIOV as usize;

pub(super) fn read(fd: BorrowedFd<'_>, buffer: &mut [u8]) -> io::Result<usize> {
    // SAFETY: the buffer is lent with its length, and the descriptor is open.
    told(unsafe { libc::read(fd.as_raw_fd(), buffer.as_mut_ptr().cast(), buffer.len()) })
}

pub(super) fn read_vectored(
    fd: BorrowedFd<'_>,
    buffers: &mut [IoSliceMut<'_>],
) -> io::Result<usize> {
    let count = buffers.len().min(MOST_BUFFERS);
    // SAFETY: an `IoSliceMut` is an `iovec` by its documentation; so many are lent, with their buffers, and
    // the descriptor is open. The count is 1024 at most.
    told(unsafe { libc::readv(fd.as_raw_fd(), buffers.as_mut_ptr().cast(), count as _) })
}

pub(super) fn write(fd: BorrowedFd<'_>, bytes: &[u8]) -> io::Result<usize> {
    // SAFETY: the bytes are lent with their number, and the descriptor is open.
    without_sigpipe(|| unsafe { libc::write(fd.as_raw_fd(), bytes.as_ptr().cast(), bytes.len()) })
}

pub(super) fn write_vectored(fd: BorrowedFd<'_>, bytes: &[IoSlice<'_>]) -> io::Result<usize> {
    let count = bytes.len().min(MOST_BUFFERS);
    // SAFETY: an `IoSlice` is an `iovec` by its documentation; so many are lent, with their bytes, and the
    // descriptor is open. The count is 1024 at most.
    without_sigpipe(|| unsafe { libc::writev(fd.as_raw_fd(), bytes.as_ptr().cast(), count as _) })
}

/// What a call has done, or why it has not. A negative number is always an error.
fn told(done: libc::ssize_t) -> io::Result<usize> {
    usize::try_from(done).map_err(|_| io::Error::last_os_error())
}

/// Writes with SIGPIPE blocked on this OS thread. The signal of a write goes to the thread that writes, so
/// nobody else gets it meanwhile. `write` does not leave the OS thread.
fn without_sigpipe(write: impl FnOnce() -> libc::ssize_t) -> io::Result<usize> {
    let pipe = sigpipe();
    let mut before = MaybeUninit::uninit();
    // SAFETY: both sets are alive for the call; the second is filled when it succeeds, and it can only fail
    // for a first argument that is none of the three.
    let before = unsafe {
        libc::pthread_sigmask(libc::SIG_BLOCK, &raw const pipe, before.as_mut_ptr());
        before.assume_init()
    };
    let result = told(write());
    // SAFETY: the set was filled above.
    let was_blocked = unsafe { libc::sigismember(&raw const before, libc::SIGPIPE) } == 1;
    if !was_blocked {
        if matches!(&result, Err(error) if error.raw_os_error() == Some(libc::EPIPE)) {
            take(&pipe);
        }
        // SAFETY: as above.
        unsafe {
            libc::pthread_sigmask(libc::SIG_SETMASK, &raw const before, core::ptr::null_mut())
        };
    }
    result
}

/// The set of this signal alone.
fn sigpipe() -> libc::sigset_t {
    let mut set = MaybeUninit::uninit();
    // SAFETY: the set is emptied, which fills it, before a valid signal is put in.
    unsafe {
        libc::sigemptyset(set.as_mut_ptr());
        libc::sigaddset(set.as_mut_ptr(), libc::SIGPIPE);
        set.assume_init()
    }
}

/// Takes a pending signal of the set, without waiting for one.
fn take(set: &libc::sigset_t) {
    let now = libc::timespec {
        tv_sec: 0,
        tv_nsec: 0,
    };
    // SAFETY: the set and the time are alive for the call, and nothing is asked about the signal. Another
    // signal's handler may interrupt it.
    while unsafe { libc::sigtimedwait(set, core::ptr::null_mut(), &raw const now) } < 0
        && io::Error::last_os_error().kind() == io::ErrorKind::Interrupted
    {}
}
