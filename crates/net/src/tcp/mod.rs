//! TCP: streams of bytes between two sockets.
#![forbid(unsafe_code)]

mod listener;
mod modes;
mod stream;

pub use listener::{Incoming, TcpListener};
pub use stream::TcpStream;
