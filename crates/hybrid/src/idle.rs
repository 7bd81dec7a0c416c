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
use core::sync::atomic::{AtomicBool, AtomicUsize, Ordering, fence};
#[cfg(trefoil_loom)]
use loom::sync::atomic::{AtomicBool, AtomicUsize, Ordering, fence};

use trefoil_runtime::Spin;

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
        let free = self.searching.swap(1, Ordering::Relaxed) == 0;
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

/// Whether a worker has nothing to run. What is placed with it then is left to it by all others.
#[derive(Debug)]
pub(crate) struct Resting(AtomicBool);

impl Resting {
    pub(crate) fn new() -> Resting {
        Resting(AtomicBool::new(true))
    }

    pub(crate) fn is_set(&self) -> bool {
        // Relaxed: where it matters, a fence orders it.
        self.0.load(Ordering::Relaxed)
    }

    /// Only the worker itself.
    pub(crate) fn begin(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    /// The worker is going to run something, perhaps for long. Then it looks at what was placed
    /// with it: others may take that from now on, and those who sleep do not know. `false`: it
    /// did not rest.
    pub(crate) fn end(&self) -> bool {
        if !self.is_set() {
            return false;
        }
        self.0.store(false, Ordering::Relaxed);
        // Pairs with the fence of `work_placed`: who has placed a thread sees this, or we see
        // the thread.
        fence(Ordering::SeqCst);
        true
    }
}

#[cfg(all(test, not(trefoil_loom)))]
mod tests {
    use super::*;
    use core::cell::RefCell;

    /// Notes who has an alarm.
    #[derive(Default)]
    struct Clock(RefCell<Vec<usize>>);

    impl Alarms for Clock {
        fn set(&self, worker: usize) -> bool {
            self.0.borrow_mut().push(worker);
            true
        }

        fn clear(&self, worker: usize) {
            self.0.borrow_mut().retain(|&other| other != worker);
        }
    }

    struct NoAlarms;

    impl Alarms for NoAlarms {
        fn set(&self, _: usize) -> bool {
            false
        }

        fn clear(&self, _: usize) {
            unreachable!("none is ever set");
        }
    }

    #[test]
    fn a_lone_thread_wakes_nobody_while_somebody_watches() {
        let (idle, clock) = (Idle::new(2), Clock::default());
        assert_eq!(idle.work_added(1, &clock), None, "nobody sleeps");
        let one = idle.announce(1, &clock);
        assert!(one.watches, "worker 0 is awake");
        assert_eq!(idle.work_added(1, &clock), None);
        assert_eq!(idle.work_added(2, &clock), Some(1));
        let _ = idle.awake(one, &clock);
        assert_eq!(idle.work_added(2, &clock), None);
        assert!(clock.0.take().is_empty(), "no alarm was wanted");
    }

    #[test]
    fn where_nobody_watches_a_lone_thread_sets_an_alarm() {
        let (idle, clock) = (Idle::new(2), Clock::default());
        let one = idle.announce(1, &clock);
        let zero = idle.announce(0, &clock);
        assert!(one.watches && !zero.watches);
        let _ = idle.awake(one, &clock);
        let one = idle.announce(1, &clock);
        assert!(!one.watches, "all sleep");
        let _ = idle.awake(zero, &clock);
        assert_eq!(idle.work_added(1, &clock), None);
        assert_eq!(*clock.0.borrow(), [1]);
        assert_eq!(idle.work_added(1, &clock), None, "it watches already");
        assert_eq!(*clock.0.borrow(), [1], "once");
        let zero = idle.announce(0, &clock);
        assert!(!zero.watches && clock.0.take().is_empty(), "all sleep");
        let _ = idle.awake(zero, &clock);
        let _ = idle.awake(one, &clock);
    }

    #[test]
    fn without_an_alarm_the_sleeper_is_roused() {
        let idle = Idle::new(2);
        let (one, zero) = (idle.announce(1, &NoAlarms), idle.announce(0, &NoAlarms));
        let _ = idle.awake(one, &NoAlarms);
        let one = idle.announce(1, &NoAlarms);
        let _ = idle.awake(zero, &NoAlarms);
        assert_eq!(idle.work_added(1, &NoAlarms), Some(1));
        let _ = idle.awake(one, &NoAlarms);
    }

