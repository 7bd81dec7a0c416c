//! A worker's loop: what runs next, where to look for work, when to sleep.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use trefoil_runtime::{Held, NewThread};
use trefoil_worker::Rested;

use crate::hybrid::{Hybrid, Own};
use crate::idle::Search;
use crate::shared::{IMBALANCE, Seat};

/// How many threads run between two looks outside.
const ROUND: u32 = 64;
/// How long a search goes on. About what it costs to put a worker to sleep and wake it.
const SEARCH: Duration = Duration::from_micros(20);
/// A worker with one new thread that has not come back to its loop for so long computes.
const STANDSTILL: Duration = Duration::from_micros(4);
/// The same, where who looks has far more threads already. Less than a search, so that it is
/// ever reached.
const LONG_STANDSTILL: Duration = Duration::from_micros(15);
const _: () = assert!(LONG_STANDSTILL.as_micros() < SEARCH.as_micros());
/// A watcher sleeps for so long, then ever longer while it finds nothing.
const FIRST_WATCH: Duration = Duration::from_micros(200);
const LONGEST_WATCH: Duration = Duration::from_millis(1);

#[derive(Debug)]
pub(crate) struct Schedule<'a> {
    hybrid: &'a Arc<Hybrid>,
    own: &'a Held<Own>,
    watch: Duration,
    /// Kept from search to search, for its memory.
    suspects: Suspects,
    /// The runtime closes, and threads that have started here do not end.
    stranded: bool,
}

