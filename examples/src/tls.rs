//! TLS by `rustls`, whose blocking streams know nothing of Trefoil.

use std::io::{self, ErrorKind, Read, Write};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ServerConfig, ServerConnection, StreamOwned};
use trefoil::net::{Shutdown, TcpStream};
use trefoil::time::timeout;

use crate::http::{Control, Stream};

/// What a server shows to its clients: a certificate, with those that vouch for it, and its key, in PEM files.
///
/// # Errors
///
/// With the file's name: it cannot be read, or is none of that kind; or the two do not belong together.
pub fn config(certificate: &Path, key: &Path) -> io::Result<Arc<ServerConfig>> {
    let of = |file: &Path| {
        let file = file.display().to_string();
        move |wrong| io::Error::new(ErrorKind::InvalidData, format!("{file}: {wrong}"))
    };
    let chain = CertificateDer::pem_file_iter(certificate).and_then(Iterator::collect);
    let chain = chain.map_err(of(certificate))?;
    let secret = PrivateKeyDer::from_pem_file(key).map_err(of(key))?;
    let config = ServerConfig::builder()
        .with_no_client_auth()
        .with_single_cert(chain, secret);
    config.map(Arc::new).map_err(io::Error::other)
}

/// How long the client may take to take the last word.
const LAST_WORD: Duration = Duration::from_millis(500);

/// A connection that is enciphered. When it is dropped, also by a thread that is cancelled, the client is told
/// that it ends, so that it can tell that from a connection that breaks off.
#[derive(Debug)]
pub struct TlsStream(StreamOwned<ServerConnection, TcpStream>);

/// Agrees with the client on the ciphers, within this time, however slowly it speaks.
///
/// # Errors
///
/// `TimedOut`; `ConnectionAborted`: the server was asked to end; what the client says is no TLS, or not what the server accepts; the socket's.
pub fn accept(
    config: &Arc<ServerConfig>,
    mut stream: TcpStream,
    limit: Duration,
    control: &Control,
) -> io::Result<TlsStream> {
    let connection = ServerConnection::new(Arc::clone(config));
    let mut connection = connection.map_err(io::Error::other)?;
    // A server that ends does not wait for who has not asked for anything yet.
    let opened = control.connection();
    let agreed = opened.while_idle(|| {
        timeout(limit, || {
            while connection.is_handshaking() {
                connection.complete_io(&mut stream)?;
            }
            Ok(())
        })
    });
    match agreed.ok_or(ErrorKind::ConnectionAborted)? {
        Ok(Ok(())) => Ok(TlsStream(StreamOwned::new(connection, stream))),
        Ok(Err(error)) => Err(error),
        Err(_) => Err(ErrorKind::TimedOut.into()),
    }
}

impl Stream for TlsStream {
    fn socket(&self) -> &TcpStream {
        &self.0.sock
    }

    /// For a record, `rustls` may read many times.
    fn read_within(&mut self, limit: Duration, buffer: &mut [u8]) -> io::Result<usize> {
        let read = timeout(limit, || self.0.read(buffer));
        read.unwrap_or_else(|_| Err(ErrorKind::TimedOut.into()))
    }

    fn finish(&mut self) -> io::Result<()> {
        self.0.conn.send_close_notify();
        self.0.flush()?;
        self.0.sock.shutdown(Shutdown::Write)
    }
}

impl Read for TlsStream {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.0.read(buffer)
    }
}

impl Write for TlsStream {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

impl Drop for TlsStream {
    fn drop(&mut self) {
        // Who has gone needs no word; who does not read gets none; a second one is not sent.
        let _ = self.0.sock.set_write_timeout(Some(LAST_WORD));
        self.0.conn.send_close_notify();
        let _ = self.0.flush();
    }
}
