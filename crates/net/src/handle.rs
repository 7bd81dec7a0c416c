//! A descriptor, with how its calls wait: what every socket and every pipe is made of.
//!
//! | file       | what it adds to a handle                             |
//! |------------|------------------------------------------------------|
//! | `modes`    | how long a call waits                                |
//! | `bytes`    | `Read` and `Write`, for what carries a stream        |
//! | `datagram` | whole messages, for what carries those               |
//! | `accept`   | connections, for what listens                        |
//! | `methods`  | the public methods that several types have in common |
//! | `convert`  | the conversions that all types have in common        |
//!
//! It is no public type: what a program names says what the descriptor is.
#![forbid(unsafe_code)]

use std::io;
use std::os::fd::{AsFd as _, BorrowedFd, OwnedFd, RawFd};
use std::sync::Arc;
use std::time::Duration;

use socket2::SockRef;
use trefoil_runtime::{Interest, Source, Wait};

use crate::modes::{Modes, zero};
use crate::socket;

/// A socket's option counts whole microseconds, and 0 is no limit.
fn whole(timeout: Option<Duration>) -> Option<Duration> {
    timeout.map(|timeout| timeout.max(Duration::from_micros(1)))
}

pub(crate) struct Handle {
    pub(crate) source: Source,
    modes: Arc<Modes>,
}

impl Handle {
    pub(crate) fn from_nonblocking(fd: OwnedFd) -> Handle {
        Handle {
            source: Source::from_nonblocking(fd),
            modes: Arc::default(),
        }
    }

    /// A socket that a thread of this model has made; see [`socket::waits`].
    pub(crate) fn from_socket(fd: OwnedFd, waits: bool) -> Handle {
        Handle {
            // Its calls say that they do not wait.
            source: Source::from_nonblocking(fd),
            modes: Arc::new(Modes::new(waits)),
        }
    }

    /// Takes a descriptor over, and makes it non-blocking.
    pub(crate) fn adopt(fd: OwnedFd) -> io::Result<Handle> {
        Ok(Handle {
            source: Source::new(fd)?,
            modes: Arc::default(),
        })
    }

    /// The same, of a socket: it keeps the timeouts that are its options.
    pub(crate) fn adopt_socket(fd: OwnedFd) -> io::Result<Handle> {
        let options = SockRef::from(&fd);
        let (read, write) = (options.read_timeout()?, options.write_timeout()?);
        let handle = Handle::adopt(fd)?;
        handle.set_timeout(Interest::Read, read)?;
        handle.set_timeout(Interest::Write, write)?;
        Ok(handle)
    }

    /// Gives the descriptor back. It blocks, unless the program has asked for the contrary.
    pub(crate) fn into_blocking(self) -> io::Result<OwnedFd> {
        let nonblocking = self.modes.is_nonblocking();
        let fd = self.source.into_fd();
        SockRef::from(&fd).set_nonblocking(nonblocking)?;
        Ok(fd)
    }

    /// The same, of a socket: the timeouts become its options.
    pub(crate) fn into_blocking_socket(self) -> io::Result<OwnedFd> {
        let modes = Arc::clone(&self.modes);
        let fd = self.into_blocking()?;
        let options = SockRef::from(&fd);
        options.set_read_timeout(whole(modes.timeout(Interest::Read)))?;
        options.set_write_timeout(whole(modes.timeout(Interest::Write)))?;
        Ok(fd)
    }

    /// Gives the descriptor back. It is non-blocking.
    pub(crate) fn into_fd(self) -> OwnedFd {
        let waits = self.modes.waits();
        let fd = self.source.into_fd();
        if waits {
            let changed = SockRef::from(&fd).set_nonblocking(true);
            changed.expect("an open socket can be made non-blocking");
        }
        fd
    }

    /// Another descriptor of the same thing, which shares how its calls wait.
    pub(crate) fn try_clone(&self) -> io::Result<Handle> {
        Ok(Handle {
            source: Source::from_nonblocking(socket::duplicate(self.as_fd())?),
            modes: Arc::clone(&self.modes),
        })
    }

    pub(crate) fn fd(&self) -> RawFd {
        self.source.fd()
    }

    pub(crate) fn as_fd(&self) -> BorrowedFd<'_> {
        self.source.as_fd()
    }

    /// Its options, if it is a socket.
    pub(crate) fn socket(&self) -> SockRef<'_> {
        SockRef::from(&self.source)
    }

    pub(crate) fn timeout(&self, interest: Interest) -> Option<Duration> {
        self.modes.timeout(interest)
    }

    pub(crate) fn set_timeout(
        &self,
        interest: Interest,
        timeout: Option<Duration>,
    ) -> io::Result<()> {
        if timeout == Some(Duration::ZERO) {
            return Err(zero());
        }
        // Two threads that set different ones must not each have a part of it.
        let _alone = self.modes.change();
        // Of a call that waits in the kernel, the kernel ends the wait. Should it do so too early, the
        // rest is waited for by a poll.
        let waits = interest == Interest::Read && self.modes.waits();
        if waits && timeout != self.modes.timeout(interest) {
            self.socket().set_read_timeout(whole(timeout))?;
        }
        self.modes.set_timeout(interest, timeout);
        Ok(())
    }

    /// The calls of a new socket wait from now on, unless they say that they do not; see
    /// [`socket::waits`].
    pub(crate) fn let_calls_wait(&self, waits: bool) -> io::Result<()> {
        if waits {
            let _alone = self.modes.change();
            let limit = whole(self.modes.timeout(Interest::Read));
            if limit.is_some() {
                self.socket().set_read_timeout(limit)?;
            }
            self.socket().set_nonblocking(false)?;
            self.modes.let_wait();
        }
        Ok(())
    }

    /// Whether a kernel thread may wait in the call; see [`Source::call`].
    #[inline]
    pub(crate) fn waits_in_call(&self) -> bool {
        self.modes.waits_in_call()
    }

    pub(crate) fn is_nonblocking(&self) -> bool {
        self.modes.is_nonblocking()
    }

    pub(crate) fn set_nonblocking(&self, nonblocking: bool) {
        self.modes.set_nonblocking(nonblocking);
    }

    /// The same wait, for as long as a call in this direction may take. A cancellation point.
    pub(crate) fn limit(&self, interest: Interest, wait: Wait) -> Wait {
        self.modes.limit(interest, wait)
    }

    /// Does an operation as its modes say; see [`Modes::io`].
    #[inline]
    pub(crate) fn io<T>(
        &self,
        interest: Interest,
        wait: Wait,
        short: impl Fn(&T) -> bool,
        operation: impl FnMut(BorrowedFd<'_>) -> io::Result<T>,
    ) -> io::Result<T> {
        self.modes
            .io(&self.source, interest, wait, short, operation)
    }
}
