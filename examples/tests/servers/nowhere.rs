//! An address where nobody listens.

use std::net::{SocketAddr, TcpListener, TcpStream};

/// The port of a connection: nobody else gets it while this lasts, and who connects to it is refused.
pub(crate) struct Nowhere {
    pub(crate) address: SocketAddr,
    _held: (TcpListener, TcpStream),
}

impl Nowhere {
    pub(crate) fn new() -> Nowhere {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let stream = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        Nowhere {
            address: stream.local_addr().unwrap(),
            _held: (listener, stream),
        }
    }
}
