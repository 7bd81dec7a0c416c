//! Who sleeps, who searches, who watches; and that no wake-up is lost.
//!
//! | word        | meaning                                                    |
//! |-------------|------------------------------------------------------------|
//! | `sleepers`  | the workers that have announced to sleep; the last came last |
//! | `sleeping`  | how many they are                                           |
//! | `searching` | 1: a worker looks for work to steal                         |
//! | `watching`  | 1: a sleeper has a timeout, and will look around            |
//!
//! *Adding work:* (1) put it into a queue; (2) fence; (3) [`Idle::wants_waker`]: look at the
//! words; (4) [`Idle::pick`] a sleeper and rouse it.
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
//! time is over. If it is woken for work of its own, another sleeper is roused to watch.
//!
//! A worker never sleeps while its own queues hold something, so all this is about work
//! being done in parallel; that it is done at all needs it only for the injector.
#![forbid(unsafe_code)]

#[cfg(not(trefoil_loom))]
use core::sync::atomic::{AtomicUsize, Ordering, fence};
#[cfg(trefoil_loom)]
use loom::sync::atomic::{AtomicUsize, Ordering, fence};

use trefoil_runtime::Spin;

#[derive(Debug)]
pub(crate) struct Idle {
    workers: usize,
    sleepers: Spin<Vec<usize>>,
    sleeping: AtomicUsize,
    searching: AtomicUsize,
    watching: AtomicUsize,
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
            sleepers: Spin::new(Vec::with_capacity(workers)),
            sleeping: AtomicUsize::new(0),
            searching: AtomicUsize::new(0),
            watching: AtomicUsize::new(0),
        }
    }

    /// Work has been added to a queue that now holds `waiting`: which worker must be roused,
    /// if any.
    #[inline]
    pub(crate) fn work_added(&self, waiting: usize) -> Option<usize> {
        if self.workers == 1 {
            return None;
        }
        self.wants_waker(waiting).then(|| self.pick()).flatten()
    }

    /// Work has been added from outside: nobody is there who would get to it anyway.
    pub(crate) fn work_injected(&self) -> Option<usize> {
        // Pairs with the fence of `last_look`.
        fence(Ordering::SeqCst);
        self.pick()
    }

    #[inline]
    fn wants_waker(&self, waiting: usize) -> bool {
        // Pairs with the fence of `last_look`.
        fence(Ordering::SeqCst);
        // Relaxed: the fence orders them.
        self.sleeping.load(Ordering::Relaxed) != 0
            && self.searching.load(Ordering::Relaxed) == 0
            && (waiting > 1 || self.watching.load(Ordering::Relaxed) == 0)
    }

    /// Takes a sleeper out of the list, for the caller to rouse.
    #[cold]
    fn pick(&self) -> Option<usize> {
        let mut sleepers = self.sleepers.lock();
        let worker = sleepers.pop()?;
        self.sleeping.store(sleepers.len(), Ordering::Relaxed);
        Some(worker)
    }

    /// Takes this worker out of the list, if it is there, for the caller to rouse.
    pub(crate) fn take(&self, worker: usize) {
        let mut sleepers = self.sleepers.lock();
        sleepers.retain(|&sleeper| sleeper != worker);
        self.sleeping.store(sleepers.len(), Ordering::Relaxed);
    }

    /// Begins a search, unless another worker searches.
    pub(crate) fn search(&self) -> Option<Search> {
        let free = self.searching.swap(1, Ordering::Relaxed) == 0;
        free.then_some(Search(()))
    }

    /// The search has found something. If there is `more`, somebody else is to go on: which
    /// worker must be roused.
    pub(crate) fn work_found(&self, search: Search, more: impl FnOnce() -> bool) -> Option<usize> {
        self.end_search(search);
        // Whoever added work and left it to our search has written before it looked; we
        // have written that we search no more, and look now.
        fence(Ordering::SeqCst);
        let wanted = self.sleeping.load(Ordering::Relaxed) != 0
            && (self.watching.load(Ordering::Relaxed) == 0 || more());
        wanted.then(|| self.pick()).flatten()
    }

    /// The search has found nothing. The worker goes on to sleep, which includes a last look.
    pub(crate) fn end_search(&self, Search(()): Search) {
        self.searching.store(0, Ordering::Relaxed);
    }

    /// The worker is about to sleep.
    pub(crate) fn announce(&self, worker: usize) -> Announced {
        let mut sleepers = self.sleepers.lock();
        sleepers.push(worker);
        let sleeping = sleepers.len();
        self.sleeping.store(sleeping, Ordering::Relaxed);
        // Somebody must watch those that are awake.
        let watches = sleeping < self.workers && self.watching.load(Ordering::Relaxed) == 0;
        if watches {
            self.watching.store(1, Ordering::Relaxed);
        }
        Announced { worker, watches }
    }

    /// Between the announcement, after which the worker can be roused, and its last look at
    /// the queues. `true`: it has been picked meanwhile, perhaps before its inbox said "asleep",
    /// and must not sleep: it is in the list no more, so nobody would rouse it again.
    #[must_use]
    pub(crate) fn last_look(&self, announced: &Announced) -> bool {
        // Pairs with the fences of `wants_waker` and `work_injected`.
        fence(Ordering::SeqCst);
        !self.sleepers.lock().contains(&announced.worker)
    }

    /// Whether a sleeper will look around soon. Asked after [`last_look`](Idle::last_look).
    pub(crate) fn is_watched(&self) -> bool {
        self.watching.load(Ordering::Relaxed) != 0
    }

    /// The worker is awake, for whatever reason. If it was the watcher and is `busy` now,
    /// another is to watch: which worker must be roused.
    pub(crate) fn awake(&self, announced: Announced, busy: bool) -> Option<usize> {
        let mut sleepers = self.sleepers.lock();
        if let Some(at) = sleepers
            .iter()
            .position(|&worker| worker == announced.worker)
        {
            sleepers.remove(at);
            self.sleeping.store(sleepers.len(), Ordering::Relaxed);
        }
        if !announced.watches {
            return None;
        }
        self.watching.store(0, Ordering::Relaxed);
        let next = if busy { sleepers.pop() } else { None };
        self.sleeping.store(sleepers.len(), Ordering::Relaxed);
        next
    }
}

