//! TCP: streams of bytes between two sockets.
//!
//! | file       | what it decides                                                |
//! |------------|----------------------------------------------------------------|
//! | `listener` | where connections are waited for                               |
//! | `incoming` | the same as an iterator                                        |
//! | `stream`   | one end of a connection: addresses, options, both ends' ending |
//! | `connect`  | how a connection is begun, and when one gives up               |
//! | `bytes`    | reading and writing                                            |
//! | `modes`    | how long a call waits                                          |
//! | `convert`  | descriptors, and the types of `std`                            |
#![forbid(unsafe_code)]

mod bytes;
mod connect;
mod convert;
mod incoming;
mod listener;
mod modes;
mod stream;

pub use incoming::Incoming;
pub use listener::TcpListener;
pub use stream::TcpStream;