    #[test]
    fn a_watcher_with_something_to_run_has_another_watch() {
        let (idle, clock) = (Idle::new(3), Clock::default());
        let two = idle.announce(2, &clock);
        let one = idle.announce(1, &clock);
        assert!(two.watches && !one.watches);
        assert!(idle.awake(two, &clock), "it watched");
        assert_eq!(idle.pass_on(|| 0, &clock), None);
        assert!(clock.0.borrow().is_empty(), "nothing waits");
        assert_eq!(idle.pass_on(|| 1, &clock), None);
        assert_eq!(*clock.0.borrow(), [1]);
        let _ = idle.awake(one, &clock);
        assert!(clock.0.take().is_empty(), "who is awake needs no alarm");
    }

    #[test]
    fn who_was_picked_owes_a_look_and_who_woke_by_itself_does_not() {
        let (idle, clock) = (Idle::new(3), Clock::default());
        let two = idle.announce(2, &clock);
        let one = idle.announce(1, &clock);
        let zero = idle.announce(0, &clock);
        assert!(!idle.awake(zero, &clock), "by itself");
        assert_eq!(idle.work_injected(), Some(1));
        assert!(idle.awake(one, &clock), "picked");
        assert_eq!(idle.pass_on(|| 2, &clock), Some(2));
        assert!(idle.awake(two, &clock), "picked");
    }

    #[test]
    fn the_last_of_those_that_are_left_does_not_watch() {
        let (idle, clock) = (Idle::new(2), Clock::default());
        let one = idle.announce(1, &clock);
        assert!(one.watches);
        let _ = idle.awake(one, &clock);
        idle.leave();
        assert!(!idle.announce(1, &clock).watches, "there is nobody else");
    }

    #[test]
    fn one_searches_at_a_time_and_passes_it_on() {
        let (idle, clock) = (Idle::new(3), Clock::default());
        let announced = idle.announce(2, &clock);
        let search = idle.search().unwrap();
        assert!(idle.search().is_none());
        assert_eq!(idle.work_added(5, &clock), None, "left to the search");
        assert_eq!(idle.work_found(search, || 2, &clock), Some(2));
        let _ = idle.awake(announced, &clock);
        let search = idle.search().unwrap();
        assert_eq!(idle.work_found(search, || 2, &clock), None, "nobody sleeps");
    }

    #[test]
    fn a_single_worker_has_nobody_to_wake() {
        let idle = Idle::new(1);
        let announced = idle.announce(0, &NoAlarms);
        assert!(!announced.watches);
        assert_eq!(idle.work_added(7, &NoAlarms), None);
        assert_eq!(idle.work_injected(), Some(0));
        let _ = idle.awake(announced, &NoAlarms);
    }

    #[test]
    fn what_is_placed_rouses_its_worker_or_is_for_all() {
        let (idle, clock) = (Idle::new(3), Clock::default());
        let resting = Resting::new();
        assert_eq!(
            idle.work_placed(1, &resting, &clock),
            None,
            "it has yet to look"
        );
        let one = idle.announce(1, &clock);
        assert_eq!(idle.work_placed(1, &resting, &clock), Some(1));
        assert!(idle.awake(one, &clock), "it was picked");
        assert!(resting.end() && !resting.end());
        assert_eq!(idle.work_placed(1, &resting, &clock), None, "nobody sleeps");
        let two = idle.announce(2, &clock);
        let zero = idle.announce(0, &clock);
        let _ = idle.awake(two, &clock);
        assert_eq!(idle.work_placed(1, &resting, &clock), None);
        assert_eq!(*clock.0.borrow(), [0], "it is for all: one is to look");
        let _ = idle.awake(zero, &clock);
    }
}

/// Worker 1 goes to sleep while others add work. `work` stands for the queues. In no
/// interleaving does it sleep for good while work is there that was to be done in parallel.
#[cfg(all(test, trefoil_loom))]
mod loom_models {
    use super::*;
    use loom::sync::Arc;
    use loom::thread;

    /// Of worker 1.
    struct Alarm(AtomicBool);

    impl Alarms for Alarm {
        fn set(&self, worker: usize) -> bool {
            assert_eq!(worker, 1);
            self.0.store(true, Ordering::Relaxed);
            true
        }

