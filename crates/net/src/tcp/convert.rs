//! Descriptors, and the types of `std`.
//!
//! What takes a socket over makes its descriptor non-blocking, which can fail: so these are
//! `TryFrom` where `std` has `From`. A descriptor may have other handles, which share that.
#![forbid(unsafe_code)]

use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, IntoRawFd, OwnedFd, RawFd};
use std::panic::{RefUnwindSafe, UnwindSafe};
use std::sync::Arc;

use trefoil_runtime::{Interest, Source};

use super::listener::TcpListener;
use super::stream::TcpStream;

impl TcpListener {
    /// Takes over a listener of `std`. It waits, even if the other one was non-blocking.
    ///
    /// # Errors
    ///
    /// If it cannot be made non-blocking underneath.
    ///
    /// ```
    /// let listener = std::net::TcpListener::bind("127.0.0.1:0")?;
    /// let listener = trefoil_net::TcpListener::from_std(listener)?;
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn from_std(listener: std::net::TcpListener) -> io::Result<TcpListener> {
        Ok(TcpListener {
            source: Source::new(listener.into())?,
            modes: Arc::default(),
        })
    }

    /// Makes it a listener of `std`, whose calls block the OS thread. So do the calls of its
    /// [clones](TcpListener::try_clone) from then on, because they share the socket.
    ///
    /// # Errors
    ///
    /// If it cannot be made blocking.
    ///
    /// ```
    /// let listener = trefoil_net::TcpListener::bind("127.0.0.1:0")?;
    /// let listener: std::net::TcpListener = listener.into_std()?;
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn into_std(self) -> io::Result<std::net::TcpListener> {
        let listener = std::net::TcpListener::from(self.source.into_fd());
        listener.set_nonblocking(self.modes.is_nonblocking())?;
        Ok(listener)
    }
}

impl TcpStream {
    /// Takes over a stream of `std`, with its timeouts. It waits, even if the other one was
    /// non-blocking.
    ///
    /// # Errors
    ///
    /// If it is no socket, or cannot be made non-blocking underneath.
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// let listener = std::net::TcpListener::bind("127.0.0.1:0")?;
    /// let stream = std::net::TcpStream::connect(listener.local_addr()?)?;
    /// stream.set_read_timeout(Some(Duration::from_secs(1)))?;
    /// let stream = trefoil_net::TcpStream::from_std(stream)?;
    /// assert_eq!(stream.read_timeout()?, Some(Duration::from_secs(1)));
    /// # Ok::<(), std::io::Error>(())
    /// ```
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

    /// Makes it a stream of `std`, with its timeouts; its calls block the OS thread. So do the
    /// calls of its [clones](TcpStream::try_clone) from then on, because they share the socket.
    ///
    /// # Errors
    ///
    /// If it cannot be made blocking.
    ///
    /// ```
    /// let listener = trefoil_net::TcpListener::bind("127.0.0.1:0")?;
    /// let stream = trefoil_net::TcpStream::connect(listener.local_addr()?)?;
    /// let stream: std::net::TcpStream = stream.into_std()?;
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn into_std(self) -> io::Result<std::net::TcpStream> {
        let modes = self.modes;
        let stream = std::net::TcpStream::from(self.source.into_fd());
        stream.set_nonblocking(modes.is_nonblocking())?;
        stream.set_read_timeout(modes.timeout(Interest::Read))?;
        stream.set_write_timeout(modes.timeout(Interest::Write))?;
        Ok(stream)
    }
}

macro_rules! conversions {
    ($($ours:ident,)*) => {$(
        impl AsFd for $ours {
            fn as_fd(&self) -> BorrowedFd<'_> {
                self.source.as_fd()
            }
        }

        impl AsRawFd for $ours {
            fn as_raw_fd(&self) -> RawFd {
                self.source.fd()
            }
        }

        impl IntoRawFd for $ours {
            /// The descriptor, which stays non-blocking.
            fn into_raw_fd(self) -> RawFd {
                self.source.into_fd().into_raw_fd()
            }
        }

        impl From<$ours> for OwnedFd {
            /// The descriptor, which stays non-blocking.
            fn from(socket: $ours) -> OwnedFd {
                socket.source.into_fd()
            }
        }

        impl TryFrom<OwnedFd> for $ours {
            type Error = io::Error;

            /// As `from_std`.
            fn try_from(fd: OwnedFd) -> io::Result<$ours> {
                $ours::from_std(std::net::$ours::from(fd))
            }
        }

        impl TryFrom<std::net::$ours> for $ours {
            type Error = io::Error;

            /// As `from_std`.
            fn try_from(socket: std::net::$ours) -> io::Result<$ours> {
                $ours::from_std(socket)
            }
        }

        impl TryFrom<$ours> for std::net::$ours {
            type Error = io::Error;

            /// As `into_std`.
            fn try_from(socket: $ours) -> io::Result<std::net::$ours> {
                socket.into_std()
            }
        }

        // A panic, wherever it comes from, leaves a socket as whole as an error does. `std`'s
        // are so too, and programs that catch panics rely on it.
        impl UnwindSafe for $ours {}
        impl RefUnwindSafe for $ours {}
    )*};
}

conversions! {
    TcpListener,
    TcpStream,
}
