//! With which pollers a descriptor is registered.
//!
//! A fiber waits by the poller of its own worker, and by no other: another worker may compute
//! for long before it looks at its poller. So the descriptor is registered with each worker
//! of which a thread waits for it:
//!
//! 1. *A thread that waits* registers the descriptor with its own worker's poller, if it is not
//!    registered there. A registration of another worker is ended if nobody waits by it: the
//!    descriptor moves. If somebody does, both stay, and each edge goes to both.
//! 2. *A poller that reports an edge* wakes its own threads. If none waits by it, and another
//!    worker has a registration too, it ends its own, so that a worker is not woken again and
//!    again for what only others want.
//!
//! Both are done under the lock of the list, and so is listing the waiter. Therefore a listed
//! waiter's poller has a registration, always. Why no edge is lost:
//!
//! * Edges go to every registration. For each thread only its own poller's count, and to that
//!   pair all applies that `side` says of one poller and its waiters.
//! * A new registration reports at once what is ready, so what came before it, or was reported
//!   to the registration that it replaces, is learnt. It is made before the old one is ended.
//! * A report that is delivered after its registration has ended only says "try again".
//!
//! A thread that waits again and again on the same worker finds its registration, and pays for
//! one lock here and one in `side`, as with a single registration.

use core::fmt;
use core::sync::atomic::{AtomicBool, Ordering};
use std::io;
use std::os::fd::RawFd;
use std::sync::Arc;

use super::Interest;
use super::side::Side;
use crate::spin::Spin;
use crate::wait::Waiter;

/// A worker's poller, as a descriptor sees it.
///
/// Each poller of the process has a number of its own, by which a descriptor knows it: its
/// `home`.
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
    home: usize,
    poller: Arc<dyn Poller>,
    token: usize,
}

/// What is known about a descriptor: what a poller holds of it.
pub struct Readiness {
    /// Open as long as there is a registration.
    fd: RawFd,
    read: Side,
    write: Side,
    registrations: Spin<Vec<Registration>>,
    /// Whether there are several registrations. A hint that spares the lock, written under it
    /// and relaxed: one that is late costs an event for nobody, or a look at the list.
    several: AtomicBool,
}

impl Readiness {
    pub(super) fn new(fd: RawFd) -> Readiness {
        Readiness {
            fd,
            read: Side::new(),
            write: Side::new(),
            registrations: Spin::new(Vec::new()),
            several: AtomicBool::new(false),
        }
    }

    pub(super) fn side(&self, interest: Interest) -> &Side {
        match interest {
            Interest::Read => &self.read,
            Interest::Write => &self.write,
        }
    }

    /// The poller `home` reports an edge in this direction: the threads that wait by it try
    /// again. `drain`: a short success tells nothing, for there is urgent data, an error, or
    /// the end of the stream. Returns whether somebody waited; if nobody did, in either
    /// direction, call [`unwanted`](Readiness::unwanted).
    #[must_use]
    pub fn event(&self, home: usize, interest: Interest, drain: bool) -> bool {
        self.side(interest).event(home, drain)
    }

    /// An edge came to the poller `home`, and none of its threads was woken. It leaves the
    /// descriptor to other workers, if there are some and none of its own threads waits.
    pub fn unwanted(&self, home: usize) {
        if self.several.load(Ordering::Relaxed) {
            drop(self.leave(home));
        }
    }

    /// What it returns is dropped without the lock.
    #[cold]
    fn leave(&self, home: usize) -> Option<Registration> {
        let mut registrations = self.registrations.lock();
        if registrations.len() < 2 || self.has_waiter_at(home) {
            return None;
        }
        let at = registrations.iter().position(|one| one.home == home)?;
        let gone = registrations.swap_remove(at);
        // Under the lock: a thread of that worker may come and register again.
        gone.poller.deregister(self.fd, gone.token);
        self.note(&registrations);
        Some(gone)
    }

    /// The poller `home` has closed: the descriptor is not registered there any more. Who
    /// waits by it tries again.
    pub fn detach(&self, home: usize) {
        let gone: Vec<_> = {
            let mut registrations = self.registrations.lock();
            let gone = registrations.extract_if(.., |one| one.home == home);
            let gone = gone.collect();
            self.note(&registrations);
            gone
        };
        drop(gone);
        self.read.event(home, false);
        self.write.event(home, false);
    }

    /// Lists a thread of the worker whose poller is `home`, and registers the descriptor there.
    /// `false`: it is ready.
    ///
    /// The lock is held over a system call, which does not block, when a worker is new here.
    ///
    /// # Safety
    ///
    /// The waiter stays where it is until it has been fired or `withdraw` has said `true`.
    pub(super) unsafe fn enlist(
        self: &Arc<Self>,
        interest: Interest,
        waiter: &Waiter,
        home: usize,
        poller: impl FnOnce() -> Arc<dyn Poller>,
    ) -> io::Result<bool> {
        // Dropped after the lock.
        let _left;
        let mut registrations = self.registrations.lock();
        if !registrations.iter().any(|one| one.home == home) {
            _left = self.register(&mut registrations, home, poller())?;
        }
        // SAFETY: passed on to the caller.
        Ok(unsafe { self.side(interest).enlist(waiter, home) })
    }

    /// Registers with one poller more, and leaves those by which nobody waits.
    #[cold]
    fn register(
        self: &Arc<Self>,
        registrations: &mut Vec<Registration>,
        home: usize,
        poller: Arc<dyn Poller>,
    ) -> io::Result<Vec<Registration>> {
        let token = poller.register(self.fd, Arc::clone(self))?;
        let left = registrations.extract_if(.., |other| !self.has_waiter_at(other.home));
        let left: Vec<_> = left.collect();
        for Registration { poller, token, .. } in &left {
            poller.deregister(self.fd, *token);
        }
        registrations.push(Registration {
            home,
            poller,
            token,
        });
        self.note(registrations);
        Ok(left)
    }

