//! Finds workers that do not come back to their loop: a thread on such a worker computes for long, or is in a
//! call that blocks its OS thread, and all others of the worker wait.
//!
//! One OS thread for each runtime that asks for it. While a worker is awake it looks at all beats twice in the
//! time that is allowed; while all sleep it sleeps too.
//!
//! Where threads are to be moved that would keep a worker, it also tells the runtime's [`Hogs`] whom it has seen:
//! once at the limit, and once more at [`LONG`] times the limit.
//!
//! That no worker is awake while nobody looks is what an [`Attention`] is for: the first worker that wakes up
//! after all have slept sets the monitor's alarm. That is one short system call, every few milliseconds at most.
#![forbid(unsafe_code)]

use std::collections::HashMap;
use std::fmt;
use std::io::{self, Write as _};
use std::panic::Location;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use trefoil_reactor::{Handle, Reactor};
use trefoil_runtime::{
    Attention, Companions, Hogs, Idlers, Model, Monitoring, Relief, Stall, ThreadInfo, running_on,
};

use crate::beat::Beat;
use crate::remote::Remote;

/// No limit is shorter.
const SHORTEST: Duration = Duration::from_micros(100);
/// A stall that is so many times as long as the limit counts as two, when it is learned who stalls.
const LONG: u32 = 10;

/// Watches the workers of one runtime, until it is dropped.
pub struct Monitor {
    watch: Arc<Watch>,
    thread: Option<JoinHandle<()>>,
}

struct Watch {
    limit: Duration,
    prints: bool,
    /// `None`: nobody learns who stalls.
    hogs: Option<Arc<Hogs>>,
    attention: Attention,
    closing: AtomicBool,
    bell: Handle<()>,
    workers: Mutex<Vec<Watched>>,
    stalls: Mutex<HashMap<Option<&'static Location<'static>>, Stall>>,
}

struct Watched {
    remote: Weak<Remote>,
    owner: usize,
    /// The beat, and since when it is that.
    beat: u32,
    since: Instant,
    /// It has been counted that the beat stands still, for threads of this place.
    counted: Option<Option<&'static Location<'static>>>,
    /// How often it has been told to the hogs that the beat stands still.
    taught: u32,
}

impl Monitor {
    /// Starts one that counts a worker which has not come back to its loop for `limit`, and says so on standard
    /// error, once for each place, if it `prints`. `hogs`, if there are some, learn who it was.
    ///
    /// # Errors
    ///
    /// `EMFILE` at the limit of descriptors, of which it needs four; `EAGAIN` if there is no further OS thread.
    pub fn start(
        limit: Duration,
        prints: bool,
        hogs: Option<Arc<Hogs>>,
    ) -> io::Result<Arc<Monitor>> {
        let reactor = Reactor::new()?;
        let watch = Arc::new(Watch {
            limit: limit.max(SHORTEST),
            prints,
            hogs,
            attention: Attention::paid(),
            closing: AtomicBool::new(false),
            bell: reactor.handle(),
            workers: Mutex::default(),
            stalls: Mutex::default(),
        });
        // The descriptor is made when an alarm is set for the first time: a refusal is told here.
        watch.bell.set_alarm(watch.limit)?;
        let its = Arc::clone(&watch);
        // It wakes none of our threads by itself: where only it is left, there is a deadlock.
        let idlers = Idlers::listed();
        idlers.add();
        let thread = thread::Builder::new()
            .name("trefoil-monitor".to_owned())
            .stack_size(256 * 1024)
            .spawn(move || {
                its.run(reactor);
                idlers.owe();
            })?;
        Ok(Arc::new(Monitor {
            watch,
            thread: Some(thread),
        }))
    }

    /// The one of a runtime that is built, with these runtimes beside it. `None`: nobody asks for one.
    ///
    /// # Errors
    ///
    /// As [`start`](Monitor::start), and [`Relief::most`]; `InvalidInput`: an environment variable holds what it
    /// cannot.
    pub fn of(
        monitoring: Monitoring,
        relief: Relief,
        companions: &Companions,
    ) -> io::Result<Option<Arc<Monitor>>> {
        let prints = monitoring.is_to_print()?;
        let kernel = companions.of(Model::Kernel).is_some();
        let (limit, hogs) = match relief.most(monitoring, kernel)? {
            Some(most) => {
                let limit = monitoring.limit_to_learn()?.max(SHORTEST);
                (Some(limit), Some(Hogs::new(most, limit)))
            }
            None => (monitoring.limit()?, None),
        };
        let start = |limit| Monitor::start(limit, prints, hogs);
        limit.map(start).transpose()
    }

    /// What it teaches. `None`: nobody learns who stalls.
    #[must_use]
    pub fn hogs(&self) -> Option<Arc<Hogs>> {
        self.watch.hogs.clone()
    }

