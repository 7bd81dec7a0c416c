//! Whether a runtime measures: what its builder was told, else what the environment says.
#![forbid(unsafe_code)]

use std::env;
use std::sync::Arc;

use super::Meter;

/// The environment variable that switches measuring on, where no builder says anything.
const VARIABLE: &str = "TREFOIL_STACK_USAGE";

/// Whether a runtime measures the stacks of its threads. It is resolved once for each runtime, when
/// that is built.
///
/// ```
/// use std::sync::Arc;
/// use trefoil_runtime::Metering;
///
/// assert!(Metering::Off.meter().is_none());
/// let each = Metering::On;
/// assert!(!Arc::ptr_eq(&each.meter().unwrap(), &each.meter().unwrap()));
/// let all = each.together();
/// assert!(Arc::ptr_eq(&all.meter().unwrap(), &all.meter().unwrap()));
/// ```
#[derive(Clone, Debug, Default)]
pub enum Metering {
    /// If the environment variable `TREFOIL_STACK_USAGE` is `1`.
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
    #[must_use]
    pub fn meter(&self) -> Option<Arc<Meter>> {
        match self {
            Metering::ByEnvironment if is_asked() => Some(Arc::default()),
            Metering::ByEnvironment | Metering::Off => None,
            Metering::On => Some(Arc::default()),
            Metering::Into(meter) => Some(Arc::clone(meter)),
        }
    }

    /// The same for several runtimes, which then count together.
    #[must_use]
    pub fn together(&self) -> Metering {
        self.meter().map_or(Metering::Off, Metering::Into)
    }
}

fn is_asked() -> bool {
    env::var_os(VARIABLE).is_some_and(|value| value == "1")
}
