//! `thread::blocking`: calls that block their OS thread, and nobody else.

use std::panic::{self, AssertUnwindSafe, panic_any};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, mpsc};

use trefoil_net::fs::{self, File};
use trefoil_net::{TcpStream, ToSocketAddrs as _};
use trefoil_runtime::{Model, Reason, blocking_stats, thread};
use trefoil_sync::Mutex;
use trefoil_sync::channel::bounded;

use crate::Subject;
use crate::child::end_of;
use crate::fs::Place;
use crate::subject::run;
use crate::witness::{find, join_all, refusal, until, until_waiting};

/// The call's value comes back, and it may borrow.
pub fn a_call_borrows_and_returns<S: Subject>() {
    run::<S, _>(|| {
        let mut numbers = vec![1, 2, 3];
        let text = String::from("text");
        let length = thread::blocking(|| {
            numbers.push(4);
            text.len()
        });
        assert_eq!((length, numbers.len()), (4, 4));
    });
}

/// Sixty-four calls block at the same time: each waits for all the others.
pub fn many_calls_block_at_once<S: Subject>() {
    const CALLS: usize = 64;
    run::<S, _>(|| {
        let barrier = Arc::new(std::sync::Barrier::new(CALLS));
        let threads: Vec<_> = (0..CALLS)
            .map(|_| {
                let barrier = Arc::clone(&barrier);
                thread::spawn(move || usize::from(thread::blocking(|| barrier.wait().is_leader())))
            })
            .collect();
        let leaders: usize = join_all(threads).into_iter().sum();
        assert_eq!(leaders, 1);
    });
}

/// More calls than the pool has OS threads: all are made.
pub fn more_calls_than_the_pool_has_threads<S: Subject>() {
    const CALLS: usize = 1000;
    run::<S, _>(|| {
        let made = Arc::new(AtomicUsize::new(0));
        let threads: Vec<_> = (0..CALLS)
            .map(|_| {
                let made = Arc::clone(&made);
                thread::spawn(move || {
                    thread::blocking(|| {
                        std::thread::yield_now();
                        made.fetch_add(1, Ordering::Relaxed);
                    });
                })
            })
            .collect();
        join_all(threads);
        assert_eq!(made.load(Ordering::Relaxed), CALLS);
    });
}

/// A blocked call does not keep other threads from running: here one of them unblocks it.
pub fn a_blocked_call_stops_nobody_else<S: Subject>() {
    run::<S, _>(|| {
        let (send, receive) = mpsc::channel();
        let blocked = thread::spawn(move || thread::blocking(move || receive.recv().unwrap()));
        until_waiting(blocked.thread(), Reason::Blocking);
        thread::spawn(move || send.send(6).unwrap()).join().unwrap();
        assert_eq!(blocked.join().unwrap(), 6);
    });
}

/// A panic in the call goes on in the caller.
pub fn a_panic_comes_back<S: Subject>() {
    run::<S, _>(|| {
        let outcome = panic::catch_unwind(AssertUnwindSafe(|| {
            thread::blocking(|| panic_any(3_u8));
        }));
        assert_eq!(outcome.unwrap_err().downcast_ref::<u8>(), Some(&3));
        assert_eq!(thread::blocking(|| 4), 4);
    });
}

/// The call may use locks and channels.
pub fn a_call_may_lock_and_receive<S: Subject>() {
    run::<S, _>(|| {
        let mutex = Arc::new(Mutex::new(1));
        let (send, receive) = bounded(0);
        let guard = mutex.lock().unwrap();
        let shared = Arc::clone(&mutex);
        let begun = Arc::new(AtomicBool::new(false));
        let begins = Arc::clone(&begun);
        let call = thread::spawn(move || {
            thread::blocking(|| {
                begins.store(true, Ordering::Relaxed);
                *shared.lock().unwrap() += 1;
                receive.recv().unwrap()
            })
        });
        until(|| begun.load(Ordering::Relaxed));
        drop(guard);
        send.send(9).unwrap();
        assert_eq!(call.join().unwrap(), 9);
        assert_eq!(*mutex.lock().unwrap(), 2);
    });
}

/// A call within a call is made.
pub fn calls_nest<S: Subject>() {
    let value = run::<S, _>(|| thread::blocking(|| thread::blocking(|| 1) + 1));
    assert_eq!(value, 2);
}

/// An unpark while the call is made is there afterwards.
pub fn a_call_leaves_the_token_alone<S: Subject>() {
    run::<S, _>(|| {
        thread::current().unpark();
        thread::blocking(|| ());
        thread::park();
    });
}

