//! An open file.
#![forbid(unsafe_code)]

use std::fmt;
use std::fs;
use std::io::{self, IsTerminal as _};
use std::path::Path;
use std::time::SystemTime;

use super::call::{call, point};
use super::options::OpenOptions;

/// An open file, as [`std::fs::File`].
///
/// A call that may wait parks the thread, in every model, and others run on; see [`fs`](super). `Read`,
/// `Write` and `Seek` are there for `&File` too: threads that share a file share its position. The
/// positional calls of [`FileExt`](std::os::unix::fs::FileExt), which is imported from `std`, leave that
/// position alone.
///
/// ```
/// use std::io::Write;
/// use std::os::unix::fs::FileExt;
/// use trefoil_net::fs::{self, File};
///
/// let path = std::env::temp_dir().join(format!("trefoil-file-{}", std::process::id()));
/// let mut file = File::create(&path)?;
/// file.write_all(b"abcdef")?;
///
/// let mut middle = [0; 2];
/// File::open(&path)?.read_exact_at(&mut middle, 2)?;
/// assert_eq!(&middle, b"cd");
/// fs::remove_file(&path)?;
/// # Ok::<(), std::io::Error>(())
/// ```
pub struct File {
    pub(super) file: fs::File,
}

impl File {
    /// Opens a file to read it. A cancellation point, before it begins.
    ///
    /// # Errors
    ///
    /// What `open(2)` says: `NotFound`, `PermissionDenied`, and so on.
    ///
    /// ```
    /// use std::io::ErrorKind;
    /// use trefoil_net::fs::File;
    ///
    /// assert!(File::open("/proc/self/comm").is_ok());
    /// assert_eq!(File::open("/no/such/file").unwrap_err().kind(), ErrorKind::NotFound);
    /// ```
    #[track_caller]
    pub fn open<P: AsRef<Path>>(path: P) -> io::Result<File> {
        let path = path.as_ref();
        point(|| fs::File::open(path)).map(File::from_std)
    }

    /// Opens a file to write it: a new one, or an old one that is emptied. A cancellation point,
    /// before it begins.
    ///
    /// # Errors
    ///
    /// What `open(2)` says.
    ///
    /// ```
    /// use trefoil_net::fs::{self, File};
    ///
    /// let path = std::env::temp_dir().join(format!("trefoil-create-{}", std::process::id()));
    /// assert_eq!(File::create(&path)?.metadata()?.len(), 0);
    /// fs::remove_file(&path)?;
    /// # Ok::<(), std::io::Error>(())
    /// ```
    #[track_caller]
    pub fn create<P: AsRef<Path>>(path: P) -> io::Result<File> {
        let path = path.as_ref();
        point(|| fs::File::create(path)).map(File::from_std)
    }

    /// Makes a file that is not there yet, and opens it to read and write. A cancellation point, before
    /// it begins.
    ///
    /// # Errors
    ///
    /// `AlreadyExists`; else what `open(2)` says.
    ///
    /// ```
    /// use std::io::ErrorKind;
    /// use trefoil_net::fs::{self, File};
    ///
    /// let path = std::env::temp_dir().join(format!("trefoil-new-{}", std::process::id()));
    /// File::create_new(&path)?;
    /// assert_eq!(File::create_new(&path).unwrap_err().kind(), ErrorKind::AlreadyExists);
    /// fs::remove_file(&path)?;
    /// # Ok::<(), std::io::Error>(())
    /// ```
    #[track_caller]
    pub fn create_new<P: AsRef<Path>>(path: P) -> io::Result<File> {
        let path = path.as_ref();
        point(|| fs::File::create_new(path)).map(File::from_std)
    }

    /// How a file is to be opened: [`OpenOptions::new`]. Does not wait.
    ///
    /// ```
    /// use trefoil_net::fs::File;
    ///
    /// let file = File::options().read(true).open("/proc/self/comm")?;
    /// # Ok::<(), std::io::Error>(())
    /// ```
    #[must_use]
    pub fn options() -> OpenOptions {
        OpenOptions::new()
    }

    /// Waits until the file's content and metadata are on the disk. A cancellation point, before it
    /// begins.
    ///
    /// # Errors
    ///
    /// What `fsync(2)` says: an earlier write that failed is told here.
    ///
    /// ```
    /// use std::io::Write;
    /// use trefoil_net::fs::{self, File};
    ///
    /// let path = std::env::temp_dir().join(format!("trefoil-sync-{}", std::process::id()));
    /// let mut file = File::create(&path)?;
    /// file.write_all(b"kept")?;
    /// file.sync_all()?;
    /// fs::remove_file(&path)?;
    /// # Ok::<(), std::io::Error>(())
    /// ```
    #[track_caller]
    pub fn sync_all(&self) -> io::Result<()> {
        point(|| self.file.sync_all())
    }

    /// As [`sync_all`](File::sync_all), but for metadata that is not needed to read the content.
    ///
    /// # Errors
    ///
    /// What `fdatasync(2)` says.
    ///
    /// ```
    /// use std::io::Write;
    /// use trefoil_net::fs::{self, File};
    ///
    /// let path = std::env::temp_dir().join(format!("trefoil-data-{}", std::process::id()));
    /// let mut file = File::create(&path)?;
    /// file.write_all(b"kept")?;
    /// file.sync_data()?;
    /// fs::remove_file(&path)?;
    /// # Ok::<(), std::io::Error>(())
    /// ```
    #[track_caller]
    pub fn sync_data(&self) -> io::Result<()> {
        point(|| self.file.sync_data())
    }

