//! The life of a connection: requests are answered in their order, those that came together by one write.

use std::io::{self, Read as _, Write as _};
use std::time::Duration;

use trefoil::net::{Shutdown, TcpStream};
use trefoil::time::timeout;

use super::command::{Then, execute};
use super::reply::Reply;
use super::request::{self, Malformed};
use super::store::Store;
use crate::http::Control;

/// What is read at once.
const PIECE: usize = 16 << 10;
/// Answers that are written before further requests are looked at.
const MOST_OUTPUT: usize = 64 << 10;
/// How long a client is listened to that was told to end.
const LINGER: Duration = Duration::from_secs(1);
/// How long a client may leave its answers unread.
const UNREAD: Duration = Duration::from_secs(30);

/// Serves a connection until the client has said all or the server is asked to end.
///
/// # Errors
///
/// The socket's: the client has gone, or does not read its answers.
pub fn serve(mut stream: TcpStream, store: &Store, control: &Control) -> io::Result<()> {
    stream.set_nodelay(true)?;
    stream.set_write_timeout(Some(UNREAD))?;
    let open = control.connection();
    let (mut input, mut output) = (Input::default(), Vec::new());
    while !control.is_closing() {
        let end = answer(&mut input, &mut output, store, || open.count_served());
        if !output.is_empty() {
            stream.write_all(&output)?;
            output.clear();
        }
        match end {
            End::Closed => return hang_up(stream),
            End::Full => continue,
            End::Incomplete => {}
        }
        // Who waits for the rest of a request is not idle, and has the grace for it.
        let count = match input.is_empty() {
            true => open.while_idle(|| input.read(&mut stream)),
            false => Some(input.read(&mut stream)),
        };
        match count {
            // It is asked to end, or the client has said all.
            None | Some(Ok(0)) => break,
            Some(Ok(_)) => {}
            Some(Err(error)) => return Err(error),
        }
    }
    Ok(())
}

/// The client may be sending still: were the socket closed now, the kernel would reset the connection, and the
/// client might never read the answers. So it hears that nothing more comes, and what it sends is thrown away
/// for a while.
fn hang_up(mut stream: TcpStream) -> io::Result<()> {
    stream.shutdown(Shutdown::Write)?;
    // Late or not, it is over then.
    let _ = timeout(LINGER, || {
        let mut thrown_away = [0; PIECE];
        while stream.read(&mut thrown_away).is_ok_and(|count| count != 0) {}
    });
    Ok(())
}

/// Why no further request is answered now.
enum End {
    /// It has not come as a whole.
    Incomplete,
    /// The answers are to be written first.
    Full,
    /// The connection is over.
    Closed,
}

fn answer(input: &mut Input, output: &mut Vec<u8>, store: &Store, mut count: impl FnMut()) -> End {
    while output.len() < MOST_OUTPUT {
        let (words, length) = match request::first(input.rest()) {
            Ok(None) => return End::Incomplete,
            Ok(Some(first)) => first,
            Err(Malformed(why)) => {
                Reply::error(&format!("Protocol error: {why}")).write(output);
                return End::Closed;
            }
        };
        if !words.is_empty() {
            let (reply, then) = execute(store, &words);
            reply.write(output);
            count();
            if then == Then::HangUp {
                return End::Closed;
            }
        }
        input.take(length);
    }
    End::Full
}

/// What has come and is not answered yet.
#[derive(Default)]
struct Input {
    bytes: Vec<u8>,
    taken: usize,
}

impl Input {
    fn rest(&self) -> &[u8] {
        &self.bytes[self.taken..]
    }

    fn is_empty(&self) -> bool {
        self.rest().is_empty()
    }

    fn take(&mut self, length: usize) {
        self.taken += length;
    }

    /// Waits for more.
    fn read(&mut self, stream: &mut TcpStream) -> io::Result<usize> {
        self.bytes.drain(..self.taken);
        self.taken = 0;
        let held = self.bytes.len();
        // A large string comes in pieces that grow with it.
        self.bytes.resize(held + PIECE.max(held), 0);
        let count = stream.read(&mut self.bytes[held..]);
        self.bytes
            .truncate(held + count.as_ref().map_or(0, |count| *count));
        count
    }
}
