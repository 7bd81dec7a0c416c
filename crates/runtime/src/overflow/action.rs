//! What the process does at SIGSEGV and SIGBUS: ours first, then what was there before.
//!
//! A fault that is no overflow of ours is treated as it would have been without us:
//!
//! | before was | a fault                                    | a signal that somebody sent       |
//! |------------|--------------------------------------------|-----------------------------------|
//! | a handler  | it is called, with its own signal mask     | the same                          |
//! | `SIG_DFL`  | it is put back; the instruction faults again, and ends the process | it is put back, and the signal sent again |
//! | `SIG_IGN`  | the same: the kernel lets no fault be ignored | it is ignored                  |
//!
//! One difference is left: an earlier handler without `SA_ONSTACK` is called on the alternate
//! signal stack all the same, which is small.
//!
//! A handler that the program installs later replaces ours. Then it is the program's business
//! to call the one it found.

use std::mem;
use std::ptr;
use std::sync::OnceLock;

use libc::{c_int, c_void, siginfo_t};

use super::{culprit, report};

const SIGNALS: [c_int; 2] = [libc::SIGSEGV, libc::SIGBUS];

/// What was there before, in the order of `SIGNALS`. Reading it takes no lock.
static EARLIER: OnceLock<[libc::sigaction; 2]> = OnceLock::new();

type PlainHandler = unsafe extern "C" fn(c_int);
type InfoHandler = unsafe extern "C" fn(c_int, *mut siginfo_t, *mut c_void);

/// Puts our handler before what is there. `false`: the system refuses, and nothing has
/// changed for the signal it refused.
pub(super) fn install() -> bool {
    // First kept, then replaced: a fault may come at once. If another OS thread installs a
    // handler just in between, it is lost.
    let earlier = EARLIER.get_or_init(|| SIGNALS.map(installed));
    SIGNALS
        .into_iter()
        .zip(earlier)
        .all(|(signal, earlier)| put_ours(signal, earlier))
}

fn installed(signal: c_int) -> libc::sigaction {
    let mut action = default_action();
    // SAFETY: it writes one action into the one it is given. If it refused, it would stay the
    // default.
    unsafe { libc::sigaction(signal, ptr::null(), &raw mut action) };
    action
}

fn default_action() -> libc::sigaction {
    // SAFETY: numbers, a set of bits and an optional function: all of them may be zero, which
    // is SIG_DFL, no signal and no flag.
    unsafe { mem::zeroed() }
}

fn put_ours(signal: c_int, earlier: &libc::sigaction) -> bool {
    let mut ours = default_action();
    ours.sa_sigaction = on_fault as InfoHandler as usize;
    // No signal is blocked meanwhile: an earlier handler gets the mask that it asked for.
    // Whether a signal that was sent interrupts a system call stays as it was.
    let restart = earlier.sa_flags & libc::SA_RESTART;
    ours.sa_flags = libc::SA_SIGINFO | libc::SA_ONSTACK | libc::SA_NODEFER | restart;
    // SAFETY: a whole action, whose handler is made for these signals and keeps to what is
    // async-signal-safe.
    unsafe { libc::sigaction(signal, &raw const ours, ptr::null_mut()) == 0 }
}

/// The handler.
///
/// # Safety
///
/// The kernel calls it, or a later handler that passes on what it got.
unsafe extern "C" fn on_fault(signal: c_int, info: *mut siginfo_t, context: *mut c_void) {
    // SAFETY: the kernel's, so it is there.
    if let Some(address) = unsafe { fault_address(info) }
        && let Some(culprit) = culprit::at(address)
    {
        report::abort(&culprit);
    }
    // SAFETY: passed on.
    unsafe { pass_on(signal, info, context) };
}

/// The address of a fault. `None`: there is none, for instance because somebody sent the signal.
///
/// # Safety
///
/// `info` points to what the kernel says about one of our signals.
unsafe fn fault_address(info: *mut siginfo_t) -> Option<usize> {
    // SAFETY: the caller's promise. A guard page that was made by `mprotect` says
    // SEGV_ACCERR, and one of MADV_GUARD_INSTALL says SEGV_MAPERR. These have an address.
    unsafe {
        let about_an_address = matches!((*info).si_code, SEGV_MAPERR | SEGV_ACCERR);
        about_an_address.then(|| (*info).si_addr().addr())
    }
}

/// Linux, `include/uapi/asm-generic/siginfo.h`. Not in the `libc` crate. SIGBUS uses the same
/// numbers for faults at an address.
const SEGV_MAPERR: c_int = 1;
const SEGV_ACCERR: c_int = 2;

/// Does what was done at this signal before us.
///
/// # Safety
///
/// As for [`on_fault`].
unsafe fn pass_on(signal: c_int, info: *mut siginfo_t, context: *mut c_void) {
    let Some(earlier) = EARLIER.get() else { return };
    let earlier = &earlier[usize::from(signal != SIGNALS[0])];
    // SAFETY: the kernel's, so it is there.
    let sent = unsafe { (*info).si_code } <= 0;
    match earlier.sa_sigaction {
        libc::SIG_IGN if sent => {}
        libc::SIG_DFL | libc::SIG_IGN => put_back(signal, earlier, sent),
        // SAFETY: passed on; it is neither of the two that are no function.
        _ => unsafe { call(earlier, signal, info, context) },
    }
}

fn put_back(signal: c_int, earlier: &libc::sigaction, sent: bool) {
    // SAFETY: an action that the system gave us, for the signal it was of. `raise` takes a
    // number.
    unsafe {
        libc::sigaction(signal, ptr::from_ref(earlier), ptr::null_mut());
        if sent {
            libc::raise(signal);
        }
    }
}

/// Calls an earlier handler as the kernel would have called it. The signal mask is set back
/// by the kernel when we return.
///
/// # Safety
///
/// As for [`on_fault`]; `earlier` has a handler.
unsafe fn call(
    earlier: &libc::sigaction,
    signal: c_int,
    info: *mut siginfo_t,
    context: *mut c_void,
) {
    let has = |flag| earlier.sa_flags & flag != 0;
    if has(libc::SA_RESETHAND) {
        put_back(signal, &default_action(), false);
    }
    let mut mask = earlier.sa_mask;
    // SAFETY: the mask is a copy of ours. The handler was given to the system for this signal
    // and with these flags, so it has this signature, and gets what the kernel gave us.
    unsafe {
        if !has(libc::SA_NODEFER) {
            libc::sigaddset(&raw mut mask, signal);
        }
        libc::pthread_sigmask(libc::SIG_BLOCK, &raw const mask, ptr::null_mut());
        if has(libc::SA_SIGINFO) {
            mem::transmute::<usize, InfoHandler>(earlier.sa_sigaction)(signal, info, context);
        } else {
            mem::transmute::<usize, PlainHandler>(earlier.sa_sigaction)(signal);
        }
    }
}
