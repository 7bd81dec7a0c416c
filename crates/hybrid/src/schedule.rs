//! A worker's loop: what runs next, where to look for work, when to sleep.
#![forbid(unsafe_code)]

use std::cell::Cell;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use trefoil_runtime::{Held, NewThread, Next};
use trefoil_worker::Rested;

use crate::commons::Commons;
use crate::effort::{self, Effort};
use crate::hybrid::{Hybrid, Own};
use crate::idle::Search;
use crate::shared::{IMBALANCE, Run, Seat};

/// How many rounds there are between two looks outside.
const ROUND: u32 = 64;
/// A worker with one new thread that has not come back to its loop for so long computes.
const STANDSTILL: Duration = Duration::from_micros(10);
/// The same, where who looks has far more threads already. Less than a search, so that it is
/// reached by who has the right to search from the begin on.
const LONG_STANDSTILL: Duration = Duration::from_micros(15);
/// A worker that comes back to its loop all the time, and has so many new threads,
const MANY: usize = 8;
/// keeps them if it needs no longer for a round than this: to run a thread elsewhere would cost as much.
const LONG_ROUND: Duration = Duration::from_micros(1);
/// For so long it is watched before that is said.
const WATCHED: Duration = Duration::from_micros(10);
const _: () = assert!(LONG_STANDSTILL.as_micros() < effort::WOKEN.as_micros());
/// After so many searches nobody falls behind.
const VAIN: u32 = 2;
/// A watcher sleeps for so long, then ever longer while it finds nothing.
const FIRST_WATCH: Duration = Duration::from_micros(200);
const LONGEST_WATCH: Duration = Duration::from_millis(1);

#[derive(Debug)]
pub(crate) struct Schedule<'a> {
    hybrid: &'a Arc<Hybrid>,
    own: &'a Held<Own>,
    /// What answers for threads that roam. `None`: they stay where they start.
    commons: Option<Arc<Commons>>,
    seat: &'a Seat,
    watch: Duration,
    effort: Effort,
    /// Since the last look outside: also where threads chat with those of another worker, so that
    /// each of them ends a spell of work, and no sleep comes in between.
    turns: u32,
    /// Where the next threads of a burst go, if not here.
    away: Cell<Option<Run>>,
    /// Others rely on a look of this worker.
    owes_a_look: Cell<bool>,
    /// Kept from search to search, for its memory.
    suspects: Suspects,
    /// The same from one rescue to the next.
    old_suspects: Suspects,
    /// How many searches in a row, long enough to see who falls behind, have found nothing to take.
    vain: u32,
    rescued: Instant,
    /// The runtime closes, and threads that have started here do not end.
    stranded: bool,
}

