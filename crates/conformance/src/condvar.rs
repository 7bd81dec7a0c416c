//! `sync::Condvar`: waiting for a condition that a lock guards.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};

use trefoil_runtime::{Reason, thread};
use trefoil_sync::{Condvar, Mutex};

use crate::Subject;
use crate::seed;
use crate::subject::run;
use crate::witness::{join_all, until, until_waiting, waits_for};

type Shared<T> = Arc<(Mutex<T>, Condvar)>;

fn shared<T>(value: T) -> Shared<T> {
    Arc::new((Mutex::new(value), Condvar::new()))
}

/// Producers and consumers with one queue: everything arrives once.
pub fn producers_and_consumers<S: Subject>() {
    const EACH: u64 = 300;
    let sum: u64 = run::<S, _>(|| {
        let queue = shared(VecDeque::new());
        let consumers = [(); 3].map(|()| {
            let queue = Arc::clone(&queue);
            thread::spawn(move || {
                let take = || {
                    let guard = queue.0.lock().unwrap();
                    let mut items = queue.1.wait_while(guard, |items| items.is_empty()).unwrap();
                    items.pop_front().unwrap()
                };
                std::iter::from_fn(|| Some(take()).filter(|item| *item != 0)).sum::<u64>()
            })
        });
        let producers = [(); 3].map(|()| {
            let queue = Arc::clone(&queue);
            thread::spawn(move || {
                for item in 1..=EACH {
                    queue.0.lock().unwrap().push_back(item);
                    queue.1.notify_one();
                }
            })
        });
        join_all(producers);
        // One end mark for each consumer.
        queue.0.lock().unwrap().extend([0; 3]);
        queue.1.notify_all();
        join_all(consumers).iter().sum()
    });
    assert_eq!(sum, 3 * EACH * (EACH + 1) / 2);
}

/// `notify_all` wakes all that wait.
pub fn notify_all_wakes_all<S: Subject>() {
    run::<S, _>(|| {
        let gate = shared(false);
        let waiters: Vec<_> = (0..50)
            .map(|_| {
                let gate = Arc::clone(&gate);
                thread::spawn(move || {
                    let guard = gate.0.lock().unwrap();
                    drop(gate.1.wait_while(guard, |open| !*open).unwrap());
                })
            })
            .collect();
        for waiter in &waiters {
            until_waiting(waiter.thread(), Reason::Condvar);
        }
        *gate.0.lock().unwrap() = true;
        gate.1.notify_all();
        join_all(waiters);
    });
}

/// Each `notify_one` lets one waiter on, and none is lost.
pub fn notify_one_wakes_one_each<S: Subject>() {
    run::<S, _>(|| {
        let permits = shared(0_u32);
        let waiters: Vec<_> = (0..20)
            .map(|_| {
                let permits = Arc::clone(&permits);
                thread::spawn(move || {
                    let guard = permits.0.lock().unwrap();
                    let mut left = permits.1.wait_while(guard, |left| *left == 0).unwrap();
                    *left -= 1;
                })
            })
            .collect();
        for waiter in &waiters {
            until_waiting(waiter.thread(), Reason::Condvar);
        }
        for _ in 0..20 {
            *permits.0.lock().unwrap() += 1;
            permits.1.notify_one();
        }
        join_all(waiters);
        assert_eq!(*permits.0.lock().unwrap(), 0);
    });
}

/// The lock is free while its thread waits, and its again afterwards.
pub fn the_lock_is_free_during_the_wait<S: Subject>() {
    run::<S, _>(|| {
        let pair = shared(0);
        let other = Arc::clone(&pair);
        let waiter = thread::spawn(move || {
            let guard = other.0.lock().unwrap();
            let mut guard = other.1.wait_while(guard, |value| *value == 0).unwrap();
            *guard += 1;
            assert!(other.0.try_lock().is_err());
        });
        until_waiting(waiter.thread(), Reason::Condvar);
        *pair.0.try_lock().expect("the waiter has left the lock") = 5;
        pair.1.notify_one();
        waiter.join().unwrap();
        assert_eq!(*pair.0.lock().unwrap(), 6);
    });
}

