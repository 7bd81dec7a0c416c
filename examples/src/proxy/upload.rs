//! How far a request's body has come on its way to the upstream.

use std::time::{Duration, Instant};

use trefoil::sync::Mutex;

/// Told by the thread that sends it, and looked at by the one that waits for the answer.
#[derive(Debug, Default)]
pub(super) struct Upload {
    progress: Mutex<Progress>,
}

#[derive(Debug, Default)]
struct Progress {
    /// All has come from the client, so that its next request can be found.
    is_taken: bool,
    /// Nothing more is sent since then.
    ended: Option<Instant>,
}

impl Upload {
    pub(super) fn take(&self) {
        self.progress().is_taken = true;
    }

    pub(super) fn end(&self) {
        self.progress().ended = Some(Instant::now());
    }

    pub(super) fn is_taken(&self) -> bool {
        self.progress().is_taken
    }

    /// What is left of the time in which the answer has to begin. It is counted from the upload's end.
    pub(super) fn left(&self, of: Duration) -> Duration {
        let ended = self.progress().ended;
        ended.map_or(of, |ended| of.saturating_sub(ended.elapsed()))
    }

    fn progress(&self) -> trefoil::sync::MutexGuard<'_, Progress> {
        self.progress.lock().expect("nobody panics with it")
    }
}
