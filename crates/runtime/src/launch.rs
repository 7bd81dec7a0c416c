//! How an OS thread of ours is started: with room for it, or with an error that says what to do.
//!
//! All are started here: those of pools, kernel threads with a stack size of their own, workers. It
//! knows nothing of what they do.
#![forbid(unsafe_code)]

use std::env;
use std::ffi::OsStr;
use std::io;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use crate::os::room::{self, Room};
use crate::spare;

/// How long it is tried to make room, at most,
const PATIENCE: Duration = Duration::from_secs(5);
/// and how long nothing may happen meanwhile.
const MOMENT: Duration = Duration::from_millis(10);

/// Runs `run(load)` on an OS thread of its own, with this name and a stack of so many bytes;
/// `None`: as many as `std::thread` gives. The load is given back if there is no such thread.
///
/// Where there is no room for it, idle OS threads of Trefoil are let go one by one, each is waited for,
/// and it is tried again, for some seconds at most; and nobody is refused before none has ended for
/// ten milliseconds. Else it blocks for as long as the operating
/// system takes, and near the limit of the address space until earlier ones have begun.
///
/// # Errors
///
/// `OutOfMemory`: one more thread would take the last of the memory mappings or of the address
/// space that the process may have, or the operating system refuses it. The error names the limit,
/// or those that it may be.
///
/// ```
/// use std::sync::mpsc;
///
/// let (sender, receiver) = mpsc::channel();
/// trefoil_runtime::launch("adder", None, sender, |sender| sender.send(1 + 1).unwrap())
///     .map_err(|(_, refused)| refused)?;
/// assert_eq!(receiver.recv(), Ok(2));
/// # Ok::<(), std::io::Error>(())
/// ```
pub fn launch<T: Send + 'static>(
    name: &str,
    stack_size: Option<usize>,
    load: T,
    run: fn(T),
) -> Result<(), (T, io::Error)> {
    let stack_size = stack_size.unwrap_or_else(usual_stack_size);
    let mut load = load;
    let mut end = None;
    loop {
        match launch_once(name, stack_size, load, run) {
            Err((back, refused)) if is_for_room(&refused) && make_room(&mut end) => load = back,
            done => return done,
        }
    }
}

fn launch_once<T: Send + 'static>(
    name: &str,
    stack_size: usize,
    load: T,
    run: fn(T),
) -> Result<(), (T, io::Error)> {
    let mut room = match Room::claim(stack_size) {
        Ok(room) => room,
        Err(refused) => return Err((load, refused)),
    };
    // Handed over by a cell, so that it comes back when the spawn fails.
    let cell = Arc::new(Mutex::new(Some(load)));
    let parcel = Arc::clone(&cell);
    // With a size in any case: else `std` would choose another than the one that has room.
    let spawned = std::thread::Builder::new()
        .name(name.to_owned())
        .stack_size(stack_size)
        .spawn(move || {
            room.begin();
            let load = open(&parcel);
            drop(parcel);
            run(load);
            drop(room);
        });
    match spawned {
        Ok(_) => Ok(()),
        Err(refused) => Err((open(&cell), explain(refused))),
    }
}

/// Either the new thread does it or, if there is none, who wanted it.
fn open<T>(parcel: &Mutex<Option<T>>) -> T {
    let load = parcel.lock().unwrap_or_else(PoisonError::into_inner).take();
    load.expect("one of the two opens it")
}

/// The size of the stacks that `std` gives who asks for none, in bytes.
fn usual_stack_size() -> usize {
    static SIZE: OnceLock<usize> = OnceLock::new();
    *SIZE.get_or_init(|| stack_size_by(env::var_os("RUST_MIN_STACK").as_deref()))
}

fn stack_size_by(variable: Option<&OsStr>) -> usize {
    let size = variable.and_then(OsStr::to_str);
    size.and_then(|size| size.parse().ok()).unwrap_or(2 << 20)
}

fn is_for_room(refused: &io::Error) -> bool {
    refused.kind() == io::ErrorKind::OutOfMemory
}

/// Makes room for one more thread, if that may be: `true` means that it is worth another try. The
/// first call sets when it is to end.
#[cold]
fn make_room(end: &mut Option<Instant>) -> bool {
    let now = Instant::now();
    let first = end.is_none();
    if now > *end.get_or_insert(now + PATIENCE) {
        return false;
    }
    let may_be = first || one_ends();
    if may_be {
        room::wait_for_leavers();
    }
    may_be
}

/// Whether an OS thread of ours ends: an idle one, which is told to, or another one by itself.
fn one_ends() -> bool {
    let ended = room::ended();
    // One by one: glibc unmaps the stacks of those that have gone when the next one ends. And
    // no more end than must.
    if spare::let_one_go() {
        room::wait_for_an_end(ended, PATIENCE);
        return true;
    }
    // Who has been joined may not have ended yet, nor be idle.
    room::wait_for_an_end(ended, MOMENT) || spare::let_one_go()
}

/// Says what to do when the operating system refuses an OS thread.
#[cold]
fn explain(refused: io::Error) -> io::Error {
    use io::ErrorKind::{OutOfMemory, WouldBlock};
    // `EAGAIN` is all that `pthread_create(3)` says of any limit.
    if !matches!(refused.kind(), WouldBlock | OutOfMemory) {
        return refused;
    }
    io::Error::new(
        OutOfMemory,
        format!(
            "the operating system refuses one more thread, and does not say why ({refused}): raise \
             the limit that is reached, of the number of threads (`ulimit -u`, cgroup `pids.max`, \
             `kernel.threads-max`) or of memory (`ulimit -v`, `ulimit -d`, `ulimit -l` where memory \
             is locked, `vm.max_map_count`), or use fewer threads or smaller stacks"
        ),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::mpsc;

    #[test]
    fn the_stack_size_is_that_of_std() {
        assert_eq!(stack_size_by(None), 2 << 20);
        assert_eq!(stack_size_by(Some("65536".as_ref())), 65_536);
        assert_eq!(stack_size_by(Some("much".as_ref())), 2 << 20);
    }

    #[test]
    fn the_load_comes_back_from_a_thread_that_cannot_be() {
        let (sender, receiver) = mpsc::channel();
        let run = |sender: mpsc::Sender<i32>| sender.send(1).unwrap();
        let much = Some(1 << 60);
        let (sender, refused) = launch("test", much, sender, run).unwrap_err();
        assert_eq!(refused.kind(), io::ErrorKind::OutOfMemory, "{refused}");
        for limit in ["`ulimit -u`", "`ulimit -v`", "vm.max_map_count", "pids.max"] {
            assert!(refused.to_string().contains(limit), "{refused}");
        }
        assert!(receiver.try_recv().is_err());
        launch("test", None, sender, run)
            .map_err(|_| "refused")
            .unwrap();
        assert_eq!(receiver.recv(), Ok(1));
    }
}
