//! What has a descriptor is made from its number.

use std::os::fd::{FromRawFd, OwnedFd, RawFd};

use crate::fs::File;
use crate::pipe::{PipeReader, PipeWriter};
use crate::process::{ChildStderr, ChildStdin, ChildStdout};
use crate::tcp::{TcpListener, TcpStream};
use crate::udp::UdpSocket;
use crate::unix::{UnixDatagram, UnixListener, UnixStream};

macro_rules! from_number {
    ($($ours:ident)*) => {$(
        impl FromRawFd for $ours {
            /// As `try_from` of an [`OwnedFd`], for code that wants this trait.
            ///
            /// # Panics
            ///
            /// Where `try_from` fails: it cannot be made non-blocking, or is none of this kind.
            ///
            /// # Safety
            ///
            /// The descriptor is open, and nobody else's.
            #[track_caller]
            unsafe fn from_raw_fd(fd: RawFd) -> $ours {
                // SAFETY: passed on to the caller.
                let owned = unsafe { OwnedFd::from_raw_fd(fd) };
                match $ours::try_from(owned) {
                    Ok(ours) => ours,
                    Err(refused) => panic!(
                        "descriptor {fd} cannot be taken over as a {}: {refused}",
                        stringify!($ours)
                    ),
                }
            }
        }
    )*};
}

from_number! {
    TcpListener TcpStream UdpSocket UnixListener UnixStream UnixDatagram
    PipeReader PipeWriter ChildStdin ChildStdout ChildStderr
}

impl FromRawFd for File {
    /// # Safety
    ///
    /// The descriptor is open, and nobody else's.
    unsafe fn from_raw_fd(fd: RawFd) -> File {
        // SAFETY: passed on to the caller.
        unsafe { OwnedFd::from_raw_fd(fd) }.into()
    }
}
