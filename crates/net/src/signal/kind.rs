//! Which signal, and whether one may listen to it.
#![forbid(unsafe_code)]

use std::fmt;
use std::io;

use libc::c_int;

/// A signal by its number.
///
/// ```
/// use trefoil_net::signal::{SIGTERM, SignalKind};
///
/// assert_eq!(SIGTERM.as_raw_value(), 15);
/// assert_eq!(SignalKind::from_raw(15), SIGTERM);
/// assert_eq!(format!("{SIGTERM}, {}", SignalKind::from_raw(40)), "SIGTERM, signal 40");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct SignalKind(c_int);

macro_rules! kinds {
    ($($name:ident: $text:literal,)*) => {
        $(
            #[doc = $text]
            pub const $name: SignalKind = SignalKind(libc::$name);
        )*

        /// The signals that have a name here.
        const NAMES: &[(SignalKind, &str)] = &[$(($name, stringify!($name)),)*];
    };
}

kinds! {
    SIGHUP: "The terminal has gone; to a server, \"read your configuration again\".",
    SIGINT: "Somebody has pressed Ctrl-C at the terminal.",
    SIGQUIT: "Somebody has pressed Ctrl-\\ at the terminal.",
    SIGUSR1: "Whatever a program takes it for.",
    SIGUSR2: "Whatever a program takes it for.",
    SIGPIPE: "A pipe or socket was written that nobody reads. Trefoil's own writes never raise it.",
    SIGALRM: "A timer of the process is over.",
    SIGTERM: "The process is asked to end.",
    SIGCHLD: "A child process has ended or stopped. To wait for one, [`Child::wait`](crate::process::Child::wait) needs none.",
    SIGCONT: "The process goes on after it was stopped.",
    SIGTSTP: "Somebody has pressed Ctrl-Z at the terminal.",
    SIGTTIN: "A process in the background reads from the terminal.",
    SIGTTOU: "A process in the background writes to the terminal.",
    SIGWINCH: "The terminal's window has another size.",
    SIGIO: "A descriptor is ready that was told to say so.",
}

/// Signals that nobody can listen to, and why.
const FORBIDDEN: &[(c_int, &str)] = &[
    (
        libc::SIGKILL,
        "SIGKILL cannot be listened to: the kernel ends the process by it",
    ),
    (
        libc::SIGSTOP,
        "SIGSTOP cannot be listened to: the kernel stops the process by it",
    ),
    (libc::SIGSEGV, FAULT),
    (libc::SIGBUS, FAULT),
    (libc::SIGILL, FAULT),
    (libc::SIGFPE, FAULT),
];

const FAULT: &str = "SIGSEGV, SIGBUS, SIGILL and SIGFPE cannot be listened to: the thread that has caused one cannot go on";

/// The highest signal on Linux.
const LAST: c_int = 64;

impl SignalKind {
    /// The signal of this number, also of one that has no name here. Whether it exists is asked by
    /// [`on`](crate::signal::on).
    ///
    /// ```
    /// use trefoil_net::signal::{SIGHUP, SignalKind};
    ///
    /// assert_eq!(SignalKind::from_raw(1), SIGHUP);
    /// ```
    #[must_use]
    pub const fn from_raw(number: c_int) -> SignalKind {
        SignalKind(number)
    }

    /// Its number.
    ///
    /// ```
    /// assert_eq!(trefoil_net::signal::SIGINT.as_raw_value(), 2);
    /// ```
    #[must_use]
    pub const fn as_raw_value(self) -> c_int {
        self.0
    }

    /// Refuses a signal that nobody can listen to.
    pub(super) fn check(self) -> io::Result<()> {
        let refused = |why: String| Err(io::Error::new(io::ErrorKind::InvalidInput, why));
        if !(1..=LAST).contains(&self.0) {
            return refused(format!(
                "there is no signal {}: they are numbered from 1 to {LAST}",
                self.0
            ));
        }
        if (32..libc::SIGRTMIN()).contains(&self.0) {
            return refused(format!(
                "signal {} cannot be listened to: the C library has it for itself",
                self.0
            ));
        }
        match FORBIDDEN.iter().find(|(number, _)| *number == self.0) {
            Some((_, why)) => refused((*why).to_owned()),
            None => Ok(()),
        }
    }
}

impl fmt::Display for SignalKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match NAMES.iter().find(|(kind, _)| kind == self) {
            Some((_, name)) => f.write_str(name),
            None => write!(f, "signal {}", self.0),
        }
    }
}
