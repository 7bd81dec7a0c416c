//! A slab: one mapping that holds the slots of many stacks. The picture is in the head of the
//! crate.
//!
//! This decides where a slot, its guard page and its stack lie. Which slots are taken is known by
//! `shelf.rs`.

use std::io;
use std::ptr::NonNull;

use crate::guard;
use crate::size::Class;

/// Stack tops are staggered by this many steps,
const COLOURS: usize = 16;
/// each of so many bytes: four cache lines.
const COLOUR_STEP: usize = 256;

/// The memory of a slab; it is unmapped when this is dropped.
pub(crate) struct Slab {
    low: NonNull<u8>,
    stride: usize,
    slots: u8,
}

/// Where the stack in a slot lies.
pub(crate) struct Place {
    /// The end of the stack, which grows down from here.
    pub(crate) top: NonNull<u8>,
    /// Bytes from the guard page to `top`.
    pub(crate) usable: u32,
}

// SAFETY: a slab owns its memory alone, and has no tie to an OS thread.
unsafe impl Send for Slab {}

impl Slab {
    /// Maps the slots of a slab of `class`. None of them has a guard page yet.
    pub(crate) fn map(class: Class) -> io::Result<Slab> {
        let (stride, slots) = (stride(class), class.slots());
        let bytes = stride * usize::from(slots);
        let low = guard::map(bytes)?;
        // A huge page under a stack would make one touched page cost 2 MiB. The advice is refused
        // by kernels without huge pages, where it is not needed: its result does not matter.
        // SAFETY: the range is the mapping made above.
        unsafe { libc::madvise(low.as_ptr().cast(), bytes, libc::MADV_NOHUGEPAGE) };
        Ok(Slab { low, stride, slots })
    }

    /// Bytes of address space that a slab of `class` takes.
    pub(crate) fn bytes_of(class: Class) -> usize {
        stride(class) * usize::from(class.slots())
    }

    fn bytes(&self) -> usize {
        self.stride * usize::from(self.slots)
    }

    /// The guard page of the slot.
    pub(crate) fn guard(&self, slot: u8) -> NonNull<u8> {
        assert!(slot < self.slots);
        // SAFETY: the slot is one of this slab's, so its start lies within the mapping.
        unsafe { self.low.add(usize::from(slot) * self.stride) }
    }

    /// The stack of the slot, with the colour that slot `slot` of the slab `number` has.
    pub(crate) fn place(&self, number: u32, slot: u8) -> Place {
        let colour = (number as usize + usize::from(slot)) % COLOURS * COLOUR_STEP;
        let above_guard = self.stride - guard::page_size();
        let usable = above_guard - colour;
        // SAFETY: the end of the stack is less than a page below the end of the slot.
        let top = unsafe { self.guard(slot).add(guard::page_size() + usable) };
        Place {
            top,
            usable: u32::try_from(usable).expect("a slot is not much larger than 1 GiB"),
        }
    }

    /// The whole of the memory, to be given back without the lock that guards this slab.
    pub(crate) fn span(&self) -> Span {
        Span {
            low: self.low,
            bytes: self.bytes(),
        }
    }
}

impl Drop for Slab {
    fn drop(&mut self) {
        // SAFETY: this is the mapping made by `map`. Who drops a slab has all its slots back; the
        // others are forgotten (`Shelf::drop`, Rule 3).
        unsafe { guard::unmap(self.low, self.bytes()) };
    }
}

/// The memory of a slab, seen from outside the lock.
pub(crate) struct Span {
    low: NonNull<u8>,
    bytes: usize,
}

impl Span {
    /// Gives the memory back to the kernel. The mapping stays, and so do its guard pages.
    ///
    /// # Safety
    ///
    /// The slab is still mapped and no slot of it is in use, until this returns.
    pub(crate) unsafe fn discard(self) {
        // SAFETY: nobody has anything in this memory, says the caller. `MADV_DONTNEED` leaves
        // guard pages of both kinds as they are (madvise(2)). Were it refused, the memory would
        // only stay where it is.
        unsafe { libc::madvise(self.low.as_ptr().cast(), self.bytes, libc::MADV_DONTNEED) };
    }
}

/// From slot to slot: the size of the class, one page for the guard, and one for colour and record.
fn stride(class: Class) -> usize {
    class.size() + 2 * guard::page_size()
}
