//! The pipes to a child.
//!
//! The traits' own methods for more than one call (`read_to_end`, `write_all`, …) are handed on too, so that
//! a dump names the line of the program that waits, and not one inside `std`.
#![forbid(unsafe_code)]

use std::fmt;
use std::io::{self, IoSlice, IoSliceMut, Read, Write};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, IntoRawFd, OwnedFd, RawFd};
use std::panic::{RefUnwindSafe, UnwindSafe};
use std::process::Stdio;

use socket2::SockRef;
use trefoil_runtime::{Interest, Reason, Source, Wait};

use super::calls;

/// The writing end of the pipe to a child's standard input, as [`std::process::ChildStdin`].
///
/// Dropping it closes the pipe: the child reads its end.
///
/// Writing parks the calling thread while the pipe is full, in every model, and is a cancellation point. If
/// nobody reads it any more, a write fails with `BrokenPipe`; the process does not get SIGPIPE, whatever it
/// has said about that signal.
///
/// ```
/// use std::io::Write;
/// use trefoil_net::process::{Command, Stdio};
///
/// let mut child = Command::new("true").stdin(Stdio::piped()).spawn()?;
/// let mut stdin = child.stdin.take().unwrap();
/// child.wait()?;
/// let refused = stdin.write(b"is anybody there?").unwrap_err();
/// assert_eq!(refused.kind(), std::io::ErrorKind::BrokenPipe);
/// # Ok::<(), std::io::Error>(())
/// ```
pub struct ChildStdin {
    pub(super) source: Source,
}

/// The reading end of the pipe from a child's standard output, as [`std::process::ChildStdout`].
///
/// Reading parks the calling thread while there is nothing, in every model, and is a cancellation point.
///
/// ```
/// use std::io::Read;
/// use trefoil_net::process::{Command, Stdio};
///
/// let mut child = Command::new("echo").arg("hello").stdout(Stdio::piped()).spawn()?;
/// let mut heard = [0; 6];
/// child.stdout.as_mut().unwrap().read_exact(&mut heard)?;
/// assert_eq!(&heard, b"hello\n");
/// child.wait()?;
/// # Ok::<(), std::io::Error>(())
/// ```
pub struct ChildStdout {
    pub(super) source: Source,
}

/// The reading end of the pipe from a child's standard error, as [`std::process::ChildStderr`].
///
/// Reading parks the calling thread while there is nothing, in every model, and is a cancellation point.
///
/// ```
/// use std::io::Read;
/// use trefoil_net::process::{Command, Stdio};
///
/// let mut child = Command::new("sh").args(["-c", "echo oh >&2"]).stderr(Stdio::piped()).spawn()?;
/// let mut heard = String::new();
/// child.stderr.take().unwrap().read_to_string(&mut heard)?;
/// assert_eq!(heard, "oh\n");
/// child.wait()?;
/// # Ok::<(), std::io::Error>(())
/// ```
pub struct ChildStderr {
    pub(super) source: Source,
}

/// A pipe, with what its waits are noted as.
struct Placed<'a> {
    source: &'a Source,
    wait: Wait,
}

#[track_caller]
fn placed(source: &Source, reason: Reason) -> Placed<'_> {
    Placed {
        source,
        wait: Wait::new(reason).cancellable(),
    }
}

impl Placed<'_> {
    /// A read that does not fill its room has taken all there was. 0 is the end, which does not go away.
    fn read_with(
        &self,
        room: usize,
        read: impl FnMut(BorrowedFd<'_>) -> io::Result<usize>,
    ) -> io::Result<usize> {
        let short = |&taken: &usize| taken != 0 && taken < room;
        self.source.io(Interest::Read, &self.wait, short, read)
    }

    /// A write that does not take all has filled the pipe.
    fn write_with(
        &self,
        wanted: usize,
        write: impl FnMut(BorrowedFd<'_>) -> io::Result<usize>,
    ) -> io::Result<usize> {
        let short = |&taken: &usize| taken < wanted;
        self.source.io(Interest::Write, &self.wait, short, write)
    }
}

impl Read for Placed<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.read_with(buffer.len(), |fd| calls::read(fd, buffer))
    }

    fn read_vectored(&mut self, buffers: &mut [IoSliceMut<'_>]) -> io::Result<usize> {
        let room = buffers.iter().map(|buffer| buffer.len()).sum();
        self.read_with(room, |fd| calls::read_vectored(fd, buffers))
    }
}

