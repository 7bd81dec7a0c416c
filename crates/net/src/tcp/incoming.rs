//! Connections as an iterator.
#![forbid(unsafe_code)]

use std::io;
use std::iter::FusedIterator;

use super::listener::TcpListener;
use super::stream::TcpStream;

/// The connections of a [`TcpListener`]; see [`incoming`](TcpListener::incoming). It never
/// ends: after an error it goes on with the next connection.
///
/// ```
/// use trefoil_net::{Incoming, TcpListener, TcpStream};
///
/// let listener = TcpListener::bind("127.0.0.1:0")?;
/// let _client = TcpStream::connect(listener.local_addr()?)?;
/// let mut connections: Incoming<'_> = listener.incoming();
/// let connection = connections.next().expect("it never ends")?;
/// assert_eq!(connection.local_addr()?, listener.local_addr()?);
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Debug)]
#[must_use = "it accepts nothing until it is iterated"]
pub struct Incoming<'a> {
    pub(super) listener: &'a TcpListener,
}

impl Iterator for Incoming<'_> {
    type Item = io::Result<TcpStream>;

    #[track_caller]
    fn next(&mut self) -> Option<io::Result<TcpStream>> {
        Some(self.listener.accept().map(|(stream, _)| stream))
    }
}

impl FusedIterator for Incoming<'_> {}
