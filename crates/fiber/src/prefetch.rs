//! Asking for memory before it is needed.
//!
//! A thread that waits among many thousand others is in no cache when its turn comes: its control
//! block, the top of its stack and their entries in the page table are some ten misses of up to
//! 100 ns. Asked for some turns ahead, they arrive side by side, while others run.

/// The size of a cache line, in bytes.
const LINE: usize = 64;

/// Asks for `lines` cache lines from `start` on. Any address will do: one that is not mapped has no
/// effect.
#[inline(always)]
pub fn prefetch(start: *const u8, lines: usize) {
    for line in 0..lines {
        ask(start.wrapping_add(line * LINE));
    }
}

#[cfg(target_arch = "x86_64")]
#[inline(always)]
fn ask(address: *const u8) {
    use core::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
    // SAFETY: a prefetch reads and writes nothing that a program can see, and faults nowhere.
    unsafe { _mm_prefetch::<_MM_HINT_T0>(address.cast()) };
}

#[cfg(not(target_arch = "x86_64"))]
#[inline(always)]
fn ask(_: *const u8) {}

/// Where the stack of the calling function ends: what a switch saves that comes next lies right below.
#[cfg(target_arch = "x86_64")]
#[inline(always)]
pub fn stack_pointer() -> *const u8 {
    let pointer: *const u8;
    // SAFETY: it reads a register.
    unsafe {
        core::arch::asm!("mov {}, rsp", out(reg) pointer, options(nomem, nostack, preserves_flags));
    }
    pointer
}

/// Where the stack of the calling function ends, about.
#[cfg(not(target_arch = "x86_64"))]
#[inline(always)]
pub fn stack_pointer() -> *const u8 {
    let here = 0_u8;
    &raw const here
}
