//! `sync::Mutex`: one at a time, also when the holder waits.

use std::cell::Cell;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, PoisonError, TryLockError};
use std::time::{Duration, Instant};

use trefoil_runtime::thread::JoinHandle;
use trefoil_runtime::{Reason, thread};
use trefoil_sync::Mutex;
use trefoil_sync::channel::bounded;

use crate::Subject;
use crate::seed;
use crate::subject::run;
use crate::witness::{join_all, until_waiting};

/// Longer than any test.
const HOUR: Duration = Duration::from_secs(3600);

/// Under contention, with the lock held across yields, no addition is lost.
pub fn one_at_a_time<S: Subject>() {
    const THREADS: u64 = 16;
    const TURNS: u64 = 200;
    let sum = run::<S, _>(|| {
        let mutex = Arc::new(Mutex::new(Cell::new(0)));
        let threads: Vec<_> = (0..THREADS)
            .map(|n| {
                let mutex = Arc::clone(&mutex);
                thread::spawn(move || {
                    for turn in 0..TURNS {
                        let cell = mutex.lock().unwrap();
                        let before = cell.get();
                        if (turn + n) % 4 == 0 {
                            thread::yield_now();
                        }
                        cell.set(before + 1);
                    }
                })
            })
            .collect();
        join_all(threads);
        Arc::into_inner(mutex).unwrap().into_inner().unwrap().get()
    });
    assert_eq!(sum, THREADS * TURNS);
}

/// Who finds the lock taken waits until it is given back, and shows that it does.
pub fn a_taken_lock_is_waited_for<S: Subject>() {
    run::<S, _>(|| {
        let mutex = Arc::new(Mutex::new(0));
        let guard = mutex.lock().unwrap();
        let shared = Arc::clone(&mutex);
        let other = thread::spawn(move || *shared.lock().unwrap() += 1);
        until_waiting(other.thread(), Reason::Mutex);
        assert_eq!(*guard, 0);
        drop(guard);
        other.join().unwrap();
        assert_eq!(*mutex.lock().unwrap(), 1);
    });
}

/// `try_lock` does not wait.
pub fn try_lock_does_not_wait<S: Subject>() {
    run::<S, _>(|| {
        let mutex = Arc::new(Mutex::new(1));
        let guard = mutex.lock().unwrap();
        let shared = Arc::clone(&mutex);
        let other =
            thread::spawn(move || matches!(shared.try_lock(), Err(TryLockError::WouldBlock)));
        assert!(other.join().unwrap());
        drop(guard);
        assert_eq!(*mutex.try_lock().unwrap(), 1);
    });
}

/// A panic while it is locked poisons it; the value can still be had.
pub fn a_panic_poisons<S: Subject>() {
    run::<S, _>(|| {
        let mutex = Arc::new(Mutex::new(1));
        let shared = Arc::clone(&mutex);
        let panics = thread::spawn(move || {
            *shared.lock().unwrap() = 2;
            let _guard = shared.lock().unwrap();
            panic!("it is meant to");
        });
        assert!(panics.join().is_err());
        assert!(mutex.is_poisoned());
        assert_eq!(*mutex.lock().unwrap_err().into_inner(), 2);
        assert!(matches!(mutex.try_lock(), Err(TryLockError::Poisoned(_))));
        mutex.clear_poison();
        assert_eq!(*mutex.lock().unwrap(), 2);
        assert_eq!(Arc::into_inner(mutex).unwrap().into_inner().unwrap(), 2);
    });
}

/// A lock that is taken and given back while the thread unwinds is not poisoned.
pub fn a_lock_taken_while_unwinding_is_not_poisoned<S: Subject>() {
    struct Locks(Arc<Mutex<u32>>);
    impl Drop for Locks {
        fn drop(&mut self) {
            *self.0.lock().unwrap() += 1;
        }
    }
    run::<S, _>(|| {
        let mutex = Arc::new(Mutex::new(0));
        let locks = Locks(Arc::clone(&mutex));
        let panics = thread::spawn(move || {
            let _locks = locks;
            panic!("it is meant to");
        });
        assert!(panics.join().is_err());
        assert_eq!(*mutex.lock().expect("the lock is not poisoned"), 1);
    });
}

/// The holder may wait for anything, a thread that it spawned included.
pub fn the_holder_may_wait<S: Subject>() {
    run::<S, _>(|| {
        let mutex = Arc::new(Mutex::new(0));
        let (send, receive) = bounded(0);
        let holder = {
            let mutex = Arc::clone(&mutex);
            thread::spawn(move || {
                let mut guard = mutex.lock().unwrap();
                *guard = receive.recv().unwrap();
                *guard += thread::spawn(|| 1).join().unwrap();
            })
        };
        until_waiting(holder.thread(), Reason::Receive);
        let waiters = [(); 3].map(|()| {
            let mutex = Arc::clone(&mutex);
            let waiter = thread::spawn(move || *mutex.lock().unwrap() += 10);
            until_waiting(waiter.thread(), Reason::Mutex);
            waiter
        });
        send.send(5).unwrap();
        holder.join().unwrap();
        join_all(waiters);
        assert_eq!(*mutex.lock().unwrap(), 36);
    });
}

