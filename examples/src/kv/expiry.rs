//! When a value goes: the options of `SET`, and the numbers of `EXPIRE` and `TTL`.

use std::time::{Duration, Instant};

use super::commands::Fault;

/// Whether `SET` needs the key to be there, or not to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Condition {
    Missing,
    Present,
}

/// What stands behind the value.
#[derive(Debug, Default)]
pub(super) struct SetOptions {
    pub(super) condition: Option<Condition>,
    pub(super) expires: Option<Instant>,
}

impl SetOptions {
    pub(super) fn parse(arguments: &[Vec<u8>]) -> Result<SetOptions, Fault> {
        let mut options = SetOptions::default();
        let mut arguments = arguments.iter();
        while let Some(option) = arguments.next() {
            let unit = match option.to_ascii_uppercase().as_slice() {
                b"NX" if options.condition.is_none() => {
                    options.condition = Some(Condition::Missing);
                    continue;
                }
                b"XX" if options.condition.is_none() => {
                    options.condition = Some(Condition::Present);
                    continue;
                }
                b"EX" if options.expires.is_none() => 1000,
                b"PX" if options.expires.is_none() => 1,
                _ => return Err(Fault::syntax()),
            };
            let number = number(arguments.next().ok_or_else(Fault::syntax)?)?;
            let milliseconds = number.checked_mul(unit).filter(|time| *time > 0);
            let invalid = || Fault::new("ERR invalid expire time in 'set' command");
            options.expires = Some(after(milliseconds.ok_or_else(invalid)?).ok_or_else(invalid)?);
        }
        Ok(options)
    }
}

/// So many milliseconds from now. `None`: that cannot be told.
pub(super) fn after(milliseconds: i64) -> Option<Instant> {
    let milliseconds = u64::try_from(milliseconds).unwrap_or(0);
    Instant::now().checked_add(Duration::from_millis(milliseconds))
}

/// The milliseconds that are left.
pub(super) fn left(expires: Instant) -> i64 {
    let left = expires.saturating_duration_since(Instant::now());
    i64::try_from(left.as_millis()).unwrap_or(i64::MAX)
}

/// A number as Redis takes it: without a sign `+`, spaces or zeros before it.
pub(super) fn number(bytes: &[u8]) -> Result<i64, Fault> {
    let number = str::from_utf8(bytes).ok();
    let number = number.and_then(|text| text.parse::<i64>().ok());
    let exact = number.filter(|number| number.to_string().as_bytes() == bytes);
    exact.ok_or_else(|| Fault::new("ERR value is not an integer or out of range"))
}
