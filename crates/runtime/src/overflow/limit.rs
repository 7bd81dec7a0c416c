//! Where a stack ends: that of an OS thread, which kernel threads use. Fibers know their own.

use std::cell::Cell;
use std::ops::Range;
use std::{mem, ptr};

/// The end of a stack.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limit {
    /// The addresses of its guard pages, from this one
    low: usize,
    /// up to this one.
    high: usize,
    /// The size of the stack itself, in bytes.
    pub(crate) size: usize,
}

/// The stack of an OS thread.
#[derive(Clone, Copy)]
struct Own {
    /// Its addresses, from the start of a page,
    low: usize,
    /// up to this one.
    high: usize,
    /// `None`: it has no guard page.
    limit: Option<Limit>,
}

thread_local! {
    /// That of this OS thread, once it was asked for. It has no destructor and needs no
    /// initialization, so that a signal handler may read it.
    static HERE: Cell<Option<Own>> = const { Cell::new(None) };
}

impl Limit {
    pub(crate) fn new(guard: Range<usize>, size: usize) -> Limit {
        Limit {
            low: guard.start,
            high: guard.end,
            size,
        }
    }

    pub(super) fn guards(&self, address: usize) -> bool {
        (self.low..self.high).contains(&address)
    }
}

/// Finds out where the calling OS thread's stack ends, the first time. On the main thread of a
/// process that reads `/proc/self/maps`, so it is done once.
pub(super) fn note() {
    if HERE.get().is_none() {
        HERE.set(ask());
    }
}

/// Where the calling OS thread's stack ends, if it was noted.
pub(super) fn here() -> Option<Limit> {
    HERE.get()?.limit
}

/// The addresses of the calling OS thread's stack, from the start of a page. That of a process's
/// first thread may be mapped in its upper part only. `None`: the system does not tell.
pub(crate) fn own_stack() -> Option<Range<usize>> {
    note();
    HERE.get().map(|own| own.low..own.high)
}

/// `None`: the system does not tell.
fn ask() -> Option<Own> {
    let (low, size, guard) = bounds()?;
    // SAFETY: these take no pointer.
    let (page, is_first) = unsafe {
        let page = usize::try_from(libc::sysconf(libc::_SC_PAGESIZE)).ok()?;
        (page, libc::getpid() == libc::gettid())
    };
    let high = low + size;
    // Its limit (`ulimit -s`) need not be a whole number of pages.
    let low = low.next_multiple_of(page);
    let limit = if is_first {
        // The kernel lets this stack grow to its limit, and lets the next page fault.
        Some(Limit::new(low - page..low, size))
    } else {
        // The guard lies below the stack. glibc before 2.27 had it inside, as its lowest part:
        // where it is not, that part is in use and does not fault.
        (guard != 0).then(|| Limit::new(low - guard..low + guard, size))
    };
    Some(Own { low, high, limit })
}

/// The lowest address of the calling OS thread's stack, its size, and that of its guard.
fn bounds() -> Option<(usize, usize, usize)> {
    let mut low = ptr::null_mut();
    let (mut size, mut guard) = (0, 0);
    // SAFETY: an attribute object is numbers and pointers, which may be zero. It is written by
    // `pthread_getattr_np`, read only if that has succeeded, and destroyed once. The rest
    // are places on this stack, of the types asked for.
    unsafe {
        let mut attributes: libc::pthread_attr_t = mem::zeroed();
        if libc::pthread_getattr_np(libc::pthread_self(), &raw mut attributes) != 0 {
            return None;
        }
        let told = libc::pthread_attr_getstack(&raw const attributes, &raw mut low, &raw mut size)
            == 0
            && libc::pthread_attr_getguardsize(&raw const attributes, &raw mut guard) == 0;
        libc::pthread_attr_destroy(&raw mut attributes);
        told.then(|| (low.addr(), size, guard))
    }
}
