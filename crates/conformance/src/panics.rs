//! What becomes of a panic: it ends its thread, is given to who joins, and harms nobody.

use std::panic::{self, AssertUnwindSafe, panic_any};
use std::sync::Arc;

use trefoil_runtime::thread;
use trefoil_sync::Mutex;
use trefoil_sync::channel::bounded;

use crate::Subject;
use crate::subject::{assert_nobody_left, patient, run};
use crate::witness::{Bomb, Token, Witness, text, until};

/// A panic with a formatted message arrives at `join`.
pub fn a_string_arrives_at_join<S: Subject>() {
    let payload = run::<S, _>(|| {
        let number = 7;
        thread::spawn(move || panic!("number {number}"))
            .join()
            .unwrap_err()
    });
    assert_eq!(text(&*payload).unwrap(), "number 7");
}

/// A panic with a literal arrives at `join` as the literal.
pub fn a_literal_arrives_at_join<S: Subject>() {
    let payload = run::<S, _>(|| thread::spawn(|| panic!("literal")).join().unwrap_err());
    assert_eq!(payload.downcast_ref::<&str>(), Some(&"literal"));
}

/// A payload of any type arrives at `join` as it was.
pub fn any_payload_arrives_at_join<S: Subject>() {
    let payload = run::<S, _>(|| {
        let payload = vec![String::from("one"), String::from("two")];
        thread::spawn(move || panic_any(payload))
            .join()
            .unwrap_err()
    });
    assert_eq!(*payload.downcast::<Vec<String>>().unwrap(), ["one", "two"]);
}

/// A panic drops what the thread had.
pub fn a_panic_unwinds_the_stack<S: Subject>() {
    let witness = Witness::new();
    let token = witness.token();
    run::<S, _>(move || {
        let thread = thread::spawn(move || {
            let _token = token;
            panic!("it is meant to");
        });
        assert!(thread.join().is_err());
    });
    assert_eq!(witness.dropped(), 1);
}

/// A payload that panics when it is dropped is handed to the joiner unharmed.
pub fn a_payload_that_panics_in_drop_is_the_joiners<S: Subject>() {
    run::<S, _>(|| {
        let payload = thread::spawn(|| panic_any(Bomb)).join().unwrap_err();
        let dropped = panic::catch_unwind(AssertUnwindSafe(|| drop(payload)));
        assert_eq!(text(&*dropped.unwrap_err()).unwrap(), "a bomb was dropped");
    });
}

/// A payload nobody asks for that panics when it is dropped harms nobody.
pub fn a_detached_payload_that_panics_in_drop_harms_nobody<S: Subject>() {
    run::<S, _>(|| {
        drop(thread::spawn(|| panic_any(Bomb)));
        let kept = thread::spawn(|| panic_any(Bomb));
        until(|| kept.is_finished());
        drop(kept);
        assert_eq!(thread::spawn(|| 1).join().unwrap(), 1);
    });
}

/// A result nobody asks for that panics when it is dropped harms nobody.
pub fn a_detached_result_that_panics_in_drop_harms_nobody<S: Subject>() {
    run::<S, _>(|| {
        drop(thread::spawn(|| Bomb));
        let kept = thread::spawn(|| Bomb);
        until(|| kept.is_finished());
        drop(kept);
        assert_eq!(thread::spawn(|| 1).join().unwrap(), 1);
    });
}

/// A capture that panics when it is dropped is a panic of its thread.
pub fn a_capture_that_panics_in_drop_is_a_panic<S: Subject>() {
    let payload = run::<S, _>(|| {
        let bomb = Bomb;
        thread::spawn(move || drop(bomb)).join().unwrap_err()
    });
    assert_eq!(text(&*payload).unwrap(), "a bomb was dropped");
}

/// The panic of the first thread comes out of `run`, after everybody has ended, and the
/// runtime can run again.
pub fn the_first_threads_panic_comes_out_of_run<S: Subject>() {
    let runtime = patient::<S>();
    let witness = Witness::new();
    let token = witness.token();
    let outcome = panic::catch_unwind(AssertUnwindSafe(|| {
        runtime.run(move || {
            drop(thread::spawn(move || {
                let _token = token;
                thread::park();
            }));
            panic_any(42_u8);
        })
    }));
    assert_eq!(outcome.unwrap_err().downcast_ref::<u8>(), Some(&42));
    assert_eq!(witness.dropped(), 1);
    assert_nobody_left(&runtime);
    assert_eq!(runtime.run(|| thread::spawn(|| 3).join().unwrap()), 3);
}

