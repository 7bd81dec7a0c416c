//! The guard against a hang.

use std::sync::mpsc;
use std::time::Duration;

/// Longer than any machine takes: only a hang reaches it.
const HANG: Duration = Duration::from_secs(60);

/// Runs `body` on an OS thread of its own.
///
/// # Panics
///
/// With `what`, if it does not end.
pub(crate) fn ends(what: &str, body: impl FnOnce() + Send + 'static) {
    let (ended, end) = mpsc::channel();
    std::thread::spawn(move || {
        body();
        ended.send(()).unwrap();
    });
    end.recv_timeout(HANG).unwrap_or_else(|_| panic!("{what}"));
}
