//! What is done with a path: the free functions of `std::fs`.
#![forbid(unsafe_code)]

use std::fs;
use std::io;
use std::os::fd::AsFd;
use std::os::unix;
use std::path::{Path, PathBuf};

use super::call::{call, point};
use super::directory::{DirBuilder, ReadDir};

/// The whole content of a file. A cancellation point, before it begins.
///
/// # Errors
///
/// What `open(2)` and `read(2)` say.
///
/// ```
/// let name = trefoil_net::fs::read("/proc/self/comm")?;
/// assert_eq!(name.last(), Some(&b'\n'));
/// # Ok::<(), std::io::Error>(())
/// ```
#[track_caller]
pub fn read<P: AsRef<Path>>(path: P) -> io::Result<Vec<u8>> {
    let path = path.as_ref();
    point(|| fs::read(path))
}

/// The whole content of a file, as text. A cancellation point, before it begins.
///
/// # Errors
///
/// What `open(2)` and `read(2)` say; `InvalidData` if it is no UTF-8.
///
/// ```
/// let name = trefoil_net::fs::read_to_string("/proc/self/comm")?;
/// assert!(name.ends_with('\n'));
/// # Ok::<(), std::io::Error>(())
/// ```
#[track_caller]
pub fn read_to_string<P: AsRef<Path>>(path: P) -> io::Result<String> {
    let path = path.as_ref();
    point(|| fs::read_to_string(path))
}

/// Makes a file with this content, or puts it in place of an old one's. A cancellation point, before it begins.
///
/// # Errors
///
/// What `open(2)` and `write(2)` say.
///
/// ```
/// use trefoil_net::fs;
///
/// let path = std::env::temp_dir().join(format!("trefoil-write-{}", std::process::id()));
/// fs::write(&path, "hello")?;
/// assert_eq!(fs::read_to_string(&path)?, "hello");
/// fs::remove_file(&path)?;
/// # Ok::<(), std::io::Error>(())
/// ```
#[track_caller]
pub fn write<P: AsRef<Path>, C: AsRef<[u8]>>(path: P, contents: C) -> io::Result<()> {
    let (path, contents) = (path.as_ref(), contents.as_ref());
    point(|| fs::write(path, contents))
}

/// Copies a file, with its permissions, and tells how many bytes that were. The kernel copies, where
/// it can. A cancellation point, before it begins.
///
/// # Errors
///
/// What `open(2)`, `copy_file_range(2)` and their kin say; `InvalidInput` if it is no file.
///
/// ```
/// use trefoil_net::fs;
///
/// let path = std::env::temp_dir().join(format!("trefoil-copy-{}", std::process::id()));
/// let other = path.with_extension("copy");
/// fs::write(&path, "hello")?;
/// assert_eq!(fs::copy(&path, &other)?, 5);
/// assert_eq!(fs::read(&other)?, b"hello");
/// fs::remove_file(&path)?;
/// fs::remove_file(&other)?;
/// # Ok::<(), std::io::Error>(())
/// ```
#[track_caller]
pub fn copy<P: AsRef<Path>, Q: AsRef<Path>>(from: P, to: Q) -> io::Result<u64> {
    let (from, to) = (from.as_ref(), to.as_ref());
    point(|| fs::copy(from, to))
}

/// Gives a file or a directory another name, in place of what had it. No cancellation point.
///
/// # Errors
///
/// What `rename(2)` says: `CrossesDevices`, and so on.
///
/// ```
/// use trefoil_net::fs;
///
/// let path = std::env::temp_dir().join(format!("trefoil-rename-{}", std::process::id()));
/// let other = path.with_extension("new");
/// fs::write(&path, "hello")?;
/// fs::rename(&path, &other)?;
/// assert!(!fs::exists(&path)?);
/// fs::remove_file(&other)?;
/// # Ok::<(), std::io::Error>(())
/// ```
#[track_caller]
pub fn rename<P: AsRef<Path>, Q: AsRef<Path>>(from: P, to: Q) -> io::Result<()> {
    let (from, to) = (from.as_ref(), to.as_ref());
    call(|| fs::rename(from, to))
}

