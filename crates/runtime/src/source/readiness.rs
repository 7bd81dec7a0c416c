//! With which pollers a descriptor is registered, and for which directions.
//!
//! A fiber waits by the poller of its own worker, and by no other: another worker may compute
//! for long before it looks at its poller. So each worker's poller watches the directions that
//! threads of that worker wait for, and a worker is not woken for what only others want:
//!
//! 1. *A thread that waits* for a direction has its own worker's poller watch it. Another
//!    worker's poller stops watching this direction if nobody waits for it there: the direction
//!    moves. If somebody does, both watch it, and each edge goes to both.
//! 2. *A poller that reports an edge* wakes its own threads. If it wakes none, it stops watching
//!    what none of them waits for and another poller watches.
//!
//! A registration that watches nothing any more is ended. The other direction stays where it is,
//! also if nobody waits for it right now: otherwise a reader and a writer of two workers, each of
//! which waits while the other does not, would take the descriptor from each other all the time.
//!
//! All of it is done under the lock of the list, and so is listing the waiter. Therefore a listed
//! waiter's poller watches the waiter's direction, always. Why no edge is lost:
//!
//! * An edge goes to every poller that watches its direction. For each thread only its own
//!   poller's count, and to that pair all applies that `side` says of one poller and its waiters.
//! * Who begins to watch a direction is told at once whether it is ready, so what came before, or
//!   was reported to the poller from which it moves, is learnt. It begins before that one stops.
//! * A poller that stops watching one direction is told what is ready in the other, if anything
//!   is: an edge that was on its way is still reported.
//! * A report that is delivered after its registration has ended only says "try again".
//!
//! A thread that waits again and again on the same worker, for whichever directions, finds its
//! registration, and pays for one lock here and one in `side`, as with a single registration.

use core::fmt;
use std::io;
use std::os::fd::RawFd;
use std::sync::Arc;

use super::Interest;
use super::directions::Directions;
use super::side::Side;
use crate::atomic::{AtomicBool, Ordering};
use crate::spin::Spin;
use crate::wait::Waiter;

/// A worker's poller, as a descriptor sees it.
///
/// Each poller of the process has a number of its own, by which a descriptor knows it: its
/// `home`.
pub trait Poller: Send + Sync {
    /// Watches the descriptor in these directions, by edges, beginning with what is ready
    /// now; each goes to [`Readiness::event`].
    ///
    /// # Errors
    ///
    /// The operating system's.
    fn register(
        &self,
        fd: RawFd,
        readiness: Arc<Readiness>,
        directions: Directions,
    ) -> io::Result<usize>;

    /// Watches it in these directions from now on, beginning with what is ready now.
    ///
    /// # Errors
    ///
    /// The operating system's; one when the poller has closed.
    fn reregister(&self, fd: RawFd, token: usize, directions: Directions) -> io::Result<()>;

    /// Ends the registration with this token.
    fn deregister(&self, fd: RawFd, token: usize);
}

struct Registration {
    home: usize,
    poller: Arc<dyn Poller>,
    token: usize,
    directions: Directions,
}

impl Registration {
    fn watch(&mut self, fd: RawFd, interest: Interest) -> io::Result<()> {
        let directions = self.directions.with(interest);
        self.poller.reregister(fd, self.token, directions)?;
        self.directions = directions;
        Ok(())
    }

    /// Stops watching one direction. `false`: it has ended, for there was no other.
    fn unwatch(&mut self, fd: RawFd, interest: Interest) -> bool {
        let Some(left) = self.directions.without(interest) else {
            self.poller.deregister(fd, self.token);
            return false;
        };
        if left != self.directions {
            self.directions = left;
            // If that is refused, its worker is woken in vain, and nothing worse.
            let _ = self.poller.reregister(fd, self.token, left);
        }
        true
    }
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

    /// An edge came to the poller `home`, and none of its threads was woken. It leaves to other
    /// pollers what they watch too and none of its own threads waits for.
    pub fn unwanted(&self, home: usize) {
        if self.several.load(Ordering::Relaxed) {
            drop(self.leave(home));
        }
    }

    /// What it returns is dropped without the lock.
    #[cold]
    fn leave(&self, home: usize) -> Vec<Registration> {
        let mut registrations = self.registrations.lock();
        let mut ended = Vec::new();
        for interest in [Interest::Read, Interest::Write] {
            let other = |one: &Registration| one.home != home && one.directions.contain(interest);
            if registrations.iter().any(other) {
                ended.extend(self.unwatch(&mut registrations, interest, |one| one == home));
            }
        }
        ended
    }

