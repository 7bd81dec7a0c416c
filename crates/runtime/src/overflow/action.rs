//! What the process does at SIGSEGV and SIGBUS: ours first, then what was there before.
//!
//! What is no overflow of ours is treated as it would have been without us:
//!
//! | before was | a fault                          | what the kernel forces, or does once | what was sent, or is advice     |
//! |------------|----------------------------------|--------------------------------------|---------------------------------|
//! | a handler  | it is called, with its own signal mask | the same                       | the same                        |
//! | `SIG_DFL`  | it is put back; the instruction faults again, and ends the process | it is put back, and the signal sent again | the same as left of it |
//! | `SIG_IGN`  | as `SIG_DFL`: the kernel lets no fault be ignored | the same            | it is ignored                   |
//!
//! Differences that are left: an earlier handler without `SA_ONSTACK` is called on the alternate
//! signal stack all the same, which is small; and a program that is started by `exec` gets
//! `SIG_DFL` where ours was, also if `SIG_IGN` was before.
//!
//! A handler that the program installs later replaces ours. Then it is the program's business
//! to call the one it found. If the one that we found is the same, as of a crash reporter that is
//! installed twice, they would call each other without end. So ours calls an earlier handler
//! once for each signal that comes (`passage.rs`). If it is called again for the same, nobody
//! else is left to be asked, and the process dies of the signal.

use std::mem;
use std::ptr;
use std::sync::OnceLock;

use libc::{c_int, c_void, siginfo_t};

use super::{culprit, passage, report};

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
    // Whether a signal that was sent interrupts a system call stays as it was. One that is ignored
    // interrupts none.
    let restart = match earlier.sa_sigaction {
        libc::SIG_IGN => libc::SA_RESTART,
        _ => earlier.sa_flags & libc::SA_RESTART,
    };
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
    // SAFETY: the kernel's, so it is there, and stays till we return. Where it is called, the
    // earlier action is neither of the two that are no function.
    unsafe {
        let cause = Cause::of(signal, (*info).si_code);
        match earlier.sa_sigaction {
            libc::SIG_IGN if cause == Cause::Sent => {}
            libc::SIG_DFL | libc::SIG_IGN => die(signal, info, cause),
            _ if passage::begin(info) => {
                call(earlier, signal, info, context);
                passage::end(info);
            }
            // It has called us, or another one that has: it was asked already.
            _ => die(signal, info, cause),
        }
    }
}

/// Why a signal has come.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Cause {
    /// By an instruction, which causes it again.
    Fault,
    /// By the kernel, which lets nobody ignore it. It may not come again.
    Forced,
    /// By somebody who sent it, or as advice: nobody has used the broken memory yet. It does
    /// not come again.
    Sent,
}

impl Cause {
    fn of(signal: c_int, code: c_int) -> Cause {
        match (signal, code) {
            (libc::SIGBUS, libc::BUS_MCEERR_AO) | (libc::SIGSEGV, SEGV_MTEAERR) => Cause::Sent,
            // Also the fault at what is no address at all (`#GP`).
            (_, libc::SI_KERNEL) => Cause::Forced,
            (_, ..=0) => Cause::Sent,
            _ => Cause::Fault,
        }
    }
}

/// Linux, `include/uapi/asm-generic/siginfo.h`: a wrong tag (arm64), which is told some time
/// after the access. Not in the `libc` crate.
const SEGV_MTEAERR: c_int = 8;

/// Sees to it that the process dies of the signal, as soon as its handlers have returned.
///
/// # Safety
///
/// As for [`on_fault`].
unsafe fn die(signal: c_int, info: *mut siginfo_t, cause: Cause) {
    put_default(signal);
    if cause != Cause::Fault {
        // SAFETY: the caller's promise.
        unsafe { send_again(signal, info) };
    }
}

fn put_default(signal: c_int) {
    let default = default_action();
    // SAFETY: a whole action.
    unsafe { libc::sigaction(signal, &raw const default, ptr::null_mut()) };
}

/// Sends the signal to the calling OS thread once more, with what is known of it. It is blocked
/// till the kernel sets the signal mask back, so that a core file shows the place that was
/// interrupted, and not us.
///
/// # Safety
///
/// As for [`on_fault`].
unsafe fn send_again(signal: c_int, info: *mut siginfo_t) {
    // SAFETY: a set of bits may be zero; it is on this stack. The information is the kernel's, and
    // is read. The rest are numbers.
    unsafe {
        let mut mask: libc::sigset_t = mem::zeroed();
        libc::sigaddset(&raw mut mask, signal);
        libc::pthread_sigmask(libc::SIG_BLOCK, &raw const mask, ptr::null_mut());
        let (number, process, thread) =
            (libc::SYS_rt_tgsigqueueinfo, libc::getpid(), libc::gettid());
        if libc::syscall(number, process, thread, signal, info) != 0 {
            // A sandbox may refuse it.
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
        put_default(signal);
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
