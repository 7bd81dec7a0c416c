//! Where connections are waited for.

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd};
use std::sync::Arc;

use socket2::SockRef;
use trefoil_runtime::{Interest, Reason, Source, Wait};

use super::modes::Modes;
use super::stream::TcpStream;
use crate::address::{self, ToSocketAddrs};
use crate::socket;

/// A socket that accepts connections, as [`std::net::TcpListener`].
///
/// ```
/// use std::io::{Read, Write};
/// use trefoil_net::{TcpListener, TcpStream};
///
/// let listener = TcpListener::bind("127.0.0.1:0")?;
/// let mut client = TcpStream::connect(listener.local_addr()?)?;
/// let (mut server, _address) = listener.accept()?;
/// client.write_all(b"hello")?;
/// let mut heard = [0; 5];
/// server.read_exact(&mut heard)?;
/// assert_eq!(&heard, b"hello");
/// # Ok::<(), std::io::Error>(())
/// ```
pub struct TcpListener {
    source: Source,
    modes: Arc<Modes>,
}

impl TcpListener {
    /// Listens at an address: the first of `address` that can be had. Port 0 is any free one.
    /// Parks the thread if a name has to be looked up.
    ///
    /// # Errors
    ///
    /// What the resolver and the operating system say: `AddrInUse`, `PermissionDenied`.
    pub fn bind<A: ToSocketAddrs>(address: A) -> io::Result<TcpListener> {
        let addresses = address::all(&address)?;
        TcpListener::from_std(std::net::TcpListener::bind(&addresses[..])?)
    }

    /// Takes over a listener of `std`.
    ///
    /// # Errors
    ///
    /// If it cannot be made non-blocking.
    pub fn from_std(listener: std::net::TcpListener) -> io::Result<TcpListener> {
        TcpListener::from_fd(listener.into())
    }

    fn from_fd(fd: OwnedFd) -> io::Result<TcpListener> {
        Ok(TcpListener {
            source: Source::new(fd)?,
            modes: Arc::default(),
        })
    }

    /// Makes it a listener of `std`, whose calls block the OS thread.
    ///
    /// # Errors
    ///
    /// If it cannot be made blocking.
    pub fn into_std(self) -> io::Result<std::net::TcpListener> {
        let listener = std::net::TcpListener::from(self.source.into_fd());
        listener.set_nonblocking(self.modes.is_nonblocking())?;
        Ok(listener)
    }

    /// Waits for a connection, and gives it with its peer's address. A cancellation point.
    ///
    /// # Errors
    ///
    /// What `accept(2)` says. At the limit of descriptors it says what to do, and the
    /// connection stays in the queue; a server should pause before it tries again.
    #[track_caller]
    pub fn accept(&self) -> io::Result<(TcpStream, SocketAddr)> {
        let (fd, address) = self.modes.io(
            &self.source,
            Interest::Read,
            Wait::new(Reason::Accept),
            |_| false,
            socket::accept,
        )?;
        Ok((TcpStream::from_nonblocking(fd), address))
    }

    /// The connections, one after the other, without an end; each is an
    /// [`accept`](TcpListener::accept).
    pub fn incoming(&self) -> Incoming<'_> {
        Incoming { listener: self }
    }

    /// The address at which it listens.
    ///
    /// # Errors
    ///
    /// What `getsockname(2)` says.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        socket::internet(self.socket().local_addr())
    }

    /// Another handle to the same socket: a connection goes to one of them.
    ///
    /// # Errors
    ///
    /// At the limit of descriptors.
    pub fn try_clone(&self) -> io::Result<TcpListener> {
        Ok(TcpListener {
            source: Source::from_nonblocking(self.source.as_fd().try_clone_to_owned()?),
            modes: Arc::clone(&self.modes),
        })
    }

    /// Whether [`accept`](TcpListener::accept) fails with `WouldBlock` instead of waiting.
    ///
    /// # Errors
    ///
    /// None; `std`'s may have one.
    pub fn set_nonblocking(&self, nonblocking: bool) -> io::Result<()> {
        self.modes.set_nonblocking(nonblocking);
        Ok(())
    }

    /// Sets how many routers packets may pass.
    ///
    /// # Errors
    ///
    /// What `setsockopt(2)` says.
    pub fn set_ttl(&self, ttl: u32) -> io::Result<()> {
        self.socket().set_ttl_v4(ttl)
    }

    /// How many routers packets may pass.
    ///
    /// # Errors
    ///
    /// What `getsockopt(2)` says.
    pub fn ttl(&self) -> io::Result<u32> {
        self.socket().ttl_v4()
    }

    /// Takes the socket's pending error.
    ///
    /// # Errors
    ///
    /// What `getsockopt(2)` says.
    pub fn take_error(&self) -> io::Result<Option<io::Error>> {
        self.socket().take_error()
    }

    fn socket(&self) -> SockRef<'_> {
        SockRef::from(&self.source)
    }
}

/// The connections of a [`TcpListener`]; see [`incoming`](TcpListener::incoming).
#[derive(Debug)]
#[must_use = "it accepts nothing until it is iterated"]
pub struct Incoming<'a> {
    listener: &'a TcpListener,
}

impl Iterator for Incoming<'_> {
    type Item = io::Result<TcpStream>;

    #[track_caller]
    fn next(&mut self) -> Option<io::Result<TcpStream>> {
        Some(self.listener.accept().map(|(stream, _)| stream))
    }
}

impl std::iter::FusedIterator for Incoming<'_> {}

impl AsFd for TcpListener {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.source.as_fd()
    }
}

impl AsRawFd for TcpListener {
    fn as_raw_fd(&self) -> RawFd {
        self.source.fd()
    }
}

impl From<TcpListener> for OwnedFd {
    /// The descriptor, which stays non-blocking.
    fn from(listener: TcpListener) -> OwnedFd {
        listener.source.into_fd()
    }
}

impl fmt::Debug for TcpListener {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut text = f.debug_struct("TcpListener");
        if let Ok(address) = self.local_addr() {
            text.field("addr", &address);
        }
        text.field("fd", &self.as_raw_fd()).finish()
    }
}
