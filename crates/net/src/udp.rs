//! UDP: single messages between sockets, any of which may be lost.
#![forbid(unsafe_code)]

use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};

use crate::address::{self, ToSocketAddrs};
use crate::exhausted;
use crate::handle::Handle;
use crate::socket;

/// A UDP socket, as [`std::net::UdpSocket`].
///
/// Receiving parks the calling thread until a message comes, and sending until there is room in
/// the socket's buffer, in every model; both are cancellation points. Threads of all models may
/// use it at the same time; each message goes to one of them. A message that does not fit the
/// buffer of who receives it is cut off.
///
/// Options that are not here are set by `socket2::SockRef::from(&socket)`, and a socket that was
/// made by `socket2` is taken over by `UdpSocket::try_from(OwnedFd::from(socket))`.
///
/// ```
/// use trefoil_net::UdpSocket;
///
/// let server = UdpSocket::bind("127.0.0.1:0")?;
/// let client = UdpSocket::bind("127.0.0.1:0")?;
/// client.send_to(b"hello", server.local_addr()?)?;
///
/// let mut message = [0; 64];
/// let (length, from) = server.recv_from(&mut message)?;
/// assert_eq!(&message[..length], b"hello");
/// server.send_to(b"good day", from)?;
/// assert_eq!(client.recv(&mut message)?, 8);
/// # Ok::<(), std::io::Error>(())
/// ```
pub struct UdpSocket {
    pub(crate) handle: Handle,
}

impl UdpSocket {
    /// A socket at the first of `address` that can be had. Port 0 is any free one. Parks the
    /// thread if a name has to be looked up; no cancellation point.
    ///
    /// # Errors
    ///
    /// What the resolver and the operating system say: `AddrInUse`, `PermissionDenied`. At the
    /// limit of descriptors it is [`DescriptorsExhausted`](crate::DescriptorsExhausted).
    ///
    /// ```
    /// let socket = trefoil_net::UdpSocket::bind("127.0.0.1:0")?;
    /// assert_ne!(socket.local_addr()?.port(), 0);
    /// # Ok::<(), std::io::Error>(())
    /// ```
    #[track_caller]
    pub fn bind<A: ToSocketAddrs>(address: A) -> io::Result<UdpSocket> {
        let addresses = address::all(&address)?;
        let socket = std::net::UdpSocket::bind(&addresses[..]).map_err(exhausted::explain)?;
        Ok(UdpSocket {
            handle: Handle::adopt(socket.into())?,
        })
    }

    /// From now on the socket sends to the first of `address` that can be had, and receives
    /// from there only. Nobody is asked, so it does not wait, but parks the thread if a name has to
    /// be looked up; no cancellation point.
    ///
    /// # Errors
    ///
    /// What the resolver and `connect(2)` say.
    ///
    #[doc = include_str!("../doc/udp_pair.md")]
    /// assert_eq!(left.peer_addr()?, right.local_addr()?);
    /// # Ok::<(), std::io::Error>(())
    /// ```
    #[track_caller]
    pub fn connect<A: ToSocketAddrs>(&self, address: A) -> io::Result<()> {
        let mut last = None;
        for address in address::all(&address)? {
            match self.handle.socket().connect(&address.into()) {
                Ok(()) => return Ok(()),
                Err(refused) => last = Some(refused),
            }
        }
        Err(last.expect("there was an address to try"))
    }

    /// The address that the socket is [connected](UdpSocket::connect) to. Does not wait.
    ///
    /// # Errors
    ///
    /// `NotConnected` if it is to none.
    ///
    #[doc = include_str!("../doc/udp_pair.md")]
    /// assert_eq!(right.peer_addr()?, left.local_addr()?);
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn peer_addr(&self) -> io::Result<SocketAddr> {
        socket::internet(&self.handle.socket().peer_addr()?)
    }

