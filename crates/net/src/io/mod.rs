//! Readers and writers, as in [`std::io`]: its traits and types, and standard input and output that park
//! the thread.
//!
//! Whatever reads or writes by [`Read`] and [`Write`] works with the sockets and files of this crate, so
//! the traits, the buffers and the errors are `std`'s own. Four things are not, for `std`'s would block
//! the OS thread with all its green threads: [`stdin`], [`stdout`], [`stderr`], and [`copy`], which
//! differs in its larger pieces.
//!
//! # `print!`, `println!`, `eprintln!` and `dbg!`
//!
//! These are `std`'s, and write by the OS thread that calls them. Into a file, and into a terminal or pipe
//! that somebody reads, that is done in a moment, and does no harm. Into a pipe that nobody reads the
//! OS thread waits, and on green and hybrid so do all its threads. Where that can be, as in a server whose
//! log goes into a pipe, write by [`stdout`] and [`stderr`]:
//!
//! ```
//! use trefoil_net::io::{self, Write};
//!
//! writeln!(io::stdout(), "a line")?;
//! # Ok::<(), io::Error>(())
//! ```
//!
//! Both go through `std`'s one buffer, so their output stays in order, and is flushed at the end of the
//! program. A lock of `std`, as `std::io::stdout().lock()` gives it, is not to be held across a wait: the
//! OS thread that wants it then blocks, and the thread that has it may be one of its neighbours. Not even
//! across a write by [`stdout`], which wants it too. The locks of this module may be held across any wait.
//!
//! # Which model does what
//!
//! On the kernel model, and on a plain `std::thread`, a thread that waits sleeps in `poll(2)`, `read(2)` or
//! `write(2)`. On green and hybrid it is parked: until the poller of its worker says that the
//! descriptor is ready, and then while the pool for blocking calls reads or writes. The descriptors are left
//! as they are, never made non-blocking: the shell, and whoever else has them, would notice.
//!
//! # Cancellation
//!
//! A read or write of standard input, output or error is a cancellation point, and always, before it begins: a
//! thread that waits for a line is ended at once, and the line is for the next who asks. What has been begun
//! by the operating system comes to its end.

mod copy;
mod output;
mod ready;
mod stdin;
mod turn;

pub use copy::copy;
pub use output::{Stderr, StderrLock, Stdout, StdoutLock, stderr, stdout};
pub use std::io::{
    BufRead, BufReader, BufWriter, Bytes, Chain, Cursor, Empty, Error, ErrorKind, IntoInnerError,
    IoSlice, IoSliceMut, IsTerminal, LineWriter, Lines, Read, Repeat, Result, Seek, SeekFrom, Sink,
    Split, Take, Write, WriterPanicked, empty, prelude, read_to_string, repeat, sink,
};
pub use stdin::{Stdin, StdinLock, stdin};
