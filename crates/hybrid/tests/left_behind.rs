//! No thread is left behind one that computes while another worker could start it, whoever was woken
//! for what.

mod support;

use std::hint::spin_loop;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc;
use std::thread::sleep;
use std::time::{Duration, Instant};

use trefoil_hybrid::{Builder, Runtime};
use trefoil_runtime::thread;

use support::ends;

fn runtime(workers: usize) -> Arc<Runtime> {
    Arc::new(Builder::new().workers(workers).build().unwrap())
}

fn spin_until(flag: &AtomicBool) {
    while !flag.load(Ordering::Acquire) {
        spin_loop();
    }
}

/// A worker is picked for a `run` at the moment when it wakes for a thread of its own, which computes
/// until that `run` has begun.
fn run_beside_one_that_has_just_woken() {
    let runtime = runtime(2);
    let begun = Arc::new(AtomicBool::new(false));
    let (tell, told) = mpsc::channel();
    let host = {
        let (runtime, begun) = (Arc::clone(&runtime), Arc::clone(&begun));
        std::thread::spawn(move || {
            runtime.run(move || {
                tell.send(thread::current()).unwrap();
                thread::park();
                spin_until(&begun);
            });
        })
    };
    let main = told.recv().unwrap();
    // All workers are to be asleep.
    sleep(Duration::from_millis(20));
    main.unpark();
    runtime.run(move || begun.store(true, Ordering::Release));
    host.join().unwrap();
}

#[test]
fn a_run_is_not_left_to_a_worker_that_has_woken_for_another_thread() {
    ends("the second run waits behind the first", || {
        (0..60).for_each(|_| run_beside_one_that_has_just_woken());
    });
}

/// A thread computes until one that it has spawned has run. A `run` from outside takes away the
/// worker that watches.
fn spawn_while_the_watcher_is_taken(pause: Duration) {
    let runtime = runtime(3);
    let over = Arc::new(AtomicBool::new(false));
    let (go, gate) = mpsc::channel::<()>();
    let other = {
        let (runtime, over) = (Arc::clone(&runtime), Arc::clone(&over));
        std::thread::spawn(move || {
            gate.recv().unwrap();
            runtime.run(move || spin_until(&over));
        })
    };
    runtime.run(move || {
        // The others come to rest, and one watches.
        let begin = Instant::now();
        while begin.elapsed() < pause {
            spin_loop();
        }
        let ran = Arc::new(AtomicBool::new(false));
        let sign = Arc::clone(&ran);
        let spawned = thread::spawn(move || sign.store(true, Ordering::Release));
        go.send(()).unwrap();
        spin_until(&ran);
        over.store(true, Ordering::Release);
        spawned.join().unwrap();
    });
    other.join().unwrap();
}

#[test]
fn a_thread_is_not_left_behind_when_the_watcher_is_taken() {
    ends("the spawned thread waits behind its spawner", || {
        for step in 0..100 {
            spawn_while_the_watcher_is_taken(Duration::from_micros(2_000 + 37 * step));
        }
    });
}

/// Threads of a burst, the first of which on the other worker computes until all have run. This
/// worker always has something ready, so that it never searches.
fn burst_beside_one_that_computes() {
    const BURST: usize = 40;
    // This worker is to have far more threads than the other, so that it sends some there.
    let (begun, over) = (Arc::<AtomicBool>::default(), Arc::<AtomicBool>::default());
    let keeps_the_other = {
        let (begun, over) = (Arc::clone(&begun), Arc::clone(&over));
        thread::spawn(move || {
            begun.store(true, Ordering::Release);
            spin_until(&over);
        })
    };
    spin_until(&begun);
    let parked: Vec<_> = (0..30).map(|_| thread::spawn(thread::park)).collect();
    (0..200).for_each(|_| thread::yield_now());
    over.store(true, Ordering::Release);
    keeps_the_other.join().unwrap();
    thread::sleep(Duration::from_millis(5));
    let here = std::thread::current().id();
    let (ran, elsewhere) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let burst: Vec<_> = (0..BURST)
        .map(|_| {
            let (ran, elsewhere) = (Arc::clone(&ran), Arc::clone(&elsewhere));
            thread::spawn(move || {
                ran.fetch_add(1, Ordering::AcqRel);
                let away = std::thread::current().id() != here;
                if away && elsewhere.fetch_add(1, Ordering::AcqRel) == 0 {
                    while ran.load(Ordering::Acquire) < BURST {
                        spin_loop();
                    }
                }
            })
        })
        .collect();
    while ran.load(Ordering::Acquire) < BURST {
        thread::yield_now();
    }
    burst.into_iter().for_each(|thread| thread.join().unwrap());
    for thread in parked {
        thread.thread().unpark();
        thread.join().unwrap();
    }
}

#[test]
fn a_worker_that_is_never_idle_rescues_what_waits_behind_another() {
    ends("threads of the burst wait behind the first", || {
        for _ in 0..20 {
            runtime(2).run(burst_beside_one_that_computes);
        }
    });
}

/// So many OS threads outside call `run` all the time, for a short computation each, until they are
/// stopped.
struct Arrivals {
    over: Arc<AtomicBool>,
    callers: Vec<std::thread::JoinHandle<()>>,
}

impl Arrivals {
    fn begin(runtime: &Arc<Runtime>, callers: usize, each: Duration) -> Arrivals {
        let over = Arc::new(AtomicBool::new(false));
        let call = |_| {
            let (runtime, over) = (Arc::clone(runtime), Arc::clone(&over));
            std::thread::spawn(move || {
                while !over.load(Ordering::Acquire) {
                    runtime.run(move || {
                        let begin = Instant::now();
                        while begin.elapsed() < each {
                            spin_loop();
                        }
                    });
                }
            })
        };
        let callers = (0..callers).map(call).collect();
        Arrivals { over, callers }
    }

    fn stop(self) {
        self.over.store(true, Ordering::Release);
        let callers = self.callers.into_iter();
        callers.for_each(|caller| caller.join().unwrap());
    }
}

/// One sleeps while others arrive.
#[test]
fn a_worker_that_lives_on_arrivals_looks_at_its_timers() {
    ends("the sleeper does not wake while others arrive", || {
        let runtime = runtime(1);
        let arrivals = Arrivals::begin(&runtime, 4, Duration::from_micros(200));
        for _ in 0..50 {
            runtime.run(|| thread::sleep(Duration::from_millis(1)));
        }
        arrivals.stop();
    });
}

/// A thread computes until one that it has spawned has run: the other worker takes that one, however
/// many arrive.
#[test]
fn a_worker_that_lives_on_arrivals_takes_what_waits_behind_another() {
    ends("the spawned thread waits while others arrive", || {
        let runtime = runtime(2);
        // So many that one is always waiting.
        let arrivals = Arrivals::begin(&runtime, 16, Duration::from_micros(50));
        for _ in 0..20 {
            runtime.run(|| {
                let ran = Arc::new(AtomicBool::new(false));
                let sign = Arc::clone(&ran);
                let spawned = thread::spawn(move || sign.store(true, Ordering::Release));
                spin_until(&ran);
                spawned.join().unwrap();
            });
        }
        arrivals.stop();
    });
}
