//! Requests: an array of strings (`*2\r\n$3\r\nGET\r\n$1\r\nk\r\n`), or a line of words (`GET k\r\n`).

/// The longest line, and the longest header of a string.
const MOST_LINE: usize = 64 << 10;
/// The most words in a request.
const MOST_WORDS: usize = 1 << 20;
/// The longest string.
const MOST_BYTES: usize = 64 << 20;

/// The words of a request, which stand in what has come.
pub(super) type Words<'a> = Vec<&'a [u8]>;

/// What a client says that cannot be understood; its connection ends.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Malformed(pub(super) &'static str);

/// The first request of `input`, and how many bytes it has. `None`: it has not come as a whole. A request may be
/// without words, and is not answered then.
pub(super) fn first(input: &[u8]) -> Result<Option<(Words<'_>, usize)>, Malformed> {
    let mut reader = Reader { input, at: 0 };
    let words = match input.first() {
        None => return Ok(None),
        Some(b'*') => reader.array()?,
        Some(_) => reader.line("too big inline request")?.map(words_of),
    };
    Ok(words.map(|words| (words, reader.at)))
}

fn words_of(line: &[u8]) -> Words<'_> {
    let words = line.split(u8::is_ascii_whitespace);
    words.filter(|word| !word.is_empty()).collect()
}

struct Reader<'a> {
    input: &'a [u8],
    at: usize,
}

impl<'a> Reader<'a> {
    fn array(&mut self) -> Result<Option<Words<'a>>, Malformed> {
        let Some(count) = self.number("invalid multibulk length", "too big mbulk count string")?
        else {
            return Ok(None);
        };
        // As Redis: an array of no or fewer words is nothing.
        let count = usize::try_from(count).unwrap_or(0);
        if count > MOST_WORDS {
            return Err(Malformed("invalid multibulk length"));
        }
        let mut words = Vec::new();
        for _ in 0..count {
            match self.word()? {
                Some(word) => words.push(word),
                None => return Ok(None),
            }
        }
        Ok(Some(words))
    }

    fn word(&mut self) -> Result<Option<&'a [u8]>, Malformed> {
        match self.input.get(self.at) {
            None => return Ok(None),
            Some(b'$') => {}
            Some(_) => return Err(Malformed("expected '$'")),
        }
        let Some(length) = self.number("invalid bulk length", "too big bulk count string")? else {
            return Ok(None);
        };
        let length = usize::try_from(length).map_err(|_| Malformed("invalid bulk length"))?;
        if length > MOST_BYTES {
            return Err(Malformed("invalid bulk length"));
        }
        let Some(rest) = self.input.get(self.at..self.at + length + 2) else {
            return Ok(None);
        };
        self.at += rest.len();
        Ok(Some(&rest[..length]))
    }

    /// The number behind a sign of one byte.
    fn number(
        &mut self,
        wrong: &'static str,
        long: &'static str,
    ) -> Result<Option<i64>, Malformed> {
        let Some(line) = self.line(long)? else {
            return Ok(None);
        };
        let digits = std::str::from_utf8(&line[1..]).ok();
        let number = digits.and_then(|digits| digits.parse().ok());
        number.map(Some).ok_or(Malformed(wrong))
    }

    /// Up to the end of the line, without it.
    fn line(&mut self, long: &'static str) -> Result<Option<&'a [u8]>, Malformed> {
        let rest = &self.input[self.at..];
        match rest.iter().take(MOST_LINE).position(|&byte| byte == b'\n') {
            Some(end) => {
                self.at += end + 1;
                Ok(Some(
                    rest[..end].strip_suffix(b"\r").unwrap_or(&rest[..end]),
                ))
            }
            None if rest.len() >= MOST_LINE => Err(Malformed(long)),
            None => Ok(None),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_are_arrays_or_lines() {
        let array = b"*2\r\n$3\r\nGET\r\n$4\r\na\r\nb\r\nrest";
        let (words, length) = first(array).unwrap().unwrap();
        assert_eq!(words, [&b"GET"[..], b"a\r\nb"]);
        assert_eq!(&array[length..], b"rest");
        let line = b"  SET  k v \r\nrest";
        let (words, length) = first(line).unwrap().unwrap();
        assert_eq!(words, [&b"SET"[..], b"k", b"v"]);
        assert_eq!(&line[length..], b"rest");
        for nothing in [&b"*0\r\n"[..], b"*-1\r\n", b"\r\n", b"\n"] {
            assert_eq!(first(nothing), Ok(Some((vec![], nothing.len()))));
        }
    }

    #[test]
    fn no_beginning_of_a_request_is_one() {
        for whole in [&b"*2\r\n$3\r\nGET\r\n$1\r\nk\r\n"[..], b"GET k\r\n"] {
            for end in 0..whole.len() {
                assert_eq!(first(&whole[..end]), Ok(None), "{end}");
            }
            assert!(first(whole).unwrap().is_some());
        }
    }

    #[test]
    fn what_is_none_is_refused_as_soon_as_it_is_seen() {
        let refused = |input: &[u8]| first(input).unwrap_err().0;
        assert_eq!(refused(b"*x\r\n"), "invalid multibulk length");
        assert_eq!(refused(b"*99999999\r\n"), "invalid multibulk length");
        assert_eq!(refused(b"*1\r\nGET\r\n"), "expected '$'");
        assert_eq!(refused(b"*1\r\n$-1\r\n"), "invalid bulk length");
        assert_eq!(refused(b"*1\r\n$999999999\r\n"), "invalid bulk length");
        assert_eq!(refused(&[b'x'; MOST_LINE]), "too big inline request");
        let long = [b"*1\r\n$".as_slice(), &[b'1'; MOST_LINE]].concat();
        assert_eq!(refused(&long), "too big bulk count string");
    }
}
