//! Fetching by `ureq`, a blocking client library that knows nothing of Trefoil, and is used unchanged.
//!
//! It lets a program choose what its connections are made of ([`Sockets`]) and how names are looked up
//! ([`Names`]). Everything else is its own: its pool has a lock of `std`, which is never held while a thread waits
//! for anything else.

mod names;
mod sockets;

pub use names::Names;
pub use sockets::Sockets;

use std::io;

use ureq::Agent;
use ureq::config::Config;

/// An agent whose connections are Trefoil's: its threads park, and never block a worker.
#[must_use]
pub fn agent(config: Config) -> Agent {
    Agent::with_parts(config, Sockets, Names)
}

/// Fetches what is there, and tells how many bytes it has.
///
/// # Errors
///
/// What `ureq` says: also a status of 400 and more, and a body that ends too early.
pub fn fetch(agent: &Agent, url: &str) -> Result<u64, ureq::Error> {
    let response = agent.get(url).call()?;
    let mut body = response.into_body().into_reader();
    Ok(io::copy(&mut body, &mut io::sink())?)
}
