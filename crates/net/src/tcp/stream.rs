//! One end of a connection.
#![forbid(unsafe_code)]

use std::fmt;
use std::io;
use std::net::{Shutdown, SocketAddr};
use std::os::fd::{AsFd as _, AsRawFd as _, OwnedFd};
use std::sync::Arc;
use std::time::Duration;

use socket2::SockRef;
use trefoil_runtime::{Interest, Source};

use super::modes::Modes;
use crate::socket;

/// One end of a TCP connection, as [`std::net::TcpStream`].
///
/// Reading and writing park the calling thread while there is nothing to read or no room to
/// write, in every model, and are cancellation points. Two threads may use it at the same time:
/// `Read` and `Write` are there for `&TcpStream` too.
///
/// A peer that has gone makes a write fail with `BrokenPipe`; no signal is raised.
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
    pub(super) source: Source,
    pub(super) modes: Arc<Modes>,
}

impl TcpStream {
    pub(super) fn from_nonblocking(fd: OwnedFd) -> TcpStream {
        TcpStream {
            source: Source::from_nonblocking(fd),
            modes: Arc::default(),
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
        socket::internet(self.socket().peer_addr())
    }

    /// The address of this end. Does not wait.
    ///
    /// # Errors
    ///
    /// What `getsockname(2)` says.
    ///
    /// ```
    #[doc = include_str!("../../doc/pair.txt")]
    /// assert_eq!(left.local_addr()?, right.peer_addr()?);
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        socket::internet(self.socket().local_addr())
    }

    /// Ends the connection in one direction or both. Threads that wait for a direction that
    /// was ended go on, through whichever handle they wait. Does not wait.
    ///
    /// # Errors
    ///
    /// `NotConnected` when the connection is over.
    ///
    /// ```
    #[doc = include_str!("../../doc/pair.txt")]
    /// use std::io::Read;
    /// use trefoil_net::Shutdown;
    ///
    /// left.shutdown(Shutdown::Write)?;
    /// assert_eq!((&right).read(&mut [0; 8])?, 0); // the end
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn shutdown(&self, how: Shutdown) -> io::Result<()> {
        self.socket().shutdown(how)
    }

    /// Another handle to the same socket, with a descriptor of its own, which may be watched
    /// by another worker. They share the timeouts and
    /// [`set_nonblocking`](TcpStream::set_nonblocking); the connection ends with the last one.
    ///
    /// # Errors
    ///
    /// At the limit of descriptors, [`DescriptorsExhausted`](crate::DescriptorsExhausted).
    ///
    /// ```
    #[doc = include_str!("../../doc/pair.txt")]
    /// let clone = left.try_clone()?;
    /// assert_eq!(clone.local_addr()?, left.local_addr()?);
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn try_clone(&self) -> io::Result<TcpStream> {
        Ok(TcpStream {
            source: Source::from_nonblocking(socket::duplicate(self.source.as_fd())?),
            modes: Arc::clone(&self.modes),
        })
    }

    /// How long a read waits before it fails with `WouldBlock`. `None`: without a limit. A
    /// read that waits already keeps its limit.
    ///
    /// # Errors
    ///
    /// `InvalidInput` if it is 0.
    ///
    /// ```
    /// use std::io::{ErrorKind, Read};
    /// use std::time::Duration;
    ///
    #[doc = include_str!("../../doc/pair.txt")]
    /// left.set_read_timeout(Some(Duration::from_millis(5)))?;
    /// let refused = (&left).read(&mut [0; 8]).unwrap_err();
    /// assert_eq!(refused.kind(), ErrorKind::WouldBlock);
    /// # drop(right);
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn set_read_timeout(&self, timeout: Option<Duration>) -> io::Result<()> {
        self.modes.set_timeout(Interest::Read, timeout)
    }

