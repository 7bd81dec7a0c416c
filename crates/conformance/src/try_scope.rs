//! `thread::try_scope`: the first failure cancels the others.

use std::panic::{self, AssertUnwindSafe, panic_any};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use trefoil_runtime::Reason;
use trefoil_runtime::cancel::Cancelled;
use trefoil_runtime::thread::{self, Builder, TryScope, try_scope};
use trefoil_runtime::time::{Elapsed, timeout};
use trefoil_sync::Mutex;
use trefoil_sync::channel::bounded;

use crate::Subject;
use crate::seed::draw;
use crate::subject::run;
use crate::witness::{Bomb, Witness, text, until, until_waiting};

/// Without a failure it is a scope: children borrow, and all values come.
pub fn values_come_from_all<S: Subject>() {
    run::<S, _>(|| {
        let numbers = [1, 2, 3];
        let sum = try_scope(|scope| {
            let threads = numbers
                .each_ref()
                .map(|number| scope.spawn(|| Ok(*number * 2)));
            Ok::<i32, ()>(threads.into_iter().map(|it| it.join().unwrap()).sum())
        });
        assert_eq!(sum, Ok(12));
    });
}

/// An error of one thread ends the waits of the others and of the body, whose things are
/// dropped; it alone is reported.
pub fn an_error_cancels_the_others<S: Subject>() {
    run::<S, _>(|| {
        let witness = Witness::new();
        let (go, gate) = bounded::<()>(0);
        let mutex = Mutex::new(());
        let result: Result<(), &str> = try_scope(|scope| {
            for _ in 0..5 {
                let token = witness.token();
                let waits = scope.spawn(move || {
                    let _token = token;
                    thread::park();
                    Err::<(), _>("nobody is unparked")
                });
                until_waiting(waits.thread(), Reason::Park);
            }
            scope.spawn(|| {
                let _ = gate.recv();
                Err::<(), _>("first")
            });
            let _guard = mutex.lock().unwrap();
            drop(go);
            thread::park();
            unreachable!("the body is ended");
        });
        assert_eq!(result, Err("first"));
        assert_eq!(witness.dropped(), 5);
        assert!(mutex.lock().is_ok());
        thread::sleep(Duration::from_micros(1));
    });
}

/// A panic of one thread does the same, and is the scope's.
pub fn a_panic_cancels_the_others<S: Subject>() {
    run::<S, _>(|| {
        let witness = Witness::new();
        let scoped = AssertUnwindSafe(|| {
            try_scope(|scope| {
                let token = witness.token();
                scope.spawn(move || {
                    let _token = token;
                    thread::park();
                    Ok(())
                });
                scope.spawn(|| -> Result<(), ()> { panic!("it is meant to") });
                thread::park();
                Ok::<(), ()>(())
            })
        });
        let payload = panic::catch_unwind(scoped).unwrap_err();
        assert_eq!(text(&*payload).as_deref(), Some("it is meant to"));
        assert_eq!(witness.dropped(), 1);
    });
}

/// The body's own error, and its panic, count too.
pub fn the_body_may_fail<S: Subject>() {
    run::<S, _>(|| {
        let spawn_waiting = |scope: &TryScope<'_, '_, &'static str>| {
            let waits = scope.spawn(|| {
                thread::park();
                Ok(())
            });
            until_waiting(waits.thread(), Reason::Park);
        };
        let result: Result<(), _> = try_scope(|scope| {
            spawn_waiting(scope);
            Err("the body's")
        });
        assert_eq!(result, Err("the body's"));
        let scoped = AssertUnwindSafe(|| {
            try_scope(|scope| -> Result<(), &'static str> {
                spawn_waiting(scope);
                panic!("it is meant to");
            })
        });
        assert!(panic::catch_unwind(scoped).is_err());
    });
}

/// A failure after the body has ended cancels those that are left.
pub fn a_failure_after_the_body_counts<S: Subject>() {
    run::<S, _>(|| {
        let result = try_scope(|scope| {
            let waits = scope.spawn(|| {
                thread::park();
                Ok(())
            });
            let thread = waits.thread().clone();
            scope.spawn(move || {
                until_waiting(&thread, Reason::Park);
                Err::<(), _>("late")
            });
            Ok(())
        });
        assert_eq!(result, Err("late"));
    });
}

/// A thread of the scope that was cancelled by somebody else is no failure; who joins it is told.
pub fn a_cancelled_thread_is_no_failure<S: Subject>() {
    run::<S, _>(|| {
        let result = try_scope(|scope| {
            let waits = scope.spawn(|| {
                thread::park();
                Ok(())
            });
            waits.cancel();
            assert!(waits.join().is_err());
            assert!(!scope.has_failed());
            Ok::<_, ()>(4)
        });
        assert_eq!(result, Ok(4));
    });
}

