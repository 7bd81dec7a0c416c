//! When is it certain that nothing can ever become ready?
//!
//! Nothing is ready, no timer runs, nobody waits for a descriptor or for a call on another OS
//! thread. Then only another OS thread could wake one of ours. Whether one could cannot be
//! known: any may hold a sender or a lock. So it is certain only if there is no OS thread that
//! does anything ([`is_alone`]), or if the user has promised it. Our own OS threads that wait for
//! work do nothing: those of the pool for blocking calls, those that a kernel runtime keeps for
//! its next thread, hybrid workers on which no thread has started.
//!
//! Whoever did something before, and has ended or waits for work now, may have left a message.
//! So the schedule looks outside once more *after* `is_alone` has said yes, and what it finds
//! then is all that will ever come.

use std::time::Duration;

use trefoil_runtime::is_alone;

/// When to look for a deadlock again, while nothing happens.
#[derive(Debug)]
pub(crate) struct Watch {
    isolated: bool,
    /// `None`: not waiting yet.
    pause: Option<Duration>,
}

const FIRST: Duration = Duration::from_millis(20);
/// Others end, and whom they leave in a deadlock is to hear of it soon.
const LONGEST: Duration = Duration::from_secs(1);

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

    /// Nothing is ready or can become so on this OS thread: is that the end, if a last look
    /// finds nothing either?
    ///
    /// To count the process's OS threads costs some microseconds. So the first look is after
    /// a short sleep, and while others keep waking us there is none.
    pub(crate) fn is_deadlock(&self) -> bool {
        self.isolated || (self.pause.is_some() && is_alone())
    }

    /// How long to sleep before the next look: ever longer, so that a process that waits
    /// uses no processor.
    pub(crate) fn next_look(&mut self) -> Option<Duration> {
        let pause = self.pause.map_or(FIRST, |pause| LONGEST.min(pause * 2));
        self.pause = Some(pause);
        self.pause
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn looks_become_rarer_and_never_rarer_than_each_second() {
        let mut watch = Watch::new(false);
        assert!(!watch.is_deadlock(), "no look before the first sleep");
        let pauses: Vec<Duration> = (0..10).filter_map(|_| watch.next_look()).collect();
        assert_eq!(pauses[0], FIRST);
        assert!(pauses.is_sorted());
        assert_eq!(pauses[9], Duration::from_secs(1));
        watch.progress();
        assert_eq!(watch.next_look(), Some(FIRST));
    }
}