/// A panic that is caught inside its thread stays there.
pub fn a_caught_panic_stays_inside<S: Subject>() {
    let value = run::<S, _>(|| {
        thread::spawn(|| {
            let caught = panic::catch_unwind(|| {
                thread::yield_now();
                panic!("caught");
            });
            assert!(caught.is_err());
            thread::yield_now();
            assert!(!thread::panicking());
            5
        })
        .join()
        .unwrap()
    });
    assert_eq!(value, 5);
}

/// `panicking` says yes to a destructor that runs because of a panic.
pub fn panicking_knows_its_own_panic<S: Subject>() {
    struct Asks(trefoil_sync::channel::Sender<bool>);
    impl Drop for Asks {
        fn drop(&mut self) {
            let _ = self.0.send(thread::panicking());
        }
    }
    let answers = run::<S, _>(|| {
        let (tell, told) = bounded(2);
        let asks = Asks(tell.clone());
        let panics = thread::spawn(move || {
            let _asks = asks;
            panic!("it is meant to");
        });
        assert!(panics.join().is_err());
        thread::spawn(move || drop(Asks(tell))).join().unwrap();
        told.iter().collect::<Vec<_>>()
    });
    assert_eq!(answers, [true, false]);
}

/// Waits in the middle of an unwinding, until it is let go.
struct WaitsInDrop {
    there: trefoil_sync::channel::Sender<()>,
    go: trefoil_sync::channel::Receiver<()>,
    _token: Token,
}

impl Drop for WaitsInDrop {
    fn drop(&mut self) {
        let _ = self.there.send(());
        let _ = self.go.recv();
    }
}

/// Runs `neighbour` while another thread of the same runtime waits in the middle of an
/// unwinding.
fn beside_a_suspended_panic<S: Subject>(neighbour: fn()) {
    let witness = Witness::new();
    let token = witness.token();
    run::<S, _>(move || {
        let (there, arrived) = bounded(1);
        let (go, gate) = bounded(1);
        let panics = thread::spawn(move || {
            let _waits = WaitsInDrop {
                there,
                go: gate,
                _token: token,
            };
            panic!("it is meant to");
        });
        arrived.recv().unwrap();
        neighbour();
        thread::spawn(neighbour).join().unwrap();
        go.send(()).unwrap();
        assert_eq!(
            text(&*panics.join().unwrap_err()).unwrap(),
            "it is meant to"
        );
        neighbour();
    });
    assert_eq!(witness.dropped(), 1);
}

/// A thread may wait in a destructor while it panics; its neighbours are not panicking.
pub fn a_neighbours_panic_is_not_mine<S: Subject>() {
    beside_a_suspended_panic::<S>(|| assert!(!thread::panicking()));
}

/// A lock is not poisoned because a neighbour of its holder waits in the middle of a panic.
pub fn a_neighbours_panic_poisons_no_lock<S: Subject>() {
    beside_a_suspended_panic::<S>(|| {
        let mutex = Arc::new(Mutex::new(0));
        *mutex.lock().unwrap() += 1;
        let shared = Arc::clone(&mutex);
        thread::spawn(move || *shared.lock().unwrap() += 1)
            .join()
            .unwrap();
        assert_eq!(*mutex.lock().expect("the lock is not poisoned"), 2);
    });
}

/// A thread may panic, and catch it, while a neighbour waits in the middle of a panic.
pub fn a_neighbours_panic_leaves_room_for_mine<S: Subject>() {
    beside_a_suspended_panic::<S>(|| {
        let payload = thread::spawn(|| panic_any(9_u8)).join().unwrap_err();
        assert_eq!(payload.downcast_ref::<u8>(), Some(&9));
        let caught = panic::catch_unwind(|| panic_any(8_u8)).unwrap_err();
        assert_eq!(caught.downcast_ref::<u8>(), Some(&8));
    });
}