/// `wait_timeout` gives up by itself, and not before its time.
pub fn a_wait_times_out<S: Subject>() {
    run::<S, _>(|| {
        let pair = shared(());
        let duration = Duration::from_millis(20);
        let begin = Instant::now();
        let guard = pair.0.lock().unwrap();
        let (guard, result) = pair
            .1
            .wait_timeout_while(guard, duration, |()| true)
            .unwrap();
        assert!(result.timed_out());
        assert!(begin.elapsed() >= duration);
        assert!(pair.0.try_lock().is_err());
        drop(guard);
    });
}

/// A `notify` ends a timed wait, however long.
pub fn a_notify_ends_a_timed_wait<S: Subject>() {
    run::<S, _>(|| {
        let pair = shared(false);
        let other = Arc::clone(&pair);
        let waiter = thread::spawn(move || {
            let guard = other.0.lock().unwrap();
            let hour = Duration::from_secs(3600);
            let (_guard, result) = other.1.wait_timeout_while(guard, hour, |go| !*go).unwrap();
            result.timed_out()
        });
        until_waiting(waiter.thread(), Reason::Condvar);
        *pair.0.lock().unwrap() = true;
        pair.1.notify_all();
        assert!(!waiter.join().unwrap());
    });
}

/// A notification without a waiter is forgotten.
pub fn a_notify_without_a_waiter_is_forgotten<S: Subject>() {
    run::<S, _>(|| {
        let pair = shared(false);
        pair.1.notify_one();
        pair.1.notify_all();
        let other = Arc::clone(&pair);
        let waiter = thread::spawn(move || {
            let guard = other.0.lock().unwrap();
            drop(other.1.wait_while(guard, |go| !*go).unwrap());
        });
        until_waiting(waiter.thread(), Reason::Condvar);
        assert!(waits_for(waiter.thread().id(), Reason::Condvar));
        *pair.0.lock().unwrap() = true;
        pair.1.notify_one();
        waiter.join().unwrap();
    });
}

/// A panic of another holder is seen by who waits: the lock comes back poisoned.
pub fn a_waiter_gets_a_poisoned_lock_back<S: Subject>() {
    run::<S, _>(|| {
        let pair = shared(false);
        let other = Arc::clone(&pair);
        let waiter = thread::spawn(move || {
            let guard = other.0.lock().unwrap();
            other.1.wait_while(guard, |go| !*go).is_err()
        });
        until_waiting(waiter.thread(), Reason::Condvar);
        let other = Arc::clone(&pair);
        let panics = thread::spawn(move || {
            let mut guard = other.0.lock().unwrap();
            *guard = true;
            other.1.notify_one();
            panic!("it is meant to");
        });
        assert!(panics.join().is_err());
        assert!(waiter.join().unwrap());
    });
}

/// A wait until a time gives up then, and not before.
pub fn a_wait_ends_at_its_time<S: Subject>() {
    run::<S, _>(|| {
        let (mutex, changed) = (Mutex::new(0), Condvar::new());
        let deadline = Instant::now() + Duration::from_millis(20);
        let mut guard = mutex.lock().unwrap();
        loop {
            let (again, late) = changed.wait_until(guard, deadline).unwrap();
            guard = again;
            if late.timed_out() {
                break;
            }
        }
        assert!(Instant::now() >= deadline);
    });
}

