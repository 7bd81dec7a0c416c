//! A child process that was started.
#![forbid(unsafe_code)]

use std::fmt;
use std::io;
use std::panic::{RefUnwindSafe, UnwindSafe};
use std::process::{ExitStatus, Output};
use std::sync::Arc;

use trefoil_runtime::{Reason, Wait};

use super::collect::{self, End};
use super::handle::ChildHandle;
use super::orphans;
use super::running::Running;
use super::stdio::{ChildStderr, ChildStdin, ChildStdout};

/// A child process, as [`std::process::Child`].
///
/// If it is dropped the process runs on, and nobody waits for it, as with `std`: it becomes a zombie when it
/// has ended. [`Command::kill_on_drop`](super::Command::kill_on_drop) ends it instead.
///
/// ```
/// use std::io::Read;
/// use trefoil_net::process::{Command, Stdio};
///
/// let mut child = Command::new("echo").arg("hello").stdout(Stdio::piped()).spawn()?;
/// let mut heard = String::new();
/// child.stdout.take().unwrap().read_to_string(&mut heard)?;
/// assert_eq!(heard, "hello\n");
/// assert!(child.wait()?.success());
/// # Ok::<(), std::io::Error>(())
/// ```
pub struct Child {
    /// Where the child's standard input is written, if it is a pipe.
    pub stdin: Option<ChildStdin>,
    /// Where the child's standard output is read, if it is a pipe.
    pub stdout: Option<ChildStdout>,
    /// Where the child's standard error is read, if it is a pipe.
    pub stderr: Option<ChildStderr>,
    process: Process,
}

/// What happens to the process when the child is dropped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum WhenDropped {
    /// It runs on, and is the program's.
    Leave,
    /// It runs on, and nobody has seen its number.
    Adopt,
    Kill,
}

/// A field of its own, so that the pipes can be moved out of a child.
struct Process {
    running: Arc<Running>,
    when_dropped: WhenDropped,
}

impl Drop for Process {
    fn drop(&mut self) {
        if self.when_dropped == WhenDropped::Kill {
            // If that fails it has ended.
            let _ = self.running.kill();
        }
        if self.when_dropped != WhenDropped::Leave {
            orphans::adopt(Arc::clone(&self.running));
        }
    }
}

impl Child {
    /// If a pipe of it cannot be waited for, the child is killed.
    pub(super) fn new(
        mut child: std::process::Child,
        when_dropped: WhenDropped,
    ) -> io::Result<Child> {
        let (stdin, stdout, stderr) =
            (child.stdin.take(), child.stdout.take(), child.stderr.take());
        let mut process = Process {
            running: Arc::new(Running::new(child)),
            when_dropped: WhenDropped::Kill,
        };
        let (stdin, stdout, stderr) = (
            stdin.map(ChildStdin::from_std).transpose()?,
            stdout.map(ChildStdout::from_std).transpose()?,
            stderr.map(ChildStderr::from_std).transpose()?,
        );
        process.when_dropped = when_dropped;
        Ok(Child {
            stdin,
            stdout,
            stderr,
            process,
        })
    }

    /// The number of the process. Once its end was told the kernel may give it to another one.
    ///
    /// ```
    /// # use trefoil_net::process::Command;
    /// let mut child = Command::new("true").spawn()?;
    /// assert_ne!(child.id(), std::process::id());
    /// # child.wait()?;
    /// # Ok::<(), std::io::Error>(())
    /// ```
    #[must_use]
    pub fn id(&self) -> u32 {
        self.process.running.id()
    }

    /// Something by which other threads wait for the process, or kill it, while this one waits. `std` has
    /// nothing like it.
    ///
    /// ```
    /// # use trefoil_net::process::Command;
    /// let mut child = Command::new("sleep").arg("3600").spawn()?;
    /// child.handle().kill()?;
    /// assert!(!child.wait()?.success());
    /// # Ok::<(), std::io::Error>(())
    /// ```
    #[must_use]
    pub fn handle(&self) -> ChildHandle {
        ChildHandle {
            running: Arc::clone(&self.process.running),
        }
    }

    /// Ends the process by SIGKILL. If its end was told already, it does nothing. Does not wait, also not for
    /// the end.
    ///
    /// # Errors
    ///
    /// What `kill(2)` says.
    ///
    /// ```
    /// # use trefoil_net::process::Command;
    /// use std::os::unix::process::ExitStatusExt;
    ///
    /// let mut child = Command::new("sleep").arg("3600").spawn()?;
    /// child.kill()?;
    /// assert_eq!(child.wait()?.signal(), Some(9));
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn kill(&mut self) -> io::Result<()> {
        self.process.running.kill()
    }

