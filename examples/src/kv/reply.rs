//! Answers, as they are written behind each other.

use std::io::Write as _;

/// What a command gives.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Reply {
    Ok,
    Simple(&'static str),
    /// With its kind in front: `ERR …`.
    Error(String),
    Integer(i64),
    Bytes(Vec<u8>),
    Nothing,
    Array(Vec<Reply>),
}

impl Reply {
    pub(super) fn error(text: &str) -> Reply {
        Reply::Error(format!("ERR {text}"))
    }

    pub(super) fn of(value: Option<Vec<u8>>) -> Reply {
        value.map_or(Reply::Nothing, Reply::Bytes)
    }

    pub(super) fn count(number: usize) -> Reply {
        Reply::Integer(i64::try_from(number).unwrap_or(i64::MAX))
    }

    pub(super) fn write(&self, out: &mut Vec<u8>) {
        let written = match self {
            Reply::Ok => out.write_all(b"+OK\r\n"),
            Reply::Simple(text) => write!(out, "+{text}\r\n"),
            Reply::Error(text) => write!(out, "-{text}\r\n"),
            Reply::Integer(number) => write!(out, ":{number}\r\n"),
            Reply::Nothing => out.write_all(b"$-1\r\n"),
            Reply::Bytes(bytes) => {
                let head = write!(out, "${}\r\n", bytes.len());
                out.extend_from_slice(bytes);
                out.extend_from_slice(b"\r\n");
                head
            }
            Reply::Array(items) => {
                let head = write!(out, "*{}\r\n", items.len());
                items.iter().for_each(|item| item.write(out));
                head
            }
        };
        written.expect("a vector takes everything");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_kind_has_its_sign() {
        let items = vec![
            Reply::Ok,
            Reply::error("no"),
            Reply::Integer(-3),
            Reply::Bytes(b"a\r\nb".to_vec()),
            Reply::Nothing,
            Reply::Array(Vec::new()),
        ];
        let mut out = Vec::new();
        Reply::Array(items).write(&mut out);
        let expected = "*6\r\n+OK\r\n-ERR no\r\n:-3\r\n$4\r\na\r\nb\r\n$-1\r\n*0\r\n";
        assert_eq!(String::from_utf8(out).unwrap(), expected);
    }
}