#[cfg(all(test, not(trefoil_loom)))]
mod tests {
    use super::*;

    #[test]
    fn a_lone_thread_wakes_nobody_while_somebody_watches() {
        let idle = Idle::new(2);
        assert_eq!(idle.work_added(1), None, "nobody sleeps");
        let one = idle.announce(1);
        assert!(one.watches, "worker 0 is awake");
        assert_eq!(idle.work_added(1), None);
        assert_eq!(idle.work_added(2), Some(1));
        assert_eq!(idle.awake(one, false), None);
        assert_eq!(idle.work_added(2), None);
    }

    #[test]
    fn the_last_to_sleep_does_not_watch_and_is_woken_by_the_first_spawn() {
        let idle = Idle::new(2);
        let one = idle.announce(1);
        let zero = idle.announce(0);
        assert!(one.watches && !zero.watches);
        assert_eq!(idle.awake(one, false), None);
        let one = idle.announce(1);
        assert!(!one.watches, "all sleep");
        assert_eq!(idle.awake(zero, false), None);
        assert_eq!(idle.work_added(1), Some(1));
        assert_eq!(idle.awake(one, false), None);
    }

    #[test]
    fn one_searches_at_a_time_and_passes_it_on() {
        let idle = Idle::new(3);
        let announced = idle.announce(2);
        let search = idle.search().unwrap();
        assert!(idle.search().is_none());
        assert_eq!(idle.work_added(5), None, "left to the search");
        assert_eq!(idle.work_found(search, || true), Some(2));
        assert_eq!(idle.awake(announced, false), None);
        let search = idle.search().unwrap();
        assert_eq!(idle.work_found(search, || true), None, "nobody sleeps");
    }

    #[test]
    fn a_single_worker_has_nobody_to_wake() {
        let idle = Idle::new(1);
        let announced = idle.announce(0);
        assert!(!announced.watches);
        assert_eq!(idle.work_added(7), None);
        assert_eq!(idle.work_injected(), Some(0));
        assert_eq!(idle.awake(announced, false), None);
    }
}

