//! TCP: streams of bytes between two sockets.
//!
//! | file       | what it decides                                    |
//! |------------|----------------------------------------------------|
//! | `listener` | where connections are waited for                   |
//! | `builder`  | what is said before: the queue, several at a place |
//! | `incoming` | the same as an iterator                            |
//! | `stream`   | one end of a connection, and its options           |
//! | `connect`  | how a connection is begun, and when one gives up   |
#![forbid(unsafe_code)]

mod builder;
mod connect;
mod incoming;
mod listener;
mod stream;

pub use builder::TcpListenerBuilder;
pub use incoming::Incoming;
pub use listener::TcpListener;
pub use stream::TcpStream;
