//! What the kernel says this process has used: CPU time and memory.

use std::fs::{self, File};
use std::io::{ErrorKind, Read};
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

/// What this process holds at one moment. All of it is 0 where `/proc` is not mounted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Footprint {
    /// Bytes of memory, without what has not been touched.
    pub resident: u64,
    /// Bytes of page tables, which the kernel holds for it beside that.
    pub page_tables: u64,
    /// Mappings of memory. The kernel has a limit on their number, `vm.max_map_count`.
    pub mappings: u64,
}

/// Looks at what this process holds. That takes the longer, the more mappings there are.
#[must_use]
pub fn footprint() -> Footprint {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    Footprint {
        resident: bytes_in(&status, "VmRSS:").unwrap_or(0),
        page_tables: bytes_in(&status, "VmPTE:").unwrap_or(0),
        mappings: File::open("/proc/self/maps").map_or(0, lines),
    }
}

/// Counts lines, a piece at a time: the text of all mappings can be megabytes.
fn lines(mut text: impl Read) -> u64 {
    let mut piece = [0; 4096];
    let mut lines = 0;
    loop {
        match text.read(&mut piece) {
            Ok(0) => return lines,
            Ok(count) => lines += newlines(&piece[..count]),
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(_) => return lines,
        }
    }
}

fn newlines(text: &[u8]) -> u64 {
    text.iter().filter(|&&byte| byte == b'\n').count() as u64
}

/// The most bytes of memory that this process has held so far. 0 where `/proc` is not mounted.
#[must_use]
pub fn peak() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    bytes_in(&status, "VmHWM:").unwrap_or(0)
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
        let before = footprint();
        let bytes = std::hint::black_box(vec![1_u8; 64 << 20]);
        let after = footprint();
        assert!(after.resident >= before.resident + (32 << 20));
        assert!(after.page_tables > before.page_tables);
        assert!(peak() >= before.resident + (32 << 20));
        drop(bytes);
    }

    #[test]
    fn mappings_are_lines() {
        assert!(footprint().mappings > 3);
        assert_eq!(lines(&b""[..]), 0);
        let long = "7f00-7f01 rw-p\n".repeat(1000);
        assert_eq!(lines(long.as_bytes()), 1000);
    }
}