/// A thousand threads take turns, and some of them panic with the lock held.
pub fn a_thousand_threads_take_turns<S: Subject>() {
    const THREADS: usize = 1000;
    run::<S, _>(|| {
        let mutex = Arc::new(Mutex::new(0));
        let threads: Vec<_> = (0..THREADS)
            .map(|n| {
                let mutex = Arc::clone(&mutex);
                thread::spawn(move || {
                    let mut count = mutex.lock().unwrap_or_else(PoisonError::into_inner);
                    *count += 1;
                    thread::yield_now();
                    assert!(n % 100 != 0, "it is meant to");
                })
            })
            .collect();
        let panicked = threads.into_iter().map(JoinHandle::join);
        assert_eq!(panicked.filter(Result::is_err).count(), THREADS / 100);
        assert!(mutex.is_poisoned());
        assert_eq!(*mutex.lock().unwrap_err().into_inner(), THREADS);
    });
}

/// A thread that takes the lock again and again does not keep it from one that waits, whether
/// it lets others run with the lock or without it.
pub fn a_hog_starves_nobody<S: Subject>() {
    for with_lock in [true, false] {
        run::<S, _>(move || {
            let shared = Arc::new((Mutex::new(()), AtomicBool::new(false)));
            let hogs = [(); 3].map(|()| {
                let shared = Arc::clone(&shared);
                thread::spawn(move || {
                    while !shared.1.load(Ordering::SeqCst) {
                        let guard = shared.0.lock().unwrap();
                        if with_lock {
                            thread::yield_now();
                        }
                        drop(guard);
                        if !with_lock {
                            thread::yield_now();
                        }
                    }
                })
            });
            let waiters: Vec<_> = (0..20)
                .map(|_| {
                    let shared = Arc::clone(&shared);
                    thread::spawn(move || (0..5).for_each(|_| drop(shared.0.lock().unwrap())))
                })
                .collect();
            // The hogs go on until all of them have had their turns.
            join_all(waiters);
            shared.1.store(true, Ordering::SeqCst);
            join_all(hogs);
        });
    }
}

/// A timed attempt gives up by itself and not before its time, and gets a lock that comes.
pub fn an_attempt_times_out<S: Subject>() {
    run::<S, _>(|| {
        let mutex = Arc::new(Mutex::new(1));
        let guard = mutex.lock().unwrap();
        let shared = Arc::clone(&mutex);
        let late = thread::spawn(move || {
            let (begin, time) = (Instant::now(), Duration::from_millis(20));
            let attempt = shared.try_lock_for(time);
            assert!(matches!(attempt, Err(TryLockError::WouldBlock)));
            assert!(begin.elapsed() >= time);
            drop(attempt);
            let past = shared.try_lock_until(begin);
            matches!(past, Err(TryLockError::WouldBlock))
        });
        assert!(late.join().unwrap());
        let shared = Arc::clone(&mutex);
        let waits = thread::spawn(move || *shared.try_lock_for(HOUR).unwrap());
        until_waiting(waits.thread(), Reason::Mutex);
        drop(guard);
        assert_eq!(waits.join().unwrap(), 1);
    });
}

/// Attempts that give up while the lock is given back lose no wake-up: all come through, one at
/// a time.
pub fn no_timeout_loses_the_lock<S: Subject>() {
    const TURNS: u64 = 60;
    let seed = seed::draw();
    let mut random = seed.random();
    run::<S, _>(move || {
        let mutex = Arc::new(Mutex::new(0));
        let threads: Vec<_> = (0..8)
            .map(|n| {
                let (mutex, mut random) = (Arc::clone(&mutex), random.branch());
                thread::spawn(move || {
                    for _ in 0..TURNS {
                        let mut guard = loop {
                            // Some of them do not give up, so that they need each wake-up.
                            if n < 3 {
                                break mutex.lock().unwrap();
                            }
                            let time = Duration::from_micros(random.below(40));
                            if let Ok(guard) = mutex.try_lock_for(time) {
                                break guard;
                            }
                            thread::yield_now();
                        };
                        let before = *guard;
                        if random.below(3) == 0 {
                            thread::sleep(Duration::from_micros(random.below(40)));
                        }
                        *guard = before + 1;
                    }
                })
            })
            .collect();
        join_all(threads);
        assert_eq!(*mutex.lock().unwrap(), 8 * TURNS);
    });
}