impl<'a> Schedule<'a> {
    pub(crate) fn new(hybrid: &'a Arc<Hybrid>, own: &'a Held<Own>) -> Schedule<'a> {
        Schedule {
            hybrid,
            own,
            watch: FIRST_WATCH,
            suspects: Suspects::new(hybrid.shared.seats.len()),
            stranded: false,
        }
    }

    /// Runs threads until the runtime closes. By Rule 2 that is not before every thread
    /// that has started here has ended; `stranded` is told when only those are left.
    pub(crate) fn run(&mut self, stranded: impl Fn()) {
        let shared = &self.hybrid.shared;
        loop {
            self.tell_resting(false);
            while self.round() {}
            self.tell_resting(true);
            if shared.is_closing() {
                if self.own.worker.started() == 0 {
                    return;
                }
                if !std::mem::replace(&mut self.stranded, true) {
                    stranded();
                }
            }
            match self.search() {
                Some(thread) => {
                    // Before it runs, perhaps for long: what is placed with a worker that rests
                    // is left to it by all others.
                    self.tell_resting(false);
                    self.start(thread);
                }
                None => self.rest(),
            }
        }
    }

    fn start(&self, thread: NewThread) {
        self.own
            .worker
            .start(thread, self.own.owner(), Arc::clone(self.hybrid) as _);
    }

    /// Starts a thread that was spawned here, or lets another worker start it.
    #[inline]
    fn place(&self, thread: NewThread) {
        let started = self.own.worker.started();
        if started < IMBALANCE {
            return self.start(thread);
        }
        match self.hybrid.shared.emptier(started) {
            None => self.start(thread),
            Some(worker) => self.send_away(thread, worker),
        }
    }

    #[cold]
    fn send_away(&self, thread: NewThread, worker: usize) {
        if let Err(thread) = self.hybrid.shared.place(thread, worker) {
            self.start(thread);
        }
    }

    /// Lets others see whether there is something to run here.
    fn tell_resting(&self, resting: bool) {
        let seat = &self.hybrid.shared.seats[self.hybrid.seat];
        // Relaxed: a hint.
        seat.resting.store(resting, Ordering::Relaxed);
    }

    /// Lets others see how many threads are here.
    fn tell_load(&self) {
        let started = self.own.worker.started();
        let seat = &self.hybrid.shared.seats[self.hybrid.seat];
        // Relaxed: a hint.
        seat.started.store(started, Ordering::Relaxed);
    }

    /// A thread from outside, or from another worker that has placed it here.
    fn arrived(&self) -> Option<NewThread> {
        let shared = &self.hybrid.shared;
        let placed = shared.seats[self.hybrid.seat].placed.pop();
        placed.or_else(|| shared.injector.pop())
    }

    /// Runs threads, started and new ones by turns. `false`: there was none.
    fn round(&self) -> bool {
        let own = self.own;
        let seat = &self.hybrid.shared.seats[self.hybrid.seat];
        // Only this worker writes it.
        let mut rounds = seat.rounds.load(Ordering::Relaxed);
        for ran in 0..ROUND {
            rounds = rounds.wrapping_add(1);
            seat.rounds.store(rounds, Ordering::Relaxed);
            own.worker.read_inbox(own.owner());
            let resumed = own
                .worker
                .run_next(own.owner(), || Arc::clone(self.hybrid) as _);
            let new = own.deque.pop();
            let started = new.is_some();
            if let Some(thread) = new {
                self.place(thread);
            }
            if !resumed && !started {
                return ran != 0;
            }
        }
        own.worker.look_outside(own.owner());
        self.tell_load();
        if let Some(thread) = self.arrived() {
            self.start(thread);
        }
        true
    }

    /// Looks for a new thread elsewhere, for a moment.
    fn search(&mut self) -> Option<NewThread> {
        let shared = &self.hybrid.shared;
        if let Some(thread) = self.arrived() {
            return Some(thread);
        }
        if shared.seats.len() == 1 {
            return None;
        }
        let search = shared.idle.search()?;
        let found = self.look_around(&search);
        match found {
            Some(_) => shared.rouse(shared.idle.work_found(search, || shared.has_work())),
            None => shared.idle.end_search(search),
        }
        found
    }

    fn look_around(&mut self, _: &Search) -> Option<NewThread> {
        let begin = Instant::now();
        self.suspects.forget();
        loop {
            if let Some(thread) = self.arrived().or_else(|| self.steal()) {
                return Some(thread);
            }
            if self.own.worker.has_mail() || begin.elapsed() > SEARCH {
                return None;
            }
            for _ in 0..16 {
                std::hint::spin_loop();
            }
        }
    }

    /// Takes from a worker that has two or more new threads, or one and computes.
    fn steal(&mut self) -> Option<NewThread> {
        let seats = &self.hybrid.shared.seats;
        let others = (1..seats.len()).map(|step| (self.hybrid.seat + step) % seats.len());
        for victim in others {
            let seat = &seats[victim];
            let take = match seat.waiting() {
                0 => false,
                1 => {
                    let (rounds, patience) =
                        (seat.rounds.load(Ordering::Relaxed), self.patience(seat));
                    self.suspects.stands_still(victim, rounds, patience)
                }
                _ => true,
            };
            if take && let Some(thread) = seat.steal(&self.own.deque) {
                return Some(thread);
            }
        }
        None
    }

    /// How long this worker waits before it takes the only new thread of another one, which
    /// may be about to start it: longer, if it has far more threads already.
    fn patience(&self, victim: &Seat) -> Duration {
        let theirs = victim.started.load(Ordering::Relaxed);
        if self.own.worker.started() >= theirs + IMBALANCE {
            LONG_STANDSTILL
        } else {
            STANDSTILL
        }
    }

    /// Sleeps until there is something to do.
    fn rest(&mut self) {
        let shared = &self.hybrid.shared;
        self.tell_load();
        let announced = shared.idle.announce(self.hybrid.seat);
        let at_most = announced.watches.then_some(self.watch);
        // Without a thread of its own it does nothing until it has found one in a queue.
        let idle = self.own.worker.started() == 0;
        if idle {
            shared.idlers.add();
        }
        let rested = self.own.worker.sleep(self.own.owner(), at_most, || {
            let picked = shared.idle.last_look(&announced);
            let news = shared.is_closing() && !self.stranded;
            let placed = !shared.seats[self.hybrid.seat].placed.is_empty();
            picked || news || placed || !shared.injector.is_empty() || self.others_wait()
        });
        if idle {
            shared.idlers.owe();
        }
        let (watched, busy) = (announced.watches, self.own.worker.ready() != 0);
        shared.rouse(shared.idle.awake(announced, busy));
        self.watch = if watched && rested == Rested::Slept && !busy {
            LONGEST_WATCH.min(self.watch * 2)
        } else {
            FIRST_WATCH
        };
    }

    /// Whether new threads are to be stolen. A lone one, which its worker may be about to
    /// run, is left to the watcher, if there is one.
    fn others_wait(&self) -> bool {
        let shared = &self.hybrid.shared;
        let alone = usize::from(shared.idle.is_watched());
        shared.seats.iter().any(|seat| seat.waiting() > alone)
    }
}

/// Since when each worker's count of rounds has stood still.
#[derive(Debug)]
struct Suspects(Box<[Option<(u32, Instant)>]>);

impl Suspects {
    fn new(workers: usize) -> Suspects {
        Suspects(vec![None; workers].into())
    }

    /// A new search begins.
    fn forget(&mut self) {
        self.0.fill(None);
    }

    fn stands_still(&mut self, worker: usize, rounds: u32, patience: Duration) -> bool {
        match self.0[worker] {
            Some((seen, since)) if seen == rounds => since.elapsed() >= patience,
            _ => {
                self.0[worker] = Some((rounds, Instant::now()));
                false
            }
        }
    }
}
