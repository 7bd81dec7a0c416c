//! A plain `std::thread` uses all that a runtime's threads use, together with them. Only
//! spawning needs a runtime.

use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};

use trefoil_runtime::thread::{self, Builder};
use trefoil_runtime::{Reason, ThreadId};
use trefoil_sync::channel::{Sender, bounded, unbounded};
use trefoil_sync::{Barrier, Condvar, Mutex, OnceLock, RwLock, Semaphore};

use crate::Subject;
use crate::subject::run;
use crate::witness::{join_all, refusal, until, until_waiting, waits_for};

/// A plain OS thread that tells its id before it does `f`.
fn plain<T: Send + 'static>(
    f: impl FnOnce() -> T + Send + 'static,
) -> (ThreadId, std::thread::JoinHandle<T>) {
    let (tell, told) = bounded(1);
    let thread = std::thread::spawn(move || {
        tell.send(thread::current().id()).unwrap();
        f()
    });
    (told.recv().unwrap(), thread)
}

/// Waits for a plain OS thread, without blocking anybody else.
fn end_of<T: Send>(thread: std::thread::JoinHandle<T>) -> T {
    thread::blocking(|| thread.join().unwrap())
}

/// Plain and other threads exchange messages through all kinds of channels.
pub fn it_sends_and_receives<S: Subject>() {
    const MESSAGES: u64 = 300;
    for (there, back) in [(bounded(0), bounded(0)), (bounded(1), unbounded())] {
        let sum: u64 = run::<S, _>(move || {
            let ((send, receive), (answer, answers)) = (there, back);
            let (_, other) = plain(move || {
                for n in receive {
                    answer.send(2 * n).unwrap();
                }
            });
            let sender = thread::spawn(move || (0..MESSAGES).for_each(|n| send.send(n).unwrap()));
            let sum = answers.iter().sum();
            sender.join().unwrap();
            end_of(other);
            sum
        });
        assert_eq!(sum, MESSAGES * (MESSAGES - 1));
    }
}

/// Plain and other threads hold the same lock in turn, and wait for each other.
pub fn it_locks<S: Subject>() {
    fn count(mutex: &Mutex<u32>) {
        for _ in 0..300 {
            let mut guard = mutex.lock().unwrap();
            *guard += 1;
            thread::yield_now();
        }
    }
    run::<S, _>(|| {
        let mutex = Arc::new(Mutex::new(0));
        let guard = mutex.lock().unwrap();
        let shared = Arc::clone(&mutex);
        let (id, other) = plain(move || count(&shared));
        until(|| waits_for(id, Reason::Mutex));
        drop(guard);
        let threads = [(); 2].map(|()| {
            let shared = Arc::clone(&mutex);
            thread::spawn(move || count(&shared))
        });
        join_all(threads);
        end_of(other);
        assert_eq!(*mutex.lock().unwrap(), 900);
    });
}

/// A plain thread waits for conditions, and makes them true.
pub fn it_waits_for_conditions<S: Subject>() {
    run::<S, _>(|| {
        let turn = Arc::new((Mutex::new(0_u32), Condvar::new()));
        fn play(turn: &(Mutex<u32>, Condvar), mine: u32) {
            for _ in 0..200 {
                let guard = turn.0.lock().unwrap();
                let mut now = turn.1.wait_while(guard, |now| *now % 2 != mine).unwrap();
                *now += 1;
                turn.1.notify_one();
            }
        }
        let shared = Arc::clone(&turn);
        let (_, other) = plain(move || play(&shared, 1));
        let shared = Arc::clone(&turn);
        thread::spawn(move || play(&shared, 0)).join().unwrap();
        end_of(other);
        assert_eq!(*turn.0.lock().unwrap(), 400);
    });
}

/// The other shared objects, too: semaphore, barrier, read-write lock, once.
pub fn it_shares_the_rest<S: Subject>() {
    struct All {
        permits: Semaphore,
        barrier: Barrier,
        lock: RwLock<u32>,
        once: OnceLock<u32>,
    }
    fn take_part(all: &All, me: u32) -> u32 {
        for _ in 0..50 {
            let _permit = all.permits.acquire();
            *all.lock.write().unwrap() += 1;
        }
        all.barrier.wait();
        assert_eq!(*all.lock.read().unwrap(), 150);
        *all.once.get_or_init(|| me)
    }
    run::<S, _>(|| {
        let all = Arc::new(All {
            permits: Semaphore::new(2),
            barrier: Barrier::new(3),
            lock: RwLock::new(0),
            once: OnceLock::new(),
        });
        let shared = Arc::clone(&all);
        let (_, other) = plain(move || take_part(&shared, 0));
        let threads = [1, 2].map(|me| {
            let shared = Arc::clone(&all);
            thread::spawn(move || take_part(&shared, me))
        });
        let [first, second] = threads.map(|thread| thread.join().unwrap());
        assert!(first == second && second == end_of(other));
    });
}

