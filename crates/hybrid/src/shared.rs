//! What the workers of one runtime share: everybody's seat, the injector, who is idle.
#![forbid(unsafe_code)]

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use trefoil_runtime::{Companions, Hogs, Idlers, NewThread, Next, Owner, Returned, Stealer};
use trefoil_worker::{Afar, Remote, Stacks};

use crate::hybrid::Own;
use crate::idle::{Alarms, Idle};
use crate::injector::Injector;
use crate::resting::Resting;

/// A thread stays for life where it starts. So a worker that has so many more threads than one
/// without work lets that one start the next.
pub(crate) const IMBALANCE: usize = 8;
/// Or, if it has many, by this part of them more.
const IMBALANCED_PART: usize = 8;
/// How many threads go to another worker in a run, at most. Neighbours have much to do with each
/// other: each run's end is a place where they do it across workers.
const LONGEST_RUN: usize = 64;
/// When a sleeper looks whether a lone thread, which its worker may be about to start, still waits.
const ALARM: Duration = Duration::from_micros(50);

/// What others have of one worker. In cache lines of its own: the worker writes here whenever it starts a thread,
/// and its neighbour looks at its own seat in each round.
#[derive(Debug)]
#[repr(align(128))]
pub(crate) struct Seat {
    pub(crate) stealer: Stealer,
    /// Threads that other workers have placed here.
    pub(crate) placed: Injector,
    /// The worker has nothing to run.
    pub(crate) resting: Resting,
    /// How many threads have started here and not ended, as the worker told last: when it started
    /// one, at the end of a round, and before it slept.
    pub(crate) started: AtomicUsize,
    /// Its threads that roam. `None`: threads stay where they start.
    pub(crate) roamers: Option<Arc<Afar>>,
    /// The worker's number as an owner of fibers, and how to wake it.
    settled: OnceLock<(usize, Arc<Remote>)>,
}

#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) seats: Box<[Seat]>,
    pub(crate) injector: Injector,
    /// Threads that roam and were woken from outside.
    pub(crate) returned: Returned,
    pub(crate) idle: Idle,
    pub(crate) companions: Companions,
    pub(crate) hogs: Option<Arc<Hogs>>,
    /// Threads that a worker refuses because it is ending keep their stacks reserved: the pool
    /// ends with the workers.
    pub(crate) stacks: Stacks,
    /// Workers that sleep and on which no thread has started.
    pub(crate) idlers: Arc<Idlers>,
    closing: AtomicBool,
}

impl Shared {
    pub(crate) fn new(
        seats: impl Iterator<Item = (Stealer, Option<Arc<Afar>>)>,
        stacks: Stacks,
        companions: Companions,
        hogs: Option<Arc<Hogs>>,
    ) -> Shared {
        let idlers = Idlers::listed();
        let seats: Box<[Seat]> = seats
            .map(|(stealer, roamers)| Seat {
                stealer,
                placed: Injector::new(Arc::clone(&idlers)),
                resting: Resting::new(),
                started: AtomicUsize::new(0),
                roamers,
                settled: OnceLock::new(),
            })
            .collect();
        Shared {
            idle: Idle::new(seats.len()),
            seats,
            injector: Injector::new(Arc::clone(&idlers)),
            returned: Returned::new(),
            stacks,
            companions,
            hogs,
            idlers,
            closing: AtomicBool::new(false),
        }
    }

    /// The worker has come to its OS thread.
    pub(crate) fn settle(&self, worker: usize, owner: usize, remote: Arc<Remote>) {
        // Each worker sits down once.
        let _ = self.seats[worker].settled.set((owner, remote));
    }

    /// Whether the calling OS thread is one of these workers, in a thread or in its loop.
    pub(crate) fn is_here(&self) -> bool {
        let mut owners = self.seats.iter().filter_map(|seat| seat.settled.get());
        owners.any(|(owner, _)| Owner::is_here(*owner))
    }

    /// Wakes a sleeper that [`Idle`] has picked.
    pub(crate) fn rouse(&self, worker: Option<usize>) {
        let Some(worker) = worker else { return };
        if let Some((_, remote)) = self.seats[worker].settled.get() {
            remote.rouse();
        }
    }

    /// A worker without work, asleep or about to wake, with far fewer threads than `started`, and
    /// how many it is to start.
    pub(crate) fn emptier(&self, started: usize) -> Option<Run> {
        let enough = IMBALANCE.max(started / IMBALANCED_PART);
        self.seats.iter().enumerate().find_map(|(worker, seat)| {
            let lacks = started.checked_sub(seat.load())?;
            (seat.resting.is_set() && lacks >= enough).then(|| Run {
                worker,
                // Until it has as many more.
                left: LONGEST_RUN.min(lacks * 2),
            })
        })
    }

