//! How much a client may ask for, and how long each step may take.

use std::time::Duration;

/// The bounds of one connection.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Bytes of a head, of either side.
    pub head: usize,
    /// How long a client's connection may be without a request.
    pub idle: Duration,
    /// How long the head of a request may take to come.
    pub request: Duration,
    /// How long an upstream may take until the head of its answer is there.
    pub answer: Duration,
    /// How long either side may say nothing in the middle of a body, or not read what is sent.
    pub stall: Duration,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits {
            head: 16 << 10,
            idle: Duration::from_secs(60),
            request: Duration::from_secs(10),
            answer: Duration::from_secs(30),
            stall: Duration::from_secs(30),
        }
    }
}
