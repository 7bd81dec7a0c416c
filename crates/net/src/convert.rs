//! Descriptors, and the types of `std`.
//!
//! What takes a socket or a pipe over makes its descriptor non-blocking, which can fail: so these
//! are `TryFrom` where `std` has `From`. A descriptor may have other handles, which share that.
#![forbid(unsafe_code)]

use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, IntoRawFd, OwnedFd, RawFd};
use std::panic::{RefUnwindSafe, UnwindSafe};

use crate::handle::Handle;
use crate::pipe::{PipeReader, PipeWriter};
use crate::process::{ChildStderr, ChildStdin, ChildStdout};
use crate::tcp::{TcpListener, TcpStream};
use crate::udp::UdpSocket;
use crate::unix::{UnixDatagram, UnixListener, UnixStream};

macro_rules! conversions {
    ($($ours:ident, $std:path, $adopt:ident, $into:ident, $path:literal, $sample:literal;)*) => {$(
        impl $ours {
            #[doc = concat!("Takes over one of `std`'s (`", stringify!($std), "`), with its")]
            /// timeouts if it has any. Its calls wait, even if the other one was non-blocking. Does
            /// not wait itself.
            ///
            /// # Errors
            ///
            /// If it cannot be made non-blocking underneath.
            ///
            /// ```
            #[doc = include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/doc/", $sample, ".txt"))]
            #[doc = concat!("let theirs: ", stringify!($std), " = socket.into_std()?;")]
            #[doc = concat!("let ours = ", $path, stringify!($ours), "::from_std(theirs)?;")]
            /// # drop(ours);
            /// # Ok::<(), std::io::Error>(())
            /// ```
            pub fn from_std(theirs: $std) -> io::Result<$ours> {
                let handle = Handle::$adopt(theirs.into())?;
                Ok($ours { handle })
            }

            /// Makes it one of `std`'s, with its timeouts if it has any, whose calls block the OS
            /// thread. So do the calls of its
            #[doc = concat!("[clones](", stringify!($ours), "::try_clone)")]
            /// from then on, because they share the descriptor's mode. Does not wait.
            ///
            /// # Errors
            ///
            /// If it cannot be made blocking.
            ///
            /// ```
            #[doc = include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/doc/", $sample, ".txt"))]
            #[doc = concat!("let theirs: ", stringify!($std), " = socket.into_std()?;")]
            /// # drop(theirs);
            /// # Ok::<(), std::io::Error>(())
            /// ```
            pub fn into_std(self) -> io::Result<$std> {
                Ok(self.handle.$into()?.into())
            }
        }

        impl TryFrom<$ours> for $std {
            type Error = io::Error;

            /// As `into_std`.
            fn try_from(ours: $ours) -> io::Result<$std> {
                ours.into_std()
            }
        }
    )*};
}

conversions! {
    TcpListener, std::net::TcpListener, adopt, into_blocking, "trefoil_net::", "tcp_listener";
    TcpStream, std::net::TcpStream, adopt_socket, into_blocking_socket, "trefoil_net::", "tcp_stream";
    UdpSocket, std::net::UdpSocket, adopt_socket, into_blocking_socket, "trefoil_net::", "udp_socket";
    UnixListener, std::os::unix::net::UnixListener, adopt, into_blocking, "trefoil_net::unix::", "unix_listener";
    UnixStream, std::os::unix::net::UnixStream, adopt_socket, into_blocking_socket, "trefoil_net::unix::", "unix_stream";
    UnixDatagram, std::os::unix::net::UnixDatagram, adopt_socket, into_blocking_socket, "trefoil_net::unix::", "unix_datagram";
    PipeReader, std::io::PipeReader, adopt, into_blocking, "trefoil_net::", "pipe_reader";
    PipeWriter, std::io::PipeWriter, adopt, into_blocking, "trefoil_net::", "pipe_writer";
}

/// What all have in common that have a descriptor, and a type of `std` to be made from one.
macro_rules! descriptors {
    ($($ours:ident, $std:path;)*) => {$(
        impl AsFd for $ours {
            fn as_fd(&self) -> BorrowedFd<'_> {
                self.handle.as_fd()
            }
        }

        impl AsRawFd for $ours {
            fn as_raw_fd(&self) -> RawFd {
                self.handle.fd()
            }
        }

        impl IntoRawFd for $ours {
            /// The descriptor, which is non-blocking.
            fn into_raw_fd(self) -> RawFd {
                self.handle.into_fd().into_raw_fd()
            }
        }

        impl From<$ours> for OwnedFd {
            /// The descriptor, which is non-blocking.
            fn from(ours: $ours) -> OwnedFd {
                ours.handle.into_fd()
            }
        }

        impl TryFrom<OwnedFd> for $ours {
            type Error = io::Error;

            /// As `from_std`.
            fn try_from(fd: OwnedFd) -> io::Result<$ours> {
                $ours::from_std(fd.into())
            }
        }

        impl TryFrom<$std> for $ours {
            type Error = io::Error;

            /// As `from_std`.
            fn try_from(theirs: $std) -> io::Result<$ours> {
                $ours::from_std(theirs)
            }
        }

        // A panic, wherever it comes from, leaves a socket as whole as an error does. `std`'s
        // are so too, and programs that catch panics rely on it.
        impl UnwindSafe for $ours {}
        impl RefUnwindSafe for $ours {}
    )*};
}

descriptors! {
    TcpListener, std::net::TcpListener;
    TcpStream, std::net::TcpStream;
    UdpSocket, std::net::UdpSocket;
    UnixListener, std::os::unix::net::UnixListener;
    UnixStream, std::os::unix::net::UnixStream;
    UnixDatagram, std::os::unix::net::UnixDatagram;
    PipeReader, std::io::PipeReader;
    PipeWriter, std::io::PipeWriter;
    ChildStdin, std::process::ChildStdin;
    ChildStdout, std::process::ChildStdout;
    ChildStderr, std::process::ChildStderr;
}
