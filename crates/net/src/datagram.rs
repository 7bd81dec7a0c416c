//! Whole messages: what sockets that carry those have in common.
//!
//! A message says nothing of the next one. So no success uses readiness up, only a call that
//! would have waited.
//!
//! A socket that was shut down for receiving is reported readable for ever, and yet says that a
//! call would block; to one that may block the kernel tells the end, 0 bytes. So who would wait
//! asks first whether that is so.
#![forbid(unsafe_code)]

use std::io;
use std::os::fd::BorrowedFd;

use socket2::SockAddr;
use trefoil_runtime::{Interest, Reason, Wait};

use crate::handle::Handle;
use crate::socket;

/// What a call that receives gives.
trait Taken: Sized {
    /// At the end.
    fn nothing() -> io::Result<Self>;
}

impl Taken for usize {
    fn nothing() -> io::Result<usize> {
        Ok(0)
    }
}

impl Taken for (usize, SockAddr) {
    /// From nobody.
    fn nothing() -> io::Result<(usize, SockAddr)> {
        Ok((0, SockAddr::unix("")?))
    }
}

impl Handle {
    #[track_caller]
    pub(crate) fn recv(&self, buffer: &mut [u8]) -> io::Result<usize> {
        self.take(Wait::new(Reason::Read), |fd| socket::recv(fd, buffer))
    }

    #[track_caller]
    pub(crate) fn peek(&self, buffer: &mut [u8]) -> io::Result<usize> {
        self.take(Wait::new(Reason::Read), |fd| socket::peek(fd, buffer))
    }

    #[track_caller]
    pub(crate) fn recv_from(&self, buffer: &mut [u8]) -> io::Result<(usize, SockAddr)> {
        self.take(Wait::new(Reason::Read), |fd| socket::recv_from(fd, buffer))
    }

    #[track_caller]
    pub(crate) fn peek_from(&self, buffer: &mut [u8]) -> io::Result<(usize, SockAddr)> {
        self.take(Wait::new(Reason::Read), |fd| socket::peek_from(fd, buffer))
    }

    #[track_caller]
    pub(crate) fn send(&self, bytes: &[u8]) -> io::Result<usize> {
        let wait = Wait::new(Reason::Write);
        self.io(
            Interest::Write,
            wait,
            |_| false,
            |fd| socket::send(fd, bytes),
        )
    }

    /// Only where its own buffer is all that a message may wait for.
    #[track_caller]
    pub(crate) fn send_to(&self, bytes: &[u8], to: &SockAddr) -> io::Result<usize> {
        let wait = Wait::new(Reason::Write);
        self.io(
            Interest::Write,
            wait,
            |_| false,
            |fd| socket::send_to(fd, bytes, to),
        )
    }

    fn take<T: Taken>(
        &self,
        wait: Wait,
        mut receive: impl FnMut(BorrowedFd<'_>) -> io::Result<T>,
    ) -> io::Result<T> {
        let nonblocking = self.is_nonblocking();
        let receive = |fd: BorrowedFd<'_>| match receive(fd) {
            Err(none) if none.kind() == io::ErrorKind::WouldBlock && !nonblocking => {
                if !socket::is_ended(fd)? {
                    return Err(none);
                }
                // What had come before is received first.
                match receive(fd) {
                    Err(none) if none.kind() == io::ErrorKind::WouldBlock => T::nothing(),
                    taken => taken,
                }
            }
            taken => taken,
        };
        self.io(Interest::Read, wait, |_| false, receive)
    }
}
