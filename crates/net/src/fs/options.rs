//! How a file is to be opened.
#![forbid(unsafe_code)]

use std::fs;
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use super::call::point;
use super::file::File;

/// How a file is to be opened, as [`std::fs::OpenOptions`]. Only [`open`](OpenOptions::open) may wait.
///
/// `mode` and `custom_flags` are those of [`OpenOptionsExt`], which is imported from `std`.
///
/// ```
/// use std::io::Write;
/// use std::os::unix::fs::OpenOptionsExt;
/// use trefoil_net::fs::{self, OpenOptions};
///
/// let path = std::env::temp_dir().join(format!("trefoil-options-{}", std::process::id()));
/// let mut file = OpenOptions::new().append(true).create(true).mode(0o600).open(&path)?;
/// file.write_all(b"a line\n")?;
/// fs::remove_file(&path)?;
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct OpenOptions {
    options: fs::OpenOptions,
}

macro_rules! switches {
    ($($(#[$doc:meta])* $name:ident,)*) => {$(
        $(#[$doc])*
        pub fn $name(&mut self, $name: bool) -> &mut OpenOptions {
            self.options.$name($name);
            self
        }
    )*};
}

impl OpenOptions {
    /// Nothing is switched on yet.
    ///
    /// ```
    /// use trefoil_net::fs::OpenOptions;
    ///
    /// let file = OpenOptions::new().read(true).open("/proc/self/comm")?;
    /// # Ok::<(), std::io::Error>(())
    /// ```
    #[must_use]
    pub fn new() -> OpenOptions {
        OpenOptions {
            options: fs::OpenOptions::new(),
        }
    }

    switches! {
        /// Whether it can be read.
        ///
        /// ```
        /// use trefoil_net::fs::OpenOptions;
        ///
        /// OpenOptions::new().read(true).open("/proc/self/comm")?;
        /// # Ok::<(), std::io::Error>(())
        /// ```
        read,
        /// Whether it can be written. An old file is overwritten from its beginning, and not cut off.
        ///
        /// ```
        /// use trefoil_net::fs::OpenOptions;
        ///
        /// OpenOptions::new().write(true).open("/dev/null")?;
        /// # Ok::<(), std::io::Error>(())
        /// ```
        write,
        /// Whether each write goes to the end of the file.
        ///
        /// ```
        /// use trefoil_net::fs::OpenOptions;
        ///
        /// OpenOptions::new().append(true).open("/dev/null")?;
        /// # Ok::<(), std::io::Error>(())
        /// ```
        append,
        /// Whether an old file is emptied.
        ///
        /// ```
        /// use trefoil_net::fs::OpenOptions;
        ///
        /// OpenOptions::new().write(true).truncate(true).open("/dev/null")?;
        /// # Ok::<(), std::io::Error>(())
        /// ```
        truncate,
        /// Whether a file that is not there is made.
        ///
        /// ```
        /// use trefoil_net::fs::OpenOptions;
        ///
        /// OpenOptions::new().write(true).create(true).open("/dev/null")?;
        /// # Ok::<(), std::io::Error>(())
        /// ```
        create,
        /// Whether it must be a new file.
        ///
        /// ```
        /// use std::io::ErrorKind;
        /// use trefoil_net::fs::OpenOptions;
        ///
        /// let refused = OpenOptions::new().write(true).create_new(true).open("/dev/null").unwrap_err();
        /// assert_eq!(refused.kind(), ErrorKind::AlreadyExists);
        /// ```
        create_new,
    }

    /// Opens the file. A cancellation point, before it begins. A FIFO is open when somebody has
    /// opened its other end, which no cancellation hastens; `custom_flags` with `O_NONBLOCK` does.
    ///
    /// # Errors
    ///
    /// What `open(2)` says; `InvalidInput` for switches that contradict each other.
    ///
    /// ```
    /// use trefoil_net::fs::OpenOptions;
    ///
    /// let file = OpenOptions::new().read(true).open("/proc/self/comm")?;
    /// # Ok::<(), std::io::Error>(())
    /// ```
    #[track_caller]
    pub fn open<P: AsRef<Path>>(&self, path: P) -> io::Result<File> {
        let path = path.as_ref();
        point(|| self.options.open(path)).map(File::from_std)
    }
}

impl Default for OpenOptions {
    fn default() -> OpenOptions {
        OpenOptions::new()
    }
}

impl OpenOptionsExt for OpenOptions {
    fn mode(&mut self, mode: u32) -> &mut OpenOptions {
        self.options.mode(mode);
        self
    }

    fn custom_flags(&mut self, flags: i32) -> &mut OpenOptions {
        self.options.custom_flags(flags);
        self
    }
}
