//! The loop: who runs next, when to look outside, when to sleep.

use std::sync::Arc;
use std::time::{Duration, Instant};

use trefoil_runtime::thread::JoinHandle;
use trefoil_runtime::{Domain, Held, ThreadInfo, is_alone};
use trefoil_worker::Worker;

use crate::deadlock::Watch;
use crate::green::Green;

/// How many threads run between two looks outside: at messages, timers and the poller.
const ROUND: u32 = 64;

/// Runs threads on the calling OS thread until their `run` is over.
#[derive(Debug)]
pub(crate) struct Schedule<'a> {
    pub(crate) green: &'a Arc<Green>,
    pub(crate) worker: &'a Held<Worker>,
    pub(crate) domain: &'a Domain,
}

/// Why a `run` cannot go on: its threads wait for each other.
#[derive(Debug)]
pub(crate) struct Deadlock(pub(crate) Vec<ThreadInfo>);

impl Schedule<'_> {
    /// Runs until the main thread has ended.
    pub(crate) fn run_main<T>(&self, main: &JoinHandle<T>, isolated: bool) -> Result<(), Deadlock> {
        let mut watch = Watch::new(isolated);
        while !main.is_finished() {
            if self.round(|| !main.is_finished()) {
                watch.progress();
                continue;
            }
            if self.has_work() {
                continue;
            }
            let at_most = if self.worker.has_prospects() {
                None
            } else if watch.is_deadlock() {
                if self.has_work() {
                    continue;
                }
                return Err(Deadlock(self.domain.describe()));
            } else {
                watch.next_look()
            };
            self.sleep(at_most);
        }
        Ok(())
    }

    /// Ends the threads that are left: asks them, and runs them, until none is left or the
    /// grace is over. Gives those that are left.
    pub(crate) fn wind_down(&self, grace: Duration) -> Vec<ThreadInfo> {
        const LONGEST_PAUSE: Duration = Duration::from_millis(5);
        let end = Instant::now().checked_add(grace);
        let mut pause = Duration::from_micros(20);
        while self.domain.cancel() != 0 {
            if end.is_some_and(|end| Instant::now() >= end) || self.is_stuck() {
                return self.domain.describe();
            }
            let pace = Instant::now() + pause;
            let in_pace = || Instant::now() < pace;
            while in_pace() && self.round(in_pace) {}
            if !self.has_work() {
                self.sleep(Some(pace.saturating_duration_since(Instant::now())));
            }
            pause = LONGEST_PAUSE.min(pause * 2);
        }
        Vec::new()
    }

    /// All that is left waits in ways that no request can end, and nobody could wake it.
    fn is_stuck(&self) -> bool {
        !self.has_work()
            && self.worker.ready() == 0
            && !self.worker.has_prospects()
            && is_alone()
            && self.asked_in_vain()
    }

    fn asked_in_vain(&self) -> bool {
        // Those that were just asked are ready now, unless they do not listen; and this is the
        // last look outside.
        self.domain.cancel();
        !self.has_work()
    }

    /// Runs threads for one round, as long as `go_on` says so. `false`: none was ready.
    fn round(&self, go_on: impl Fn() -> bool) -> bool {
        let owner = self.worker.owner();
        for ran in 0..ROUND {
            let home = || Arc::clone(self.green) as _;
            if !self.worker.run_next(owner, home) {
                return ran != 0;
            }
            if !go_on() {
                break;
            }
        }
        self.worker.look_outside(owner);
        self.admit();
        true
    }

    /// Queues what other OS threads have spawned here.
    fn admit(&self) {
        for thread in self.green.take_arrivals() {
            self.worker.push_new(thread);
        }
    }

    /// A last look before sleep.
    fn has_work(&self) -> bool {
        self.admit();
        self.worker.look_outside(self.worker.owner());
        self.worker.ready() != 0
    }

    fn sleep(&self, at_most: Option<Duration>) {
        let more = || self.green.has_arrivals();
        let _ = self.worker.sleep(self.worker.owner(), at_most, more);
        self.admit();
    }
}
