//! Reading one or two pipes to their ends, both at the same time: a child that fills one of them is not to
//! wait for a reader that waits for the other.
#![forbid(unsafe_code)]

use std::io;
use std::os::fd::{AsFd as _, BorrowedFd};

use trefoil_runtime::{Interest, Source, Wait, thread};

use crate::bytes::Kind as _;
use crate::pipe::Pipe;

use super::either::Either;
use super::looks;

/// As much as a pipe holds.
const CHUNK: usize = 64 << 10;

/// A pipe, and where what comes out of it goes.
pub(super) struct End<'a> {
    pub(super) pipe: &'a Source,
    pub(super) into: &'a mut Vec<u8>,
}

impl End<'_> {
    /// Reads once. `true`: that was its end.
    fn read(&mut self, chunk: &mut [u8]) -> io::Result<bool> {
        let taken = Pipe::read(self.fd(), chunk)?;
        self.into.extend_from_slice(&chunk[..taken]);
        Ok(taken == 0)
    }

    fn fd(&self) -> BorrowedFd<'_> {
        self.pipe.as_fd()
    }
}

/// Reads a pipe to its end. What was read when it is cancelled is where it belongs.
#[track_caller]
pub(super) fn one(mut end: End<'_>, wait: &Wait) -> io::Result<()> {
    let mut chunk = vec![0; CHUNK];
    let pipe = end.pipe;
    while !pipe.io(Interest::Read, wait, |_| false, |_| end.read(&mut chunk))? {
        // It always finds data where the child is fast enough.
        thread::checkpoint();
    }
    Ok(())
}

/// Reads both pipes to their ends. What was read when it is cancelled is where it belongs.
#[track_caller]
pub(super) fn both(ends: [End<'_>; 2], wait: &Wait) -> io::Result<()> {
    let either = Either::of([ends[0].fd(), ends[1].fd()]).ok();
    let mut reading = Both {
        ends,
        open: [true; 2],
        chunk: vec![0; CHUNK],
    };
    let mut pauses = looks();
    while reading.open != [false; 2] {
        match &either {
            Some(either) => either.io(wait, || reading.round(Some(either)))?,
            None => match reading.round(None) {
                Err(error) if is_passing(&error) => pauses.rest(wait)?,
                done => {
                    done?;
                    pauses = looks();
                }
            },
        }
        thread::checkpoint();
    }
    Ok(())
}

struct Both<'a> {
    ends: [End<'a>; 2],
    open: [bool; 2],
    chunk: Vec<u8>,
}

impl Both<'_> {
    /// Reads each once that is open. `WouldBlock`: there was nothing.
    fn round(&mut self, either: Option<&Either>) -> io::Result<()> {
        let mut any = false;
        for (end, open) in self.ends.iter_mut().zip(&mut self.open) {
            if !*open {
                continue;
            }
            match end.read(&mut self.chunk) {
                Ok(ended) => {
                    any = true;
                    if ended {
                        *open = false;
                        either.inspect(|either| either.forget(end.fd()));
                    }
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(error) => return Err(error),
            }
        }
        if any {
            Ok(())
        } else {
            Err(io::ErrorKind::WouldBlock.into())
        }
    }
}

/// It is to be tried again.
fn is_passing(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted
    )
}
