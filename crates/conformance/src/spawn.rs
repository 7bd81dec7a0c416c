//! Starting threads and waiting for their ends.

use std::cell::Cell;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use trefoil_runtime::thread::{self, JoinHandle};
use trefoil_sync::channel::{bounded, unbounded};

use crate::Subject;
use crate::subject::run;
use crate::witness::{Witness, join_all, refusal, until};

/// `join` returns what the thread returned.
pub fn join_returns_the_value<S: Subject>() {
    let value = run::<S, _>(|| thread::spawn(|| vec![1, 2, 3]).join().unwrap());
    assert_eq!(value, [1, 2, 3]);
}

/// `run` returns what its closure returned, which need not be `Sync`.
pub fn run_returns_the_value<S: Subject>() {
    let value = run::<S, _>(|| Cell::new(String::from("value")));
    assert_eq!(value.take(), "value");
}

/// Ten thousand threads are spawned, and all run.
pub fn many_threads_run<S: Subject>() {
    const MANY: usize = 10_000;
    let sum: usize = run::<S, _>(|| {
        let threads: Vec<_> = (0..MANY).map(|n| thread::spawn(move || n)).collect();
        join_all(threads).into_iter().sum()
    });
    assert_eq!(sum, MANY * (MANY - 1) / 2);
}

/// A thousand threads live at the same time: each waits until all have begun.
pub fn many_threads_live_at_once<S: Subject>() {
    const MANY: usize = 1000;
    let sum: usize = run::<S, _>(|| {
        let begun = Arc::new(AtomicUsize::new(0));
        let (go, gate) = unbounded::<usize>();
        let threads: Vec<_> = (0..MANY)
            .map(|_| {
                let (begun, gate) = (Arc::clone(&begun), gate.clone());
                thread::spawn(move || {
                    begun.fetch_add(1, Ordering::Relaxed);
                    gate.recv().unwrap()
                })
            })
            .collect();
        until(|| begun.load(Ordering::Relaxed) == MANY);
        (0..MANY).for_each(|n| go.send(n).unwrap());
        join_all(threads).into_iter().sum()
    });
    assert_eq!(sum, MANY * (MANY - 1) / 2);
}

/// Threads spawn threads, which spawn threads; each joins its own.
pub fn threads_spawn_threads<S: Subject>() {
    fn leaves(depth: u32) -> u32 {
        if depth == 0 {
            return 1;
        }
        let children = [(); 3].map(|()| thread::spawn(move || leaves(depth - 1)));
        join_all(children).iter().sum()
    }
    assert_eq!(run::<S, _>(|| leaves(5)), 3_u32.pow(5));
}

/// A chain of threads, each of which joins the next, and none of which can end before.
pub fn a_long_chain_of_joins_ends<S: Subject>() {
    fn chain(length: u32) -> u32 {
        match length {
            0 => 0,
            _ => 1 + thread::spawn(move || chain(length - 1)).join().unwrap(),
        }
    }
    assert_eq!(run::<S, _>(|| chain(200)), 200);
}

/// A thread whose handle is dropped runs on.
pub fn a_detached_thread_runs_on<S: Subject>() {
    let value = run::<S, _>(|| {
        let (send, receive) = bounded(1);
        let (go, gate) = bounded::<()>(1);
        drop(thread::spawn(move || {
            gate.recv().unwrap();
            send.send(7).unwrap();
        }));
        go.send(()).unwrap();
        receive.recv().unwrap()
    });
    assert_eq!(value, 7);
}

/// `is_finished` says no while the thread runs, and yes when `join` would return at once.
pub fn is_finished_tells_the_end<S: Subject>() {
    run::<S, _>(|| {
        let (go, gate) = bounded::<()>(1);
        let thread = thread::spawn(move || gate.recv().unwrap());
        assert!(!thread.is_finished());
        go.send(()).unwrap();
        until(|| thread.is_finished());
        thread.join().unwrap();
    });
}

/// Another thread than the spawner may join.
pub fn anybody_may_join<S: Subject>() {
    let value = run::<S, _>(|| {
        let first = thread::spawn(|| 20);
        let second = thread::spawn(move || first.join().unwrap() + 1);
        thread::spawn(move || second.join().unwrap() * 2)
            .join()
            .unwrap()
    });
    assert_eq!(value, 42);
}

/// What a thread wrote is seen after `join`, however weakly it was written.
pub fn join_shows_what_the_thread_wrote<S: Subject>() {
    run::<S, _>(|| {
        for round in 0..200 {
            let cell = Arc::new(AtomicUsize::new(0));
            let written = Arc::clone(&cell);
            let thread = thread::spawn(move || written.store(round + 1, Ordering::Relaxed));
            thread.join().unwrap();
            assert_eq!(cell.load(Ordering::Relaxed), round + 1);
        }
    });
}

/// A closure, its captures and an unclaimed result are dropped, and once.
pub fn nothing_is_leaked_or_dropped_twice<S: Subject>() {
    const THREADS: usize = 100;
    let captures = Witness::new();
    let results = Witness::new();
    let (captured, returned) = (captures.clone(), results.clone());
    run::<S, _>(move || {
        let mut kept = Vec::new();
        for n in 0..THREADS {
            let (capture, result) = (captured.token(), returned.token());
            let thread = thread::spawn(move || {
                drop(capture);
                result
            });
            match n % 3 {
                0 => drop(thread),
                1 => drop(thread.join().unwrap()),
                _ => kept.push(thread),
            }
        }
        // Handles that outlive the end of their threads.
        until(|| kept.iter().all(JoinHandle::is_finished));
    });
    assert_eq!(captures.dropped(), THREADS);
    assert_eq!(results.dropped(), THREADS);
}

/// A thread that joins itself is told so.
pub fn joining_oneself_is_refused<S: Subject>() {
    let refused = run::<S, _>(|| {
        let (send, receive) = bounded::<JoinHandle<()>>(1);
        let (tell, told) = bounded(1);
        let me = thread::spawn(move || {
            let me = receive.recv().unwrap();
            let refused = refusal(|| me.join());
            tell.send(refused).unwrap();
        });
        send.send(me).unwrap();
        told.recv().unwrap()
    });
    assert!(refused.contains("join"), "{refused:?}");
}

/// A thread that was spawned and is not waited for begins all the same, as soon as its
/// spawner waits.
pub fn a_thread_begins_unasked<S: Subject>() {
    run::<S, _>(|| {
        let begun = Arc::new(AtomicBool::new(false));
        let sign = Arc::clone(&begun);
        let thread = thread::spawn(move || sign.store(true, Ordering::Release));
        until(|| begun.load(Ordering::Acquire));
        thread.join().unwrap();
    });
}
