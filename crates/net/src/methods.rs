//! The public methods that several types have in common. Each is written once, and its example
//! runs for each type.
//!
//! | macro        | for                                              |
//! |--------------|--------------------------------------------------|
//! | `every`      | all sockets                                      |
//! | `timeouts`   | those that send and receive                      |
//! | `shutdown`   | those that have another end                      |
//! | `internet`   | those with an internet address                   |
//!
//! A sample (`doc/*.txt`) makes the `socket` of the examples.
#![forbid(unsafe_code)]

use std::fmt;
use std::io;
use std::net::{Shutdown, SocketAddr};
use std::time::Duration;

use trefoil_runtime::Interest;

use crate::socket;
use crate::tcp::{TcpListener, TcpStream};
use crate::udp::UdpSocket;
use crate::unix::{UnixDatagram, UnixListener, UnixStream};

macro_rules! sample {
    ($name:literal) => {
        include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/doc/", $name, ".txt"))
    };
}

macro_rules! every {
    ($($type:ident, $sample:literal, $call:literal;)*) => {$(
        impl $type {
            /// Another handle to the same socket, with a descriptor of its own, which may be
            /// watched by another worker. They share the timeouts and
            #[doc = concat!("[`set_nonblocking`](", stringify!($type), "::set_nonblocking);")]
            /// the socket is closed with the last one. What arrives goes to one of them. Does not
            /// wait.
            ///
            /// # Errors
            ///
            /// At the limit of descriptors, [`DescriptorsExhausted`](crate::DescriptorsExhausted).
            ///
            /// ```
            #[doc = sample!($sample)]
            /// let clone = socket.try_clone()?;
            /// assert_eq!(format!("{:?}", clone.local_addr()?), format!("{:?}", socket.local_addr()?));
            /// # Ok::<(), std::io::Error>(())
            /// ```
            pub fn try_clone(&self) -> io::Result<$type> {
                let handle = self.handle.try_clone()?;
                Ok($type { handle })
            }

            /// Whether calls fail with `WouldBlock` instead of waiting. A thread that waits
            /// already goes on waiting. The descriptor's own mode does not change. Does not wait.
            ///
            /// # Errors
            ///
            /// None; `std`'s may have one.
            ///
            /// ```
            #[doc = sample!($sample)]
            /// socket.set_nonblocking(true)?;
            #[doc = concat!("let refused = ", $call, ".unwrap_err();")]
            /// assert_eq!(refused.kind(), std::io::ErrorKind::WouldBlock);
            /// # Ok::<(), std::io::Error>(())
            /// ```
            pub fn set_nonblocking(&self, nonblocking: bool) -> io::Result<()> {
                self.handle.set_nonblocking(nonblocking);
                Ok(())
            }

            /// Takes the socket's pending error. Does not wait.
            ///
            /// # Errors
            ///
            /// What `getsockopt(2)` says.
            ///
            /// ```
            #[doc = sample!($sample)]
            /// assert!(socket.take_error()?.is_none());
            /// # Ok::<(), std::io::Error>(())
            /// ```
            pub fn take_error(&self) -> io::Result<Option<io::Error>> {
                self.handle.socket().take_error()
            }
        }

        impl fmt::Debug for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                let mut text = f.debug_struct(stringify!($type));
                if let Ok(address) = self.local_addr() {
                    text.field("addr", &address);
                }
                if let Ok(peer) = self.peer() {
                    text.field("peer", &peer);
                }
                text.field("fd", &self.handle.fd()).finish()
            }
        }
    )*};
}

macro_rules! timeouts {
    ($($type:ident, $sample:literal, $call:literal;)*) => {$(
        impl $type {
            /// How long a call that reads waits before it fails with `WouldBlock`. `None`:
            /// without a limit. A call that waits already keeps its limit. Does not wait.
            ///
            /// # Errors
            ///
            /// `InvalidInput` if it is 0.
            ///
            /// ```
            /// use std::io::ErrorKind;
            /// use std::time::Duration;
            ///
            #[doc = sample!($sample)]
            /// socket.set_read_timeout(Some(Duration::from_millis(5)))?;
            #[doc = concat!("let refused = ", $call, ".unwrap_err();")]
            /// assert_eq!(refused.kind(), ErrorKind::WouldBlock);
            /// # Ok::<(), std::io::Error>(())
            /// ```
            pub fn set_read_timeout(&self, timeout: Option<Duration>) -> io::Result<()> {
                self.handle.set_timeout(Interest::Read, timeout)
            }

            /// How long a call that writes waits for room before it fails with `WouldBlock`.
            /// `None`: without a limit. A call that waits already keeps its limit. Does not wait.
            ///
            /// # Errors
            ///
            /// `InvalidInput` if it is 0.
            ///
            /// ```
            /// use std::io::ErrorKind;
            /// use std::time::Duration;
            ///
            #[doc = sample!($sample)]
            /// socket.set_write_timeout(Some(Duration::from_secs(5)))?;
            /// let refused = socket.set_write_timeout(Some(Duration::ZERO)).unwrap_err();
            /// assert_eq!(refused.kind(), ErrorKind::InvalidInput);
            /// # Ok::<(), std::io::Error>(())
            /// ```
            pub fn set_write_timeout(&self, timeout: Option<Duration>) -> io::Result<()> {
                self.handle.set_timeout(Interest::Write, timeout)
            }

            /// How long a call that reads waits. Does not wait.
            ///
            /// # Errors
            ///
            /// None; `std`'s may have one.
            ///
            /// ```
            #[doc = sample!($sample)]
            /// assert_eq!(socket.read_timeout()?, None);
            /// # Ok::<(), std::io::Error>(())
            /// ```
            pub fn read_timeout(&self) -> io::Result<Option<Duration>> {
                Ok(self.handle.timeout(Interest::Read))
            }

            /// How long a call that writes waits for room. Does not wait.
            ///
            /// # Errors
            ///
            /// None; `std`'s may have one.
            ///
            /// ```
            #[doc = sample!($sample)]
            /// assert_eq!(socket.write_timeout()?, None);
            /// # Ok::<(), std::io::Error>(())
            /// ```
            pub fn write_timeout(&self) -> io::Result<Option<Duration>> {
                Ok(self.handle.timeout(Interest::Write))
            }
        }
    )*};
}

