//! A slab: one mapping that holds the slots of many stacks. The picture is in the head of the
//! crate.
//!
//! This decides where a slot, its guard page and its stack lie, all by arithmetic on the slab's
//! address. Which slots are taken is known by `shelf.rs`.
//!
//! A slot that is handed out for the first time is made known to valgrind as a stack, else it takes
//! each switch for a wild jump of the stack pointer. Outside valgrind that is a few instructions
//! without effect, and 8 bytes.

use std::io;
use std::ptr::NonNull;

use corosensei::stack::valgrind::ValgrindStackRegistration;

use crate::guard::{self, Method, page_size};
use crate::mapping;
use crate::quota::Quota;
use crate::size::Class;

/// Stack tops are staggered by this many steps,
const COLOURS: usize = 16;
/// each of so many bytes: whole cache lines, here three.
///
/// All colours lie within one page, and the last one must leave room in it for the fiber's record and
/// the frames of a thread that does little before it waits: else such a thread touches a second page,
/// and costs 4 KiB more. With 192 the steps take 16 * 192 = 3072 bytes of a page's 4096. The last
/// colour is 15 * 192 = 2880 and leaves 1216; the record takes 64 of these. With 256 the steps would
/// take the page whole: the last colour, 15 * 256 = 3840, leaves 256, and the three before it 512, 768
/// and 1024. That is sound, for a slot has a page more than its class (see `stride`), but then those
/// threads touch two pages.
const COLOUR_STEP: usize = 192;

/// The memory of a slab; it is unmapped when this is dropped.
pub(crate) struct Slab {
    low: NonNull<u8>,
    bytes: usize,
    stride: usize,
    /// Less than there is memory for, if some were given up.
    slots: u16,
    /// Of the slots from 0 on that were handed out.
    known_to_valgrind: Vec<ValgrindStackRegistration>,
    /// Given back after the mapping, whose guard pages it stands for.
    quota: Quota,
    /// It stands for all that are still to be made.
    is_counted: bool,
}

/// Where the stack in a slot lies.
pub(crate) struct Place {
    /// The end of the stack, which grows down from here.
    pub(crate) top: NonNull<u8>,
    /// Bytes from the guard page to `top`.
    pub(crate) usable: u32,
}

/// The memory of one slot above its guard page.
#[derive(Clone, Copy)]
pub(crate) struct Span {
    pub(crate) low: NonNull<u8>,
    pub(crate) bytes: usize,
}

// SAFETY: a slab owns its memory alone, and has no tie to an OS thread.
unsafe impl Send for Slab {}

impl Slab {
    /// Maps up to `slots` slots for stacks of `class`: fewer, but at least one, where guard pages
    /// are scarce. None of them has a guard page yet.
    pub(crate) fn map(class: Class, slots: u16) -> io::Result<Slab> {
        let method = guard::method();
        let slab = Slab::map_by(method, class, slots)?;
        // SAFETY: the lowest page of a mapping that only we know.
        unsafe { guard::look_at(slab.low) };
        if guard::method() == method {
            return Ok(slab);
        }
        // Its guard pages would cost what was not counted.
        drop(slab);
        Slab::map_by(guard::method(), class, slots)
    }

    fn map_by(method: Method, class: Class, slots: u16) -> io::Result<Slab> {
        let stride = stride(class);
        let (quota, slots) = Quota::for_stacks(method, usize::from(slots))?;
        let bytes = stride * slots;
        let slab = Slab {
            low: mapping::map_leaving_room(bytes)?,
            bytes,
            stride,
            slots: u16::try_from(slots).expect("no more than were wanted"),
            known_to_valgrind: Vec::new(),
            quota,
            is_counted: method == Method::Protect,
        };
        // A huge page under a stack would make one touched page cost 2 MiB. The advice is refused
        // by kernels without huge pages, where it is not needed: its result does not matter.
        // SAFETY: the range is the mapping made above.
        unsafe { libc::madvise(slab.low.as_ptr().cast(), bytes, libc::MADV_NOHUGEPAGE) };
        Ok(slab)
    }

