//! One end of a connection.

use std::fmt;
use std::io::{self, IoSlice, IoSliceMut, Read, Write};
use std::net::{Shutdown, SocketAddr};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd};
use std::sync::Arc;
use std::time::{Duration, Instant};

use socket2::SockRef;
use trefoil_runtime::{Interest, Reason, Source, Wait, thread};

use super::modes::{Modes, zero};
use crate::address::{self, ToSocketAddrs};
use crate::socket;

/// One end of a TCP connection, as [`std::net::TcpStream`].
///
/// Reading and writing park the calling thread while there is nothing to read or no room to
/// write, in every model, and are cancellation points. Two threads may use it at the same time:
/// `Read` and `Write` are there for `&TcpStream` too.
///
/// ```no_run
/// use std::io::Write;
/// use std::time::Duration;
/// use trefoil_net::TcpStream;
///
/// let mut stream = TcpStream::connect("example.org:80")?;
/// stream.set_read_timeout(Some(Duration::from_secs(5)))?;
/// stream.write_all(b"GET / HTTP/1.0\r\n\r\n")?;
/// # Ok::<(), std::io::Error>(())
/// ```
pub struct TcpStream {
    source: Source,
    modes: Arc<Modes>,
}

impl TcpStream {
    pub(super) fn from_nonblocking(fd: OwnedFd) -> TcpStream {
        TcpStream {
            source: Source::from_nonblocking(fd),
            modes: Arc::default(),
        }
    }

    /// Connects to the first of `address` that answers. Parks the thread meanwhile, also if a
    /// name has to be looked up. A cancellation point.
    ///
    /// # Errors
    ///
    /// What the last attempt said: `ConnectionRefused`, `TimedOut`, and so on.
    #[track_caller]
    pub fn connect<A: ToSocketAddrs>(address: A) -> io::Result<TcpStream> {
        let wait = Wait::new(Reason::Connect);
        let mut last = None;
        for address in address::all(&address)? {
            match TcpStream::connect_as(address, wait) {
                Ok(stream) => return Ok(stream),
                Err(refused) => last = Some(refused),
            }
        }
        Err(last.expect("there was an address to try"))
    }

    /// Connects to one address, or gives up after `timeout`. A cancellation point.
    ///
    /// # Errors
    ///
    /// `TimedOut` when the time is over; `InvalidInput` if it is 0; else as
    /// [`connect`](TcpStream::connect).
    #[track_caller]
    pub fn connect_timeout(address: &SocketAddr, timeout: Duration) -> io::Result<TcpStream> {
        if timeout.is_zero() {
            return Err(zero());
        }
        let until = thread::deadline_after(timeout);
        TcpStream::connect_as(*address, Wait::new(Reason::Connect).until(until))
    }

    fn connect_as(address: SocketAddr, wait: Wait) -> io::Result<TcpStream> {
        let stream = TcpStream::from_nonblocking(socket::connect(address)?);
        let wait = wait.cancellable();
        match stream
            .source
            .io(Interest::Write, &wait, |()| false, socket::connected)
        {
            Ok(()) => Ok(stream),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Err(timed_out(&wait)),
            Err(error) => Err(error),
        }
    }

    /// Takes over a stream of `std`, with its timeouts.
    ///
    /// # Errors
    ///
    /// If it cannot be made non-blocking.
    pub fn from_std(stream: std::net::TcpStream) -> io::Result<TcpStream> {
        let (read, write) = (stream.read_timeout()?, stream.write_timeout()?);
        let stream = TcpStream {
            source: Source::new(stream.into())?,
            modes: Arc::default(),
        };
        stream.set_read_timeout(read)?;
        stream.set_write_timeout(write)?;
        Ok(stream)
    }

    /// Makes it a stream of `std`, with its timeouts; its calls block the OS thread.
    ///
    /// # Errors
    ///
    /// If it cannot be made blocking.
    pub fn into_std(self) -> io::Result<std::net::TcpStream> {
        let modes = self.modes;
        let stream = std::net::TcpStream::from(self.source.into_fd());
        stream.set_nonblocking(modes.is_nonblocking())?;
        stream.set_read_timeout(modes.timeout(Interest::Read))?;
        stream.set_write_timeout(modes.timeout(Interest::Write))?;
        Ok(stream)
    }

    /// The address of the other end.
    ///
    /// # Errors
    ///
    /// `NotConnected` when the connection is over.
    pub fn peer_addr(&self) -> io::Result<SocketAddr> {
        socket::internet(self.socket().peer_addr())
    }

