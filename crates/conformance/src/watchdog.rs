//! The guard against a hang: a test that does not end ends the process, and says where
//! every thread waits.
//!
//! It is an OS thread of its own, which waits by `std`'s means: what it watches over may be
//! exactly what does not work.

use std::cell::RefCell;
use std::io::Write as _;
use std::process;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use crate::child;

/// After this time a test counts as hanging. The slowest takes a few seconds.
const LIMIT: Duration = Duration::from_secs(120);

type Note = Arc<Mutex<String>>;

thread_local! {
    /// What the watchdog says besides the test's name, if it barks.
    static NOTE: RefCell<Option<Note>> = const { RefCell::new(None) };
}

/// Runs one test. If it takes longer than two minutes, writes its name and what every
/// thread waits for to the standard error, and aborts the process.
///
/// # Panics
///
/// With the test's panic.
pub fn watched(test: &str, body: fn()) {
    child::note_test(test);
    let note = Note::default();
    NOTE.set(Some(Arc::clone(&note)));
    let (ended, end) = mpsc::channel::<()>();
    let test = test.to_owned();
    let dog = thread::Builder::new()
        .name("watchdog".into())
        .spawn(move || {
            if end.recv_timeout(LIMIT) == Err(RecvTimeoutError::Timeout) {
                bark(&test, &note);
            }
        })
        .expect("an OS thread for the watchdog");
    // Dropped when the body has ended or panicked: either way the dog is called off.
    let _ended = ended;
    drop(dog);
    body();
}

/// Leaves a word for the case that the current test hangs.
pub(crate) fn note(text: &str) {
    NOTE.with_borrow(|note| {
        if let Some(note) = note {
            note.lock()
                .unwrap_or_else(PoisonError::into_inner)
                .push_str(text);
        }
    });
}

/// Does not use `eprintln`, whose output the test harness keeps to itself, and loses when
/// the process aborts.
fn bark(test: &str, note: &Note) -> ! {
    let mut report = format!("\nconformance: `{test}` hangs, after {LIMIT:?}.");
    report.push_str(&note.lock().unwrap_or_else(PoisonError::into_inner));
    report.push_str("\nEvery thread of the process, also those of other tests:\n");
    for thread in trefoil_runtime::threads() {
        report.push_str(&format!("  {thread}\n"));
    }
    let _ = std::io::stderr().write_all(report.as_bytes());
    process::abort();
}
