//! Guard pages: how the page below a stack is made to fault.
//!
//! Two methods. `MADV_GUARD_INSTALL` marks the page in the page table alone, so a slab stays one
//! mapping however many guards it has. `mprotect(2)` works everywhere, but splits the mapping.
//! Which one is used is found out once per process. Where a guard stands is decided in
//! `slab.rs`, when it is made in `pool.rs`.

use std::ffi::c_int;
use std::io;
use std::ptr::{self, NonNull};
use std::sync::OnceLock;

/// Linux 6.13, `include/uapi/asm-generic/mman-common.h`. Not in the `libc` crate.
const MADV_GUARD_INSTALL: c_int = 102;

/// The environment variable that forces a method.
const VARIABLE: &str = "TREFOIL_GUARD";

#[derive(Clone, Copy, PartialEq, Eq)]
enum Method {
    Install,
    Protect,
}

/// The size of a page of this machine, in bytes.
pub(crate) fn page_size() -> usize {
    static SIZE: OnceLock<usize> = OnceLock::new();
    *SIZE.get_or_init(|| {
        // SAFETY: sysconf takes no pointer.
        let size = unsafe { libc::sysconf(libc::_SC_PAGESIZE) };
        usize::try_from(size).expect("the system tells its page size")
    })
}

/// Makes every access to the page at `page` fault, until its mapping goes.
///
/// # Safety
///
/// `page` is the start of a page of a private anonymous mapping that nobody uses.
pub(crate) unsafe fn install(page: NonNull<u8>) -> io::Result<()> {
    static METHOD: OnceLock<Method> = OnceLock::new();
    if *METHOD.get_or_init(choose) == Method::Install {
        // SAFETY: passed on to the caller.
        match unsafe { advise(page) } {
            // A mapping locked by mlockall(2) takes no such guard; mprotect does it there.
            Err(error) if error.raw_os_error() == Some(libc::EINVAL) => {}
            done => return done,
        }
    }
    // SAFETY: passed on to the caller.
    unsafe { protect(page) }
}

fn choose() -> Method {
    if std::env::var_os(VARIABLE).is_some_and(|method| method == "mprotect") {
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
    let Ok(page) = map(page_size()) else {
        return false;
    };
    // SAFETY: the page was mapped just now and is known to nobody else.
    let known = unsafe { advise(page) }.is_ok();
    // SAFETY: as above; nobody uses it any more.
    unsafe { unmap(page, page_size()) };
    known
}

/// # Safety
///
/// As for [`install`].
unsafe fn advise(page: NonNull<u8>) -> io::Result<()> {
    // SAFETY: the range is one unused page, says the caller; an unknown advice is only refused.
    let result = unsafe { libc::madvise(page.as_ptr().cast(), page_size(), MADV_GUARD_INSTALL) };
    if result == 0 {
        Ok(())
    } else {
        Err(out_of_mappings("make the guard page of a stack"))
    }
}

/// # Safety
///
/// As for [`install`].
unsafe fn protect(page: NonNull<u8>) -> io::Result<()> {
    // SAFETY: the range is one unused page, says the caller.
    let result = unsafe { libc::mprotect(page.as_ptr().cast(), page_size(), libc::PROT_NONE) };
    if result == 0 {
        Ok(())
    } else {
        Err(out_of_mappings("make the guard page of a stack"))
    }
}

/// Maps `bytes` of fresh memory for stacks, without reserving any of it.
pub(crate) fn map(bytes: usize) -> io::Result<NonNull<u8>> {
    let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_NORESERVE | libc::MAP_STACK;
    let access = libc::PROT_READ | libc::PROT_WRITE;
    // SAFETY: a new mapping at an address of the kernel's choice touches nothing that exists.
    let memory = unsafe { libc::mmap(ptr::null_mut(), bytes, access, flags, -1, 0) };
    if memory == libc::MAP_FAILED {
        return Err(out_of_mappings("map memory for stacks"));
    }
    Ok(NonNull::new(memory.cast()).expect("the kernel maps nothing at address 0 unasked"))
}

/// Unmaps what [`map`] gave.
///
/// # Safety
///
/// `low` and `bytes` are those of one [`map`], and nobody uses that memory any more.
pub(crate) unsafe fn unmap(low: NonNull<u8>, bytes: usize) {
    // SAFETY: passed on to the caller.
    let result = unsafe { libc::munmap(low.as_ptr().cast(), bytes) };
    debug_assert_eq!(result, 0, "munmap: {}", io::Error::last_os_error());
}

/// The last error of the system, with what to do about it where it is the usual one.
#[cold]
fn out_of_mappings(wish: &str) -> io::Error {
    let error = io::Error::last_os_error();
    if error.raw_os_error() != Some(libc::ENOMEM) {
        return error;
    }
    let limit = std::fs::read_to_string("/proc/sys/vm/max_map_count").unwrap_or_default();
    let limit = match limit.trim() {
        "" => "unknown",
        number => number,
    };
    io::Error::new(
        io::ErrorKind::OutOfMemory,
        format!(
            "cannot {wish}: the process has used up its memory mappings or its address space. \
             Raise vm.max_map_count (now {limit}) with `sysctl -w vm.max_map_count=1048576`, raise \
             `ulimit -v`, use fewer or smaller stacks, or run on Linux 6.13 or later, where a guard \
             page needs no mapping of its own"
        ),
    )
}