    /// The address of this end.
    ///
    /// # Errors
    ///
    /// What `getsockname(2)` says.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        socket::internet(self.socket().local_addr())
    }

    /// Ends the connection in one direction or both. Threads that wait on this socket, through
    /// whichever handle, go on.
    ///
    /// # Errors
    ///
    /// `NotConnected` when the connection is over.
    pub fn shutdown(&self, how: Shutdown) -> io::Result<()> {
        self.socket().shutdown(how)
    }

    /// Another handle to the same socket. They share the timeouts and
    /// [`set_nonblocking`](TcpStream::set_nonblocking); the connection ends with the last one.
    ///
    /// # Errors
    ///
    /// At the limit of descriptors.
    pub fn try_clone(&self) -> io::Result<TcpStream> {
        Ok(TcpStream {
            source: Source::from_nonblocking(self.source.as_fd().try_clone_to_owned()?),
            modes: Arc::clone(&self.modes),
        })
    }

    /// How long a read waits before it fails with `WouldBlock`. `None`: without a limit.
    ///
    /// # Errors
    ///
    /// `InvalidInput` if it is 0.
    pub fn set_read_timeout(&self, timeout: Option<Duration>) -> io::Result<()> {
        self.modes.set_timeout(Interest::Read, timeout)
    }

    /// How long a write waits before it fails with `WouldBlock`. `None`: without a limit.
    ///
    /// # Errors
    ///
    /// `InvalidInput` if it is 0.
    pub fn set_write_timeout(&self, timeout: Option<Duration>) -> io::Result<()> {
        self.modes.set_timeout(Interest::Write, timeout)
    }

    /// How long a read waits.
    ///
    /// # Errors
    ///
    /// None; `std`'s may have one.
    pub fn read_timeout(&self) -> io::Result<Option<Duration>> {
        Ok(self.modes.timeout(Interest::Read))
    }

    /// How long a write waits.
    ///
    /// # Errors
    ///
    /// None; `std`'s may have one.
    pub fn write_timeout(&self) -> io::Result<Option<Duration>> {
        Ok(self.modes.timeout(Interest::Write))
    }

    /// Reads without taking what it reads; else as `read`.
    ///
    /// # Errors
    ///
    /// As `read`.
    #[track_caller]
    pub fn peek(&self, buffer: &mut [u8]) -> io::Result<usize> {
        let wait = Wait::new(Reason::Read);
        self.modes.io(
            &self.source,
            Interest::Read,
            wait,
            |_| false,
            |fd| socket::peek(fd, buffer),
        )
    }

    /// Whether small writes are sent at once, and not collected for a while.
    ///
    /// # Errors
    ///
    /// What `setsockopt(2)` says.
    pub fn set_nodelay(&self, nodelay: bool) -> io::Result<()> {
        self.socket().set_tcp_nodelay(nodelay)
    }

    /// Whether small writes are sent at once.
    ///
    /// # Errors
    ///
    /// What `getsockopt(2)` says.
    pub fn nodelay(&self) -> io::Result<bool> {
        self.socket().tcp_nodelay()
    }

    /// Whether reads and writes fail with `WouldBlock` instead of waiting.
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

/// The time of an attempt to connect is over: ours, if it had one, or the kernel's.
fn timed_out(wait: &Wait) -> io::Error {
    debug_assert!(wait.deadline().is_none_or(|until| until <= Instant::now()));
    io::Error::new(
        io::ErrorKind::TimedOut,
        "nobody has answered in the time that was given to connect",
    )
}

impl Read for &TcpStream {
    #[track_caller]
    #[inline]
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let (wait, room) = (Wait::new(Reason::Read), buffer.len());
        // A read that does not fill its buffer has taken all there was; 0 is the end, which
        // does not go away.
        let short = |&taken: &usize| taken != 0 && taken < room;
        self.modes
            .io(&self.source, Interest::Read, wait, short, |fd| {
                socket::read(fd, buffer)
            })
    }

    #[track_caller]
    fn read_vectored(&mut self, buffers: &mut [IoSliceMut<'_>]) -> io::Result<usize> {
        let wait = Wait::new(Reason::Read);
        self.modes.io(
            &self.source,
            Interest::Read,
            wait,
            |_| false,
            |fd| socket::read_vectored(fd, buffers),
        )
    }
}

impl Write for &TcpStream {
    #[track_caller]
    #[inline]
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let (wait, wanted) = (Wait::new(Reason::Write), bytes.len());
        let short = |&taken: &usize| taken < wanted;
        self.modes
            .io(&self.source, Interest::Write, wait, short, |fd| {
                socket::write(fd, bytes)
            })
    }

    #[track_caller]
    fn write_vectored(&mut self, bytes: &[IoSlice<'_>]) -> io::Result<usize> {
        let wait = Wait::new(Reason::Write);
        self.modes.io(
            &self.source,
            Interest::Write,
            wait,
            |_| false,
            |fd| socket::write_vectored(fd, bytes),
        )
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Read for TcpStream {
    #[track_caller]
    #[inline]
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        (&*self).read(buffer)
    }

    #[track_caller]
    fn read_vectored(&mut self, buffers: &mut [IoSliceMut<'_>]) -> io::Result<usize> {
        (&*self).read_vectored(buffers)
    }
}

impl Write for TcpStream {
    #[track_caller]
    #[inline]
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        (&*self).write(bytes)
    }

    #[track_caller]
    fn write_vectored(&mut self, bytes: &[IoSlice<'_>]) -> io::Result<usize> {
        (&*self).write_vectored(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl AsFd for TcpStream {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.source.as_fd()
    }
}

impl AsRawFd for TcpStream {
    fn as_raw_fd(&self) -> RawFd {
        self.source.fd()
    }
}

impl From<TcpStream> for OwnedFd {
    /// The descriptor, which stays non-blocking.
    fn from(stream: TcpStream) -> OwnedFd {
        stream.source.into_fd()
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
