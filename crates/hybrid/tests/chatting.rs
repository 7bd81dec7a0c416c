//! Threads on two workers that wake each other all the time: neither worker ever sleeps, and yet
//! their timers and descriptors are looked at.

mod support;

use std::hint::spin_loop;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use trefoil_runtime::thread::{self, Thread};

use support::ends;

/// Wakes `other` and parks, by turns, until `over`.
fn chat(other: &Thread, over: &AtomicBool) {
    while !over.load(Ordering::Acquire) {
        other.unpark();
        thread::park();
    }
    other.unpark();
}

/// Returns when a sleeper has woken, while this thread chats with one on another worker.
fn chat_until_a_sleeper_wakes() {
    let over = Arc::new(AtomicBool::new(false));
    let begun = Arc::new(AtomicBool::new(false));
    let me = thread::current();
    let partner = {
        let (over, begun) = (Arc::clone(&over), Arc::clone(&begun));
        thread::spawn(move || {
            begun.store(true, Ordering::Release);
            chat(&me, &over);
        })
    };
    // This worker does not come back to its loop: another one starts the partner.
    while !begun.load(Ordering::Acquire) {
        spin_loop();
    }
    let sleeper = {
        let over = Arc::clone(&over);
        thread::spawn(move || {
            thread::sleep(Duration::from_millis(5));
            over.store(true, Ordering::Release);
        })
    };
    chat(partner.thread(), &over);
    partner.join().unwrap();
    sleeper.join().unwrap();
}

#[test]
fn threads_that_chat_across_workers_do_not_starve_timers() {
    ends("the sleeper's worker never looks at its timers", || {
        let runtime = trefoil_hybrid::Builder::new().workers(2).build().unwrap();
        for _ in 0..20 {
            runtime.run(chat_until_a_sleeper_wakes);
        }
    });
}
