//! Reading and writing.
//!
//! The traits' own methods for more than one call (`read_exact`, `write_all`, …) are handed on
//! too, so that a dump names the line of the program that waits, and not one inside `std`.
#![forbid(unsafe_code)]

use std::fmt;
use std::io::{self, IoSlice, IoSliceMut, Read, Write};
use std::os::fd::BorrowedFd;

use trefoil_runtime::{Interest, Reason, Wait};

use super::stream::TcpStream;
use crate::socket;

/// A stream, with what its waits are noted as.
struct Placed<'a> {
    stream: &'a TcpStream,
    wait: Wait,
}

impl TcpStream {
    #[track_caller]
    #[inline]
    fn reader(&self) -> Placed<'_> {
        Placed {
            stream: self,
            wait: Wait::new(Reason::Read),
        }
    }

    #[track_caller]
    #[inline]
    fn writer(&self) -> Placed<'_> {
        Placed {
            stream: self,
            wait: Wait::new(Reason::Write),
        }
    }

    /// Reads without taking what it reads, so that the next read finds it again. Waits as
    /// `read` does. A cancellation point.
    ///
    /// # Errors
    ///
    /// As `read`: `WouldBlock` when the [timeout](TcpStream::set_read_timeout) is over.
    ///
    /// ```
    /// use std::io::{Read, Write};
    /// use trefoil_net::{TcpListener, TcpStream};
    ///
    /// let listener = TcpListener::bind("127.0.0.1:0")?;
    /// let mut left = TcpStream::connect(listener.local_addr()?)?;
    /// let (mut right, _) = listener.accept()?;
    /// left.write_all(b"x")?;
    /// let mut byte = [0];
    /// assert_eq!(right.peek(&mut byte)?, 1);
    /// assert_eq!(right.read(&mut byte)?, 1);
    /// assert_eq!(&byte, b"x");
    /// # Ok::<(), std::io::Error>(())
    /// ```
    #[track_caller]
    pub fn peek(&self, buffer: &mut [u8]) -> io::Result<usize> {
        self.modes.io(
            &self.source,
            Interest::Read,
            Wait::new(Reason::Read),
            // What was seen is still there.
            |_| false,
            |fd| socket::peek(fd, buffer),
        )
    }
}

impl Placed<'_> {
    /// A read that does not fill its room has taken all there was, so that the next one waits
    /// at once. 0 is the end, which does not go away.
    #[inline]
    fn read_with(
        &self,
        room: usize,
        read: impl FnMut(BorrowedFd<'_>) -> io::Result<usize>,
    ) -> io::Result<usize> {
        let short = |&taken: &usize| taken != 0 && taken < room;
        let TcpStream { source, modes } = self.stream;
        modes.io(source, Interest::Read, self.wait, short, read)
    }

    /// A write that does not take all has filled the socket's buffer.
    #[inline]
    fn write_with(
        &self,
        wanted: usize,
        write: impl FnMut(BorrowedFd<'_>) -> io::Result<usize>,
    ) -> io::Result<usize> {
        let short = |&taken: &usize| taken < wanted;
        let TcpStream { source, modes } = self.stream;
        modes.io(source, Interest::Write, self.wait, short, write)
    }
}

impl Read for Placed<'_> {
    #[inline]
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.read_with(buffer.len(), |fd| socket::read(fd, buffer))
    }

    fn read_vectored(&mut self, buffers: &mut [IoSliceMut<'_>]) -> io::Result<usize> {
        let taken = buffers.len().min(socket::MOST_BUFFERS);
        let buffers = &mut buffers[..taken];
        let room = buffers.iter().map(|buffer| buffer.len()).sum();
        self.read_with(room, |fd| socket::read_vectored(fd, buffers))
    }
}

impl Write for Placed<'_> {
    #[inline]
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.write_with(bytes.len(), |fd| socket::write(fd, bytes))
    }

    fn write_vectored(&mut self, bytes: &[IoSlice<'_>]) -> io::Result<usize> {
        let bytes = &bytes[..bytes.len().min(socket::MOST_BUFFERS)];
        let wanted = bytes.iter().map(|bytes| bytes.len()).sum();
        self.write_with(wanted, |fd| socket::write_vectored(fd, bytes))
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// The traits for the stream and for a shared reference to it.
macro_rules! read_and_write {
    ($($stream:ty,)*) => {$(
        impl Read for $stream {
            #[track_caller]
            #[inline]
            fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
                self.reader().read(buffer)
            }

            #[track_caller]
            fn read_vectored(&mut self, buffers: &mut [IoSliceMut<'_>]) -> io::Result<usize> {
                self.reader().read_vectored(buffers)
            }

            #[track_caller]
            fn read_exact(&mut self, buffer: &mut [u8]) -> io::Result<()> {
                self.reader().read_exact(buffer)
            }

            #[track_caller]
            fn read_to_end(&mut self, buffer: &mut Vec<u8>) -> io::Result<usize> {
                self.reader().read_to_end(buffer)
            }

            #[track_caller]
            fn read_to_string(&mut self, text: &mut String) -> io::Result<usize> {
                self.reader().read_to_string(text)
            }
        }

        impl Write for $stream {
            #[track_caller]
            #[inline]
            fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
                self.writer().write(bytes)
            }

            #[track_caller]
            fn write_vectored(&mut self, bytes: &[IoSlice<'_>]) -> io::Result<usize> {
                self.writer().write_vectored(bytes)
            }

            #[track_caller]
            fn write_all(&mut self, bytes: &[u8]) -> io::Result<()> {
                self.writer().write_all(bytes)
            }

            #[track_caller]
            fn write_fmt(&mut self, text: fmt::Arguments<'_>) -> io::Result<()> {
                self.writer().write_fmt(text)
            }

            fn flush(&mut self) -> io::Result<()> {
                Ok(())
            }
        }
    )*};
}

read_and_write! {
    TcpStream,
    &TcpStream,
}
