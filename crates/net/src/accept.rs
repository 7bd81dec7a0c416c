//! Taking connections from a listener's queue.
#![forbid(unsafe_code)]

use std::io;
use std::os::fd::{BorrowedFd, OwnedFd};
use std::time::Duration;

use socket2::SockAddr;
use trefoil_runtime::{Interest, Reason, Wait, thread};

use crate::exhausted::DescriptorsExhausted;
use crate::handle::Handle;
use crate::socket;

/// How long `accept` pauses before it says that descriptors are exhausted.
const PAUSE: Duration = Duration::from_millis(1);

impl Handle {
    /// Waits for a connection. A cancellation point.
    #[track_caller]
    pub(crate) fn accept(&self) -> io::Result<(Handle, SockAddr)> {
        self.accept_by(Wait::new(Reason::Accept), socket::accept)
    }

    /// The same, of a listener that says that it would block after it was shut down, and yet is
    /// reported ready for ever: a Unix socket. To who may block the kernel says `EINVAL`.
    #[track_caller]
    pub(crate) fn accept_unless_ended(&self) -> io::Result<(Handle, SockAddr)> {
        let nonblocking = self.is_nonblocking();
        let accept = |fd: BorrowedFd<'_>, waits| match socket::accept(fd, waits) {
            Err(none) if none.kind() == io::ErrorKind::WouldBlock && !nonblocking => {
                match socket::is_ended(fd)? {
                    true => Err(io::Error::from_raw_os_error(libc::EINVAL)),
                    false => Err(none),
                }
            }
            accepted => accepted,
        };
        self.accept_by(Wait::new(Reason::Accept), accept)
    }

    #[track_caller]
    fn accept_by(
        &self,
        wait: Wait,
        mut accept: impl FnMut(BorrowedFd<'_>, bool) -> io::Result<(OwnedFd, SockAddr)>,
    ) -> io::Result<(Handle, SockAddr)> {
        let waits = socket::waits();
        // Whether it was the last one in the queue is not told.
        let accepted = self.io(Interest::Read, wait, |_| false, |fd| accept(fd, waits));
        match accepted {
            Ok((fd, address)) => Ok((Handle::from_socket(fd, waits), address)),
            Err(refused) => {
                self.pause_if_exhausted(&refused);
                Err(refused)
            }
        }
    }

    /// A server that only tries again would keep the threads from running that could close
    /// connections: fibers of its OS thread.
    #[track_caller]
    fn pause_if_exhausted(&self, refused: &io::Error) {
        let exhausted = refused
            .get_ref()
            .is_some_and(<dyn std::error::Error + Send + Sync>::is::<DescriptorsExhausted>);
        if exhausted && !self.is_nonblocking() {
            thread::sleep(PAUSE);
        }
    }
}
