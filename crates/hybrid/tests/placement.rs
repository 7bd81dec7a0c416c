//! Where new threads are placed: never out of reach behind a thread that computes.

mod support;

use std::hint::spin_loop;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use trefoil_runtime::thread;

use support::ends;

/// More than make a worker look for one with fewer threads.
const THREADS: usize = 40;

/// The other worker has found a thread that computes until all threads have started. Those that
/// are spawned meanwhile must not be left to it.
fn spawn_beside_one_that_computes() {
    let computes = Arc::new(AtomicBool::new(false));
    let started = Arc::new(AtomicUsize::new(0));
    let hog = {
        let (computes, started) = (Arc::clone(&computes), Arc::clone(&started));
        thread::spawn(move || {
            computes.store(true, Ordering::Release);
            while started.load(Ordering::Acquire) < THREADS {
                spin_loop();
            }
        })
    };
    // This worker does not come back to its loop: only the other one can take the thread.
    while !computes.load(Ordering::Acquire) {
        spin_loop();
    }
    let threads: Vec<_> = (0..THREADS)
        .map(|_| {
            let started = Arc::clone(&started);
            thread::spawn(move || {
                started.fetch_add(1, Ordering::Release);
                thread::park();
            })
        })
        .collect();
    hog.join().unwrap();
    for thread in threads {
        thread.thread().unpark();
        thread.join().unwrap();
    }
}

#[test]
fn no_thread_is_placed_behind_one_that_computes() {
    ends(
        "threads were placed with a worker that computes, and wait there",
        || {
            let runtime = trefoil_hybrid::Builder::new().workers(2).build().unwrap();
            runtime.run(spawn_beside_one_that_computes);
        },
    );
}
