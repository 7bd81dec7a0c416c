//! Ends a run that hangs, and says where everybody waits.
//!
//! Each actor has a collar, on which it writes when it begins a turn, and which. The dog is a plain OS
//! thread that waits by `std`'s means, for what it watches may be what does not work.

use std::fmt::Write as _;
use std::io::Write as _;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::process::tasks;

/// What an actor does.
#[derive(Debug)]
pub(crate) struct Collar {
    actor: String,
    does: Mutex<(&'static str, Instant)>,
}

static COLLARS: Mutex<Vec<Arc<Collar>>> = Mutex::new(Vec::new());

impl Collar {
    /// Puts one on, until it is [taken off](Collar::off).
    pub(crate) fn on(actor: String) -> Arc<Collar> {
        let collar = Arc::new(Collar {
            actor,
            does: Mutex::new(("begins", Instant::now())),
        });
        all().push(Arc::clone(&collar));
        collar
    }

    pub(crate) fn does(&self, what: &'static str) {
        *self.does.lock().unwrap_or_else(PoisonError::into_inner) = (what, Instant::now());
    }

    pub(crate) fn off(self: &Arc<Collar>) {
        all().retain(|collar| !Arc::ptr_eq(collar, self));
    }

    fn doing(&self) -> (&'static str, Duration) {
        let (what, since) = *self.does.lock().unwrap_or_else(PoisonError::into_inner);
        (what, since.elapsed())
    }
}

/// The lock of `std` is held for moments, and never across a wait.
fn all() -> std::sync::MutexGuard<'static, Vec<Arc<Collar>>> {
    COLLARS.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Starts the dog, which is there until the process ends.
pub(crate) fn watch(patience: Duration, about: String) {
    let watch = move || {
        loop {
            std::thread::sleep(Duration::from_secs(1).min(patience));
            let late = all().iter().any(|collar| collar.doing().1 > patience);
            if late {
                bark(&about);
            }
        }
    };
    let dog = std::thread::Builder::new().name("watchdog".into());
    drop(dog.spawn(watch).expect("an OS thread for the watchdog"));
}

fn bark(about: &str) -> ! {
    let mut report = format!("\nstress: it hangs. Again by: {about}\nthe actors:\n");
    for collar in all().iter() {
        let (what, since) = collar.doing();
        let _ = writeln!(report, "  {} {what} for {since:.1?}", collar.actor);
    }
    report.push_str("the threads:\n");
    for thread in trefoil::threads() {
        let _ = writeln!(report, "  {thread}");
    }
    let _ = write!(report, "the OS threads:\n{}", tasks());
    let _ = std::io::stderr().write_all(report.as_bytes());
    std::process::abort();
}
