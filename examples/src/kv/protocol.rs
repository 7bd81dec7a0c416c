//! Requests, as RESP2 and people write them: an array of bulk strings, or words in a line.
//!
//! It goes on where it was when more bytes come, so that a request that comes byte by byte is looked at once.
//! It keeps no more than has come: what a length announces is not reserved.

use super::limits::Limits;

/// A command, and its arguments.
pub(super) type Request = Vec<Vec<u8>>;

/// Finds requests among the bytes that have come.
#[derive(Debug, Default)]
pub(super) struct Parser {
    /// So much of the request is behind us.
    at: usize,
    /// In an array: how many arguments are to come.
    left: Option<usize>,
    /// The length of the argument that comes now.
    length: Option<usize>,
    arguments: Request,
}

impl Parser {
    /// The first request of these bytes, with its length. An empty one is to be passed over. `None`: it has
    /// not come as a whole; next time the same bytes are passed, and more.
    ///
    /// # Errors
    ///
    /// What no request begins with, in the words of Redis. Nothing can be read behind that.
    pub(super) fn next(
        &mut self,
        bytes: &[u8],
        limits: &Limits,
    ) -> Result<Option<(Request, usize)>, String> {
        if self.left.is_none() {
            match bytes.first() {
                None => return Ok(None),
                Some(b'*') => {
                    let many = "too big mbulk count string";
                    let Some(count) =
                        self.number(bytes, "invalid multibulk length", many, limits)?
                    else {
                        return Ok(None);
                    };
                    // A null array, and one without elements, say nothing.
                    let count = usize::try_from(count).unwrap_or(0);
                    if count > limits.arguments {
                        return Err("invalid multibulk length".to_owned());
                    }
                    self.left = Some(count);
                }
                Some(_) => return self.inline(bytes, limits),
            }
        }
        while self.left != Some(0) {
            if !self.argument(bytes, limits)? {
                return Ok(None);
            }
        }
        Ok(Some(self.done()))
    }

    /// Takes the next argument of an array, if it is there.
    fn argument(&mut self, bytes: &[u8], limits: &Limits) -> Result<bool, String> {
        if self.length.is_none() {
            match bytes.get(self.at) {
                None => return Ok(false),
                Some(b'$') => {}
                Some(&byte) => {
                    return Err(format!("expected '$', got '{}'", byte.escape_ascii()));
                }
            }
            let many = "too big bulk count string";
            let Some(length) = self.number(bytes, "invalid bulk length", many, limits)? else {
                return Ok(false);
            };
            let length = usize::try_from(length)
                .ok()
                .filter(|length| self.at.saturating_add(*length) <= limits.request)
                .ok_or("invalid bulk length")?;
            self.length = Some(length);
        }
        let end = self.at + self.length.unwrap_or_default();
        if bytes.len() < end + 2 {
            return Ok(false);
        }
        self.arguments.push(bytes[self.at..end].to_vec());
        // As Redis does, without a look at what should be a line's end.
        self.at = end + 2;
        self.length = None;
        self.left = self.left.map(|left| left - 1);
        Ok(true)
    }

    /// The number of a line that begins here with its kind. `None`: it has not come as a whole.
    fn number(
        &mut self,
        bytes: &[u8],
        invalid: &str,
        long: &str,
        limits: &Limits,
    ) -> Result<Option<i64>, String> {
        // A number is short: it is looked for anew each time.
        let rest = &bytes[self.at..];
        let shown = &rest[..rest.len().min(limits.line.min(64))];
        let Some(end) = shown.iter().position(|byte| *byte == b'\r') else {
            return if shown.len() < rest.len() {
                Err(long.to_owned())
            } else {
                Ok(None)
            };
        };
        if rest.len() < end + 2 {
            return Ok(None);
        }
        let number = str::from_utf8(&rest[1..end]).ok();
        let number = number.and_then(|number| number.parse().ok());
        self.at += end + 2;
        number.map(Some).ok_or_else(|| invalid.to_owned())
    }

    fn inline(
        &mut self,
        bytes: &[u8],
        limits: &Limits,
    ) -> Result<Option<(Request, usize)>, String> {
        let end = bytes[self.at..].iter().position(|byte| *byte == b'\n');
        let come = end.map_or(bytes.len(), |end| self.at + end);
        if come > limits.line {
            return Err("too big inline request".to_owned());
        }
        self.at = come;
        if end.is_none() {
            return Ok(None);
        }
        let line = &bytes[..come];
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        self.arguments = words(line).ok_or("unbalanced quotes in request")?;
        self.at += 1;
        Ok(Some(self.done()))
    }

    fn done(&mut self) -> (Request, usize) {
        let this = std::mem::take(self);
        (this.arguments, this.at)
    }
}

/// The words of a line, of which those in quotes may have anything in them. `None`: a quote has no end, or
/// something stands right behind it.
fn words(line: &[u8]) -> Option<Request> {
    let (mut words, mut rest) = (Vec::new(), line.trim_ascii());
    while !rest.is_empty() {
        let word;
        (word, rest) = first_word(rest)?;
        words.push(word);
        rest = rest.trim_ascii_start();
    }
    Some(words)
}

