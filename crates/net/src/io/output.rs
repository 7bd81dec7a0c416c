//! Standard output and standard error.
//!
//! What is written goes through `std`'s handles, so it mixes with `print!` in order and is flushed at the
//! end of the program. A write waits until the descriptor has room, where it is a cancellation point,
//! and is then made where it may block.
#![forbid(unsafe_code)]

use std::fmt;
use std::io::{self, IoSlice, IsTerminal as _, Write};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, RawFd};
use std::panic::{RefUnwindSafe, UnwindSafe};

use trefoil_runtime::{Interest, Reason, Wait, thread};

use super::ready;
use super::turn::{Taken, Turn};

/// Makes a write of a standard stream.
#[track_caller]
fn make<T: Send>(stream: &(impl AsFd + Sync), write: impl FnOnce() -> T + Send) -> T {
    ready::until_ready(stream.as_fd(), Interest::Write, Wait::new(Reason::Write));
    thread::blocking(write)
}

macro_rules! output {
    (
        $name:literal $Handle:ident $Lock:ident $function:ident $turn:ident
        $(#[$about:meta])*
    ) => {
        static $turn: Turn = Turn::new();

        #[doc = concat!("Standard ", $name, ": what [`", stringify!($function), "`] gives.")]
        ///
        #[doc = concat!("As [`std::io::", stringify!($Handle), "`], but a write parks the calling thread while there is no")]
        /// room, in every model, and others run on; see [`io`](super). It is a cancellation point, before it
        /// begins.
        $(#[$about])*
        ///
        /// ```
        /// use trefoil_net::io::{self, Write};
        ///
        #[doc = concat!("writeln!(io::", stringify!($function), "(), \"the answer is {}\", 42)?;")]
        /// # Ok::<(), io::Error>(())
        /// ```
        pub struct $Handle {
            stream: io::$Handle,
        }

        #[doc = concat!("Standard ", $name, ", for one thread alone: what [`", stringify!($Handle), "::lock`] gives.")]
        ///
        /// It may be held across any wait. It keeps other users of this crate's handle out, and not `print!`.
        pub struct $Lock<'a> {
            stream: io::$Handle,
            _turn: Taken<'a>,
        }

        #[doc = concat!("The standard ", $name, " of the process. Does not wait.")]
        ///
        /// ```
        /// use trefoil_net::io::{self, Write};
        ///
        #[doc = concat!("io::", stringify!($function), "().write_all(b\"hello\\n\")?;")]
        /// # Ok::<(), io::Error>(())
        /// ```
        #[must_use]
        pub fn $function() -> $Handle {
            $Handle {
                stream: io::$function(),
            }
        }

        impl $Handle {
            /// Keeps the other threads that use this handle out, until what it gives is dropped. Parks the thread
            /// while another one has it. The thread that has it may take it again. No cancellation point.
            ///
            /// ```
            /// use trefoil_net::io::{self, Write};
            ///
            #[doc = concat!("let mut out = io::", stringify!($function), "().lock();")]
            /// out.write_all(b"two lines, ")?;
            /// out.write_all(b"side by side\n")?;
            /// # Ok::<(), io::Error>(())
            /// ```
            #[track_caller]
            #[must_use]
            pub fn lock(&self) -> $Lock<'static> {
                $Lock {
                    stream: io::$function(),
                    _turn: $turn.take(),
                }
            }

            /// Whether it is a terminal, as [`std::io::IsTerminal`], which is for `std`'s types alone. Does
            /// not wait.
            ///
            /// ```
            #[doc = concat!("let _ = trefoil_net::io::", stringify!($function), "().is_terminal();")]
            /// ```
            #[must_use]
            pub fn is_terminal(&self) -> bool {
                self.stream.is_terminal()
            }
        }

        impl Write for $Lock<'_> {
            #[track_caller]
            fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
                make(&self.stream, || (&self.stream).write(bytes))
            }

            #[track_caller]
            fn write_vectored(&mut self, bytes: &[IoSlice<'_>]) -> io::Result<usize> {
                make(&self.stream, || (&self.stream).write_vectored(bytes))
            }

            #[track_caller]
            fn write_all(&mut self, bytes: &[u8]) -> io::Result<()> {
                make(&self.stream, || (&self.stream).write_all(bytes))
            }

            #[track_caller]
            fn write_fmt(&mut self, text: fmt::Arguments<'_>) -> io::Result<()> {
                crate::text::with(text, |text| self.write_all(text.as_bytes()))
            }

            #[track_caller]
            fn flush(&mut self) -> io::Result<()> {
                make(&self.stream, || (&self.stream).flush())
            }
        }

        output!(@ $Handle, $Handle);
        output!(@ $Handle, &$Handle);

        impl AsFd for $Handle {
            fn as_fd(&self) -> BorrowedFd<'_> {
                self.stream.as_fd()
            }
        }

        impl AsRawFd for $Handle {
            fn as_raw_fd(&self) -> RawFd {
                self.stream.as_raw_fd()
            }
        }

        impl AsFd for $Lock<'_> {
            fn as_fd(&self) -> BorrowedFd<'_> {
                self.stream.as_fd()
            }
        }

        impl AsRawFd for $Lock<'_> {
            fn as_raw_fd(&self) -> RawFd {
                self.stream.as_raw_fd()
            }
        }

        impl fmt::Debug for $Handle {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.debug_struct(stringify!($Handle)).finish_non_exhaustive()
            }
        }

        impl fmt::Debug for $Lock<'_> {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.debug_struct(stringify!($Lock)).finish_non_exhaustive()
            }
        }

        // As `std`'s: a panic leaves what was written.
        impl UnwindSafe for $Lock<'_> {}
        impl RefUnwindSafe for $Lock<'_> {}
    };
    (@ $Handle:ident, $Self:ty) => {
        impl Write for $Self {
            #[track_caller]
            fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
                self.lock().write(bytes)
            }

            #[track_caller]
            fn write_vectored(&mut self, bytes: &[IoSlice<'_>]) -> io::Result<usize> {
                self.lock().write_vectored(bytes)
            }

            #[track_caller]
            fn write_all(&mut self, bytes: &[u8]) -> io::Result<()> {
                self.lock().write_all(bytes)
            }

            #[track_caller]
            fn write_fmt(&mut self, text: fmt::Arguments<'_>) -> io::Result<()> {
                self.lock().write_fmt(text)
            }

            #[track_caller]
            fn flush(&mut self) -> io::Result<()> {
                self.lock().flush()
            }
        }
    };
}

output! {
    "output" Stdout StdoutLock stdout OUT
    ///
    /// It is `std`'s one buffer, which holds a line: without a line's end, `flush` is what makes
    /// the text appear. On green and hybrid each write goes to another OS thread and back; a
    /// [`BufWriter`](super::BufWriter) makes few of many.
}

output! {
    "error" Stderr StderrLock stderr ERR
    ///
    /// It has no buffer.
}