    /// Waits for a message, and gives its length and its sender. A cancellation point.
    ///
    /// # Errors
    ///
    /// What `recvfrom(2)` says; `WouldBlock` when the
    /// [timeout](UdpSocket::set_read_timeout) is over.
    ///
    #[doc = include_str!("../doc/udp_pair.md")]
    /// left.send(b"hello")?;
    /// let mut message = [0; 64];
    /// assert_eq!(right.recv_from(&mut message)?, (5, left.local_addr()?));
    /// # Ok::<(), std::io::Error>(())
    /// ```
    #[track_caller]
    pub fn recv_from(&self, buffer: &mut [u8]) -> io::Result<(usize, SocketAddr)> {
        let (length, from) = self.handle.recv_from(buffer)?;
        Ok((length, socket::internet(&from)?))
    }

    /// The same, and leaves the message there. A cancellation point.
    ///
    /// # Errors
    ///
    /// As [`recv_from`](UdpSocket::recv_from).
    ///
    #[doc = include_str!("../doc/udp_pair.md")]
    /// left.send(b"hello")?;
    /// let mut message = [0; 64];
    /// assert_eq!(right.peek_from(&mut message)?, (5, left.local_addr()?));
    /// assert_eq!(right.recv(&mut message)?, 5);
    /// # Ok::<(), std::io::Error>(())
    /// ```
    #[track_caller]
    pub fn peek_from(&self, buffer: &mut [u8]) -> io::Result<(usize, SocketAddr)> {
        let (length, from) = self.handle.peek_from(buffer)?;
        Ok((length, socket::internet(&from)?))
    }

    /// Waits for a message, and gives its length. A cancellation point.
    ///
    /// # Errors
    ///
    /// As [`recv_from`](UdpSocket::recv_from). If the socket is
    /// [connected](UdpSocket::connect), it is `ConnectionRefused` after a message that nobody took.
    ///
    #[doc = include_str!("../doc/udp_pair.md")]
    /// left.send(b"hello")?;
    /// let mut message = [0; 2];
    /// assert_eq!(right.recv(&mut message)?, 2); // the rest is gone
    /// # Ok::<(), std::io::Error>(())
    /// ```
    #[track_caller]
    pub fn recv(&self, buffer: &mut [u8]) -> io::Result<usize> {
        self.handle.recv(buffer)
    }

    /// The same, and leaves the message there. A cancellation point.
    ///
    /// # Errors
    ///
    /// As [`recv`](UdpSocket::recv).
    ///
    #[doc = include_str!("../doc/udp_pair.md")]
    /// left.send(b"hello")?;
    /// assert_eq!(right.peek(&mut [0; 64])?, 5);
    /// assert_eq!(right.recv(&mut [0; 64])?, 5);
    /// # Ok::<(), std::io::Error>(())
    /// ```
    #[track_caller]
    pub fn peek(&self, buffer: &mut [u8]) -> io::Result<usize> {
        self.handle.peek(buffer)
    }

    /// Sends a message to the first of `address`, and waits for room in the buffer if there is
    /// none. A cancellation point, but for the lookup of a name.
    ///
    /// # Errors
    ///
    /// What the resolver and `sendto(2)` say. A message that is longer than a packet can be is
    /// refused (`EMSGSIZE`), and nothing is sent. `WouldBlock` when the
    /// [timeout](UdpSocket::set_write_timeout) is over.
    ///
    /// ```
    /// use trefoil_net::UdpSocket;
    ///
    /// let left = UdpSocket::bind("127.0.0.1:0")?;
    /// let right = UdpSocket::bind("127.0.0.1:0")?;
    /// assert_eq!(left.send_to(b"hello", right.local_addr()?)?, 5);
    /// # Ok::<(), std::io::Error>(())
    /// ```
    #[track_caller]
    pub fn send_to<A: ToSocketAddrs>(&self, bytes: &[u8], address: A) -> io::Result<usize> {
        let first = address::all(&address)?[0];
        self.handle.send_to(bytes, &first.into())
    }

    /// Sends a message to whom the socket is [connected](UdpSocket::connect), and waits for room
    /// in the buffer if there is none. A cancellation point.
    ///
    /// # Errors
    ///
    /// As [`send_to`](UdpSocket::send_to). `ConnectionRefused` after a message that nobody took.
    ///
    #[doc = include_str!("../doc/udp_pair.md")]
    /// assert_eq!(left.send(b"hello")?, 5);
    /// # drop(right);
    /// # Ok::<(), std::io::Error>(())
    /// ```
    #[track_caller]
    pub fn send(&self, bytes: &[u8]) -> io::Result<usize> {
        self.handle.send(bytes)
    }

