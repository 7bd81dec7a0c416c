//! Linux futexes: sleep while a word has a value. A port puts its own file beside this one.

use core::sync::atomic::AtomicU32;
use core::time::Duration;

/// Sleeps while `word` has the value `expected`, until [`wake`], for at most `timeout`. It
/// may return early.
pub(super) fn wait(word: &AtomicU32, expected: u32, timeout: Option<Duration>) {
    let timeout = timeout.map(|timeout| libc::timespec {
        tv_sec: libc::time_t::try_from(timeout.as_secs()).unwrap_or(libc::time_t::MAX),
        tv_nsec: libc::c_long::from(timeout.subsec_nanos().cast_signed()),
    });
    let timeout = timeout
        .as_ref()
        .map_or(core::ptr::null(), core::ptr::from_ref);
    // SAFETY: the word and the timeout are alive for the call. Errors (the word has changed,
    // a signal, the time is over) all mean that the caller looks again.
    unsafe {
        libc::syscall(
            libc::SYS_futex,
            word.as_ptr(),
            libc::FUTEX_WAIT | libc::FUTEX_PRIVATE_FLAG,
            expected,
            timeout,
        );
    }
}

/// Wakes the thread that sleeps on `word`.
pub(super) fn wake(word: &AtomicU32) {
    // SAFETY: the kernel only uses the address; the word is alive.
    unsafe {
        libc::syscall(
            libc::SYS_futex,
            word.as_ptr(),
            libc::FUTEX_WAKE | libc::FUTEX_PRIVATE_FLAG,
            1,
        );
    }
}
