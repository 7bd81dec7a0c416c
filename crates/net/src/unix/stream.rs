//! One end of a connection, and how one is begun.
#![forbid(unsafe_code)]

use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::net::SocketAddr;
use std::path::Path;

use socket2::{Domain, SockAddr, Type};
use trefoil_runtime::{Reason, Wait};

use super::{address, room};
use crate::exhausted;
use crate::handle::Handle;
use crate::socket;

/// One end of a connection between Unix sockets, as [`std::os::unix::net::UnixStream`].
///
/// Reading and writing park the calling thread while there is nothing to read or no room to
/// write, in every model, and are cancellation points. Two threads may use it at the same time:
/// `Read` and `Write` are there for `&UnixStream` too.
///
/// A peer that has gone makes a write fail with `BrokenPipe`; no signal is raised.
///
/// ```
/// use std::io::{Read, Write};
/// use trefoil_net::unix::UnixStream;
///
/// let (mut left, mut right) = UnixStream::pair()?;
/// left.write_all(b"hello")?;
/// let mut heard = [0; 5];
/// right.read_exact(&mut heard)?;
/// assert_eq!(&heard, b"hello");
/// # Ok::<(), std::io::Error>(())
/// ```
pub struct UnixStream {
    pub(crate) handle: Handle,
}

impl UnixStream {
    pub(super) fn from_nonblocking(fd: OwnedFd) -> UnixStream {
        UnixStream {
            handle: Handle::from_nonblocking(fd),
        }
    }

    /// Connects to the listener at a path. Parks the thread, in every model, as long as the
    /// listener's queue is full; a cancellation point. Of room in that queue no event tells, so
    /// the thread looks again after pauses of 10 ms at most.
    ///
    /// # Errors
    ///
    /// `NotFound`, or `ConnectionRefused` if nobody listens there any more; `InvalidInput` if the
    /// path is too long or has a zero byte. At the limit of descriptors it is
    /// [`DescriptorsExhausted`](crate::DescriptorsExhausted).
    ///
    /// ```
    /// use std::io::ErrorKind;
    /// use trefoil_net::unix::UnixStream;
    ///
    /// let refused = UnixStream::connect("/no/such/path").unwrap_err();
    /// assert_eq!(refused.kind(), ErrorKind::NotFound);
    /// ```
    #[track_caller]
    pub fn connect<P: AsRef<Path>>(path: P) -> io::Result<UnixStream> {
        let wait = Wait::new(Reason::Connect);
        connect_as(&address::of_path(path.as_ref())?, wait)
    }

    /// The same, with an address, which may be an abstract one. A cancellation point.
    ///
    /// # Errors
    ///
    /// As [`connect`](UnixStream::connect).
    ///
    /// ```
    #[doc = include_str!("../../doc/unix_listener.txt")]
    /// use trefoil_net::unix::UnixStream;
    ///
    /// let stream = UnixStream::connect_addr(&socket.local_addr()?)?;
    /// # drop(stream);
    /// # Ok::<(), std::io::Error>(())
    /// ```
    #[track_caller]
    pub fn connect_addr(address: &SocketAddr) -> io::Result<UnixStream> {
        let wait = Wait::new(Reason::Connect);
        connect_as(&address::lower(address)?, wait)
    }

    /// Two sockets without names that are connected to each other. Does not wait.
    ///
    /// # Errors
    ///
    /// At the limit of descriptors, [`DescriptorsExhausted`](crate::DescriptorsExhausted).
    ///
    /// ```
    /// let (left, right) = trefoil_net::unix::UnixStream::pair()?;
    /// # drop((left, right));
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn pair() -> io::Result<(UnixStream, UnixStream)> {
        let (left, right) = std::os::unix::net::UnixStream::pair().map_err(exhausted::explain)?;
        Ok((UnixStream::from_std(left)?, UnixStream::from_std(right)?))
    }

    /// The address of this end. Does not wait.
    ///
    /// # Errors
    ///
    /// What `getsockname(2)` says.
    ///
    /// ```
    #[doc = include_str!("../../doc/unix_stream.txt")]
    /// assert!(socket.local_addr()?.is_unnamed());
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        address::raise(&self.handle.socket().local_addr()?)
    }

    /// The address of the other end. Does not wait.
    ///
    /// # Errors
    ///
    /// What `getpeername(2)` says.
    ///
    /// ```
    #[doc = include_str!("../../doc/unix_stream.txt")]
    /// assert!(socket.peer_addr()?.is_unnamed());
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn peer_addr(&self) -> io::Result<SocketAddr> {
        address::raise(&self.handle.socket().peer_addr()?)
    }

    pub(crate) fn peer(&self) -> io::Result<SocketAddr> {
        self.peer_addr()
    }
}

fn connect_as(address: &SockAddr, wait: Wait) -> io::Result<UnixStream> {
    let socket = socket::new(Domain::UNIX, Type::STREAM, None)?;
    room::insist(&wait.cancellable(), || socket.connect(address))?;
    let stream = UnixStream::from_nonblocking(socket.into());
    stream.handle.let_calls_wait(socket::waits())?;
    Ok(stream)
}
