//! The text of a `write!`, as one piece: what writes it makes one call for all of it.
#![forbid(unsafe_code)]

use std::fmt;
use std::io;

/// Calls `write` with the text.
///
/// # Panics
///
/// As `std`'s `write_fmt`: if a formatting trait implementation returns an error of its own.
#[track_caller]
pub(crate) fn with(
    text: fmt::Arguments<'_>,
    write: impl FnOnce(&str) -> io::Result<()>,
) -> io::Result<()> {
    match text.as_str() {
        Some(text) => write(text),
        None => {
            let mut whole = String::new();
            if fmt::write(&mut whole, text).is_err() {
                panic!(
                    "a formatting trait implementation returned an error when the underlying stream did not"
                );
            }
            write(&whole)
        }
    }
}