/// Removes a file. Who has it open goes on with it. No cancellation point.
///
/// # Errors
///
/// What `unlink(2)` says.
///
/// ```
/// use trefoil_net::fs;
///
/// let path = std::env::temp_dir().join(format!("trefoil-unlink-{}", std::process::id()));
/// fs::write(&path, "")?;
/// fs::remove_file(&path)?;
/// assert!(fs::remove_file(&path).is_err());
/// # Ok::<(), std::io::Error>(())
/// ```
#[track_caller]
pub fn remove_file<P: AsRef<Path>>(path: P) -> io::Result<()> {
    let path = path.as_ref();
    call(|| fs::remove_file(path))
}

/// Removes an empty directory. No cancellation point.
///
/// # Errors
///
/// What `rmdir(2)` says: `DirectoryNotEmpty`, and so on.
///
/// ```
/// use trefoil_net::fs;
///
/// let path = std::env::temp_dir().join(format!("trefoil-rmdir-{}", std::process::id()));
/// fs::create_dir(&path)?;
/// fs::remove_dir(&path)?;
/// # Ok::<(), std::io::Error>(())
/// ```
#[track_caller]
pub fn remove_dir<P: AsRef<Path>>(path: P) -> io::Result<()> {
    let path = path.as_ref();
    call(|| fs::remove_dir(path))
}

/// Removes a directory and all that is in it, and follows no symbolic link. One call, however long
/// it takes. No cancellation point.
///
/// # Errors
///
/// As [`remove_dir`] and [`remove_file`].
///
/// ```
/// use trefoil_net::fs;
///
/// let path = std::env::temp_dir().join(format!("trefoil-tree-{}", std::process::id()));
/// fs::create_dir_all(path.join("a/b"))?;
/// fs::write(path.join("a/file"), "")?;
/// fs::remove_dir_all(&path)?;
/// assert!(!fs::exists(&path)?);
/// # Ok::<(), std::io::Error>(())
/// ```
#[track_caller]
pub fn remove_dir_all<P: AsRef<Path>>(path: P) -> io::Result<()> {
    let path = path.as_ref();
    call(|| fs::remove_dir_all(path))
}

/// Makes a directory. No cancellation point.
///
/// # Errors
///
/// What `mkdir(2)` says: `AlreadyExists`, and so on.
///
/// ```
/// use trefoil_net::fs;
///
/// let path = std::env::temp_dir().join(format!("trefoil-mkdir-{}", std::process::id()));
/// fs::create_dir(&path)?;
/// assert!(fs::create_dir(&path).is_err());
/// fs::remove_dir(&path)?;
/// # Ok::<(), std::io::Error>(())
/// ```
#[track_caller]
pub fn create_dir<P: AsRef<Path>>(path: P) -> io::Result<()> {
    let path = path.as_ref();
    DirBuilder::new().create(path)
}

/// Makes a directory, and those above it that are missing. No cancellation point.
///
/// # Errors
///
/// What `mkdir(2)` says; none if it is there.
///
/// ```
/// use trefoil_net::fs;
///
/// let path = std::env::temp_dir().join(format!("trefoil-parents-{}", std::process::id()));
/// fs::create_dir_all(path.join("a/b/c"))?;
/// fs::create_dir_all(path.join("a/b/c"))?;
/// fs::remove_dir_all(&path)?;
/// # Ok::<(), std::io::Error>(())
/// ```
#[track_caller]
pub fn create_dir_all<P: AsRef<Path>>(path: P) -> io::Result<()> {
    let path = path.as_ref();
    DirBuilder::new().recursive(true).create(path)
}

