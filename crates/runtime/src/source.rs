//! A descriptor that threads wait for, of whatever model.
//!
//! Each direction has a word that says whether an operation is worth trying, and a list of
//! those who wait. An operation is tried first; when it would block, or has come up short,
//! readiness is used up, and the thread waits. A fiber registers the descriptor with its
//! worker's poller when it first has to wait; the poller reports edges, which set the word.
//! A kernel thread polls the descriptor itself.
//!
//! | bit of the word | meaning |
//! |-----------------|---------|
//! | READY           | the operation may succeed: try it |
//! | CLOSED          | it will not block any more (end of stream, error): READY stays |
//! | the rest        | counts events, so that readiness is not used up by an operation that began before the event |
//!
//! No event is lost: a waiter is listed under the list's lock after a look at the word; an
//! event first changes the word and then takes the list under that lock.

use core::fmt;
use core::sync::atomic::{AtomicUsize, Ordering};
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd};
use std::sync::Arc;

use crate::cancel;
use crate::current;
use crate::spin::Spin;
use crate::wait::{Outcome, Wait, Waiter};

const READY: usize = 1;
const CLOSED: usize = 2;
const EVENT: usize = 4;

/// What an operation on a descriptor needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Interest {
    /// Something to read, a connection to accept.
    Read,
    /// Room to write, a connection attempt that has ended.
    Write,
}

/// A worker's poller, as a descriptor sees it.
pub trait Poller: Send + Sync {
    /// Watches the descriptor for both directions, by edges, beginning with what is ready
    /// now; each goes to [`Readiness::event`].
    ///
    /// # Errors
    ///
    /// The operating system's.
    fn register(&self, fd: RawFd, readiness: Arc<Readiness>) -> io::Result<usize>;

    /// Ends the registration with this token.
    fn deregister(&self, fd: RawFd, token: usize);
}

struct Registration {
    poller: Arc<dyn Poller>,
    token: usize,
}

/// What is known about a descriptor: what a poller holds of it.
pub struct Readiness {
    read: Side,
    write: Side,
    registration: Spin<Option<Registration>>,
}

struct Side {
    word: AtomicUsize,
    waiters: Spin<Vec<Listed>>,
}

#[derive(Clone, Copy)]
struct Listed(*const Waiter);

// SAFETY: a listed waiter is alive: it is taken out before it goes. Firing is for all.
unsafe impl Send for Listed {}

impl Side {
    fn new() -> Side {
        Side {
            word: AtomicUsize::new(READY),
            waiters: Spin::new(Vec::new()),
        }
    }

    fn look(&self) -> usize {
        // Acquire: pairs with `event`.
        self.word.load(Ordering::Acquire)
    }

    /// The operation that began after `seen` has used readiness up.
    fn used_up(&self, seen: usize) {
        if seen & CLOSED == 0 {
            // Relaxed: it says nothing about other data. It fails if an event came since.
            let _ = self.word.compare_exchange(
                seen,
                seen & !READY,
                Ordering::Relaxed,
                Ordering::Relaxed,
            );
        }
    }

    fn event(&self, closed: bool) {
        let set = READY | if closed { CLOSED } else { 0 };
        // Release: pairs with `look`. The loop ends: it is repeated only if others changed
        // the word.
        let _ = self
            .word
            .fetch_update(Ordering::Release, Ordering::Relaxed, |word| {
                Some((word | set).wrapping_add(EVENT))
            });
        let waiters = core::mem::take(&mut *self.waiters.lock());
        for waiter in waiters {
            // SAFETY: it was listed, so it is alive, and taking it out gave us the right to
            // fire it.
            unsafe { Waiter::fire(waiter.0) };
        }
    }

    /// Lists the waiter, unless the side is ready.
    ///
    /// # Safety
    ///
    /// The waiter stays where it is until it has been fired or `withdraw` has said `true`.
    unsafe fn enlist(&self, waiter: &Waiter) -> bool {
        let mut waiters = self.waiters.lock();
        if self.look() & READY != 0 {
            return false;
        }
        waiters.push(Listed(waiter));
        true
    }

    /// Takes the waiter out. `false`: it is being fired.
    fn withdraw(&self, waiter: &Waiter) -> bool {
        let mut waiters = self.waiters.lock();
        let found = waiters
            .iter()
            .position(|listed| core::ptr::eq(listed.0, waiter));
        found.map(|at| waiters.swap_remove(at)).is_some()
    }
}

