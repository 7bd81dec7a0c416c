//! The memory of control blocks, used again: each OS thread keeps some that it has freed last, for the next
//! threads that it spawns. So a fork and its join, or a spawn and its end, allocate nothing once they have
//! been done before, and the block is still in the cache.
//!
//! Blocks of about one size are alike, and lie on one shelf. A shelf that is full gives to the allocator, an
//! empty one takes from it; so a thread that only frees what others allocate keeps little. (On the kernel model
//! that is each thread that ends, and its spawner allocates.)
//!
//! Without the optimizer nothing is kept: tools that look for memory that is used after it was freed then
//! see each block go.

use core::alloc::Layout;
use core::cell::Cell;
use core::ptr::{self, NonNull};
use std::alloc;

/// Sizes are rounded up to whole cache lines,
const STEP: usize = 64;
/// and larger ones than so many are not kept: their closures are rare.
const CLASSES: usize = 16;
/// What the allocator gives anyway.
const ALIGN: usize = 16;
/// So many on each shelf: some 30 KiB of the usual size.
const KEPT: u32 = 64;
/// Whether any are kept. Where none are, an OS thread gets no shelves, which it would have to clear at its end.
const KEEPS: bool = cfg!(test) || !cfg!(debug_assertions);

/// Free memory, which holds a list of its kind.
struct Free {
    next: *mut Free,
}

struct Shelf {
    first: Cell<*mut Free>,
    len: Cell<u32>,
}

impl Shelf {
    const fn new() -> Shelf {
        Shelf {
            first: Cell::new(ptr::null_mut()),
            len: Cell::new(0),
        }
    }

    fn take(&self) -> Option<NonNull<u8>> {
        let free = NonNull::new(self.first.get())?;
        // SAFETY: what lies on a shelf is free memory that was put there by `put`, and nobody else's.
        self.first.set(unsafe { free.as_ref() }.next);
        self.len.set(self.len.get() - 1);
        Some(free.cast())
    }

    /// `false`: it is full.
    ///
    /// # Safety
    ///
    /// The memory is the caller's, of this shelf's class, and given up if there was room.
    unsafe fn put(&self, memory: NonNull<u8>) -> bool {
        if self.len.get() >= KEPT {
            return false;
        }
        let free = memory.cast::<Free>();
        // SAFETY: the caller's promise; every class has room for a pointer.
        unsafe {
            free.write(Free {
                next: self.first.get(),
            });
        }
        self.first.set(free.as_ptr());
        self.len.set(self.len.get() + 1);
        true
    }
}

/// Of one OS thread, by class.
struct Shelves([Shelf; CLASSES]);

impl Drop for Shelves {
    fn drop(&mut self) {
        for (class, shelf) in self.0.iter().enumerate() {
            while let Some(memory) = shelf.take() {
                // SAFETY: it was allocated with this layout, which all of the class have.
                unsafe { alloc::dealloc(memory.as_ptr(), of_class(class)) };
            }
        }
    }
}

thread_local! {
    static SHELVES: Shelves = const { Shelves([const { Shelf::new() }; CLASSES]) };
}

/// The class of such a block. `None`: it is not kept.
fn class(layout: Layout) -> Option<usize> {
    let class = layout.size().div_ceil(STEP).checked_sub(1)?;
    (class < CLASSES && layout.align() <= ALIGN).then_some(class)
}

fn of_class(class: usize) -> Layout {
    Layout::from_size_align((class + 1) * STEP, ALIGN).expect("a small size is a size")
}

/// Memory for a block of this layout. Not inlined: a fiber keeps no address of an OS thread's shelves.
#[inline(never)]
pub(super) fn allocate(layout: Layout) -> NonNull<u8> {
    let class = class(layout);
    let kept = class.filter(|_| KEEPS).and_then(|class| {
        // An OS thread that ends has none any more.
        SHELVES
            .try_with(|shelves| shelves.0[class].take())
            .unwrap_or(None)
    });
    kept.unwrap_or_else(|| {
        let layout = class.map_or(layout, of_class);
        // SAFETY: a block has a header, and so a size.
        NonNull::new(unsafe { alloc::alloc(layout) })
            .unwrap_or_else(|| alloc::handle_alloc_error(layout))
    })
}

/// Gives the memory back.
///
/// # Safety
///
/// It is from `allocate`, for the same layout, and nobody uses it any more.
#[inline(never)]
pub(super) unsafe fn free(memory: NonNull<u8>, layout: Layout) {
    let class = class(layout);
    let kept = class.filter(|_| KEEPS).is_some_and(|class| {
        SHELVES
            // SAFETY: the caller's promise.
            .try_with(|shelves| unsafe { shelves.0[class].put(memory) })
            .unwrap_or(false)
    });
    if !kept {
        let layout = class.map_or(layout, of_class);
        // SAFETY: `allocate` has asked for this layout.
        unsafe { alloc::dealloc(memory.as_ptr(), layout) };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As a kept block is used again, so is one that is too large or too aligned to be kept freed and
    /// allocated anew.
    #[test]
    fn what_is_freed_can_be_allocated() {
        let layouts = [1, 64, 65, 400, 1024, 1025, 9000]
            .into_iter()
            .flat_map(|size| [1, 8, 16, 128].map(|align| Layout::from_size_align(size, align)));
        for layout in layouts.map(Result::unwrap) {
            for _ in 0..2 {
                let many: Vec<_> = (0..200).map(|_| allocate(layout)).collect();
                for (n, memory) in many.iter().enumerate() {
                    assert!(memory.as_ptr().addr().is_multiple_of(layout.align()));
                    // SAFETY: it is ours, and so long.
                    unsafe { memory.as_ptr().write_bytes(n as u8, layout.size()) };
                }
                for (n, memory) in many.into_iter().enumerate() {
                    // SAFETY: it is ours, from `allocate`, and was written above.
                    unsafe {
                        let last = memory.as_ptr().add(layout.size() - 1);
                        assert_eq!((*memory.as_ptr(), *last), (n as u8, n as u8));
                        free(memory, layout);
                    }
                }
            }
        }
    }

    #[test]
    fn a_thread_that_ends_keeps_nothing() {
        // Under valgrind and the address sanitizer what it kept would be lost.
        std::thread::spawn(|| {
            let layout = Layout::new::<[u64; 40]>();
            let memory = allocate(layout);
            // SAFETY: it is from `allocate`.
            unsafe { free(memory, layout) };
        })
        .join()
        .unwrap();
    }
}
