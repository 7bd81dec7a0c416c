//! A signal ends a sleep early, and that is no error. A binary of its own, since signals are the
//! process's business.

use std::ptr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use trefoil_reactor::Reactor;

extern "C" fn ignore(_signal: libc::c_int) {}

/// A handler that does nothing, and no `SA_RESTART`.
fn install() {
    // SAFETY: all zeroes is a valid `sigaction`: no flags, an empty mask.
    let mut action: libc::sigaction = unsafe { std::mem::zeroed() };
    action.sa_sigaction = ignore as extern "C" fn(libc::c_int) as usize;
    // SAFETY: `action` is live and holds a handler of the plain kind, which its flags announce;
    // the old action is not asked for.
    let set = unsafe { libc::sigaction(libc::SIGUSR1, &action, ptr::null_mut()) };
    assert_eq!(set, 0);
}

#[test]
fn a_signal_ends_a_poll_with_nothing() {
    install();
    // The second sleeps its hour in `epoll_wait`, and counts the rest.
    for timeout in [
        None,
        Some(Duration::new(3600, 500_000)),
        Some(Duration::from_secs(3600)),
    ] {
        let returned = AtomicBool::new(false);
        // SAFETY: it has no preconditions.
        let sleeper = unsafe { libc::pthread_self() };
        thread::scope(|scope| {
            scope.spawn(|| {
                // Until it returns: one signal might come before it sleeps.
                while !returned.load(Ordering::Acquire) {
                    // SAFETY: the sleeper is this scope's owner and outlives it.
                    unsafe { libc::pthread_kill(sleeper, libc::SIGUSR1) };
                    thread::yield_now();
                }
            });
            let mut ready = Vec::new();
            let polled = Reactor::<()>::new().unwrap().poll(timeout, &mut ready);
            // Release: pairs with the load above, though only the value matters.
            returned.store(true, Ordering::Release);
            assert!(polled.is_ok(), "{polled:?}");
            assert!(ready.is_empty());
        });
    }
}
