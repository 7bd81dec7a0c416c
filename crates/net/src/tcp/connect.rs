//! How a connection is begun, and when one gives up.
#![forbid(unsafe_code)]

use std::io;
use std::net::SocketAddr;
use std::os::fd::OwnedFd;
use std::time::Duration;

use socket2::Type;
use trefoil_runtime::{Interest, Reason, Wait, thread};

use super::stream::TcpStream;
use crate::address::{self, ToSocketAddrs};
use crate::modes::zero;
use crate::socket;

impl TcpStream {
    /// Connects to the first of `address` that answers, and parks the thread meanwhile, also
    /// if a name has to be looked up. A cancellation point while it waits for an answer: the
    /// attempt is given up then.
    ///
    /// # Errors
    ///
    /// What the last attempt said: `ConnectionRefused`, `TimedOut` (the operating system's
    /// limit is about two minutes), and so on. At the limit of descriptors it is
    /// [`DescriptorsExhausted`](crate::DescriptorsExhausted).
    ///
    /// ```
    /// use trefoil_net::{TcpListener, TcpStream};
    ///
    /// let listener = TcpListener::bind("127.0.0.1:0")?;
    /// let stream = TcpStream::connect(listener.local_addr()?)?;
    /// assert_eq!(stream.peer_addr()?, listener.local_addr()?);
    /// # Ok::<(), std::io::Error>(())
    /// ```
    #[track_caller]
    pub fn connect<A: ToSocketAddrs>(address: A) -> io::Result<TcpStream> {
        let wait = Wait::new(Reason::Connect);
        let mut last = None;
        for address in address::all(&address)? {
            match connect_as(address, wait) {
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
    ///
    /// ```
    /// use std::io::ErrorKind;
    /// use std::time::Duration;
    /// use trefoil_net::{TcpListener, TcpStream};
    ///
    /// let listener = TcpListener::bind("127.0.0.1:0")?;
    /// let address = listener.local_addr()?;
    /// assert!(TcpStream::connect_timeout(&address, Duration::from_secs(5)).is_ok());
    ///
    /// let refused = TcpStream::connect_timeout(&address, Duration::ZERO).unwrap_err();
    /// assert_eq!(refused.kind(), ErrorKind::InvalidInput);
    /// # Ok::<(), std::io::Error>(())
    /// ```
    #[track_caller]
    pub fn connect_timeout(address: &SocketAddr, timeout: Duration) -> io::Result<TcpStream> {
        let wait = Wait::new(Reason::Connect);
        if timeout.is_zero() {
            return Err(zero());
        }
        connect_as(*address, wait.until(thread::deadline_after(timeout)))
    }

    /// Connects a socket that is connected to nobody, with whatever has to be set before: an address to
    /// come from, a size of its buffers, a device. It is made and set by `socket2`. Parks the thread, and is a
    /// cancellation point, which closes the socket.
    ///
    /// # Errors
    ///
    /// `InvalidInput` if it is no socket of a stream; an error if it is one that is connected or listens; else as
    /// [`connect`](TcpStream::connect). [`time::timeout`](trefoil_runtime::time::timeout) limits how long it
    /// takes.
    ///
    /// ```
    /// use socket2::{Domain, Socket, Type};
    /// use trefoil_net::{TcpListener, TcpStream};
    ///
    /// let listener = TcpListener::bind("127.0.0.1:0")?;
    /// let socket = Socket::new(Domain::IPV4, Type::STREAM, None)?;
    /// let from: std::net::SocketAddr = "127.0.0.2:0".parse().unwrap();
    /// socket.bind(&from.into())?;
    /// let stream = TcpStream::connect_socket(socket, listener.local_addr()?)?;
    /// assert_eq!(stream.local_addr()?.ip(), from.ip());
    /// # Ok::<(), std::io::Error>(())
    /// ```
    #[track_caller]
    pub fn connect_socket(
        socket: impl Into<OwnedFd>,
        address: SocketAddr,
    ) -> io::Result<TcpStream> {
        let wait = Wait::new(Reason::Connect);
        let socket = socket2::Socket::from(socket.into());
        if socket.r#type()? != Type::STREAM {
            let why = "a TCP stream is made of a socket of the type `STREAM`";
            return Err(io::Error::new(io::ErrorKind::InvalidInput, why));
        }
        // Before it connects: no call is to wait in the kernel.
        socket.set_nonblocking(true)?;
        connected_as(socket::begin(socket, address)?, wait)
    }
}

fn connect_as(address: SocketAddr, wait: Wait) -> io::Result<TcpStream> {
    connected_as(socket::connect(address)?, wait)
}

fn connected_as(socket: OwnedFd, wait: Wait) -> io::Result<TcpStream> {
    let stream = TcpStream::from_nonblocking(socket);
    let wait = wait.cancellable();
    let attempt = stream
        .handle
        .source
        .io(Interest::Write, &wait, |()| false, socket::connected);
    match attempt {
        Ok(()) => {
            stream.handle.let_calls_wait(socket::waits())?;
            Ok(stream)
        }
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => Err(timed_out()),
        Err(error) => Err(error),
    }
}

fn timed_out() -> io::Error {
    io::Error::new(
        io::ErrorKind::TimedOut,
        "nobody has answered in the time that was given to connect",
    )
}
