//! The two directions of a descriptor.
#![forbid(unsafe_code)]

/// What an operation on a descriptor needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Interest {
    /// Something to read, a connection to accept.
    Read,
    /// Room to write, a connection attempt that has ended.
    Write,
}
