//! `sync::Once` and `sync::OnceLock`: one initialization, whoever comes first.

use std::panic::{self, AssertUnwindSafe};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use trefoil_runtime::thread::JoinHandle;
use trefoil_runtime::{Reason, thread};
use trefoil_sync::channel::bounded;
use trefoil_sync::{Once, OnceLock};

use crate::Subject;
use crate::subject::run;
use crate::witness::{join_all, text, until, until_waiting, waits_for};

/// Of many threads one initializes, which may wait in doing so; the others wait for it and
/// see what it did.
pub fn only_one_initializes<S: Subject>() {
    run::<S, _>(|| {
        let shared = Arc::new((Once::new(), AtomicUsize::new(0)));
        let threads: Vec<_> = (0..20)
            .map(|_| {
                let shared = Arc::clone(&shared);
                thread::spawn(move || {
                    shared.0.call_once(|| {
                        (0..5).for_each(|_| thread::yield_now());
                        shared.1.fetch_add(1, Ordering::Relaxed);
                    });
                    assert_eq!(shared.1.load(Ordering::Relaxed), 1);
                })
            })
            .collect();
        join_all(threads);
        assert!(shared.0.is_completed());
    });
}

/// Who comes while another one initializes waits for it, and shows that it does.
pub fn the_others_wait<S: Subject>() {
    run::<S, _>(|| {
        let cell = Arc::new(OnceLock::new());
        let (send, receive) = bounded(1);
        let shared = Arc::clone(&cell);
        let first = thread::spawn(move || *shared.get_or_init(|| receive.recv().unwrap()));
        until_waiting(first.thread(), Reason::Receive);
        let shared = Arc::clone(&cell);
        let second = thread::spawn(move || *shared.get_or_init(|| 0));
        until_waiting(second.thread(), Reason::Once);
        assert_eq!(cell.get(), None);
        send.send(8).unwrap();
        assert_eq!(first.join().unwrap(), 8);
        assert_eq!(second.join().unwrap(), 8);
        assert_eq!(cell.set(9), Err(9));
    });
}

/// A `Once` whose initialization panicked says so to all that come, unless they force it.
pub fn a_panic_poisons_a_once<S: Subject>() {
    run::<S, _>(|| {
        let once = Arc::new(Once::new());
        let shared = Arc::clone(&once);
        let panics = thread::spawn(move || shared.call_once(|| panic!("it is meant to")));
        assert!(panics.join().is_err());
        assert!(!once.is_completed());
        let again = panic::catch_unwind(AssertUnwindSafe(|| once.call_once(|| ())));
        assert!(again.is_err());
        once.call_once_force(|state| assert!(state.is_poisoned()));
        assert!(once.is_completed());
        once.call_once(|| unreachable!("it is complete"));
    });
}

/// A `OnceLock` whose initialization panicked is empty, and the next one may try: one that
/// waits already, too.
pub fn a_panic_leaves_a_once_lock_empty<S: Subject>() {
    run::<S, _>(|| {
        let cell = Arc::new(OnceLock::<u32>::new());
        let (go, gate) = bounded::<()>(1);
        let shared = Arc::clone(&cell);
        let panics = thread::spawn(move || {
            shared.get_or_init(|| {
                gate.recv().unwrap();
                panic!("it is meant to")
            });
        });
        until_waiting(panics.thread(), Reason::Receive);
        let shared = Arc::clone(&cell);
        let waits = thread::spawn(move || *shared.get_or_init(|| 6));
        until_waiting(waits.thread(), Reason::Once);
        go.send(()).unwrap();
        assert!(panics.join().is_err());
        assert_eq!(waits.join().unwrap(), 6);
        assert_eq!(cell.get(), Some(&6));
    });
}

