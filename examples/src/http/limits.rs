//! How much a client may ask for, and how long it may take. What is beyond is refused, and the connection ends.

use std::time::Duration;

/// The bounds of one connection.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Bytes of a head: the request line and the headers.
    pub head: usize,
    /// How many headers; at most 128.
    pub headers: usize,
    /// Bytes of a body.
    pub body: usize,
    /// How long a connection may be without a request.
    pub idle: Duration,
    /// How long a request may take from its first byte to its last, whatever comes in between.
    pub request: Duration,
    /// How long the client may take to read something.
    pub write: Duration,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits {
            head: 16 << 10,
            headers: 64,
            body: 1 << 20,
            idle: Duration::from_secs(60),
            request: Duration::from_secs(10),
            write: Duration::from_secs(30),
        }
    }
}
