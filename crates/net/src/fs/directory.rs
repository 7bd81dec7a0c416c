//! Directories: making them, and what is in them.
#![forbid(unsafe_code)]

use std::collections::VecDeque;
use std::ffi::OsString;
use std::fmt;
use std::fs;
use std::io;
use std::os::unix::fs::{DirBuilderExt, DirEntryExt};
use std::path::{Path, PathBuf};

use super::call::call;

/// So many entries are read by one call.
const AT_ONCE: usize = 64;

/// How a directory is to be made, as [`std::fs::DirBuilder`]. `mode` is that of [`DirBuilderExt`], which is
/// imported from `std`.
///
/// ```
/// use std::os::unix::fs::DirBuilderExt;
/// use trefoil_net::fs::{self, DirBuilder};
///
/// let path = std::env::temp_dir().join(format!("trefoil-builder-{}", std::process::id()));
/// DirBuilder::new().recursive(true).mode(0o700).create(path.join("inner"))?;
/// assert!(fs::metadata(path.join("inner"))?.is_dir());
/// fs::remove_dir_all(&path)?;
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Debug)]
pub struct DirBuilder {
    builder: fs::DirBuilder,
}

impl DirBuilder {
    /// One directory, whose parents exist. Does not wait.
    ///
    /// ```
    /// use trefoil_net::fs::DirBuilder;
    ///
    /// assert!(DirBuilder::new().create("/").is_err());
    /// ```
    #[must_use]
    pub fn new() -> DirBuilder {
        DirBuilder {
            builder: fs::DirBuilder::new(),
        }
    }

    /// Whether parents are made too. Then a directory that is there already is no error. Does not wait.
    ///
    /// ```
    /// use trefoil_net::fs::DirBuilder;
    ///
    /// assert!(DirBuilder::new().recursive(true).create("/").is_ok());
    /// ```
    pub fn recursive(&mut self, recursive: bool) -> &mut DirBuilder {
        self.builder.recursive(recursive);
        self
    }

    /// Makes the directory. No cancellation point.
    ///
    /// # Errors
    ///
    /// What `mkdir(2)` says.
    ///
    /// ```
    /// use trefoil_net::fs::{self, DirBuilder};
    ///
    /// let path = std::env::temp_dir().join(format!("trefoil-made-{}", std::process::id()));
    /// DirBuilder::new().create(&path)?;
    /// fs::remove_dir(&path)?;
    /// # Ok::<(), std::io::Error>(())
    /// ```
    #[track_caller]
    pub fn create<P: AsRef<Path>>(&self, path: P) -> io::Result<()> {
        let path = path.as_ref();
        call(|| self.builder.create(path))
    }
}

impl Default for DirBuilder {
    fn default() -> DirBuilder {
        DirBuilder::new()
    }
}

impl DirBuilderExt for DirBuilder {
    fn mode(&mut self, mode: u32) -> &mut DirBuilder {
        self.builder.mode(mode);
        self
    }
}

/// The entries of a directory, as [`std::fs::ReadDir`]: what [`read_dir`](super::read_dir) gives. They are
/// read some dozens at a time, so what is added or removed meanwhile may be seen or not, as in
/// `std`. No cancellation point.
///
/// ```
/// for entry in trefoil_net::fs::read_dir("/proc/self/task")? {
///     println!("{}", entry?.path().display());
/// }
/// # Ok::<(), std::io::Error>(())
/// ```
pub struct ReadDir {
    entries: fs::ReadDir,
    read: VecDeque<io::Result<DirEntry>>,
    /// There are no more to read.
    ended: bool,
}

impl ReadDir {
    #[track_caller]
    pub(super) fn open(path: &Path) -> io::Result<ReadDir> {
        call(|| {
            let mut directory = ReadDir {
                entries: fs::read_dir(path)?,
                read: VecDeque::new(),
                ended: false,
            };
            directory.read_some();
            Ok(directory)
        })
    }

    /// It may block.
    fn read_some(&mut self) {
        while self.read.len() < AT_ONCE {
            match self.entries.next() {
                Some(entry) => self.read.push_back(entry.map(DirEntry::new)),
                None => {
                    self.ended = true;
                    break;
                }
            }
        }
    }
}

impl Iterator for ReadDir {
    type Item = io::Result<DirEntry>;

    #[track_caller]
    fn next(&mut self) -> Option<io::Result<DirEntry>> {
        if self.read.is_empty() && !self.ended {
            call(|| self.read_some());
        }
        self.read.pop_front()
    }
}

impl fmt::Debug for ReadDir {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.entries.fmt(f)
    }
}

/// One entry of a directory, as [`std::fs::DirEntry`].
///
/// ```
/// let entry = trefoil_net::fs::read_dir("/proc/self/task")?.next().unwrap()?;
/// assert!(entry.file_type()?.is_dir());
/// # Ok::<(), std::io::Error>(())
/// ```
pub struct DirEntry {
    entry: fs::DirEntry,
    /// Most file systems tell it with the name; where one does not, it was asked for.
    file_type: Option<fs::FileType>,
}

impl DirEntry {
    /// It may block.
    fn new(entry: fs::DirEntry) -> DirEntry {
        DirEntry {
            file_type: entry.file_type().ok(),
            entry,
        }
    }

    /// The directory's path, as `read_dir` got it, and the name. Does not wait.
    ///
    /// ```
    /// let entry = trefoil_net::fs::read_dir("/proc/self/task")?.next().unwrap()?;
    /// assert!(entry.path().starts_with("/proc/self/task"));
    /// # Ok::<(), std::io::Error>(())
    /// ```
    #[must_use]
    pub fn path(&self) -> PathBuf {
        self.entry.path()
    }

    /// The name. Does not wait.
    ///
    /// ```
    /// let entry = trefoil_net::fs::read_dir("/proc/self/task")?.next().unwrap()?;
    /// assert!(entry.file_name().to_str().unwrap().parse::<u32>().is_ok());
    /// # Ok::<(), std::io::Error>(())
    /// ```
    #[must_use]
    pub fn file_name(&self) -> OsString {
        self.entry.file_name()
    }

    /// What the file system knows of it; of a symbolic link, not of what that names. No
    /// cancellation point.
    ///
    /// # Errors
    ///
    /// What `lstat(2)` says.
    ///
    /// ```
    /// let entry = trefoil_net::fs::read_dir("/proc/self/task")?.next().unwrap()?;
    /// assert!(entry.metadata()?.is_dir());
    /// # Ok::<(), std::io::Error>(())
    /// ```
    #[track_caller]
    pub fn metadata(&self) -> io::Result<fs::Metadata> {
        call(|| self.entry.metadata())
    }

    /// Whether it is a file, a directory, a symbolic link. It is known since the directory was
    /// read, so it hardly ever waits. No cancellation point.
    ///
    /// # Errors
    ///
    /// What `lstat(2)` says.
    ///
    /// ```
    /// let entry = trefoil_net::fs::read_dir("/proc/self/task")?.next().unwrap()?;
    /// assert!(entry.file_type()?.is_dir());
    /// # Ok::<(), std::io::Error>(())
    /// ```
    #[track_caller]
    pub fn file_type(&self) -> io::Result<fs::FileType> {
        match self.file_type {
            Some(known) => Ok(known),
            None => call(|| self.entry.file_type()),
        }
    }
}

impl DirEntryExt for DirEntry {
    fn ino(&self) -> u64 {
        self.entry.ino()
    }
}

impl fmt::Debug for DirEntry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.entry.fmt(f)
    }
}