impl Readiness {
    fn new() -> Readiness {
        Readiness {
            read: Side::new(),
            write: Side::new(),
            registration: Spin::new(None),
        }
    }

    fn side(&self, interest: Interest) -> &Side {
        match interest {
            Interest::Read => &self.read,
            Interest::Write => &self.write,
        }
    }

    /// An event came for this direction: all who wait for it try again. `closed`: its
    /// operations will not block any more.
    pub fn event(&self, interest: Interest, closed: bool) {
        self.side(interest).event(closed);
    }

    /// The poller has closed: the descriptor is registered nowhere. Who waits tries again,
    /// and registers elsewhere.
    pub fn detach(&self) {
        let gone = self.registration.lock().take();
        drop(gone);
        self.read.event(false);
        self.write.event(false);
    }
}

impl fmt::Debug for Readiness {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Readiness")
            .field("read", &(self.read.look() & (READY | CLOSED)))
            .field("write", &(self.write.look() & (READY | CLOSED)))
            .finish_non_exhaustive()
    }
}

/// A non-blocking descriptor that threads of any model wait for.
pub struct Source {
    // Dropped first: a descriptor leaves its poller before it is closed.
    watched: Watched,
    fd: OwnedFd,
}

/// What is known of a descriptor that may be registered with a poller.
struct Watched {
    readiness: Arc<Readiness>,
    fd: RawFd,
}

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
            watched: Watched {
                readiness: Arc::new(Readiness::new()),
                fd: fd.as_raw_fd(),
            },
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
        let side = self.watched.readiness.side(interest);
        loop {
            let seen = side.look();
            if seen & READY != 0 {
                match operation(self.as_fd()) {
                    Ok(value) => {
                        if short(&value) {
                            side.used_up(seen);
                        }
                        return Ok(value);
                    }
                    Err(error) if error.kind() == io::ErrorKind::WouldBlock => side.used_up(seen),
                    Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                    Err(error) => return Err(error),
                }
            }
            self.wait(interest, wait)?;
        }
    }

    /// Waits until the direction may be ready, as `wait` says; raises a cancellation.
    ///
    /// # Errors
    ///
    /// `WouldBlock` when the time is over; what the poller says.
    pub fn wait(&self, interest: Interest, wait: &Wait) -> io::Result<()> {
        match current::with_runtime(|runtime| runtime.wait_ready(self, interest, wait))? {
            Outcome::Woken => Ok(()),
            Outcome::TimedOut => Err(io::ErrorKind::WouldBlock.into()),
            Outcome::Cancelled => cancel::raise(),
        }
    }

    /// For a runtime of fibers: waits for an event, with the descriptor registered. `poller`
    /// is the current worker's; a descriptor that is registered elsewhere stays there.
    ///
    /// # Errors
    ///
    /// What the poller says.
    pub fn wait_registered(
        &self,
        interest: Interest,
        wait: &Wait,
        poller: impl FnOnce() -> Arc<dyn Poller>,
    ) -> io::Result<Outcome> {
        self.register(poller)?;
        let side = self.watched.readiness.side(interest);
        let waiter = Waiter::new();
        // SAFETY: we return after it was fired, or was withdrawn; what waits in between does
        // not unwind.
        if !unsafe { side.enlist(&waiter) } {
            return Ok(Outcome::Woken);
        }
        let outcome = waiter.wait(wait);
        if outcome != Outcome::Woken && !side.withdraw(&waiter) {
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

    /// One descriptor, one registration: with the first worker that had to wait. The lock is
    /// held over a system call, which does not block; who comes meanwhile is about to make
    /// the same one.
    fn register(&self, poller: impl FnOnce() -> Arc<dyn Poller>) -> io::Result<()> {
        let readiness = &self.watched.readiness;
        let mut registration = readiness.registration.lock();
        if registration.is_none() {
            let poller = poller();
            let token = poller.register(self.fd(), Arc::clone(readiness))?;
            *registration = Some(Registration { poller, token });
        }
        Ok(())
    }

    /// A kernel thread has seen that the direction is ready.
    pub(crate) fn is_ready_again(&self, interest: Interest) {
        // Others that wait have their own way to learn it.
        self.watched
            .readiness
            .side(interest)
            .word
            .fetch_or(READY, Ordering::Relaxed);
    }
}

impl Drop for Watched {
    fn drop(&mut self) {
        let registration = self.readiness.registration.lock().take();
        if let Some(Registration { poller, token }) = registration {
            poller.deregister(self.fd, token);
        }
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
            .field("readiness", &self.watched.readiness)
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
