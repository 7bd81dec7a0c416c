//! Where a message ends.

use super::response::Status;

/// What has come of a body that is sent in chunks.
#[derive(Debug, Default)]
pub(super) struct Chunks {
    body: Vec<u8>,
    state: State,
}

#[derive(Debug, Default)]
enum State {
    /// A size comes.
    #[default]
    Size,
    /// So many bytes come, then the end of a line.
    Bytes(usize),
    /// All chunks have come. Trailers come, which are ignored, then an empty line.
    Trailers,
}

impl Chunks {
    /// Takes as much as it understands from the begin of `bytes`, and tells how much that was. `Some`: that
    /// was all, and this is the body.
    pub(super) fn take(
        &mut self,
        bytes: &[u8],
        most: usize,
    ) -> Result<(usize, Option<Vec<u8>>), Status> {
        let mut taken = 0;
        loop {
            let rest = &bytes[taken..];
            match self.state {
                State::Size => match httparse::parse_chunk_size(rest) {
                    Ok(httparse::Status::Complete((line, size))) => {
                        taken += line;
                        self.state = self.after_size(size, most)?;
                    }
                    Ok(httparse::Status::Partial) if rest.len() > LONGEST_LINE => {
                        return Err(Status::BadRequest);
                    }
                    Ok(httparse::Status::Partial) => return Ok((taken, None)),
                    Err(_) => return Err(Status::BadRequest),
                },
                State::Bytes(size) => {
                    let Some(chunk) = rest.get(..size + 2) else {
                        return Ok((taken, None));
                    };
                    if !chunk.ends_with(b"\r\n") {
                        return Err(Status::BadRequest);
                    }
                    self.body.extend_from_slice(&chunk[..size]);
                    taken += size + 2;
                    self.state = State::Size;
                }
                State::Trailers => {
                    let Some(end) = rest.windows(2).position(|pair| pair == b"\r\n") else {
                        return if rest.len() > LONGEST_LINE {
                            Err(Status::HeadTooLarge)
                        } else {
                            Ok((taken, None))
                        };
                    };
                    taken += end + 2;
                    if end == 0 {
                        return Ok((taken, Some(std::mem::take(&mut self.body))));
                    }
                }
            }
        }
    }

    fn after_size(&self, size: u64, most: usize) -> Result<State, Status> {
        let size = usize::try_from(size).map_err(|_| Status::ContentTooLarge)?;
        if size > most.saturating_sub(self.body.len()) {
            return Err(Status::ContentTooLarge);
        }
        Ok(if size == 0 {
            State::Trailers
        } else {
            State::Bytes(size)
        })
    }
}

/// Of a chunk's size, with its extensions, or of a trailer.
const LONGEST_LINE: usize = 1024;

#[cfg(test)]
mod tests {
    use super::*;

    /// The bytes come in pieces of every size.
    #[test]
    fn chunks_may_come_in_any_pieces() {
        let all = b"4;name=value\r\nWiki\r\n6\r\npedia \r\nE\r\nin \r\n\r\nchunks.\r\n0\r\nA: b\r\n\r\nGET";
        for piece in 1..all.len() {
            let (mut chunks, mut buffer, mut body) = (Chunks::default(), Vec::new(), None);
            for bytes in all.chunks(piece) {
                buffer.extend_from_slice(bytes);
                if body.is_none() {
                    let (taken, all) = chunks.take(&buffer, 100).unwrap();
                    buffer.drain(..taken);
                    body = all;
                }
            }
            assert_eq!(body.unwrap(), b"Wikipedia in \r\n\r\nchunks.", "{piece}");
            assert_eq!(buffer, b"GET", "what follows is left");
        }
    }

    #[test]
    fn what_is_no_chunk_is_refused() {
        let refused = |bytes: &[u8]| Chunks::default().take(bytes, 10).map(|_| ());
        assert_eq!(refused(b"x\r\n"), Err(Status::BadRequest));
        assert_eq!(
            refused(b"3\r\nabcd\r\n"),
            Err(Status::BadRequest),
            "it is longer than it says"
        );
        assert_eq!(refused(b"b\r\n"), Err(Status::ContentTooLarge));
        assert_eq!(
            refused(b"ffffffffffffffff\r\n"),
            Err(Status::ContentTooLarge)
        );
        assert_eq!(
            refused(b"6\r\nabcdef\r\n5\r\n"),
            Err(Status::ContentTooLarge),
            "both together"
        );
        assert_eq!(refused(&[b'1'; 2000]), Err(Status::BadRequest));
    }
}
