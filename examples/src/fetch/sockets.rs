//! What the connections are made of.

use std::io::{ErrorKind, Read as _, Write as _};
use std::net::SocketAddr;
use std::sync::{Arc, Weak};
use std::time::Duration;

use trefoil::net::{Shutdown, TcpStream};
use ureq::unversioned::transport::{
    Buffers, ConnectionDetails, Connector, LazyBuffers, NextTimeout, ShutdownHandle, Transport,
};
use ureq::{Error, Timeout};

/// Connects by Trefoil's sockets. Without TLS: `https` is refused by `ureq`.
#[derive(Debug, Clone, Copy)]
pub struct Sockets;

impl Connector for Sockets {
    type Out = Connection;

    fn connect(
        &self,
        details: &ConnectionDetails<'_>,
        _: Option<()>,
    ) -> Result<Option<Connection>, Error> {
        let config = details.config;
        let stream = connect(&details.addrs, details.timeout)?;
        stream.set_nodelay(config.no_delay())?;
        let socket = Arc::new(Socket(stream));
        let handle: Weak<Socket> = Arc::downgrade(&socket);
        (details.register_shutdown)(handle)?;
        Ok(Some(Connection {
            socket,
            buffers: LazyBuffers::new(config.input_buffer_size(), config.output_buffer_size()),
        }))
    }
}

/// The first address that answers. All of them share the time.
fn connect(addresses: &[SocketAddr], timeout: NextTimeout) -> Result<TcpStream, Error> {
    let mut last = Error::ConnectionFailed;
    let share = timeout
        .not_zero()
        .map(|all| *all / u32::try_from(addresses.len()).unwrap_or(u32::MAX).max(1));
    for address in addresses {
        let connected = match share {
            Some(share) => TcpStream::connect_timeout(address, share.max(SHORTEST)),
            None => TcpStream::connect(address),
        };
        match connected {
            Ok(stream) => return Ok(stream),
            Err(error) => last = told(error, Timeout::Connect),
        }
    }
    Err(last)
}

/// The time limit of a socket cannot be 0.
const SHORTEST: Duration = Duration::from_nanos(1);

fn told(error: std::io::Error, limit: Timeout) -> Error {
    match error.kind() {
        ErrorKind::WouldBlock | ErrorKind::TimedOut => Error::Timeout(limit),
        _ => Error::Io(error),
    }
}

/// A connection, as `ureq` uses it.
#[derive(Debug)]
pub struct Connection {
    socket: Arc<Socket>,
    buffers: LazyBuffers,
}

#[derive(Debug)]
struct Socket(TcpStream);

impl ShutdownHandle for Socket {
    fn shutdown(&self) {
        // The peer may have ended it.
        let _ = self.0.shutdown(Shutdown::Both);
    }
}

/// What is left of the time.
fn left(timeout: NextTimeout) -> Result<Option<Duration>, Error> {
    if timeout.after.is_not_happening() {
        return Ok(None);
    }
    if timeout.after.is_zero() {
        return Err(Error::Timeout(timeout.reason));
    }
    Ok(Some(*timeout.after))
}

impl Transport for Connection {
    fn buffers(&mut self) -> &mut dyn Buffers {
        &mut self.buffers
    }

    fn transmit_output(&mut self, amount: usize, timeout: NextTimeout) -> Result<(), Error> {
        let timeout = timeout.for_write();
        let mut stream = &self.socket.0;
        stream.set_write_timeout(left(timeout)?)?;
        let sent = stream.write_all(&self.buffers.output()[..amount]);
        sent.map_err(|error| told(error, timeout.reason))
    }

    fn await_input(&mut self, timeout: NextTimeout) -> Result<bool, Error> {
        let timeout = timeout.for_read();
        let mut stream = &self.socket.0;
        stream.set_read_timeout(left(timeout)?)?;
        let come = stream.read(self.buffers.input_append_buf());
        let come = come.map_err(|error| told(error, timeout.reason))?;
        self.buffers.input_appended(come);
        Ok(come != 0)
    }

    /// Asked with the lock of `ureq`'s pool: it does not wait.
    fn is_open(&mut self) -> bool {
        let stream = &self.socket.0;
        let look = || {
            stream.set_nonblocking(true)?;
            let seen = stream.peek(&mut [0]);
            stream.set_nonblocking(false)?;
            seen
        };
        matches!(look(), Err(error) if error.kind() == ErrorKind::WouldBlock)
    }
}