    /// Whether messages may be sent to broadcast addresses (`SO_BROADCAST`). Does not wait.
    ///
    /// # Errors
    ///
    /// What `setsockopt(2)` says.
    ///
    /// ```
    #[doc = include_str!("../doc/udp_socket.txt")]
    /// socket.set_broadcast(true)?;
    /// assert!(socket.broadcast()?);
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn set_broadcast(&self, on: bool) -> io::Result<()> {
        self.handle.socket().set_broadcast(on)
    }

    /// Whether messages may be sent to broadcast addresses (`SO_BROADCAST`); see
    /// [`set_broadcast`](UdpSocket::set_broadcast). Does not wait.
    ///
    /// # Errors
    ///
    /// What `getsockopt(2)` says.
    ///
    /// ```
    #[doc = include_str!("../doc/udp_socket.txt")]
    /// let now: bool = socket.broadcast()?;
    /// # let _ = now;
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn broadcast(&self) -> io::Result<bool> {
        self.handle.socket().broadcast()
    }

    /// Whether messages to an IPv4 group come back to this machine. Does not wait.
    ///
    /// # Errors
    ///
    /// What `setsockopt(2)` says.
    ///
    /// ```
    #[doc = include_str!("../doc/udp_socket.txt")]
    /// socket.set_multicast_loop_v4(false)?;
    /// assert!(!socket.multicast_loop_v4()?);
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn set_multicast_loop_v4(&self, on: bool) -> io::Result<()> {
        self.handle.socket().set_multicast_loop_v4(on)
    }

    /// Whether messages to an IPv4 group come back to this machine; see
    /// [`set_multicast_loop_v4`](UdpSocket::set_multicast_loop_v4). Does not wait.
    ///
    /// # Errors
    ///
    /// What `getsockopt(2)` says.
    ///
    /// ```
    #[doc = include_str!("../doc/udp_socket.txt")]
    /// let now: bool = socket.multicast_loop_v4()?;
    /// # let _ = now;
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn multicast_loop_v4(&self) -> io::Result<bool> {
        self.handle.socket().multicast_loop_v4()
    }

    /// How many routers messages to an IPv4 group may pass. Does not wait.
    ///
    /// # Errors
    ///
    /// What `setsockopt(2)` says.
    ///
    /// ```
    #[doc = include_str!("../doc/udp_socket.txt")]
    /// socket.set_multicast_ttl_v4(7)?;
    /// assert_eq!(socket.multicast_ttl_v4()?, 7);
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn set_multicast_ttl_v4(&self, hops: u32) -> io::Result<()> {
        self.handle.socket().set_multicast_ttl_v4(hops)
    }

    /// How many routers messages to an IPv4 group may pass; see
    /// [`set_multicast_ttl_v4`](UdpSocket::set_multicast_ttl_v4). Does not wait.
    ///
    /// # Errors
    ///
    /// What `getsockopt(2)` says.
    ///
    /// ```
    #[doc = include_str!("../doc/udp_socket.txt")]
    /// let now: u32 = socket.multicast_ttl_v4()?;
    /// # let _ = now;
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn multicast_ttl_v4(&self) -> io::Result<u32> {
        self.handle.socket().multicast_ttl_v4()
    }

    /// Whether messages to an IPv6 group come back to this machine. Does not wait.
    ///
    /// # Errors
    ///
    /// What `setsockopt(2)` says.
    ///
    /// ```
    /// // There are machines without IPv6.
    /// if let Ok(socket) = trefoil_net::UdpSocket::bind("[::1]:0") {
    ///     socket.set_multicast_loop_v6(false)?;
    ///     assert!(!socket.multicast_loop_v6()?);
    /// }
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn set_multicast_loop_v6(&self, on: bool) -> io::Result<()> {
        self.handle.socket().set_multicast_loop_v6(on)
    }

