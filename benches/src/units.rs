//! How numbers are written for people: three digits that count, and a unit.
#![forbid(unsafe_code)]

/// A time that was measured in nanoseconds.
pub(crate) fn nanoseconds(value: f64) -> String {
    scaled(value, 1000.0, &["ns", "µs", "ms", "s"])
}

/// A time that was measured in seconds.
pub(crate) fn seconds(value: f64) -> String {
    nanoseconds(value * 1e9)
}

/// An amount of memory.
pub(crate) fn bytes(value: f64) -> String {
    scaled(value, 1024.0, &["B", "KiB", "MiB", "GiB"])
}

/// Takes the largest unit in which the value is not below 1.
fn scaled(value: f64, step: f64, units: &[&str]) -> String {
    let mut value = value;
    let mut unit = 0;
    // 999.5 would be written as 1000.
    while value >= step - 0.5 && unit + 1 < units.len() {
        value /= step;
        unit += 1;
    }
    let digits = match value {
        ..9.995 => 2,
        ..99.95 => 1,
        _ => 0,
    };
    format!("{value:.digits$} {}", units[unit])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn three_digits_count() {
        assert_eq!(nanoseconds(3.456), "3.46 ns");
        assert_eq!(nanoseconds(99.96), "100 ns");
        assert_eq!(nanoseconds(999.7), "1.00 µs");
        assert_eq!(nanoseconds(12_345.0), "12.3 µs");
        assert_eq!(seconds(0.25), "250 ms");
        assert_eq!(seconds(150.0), "150 s");
        assert_eq!(bytes(4096.0), "4.00 KiB");
        assert_eq!(bytes(0.0), "0.00 B");
    }
}
