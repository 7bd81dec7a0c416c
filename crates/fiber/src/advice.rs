//! Advice to the kernel about many ranges of memory at once.
//!
//! `process_madvise(2)` on the own process takes a list of ranges. With two running OS threads,
//! giving back a stack costs 18 µs by a call of its own, since each call interrupts the other
//! processor, and 1.3 µs in a list of 64 (measured on this project's machines). Older kernels take
//! no such list, or not for every advice; there the ranges go one by one.

use std::ffi::{c_int, c_void};
use std::io;
use std::ptr::NonNull;
use std::sync::atomic::{AtomicBool, Ordering};

/// How many ranges go in one call.
const MOST: usize = 64;

/// Linux 6.14, `include/uapi/linux/pidfd.h`: the calling process, whichever that is after a fork.
const PIDFD_SELF: c_int = -10_000;

/// The kernel takes no lists.
static NO_LISTS: AtomicBool = AtomicBool::new(false);

/// Gives `advice` about each of `ranges` (start and length in bytes).
///
/// On an error the advice may have been given about some of them.
///
/// # Safety
///
/// The caller may give this advice about each range, by madvise(2).
pub(crate) unsafe fn give(
    ranges: impl Iterator<Item = (NonNull<u8>, usize)>,
    advice: c_int,
) -> io::Result<()> {
    let mut list = [NONE; MOST];
    let mut ranges = ranges.peekable();
    while ranges.peek().is_some() {
        let mut len = 0;
        // The list comes first: whoever ends a zip has not taken from the second.
        for (place, range) in list.iter_mut().zip(ranges.by_ref()) {
            place.iov_base = range.0.as_ptr().cast();
            place.iov_len = range.1;
            len += 1;
        }
        // SAFETY: passed on to the caller.
        unsafe { give_list(&list[..len], advice) }?;
    }
    Ok(())
}

const NONE: libc::iovec = libc::iovec {
    iov_base: std::ptr::null_mut::<c_void>(),
    iov_len: 0,
};

/// # Safety
///
/// As for [`give`].
unsafe fn give_list(list: &[libc::iovec], advice: c_int) -> io::Result<()> {
    // Relaxed: a fact about the kernel, found out anew if it is not seen.
    if list.len() > 1 && !NO_LISTS.load(Ordering::Relaxed) {
        // SAFETY: passed on to the caller.
        if unsafe { call_for_list(list, advice) } {
            return Ok(());
        }
    }
    for range in list {
        // SAFETY: passed on to the caller.
        if unsafe { libc::madvise(range.iov_base, range.iov_len, advice) } != 0 {
            return Err(io::Error::last_os_error());
        }
    }
    Ok(())
}

/// `false`: not all of it was done. What was done may be done again.
///
/// # Safety
///
/// As for [`give`].
unsafe fn call_for_list(list: &[libc::iovec], advice: c_int) -> bool {
    let bytes: usize = list.iter().map(|range| range.iov_len).sum();
    // SAFETY: `list` is one, of ranges for which the caller answers.
    let done = unsafe {
        libc::syscall(
            libc::SYS_process_madvise,
            PIDFD_SELF,
            list.as_ptr(),
            list.len(),
            advice,
            0,
        )
    };
    if done < 0 {
        let error = io::Error::last_os_error().raw_os_error();
        // Memory may be short at times; a kernel that does not know the call never will.
        if matches!(error, Some(libc::ENOSYS | libc::EBADF | libc::EPERM)) {
            NO_LISTS.store(true, Ordering::Relaxed);
        }
    }
    usize::try_from(done) == Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::guard::page_size;
    use crate::mapping;

    fn resident(low: NonNull<u8>, pages: usize) -> usize {
        let mut each = vec![0_u8; pages];
        let bytes = pages * page_size();
        // SAFETY: the range is mapped, and `each` has a byte for each of its pages.
        let told = unsafe { libc::mincore(low.as_ptr().cast(), bytes, each.as_mut_ptr()) };
        assert_eq!(told, 0);
        each.iter().filter(|page| **page & 1 != 0).count()
    }

    /// Every second of `pages` touched pages is given back, and no other.
    fn give_back_every_second(pages: usize) {
        let low = mapping::map(pages * page_size()).unwrap();
        let page = |number: usize| {
            // SAFETY: the page lies in the mapping.
            unsafe { low.add(number * page_size()) }
        };
        for number in 0..pages {
            // SAFETY: as above; nobody else knows the mapping.
            unsafe { page(number).write(1) };
        }
        let ranges = (0..pages)
            .step_by(2)
            .map(|number| (page(number), page_size()));
        // SAFETY: nobody else uses the mapping.
        unsafe { give(ranges, libc::MADV_DONTNEED) }.unwrap();
        assert_eq!(resident(low, pages), pages / 2);
        for number in (1..pages).step_by(2) {
            // SAFETY: as above.
            assert_eq!(unsafe { page(number).read() }, 1, "a page that was kept");
        }
        // SAFETY: nobody uses it any more.
        unsafe { mapping::unmap(low, pages * page_size()) };
    }

    #[test]
    fn advice_reaches_each_range_and_no_other() {
        for pages in [0, 1, 2, 3, 126, 128, 130, 1000] {
            give_back_every_second(pages.max(1));
        }
    }

    #[test]
    fn refused_advice_is_an_error() {
        let low = mapping::map(2 * page_size()).unwrap();
        // SAFETY: the ranges are our own; the advice does not exist.
        let refused = unsafe { give([(low, page_size()); 2].into_iter(), 12_345) };
        assert_eq!(refused.unwrap_err().raw_os_error(), Some(libc::EINVAL));
        // SAFETY: nobody uses it any more.
        unsafe { mapping::unmap(low, 2 * page_size()) };
    }
}
