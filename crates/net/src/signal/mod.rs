//! Signals that other processes, the terminal and the kernel send to this one.
//!
//! [`on`] gives a receiver to which a signal's kind is sent when it comes: it is waited for like any channel,
//! by threads of every model and by plain `std::thread`s, and is an arm of a
//! [`select!`](trefoil_sync::channel::select). [`ctrl_c`] waits for one SIGINT.
//!
//! ```
//! use std::process::Command;
//! use trefoil_net::signal::{SIGTERM, on};
//!
//! let end = on(SIGTERM)?;
//! // Usually somebody else does this.
//! Command::new("kill").arg(std::process::id().to_string()).status()?;
//! assert_eq!(end.recv(), Ok(SIGTERM));
//! # Ok::<(), std::io::Error>(())
//! ```
//!
//! # What listening changes
//!
//! The first listener of a signal replaces what the signal does by default, for the whole process and for
//! good: SIGTERM then ends no process any more, also when all listeners have gone. A handler that was
//! installed before is called as before. Child processes start with the default.
//!
//! Signals are no queue. The kernel joins those of one kind that have not been delivered, and so does a
//! listener: it holds one of its kind, and learns that at least one has come since it last received.
//!
//! The handler runs on whichever OS thread the kernel chooses, on the stack that is in use there, and needs a
//! few KiB of it. It ends no call of ours early: `EINTR` is never seen.
//!
//! # How it works
//!
//! ```text
//!   handler (signal-hook) ──socket──► OS thread `trefoil-signal` ──channel──► listeners
//! ```
//!
//! The OS thread sleeps until a signal comes. It is there as long as there is a listener, and while it is,
//! no deadlock of green threads is reported: a signal might end it.

#![forbid(unsafe_code)]

mod kind;
mod listeners;
mod signals;

pub use self::kind::{
    SIGALRM, SIGCHLD, SIGCONT, SIGHUP, SIGINT, SIGIO, SIGPIPE, SIGQUIT, SIGTERM, SIGTSTP, SIGTTIN,
    SIGTTOU, SIGUSR1, SIGUSR2, SIGWINCH, SignalKind,
};
pub use self::signals::{Signals, ctrl_c, on};
