//! Whole messages between the processes of one machine. None is lost.
#![forbid(unsafe_code)]

use std::io;
use std::os::unix::net::SocketAddr;
use std::path::Path;

use socket2::SockAddr;
use trefoil_runtime::{Interest, Reason, Wait};

use super::{address, room};
use crate::exhausted;
use crate::handle::Handle;
use crate::socket;

/// A Unix socket for messages, as [`std::os::unix::net::UnixDatagram`].
///
/// Receiving parks the calling thread until a message comes, and sending until the receiver has
/// room, in every model; both are cancellation points. Threads of all models may use it at the
/// same time; each message goes to one of them. A message that does not fit the buffer of who
/// receives it is cut off.
///
/// ```
/// use trefoil_net::unix::UnixDatagram;
///
/// let (left, right) = UnixDatagram::pair()?;
/// left.send(b"hello")?;
/// let mut message = [0; 64];
/// assert_eq!(right.recv(&mut message)?, 5);
/// # Ok::<(), std::io::Error>(())
/// ```
pub struct UnixDatagram {
    pub(crate) handle: Handle,
}

impl UnixDatagram {
    fn adopt(socket: io::Result<std::os::unix::net::UnixDatagram>) -> io::Result<UnixDatagram> {
        Ok(UnixDatagram {
            handle: Handle::adopt(socket.map_err(exhausted::explain)?.into())?,
        })
    }

    /// A socket at a path, which is made, and stays when the socket is closed. Does not wait.
    ///
    /// # Errors
    ///
    /// `AddrInUse` if the path exists, `InvalidInput` if it is too long (107 bytes on Linux) or has
    /// a zero byte. At the limit of descriptors it is
    /// [`DescriptorsExhausted`](crate::DescriptorsExhausted).
    ///
    /// ```
    /// use std::io::ErrorKind;
    /// use trefoil_net::unix::UnixDatagram;
    ///
    /// let refused = UnixDatagram::bind("x".repeat(200)).unwrap_err();
    /// assert_eq!(refused.kind(), ErrorKind::InvalidInput);
    /// ```
    pub fn bind<P: AsRef<Path>>(path: P) -> io::Result<UnixDatagram> {
        UnixDatagram::adopt(std::os::unix::net::UnixDatagram::bind(path))
    }

    /// A socket at an address, which may be an abstract one. At an address without a name it
    /// gets an abstract one that is free. Does not wait.
    ///
    /// # Errors
    ///
    /// `AddrInUse`, and as [`bind`](UnixDatagram::bind).
    ///
    #[doc = include_str!("../../doc/unix_mailbox.md")]
    /// assert!(!mailbox.local_addr()?.is_unnamed());
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn bind_addr(address: &SocketAddr) -> io::Result<UnixDatagram> {
        UnixDatagram::adopt(std::os::unix::net::UnixDatagram::bind_addr(address))
    }

    /// A socket without an address: it sends, and nobody can answer. Does not wait.
    ///
    /// # Errors
    ///
    /// At the limit of descriptors, [`DescriptorsExhausted`](crate::DescriptorsExhausted).
    ///
    /// ```
    /// let socket = trefoil_net::unix::UnixDatagram::unbound()?;
    /// assert!(socket.local_addr()?.is_unnamed());
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn unbound() -> io::Result<UnixDatagram> {
        UnixDatagram::adopt(std::os::unix::net::UnixDatagram::unbound())
    }

    /// Two sockets without names that are connected to each other. Does not wait.
    ///
    /// # Errors
    ///
    /// At the limit of descriptors, [`DescriptorsExhausted`](crate::DescriptorsExhausted).
    ///
    /// ```
    /// let (left, right) = trefoil_net::unix::UnixDatagram::pair()?;
    /// # drop((left, right));
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn pair() -> io::Result<(UnixDatagram, UnixDatagram)> {
        let (left, right) = std::os::unix::net::UnixDatagram::pair().map_err(exhausted::explain)?;
        Ok((
            UnixDatagram::from_std(left)?,
            UnixDatagram::from_std(right)?,
        ))
    }

    /// From now on the socket sends to this path, and receives from there only. Does not wait.
    ///
    /// # Errors
    ///
    /// `NotFound`, `ConnectionRefused` if nobody has the path any more, `PermissionDenied` if who
    /// has it is connected to somebody else; `InvalidInput` as in [`bind`](UnixDatagram::bind).
    ///
    /// ```
    #[doc = include_str!("../../doc/unix_datagram.txt")]
    /// let refused = socket.connect("/no/such/path").unwrap_err();
    /// assert_eq!(refused.kind(), std::io::ErrorKind::NotFound);
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn connect<P: AsRef<Path>>(&self, path: P) -> io::Result<()> {
        let address = address::of_path(path.as_ref())?;
        self.handle.socket().connect(&address)
    }

    /// The same, with an address, which may be an abstract one. Does not wait.
    ///
    /// # Errors
    ///
    /// As [`connect`](UnixDatagram::connect).
    ///
    #[doc = include_str!("../../doc/unix_mailbox.md")]
    /// let sender = UnixDatagram::unbound()?;
    /// sender.connect_addr(&mailbox.local_addr()?)?;
    /// assert_eq!(sender.send(b"hello")?, 5);
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn connect_addr(&self, address: &SocketAddr) -> io::Result<()> {
        self.handle.socket().connect(&address::lower(address)?)
    }

