//! Who sleeps, who searches, who watches; and that no wake-up is lost.
//!
//! | word        | meaning                                                    |
//! |-------------|------------------------------------------------------------|
//! | `sleepers`  | the workers that have announced to sleep; the last came last. And which one watches |
//! | `sleeping`  | how many they are                                           |
//! | `searching` | 1: a worker looks for work to steal                         |
//! | `watching`  | 1: a sleeper has a timeout or an alarm, and will look around |
//!
//! *Adding work:* (1) put it into a queue; (2) fence; (3) look at the words; (4) take a sleeper
//! out of the list and rouse it; or, for a lone thread, which its worker may be about to start,
//! set a sleeper's alarm, unless one watches already.
//!
//! *Going to sleep:* (1) [`Idle::announce`]; (2) set the inbox to "asleep"; (3) fence; (4)
//! look whether it is still in the list, and at the queues; (5) sleep. Who was picked before (2)
//! was roused in vain, and would not be picked again.
//!
//! Of two that write first and look second, with a fence between, at least one sees the
//! other. If the sleeper sees the work, it does not sleep. If not, the other sees it in
//! `sleepers`, and its inbox "asleep", and rouses it; or it sees somebody who searches or
//! watches. Who searches ends by finding something, and then [passes on](Idle::work_found)
//! the search, or by going to sleep, which includes another look. A watcher looks when its
//! time is over.
//!
//! *Owing a look:* who is taken out of the list to be roused, and a watcher that is awake, have
//! others rely on them, and so has who ends a search. They owe a look until they search, or have
//! looked a last time before they sleep. If they find something to run before that, messages of
//! their own for instance, they [pass it on](Idle::pass_on) first: that may run for ever.
//!
//! *Placing* a thread with a worker that rests, which leaves it to that worker: (1) put it into
//! its queue; (2) fence; (3) rouse the worker, if it sleeps; if it [rests](Resting) no more, the
//! thread is a lone one that anybody may take. That worker: (1) says that it rests no more; (2)
//! fence; (3) sees what is placed, and has somebody watch. So no thread is left to a worker
//! that computes.
//!
//! An alarm is a timer in the kernel that ends a worker's sleep. It is set where waking the
//! worker would cost more, and for nothing if the lone thread starts at once, as it does when its
//! spawner joins it. When all sleep it is taken back; who sleeps with a timeout wakes once more.
//!
//! A worker never sleeps while its own queues hold something, so all this is about work
//! being done in parallel; that it is done at all needs it only for the injector.
#![forbid(unsafe_code)]

#[cfg(not(trefoil_loom))]
use core::sync::atomic::{AtomicUsize, Ordering, fence};
#[cfg(trefoil_loom)]
use loom::sync::atomic::{AtomicUsize, Ordering, fence};

use trefoil_runtime::Spin;

use crate::resting::Resting;

#[derive(Debug)]
pub(crate) struct Idle {
    /// How many there were at first.
    workers: usize,
    sleepers: Spin<Sleepers>,
    sleeping: AtomicUsize,
    searching: AtomicUsize,
    watching: AtomicUsize,
}

/// How sleepers are made to look around later. Called with the list locked, so that an alarm is
/// set and taken back in the order of what the list says: it must not wait.
pub(crate) trait Alarms {
    /// Ends the worker's sleep in a while. `false`: it cannot be had.
    fn set(&self, worker: usize) -> bool;

    fn clear(&self, worker: usize);
}

#[derive(Debug)]
struct Sleepers {
    list: Vec<usize>,
    /// How many workers there are, asleep or not.
    workers: usize,
    watcher: Option<Watcher>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Watcher {
    /// It sleeps with a timeout.
    Timeout(usize),
    /// It was asleep already, and has an alarm.
    Alarm(usize),
}

/// A worker's right to search. One has it at a time.
#[must_use]
#[derive(Debug)]
pub(crate) struct Search(());

/// A worker that has announced to sleep.
#[must_use]
#[derive(Debug)]
pub(crate) struct Announced {
    worker: usize,
    /// It is the watcher: it must not sleep for long.
    pub(crate) watches: bool,
}

impl Idle {
    pub(crate) fn new(workers: usize) -> Idle {
        Idle {
            workers,
            sleepers: Spin::new(Sleepers {
                list: Vec::with_capacity(workers),
                workers,
                watcher: None,
            }),
            sleeping: AtomicUsize::new(0),
            searching: AtomicUsize::new(0),
            watching: AtomicUsize::new(0),
        }
    }

