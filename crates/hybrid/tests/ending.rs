//! The end of a runtime: its drop waits for every worker, and counts each once.

use std::hint::spin_loop;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use trefoil_runtime::thread;

/// How long a `run` waits for threads that do not listen, and a drop for workers.
const GRACE: Duration = Duration::from_secs(5);

/// What the threads and the test tell each other.
#[derive(Default)]
struct Marks {
    /// How many threads run on a worker of their own.
    met: AtomicUsize,
    let_go: AtomicBool,
    parked_has_ended: AtomicBool,
    stop: AtomicBool,
    other_has_ended: AtomicBool,
}

impl Marks {
    /// Both threads hold their workers until both have begun: so they have one each.
    fn meet(&self) {
        self.met.fetch_add(1, Ordering::AcqRel);
        while self.met.load(Ordering::Acquire) < 2 {
            spin_loop();
        }
    }
}

/// Leaves a thread on each of two workers, neither of which can be cancelled. The caller holds a
/// third one until they have begun, so that it is not behind one of them.
fn leave_two_behind(marks: &Arc<Marks>) {
    let mine = Arc::clone(marks);
    drop(thread::spawn(move || {
        mine.meet();
        // Its worker has nothing to do meanwhile, but may not end.
        thread::blocking(|| {
            while !mine.let_go.load(Ordering::Acquire) {
                std::thread::yield_now();
            }
        });
        mine.parked_has_ended.store(true, Ordering::Release);
    }));
    let mine = Arc::clone(marks);
    drop(thread::spawn(move || {
        mine.meet();
        while !mine.stop.load(Ordering::Acquire) {
            spin_loop();
        }
        mine.other_has_ended.store(true, Ordering::Release);
    }));
    while marks.met.load(Ordering::Acquire) < 2 {
        spin_loop();
    }
}

/// A worker whose thread did not end in time says so, and later ends: that must not count for the
/// other one as well.
#[test]
fn a_drop_counts_each_worker_once() {
    let runtime = trefoil_hybrid::Builder::new()
        .workers(3)
        .grace(GRACE)
        .build()
        .unwrap();
    let marks = Arc::new(Marks::default());
    let of_run = Arc::clone(&marks);
    runtime.run(move || leave_two_behind(&of_run));
    assert_eq!(runtime.leftover().len(), 2);

    let of_drop = Arc::clone(&marks);
    let dropper = std::thread::spawn(move || {
        drop(runtime);
        of_drop.other_has_ended.load(Ordering::Acquire)
    });
    // Time for the drop to begin, and for the first worker to say that it is stranded.
    std::thread::sleep(Duration::from_millis(100));
    marks.let_go.store(true, Ordering::Release);
    while !marks.parked_has_ended.load(Ordering::Acquire) {
        std::thread::yield_now();
    }
    // Time for a drop that counts twice to return.
    std::thread::sleep(Duration::from_millis(100));
    marks.stop.store(true, Ordering::Release);
    assert!(
        dropper.join().unwrap(),
        "the other worker was not waited for"
    );
}
