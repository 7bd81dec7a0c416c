//! `thread::join(a, b)`: both have ended when it returns, whatever happens.

use std::panic::{self, AssertUnwindSafe};
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, mpsc};

use trefoil_runtime::{Reason, thread};
use trefoil_sync::Mutex;
use trefoil_sync::channel::bounded;

use crate::Subject;
use crate::subject::run;
use crate::witness::{Spawns, Witness, refusal, until, until_waiting};

/// Both values come back, and both closures borrow.
pub fn both_borrow_and_return<S: Subject>() {
    run::<S, _>(|| {
        let mut numbers = [1, 2, 3, 4];
        let (low, high) = numbers.split_at_mut(2);
        let (first, second) = thread::join(
            || {
                low[0] = 10;
                low.iter().sum::<i32>()
            },
            || {
                high[1] = 40;
                high.iter().map(ToString::to_string).collect::<String>()
            },
        );
        assert_eq!((first, second.as_str()), (12, "340"));
        assert_eq!(numbers, [10, 2, 3, 40]);
    });
}

/// Joins nest.
pub fn joins_nest<S: Subject>() {
    fn leaves(depth: u32) -> u32 {
        if depth == 0 {
            return 1;
        }
        let (one, other) = thread::join(|| leaves(depth - 1), || leaves(depth - 1));
        one + other
    }
    assert_eq!(run::<S, _>(|| leaves(7)), 128);
}

/// Each may wait for what the other does.
pub fn each_may_wait_for_the_other<S: Subject>() {
    run::<S, _>(|| {
        let ((ping, pings), (pong, pongs)) = (bounded(0), bounded(0));
        let (sum, ()) = thread::join(
            move || {
                (1..=20).fold(0, |sum, n| {
                    ping.send(n).unwrap();
                    sum + pongs.recv().unwrap()
                })
            },
            move || pings.iter().for_each(|n: u32| pong.send(n * 2).unwrap()),
        );
        assert_eq!(sum, 420);
    });
}

/// A panic of either comes out when the other has ended; of two, the first one's.
pub fn a_panic_waits_for_the_other<S: Subject>() {
    run::<S, _>(|| {
        let witness = Witness::new();
        let slowly = || {
            let _token = witness.token();
            (0..20).for_each(|_| thread::yield_now());
        };
        let said = refusal(|| thread::join(|| panic!("the first of them panics"), slowly));
        assert_eq!(
            (said.as_str(), witness.dropped()),
            ("the first of them panics", 1)
        );
        let said = refusal(|| thread::join(slowly, || panic!("the second of them panics")));
        assert_eq!(
            (said.as_str(), witness.dropped()),
            ("the second of them panics", 2)
        );
        let said = refusal(|| {
            thread::join(
                || panic!("the first of them panics"),
                || {
                    slowly();
                    panic!("the second of them panics")
                },
            )
        });
        assert_eq!(
            (said.as_str(), witness.dropped()),
            ("the first of them panics", 3)
        );
    });
}

/// Who is asked to end while it waits for the other waits on: the other borrows from it.
pub fn a_cancelled_caller_waits_for_the_other<S: Subject>() {
    let witness = Witness::new();
    // Its thread is ended by the first request, and the one that it leaves by a later one only.
    let spawns = Spawns::new(witness.token());
    let (go, gate) = mpsc::channel::<()>();
    let opener = std::thread::spawn(move || {
        // By then all have been asked once.
        until(|| witness.dropped() == 1);
        go.send(()).unwrap();
    });
    let caller = run::<S, _>(move || {
        let begun = Arc::new(AtomicBool::new(false));
        let begins = Arc::clone(&begun);
        let caller = thread::spawn(move || {
            let borrowed = AtomicU32::new(0);
            let ended = AtomicBool::new(false);
            thread::join(|| (), {
                let (borrowed, ended) = (&borrowed, &ended);
                move || {
                    begins.store(true, Ordering::Relaxed);
                    thread::blocking(move || gate.recv().unwrap());
                    borrowed.store(7, Ordering::Relaxed);
                    ended.store(true, Ordering::Release);
                }
            });
            assert!(ended.load(Ordering::Acquire));
            borrowed.load(Ordering::Relaxed)
        });
        // Were the other one asked to end before it began, it would not run at all.
        until(|| begun.load(Ordering::Relaxed));
        until_waiting(caller.thread(), Reason::Join);
        let parked = thread::spawn(move || {
            let _spawns = spawns;
            thread::park();
        });
        until_waiting(parked.thread(), Reason::Park);
        caller
    });
    opener.join().unwrap();
    assert_eq!(caller.join().unwrap(), 7);
}

/// A plain `std::thread` runs both itself, one after the other; so does what cannot leave its stack.
pub fn it_works_where_no_thread_can_be_had<S: Subject>() {
    fn both_run_here() {
        let me = thread::current().id();
        let ids = || (thread::current().id(), thread::current().id());
        assert_eq!(thread::join(|| ids().0, || ids().1), (me, me));
        let witness = Witness::new();
        let said = refusal(|| {
            thread::join(
                || panic!("the first of them panics"),
                || drop(witness.token()),
            )
        });
        assert_eq!(
            (said.as_str(), witness.dropped()),
            ("the first of them panics", 1)
        );
    }
    run::<S, _>(|| {
        let plain = std::thread::spawn(both_run_here);
        thread::blocking(|| plain.join().unwrap());
        thread::no_suspend(both_run_here);
    });
    both_run_here();
}

/// Where `b` runs here after `a`, it is not mistaken for `a`: the cancellation of `a` poisons no lock that
/// the caller holds, whatever `b` locks; and the panic of `a` does, whatever `b` catches.
pub fn what_ended_the_first_decides_about_poison<S: Subject>() {
    fn ended<A: FnOnce() + Send, B: FnOnce() + Send>(a: A, b: B) -> bool {
        let held = Mutex::new(());
        std::thread::scope(|scope| {
            let plain = scope.spawn(|| {
                let _held = held.lock().unwrap();
                thread::join(a, b);
            });
            assert!(plain.join().is_err());
        });
        held.is_poisoned()
    }
    fn be_cancelled() {
        thread::current().cancel();
        thread::park();
    }
    run::<S, _>(|| {
        thread::blocking(|| {
            let other = Mutex::new(());
            assert!(!ended(be_cancelled, || drop(other.lock().unwrap())));
            let catches = || assert!(panic::catch_unwind(be_cancelled).is_err());
            assert!(ended(|| panic!("it is meant to"), catches));
        });
    });
}

/// What `b` leaves in its thread's destructors is over as well: nothing borrowed is used later.
pub fn nothing_borrowed_is_used_later<S: Subject>() {
    run::<S, _>(|| {
        for round in 0..100 {
            let witness = Witness::new();
            let (token, other) = (witness.token(), witness.token());
            let result = panic::catch_unwind(AssertUnwindSafe(|| {
                thread::join(
                    move || drop(token),
                    move || {
                        let _other = other;
                        assert!(round % 2 == 0, "it is meant to");
                    },
                )
            }));
            assert_eq!(result.is_ok(), round % 2 == 0);
            assert_eq!(witness.dropped(), 2);
        }
    });
}
