//! Reading and writing streams of bytes: sockets and pipes.
//!
//! The traits' own methods for more than one call (`read_exact`, `write_all`, …) are handed on
//! too, so that a dump names the line of the program that waits, and not one inside `std`.
#![forbid(unsafe_code)]

use std::fmt;
use std::io::{self, IoSlice, IoSliceMut, Read, Write};
use std::marker::PhantomData;
use std::os::fd::BorrowedFd;

use trefoil_runtime::os::Call;
use trefoil_runtime::{Interest, Reason, Wait};

use crate::handle::Handle;
use crate::pipe::{Pipe, PipeReader, PipeWriter};
use crate::process::{ChildStderr, ChildStdin, ChildStdout};
use crate::socket::Socket;
use crate::tcp::TcpStream;
use crate::unix::UnixStream;

/// The system calls of one kind of stream. None of them waits.
pub(crate) trait Kind {
    fn read(fd: BorrowedFd<'_>, buffer: &mut [u8]) -> io::Result<usize>;
    fn read_vectored(fd: BorrowedFd<'_>, buffers: &mut [IoSliceMut<'_>]) -> io::Result<usize>;
    /// A reader that has gone is an error, and not a signal that ends the process.
    fn write(fd: BorrowedFd<'_>, bytes: &[u8]) -> io::Result<usize>;
    /// The same.
    fn write_vectored(fd: BorrowedFd<'_>, bytes: &[IoSlice<'_>]) -> io::Result<usize>;
}

/// The system refuses a call with more buffers; `std` hands on the first ones, and so do we.
const MOST_BUFFERS: usize = libc::UIO_MAXIOV as usize;

/// A stream, with what its waits are noted as.
struct Placed<'a, K> {
    handle: &'a Handle,
    wait: Wait,
    kind: PhantomData<K>,
}

impl<'a, K: Kind> Placed<'a, K> {
    #[track_caller]
    #[inline]
    fn reader(handle: &'a Handle) -> Placed<'a, K> {
        Placed {
            handle,
            wait: Wait::new(Reason::Read),
            kind: PhantomData,
        }
    }

    #[track_caller]
    #[inline]
    fn writer(handle: &'a Handle) -> Placed<'a, K> {
        Placed {
            handle,
            wait: Wait::new(Reason::Write),
            kind: PhantomData,
        }
    }

    #[inline]
    fn read_with(
        &self,
        room: usize,
        read: impl FnMut(BorrowedFd<'_>) -> io::Result<usize>,
    ) -> io::Result<usize> {
        self.handle
            .io(Interest::Read, self.wait, leaves_room(room), read)
    }

    /// A kernel thread waits in the call itself.
    fn read_in_call(&self, buffer: &mut [u8]) -> io::Result<usize> {
        let wait = self.handle.limit(Interest::Read, self.wait);
        let source = &self.handle.source;
        if let Some(done) = source.call(&wait, &Call::recv(self.handle.as_fd(), buffer)) {
            return done;
        }
        let short = leaves_room(buffer.len());
        source.io(Interest::Read, &wait, short, |fd| K::read(fd, buffer))
    }

    /// A write that does not take all has filled the buffer.
    #[inline]
    fn write_with(
        &self,
        wanted: usize,
        write: impl FnMut(BorrowedFd<'_>) -> io::Result<usize>,
    ) -> io::Result<usize> {
        let short = |&taken: &usize| taken < wanted;
        self.handle.io(Interest::Write, self.wait, short, write)
    }
}

/// A read that does not fill its room has taken all there was, so that the next one waits
/// at once. 0 is the end, which does not go away.
#[inline]
fn leaves_room(room: usize) -> impl Fn(&usize) -> bool {
    move |&taken| taken != 0 && taken < room
}

impl<K: Kind> Read for Placed<'_, K> {
    #[inline]
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.handle.waits_in_call() {
            return self.read_in_call(buffer);
        }
        self.read_with(buffer.len(), |fd| K::read(fd, buffer))
    }

    fn read_vectored(&mut self, buffers: &mut [IoSliceMut<'_>]) -> io::Result<usize> {
        let taken = buffers.len().min(MOST_BUFFERS);
        let buffers = &mut buffers[..taken];
        let room = buffers.iter().map(|buffer| buffer.len()).sum();
        self.read_with(room, |fd| K::read_vectored(fd, buffers))
    }
}

impl<K: Kind> Write for Placed<'_, K> {
    #[inline]
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.write_with(bytes.len(), |fd| K::write(fd, bytes))
    }

    fn write_vectored(&mut self, bytes: &[IoSlice<'_>]) -> io::Result<usize> {
        let bytes = &bytes[..bytes.len().min(MOST_BUFFERS)];
        let wanted = bytes.iter().map(|bytes| bytes.len()).sum();
        self.write_with(wanted, |fd| K::write_vectored(fd, bytes))
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// `Read`, for a stream of this kind and for a shared reference to it.
macro_rules! reads {
    ($kind:ty: $($stream:ty,)*) => {$(
        impl Read for $stream {
            #[track_caller]
            #[inline]
            fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
                Placed::<$kind>::reader(&self.handle).read(buffer)
            }

            #[track_caller]
            fn read_vectored(&mut self, buffers: &mut [IoSliceMut<'_>]) -> io::Result<usize> {
                Placed::<$kind>::reader(&self.handle).read_vectored(buffers)
            }

            #[track_caller]
            fn read_exact(&mut self, buffer: &mut [u8]) -> io::Result<()> {
                Placed::<$kind>::reader(&self.handle).read_exact(buffer)
            }

            #[track_caller]
            fn read_to_end(&mut self, buffer: &mut Vec<u8>) -> io::Result<usize> {
                Placed::<$kind>::reader(&self.handle).read_to_end(buffer)
            }

            #[track_caller]
            fn read_to_string(&mut self, text: &mut String) -> io::Result<usize> {
                Placed::<$kind>::reader(&self.handle).read_to_string(text)
            }
        }
    )*};
}

/// `Write`, for a stream of this kind and for a shared reference to it.
macro_rules! writes {
    ($kind:ty: $($stream:ty,)*) => {$(
        impl Write for $stream {
            #[track_caller]
            #[inline]
            fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
                Placed::<$kind>::writer(&self.handle).write(bytes)
            }

            #[track_caller]
            fn write_vectored(&mut self, bytes: &[IoSlice<'_>]) -> io::Result<usize> {
                Placed::<$kind>::writer(&self.handle).write_vectored(bytes)
            }

            #[track_caller]
            fn write_all(&mut self, bytes: &[u8]) -> io::Result<()> {
                Placed::<$kind>::writer(&self.handle).write_all(bytes)
            }

            #[track_caller]
            fn write_fmt(&mut self, text: fmt::Arguments<'_>) -> io::Result<()> {
                Placed::<$kind>::writer(&self.handle).write_fmt(text)
            }

            fn flush(&mut self) -> io::Result<()> {
                Ok(())
            }
        }
    )*};
}

reads! {
    Socket: TcpStream, &TcpStream, UnixStream, &UnixStream,
}
writes! {
    Socket: TcpStream, &TcpStream, UnixStream, &UnixStream,
}
reads! {
    Pipe: PipeReader, &PipeReader, ChildStdout, &ChildStdout, ChildStderr, &ChildStderr,
}
writes! {
    Pipe: PipeWriter, &PipeWriter, ChildStdin, &ChildStdin,
}