    /// Work has been added to a queue that now holds `waiting`: which worker must be roused,
    /// if any.
    #[inline]
    pub(crate) fn work_added(&self, waiting: usize, alarms: &impl Alarms) -> Option<usize> {
        if self.workers == 1 {
            return None;
        }
        // Pairs with the fence of `last_look`.
        fence(Ordering::SeqCst);
        // Relaxed: the fence orders them.
        if self.sleeping.load(Ordering::Relaxed) == 0 || self.searching.load(Ordering::Relaxed) != 0
        {
            return None;
        }
        self.summon(waiting, alarms)
    }

    /// Has a sleeper look around for so many threads: at once, or in a while for a lone one.
    #[inline]
    fn summon(&self, waiting: usize, alarms: &impl Alarms) -> Option<usize> {
        if waiting > 1 {
            self.pick()
        } else if waiting == 0 || self.is_watched() {
            None
        } else {
            self.appoint(alarms)
        }
    }

    /// Work has been added from outside: nobody is there who would get to it anyway.
    pub(crate) fn work_injected(&self) -> Option<usize> {
        // Pairs with the fence of `last_look`.
        fence(Ordering::SeqCst);
        self.pick()
    }

    /// Work has been placed with this worker: which one must be roused, if any.
    pub(crate) fn work_placed(
        &self,
        worker: usize,
        resting: &Resting,
        alarms: &impl Alarms,
    ) -> Option<usize> {
        // Pairs with the fences of `last_look` and `Resting::end`.
        fence(Ordering::SeqCst);
        if self.take(worker) {
            Some(worker)
        } else if resting.is_set() {
            // It has yet to look, in its search or before it sleeps.
            None
        } else {
            self.work_added(1, alarms)
        }
    }

    /// Takes a sleeper out of the list, for the caller to rouse.
    #[cold]
    fn pick(&self) -> Option<usize> {
        let mut sleepers = self.sleepers.lock();
        let worker = sleepers.list.pop()?;
        self.count(&sleepers);
        Some(worker)
    }

    /// Takes this worker out of the list, for the caller to rouse. `false`: it is not there.
    fn take(&self, worker: usize) -> bool {
        let mut sleepers = self.sleepers.lock();
        let there = sleepers.remove(worker);
        self.count(&sleepers);
        there
    }

    /// Has a sleeper watch, unless one does. If no alarm is to be had, it is to be roused.
    #[cold]
    fn appoint(&self, alarms: &impl Alarms) -> Option<usize> {
        let mut sleepers = self.sleepers.lock();
        let roused = sleepers.appoint(alarms);
        self.count(&sleepers);
        roused
    }

    /// Tells by the words what the list says.
    fn count(&self, sleepers: &Sleepers) {
        // Relaxed: the fences order them.
        self.sleeping.store(sleepers.list.len(), Ordering::Relaxed);
        let watching = usize::from(sleepers.watcher.is_some());
        self.watching.store(watching, Ordering::Relaxed);
    }

    /// Begins a search, unless another worker searches.
    pub(crate) fn search(&self) -> Option<Search> {
        // First a look that leaves the others' caches alone: whoever waits for the right asks again and again.
        let free = self.searching.load(Ordering::Relaxed) == 0
            && self.searching.swap(1, Ordering::Relaxed) == 0;
        free.then_some(Search(()))
    }

    /// The search has found something. What is still `waiting` is somebody else's now: which worker must
    /// be roused, if any.
    pub(crate) fn work_found(
        &self,
        search: Search,
        waiting: impl FnOnce() -> usize,
        alarms: &impl Alarms,
    ) -> Option<usize> {
        self.end_search(search);
        self.pass_on(waiting, alarms)
    }

