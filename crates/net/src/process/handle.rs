//! A child process, for threads that do not have the [`Child`](super::Child).
#![forbid(unsafe_code)]

use std::fmt;
use std::io;
use std::panic::{RefUnwindSafe, UnwindSafe};
use std::process::ExitStatus;
use std::sync::Arc;

use super::running::Running;

/// A child process that several threads wait for or kill, each by a handle of its own.
///
/// Made by [`Child::handle`](super::Child::handle). Handles and the child are told the same end, as often as
/// they ask. Dropping one does nothing.
///
/// ```
/// use trefoil_net::process::{Command, Stdio};
///
/// let mut child = Command::new("sleep").arg("3600").stdout(Stdio::null()).spawn()?;
/// let handle = child.handle();
/// let killer = std::thread::spawn(move || handle.kill());
/// assert!(!child.wait()?.success());
/// killer.join().unwrap()?;
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Clone)]
pub struct ChildHandle {
    pub(super) running: Arc<Running>,
}

impl ChildHandle {
    /// The number of the process. Once its end was told the kernel may give it to another one.
    ///
    /// ```
    /// # use trefoil_net::process::Command;
    /// let mut child = Command::new("true").spawn()?;
    /// assert_eq!(child.handle().id(), child.id());
    /// # child.wait()?;
    /// # Ok::<(), std::io::Error>(())
    /// ```
    #[must_use]
    pub fn id(&self) -> u32 {
        self.running.id()
    }

    /// Ends the process by SIGKILL. If its end was told already, it does nothing. Does not wait.
    ///
    /// # Errors
    ///
    /// What `kill(2)` says.
    ///
    /// ```
    /// # use trefoil_net::process::Command;
    /// let child = Command::new("sleep").arg("3600").spawn()?;
    /// let handle = child.handle();
    /// handle.kill()?;
    /// assert!(!handle.wait()?.success());
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn kill(&self) -> io::Result<()> {
        self.running.kill()
    }

    /// Waits for the end of the process. Unlike [`Child::wait`](super::Child::wait) it closes no pipe. Several
    /// threads may wait at the same time; all are told. A cancellation point: the child can be waited for
    /// again.
    ///
    /// # Errors
    ///
    /// What `waitpid(2)` says: `ECHILD` if the program ignores SIGCHLD, or has waited by other means.
    ///
    /// ```
    /// # use trefoil_net::process::Command;
    /// let handle = Command::new("true").spawn()?.handle();
    /// assert!(handle.wait()?.success());
    /// assert!(handle.wait()?.success());
    /// # Ok::<(), std::io::Error>(())
    /// ```
    #[track_caller]
    pub fn wait(&self) -> io::Result<ExitStatus> {
        self.running.wait()
    }

    /// How the process has ended; `None`: it runs. Does not wait.
    ///
    /// # Errors
    ///
    /// As [`wait`](ChildHandle::wait).
    ///
    /// ```
    /// # use trefoil_net::process::Command;
    /// let handle = Command::new("sleep").arg("3600").spawn()?.handle();
    /// assert!(handle.try_wait()?.is_none());
    /// # handle.kill()?;
    /// # handle.wait()?;
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn try_wait(&self) -> io::Result<Option<ExitStatus>> {
        self.running.try_wait()
    }
}

impl fmt::Debug for ChildHandle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ChildHandle")
            .field("id", &self.id())
            .finish_non_exhaustive()
    }
}

// As the child.
impl UnwindSafe for ChildHandle {}
impl RefUnwindSafe for ChildHandle {}
