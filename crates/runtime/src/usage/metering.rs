//! Whether a runtime measures: what its builder was told, else what the environment says.
#![forbid(unsafe_code)]

use std::io;
use std::sync::Arc;

use super::Meter;
use crate::variable::{self, Report};

/// The environment variable that switches measuring on, where no builder says anything.
const VARIABLE: &str = "TREFOIL_STACK_USAGE";

/// Whether a runtime measures the stacks of its threads. It is resolved once for each runtime, when
/// that is built.
///
/// ```
/// use std::sync::Arc;
/// use trefoil_runtime::Metering;
///
/// assert!(Metering::Off.meter()?.is_none());
/// let each = Metering::On;
/// assert!(!Arc::ptr_eq(&each.meter()?.unwrap(), &each.meter()?.unwrap()));
/// let all = each.together()?;
/// assert!(Arc::ptr_eq(&all.meter()?.unwrap(), &all.meter()?.unwrap()));
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Clone, Debug, Default)]
pub enum Metering {
    /// If the environment variable `TREFOIL_STACK_USAGE` says so: `1`, `on` or `print`.
    #[default]
    ByEnvironment,
    /// No.
    Off,
    /// Yes.
    On,
    /// Yes, and several runtimes count together.
    Into(Arc<Meter>),
}

impl Metering {
    /// What `measure_stacks` of the builders says.
    #[must_use]
    pub fn of(on: bool) -> Metering {
        if on { Metering::On } else { Metering::Off }
    }

    /// The meter of a new runtime. `None`: it does not measure.
    ///
    /// # Errors
    ///
    /// `InvalidInput`: the environment is asked, and the variable holds what it cannot.
    pub fn meter(&self) -> io::Result<Option<Arc<Meter>>> {
        Ok(match self {
            Metering::ByEnvironment => variable::report(VARIABLE)?.map(|_| Arc::default()),
            Metering::Off => None,
            Metering::On => Some(Arc::default()),
            Metering::Into(meter) => Some(Arc::clone(meter)),
        })
    }

    /// The same for several runtimes, which then count together.
    ///
    /// # Errors
    ///
    /// As for [`meter`](Metering::meter).
    pub fn together(&self) -> io::Result<Metering> {
        Ok(self.meter()?.map_or(Metering::Off, Metering::Into))
    }

    /// Whether what is known at the end of the runtime is to be printed. Only the environment asks
    /// for that: a program that measures by itself asks by itself.
    ///
    /// # Errors
    ///
    /// As for [`meter`](Metering::meter).
    pub fn is_to_print(&self) -> io::Result<bool> {
        Ok(match self {
            Metering::ByEnvironment => variable::report(VARIABLE)? == Some(Report::Printed),
            Metering::Off | Metering::On | Metering::Into(_) => false,
        })
    }
}
