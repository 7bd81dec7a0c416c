//! `sync::RwLock`: many readers or one writer.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, PoisonError, TryLockError};
use std::time::{Duration, Instant};

use trefoil_runtime::cancel::Cancelled;
use trefoil_runtime::thread::JoinHandle;
use trefoil_runtime::{Reason, thread};
use trefoil_sync::channel::bounded;
use trefoil_sync::{Barrier, RwLock, RwLockWriteGuard};

use crate::Subject;
use crate::seed;
use crate::subject::run;
use crate::witness::{join_all, until_waiting};

/// Readers hold it together: each waits, with the lock, for all the others.
pub fn readers_share<S: Subject>() {
    run::<S, _>(|| {
        let lock = Arc::new((RwLock::new(3), Barrier::new(8)));
        let readers = [(); 8].map(|()| {
            let lock = Arc::clone(&lock);
            thread::spawn(move || {
                let value = lock.0.read().unwrap();
                lock.1.wait();
                *value
            })
        });
        assert_eq!(readers.map(|reader| reader.join().unwrap()), [3; 8]);
    });
}

/// A writer is alone, also when it yields; readers never see half of what it does.
pub fn a_writer_is_alone<S: Subject>() {
    const TURNS: u64 = 100;
    run::<S, _>(|| {
        let lock = Arc::new(RwLock::new((0_u64, 0_u64)));
        let writers = [(); 4].map(|()| {
            let lock = Arc::clone(&lock);
            thread::spawn(move || {
                for _ in 0..TURNS {
                    let mut pair = lock.write().unwrap();
                    pair.0 += 1;
                    thread::yield_now();
                    pair.1 += 1;
                }
            })
        });
        let readers = [(); 4].map(|()| {
            let lock = Arc::clone(&lock);
            thread::spawn(move || {
                for _ in 0..TURNS {
                    let pair = lock.read().unwrap();
                    thread::yield_now();
                    assert_eq!(pair.0, pair.1);
                }
            })
        });
        join_all(writers);
        join_all(readers);
        assert_eq!(*lock.read().unwrap(), (4 * TURNS, 4 * TURNS));
    });
}

/// Who has to wait does, shows it, and gets the lock in the end.
pub fn a_taken_lock_is_waited_for<S: Subject>() {
    run::<S, _>(|| {
        let lock = Arc::new(RwLock::new(0));
        let guard = lock.write().unwrap();
        let shared = Arc::clone(&lock);
        let reader = thread::spawn(move || *shared.read().unwrap());
        until_waiting(reader.thread(), Reason::RwLockRead);
        let shared = Arc::clone(&lock);
        let writer = thread::spawn(move || *shared.write().unwrap() += 1);
        until_waiting(writer.thread(), Reason::RwLockWrite);
        drop(guard);
        assert!(reader.join().unwrap() <= 1);
        writer.join().unwrap();
        assert_eq!(*lock.read().unwrap(), 1);
    });
}

/// `try_read` and `try_write` do not wait.
pub fn trying_does_not_wait<S: Subject>() {
    run::<S, _>(|| {
        let lock = RwLock::new(1);
        let reader = lock.read().unwrap();
        assert!(lock.try_write().is_err());
        assert_eq!(*lock.try_read().unwrap(), 1);
        drop(reader);
        let writer = lock.try_write().unwrap();
        assert!(lock.try_read().is_err() && lock.try_write().is_err());
        drop(writer);
        assert_eq!(lock.into_inner().unwrap(), 1);
    });
}

/// A writer gets its turn while readers come and go without a gap: the next one always
/// begins before the last one ends.
pub fn readers_do_not_starve_a_writer<S: Subject>() {
    run::<S, _>(|| {
        let shared = Arc::new((RwLock::new(0_u32), AtomicBool::new(false)));
        let (ready, begun) = bounded::<()>(2);
        let readers = [(); 2].map(|()| {
            let (shared, ready) = (Arc::clone(&shared), ready.clone());
            thread::spawn(move || {
                let mut told = Some(ready);
                while !shared.1.load(Ordering::Acquire) {
                    let guard = shared.0.read().unwrap();
                    thread::yield_now();
                    drop(guard);
                    told.take().map(|ready| ready.send(()));
                }
            })
        });
        begun.recv().unwrap();
        begun.recv().unwrap();
        *shared.0.write().unwrap() = 1;
        shared.1.store(true, Ordering::Release);
        join_all(readers);
    });
}

