//! What the kernel says this process has used: CPU time and memory.

use std::fs;
use std::time::Duration;

/// The CPU time of this process so far, of all its threads, in the kernel and outside. It does
/// not count child processes.
#[must_use]
pub fn cpu_time() -> Duration {
    let mut usage = libc::rusage {
        ru_utime: ZERO,
        ru_stime: ZERO,
        ru_maxrss: 0,
        ru_ixrss: 0,
        ru_idrss: 0,
        ru_isrss: 0,
        ru_minflt: 0,
        ru_majflt: 0,
        ru_nswap: 0,
        ru_inblock: 0,
        ru_oublock: 0,
        ru_msgsnd: 0,
        ru_msgrcv: 0,
        ru_nsignals: 0,
        ru_nvcsw: 0,
        ru_nivcsw: 0,
    };
    // SAFETY: `usage` is a live `rusage` that the call fills, and that nobody else sees.
    let done = unsafe { libc::getrusage(libc::RUSAGE_SELF, &raw mut usage) };
    assert_eq!(done, 0, "getrusage of the own process cannot fail");
    duration(usage.ru_utime) + duration(usage.ru_stime)
}

const ZERO: libc::timeval = libc::timeval {
    tv_sec: 0,
    tv_usec: 0,
};

/// A time that the kernel gave. It never gives a negative one.
fn duration(time: libc::timeval) -> Duration {
    let seconds = Duration::from_secs(time.tv_sec.unsigned_abs());
    seconds + Duration::from_micros(time.tv_usec.unsigned_abs())
}

/// The bytes of memory that this process holds at the moment, without what has not been touched.
/// 0 where `/proc` is not mounted.
#[must_use]
pub fn resident() -> u64 {
    bytes_of("VmRSS:")
}

/// The most bytes of memory that this process has held so far. 0 where `/proc` is not mounted.
#[must_use]
pub fn peak() -> u64 {
    bytes_of("VmHWM:")
}

fn bytes_of(name: &str) -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    bytes_in(&status, name).unwrap_or(0)
}

/// Reads the line `VmRSS:      1234 kB`.
fn bytes_in(status: &str, name: &str) -> Option<u64> {
    let line = status.lines().find(|line| line.starts_with(name))?;
    let kilobytes: u64 = line.split_whitespace().nth(1)?.parse().ok()?;
    Some(kilobytes * 1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cpu_time_grows_with_work() {
        let before = cpu_time();
        let mut number = 1_u64;
        while cpu_time() == before {
            number = std::hint::black_box(number.wrapping_mul(3));
        }
        assert!(cpu_time() > before);
    }

    #[test]
    fn memory_is_read_from_its_line() {
        let status = "Name:\ttest\nVmHWM:\t  99 kB\nVmRSS:\t  12 kB\n";
        assert_eq!(bytes_in(status, "VmRSS:"), Some(12 * 1024));
        assert_eq!(bytes_in(status, "VmHWM:"), Some(99 * 1024));
        assert_eq!(bytes_in("Name:\ttest\n", "VmRSS:"), None);
    }

    #[test]
    fn touched_memory_is_resident() {
        let before = resident();
        let bytes = std::hint::black_box(vec![1_u8; 64 << 20]);
        assert!(resident() >= before + (32 << 20));
        assert!(peak() >= before + (32 << 20));
        drop(bytes);
    }
}
