//! Code of the program's own between fork and exec.

use std::io;
use std::os::unix::process::CommandExt as _;

use super::command::Command;

impl Command {
    /// Has `f` run in the new process, before its program is loaded; after those that were given before.
    /// See [`std::os::unix::process::CommandExt::pre_exec`].
    ///
    /// `f` runs in a copy of the process that has one thread, and that is none of Trefoil's: it calls
    /// nothing of ours, and does not wait.
    ///
    /// # Safety
    ///
    /// `f` does what is async-signal-safe and nothing else: no allocation, no lock.
    ///
    /// ```
    /// use trefoil_net::process::Command;
    ///
    /// let mut command = Command::new("true");
    /// // SAFETY: it makes an error of a number.
    /// unsafe { command.pre_exec(|| Err(std::io::Error::from_raw_os_error(1))) };
    /// assert_eq!(command.status().unwrap_err().raw_os_error(), Some(1));
    /// ```
    pub unsafe fn pre_exec<F>(&mut self, f: F) -> &mut Command
    where
        F: FnMut() -> io::Result<()> + Send + Sync + 'static,
    {
        // SAFETY: passed on.
        unsafe { self.inner.pre_exec(f) };
        self
    }
}
