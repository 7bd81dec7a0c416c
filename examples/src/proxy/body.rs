//! Which bytes are a body's, and where it ends.

use std::io::Write as _;

/// A body that comes.
#[derive(Debug)]
pub(super) enum Body {
    /// So many bytes are to come.
    Length(u64),
    Chunked(Chunk),
    /// All that comes until the connection ends.
    UntilEnd,
}

/// What comes next of a body in chunks.
#[derive(Debug)]
pub(super) enum Chunk {
    Size,
    Bytes(u64),
    /// The end of the line, behind a chunk's bytes.
    EndOfLine,
    /// Of no use to the next hop, and so not sent on. An empty line ends them.
    Trailers,
    End,
}

/// It does not say where it ends.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Malformed;

/// The begin of some bytes, understood: so many, and what of them is the body's own.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Taken<'a> {
    pub(super) count: usize,
    pub(super) data: &'a [u8],
}

/// Of a chunk's size, with its extensions, or of a trailer.
const LONGEST_LINE: usize = 1024;

impl Body {
    pub(super) const NONE: Body = Body::Length(0);

    pub(super) fn chunked() -> Body {
        Body::Chunked(Chunk::Size)
    }

    pub(super) fn is_complete(&self) -> bool {
        matches!(self, Body::Length(0) | Body::Chunked(Chunk::End))
    }

    /// Understands the next piece. Of 0 bytes: more have to come first.
    pub(super) fn take<'a>(&mut self, bytes: &'a [u8]) -> Result<Taken<'a>, Malformed> {
        Ok(match self {
            Body::Length(left) => counted(left, bytes),
            Body::UntilEnd => Taken {
                count: bytes.len(),
                data: bytes,
            },
            Body::Chunked(chunk) => chunk.take(bytes)?,
        })
    }
}

fn counted<'a>(left: &mut u64, bytes: &'a [u8]) -> Taken<'a> {
    let count = usize::try_from(*left).map_or(bytes.len(), |left| left.min(bytes.len()));
    *left -= count as u64;
    let data = &bytes[..count];
    Taken { count, data }
}

impl Chunk {
    fn take<'a>(&mut self, bytes: &'a [u8]) -> Result<Taken<'a>, Malformed> {
        let count = match self {
            Chunk::Bytes(left) => {
                let taken = counted(left, bytes);
                if *left == 0 {
                    *self = Chunk::EndOfLine;
                }
                return Ok(taken);
            }
            Chunk::Size => self.size(bytes)?,
            Chunk::EndOfLine => match bytes {
                [b'\r', b'\n', ..] => {
                    *self = Chunk::Size;
                    2
                }
                [] | [b'\r'] => 0,
                _ => return Err(Malformed),
            },
            Chunk::Trailers => self.trailer(bytes)?,
            Chunk::End => 0,
        };
        Ok(Taken { count, data: &[] })
    }

    fn size(&mut self, bytes: &[u8]) -> Result<usize, Malformed> {
        match httparse::parse_chunk_size(bytes) {
            Ok(httparse::Status::Complete((line, size))) => {
                *self = match size {
                    0 => Chunk::Trailers,
                    size => Chunk::Bytes(size),
                };
                Ok(line)
            }
            Ok(httparse::Status::Partial) if bytes.len() <= LONGEST_LINE => Ok(0),
            _ => Err(Malformed),
        }
    }

    fn trailer(&mut self, bytes: &[u8]) -> Result<usize, Malformed> {
        match bytes.windows(2).position(|pair| pair == b"\r\n") {
            Some(end) => {
                if end == 0 {
                    *self = Chunk::End;
                }
                Ok(end + 2)
            }
            None if bytes.len() <= LONGEST_LINE => Ok(0),
            None => Err(Malformed),
        }
    }
}

/// How a body is sent on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Sent {
    /// Its length was told, or its end is the connection's.
    Plain,
    Chunked,
}

impl Sent {
    pub(super) fn append(self, out: &mut Vec<u8>, data: &[u8]) {
        match self {
            _ if data.is_empty() => {}
            Sent::Plain => out.extend_from_slice(data),
            Sent::Chunked => {
                write!(out, "{:x}\r\n", data.len()).expect("a vector takes all");
                out.extend_from_slice(data);
                out.extend_from_slice(b"\r\n");
            }
        }
    }

    pub(super) fn append_end(self, out: &mut Vec<u8>) {
        if self == Sent::Chunked {
            out.extend_from_slice(b"0\r\n\r\n");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is the body's, and what is left, if the bytes come in pieces of this size.
    fn read(mut body: Body, all: &[u8], piece: usize) -> Result<(Vec<u8>, Vec<u8>), Malformed> {
        let (mut buffer, mut data) = (Vec::new(), Vec::new());
        for bytes in all.chunks(piece) {
            buffer.extend_from_slice(bytes);
            while !body.is_complete() {
                let taken = body.take(&buffer)?;
                data.extend_from_slice(taken.data);
                let count = taken.count;
                buffer.drain(..count);
                if count == 0 {
                    break;
                }
            }
        }
        assert!(body.is_complete());
        Ok((data, buffer))
    }

    #[test]
    fn a_body_may_come_in_any_pieces() {
        let chunks = b"4;name=value\r\nWiki\r\n5\r\npedia\r\n0\r\nA: b\r\n\r\nGET";
        for piece in 1..=chunks.len() {
            let (data, rest) = read(Body::chunked(), chunks, piece).unwrap();
            assert_eq!((&data[..], &rest[..]), (&b"Wikipedia"[..], &b"GET"[..]));
            let (data, rest) = read(Body::Length(9), b"WikipediaGET", piece).unwrap();
            assert_eq!((&data[..], &rest[..]), (&b"Wikipedia"[..], &b"GET"[..]));
        }
    }

    #[test]
    fn what_does_not_say_where_it_ends_is_refused() {
        for bytes in [&b"x\r\n"[..], b"3\r\nabcd\r\n", b"-1\r\n", &[b'1'; 2000]] {
            assert_eq!(read(Body::chunked(), bytes, 100), Err(Malformed));
        }
        let trailer = [b"0\r\n", &[b'a'; 2000][..]].concat();
        assert_eq!(read(Body::chunked(), &trailer, 100), Err(Malformed));
    }
}