/// A thread that is spawned after the failure does not begin.
pub fn nobody_begins_after_the_failure<S: Subject>() {
    run::<S, _>(|| {
        let begun = AtomicUsize::new(0);
        let result: Result<(), _> = try_scope(|scope| {
            drop(scope.spawn(|| Err::<(), _>("first")));
            until(|| scope.has_failed());
            let late = scope.spawn(|| {
                begun.fetch_add(1, Ordering::Relaxed);
                Ok(())
            });
            until(|| late.is_finished());
            Err("second")
        });
        assert_eq!(result, Err("first"));
        assert_eq!(begun.load(Ordering::Relaxed), 0);
    });
}

/// A thread of the scope spawns others in it, and a builder names one.
pub fn a_thread_spawns_in_its_scope<S: Subject>() {
    run::<S, _>(|| {
        let result: Result<(), &str> = try_scope(|scope| {
            let inner = scope.clone();
            let outer = scope.spawn(move || {
                let named = Builder::new().name("deep".to_owned());
                inner.spawn_with(named, || Err::<(), _>("deep")).unwrap();
                thread::park();
                Ok(())
            });
            let _ = outer.join();
            Ok(())
        });
        assert_eq!(result, Err("deep"));
    });
}

/// If the caller is cancelled, or its time is over, so are the threads of its scope.
pub fn the_end_of_the_caller_cancels_all<S: Subject>() {
    run::<S, _>(|| {
        let witness = Witness::new();
        let wait = |token| {
            try_scope(|scope| {
                scope.spawn(|| {
                    let _token = token;
                    thread::park();
                    Ok::<(), ()>(())
                });
                thread::park();
                Ok(())
            })
        };
        let token = witness.token();
        assert_eq!(
            timeout(Duration::from_millis(2), || wait(token)),
            Err(Elapsed)
        );
        assert_eq!(witness.dropped(), 1);
        let token = witness.token();
        let caller = thread::spawn(move || wait(token));
        until_waiting(caller.thread(), Reason::Park);
        caller.cancel();
        assert!(caller.join().unwrap_err().is::<Cancelled>());
        assert_eq!(witness.dropped(), 2);
    });
}

/// Scopes nest: the failure of an inner one is not that of the outer.
pub fn scopes_nest<S: Subject>() {
    run::<S, _>(|| {
        let result = try_scope(|outer| {
            let child = outer.spawn(|| {
                let inner: Result<(), _> = try_scope(|inner| {
                    inner.spawn(|| Err::<(), _>("inner"));
                    thread::park();
                    Ok(())
                });
                assert_eq!(inner, Err("inner"));
                thread::sleep(Duration::from_micros(1));
                Ok::<_, ()>(3)
            });
            Ok(child.join().unwrap())
        });
        assert_eq!(result, Ok(3));
    });
}

/// A later failure is dropped; one that panics in its drop harms nobody.
pub fn a_later_failure_that_panics_in_drop_harms_nobody<S: Subject>() {
    run::<S, _>(|| {
        let (tell, begun) = bounded(2);
        let result: Result<(), Option<Bomb>> = try_scope(|scope| {
            for panics in [false, true] {
                let (own, tell) = (scope.clone(), tell.clone());
                scope.spawn(move || -> Result<(), Option<Bomb>> {
                    tell.send(()).unwrap();
                    until(|| own.has_failed());
                    match panics {
                        true => panic_any(Bomb),
                        false => Err(Some(Bomb)),
                    }
                });
            }
            begun.recv().unwrap();
            begun.recv().unwrap();
            Err(None)
        });
        assert!(result.unwrap_err().is_none());
    });
}

/// A thread that is spawned after the failure drops what it has; a panic in that drop harms nobody.
pub fn what_must_not_begin_may_panic_in_drop<S: Subject>() {
    run::<S, _>(|| {
        let result: Result<(), u32> = try_scope(|scope| {
            scope.spawn(|| Err::<(), _>(1));
            until(|| scope.has_failed());
            let bomb = Bomb;
            scope.spawn(move || {
                drop(bomb);
                Ok(())
            });
            Ok(())
        });
        assert_eq!(result, Err(1));
    });
}

/// Failures race: exactly one of them is reported, and nobody is left.
pub fn one_of_many_failures_is_reported<S: Subject>() {
    let seed = draw();
    let mut random = seed.random();
    run::<S, _>(move || {
        for _ in 0..50 {
            let witness = Witness::new();
            let made = Arc::new(AtomicUsize::new(0));
            let result: Result<(), usize> = try_scope(|scope| {
                for at in 0..8 {
                    let (token, made) = (witness.token(), Arc::clone(&made));
                    let (yields, fails) = (random.below(6), random.below(2) == 0 || at == 0);
                    scope.spawn(move || {
                        let _token = token;
                        (0..yields).for_each(|_| thread::yield_now());
                        made.fetch_add(1, Ordering::AcqRel);
                        if fails {
                            return Err(at);
                        }
                        thread::park();
                        Ok(())
                    });
                }
                Ok(())
            });
            assert!(matches!(result, Err(at) if at < 8));
            assert_eq!(witness.dropped(), 8);
            assert!(made.load(Ordering::Acquire) >= 1);
        }
    });
}
