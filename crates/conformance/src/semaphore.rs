//! `sync::Semaphore` and `sync::Barrier`: counting who may go on.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use trefoil_runtime::{Reason, thread};
use trefoil_sync::{Barrier, Semaphore};

use crate::Subject;
use crate::subject::run;
use crate::witness::{join_all, until_waiting};

/// Never more threads than permits are inside, and all come through.
pub fn no_more_than_the_permits<S: Subject>() {
    const PERMITS: usize = 3;
    run::<S, _>(|| {
        let shared = Arc::new((Semaphore::new(PERMITS), AtomicUsize::new(0)));
        let threads: Vec<_> = (0..20)
            .map(|_| {
                let shared = Arc::clone(&shared);
                thread::spawn(move || {
                    for _ in 0..20 {
                        let _permit = shared.0.acquire();
                        assert!(shared.1.fetch_add(1, Ordering::SeqCst) < PERMITS);
                        thread::yield_now();
                        shared.1.fetch_sub(1, Ordering::SeqCst);
                    }
                })
            })
            .collect();
        join_all(threads);
        assert_eq!(shared.0.available_permits(), PERMITS);
    });
}

/// A thread without a permit waits for one; `add_permits` makes some.
pub fn a_permit_is_waited_for<S: Subject>() {
    run::<S, _>(|| {
        let semaphore = Arc::new(Semaphore::new(0));
        let shared = Arc::clone(&semaphore);
        let thread = thread::spawn(move || shared.acquire().forget());
        until_waiting(thread.thread(), Reason::Semaphore);
        assert!(semaphore.try_acquire().is_none());
        semaphore.add_permits(2);
        thread.join().unwrap();
        // The thread has kept its permit for ever.
        assert_eq!(semaphore.available_permits(), 1);
        assert!(semaphore.try_acquire().is_some());
    });
}

/// A wait for a permit gives up by itself, and not before its time.
pub fn a_wait_for_a_permit_times_out<S: Subject>() {
    run::<S, _>(|| {
        let semaphore = Semaphore::new(1);
        let permit = semaphore.acquire();
        let duration = Duration::from_millis(20);
        let begin = Instant::now();
        assert!(semaphore.acquire_timeout(duration).is_none());
        assert!(begin.elapsed() >= duration);
        drop(permit);
        assert!(semaphore.acquire_timeout(duration).is_some());
    });
}

/// Nobody passes a barrier before all are there, and one of them is the leader; then it
/// can be used again.
pub fn a_barrier_waits_for_all<S: Subject>() {
    const THREADS: usize = 10;
    const ROUNDS: usize = 20;
    let leaders: usize = run::<S, _>(|| {
        let shared = Arc::new((Barrier::new(THREADS), AtomicUsize::new(0)));
        let threads: Vec<_> = (0..THREADS)
            .map(|_| {
                let shared = Arc::clone(&shared);
                thread::spawn(move || {
                    let mut led = 0;
                    for round in 1..=ROUNDS {
                        shared.1.fetch_add(1, Ordering::SeqCst);
                        led += usize::from(shared.0.wait().is_leader());
                        assert!(shared.1.load(Ordering::SeqCst) >= round * THREADS);
                    }
                    led
                })
            })
            .collect();
        join_all(threads).into_iter().sum()
    });
    assert_eq!(leaders, ROUNDS);
}

/// A barrier for one lets everybody pass.
pub fn a_barrier_for_one_is_open<S: Subject>() {
    run::<S, _>(|| {
        let barrier = Barrier::new(1);
        assert!(barrier.wait().is_leader());
        assert!(barrier.wait().is_leader());
    });
}
