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

/// A thread that blocks its worker until all have run that stand unstarted behind it.
fn block_before_one_s_own_threads() {
    let hog = thread::spawn(|| {
        let (tell, told) = std::sync::mpsc::channel();
        let threads: Vec<_> = (0..THREADS)
            .map(|_| {
                let tell = tell.clone();
                thread::spawn(move || tell.send(()).unwrap())
            })
            .collect();
        // A call of `std`: this OS thread does nothing else meanwhile.
        told.iter().take(THREADS).for_each(drop);
        threads
    });
    for thread in hog.join().unwrap() {
        thread.join().unwrap();
    }
}

#[test]
fn unstarted_threads_behind_one_that_blocks_are_taken_by_others() {
    ends(
        "threads that have not started wait behind one that blocks",
        || {
            for workers in [2, 4] {
                let builder = trefoil_hybrid::Builder::new().workers(workers);
                builder.build().unwrap().run(block_before_one_s_own_threads);
            }
        },
    );
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
