//! Whether a runtime's workers are watched for threads that keep them from all others.
#![forbid(unsafe_code)]

use std::fmt;
use std::io;
use std::panic::Location;
use std::time::Duration;

use crate::variable::{self, Report};

/// The environment variable that switches it on, where no builder says anything.
const VARIABLE: &str = "TREFOIL_MONITOR";

/// After so long a thread that has not let others run is counted, where nobody says how long.
const LIMIT: Duration = Duration::from_millis(10);

/// Whether workers are watched that do not come back to their scheduler. It is resolved once for each
/// runtime, when that is built.
///
/// ```
/// use std::time::Duration;
/// use trefoil_runtime::Monitoring;
///
/// assert_eq!(Monitoring::Off.limit()?, None);
/// assert_eq!(Monitoring::After(Duration::from_millis(5)).limit()?, Some(Duration::from_millis(5)));
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Clone, Copy, Debug, Default)]
pub enum Monitoring {
    /// If the environment variable `TREFOIL_MONITOR` says so: `1`, `on` or `print`; after 10 ms.
    #[default]
    ByEnvironment,
    /// They are not.
    Off,
    /// They are: who has not come back for so long is counted.
    After(Duration),
}

impl Monitoring {
    /// After how long a worker is counted. `None`: they are not watched.
    ///
    /// # Errors
    ///
    /// `InvalidInput`: the environment is asked, and the variable holds what it cannot.
    pub fn limit(self) -> io::Result<Option<Duration>> {
        Ok(match self {
            Monitoring::ByEnvironment => variable::report(VARIABLE)?.map(|_| LIMIT),
            Monitoring::Off => None,
            Monitoring::After(limit) => Some(limit),
        })
    }

    /// The same where it is also learned who does not come back ([`Relief`](crate::Relief)): without a limit of its
    /// own, after 10 ms.
    ///
    /// # Errors
    ///
    /// As for [`limit`](Monitoring::limit).
    pub fn limit_to_learn(self) -> io::Result<Duration> {
        Ok(self.limit()?.unwrap_or(LIMIT))
    }

    /// Whether each place is to be named on standard error. Only the environment asks for that: a program that
    /// watches by itself asks by itself.
    ///
    /// # Errors
    ///
    /// As for [`limit`](Monitoring::limit).
    pub fn is_to_print(self) -> io::Result<bool> {
        Ok(match self {
            Monitoring::ByEnvironment => variable::report(VARIABLE)? == Some(Report::Printed),
            Monitoring::Off | Monitoring::After(_) => false,
        })
    }
}

/// Threads that kept their worker from all others for too long, by the place that spawned them.
///
/// ```
/// use std::time::Duration;
/// use trefoil_runtime::Stall;
///
/// let longest = Duration::from_millis(12);
/// let stall = Stall { spawned_at: None, name: None, count: 1, longest, learned: false, moved: 0 };
/// assert_eq!(stall.to_string(), "none of its threads kept a worker from all others for 12ms");
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stall {
    /// Where they were spawned; for a main thread, where `run` was called. `None`: the worker was in none of
    /// its threads.
    pub spawned_at: Option<&'static Location<'static>>,
    /// The name of the last of them, if it has one.
    pub name: Option<String>,
    /// How often.
    pub count: u64,
    /// For how long at most, as far as it was seen.
    pub longest: Duration,
    /// Later threads of this place start on kernel threads, by [`Relief`](crate::Relief); of one line that spawns
    /// threads of several closures, those of one at least.
    pub learned: bool,
    /// So many have.
    pub moved: u64,
}

impl fmt::Display for Stall {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&self.name, self.spawned_at) {
            (Some(name), Some(place)) => write!(f, "thread '{name}', spawned at {place},")?,
            (None, Some(place)) => write!(f, "a thread, spawned at {place},")?,
            (_, None) => write!(f, "none of its threads")?,
        }
        write!(f, " kept a worker from all others for {:?}", self.longest)?;
        match (self.learned, self.moved) {
            (false, 0) => Ok(()),
            (true, moved) => write!(f, "; later ones start on kernel threads, as {moved} have"),
            (false, moved) => write!(f, "; {moved} later ones were started on kernel threads"),
        }
    }
}