/// Worker 1 goes to sleep while others add work. `work` stands for the queues. In no
/// interleaving does it sleep for good while work is there that was to be done in parallel.
#[cfg(all(test, trefoil_loom))]
mod loom_models {
    use super::*;
    use loom::sync::Arc;
    use loom::thread;

    struct Model {
        idle: Idle,
        work: AtomicUsize,
        /// The inbox's "asleep", and the bell.
        asleep: AtomicUsize,
    }

    impl Model {
        fn new() -> Arc<Model> {
            Arc::new(Model {
                idle: Idle::new(2),
                work: AtomicUsize::new(0),
                asleep: AtomicUsize::new(0),
            })
        }

        fn rouse(&self, worker: usize) {
            assert_eq!(worker, 1);
            // As `Inbox::rouse`: only a worker that is asleep is woken.
            let _ = self
                .asleep
                .compare_exchange(1, 0, Ordering::AcqRel, Ordering::Relaxed);
        }

        /// Whether worker 1 sleeps without a timeout, at the end.
        fn rest(&self) -> bool {
            let announced = self.idle.announce(1);
            let _ = self
                .asleep
                .compare_exchange(0, 1, Ordering::Release, Ordering::Relaxed);
            let picked = self.idle.last_look(&announced);
            let work = self.work.load(Ordering::Relaxed);
            if picked || work > 1 || work == 1 && !self.idle.is_watched() {
                self.asleep.store(0, Ordering::Relaxed);
                let _ = self.idle.awake(announced, false);
                return false;
            }
            !announced.watches
        }
    }

    /// Also checks that nobody sleeps whom nobody could rouse.
    fn sleeps_over_work(model: &Model, without_timeout: bool) -> bool {
        let asleep = model.asleep.load(Ordering::Acquire) == 1;
        assert!(!asleep || model.idle.sleepers.lock().contains(&1));
        without_timeout
            && model.asleep.load(Ordering::Acquire) == 1
            && model.work.load(Ordering::Relaxed) != 0
    }

    #[test]
    fn injected_work_finds_a_worker() {
        loom::model(|| {
            let model = Model::new();
            let other = Arc::clone(&model);
            let injector = thread::spawn(move || {
                // The injector counts as more than a lone thread.
                other.work.store(2, Ordering::Release);
                if let Some(worker) = other.idle.work_injected() {
                    other.rouse(worker);
                }
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
            let spawner = thread::spawn(move || {
                other.work.store(2, Ordering::Release);
                if let Some(worker) = other.idle.work_added(2) {
                    other.rouse(worker);
                }
            });
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
                let zero = other.idle.announce(0);
                let _ = other.idle.awake(zero, false);
                other.work.store(1, Ordering::Release);
                if let Some(worker) = other.idle.work_added(1) {
                    other.rouse(worker);
                }
            });
            let without_timeout = model.rest();
            spawner.join().unwrap();
            assert!(!sleeps_over_work(&model, without_timeout));
        });
    }

    /// Work that was left to a search is passed on when the search ends with something else.
    #[test]
    fn work_left_to_a_search_finds_a_worker() {
        loom::model(|| {
            let idle = Arc::new(Idle::new(3));
            let work = Arc::new(AtomicUsize::new(0));
            // Worker 2 sleeps; worker 1 searches, and has found something elsewhere.
            let sleeper = idle.announce(2);
            let search = idle.search().expect("nobody else searches");
            let spawner = {
                let (idle, work) = (Arc::clone(&idle), Arc::clone(&work));
                thread::spawn(move || {
                    work.store(2, Ordering::Relaxed);
                    idle.work_added(2)
                })
            };
            let passed_on = idle.work_found(search, || work.load(Ordering::Relaxed) != 0);
            let added = spawner.join().unwrap();
            assert_eq!(
                [passed_on, added].into_iter().flatten().collect::<Vec<_>>(),
                [2],
                "the sleeper is roused, once"
            );
            let _ = idle.awake(sleeper, true);
        });
    }
}
