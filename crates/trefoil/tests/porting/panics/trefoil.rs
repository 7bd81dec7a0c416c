use std::panic;
use trefoil::sync::{Arc, Mutex, PoisonError, TryLockError};
use trefoil::thread;

/// A panic ends one thread, arrives at its join, and poisons what the thread had locked.
pub(crate) fn program() -> Vec<String> {
    let shared = Arc::new(Mutex::new(1));
    let held = Arc::clone(&shared);
    let thread = thread::spawn(move || {
        let mut number = held.lock().unwrap();
        *number = 2;
        // No panic hook, so that the test's output stays clean.
        panic::resume_unwind(Box::new("a reason"));
    });
    let payload = thread.join().unwrap_err();
    let reason = payload.downcast_ref::<&str>().unwrap().to_string();
    let poisoned = shared.is_poisoned();
    let number = shared.lock().unwrap_or_else(PoisonError::into_inner);
    let busy = matches!(shared.try_lock(), Err(TryLockError::WouldBlock));
    vec![
        reason,
        poisoned.to_string(),
        number.to_string(),
        busy.to_string(),
    ]
}
