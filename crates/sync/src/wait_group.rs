//! Waiting until everybody has ended his part.
//!
//! The number of handles is the state of a [`Gate`]. Zero is final: there is no handle left to
//! clone, and a thread that gives up counts itself again only if it was still queued, and whoever
//! makes it zero takes all out of the queue under the same lock.
#![forbid(unsafe_code)]

use std::fmt;
use std::panic::{RefUnwindSafe, UnwindSafe};
use std::sync::Arc;
use std::time::Duration;

use trefoil_runtime::thread::deadline_after;
use trefoil_runtime::{Reason, Wait, cancel};

use crate::gate::{Early, Gate};

/// Threads that wait for each other's end, with the names of `crossbeam`'s.
///
/// Each has a clone. A thread is done when its clone is dropped, or when it waits itself.
/// Other than a [`Barrier`](crate::Barrier) it need not know how many there are.
///
/// ```
/// use trefoil_sync::WaitGroup;
///
/// let group = WaitGroup::new();
/// for _ in 0..3 {
///     let member = group.clone();
///     std::thread::spawn(move || {
///         // Its part.
///         drop(member);
///     });
/// }
/// group.wait();
/// ```
pub struct WaitGroup {
    /// How many handles there are. `None`: this one does not count any more.
    members: Option<Arc<Gate<usize>>>,
}

impl WaitGroup {
    /// A group with one member.
    ///
    /// ```
    /// trefoil_sync::WaitGroup::new().wait();
    /// ```
    #[must_use]
    pub fn new() -> WaitGroup {
        WaitGroup {
            members: Some(Arc::new(Gate::new(1))),
        }
    }

    /// Drops this handle, and parks the thread until all the others are dropped, too. A
    /// cancellation point when it has to wait.
    ///
    /// ```
    /// use trefoil_sync::WaitGroup;
    ///
    /// let group = WaitGroup::new();
    /// let member = group.clone();
    /// std::thread::spawn(move || drop(member));
    /// group.wait();
    /// ```
    #[track_caller]
    pub fn wait(self) {
        let wait = Wait::new(Reason::Barrier);
        let waited = self.wait_as(&wait.cancellable());
        debug_assert!(waited.is_ok(), "it waits without a limit");
        // The handle would count again, and there is none.
        drop(waited);
    }

    /// As [`wait`](WaitGroup::wait), for at most this long.
    ///
    /// # Errors
    ///
    /// If the time was over: a handle, so that the thread is a member again, and those who wait
    /// wait for it, too.
    ///
    /// ```
    /// use std::time::Duration;
    /// use trefoil_sync::WaitGroup;
    ///
    /// let group = WaitGroup::new();
    /// let member = group.clone();
    /// let group = group.wait_timeout(Duration::from_millis(1)).unwrap_err();
    /// drop(member);
    /// assert!(group.wait_timeout(Duration::from_millis(1)).is_ok());
    /// ```
    #[track_caller]
    pub fn wait_timeout(self, duration: Duration) -> Result<(), WaitGroup> {
        let wait = Wait::new(Reason::Barrier).until(deadline_after(duration));
        self.wait_as(&wait.cancellable())
    }

    fn wait_as(mut self, wait: &Wait) -> Result<(), WaitGroup> {
        let Some(members) = self.members.take() else {
            unreachable!("a handle that does not count is gone");
        };
        leave(&members);
        let done = |count: &mut usize| (*count == 0).then_some(());
        let waited = members.wait(wait, done, |count| *count += 1);
        let members = Some(members);
        match waited {
            Ok(()) => Ok(()),
            Err(Early::TimedOut) => Err(WaitGroup { members }),
            Err(Early::Cancelled) => {
                drop(WaitGroup { members });
                cancel::raise()
            }
        }
    }
}

/// One member less; the last one lets all go who wait.
fn leave(members: &Gate<usize>) {
    let last = members.look(|count| {
        let last = *count == 1;
        if !last {
            *count -= 1;
        }
        last
    });
    if last {
        members.change(|count| *count -= 1);
    }
}

impl Clone for WaitGroup {
    fn clone(&self) -> WaitGroup {
        let members = self.members.clone();
        if let Some(members) = &members {
            members.look(|count| *count += 1);
        }
        WaitGroup { members }
    }
}

impl Drop for WaitGroup {
    fn drop(&mut self) {
        if let Some(members) = self.members.take() {
            leave(&members);
        }
    }
}

impl Default for WaitGroup {
    fn default() -> WaitGroup {
        WaitGroup::new()
    }
}

impl fmt::Debug for WaitGroup {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let members = self.members.as_ref();
        let count = members.map_or(0, |members| members.look(|count| *count));
        f.debug_struct("WaitGroup").field("count", &count).finish()
    }
}

// Nobody's code runs while the number is changed.
impl UnwindSafe for WaitGroup {}
impl RefUnwindSafe for WaitGroup {}