    /// Whether messages to an IPv6 group come back to this machine; see
    /// [`set_multicast_loop_v6`](UdpSocket::set_multicast_loop_v6). Does not wait.
    ///
    /// # Errors
    ///
    /// What `getsockopt(2)` says.
    ///
    /// ```
    /// // There are machines without IPv6.
    /// if let Ok(socket) = trefoil_net::UdpSocket::bind("[::1]:0") {
    ///     let now: bool = socket.multicast_loop_v6()?;
    ///     # let _ = now;
    /// }
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn multicast_loop_v6(&self) -> io::Result<bool> {
        self.handle.socket().multicast_loop_v6()
    }

    /// From now on the socket receives what is sent to this group, through the interface that has this
    /// address (`0.0.0.0`: whichever the system chooses). Does not wait.
    ///
    /// # Errors
    ///
    /// What `setsockopt(2)` says: `InvalidInput` if the address is no group's.
    ///
    /// ```
    /// use std::net::Ipv4Addr;
    ///
    #[doc = include_str!("../doc/udp_socket.txt")]
    /// let group = Ipv4Addr::new(224, 0, 0, 123);
    /// // There are machines without a route for groups.
    /// if socket.join_multicast_v4(&group, &Ipv4Addr::LOCALHOST).is_ok() {
    ///     socket.leave_multicast_v4(&group, &Ipv4Addr::LOCALHOST)?;
    /// }
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn join_multicast_v4(&self, group: &Ipv4Addr, interface: &Ipv4Addr) -> io::Result<()> {
        self.handle.socket().join_multicast_v4(group, interface)
    }

    /// From now on the socket receives what is sent to this group, through the interface of this number
    /// (0: whichever the system chooses). Does not wait.
    ///
    /// # Errors
    ///
    /// What `setsockopt(2)` says: `InvalidInput` if the address is no group's.
    ///
    /// ```
    /// use std::net::Ipv6Addr;
    /// use trefoil_net::UdpSocket;
    ///
    /// let group = Ipv6Addr::new(0xff01, 0, 0, 0, 0, 0, 0, 0x123);
    /// // There are machines without IPv6.
    /// if let Ok(socket) = UdpSocket::bind("[::1]:0")
    ///     && socket.join_multicast_v6(&group, 0).is_ok()
    /// {
    ///     socket.leave_multicast_v6(&group, 0)?;
    /// }
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn join_multicast_v6(&self, group: &Ipv6Addr, interface: u32) -> io::Result<()> {
        self.handle.socket().join_multicast_v6(group, interface)
    }

    /// Ends what [`join_multicast_v4`](UdpSocket::join_multicast_v4) has begun. Does not wait.
    ///
    /// # Errors
    ///
    /// What `setsockopt(2)` says: `InvalidInput` if the address is no group's.
    ///
    /// ```
    /// use std::net::Ipv4Addr;
    ///
    #[doc = include_str!("../doc/udp_socket.txt")]
    /// let group = Ipv4Addr::new(224, 0, 0, 123);
    /// // There are machines without a route for groups.
    /// if socket.join_multicast_v4(&group, &Ipv4Addr::LOCALHOST).is_ok() {
    ///     socket.leave_multicast_v4(&group, &Ipv4Addr::LOCALHOST)?;
    /// }
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn leave_multicast_v4(&self, group: &Ipv4Addr, interface: &Ipv4Addr) -> io::Result<()> {
        self.handle.socket().leave_multicast_v4(group, interface)
    }

    /// Ends what [`join_multicast_v6`](UdpSocket::join_multicast_v6) has begun. Does not wait.
    ///
    /// # Errors
    ///
    /// What `setsockopt(2)` says: `InvalidInput` if the address is no group's.
    ///
    /// ```
    /// use std::net::Ipv6Addr;
    /// use trefoil_net::UdpSocket;
    ///
    /// let group = Ipv6Addr::new(0xff01, 0, 0, 0, 0, 0, 0, 0x123);
    /// // There are machines without IPv6.
    /// if let Ok(socket) = UdpSocket::bind("[::1]:0")
    ///     && socket.join_multicast_v6(&group, 0).is_ok()
    /// {
    ///     socket.leave_multicast_v6(&group, 0)?;
    /// }
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn leave_multicast_v6(&self, group: &Ipv6Addr, interface: u32) -> io::Result<()> {
        self.handle.socket().leave_multicast_v6(group, interface)
    }
}
