//! The system calls, one each. None of them waits: the descriptors are non-blocking.

use std::io::{self, IoSlice, IoSliceMut, Read as _};
use std::mem::MaybeUninit;
use std::net::SocketAddr;
use std::os::fd::{AsRawFd as _, BorrowedFd, FromRawFd as _, OwnedFd};

use socket2::{Domain, Protocol, SockAddr, SockRef, Socket, Type};

use crate::exhausted::explain;

/// The system refuses a call with more buffers; `std` hands on the first ones, and so do we.
pub(crate) const MOST_BUFFERS: usize = libc::UIO_MAXIOV as usize;

/// Takes a connection from a listener's queue.
pub(crate) fn accept(listener: BorrowedFd<'_>) -> io::Result<(OwnedFd, SocketAddr)> {
    let flags = libc::SOCK_NONBLOCK | libc::SOCK_CLOEXEC;
    // SAFETY: `try_init` gives room for an address and its length, which `accept4` fills when
    // it succeeds; the listener is open.
    let accepted = unsafe {
        SockAddr::try_init(|storage, len| {
            match libc::accept4(listener.as_raw_fd(), storage.cast(), len, flags) {
                -1 => Err(io::Error::last_os_error()),
                fd => Ok(fd),
            }
        })
    };
    let (fd, address) = accepted.map_err(explain)?;
    // SAFETY: `accept4` has just given us the descriptor.
    let fd = unsafe { OwnedFd::from_raw_fd(fd) };
    match address.as_socket() {
        Some(address) => Ok((fd, address)),
        None => Err(io::Error::other("the peer has no internet address")),
    }
}

/// Begins to connect. The attempt goes on by itself; [`connected`] tells its end.
pub(crate) fn connect(to: SocketAddr) -> io::Result<OwnedFd> {
    let kind = Type::STREAM.nonblocking().cloexec();
    let socket =
        Socket::new(Domain::for_address(to), kind, Some(Protocol::TCP)).map_err(explain)?;
    match socket.connect(&to.into()) {
        Err(error) if !is_under_way(&error) => Err(error),
        _ => Ok(socket.into()),
    }
}

/// `EAGAIN` is not among them: for TCP it means that the attempt was not begun, and nothing
/// would ever end it.
fn is_under_way(error: &io::Error) -> bool {
    matches!(error.raw_os_error(), Some(libc::EINPROGRESS | libc::EINTR))
}

/// Whether the attempt to connect has succeeded. `WouldBlock`: it is still under way. The
/// error is asked for first: an attempt that fails in between is seen at the next event.
pub(crate) fn connected(fd: BorrowedFd<'_>) -> io::Result<()> {
    let socket = SockRef::from(&fd);
    if let Some(failed) = socket.take_error()? {
        return Err(failed);
    }
    match socket.peer_addr() {
        Ok(_) => Ok(()),
        Err(error) if error.kind() == io::ErrorKind::NotConnected => {
            Err(io::ErrorKind::WouldBlock.into())
        }
        Err(error) => Err(error),
    }
}

pub(crate) fn read(fd: BorrowedFd<'_>, buffer: &mut [u8]) -> io::Result<usize> {
    (&*SockRef::from(&fd)).read(buffer)
}

pub(crate) fn read_vectored(
    fd: BorrowedFd<'_>,
    buffers: &mut [IoSliceMut<'_>],
) -> io::Result<usize> {
    (&*SockRef::from(&fd)).read_vectored(buffers)
}

pub(crate) fn peek(fd: BorrowedFd<'_>, buffer: &mut [u8]) -> io::Result<usize> {
    // SAFETY: bytes that are initialized may be seen as ones that need not be; `peek` only
    // writes initialized ones.
    let buffer = unsafe { &mut *(core::ptr::from_mut(buffer) as *mut [MaybeUninit<u8>]) };
    SockRef::from(&fd).peek(buffer)
}

// A peer that has gone is an error, not a signal that ends the process.
pub(crate) fn write(fd: BorrowedFd<'_>, bytes: &[u8]) -> io::Result<usize> {
    SockRef::from(&fd).send_with_flags(bytes, libc::MSG_NOSIGNAL)
}

pub(crate) fn write_vectored(fd: BorrowedFd<'_>, bytes: &[IoSlice<'_>]) -> io::Result<usize> {
    SockRef::from(&fd).send_vectored_with_flags(bytes, libc::MSG_NOSIGNAL)
}

/// Another descriptor of the same socket.
pub(crate) fn duplicate(fd: BorrowedFd<'_>) -> io::Result<OwnedFd> {
    fd.try_clone_to_owned().map_err(explain)
}

/// The internet address that a call has given.
pub(crate) fn internet(address: io::Result<SockAddr>) -> io::Result<SocketAddr> {
    address?
        .as_socket()
        .ok_or_else(|| io::Error::other("the socket has no internet address"))
}
