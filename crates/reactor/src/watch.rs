//! In which directions a descriptor is watched.

#![forbid(unsafe_code)]

use mio::Interest;

/// In which directions a descriptor is watched. Errors and a hang-up are always reported.
///
/// # Examples
///
/// ```
/// use std::os::fd::AsRawFd;
/// use std::os::unix::net::UnixStream;
/// use std::time::Duration;
/// use trefoil_reactor::{Reactor, Watch};
///
/// let mut reactor = Reactor::new()?;
/// let (left, _right) = UnixStream::pair()?;
/// let token = reactor.handle().register(left.as_raw_fd(), (), Watch::Read)?;
/// let mut ready = Vec::new();
/// reactor.poll(Some(Duration::ZERO), &mut ready)?;
/// assert!(ready.is_empty()); // that it can be written to is not asked
///
/// reactor.handle().deregister(left.as_raw_fd(), token);
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Watch {
    /// For something to read: data, urgent data, a connection to accept, the end of the stream.
    Read,
    /// For room to write, and the end of a connection attempt.
    Write,
    /// For either.
    Both,
}

impl Watch {
    pub(crate) fn interest(self) -> Interest {
        let read = Interest::READABLE | Interest::PRIORITY;
        match self {
            Watch::Read => read,
            Watch::Write => Interest::WRITABLE,
            Watch::Both => read | Interest::WRITABLE,
        }
    }
}
