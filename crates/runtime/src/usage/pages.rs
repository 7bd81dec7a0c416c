//! The pages of a stack: which of them are memory, and how they go back to the kernel.

use core::ops::Range;
use core::ptr;
use std::sync::OnceLock;

#[cfg(feature = "fibers")]
use trefoil_fiber::Stack;

/// How many pages are asked for in one system call. The answer, a byte for each, lies on the very
/// stack that is looked at.
const WINDOW: usize = 256;

/// The size of a page in bytes.
pub(super) fn size() -> usize {
    static SIZE: OnceLock<usize> = OnceLock::new();
    *SIZE.get_or_init(|| {
        // SAFETY: it takes no pointer.
        let size = unsafe { libc::sysconf(libc::_SC_PAGESIZE) };
        usize::try_from(size).expect("every system has pages")
    })
}

/// The start of the page in which `address` lies.
fn page_of(address: usize) -> usize {
    address - address % size()
}

/// The lowest page of `stack` that is memory. If there is none, the end of the stack's last page.
///
/// A stack may have an unmapped lower part: that of a process's first thread grows.
pub(super) fn lowest_resident(stack: &Range<usize>) -> usize {
    let mut high = stack.end.next_multiple_of(size());
    let mut lowest = high;
    let mut window = WINDOW;
    while high > stack.start && window != 0 {
        let low = high.saturating_sub(window * size()).max(stack.start);
        match first_resident(low..high) {
            Ok(first) => {
                lowest = first.unwrap_or(lowest);
                high = low;
            }
            // Not all of it is mapped: its upper half may be.
            Err(Unmapped) => window = (high - low) / size() / 2,
        }
    }
    lowest
}

struct Unmapped;

/// The first of at most [`WINDOW`] pages that is memory.
fn first_resident(pages: Range<usize>) -> Result<Option<usize>, Unmapped> {
    let mut each = [0_u8; WINDOW];
    let count = pages.len() / size();
    assert!(count <= WINDOW, "there is a byte for each page");
    let address = ptr::without_provenance_mut(pages.start);
    // SAFETY: `each` has a byte for each page, and nothing else is written. Any address may be
    // asked for.
    let told = unsafe { libc::mincore(address, pages.len(), each.as_mut_ptr()) };
    if told != 0 {
        return Err(Unmapped);
    }
    let first = each[..count].iter().position(|page| page & 1 != 0);
    Ok(first.map(|number| pages.start + number * size()))
}

/// Gives back what lies below the first page of a stack on which nothing runs.
#[cfg(feature = "fibers")]
pub(super) fn clean(stack: &mut Stack) {
    let bounds = stack.bounds();
    let first = page_of(bounds.end - 1);
    // SAFETY: a `Stack` is nobody's but its holder's, and we have it mutably. Its bounds begin
    // with a page, above the guard page.
    unsafe { discard(bounds.start..first) };
}

/// Gives back what lies below the frames of the calling OS thread on `stack`. Does nothing if
/// the caller does not run there.
///
/// A caller that runs there may yet run on no stack of the OS thread: a coroutine of another library
/// whose stack is a buffer in a frame of this one. What lies below it is then in use. Nothing tells
/// the two apart, so docs/soundness.md names it.
#[inline(never)]
pub(super) fn clean_below_here(stack: &Range<usize>) {
    let here = 0_u8;
    let unused = unused(stack, (&raw const here).addr());
    if !unused.is_empty() {
        // SAFETY: below the red zone of the stack pointer nothing is kept, says the ABI; but for
        // the coroutine above, the stack pointer is that of `stack`. This OS thread cannot push
        // anything meanwhile: it is in the system call, and a signal is delivered at its end.
        unsafe { discard(unused) };
    }
}

/// What lies below all frames of `stack`, if its lowest one has something at `here`. Empty if `here`
/// is not in it.
///
/// The stack pointer is in the page of `here` or, if the frame lies across its border, in the next
/// one, with the red zone and what the system call's own frame needs: that page stays too.
fn unused(stack: &Range<usize>, here: usize) -> Range<usize> {
    let end = if stack.contains(&here) {
        page_of(here) - size()
    } else {
        stack.start
    };
    stack.start..end
}

