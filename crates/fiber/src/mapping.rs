//! Mappings: address space for slabs, asked of the kernel and given back.

use std::ffi::c_int;
use std::io;
use std::ptr::{self, NonNull};

use crate::quota;

/// How much address space is left to the rest of the process, in bytes: were stacks to take the last
/// of it, the next `malloc` would fail, and with it the process.
const ROOM: usize = 16 * 1024 * 1024;

const ACCESS: c_int = libc::PROT_READ | libc::PROT_WRITE;

/// Maps `bytes` of fresh memory for stacks, without reserving any of it.
pub(crate) fn map(bytes: usize) -> io::Result<NonNull<u8>> {
    map_as(bytes, ACCESS)
}

/// The same, and an error if it would leave little address space to the rest of the process.
pub(crate) fn map_leaving_room(bytes: usize) -> io::Result<NonNull<u8>> {
    // Both at once: what is refused has taken nothing from anybody meanwhile. Without access: where
    // memory is locked, the room would be filled too.
    let memory = map_as(bytes + ROOM, libc::PROT_NONE)?;
    // SAFETY: the end of what was mapped just now, and nobody uses it.
    unsafe { unmap(memory.add(bytes), ROOM) };
    // SAFETY: the pages of a mapping that only we know.
    let refused = unsafe { libc::mprotect(memory.as_ptr().cast(), bytes, ACCESS) } != 0;
    if refused {
        let error = io::Error::last_os_error();
        // SAFETY: nobody uses the rest either.
        unsafe { unmap(memory, bytes) };
        return Err(explain("map memory for stacks", error));
    }
    Ok(memory)
}

fn map_as(bytes: usize, access: c_int) -> io::Result<NonNull<u8>> {
    let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_NORESERVE | libc::MAP_STACK;
    // SAFETY: a new mapping at an address of the kernel's choice touches nothing that exists.
    let memory = unsafe { libc::mmap(ptr::null_mut(), bytes, access, flags, -1, 0) };
    if memory == libc::MAP_FAILED {
        let refused = io::Error::last_os_error();
        return Err(explain("map memory for stacks", refused));
    }
    Ok(NonNull::new(memory.cast()).expect("the kernel maps nothing at address 0 unasked"))
}

/// Unmaps what [`map`] gave, or a part of it.
///
/// # Safety
///
/// `low` and `bytes` are whole pages of a mapping that [`map`] gave, and nobody uses that memory any
/// more.
pub(crate) unsafe fn unmap(low: NonNull<u8>, bytes: usize) {
    // SAFETY: passed on to the caller.
    let result = unsafe { libc::munmap(low.as_ptr().cast(), bytes) };
    debug_assert_eq!(result, 0, "munmap: {}", io::Error::last_os_error());
}

/// What the kernel has refused, with what to do about it where it is one of the usual limits.
#[cold]
pub(crate) fn explain(wish: &str, refused: io::Error) -> io::Error {
    match refused.raw_os_error() {
        Some(libc::ENOMEM) => io::Error::new(
            io::ErrorKind::OutOfMemory,
            format!(
                "cannot {wish}: the process has used up its address space or its memory mappings. \
                 Use fewer or smaller stacks, raise `ulimit -v`, allow overcommitment \
                 (`sysctl vm.overcommit_memory`), or raise vm.max_map_count (now {})",
                quota::max_map_count()
            ),
        ),
        Some(libc::EAGAIN) => io::Error::new(
            io::ErrorKind::OutOfMemory,
            format!(
                "cannot {wish}: the process locks its memory, and has used up what it may lock. \
                 Raise `ulimit -l`, or use fewer or smaller stacks"
            ),
        ),
        _ => refused,
    }
}
