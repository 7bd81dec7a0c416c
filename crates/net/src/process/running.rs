//! One child process: asked for its end and killed under a lock, waited for without it.
//!
//! The lock is of `std` and held for one system call that does not wait. It is what keeps the number right: a
//! process is killed only while nobody has been told its end, for afterwards the kernel gives the number to
//! another one.
//!
//! Who waits first tries. Then it waits for the [`pidfd`], which is opened by the first one, and tries again.
//! Where there is none (Linux before 5.3, a sandbox, no descriptor left) it looks every 1 to 32 ms.
#![forbid(unsafe_code)]

use std::io;
use std::process::{Child, ExitStatus};
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};

use trefoil_runtime::{Interest, Reason, Source, Wait};

use super::looks;
use super::pidfd;

#[derive(Debug)]
pub(super) struct Running {
    child: Mutex<Child>,
    id: u32,
    /// Set under the lock.
    end: OnceLock<Source>,
}

impl Running {
    /// The child's pipes have been taken out.
    pub(super) fn new(child: Child) -> Running {
        Running {
            id: child.id(),
            child: Mutex::new(child),
            end: OnceLock::new(),
        }
    }

    pub(super) fn id(&self) -> u32 {
        self.id
    }

    fn child(&self) -> MutexGuard<'_, Child> {
        self.child.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn kill(&self) -> io::Result<()> {
        self.child().kill()
    }

    /// How it has ended; who asks again is told the same.
    pub(super) fn try_wait(&self) -> io::Result<Option<ExitStatus>> {
        self.child().try_wait()
    }

    /// Whether it runs, or has ended and was not asked.
    pub(super) fn has_to_be_asked(&self) -> bool {
        matches!(self.try_wait(), Ok(None))
    }

    #[track_caller]
    pub(super) fn wait(&self) -> io::Result<ExitStatus> {
        let wait = Wait::new(Reason::Process).cancellable();
        if let Some(status) = self.try_wait_or_open()? {
            return Ok(status);
        }
        let ended = || self.try_wait()?.ok_or(io::ErrorKind::WouldBlock.into());
        match self.end.get() {
            Some(end) => end.io(Interest::Read, &wait, |_| false, |_| ended()),
            None => self.wait_by_looking(&wait),
        }
    }

    /// As `try_wait`. If it runs, there is a descriptor afterwards, if one can be had.
    fn try_wait_or_open(&self) -> io::Result<Option<ExitStatus>> {
        let mut child = self.child();
        let status = child.try_wait()?;
        if status.is_none()
            && self.end.get().is_none()
            && let Ok(end) = pidfd::open(self.id)
        {
            // Under the lock nobody else sets it.
            let _ = self.end.set(end);
        }
        Ok(status)
    }

    fn wait_by_looking(&self, wait: &Wait) -> io::Result<ExitStatus> {
        let mut pauses = looks();
        loop {
            pauses.rest(wait)?;
            if let Some(status) = self.try_wait()? {
                return Ok(status);
            }
        }
    }
}
