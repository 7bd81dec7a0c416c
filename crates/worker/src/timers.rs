//! The worker's timers: threads whose park has a deadline.
#![forbid(unsafe_code)]

use std::cell::RefCell;
use std::time::{Duration, Instant};

use trefoil_reactor::{TimerId, Wheel};
use trefoil_runtime::Thread;

#[derive(Debug)]
pub(crate) struct Timers {
    wheel: RefCell<Wheel<Thread>>,
    /// Room for those that are due, kept.
    due: RefCell<Vec<Thread>>,
}

impl Timers {
    pub(crate) fn new() -> Timers {
        Timers {
            wheel: RefCell::new(Wheel::new(Instant::now())),
            due: RefCell::new(Vec::new()),
        }
    }

    pub(crate) fn add(&self, deadline: Instant, thread: Thread) -> TimerId {
        self.wheel.borrow_mut().insert(deadline, thread)
    }

    pub(crate) fn cancel(&self, timer: TimerId) {
        let thread = self.wheel.borrow_mut().cancel(timer);
        // The wheel is not borrowed while a handle goes.
        drop(thread);
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.wheel.borrow().is_empty()
    }

    /// How long until the next one is due. `None`: there is none.
    pub(crate) fn until_next(&self) -> Option<Duration> {
        let next = self.wheel.borrow().next_deadline()?;
        Some(next.saturating_duration_since(Instant::now()))
    }

    /// Gives those that are due to `wake`.
    pub(crate) fn expire(&self, now: Instant, wake: impl Fn(&Thread)) {
        let mut due = self.due.take();
        self.wheel.borrow_mut().expire(now, &mut due);
        due.drain(..).for_each(|thread| wake(&thread));
        self.due.replace(due);
    }
}
