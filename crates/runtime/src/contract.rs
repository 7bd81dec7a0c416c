//! The contract: what a threading model must answer, and nothing that can be built above.
#![forbid(unsafe_code)]

use std::fmt;
use std::io;
use std::num::NonZeroU64;
use std::sync::Arc;
use std::time::Instant;

use crate::hogs::Hogs;
use crate::model::Model;
use crate::source::{Interest, Source};
use crate::thread::{NewThread, Thread};
use crate::usage::Meter;
use crate::wait::{Outcome, Wait};

/// A thread runtime, as its threads see it.
///
/// Users never call this: they call `spawn`, locks, channels and sockets, which are written
/// once above it. Each thread's control block holds the object that answers for it: in the
/// hybrid runtime that is its worker. All methods but [`wake`](Runtime::wake) and
/// [`start`](Runtime::start) are called by the current thread, on its own stack.
pub trait Runtime: Send + Sync {
    /// Which answer this is.
    fn model(&self) -> Model;

    /// Accepts a thread that has not run yet. Any OS thread may call it.
    ///
    /// # Errors
    ///
    /// The operating system's refusal (no more kernel threads), a stack size that the
    /// runtime cannot give, or a runtime that has shut down. The thread is then dropped,
    /// which drops its closure.
    fn start(&self, thread: NewThread) -> io::Result<()>;

    /// Accepts a thread of another runtime that was [moved](crate::Relief) here, as [`start`](Runtime::start); or gives
    /// it back. Any OS thread may call it.
    ///
    /// # Errors
    ///
    /// The thread: there is no room for it, or the runtime does not do that.
    fn start_moved(&self, thread: NewThread) -> Result<(), NewThread> {
        Err(thread)
    }

    /// Gives up a thread that it has accepted and not started, for the current thread to run on its own stack,
    /// of which so many bytes are `left`. `None`: it is not in a queue of this worker any more, or needs more
    /// stack, or the runtime does not do that.
    fn claim(&self, thread: &Thread, left: usize) -> Option<NewThread> {
        let _ = (thread, left);
        None
    }

    /// The same with the thread that it has accepted last, if that one is `wanted`. It may look at some more.
    fn claim_last(&self, left: usize, wanted: &dyn Fn(&Thread) -> bool) -> Option<NewThread> {
        let _ = (left, wanted);
        None
    }

    /// The current thread leaves the processor until it is woken or `until` has come.
    ///
    /// It does not unwind: who waits is in lists that others use.
    ///
    /// It may return early: the caller checks what it waits for, in a loop. A wake-up that
    /// came since the caller last looked makes it return at once.
    fn park(&self, until: Option<Instant>);

    /// Arms a timer of the current thread: unless [`disarm`](Runtime::disarm) comes before, the thread
    /// is woken at this time. So it can leave its stack by itself, without
    /// [`park`](Runtime::park). `None`: this runtime has no such timers, and `park` is told the time.
    fn arm(&self, until: Instant) -> Option<Timer> {
        let _ = until;
        None
    }

    /// Takes back a timer of the current thread, which may have come.
    fn disarm(&self, timer: Timer) {
        let _ = timer;
    }

    /// A thread of this runtime that has started must look again at what it waits for.
    /// Any OS thread may call it. What was written before is seen after the `park` that
    /// it ends.
    fn wake(&self, thread: &Thread);

    /// Lets other threads that are ready run first.
    fn yield_now(&self);

    /// The current thread waits until `source` may be ready, as `wait` says.
    ///
    /// It may return `Woken` early: the caller tries its operation again.
    ///
    /// # Errors
    ///
    /// The poller refused the descriptor (`EPERM`, `ENOSPC`).
    fn wait_ready(&self, source: &Source, interest: Interest, wait: &Wait) -> io::Result<Outcome>;

    /// Runs a call that may block, where it stops nobody else, and waits for its end.
    /// `call` does not unwind.
    fn blocking(&self, call: &mut (dyn FnMut() + Send));

    /// The time by this runtime's clock. If it unwinds while a thread waits, the process ends.
    fn now(&self) -> Instant;

    /// The runtime that runs single threads of another model inside this one, if one was
    /// set up. `Builder::model` asks for it.
    fn companion(&self, model: Model) -> Option<Arc<dyn Runtime>> {
        let _ = model;
        None
    }

    /// What is known of the spawn sites whose threads keep a worker of this runtime from all others. `None`: nobody
    /// learns it. Any OS thread may ask.
    fn hogs(&self) -> Option<&Arc<Hogs>> {
        None
    }

    /// Who measures the stacks of this runtime's threads. `None`: nobody does.
    fn meter(&self) -> Option<Arc<Meter>> {
        None
    }
}

/// Names a timer that a runtime has armed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timer {
    /// Where the runtime has it.
    pub slot: u32,
    /// Tells it from all others.
    pub number: NonZeroU64,
    /// Which of the runtime's workers has it, where its threads may change theirs.
    pub worker: u32,
}

/// The runtimes that run single threads of other models inside one.
#[derive(Clone, Default)]
pub struct Companions(Vec<Arc<dyn Runtime>>);

impl Companions {
    /// Adds one. Of two of the same model the first counts.
    pub fn add(&mut self, runtime: Arc<dyn Runtime>) {
        self.0.push(runtime);
    }

    /// The one of this model.
    #[must_use]
    pub fn of(&self, model: Model) -> Option<Arc<dyn Runtime>> {
        self.0
            .iter()
            .find(|runtime| runtime.model() == model)
            .cloned()
    }
}

impl fmt::Debug for Companions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list()
            .entries(self.0.iter().map(|runtime| runtime.model()))
            .finish()
    }
}
