//! Where connections are waited for.
#![forbid(unsafe_code)]

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::os::fd::{AsFd as _, AsRawFd as _};
use std::sync::Arc;
use std::time::Duration;

use socket2::SockRef;
use trefoil_runtime::{Interest, Reason, Source, Wait, thread};

use super::incoming::Incoming;
use super::modes::Modes;
use super::stream::TcpStream;
use crate::address::{self, ToSocketAddrs};
use crate::exhausted::{self, DescriptorsExhausted};
use crate::socket;

/// How long `accept` pauses before it says that descriptors are exhausted.
const PAUSE: Duration = Duration::from_millis(1);

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
    pub(super) source: Source,
    pub(super) modes: Arc<Modes>,
}

impl TcpListener {
    /// Listens at an address: the first of `address` that can be had. Port 0 is any free one.
    /// As in `std`, an address can be had again at once after its last listener is gone
    /// (`SO_REUSEADDR`). Parks the thread if a name has to be looked up; no cancellation
    /// point.
    ///
    /// # Errors
    ///
    /// What the resolver and the operating system say: `AddrInUse`, `PermissionDenied`. At the
    /// limit of descriptors it is [`DescriptorsExhausted`](crate::DescriptorsExhausted).
    ///
    /// ```
    /// use trefoil_net::TcpListener;
    ///
    /// let listener = TcpListener::bind("127.0.0.1:0")?;
    /// assert_ne!(listener.local_addr()?.port(), 0);
    /// # Ok::<(), std::io::Error>(())
    /// ```
    #[track_caller]
    pub fn bind<A: ToSocketAddrs>(address: A) -> io::Result<TcpListener> {
        let addresses = address::all(&address)?;
        let listener = std::net::TcpListener::bind(&addresses[..]).map_err(exhausted::explain)?;
        TcpListener::from_std(listener)
    }

    /// Waits for a connection, and gives it with its peer's address. A cancellation point.
    ///
    /// # Errors
    ///
    /// What `accept(2)` says. As in `std`, that may be the fault of one connection
    /// (`ConnectionAborted`), and the next call is about the next one.
    ///
    /// At the limit of descriptors it is [`DescriptorsExhausted`](crate::DescriptorsExhausted),
    /// which says what to do, after a pause of a millisecond: the connection stays in the queue, so
    /// that the next call fails at once too, until other threads have closed something.
    ///
    /// `WouldBlock` if the listener is [non-blocking](TcpListener::set_nonblocking).
    ///
    /// ```
    /// use trefoil_net::{TcpListener, TcpStream};
    ///
    /// let listener = TcpListener::bind("127.0.0.1:0")?;
    /// let client = TcpStream::connect(listener.local_addr()?)?;
    /// let (_server, address) = listener.accept()?;
    /// assert_eq!(address, client.local_addr()?);
    /// # Ok::<(), std::io::Error>(())
    /// ```
    #[track_caller]
    pub fn accept(&self) -> io::Result<(TcpStream, SocketAddr)> {
        let wait = Wait::new(Reason::Accept);
        // Whether it was the last one in the queue is not told.
        let accepted = self.modes.io(
            &self.source,
            Interest::Read,
            wait,
            |_| false,
            socket::accept,
        );
        match accepted {
            Ok((fd, address)) => Ok((TcpStream::from_nonblocking(fd), address)),
            Err(refused) => {
                self.pause_if_exhausted(&refused);
                Err(refused)
            }
        }
    }

    /// A server that only tries again would keep the threads from running that could close
    /// connections: fibers of its OS thread.
    #[track_caller]
    fn pause_if_exhausted(&self, refused: &io::Error) {
        let exhausted = refused
            .get_ref()
            .is_some_and(<dyn std::error::Error + Send + Sync>::is::<DescriptorsExhausted>);
        if exhausted && !self.modes.is_nonblocking() {
            thread::sleep(PAUSE);
        }
    }

    /// The connections, one after the other, without an end; each is an
    /// [`accept`](TcpListener::accept).
    ///
    /// ```
    /// use trefoil_net::{TcpListener, TcpStream};
    ///
    /// let listener = TcpListener::bind("127.0.0.1:0")?;
    /// let _client = TcpStream::connect(listener.local_addr()?)?;
    /// for connection in listener.incoming() {
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
    /// let listener = trefoil_net::TcpListener::bind("127.0.0.1:0")?;
    /// assert!(listener.local_addr()?.ip().is_loopback());
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        socket::internet(self.socket().local_addr())
    }

    /// Another handle to the same socket, with a descriptor of its own: a connection goes to
    /// one of them. They share [`set_nonblocking`](TcpListener::set_nonblocking). Each can be
    /// watched by another worker, so that several can accept at the same time.
    ///
    /// # Errors
    ///
    /// At the limit of descriptors, [`DescriptorsExhausted`](crate::DescriptorsExhausted).
    ///
    /// ```
    /// let listener = trefoil_net::TcpListener::bind("127.0.0.1:0")?;
    /// let other = listener.try_clone()?;
    /// assert_eq!(other.local_addr()?, listener.local_addr()?);
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn try_clone(&self) -> io::Result<TcpListener> {
        Ok(TcpListener {
            source: Source::from_nonblocking(socket::duplicate(self.source.as_fd())?),
            modes: Arc::clone(&self.modes),
        })
    }

    /// Whether [`accept`](TcpListener::accept) fails with `WouldBlock` instead of waiting. A
    /// thread that waits already goes on waiting. The descriptor is non-blocking either way.
    ///
    /// # Errors
    ///
    /// None; `std`'s may have one.
    ///
    /// ```
    /// let listener = trefoil_net::TcpListener::bind("127.0.0.1:0")?;
    /// listener.set_nonblocking(true)?;
    /// assert_eq!(listener.accept().unwrap_err().kind(), std::io::ErrorKind::WouldBlock);
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
    /// let listener = trefoil_net::TcpListener::bind("127.0.0.1:0")?;
    /// listener.set_ttl(42)?;
    /// assert_eq!(listener.ttl()?, 42);
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn set_ttl(&self, ttl: u32) -> io::Result<()> {
        self.socket().set_ttl_v4(ttl)
    }

    /// How many routers packets may pass; see [`set_ttl`](TcpListener::set_ttl).
    ///
    /// # Errors
    ///
    /// What `getsockopt(2)` says.
    ///
    /// ```
    /// let listener = trefoil_net::TcpListener::bind("127.0.0.1:0")?;
    /// assert!(listener.ttl()? > 0);
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
    /// let listener = trefoil_net::TcpListener::bind("127.0.0.1:0")?;
    /// assert!(listener.take_error()?.is_none());
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn take_error(&self) -> io::Result<Option<io::Error>> {
        self.socket().take_error()
    }

    fn socket(&self) -> SockRef<'_> {
        SockRef::from(&self.source)
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
