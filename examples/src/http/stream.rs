//! What a connection is served on.

use std::io::{self, Read, Write};

use trefoil::net::{Shutdown, TcpStream};

/// Bytes in both directions over a socket, as they are or enciphered.
pub trait Stream: Read + Write {
    /// What they go over, whose time limits are those of the calls here.
    fn socket(&self) -> &TcpStream;

    /// Tells the other end that nothing more will come.
    ///
    /// # Errors
    ///
    /// The socket's.
    fn finish(&mut self) -> io::Result<()>;
}

impl Stream for TcpStream {
    fn socket(&self) -> &TcpStream {
        self
    }

    fn finish(&mut self) -> io::Result<()> {
        self.shutdown(Shutdown::Write)
    }
}
