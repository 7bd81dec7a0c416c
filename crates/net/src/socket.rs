//! The system calls on sockets, one each. None of them waits: the descriptors are non-blocking, or,
//! where a kernel thread has [made](waits) the connection, the calls say that they do not wait.

use std::ffi::{c_int, c_long};
use std::io::{self, IoSlice, IoSliceMut};
use std::mem::MaybeUninit;
use std::net::SocketAddr;
use std::os::fd::{AsRawFd as _, BorrowedFd, FromRawFd as _, OwnedFd};

use socket2::{Domain, Protocol, SockAddr, SockRef, Type};
use trefoil_runtime::{Model, model};

use crate::bytes::Kind;
use crate::exhausted::explain;

/// Sockets that carry a stream of bytes.
pub(crate) struct Socket;

/// A new one, connected to nobody.
pub(crate) fn new(
    domain: Domain,
    kind: Type,
    protocol: Option<Protocol>,
) -> io::Result<socket2::Socket> {
    socket2::Socket::new(domain, kind.nonblocking().cloexec(), protocol).map_err(explain)
}

/// Whether a connection that the calling thread makes lets calls wait: a kernel thread may then
/// wait in the call itself, as a plain one does, in place of a try, a poll and another try.
pub(crate) fn waits() -> bool {
    model() == Model::Kernel
}

/// Takes a connection from a listener's queue, one that [waits] or not.
pub(crate) fn accept(listener: BorrowedFd<'_>, waits: bool) -> io::Result<(OwnedFd, SockAddr)> {
    let flags = libc::SOCK_CLOEXEC | if waits { 0 } else { libc::SOCK_NONBLOCK };
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
    Ok((unsafe { OwnedFd::from_raw_fd(fd) }, address))
}

/// Begins to connect. The attempt goes on by itself; [`connected`] tells its end.
pub(crate) fn connect(to: SocketAddr) -> io::Result<OwnedFd> {
    let socket = new(Domain::for_address(to), Type::STREAM, Some(Protocol::TCP))?;
    begin(socket, to)
}

/// The same, with a socket that is there, and non-blocking.
pub(crate) fn begin(socket: socket2::Socket, to: SocketAddr) -> io::Result<OwnedFd> {
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

impl Kind for Socket {
    #[inline]
    fn read(fd: BorrowedFd<'_>, buffer: &mut [u8]) -> io::Result<usize> {
        recv(fd, buffer)
    }

    fn read_vectored(fd: BorrowedFd<'_>, buffers: &mut [IoSliceMut<'_>]) -> io::Result<usize> {
        recv_vectored(fd, buffers)
    }

    #[inline]
    fn write(fd: BorrowedFd<'_>, bytes: &[u8]) -> io::Result<usize> {
        send(fd, bytes)
    }

    fn write_vectored(fd: BorrowedFd<'_>, bytes: &[IoSlice<'_>]) -> io::Result<usize> {
        SockRef::from(&fd).send_vectored_with_flags(bytes, SEND)
    }
}

#[inline]
pub(crate) fn recv(fd: BorrowedFd<'_>, buffer: &mut [u8]) -> io::Result<usize> {
    recv_with(fd, buffer, libc::MSG_DONTWAIT)
}

pub(crate) fn peek(fd: BorrowedFd<'_>, buffer: &mut [u8]) -> io::Result<usize> {
    recv_with(fd, buffer, libc::MSG_DONTWAIT | libc::MSG_PEEK)
}

#[inline]
fn recv_with(fd: BorrowedFd<'_>, buffer: &mut [u8], flags: c_int) -> io::Result<usize> {
    let (buffer, len) = (buffer.as_mut_ptr(), buffer.len());
    // SAFETY: the buffer is alive for the call, and ours to be written to.
    unsafe { call(libc::SYS_recvfrom, fd, buffer, len, flags) }
}

/// `recv(2)` or `send(2)` without what the C library adds: there they are cancellation points of
/// `pthread_cancel(3)`, which costs two atomic exchanges each time in a process with threads, 40 to
/// 80 ns of some 300.
///
/// # Safety
///
/// The buffer is alive for the call; for `recvfrom(2)` it may be written to.
#[inline]
unsafe fn call(
    number: c_long,
    fd: BorrowedFd<'_>,
    buffer: *const u8,
    len: usize,
    flags: c_int,
) -> io::Result<usize> {
    // Without an address.
    let nobody = core::ptr::null::<u8>();
    // SAFETY: passed on to the caller; the descriptor is open.
    match unsafe { libc::syscall(number, fd.as_raw_fd(), buffer, len, flags, nobody, 0usize) } {
        -1 => Err(io::Error::last_os_error()),
        count => Ok(count.cast_unsigned() as usize),
    }
}

