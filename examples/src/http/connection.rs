//! The life of one connection: requests come one after the other, or several at once, and are answered in their
//! order.

use std::io::{self, ErrorKind, Read as _, Write as _};
use std::time::{Duration, Instant};

use trefoil::net::{Shutdown, TcpStream};

use super::body::Chunks;
use super::control::Control;
use super::limits::Limits;
use super::request::{self, Framing, Head, Method, Request};
use super::response::{Response, Status};

/// Serves a connection until the client has said all, the server is asked to end, or something else ends it. What
/// the client sees of a fault is a response, if it still listens.
///
/// # Errors
///
/// The socket's: the client has gone, or did not read its answers in time.
pub fn serve(
    stream: TcpStream,
    limits: &Limits,
    control: &Control,
    answer: impl Fn(&Request) -> Response,
) -> io::Result<()> {
    // Small responses are whole: nothing is gained by waiting for more.
    let _open = control.connection();
    stream.set_nodelay(true)?;
    stream.set_write_timeout(Some(limits.write))?;
    let mut connection = Connection {
        stream,
        limits,
        control,
        input: Vec::new(),
        output: Vec::new(),
    };
    loop {
        match connection.next() {
            Ok((request, keeps_alive)) => {
                let response = answer(&request);
                let keeps_alive = keeps_alive && !control.is_closing();
                control.count_served();
                let with_body = request.method != Method::Head;
                response.append(&mut connection.output, with_body, keeps_alive);
                if !keeps_alive {
                    return connection.end();
                }
            }
            Err(End::Refused(status)) => {
                Response::failure(status).append(&mut connection.output, true, false);
                return connection.end();
            }
            Err(End::Silent) => return connection.flush(),
            Err(End::Broken(error)) => return Err(error),
        }
    }
}

/// Why no further request comes.
enum End {
    /// The client has said all, or nothing for too long. It is no error.
    Silent,
    /// What it says is not accepted.
    Refused(Status),
    Broken(io::Error),
}

impl From<io::Error> for End {
    fn from(error: io::Error) -> End {
        End::Broken(error)
    }
}

impl From<Status> for End {
    fn from(status: Status) -> End {
        End::Refused(status)
    }
}

struct Connection<'a> {
    stream: TcpStream,
    limits: &'a Limits,
    control: &'a Control,
    /// What has come and was not taken.
    input: Vec<u8>,
    /// What is to be sent. It is, before anything is waited for: requests that came at once are answered
    /// at once.
    output: Vec<u8>,
}

impl Connection<'_> {
    /// The next request, and whether another one may follow.
    fn next(&mut self) -> Result<(Request, bool), End> {
        if self.input.is_empty() {
            self.flush()?;
            let (control, until) = (self.control, deadline(self.limits.idle));
            match control.while_idle(|| self.fill(until)) {
                Some(Ok(true)) => {}
                None | Some(Ok(false) | Err(End::Refused(Status::RequestTimeout))) => {
                    return Err(End::Silent);
                }
                Some(Err(end)) => return Err(end),
            }
        }
        // However slowly its bytes come, the request has to be there in time.
        let until = deadline(self.limits.request);
        let head = self.head(until)?;
        if head.expects_continue && self.input.is_empty() {
            self.output
                .extend_from_slice(b"HTTP/1.1 100 Continue\r\n\r\n");
        }
        let body = match head.framing {
            Framing::Length(length) => self.counted_body(length, until)?,
            Framing::Chunked => self.chunked_body(until)?,
        };
        let request = Request {
            method: head.method,
            target: head.target,
            body,
        };
        Ok((request, head.keeps_alive))
    }

    fn head(&mut self, until: Instant) -> Result<Head, End> {
        loop {
            if let Some((head, length)) = request::parse(&self.input, self.limits)? {
                self.input.drain(..length);
                return Ok(head);
            }
            self.need_more(until)?;
        }
    }

    fn counted_body(&mut self, length: usize, until: Instant) -> Result<Vec<u8>, End> {
        while self.input.len() < length {
            self.need_more(until)?;
        }
        Ok(self.input.drain(..length).collect())
    }

    fn chunked_body(&mut self, until: Instant) -> Result<Vec<u8>, End> {
        let mut chunks = Chunks::default();
        loop {
            let (taken, body) = chunks.take(&self.input, self.limits.body)?;
            self.input.drain(..taken);
            match body {
                Some(body) => return Ok(body),
                None => self.need_more(until)?,
            }
        }
    }

    /// In the middle of a request.
    fn need_more(&mut self, until: Instant) -> Result<(), End> {
        if self.fill(until)? {
            Ok(())
        } else {
            Err(End::Refused(Status::BadRequest))
        }
    }

    /// Sends what is to be sent, and waits for more bytes. `false`: no more will come.
    fn fill(&mut self, until: Instant) -> Result<bool, End> {
        self.flush()?;
        let left = until.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Err(End::Refused(Status::RequestTimeout));
        }
        self.stream.set_read_timeout(Some(left))?;
        let mut bytes = [0; 8 << 10];
        match self.stream.read(&mut bytes) {
            Ok(0) => Ok(false),
            Ok(count) => {
                self.input.extend_from_slice(&bytes[..count]);
                Ok(true)
            }
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {
                Err(End::Refused(Status::RequestTimeout))
            }
            Err(error) => Err(End::Broken(error)),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        if !self.output.is_empty() {
            self.stream.write_all(&self.output)?;
            self.output.clear();
        }
        Ok(())
    }

    /// The last answer. The client may be sending still: were the socket closed now, the kernel would reset the
    /// connection, and the client might never read the answer. So it hears that nothing more comes, and what
    /// it sends is thrown away for a while.
    fn end(mut self) -> io::Result<()> {
        self.flush()?;
        self.stream.shutdown(Shutdown::Write)?;
        let until = deadline(self.limits.request.min(LINGER));
        loop {
            self.input.clear();
            match self.fill(until) {
                Ok(true) => {}
                Ok(false) | Err(_) => return Ok(()),
            }
        }
    }
}

/// How long a client is listened to that was told to end.
const LINGER: Duration = Duration::from_secs(1);

/// The far future, if that is too far to be told.
fn deadline(limit: Duration) -> Instant {
    let now = Instant::now();
    let year = Duration::from_secs(365 * 24 * 3600);
    now.checked_add(limit).unwrap_or(now + year)
}
