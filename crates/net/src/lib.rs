//! Sockets and pipes for threads of every model: the types and methods of `std::net`,
//! `std::os::unix::net` and `std::io::pipe`, written once over [`trefoil_runtime::Source`].
//!
//! A call that would block parks the calling thread, in every model, and other threads run on;
//! each such call is a cancellation point. The sockets belong to no runtime: they may be made
//! in one, used in another, and used by a plain `std::thread`.
//!
//! ```text
//!   TcpListener · TcpStream · UdpSocket · Unix… · pipe     what a program names
//!   ──────────────────────────────────────────────────
//!   handle: bytes · datagram · accept · modes              what waits, for how long
//!   ──────────────────────────────────────────────────
//!   socket                                                 one system call each, never waits
//!   ──────────────────────────────────────────────────
//!   trefoil_runtime::Source                                who waits, and how it is woken
//! ```
//!
//! Readiness is learnt from the operations: each is tried first, and only one that would block
//! waits. Timeouts are deadlines of that wait, not options of the socket, so they hold in every
//! model and cost nothing while data comes.
//!
//! Files, and standard input and output, are in [`fs`] and [`io`]. Readiness is no help there, or not
//! enough: what may block is made by [`trefoil_runtime::thread::blocking`].
//!
//! Name resolution may block, so it goes to [`trefoil_runtime::thread::blocking`]; see
//! [`ToSocketAddrs`].

// Models need the protocols only; what waits for real things is left out.
#![cfg(not(trefoil_loom))]

mod accept;
mod address;
mod bytes;
mod convert;
mod datagram;
mod exhausted;
pub mod fs;
mod handle;
pub mod io;
mod methods;
mod modes;
mod pause;
mod pipe;
pub mod process;
mod raw;
pub mod signal;
mod socket;
mod tcp;
mod text;
mod udp;
pub mod unix;

pub use address::ToSocketAddrs;
pub use exhausted::DescriptorsExhausted;
pub use pipe::{PipeReader, PipeWriter, pipe};
pub use std::net::Shutdown;
pub use tcp::{Incoming, TcpListener, TcpListenerBuilder, TcpStream};
pub use udp::UdpSocket;