    /// Of the pollers that `which` names, those stop watching the direction by which nobody
    /// waits for it. Returns the registrations that have ended.
    fn unwatch(
        &self,
        registrations: &mut Vec<Registration>,
        interest: Interest,
        which: impl Fn(usize) -> bool,
    ) -> Vec<Registration> {
        let waiters = self.side(interest);
        // Under the lock: a thread of that worker may come and register again.
        let ended = registrations.extract_if(.., |one| {
            which(one.home) && !waiters.has_waiter_at(one.home) && !one.unwatch(self.fd, interest)
        });
        let ended = ended.collect();
        self.note(registrations);
        ended
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

    /// Lists a thread of the worker whose poller is `home`, and has the direction watched there.
    /// `false`: it is ready.
    ///
    /// The lock is held over system calls, which do not block, when the worker or the direction
    /// is new here.
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
        let _ended;
        let mut registrations = self.registrations.lock();
        let watches = |one: &Registration| one.home == home && one.directions.contain(interest);
        if !registrations.iter().any(watches) {
            _ended = self.watch(&mut registrations, interest, home, poller)?;
        }
        // SAFETY: passed on to the caller.
        Ok(unsafe { self.side(interest).enlist(waiter, home) })
    }

    /// Has one poller more watch this direction, and those stop by which nobody waits for it.
    #[cold]
    fn watch(
        self: &Arc<Self>,
        registrations: &mut Vec<Registration>,
        interest: Interest,
        home: usize,
        poller: impl FnOnce() -> Arc<dyn Poller>,
    ) -> io::Result<Vec<Registration>> {
        match registrations.iter_mut().find(|one| one.home == home) {
            Some(own) => own.watch(self.fd, interest)?,
            None => registrations.push(self.register(interest, home, poller())?),
        }
        Ok(self.unwatch(registrations, interest, |other| other != home))
    }

    fn register(
        self: &Arc<Self>,
        interest: Interest,
        home: usize,
        poller: Arc<dyn Poller>,
    ) -> io::Result<Registration> {
        let directions = interest.into();
        let token = poller.register(self.fd, Arc::clone(self), directions)?;
        Ok(Registration {
            home,
            poller,
            token,
            directions,
        })
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
}

impl fmt::Debug for Readiness {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Readiness")
            .field("read", &self.read.look())
            .field("write", &self.write.look())
            .finish_non_exhaustive()
    }
}

#[cfg(all(test, not(trefoil_loom)))]
mod tests {
    use super::*;
    use std::sync::Mutex;

    /// The pollers of two workers, as what they were asked.
    #[derive(Default)]
    struct Pollers(Arc<Mutex<Vec<String>>>);

    /// A poller that refuses to register anything.
    const REFUSES: usize = 13;

    struct Numbered(usize, Arc<Mutex<Vec<String>>>);

    impl Poller for Numbered {
        fn register(&self, _: RawFd, _: Arc<Readiness>, watched: Directions) -> io::Result<usize> {
            if self.0 == REFUSES {
                return Err(io::ErrorKind::OutOfMemory.into());
            }
            self.note('+', Some(watched));
            Ok(self.0)
        }

        fn reregister(&self, _: RawFd, token: usize, watched: Directions) -> io::Result<()> {
            assert_eq!(token, self.0);
            self.note('=', Some(watched));
            Ok(())
        }

        fn deregister(&self, _: RawFd, token: usize) {
            assert_eq!(token, self.0);
            self.note('-', None);
        }
    }

    impl Numbered {
        /// As `+1r`: poller 1 is asked to register for reads.
        fn note(&self, asked: char, watched: Option<Directions>) {
            let watched = match watched {
                Some(Directions::Read) => "r",
                Some(Directions::Write) => "w",
                Some(Directions::Both) => "rw",
                None => "",
            };
            let note = format!("{asked}{}{watched}", self.0);
            self.1.lock().unwrap().push(note);
        }
    }

    impl Pollers {
        fn asked(&self) -> String {
            core::mem::take(&mut *self.0.lock().unwrap()).join(" ")
        }

