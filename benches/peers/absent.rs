//! What stands here without the feature `peers`.
#![forbid(unsafe_code)]

use std::process::Command;

use crate::contender::Peer;
use crate::failure::Failure;
use crate::measurement::Measurement;
use crate::order::Order;

/// Whether the peers can be measured.
pub const COMPILED_IN: bool = false;

const WHY: &str = "the peers are not compiled in: build with `--features peers`";

/// Why a peer cannot be measured: none of them is compiled in.
#[must_use]
pub fn obstacle(_peer: Peer) -> Option<String> {
    Some(WHY.into())
}

/// No peer that is compiled in is a program of its own.
///
/// # Errors
///
/// Never.
pub fn command(
    _peer: Peer,
    _workload: &str,
    _order: &Order,
    _workers: Option<usize>,
) -> Result<Option<Command>, Failure> {
    Ok(None)
}

/// Refuses to run a workload on a peer.
///
/// # Errors
///
/// Always: the peers are not compiled in.
pub fn run(
    _peer: Peer,
    _workload: &str,
    _order: &Order,
    _workers: usize,
) -> Result<Measurement, Failure> {
    Err(Failure::Unable(WHY.into()))
}