/// An initialization that is cancelled has not happened: who waits makes it.
pub fn a_cancelled_initialization_is_taken_over<S: Subject>() {
    let cell = Arc::new(OnceLock::new());
    let shared = Arc::clone(&cell);
    run::<S, _>(move || {
        let first = Arc::clone(&shared);
        let first = thread::spawn(move || {
            first.get_or_init(|| {
                thread::park();
                unreachable!("it was asked to end")
            });
        });
        until_waiting(first.thread(), Reason::Park);
        let second = thread::spawn(move || *shared.get_or_init(|| 2));
        until_waiting(second.thread(), Reason::Once);
    });
    assert_eq!(cell.get(), Some(&2));
}

/// Of a thousand threads one makes the value, after some whose closure panicked; the others wait for it.
pub fn one_of_a_thousand_initializes<S: Subject>() {
    const THREADS: usize = 1000;
    const PANICS: usize = 3;
    run::<S, _>(|| {
        let shared = Arc::new((OnceLock::new(), Once::new(), AtomicUsize::new(0)));
        let threads: Vec<_> = (0..THREADS)
            .map(|_| {
                let shared = Arc::clone(&shared);
                thread::spawn(move || {
                    let (cell, once, tries) = &*shared;
                    let value = *cell.get_or_init(|| {
                        thread::yield_now();
                        let tries = tries.fetch_add(1, Ordering::SeqCst);
                        assert!(tries >= PANICS, "it is meant to");
                        tries
                    });
                    once.call_once(|| thread::yield_now());
                    assert!(once.is_completed());
                    value
                })
            })
            .collect();
        let values: Vec<_> = threads.into_iter().flat_map(JoinHandle::join).collect();
        assert_eq!(values, [PANICS; THREADS - PANICS]);
        assert_eq!(shared.2.load(Ordering::SeqCst), PANICS + 1);
    });
}

/// A forced initialization may panic too: the next one that forces it is told, and makes it.
pub fn a_forced_panic_poisons_again<S: Subject>() {
    run::<S, _>(|| {
        let once = Once::new();
        for poisoned in [false, true] {
            let forced = AssertUnwindSafe(|| {
                once.call_once_force(|state| {
                    assert_eq!(state.is_poisoned(), poisoned);
                    panic!("it is meant to");
                });
            });
            let payload = panic::catch_unwind(forced).unwrap_err();
            assert_eq!(text(&*payload).unwrap(), "it is meant to");
        }
        once.call_once_force(|state| assert!(state.is_poisoned()));
        once.call_once_force(|_| unreachable!("it is complete"));
    });
}

/// `wait` returns when another one has initialized; `wait_force` also after a panic.
pub fn waiting_for_a_once<S: Subject>() {
    run::<S, _>(|| {
        let shared = Arc::new(Once::new());
        let waiters = [true, false].map(|force| {
            let shared = Arc::clone(&shared);
            let waiter = thread::spawn(move || match force {
                true => shared.wait_force(),
                false => shared.wait(),
            });
            until_waiting(waiter.thread(), Reason::Once);
            waiter
        });
        let poison = AssertUnwindSafe(|| shared.call_once(|| panic!("it is meant to")));
        assert!(panic::catch_unwind(poison).is_err());
        let [forced, plain] = waiters;
        assert!(plain.join().is_err());
        until_waiting(forced.thread(), Reason::Once);
        shared.call_once_force(|state| assert!(state.is_poisoned()));
        forced.join().unwrap();
        shared.wait();
    });
}

/// Who waits for the value of a `OnceLock` waits on when an initialization panics, as with `std`: the
/// next one makes it.
pub fn a_wait_for_a_value_outlasts_a_panic<S: Subject>() {
    run::<S, _>(|| {
        let cell = Arc::new(OnceLock::new());
        let wait = || {
            let shared = Arc::clone(&cell);
            let waiter = thread::spawn(move || *shared.wait());
            until(|| waits_for(waiter.thread().id(), Reason::Once) || waiter.is_finished());
            waiter
        };
        let early = wait();
        let poison = AssertUnwindSafe(|| *cell.get_or_init(|| panic!("it is meant to")));
        assert!(panic::catch_unwind(poison).is_err());
        let late = wait();
        cell.set(7).unwrap();
        assert_eq!([early.join().unwrap(), late.join().unwrap()], [7, 7]);
    });
}
