//! Scoped threads: they may borrow, because the scope waits for them, whatever happens.

use std::mem;
use std::panic::{self, AssertUnwindSafe, panic_any};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use trefoil_runtime::{Reason, thread};
use trefoil_sync::channel::bounded;

use crate::Subject;
use crate::subject::run;
use crate::witness::{Witness, refusal, until, until_waiting};

/// Scoped threads borrow what is outside the scope, shared or for one of them alone.
pub fn children_borrow<S: Subject>() {
    run::<S, _>(|| {
        let text = String::from("shared");
        let mut numbers = [1, 2, 3, 4];
        let lengths: usize = thread::scope(|scope| {
            let children: Vec<_> = numbers
                .iter_mut()
                .map(|number| {
                    scope.spawn(|| {
                        *number *= 10;
                        thread::yield_now();
                        text.len()
                    })
                })
                .collect();
            children
                .into_iter()
                .map(|child| child.join().unwrap())
                .sum()
        });
        assert_eq!(lengths, 4 * text.len());
        assert_eq!(numbers, [10, 20, 30, 40]);
    });
}

/// A scope returns what its body returned.
pub fn a_scope_returns_its_value<S: Subject>() {
    let value = run::<S, _>(|| thread::scope(|_| String::from("value")));
    assert_eq!(value, "value");
}

/// A scope waits for children whose handles nobody has kept.
pub fn a_scope_waits_for_detached_children<S: Subject>() {
    run::<S, _>(|| {
        let ended = AtomicUsize::new(0);
        thread::scope(|scope| {
            for _ in 0..50 {
                scope.spawn(|| {
                    thread::yield_now();
                    ended.fetch_add(1, Ordering::Relaxed);
                });
            }
        });
        assert_eq!(ended.load(Ordering::Relaxed), 50);
    });
}

/// A forgotten handle makes no difference.
pub fn a_scope_waits_for_forgotten_children<S: Subject>() {
    run::<S, _>(|| {
        let ended = AtomicBool::new(false);
        thread::scope(|scope| {
            mem::forget(scope.spawn(|| {
                thread::yield_now();
                ended.store(true, Ordering::Relaxed);
            }));
        });
        assert!(ended.load(Ordering::Relaxed));
    });
}

/// Scopes may be nested, in the body and in the children; children spawn their siblings.
pub fn scopes_nest<S: Subject>() {
    run::<S, _>(|| {
        let count = AtomicUsize::new(0);
        thread::scope(|outer| {
            for _ in 0..4 {
                outer.spawn(|| {
                    thread::scope(|inner| {
                        for _ in 0..4 {
                            inner.spawn(|| count.fetch_add(1, Ordering::Relaxed));
                        }
                    });
                    outer.spawn(|| count.fetch_add(100, Ordering::Relaxed));
                });
            }
            thread::scope(|inner| {
                inner.spawn(|| count.fetch_add(10_000, Ordering::Relaxed));
            });
        });
        assert_eq!(count.load(Ordering::Relaxed), 10_416);
    });
}

/// When the body panics, its children end first, then the panic goes on.
pub fn a_panic_of_the_body_waits_for_the_children<S: Subject>() {
    run::<S, _>(|| {
        let (go, gate) = bounded::<()>(0);
        let begun = AtomicBool::new(false);
        let ended = AtomicBool::new(false);
        let outcome = panic::catch_unwind(AssertUnwindSafe(|| {
            thread::scope(|scope| {
                scope.spawn(|| {
                    begun.store(true, Ordering::Release);
                    // The gate opens when the body is unwound.
                    let _ = gate.recv();
                    thread::yield_now();
                    ended.store(true, Ordering::Relaxed);
                });
                until(|| begun.load(Ordering::Acquire));
                let _go = go;
                panic_any(77_u8);
            })
        }));
        assert!(ended.load(Ordering::Relaxed));
        assert_eq!(outcome.unwrap_err().downcast_ref::<u8>(), Some(&77));
    });
}

/// A panic of a child that nobody joined becomes one of the scope, which says so.
pub fn a_panic_of_an_unjoined_child_is_the_scopes<S: Subject>() {
    run::<S, _>(|| {
        let ended = AtomicBool::new(false);
        let refused = refusal(|| {
            thread::scope(|scope| {
                scope.spawn(|| panic!("it is meant to"));
                scope.spawn(|| {
                    thread::yield_now();
                    ended.store(true, Ordering::Relaxed);
                });
            });
        });
        assert_eq!(refused, "a scoped thread panicked");
        assert!(ended.load(Ordering::Relaxed));
    });
}

/// A panic of a child that was joined is the joiner's business, not the scope's.
pub fn a_panic_of_a_joined_child_is_the_joiners<S: Subject>() {
    let value = run::<S, _>(|| {
        thread::scope(|scope| {
            let child = scope.spawn(|| panic_any(5_u8));
            let payload = child.join().unwrap_err();
            *payload.downcast_ref::<u8>().unwrap()
        })
    });
    assert_eq!(value, 5);
}

/// A scoped thread has ended, with all that it captured, when the scope has.
pub fn a_scope_outlives_what_its_children_own<S: Subject>() {
    run::<S, _>(|| {
        let witness = Witness::new();
        thread::scope(|scope| {
            for _ in 0..20 {
                let token = witness.token();
                scope.spawn(move || {
                    thread::yield_now();
                    drop(token);
                });
                let token = witness.token();
                // A result that nobody fetches.
                scope.spawn(move || token);
            }
        });
        assert_eq!(witness.dropped(), 40);
    });
}

/// The scope's wait is seen as such.
pub fn the_parent_waits_for_its_scope<S: Subject>() {
    run::<S, _>(|| {
        let (go, gate) = bounded::<()>(1);
        let parent = thread::spawn(move || {
            thread::scope(|scope| {
                scope.spawn(|| gate.recv().unwrap());
            })
        });
        until_waiting(parent.thread(), Reason::Scope);
        assert!(!parent.is_finished());
        go.send(()).unwrap();
        parent.join().unwrap();
    });
}

/// Many scopes one after the other, each with children that end at about the same time.
pub fn no_end_of_a_child_is_lost<S: Subject>() {
    run::<S, _>(|| {
        let total = Arc::new(AtomicUsize::new(0));
        for _ in 0..300 {
            thread::scope(|scope| {
                for _ in 0..3 {
                    scope.spawn(|| total.fetch_add(1, Ordering::Relaxed));
                }
            });
        }
        assert_eq!(total.load(Ordering::Relaxed), 900);
    });
}