    /// The worker is going to run something, and others rely on its looking around. If so many threads
    /// are `waiting`, somebody else is to look, or to watch over a lone one: which worker must be
    /// roused, if any. What comes later is announced by who adds it.
    pub(crate) fn pass_on(
        &self,
        waiting: impl FnOnce() -> usize,
        alarms: &impl Alarms,
    ) -> Option<usize> {
        // Whoever added work and left it to us has written before it looked. We have written
        // that we search, watch, or can be picked no more, and look now.
        fence(Ordering::SeqCst);
        if self.sleeping.load(Ordering::Relaxed) == 0 || self.searching.load(Ordering::Relaxed) != 0
        {
            return None;
        }
        self.summon(waiting(), alarms)
    }

    /// The search has found nothing. The worker owes a look, and goes on to sleep, which includes
    /// the last one.
    pub(crate) fn end_search(&self, Search(()): Search) {
        self.searching.store(0, Ordering::Relaxed);
    }

    /// The worker is about to sleep.
    pub(crate) fn announce(&self, worker: usize, alarms: &impl Alarms) -> Announced {
        let mut sleepers = self.sleepers.lock();
        sleepers.list.push(worker);
        let all_sleep = sleepers.list.len() == sleepers.workers;
        let watches = !all_sleep && sleepers.watcher.is_none();
        if watches {
            // Somebody must watch those that are awake.
            sleepers.watcher = Some(Watcher::Timeout(worker));
        } else if all_sleep {
            sleepers.clear_alarm(alarms);
        }
        self.count(&sleepers);
        Announced { worker, watches }
    }

    /// Between the announcement, after which the worker can be roused, and its last look at
    /// the queues. `true`: it has been picked meanwhile, perhaps before its inbox said "asleep",
    /// and must not sleep: it is in the list no more, so nobody would rouse it again.
    #[must_use]
    pub(crate) fn last_look(&self, announced: &Announced) -> bool {
        // Pairs with the fences of those who add work.
        fence(Ordering::SeqCst);
        !self.sleepers.lock().list.contains(&announced.worker)
    }

    /// Whether a sleeper will look around soon. Asked after [`last_look`](Idle::last_look).
    pub(crate) fn is_watched(&self) -> bool {
        self.watching.load(Ordering::Relaxed) != 0
    }

    /// Whether somebody searches, who will look around and then pass on what is left, or look once more before he
    /// sleeps. Asked after [`last_look`](Idle::last_look), whose fence pairs with that of [`pass_on`](Idle::pass_on):
    /// who still searches by then will see that this worker sleeps.
    pub(crate) fn is_searched(&self) -> bool {
        // Relaxed: the fences order them.
        self.searching.load(Ordering::Relaxed) != 0
    }

    /// The worker is awake, for whatever reason. `true`: it owes a look.
    #[must_use]
    pub(crate) fn awake(&self, announced: Announced, alarms: &impl Alarms) -> bool {
        let mut sleepers = self.sleepers.lock();
        let picked = !sleepers.remove(announced.worker);
        let watched = sleepers.watcher.is_some_and(|watcher| {
            matches!(watcher, Watcher::Timeout(worker) | Watcher::Alarm(worker) if worker == announced.worker)
        });
        if watched {
            sleepers.clear_alarm(alarms);
            sleepers.watcher = None;
        }
        self.count(&sleepers);
        picked || watched
    }

    /// The worker ends: it will not sleep again.
    pub(crate) fn leave(&self) {
        self.sleepers.lock().workers -= 1;
    }
}

impl Sleepers {
    fn remove(&mut self, worker: usize) -> bool {
        let at = self.list.iter().position(|&sleeper| sleeper == worker);
        at.map(|at| self.list.remove(at)).is_some()
    }

    fn appoint(&mut self, alarms: &impl Alarms) -> Option<usize> {
        if self.watcher.is_some() {
            return None;
        }
        let worker = *self.list.last()?;
        if alarms.set(worker) {
            self.watcher = Some(Watcher::Alarm(worker));
            return None;
        }
        self.list.pop()
    }

    fn clear_alarm(&mut self, alarms: &impl Alarms) {
        if let Some(Watcher::Alarm(worker)) = self.watcher {
            alarms.clear(worker);
            self.watcher = None;
        }
    }
}

#[cfg(all(test, trefoil_loom))]
mod loom_models;
#[cfg(all(test, not(trefoil_loom)))]
mod tests;
