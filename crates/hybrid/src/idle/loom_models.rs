//! Worker 1 goes to sleep while others add work. `work` stands for the queues. In no
//! interleaving does it sleep for good while work is there that was to be done in parallel.
#![forbid(unsafe_code)]

use super::*;
use loom::sync::Arc;
use loom::sync::atomic::AtomicBool;
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

    /// Worker 1 finds it asleep, or awake.
    fn worker_0_sleeps_and_wakes(&self) {
        let zero = self.idle.announce(0, &self.alarm);
        let _ = self.idle.awake(zero, &self.alarm);
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
            other.worker_0_sleeps_and_wakes();
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
            other.worker_0_sleeps_and_wakes();
            other.add(1);
            // It starts the thread itself, sleeps, and comes back with another.
            other.work.store(0, Ordering::Relaxed);
            other.worker_0_sleeps_and_wakes();
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
            let (idle, work, alarm) = (Arc::clone(&idle), Arc::clone(&work), Arc::clone(&alarm));
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

/// Worker 2 leaves what waits to one that searches, and sleeps: that one has found something else, and rouses it.
#[test]
fn who_leaves_work_to_a_search_is_roused() {
    loom::model(|| {
        let idle = Arc::new(Idle::new(3));
        let alarm = Arc::new(Alarm(AtomicBool::new(false)));
        let search = idle.search().expect("nobody else searches");
        let searcher = {
            let (idle, alarm) = (Arc::clone(&idle), Arc::clone(&alarm));
            thread::spawn(move || idle.work_found(search, || 2, &*alarm))
        };
        let announced = idle.announce(2, &*alarm);
        let picked = idle.last_look(&announced);
        let sleeps = !picked && idle.is_searched();
        let passed_on = searcher.join().unwrap();
        assert!(!sleeps || passed_on == Some(2));
        let _ = idle.awake(announced, &*alarm);
    });
}