impl<'a> Schedule<'a> {
    pub(crate) fn new(
        hybrid: &'a Arc<Hybrid>,
        own: &'a Held<Own>,
        commons: Option<Arc<Commons>>,
    ) -> Schedule<'a> {
        Schedule {
            hybrid,
            own,
            commons,
            seat: &hybrid.shared.seats[hybrid.seat],
            watch: FIRST_WATCH,
            effort: Effort::new(),
            turns: 0,
            away: Cell::new(None),
            owes_a_look: Cell::new(false),
            suspects: Suspects::new(hybrid.shared.seats.len()),
            old_suspects: Suspects::new(hybrid.shared.seats.len()),
            vain: 0,
            rescued: Instant::now(),
            stranded: false,
        }
    }

    /// Runs threads until the runtime closes. By Rule 2 that is not before every thread
    /// that has started here has ended; `stranded` is told when only those are left.
    pub(crate) fn run(&mut self, stranded: impl Fn()) {
        let shared = &self.hybrid.shared;
        loop {
            self.rests_no_more();
            let ran = self.run_all();
            self.seat.resting.begin();
            if shared.is_closing() {
                if self.may_end() {
                    if self.commons.is_some() {
                        // They may have waited for a thread that ended here.
                        shared.rouse_all();
                    }
                    self.pay_the_look();
                    shared.idle.leave();
                    return;
                }
                if !std::mem::replace(&mut self.stranded, true) {
                    stranded();
                }
            }
            match self.search(ran) {
                Some(thread) => {
                    // Before it runs, perhaps for long: what is placed with a worker that rests
                    // is left to it by all others.
                    self.rests_no_more();
                    self.pay_the_look();
                    self.watch = FIRST_WATCH;
                    self.go_on_with(thread);
                    // Where there is always more to be found, no other look comes.
                    self.look_outside();
                }
                None if self.own.worker.has_mail() => {}
                None => self.rest(),
            }
        }
    }

    /// Whether no thread is left for which this worker is needed.
    fn may_end(&self) -> bool {
        let roams = self.commons.is_some() && !self.hybrid.shared.none_roams();
        self.own.worker.started() == 0 && !roams
    }

    /// Runs a thread that came from elsewhere.
    fn go_on_with(&self, thread: Next) {
        match thread {
            Next::New(thread) => self.start(thread),
            Next::Ready(thread) => self.own.worker.go_on_with(thread, self.own.owner()),
        }
    }

    fn start(&self, thread: NewThread) {
        if let Some(commons) = &self.commons
            && !thread.is_local()
        {
            let home = Arc::clone(commons) as _;
            return self
                .own
                .worker
                .start_roaming(thread, self.own.owner(), home);
        }
        self.tell_load(self.own.worker.started() + 1);
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
        let run = self.away.take().filter(|run| {
            let seat = &self.hybrid.shared.seats[run.worker];
            seat.resting.is_set()
        });
        match run.or_else(|| self.hybrid.shared.emptier(started)) {
            None => self.start(thread),
            Some(run) => self.send_away(thread, run),
        }
    }

    #[cold]
    fn send_away(&self, thread: NewThread, mut run: Run) {
        run.left -= 1;
        self.away.set((run.left != 0).then_some(run));
        if let Err(thread) = self.hybrid.shared.place(thread, run.worker) {
            self.start(thread);
        }
    }

    /// The worker is going to run something, perhaps for long. What was placed with it while it
    /// rested was left to it by all others, who now are to look.
    fn rests_no_more(&self) {
        if self.seat.resting.end() && !self.seat.placed.is_empty() {
            let shared = &self.hybrid.shared;
            shared.rouse(shared.idle.work_added(1, &**shared));
        }
    }

    /// Lets others see how many threads are here.
    fn tell_load(&self, started: usize) {
        // Relaxed: a hint.
        self.seat.started.store(started, Ordering::Relaxed);
    }

    /// A thread from outside, or from another worker that has placed it here.
    fn arrived(&self) -> Option<Next> {
        let shared = &self.hybrid.shared;
        let placed = self.seat.placed.pop();
        let new = placed.or_else(|| shared.injector.pop()).map(Next::New);
        new.or_else(|| shared.returned.pop().map(Next::Ready))
    }

    /// Runs threads, started and new ones by turns, until there is none.
    fn run_all(&mut self) -> bool {
        let mut ran = false;
        while self.round() {
            ran = true;
            self.turns += 1;
            if self.turns >= ROUND {
                self.look_outside();
            }
        }
        ran
    }

    /// Runs one thread that has started, and starts one. `false`: there was none.
    #[inline]
    fn round(&self) -> bool {
        let own = self.own;
        own.worker.read_inbox(own.owner());
        if self.owes_a_look.get() {
            self.pay_before_running();
        }
        let home = || Arc::clone(self.hybrid) as _;
        let resumed = match &self.commons {
            None => own.worker.run_next(own.owner(), home),
            Some(_) => self.run_next_of_all(),
        };
        self.start_next() || resumed
    }

    /// The same, and one that has started and roams.
    #[inline(never)]
    fn run_next_of_all(&self) -> bool {
        let own = self.own;
        // The first of them is about to be run, unless one that stays here comes before.
        self.tell_of_roamers(|roaming| usize::from(own.worker.ready() == roaming));
        let resumed = own
            .worker
            .run_next_of_all(own.owner(), || Arc::clone(self.hybrid) as _);
        if !own.spawned.is_empty() || !self.seat.placed.is_empty() {
            // One that starts runs before them, perhaps for long.
            self.tell_of_roamers(|_| 0);
        }
        resumed
    }

    /// Lets others know of threads that have become ready here and roam, but for so many, of the number there is.
    fn tell_of_roamers(&self, but: impl FnOnce(usize) -> usize) {
        let roamers = self.own.worker.roamers();
        let Some(roamers) = roamers.filter(|it| it.has_news()) else {
            return;
        };
        let ready = roamers.queue().len();
        let waiting = ready.saturating_sub(but(ready));
        if waiting != 0 {
            let shared = &self.hybrid.shared;
            shared.rouse(shared.idle.work_added(waiting, &**shared));
        }
    }

    /// Has somebody else look, if there is something to run.
    #[cold]
    fn pay_before_running(&self) {
        let own = self.own;
        if own.worker.ready() != 0 || !own.spawned.is_empty() || !self.seat.placed.is_empty() {
            self.pay_the_look();
        }
    }

    /// Has somebody else look around, if others rely on this worker's doing it. It is going to run
    /// something, perhaps for long.
    fn pay_the_look(&self) {
        if self.owes_a_look.replace(false) {
            let shared = &self.hybrid.shared;
            shared.rouse(shared.idle.pass_on(|| shared.waiting(), &**shared));
        }
    }

    fn look_outside(&mut self) {
        self.turns = 0;
        let worker = &self.own.worker;
        worker.look_outside(self.own.owner());
        self.tell_load(worker.started());
        // One of each: neither has to wait until there are none of the others.
        if let Some(thread) = self.arrived() {
            self.go_on_with(thread);
        }
        if let Some(thread) = self.rescue() {
            self.go_on_with(thread);
        }
    }

    /// A thread that waits behind one which has computed since the last look. A worker that always
    /// has something to run does not search, and may be the only one that could take it.
    fn rescue(&mut self) -> Option<Next> {
        let now = Instant::now();
        if now - self.rescued < LONG_STANDSTILL {
            // To look at the others costs them something too.
            return None;
        }
        self.rescued = now;
        let seats = &self.hybrid.shared.seats;
        let mut seats = seats.iter().enumerate();
        seats.find_map(|(worker, seat)| {
            if seat.offered() == 0 {
                self.old_suspects.forget_one(worker);
                return None;
            }
            let computes = self
                .old_suspects
                .stands_still(worker, seat.beat(), LONG_STANDSTILL);
            computes.then(|| seat.steal_one()).flatten()
        })
    }

    /// Starts a thread that was spawned here, or placed. `false`: there was none.
    #[inline]
    fn start_next(&self) -> bool {
        if let Some(thread) = self.own.spawned.pop() {
            self.place(thread);
        } else if let Some(thread) = self.seat.placed.pop() {
            self.start(thread);
        } else {
            self.away.set(None);
            return false;
        }
        true
    }

    /// Looks for a new thread elsewhere, for a moment, and for messages to its own. A worker that has
    /// `ran` threads of its own looks for as long as that has paid lately; one that was woken, and not
    /// for those, was woken to search.
    fn search(&mut self, ran: bool) -> Option<Next> {
        let shared = &self.hybrid.shared;
        if let Some(thread) = self.arrived() {
            return Some(thread);
        }
        if shared.seats.len() == 1 {
            return None;
        }
        let span = if ran {
            self.effort.next()
        } else {
            effort::WOKEN
        };
        let mut search = None;
        let found = self.look_around(&mut search, span);
        let paid = found.is_some() || self.own.worker.has_mail();
        if ran {
            self.effort.paid(paid);
        }
        if paid {
            self.vain = 0;
        } else if search.is_some() && span >= effort::WOKEN {
            self.vain += 1;
        }
        match search {
            Some(search) if paid => {
                // What was left to this search is somebody else's now.
                let next = shared
                    .idle
                    .work_found(search, || shared.waiting(), &**shared);
                shared.rouse(next);
                self.owes_a_look.set(false);
            }
            Some(search) => {
                shared.idle.end_search(search);
                self.owes_a_look.set(true);
            }
            None => {}
        }
        found
    }

    /// Looks around. While another worker does, it only waits for messages and for what is placed here:
    /// where threads chat across workers, the other one has just got a message, and is about to send one.
    fn look_around(&mut self, search: &mut Option<Search>, span: Duration) -> Option<Next> {
        let begin = Instant::now();
        self.suspects.forget();
        loop {
            if search.is_none() {
                *search = self.hybrid.shared.idle.search();
            }
            // Also without the right: what is placed with a worker that rests is left to it by all others.
            if let Some(thread) = self.arrived() {
                return Some(thread);
            }
            if search.is_some()
                && let Some(thread) = self.steal()
            {
                return Some(thread);
            }
            for _ in 0..16 {
                if self.own.worker.has_mail() {
                    return None;
                }
                std::hint::spin_loop();
            }
            if begin.elapsed() >= span {
                return None;
            }
        }
    }

    /// Takes from a worker that has new threads, or some that were placed there, and does not get to them.
    fn steal(&mut self) -> Option<Next> {
        let seats = &self.hybrid.shared.seats;
        let others = (1..seats.len()).map(|step| (self.hybrid.seat + step) % seats.len());
        for victim in others {
            let seat = &seats[victim];
            let take = seat.offered() != 0 && {
                let patience = self.patience(seat);
                self.suspects
                    .falls_behind(victim, seat.beat(), seat.waiting(), patience)
            };
            if take
                && !goes_on_without_us(seat)
                && let Some(thread) = seat.steal(self.own)
            {
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
        self.tell_load(self.own.worker.started());
        let announced = shared.idle.announce(self.hybrid.seat, &**shared);
        let at_most = announced.watches.then_some(self.watch);
        // Without a thread of its own it does nothing until it has found one in a queue.
        let idle = self.may_end();
        if idle {
            shared.idlers.add();
        }
        let owes = &self.owes_a_look;
        let rested = self.own.worker.sleep(self.own.owner(), at_most, || {
            let picked = shared.idle.last_look(&announced);
            let news = shared.is_closing() && (!self.stranded || self.may_end());
            let placed = !self.seat.placed.is_empty();
            let from_outside = !shared.injector.is_empty() || !shared.returned.is_empty();
            let waits = from_outside || self.others_wait();
            owes.set(waits);
            picked || news || placed || waits
        });
        if idle {
            shared.idlers.owe();
        }
        let (watched, busy) = (announced.watches, self.own.worker.ready() != 0);
        if shared.idle.awake(announced, &**shared) {
            owes.set(true);
        }
        if rested == Rested::Slept {
            self.vain = 0;
        }
        self.watch = if watched && rested == Rested::Slept && !busy {
            LONGEST_WATCH.min(self.watch * 2)
        } else {
            FIRST_WATCH
        };
    }

    /// Whether new threads are to be stolen. A lone one, which its worker may be about to
    /// run, is left to the watcher, if there is one; and those of workers that keep up, to them. While another
    /// worker searches all is left to that one: where there are many more workers than processors, those that wait
    /// for the right to search would else keep those off them that have something to run.
    fn others_wait(&self) -> bool {
        let shared = &self.hybrid.shared;
        if shared.idle.is_searched() {
            return false;
        }
        let watched = shared.idle.is_watched();
        if watched && self.vain >= VAIN {
            return false;
        }
        let alone = usize::from(watched);
        let mut seats = shared.seats.iter();
        seats.any(|seat| seat.waiting() > alone || (!watched && seat.offers_placed()))
    }
}

/// Whether the worker stood still because we have its processor: whoever was woken for its threads may have been put
/// there in its place. Taken by us, they would be apart from those that they chat with.
fn goes_on_without_us(seat: &Seat) -> bool {
    let before = seat.beat();
    std::thread::yield_now();
    seat.beat() != before
}

/// Since when each worker's count of rounds has been looked at, and since when it has stood still.
#[derive(Debug)]
struct Suspects(Box<[Option<Seen>]>);

#[derive(Clone, Copy, Debug)]
struct Seen {
    first: (u32, Instant),
    last: (u32, Instant),
}

impl Suspects {
    fn new(workers: usize) -> Suspects {
        Suspects(vec![None; workers].into())
    }

    /// A new search begins.
    fn forget(&mut self) {
        self.0.fill(None);
    }

    fn forget_one(&mut self, worker: usize) {
        self.0[worker] = None;
    }

    fn stands_still(&mut self, worker: usize, rounds: u32, patience: Duration) -> bool {
        self.look(worker, rounds).last.1.elapsed() >= patience
    }

    /// Whether the worker stands still; or has many new threads, and its rounds are long.
    fn falls_behind(
        &mut self,
        worker: usize,
        rounds: u32,
        waiting: usize,
        patience: Duration,
    ) -> bool {
        let seen = self.look(worker, rounds);
        let (first, begin) = seen.first;
        seen.last.1.elapsed() >= patience
            || waiting >= MANY && {
                let watched = begin.elapsed();
                watched >= WATCHED && watched >= LONG_ROUND * rounds.wrapping_sub(first)
            }
    }

    fn look(&mut self, worker: usize, rounds: u32) -> Seen {
        let entry = &mut self.0[worker];
        match entry {
            Some(seen) if seen.last.0 == rounds => *seen,
            _ => {
                let now = (rounds, Instant::now());
                let first = entry.map_or(now, |seen| seen.first);
                *entry.insert(Seen { first, last: now })
            }
        }
    }
}
