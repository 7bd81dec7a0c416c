use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Barrier};
use std::thread;

/// Threads that meet at a barrier after each phase; one of them is told that it is the leader.
pub(crate) fn program() -> (u32, u32) {
    const THREADS: u32 = 5;
    const PHASES: u32 = 4;
    let barrier = Arc::new(Barrier::new(THREADS as usize));
    let done = Arc::new(AtomicU32::new(0));
    let threads: Vec<_> = (0..THREADS)
        .map(|_| {
            let (barrier, done) = (Arc::clone(&barrier), Arc::clone(&done));
            thread::spawn(move || {
                let mut led = 0;
                for phase in 1..=PHASES {
                    done.fetch_add(1, Ordering::SeqCst);
                    led += u32::from(barrier.wait().is_leader());
                    assert_eq!(done.load(Ordering::SeqCst), phase * THREADS);
                    barrier.wait();
                }
                led
            })
        })
        .collect();
    let led = threads
        .into_iter()
        .map(|thread| thread.join().unwrap())
        .sum();
    (done.load(Ordering::SeqCst), led)
}
