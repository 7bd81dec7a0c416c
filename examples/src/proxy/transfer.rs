//! How a body gets from one side to the other: as it comes.

use std::time::Duration;

use super::body::{Body, Sent};
use super::peer::{Fault, Sink, Source};

/// Why it did not get through.
#[derive(Debug)]
pub(super) enum Failure {
    Source(Fault),
    Sink(Fault),
    /// It does not say where it ends.
    Malformed,
}

/// Hands on what has come of a body. What is handed on last may be left to be flushed.
pub(super) fn pass(
    from: &mut Source<'_>,
    body: &mut Body,
    to: &mut Sink<'_>,
    sent: Sent,
) -> Result<(), Failure> {
    while !body.is_complete() {
        let taken = body.take(from.input.bytes());
        let taken = taken.map_err(|_| Failure::Malformed)?;
        sent.append(to.output, taken.data);
        let count = taken.count;
        from.input.take(count);
        if count == 0 {
            return Ok(());
        }
        to.flush_if_much().map_err(Failure::Sink)?;
    }
    sent.append_end(to.output);
    Ok(())
}

/// The same, to the end of the body. Nothing is waited for that long, and all is sent before.
pub(super) fn transfer(
    from: &mut Source<'_>,
    body: &mut Body,
    to: &mut Sink<'_>,
    sent: Sent,
    stall: Duration,
) -> Result<(), Failure> {
    loop {
        pass(from, body, to, sent)?;
        if body.is_complete() {
            return Ok(());
        }
        to.flush().map_err(Failure::Sink)?;
        match from.fill(stall) {
            Ok(()) => {}
            Err(Fault::Ended) if matches!(body, Body::UntilEnd) => {
                sent.append_end(to.output);
                return Ok(());
            }
            Err(fault) => return Err(Failure::Source(fault)),
        }
    }
}