/// The entries of a directory, without `.` and `..`, in no order. No cancellation point.
///
/// # Errors
///
/// What `opendir(3)` says; each entry may be an error of its own.
///
/// ```
/// use trefoil_net::fs;
///
/// let names: Result<Vec<_>, _> = fs::read_dir("/proc/self/task")?.map(|entry| Ok(entry?.file_name())).collect();
/// let names: std::io::Result<_> = names;
/// assert!(!names?.is_empty());
/// # Ok::<(), std::io::Error>(())
/// ```
#[track_caller]
pub fn read_dir<P: AsRef<Path>>(path: P) -> io::Result<ReadDir> {
    let path = path.as_ref();
    ReadDir::open(path)
}

/// What the file system knows of what the path leads to. No cancellation point.
///
/// # Errors
///
/// What `stat(2)` says.
///
/// ```
/// assert!(trefoil_net::fs::metadata("/")?.is_dir());
/// # Ok::<(), std::io::Error>(())
/// ```
#[track_caller]
pub fn metadata<P: AsRef<Path>>(path: P) -> io::Result<fs::Metadata> {
    let path = path.as_ref();
    call(|| fs::metadata(path))
}

/// The same, of a symbolic link itself if the path names one. No cancellation point.
///
/// # Errors
///
/// What `lstat(2)` says.
///
/// ```
/// assert!(trefoil_net::fs::symlink_metadata("/proc/self")?.is_symlink());
/// # Ok::<(), std::io::Error>(())
/// ```
#[track_caller]
pub fn symlink_metadata<P: AsRef<Path>>(path: P) -> io::Result<fs::Metadata> {
    let path = path.as_ref();
    call(|| fs::symlink_metadata(path))
}

/// Whether the path leads to something. No cancellation point.
///
/// # Errors
///
/// If it cannot be told.
///
/// ```
/// assert!(trefoil_net::fs::exists("/")?);
/// assert!(!trefoil_net::fs::exists("/no/such/file")?);
/// # Ok::<(), std::io::Error>(())
/// ```
#[track_caller]
pub fn exists<P: AsRef<Path>>(path: P) -> io::Result<bool> {
    let path = path.as_ref();
    call(|| fs::exists(path))
}

/// The absolute path, without symbolic links. No cancellation point.
///
/// # Errors
///
/// What `realpath(3)` says.
///
/// ```
/// use std::path::Path;
///
/// assert_eq!(trefoil_net::fs::canonicalize("/proc/..")?, Path::new("/"));
/// # Ok::<(), std::io::Error>(())
/// ```
#[track_caller]
pub fn canonicalize<P: AsRef<Path>>(path: P) -> io::Result<PathBuf> {
    let path = path.as_ref();
    call(|| fs::canonicalize(path))
}

/// Where a symbolic link leads. No cancellation point.
///
/// # Errors
///
/// What `readlink(2)` says; `InvalidInput` if it is no link.
///
/// ```
/// let number = trefoil_net::fs::read_link("/proc/self")?;
/// assert_eq!(number.to_str(), Some(&*std::process::id().to_string()));
/// # Ok::<(), std::io::Error>(())
/// ```
#[track_caller]
pub fn read_link<P: AsRef<Path>>(path: P) -> io::Result<PathBuf> {
    let path = path.as_ref();
    call(|| fs::read_link(path))
}

/// Another name for a file. No cancellation point.
///
/// # Errors
///
/// What `linkat(2)` says.
///
/// ```
/// use trefoil_net::fs;
///
/// let path = std::env::temp_dir().join(format!("trefoil-link-{}", std::process::id()));
/// let other = path.with_extension("other");
/// fs::write(&path, "hello")?;
/// fs::hard_link(&path, &other)?;
/// fs::remove_file(&path)?;
/// assert_eq!(fs::read(&other)?, b"hello");
/// fs::remove_file(&other)?;
/// # Ok::<(), std::io::Error>(())
/// ```
#[track_caller]
pub fn hard_link<P: AsRef<Path>, Q: AsRef<Path>>(original: P, link: Q) -> io::Result<()> {
    let (original, link) = (original.as_ref(), link.as_ref());
    call(|| fs::hard_link(original, link))
}

