//! Child processes, with the types and methods of `std::process`.
//!
//! Nothing here blocks an OS thread that runs others:
//!
//! * *Starting one* may take milliseconds: the starter is stopped until the new program has been read. It is
//!   done by [`thread::blocking`](trefoil_runtime::thread::blocking).
//! * *Waiting for its end* parks the thread on a `pidfd_open(2)`, a descriptor that is readable when the
//!   process has ended. So no OS thread and no handler of SIGCHLD is needed. Where there is none (Linux before
//!   5.3, a sandbox that forbids it, no descriptor left) the thread sleeps for 1 to 32 ms between two looks.
//! * *Its pipes* are descriptors like sockets.
//!
//! ```text
//!   Command                       command, pre_exec: what is to be started
//!   ────────────────────────
//!   Child · ChildHandle           child, handle: what waits, and for what
//!   ChildStdin, -out, -err        stdio: the three pipes · collect: two of them at once
//!   ────────────────────────
//!   running                       one process: asked and killed under a lock, waited for without
//!   orphans                       processes that nobody can wait for any more
//!   pidfd, either                 one system call each
//! ```
//!
//! # Zombies
//!
//! A process that has ended is kept by the kernel as a *zombie* until its parent has asked how it ended. Each
//! call here that tells the end has asked. As in `std`, a [`Child`] that is dropped is neither killed nor
//! asked: it runs on, and becomes a zombie until the program ends. What nobody can wait for any more because
//! of us is asked at a later spawn: a child that was killed when it was dropped
//! ([`Command::kill_on_drop`]), and that of an [`output`](Command::output) or [`status`](Command::status)
//! that was cancelled.

mod child;
mod collect;
mod command;
mod either;
mod handle;
mod orphans;
mod pidfd;
mod pre_exec;
mod running;
mod stdio;

use std::time::Duration;

use crate::pause::Pauses;

pub use self::child::Child;
pub use self::command::Command;
pub use self::handle::ChildHandle;
pub use self::stdio::{ChildStderr, ChildStdin, ChildStdout};
pub use std::process::{
    CommandArgs, CommandEnvs, ExitCode, ExitStatus, Output, Stdio, Termination, abort, exit, id,
};

/// How often to look at what nothing tells of: where the process has no descriptor left to wait with.
fn looks() -> Pauses {
    Pauses::new(Duration::from_millis(1), Duration::from_millis(32))
}
