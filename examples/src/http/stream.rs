//! What a connection is served on.

use std::io::{self, Read, Write};
use std::time::Duration;

use trefoil::net::{Shutdown, TcpStream};

/// Bytes in both directions over a socket, as they are or enciphered.
pub trait Stream: Read + Write {
    /// What they go over.
    fn socket(&self) -> &TcpStream;

    /// Reads, and gives up after this time, which is not 0.
    ///
    /// # Errors
    ///
    /// `WouldBlock` or `TimedOut` then, and the socket's.
    fn read_within(&mut self, limit: Duration, buffer: &mut [u8]) -> io::Result<usize>;

    /// Tells the other end that nothing more will come.
    ///
    /// # Errors
    ///
    /// The socket's.
    fn finish(&mut self) -> io::Result<()>;
}

/// Reads within a time limit.
pub(super) struct Within<'a, S>(pub(super) &'a mut S, pub(super) Duration);

impl<S: Stream> Read for Within<'_, S> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.0.read_within(self.1, buffer)
    }
}

impl Stream for TcpStream {
    fn socket(&self) -> &TcpStream {
        self
    }

    fn read_within(&mut self, limit: Duration, buffer: &mut [u8]) -> io::Result<usize> {
        self.set_read_timeout(Some(limit))?;
        self.read(buffer)
    }

    fn finish(&mut self) -> io::Result<()> {
        self.shutdown(Shutdown::Write)
    }
}