/// A condition that panics leaves nobody in the queue, and poisons the mutex.
pub fn a_condition_that_panics_poisons<S: Subject>() {
    run::<S, _>(|| {
        let shared = Arc::new((Mutex::new(0), Condvar::new()));
        let other = Arc::clone(&shared);
        let waiter = thread::spawn(move || {
            let guard = other.0.lock().unwrap();
            let waited = other.1.wait_while(guard, |value| {
                assert!(*value == 0, "it is meant to");
                true
            });
            drop(waited);
        });
        until_waiting(waiter.thread(), Reason::Condvar);
        *shared.0.lock().unwrap() = 1;
        shared.1.notify_one();
        assert!(waiter.join().is_err());
        assert!(shared.0.is_poisoned());
        shared.1.notify_all();
    });
}

/// The same for one with a limit, and where the condition panics before anything was waited for.
pub fn a_timed_condition_that_panics_poisons<S: Subject>() {
    run::<S, _>(|| {
        for early in [true, false] {
            let shared = Arc::new((Mutex::new(u32::from(early)), Condvar::new()));
            let other = Arc::clone(&shared);
            let waiter = thread::spawn(move || {
                let guard = other.0.lock().unwrap();
                let hour = Duration::from_secs(3600);
                drop(other.1.wait_timeout_while(guard, hour, |value| {
                    assert!(*value == 0, "it is meant to");
                    true
                }));
            });
            if !early {
                until_waiting(waiter.thread(), Reason::Condvar);
                *shared.0.lock().unwrap() = 1;
                shared.1.notify_one();
            }
            assert!(waiter.join().is_err());
            assert!(shared.0.is_poisoned());
            shared.1.notify_all();
        }
    });
}

/// A thousand threads wait, and are woken together.
pub fn a_thousand_threads_are_woken<S: Subject>() {
    const THREADS: usize = 1000;
    run::<S, _>(|| {
        let shared = Arc::new((Mutex::new((0, false)), Condvar::new()));
        let threads: Vec<_> = (0..THREADS)
            .map(|_| {
                let shared = Arc::clone(&shared);
                thread::spawn(move || {
                    let mut guard = shared.0.lock().unwrap();
                    guard.0 += 1;
                    drop(shared.1.wait_while(guard, |(_, go)| !*go).unwrap());
                })
            })
            .collect();
        // Who has counted itself waits, once the lock is free.
        until(|| shared.0.lock().unwrap().0 == THREADS);
        shared.0.lock().unwrap().1 = true;
        shared.1.notify_all();
        join_all(threads);
    });
}

/// Waits that give up while they are notified lose no notification: one that was taken by a
/// thread that was late anyway counts as its wake-up.
pub fn no_timeout_loses_a_notification<S: Subject>() {
    const ITEMS: u64 = 300;
    let seed = seed::draw();
    let mut random = seed.random();
    run::<S, _>(move || {
        let shared = Arc::new((Mutex::new((0, false)), Condvar::new()));
        let takers: Vec<_> = (0..6)
            .map(|n| {
                let (shared, mut random) = (Arc::clone(&shared), random.branch());
                thread::spawn(move || {
                    let mut taken = 0;
                    let mut guard = shared.0.lock().unwrap();
                    loop {
                        if guard.0 > 0 {
                            guard.0 -= 1;
                            taken += 1;
                        } else if guard.1 {
                            return taken;
                        } else if n < 3 {
                            guard = shared.1.wait(guard).unwrap();
                        } else {
                            let time = Duration::from_micros(random.below(50));
                            guard = shared.1.wait_timeout(guard, time).unwrap().0;
                            // It gives others a chance to be late, too.
                            if guard.0 == 0 {
                                drop(guard);
                                thread::yield_now();
                                guard = shared.0.lock().unwrap();
                            }
                        }
                    }
                })
            })
            .collect();
        for _ in 0..ITEMS {
            shared.0.lock().unwrap().0 += 1;
            shared.1.notify_one();
            if random.below(4) == 0 {
                thread::sleep(Duration::from_micros(random.below(50)));
            }
        }
        shared.0.lock().unwrap().1 = true;
        shared.1.notify_all();
        assert_eq!(join_all(takers).into_iter().sum::<u64>(), ITEMS);
    });
}