/// A writer's panic poisons it, a reader's does not.
pub fn a_writers_panic_poisons<S: Subject>() {
    run::<S, _>(|| {
        let lock = Arc::new(RwLock::new(1));
        let shared = Arc::clone(&lock);
        let reader = thread::spawn(move || {
            let _guard = shared.read().unwrap();
            panic!("it is meant to");
        });
        assert!(reader.join().is_err());
        assert!(!lock.is_poisoned());
        let shared = Arc::clone(&lock);
        let writer = thread::spawn(move || {
            *shared.write().unwrap() = 2;
            let _guard = shared.write().unwrap();
            panic!("it is meant to");
        });
        assert!(writer.join().is_err());
        assert!(lock.is_poisoned());
        assert_eq!(*lock.read().unwrap_err().into_inner(), 2);
    });
}

/// A writer that becomes a reader lets no other writer in between, and lets readers in.
pub fn a_writer_becomes_a_reader<S: Subject>() {
    run::<S, _>(|| {
        let lock = Arc::new(RwLock::new(0));
        let mut guard = lock.write().unwrap();
        let (first, second) = (Arc::clone(&lock), Arc::clone(&lock));
        let reader = thread::spawn(move || *first.read().unwrap());
        until_waiting(reader.thread(), Reason::RwLockRead);
        let writer = thread::spawn(move || *second.write().unwrap() += 1);
        until_waiting(writer.thread(), Reason::RwLockWrite);
        *guard = 5;
        let guard = RwLockWriteGuard::downgrade(guard);
        assert_eq!(reader.join().unwrap(), 5);
        until_waiting(writer.thread(), Reason::RwLockWrite);
        assert_eq!(*guard, 5);
        drop(guard);
        writer.join().unwrap();
        assert_eq!(*lock.read().unwrap(), 6);
    });
}

/// Timed attempts give up by themselves and not before their time.
pub fn attempts_time_out<S: Subject>() {
    run::<S, _>(|| {
        let lock = RwLock::new(1);
        let (begin, time) = (Instant::now(), Duration::from_millis(10));
        let guard = lock.write().unwrap();
        let read = lock.try_read_for(time).map(drop);
        assert!(matches!(read, Err(TryLockError::WouldBlock)));
        let write = lock.try_write_for(time).map(drop);
        assert!(matches!(write, Err(TryLockError::WouldBlock)));
        assert!(begin.elapsed() >= 2 * time);
        assert!(lock.try_read_until(begin).is_err() && lock.try_write_until(begin).is_err());
        drop(guard);
        assert_eq!(*lock.try_read_for(time).unwrap(), 1);
        *lock.try_write_for(time).unwrap() = 2;
    });
}

/// A writer that gives up lets the readers in that waited behind it, while another one reads.
pub fn a_writer_that_gives_up_lets_readers_in<S: Subject>() {
    run::<S, _>(|| {
        let lock = Arc::new(RwLock::new(1));
        let reading = lock.read().unwrap();
        let (first, second) = (Arc::clone(&lock), Arc::clone(&lock));
        let writer = thread::spawn(move || {
            let attempt = first.try_write_for(Duration::from_millis(50)).map(drop);
            assert!(matches!(attempt, Err(TryLockError::WouldBlock)));
        });
        // Either it comes while the writer waits, and is let in, or later.
        let reader = thread::spawn(move || *second.read().unwrap());
        assert_eq!(reader.join().unwrap(), 1);
        writer.join().unwrap();
        // Nothing is left of it: who comes now does not queue behind nobody.
        assert!(lock.try_read().is_ok());
        drop(reading);
        assert!(lock.try_write().is_ok());
    });
}

/// Attempts that give up while the lock is handed on lose no wake-up, and let nobody in beside a
/// writer.
pub fn no_timeout_loses_the_lock<S: Subject>() {
    const TURNS: u64 = 60;
    let seed = seed::draw();
    let mut random = seed.random();
    let written = run::<S, _>(move || {
        let lock = Arc::new(RwLock::new((0, 0)));
        let threads: Vec<_> = (0..8)
            .map(|n| {
                let (lock, mut random) = (Arc::clone(&lock), random.branch());
                thread::spawn(move || {
                    let mut written = 0;
                    for _ in 0..TURNS {
                        let time = Duration::from_micros(random.below(40));
                        let pause = Duration::from_micros(random.below(20));
                        match random.below(if n < 3 { 2 } else { 4 }) {
                            0 => {
                                let mut pair = lock.write().unwrap();
                                pair.0 += 1;
                                thread::sleep(pause);
                                pair.1 += 1;
                                written += 1;
                            }
                            1 => {
                                let pair = lock.read().unwrap();
                                thread::yield_now();
                                assert_eq!(pair.0, pair.1);
                            }
                            2 => {
                                if let Ok(mut pair) = lock.try_write_for(time) {
                                    pair.0 += 1;
                                    thread::yield_now();
                                    pair.1 += 1;
                                    written += 1;
                                }
                            }
                            _ => {
                                if let Ok(pair) = lock.try_read_for(time) {
                                    thread::sleep(pause);
                                    assert_eq!(pair.0, pair.1);
                                }
                            }
                        }
                    }
                    written
                })
            })
            .collect();
        let written: u64 = join_all(threads).into_iter().sum();
        let pair = *lock.try_write().expect("nobody has it any more");
        assert_eq!(pair, (written, written));
        written
    });
    assert!(written > 0);
}

