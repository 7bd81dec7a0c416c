//! What an overflow says before it ends the process. In the form of `std`'s report.
//!
//! Called in the signal handler, whose stack is small: nothing is formatted by `core::fmt`.

use std::process;

use super::culprit::Culprit;
use crate::model::Model;

const LARGER: &str = "help: give it a larger one by `thread::Builder::stack_size`, or all threads \
                      by `stack_size` of the runtime's builder\n";
const MAIN: &str = "help: do this in a thread that has a larger one by \
                    `thread::Builder::stack_size`, or ";
const MAIN_OF_KERNEL: &str = "call `run` where the stack is larger (`ulimit -s`)\n";
const MAIN_OF_FIBERS: &str = "raise `main_stack_size` of the runtime's builder\n";

/// Says who has overflowed its stack, and aborts.
#[cold]
#[inline(never)]
pub(super) fn abort(culprit: &Culprit<'_>) -> ! {
    let mut text = Text::new();
    text.add("\nthread '");
    text.add(culprit.name.unwrap_or("<unnamed>"));
    text.add("' (");
    text.add(culprit.model.name());
    text.add(", ");
    text.add_size(culprit.size);
    text.add(" stack) has overflowed its stack\n");
    match (culprit.is_main, culprit.model) {
        (false, _) => text.add(LARGER),
        (true, Model::Kernel) => text.add_both(MAIN, MAIN_OF_KERNEL),
        (true, Model::Green | Model::Hybrid) => text.add_both(MAIN, MAIN_OF_FIBERS),
    }
    text.add("fatal runtime error: stack overflow, aborting\n");
    text.flush();
    process::abort();
}

/// Text on its way to the standard error. What fits is written in one piece, so that it is not
/// mixed with what others write.
struct Text {
    buffer: [u8; 512],
    length: usize,
}

impl Text {
    fn new() -> Text {
        Text {
            buffer: [0; 512],
            length: 0,
        }
    }

    fn add(&mut self, text: &str) {
        for byte in text.bytes() {
            if self.length == self.buffer.len() {
                self.flush();
            }
            self.buffer[self.length] = byte;
            self.length += 1;
        }
    }

    fn add_both(&mut self, one: &str, other: &str) {
        self.add(one);
        self.add(other);
    }

    fn add_size(&mut self, bytes: usize) {
        let kib = bytes >> 10;
        if kib != 0 && kib.is_multiple_of(1 << 10) {
            self.add_number(kib >> 10);
            self.add(" MiB");
        } else {
            self.add_number(kib);
            self.add(" KiB");
        }
    }

    fn add_number(&mut self, number: usize) {
        if number >= 10 {
            self.add_number(number / 10);
        }
        const DIGITS: &str = "0123456789";
        let digit = number % 10;
        self.add(&DIGITS[digit..=digit]);
    }

    fn flush(&mut self) {
        write_all(&self.buffer[..self.length]);
        self.length = 0;
    }
}

/// Writes to the standard error, past the lock and the capture of `std`'s. Who has closed it
/// misses the report.
fn write_all(mut bytes: &[u8]) {
    while !bytes.is_empty() {
        // SAFETY: the bytes are borrowed for the call.
        let written =
            unsafe { libc::write(libc::STDERR_FILENO, bytes.as_ptr().cast(), bytes.len()) };
        match usize::try_from(written) {
            Ok(written) => bytes = &bytes[written..],
            Err(_) if interrupted() => {}
            Err(_) => return,
        }
    }
}

fn interrupted() -> bool {
    // SAFETY: the calling OS thread's own `errno`.
    unsafe { *libc::__errno_location() == libc::EINTR }
}