/// Gives memory back, if there is any: it is read as zeros when it is next touched. Were the
/// advice refused, it would only stay where it is.
///
/// # Safety
///
/// These are whole pages of one stack, and nobody has anything there.
unsafe fn discard(pages: Range<usize>) {
    let low = lowest_resident(&pages);
    if low < pages.end {
        let address = ptr::without_provenance_mut(low);
        // SAFETY: the caller's promise. From the lowest page on all of the stack is mapped.
        unsafe { libc::madvise(address, pages.end - low, libc::MADV_DONTNEED) };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Pages that are a test's own.
    struct Map(Range<usize>);

    impl Map {
        fn of(pages: usize) -> Map {
            let bytes = pages * size();
            // SAFETY: a new mapping, at an address of the kernel's choice.
            let low = unsafe {
                libc::mmap(
                    ptr::null_mut(),
                    bytes,
                    libc::PROT_READ | libc::PROT_WRITE,
                    libc::MAP_PRIVATE | libc::MAP_ANONYMOUS,
                    -1,
                    0,
                )
            };
            assert_ne!(low, libc::MAP_FAILED);
            // SAFETY: the mapping above. Without it one touch might make 2 MiB of memory.
            unsafe { libc::madvise(low, bytes, libc::MADV_NOHUGEPAGE) };
            Map(low.expose_provenance()..low.expose_provenance() + bytes)
        }

        fn page(&self, number: usize) -> usize {
            self.0.start + number * size()
        }

        fn touch(&self, number: usize) {
            let page = ptr::with_exposed_provenance_mut::<u8>(self.page(number));
            // SAFETY: the page is mapped, and nobody else's.
            unsafe { page.write_volatile(1) };
        }

        fn unmap(&self, pages: Range<usize>) {
            let low = ptr::with_exposed_provenance_mut(self.page(pages.start));
            // SAFETY: nobody uses the mapping.
            assert_eq!(0, unsafe { libc::munmap(low, pages.len() * size()) });
        }
    }

    #[test]
    fn the_lowest_page_is_found_across_windows_and_holes() {
        let pages = 2 * WINDOW + 7;
        let map = Map::of(pages);
        assert_eq!(lowest_resident(&map.0), map.0.end);
        for lowest in [pages - 1, pages - 2, WINDOW + 7, WINDOW + 6, 8, 0] {
            map.touch(lowest);
            assert_eq!(lowest_resident(&map.0), map.page(lowest), "{lowest}");
        }
        map.unmap(0..pages);
    }

    #[test]
    fn a_top_inside_a_page_counts_that_page() {
        let map = Map::of(2);
        map.touch(1);
        let stack = map.0.start..map.0.end - 100;
        assert_eq!(lowest_resident(&stack), map.page(1));
        map.unmap(0..2);
    }

    #[test]
    fn an_unmapped_lower_part_is_stepped_over() {
        for mapped in [1, 2, 3, 100, WINDOW + 1] {
            let pages = 2 * WINDOW + 7;
            let map = Map::of(pages);
            map.unmap(0..pages - mapped);
            assert_eq!(lowest_resident(&map.0), map.0.end);
            map.touch(pages - mapped);
            assert_eq!(lowest_resident(&map.0), map.page(pages - mapped));
            map.unmap(pages - mapped..pages);
        }
    }

    #[test]
    fn what_is_discarded_is_no_memory_and_the_rest_is() {
        let map = Map::of(10);
        (2..10).for_each(|page| map.touch(page));
        // SAFETY: nobody else uses the mapping.
        unsafe { discard(map.0.start..map.page(7)) };
        assert_eq!(lowest_resident(&map.0), map.page(7));
        // SAFETY: as above.
        unsafe { discard(map.0.start..map.page(7)) };
        assert_eq!(lowest_resident(&map.0), map.page(7));
        map.unmap(0..10);
    }

    /// Wherever in its page the caller is: a page below that is whole stays, and no more than it.
    #[test]
    fn a_whole_page_below_the_caller_is_kept() {
        let stack = 0x10_000..0x20_000;
        for here in (0x12_000..0x20_000).step_by(8) {
            let unused = unused(&stack, here);
            assert_eq!(unused.start, stack.start);
            assert!(unused.end.is_multiple_of(size()), "{unused:x?} {here:x}");
            let kept = here - unused.end;
            assert!((size()..2 * size()).contains(&kept), "{unused:x?} {here:x}");
        }
    }

    #[test]
    fn at_the_end_of_a_stack_and_outside_it_nothing_is_unused() {
        let stack = 0x10_000..0x20_000;
        for here in [0xf_fff, 0x10_000, 0x10_fff, 0x11_fff, 0x20_000, 0x30_000] {
            assert!(unused(&stack, here).is_empty(), "{here:x}");
        }
    }

    /// A stack is cleaned at each place that its lowest frame can have in a page, and just below a
    /// page that was used: who called comes back, and finds what it had.
    #[test]
    fn who_cleans_comes_back_wherever_its_frame_lies() {
        #[inline(never)]
        fn step(stack: &Range<usize>, low: usize) -> usize {
            let frame = std::hint::black_box([low; 4]);
            let here = (&raw const frame).addr();
            touch_below();
            clean_below_here(stack);
            let below = if here > low { step(stack, low) } else { 0 };
            assert_eq!(std::hint::black_box(&frame), &[low; 4]);
            below + 1
        }
        #[inline(never)]
        fn touch_below() {
            std::hint::black_box(&[1_u8; 5 * 4096]);
        }
        let thread = std::thread::spawn(|| {
            let stack = crate::overflow::own_stack().unwrap();
            let here = 0_u8;
            // Frames are of one size, so the second page is met at other places than the first.
            let steps = step(&stack, (&raw const here).addr() - 8 * size());
            assert!(
                steps >= 8 * 4,
                "the frames are too large to meet each place"
            );
        });
        thread.join().unwrap();
    }

    /// The stack of a new OS thread is used, left, and cleaned: what lives on it stays.
    #[test]
    fn a_stack_is_cleaned_below_who_runs_on_it() {
        #[inline(never)]
        fn dig(pages: usize) {
            let page = std::hint::black_box([1_u8; 4096]);
            if pages > 0 {
                dig(pages - 1);
            }
            std::hint::black_box(&page);
        }
        let thread = std::thread::spawn(|| {
            let stack = crate::overflow::own_stack().unwrap();
            let kept = std::hint::black_box([7_u8; 3 * 4096]);
            let before = lowest_resident(&stack);
            dig(100);
            let dug = lowest_resident(&stack);
            assert!(before - dug >= 90 * 4096);
            clean_below_here(&stack);
            assert!(lowest_resident(&stack) - dug >= 90 * 4096);
            // A stack that the caller does not run on is left alone.
            let map = Map::of(3);
            map.touch(0);
            clean_below_here(&map.0);
            assert_eq!(lowest_resident(&map.0), map.page(0));
            map.unmap(0..3);
            assert_eq!(std::hint::black_box(kept), [7; 3 * 4096]);
        });
        thread.join().unwrap();
    }
}
