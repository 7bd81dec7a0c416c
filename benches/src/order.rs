//! One run of a workload: how large it is, and where it finds the program that plays its client.
#![forbid(unsafe_code)]

use std::path::PathBuf;

use crate::parameters::Parameters;

/// What a workload is told.
#[derive(Debug, Clone)]
pub struct Order {
    /// Its sizes.
    pub parameters: Parameters,
    /// The benchmark program, which the echo workloads start once more as their client.
    pub program: PathBuf,
}

impl Order {
    /// Whether server and client have processors of their own; see [`pin`](crate::pin).
    #[must_use]
    pub fn is_pinned(&self) -> bool {
        let mut parameters = self.parameters.iter();
        parameters.any(|(name, value)| name == "pin" && value != 0)
    }

    /// The value of a parameter of the workload.
    ///
    /// # Panics
    ///
    /// If the workload has no such parameter.
    #[must_use]
    #[track_caller]
    pub fn get(&self, parameter: &str) -> u64 {
        self.parameters.get(parameter)
    }
}
