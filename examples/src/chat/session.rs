//! The life of a connection.

use std::io::{self, ErrorKind, Write as _};
use std::time::Duration;

use trefoil::channel::Receiver;
use trefoil::net::{Shutdown, TcpStream};
use trefoil::thread;
use trefoil::time::timeout;

use super::lines::{LONGEST, Lines};
use super::room::{Line, Membership, Refused, Room};
use crate::http::{Control, Opened};

/// How long a client may take for its name.
const NAME: Duration = Duration::from_secs(60);
/// How long a client may leave a line unread.
const UNREAD: Duration = Duration::from_secs(30);

/// Serves a connection until the client has said all or the server is asked to end.
///
/// # Errors
///
/// The socket's: the client has gone.
pub fn serve(stream: &TcpStream, room: &Room, control: &Control) -> io::Result<()> {
    stream.set_nodelay(true)?;
    stream.set_write_timeout(Some(UNREAD))?;
    let open = control.connection();
    let mut lines = Lines::default();
    let introduced = timeout(NAME, || introduced(stream, room, &open, &mut lines));
    // Late, gone, or the server ends.
    let Ok(Ok(Some((member, queue)))) = introduced else {
        return Ok(());
    };
    thread::scope(|scope| {
        scope.spawn(|| {
            // Who has gone needs to hear nothing; the other thread learns it too.
            let _ = tell(stream, &queue);
            let _ = stream.shutdown(Shutdown::Both);
        });
        // Dropped before the scope waits for the other thread: then that has nothing more to say.
        let leaving = Leaving { member, control };
        listen(stream, &leaving.member, &open, &mut lines)
    })
}

/// The last word to a client, also of a server that ends.
struct Leaving<'a> {
    member: Membership<'a>,
    control: &'a Control,
}

impl Drop for Leaving<'_> {
    fn drop(&mut self) {
        if self.control.is_closing() {
            self.member.hear_the_last("* the server ends".into());
        }
    }
}

/// Asks for a name until it can be had. `None`: the client has gone, or the server ends.
fn introduced<'a>(
    stream: &TcpStream,
    room: &'a Room,
    open: &Opened<'_>,
    lines: &mut Lines,
) -> io::Result<Option<(Membership<'a>, Receiver<Line>)>> {
    let mut out = stream;
    out.write_all(b"* your name?\n")?;
    while let Some(name) = next(stream, open, lines)? {
        match room.enter(name.trim(), stream.try_clone()?) {
            Ok(entered) => return Ok(Some(entered)),
            Err(Refused::Taken) => out.write_all(b"* that name is taken; your name?\n")?,
            Err(Refused::Invalid) => {
                out.write_all(b"* a name has up to 20 letters and digits; your name?\n")?;
            }
        }
    }
    Ok(None)
}

fn listen(
    stream: &TcpStream,
    member: &Membership<'_>,
    open: &Opened<'_>,
    lines: &mut Lines,
) -> io::Result<()> {
    loop {
        let line = match next(stream, open, lines) {
            Ok(Some(line)) => line,
            Ok(None) => return Ok(()),
            Err(error) if error.kind() == ErrorKind::InvalidData => {
                member.hear(format!("* a line has less than {LONGEST} bytes"));
                return Ok(());
            }
            Err(error) => return Err(error),
        };
        match line.trim() {
            "" => {}
            "/quit" => {
                member.hear("* good bye".into());
                return Ok(());
            }
            "/who" => member.hear(format!("* here: {}", member.who().join(", "))),
            command if command.starts_with('/') => {
                member.hear(format!("* there is /who and /quit, and no {command}"));
            }
            text => {
                member.say(text);
                open.count_served();
            }
        }
    }
}

/// The next line. `None`: no more will come, or the server ends.
fn next(stream: &TcpStream, open: &Opened<'_>, lines: &mut Lines) -> io::Result<Option<String>> {
    loop {
        if let Some(line) = lines.take()? {
            return Ok(Some(line));
        }
        match open.while_idle(|| lines.fill(stream)) {
            Some(Ok(true)) => {}
            Some(Ok(false)) | None => return Ok(None),
            Some(Err(error)) => return Err(error),
        }
    }
}

/// Says to the client what its queue holds, what has come together at once, until nobody can put anything there.
fn tell(mut stream: &TcpStream, queue: &Receiver<Line>) -> io::Result<()> {
    while let Ok(first) = queue.recv() {
        let mut text = format!("{first}\n");
        for line in queue.try_iter().take(64) {
            text.push_str(&line);
            text.push('\n');
        }
        stream.write_all(text.as_bytes())?;
    }
    Ok(())
}