    /// Waits for the end of the process. Its standard input is closed before, so that it does not wait for
    /// more. It parks the thread on every model, and uses no OS thread. A cancellation point: the child can be
    /// waited for again, so [`time::timeout`](trefoil_runtime::time::timeout) limits it.
    ///
    /// # Errors
    ///
    /// What `waitpid(2)` says: `ECHILD` if the program ignores SIGCHLD, or has waited by other means.
    ///
    /// ```
    /// use std::time::Duration;
    /// use trefoil_net::process::Command;
    /// use trefoil_runtime::time::{Elapsed, timeout};
    ///
    /// let mut child = Command::new("sleep").arg("3600").spawn()?;
    /// let result = timeout(Duration::from_millis(5), || child.wait());
    /// assert!(matches!(result, Err(Elapsed)));
    /// child.kill()?;
    /// assert!(!child.wait()?.success());
    /// # Ok::<(), std::io::Error>(())
    /// ```
    #[track_caller]
    pub fn wait(&mut self) -> io::Result<ExitStatus> {
        drop(self.stdin.take());
        self.process.running.wait()
    }

    /// How the process has ended; `None`: it runs. Closes no pipe, and does not wait.
    ///
    /// # Errors
    ///
    /// As [`wait`](Child::wait).
    ///
    /// ```
    /// # use trefoil_net::process::Command;
    /// let mut child = Command::new("sleep").arg("3600").spawn()?;
    /// assert!(child.try_wait()?.is_none());
    /// # child.kill()?;
    /// # child.wait()?;
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn try_wait(&mut self) -> io::Result<Option<ExitStatus>> {
        self.process.running.try_wait()
    }

    /// Closes the standard input, reads both pipes to their ends, at the same time, and waits for the end of
    /// the process. A cancellation point: what was read so far is dropped, and the child with it;
    /// [`collect_output`](Child::collect_output) keeps both.
    ///
    /// # Errors
    ///
    /// As [`wait`](Child::wait), and what reading a pipe says.
    ///
    /// ```
    /// use std::io::Write;
    /// use trefoil_net::process::{Command, Stdio};
    ///
    /// let mut child = Command::new("tr").args(["a-z", "A-Z"])
    ///     .stdin(Stdio::piped())
    ///     .stdout(Stdio::piped())
    ///     .spawn()?;
    /// child.stdin.as_mut().unwrap().write_all(b"hello")?;
    /// let output = child.wait_with_output()?;
    /// assert_eq!(output.stdout, b"HELLO");
    /// # Ok::<(), std::io::Error>(())
    /// ```
    #[track_caller]
    pub fn wait_with_output(mut self) -> io::Result<Output> {
        let (mut stdout, mut stderr) = (Vec::new(), Vec::new());
        let status = self.collect_output(&mut stdout, &mut stderr)?;
        Ok(Output {
            status,
            stdout,
            stderr,
        })
    }

    /// As [`wait_with_output`](Child::wait_with_output), but appends what it reads to `stdout` and `stderr`.
    /// So it loses nothing when it is cancelled, by a timeout say: called again, it goes on. A pipe that has
    /// come to its end is closed. `std` has nothing like it.
    ///
    /// # Errors
    ///
    /// As [`wait_with_output`](Child::wait_with_output).
    ///
    /// ```
    /// use std::time::Duration;
    /// use trefoil_net::process::{Command, Stdio};
    /// use trefoil_runtime::time::timeout;
    ///
    /// let mut child = Command::new("sh").args(["-c", "echo first; exec sleep 3600"])
    ///     .stdout(Stdio::piped())
    ///     .spawn()?;
    /// let (mut out, mut err) = (Vec::new(), Vec::new());
    /// while out.is_empty() {
    ///     let late = timeout(Duration::from_millis(5), || child.collect_output(&mut out, &mut err));
    ///     assert!(late.is_err());
    /// }
    /// assert_eq!(out, b"first\n");
    /// child.kill()?;
    /// child.wait()?;
    /// # Ok::<(), std::io::Error>(())
    /// ```
    #[track_caller]
    pub fn collect_output(
        &mut self,
        stdout: &mut Vec<u8>,
        stderr: &mut Vec<u8>,
    ) -> io::Result<ExitStatus> {
        drop(self.stdin.take());
        let wait = Wait::new(Reason::Read).cancellable();
        let out = self.stdout.as_ref().map(|pipe| End {
            pipe: &pipe.handle.source,
            into: stdout,
        });
        let err = self.stderr.as_ref().map(|pipe| End {
            pipe: &pipe.handle.source,
            into: stderr,
        });
        match (out, err) {
            (Some(out), Some(err)) => collect::both([out, err], &wait)?,
            (Some(end), None) | (None, Some(end)) => collect::one(end, &wait)?,
            (None, None) => {}
        }
        (self.stdout, self.stderr) = (None, None);
        self.wait()
    }
}

impl fmt::Debug for Child {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Child")
            .field("stdin", &self.stdin)
            .field("stdout", &self.stdout)
            .field("stderr", &self.stderr)
            .field("id", &self.id())
            .finish_non_exhaustive()
    }
}

// A panic, wherever it comes from, leaves a child as whole as an error does.
impl UnwindSafe for Child {}
impl RefUnwindSafe for Child {}
