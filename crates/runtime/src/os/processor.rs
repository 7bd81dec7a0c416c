//! How long the calling OS thread has had a processor, and how often it was taken from it: what tells a thread that
//! computes or blocks for long from one that the operating system does not let run.

use std::time::Duration;

/// What the kernel has counted until now.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Processor {
    pub(crate) had: Duration,
    /// How often another one got it although this thread could have gone on.
    pub(crate) lost: i64,
}

/// As the calling OS thread has had it. One system call.
pub(crate) fn processor() -> Processor {
    // SAFETY: of a struct of numbers all zeros is a value.
    let mut usage: libc::rusage = unsafe { core::mem::zeroed() };
    // SAFETY: `usage` is a live struct. The call fails for an unknown subject alone, and then leaves zeros.
    unsafe { libc::getrusage(libc::RUSAGE_THREAD, &raw mut usage) };
    Processor {
        had: duration(usage.ru_utime) + duration(usage.ru_stime),
        lost: usage.ru_nivcsw,
    }
}

fn duration(time: libc::timeval) -> Duration {
    let seconds = Duration::from_secs(time.tv_sec.unsigned_abs());
    seconds + Duration::from_micros(time.tv_usec.unsigned_abs())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_computes_has_had_more() {
        let before = processor();
        while processor().had < before.had + Duration::from_millis(5) {
            std::hint::spin_loop();
        }
        assert!(processor().lost >= before.lost);
    }
}
