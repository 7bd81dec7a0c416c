//! Descriptors, and the types of `std`. None of this waits.
#![forbid(unsafe_code)]

use std::fs;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, IntoRawFd, OwnedFd, RawFd};
use std::process::Stdio;

use super::file::File;

impl File {
    /// Takes over a file of `std`.
    ///
    /// ```
    /// use trefoil_net::fs::File;
    ///
    /// let file = File::from_std(std::fs::File::open("/proc/self/comm")?);
    /// # Ok::<(), std::io::Error>(())
    /// ```
    #[must_use]
    pub fn from_std(file: fs::File) -> File {
        File { file }
    }

    /// Makes it a file of `std`, whose calls block the OS thread.
    ///
    /// ```
    /// use trefoil_net::fs::File;
    ///
    /// let file: std::fs::File = File::open("/proc/self/comm")?.into_std();
    /// # Ok::<(), std::io::Error>(())
    /// ```
    #[must_use]
    pub fn into_std(self) -> fs::File {
        self.file
    }
}

impl From<fs::File> for File {
    fn from(file: fs::File) -> File {
        File::from_std(file)
    }
}

impl From<File> for fs::File {
    fn from(file: File) -> fs::File {
        file.into_std()
    }
}

impl From<OwnedFd> for File {
    fn from(fd: OwnedFd) -> File {
        File::from_std(fd.into())
    }
}

impl From<File> for OwnedFd {
    fn from(file: File) -> OwnedFd {
        file.file.into()
    }
}

impl From<File> for Stdio {
    fn from(file: File) -> Stdio {
        file.file.into()
    }
}

impl AsFd for File {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.file.as_fd()
    }
}

impl AsRawFd for File {
    fn as_raw_fd(&self) -> RawFd {
        self.file.as_raw_fd()
    }
}

impl IntoRawFd for File {
    fn into_raw_fd(self) -> RawFd {
        self.file.into_raw_fd()
    }
}
