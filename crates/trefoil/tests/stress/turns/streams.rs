//! Sockets of Unix, by a path or as a pair, and pipes.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use trefoil::io::{Read as _, Write as _, pipe};
use trefoil::os::unix::net::{UnixListener, UnixStream};
use trefoil::time::timeout;

use super::sockets::{ask, echo};
use super::threads;
use crate::dice::Dice;
use crate::ledger::{Account, Open, Outcome};
use crate::world::World;

const PATIENCE: Duration = Duration::from_secs(2);

pub(super) fn unix(world: &Arc<World>, dice: &mut Dice) {
    match dice.once_in(2) {
        true => by_path(world, dice),
        false => pair(dice),
    }
}

/// The file of a listener is nobody's: it stays, unless somebody removes it.
struct Listening(PathBuf, UnixListener);

impl Drop for Listening {
    fn drop(&mut self) {
        drop(std::fs::remove_file(&self.0));
    }
}

fn by_path(world: &Arc<World>, dice: &mut Dice) {
    let path = world.path();
    let Ok(listener) = UnixListener::bind(&path) else {
        return;
    };
    let listening = Listening(path.clone(), listener);
    let client = client(dice, move || UnixStream::connect(&path));
    let accepted = timeout(PATIENCE, || listening.1.accept());
    drop(listening);
    if let Ok(Ok((mut stream, _))) = accepted {
        drop(echo(&mut stream));
    }
    if let Some(client) = client {
        client.join();
    }
}

fn pair(dice: &mut Dice) {
    let Ok((mut ours, theirs)) = UnixStream::pair() else {
        return;
    };
    let client = client(dice, move || Ok(theirs));
    drop(echo(&mut ours));
    drop(ours);
    if let Some(client) = client {
        client.join();
    }
}

fn client(
    dice: &mut Dice,
    connect: impl FnOnce() -> std::io::Result<UnixStream> + Send + 'static,
) -> Option<threads::Handle<()>> {
    let mut own = dice.branch();
    threads::spawn(move || {
        let request = Open::new(Account::Requests).or(Outcome::Unwound);
        let asked = connect().and_then(|mut stream| ask(&mut stream, &mut own));
        request.close(match asked {
            Ok(()) => Outcome::Done,
            Err(_) => Outcome::Refused,
        });
    })
}

/// One end writes until the other has gone, or until it is done.
pub(super) fn pipe_of_two(world: &Arc<World>, dice: &mut Dice) {
    let Ok((mut reader, mut writer)) = pipe() else {
        return;
    };
    let (size, most) = (dice.below(200_000), dice.below(300_000));
    let thread = threads::spawn(move || {
        let request = Open::new(Account::Requests).or(Outcome::Unwound);
        let written = writer.write_all(&vec![3; size as usize]);
        request.close(match written {
            Ok(()) => Outcome::Done,
            // Its reader was unwound, or wanted no more.
            Err(_) => Outcome::Refused,
        });
    });
    let mut all = Vec::new();
    let read = (&mut reader).take(most).read_to_end(&mut all);
    let read = read.expect("a pipe can be read") as u64;
    let all = read == size.min(most) || thread.is_none();
    assert!(all || world.is_over(), "all bytes came");
    drop(reader);
    if let Some(thread) = thread {
        thread.join();
    }
}

pub(super) fn pipe_alone(_: &Arc<World>, dice: &mut Dice) {
    let Ok((mut reader, mut writer)) = pipe() else {
        return;
    };
    let bytes = vec![5; 1 + dice.below(4000) as usize];
    writer.write_all(&bytes).expect("it has room");
    drop(writer);
    let mut read = Vec::new();
    reader.read_to_end(&mut read).expect("a pipe can be read");
    assert!(read == bytes, "what was written is read");
}
