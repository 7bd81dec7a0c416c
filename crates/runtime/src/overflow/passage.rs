//! Whether a signal was passed on already: handlers that call each other.
//!
//! The kernel writes a new `siginfo_t` for every signal that it delivers, and fills with zeros
//! what is left of its 128 bytes (`copy_siginfo_to_user` in `kernel/signal.c`). No signal uses
//! the last ones. So a mark there stands for this one delivery:
//!
//! * A handler that passes on what it got, or a copy of it, shows us the mark.
//! * A second fault, in a handler that we have called, has a `siginfo_t` of its own.
//! * A handler that never returns, because it jumps back into the program, leaves nothing behind
//!   that could be taken for a later fault. A note in a thread-local would stay.
//!
//! Kernels before 4.17 do not clear the last bytes. There a handler that does not return may
//! find its next fault taken for the same.

use libc::siginfo_t;

/// By chance nobody writes this.
const MARK: [u8; 8] = *b"trefoil!";

/// Marks a signal as passed on. `false`: it was.
///
/// # Safety
///
/// `info` points to what the kernel says about a signal, or to a copy that may be written.
pub(super) unsafe fn begin(info: *mut siginfo_t) -> bool {
    let last = last_bytes(info);
    // SAFETY: inside of what the caller vouches for.
    unsafe {
        let is_first = last.read() != MARK;
        last.write(MARK);
        is_first
    }
}

/// Takes the mark away: the handler to which it was passed on has returned.
///
/// # Safety
///
/// As for [`begin`].
pub(super) unsafe fn end(info: *mut siginfo_t) {
    // SAFETY: as there.
    unsafe { last_bytes(info).write([0; 8]) };
}

fn last_bytes(info: *mut siginfo_t) -> *mut [u8; 8] {
    // It stays inside.
    info.cast::<[u8; 8]>()
        .wrapping_add(size_of::<siginfo_t>() / 8 - 1)
}
