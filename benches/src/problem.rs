//! Why the program ends without success, and with which exit code.
#![forbid(unsafe_code)]

use std::fmt;
use std::process::ExitCode;

/// Its text goes to standard error.
#[derive(Debug)]
pub(crate) enum Problem {
    /// The command line asks for what there is not. clap's own refusals have the same exit code.
    Usage(String),
    /// A result was wrong, or something failed.
    Failed(String),
}

impl Problem {
    pub(crate) fn exit_code(&self) -> ExitCode {
        match self {
            Problem::Usage(_) => ExitCode::from(2),
            Problem::Failed(_) => ExitCode::from(1),
        }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Problem::Usage(sentence) | Problem::Failed(sentence) => f.write_str(sentence),
        }
    }
}
