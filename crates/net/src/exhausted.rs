//! What is said when descriptors are exhausted.
#![forbid(unsafe_code)]

use std::error::Error;
use std::fmt;
use std::io;

/// Why no socket could be made: the process, or the system, has no descriptors left.
///
/// It is inside the [`io::Error`] that `accept`, `connect`, `bind` and `try_clone` give. A
/// connection that was not accepted is not lost: it stays in the listener's queue.
///
/// ```
/// use std::io;
/// use trefoil_net::DescriptorsExhausted;
///
/// /// Whether a server should pause, and then accept again.
/// fn is_passing(error: &io::Error) -> bool {
///     error.get_ref().is_some_and(|inner| inner.is::<DescriptorsExhausted>())
/// }
/// assert!(!is_passing(&io::ErrorKind::ConnectionAborted.into()));
/// ```
#[derive(Debug)]
pub struct DescriptorsExhausted(io::Error);

impl DescriptorsExhausted {
    /// The operating system's number of the error: `EMFILE` (the limit of the process) or
    /// `ENFILE` (the limit of the system).
    ///
    /// ```
    /// use trefoil_net::DescriptorsExhausted;
    ///
    /// fn is_own_limit(exhausted: &DescriptorsExhausted) -> bool {
    ///     exhausted.raw_os_error() == Some(24) // EMFILE on Linux
    /// }
    /// ```
    #[must_use]
    pub fn raw_os_error(&self) -> Option<i32> {
        self.0.raw_os_error()
    }
}

impl fmt::Display for DescriptorsExhausted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let limit = match self.raw_os_error() {
            Some(libc::ENFILE) => "`fs.file-max`",
            _ => "`ulimit -n` (RLIMIT_NOFILE)",
        };
        write!(
            f,
            "no descriptor is left for a socket ({}): raise {limit}, or close connections",
            self.0
        )
    }
}

impl Error for DescriptorsExhausted {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Some(&self.0)
    }
}

/// Says what to do when descriptors are exhausted; leaves other errors as they are.
pub(crate) fn explain(refused: io::Error) -> io::Error {
    match refused.raw_os_error() {
        Some(libc::EMFILE | libc::ENFILE) => {
            io::Error::new(refused.kind(), DescriptorsExhausted(refused))
        }
        _ => refused,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_limit_is_named() {
        let text = |number| explain(io::Error::from_raw_os_error(number)).to_string();
        assert!(text(libc::EMFILE).contains("ulimit -n"));
        assert!(text(libc::ENFILE).contains("fs.file-max"));
    }

    #[test]
    fn other_errors_stay_as_they_are() {
        let refused = explain(io::Error::from_raw_os_error(libc::ECONNABORTED));
        assert_eq!(refused.raw_os_error(), Some(libc::ECONNABORTED));
    }
}
