//! A stream of bytes through the kernel, in one direction, as `std::io::pipe`.
//!
//! The kernel raises SIGPIPE when somebody writes to a pipe that nobody can read any more, and
//! the signal's default action ends the process. `std` ignores it before `main`, but a program
//! whose `main` is C's, or that has put the default back, does not. So where it is not ignored
//! a write holds it back on its OS thread, and takes it away if this write has raised it.
//! Sockets have a flag for that.

use std::fmt;
use std::io::{self, IoSlice, IoSliceMut};
use std::mem::MaybeUninit;
use std::os::fd::{AsRawFd as _, BorrowedFd, FromRawFd as _, OwnedFd};
use std::process::Stdio;

use crate::bytes::Kind;
use crate::exhausted::explain;
use crate::handle::Handle;
use crate::process::{ChildStderr, ChildStdin, ChildStdout};

/// Makes a pipe: what is written to the second end is read from the first. Does not wait.
///
/// Both ends park the calling thread where they would block, in every model, and are cancellation
/// points: reading while the pipe is empty, writing while it is full (64 KiB on Linux).
///
/// # Errors
///
/// At the limit of descriptors, [`DescriptorsExhausted`](crate::DescriptorsExhausted).
///
/// ```
/// use std::io::{Read, Write};
///
/// let (mut reader, mut writer) = trefoil_net::pipe()?;
/// writer.write_all(b"hello")?;
/// drop(writer);
/// let mut heard = String::new();
/// reader.read_to_string(&mut heard)?;
/// assert_eq!(heard, "hello");
/// # Ok::<(), std::io::Error>(())
/// ```
pub fn pipe() -> io::Result<(PipeReader, PipeWriter)> {
    let mut ends = [-1; 2];
    // SAFETY: room for two descriptors.
    if unsafe { libc::pipe2(ends.as_mut_ptr(), libc::O_CLOEXEC | libc::O_NONBLOCK) } < 0 {
        return Err(explain(io::Error::last_os_error()));
    }
    // SAFETY: `pipe2` has just given us both.
    let [reader, writer] = ends.map(|end| unsafe { OwnedFd::from_raw_fd(end) });
    let (reader, writer) = (
        Handle::from_nonblocking(reader),
        Handle::from_nonblocking(writer),
    );
    Ok((PipeReader { handle: reader }, PipeWriter { handle: writer }))
}

/// The end of a [`pipe`] that reads, as [`std::io::PipeReader`].
///
/// It reads to the end when no writer is left, in this process and in others.
///
/// ```
/// use std::io::Read;
///
/// let (mut reader, writer) = trefoil_net::pipe()?;
/// drop(writer);
/// assert_eq!(reader.read(&mut [0; 8])?, 0); // the end
/// # Ok::<(), std::io::Error>(())
/// ```
pub struct PipeReader {
    pub(crate) handle: Handle,
}

/// The end of a [`pipe`] that writes, as [`std::io::PipeWriter`].
///
/// If no reader is left, writing fails with `BrokenPipe`; the signal SIGPIPE ends no process.
///
/// ```
/// use std::io::{ErrorKind, Write};
///
/// let (reader, mut writer) = trefoil_net::pipe()?;
/// drop(reader);
/// assert_eq!(writer.write(b"x").unwrap_err().kind(), ErrorKind::BrokenPipe);
/// # Ok::<(), std::io::Error>(())
/// ```
pub struct PipeWriter {
    pub(crate) handle: Handle,
}

macro_rules! ends {
    ($($end:ident, $sample:literal;)*) => {$(
        impl $end {
            /// Another handle to the same end, with a descriptor of its own. The end is closed
            /// with the last one. Does not wait.
            ///
            /// # Errors
            ///
            /// At the limit of descriptors, [`DescriptorsExhausted`](crate::DescriptorsExhausted).
            ///
            /// ```
            #[doc = include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/doc/", $sample, ".txt"))]
            /// let clone = socket.try_clone()?;
            /// # drop(clone);
            /// # Ok::<(), std::io::Error>(())
            /// ```
            pub fn try_clone(&self) -> io::Result<$end> {
                let handle = self.handle.try_clone()?;
                Ok($end { handle })
            }
        }
    )*};
}

ends! {
    PipeReader, "pipe_reader";
    PipeWriter, "pipe_writer";
}

/// What all ends of pipes have in common.
macro_rules! pipes {
    ($($end:ident,)*) => {$(
        impl fmt::Debug for $end {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                let fd = self.handle.fd();
                f.debug_struct(stringify!($end)).field("fd", &fd).finish()
            }
        }

        impl From<$end> for Stdio {
            /// For a child process: the descriptor blocks, as programs expect. So it does for the
            /// clones of this end.
            ///
            /// # Panics
            ///
            /// If the operating system refuses to make it blocking, which it has no reason to.
            fn from(end: $end) -> Stdio {
                let end = end.handle.into_blocking();
                Stdio::from(end.expect("the mode of a pipe can be set"))
            }
        }
    )*};
}