        fn reads<'a>(&self, of: &Arc<Readiness>, home: usize, waiter: &'a Waiter) -> &'a Waiter {
            self.wait(of, Interest::Read, home, waiter)
        }

        fn writes<'a>(&self, of: &Arc<Readiness>, home: usize, waiter: &'a Waiter) -> &'a Waiter {
            self.wait(of, Interest::Write, home, waiter)
        }

        fn wait<'a>(
            &self,
            of: &Arc<Readiness>,
            interest: Interest,
            home: usize,
            waiter: &'a Waiter,
        ) -> &'a Waiter {
            let poller = || Arc::new(Numbered(home, Arc::clone(&self.0))) as _;
            // SAFETY: each test keeps its waiters until they have been fired or withdrawn.
            let listed = unsafe { of.enlist(interest, waiter, home, poller) };
            assert!(listed.unwrap());
            waiter
        }
    }

    fn used_up() -> Arc<Readiness> {
        let readiness = Arc::new(Readiness::new(-1));
        for side in [&readiness.read, &readiness.write] {
            side.would_block(side.look());
        }
        readiness
    }

    #[test]
    fn who_waits_alone_takes_the_descriptor_along() {
        let (pollers, readiness, waiter) = (Pollers::default(), used_up(), Waiter::new());
        for home in [1, 1, 2, 2, 1] {
            let waiter = pollers.reads(&readiness, home, &waiter);
            assert!(readiness.read.withdraw(waiter));
        }
        assert_eq!(pollers.asked(), "+1r +2r -1 +1r -2");
        readiness.deregister();
        assert_eq!(pollers.asked(), "-1");
    }

    #[test]
    fn on_one_worker_both_directions_are_one_registration() {
        let (pollers, readiness) = (Pollers::default(), used_up());
        let (one, other) = (Waiter::new(), Waiter::new());
        for _ in 0..3 {
            pollers.reads(&readiness, 1, &one);
            assert!(readiness.read.withdraw(&one));
            pollers.writes(&readiness, 1, &other);
            assert!(readiness.write.withdraw(&other));
        }
        assert_eq!(pollers.asked(), "+1r =1rw");
    }

    #[test]
    fn each_direction_is_watched_where_it_is_waited_for() {
        let (pollers, readiness) = (Pollers::default(), used_up());
        let (one, other) = (Waiter::new(), Waiter::new());
        // Neither takes it from the other, also if that one does not wait.
        for _ in 0..3 {
            pollers.reads(&readiness, 1, &one);
            assert!(readiness.read.withdraw(&one));
            pollers.writes(&readiness, 2, &other);
            assert!(readiness.write.withdraw(&other));
            readiness.unwanted(1);
            readiness.unwanted(2);
        }
        assert_eq!(pollers.asked(), "+1r +2w");
        readiness.deregister();
        assert_eq!(pollers.asked(), "-1 -2");
    }

    #[test]
    fn a_direction_moves_alone() {
        let (pollers, readiness) = (Pollers::default(), used_up());
        let (one, other) = (Waiter::new(), Waiter::new());
        pollers.reads(&readiness, 1, &one);
        pollers.writes(&readiness, 1, &other);
        assert!(readiness.write.withdraw(&other));
        assert_eq!(pollers.asked(), "+1r =1rw");
        pollers.writes(&readiness, 2, &other);
        assert_eq!(pollers.asked(), "+2w =1r");
        assert!(readiness.read.withdraw(&one));
        pollers.reads(&readiness, 2, &one);
        assert_eq!(pollers.asked(), "=2rw -1");
        assert!(readiness.read.withdraw(&one) && readiness.write.withdraw(&other));
    }

    #[test]
    fn who_waits_elsewhere_keeps_a_registration() {
        let (pollers, readiness) = (Pollers::default(), used_up());
        let (one, other) = (Waiter::new(), Waiter::new());
        pollers.reads(&readiness, 1, &one);
        pollers.reads(&readiness, 2, &other);
        assert_eq!(pollers.asked(), "+1r +2r");
        // Each poller wakes its own.
        assert!(readiness.event(2, Interest::Read, false));
        assert!(other.is_fired() && !one.is_fired());
        assert!(readiness.event(1, Interest::Read, false));
        assert!(one.is_fired());
    }

    #[test]
    fn a_poller_leaves_to_another_what_nobody_waits_for_there() {
        let (pollers, readiness) = (Pollers::default(), used_up());
        let (one, other, writer) = (Waiter::new(), Waiter::new(), Waiter::new());
        pollers.reads(&readiness, 1, &one);
        pollers.reads(&readiness, 2, &other);
        pollers.writes(&readiness, 2, &writer);
        assert_eq!(pollers.asked(), "+1r +2r =2rw");
        // Both wait.
        readiness.unwanted(2);
        assert_eq!(pollers.asked(), "");
        assert!(readiness.read.withdraw(&other));
        readiness.unwanted(2);
        assert_eq!(pollers.asked(), "=2w");
        // The last ones stay.
        assert!(readiness.read.withdraw(&one) && readiness.write.withdraw(&writer));
        readiness.unwanted(1);
        readiness.unwanted(2);
        assert_eq!(pollers.asked(), "");
    }

    #[test]
    fn a_poller_that_leaves_all_is_left() {
        let (pollers, readiness) = (Pollers::default(), used_up());
        let (one, other) = (Waiter::new(), Waiter::new());
        pollers.reads(&readiness, 1, &one);
        pollers.reads(&readiness, 2, &other);
        assert!(readiness.read.withdraw(&other));
        readiness.unwanted(2);
        assert_eq!(pollers.asked(), "+1r +2r -2");
        assert!(readiness.read.withdraw(&one));
        readiness.unwanted(1);
        assert_eq!(pollers.asked(), "");
    }

    #[test]
    fn a_poller_that_closes_concerns_its_own_threads() {
        let (pollers, readiness) = (Pollers::default(), used_up());
        let (one, other) = (Waiter::new(), Waiter::new());
        pollers.reads(&readiness, 1, &one);
        pollers.reads(&readiness, 2, &other);
        readiness.detach(1);
        assert!(one.is_fired() && !other.is_fired());
        assert!(readiness.event(2, Interest::Read, false));
        readiness.deregister();
        assert_eq!(pollers.asked(), "+1r +2r -2");
    }

    #[test]
    fn a_refused_registration_changes_nothing() {
        let (pollers, readiness) = (Pollers::default(), used_up());
        let (one, other) = (Waiter::new(), Waiter::new());
        pollers.reads(&readiness, 1, &one);
        assert!(readiness.read.withdraw(&one));
        let poller = || Arc::new(Numbered(REFUSES, Arc::clone(&pollers.0))) as _;
        // SAFETY: a waiter that is refused is not listed.
        let refused = unsafe { readiness.enlist(Interest::Read, &other, REFUSES, poller) };
        assert_eq!(refused.unwrap_err().kind(), io::ErrorKind::OutOfMemory);
        assert!(!readiness.read.has_waiter_at(REFUSES));
        pollers.reads(&readiness, 1, &one);
        assert_eq!(pollers.asked(), "+1r");
        assert!(readiness.read.withdraw(&one));
    }
}