impl Write for Placed<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.write_with(bytes.len(), |fd| calls::write(fd, bytes))
    }

    fn write_vectored(&mut self, bytes: &[IoSlice<'_>]) -> io::Result<usize> {
        let wanted = bytes.iter().map(|bytes| bytes.len()).sum();
        self.write_with(wanted, |fd| calls::write_vectored(fd, bytes))
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// `Read` for a pipe and for a shared reference to it.
macro_rules! reading {
    ($($pipe:ty,)*) => {$(
        impl Read for $pipe {
            #[track_caller]
            fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
                placed(&self.source, Reason::Read).read(buffer)
            }

            #[track_caller]
            fn read_vectored(&mut self, buffers: &mut [IoSliceMut<'_>]) -> io::Result<usize> {
                placed(&self.source, Reason::Read).read_vectored(buffers)
            }

            #[track_caller]
            fn read_exact(&mut self, buffer: &mut [u8]) -> io::Result<()> {
                placed(&self.source, Reason::Read).read_exact(buffer)
            }

            #[track_caller]
            fn read_to_end(&mut self, buffer: &mut Vec<u8>) -> io::Result<usize> {
                placed(&self.source, Reason::Read).read_to_end(buffer)
            }

            #[track_caller]
            fn read_to_string(&mut self, text: &mut String) -> io::Result<usize> {
                placed(&self.source, Reason::Read).read_to_string(text)
            }
        }
    )*};
}

reading! {
    ChildStdout,
    &ChildStdout,
    ChildStderr,
    &ChildStderr,
}

/// `Write` for a pipe and for a shared reference to it.
macro_rules! writing {
    ($($pipe:ty,)*) => {$(
        impl Write for $pipe {
            #[track_caller]
            fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
                placed(&self.source, Reason::Write).write(bytes)
            }

            #[track_caller]
            fn write_vectored(&mut self, bytes: &[IoSlice<'_>]) -> io::Result<usize> {
                placed(&self.source, Reason::Write).write_vectored(bytes)
            }

            #[track_caller]
            fn write_all(&mut self, bytes: &[u8]) -> io::Result<()> {
                placed(&self.source, Reason::Write).write_all(bytes)
            }

            #[track_caller]
            fn write_fmt(&mut self, text: fmt::Arguments<'_>) -> io::Result<()> {
                placed(&self.source, Reason::Write).write_fmt(text)
            }

            fn flush(&mut self) -> io::Result<()> {
                Ok(())
            }
        }
    )*};
}

writing! {
    ChildStdin,
    &ChildStdin,
}

macro_rules! conversions {
    ($($pipe:ident,)*) => {$(
        impl $pipe {
            /// Takes over a pipe of `std`.
            ///
            /// # Errors
            ///
            /// If it cannot be made non-blocking underneath.
            ///
            /// ```
            /// # use std::process::{Command, Stdio};
            #[doc = concat!("use trefoil_net::process::", stringify!($pipe), ";")]
            ///
            /// let mut child = Command::new("true")
            ///     .stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped())
            ///     .spawn()?;
            #[doc = concat!("let pipe: Option<std::process::", stringify!($pipe), "> = child.", field!($pipe), ".take();")]
            #[doc = concat!("let pipe = ", stringify!($pipe), "::from_std(pipe.unwrap())?;")]
            /// # child.wait()?;
            /// # Ok::<(), std::io::Error>(())
            /// ```
            pub fn from_std(pipe: std::process::$pipe) -> io::Result<$pipe> {
                Ok($pipe { source: Source::new(pipe.into())? })
            }
        }

        impl AsFd for $pipe {
            fn as_fd(&self) -> BorrowedFd<'_> {
                self.source.as_fd()
            }
        }

        impl AsRawFd for $pipe {
            fn as_raw_fd(&self) -> RawFd {
                self.source.fd()
            }
        }

        impl IntoRawFd for $pipe {
            /// The descriptor, which stays non-blocking.
            fn into_raw_fd(self) -> RawFd {
                self.source.into_fd().into_raw_fd()
            }
        }

        impl From<$pipe> for OwnedFd {
            /// The descriptor, which stays non-blocking.
            fn from(pipe: $pipe) -> OwnedFd {
                pipe.source.into_fd()
            }
        }

        impl TryFrom<OwnedFd> for $pipe {
            type Error = io::Error;

            /// As `from_std`.
            fn try_from(fd: OwnedFd) -> io::Result<$pipe> {
                Ok($pipe { source: Source::new(fd)? })
            }
        }

        impl TryFrom<std::process::$pipe> for $pipe {
            type Error = io::Error;

            /// As `from_std`.
            fn try_from(pipe: std::process::$pipe) -> io::Result<$pipe> {
                $pipe::from_std(pipe)
            }
        }

        impl From<$pipe> for Stdio {
            /// For another child. It blocks again, as programs expect.
            fn from(pipe: $pipe) -> Stdio {
                let fd = pipe.source.into_fd();
                // For an open descriptor `fcntl(2)` refuses nothing that is asked here.
                let _ = SockRef::from(&fd).set_nonblocking(false);
                Stdio::from(fd)
            }
        }

        impl fmt::Debug for $pipe {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.debug_struct(stringify!($pipe)).field("fd", &self.as_raw_fd()).finish()
            }
        }

        // A panic, wherever it comes from, leaves a pipe as whole as an error does.
        impl UnwindSafe for $pipe {}
        impl RefUnwindSafe for $pipe {}
    )*};
}

/// The name of a child's field for the pipe.
macro_rules! field {
    (ChildStdin) => {
        "stdin"
    };
    (ChildStdout) => {
        "stdout"
    };
    (ChildStderr) => {
        "stderr"
    };
}

conversions! {
    ChildStdin,
    ChildStdout,
    ChildStderr,
}
