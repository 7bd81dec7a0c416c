//! Standard input.
//!
//! There is one buffer for the process, behind a lock of ours: a thread may hold it while it waits. It is
//! filled when the descriptor is ready, by a read that is made where it may block, for somebody else may have
//! been faster. A line is taken out of the buffer when it is there as a whole. So a thread that is ended while
//! it waits for one has taken nothing.
#![forbid(unsafe_code)]

use std::fmt;
use std::io::{self, BufRead, ErrorKind, IsTerminal as _, Lines, Read};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, RawFd};
use std::str;
use std::sync::PoisonError;

use trefoil_runtime::{Interest, Reason, Wait, thread};
use trefoil_sync::{Mutex, MutexGuard};

use super::ready;

/// How much is read at once. `std`'s own buffer is smaller, and so is passed by.
const PIECE: usize = 64 << 10;

static INPUT: Mutex<Input> = Mutex::new(Input::new());

/// What was read, and not taken yet.
struct Input {
    bytes: Vec<u8>,
    /// How many of them have been taken.
    taken: usize,
}

impl Input {
    const fn new() -> Input {
        Input {
            bytes: Vec::new(),
            taken: 0,
        }
    }

    fn rest(&self) -> &[u8] {
        &self.bytes[self.taken..]
    }

    fn take(&mut self, amount: usize) {
        self.taken = (self.taken + amount).min(self.bytes.len());
    }

    /// Waits for more, and tells how much came. 0: the end.
    #[track_caller]
    fn read_more(&mut self, wait: Wait) -> io::Result<usize> {
        self.bytes.drain(..self.taken);
        self.taken = 0;
        loop {
            ready::until_ready(io::stdin().as_fd(), Interest::Read, wait);
            match self.read_some() {
                Err(error)
                    if matches!(error.kind(), ErrorKind::Interrupted | ErrorKind::WouldBlock) => {}
                read => return read,
            }
        }
    }

    #[track_caller]
    fn read_some(&mut self) -> io::Result<usize> {
        let bytes = &mut self.bytes;
        // A call that is refused has not begun: the buffer is as it was.
        thread::blocking(|| {
            let old = bytes.len();
            bytes.resize(old + PIECE, 0);
            let read = io::stdin().lock().read(&mut bytes[old..]);
            bytes.truncate(old + *read.as_ref().unwrap_or(&0));
            read
        })
    }

    /// Waits until `delimiter` is there, or the end, and tells how many bytes that makes.
    #[track_caller]
    fn until(&mut self, delimiter: u8, wait: Wait) -> io::Result<usize> {
        let mut searched = 0;
        loop {
            let rest = self.rest();
            if let Some(found) = rest[searched..].iter().position(|byte| *byte == delimiter) {
                return Ok(searched + found + 1);
            }
            searched = rest.len();
            if self.read_more(wait)? == 0 {
                return Ok(searched);
            }
        }
    }
}

/// Standard input, as [`std::io::Stdin`]: what [`stdin`] gives.
///
/// A thread that waits for input is parked, in every model, and others run on; see [`io`](super). A
/// cancellation point: who is ended while it waits for a line has taken nothing of it.
///
/// It has a buffer of its own. Use this or [`std::io::stdin`] in a program, and not both.
///
/// ```no_run
/// use trefoil_net::io;
///
/// for line in io::stdin().lines() {
///     println!("{} bytes", line?.len());
/// }
/// # Ok::<(), io::Error>(())
/// ```
pub struct Stdin {
    stdin: io::Stdin,
}

/// Standard input, for one thread alone: what [`Stdin::lock`] gives. It may be held across any wait.
pub struct StdinLock<'a> {
    stdin: io::Stdin,
    input: MutexGuard<'a, Input>,
}

/// The standard input of the process. Does not wait.
///
/// ```no_run
/// use trefoil_net::io::{self, Read};
///
/// let mut all = String::new();
/// io::stdin().read_to_string(&mut all)?;
/// # Ok::<(), io::Error>(())
/// ```
#[must_use]
pub fn stdin() -> Stdin {
    Stdin { stdin: io::stdin() }
}