/// A plain thread joins one of a runtime, and gets its value or its panic.
pub fn it_joins<S: Subject>() {
    run::<S, _>(|| {
        let (go, gate) = bounded::<()>(0);
        let ours = thread::spawn(move || {
            gate.recv().unwrap();
            12
        });
        let (id, other) = plain(move || ours.join().unwrap());
        until(|| waits_for(id, Reason::Join));
        go.send(()).unwrap();
        assert_eq!(end_of(other), 12);
        let panics = thread::spawn(|| panic!("it is meant to"));
        let (_, other) = plain(move || panics.join().is_err());
        assert!(end_of(other));
    });
}

/// A plain thread is parked and unparked.
pub fn it_parks_and_is_unparked<S: Subject>() {
    run::<S, _>(|| {
        let (tell, told) = bounded(1);
        let other = std::thread::spawn(move || {
            tell.send(thread::current()).unwrap();
            thread::park();
            thread::park_timeout(Duration::from_millis(1));
        });
        let plain = told.recv().unwrap();
        until_waiting(&plain, Reason::Park);
        thread::spawn(move || plain.unpark()).join().unwrap();
        end_of(other);
    });
}

/// A plain thread sleeps and yields.
pub fn it_sleeps_and_yields<S: Subject>() {
    run::<S, _>(|| {
        let (_, other) = plain(|| {
            let begin = Instant::now();
            thread::sleep(Duration::from_millis(3));
            thread::yield_now();
            begin.elapsed()
        });
        assert!(end_of(other) >= Duration::from_millis(3));
    });
}

/// A plain thread that spawns is told that this takes a runtime.
pub fn it_cannot_spawn_and_is_told_so<S: Subject>() {
    run::<S, _>(|| {
        let (_, other) = plain(|| {
            let refused = Builder::new().spawn(|| ()).unwrap_err();
            assert_eq!(refused.kind(), io::ErrorKind::Unsupported);
            assert!(refused.to_string().contains("run"), "{refused}");
            refusal(|| thread::spawn(|| ()))
        });
        let refused = end_of(other);
        assert!(refused.contains("spawn"), "{refused}");
    });
    // And so is the thread that called `run`, once that is over.
    refusal(|| thread::spawn(|| ()));
}

/// A scope that spawns nothing is fine on a plain thread; one that spawns is refused, and
/// does not hang.
pub fn its_scopes_do_not_hang<S: Subject>() {
    run::<S, _>(|| {
        let (_, other) = plain(|| {
            assert_eq!(thread::scope(|_| 1), 1);
            refusal(|| thread::scope(|scope| scope.spawn(|| ()).join().is_ok()));
        });
        end_of(other);
    });
}

/// A plain thread that ends is forgotten.
pub fn it_is_forgotten_when_it_ends<S: Subject>() {
    run::<S, _>(|| {
        let (id, other) = plain(|| ());
        end_of(other);
        assert!(crate::witness::find(id).is_none());
    });
}

/// Many plain threads and many others wake each other all the time.
pub fn many_of_them_and_many_of_ours<S: Subject>() {
    const EACH: u64 = 200;
    fn send_all(send: &Sender<u64>) {
        (1..=EACH).for_each(|n| send.send(n).unwrap());
    }
    let sum: u64 = run::<S, _>(|| {
        let (send, receive) = bounded(3);
        let plain_senders = [(); 4].map(|()| {
            let send = send.clone();
            plain(move || send_all(&send)).1
        });
        let senders = [(); 4].map(|()| {
            let send = send.clone();
            thread::spawn(move || send_all(&send))
        });
        drop(send);
        let plain_receivers = [(); 2].map(|()| {
            let receive = receive.clone();
            plain(move || receive.iter().sum::<u64>()).1
        });
        let receivers = [(); 2].map(|()| {
            let receive = receive.clone();
            thread::spawn(move || receive.iter().sum::<u64>())
        });
        plain_senders.into_iter().for_each(end_of);
        join_all(senders);
        let ours: u64 = join_all(receivers).iter().sum();
        ours + plain_receivers.map(end_of).iter().sum::<u64>()
    });
    assert_eq!(sum, 8 * EACH * (EACH + 1) / 2);
}
