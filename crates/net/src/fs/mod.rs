//! Files and directories, as in [`std::fs`]: its names, its signatures and its errors.
//!
//! The kernel cannot tell a program that a file is ready: a call waits for the disk, for a
//! server far away, or for who opens the other end of a FIFO. So each call that may wait is made by
//! [`thread::blocking`](trefoil_runtime::thread::blocking): on a thread of the kernel model, and on a
//! plain `std::thread`, right here; on green and hybrid on an OS thread of the pool, while the
//! calling thread is parked and others run. Nothing is copied for that: the call uses the caller's
//! own buffer.
//!
//! # What it costs
//!
//! On green and hybrid a call goes to another OS thread and back: some microseconds. So read and write
//! much at once. [`read`], [`write()`], [`copy`], `read_to_end`, `read_exact` and `write_all` are one call
//! each, however long they take; `write!` is one, too. What a program reads or writes in small pieces
//! belongs into a [`BufReader`](std::io::BufReader) or [`BufWriter`](std::io::BufWriter).
//!
//! # Cancellation
//!
//! Opening a file, reading, writing, copying and `sync_all` are cancellation points, and always, as
//! POSIX has them: a thread that was asked to end, or whose timeout is over, does not begin the call,
//! and so has read and written nothing. A call that has begun cannot be called back. It comes to its
//! end, and the thread gets its value; the request is raised at the next point. So a thread that opens
//! a FIFO to which nobody comes is not ended. [`File::lock`] is a point while it waits, too. The other
//! calls, among them those with which a destructor tidies up, are none.
//!
//! # What never waits
//!
//! [`Metadata`], [`Permissions`], [`FileType`] and [`FileTimes`] are those of `std`: they are values.
//! Dropping a [`File`] closes its descriptor right here. That does not wait on a local file system; on
//! NFS it may, and [`File::sync_all`] before it leaves nothing to wait for.
//!
//! Inside [`no_suspend`](trefoil_runtime::thread::no_suspend) a call that may wait panics, on every model.
//!
//! ```
//! use std::io::{Read, Seek, Write};
//! use trefoil_net::fs;
//!
//! let path = std::env::temp_dir().join(format!("trefoil-fs-{}", std::process::id()));
//! let mut file = fs::File::options().read(true).write(true).create_new(true).open(&path)?;
//! file.write_all(b"hello")?;
//! file.rewind()?;
//! let mut text = String::new();
//! file.read_to_string(&mut text)?;
//! assert_eq!(text, "hello");
//! fs::remove_file(&path)?;
//! # Ok::<(), std::io::Error>(())
//! ```
#![forbid(unsafe_code)]

mod bytes;
mod call;
mod convert;
mod directory;
mod file;
mod lock;
mod options;
mod paths;

pub use directory::{DirBuilder, DirEntry, ReadDir};
pub use file::File;
pub use options::OpenOptions;
pub use paths::{
    canonicalize, chown, copy, create_dir, create_dir_all, exists, fchown, hard_link, lchown,
    metadata, read, read_dir, read_link, read_to_string, remove_dir, remove_dir_all, remove_file,
    rename, set_permissions, symlink, symlink_metadata, write,
};
pub use std::fs::{FileTimes, FileType, Metadata, Permissions, TryLockError};
