//! The date of a response, as text.

use std::fmt::Write as _;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// Is written anew when a second has passed, and not for each response.
#[derive(Debug)]
pub(crate) struct Date {
    /// The second since 1970 that it names.
    second: u64,
    text: String,
}

impl Date {
    pub(crate) fn now() -> Date {
        let mut date = Date {
            second: 0,
            text: String::new(),
        };
        date.set(SystemTime::now());
        date
    }

    /// Looks at the clock.
    pub(super) fn renew(&mut self) {
        self.set(SystemTime::now());
    }

    pub(super) fn text(&self) -> &str {
        &self.text
    }

    fn set(&mut self, now: SystemTime) {
        let since = now.duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO);
        if self.text.is_empty() || self.second != since.as_secs() {
            self.second = since.as_secs();
            self.text.clear();
            let date = httpdate::HttpDate::from(UNIX_EPOCH + since);
            write!(self.text, "{date}").expect("a string takes all");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_that_of_the_last_look() {
        let mut date = Date::now();
        let at = |seconds| UNIX_EPOCH + Duration::from_millis(seconds);
        date.set(at(784_111_777_000));
        assert_eq!(date.text(), "Sun, 06 Nov 1994 08:49:37 GMT");
        date.set(at(784_111_777_999));
        assert_eq!(date.text(), "Sun, 06 Nov 1994 08:49:37 GMT");
        date.set(at(784_111_778_000));
        assert_eq!(date.text(), "Sun, 06 Nov 1994 08:49:38 GMT");
    }
}