        fn clear(&self, worker: usize) {
            assert_eq!(worker, 1);
            self.0.store(false, Ordering::Relaxed);
        }
    }

    struct Model {
        idle: Idle,
        work: AtomicUsize,
        /// The inbox's "asleep", and the bell.
        asleep: AtomicUsize,
        alarm: Alarm,
        /// Of worker 0.
        placed: AtomicUsize,
        resting: Resting,
    }

    impl Model {
        fn new() -> Arc<Model> {
            Arc::new(Model {
                idle: Idle::new(2),
                work: AtomicUsize::new(0),
                asleep: AtomicUsize::new(0),
                alarm: Alarm(AtomicBool::new(false)),
                placed: AtomicUsize::new(0),
                resting: Resting::new(),
            })
        }

        fn rouse(&self, worker: Option<usize>) {
            // Worker 0 is awake.
            if worker == Some(1) {
                // As `Inbox::rouse`: only a worker that is asleep is woken.
                let _ = self
                    .asleep
                    .compare_exchange(1, 0, Ordering::AcqRel, Ordering::Relaxed);
            }
        }

        /// Adds to the queues, which hold `waiting` then.
        fn add(&self, waiting: usize) {
            self.work.store(waiting, Ordering::Release);
            self.rouse(self.idle.work_added(waiting, &self.alarm));
        }

        /// What worker 1 may take, and must not leave to nobody.
        fn waiting(&self) -> usize {
            let resting = self.resting.is_set();
            let placed = self.placed.load(Ordering::Relaxed);
            self.work.load(Ordering::Relaxed) + if resting { 0 } else { placed }
        }

        /// Whether worker 1 sleeps without a timeout, at the end.
        fn rest(&self) -> bool {
            let announced = self.idle.announce(1, &self.alarm);
            let _ = self
                .asleep
                .compare_exchange(0, 1, Ordering::Release, Ordering::Relaxed);
            let picked = self.idle.last_look(&announced);
            let work = self.waiting();
            if picked || work > 1 || work == 1 && !self.idle.is_watched() {
                self.asleep.store(0, Ordering::Relaxed);
                let _ = self.idle.awake(announced, &self.alarm);
                return false;
            }
            !announced.watches
        }
    }

    /// Also checks that nobody sleeps whom nobody could rouse.
    fn sleeps_over_work(model: &Model, without_timeout: bool) -> bool {
        let asleep = model.asleep.load(Ordering::Acquire) == 1;
        assert!(!asleep || model.idle.sleepers.lock().list.contains(&1));
        without_timeout && asleep && !model.alarm.0.load(Ordering::Acquire) && model.waiting() != 0
    }

    #[test]
    fn injected_work_finds_a_worker() {
        loom::model(|| {
            let model = Model::new();
            let other = Arc::clone(&model);
            let injector = thread::spawn(move || {
                // The injector counts as more than a lone thread.
                other.work.store(2, Ordering::Release);
                other.rouse(other.idle.work_injected());
            });
            // Even as a watcher it must be found: an injected thread has nobody else.
            let _ = model.rest();
            injector.join().unwrap();
            assert!(!sleeps_over_work(&model, true));
        });
    }

    #[test]
    fn two_waiting_threads_find_a_worker() {
        loom::model(|| {
            let model = Model::new();
            let other = Arc::clone(&model);
            let spawner = thread::spawn(move || other.add(2));
            let search = model.idle.search();
            if let Some(search) = search {
                model.idle.end_search(search);
            }
            let _ = model.rest();
            spawner.join().unwrap();
            assert!(!sleeps_over_work(&model, true));
        });
    }

    /// A lone thread may be left to the watcher, but not to a worker that sleeps for good.
    #[test]
    fn a_lone_thread_is_not_left_to_a_sleeper_without_timeout() {
        loom::model(|| {
            let model = Model::new();
            let other = Arc::clone(&model);
            let spawner = thread::spawn(move || {
                // Worker 0 was asleep too, until now: worker 1 finds it so, or awake.
                let zero = other.idle.announce(0, &other.alarm);
                let _ = other.idle.awake(zero, &other.alarm);
                other.add(1);
            });
            let without_timeout = model.rest();
            spawner.join().unwrap();
            assert!(!sleeps_over_work(&model, without_timeout));
        });
    }

