//! What blocks an OS thread: calls of the pool, and files.

use std::panic::{AssertUnwindSafe, catch_unwind, panic_any, resume_unwind};
use std::path::PathBuf;
use std::sync::Arc;

use trefoil::io::{Read as _, Seek as _, SeekFrom, Write as _};
use trefoil::{fs, thread};

use super::Meant;
use crate::dice::Dice;
use crate::ledger::{Account, Open, Outcome};
use crate::world::World;

/// It borrows from the caller, who waits for its end; its panic is the caller's.
pub(super) fn blocking(_: &Arc<World>, dice: &mut Dice) {
    let open = Open::new(Account::BlockingCalls);
    let (panics, number) = (dice.once_in(4), dice.below(1000));
    let mut seen = 0;
    let call = || {
        std::thread::sleep(dice.moment(std::time::Duration::from_micros(300)));
        seen = thread::blocking(|| number);
        if panics {
            panic_any(Meant);
        }
    };
    match catch_unwind(AssertUnwindSafe(|| thread::blocking(call))) {
        Ok(()) => open.close(Outcome::Done),
        Err(payload) if payload.is::<Meant>() => open.close(Outcome::Panicked),
        Err(payload) => resume_unwind(payload),
    }
    assert_eq!(seen, number, "the call was made");
}

/// Is removed in any case.
struct Path(PathBuf, Option<Open>);

impl Drop for Path {
    fn drop(&mut self) {
        // Of `std`, for it may be dropped in an unwinding. It may not be there yet.
        let removed = std::fs::remove_file(&self.0).is_ok();
        if let Some(open) = self.1.take() {
            open.close(match removed {
                true => Outcome::Unwound,
                false => Outcome::Refused,
            });
        }
    }
}

pub(super) fn file(world: &Arc<World>, dice: &mut Dice) {
    let mut path = Path(world.path(), Some(Open::new(Account::Files)));
    let bytes = vec![dice.below(256) as u8; dice.below(20_000) as usize];
    if dice.once_in(2) {
        fs::write(&path.0, &bytes).expect("there is room");
        assert!(fs::read(&path.0).expect("it was written") == bytes);
    } else {
        let mut options = fs::OpenOptions::new();
        let options = options.read(true).write(true).create_new(true);
        let mut file = options.open(&path.0).expect("nobody else has that name");
        file.write_all(&bytes).expect("there is room");
        file.seek(SeekFrom::Start(0)).expect("it is a file");
        let mut read = Vec::new();
        file.read_to_end(&mut read).expect("it was written");
        assert!(read == bytes, "what was written is read");
    }
    fs::remove_file(&path.0).expect("it is there");
    path.1
        .take()
        .into_iter()
        .for_each(|open| open.close(Outcome::Done));
}
