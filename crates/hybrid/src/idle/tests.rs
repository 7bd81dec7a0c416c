//! The protocol, step by step.
#![forbid(unsafe_code)]

use super::*;
use core::cell::RefCell;

/// Notes who has an alarm.
#[derive(Default)]
struct Clock(RefCell<Vec<usize>>);

impl Alarms for Clock {
    fn set(&self, worker: usize) -> bool {
        self.0.borrow_mut().push(worker);
        true
    }

    fn clear(&self, worker: usize) {
        self.0.borrow_mut().retain(|&other| other != worker);
    }
}

struct NoAlarms;

impl Alarms for NoAlarms {
    fn set(&self, _: usize) -> bool {
        false
    }

    fn clear(&self, _: usize) {
        unreachable!("none is ever set");
    }
}

#[test]
fn a_lone_thread_wakes_nobody_while_somebody_watches() {
    let (idle, clock) = (Idle::new(2), Clock::default());
    assert_eq!(idle.work_added(1, &clock), None, "nobody sleeps");
    let one = idle.announce(1, &clock);
    assert!(one.watches, "worker 0 is awake");
    assert_eq!(idle.work_added(1, &clock), None);
    assert_eq!(idle.work_added(2, &clock), Some(1));
    let _ = idle.awake(one, &clock);
    assert_eq!(idle.work_added(2, &clock), None);
    assert!(clock.0.take().is_empty(), "no alarm was wanted");
}

#[test]
fn where_nobody_watches_a_lone_thread_sets_an_alarm() {
    let (idle, clock) = (Idle::new(2), Clock::default());
    let one = idle.announce(1, &clock);
    let zero = idle.announce(0, &clock);
    assert!(one.watches && !zero.watches);
    let _ = idle.awake(one, &clock);
    let one = idle.announce(1, &clock);
    assert!(!one.watches, "all sleep");
    let _ = idle.awake(zero, &clock);
    assert_eq!(idle.work_added(1, &clock), None);
    assert_eq!(*clock.0.borrow(), [1]);
    assert_eq!(idle.work_added(1, &clock), None, "it watches already");
    assert_eq!(*clock.0.borrow(), [1], "once");
    let zero = idle.announce(0, &clock);
    assert!(!zero.watches && clock.0.take().is_empty(), "all sleep");
    let _ = idle.awake(zero, &clock);
    let _ = idle.awake(one, &clock);
}

#[test]
fn without_an_alarm_the_sleeper_is_roused() {
    let idle = Idle::new(2);
    let (one, zero) = (idle.announce(1, &NoAlarms), idle.announce(0, &NoAlarms));
    let _ = idle.awake(one, &NoAlarms);
    let one = idle.announce(1, &NoAlarms);
    let _ = idle.awake(zero, &NoAlarms);
    assert_eq!(idle.work_added(1, &NoAlarms), Some(1));
    let _ = idle.awake(one, &NoAlarms);
}

#[test]
fn a_watcher_with_something_to_run_has_another_watch() {
    let (idle, clock) = (Idle::new(3), Clock::default());
    let two = idle.announce(2, &clock);
    let one = idle.announce(1, &clock);
    assert!(two.watches && !one.watches);
    assert!(idle.awake(two, &clock), "it watched");
    assert_eq!(idle.pass_on(|| 0, &clock), None);
    assert!(clock.0.borrow().is_empty(), "nothing waits");
    assert_eq!(idle.pass_on(|| 1, &clock), None);
    assert_eq!(*clock.0.borrow(), [1]);
    let _ = idle.awake(one, &clock);
    assert!(clock.0.take().is_empty(), "who is awake needs no alarm");
}

#[test]
fn who_was_picked_owes_a_look_and_who_woke_by_itself_does_not() {
    let (idle, clock) = (Idle::new(3), Clock::default());
    let two = idle.announce(2, &clock);
    let one = idle.announce(1, &clock);
    let zero = idle.announce(0, &clock);
    assert!(!idle.awake(zero, &clock), "by itself");
    assert_eq!(idle.work_injected(), Some(1));
    assert!(idle.awake(one, &clock), "picked");
    assert_eq!(idle.pass_on(|| 2, &clock), Some(2));
    assert!(idle.awake(two, &clock), "picked");
}

#[test]
fn the_last_of_those_that_are_left_does_not_watch() {
    let (idle, clock) = (Idle::new(2), Clock::default());
    let one = idle.announce(1, &clock);
    assert!(one.watches);
    let _ = idle.awake(one, &clock);
    idle.leave();
    assert!(!idle.announce(1, &clock).watches, "there is nobody else");
}

#[test]
fn one_searches_at_a_time_and_passes_it_on() {
    let (idle, clock) = (Idle::new(3), Clock::default());
    let announced = idle.announce(2, &clock);
    let search = idle.search().unwrap();
    assert!(idle.search().is_none());
    assert_eq!(idle.work_added(5, &clock), None, "left to the search");
    assert_eq!(idle.work_found(search, || 2, &clock), Some(2));
    let _ = idle.awake(announced, &clock);
    let search = idle.search().unwrap();
    assert_eq!(idle.work_found(search, || 2, &clock), None, "nobody sleeps");
}

#[test]
fn a_single_worker_has_nobody_to_wake() {
    let idle = Idle::new(1);
    let announced = idle.announce(0, &NoAlarms);
    assert!(!announced.watches);
    assert_eq!(idle.work_added(7, &NoAlarms), None);
    assert_eq!(idle.work_injected(), Some(0));
    let _ = idle.awake(announced, &NoAlarms);
}

#[test]
fn what_is_placed_rouses_its_worker_or_is_for_all() {
    let (idle, clock) = (Idle::new(3), Clock::default());
    let resting = Resting::new();
    assert_eq!(
        idle.work_placed(1, &resting, &clock),
        None,
        "it has yet to look"
    );
    let one = idle.announce(1, &clock);
    assert_eq!(idle.work_placed(1, &resting, &clock), Some(1));
    assert!(idle.awake(one, &clock), "it was picked");
    assert!(resting.end() && !resting.end());
    assert_eq!(idle.work_placed(1, &resting, &clock), None, "nobody sleeps");
    let two = idle.announce(2, &clock);
    let zero = idle.announce(0, &clock);
    let _ = idle.awake(two, &clock);
    assert_eq!(idle.work_placed(1, &resting, &clock), None);
    assert_eq!(*clock.0.borrow(), [0], "it is for all: one is to look");
    let _ = idle.awake(zero, &clock);
}
