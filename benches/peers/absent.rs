//! What stands here without the feature `peers`.
#![forbid(unsafe_code)]

use crate::contender::Peer;
use crate::failure::Failure;
use crate::measurement::Measurement;
use crate::order::Order;

/// Whether the peers can be measured.
pub const COMPILED_IN: bool = false;

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
    let why = "the peers are not compiled in: build with `--features peers`";
    Err(Failure::Unable(why.into()))
}
