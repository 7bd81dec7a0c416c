//! Lines, as they come in pieces.

use std::io::{self, ErrorKind, Read};

use crate::http::Input;

/// The longest line, with its end.
pub(super) const LONGEST: usize = 1_000;

/// What has come from a client.
#[derive(Debug, Default)]
pub(super) struct Lines {
    input: Input,
}

impl Lines {
    /// The next line, without its end and without signs that would disturb a terminal, if it has come.
    ///
    /// # Errors
    ///
    /// `InvalidData`: it is too long.
    pub(super) fn take(&mut self) -> io::Result<Option<String>> {
        let bytes = self.input.bytes();
        match bytes.iter().take(LONGEST).position(|&byte| byte == b'\n') {
            Some(end) => {
                let line = String::from_utf8_lossy(&bytes[..end]);
                let line = line.chars().filter(|sign| !sign.is_control()).collect();
                self.input.take(end + 1);
                Ok(Some(line))
            }
            None if bytes.len() >= LONGEST => Err(ErrorKind::InvalidData.into()),
            None => Ok(None),
        }
    }

    /// Waits for more. `false`: no more will come.
    pub(super) fn fill(&mut self, stream: impl Read) -> io::Result<bool> {
        Ok(self.input.read_from(stream)? != 0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_end_where_they_end() {
        let mut lines = Lines::default();
        for piece in [&b"he"[..], b"llo\r\n\x1b[31m", b"red\nrest"] {
            assert!(lines.fill(piece).unwrap());
        }
        assert_eq!(lines.take().unwrap().unwrap(), "hello");
        assert_eq!(lines.take().unwrap().unwrap(), "[31mred");
        assert_eq!(lines.take().unwrap(), None);
        assert!(!lines.fill(&b""[..]).unwrap());
    }

    #[test]
    fn a_line_has_a_limit() {
        let mut lines = Lines::default();
        let longest = [b'x'; LONGEST - 1];
        lines.fill(&[&longest[..], b"\n"].concat()[..]).unwrap();
        assert_eq!(lines.take().unwrap().unwrap().len(), LONGEST - 1);
        lines.fill(&[b'x'; LONGEST][..]).unwrap();
        assert_eq!(lines.take().unwrap_err().kind(), ErrorKind::InvalidData);
    }
}
