//! The life of one connection: requests come one after the other, or several at once, and are answered in their
//! order.

use std::io::{self, ErrorKind};
use std::time::{Duration, Instant};

use super::body::Chunks;
use super::control::{Control, Opened};
use super::date::Date;
use super::input::Input;
use super::limits::Limits;
use super::request::{self, Framing, Method, Request};
use super::response::{Response, Status};
use super::stream::{Stream, Within};

/// Serves a connection until the client has said all, the server is asked to end, or something else ends it. What
/// the client sees of a fault is a response, if it still listens.
///
/// # Errors
///
/// The socket's: the client has gone, or did not read its answers in time.
pub fn serve<S: Stream>(
    stream: S,
    limits: &Limits,
    control: &Control,
    answer: impl Fn(&Request) -> Response,
) -> io::Result<()> {
    // Small responses are whole: nothing is gained by waiting for more.
    stream.socket().set_nodelay(true)?;
    stream.socket().set_write_timeout(Some(limits.write))?;
    let mut connection = Connection {
        stream,
        limits,
        open: control.connection(),
        input: Input::default(),
        output: Vec::new(),
        until: None,
        date: Date::now(),
    };
    let mut request = Request::default();
    loop {
        match connection.next(&mut request) {
            Ok(keeps_alive) => {
                let response = answer(&request);
                let keeps_alive = keeps_alive && !control.is_closing();
                connection.open.count_served();
                connection.answer(&response, request.method != Method::Head, keeps_alive);
                if !keeps_alive {
                    return connection.end();
                }
                if connection.output.len() >= MOST_OUTPUT {
                    connection.flush()?;
                }
            }
            Err(End::Refused(status)) => {
                connection.answer(&Response::failure(status), true, false);
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

struct Connection<'a, S> {
    stream: S,
    limits: &'a Limits,
    open: Opened<'a>,
    input: Input,
    /// What is to be sent. It is, before anything is waited for: requests that came at once are answered
    /// at once.
    output: Vec<u8>,
    /// When the request has to be there. Told by the first wait for it: one that came whole needs no clock.
    until: Option<Instant>,
    /// That of the last read.
    date: Date,
}

/// More is sent before the next answer is made.
const MOST_OUTPUT: usize = 64 << 10;

impl<S: Stream> Connection<'_, S> {
    /// Takes the next request, and tells whether another one may follow.
    fn next(&mut self, request: &mut Request) -> Result<bool, End> {
        if self.input.is_empty() {
            self.flush()?;
            // Apart, so that the connection can be written in meanwhile.
            let Connection {
                open,
                stream,
                input,
                ..
            } = self;
            let idle = self.limits.idle.max(SHORTEST);
            match open.while_idle(|| read(stream, input, idle)) {
                Some(Ok(true)) => self.date.renew(),
                None | Some(Ok(false) | Err(End::Refused(Status::RequestTimeout))) => {
                    return Err(End::Silent);
                }
                Some(Err(end)) => return Err(end),
            }
        }
        // However slowly its bytes come, the request has to be there in time.
        self.until = None;
        let (framing, keeps_alive) = self.head(request)?;
        request.body.clear();
        match framing {
            Framing::Length(length) => self.counted_body(length, request)?,
            Framing::Chunked => request.body = self.chunked_body()?,
        }
        Ok(keeps_alive)
    }

    fn head(&mut self, request: &mut Request) -> Result<(Framing, bool), End> {
        loop {
            if let Some((head, length)) = request::parse(self.input.bytes(), self.limits)? {
                request.method = head.method;
                request.target.clear();
                request.target.push_str(head.target);
                let told = (head.framing, head.keeps_alive);
                let expects_continue = head.expects_continue;
                self.input.take(length);
                if expects_continue && self.input.is_empty() {
                    self.output
                        .extend_from_slice(b"HTTP/1.1 100 Continue\r\n\r\n");
                }
                return Ok(told);
            }
            self.need_more()?;
        }
    }

    fn counted_body(&mut self, length: usize, request: &mut Request) -> Result<(), End> {
        while self.input.bytes().len() < length {
            self.need_more()?;
        }
        request
            .body
            .extend_from_slice(&self.input.bytes()[..length]);
        self.input.take(length);
        Ok(())
    }

    fn chunked_body(&mut self) -> Result<Vec<u8>, End> {
        let mut chunks = Chunks::default();
        loop {
            let (taken, body) = chunks.take(self.input.bytes(), self.limits.body)?;
            self.input.take(taken);
            match body {
                Some(body) => return Ok(body),
                None => self.need_more()?,
            }
        }
    }

    /// In the middle of a request.
    fn need_more(&mut self) -> Result<(), End> {
        let limit = self.limits.request;
        let until = *self.until.get_or_insert_with(|| deadline(limit));
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
        let goes_on = read(&mut self.stream, &mut self.input, left)?;
        self.date.renew();
        Ok(goes_on)
    }

    fn answer(&mut self, response: &Response, with_body: bool, keeps_alive: bool) {
        response.append(&mut self.output, &self.date, with_body, keeps_alive);
    }

    fn flush(&mut self) -> io::Result<()> {
        if !self.output.is_empty() {
            self.stream.write_all(&self.output)?;
            self.stream.flush()?;
            self.output.clear();
        }
        Ok(())
    }

    /// The last answer. The client may be sending still: were the socket closed now, the kernel would reset the
    /// connection, and the client might never read the answer. So it hears that nothing more comes, and what
    /// it sends is thrown away for a while.
    fn end(mut self) -> io::Result<()> {
        self.flush()?;
        self.stream.finish()?;
        let until = deadline(self.limits.request.min(LINGER));
        loop {
            self.input.take(self.input.bytes().len());
            match self.fill(until) {
                Ok(true) => {}
                Ok(false) | Err(_) => return Ok(()),
            }
        }
    }
}

/// Makes one read. `false`: no more will come.
fn read(stream: &mut impl Stream, input: &mut Input, limit: Duration) -> Result<bool, End> {
    match input.read_from(Within(stream, limit)) {
        Ok(count) => Ok(count != 0),
        Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {
            Err(End::Refused(Status::RequestTimeout))
        }
        Err(error) => Err(End::Broken(error)),
    }
}

/// The time limit of a socket cannot be 0.
const SHORTEST: Duration = Duration::from_nanos(1);

/// How long a client is listened to that was told to end.
const LINGER: Duration = Duration::from_secs(1);

/// The far future, if that is too far to be told.
fn deadline(limit: Duration) -> Instant {
    let now = Instant::now();
    let year = Duration::from_secs(365 * 24 * 3600);
    now.checked_add(limit).unwrap_or(now + year)
}
