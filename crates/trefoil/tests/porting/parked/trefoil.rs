use std::time::{Duration, Instant};
use trefoil::sync::Arc;
use trefoil::sync::atomic::{AtomicBool, Ordering};
use trefoil::thread;

/// A thread that parks until a flag is set, and one that gives up waiting.
pub(crate) fn program() -> (bool, bool) {
    let flag = Arc::new(AtomicBool::new(false));
    let seen = Arc::clone(&flag);
    let sleeper = thread::Builder::new()
        .name("sleeper".into())
        .spawn(move || {
            while !seen.load(Ordering::Acquire) {
                thread::park();
            }
            thread::current().name() == Some("sleeper")
        })
        .unwrap();
    let begin = Instant::now();
    thread::park_timeout(Duration::from_millis(5));
    let waited = begin.elapsed() <= Duration::from_secs(60);
    flag.store(true, Ordering::Release);
    sleeper.thread().unpark();
    (sleeper.join().unwrap(), waited)
}
