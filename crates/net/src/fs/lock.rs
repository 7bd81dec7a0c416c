//! Locks of a file: `flock(2)`.
//!
//! A thread that waits for one asks again and again, with growing pauses, in every model. It could
//! leave the wait to the kernel, on an OS thread of the pool. But then it could not be cancelled; and
//! as many waiting threads as the pool has OS threads would keep the holder from the file, and so
//! from ever giving the lock back.
#![forbid(unsafe_code)]

use std::fs::TryLockError;
use std::io;
use std::time::Duration;

use trefoil_runtime::{Reason, Wait};

use super::call::call;
use super::file::File;
use crate::pause::Pauses;

const FIRST_PAUSE: Duration = Duration::from_micros(200);
const LONGEST_PAUSE: Duration = Duration::from_millis(20);

impl File {
    /// Locks the file for this open file alone, as [`std::fs::File::lock`], and parks the thread while
    /// another open file has it, of this or another process. It asks again at least every 20 ms; who
    /// asks first when it is free gets it. A cancellation point while it waits: the lock is not
    /// taken then.
    ///
    /// The lock is advisory, and belongs to the open file: clones share it, and the end of the last
    /// one gives it back.
    ///
    /// # Errors
    ///
    /// What `flock(2)` says.
    ///
    /// ```
    /// use trefoil_net::fs::{self, File, TryLockError};
    ///
    /// let path = std::env::temp_dir().join(format!("trefoil-lock-{}", std::process::id()));
    /// let (one, other) = (File::create(&path)?, File::open(&path)?);
    /// one.lock()?;
    /// assert!(matches!(other.try_lock(), Err(TryLockError::WouldBlock)));
    /// one.unlock()?;
    /// other.lock()?;
    /// fs::remove_file(&path)?;
    /// # Ok::<(), std::io::Error>(())
    /// ```
    #[track_caller]
    pub fn lock(&self) -> io::Result<()> {
        when_free(|| self.file.try_lock())
    }

    /// Locks the file, together with others that share it. Waits as [`lock`](File::lock).
    ///
    /// # Errors
    ///
    /// What `flock(2)` says.
    ///
    /// ```
    /// use trefoil_net::fs::{self, File};
    ///
    /// let path = std::env::temp_dir().join(format!("trefoil-shared-{}", std::process::id()));
    /// let (one, other) = (File::create(&path)?, File::open(&path)?);
    /// one.lock_shared()?;
    /// other.lock_shared()?;
    /// fs::remove_file(&path)?;
    /// # Ok::<(), std::io::Error>(())
    /// ```
    #[track_caller]
    pub fn lock_shared(&self) -> io::Result<()> {
        when_free(|| self.file.try_lock_shared())
    }

    /// As [`lock`](File::lock), but does not wait for another lock. No cancellation point.
    ///
    /// # Errors
    ///
    /// `TryLockError::WouldBlock` if it is locked; else what `flock(2)` says.
    ///
    /// ```
    /// use trefoil_net::fs::{self, File};
    ///
    /// let path = std::env::temp_dir().join(format!("trefoil-try-{}", std::process::id()));
    /// File::create(&path)?.try_lock()?;
    /// fs::remove_file(&path)?;
    /// # Ok::<(), std::io::Error>(())
    /// ```
    #[track_caller]
    pub fn try_lock(&self) -> Result<(), TryLockError> {
        call(|| self.file.try_lock())
    }

    /// As [`lock_shared`](File::lock_shared), but does not wait for another lock. No cancellation
    /// point.
    ///
    /// # Errors
    ///
    /// As [`try_lock`](File::try_lock).
    ///
    /// ```
    /// use trefoil_net::fs::File;
    ///
    /// File::open("/proc/self/exe")?.try_lock_shared()?;
    /// # Ok::<(), std::io::Error>(())
    /// ```
    #[track_caller]
    pub fn try_lock_shared(&self) -> Result<(), TryLockError> {
        call(|| self.file.try_lock_shared())
    }

    /// Gives the lock back. No cancellation point.
    ///
    /// # Errors
    ///
    /// What `flock(2)` says. A file that is not locked is no error.
    ///
    /// ```
    /// use trefoil_net::fs::File;
    ///
    /// File::open("/proc/self/exe")?.unlock()?;
    /// # Ok::<(), std::io::Error>(())
    /// ```
    #[track_caller]
    pub fn unlock(&self) -> io::Result<()> {
        call(|| self.file.unlock())
    }
}

/// Asks for a lock until it is free.
#[track_caller]
fn when_free(attempt: impl Fn() -> Result<(), TryLockError> + Sync) -> io::Result<()> {
    let wait = Wait::new(Reason::FileLock).cancellable();
    let mut pauses = Pauses::new(FIRST_PAUSE, LONGEST_PAUSE);
    loop {
        match call(&attempt) {
            Ok(()) => return Ok(()),
            Err(TryLockError::WouldBlock) => pauses.rest(&wait)?,
            Err(TryLockError::Error(error)) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(TryLockError::Error(error)) => return Err(error),
        }
    }
}