    /// Cuts the file off at this length, or fills it up with zeros. Its position stays. No cancellation
    /// point.
    ///
    /// # Errors
    ///
    /// What `ftruncate(2)` says; `InvalidInput` if the file is not open to write.
    ///
    /// ```
    /// use trefoil_net::fs::{self, File};
    ///
    /// let path = std::env::temp_dir().join(format!("trefoil-len-{}", std::process::id()));
    /// let file = File::create(&path)?;
    /// file.set_len(100)?;
    /// assert_eq!(file.metadata()?.len(), 100);
    /// fs::remove_file(&path)?;
    /// # Ok::<(), std::io::Error>(())
    /// ```
    #[track_caller]
    pub fn set_len(&self, size: u64) -> io::Result<()> {
        call(|| self.file.set_len(size))
    }

    /// What the file system knows of the file. No cancellation point.
    ///
    /// # Errors
    ///
    /// What `statx(2)` says.
    ///
    /// ```
    /// use trefoil_net::fs::File;
    ///
    /// assert!(File::open("/")?.metadata()?.is_dir());
    /// # Ok::<(), std::io::Error>(())
    /// ```
    #[track_caller]
    pub fn metadata(&self) -> io::Result<fs::Metadata> {
        call(|| self.file.metadata())
    }

    /// Who may do what with the file. No cancellation point.
    ///
    /// # Errors
    ///
    /// What `fchmod(2)` says.
    ///
    /// ```
    /// use trefoil_net::fs::{self, File};
    ///
    /// let path = std::env::temp_dir().join(format!("trefoil-mode-{}", std::process::id()));
    /// let file = File::create(&path)?;
    /// let mut permissions = file.metadata()?.permissions();
    /// permissions.set_readonly(true);
    /// file.set_permissions(permissions)?;
    /// assert!(file.metadata()?.permissions().readonly());
    /// fs::remove_file(&path)?;
    /// # Ok::<(), std::io::Error>(())
    /// ```
    #[track_caller]
    pub fn set_permissions(&self, permissions: fs::Permissions) -> io::Result<()> {
        call(|| self.file.set_permissions(permissions))
    }

    /// When the file was read and changed last. No cancellation point.
    ///
    /// # Errors
    ///
    /// What `futimens(2)` says.
    ///
    /// ```
    /// use std::time::{Duration, UNIX_EPOCH};
    /// use trefoil_net::fs::{self, File, FileTimes};
    ///
    /// let path = std::env::temp_dir().join(format!("trefoil-times-{}", std::process::id()));
    /// let file = File::create(&path)?;
    /// let then = UNIX_EPOCH + Duration::from_secs(1_000_000_000);
    /// file.set_times(FileTimes::new().set_modified(then))?;
    /// assert_eq!(file.metadata()?.modified()?, then);
    /// fs::remove_file(&path)?;
    /// # Ok::<(), std::io::Error>(())
    /// ```
    #[track_caller]
    pub fn set_times(&self, times: fs::FileTimes) -> io::Result<()> {
        call(|| self.file.set_times(times))
    }

    /// When the file was changed last: [`set_times`](File::set_times) with one time.
    ///
    /// # Errors
    ///
    /// As there.
    ///
    /// ```
    /// use std::time::UNIX_EPOCH;
    /// use trefoil_net::fs::{self, File};
    ///
    /// let path = std::env::temp_dir().join(format!("trefoil-modified-{}", std::process::id()));
    /// let file = File::create(&path)?;
    /// file.set_modified(UNIX_EPOCH)?;
    /// assert_eq!(file.metadata()?.modified()?, UNIX_EPOCH);
    /// fs::remove_file(&path)?;
    /// # Ok::<(), std::io::Error>(())
    /// ```
    #[track_caller]
    pub fn set_modified(&self, time: SystemTime) -> io::Result<()> {
        self.set_times(fs::FileTimes::new().set_modified(time))
    }

    /// Another handle to the same open file, with a descriptor of its own. They share the position and
    /// the locks. Does not wait.
    ///
    /// # Errors
    ///
    /// At the limit of descriptors.
    ///
    /// ```
    /// use std::io::{Read, Seek, SeekFrom};
    /// use trefoil_net::fs::File;
    ///
    /// let mut file = File::open("/proc/self/comm")?;
    /// let mut other = file.try_clone()?;
    /// file.read(&mut [0; 3])?;
    /// assert_eq!(other.stream_position()?, 3);
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn try_clone(&self) -> io::Result<File> {
        self.file.try_clone().map(File::from_std)
    }

    /// Whether it is a terminal, as [`std::io::IsTerminal`], which is for `std`'s types alone. Does not
    /// wait.
    ///
    /// ```
    /// use trefoil_net::fs::File;
    ///
    /// assert!(!File::open("/dev/null")?.is_terminal());
    /// # Ok::<(), std::io::Error>(())
    /// ```
    #[must_use]
    pub fn is_terminal(&self) -> bool {
        self.file.is_terminal()
    }
}

impl fmt::Debug for File {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.file.fmt(f)
    }
}