    /// An alarm that is taken back because all sleep was not the one of a later thread.
    #[test]
    fn an_alarm_is_not_taken_back_under_a_lone_thread() {
        loom::model(|| {
            let model = Model::new();
            let other = Arc::clone(&model);
            let spawner = thread::spawn(move || {
                let zero = other.idle.announce(0, &other.alarm);
                let _ = other.idle.awake(zero, &other.alarm);
                other.add(1);
                // It starts the thread itself, sleeps, and comes back with another.
                other.work.store(0, Ordering::Relaxed);
                let zero = other.idle.announce(0, &other.alarm);
                let _ = other.idle.awake(zero, &other.alarm);
                other.add(1);
            });
            let without_timeout = model.rest();
            spawner.join().unwrap();
            assert!(!sleeps_over_work(&model, without_timeout));
        });
    }

    /// A thread is placed with worker 0 while that finds something else to run, for ever. It is
    /// not left to it: worker 1 takes it, or will look.
    #[test]
    fn nothing_is_placed_behind_one_that_computes() {
        loom::model(|| {
            let model = Model::new();
            let placer = Arc::clone(&model);
            let busy = Arc::clone(&model);
            let placing = thread::spawn(move || {
                placer.placed.store(1, Ordering::Release);
                let roused = placer.idle.work_placed(0, &placer.resting, &placer.alarm);
                placer.rouse(roused);
            });
            // Worker 1 sleeps for good.
            let without_timeout = {
                let zero = model.idle.announce(0, &model.alarm);
                let sleeps = model.rest();
                let _ = model.idle.awake(zero, &model.alarm);
                sleeps
            };
            assert!(busy.resting.end());
            if busy.placed.load(Ordering::Relaxed) != 0 {
                busy.rouse(busy.idle.work_added(1, &busy.alarm));
            }
            placing.join().unwrap();
            assert!(!sleeps_over_work(&model, without_timeout));
        });
    }

    /// Worker 1 is woken by a message of its own while somebody picks it for injected work. It runs
    /// what the message is for, for ever: worker 2 must be roused, by the one or by the other.
    #[test]
    fn work_is_not_left_to_who_was_picked_with_a_message_of_its_own() {
        loom::model(|| {
            let idle = Arc::new(Idle::new(3));
            let work = Arc::new(AtomicUsize::new(0));
            let alarm = Arc::new(Alarm(AtomicBool::new(false)));
            let two = idle.announce(2, &*alarm);
            let one = idle.announce(1, &*alarm);
            let injector = {
                let (idle, work) = (Arc::clone(&idle), Arc::clone(&work));
                thread::spawn(move || {
                    work.store(1, Ordering::Relaxed);
                    idle.work_injected()
                })
            };
            let waiting = || 2 * work.load(Ordering::Relaxed);
            let passed_on = if idle.awake(one, &*alarm) {
                idle.pass_on(waiting, &*alarm)
            } else {
                None
            };
            let picked = injector.join().unwrap();
            assert!(passed_on == Some(2) || picked == Some(2));
            let _ = idle.awake(two, &*alarm);
        });
    }

    /// Work that was left to a search is passed on when the search ends with something else.
    #[test]
    fn work_left_to_a_search_finds_a_worker() {
        loom::model(|| {
            let idle = Arc::new(Idle::new(3));
            let work = Arc::new(AtomicUsize::new(0));
            let alarm = Arc::new(Alarm(AtomicBool::new(false)));
            // Worker 2 sleeps; worker 1 searches, and has found something elsewhere.
            let sleeper = idle.announce(2, &*alarm);
            let search = idle.search().expect("nobody else searches");
            let spawner = {
                let (idle, work, alarm) =
                    (Arc::clone(&idle), Arc::clone(&work), Arc::clone(&alarm));
                thread::spawn(move || {
                    work.store(2, Ordering::Relaxed);
                    idle.work_added(2, &*alarm)
                })
            };
            let waiting = || work.load(Ordering::Relaxed);
            let passed_on = idle.work_found(search, waiting, &*alarm);
            let added = spawner.join().unwrap();
            assert_eq!(
                [passed_on, added].into_iter().flatten().collect::<Vec<_>>(),
                [2],
                "the sleeper is roused, once"
            );
            let _ = idle.awake(sleeper, &*alarm);
        });
    }
}