    /// The address of this socket. Does not wait.
    ///
    /// # Errors
    ///
    /// What `getsockname(2)` says.
    ///
    /// ```
    #[doc = include_str!("../../doc/unix_datagram.txt")]
    /// assert!(socket.local_addr()?.is_unnamed());
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        address::raise(&self.handle.socket().local_addr()?)
    }

    /// The address that the socket is [connected](UnixDatagram::connect) to. Does not wait.
    ///
    /// # Errors
    ///
    /// `NotConnected` if it is to none.
    ///
    #[doc = include_str!("../../doc/unix_mailbox.md")]
    /// let refused = mailbox.peer_addr().unwrap_err();
    /// assert_eq!(refused.kind(), std::io::ErrorKind::NotConnected);
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn peer_addr(&self) -> io::Result<SocketAddr> {
        address::raise(&self.handle.socket().peer_addr()?)
    }

    pub(crate) fn peer(&self) -> io::Result<SocketAddr> {
        self.peer_addr()
    }

    /// Waits for a message, and gives its length and its sender, who may have no name. A
    /// cancellation point.
    ///
    /// # Errors
    ///
    /// What `recvfrom(2)` says; `WouldBlock` when the
    /// [timeout](UnixDatagram::set_read_timeout) is over.
    ///
    #[doc = include_str!("../../doc/unix_mailbox.md")]
    /// UnixDatagram::unbound()?.send_to_addr(b"hello", &mailbox.local_addr()?)?;
    /// let (length, from) = mailbox.recv_from(&mut [0; 64])?;
    /// assert!(length == 5 && from.is_unnamed());
    /// # Ok::<(), std::io::Error>(())
    /// ```
    #[track_caller]
    pub fn recv_from(&self, buffer: &mut [u8]) -> io::Result<(usize, SocketAddr)> {
        let (length, from) = self.handle.recv_from(buffer)?;
        Ok((length, address::raise(&from)?))
    }

    /// Waits for a message, and gives its length. A cancellation point.
    ///
    /// # Errors
    ///
    /// As [`recv_from`](UnixDatagram::recv_from).
    ///
    /// ```
    /// use trefoil_net::unix::UnixDatagram;
    ///
    /// let (left, right) = UnixDatagram::pair()?;
    /// left.send(b"hello")?;
    /// assert_eq!(right.recv(&mut [0; 2])?, 2); // the rest is gone
    /// # Ok::<(), std::io::Error>(())
    /// ```
    #[track_caller]
    pub fn recv(&self, buffer: &mut [u8]) -> io::Result<usize> {
        self.handle.recv(buffer)
    }

    /// Sends a message to the socket at a path, and waits until that has room. A cancellation
    /// point.
    ///
    /// # Errors
    ///
    /// As [`connect`](UnixDatagram::connect). A message that is longer than the buffer is refused
    /// (`EMSGSIZE`), and nothing is sent. `WouldBlock` when the
    /// [timeout](UnixDatagram::set_write_timeout) is over. To wait for the receiver takes a
    /// descriptor: where there is none, [`DescriptorsExhausted`](crate::DescriptorsExhausted).
    ///
    /// ```
    #[doc = include_str!("../../doc/unix_datagram.txt")]
    /// let refused = UnixDatagram::unbound()?.send_to(b"hello", "/no/such/path").unwrap_err();
    /// assert_eq!(refused.kind(), std::io::ErrorKind::NotFound);
    /// # drop(socket);
    /// # Ok::<(), std::io::Error>(())
    /// ```
    #[track_caller]
    pub fn send_to<P: AsRef<Path>>(&self, bytes: &[u8], path: P) -> io::Result<usize> {
        let wait = Wait::new(Reason::Write);
        self.send_as(bytes, &address::of_path(path.as_ref())?, wait)
    }

    /// The same, with an address, which may be an abstract one. A cancellation point.
    ///
    /// # Errors
    ///
    /// As [`send_to`](UnixDatagram::send_to).
    ///
    #[doc = include_str!("../../doc/unix_mailbox.md")]
    /// let sender = UnixDatagram::unbound()?;
    /// assert_eq!(sender.send_to_addr(b"hello", &mailbox.local_addr()?)?, 5);
    /// # Ok::<(), std::io::Error>(())
    /// ```
    #[track_caller]
    pub fn send_to_addr(&self, bytes: &[u8], address: &SocketAddr) -> io::Result<usize> {
        let wait = Wait::new(Reason::Write);
        self.send_as(bytes, &address::lower(address)?, wait)
    }

    /// Sends a message to whom the socket is connected, and waits until that has room. A
    /// cancellation point.
    ///
    /// # Errors
    ///
    /// `NotConnected`; else as [`send_to`](UnixDatagram::send_to).
    ///
    /// ```
    #[doc = include_str!("../../doc/unix_datagram.txt")]
    /// assert_eq!(socket.send(b"hello")?, 5);
    /// # Ok::<(), std::io::Error>(())
    /// ```
    #[track_caller]
    pub fn send(&self, bytes: &[u8]) -> io::Result<usize> {
        self.handle.send(bytes)
    }

    /// Its own readiness is not that of the receiver, so it is left as it is.
    fn send_as(&self, bytes: &[u8], to: &SockAddr, wait: Wait) -> io::Result<usize> {
        let handle = &self.handle;
        let wait = handle.limit(Interest::Write, wait);
        loop {
            match socket::send_to(handle.as_fd(), bytes, to) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    if handle.is_nonblocking() {
                        return Err(error);
                    }
                    room::at_receiver(handle, to, &wait)?;
                }
                sent => return sent,
            }
        }
    }
}
