//! Whether threads that would keep a worker from all others start on kernel threads.
#![forbid(unsafe_code)]

use std::io;

use crate::monitoring::Monitoring;
use crate::variable;

/// The environment variable that switches it on, where no builder says anything.
const VARIABLE: &str = "TREFOIL_RELIEF";

/// So many threads at once may be moved, where nobody says how many.
const MOST: usize = 64;

/// Whether a runtime learns which spawn sites keep a worker from all others for long, and starts later threads of
/// them on kernel threads, where the operating system takes turns. It is resolved once for each runtime, when that
/// is built.
///
/// ```
/// use trefoil_runtime::{Monitoring, Relief};
///
/// assert_eq!(Relief::UpTo(8).most(Monitoring::default(), true)?, Some(8));
/// assert_eq!(Relief::Off.most(Monitoring::default(), true)?, None);
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Relief {
    /// If the environment variable `TREFOIL_RELIEF` says so: `1` or `on`; up to 64 at once.
    #[default]
    ByEnvironment,
    /// It does not: a thread is of the model of its runtime, or of the one that was asked for.
    Off,
    /// It does. So many threads at once are moved, at most; the others start as always.
    UpTo(usize),
}

impl Relief {
    /// How many threads at once may be moved, in a runtime with this `monitoring`, which has a `kernel` runtime
    /// beside it or is one. `None`: none is.
    ///
    /// # Errors
    ///
    /// `InvalidInput`: up to none; [`Monitoring::Off`], unless only the environment asks; or the variable holds what
    /// it cannot. `Unsupported`: there is no kernel runtime to which threads could be moved.
    pub fn most(self, monitoring: Monitoring, kernel: bool) -> io::Result<Option<usize>> {
        let watched = !matches!(monitoring, Monitoring::Off);
        let most = match self {
            Relief::Off => None,
            Relief::ByEnvironment if !watched => None,
            Relief::ByEnvironment => variable::switch(VARIABLE)?.and_then(|on| on.then_some(MOST)),
            Relief::UpTo(0) => {
                return Err(invalid(
                    "a relief of up to 0 threads is none: say `Relief::Off`, or how many",
                ));
            }
            Relief::UpTo(_) if !watched => {
                return Err(invalid(
                    "who keeps a worker is only learned where workers are watched: do not switch \
                     the monitoring off, or switch the relief off too",
                ));
            }
            Relief::UpTo(most) => Some(most),
        };
        match most {
            Some(_) if !kernel => Err(no_kernel()),
            most => Ok(most),
        }
    }
}

fn invalid(sentence: &'static str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidInput, sentence)
}

#[cold]
fn no_kernel() -> io::Error {
    io::Error::new(
        io::ErrorKind::Unsupported,
        "threads that keep a worker are moved to a kernel runtime beside this one, and there is \
         none: enable the feature `kernel`, or switch the relief off",
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::ErrorKind;
    use std::time::Duration;

    #[test]
    fn what_cannot_be_is_refused() {
        let kind = |relief: Relief, monitoring, kernel| {
            let refused = relief.most(monitoring, kernel).unwrap_err();
            assert!(refused.to_string().split(' ').count() > 8, "{refused}");
            refused.kind()
        };
        let watched = Monitoring::After(Duration::from_millis(1));
        assert_eq!(
            kind(Relief::UpTo(0), watched, true),
            ErrorKind::InvalidInput
        );
        assert_eq!(
            kind(Relief::UpTo(1), Monitoring::Off, true),
            ErrorKind::InvalidInput
        );
        assert_eq!(
            kind(Relief::UpTo(1), watched, false),
            ErrorKind::Unsupported
        );
        assert_eq!(Relief::UpTo(1).most(watched, true).unwrap(), Some(1));
        assert_eq!(Relief::Off.most(watched, false).unwrap(), None);
    }
}
