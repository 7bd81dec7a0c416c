//! Sockets between the processes of one machine, as in `std::os::unix::net`.
//!
//! They are in a module of their own, because `std` has them in one: a program changes
//! `std::os::unix::net` to `trefoil::os::unix::net`, and the names stay. Addresses are `std`'s [`SocketAddr`], also abstract ones, which
//! [`std::os::linux::net::SocketAddrExt`] makes.
//!
//! | file       | what it decides                                       |
//! |------------|-------------------------------------------------------|
//! | `address`  | addresses of `std`, and those of the system calls     |
//! | `listener` | where connections are waited for                      |
//! | `stream`   | one end of a connection, and how one is begun         |
//! | `datagram` | whole messages                                        |
//! | `room`     | waits that no event of the own descriptor ends        |
#![forbid(unsafe_code)]

mod address;
mod datagram;
mod listener;
mod room;
mod stream;

pub use datagram::UnixDatagram;
pub use listener::{Incoming, UnixListener};
pub use std::os::unix::net::SocketAddr;
pub use stream::UnixStream;