    /// How many slots there are.
    pub(crate) fn slots(&self) -> u16 {
        self.slots
    }

    /// Address space, in bytes.
    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }

    /// Whether all guard pages that are still to be made are counted, should they cost mappings.
    pub(crate) fn is_counted(&self) -> bool {
        self.is_counted
    }

    /// Guard pages have begun to cost mappings: counts those of the slots that were never handed out,
    /// and of `bare` others. Where mappings are scarce, up to `spare` slots that were never handed
    /// out are given up; gives how many.
    pub(crate) fn count_guards(&mut self, bare: usize, spare: usize) -> u16 {
        let fresh = usize::from(self.slots - self.opened());
        let lacking = fresh + bare - self.quota.extend(fresh + bare);
        let given_up = lacking.min(fresh).min(spare);
        self.quota.exceed(lacking - given_up);
        self.is_counted = true;
        let given_up = given_up as u16;
        self.slots -= given_up;
        given_up
    }

    /// Counts the guard page of one slot that was out when the others were counted.
    pub(crate) fn count_guard(&mut self) {
        self.quota.exceed(1);
    }

    /// The guard page of the slot.
    pub(crate) fn guard(&self, slot: u16) -> NonNull<u8> {
        assert!(slot < self.slots);
        // SAFETY: the slot is one of this slab's, so its start lies within the mapping.
        unsafe { self.low.add(usize::from(slot) * self.stride) }
    }

    /// The stack of the slot, with the colour that this slot of the slab `number` has.
    pub(crate) fn place(&self, number: u32, slot: u16) -> Place {
        let colour = (number as usize + usize::from(slot)) % COLOURS * COLOUR_STEP;
        let Span { low, bytes } = self.span(slot);
        let usable = bytes - colour;
        Place {
            // SAFETY: the end of the stack is less than a page below the end of the slot.
            top: unsafe { low.add(usable) },
            usable: u32::try_from(usable).expect("a slot is not much larger than 1 GiB"),
        }
    }

    /// The first slot that was never handed out is handed out. `None`: there is none.
    pub(crate) fn open(&mut self) -> Option<u16> {
        let slot = self.opened();
        if slot == self.slots {
            return None;
        }
        let Span { low, bytes } = self.span(slot);
        let known = ValgrindStackRegistration::new(low.as_ptr(), bytes);
        self.known_to_valgrind.push(known);
        Some(slot)
    }

    /// Slots from here on were never handed out, and have no guard page.
    fn opened(&self) -> u16 {
        u16::try_from(self.known_to_valgrind.len()).expect("one for each slot at most")
    }

    /// What lies above the slot's guard page.
    pub(crate) fn span(&self, slot: u16) -> Span {
        Span {
            // SAFETY: a slot is longer than its guard page.
            low: unsafe { self.guard(slot).add(page_size()) },
            bytes: self.stride - page_size(),
        }
    }
}

impl Drop for Slab {
    fn drop(&mut self) {
        // Before another mapping can take the addresses.
        self.known_to_valgrind.clear();
        // SAFETY: this is the mapping made by `map`. Who drops a slab has all its slots back; the
        // others are forgotten (`Shelf::drop`, Rule 3).
        unsafe { mapping::unmap(self.low, self.bytes) };
    }
}

/// From slot to slot: the size of the class, one page for the guard, and one for colour and record.
fn stride(class: Class) -> usize {
    class.size() + 2 * page_size()
}

// No colour takes the fiber's record, of 128 bytes at most, out of the page that a slot has more than its
// class; and every top is a multiple of 64. Pages have 4096 bytes at least.
const _: () = assert!((COLOURS - 1) * COLOUR_STEP + 128 <= 4096 && COLOUR_STEP.is_multiple_of(64));
