//! `sync::Semaphore` and `sync::Barrier`: counting who may go on.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use trefoil_runtime::thread::JoinHandle;
use trefoil_runtime::{Reason, thread};
use trefoil_sync::{Barrier, Semaphore};

use crate::Subject;
use crate::seed;
use crate::subject::run;
use crate::witness::{join_all, refusal, until_waiting};

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

/// An owned permit goes from thread to thread, and keeps its semaphore.
pub fn an_owned_permit_changes_hands<S: Subject>() {
    run::<S, _>(|| {
        let semaphore = Arc::new(Semaphore::new(2));
        let both = Arc::clone(&semaphore).acquire_many_owned(2);
        assert!(Arc::clone(&semaphore).try_acquire_owned().is_none());
        let shared = Arc::clone(&semaphore);
        let waiter = thread::spawn(move || shared.acquire_owned());
        until_waiting(waiter.thread(), Reason::Semaphore);
        thread::spawn(move || drop(both)).join().unwrap();
        let one = waiter.join().unwrap();
        assert_eq!(semaphore.available_permits(), 1);
        one.forget();
        assert_eq!(semaphore.available_permits(), 1);
        assert_eq!(Arc::strong_count(&semaphore), 1);
    });
}

/// Permits are divided, put together and taken away; none is made or lost in between.
pub fn permits_are_divided<S: Subject>() {
    run::<S, _>(|| {
        let semaphore = Semaphore::new(5);
        let mut most = semaphore.acquire_many(4);
        let mut two = most.split(2).unwrap();
        assert!(two.split(3).is_none());
        two.merge(semaphore.acquire());
        assert_eq!((most.num_permits(), two.num_permits()), (2, 3));
        let other = Semaphore::new(1);
        let foreign = AssertUnwindSafe(|| two.merge(other.acquire()));
        assert!(refusal(foreign).contains("two semaphores"));
        assert_eq!(other.available_permits(), 1);
        drop(most);
        assert_eq!(semaphore.forget_permits(9), 2);
        two.forget();
        assert_eq!(semaphore.available_permits(), 0);
    });
}

/// Attempts that give up while permits come lose none, and hold up nobody who wants fewer.
pub fn no_timeout_loses_a_permit<S: Subject>() {
    let seed = seed::draw();
    let mut random = seed.random();
    run::<S, _>(move || {
        let semaphore = Arc::new(Semaphore::new(4));
        let threads: Vec<_> = (0..8)
            .map(|n| {
                let (semaphore, mut random) = (Arc::clone(&semaphore), random.branch());
                thread::spawn(move || {
                    for _ in 0..60 {
                        let count = 1 + random.below(4) as usize;
                        let time = Duration::from_micros(random.below(40));
                        let _permits = if n < 3 {
                            Some(semaphore.acquire_many(count))
                        } else {
                            semaphore.acquire_many_timeout(count, time)
                        };
                        thread::sleep(Duration::from_micros(random.below(20)));
                    }
                })
            })
            .collect();
        join_all(threads);
        assert_eq!(semaphore.available_permits(), 4);
    });
}

/// A thousand threads share a few permits, and some of them panic with theirs: all are given back.
pub fn a_thousand_threads_share_the_permits<S: Subject>() {
    const THREADS: usize = 1000;
    const PERMITS: usize = 7;
    run::<S, _>(|| {
        let shared = Arc::new((Semaphore::new(PERMITS), AtomicUsize::new(0)));
        let threads: Vec<_> = (0..THREADS)
            .map(|n| {
                let shared = Arc::clone(&shared);
                thread::spawn(move || {
                    let (semaphore, inside) = &*shared;
                    let permit = semaphore.acquire_many(1 + n % PERMITS);
                    let count = permit.num_permits();
                    assert!(inside.fetch_add(count, Ordering::SeqCst) + count <= PERMITS);
                    thread::yield_now();
                    inside.fetch_sub(count, Ordering::SeqCst);
                    assert!(n % 100 != 0, "it is meant to");
                })
            })
            .collect();
        let ended = threads.into_iter().map(JoinHandle::join);
        assert_eq!(ended.filter(Result::is_err).count(), THREADS / 100);
        assert_eq!(shared.0.available_permits(), PERMITS);
    });
}

/// A thousand threads wait for each other, again and again.
pub fn a_thousand_threads_meet<S: Subject>() {
    const THREADS: usize = 1000;
    const ROUNDS: usize = 3;
    let leaders: usize = run::<S, _>(|| {
        let shared = Arc::new((Barrier::new(THREADS), AtomicUsize::new(0)));
        let threads: Vec<_> = (0..THREADS)
            .map(|_| {
                let shared = Arc::clone(&shared);
                thread::spawn(move || {
                    let rounds = 1..=ROUNDS;
                    let led = rounds.filter(|round| {
                        shared.1.fetch_add(1, Ordering::SeqCst);
                        let leads = shared.0.wait().is_leader();
                        assert!(shared.1.load(Ordering::SeqCst) >= round * THREADS);
                        leads
                    });
                    led.count()
                })
            })
            .collect();
        join_all(threads).into_iter().sum()
    });
    assert_eq!(leaders, ROUNDS);
}
