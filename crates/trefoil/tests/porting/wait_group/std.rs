use crossbeam_utils::sync::WaitGroup;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;

/// The main thread waits until all helpers have dropped their part of the group.
pub(crate) fn program() -> u32 {
    let group = WaitGroup::new();
    let sum = Arc::new(AtomicU32::new(0));
    for number in 1..=10 {
        let (group, sum) = (group.clone(), Arc::clone(&sum));
        thread::spawn(move || {
            sum.fetch_add(number, Ordering::Relaxed);
            drop(group);
        });
    }
    group.wait();
    sum.load(Ordering::Relaxed)
}
