//! What a head says.

use std::mem::MaybeUninit;

use httparse::Header;

use super::limits::Limits;
use super::response::Status;

/// What is to be done with a resource.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Method {
    /// Send it.
    #[default]
    Get,
    /// Say what would be sent.
    Head,
    /// Take the body.
    Post,
}

/// A request, with its whole body. The next one of the connection takes its room over.
#[derive(Debug, Default)]
pub struct Request {
    /// What is to be done.
    pub method: Method,
    /// With what: a path, and perhaps a query.
    pub target: String,
    /// What came with it.
    pub body: Vec<u8>,
}

/// How the body's end is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Framing {
    /// By a count of bytes.
    Length(usize),
    /// By a chunk without bytes.
    Chunked,
}

/// A head that was understood.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Head<'a> {
    pub(super) method: Method,
    pub(super) target: &'a str,
    pub(super) framing: Framing,
    /// Another request may follow.
    pub(super) keeps_alive: bool,
    /// The client waits for a word before it sends the body.
    pub(super) expects_continue: bool,
}

/// Reads a head. `Ok(None)`: more bytes are needed. Otherwise it tells how many bytes it took.
pub(super) fn parse<'a>(
    bytes: &'a [u8],
    limits: &Limits,
) -> Result<Option<(Head<'a>, usize)>, Status> {
    let mut headers = [const { MaybeUninit::<Header<'_>>::uninit() }; MOST_HEADERS];
    let headers = &mut headers[..limits.headers.min(MOST_HEADERS)];
    let mut parsed = httparse::Request::new(&mut []);
    let length = match parsed.parse_with_uninit_headers(bytes, headers) {
        Ok(httparse::Status::Complete(length)) => length,
        Ok(httparse::Status::Partial) if bytes.len() >= limits.head => {
            return Err(Status::HeadTooLarge);
        }
        Ok(httparse::Status::Partial) => return Ok(None),
        Err(httparse::Error::TooManyHeaders) => return Err(Status::HeadTooLarge),
        Err(httparse::Error::Version) => return Err(Status::VersionNotSupported),
        Err(_) => return Err(Status::BadRequest),
    };
    if length > limits.head {
        return Err(Status::HeadTooLarge);
    }
    // A complete head has all three.
    let (Some(method), Some(target), Some(minor)) = (parsed.method, parsed.path, parsed.version)
    else {
        return Err(Status::BadRequest);
    };
    let head = understand(method, target, minor, parsed.headers, limits)?;
    Ok(Some((head, length)))
}

/// How many headers there is room for, whatever the limits say.
const MOST_HEADERS: usize = 128;

fn understand<'a>(
    method: &str,
    target: &'a str,
    minor: u8,
    headers: &[Header<'_>],
    limits: &Limits,
) -> Result<Head<'a>, Status> {
    let method = match method {
        "GET" => Method::Get,
        "HEAD" => Method::Head,
        "POST" => Method::Post,
        _ => return Err(Status::NotImplemented),
    };
    let hosts = all(headers, "host").count();
    if hosts > 1 || (minor == 1 && hosts == 0) {
        return Err(Status::BadRequest);
    }
    let closes = has_token(headers, "connection", "close");
    let keeps_alive = if minor == 0 {
        has_token(headers, "connection", "keep-alive") && !closes
    } else {
        !closes
    };
    let framing = framing(headers)?;
    if matches!(framing, Framing::Length(length) if length > limits.body) {
        return Err(Status::ContentTooLarge);
    }
    Ok(Head {
        method,
        target,
        framing,
        keeps_alive,
        expects_continue: minor == 1 && has_token(headers, "expect", "100-continue"),
    })
}

/// Where the body ends. A request that says it in two ways may mean one thing to us and another to a proxy in front
/// of us: it is refused.
pub(crate) fn framing(headers: &[Header<'_>]) -> Result<Framing, Status> {
    let mut lengths = all(headers, "content-length");
    let mut codings = all(headers, "transfer-encoding");
    match (lengths.next(), codings.next()) {
        (None, None) => Ok(Framing::Length(0)),
        (Some(length), None) if lengths.next().is_none() => {
            let digits = length.iter().all(u8::is_ascii_digit);
            let number = std::str::from_utf8(length).ok().filter(|_| digits);
            let number = number.and_then(|number| number.parse().ok());
            number.map(Framing::Length).ok_or(Status::BadRequest)
        }
        (None, Some(coding)) if codings.next().is_none() => {
            if coding.eq_ignore_ascii_case(b"chunked") {
                Ok(Framing::Chunked)
            } else {
                Err(Status::NotImplemented)
            }
        }
        _ => Err(Status::BadRequest),
    }
}

/// The values of all headers of this name.
pub(crate) fn all<'a>(headers: &'a [Header<'_>], name: &'a str) -> impl Iterator<Item = &'a [u8]> {
    let named = headers
        .iter()
        .filter(move |header| header.name.eq_ignore_ascii_case(name));
    named.map(|header| header.value.trim_ascii())
}

/// Whether a list in such a header has this word.
pub(crate) fn has_token(headers: &[Header<'_>], name: &str, word: &str) -> bool {
    let mut words = all(headers, name).flat_map(|value| value.split(|&byte| byte == b','));
    words.any(|it| it.trim_ascii().eq_ignore_ascii_case(word.as_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn head(text: &str) -> Result<Option<Head<'_>>, Status> {
        let parsed = parse(text.as_bytes(), &Limits::default())?;
        Ok(parsed.map(|(head, length)| {
            assert_eq!(length, text.len());
            head
        }))
    }

    fn get(version: &str, headers: &str) -> Result<Head<'static>, Status> {
        let text = format!("GET / HTTP/{version}\r\n{headers}\r\n");
        let head = head(&text).map(|head| head.expect("it is complete"))?;
        assert_eq!(head.target, "/");
        Ok(Head {
            target: "/",
            ..head
        })
    }

    #[test]
    fn a_connection_is_kept_as_the_version_says() {
        for (version, header, keeps) in [
            ("1.1", "Host: a\r\n", true),
            ("1.1", "Host: a\r\nConnection: close\r\n", false),
            ("1.1", "Host: a\r\nconnection: upgrade, CLOSE\r\n", false),
            ("1.0", "", false),
            ("1.0", "Connection: Keep-Alive\r\n", true),
        ] {
            assert_eq!(get(version, header).unwrap().keeps_alive, keeps, "{header}");
        }
    }

    #[test]
    fn a_body_that_could_end_in_two_places_is_refused() {
        for (headers, framing) in [
            ("Content-Length: 5", Ok(Framing::Length(5))),
            ("Content-Length: +5", Err(Status::BadRequest)),
            (
                "Content-Length: 5\r\nContent-Length: 5",
                Err(Status::BadRequest),
            ),
            ("Transfer-Encoding: chunked", Ok(Framing::Chunked)),
            ("Transfer-Encoding: gzip", Err(Status::NotImplemented)),
            (
                "Content-Length: 5\r\nTransfer-Encoding: chunked",
                Err(Status::BadRequest),
            ),
            (
                "Content-Length: 99999999999999999999",
                Err(Status::BadRequest),
            ),
            ("Content-Length: 9999999999", Err(Status::ContentTooLarge)),
        ] {
            let got = get("1.1", &format!("Host: a\r\n{headers}\r\n"));
            assert_eq!(got.map(|head| head.framing), framing, "{headers}");
        }
    }

    #[test]
    fn what_is_no_request_is_refused() {
        assert_eq!(get("1.1", ""), Err(Status::BadRequest), "it names no host");
        assert_eq!(get("2.0", "Host: a\r\n"), Err(Status::VersionNotSupported));
        assert_eq!(
            head("BREW / HTTP/1.1\r\nHost: a\r\n\r\n"),
            Err(Status::NotImplemented)
        );
        assert_eq!(
            head("\x16\x03\x01"),
            Err(Status::BadRequest),
            "the begin of TLS"
        );
        assert_eq!(
            head("GET / HTTP/1.1\r\nHost: a\r\n"),
            Ok(None),
            "it goes on"
        );
        let many = "A: b\r\n".repeat(65);
        assert_eq!(get("1.1", &many), Err(Status::HeadTooLarge));
        let long = format!("GET /{} ", "a".repeat(16 << 10));
        assert_eq!(head(&long), Err(Status::HeadTooLarge));
    }
}