fn recv_vectored(fd: BorrowedFd<'_>, buffers: &mut [IoSliceMut<'_>]) -> io::Result<usize> {
    // SAFETY: all zeroes is a message without a name, buffers and control data.
    let mut message: libc::msghdr = unsafe { core::mem::zeroed() };
    // They are laid out alike, as `IoSliceMut` promises.
    message.msg_iov = buffers.as_mut_ptr().cast();
    message.msg_iovlen = buffers.len() as _;
    // SAFETY: the message is alive for the call, and so are its buffers.
    match unsafe { libc::recvmsg(fd.as_raw_fd(), &raw mut message, libc::MSG_DONTWAIT) } {
        -1 => Err(io::Error::last_os_error()),
        count => Ok(count.cast_unsigned()),
    }
}

pub(crate) fn recv_from(fd: BorrowedFd<'_>, buffer: &mut [u8]) -> io::Result<(usize, SockAddr)> {
    // SAFETY: `recvfrom(2)` writes initialized bytes only.
    SockRef::from(&fd).recv_from(unsafe { as_uninit(buffer) })
}

pub(crate) fn peek_from(fd: BorrowedFd<'_>, buffer: &mut [u8]) -> io::Result<(usize, SockAddr)> {
    // SAFETY: `recvfrom(2)` writes initialized bytes only.
    SockRef::from(&fd).peek_from(unsafe { as_uninit(buffer) })
}

/// Bytes that are initialized, seen as ones that need not be.
///
/// # Safety
///
/// Only initialized bytes are written to it.
unsafe fn as_uninit(buffer: &mut [u8]) -> &mut [MaybeUninit<u8>] {
    // SAFETY: the same memory, as long; the caller keeps it initialized.
    unsafe { &mut *(core::ptr::from_mut(buffer) as *mut [MaybeUninit<u8>]) }
}

/// A peer that has gone is an error, not a signal that ends the process.
const SEND: c_int = libc::MSG_NOSIGNAL | libc::MSG_DONTWAIT;

#[inline]
pub(crate) fn send(fd: BorrowedFd<'_>, bytes: &[u8]) -> io::Result<usize> {
    // SAFETY: the bytes are alive for the call, which reads them.
    unsafe { call(libc::SYS_sendto, fd, bytes.as_ptr(), bytes.len(), SEND) }
}

pub(crate) fn send_to(fd: BorrowedFd<'_>, bytes: &[u8], to: &SockAddr) -> io::Result<usize> {
    SockRef::from(&fd).send_to_with_flags(bytes, to, SEND)
}

/// Whether it has room: `WouldBlock` if not.
pub(crate) fn writable(fd: BorrowedFd<'_>) -> io::Result<()> {
    match poll(fd, libc::POLLOUT)? {
        0 => Err(io::ErrorKind::WouldBlock.into()),
        _ => Ok(()),
    }
}

/// Whether it was shut down for receiving.
pub(crate) fn is_ended(fd: BorrowedFd<'_>) -> io::Result<bool> {
    Ok(poll(fd, libc::POLLRDHUP)? & libc::POLLRDHUP != 0)
}

/// What of `events`, errors and the end holds now.
fn poll(fd: BorrowedFd<'_>, events: libc::c_short) -> io::Result<libc::c_short> {
    let mut asked = libc::pollfd {
        fd: fd.as_raw_fd(),
        events,
        revents: 0,
    };
    // SAFETY: one pollfd, alive for the call, which does not wait.
    match unsafe { libc::poll(&raw mut asked, 1, 0) } {
        -1 => Err(io::Error::last_os_error()),
        _ => Ok(asked.revents),
    }
}

/// Another descriptor of the same socket.
pub(crate) fn duplicate(fd: BorrowedFd<'_>) -> io::Result<OwnedFd> {
    fd.try_clone_to_owned().map_err(explain)
}

/// The internet address that a call has given.
pub(crate) fn internet(address: &SockAddr) -> io::Result<SocketAddr> {
    address
        .as_socket()
        .ok_or_else(|| io::Error::other("the socket has no internet address"))
}