/// Who is cancelled while it has the lock gives it back: readers and writers that waited are let in.
pub fn a_cancelled_holder_lets_the_others_in<S: Subject>() {
    run::<S, _>(|| {
        let lock = Arc::new(RwLock::new(1));
        let holds = |write: bool| {
            let lock = Arc::clone(&lock);
            let holder = thread::spawn(move || {
                let _guards = match write {
                    true => (Some(lock.write().unwrap()), None),
                    false => (None, Some(lock.read().unwrap())),
                };
                thread::park();
            });
            until_waiting(holder.thread(), Reason::Park);
            holder
        };
        let writing = holds(true);
        let readers = [(); 2].map(|()| reader_of(&lock));
        writing.cancel();
        assert!(writing.join().unwrap_err().is::<Cancelled>());
        assert_eq!(readers.map(|reader| reader.join().unwrap()), [1; 2]);

        let reading = holds(false);
        let writer = adder_to(&lock);
        reading.cancel();
        assert!(reading.join().unwrap_err().is::<Cancelled>());
        writer.join().unwrap();
        assert_eq!(*lock.try_read().unwrap(), 2);
    });
}

/// Who is cancelled while it waits keeps its turn, for that is no cancellation point, and holds up
/// nobody behind it: when it ends, with the lock, the others are let in.
pub fn a_cancelled_waiter_holds_up_nobody<S: Subject>() {
    run::<S, _>(|| {
        let lock = Arc::new(RwLock::new(1));
        let waits = |reason: Reason| {
            let lock = Arc::clone(&lock);
            let waiter = thread::spawn(move || {
                let _guards = match reason {
                    Reason::RwLockWrite => {
                        let mut guard = lock.write().unwrap();
                        *guard *= 10;
                        (Some(guard), None)
                    }
                    _ => (None, Some(lock.read().unwrap())),
                };
                thread::park();
            });
            until_waiting(waiter.thread(), reason);
            waiter
        };
        // A writer, and readers behind it.
        let reading = lock.read().unwrap();
        let writer = waits(Reason::RwLockWrite);
        let readers = [(); 2].map(|()| reader_of(&lock));
        writer.cancel();
        drop(reading);
        assert!(writer.join().unwrap_err().is::<Cancelled>());
        assert_eq!(readers.map(|reader| reader.join().unwrap()), [10; 2]);
        // A reader, and a writer behind it.
        let writing = lock.write().unwrap();
        let reader = waits(Reason::RwLockRead);
        let writer = adder_to(&lock);
        reader.cancel();
        drop(writing);
        assert!(reader.join().unwrap_err().is::<Cancelled>());
        writer.join().unwrap();
        assert_eq!(*lock.try_write().unwrap(), 11);
    });
}

/// A thread that waits to read the lock, by now.
fn reader_of(lock: &Arc<RwLock<u64>>) -> JoinHandle<u64> {
    let lock = Arc::clone(lock);
    let reader = thread::spawn(move || *lock.read().unwrap());
    until_waiting(reader.thread(), Reason::RwLockRead);
    reader
}

/// A thread that waits to add one, by now.
fn adder_to(lock: &Arc<RwLock<u64>>) -> JoinHandle<()> {
    let lock = Arc::clone(lock);
    let adder = thread::spawn(move || *lock.write().unwrap() += 1);
    until_waiting(adder.thread(), Reason::RwLockWrite);
    adder
}

/// A thousand threads read and write, and some of them panic while they write.
pub fn a_thousand_threads_read_and_write<S: Subject>() {
    const THREADS: u64 = 1000;
    run::<S, _>(|| {
        let lock = Arc::new(RwLock::new((0, 0)));
        let threads: Vec<_> = (0..THREADS)
            .map(|n| {
                let lock = Arc::clone(&lock);
                thread::spawn(move || {
                    if n % 10 == 0 {
                        let mut pair = lock.write().unwrap_or_else(PoisonError::into_inner);
                        pair.0 += 1;
                        thread::yield_now();
                        pair.1 += 1;
                        assert!(n % 100 != 0, "it is meant to");
                    } else {
                        let pair = lock.read().unwrap_or_else(PoisonError::into_inner);
                        thread::yield_now();
                        assert_eq!(pair.0, pair.1);
                    }
                })
            })
            .collect();
        let ended = threads.into_iter().map(JoinHandle::join);
        assert_eq!(ended.filter(Result::is_err).count() as u64, THREADS / 100);
        assert!(lock.is_poisoned());
        let pair = *lock.read().unwrap_err().into_inner();
        assert_eq!(pair, (THREADS / 10, THREADS / 10));
    });
}
