//! How much a client may ask for, and how long it may take. What is beyond is refused, and the connection ends.

use std::time::Duration;

/// The bounds of one connection.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Bytes of a line: an inline command, or a length.
    pub line: usize,
    /// How many arguments a command has.
    pub arguments: usize,
    /// Bytes of a command with all its arguments.
    pub request: usize,
    /// How long a connection may be without a request.
    pub idle: Duration,
    /// How long a request may take from its first byte to its last, whatever comes in between.
    pub complete: Duration,
    /// How long the client may take to read something.
    pub write: Duration,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits {
            line: 64 << 10,
            arguments: 64 << 10,
            request: 8 << 20,
            idle: Duration::from_secs(300),
            complete: Duration::from_secs(10),
            write: Duration::from_secs(30),
        }
    }
}
