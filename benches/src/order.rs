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
