//! What of an answer's head goes back.

use std::mem::MaybeUninit;

use httparse::Header;

use super::body::{Body, Sent};
use super::headers::{append, append_all};
use super::limits::Limits;
use super::request::{Client, MOST_HEADERS, keeps_alive};
use crate::http::{Framing, all, framing};

/// An answer, but for its body.
#[derive(Debug)]
pub(super) struct Answer {
    /// As it is sent to the client.
    pub(super) head: Vec<u8>,
    /// What follows.
    pub(super) body: Body,
    pub(super) sent: Sent,
    /// The upstream keeps its connection.
    pub(super) is_kept: bool,
    /// The client's connection is kept.
    pub(super) keeps_client: bool,
}

/// What an upstream has said first.
#[derive(Debug)]
pub(super) enum Said {
    Answer(Answer),
    /// The answer comes later.
    Interim,
}

/// It is no answer.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct NoAnswer;

/// Reads a head. `Ok(None)`: more bytes are needed. Otherwise it tells how many bytes it took.
pub(super) fn parse(
    bytes: &[u8],
    is_head: bool,
    client: Client,
    limits: &Limits,
) -> Result<Option<(Said, usize)>, NoAnswer> {
    let mut headers = [const { MaybeUninit::<Header<'_>>::uninit() }; MOST_HEADERS];
    let mut parsed = httparse::Response::new(&mut []);
    let parsed_to = httparse::ParserConfig::default().parse_response_with_uninit_headers(
        &mut parsed,
        bytes,
        &mut headers,
    );
    let length = match parsed_to {
        Ok(httparse::Status::Complete(length)) if length <= limits.head => length,
        Ok(httparse::Status::Partial) if bytes.len() < limits.head => return Ok(None),
        _ => return Err(NoAnswer),
    };
    let (Some(code), Some(minor)) = (parsed.code, parsed.version) else {
        return Err(NoAnswer);
    };
    let said = match code {
        // Nobody has asked for another protocol.
        ..100 | 101 => return Err(NoAnswer),
        102..200 | 100 => Said::Interim,
        _ => {
            let reason = parsed.reason.unwrap_or_default();
            let bodiless = is_head || matches!(code, 204 | 304);
            let body = body(parsed.headers, bodiless)?;
            let is_kept = keeps_alive(parsed.headers, minor) && !matches!(body, Body::UntilEnd);
            Said::Answer(answer(
                code,
                reason,
                parsed.headers,
                body,
                bodiless,
                client,
                is_kept,
            ))
        }
    };
    Ok(Some((said, length)))
}

fn body(headers: &[Header<'_>], bodiless: bool) -> Result<Body, NoAnswer> {
    let told = |name| all(headers, name).next().is_some();
    match framing(headers) {
        Err(_) => Err(NoAnswer),
        Ok(_) if bodiless => Ok(Body::NONE),
        Ok(Framing::Chunked) => Ok(Body::chunked()),
        Ok(Framing::Length(length)) if told("content-length") => Ok(Body::Length(length as u64)),
        Ok(Framing::Length(_)) => Ok(Body::UntilEnd),
    }
}

fn answer(
    code: u16,
    reason: &str,
    headers: &[Header<'_>],
    body: Body,
    bodiless: bool,
    client: Client,
    is_kept: bool,
) -> Answer {
    let mut head = format!("HTTP/1.1 {code} {reason}\r\n").into_bytes();
    append_all(&mut head, headers, &["content-length"]);
    let mut keeps_client = client.keeps_alive;
    let mut sent = Sent::Plain;
    match body {
        // What it would be, had it been asked for.
        _ if bodiless => {
            for length in all(headers, "content-length") {
                append(&mut head, "Content-Length", length);
            }
        }
        Body::Length(length) => append(&mut head, "Content-Length", length.to_string()),
        _ if client.minor == 1 => {
            append(&mut head, "Transfer-Encoding", "chunked");
            sent = Sent::Chunked;
        }
        // Only the end of the connection tells it the end of the body.
        _ => keeps_client = false,
    }
    Answer {
        head,
        body,
        sent,
        is_kept,
        keeps_client,
    }
}

impl Answer {
    /// The whole head; the client's connection is kept, or not.
    pub(super) fn append_head(&self, out: &mut Vec<u8>, client: Client, keeps: bool) {
        out.extend_from_slice(&self.head);
        match (keeps, client.minor) {
            (false, _) => append(out, "Connection", "close"),
            (true, 0) => append(out, "Connection", "keep-alive"),
            (true, _) => {}
        }
        out.extend_from_slice(b"\r\n");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(text: &str, minor: u8) -> Result<Said, NoAnswer> {
        let client = Client {
            minor,
            keeps_alive: true,
        };
        let parsed = parse(text.as_bytes(), false, client, &Limits::default())?;
        Ok(parsed.expect("it is complete").0)
    }

    fn answer(text: &str, minor: u8) -> Answer {
        match said(text, minor) {
            Ok(Said::Answer(answer)) => answer,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_body_ends_where_the_client_sees_it() {
        let chunks = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
        let new = answer(chunks, 1);
        assert!(new.sent == Sent::Chunked && new.keeps_client && new.is_kept);
        let old = answer(chunks, 0);
        assert!(old.sent == Sent::Plain && !old.keeps_client && old.is_kept);
        let endless = answer("HTTP/1.1 200 OK\r\n\r\n", 1);
        assert!(endless.sent == Sent::Chunked && !endless.is_kept);
        let none = answer("HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n", 1);
        assert!(none.body.is_complete() && none.is_kept);
        assert!(none.head.ends_with(b"Content-Length: 5\r\n"));
    }

    #[test]
    fn what_is_no_answer_is_told() {
        assert!(matches!(
            said("HTTP/1.1 100 Continue\r\n\r\n", 1),
            Ok(Said::Interim)
        ));
        for text in [
            "HTTP/1.1 101 Switching Protocols\r\n\r\n",
            "SSH-2.0-OpenSSH\r\n",
            "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
        ] {
            assert_eq!(said(text, 1).unwrap_err(), NoAnswer, "{text}");
        }
    }
}
