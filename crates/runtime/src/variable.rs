//! Environment variables: what a switch may hold, and what is said of another value.
//!
//! One rule for all of them (docs/environment.md): one that is set to nothing counts as not set, and a
//! value that it has not is an error of whoever builds a runtime, never a guess.
#![forbid(unsafe_code)]

use std::ffi::OsStr;
use std::{env, io};

/// What the environment says of a switch. `None`: nothing.
pub(crate) fn switch(name: &str) -> io::Result<Option<bool>> {
    let words = [("1", true), ("on", true), ("0", false), ("off", false)];
    choice(name, &words)
}

/// How a report is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Report {
    /// The program asks for it itself.
    OnRequest,
    /// It is printed.
    Printed,
}

/// What the environment says of a report. `None`: that there is to be none, or nothing.
pub(crate) fn report(name: &str) -> io::Result<Option<Report>> {
    let words = [
        ("1", Some(Report::OnRequest)),
        ("on", Some(Report::OnRequest)),
        ("print", Some(Report::Printed)),
        ("0", None),
        ("off", None),
    ];
    choice(name, &words).map(Option::flatten)
}

/// Which of `words` the environment variable `name` holds. `None`: it is not set, or to nothing.
pub(crate) fn choice<T: Copy>(name: &str, words: &[(&str, T)]) -> io::Result<Option<T>> {
    let value = env::var_os(name).unwrap_or_default();
    chosen(name, &value, words)
}

fn chosen<T: Copy>(name: &str, value: &OsStr, words: &[(&str, T)]) -> io::Result<Option<T>> {
    if value.is_empty() {
        return Ok(None);
    }
    let found = words.iter().find(|(word, _)| value == *word);
    match found {
        Some(&(_, meaning)) => Ok(Some(meaning)),
        None => {
            let words: Vec<&str> = words.iter().map(|(word, _)| *word).collect();
            Err(refused(name, value, &words))
        }
    }
}

#[cold]
fn refused(name: &str, value: &OsStr, words: &[&str]) -> io::Error {
    let words: Vec<String> = words.iter().map(|word| format!("`{word}`")).collect();
    io::Error::new(
        io::ErrorKind::InvalidInput,
        format!(
            "the environment variable {name} is `{}`, which it cannot be: set it to {}, or not at \
             all",
            value.to_string_lossy(),
            words.join(", ")
        ),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::ffi::OsStrExt as _;

    const WORDS: [(&str, u8); 2] = [("one", 1), ("two", 2)];

    fn read(value: &[u8]) -> io::Result<Option<u8>> {
        chosen("TREFOIL_TRIED", OsStr::from_bytes(value), &WORDS)
    }

    #[test]
    fn a_word_has_its_meaning() {
        assert_eq!(read(b"one").unwrap(), Some(1));
        assert_eq!(read(b"two").unwrap(), Some(2));
    }

    #[test]
    fn nothing_counts_as_not_set() {
        assert_eq!(read(b"").unwrap(), None);
        assert_eq!(switch("TREFOIL_IS_NOT_SET").unwrap(), None);
    }

    #[test]
    fn another_word_is_no_guess() {
        for value in ["One", "one ", "on", "three"] {
            let refused = read(value.as_bytes()).unwrap_err();
            assert_eq!(refused.kind(), io::ErrorKind::InvalidInput);
            assert_eq!(
                refused.to_string(),
                format!(
                    "the environment variable TREFOIL_TRIED is `{value}`, which it cannot be: set \
                     it to `one`, `two`, or not at all"
                )
            );
        }
    }

    #[test]
    fn what_is_not_text_is_refused_too() {
        let refused = read(b"on\xff").unwrap_err().to_string();
        assert!(refused.contains("`on\u{fffd}`"), "{refused}");
    }
}