    /// How long a write waits before it fails with `WouldBlock`. `None`: without a limit. A
    /// write that waits already keeps its limit.
    ///
    /// # Errors
    ///
    /// `InvalidInput` if it is 0.
    ///
    /// ```
    /// use std::io::{ErrorKind, Write};
    /// use std::time::Duration;
    ///
    #[doc = include_str!("../../doc/pair.txt")]
    /// left.set_write_timeout(Some(Duration::from_millis(5)))?;
    /// // Nobody reads: at some point there is no room.
    /// let refused = loop {
    ///     if let Err(refused) = (&left).write(&[0; 65536]) {
    ///         break refused;
    ///     }
    /// };
    /// assert_eq!(refused.kind(), ErrorKind::WouldBlock);
    /// # drop(right);
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn set_write_timeout(&self, timeout: Option<Duration>) -> io::Result<()> {
        self.modes.set_timeout(Interest::Write, timeout)
    }

    /// How long a read waits.
    ///
    /// # Errors
    ///
    /// None; `std`'s may have one.
    ///
    /// ```
    #[doc = include_str!("../../doc/pair.txt")]
    /// assert_eq!(left.read_timeout()?, None);
    /// # drop(right);
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn read_timeout(&self) -> io::Result<Option<Duration>> {
        Ok(self.modes.timeout(Interest::Read))
    }

    /// How long a write waits.
    ///
    /// # Errors
    ///
    /// None; `std`'s may have one.
    ///
    /// ```
    #[doc = include_str!("../../doc/pair.txt")]
    /// assert_eq!(left.write_timeout()?, None);
    /// # drop(right);
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn write_timeout(&self) -> io::Result<Option<Duration>> {
        Ok(self.modes.timeout(Interest::Write))
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

    /// Whether reads and writes fail with `WouldBlock` instead of waiting. A thread that waits
    /// already goes on waiting. The descriptor is non-blocking either way.
    ///
    /// # Errors
    ///
    /// None; `std`'s may have one.
    ///
    /// ```
    /// use std::io::{ErrorKind, Read};
    ///
    #[doc = include_str!("../../doc/pair.txt")]
    /// left.set_nonblocking(true)?;
    /// let refused = (&left).read(&mut [0; 8]).unwrap_err();
    /// assert_eq!(refused.kind(), ErrorKind::WouldBlock);
    /// # drop(right);
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn set_nonblocking(&self, nonblocking: bool) -> io::Result<()> {
        self.modes.set_nonblocking(nonblocking);
        Ok(())
    }

    /// Sets how many routers packets may pass.
    ///
    /// # Errors
    ///
    /// What `setsockopt(2)` says.
    ///
    /// ```
    #[doc = include_str!("../../doc/pair.txt")]
    /// left.set_ttl(42)?;
    /// assert_eq!(left.ttl()?, 42);
    /// # drop(right);
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn set_ttl(&self, ttl: u32) -> io::Result<()> {
        self.socket().set_ttl_v4(ttl)
    }

    /// How many routers packets may pass; see [`set_ttl`](TcpStream::set_ttl).
    ///
    /// # Errors
    ///
    /// What `getsockopt(2)` says.
    ///
    /// ```
    #[doc = include_str!("../../doc/pair.txt")]
    /// assert!(left.ttl()? > 0);
    /// # drop(right);
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn ttl(&self) -> io::Result<u32> {
        self.socket().ttl_v4()
    }

    /// Takes the socket's pending error.
    ///
    /// # Errors
    ///
    /// What `getsockopt(2)` says.
    ///
    /// ```
    #[doc = include_str!("../../doc/pair.txt")]
    /// assert!(left.take_error()?.is_none());
    /// # drop(right);
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn take_error(&self) -> io::Result<Option<io::Error>> {
        self.socket().take_error()
    }

    fn socket(&self) -> SockRef<'_> {
        SockRef::from(&self.source)
    }
}

impl fmt::Debug for TcpStream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut text = f.debug_struct("TcpStream");
        if let Ok(address) = self.local_addr() {
            text.field("addr", &address);
        }
        if let Ok(peer) = self.peer_addr() {
            text.field("peer", &peer);
        }
        text.field("fd", &self.as_raw_fd()).finish()
    }
}
