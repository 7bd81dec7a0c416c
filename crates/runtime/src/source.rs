//! A descriptor that threads wait for, of whatever model.
//!
//! An operation is tried first; when it would block, or has come up short, readiness is used
//! up, and the thread waits. A fiber has its worker's poller watch the direction when it first
//! has to wait for it there; the poller reports edges. A kernel thread polls the descriptor
//! itself.
//!
//! | file        | what it decides                                            |
//! |-------------|------------------------------------------------------------|
//! | `interest`  | the two directions                                         |
//! | `side`      | one direction: whether to try, and who waits               |
//! | `directions`| in which directions a poller watches it                    |
//! | `readiness` | which workers' pollers watch it, in which directions       |
//! | this one    | trying and waiting, and the descriptor's beginning and end |

use core::fmt;
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd};
use std::sync::Arc;

use crate::cancel;
use crate::current;
use crate::model::Model;
use crate::no_suspend;
use crate::os;
use crate::wait::{Outcome, Wait, Waiter};

mod directions;
mod interest;
mod readiness;
mod side;

pub use directions::Directions;
pub use interest::Interest;
pub use readiness::{Poller, Readiness};

/// A non-blocking descriptor that threads of any model wait for.
pub struct Source {
    // Dropped first: a descriptor leaves its poller before it is closed.
    watched: Watched,
    fd: OwnedFd,
}

/// What is known of a descriptor that may be registered with pollers.
struct Watched(Arc<Readiness>);

impl Source {
    /// Takes a descriptor, and makes it non-blocking.
    ///
    /// # Errors
    ///
    /// What `fcntl(2)` says.
    pub fn new(fd: OwnedFd) -> io::Result<Source> {
        set_nonblocking(fd.as_raw_fd())?;
        Ok(Source::from_nonblocking(fd))
    }

    /// Takes a descriptor that is non-blocking.
    #[must_use]
    pub fn from_nonblocking(fd: OwnedFd) -> Source {
        Source {
            watched: Watched(Arc::new(Readiness::new(fd.as_raw_fd()))),
            fd,
        }
    }

    /// Gives the descriptor back. It is non-blocking, and registered nowhere.
    #[must_use]
    pub fn into_fd(self) -> OwnedFd {
        drop(self.watched);
        self.fd
    }

    /// The descriptor.
    #[must_use]
    pub fn fd(&self) -> RawFd {
        self.fd.as_raw_fd()
    }

    /// Does an operation as soon as it does not block: tries it, and as long as it would
    /// block waits as `wait` says. `short` tells of a success that it has used readiness up
    /// (a read that did not fill its buffer), so that the next attempt waits at once.
    ///
    /// # Errors
    ///
    /// The operation's own; `WouldBlock` when the time is over, as a socket of `std` with a
    /// timeout gives it; what the poller says.
    pub fn io<T>(
        &self,
        interest: Interest,
        wait: &Wait,
        short: impl Fn(&T) -> bool,
        mut operation: impl FnMut(BorrowedFd<'_>) -> io::Result<T>,
    ) -> io::Result<T> {
        let side = self.watched.0.side(interest);
        let mut at_once = true;
        if side.is_probably_in_vain() && side.look().is_ready() {
            at_once = false;
            current::give_way();
        }
        loop {
            let seen = side.look();
            if seen.is_ready() {
                match operation(self.as_fd()) {
                    Ok(value) => {
                        if short(&value) {
                            side.came_short(seen);
                        } else if at_once {
                            side.note_try(true);
                        }
                        current::spend();
                        return Ok(value);
                    }
                    Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                        side.would_block(seen);
                        if at_once {
                            side.note_try(false);
                        }
                    }
                    Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                    Err(error) => return Err(error),
                }
            }
            self.wait(interest, wait)?;
            at_once = false;
        }
    }

    /// Makes a call that may wait, of a descriptor whose calls do, as a kernel thread without a
    /// limit. `None`: go on with [`io`](Source::io), which waits by itself. It is no cancellation
    /// point, but a cancellation ends it.
    pub fn call(&self, wait: &Wait, call: &os::Call<'_>) -> Option<io::Result<usize>> {
        if current::model() != Model::Kernel || !current::limit().is_null() {
            return None;
        }
        // There, what is to be had without a wait is had, and a wait is refused.
        if !no_suspend::may_suspend() {
            return None;
        }
        os::make(wait, call)
    }

    /// Waits until the direction may be ready, as `wait` says; raises a cancellation.
    ///
    /// # Errors
    ///
    /// `WouldBlock` when the time is over; what the poller says.
    pub fn wait(&self, interest: Interest, wait: &Wait) -> io::Result<()> {
        // Before the runtime counts it.
        no_suspend::check();
        match current::with_runtime(|runtime| runtime.wait_ready(self, interest, wait))? {
            Outcome::Woken => Ok(()),
            Outcome::TimedOut => Err(io::ErrorKind::WouldBlock.into()),
            Outcome::Cancelled => cancel::raise(),
        }
    }

    /// For a runtime of fibers: waits for an event, with the direction watched by the current
    /// worker's poller, whose number is `home`.
    ///
    /// # Errors
    ///
    /// What the poller says.
    pub fn wait_registered(
        &self,
        interest: Interest,
        wait: &Wait,
        home: usize,
        poller: impl FnOnce() -> Arc<dyn Poller>,
    ) -> io::Result<Outcome> {
        let readiness = &self.watched.0;
        let waiter = Waiter::new();
        // SAFETY: we return after it was fired, or was withdrawn; what waits in between does
        // not unwind.
        let listed = unsafe { readiness.enlist(interest, &waiter, home, poller) }?;
        if !listed {
            return Ok(Outcome::Woken);
        }
        let outcome = waiter.wait(wait);
        if outcome != Outcome::Woken && !readiness.side(interest).withdraw(&waiter) {
            // The event came at this very moment: the waiter must be fired first.
            let patient = Wait {
                until: None,
                cancellable: false,
                ..*wait
            };
            return Ok(waiter.wait(&patient));
        }
        Ok(outcome)
    }

    /// A kernel thread has seen that the direction is ready. `drain`: it will not see it again
    /// before there is more.
    pub(crate) fn is_ready_again(&self, interest: Interest, drain: bool) {
        // Others that wait have their own way to learn it.
        self.watched.0.side(interest).set(drain);
    }

    pub(crate) fn readiness(&self) -> &Arc<Readiness> {
        &self.watched.0
    }
}

impl Drop for Watched {
    fn drop(&mut self) {
        self.0.deregister();
    }
}

impl AsFd for Source {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

impl fmt::Debug for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Source")
            .field("fd", &self.fd())
            .field("readiness", &self.watched.0)
            .finish()
    }
}

fn set_nonblocking(fd: RawFd) -> io::Result<()> {
    // SAFETY: no pointers are passed, and the descriptor is open.
    let flags = unsafe { libc::fcntl(fd, libc::F_GETFL) };
    if flags < 0 {
        return Err(io::Error::last_os_error());
    }
    if flags & libc::O_NONBLOCK != 0 {
        return Ok(());
    }
    // SAFETY: as above.
    if unsafe { libc::fcntl(fd, libc::F_SETFL, flags | libc::O_NONBLOCK) } < 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(())
}
