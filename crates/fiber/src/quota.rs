//! The quota: how many stacks may have a guard page made by `mprotect(2)`.
//!
//! Each takes two of the mappings that the kernel allows a process (`vm.max_map_count`). Were the
//! stacks to take the last one, the next `malloc` would fail, and with it the process. So an
//! eighth of the limit is left to the rest of the process, and a slab that would go beyond is
//! refused with an error that says what to do.
//!
//! A slab is counted whole when it is mapped. One that was mapped when guard pages cost nothing is
//! counted when the process begins to lock its memory: those slots that have no guard page yet, as
//! far as the limit goes. The others are given up, but for those that were promised; these are
//! counted beyond the limit. So nobody else gets what they take.

#![forbid(unsafe_code)]

use std::fmt;
use std::io;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::guard::Method;

/// Slots of all slabs of this process that were counted.
static COUNTED: AtomicUsize = AtomicUsize::new(0);

/// The right to guard so many stacks; given back when it is dropped.
#[derive(Debug, Default)]
pub(crate) struct Quota(usize);

impl Quota {
    /// For up to `wanted` stacks: fewer, but at least one, where the limit is near. Counts nothing
    /// where guard pages cost no mapping; `wanted` is then granted as it is.
    pub(crate) fn for_stacks(method: Method, wanted: usize) -> io::Result<(Quota, usize)> {
        if method == Method::Install {
            return Ok((Quota::default(), wanted));
        }
        let granted = claim(wanted).map_err(used_up)?;
        Ok((Quota(granted), granted))
    }

    /// For up to `wanted` more, as far as the limit goes. Gives how many.
    pub(crate) fn extend(&mut self, wanted: usize) -> usize {
        let granted = claim(wanted).unwrap_or(0);
        self.0 += granted;
        granted
    }

    /// For so many more, whatever the limit: they were promised.
    pub(crate) fn exceed(&mut self, more: usize) {
        COUNTED.fetch_add(more, Ordering::Relaxed);
        self.0 += more;
    }
}

impl Drop for Quota {
    fn drop(&mut self) {
        COUNTED.fetch_sub(self.0, Ordering::Relaxed);
    }
}

/// Counts up to `wanted` stacks, but at least one, and gives how many; or gives how many there are
/// already, if the limit is reached.
fn claim(wanted: usize) -> Result<usize, usize> {
    let limit = limit();
    let mut granted = 0;
    // Relaxed: a counter, which orders nothing.
    let counted = COUNTED.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |counted| {
        granted = wanted.min(limit.saturating_sub(counted));
        (granted != 0).then_some(counted + granted)
    });
    counted.map(|_| granted)
}

/// How many stacks may be guarded in this way.
fn limit() -> usize {
    // The kernel's own default, where it does not tell.
    let mappings = max_map_count().0.unwrap_or(65_530);
    (mappings - mappings / 8) / 2
}

/// The kernel's limit on mappings. Reads a file.
pub(crate) fn max_map_count() -> MaxMapCount {
    let text = std::fs::read_to_string("/proc/sys/vm/max_map_count").unwrap_or_default();
    MaxMapCount(text.trim().parse().ok())
}

/// What `vm.max_map_count` says.
pub(crate) struct MaxMapCount(Option<usize>);

impl fmt::Display for MaxMapCount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some(count) => count.fmt(f),
            None => f.write_str("unknown"),
        }
    }
}

#[cold]
fn used_up(counted: usize) -> io::Error {
    io::Error::new(
        io::ErrorKind::OutOfMemory,
        format!(
            "cannot make another stack: there are {counted}, and the guard page of each takes two \
             of the memory mappings that the process may have. Raise vm.max_map_count (now {}) \
             with `sysctl -w vm.max_map_count=1048576`, run fewer threads at once, or run on Linux \
             6.13 or later without mlockall, where a guard page needs no mapping of its own",
            max_map_count()
        ),
    )
}
