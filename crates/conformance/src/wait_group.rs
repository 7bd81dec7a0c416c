//! `sync::WaitGroup`: waiting until everybody has ended his part.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use trefoil_runtime::cancel::Cancelled;
use trefoil_runtime::{Reason, thread};
use trefoil_sync::WaitGroup;

use crate::Subject;
use crate::seed;
use crate::subject::run;
use crate::witness::{join_all, until_waiting};

/// Who waits has waited for all of a thousand members.
pub fn a_thousand_members_are_waited_for<S: Subject>() {
    const MEMBERS: usize = 1000;
    run::<S, _>(|| {
        let (group, done) = (WaitGroup::new(), Arc::new(AtomicUsize::new(0)));
        let members: Vec<_> = (0..MEMBERS)
            .map(|_| {
                let (member, done) = (group.clone(), Arc::clone(&done));
                thread::spawn(move || {
                    done.fetch_add(1, Ordering::SeqCst);
                    drop(member);
                })
            })
            .collect();
        group.wait();
        assert_eq!(done.load(Ordering::SeqCst), MEMBERS);
        join_all(members);
    });
}

/// Several may wait; the last one's end lets all go.
pub fn several_wait_for_the_last<S: Subject>() {
    run::<S, _>(|| {
        let group = WaitGroup::new();
        let waiters = [(); 3].map(|()| {
            let group = group.clone();
            let waiter = thread::spawn(move || group.wait());
            until_waiting(waiter.thread(), Reason::Barrier);
            waiter
        });
        assert!(waiters.iter().all(|waiter| !waiter.is_finished()));
        drop(group);
        join_all(waiters);
    });
}

/// A group of one waits for nobody, and a member that panics has ended its part.
pub fn a_panic_ends_a_part<S: Subject>() {
    run::<S, _>(|| {
        WaitGroup::new().wait();
        let group = WaitGroup::new();
        let member = group.clone();
        let panics = thread::spawn(move || {
            let _member = member;
            panic!("it is meant to");
        });
        group.wait();
        assert!(panics.join().is_err());
    });
}

/// A wait gives up by itself, and not before its time; who gave up is a member again.
pub fn a_wait_times_out<S: Subject>() {
    run::<S, _>(|| {
        let group = WaitGroup::new();
        let member = group.clone();
        let (begin, time) = (Instant::now(), Duration::from_millis(20));
        let group = group.wait_timeout(time).unwrap_err();
        assert!(begin.elapsed() >= time);
        let waiter = thread::spawn(move || member.wait());
        until_waiting(waiter.thread(), Reason::Barrier);
        drop(group);
        waiter.join().unwrap();
    });
}

/// Timeouts that race with the last member's end lose nothing: all come through.
pub fn no_timeout_loses_the_end<S: Subject>() {
    let seed = seed::draw();
    let mut random = seed.random();
    run::<S, _>(move || {
        for _ in 0..50 {
            let group = WaitGroup::new();
            let waiters = [(); 4].map(|()| {
                let (mut group, mut times) = (group.clone(), random.branch());
                thread::spawn(move || {
                    while let Err(again) =
                        group.wait_timeout(Duration::from_micros(times.below(100)))
                    {
                        group = again;
                        thread::yield_now();
                    }
                })
            });
            thread::sleep(Duration::from_micros(random.below(200)));
            // The others are members again and again: it is their turn at the same time.
            drop(group);
            join_all(waiters);
        }
    });
}

/// A thread that waits is ended with its run, and is then no member any more.
pub fn a_waiting_thread_is_ended<S: Subject>() {
    let (group, waiter) = run::<S, _>(|| {
        let group = WaitGroup::new();
        let member = group.clone();
        let waiter = thread::spawn(move || member.wait());
        until_waiting(waiter.thread(), Reason::Barrier);
        (group, waiter)
    });
    assert!(waiter.join().unwrap_err().is::<Cancelled>());
    group.wait();
}