impl Stdin {
    /// Keeps other threads out, until what it gives is dropped. Parks the thread while another one has it,
    /// also one that waits for input. Who has it must not take it again: it would wait for itself. No
    /// cancellation point.
    ///
    /// ```no_run
    /// use trefoil_net::io::{self, BufRead};
    ///
    /// let mut line = String::new();
    /// io::stdin().lock().read_line(&mut line)?;
    /// # Ok::<(), io::Error>(())
    /// ```
    #[track_caller]
    #[must_use]
    pub fn lock(&self) -> StdinLock<'static> {
        StdinLock {
            stdin: io::stdin(),
            // As `std`'s: who panics leaves what is there.
            input: INPUT.lock().unwrap_or_else(PoisonError::into_inner),
        }
    }

    /// Waits for a line, and appends it with its end; 0 bytes are the end of the input. A
    /// cancellation point.
    ///
    /// # Errors
    ///
    /// What `read(2)` says; `InvalidData` if the line is no UTF-8. It is taken then.
    ///
    /// ```no_run
    /// let mut line = String::new();
    /// trefoil_net::io::stdin().read_line(&mut line)?;
    /// # Ok::<(), std::io::Error>(())
    /// ```
    #[track_caller]
    pub fn read_line(&self, line: &mut String) -> io::Result<usize> {
        self.lock().read_line(line)
    }

    /// The lines, without their ends, as [`BufRead::lines`]. It keeps the lock.
    ///
    /// ```no_run
    /// let all: Result<Vec<String>, std::io::Error> = trefoil_net::io::stdin().lines().collect();
    /// println!("{} lines", all?.len());
    /// # Ok::<(), std::io::Error>(())
    /// ```
    #[track_caller]
    #[must_use]
    pub fn lines(self) -> Lines<StdinLock<'static>> {
        self.lock().lines()
    }

    /// Whether it is a terminal, as [`std::io::IsTerminal`], which is for `std`'s types alone. Does not
    /// wait.
    ///
    /// ```
    /// let _ = trefoil_net::io::stdin().is_terminal();
    /// ```
    #[must_use]
    pub fn is_terminal(&self) -> bool {
        self.stdin.is_terminal()
    }
}

impl Read for StdinLock<'_> {
    #[track_caller]
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if buffer.is_empty() {
            return Ok(0);
        }
        let read = self.fill_buf()?.read(buffer)?;
        self.consume(read);
        Ok(read)
    }
}

impl BufRead for StdinLock<'_> {
    #[track_caller]
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        let wait = Wait::new(Reason::Read);
        if self.input.rest().is_empty() {
            self.input.read_more(wait)?;
        }
        Ok(self.input.rest())
    }

    fn consume(&mut self, amount: usize) {
        self.input.take(amount);
    }

    #[track_caller]
    fn read_until(&mut self, delimiter: u8, taken: &mut Vec<u8>) -> io::Result<usize> {
        let length = self.input.until(delimiter, Wait::new(Reason::Read))?;
        taken.extend_from_slice(&self.input.rest()[..length]);
        self.consume(length);
        Ok(length)
    }

    #[track_caller]
    fn read_line(&mut self, taken: &mut String) -> io::Result<usize> {
        let length = self.input.until(b'\n', Wait::new(Reason::Read))?;
        let line = str::from_utf8(&self.input.rest()[..length]).map(|line| taken.push_str(line));
        self.consume(length);
        match line {
            Ok(()) => Ok(length),
            Err(_) => Err(io::Error::new(
                ErrorKind::InvalidData,
                "the line of standard input is not valid UTF-8",
            )),
        }
    }
}

macro_rules! reads {
    ($($stdin:ty,)*) => {$(
        impl Read for $stdin {
            #[track_caller]
            fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
                self.lock().read(buffer)
            }

            #[track_caller]
            fn read_exact(&mut self, buffer: &mut [u8]) -> io::Result<()> {
                self.lock().read_exact(buffer)
            }

            #[track_caller]
            fn read_to_end(&mut self, buffer: &mut Vec<u8>) -> io::Result<usize> {
                self.lock().read_to_end(buffer)
            }

            #[track_caller]
            fn read_to_string(&mut self, text: &mut String) -> io::Result<usize> {
                self.lock().read_to_string(text)
            }
        }
    )*};
}

reads! {
    Stdin,
    &Stdin,
}

macro_rules! descriptors {
    ($($stdin:ty,)*) => {$(
        impl AsFd for $stdin {
            fn as_fd(&self) -> BorrowedFd<'_> {
                self.stdin.as_fd()
            }
        }

        impl AsRawFd for $stdin {
            fn as_raw_fd(&self) -> RawFd {
                self.as_fd().as_raw_fd()
            }
        }
    )*};
}

descriptors! {
    Stdin,
    StdinLock<'_>,
}

impl fmt::Debug for Stdin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Stdin").finish_non_exhaustive()
    }
}

impl fmt::Debug for StdinLock<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StdinLock").finish_non_exhaustive()
    }
}
