//! Where connections are waited for.
#![forbid(unsafe_code)]

use std::io;
use std::iter::FusedIterator;
use std::os::unix::net::SocketAddr;
use std::path::Path;

use super::address;
use super::stream::UnixStream;
use crate::exhausted;
use crate::handle::Handle;

/// A Unix socket that accepts connections, as [`std::os::unix::net::UnixListener`].
///
/// A path that it is bound to stays when it is closed, as with `std`: who made it removes it.
///
/// ```
/// use std::io::{Read, Write};
/// use trefoil_net::unix::{UnixListener, UnixStream};
///
/// # let directory = std::env::temp_dir().join(format!("trefoil-listener-{}", std::process::id()));
/// # std::fs::create_dir(&directory)?;
/// # let path = directory.join("socket");
/// let listener = UnixListener::bind(&path)?;
/// let mut client = UnixStream::connect(&path)?;
/// let (mut server, _address) = listener.accept()?;
/// client.write_all(b"hello")?;
/// let mut heard = [0; 5];
/// server.read_exact(&mut heard)?;
/// assert_eq!(&heard, b"hello");
/// std::fs::remove_file(&path)?;
/// # std::fs::remove_dir(&directory)?;
/// # Ok::<(), std::io::Error>(())
/// ```
pub struct UnixListener {
    pub(crate) handle: Handle,
}

impl UnixListener {
    /// Listens at a path, which is made. Does not wait.
    ///
    /// # Errors
    ///
    /// `AddrInUse` if the path exists, `InvalidInput` if it is too long (107 bytes on Linux) or has
    /// a zero byte; else what the operating system says. At the limit of descriptors it is
    /// [`DescriptorsExhausted`](crate::DescriptorsExhausted).
    ///
    /// ```
    /// use std::io::ErrorKind;
    /// use trefoil_net::unix::UnixListener;
    ///
    /// let refused = UnixListener::bind("x".repeat(200)).unwrap_err();
    /// assert_eq!(refused.kind(), ErrorKind::InvalidInput);
    /// ```
    pub fn bind<P: AsRef<Path>>(path: P) -> io::Result<UnixListener> {
        UnixListener::bind_addr(&SocketAddr::from_pathname(path)?)
    }

    /// Listens at an address, which may be an abstract one. At an address without a name it gets
    /// an abstract one that is free. Does not wait.
    ///
    /// # Errors
    ///
    /// `AddrInUse`, and as [`bind`](UnixListener::bind).
    ///
    /// ```
    #[doc = include_str!("../../doc/unix_listener.txt")]
    /// use std::os::linux::net::SocketAddrExt;
    ///
    /// let address = socket.local_addr()?;
    /// assert!(address.as_abstract_name().is_some());
    /// let taken = UnixListener::bind_addr(&address).unwrap_err();
    /// assert_eq!(taken.kind(), std::io::ErrorKind::AddrInUse);
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn bind_addr(address: &SocketAddr) -> io::Result<UnixListener> {
        let listener = std::os::unix::net::UnixListener::bind_addr(address);
        Ok(UnixListener {
            handle: Handle::adopt(listener.map_err(exhausted::explain)?.into())?,
        })
    }

    /// Waits for a connection, and gives it with its peer's address, which mostly has no name.
    /// Parks the thread, in every model; a cancellation point.
    ///
    /// # Errors
    ///
    /// What `accept(2)` says. At the limit of descriptors it is
    /// [`DescriptorsExhausted`](crate::DescriptorsExhausted), after a pause of a millisecond: the
    /// connection stays in the queue. `WouldBlock` if the listener is
    /// [non-blocking](UnixListener::set_nonblocking).
    ///
    /// ```
    #[doc = include_str!("../../doc/unix_listener.txt")]
    /// use trefoil_net::unix::UnixStream;
    ///
    /// let client = UnixStream::connect_addr(&socket.local_addr()?)?;
    /// let (_server, address) = socket.accept()?;
    /// assert!(address.is_unnamed());
    /// # Ok::<(), std::io::Error>(())
    /// ```
    #[track_caller]
    pub fn accept(&self) -> io::Result<(UnixStream, SocketAddr)> {
        let (handle, address) = self.handle.accept_unless_ended()?;
        let stream = UnixStream { handle };
        Ok((stream, address::raise(&address)?))
    }

    /// The connections, one after the other, without an end; each is an
    /// [`accept`](UnixListener::accept).
    ///
    /// ```
    #[doc = include_str!("../../doc/unix_listener.txt")]
    /// use trefoil_net::unix::UnixStream;
    ///
    /// let _client = UnixStream::connect_addr(&socket.local_addr()?)?;
    /// for connection in socket.incoming() {
    ///     println!("{:?}", connection?);
    ///     # break;
    /// }
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn incoming(&self) -> Incoming<'_> {
        Incoming { listener: self }
    }

    /// The address at which it listens. Does not wait.
    ///
    /// # Errors
    ///
    /// What `getsockname(2)` says.
    ///
    /// ```
    #[doc = include_str!("../../doc/unix_listener.txt")]
    /// assert!(!socket.local_addr()?.is_unnamed());
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        address::raise(&self.handle.socket().local_addr()?)
    }

    /// The address of the other end: there is none.
    pub(crate) fn peer(&self) -> io::Result<SocketAddr> {
        Err(io::ErrorKind::NotConnected.into())
    }
}

impl<'a> IntoIterator for &'a UnixListener {
    type Item = io::Result<UnixStream>;
    type IntoIter = Incoming<'a>;

    fn into_iter(self) -> Incoming<'a> {
        self.incoming()
    }
}

/// The connections of a [`UnixListener`]; see [`incoming`](UnixListener::incoming). It never
/// ends: after an error it goes on with the next connection.
///
/// ```
#[doc = include_str!("../../doc/unix_listener.txt")]
/// use trefoil_net::unix::{Incoming, UnixStream};
///
/// let _client = UnixStream::connect_addr(&socket.local_addr()?)?;
/// let mut connections: Incoming<'_> = socket.incoming();
/// let connection = connections.next().expect("it never ends")?;
/// assert!(connection.peer_addr()?.is_unnamed());
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Debug)]
#[must_use = "it accepts nothing until it is iterated"]
pub struct Incoming<'a> {
    listener: &'a UnixListener,
}

impl Iterator for Incoming<'_> {
    type Item = io::Result<UnixStream>;

    #[track_caller]
    fn next(&mut self) -> Option<io::Result<UnixStream>> {
        Some(self.listener.accept().map(|(stream, _)| stream))
    }
}

impl FusedIterator for Incoming<'_> {}
