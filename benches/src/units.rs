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

/// From the least to the most, both as `written` writes them. A unit that they share is written once.
pub(crate) fn range(min: f64, max: f64, written: impl Fn(f64) -> String) -> String {
    let (min, max) = (written(min), written(max));
    match (min.split_once(' '), max.split_once(' ')) {
        (Some((number, unit)), Some((_, same))) if unit == same => format!("{number} .. {max}"),
        _ => format!("{min} .. {max}"),
    }
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
    fn a_unit_that_is_shared_is_written_once() {
        assert_eq!(range(1.5, 20.0, nanoseconds), "1.50 .. 20.0 ns");
        assert_eq!(range(1.5, 2000.0, nanoseconds), "1.50 ns .. 2.00 µs");
        assert_eq!(range(1.5, 2.5, |ratio| format!("{ratio:.1}")), "1.5 .. 2.5");
    }

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
