//! What is said about the machine and the day: without it a number means nothing.
#![forbid(unsafe_code)]

use std::fs;
use std::time::{SystemTime, UNIX_EPOCH};

use serde::Serialize;

use trefoil_bench::run::cores;

/// The machine on which the comparison runs.
#[derive(Debug, Serialize)]
pub(crate) struct Machine {
    /// How many processors the process may use.
    pub(crate) cores: usize,
    /// What they call themselves.
    pub(crate) cpu: String,
    /// The kernel's name and release.
    pub(crate) kernel: String,
    /// How many threads of all processes wanted to run in the minute before. Other work than this
    /// program's disturbs it.
    pub(crate) load: f64,
}

impl Machine {
    /// This one.
    pub(crate) fn this() -> Machine {
        let text = |path| fs::read_to_string(path).unwrap_or_default();
        let release = text("/proc/sys/kernel/osrelease");
        Machine {
            cores: cores(),
            cpu: model_name(&text("/proc/cpuinfo")).unwrap_or_else(|| "unknown CPU".into()),
            kernel: format!("{} {}", std::env::consts::OS, release.trim()),
            load: first_number(&text("/proc/loadavg")).unwrap_or(0.0),
        }
    }
}

/// The first line `model name : …`.
fn model_name(cpuinfo: &str) -> Option<String> {
    let line = cpuinfo
        .lines()
        .find(|line| line.starts_with("model name"))?;
    let (_, name) = line.split_once(':')?;
    Some(name.trim().into())
}

fn first_number(text: &str) -> Option<f64> {
    text.split_whitespace().next()?.parse().ok()
}

/// The present day and minute, as `2026-11-24 12:30 UTC`.
pub(crate) fn now() -> String {
    // A clock that stands before 1970 is wrong anyway.
    let since = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    date(since.as_secs())
}

fn date(seconds: u64) -> String {
    let (mut days, minutes) = (seconds / 86_400, seconds / 60 % 1440);
    let mut year = 1970;
    while days >= days_of(year) {
        days -= days_of(year);
        year += 1;
    }
    let february = days_of(year) - 337;
    let mut month = 1;
    for length in [31, february, 31, 30, 31, 30, 31, 31, 30, 31, 30] {
        if days < length {
            break;
        }
        days -= length;
        month += 1;
    }
    let (hour, minute) = (minutes / 60, minutes % 60);
    format!(
        "{year}-{month:02}-{:02} {hour:02}:{minute:02} UTC",
        days + 1
    )
}

fn days_of(year: u64) -> u64 {
    let is_leap = year.is_multiple_of(4) && !year.is_multiple_of(100) || year.is_multiple_of(400);
    365 + u64::from(is_leap)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_those_of_the_calendar() {
        assert_eq!(date(0), "1970-01-01 00:00 UTC");
        assert_eq!(date(951_782_400), "2000-02-29 00:00 UTC");
        assert_eq!(date(1_798_761_599), "2026-12-31 23:59 UTC");
        assert_eq!(date(4_107_542_400), "2100-03-01 00:00 UTC");
    }

    #[test]
    fn proc_is_read_as_the_kernel_writes_it() {
        let cpuinfo = "processor\t: 0\nmodel name\t: Some CPU @ 2 GHz\nflags\t: fpu\n";
        assert_eq!(model_name(cpuinfo).as_deref(), Some("Some CPU @ 2 GHz"));
        assert_eq!(model_name("processor : 0\n"), None);
        assert_eq!(first_number("0.48 0.88 1.21 2/115 42"), Some(0.48));
        assert_eq!(first_number(""), None);
    }
}
