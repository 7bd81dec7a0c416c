//! What a run gives instead of a measurement. There is no time for a wrong result.
#![forbid(unsafe_code)]

use std::any::Any;
use std::fmt;
use std::io;

/// Why a workload has no measurement.
#[derive(Debug)]
pub enum Failure {
    /// The workload has computed something else than it must.
    Wrong {
        /// What was computed.
        what: &'static str,
        /// What it had to be.
        expected: u64,
        /// What it was.
        found: u64,
    },
    /// A thread of the workload panicked, with this message.
    Panicked(String),
    /// A channel of the workload was disconnected while its threads still ran.
    Disconnected,
    /// The operating system refused something.
    Io {
        /// What was being done.
        doing: &'static str,
        /// What the operating system said.
        error: io::Error,
    },
    /// The process that sends the requests has failed, and said this.
    Client(String),
    /// The runtime could not be built, or cannot do this workload.
    Unable(String),
}

impl Failure {
    /// Turns an I/O error into a failure that says what was being done.
    pub fn io(doing: &'static str) -> impl FnOnce(io::Error) -> Failure {
        move |error| Failure::Io { doing, error }
    }

    /// The failure of a thread that was joined and gave this payload.
    #[must_use]
    pub fn panicked(payload: Box<dyn Any + Send>) -> Failure {
        let message = payload
            .downcast_ref::<&str>()
            .map(ToString::to_string)
            .or_else(|| payload.downcast_ref::<String>().cloned());
        Failure::Panicked(message.unwrap_or_else(|| "a payload that is no text".into()))
    }

    /// A failure unless `found` is what was expected.
    ///
    /// # Errors
    ///
    /// [`Failure::Wrong`] if it is not.
    pub fn unless_equal(what: &'static str, expected: u64, found: u64) -> Result<(), Failure> {
        if found == expected {
            return Ok(());
        }
        Err(Failure::Wrong {
            what,
            expected,
            found,
        })
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Failure::Wrong {
                what,
                expected,
                found,
            } => write!(f, "wrong result: {what} is {found} and must be {expected}"),
            Failure::Panicked(message) => write!(f, "a thread panicked: {message}"),
            Failure::Disconnected => f.write_str("a channel was disconnected too early"),
            Failure::Io { doing, error } => write!(f, "cannot {doing}: {error}"),
            Failure::Client(message) => write!(f, "the client failed: {message}"),
            Failure::Unable(why) => f.write_str(why),
        }
    }
}

impl std::error::Error for Failure {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Failure::Io { error, .. } => Some(error),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_another_value_is_a_failure() {
        assert!(Failure::unless_equal("sum", 3, 3).is_ok());
        let failure = Failure::unless_equal("sum", 3, 4).unwrap_err();
        assert_eq!(failure.to_string(), "wrong result: sum is 4 and must be 3");
    }

    #[test]
    fn a_panic_keeps_its_message() {
        let literal = std::panic::catch_unwind(|| panic!("literal")).unwrap_err();
        let formatted = std::panic::catch_unwind(|| panic!("number {}", 7)).unwrap_err();
        assert!(Failure::panicked(literal).to_string().ends_with("literal"));
        assert!(
            Failure::panicked(formatted)
                .to_string()
                .ends_with("number 7")
        );
        assert!(
            Failure::panicked(Box::new(7))
                .to_string()
                .contains("no text")
        );
    }
}
