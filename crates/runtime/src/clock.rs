//! The time since when a thread waits: cheap and coarse.
//!
//! A worker reads the clock once in a while and leaves the time here; its threads write it
//! down when they begin to wait. Elsewhere the kernel's coarse clock answers, which is
//! right to a few milliseconds. A worker's threads also learn from it, without reading the clock,
//! that a deadline is far away.

use core::cell::Cell;
use core::time::Duration;
use std::time::Instant;

thread_local! {
    /// Nanoseconds; 0: this OS thread is no worker.
    static CACHED: Cell<u64> = const { Cell::new(0) };
    /// What comes after this is far. `None`: this OS thread is no worker.
    static FAR: Cell<Option<Instant>> = const { Cell::new(None) };
}

/// A worker reads its clock more often, unless a thread computes.
const NEAR: Duration = Duration::from_millis(5);

/// Reads the clock for the threads of this worker, and gives the time.
pub fn tick() -> Instant {
    CACHED.set(coarse_now());
    let now = Instant::now();
    FAR.set(now.checked_add(NEAR));
    now
}

/// This OS thread is a worker no more.
pub fn stop() {
    CACHED.set(0);
    FAR.set(None);
}

/// Whether the time is well after the worker's last look at the clock. It may have come all the
/// same, where a thread has computed for long: the worker sees that at its next look.
#[inline]
pub(crate) fn is_far(time: Instant) -> bool {
    FAR.get().is_some_and(|far| time > far)
}

/// Nanoseconds since some time before the process began.
#[inline]
pub(crate) fn coarse() -> u64 {
    match CACHED.get() {
        0 => coarse_now(),
        cached => cached,
    }
}

/// Whether the kernel's coarse clock has moved on since this OS thread, a worker, read its clock, if it ever has:
/// if not, its threads have had some milliseconds at most.
#[inline]
pub(crate) fn has_ticked() -> bool {
    coarse_now() != CACHED.get()
}

/// How long ago that was.
pub(crate) fn elapsed_since(then: u64) -> Duration {
    Duration::from_nanos(coarse_now().saturating_sub(then))
}

fn coarse_now() -> u64 {
    let mut time = libc::timespec {
        tv_sec: 0,
        tv_nsec: 0,
    };
    // SAFETY: `time` is a live timespec; the call fails only for an unknown clock, and then
    // leaves zeros.
    unsafe { libc::clock_gettime(libc::CLOCK_MONOTONIC_COARSE, &raw mut time) };
    let nanos = i128::from(time.tv_sec) * 1_000_000_000 + i128::from(time.tv_nsec);
    u64::try_from(nanos).unwrap_or(1)
}