    /// Watches this worker, as long as it exists. Its number is the one as an owner of fibers.
    pub fn watch(&self, remote: &Arc<Remote>, owner: usize) {
        lock(&self.watch.workers).push(Watched {
            remote: Arc::downgrade(remote),
            owner,
            beat: remote.beat.get(),
            since: Instant::now(),
            counted: None,
            taught: 0,
        });
        self.worker_wakes();
    }

    /// A worker has said in its beat that it is awake.
    #[inline]
    pub(crate) fn worker_wakes(&self) {
        if self.watch.attention.is_due() {
            self.watch.look_soon();
        }
    }

    /// What has been seen, the longest first.
    #[must_use]
    pub fn stalls(&self) -> Vec<Stall> {
        let mut stalls: Vec<Stall> = lock(&self.watch.stalls).values().cloned().collect();
        if let Some(hogs) = &self.watch.hogs {
            for stall in &mut stalls {
                let at = stall.spawned_at.map(|place| hogs.at(place));
                (stall.learned, stall.moved) = at.unwrap_or_default();
            }
        }
        stalls.sort_by_key(|stall| std::cmp::Reverse(stall.longest));
        stalls
    }
}

impl Drop for Monitor {
    fn drop(&mut self) {
        // Release: pairs with `run`.
        self.watch.closing.store(true, Ordering::Release);
        self.watch.bell.wake();
        if let Some(thread) = self.thread.take() {
            // It calls nobody's code, so it does not panic.
            let _ = thread.join();
        }
    }
}

impl fmt::Debug for Monitor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Monitor")
            .field("limit", &self.watch.limit)
            .finish_non_exhaustive()
    }
}

impl Watch {
    fn look_soon(&self) {
        // The descriptor is there since `start`, so that it cannot be refused.
        let _ = self.bell.set_alarm(self.limit / 2);
    }

    /// The life of the monitor's OS thread.
    fn run(&self, mut reactor: Reactor<()>) {
        let mut events = Vec::new();
        // Acquire: pairs with `Drop`.
        while !self.closing.load(Ordering::Acquire) {
            // It fails only for want of kernel memory; then it looks too early.
            let _ = reactor.poll(None, &mut events);
            events.clear();
            let mut told = Vec::new();
            let awake = self.look(Instant::now(), &mut told);
            // Nobody waits for a lock meanwhile: standard error may be a pipe that is full.
            told.iter().for_each(Told::print);
            if awake || self.attention.rest(|| self.is_anybody_awake()) {
                self.look_soon();
            }
        }
    }

    fn is_anybody_awake(&self) -> bool {
        let workers = lock(&self.workers);
        let mut remotes = workers.iter().filter_map(|it| it.remote.upgrade());
        remotes.any(|remote| !Beat::is_asleep(remote.beat.get()))
    }

    /// Looks at all beats, and adds what is to be told. `true`: a worker is awake.
    fn look(&self, now: Instant, told: &mut Vec<Told>) -> bool {
        let mut workers = lock(&self.workers);
        let mut awake = false;
        workers.retain_mut(|worker| {
            let Some(remote) = worker.remote.upgrade() else {
                return false;
            };
            let beat = remote.beat.get();
            if beat != worker.beat {
                (worker.beat, worker.since, worker.counted) = (beat, now, None);
                worker.taught = 0;
            }
            if !Beat::is_asleep(beat) {
                awake = true;
                let still = now.saturating_duration_since(worker.since);
                if still >= self.limit {
                    self.stands_still(worker, &remote, still, told);
                }
            }
            true
        });
        awake
    }

    /// Counts it, and adds what is to be told of it.
    fn stands_still(
        &self,
        worker: &mut Watched,
        remote: &Remote,
        still: Duration,
        told: &mut Vec<Told>,
    ) {
        let lessons = if still >= self.limit * LONG { 2 } else { 1 };
        let hogs = self.hogs.as_deref().filter(|_| worker.taught < lessons);
        if worker.counted.is_some() && hogs.is_none() {
            return self.note_longer(worker, still);
        }
        let thread = running_on(worker.owner);
        if worker.counted.is_none() {
            told.extend(self.count(worker, still, thread.as_ref()));
        } else {
            self.note_longer(worker, still);
        }
        let missed = worker.taught..lessons;
        worker.taught = lessons;
        // Else it may be the next one.
        let is_the_one = remote.beat.get() == worker.beat;
        if let (Some(hogs), Some(thread), true) = (hogs, thread, is_the_one) {
            // All of them, also where the first look comes late.
            let learned = missed.fold(false, |learned, _| hogs.stalled(&thread) | learned);
            if learned && self.prints {
                told.extend(thread.spawned_at.map(Told::Learned));
            }
        }
    }

    fn note_longer(&self, worker: &Watched, still: Duration) {
        let mut stalls = lock(&self.stalls);
        if let Some(stall) = worker.counted.and_then(|place| stalls.get_mut(&place)) {
            stall.longest = stall.longest.max(still);
        }
    }