    /// Lets another worker start the thread. Gives it back if the workers are ending.
    pub(crate) fn place(&self, thread: NewThread, worker: usize) -> Result<(), NewThread> {
        let seat = &self.seats[worker];
        seat.placed.push(thread)?;
        self.rouse(self.idle.work_placed(worker, &seat.resting, self));
        Ok(())
    }

    /// How many threads wait that a worker without work could run: of one worker the most, for a
    /// lone one is left to it. Those from outside have no worker, and are many.
    pub(crate) fn waiting(&self) -> usize {
        if !self.injector.is_empty() || !self.returned.is_empty() {
            return usize::MAX;
        }
        self.seats.iter().map(Seat::offered).max().unwrap_or(0)
    }

    /// Adds a thread from outside. Gives it back if the workers are ending.
    pub(crate) fn inject(&self, thread: NewThread) -> Result<(), NewThread> {
        self.injector.push(thread)?;
        self.rouse(self.idle.work_injected());
        Ok(())
    }

    pub(crate) fn is_closing(&self) -> bool {
        // Acquire: pairs with `close`.
        self.closing.load(Ordering::Acquire)
    }

    /// Tells the workers to end.
    pub(crate) fn close(&self) {
        self.injector.close();
        self.seats.iter().for_each(|seat| seat.placed.close());
        // Release: pairs with `is_closing`. A worker that falls asleep at this moment is
        // roused: it says so in its inbox before it looks, and so do we, after a fence.
        self.closing.store(true, Ordering::Release);
        std::sync::atomic::fence(Ordering::SeqCst);
        self.rouse_all();
    }

    pub(crate) fn rouse_all(&self) {
        (0..self.seats.len()).for_each(|worker| self.rouse(Some(worker)));
    }

    /// Whether every thread that roams had ended, at some moment since the call.
    pub(crate) fn none_roams(&self) -> bool {
        Afar::none_is_left(self.seats.iter().filter_map(|seat| seat.roamers.as_deref()))
    }
}

impl Alarms for Shared {
    fn set(&self, worker: usize) -> bool {
        let settled = self.seats[worker].settled.get();
        settled.is_some_and(|(_, remote)| remote.set_alarm(ALARM))
    }

    fn clear(&self, worker: usize) {
        if let Some((_, remote)) = self.seats[worker].settled.get() {
            remote.clear_alarm();
        }
    }
}

/// Threads that go to the same worker, one after the other.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Run {
    pub(crate) worker: usize,
    pub(crate) left: usize,
}

impl Seat {
    /// The worker's number as an owner of fibers, and its remote.
    #[cfg(test)]
    pub(crate) fn remote(&self) -> (usize, &Remote) {
        let (owner, remote) = self.settled.get().expect("every worker has sat down");
        (*owner, remote)
    }

    /// Changes with the worker's rounds. If it stands still while the queue is not empty, the worker
    /// computes.
    pub(crate) fn beat(&self) -> u32 {
        self.settled.get().map_or(0, |(_, remote)| remote.beat())
    }

    /// How many threads have started here, or will.
    fn load(&self) -> usize {
        // Relaxed: a hint.
        self.started.load(Ordering::Relaxed) + self.placed.len()
    }

    /// How many threads wait that were spawned here, or need not stay here.
    pub(crate) fn waiting(&self) -> usize {
        let roaming = self.roamers.as_ref().map_or(0, |it| it.ready.len());
        self.stealer.len() + roaming
    }

    /// Whether threads wait that were placed here, and may be taken: with a worker that rests they
    /// are left to it, which is about to wake for them.
    pub(crate) fn offers_placed(&self) -> bool {
        !self.placed.is_empty() && !self.resting.is_set()
    }

    /// How many threads wait that may be taken.
    pub(crate) fn offered(&self) -> usize {
        let placed = if self.offers_placed() {
            self.placed.len()
        } else {
            0
        };
        self.waiting() + placed
    }

    /// Takes the oldest thread, and up to half of the others into what is the caller's own. Threads that have
    /// started come first: who waits for them waits for longer already.
    pub(crate) fn steal(&self, into: &Own) -> Option<Next> {
        let ready = self.roamers.as_ref().zip(into.worker.roamers());
        let started = ready.and_then(|(theirs, ours)| theirs.ready.steal_half(ours.queue()));
        let new = || {
            let spawned = self.stealer.steal_half(&into.spawned);
            spawned.or_else(|| self.take_placed()).map(Next::New)
        };
        started.map(Next::Ready).or_else(new)
    }

    /// Takes the oldest thread, and no more.
    pub(crate) fn steal_one(&self) -> Option<Next> {
        let started = self.roamers.as_ref().and_then(|it| it.ready.steal());
        let new = || {
            let spawned = self.stealer.steal();
            spawned.or_else(|| self.take_placed()).map(Next::New)
        };
        started.map(Next::Ready).or_else(new)
    }

    fn take_placed(&self) -> Option<NewThread> {
        self.offers_placed().then(|| self.placed.pop()).flatten()
    }
}
