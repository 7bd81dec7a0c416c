//! When is it certain that nothing can ever become ready?
//!
//! Nothing is ready, no timer runs, nobody waits for a descriptor or for a call on another OS
//! thread. Then only another OS thread could wake one of ours. Whether one could cannot be
//! known: any may hold a sender or a lock. So it is certain only if there is no other OS
//! thread (idle ones of the pool for blocking calls do nothing by themselves), or if the user
//! has promised it.

use std::time::Duration;

/// When to look for a deadlock again, while nothing happens.
#[derive(Debug)]
pub(crate) struct Watch {
    isolated: bool,
    /// `None`: not waiting yet.
    pause: Option<Duration>,
}

const FIRST: Duration = Duration::from_millis(20);
const LONGEST: Duration = Duration::from_secs(10);

impl Watch {
    pub(crate) fn new(isolated: bool) -> Watch {
        Watch {
            isolated,
            pause: None,
        }
    }

    /// A thread has run.
    pub(crate) fn progress(&mut self) {
        self.pause = None;
    }

    /// Nothing is ready or can become so on this OS thread: is that the end?
    ///
    /// To count the process's OS threads costs some microseconds. So the first look is after
    /// a short sleep, and while others keep waking us there is none.
    pub(crate) fn is_deadlock(&self) -> bool {
        self.isolated || (self.pause.is_some() && nobody_else())
    }

    /// How long to sleep before the next look: ever longer, so that a process that waits
    /// uses no processor.
    pub(crate) fn next_look(&mut self) -> Option<Duration> {
        let pause = self.pause.map_or(FIRST, |pause| LONGEST.min(pause * 2));
        self.pause = Some(pause);
        self.pause
    }
}

/// Whether no other OS thread of this process could wake one of our threads.
pub(crate) fn nobody_else() -> bool {
    let Ok(threads) = std::fs::read_dir("/proc/self/task") else {
        return false;
    };
    threads.count() <= 1 + trefoil_runtime::offload_threads()
}