macro_rules! shutdown {
    ($($type:ident, $sample:literal, $call:literal;)*) => {$(
        impl $type {
            /// Ends the connection in one direction or both. Threads that wait for a direction
            /// that was ended go on, through whichever handle they wait. Does not wait.
            ///
            /// # Errors
            ///
            /// `NotConnected` when the connection is over, or there is none.
            ///
            /// ```
            /// use std::net::Shutdown;
            ///
            #[doc = sample!($sample)]
            /// socket.shutdown(Shutdown::Both)?;
            #[doc = concat!("assert_eq!(", $call, "?, 0); // the end")]
            /// # Ok::<(), std::io::Error>(())
            /// ```
            pub fn shutdown(&self, how: Shutdown) -> io::Result<()> {
                self.handle.socket().shutdown(how)
            }
        }
    )*};
}

macro_rules! internet {
    ($($type:ident, $sample:literal;)*) => {$(
        impl $type {
            /// The address of this end. Does not wait.
            ///
            /// # Errors
            ///
            /// What `getsockname(2)` says.
            ///
            /// ```
            #[doc = sample!($sample)]
            /// assert!(socket.local_addr()?.ip().is_loopback());
            /// # Ok::<(), std::io::Error>(())
            /// ```
            pub fn local_addr(&self) -> io::Result<SocketAddr> {
                socket::internet(&self.handle.socket().local_addr()?)
            }

            /// The address of the other end.
            fn peer(&self) -> io::Result<SocketAddr> {
                socket::internet(&self.handle.socket().peer_addr()?)
            }

            /// Sets how many routers packets may pass. Does not wait.
            ///
            /// # Errors
            ///
            /// What `setsockopt(2)` says.
            ///
            /// ```
            #[doc = sample!($sample)]
            /// socket.set_ttl(42)?;
            /// assert_eq!(socket.ttl()?, 42);
            /// # Ok::<(), std::io::Error>(())
            /// ```
            pub fn set_ttl(&self, ttl: u32) -> io::Result<()> {
                self.handle.socket().set_ttl_v4(ttl)
            }

            /// How many routers packets may pass. Does not wait.
            ///
            /// # Errors
            ///
            /// What `getsockopt(2)` says.
            ///
            /// ```
            #[doc = sample!($sample)]
            /// assert!(socket.ttl()? > 0);
            /// # Ok::<(), std::io::Error>(())
            /// ```
            pub fn ttl(&self) -> io::Result<u32> {
                self.handle.socket().ttl_v4()
            }
        }
    )*};
}

every! {
    TcpListener, "tcp_listener", "socket.accept()";
    TcpStream, "tcp_stream", "socket.read(&mut [0; 8])";
    UdpSocket, "udp_socket", "socket.recv(&mut [0; 8])";
    UnixListener, "unix_listener", "socket.accept()";
    UnixStream, "unix_stream", "socket.read(&mut [0; 8])";
    UnixDatagram, "unix_datagram", "socket.recv(&mut [0; 8])";
}

timeouts! {
    TcpStream, "tcp_stream", "socket.read(&mut [0; 8])";
    UdpSocket, "udp_socket", "socket.recv(&mut [0; 8])";
    UnixStream, "unix_stream", "socket.read(&mut [0; 8])";
    UnixDatagram, "unix_datagram", "socket.recv(&mut [0; 8])";
}

shutdown! {
    TcpStream, "tcp_stream", "socket.read(&mut [0; 8])";
    UnixStream, "unix_stream", "socket.read(&mut [0; 8])";
    UnixDatagram, "unix_datagram", "socket.recv(&mut [0; 8])";
}

internet! {
    TcpListener, "tcp_listener";
    TcpStream, "tcp_stream";
    UdpSocket, "udp_socket";
}
