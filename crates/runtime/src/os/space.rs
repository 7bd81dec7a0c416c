//! The process's address space: how much of it may be used, and whether so much is left.
//!
//! It is asked anew each time, for the limit may be raised while the process runs (`ulimit -v`),
//! and nothing is kept open: a descriptor that outlives `fork(2)` would tell of the parent.

use std::fs::File;
use std::io::Read as _;
use std::ptr;

/// The address space at one moment, of a process in which it is limited.
#[derive(Debug)]
pub(super) struct Space {
    /// How much the process may have, in bytes.
    pub(super) limit: usize,
    /// How much it has. `None`: that cannot be read.
    used: Option<usize>,
}

impl Space {
    /// `None`: there is no limit.
    pub(super) fn now() -> Option<Space> {
        let limit = limit()?;
        let used = used();
        Some(Space { limit, used })
    }

    /// Whether `bytes` more are within the limit.
    pub(super) fn has(&self, bytes: usize) -> bool {
        match self.used {
            Some(used) => used.saturating_add(bytes) <= self.limit,
            None => can_map(bytes),
        }
    }
}

fn limit() -> Option<usize> {
    let mut limit = libc::rlimit {
        rlim_cur: libc::RLIM_INFINITY,
        rlim_max: libc::RLIM_INFINITY,
    };
    // SAFETY: it fills one live value. If it fails, none is what is read.
    unsafe { libc::getrlimit(libc::RLIMIT_AS, &raw mut limit) };
    match limit.rlim_cur {
        libc::RLIM_INFINITY => None,
        bytes => Some(usize::try_from(bytes).unwrap_or(usize::MAX)),
    }
}

/// `None`: there is no `/proc`, or no descriptor left to read it.
fn used() -> Option<usize> {
    let mut text = [0; 128];
    let len = File::open("/proc/self/statm").ok()?.read(&mut text).ok()?;
    let pages = str::from_utf8(&text[..len]).ok()?.split(' ').next()?;
    // SAFETY: it takes no pointer.
    let page = unsafe { libc::sysconf(libc::_SC_PAGESIZE) };
    pages
        .parse::<usize>()
        .ok()?
        .checked_mul(usize::try_from(page).ok()?)
}

/// Asks the kernel itself. Only where there is no other way: for a moment it takes what it asks
/// for, and others may be refused meanwhile.
fn can_map(bytes: usize) -> bool {
    let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_NORESERVE;
    // Without access: where memory is locked, it would be filled at once.
    // SAFETY: a new mapping at an address of the kernel's choice touches nothing that exists.
    let memory = unsafe { libc::mmap(ptr::null_mut(), bytes, libc::PROT_NONE, flags, -1, 0) };
    if memory == libc::MAP_FAILED {
        return false;
    }
    // SAFETY: it was mapped just now, and nobody uses it.
    unsafe { libc::munmap(memory, bytes) };
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_ways_tell_the_same() {
        let used = used().expect("Linux tells");
        assert!((1 << 20..1 << 46).contains(&used), "{used}");
        assert!(can_map(1 << 20) && !can_map(1 << 60));
        let limit = used << 1;
        let space = [Some(used), None].map(|used| Space { limit, used });
        assert!(space.iter().all(|space| space.has(1 << 20)));
        assert!(!space.iter().any(|space| space.has(1 << 60)));
    }
}