pipes! {
    PipeReader, PipeWriter, ChildStdin, ChildStdout, ChildStderr,
}

/// Pipes, and whatever `read(2)` and `write(2)` are for.
pub(crate) struct Pipe;

impl Kind for Pipe {
    fn read(fd: BorrowedFd<'_>, buffer: &mut [u8]) -> io::Result<usize> {
        // SAFETY: so much room, which is initialized; the descriptor is open.
        length(unsafe { libc::read(fd.as_raw_fd(), buffer.as_mut_ptr().cast(), buffer.len()) })
    }

    fn read_vectored(fd: BorrowedFd<'_>, buffers: &mut [IoSliceMut<'_>]) -> io::Result<usize> {
        // SAFETY: an `IoSliceMut` is an `iovec` by its documentation, and the caller passes no
        // more than the system takes.
        length(unsafe {
            libc::readv(
                fd.as_raw_fd(),
                buffers.as_mut_ptr().cast(),
                buffers.len() as libc::c_int,
            )
        })
    }

    fn write(fd: BorrowedFd<'_>, bytes: &[u8]) -> io::Result<usize> {
        // SAFETY: so many bytes; the descriptor is open.
        unsignalled(|| unsafe { libc::write(fd.as_raw_fd(), bytes.as_ptr().cast(), bytes.len()) })
    }

    fn write_vectored(fd: BorrowedFd<'_>, bytes: &[IoSlice<'_>]) -> io::Result<usize> {
        // SAFETY: as in `read_vectored`.
        unsignalled(|| unsafe {
            libc::writev(
                fd.as_raw_fd(),
                bytes.as_ptr().cast(),
                bytes.len() as libc::c_int,
            )
        })
    }
}

fn length(result: libc::ssize_t) -> io::Result<usize> {
    usize::try_from(result).map_err(|_| io::Error::last_os_error())
}

/// Makes a call that may raise SIGPIPE, without that signal.
fn unsignalled(call: impl FnOnce() -> libc::ssize_t) -> io::Result<usize> {
    if is_ignored() {
        return length(call());
    }
    let signal = only_sigpipe();
    let was_pending = is_pending();
    let before = block(&signal);
    let result = length(call());
    let broken = matches!(&result, Err(error) if error.raw_os_error() == Some(libc::EPIPE));
    if broken && !was_pending {
        take(&signal);
    }
    // SAFETY: a set that the system has given; nothing is asked back.
    unsafe { libc::pthread_sigmask(libc::SIG_SETMASK, &before, core::ptr::null_mut()) };
    result
}

/// Who stops to ignore it while another thread writes gets what it asks for.
fn is_ignored() -> bool {
    let mut action = MaybeUninit::<libc::sigaction>::uninit();
    // SAFETY: it only asks, and has room for the answer.
    let asked = unsafe { libc::sigaction(libc::SIGPIPE, core::ptr::null(), action.as_mut_ptr()) };
    // SAFETY: it has been answered.
    asked == 0 && unsafe { action.assume_init() }.sa_sigaction == libc::SIG_IGN
}

fn only_sigpipe() -> libc::sigset_t {
    let mut signals = MaybeUninit::uninit();
    // SAFETY: `sigemptyset` initializes the set.
    unsafe {
        libc::sigemptyset(signals.as_mut_ptr());
        libc::sigaddset(signals.as_mut_ptr(), libc::SIGPIPE);
        signals.assume_init()
    }
}

/// Whether the program has blocked it, and has one that it has not taken.
fn is_pending() -> bool {
    let mut pending = MaybeUninit::uninit();
    // SAFETY: room for the answer, which `sigpending` gives.
    unsafe {
        libc::sigpending(pending.as_mut_ptr());
        libc::sigismember(pending.as_ptr(), libc::SIGPIPE) == 1
    }
}

/// Blocks the signals for this OS thread; what was blocked before.
fn block(signals: &libc::sigset_t) -> libc::sigset_t {
    let mut before = MaybeUninit::uninit();
    // SAFETY: a set, and room for the answer. It fails for a bad first argument only.
    unsafe {
        libc::pthread_sigmask(libc::SIG_BLOCK, signals, before.as_mut_ptr());
        before.assume_init()
    }
}

/// Takes the signal that the write has raised, which is there: it came with the error, to this
/// OS thread.
fn take(signals: &libc::sigset_t) {
    let now = libc::timespec {
        tv_sec: 0,
        tv_nsec: 0,
    };
    loop {
        // SAFETY: a set and a time; nothing else is asked back. It does not wait.
        let taken = unsafe { libc::sigtimedwait(signals, core::ptr::null_mut(), &now) };
        let interrupted = io::Error::last_os_error().kind() == io::ErrorKind::Interrupted;
        if taken >= 0 || !interrupted {
            return;
        }
    }
}
