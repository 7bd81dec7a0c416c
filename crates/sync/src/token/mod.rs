//! A signal to stop that is handed round: the tree of those who are to hear it.
//!
//! | file     | what it decides                                          |
//! |----------|----------------------------------------------------------|
//! | `tree`   | who is cancelled with whom, and that nobody is forgotten |
//! | this one | what users hold, and how one waits for the signal        |
//!
//! A token is none of the threads' own cancellation: it ends no thread, and nobody need listen.

#![forbid(unsafe_code)]

mod tree;

#[cfg(not(trefoil_loom))]
mod user;
#[cfg(not(trefoil_loom))]
pub use user::{CancellationToken, DropGuard};
