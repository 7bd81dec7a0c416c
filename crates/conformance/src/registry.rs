//! `threads()`: what every thread is, what it waits for, and where.

use std::panic::Location;
use std::time::Duration;

use trefoil_net::TcpListener;
use trefoil_runtime::thread::{self, Builder};
use trefoil_runtime::{Reason, RunState, ThreadId, Waiting, threads};
use trefoil_sync::channel::{bounded, unbounded};
use trefoil_sync::{Mutex, Semaphore};

use crate::Subject;
use crate::subject::{patient, run};
use crate::witness::{find, join_all, until, until_waiting};

/// A thread that waits is listed with its name, its model and the reason.
pub fn a_waiting_thread_is_described<S: Subject>() {
    run::<S, _>(|| {
        let thread = Builder::new()
            .name("waiter".into())
            .spawn(thread::park)
            .unwrap();
        until_waiting(thread.thread(), Reason::Park);
        until(|| find(thread.thread().id()).unwrap().state == RunState::Parked);
        let info = find(thread.thread().id()).unwrap();
        assert_eq!(info.name.as_deref(), Some("waiter"));
        assert_eq!(info.model, S::MODEL);
        let text = info.to_string();
        assert!(text.contains("waiter") && text.contains("unpark"), "{text}");
        thread.thread().unpark();
        thread.join().unwrap();
    });
}

/// Where a thread waits that begins to wait in `wait`.
fn place_of<S: Subject>(reason: Reason, wait: impl FnOnce() + Send + 'static) -> Waiting {
    run::<S, _>(move || {
        let thread = thread::spawn(wait);
        until_waiting(thread.thread(), reason);
        find(thread.thread().id()).unwrap().waiting.unwrap()
    })
}

#[track_caller]
fn assert_line(waiting: Waiting, line: u32) {
    let here = Location::caller();
    assert_eq!(waiting.place.file(), here.file());
    assert_eq!(waiting.place.line(), line);
}

/// The place is the line of the program that waits, not one of ours.
pub fn the_place_is_the_programs<S: Subject>() {
    let line = line!() + 1;
    let waiting = place_of::<S>(Reason::Park, || thread::park());
    assert_line(waiting, line);

    let line = line!() + 1;
    let waiting = place_of::<S>(Reason::Sleep, || thread::sleep(Duration::from_secs(3600)));
    assert_line(waiting, line);

    let (_send, receive) = unbounded::<()>();
    let line = line!() + 1;
    let waiting = place_of::<S>(Reason::Receive, move || receive.recv().unwrap());
    assert_line(waiting, line);

    let (send, _receive) = bounded::<()>(0);
    let line = line!() + 1;
    let waiting = place_of::<S>(Reason::Send, move || send.send(()).unwrap());
    assert_line(waiting, line);

    let semaphore = Semaphore::new(0);
    let line = line!() + 1;
    let waiting = place_of::<S>(Reason::Semaphore, move || drop(semaphore.acquire()));
    assert_line(waiting, line);

    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let line = line!() + 1;
    let waiting = place_of::<S>(Reason::Accept, move || drop(listener.accept()));
    assert_line(waiting, line);

    let line = line!() + 1;
    let waiting = place_of::<S>(Reason::Join, || drop(thread::spawn(thread::park).join()));
    assert_line(waiting, line);
}

/// The place of a lock is the line that locks.
pub fn the_place_of_a_lock_is_the_programs<S: Subject>() {
    run::<S, _>(|| {
        let mutex = std::sync::Arc::new(Mutex::new(()));
        let guard = mutex.lock().unwrap();
        let shared = std::sync::Arc::clone(&mutex);
        let line = line!() + 1;
        let thread = thread::spawn(move || drop(shared.lock()));
        until_waiting(thread.thread(), Reason::Mutex);
        assert_line(find(thread.thread().id()).unwrap().waiting.unwrap(), line);
        drop(guard);
        thread.join().unwrap();
    });
}

/// A thread that waited and goes on is no longer listed as waiting.
pub fn a_running_thread_waits_for_nothing<S: Subject>() {
    run::<S, _>(|| {
        thread::yield_now();
        thread::sleep(Duration::from_millis(1));
        let me = find(thread::current().id()).unwrap();
        assert_eq!(me.state, RunState::Running);
        assert!(me.waiting.is_none());
    });
}

/// A thread that has ended is forgotten, even while its handle is kept.
pub fn ended_threads_are_forgotten<S: Subject>() {
    run::<S, _>(|| {
        let thread = thread::spawn(|| ());
        let id = thread.thread().id();
        until(|| thread.is_finished());
        assert!(find(id).is_none());
        thread.join().unwrap();
        let threads: Vec<_> = (0..100).map(|_| thread::spawn(|| ())).collect();
        let ids: Vec<_> = threads.iter().map(|thread| thread.thread().id()).collect();
        join_all(threads);
        assert!(ids.into_iter().all(|id| find(id).is_none()));
    });
}

/// Each thread is listed once, in the order of the ids, the first one included.
pub fn everybody_is_listed_once<S: Subject>() {
    run::<S, _>(|| {
        let (go, gate) = unbounded::<()>();
        let children = [(); 20].map(|()| {
            let gate = gate.clone();
            thread::spawn(move || gate.recv().unwrap_err())
        });
        let all: Vec<_> = threads().into_iter().map(|thread| thread.id).collect();
        assert!(all.is_sorted_by(|a, b| a < b));
        for child in &children {
            assert!(all.contains(&child.thread().id()));
        }
        assert!(all.contains(&thread::current().id()));
        drop(go);
        join_all(children);
    });
}

/// Reading the list all the time, from everywhere, disturbs nobody.
pub fn reading_it_disturbs_nobody<S: Subject>() {
    run::<S, _>(|| {
        let readers = [(); 2].map(|()| {
            thread::spawn(|| {
                for _ in 0..50 {
                    assert!(!threads().is_empty());
                    thread::yield_now();
                }
            })
        });
        for _ in 0..100 {
            let threads = [(); 5].map(|()| thread::spawn(thread::yield_now));
            join_all(threads);
        }
        join_all(readers);
    });
}

/// Where a thread was spawned is known while it lives: of the first one, and of a plain OS thread.
pub fn a_thread_knows_where_it_was_spawned<S: Subject>() {
    let runtime = patient::<S>();
    let first = line!() + 1;
    runtime.run(move || {
        let (go, gate) = unbounded::<()>();
        let line = line!() + 1;
        let thread = thread::spawn(move || gate.recv().unwrap_err());
        assert_spawned_at(thread.thread().id(), line);
        until_waiting(thread.thread(), Reason::Receive);
        assert_spawned_at(thread.thread().id(), line);
        assert_spawned_at(thread::current().id(), first);
        drop(go);
        thread.join().unwrap();
    });
    let me = find(thread::current().id()).unwrap();
    assert_eq!(me.spawned_at, None);
}

#[track_caller]
fn assert_spawned_at(thread: ThreadId, line: u32) {
    let site = find(thread).unwrap().spawned_at.unwrap();
    assert_eq!((site.file(), site.line()), (file!(), line));
}
