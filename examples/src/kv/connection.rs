//! The life of one connection: commands come one after the other, or many at once, and are answered in their order.
//! What came at once is answered by one write.

use std::io::{self, ErrorKind, Write as _};
use std::time::{Duration, Instant};

use trefoil::net::{Shutdown, TcpStream};

use super::commands::{Next, Session};
use super::limits::Limits;
use super::protocol::{Parser, Request};
use super::reply::Reply;
use super::store::Store;
use crate::http::{Control, Input, Opened};

/// Serves a connection until the client has said all, the server is asked to end, or something else ends it. Whether
/// the client has asked the server itself to end.
///
/// # Errors
///
/// The socket's: the client has gone, did not say all of a command in time, or did not read its answers.
pub fn serve(
    stream: TcpStream,
    store: &Store,
    limits: &Limits,
    control: &Control,
) -> io::Result<bool> {
    stream.set_nodelay(true)?;
    stream.set_write_timeout(Some(limits.write))?;
    let mut connection = Connection {
        stream,
        limits,
        open: control.connection(),
        input: Input::default(),
        parser: Parser::default(),
        reply: Reply::default(),
    };
    let mut session = Session::new(store);
    while let Some(request) = connection.next()? {
        if request.is_empty() {
            continue;
        }
        let next = session.run(request, &mut connection.reply);
        connection.open.count_served();
        match next {
            Next::GoesOn if !control.is_closing() => {}
            Next::GoesOn | Next::Ends => break,
            Next::Shutdown => {
                connection.flush()?;
                return Ok(true);
            }
        }
    }
    connection.end()?;
    Ok(false)
}

/// More is sent before the next command is done.
const MOST_OUTPUT: usize = 64 << 10;

/// How long a client is listened to that was told to end.
const LINGER: Duration = Duration::from_secs(1);

struct Connection<'a> {
    stream: TcpStream,
    limits: &'a Limits,
    open: Opened<'a>,
    /// What has come and was not taken.
    input: Input,
    parser: Parser,
    /// What is to be sent. It is, before anything is waited for.
    reply: Reply,
}

impl Connection<'_> {
    /// The next command; `None`: there will be none.
    fn next(&mut self) -> io::Result<Option<Request>> {
        // However slowly its bytes come, a command has to be there in time.
        let mut until = None;
        loop {
            match self.parser.next(self.input.bytes(), self.limits) {
                Ok(Some((request, length))) => {
                    self.input.take(length);
                    if self.reply.bytes().len() >= MOST_OUTPUT {
                        self.flush()?;
                    }
                    return Ok(Some(request));
                }
                Ok(None) => {}
                Err(wrong) => {
                    self.reply.error(&format!("ERR Protocol error: {wrong}"));
                    return Ok(None);
                }
            }
            self.flush()?;
            let more = if self.input.is_empty() {
                self.wait_for_first()?
            } else {
                let until = *until.get_or_insert_with(|| deadline(self.limits.complete));
                self.wait_for_rest(until)?
            };
            if !more {
                return Ok(None);
            }
        }
    }

    /// Between two commands, where the server may end the connection.
    fn wait_for_first(&mut self) -> io::Result<bool> {
        let Connection {
            open,
            stream,
            input,
            ..
        } = self;
        stream.set_read_timeout(Some(self.limits.idle))?;
        match open.while_idle(|| input.read_from(&*stream)) {
            None => Ok(false),
            Some(Err(error)) if is_late(&error) => Ok(false),
            Some(read) => Ok(read? > 0),
        }
    }

    /// In the middle of a command.
    fn wait_for_rest(&mut self, until: Instant) -> io::Result<bool> {
        let left = until.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Err(ErrorKind::TimedOut.into());
        }
        self.stream.set_read_timeout(Some(left))?;
        Ok(self.input.read_from(&self.stream)? > 0)
    }

    fn flush(&mut self) -> io::Result<()> {
        if !self.reply.bytes().is_empty() {
            self.stream.write_all(self.reply.bytes())?;
            self.reply.clear();
        }
        Ok(())
    }

    /// The last answer. The client may be sending still: were the socket closed now, the kernel would reset the
    /// connection, and the client might never read the answer. So it hears that nothing more comes, and what
    /// it sends is thrown away for a while.
    fn end(mut self) -> io::Result<()> {
        self.flush()?;
        self.stream.shutdown(Shutdown::Write)?;
        let until = deadline(LINGER);
        loop {
            self.input.take(self.input.bytes().len());
            match self.wait_for_rest(until) {
                Ok(true) => {}
                Ok(false) | Err(_) => return Ok(()),
            }
        }
    }
}

fn is_late(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut)
}

/// The far future, if that is too far to be told.
fn deadline(limit: Duration) -> Instant {
    let now = Instant::now();
    let year = Duration::from_secs(365 * 24 * 3600);
    now.checked_add(limit).unwrap_or(now + year)
}