/// The kernel, two workers and the pollers between them are played; the readiness is the real one.
#[cfg(all(test, trefoil_loom))]
mod loom_models {
    use super::*;
    use loom::sync::{Condvar, Mutex};

    const BOTH: [Interest; 2] = [Interest::Read, Interest::Write];

    /// The kernel's side of a descriptor that becomes ready and stays so.
    #[derive(Default)]
    struct Kernel {
        ready: Vec<Interest>,
        /// By each of the two pollers: what it watches, and whether it has an event to give.
        watched: [Option<Directions>; 2],
        pending: [bool; 2],
    }

    impl Kernel {
        /// What `home` is told if it looks now.
        fn report(&self, home: usize) -> Vec<Interest> {
            let watches = |interest: &Interest| {
                self.watched[home].is_some_and(|watched| watched.contain(*interest))
            };
            self.ready.iter().copied().filter(watches).collect()
        }

        fn watch(&mut self, home: usize, watched: Option<Directions>) {
            self.watched[home] = watched;
            self.pending[home] = !self.report(home).is_empty();
        }

        fn edge(&mut self, interest: Interest) {
            self.ready.push(interest);
            for (pending, watched) in self.pending.iter_mut().zip(self.watched) {
                *pending |= watched.is_some_and(|watched| watched.contain(interest));
            }
        }
    }

    struct World {
        kernel: Mutex<Kernel>,
        stirred: Condvar,
        readiness: Arc<Readiness>,
    }

    struct Played(Arc<World>, usize);

