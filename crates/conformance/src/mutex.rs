//! `sync::Mutex`: one at a time, also when the holder waits.

use std::cell::Cell;
use std::sync::{Arc, TryLockError};

use trefoil_runtime::{Reason, thread};
use trefoil_sync::Mutex;
use trefoil_sync::channel::bounded;

use crate::Subject;
use crate::subject::run;
use crate::witness::{join_all, until_waiting};

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
