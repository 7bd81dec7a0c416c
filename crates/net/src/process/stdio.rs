//! The pipes to a child. How they are read and written, and what they can be made into, they have in common with
//! all pipes (`bytes`, `pipe`, `convert`).
#![forbid(unsafe_code)]

use std::io;

use crate::handle::Handle;

/// The writing end of the pipe to a child's standard input, as [`std::process::ChildStdin`].
///
/// Dropping it closes the pipe: the child reads its end.
///
/// Writing parks the calling thread while the pipe is full, in every model, and is a cancellation point. If
/// nobody reads it any more, a write fails with `BrokenPipe`; the process does not get SIGPIPE, whatever it
/// has said about that signal.
///
/// ```
/// use std::io::Write;
/// use trefoil_net::process::{Command, Stdio};
///
/// let mut child = Command::new("true").stdin(Stdio::piped()).spawn()?;
/// let mut stdin = child.stdin.take().unwrap();
/// child.wait()?;
/// let refused = stdin.write(b"is anybody there?").unwrap_err();
/// assert_eq!(refused.kind(), std::io::ErrorKind::BrokenPipe);
/// # Ok::<(), std::io::Error>(())
/// ```
pub struct ChildStdin {
    pub(crate) handle: Handle,
}

/// The reading end of the pipe from a child's standard output, as [`std::process::ChildStdout`].
///
/// Reading parks the calling thread while there is nothing, in every model, and is a cancellation point.
///
/// ```
/// use std::io::Read;
/// use trefoil_net::process::{Command, Stdio};
///
/// let mut child = Command::new("echo").arg("hello").stdout(Stdio::piped()).spawn()?;
/// let mut heard = [0; 6];
/// child.stdout.as_mut().unwrap().read_exact(&mut heard)?;
/// assert_eq!(&heard, b"hello\n");
/// child.wait()?;
/// # Ok::<(), std::io::Error>(())
/// ```
pub struct ChildStdout {
    pub(crate) handle: Handle,
}

/// The reading end of the pipe from a child's standard error, as [`std::process::ChildStderr`].
///
/// Reading parks the calling thread while there is nothing, in every model, and is a cancellation point.
///
/// ```
/// use std::io::Read;
/// use trefoil_net::process::{Command, Stdio};
///
/// let mut child = Command::new("sh").args(["-c", "echo oh >&2"]).stderr(Stdio::piped()).spawn()?;
/// let mut heard = String::new();
/// child.stderr.take().unwrap().read_to_string(&mut heard)?;
/// assert_eq!(heard, "oh\n");
/// child.wait()?;
/// # Ok::<(), std::io::Error>(())
/// ```
pub struct ChildStderr {
    pub(crate) handle: Handle,
}

macro_rules! conversions {
    ($($pipe:ident,)*) => {$(
        impl $pipe {
            /// Takes over a pipe of `std`.
            ///
            /// # Errors
            ///
            /// If it cannot be made non-blocking underneath.
            ///
            /// ```
            /// # use std::process::{Command, Stdio};
            #[doc = concat!("use trefoil_net::process::", stringify!($pipe), ";")]
            ///
            /// let mut child = Command::new("true")
            ///     .stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped())
            ///     .spawn()?;
            #[doc = concat!("let pipe: Option<std::process::", stringify!($pipe), "> = child.", field!($pipe), ".take();")]
            #[doc = concat!("let pipe = ", stringify!($pipe), "::from_std(pipe.unwrap())?;")]
            /// # child.wait()?;
            /// # Ok::<(), std::io::Error>(())
            /// ```
            pub fn from_std(pipe: std::process::$pipe) -> io::Result<$pipe> {
                Ok($pipe { handle: Handle::adopt(pipe.into())? })
            }
        }
    )*};
}

/// The name of a child's field for the pipe.
macro_rules! field {
    (ChildStdin) => {
        "stdin"
    };
    (ChildStdout) => {
        "stdout"
    };
    (ChildStderr) => {
        "stderr"
    };
}

conversions! {
    ChildStdin,
    ChildStdout,
    ChildStderr,
}