    impl Poller for Played {
        fn register(&self, _: RawFd, _: Arc<Readiness>, watched: Directions) -> io::Result<usize> {
            self.watch(Some(watched));
            Ok(0)
        }

        fn reregister(&self, _: RawFd, _: usize, watched: Directions) -> io::Result<()> {
            self.watch(Some(watched));
            Ok(())
        }

        fn deregister(&self, _: RawFd, _: usize) {
            self.watch(None);
        }
    }

    impl Played {
        fn watch(&self, watched: Option<Directions>) {
            self.0.kernel.lock().unwrap().watch(self.1, watched);
            self.0.stirred.notify_all();
        }
    }

    impl World {
        fn new() -> Arc<World> {
            let readiness = Arc::new(Readiness::new(-1));
            for interest in BOTH {
                let side = readiness.side(interest);
                side.would_block(side.look());
            }
            Arc::new(World {
                kernel: Mutex::default(),
                stirred: Condvar::new(),
                readiness,
            })
        }

        fn edge(&self, interest: Interest) {
            self.kernel.lock().unwrap().edge(interest);
            self.stirred.notify_all();
        }

        fn enlist(self: &Arc<World>, home: usize, interest: Interest, waiter: &Waiter) -> bool {
            let poller = || Arc::new(Played(Arc::clone(self), home)) as _;
            // SAFETY: the callers wait until it was fired, or withdraw it.
            unsafe { self.readiness.enlist(interest, waiter, home, poller) }.unwrap()
        }

        /// A worker with one thread, which waits until the direction is ready.
        fn wait(self: &Arc<World>, home: usize, interest: Interest) {
            let side = self.readiness.side(interest);
            loop {
                let seen = side.look();
                if seen.is_ready() {
                    if self.kernel.lock().unwrap().ready.contains(&interest) {
                        return;
                    }
                    side.would_block(seen);
                }
                let waiter = Waiter::new();
                if self.enlist(home, interest, &waiter) {
                    while !waiter.is_fired() {
                        self.poll(home);
                    }
                }
            }
        }

        /// Sleeps until there is an event, and hands it on as a worker does.
        fn poll(&self, home: usize) {
            let mut kernel = self.kernel.lock().unwrap();
            while !kernel.pending[home] {
                kernel = self.stirred.wait(kernel).unwrap();
            }
            kernel.pending[home] = false;
            let report = kernel.report(home);
            drop(kernel);
            let told = report
                .into_iter()
                .filter(|&interest| self.readiness.event(home, interest, false));
            if told.count() == 0 {
                self.readiness.unwanted(home);
            }
        }

        /// The descriptor is gone, and what refers to the world with it.
        fn close(&self) {
            self.readiness.deregister();
        }
    }

    /// With every choice of two preemptions: without a limit it takes more than ten minutes.
    fn explore(model: impl Fn() + Sync + Send + 'static) {
        let mut builder = loom::model::Builder::new();
        builder.preemption_bound = Some(2);
        builder.check(model);
    }

    /// Two workers, each with a thread that waits for the same edge: neither sleeps for good.
    #[test]
    fn an_edge_comes_to_every_worker() {
        explore(|| {
            let world = World::new();
            let workers = [0, 1].map(|home| {
                let world = Arc::clone(&world);
                loom::thread::spawn(move || world.wait(home, Interest::Read))
            });
            world.edge(Interest::Read);
            workers.into_iter().for_each(|it| it.join().unwrap());
            world.close();
        });
    }

    /// One direction moves to another worker, while edges of both come, and the worker that it
    /// left wants it again.
    #[test]
    fn a_direction_moves_and_neither_loses_anything() {
        explore(|| {
            let world = World::new();
            for interest in BOTH {
                let waiter = Waiter::new();
                assert!(world.enlist(0, interest, &waiter));
                assert!(world.readiness.side(interest).withdraw(&waiter));
            }
            let wants: [(usize, &[Interest]); 2] = [(0, &BOTH), (1, &[Interest::Write])];
            let workers = wants.map(|(home, wanted)| {
                let world = Arc::clone(&world);
                loom::thread::spawn(move || wanted.iter().for_each(|it| world.wait(home, *it)))
            });
            BOTH.into_iter().for_each(|interest| world.edge(interest));
            workers.into_iter().for_each(|it| it.join().unwrap());
            world.close();
        });
    }
}