fn first_word(mut rest: &[u8]) -> Option<(Vec<u8>, &[u8])> {
    let mut word = Vec::new();
    loop {
        match *rest {
            [] => return Some((word, rest)),
            [byte, ..] if byte.is_ascii_whitespace() => return Some((word, rest)),
            [quote @ (b'"' | b'\''), ref quoted @ ..] => {
                let rest = until_quote(quote, quoted, &mut word)?;
                let ends = rest.first().is_none_or(u8::is_ascii_whitespace);
                return ends.then_some((word, rest));
            }
            [byte, ref behind @ ..] => {
                word.push(byte);
                rest = behind;
            }
        }
    }
}

/// Appends what stands before the quote, and gives what stands behind it.
fn until_quote<'a>(quote: u8, mut rest: &'a [u8], word: &mut Vec<u8>) -> Option<&'a [u8]> {
    loop {
        rest = match *rest {
            [] => return None,
            [byte, ref behind @ ..] if byte == quote => return Some(behind),
            [b'\\', b'\'', ref behind @ ..] if quote == b'\'' => {
                word.push(b'\'');
                behind
            }
            [b'\\', b'x', high, low, ref behind @ ..] if quote == b'"' && is_hex(high, low) => {
                word.push(hex(high) << 4 | hex(low));
                behind
            }
            [b'\\', escaped, ref behind @ ..] if quote == b'"' => {
                word.push(match escaped {
                    b'n' => b'\n',
                    b'r' => b'\r',
                    b't' => b'\t',
                    b'b' => 8,
                    b'a' => 7,
                    other => other,
                });
                behind
            }
            [byte, ref behind @ ..] => {
                word.push(byte);
                behind
            }
        };
    }
}

fn is_hex(high: u8, low: u8) -> bool {
    high.is_ascii_hexdigit() && low.is_ascii_hexdigit()
}

fn hex(digit: u8) -> u8 {
    char::from(digit).to_digit(16).unwrap_or_default() as u8
}

#[cfg(test)]
mod tests {
    use super::*;

    fn limits() -> Limits {
        Limits {
            line: 100,
            arguments: 5,
            request: 200,
            ..Limits::default()
        }
    }

    /// All requests, of which the bytes come in pieces of this size.
    fn parse(bytes: &[u8], piece: usize) -> Result<Vec<Request>, String> {
        let (mut parser, mut found) = (Parser::default(), Vec::new());
        let (mut begin, mut come) = (0, 0);
        loop {
            match parser.next(&bytes[begin..come], &limits())? {
                Some((request, length)) => {
                    begin += length;
                    found.push(request);
                }
                None if come == bytes.len() => return Ok(found),
                None => come = bytes.len().min(come + piece),
            }
        }
    }

    #[track_caller]
    fn assert_parsed(bytes: &[u8], expected: &[&[&[u8]]]) {
        for piece in 1..=bytes.len() {
            assert_eq!(parse(bytes, piece).unwrap(), expected, "{piece}");
        }
    }

    #[track_caller]
    fn assert_refused(bytes: &[u8], why: &str) {
        for piece in 1..=bytes.len() {
            assert_eq!(parse(bytes, piece).unwrap_err(), why, "{piece}");
        }
    }

    #[test]
    fn requests_come_in_pieces() {
        assert_parsed(
            b"*1\r\n$4\r\nPING\r\n*2\r\n$3\r\nGET\r\n$2\r\n\r\n\r\n",
            &[&[b"PING"], &[b"GET", b"\r\n"]],
        );
        assert_parsed(b"*0\r\n*-1\r\n*1\r\n$0\r\n\r\n", &[&[], &[], &[b""]]);
        assert_parsed(b"PING\r\n\r\nget  a\n", &[&[b"PING"], &[], &[b"get", b"a"]]);
    }

    #[test]
    fn quotes_and_escapes_are_read() {
        let line = br#"SET "a b\x41\n\"" 'it\'s' x"#;
        let line = [line, &b"\r\n"[..]].concat();
        assert_parsed(&line, &[&[b"SET", b"a bA\n\"", b"it's", b"x"]]);
        assert_refused(b"GET \"a\r\n", "unbalanced quotes in request");
        assert_refused(b"GET 'a'b\r\n", "unbalanced quotes in request");
    }

    #[test]
    fn what_is_no_request_is_refused() {
        assert_refused(b"*a\r\n", "invalid multibulk length");
        assert_refused(b"*6\r\n", "invalid multibulk length");
        assert_refused(b"*1\r\n+PING\r\n", "expected '$', got '+'");
        assert_refused(b"*1\r\n$-1\r\n", "invalid bulk length");
        assert_refused(b"*1\r\n$200\r\n", "invalid bulk length");
        assert_refused(b"*1\r\n$9223372036854775807\r\n", "invalid bulk length");
        assert_refused(&[b'x'; 101], "too big inline request");
        let digits = [b'1'; 80];
        assert_refused(&[b"*", &digits[..]].concat(), "too big mbulk count string");
        assert_refused(
            &[b"*1\r\n$", &digits[..]].concat(),
            "too big bulk count string",
        );
    }
}
