//! A thread whose site is known to keep a worker from all others starts on a kernel thread instead.
//!
//! It is moved before it starts (Rule 1), while its spawn has not returned: nobody but dumps has seen it as another
//! thread. From then on it is a kernel thread in all that it does, but for one thing: *what it spawns* belongs where
//! it would have run itself, so that a program of a million green threads does not become one of kernel threads
//! because their parent was moved.
//!
//! | it is not moved                                    | because                                                   |
//! |----------------------------------------------------|-----------------------------------------------------------|
//! | if it was asked for a model, or a stack size       | then it is what was asked for                             |
//! | if it is a local thread                            | it may not                                                |
//! | if it is the second half of a `join(a, b)`         | who waits for it runs it, as a part of its own computation |
//! | if it is the first thread of a run                 | it is not spawned                                         |
//! | if so many as the builder allows are moved now     | it does not wait for one of them: that one may wait for it |
//! | if there is no room for one more kernel thread     | a spawn that succeeded before must not fail now           |
#![forbid(unsafe_code)]

use core::cell::OnceCell;
use core::fmt;
use std::io;
use std::sync::Arc;

use super::header::Header;
use super::new::NewThread;
use crate::contract::Runtime;
use crate::hogs::Hogs;
use crate::model::Model;
use crate::site::Site;
use crate::stretch;

/// What a thread that was moved knows of where it would have run. Read by itself alone, and by who holds its
/// `NewThread`.
#[derive(Default)]
pub(crate) struct Origin(OnceCell<Box<Left>>);

struct Left {
    /// Where it spawns. `None`: a plain OS thread's, which spawns nothing.
    runtime: Option<Arc<dyn Runtime>>,
    hogs: Arc<Hogs>,
}

impl Origin {
    /// Where a thread spawns that was moved.
    pub(super) fn runtime(&self) -> Option<&Arc<dyn Runtime>> {
        self.0.get()?.runtime.as_ref()
    }
}

impl fmt::Debug for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let moved = self.0.get().is_some();
        f.debug_tuple("Origin").field(&moved).finish()
    }
}

/// Starts a thread on `runtime`, on which the current thread spawns, and which is `origin`, if it is to be kept; or
/// moves the thread.
#[cold]
pub(super) fn start(
    runtime: &dyn Runtime,
    origin: Option<Arc<dyn Runtime>>,
    thread: NewThread,
) -> io::Result<()> {
    let site = Site::of(thread.thread().header());
    let hogs = runtime.hogs().filter(|hogs| hogs.admit(site));
    let Some(hogs) = hogs else {
        return runtime.start(thread);
    };
    match moved(runtime, origin, hogs, thread) {
        Ok(()) => Ok(()),
        Err(thread) => {
            hogs.leave();
            thread.thread().header().kind.set(runtime.model());
            runtime.start(thread)
        }
    }
}

fn moved(
    runtime: &dyn Runtime,
    origin: Option<Arc<dyn Runtime>>,
    hogs: &Arc<Hogs>,
    thread: NewThread,
) -> Result<(), NewThread> {
    let Some(kernel) = runtime.companion(Model::Kernel) else {
        return Err(thread);
    };
    let header = thread.thread().header();
    let left = Left {
        runtime: origin,
        hogs: Arc::clone(hogs),
    };
    // Nobody has moved it before.
    let _ = header.traits.origin.0.set(Box::new(left));
    header.kind.set_moved();
    let place = header.traits.spawned_at;
    kernel.start_moved(thread)?;
    hogs.note_moved(place);
    Ok(())
}

/// A thread that was moved has ended, or will never begin.
#[cold]
pub(super) fn ended(moved: &Header) {
    let Some(left) = moved.traits.origin.0.get() else {
        return;
    };
    if let Some(longest) = stretch::end() {
        left.hogs.ran_moved(Site::of(moved), longest);
    }
    left.hogs.leave();
}

/// A thread that was not has ended, on its own stack, while something is known of some.
#[cold]
pub(super) fn ran(current: &Header, runtime: &dyn Runtime) {
    if let Some(hogs) = runtime.hogs() {
        hogs.ran(Site::of(current));
    }
}