    /// Ends all registrations, before the descriptor is closed. No thread waits any more.
    pub(super) fn deregister(&self) {
        let registrations = core::mem::take(&mut *self.registrations.lock());
        for Registration { poller, token, .. } in registrations {
            poller.deregister(self.fd, token);
        }
    }

    fn note(&self, registrations: &[Registration]) {
        self.several
            .store(registrations.len() > 1, Ordering::Relaxed);
    }

    fn has_waiter_at(&self, home: usize) -> bool {
        self.read.has_waiter_at(home) || self.write.has_waiter_at(home)
    }
}

impl fmt::Debug for Readiness {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Readiness")
            .field("read", &self.read.look())
            .field("write", &self.write.look())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Mutex;

    /// The pollers of two workers, as what they were asked.
    #[derive(Default)]
    struct Pollers(Arc<Mutex<Vec<String>>>);

    struct Numbered(usize, Arc<Mutex<Vec<String>>>);

    impl Poller for Numbered {
        fn register(&self, _: RawFd, _: Arc<Readiness>) -> io::Result<usize> {
            if self.0 == 13 {
                return Err(io::ErrorKind::OutOfMemory.into());
            }
            self.1.lock().unwrap().push(format!("+{}", self.0));
            Ok(self.0)
        }

        fn deregister(&self, _: RawFd, token: usize) {
            assert_eq!(token, self.0);
            self.1.lock().unwrap().push(format!("-{token}"));
        }
    }

    impl Pollers {
        fn asked(&self) -> String {
            core::mem::take(&mut *self.0.lock().unwrap()).join(" ")
        }

        fn wait<'a>(&self, of: &Arc<Readiness>, home: usize, waiter: &'a Waiter) -> &'a Waiter {
            let poller = || Arc::new(Numbered(home, Arc::clone(&self.0))) as _;
            // SAFETY: each test keeps its waiters until they have been fired or withdrawn.
            let listed = unsafe { of.enlist(Interest::Read, waiter, home, poller) };
            assert!(listed.unwrap());
            waiter
        }
    }

    fn used_up() -> Arc<Readiness> {
        let readiness = Arc::new(Readiness::new(-1));
        readiness.read.would_block(readiness.read.look());
        readiness
    }

    #[test]
    fn who_waits_alone_takes_the_descriptor_along() {
        let (pollers, readiness, waiter) = (Pollers::default(), used_up(), Waiter::new());
        for home in [1, 1, 2, 2, 1] {
            let waiter = pollers.wait(&readiness, home, &waiter);
            assert!(readiness.read.withdraw(waiter));
        }
        assert_eq!(pollers.asked(), "+1 +2 -1 +1 -2");
        readiness.deregister();
        assert_eq!(pollers.asked(), "-1");
    }

    #[test]
    fn who_waits_elsewhere_keeps_a_registration() {
        let (pollers, readiness) = (Pollers::default(), used_up());
        let (one, other) = (Waiter::new(), Waiter::new());
        pollers.wait(&readiness, 1, &one);
        pollers.wait(&readiness, 2, &other);
        assert_eq!(pollers.asked(), "+1 +2");
        // Each poller wakes its own.
        assert!(readiness.event(2, Interest::Read, false));
        assert!(other.is_fired() && !one.is_fired());
        assert!(readiness.event(1, Interest::Read, false));
        assert!(one.is_fired());
    }

    #[test]
    fn a_poller_without_waiters_leaves_if_there_is_another() {
        let (pollers, readiness) = (Pollers::default(), used_up());
        let (one, other) = (Waiter::new(), Waiter::new());
        pollers.wait(&readiness, 1, &one);
        pollers.wait(&readiness, 2, &other);
        // It has a waiter, in the other direction.
        assert!(!readiness.event(2, Interest::Write, false));
        readiness.unwanted(2);
        assert_eq!(pollers.asked(), "+1 +2");
        assert!(readiness.read.withdraw(&other));
        readiness.unwanted(2);
        assert_eq!(pollers.asked(), "-2");
        // The last one stays.
        assert!(readiness.read.withdraw(&one));
        readiness.unwanted(1);
        assert_eq!(pollers.asked(), "");
    }

    #[test]
    fn a_poller_that_closes_concerns_its_own_threads() {
        let (pollers, readiness) = (Pollers::default(), used_up());
        let (one, other) = (Waiter::new(), Waiter::new());
        pollers.wait(&readiness, 1, &one);
        pollers.wait(&readiness, 2, &other);
        readiness.detach(1);
        assert!(one.is_fired() && !other.is_fired());
        assert!(readiness.event(2, Interest::Read, false));
        readiness.deregister();
        assert_eq!(pollers.asked(), "+1 +2 -2");
    }

    #[test]
    fn a_refused_registration_changes_nothing() {
        let (pollers, readiness) = (Pollers::default(), used_up());
        let (one, other) = (Waiter::new(), Waiter::new());
        pollers.wait(&readiness, 1, &one);
        assert!(readiness.read.withdraw(&one));
        let poller = || Arc::new(Numbered(13, Arc::clone(&pollers.0))) as _;
        // SAFETY: a waiter that is refused is not listed.
        let refused = unsafe { readiness.enlist(Interest::Read, &other, 13, poller) };
        assert_eq!(refused.unwrap_err().kind(), io::ErrorKind::OutOfMemory);
        assert!(!readiness.has_waiter_at(13));
        pollers.wait(&readiness, 1, &one);
        assert_eq!(pollers.asked(), "+1");
        assert!(readiness.read.withdraw(&one));
    }
}
