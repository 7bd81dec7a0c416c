//! The park token: one unpark is remembered, from whomever and whenever it comes.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::{Duration, Instant};

use trefoil_runtime::{Reason, thread};
use trefoil_sync::channel::bounded;

use crate::Subject;
use crate::subject::run;
use crate::witness::{join_all, until, waits_for};

/// An unpark that came before makes `park` return at once.
pub fn an_unpark_before_is_remembered<S: Subject>() {
    run::<S, _>(|| {
        thread::current().unpark();
        thread::park();
        thread::current().unpark();
        thread::yield_now();
        thread::park();
    });
}

/// Two unparks are one: the second `park` waits.
pub fn only_one_unpark_is_remembered<S: Subject>() {
    run::<S, _>(|| {
        let passed = Arc::new(AtomicU32::new(0));
        let count = Arc::clone(&passed);
        let thread = thread::spawn(move || {
            thread::current().unpark();
            thread::current().unpark();
            thread::park();
            count.store(1, Ordering::SeqCst);
            thread::park();
            count.store(2, Ordering::SeqCst);
        });
        let id = thread.thread().id();
        // Waits in the second park; the first did not.
        until(|| {
            assert_ne!(
                passed.load(Ordering::SeqCst),
                2,
                "two unparks were remembered"
            );
            passed.load(Ordering::SeqCst) == 1 && waits_for(id, Reason::Park)
        });
        assert_eq!(passed.load(Ordering::SeqCst), 1);
        thread.thread().unpark();
        thread.join().unwrap();
        assert_eq!(passed.load(Ordering::SeqCst), 2);
    });
}

/// A parked thread is unparked by another one.
pub fn another_thread_unparks<S: Subject>() {
    run::<S, _>(|| {
        let flag = Arc::new(AtomicBool::new(false));
        let seen = Arc::clone(&flag);
        let thread = thread::spawn(move || {
            while !seen.load(Ordering::Acquire) {
                thread::park();
            }
        });
        until(|| waits_for(thread.thread().id(), Reason::Park));
        flag.store(true, Ordering::Release);
        thread.thread().unpark();
        thread.join().unwrap();
    });
}

/// A parked thread is unparked by a plain OS thread.
pub fn a_plain_os_thread_unparks<S: Subject>() {
    run::<S, _>(|| {
        let me = thread::current();
        let other = std::thread::spawn(move || {
            until(|| waits_for(me.id(), Reason::Park));
            me.unpark();
        });
        thread::park();
        thread::blocking(|| other.join().unwrap());
    });
}

/// Two threads hand a turn to and fro by park and unpark; no wake-up is lost.
pub fn no_unpark_is_lost<S: Subject>() {
    const TURNS: u32 = 2000;
    fn player(turn: &AtomicU32, mine: u32, other: &thread::Thread) {
        for _ in 0..TURNS {
            while turn.load(Ordering::Acquire) % 2 != mine {
                thread::park();
            }
            turn.fetch_add(1, Ordering::AcqRel);
            other.unpark();
        }
    }
    let turns = run::<S, _>(|| {
        let turn = Arc::new(AtomicU32::new(0));
        let (shared, me) = (Arc::clone(&turn), thread::current());
        let other = thread::spawn(move || player(&shared, 1, &me));
        player(&turn, 0, other.thread());
        other.join().unwrap();
        turn.load(Ordering::Relaxed)
    });
    assert_eq!(turns, 2 * TURNS);
}

/// What was written before an unpark is seen after the park.
pub fn an_unpark_shows_what_was_written<S: Subject>() {
    run::<S, _>(|| {
        for round in 1..200 {
            let cell = Arc::new(AtomicU32::new(0));
            let (written, me) = (Arc::clone(&cell), thread::current());
            let thread = thread::spawn(move || {
                written.store(round, Ordering::Relaxed);
                me.unpark();
            });
            thread::park();
            assert_eq!(cell.load(Ordering::Relaxed), round);
            thread.join().unwrap();
        }
    });
}

/// A thread that has not begun remembers an unpark.
pub fn an_unpark_before_the_start_is_remembered<S: Subject>() {
    run::<S, _>(|| {
        let threads = [(); 20].map(|()| {
            let thread = thread::spawn(thread::park);
            thread.thread().unpark();
            thread
        });
        join_all(threads);
    });
}

/// Unparking a thread that has ended does nothing.
pub fn an_unpark_after_the_end_does_nothing<S: Subject>() {
    run::<S, _>(|| {
        let thread = thread::spawn(|| ());
        let ended = thread.thread().clone();
        thread.join().unwrap();
        ended.unpark();
        ended.unpark();
        let again = thread::spawn(thread::park);
        ended.unpark();
        again.thread().unpark();
        again.join().unwrap();
    });
}

/// A handle that outlives its runtime can still be unparked.
pub fn an_unpark_after_the_run_does_nothing<S: Subject>() {
    let (main, other) = run::<S, _>(|| {
        let other = thread::spawn(thread::park).thread().clone();
        (thread::current(), other)
    });
    main.unpark();
    other.unpark();
}

/// `park_timeout` returns without an unpark, and not before its time.
pub fn park_timeout_returns_by_itself<S: Subject>() {
    run::<S, _>(|| {
        let duration = Duration::from_millis(20);
        let begin = Instant::now();
        thread::park_timeout(duration);
        assert!(begin.elapsed() >= duration);
        thread::park_timeout(Duration::ZERO);
    });
}

/// `park_timeout` returns by an unpark, even if its time is never.
pub fn park_timeout_returns_by_an_unpark<S: Subject>() {
    run::<S, _>(|| {
        let thread = thread::spawn(|| {
            thread::park_timeout(Duration::MAX);
            thread::park_timeout(Duration::from_secs(3600));
        });
        thread.thread().unpark();
        until(|| {
            thread.thread().unpark();
            thread.is_finished()
        });
        thread.join().unwrap();
    });
}

/// A wait for something else does not use up the token, nor end by it.
pub fn other_waits_leave_the_token_alone<S: Subject>() {
    run::<S, _>(|| {
        let (send, receive) = bounded::<u32>(0);
        let (tell, told) = bounded::<u32>(1);
        let thread = thread::spawn(move || {
            tell.send(receive.recv().unwrap()).unwrap();
            thread::park();
        });
        until(|| waits_for(thread.thread().id(), Reason::Receive));
        thread.thread().unpark();
        assert!(told.try_recv().is_err());
        send.send(4).unwrap();
        assert_eq!(told.recv(), Ok(4));
        // The token from before the message is still there.
        thread.join().unwrap();
    });
}
