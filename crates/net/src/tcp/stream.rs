//! One end of a connection.
#![forbid(unsafe_code)]

use std::io;
use std::net::SocketAddr;
use std::os::fd::OwnedFd;
use std::time::Duration;

use socket2::SockRef;

use crate::handle::Handle;
use crate::socket;

/// One end of a TCP connection, as [`std::net::TcpStream`].
///
/// Reading and writing park the calling thread while there is nothing to read or no room to
/// write, in every model, and are cancellation points. Two threads may use it at the same time:
/// `Read` and `Write` are there for `&TcpStream` too.
///
/// A peer that has gone makes a write fail with `BrokenPipe`; no signal is raised.
///
/// Options that are not here are set by `socket2::SockRef::from(&stream)`, and a socket that
/// was made by `socket2` is taken over by `TcpStream::try_from(OwnedFd::from(socket))`, or connected by
/// [`connect_socket`](TcpStream::connect_socket).
///
/// ```
/// use std::io::{Read, Write};
/// use std::time::Duration;
/// use trefoil_net::{TcpListener, TcpStream};
///
/// let listener = TcpListener::bind("127.0.0.1:0")?;
/// let mut stream = TcpStream::connect(listener.local_addr()?)?;
/// stream.set_read_timeout(Some(Duration::from_secs(5)))?;
/// stream.write_all(b"hello\n")?;
///
/// let (mut peer, _) = listener.accept()?;
/// let mut greeting = [0; 6];
/// peer.read_exact(&mut greeting)?;
/// peer.write_all(b"good day\n")?;
///
/// let mut answer = [0; 9];
/// stream.read_exact(&mut answer)?;
/// assert_eq!(&answer, b"good day\n");
/// # Ok::<(), std::io::Error>(())
/// ```
pub struct TcpStream {
    pub(crate) handle: Handle,
}

impl TcpStream {
    pub(super) fn from_nonblocking(fd: OwnedFd) -> TcpStream {
        TcpStream {
            handle: Handle::from_nonblocking(fd),
        }
    }

    /// The address of the other end. Does not wait.
    ///
    /// # Errors
    ///
    /// `NotConnected` when the connection is over.
    ///
    /// ```
    #[doc = include_str!("../../doc/pair.txt")]
    /// assert_eq!(left.peer_addr()?, right.local_addr()?);
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn peer_addr(&self) -> io::Result<SocketAddr> {
        socket::internet(&self.handle.socket().peer_addr()?)
    }

    /// Whether small writes are sent at once, and not collected for a while.
    ///
    /// # Errors
    ///
    /// What `setsockopt(2)` says.
    ///
    /// ```
    #[doc = include_str!("../../doc/pair.txt")]
    /// left.set_nodelay(true)?;
    /// assert!(left.nodelay()?);
    /// # drop(right);
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn set_nodelay(&self, nodelay: bool) -> io::Result<()> {
        self.socket().set_tcp_nodelay(nodelay)
    }

    /// Whether small writes are sent at once; see [`set_nodelay`](TcpStream::set_nodelay).
    ///
    /// # Errors
    ///
    /// What `getsockopt(2)` says.
    ///
    /// ```
    #[doc = include_str!("../../doc/pair.txt")]
    /// assert!(!left.nodelay()?);
    /// # drop(right);
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn nodelay(&self) -> io::Result<bool> {
        self.socket().tcp_nodelay()
    }

    /// What closing the stream does with what was written and has not been sent yet. `None`, as
    /// at first: it is sent in the background. 0: it is thrown away, and the peer gets a reset.
    /// More: the operating system goes on sending for so long, in whole seconds, and closing the
    /// last handle blocks meanwhile: on green and hybrid the whole OS thread. There, end the
    /// connection by [`shutdown`](TcpStream::shutdown) and read to its end instead, or drop the
    /// stream in [`thread::blocking`](trefoil_runtime::thread::blocking). Setting it does not wait.
    ///
    /// # Errors
    ///
    /// What `setsockopt(2)` says.
    ///
    /// ```
    /// use std::io::{ErrorKind, Read};
    /// use std::time::Duration;
    ///
    #[doc = include_str!("../../doc/pair.txt")]
    /// left.set_linger(Some(Duration::ZERO))?;
    /// drop(left);
    /// let refused = (&right).read(&mut [0; 8]).unwrap_err();
    /// assert_eq!(refused.kind(), ErrorKind::ConnectionReset);
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn set_linger(&self, linger: Option<Duration>) -> io::Result<()> {
        self.handle.socket().set_linger(linger)
    }

    /// How long closing the stream goes on sending; see [`set_linger`](TcpStream::set_linger).
    ///
    /// # Errors
    ///
    /// What `getsockopt(2)` says.
    ///
    /// ```
    #[doc = include_str!("../../doc/pair.txt")]
    /// assert_eq!(left.linger()?, None);
    /// # drop(right);
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn linger(&self) -> io::Result<Option<Duration>> {
        self.handle.socket().linger()
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
    ///
    #[doc = include_str!("../../doc/pair.txt")]
    /// (&left).write_all(b"x")?;
    /// let mut byte = [0];
    /// assert_eq!(right.peek(&mut byte)?, 1);
    /// assert_eq!((&right).read(&mut byte)?, 1);
    /// assert_eq!(&byte, b"x");
    /// # Ok::<(), std::io::Error>(())
    /// ```
    #[track_caller]
    pub fn peek(&self, buffer: &mut [u8]) -> io::Result<usize> {
        self.handle.peek(buffer)
    }

    fn socket(&self) -> SockRef<'_> {
        self.handle.socket()
    }
}
