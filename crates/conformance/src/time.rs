//! Sleeping and yielding. Only lower bounds are promised: nobody knows how late it gets.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use trefoil_runtime::{Model, Reason, thread};
use trefoil_sync::Mutex;
use trefoil_sync::channel::{bounded, unbounded};

use crate::Subject;
use crate::subject::run;
use crate::witness::{join_all, until, until_waiting};

/// `sleep` does not return before its time.
pub fn sleep_lasts_long_enough<S: Subject>() {
    run::<S, _>(|| {
        for millis in [1, 3, 20] {
            let duration = Duration::from_millis(millis);
            let begin = Instant::now();
            thread::sleep(duration);
            assert!(begin.elapsed() >= duration);
        }
    });
}

/// `sleep(0)` returns, and so does a sleep until a time that has passed.
pub fn sleep_of_nothing_returns<S: Subject>() {
    run::<S, _>(|| {
        thread::sleep(Duration::ZERO);
        thread::sleep(Duration::from_nanos(1));
        thread::sleep_until(Instant::now());
    });
}

/// An unpark does not end a sleep.
pub fn an_unpark_does_not_end_a_sleep<S: Subject>() {
    run::<S, _>(|| {
        let duration = Duration::from_millis(30);
        let sleeper = thread::spawn(move || {
            let begin = Instant::now();
            thread::sleep(duration);
            begin.elapsed()
        });
        until_waiting(sleeper.thread(), Reason::Sleep);
        sleeper.thread().unpark();
        assert!(sleeper.join().unwrap() >= duration);
    });
}

/// Who sleeps shorter wakes first, even if it began later: here, while the other has
/// another hour to go.
pub fn a_short_sleep_overtakes_a_long_one<S: Subject>() {
    run::<S, _>(|| {
        let long = thread::spawn(|| thread::sleep(Duration::from_secs(3600)));
        until_waiting(long.thread(), Reason::Sleep);
        thread::spawn(|| thread::sleep(Duration::from_millis(1)))
            .join()
            .unwrap();
        assert!(!long.is_finished());
    });
}

/// A thousand timers at the same time, of all lengths: each comes, and none before its
/// time.
pub fn every_timer_comes_and_none_early<S: Subject>() {
    const SLEEPERS: u64 = 1000;
    let woken = run::<S, _>(|| {
        let (tell, told) = unbounded();
        for n in 0..SLEEPERS {
            let tell = tell.clone();
            // Every length between 0 and 50 ms, in no order.
            let duration = Duration::from_micros(n * 7919 % SLEEPERS * 50);
            drop(thread::spawn(move || {
                let begin = Instant::now();
                thread::sleep(duration);
                tell.send(begin.elapsed() >= duration).unwrap();
            }));
        }
        drop(tell);
        told.iter().filter(|in_time| *in_time).count()
    });
    assert_eq!(woken as u64, SLEEPERS);
}

/// A timeout whose wait ended early is gone: when its time comes, nobody is disturbed.
pub fn a_timeout_that_did_not_come_is_gone<S: Subject>() {
    const WAITS: usize = 200;
    run::<S, _>(|| {
        let (send, receive) = bounded(0);
        let waiter = thread::spawn(move || {
            let got = |_: &usize| receive.recv_timeout(Duration::from_millis(5)).is_ok();
            (0..WAITS).filter(got).count()
        });
        let mut sent = 0;
        while !waiter.is_finished() {
            sent += usize::from(send.send_timeout(sent, Duration::from_millis(1)).is_ok());
        }
        assert_eq!(waiter.join().unwrap(), sent);
        // Long enough for every one of those times to pass.
        thread::sleep(Duration::from_millis(10));
        thread::current().unpark();
        thread::park();
    });
}

/// A thread that yields lets the others run: it waits for them in a loop, and they come.
pub fn yielding_lets_others_run<S: Subject>() {
    run::<S, _>(|| {
        let flag = Arc::new(AtomicBool::new(false));
        let set = Arc::clone(&flag);
        let thread = thread::spawn(move || {
            thread::yield_now();
            set.store(true, Ordering::Release);
        });
        until(|| flag.load(Ordering::Acquire));
        thread.join().unwrap();
    });
}

/// Threads that only ever yield do not keep timers and messages from coming.
pub fn yielding_threads_do_not_starve_timers<S: Subject>() {
    run::<S, _>(|| {
        let stop = Arc::new(AtomicBool::new(false));
        let yields = Arc::new(AtomicUsize::new(0));
        let threads = [(); 4].map(|()| {
            let (stop, yields) = (Arc::clone(&stop), Arc::clone(&yields));
            thread::spawn(move || {
                while !stop.load(Ordering::Acquire) {
                    yields.fetch_add(1, Ordering::Relaxed);
                    thread::yield_now();
                }
            })
        });
        for _ in 0..5 {
            thread::sleep(Duration::from_millis(1));
        }
        until(|| yields.load(Ordering::Relaxed) > 0);
        stop.store(true, Ordering::Release);
        join_all(threads);
    });
}

/// On one OS thread, two threads that yield alternate strictly; in the other models both
/// get on.
pub fn yielding_threads_take_turns<S: Subject>() {
    const TURNS: usize = 100;
    let turns = run::<S, _>(|| {
        let turns = Arc::new(Mutex::new(Vec::new()));
        let threads = [0, 1].map(|me| {
            let turns = Arc::clone(&turns);
            thread::spawn(move || {
                for _ in 0..TURNS {
                    turns.lock().unwrap().push(me);
                    thread::yield_now();
                }
            })
        });
        join_all(threads);
        Arc::into_inner(turns).unwrap().into_inner().unwrap()
    });
    assert_eq!(turns.len(), 2 * TURNS);
    if S::MODEL == Model::Green {
        let alternate = turns.windows(2).all(|pair| pair[0] != pair[1]);
        assert!(alternate, "{turns:?}");
    }
}