/// A symbolic link that leads to `original`, as [`std::os::unix::fs::symlink`]. No cancellation point.
///
/// # Errors
///
/// What `symlink(2)` says.
///
/// ```
/// use trefoil_net::fs;
///
/// let path = std::env::temp_dir().join(format!("trefoil-symlink-{}", std::process::id()));
/// fs::symlink("/", &path)?;
/// assert!(fs::metadata(&path)?.is_dir());
/// fs::remove_file(&path)?;
/// # Ok::<(), std::io::Error>(())
/// ```
#[track_caller]
pub fn symlink<P: AsRef<Path>, Q: AsRef<Path>>(original: P, link: Q) -> io::Result<()> {
    let (original, link) = (original.as_ref(), link.as_ref());
    call(|| unix::fs::symlink(original, link))
}

/// Who may do what with a file. No cancellation point.
///
/// # Errors
///
/// What `chmod(2)` says.
///
/// ```
/// use std::os::unix::fs::PermissionsExt;
/// use trefoil_net::fs::{self, Permissions};
///
/// let path = std::env::temp_dir().join(format!("trefoil-chmod-{}", std::process::id()));
/// fs::write(&path, "")?;
/// fs::set_permissions(&path, Permissions::from_mode(0o400))?;
/// assert!(fs::metadata(&path)?.permissions().readonly());
/// fs::remove_file(&path)?;
/// # Ok::<(), std::io::Error>(())
/// ```
#[track_caller]
pub fn set_permissions<P: AsRef<Path>>(path: P, permissions: fs::Permissions) -> io::Result<()> {
    let path = path.as_ref();
    call(|| fs::set_permissions(path, permissions))
}

/// Whose a file is, as [`std::os::unix::fs::chown`]. `None` leaves it. No cancellation point.
///
/// # Errors
///
/// What `chown(2)` says.
///
/// ```
/// use trefoil_net::fs;
///
/// let path = std::env::temp_dir().join(format!("trefoil-chown-{}", std::process::id()));
/// fs::write(&path, "")?;
/// fs::chown(&path, None, None)?;
/// fs::remove_file(&path)?;
/// # Ok::<(), std::io::Error>(())
/// ```
#[track_caller]
pub fn chown<P: AsRef<Path>>(path: P, uid: Option<u32>, gid: Option<u32>) -> io::Result<()> {
    let path = path.as_ref();
    call(|| unix::fs::chown(path, uid, gid))
}

/// Whose a symbolic link itself is, as [`std::os::unix::fs::lchown`]. `None` leaves it. No cancellation point.
///
/// # Errors
///
/// What `lchown(2)` says.
///
/// ```
/// use trefoil_net::fs;
///
/// let path = std::env::temp_dir().join(format!("trefoil-lchown-{}", std::process::id()));
/// fs::write(&path, "")?;
/// fs::lchown(&path, None, None)?;
/// fs::remove_file(&path)?;
/// # Ok::<(), std::io::Error>(())
/// ```
#[track_caller]
pub fn lchown<P: AsRef<Path>>(path: P, uid: Option<u32>, gid: Option<u32>) -> io::Result<()> {
    let path = path.as_ref();
    call(|| unix::fs::lchown(path, uid, gid))
}

/// Whose an open file is, as [`std::os::unix::fs::fchown`]. `None` leaves it. No cancellation point.
///
/// # Errors
///
/// What `fchown(2)` says.
///
/// ```
/// use trefoil_net::fs::{self, File};
///
/// let path = std::env::temp_dir().join(format!("trefoil-fchown-{}", std::process::id()));
/// fs::fchown(File::create(&path)?, None, None)?;
/// fs::remove_file(&path)?;
/// # Ok::<(), std::io::Error>(())
/// ```
#[track_caller]
pub fn fchown<F: AsFd>(file: F, uid: Option<u32>, gid: Option<u32>) -> io::Result<()> {
    let file = file.as_fd();
    call(|| unix::fs::fchown(file, uid, gid))
}
