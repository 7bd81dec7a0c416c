//! Guard pages: how the page below a stack is made to fault.
//!
//! Two methods. `MADV_GUARD_INSTALL` marks the page in the page table alone, so a slab stays one
//! mapping however many guards it has. `mprotect(2)` works everywhere, but splits the mapping: each
//! stack then costs two of the mappings that the kernel allows a process. Which one is used is
//! found out once per process. Where a guard stands is decided in `slab.rs`, when it is made in
//! `pool.rs`; how many stacks the second method allows, in `quota.rs`.

use std::ffi::c_int;
use std::io;
use std::ptr::NonNull;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU8, Ordering};

use crate::advice;
use crate::mapping;

/// Linux 6.13, `include/uapi/asm-generic/mman-common.h`. Not in the `libc` crate.
const MADV_GUARD_INSTALL: c_int = 102;

/// The environment variable that forces a method, by its only
const VARIABLE: &str = "TREFOIL_GUARD";
/// value.
const FORCED: &str = "mprotect";

/// What a guard page is made with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Method {
    Install = 1,
    Protect = 2,
}

/// 0: not found out yet.
static METHOD: AtomicU8 = AtomicU8::new(0);

/// The size of a page of this machine, in bytes.
pub(crate) fn page_size() -> usize {
    static SIZE: OnceLock<usize> = OnceLock::new();
    *SIZE.get_or_init(|| {
        // SAFETY: sysconf takes no pointer.
        let size = unsafe { libc::sysconf(libc::_SC_PAGESIZE) };
        usize::try_from(size).expect("the system tells its page size")
    })
}

/// How this process makes its guard pages.
pub(crate) fn method() -> Method {
    // Relaxed: who finds out twice finds the same, or the later word of `give_up_installing`.
    match METHOD.load(Ordering::Relaxed) {
        1 => Method::Install,
        2 => Method::Protect,
        _ => {
            let method = choose();
            // A later word stands.
            let _ = METHOD.compare_exchange(0, method as u8, Ordering::Relaxed, Ordering::Relaxed);
            method
        }
    }
}

/// Whether the environment variable `TREFOIL_GUARD` holds what it can: `mprotect`, or nothing. For
/// who makes a [`StackPool`](crate::StackPool), which does not ask.
///
/// # Errors
///
/// [`io::ErrorKind::InvalidInput`]: it holds something else.
///
/// ```
/// # if std::env::var_os("TREFOIL_GUARD").is_some() { return; }
/// assert!(trefoil_fiber::check_environment().is_ok());
/// ```
pub fn check_environment() -> io::Result<()> {
    let value = std::env::var_os(VARIABLE).unwrap_or_default();
    if value.is_empty() || value == FORCED {
        return Ok(());
    }
    Err(io::Error::new(
        io::ErrorKind::InvalidInput,
        format!(
            "the environment variable {VARIABLE} is `{}`, which it cannot be: set it to `{FORCED}`, \
             or not at all",
            value.to_string_lossy()
        ),
    ))
}

/// Makes every access to the pages at `pages` fault, until their mapping goes. Tells how it was done.
///
/// On an error some of them may have been made: to make one twice does no harm.
///
/// # Safety
///
/// Each is the start of a page of a private anonymous mapping that nobody uses.
pub(crate) unsafe fn install(pages: &[NonNull<u8>]) -> io::Result<Method> {
    if method() == Method::Install {
        // SAFETY: passed on to the caller.
        match unsafe { advise(pages) } {
            // Memory that is locked by mlockall(2) takes no such guard; mprotect does it there.
            Err(error) if error.raw_os_error() == Some(libc::EINVAL) => give_up_installing(),
            done => return done.map(|()| Method::Install).map_err(explain),
        }
    }
    for &page in pages {
        // SAFETY: passed on to the caller.
        unsafe { protect(page) }.map_err(explain)?;
    }
    Ok(Method::Protect)
}

/// Looks whether new memory is locked, by mlockall(2): then no guard is installed any more.
///
/// # Safety
///
/// `page` is the start of a page of a private anonymous mapping that nobody uses.
pub(crate) unsafe fn look_at(page: NonNull<u8>) {
    if method() == Method::Install {
        // Refused for locked memory, as the guard would be, and without page tables otherwise.
        // SAFETY: nobody has anything in this page, says the caller.
        let refused =
            unsafe { libc::madvise(page.as_ptr().cast(), page_size(), libc::MADV_DONTNEED) };
        if refused != 0 {
            give_up_installing();
        }
    }
}

/// From now on the second method, whose stacks are counted, also those of slabs that are there
/// already.
fn give_up_installing() {
    METHOD.store(Method::Protect as u8, Ordering::Relaxed);
}

fn choose() -> Method {
    // What it cannot hold is refused to who asks `check_environment`.
    if std::env::var_os(VARIABLE).is_some_and(|method| method == FORCED) {
        return Method::Protect;
    }
    if probe() {
        Method::Install
    } else {
        Method::Protect
    }
}

/// Whether the kernel knows `MADV_GUARD_INSTALL`, tried on a page of its own.
fn probe() -> bool {
    let Ok(page) = mapping::map(page_size()) else {
        return false;
    };
    // SAFETY: the page was mapped just now and is known to nobody else.
    let known = unsafe { advise(&[page]) }.is_ok();
    // SAFETY: as above; nobody uses it any more.
    unsafe { mapping::unmap(page, page_size()) };
    known
}

/// # Safety
///
/// As for [`install`].
unsafe fn advise(pages: &[NonNull<u8>]) -> io::Result<()> {
    let ranges = pages.iter().map(|&page| (page, page_size()));
    // SAFETY: the ranges are unused pages, says the caller; an unknown advice is only refused.
    unsafe { advice::give(ranges, MADV_GUARD_INSTALL) }
}

/// # Safety
///
/// As for [`install`].
unsafe fn protect(page: NonNull<u8>) -> io::Result<()> {
    // SAFETY: the range is one unused page, says the caller.
    match unsafe { libc::mprotect(page.as_ptr().cast(), page_size(), libc::PROT_NONE) } {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}

fn explain(refused: io::Error) -> io::Error {
    mapping::explain("make the guard page of a stack", refused)
}
