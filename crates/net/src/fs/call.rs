//! How a call of the file system is made: where it blocks nobody else, and which can be ended.
#![forbid(unsafe_code)]

use trefoil_runtime::thread;

/// Makes a call that may block its OS thread.
#[track_caller]
pub(super) fn call<T: Send>(call: impl FnOnce() -> T + Send) -> T {
    thread::blocking(call)
}

/// The same, for a call that POSIX has as a cancellation point: it is not begun by a thread that was
/// asked to end.
#[track_caller]
pub(super) fn point<T: Send>(call: impl FnOnce() -> T + Send) -> T {
    thread::checkpoint();
    thread::blocking(call)
}
