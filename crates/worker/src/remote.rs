//! What other OS threads have of a worker: its inbox, and the bell that wakes it.
#![forbid(unsafe_code)]

use std::sync::Arc;
use std::time::Duration;

use trefoil_runtime::{Inbox, Mail, Posted, Thread};

use crate::beat::Beat;
use crate::poller::Registrar;

/// The part of a worker that everybody may touch.
#[derive(Debug)]
pub struct Remote {
    pub(crate) inbox: Inbox<Mail>,
    pub(crate) bell: Arc<Registrar>,
    pub(crate) beat: Beat,
}

impl Remote {
    /// Tells the worker to wake one of its threads, and wakes the worker if it sleeps.
    pub fn wake(&self, thread: &Thread) {
        let Some(mail) = thread.mail() else {
            return;
        };
        match self.inbox.push(mail) {
            Posted::Awake => {}
            Posted::WakeOwner => self.bell.0.wake(),
            // The worker has gone, and left the thread behind for good.
            Posted::Closed(mail) => drop(mail),
        }
    }

    /// Wakes the worker if it sleeps. `false`: it did not.
    ///
    /// What the caller wrote before, behind a lock that the worker takes before it sleeps,
    /// is seen by the worker then.
    pub fn rouse(&self) -> bool {
        let asleep = self.inbox.rouse();
        if asleep {
            self.bell.0.wake();
        }
        asleep
    }

    /// Wakes the worker in a while, if it sleeps then. `false`: no descriptor is left for that.
    pub fn set_alarm(&self, after: Duration) -> bool {
        self.bell.0.set_alarm(after).is_ok()
    }

    /// Takes the alarm back.
    pub fn clear_alarm(&self) {
        self.bell.0.clear_alarm();
    }

    /// A number that changes with every round of the worker. Where it stands still, the worker sleeps, or is in
    /// a thread that does not let others run.
    #[must_use]
    #[inline]
    pub fn beat(&self) -> u32 {
        self.beat.get()
    }

    /// How many events of descriptors the worker's poller has reported. A counter: it tells
    /// whether a worker is woken for what none of its threads waits for.
    #[must_use]
    pub fn events(&self) -> usize {
        self.bell.0.events()
    }
}
