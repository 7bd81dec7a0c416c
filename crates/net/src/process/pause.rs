//! How often to look at what nothing tells of: where the process has no descriptor left to wait with.
#![forbid(unsafe_code)]

use std::time::Duration;

use trefoil_runtime::thread;

/// The first pause, and the longest: each is twice as long as the one before.
const FIRST: Duration = Duration::from_millis(1);
const LONGEST: Duration = Duration::from_millis(32);

/// The pauses of one wait.
pub(super) struct Pause(Duration);

impl Pause {
    pub(super) fn new() -> Pause {
        Pause(FIRST)
    }

    /// Sleeps until the next look. A cancellation point.
    #[track_caller]
    pub(super) fn sleep(&mut self) {
        thread::sleep(self.0);
        self.0 = (2 * self.0).min(LONGEST);
    }
}