    fn count(
        &self,
        worker: &mut Watched,
        still: Duration,
        thread: Option<&ThreadInfo>,
    ) -> Option<Told> {
        let (model, spawned_at) = thread.map_or((None, None), |thread| {
            (Some(thread.model), thread.spawned_at)
        });
        worker.counted = Some(spawned_at);
        let mut stalls = lock(&self.stalls);
        let stall = stalls.entry(spawned_at).or_insert(Stall {
            spawned_at,
            name: None,
            count: 0,
            longest: still,
            learned: false,
            moved: 0,
        });
        stall.count += 1;
        stall.longest = stall.longest.max(still);
        stall.name = thread.and_then(|thread| thread.name.clone());
        (self.prints && stall.count == 1).then(|| Told::Stalls(stall.clone(), model))
    }
}

/// What is to be said on standard error.
enum Told {
    Stalls(Stall, Option<Model>),
    Learned(&'static Location<'static>),
}

impl Told {
    /// Says what happens, and what to do. Where standard error is gone nobody is told.
    fn print(&self) {
        let _ = match self {
            Told::Stalls(stall, model) => {
                let model = model.map_or("", Model::name);
                writeln!(
                    io::stderr(),
                    "trefoil: {model} {stall}, and longer. Call `thread::checkpoint` in a long computation, \
                     wrap what blocks into `thread::blocking`, or give the thread a kernel thread of its own by \
                     `Builder::model`. This place is not named again."
                )
            }
            Told::Learned(place) => writeln!(
                io::stderr(),
                "trefoil: later threads that are spawned at {place} start on kernel threads, until some in a \
                 row would not have kept a worker"
            ),
        };
    }
}

/// What is guarded is whole at all times.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Stacks, Worker};

    const LIMIT: Duration = Duration::from_millis(10);

    /// One that nobody runs: the test says what time it is.
    fn watch() -> Watch {
        Watch {
            limit: LIMIT,
            prints: false,
            hogs: None,
            attention: Attention::paid(),
            closing: AtomicBool::new(false),
            bell: Reactor::new().unwrap().handle(),
            workers: Mutex::default(),
            stalls: Mutex::default(),
        }
    }

    fn worker(watch: &Watch, since: Instant) -> Worker {
        let worker = Worker::new(&Stacks::new(256 * 1024, None).unwrap(), None).unwrap();
        lock(&watch.workers).push(Watched {
            remote: Arc::downgrade(&worker.remote()),
            owner: usize::MAX,
            beat: worker.remote().beat(),
            since,
            counted: None,
            taught: 0,
        });
        worker
    }

    fn look(watch: &Watch, now: Instant) -> bool {
        watch.look(now, &mut Vec::new())
    }

    fn counted(watch: &Watch) -> Vec<(u64, Duration)> {
        let stalls = lock(&watch.stalls);
        stalls.values().map(|it| (it.count, it.longest)).collect()
    }

    #[test]
    fn a_beat_that_stands_still_is_counted_once() {
        let (watch, begin) = (watch(), Instant::now());
        let worker = worker(&watch, begin);
        assert!(look(&watch, begin + LIMIT / 2));
        assert_eq!(counted(&watch), []);
        for times in [1, 2, 3] {
            assert!(look(&watch, begin + LIMIT * times));
            assert_eq!(counted(&watch), [(1, LIMIT * times)]);
        }
        worker.remote().beat.round();
        assert!(look(&watch, begin + LIMIT * 4));
        assert!(look(&watch, begin + LIMIT * 5));
        assert_eq!(counted(&watch), [(2, LIMIT * 3)]);
    }

    #[test]
    fn who_comes_back_or_sleeps_is_not_counted() {
        let (watch, begin) = (watch(), Instant::now());
        let worker = worker(&watch, begin);
        for looks in 1..10 {
            worker.remote().beat.round();
            assert!(look(&watch, begin + LIMIT * looks));
        }
        worker.remote().beat.falls_asleep();
        for looks in 10..20 {
            assert!(!look(&watch, begin + LIMIT * looks), "nobody is awake");
        }
        assert_eq!(counted(&watch), []);
    }

    /// Handles of its threads may keep its remote for long.
    #[test]
    fn a_worker_that_has_ended_is_not_counted() {
        let (watch, begin) = (watch(), Instant::now());
        let worker = worker(&watch, begin);
        let _kept = worker.remote();
        worker.close();
        drop(worker);
        assert!(!look(&watch, begin + LIMIT));
        assert_eq!(counted(&watch), []);
    }

    #[test]
    fn nobody_is_awake_without_somebody_who_looks() {
        let (watch, begin) = (watch(), Instant::now());
        let worker = worker(&watch, begin);
        assert!(
            watch.attention.rest(|| watch.is_anybody_awake()),
            "it is awake"
        );
        assert!(!watch.attention.is_due());
        worker.remote().beat.falls_asleep();
        assert!(!watch.attention.rest(|| watch.is_anybody_awake()));
        assert!(watch.attention.is_due());
        drop(worker);
        assert!(!look(&watch, begin + LIMIT));
        assert!(lock(&watch.workers).is_empty(), "it has gone");
    }
}