/// A panic in a call ends its thread, if that does not catch it.
pub fn a_panic_ends_the_thread<S: Subject>() {
    run::<S, _>(|| {
        let text = refusal(|| thread::blocking(|| panic!("a call that panics on purpose")));
        assert_eq!(text, "a call that panics on purpose");
        let payload = thread::spawn(|| thread::blocking(|| panic_any(1_u8))).join();
        assert!(payload.unwrap_err().is::<u8>());
    });
}

/// The program's place is noted where a thread waits for its call.
pub fn the_place_is_the_programs<S: Subject>() {
    run::<S, _>(|| {
        let (send, receive) = mpsc::channel();
        let blocked = thread::spawn(move || thread::blocking(move || receive.recv().unwrap()));
        until_waiting(blocked.thread(), Reason::Blocking);
        // And still, when its call has begun.
        thread::yield_now();
        let place = find(blocked.thread().id()).unwrap().waiting.unwrap().place;
        assert!(
            place.file().ends_with("conformance/src/blocking.rs"),
            "{place}"
        );
        send.send(()).unwrap();
        blocked.join().unwrap();
    });
}

/// How many OS threads the process has by the name that the pool gives them.
fn named_for_the_pool() -> usize {
    let tasks = std::fs::read_dir("/proc/self/task").unwrap();
    let names = tasks.filter_map(|task| std::fs::read(task.unwrap().path().join("comm")).ok());
    names.filter(|name| name == b"trefoil-block\n").count()
}

/// How many OS threads the pool has, how many are idle and how many calls wait is told; its OS threads
/// have their name. Kernel threads make their calls themselves.
pub fn the_pool_is_visible<S: Subject>() {
    const CALLS: usize = 8;
    // Other tests use the pool too.
    end_of(|| {
        run::<S, _>(|| {
            let before = blocking_stats();
            assert_eq!((before.threads, before.idle, before.queued), (0, 0, 0));
            assert!(before.most >= 64);
            let (open, gate) = mpsc::channel::<()>();
            let gate = Arc::new(std::sync::Mutex::new(gate));
            let calls: Vec<_> = (0..CALLS)
                .map(|_| {
                    let gate = Arc::clone(&gate);
                    let waits = move || gate.lock().unwrap().recv().is_err();
                    thread::spawn(|| thread::blocking(waits))
                })
                .collect();
            calls
                .iter()
                .for_each(|call| until_waiting(call.thread(), Reason::Blocking));
            let offloaded = if S::MODEL == Model::Kernel { 0 } else { CALLS };
            until(|| named_for_the_pool() == offloaded);
            let busy = blocking_stats();
            assert_eq!((busy.threads, busy.idle, busy.queued), (offloaded, 0, 0));
            drop(open);
            join_all(calls);
            // Idle ones may have ended already, on a slow machine.
            until(|| {
                let after = blocking_stats();
                after.idle == after.threads && after.queued == 0
            });
        });
    })
    .assert_came_through();
}

/// A name that cannot be looked up is an error that says which, and not a hang.
pub fn a_name_that_is_none_is_an_error<S: Subject>() {
    run::<S, _>(|| {
        // No name is so long: nobody is asked.
        let name = "n".repeat(64);
        let said = (name.as_str(), 1).to_socket_addrs().unwrap_err();
        assert!(said.to_string().contains(&name), "{said}");
        let said = format!("{name}:1").to_socket_addrs().unwrap_err();
        assert!(said.to_string().contains(&name), "{said}");
        assert!(TcpStream::connect((name, 1)).is_err());
        let said = "no port".to_socket_addrs().unwrap_err();
        assert_eq!(said.kind(), std::io::ErrorKind::InvalidInput);
        let found = ("localhost", 7).to_socket_addrs().unwrap();
        assert!(
            found
                .into_iter()
                .all(|found| found.ip().is_loopback() && found.port() == 7)
        );
    });
}

/// Names are looked up while another thread's call blocks, and that one is ended by who looked them up: no
/// lookup is made by the OS thread of others, nor waits for a call.
pub fn a_lookup_stops_nobody_else<S: Subject>() {
    run::<S, _>(|| {
        let place = Place::new();
        let fifo = place.fifo("fifo");
        let path = fifo.clone();
        let reads = thread::spawn(move || fs::read(path).unwrap());
        until_waiting(reads.thread(), Reason::Blocking);
        let lookups =
            (0..10).map(|port| thread::spawn(move || ("localhost", port).to_socket_addrs()));
        for found in join_all(lookups.collect::<Vec<_>>()) {
            assert!(found.unwrap().len() > 0);
        }
        drop(File::options().write(true).open(&fifo).unwrap());
        assert_eq!(reads.join().unwrap(), b"");
    });
}
