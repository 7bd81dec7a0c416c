//! What of a request's head goes on.

use std::io::Write as _;
use std::mem::MaybeUninit;
use std::net::IpAddr;

use httparse::Header;

use super::body::{Body, Sent};
use super::headers::{append, append_all};
use super::limits::Limits;
use crate::http::{Framing, Status, all, framing, has_token};

/// A request, but for its body.
#[derive(Debug)]
pub(super) struct Request {
    /// As it is sent to an upstream.
    pub(super) head: Vec<u8>,
    /// What follows.
    pub(super) body: Body,
    pub(super) sent: Sent,
    /// Only the head of the answer is asked for.
    pub(super) is_head: bool,
    /// It may reach an upstream twice: it does the same then, and has no body that would be gone.
    pub(super) may_repeat: bool,
    /// The client waits for a word before it sends the body.
    pub(super) expects_continue: bool,
    pub(super) client: Client,
}

/// What the client understands.
#[derive(Debug, Clone, Copy)]
pub(super) struct Client {
    /// Of HTTP/1.
    pub(super) minor: u8,
    /// Another request may follow.
    pub(super) keeps_alive: bool,
}

/// How many headers a message may have.
pub(super) const MOST_HEADERS: usize = 100;

/// These are told anew.
const OURS: [&str; 5] = [
    "content-length",
    "expect",
    "forwarded",
    "via",
    "x-forwarded-for",
];

impl Request {
    /// Reads a head that has come from this address. `Ok(None)`: more bytes are needed. Otherwise it tells how
    /// many bytes it took.
    pub(super) fn parse(
        bytes: &[u8],
        from: IpAddr,
        limits: &Limits,
    ) -> Result<Option<(Request, usize)>, Status> {
        let mut headers = [const { MaybeUninit::<Header<'_>>::uninit() }; MOST_HEADERS];
        let mut parsed = httparse::Request::new(&mut []);
        let length = match parsed.parse_with_uninit_headers(bytes, &mut headers) {
            Ok(httparse::Status::Complete(length)) if length <= limits.head => length,
            Ok(httparse::Status::Partial) if bytes.len() < limits.head => return Ok(None),
            Ok(_) | Err(httparse::Error::TooManyHeaders) => return Err(Status::HeadTooLarge),
            Err(httparse::Error::Version) => return Err(Status::VersionNotSupported),
            Err(_) => return Err(Status::BadRequest),
        };
        // A complete head has all three.
        let (Some(method), Some(target), Some(minor)) =
            (parsed.method, parsed.path, parsed.version)
        else {
            return Err(Status::BadRequest);
        };
        let request = Request::understand(method, target, minor, parsed.headers, from)?;
        Ok(Some((request, length)))
    }

    fn understand(
        method: &str,
        target: &str,
        minor: u8,
        headers: &[Header<'_>],
        from: IpAddr,
    ) -> Result<Request, Status> {
        let hosts = all(headers, "host").count();
        if hosts > 1 || (minor == 1 && hosts == 0) {
            return Err(Status::BadRequest);
        }
        if method == "CONNECT" {
            return Err(Status::NotImplemented);
        }
        let framing = framing(headers)?;
        // A proxy of HTTP/1.0 in front of us would have seen the end elsewhere.
        if minor == 0 && framing == Framing::Chunked {
            return Err(Status::BadRequest);
        }
        let (body, sent) = match framing {
            Framing::Length(length) => (Body::Length(length as u64), Sent::Plain),
            Framing::Chunked => (Body::chunked(), Sent::Chunked),
        };
        let idempotent = ["GET", "HEAD", "OPTIONS", "TRACE", "PUT", "DELETE"].contains(&method);
        Ok(Request {
            head: head(method, target, minor, headers, framing, from),
            may_repeat: idempotent && body.is_complete(),
            body,
            sent,
            is_head: method == "HEAD",
            expects_continue: minor == 1 && has_token(headers, "expect", "100-continue"),
            client: Client {
                minor,
                keeps_alive: keeps_alive(headers, minor),
            },
        })
    }
}

/// Whether the sender of this head keeps the connection.
pub(super) fn keeps_alive(headers: &[Header<'_>], minor: u8) -> bool {
    let says = |word| has_token(headers, "connection", word);
    !says("close") && (minor == 1 || says("keep-alive"))
}

fn head(
    method: &str,
    target: &str,
    minor: u8,
    headers: &[Header<'_>],
    framing: Framing,
    from: IpAddr,
) -> Vec<u8> {
    let mut head = Vec::with_capacity(512);
    for piece in [method, " ", target, " HTTP/1.1\r\n"] {
        head.extend_from_slice(piece.as_bytes());
    }
    append_all(&mut head, headers, &OURS);
    let host = all(headers, "host").next();
    if host.is_none() {
        append(&mut head, "Host", "");
    }
    let ours = from.to_string();
    append_list(&mut head, headers, "X-Forwarded-For", ours.as_bytes());
    append_list(&mut head, headers, "Forwarded", &forwarded(from, host));
    let ours = format!("1.{minor} trefoil");
    append_list(&mut head, headers, "Via", ours.as_bytes());
    match framing {
        Framing::Chunked => append(&mut head, "Transfer-Encoding", "chunked"),
        Framing::Length(0) if all(headers, "content-length").next().is_none() => {}
        Framing::Length(length) => append(&mut head, "Content-Length", length.to_string()),
    }
    head.extend_from_slice(b"\r\n");
    head
}

/// What others have said, and then our word.
fn append_list(head: &mut Vec<u8>, headers: &[Header<'_>], name: &str, ours: &[u8]) {
    let mut words: Vec<&[u8]> = all(headers, name).filter(|it| !it.is_empty()).collect();
    words.push(ours);
    append(head, name, words.join(&b", "[..]));
}

/// As RFC 7239 writes it. A host that would have to be quoted is left out.
fn forwarded(from: IpAddr, host: Option<&[u8]>) -> Vec<u8> {
    let mut forwarded = Vec::new();
    let written = match from {
        IpAddr::V4(address) => write!(forwarded, "for={address}"),
        IpAddr::V6(address) => write!(forwarded, "for=\"[{address}]\""),
    };
    written.expect("a vector takes all");
    let plain = |byte: &u8| byte.is_ascii_alphanumeric() || b".-:[]".contains(byte);
    if let Some(host) = host.filter(|host| !host.is_empty() && host.iter().all(plain)) {
        for piece in [b";host=\"", host, b"\""] {
            forwarded.extend_from_slice(piece);
        }
    }
    forwarded.extend_from_slice(b";proto=http");
    forwarded
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<Request, Status> {
        let from = IpAddr::from([10, 0, 0, 1]);
        let parsed = Request::parse(text.as_bytes(), from, &Limits::default())?;
        let (request, length) = parsed.expect("it is complete");
        assert_eq!(length, text.len());
        Ok(request)
    }

    #[test]
    fn what_goes_on_says_who_has_asked() {
        let request = parse(
            "GET /a?b HTTP/1.1\r\nHost: a.example:80\r\nX-Forwarded-For: 1.2.3.4\r\nConnection: close\r\n\
             x-forwarded-for: 5.6.7.8\r\nA: b\r\n\r\n",
        )
        .unwrap();
        assert_eq!(
            String::from_utf8(request.head).unwrap(),
            "GET /a?b HTTP/1.1\r\nHost: a.example:80\r\nA: b\r\n\
             X-Forwarded-For: 1.2.3.4, 5.6.7.8, 10.0.0.1\r\n\
             Forwarded: for=10.0.0.1;host=\"a.example:80\";proto=http\r\nVia: 1.1 trefoil\r\n\r\n"
        );
        assert!(request.may_repeat && !request.client.keeps_alive);
    }

    #[test]
    fn an_address_of_version_6_is_quoted() {
        let from = "::1".parse().unwrap();
        assert_eq!(forwarded(from, Some(b"a\"b")), b"for=\"[::1]\";proto=http");
    }

    #[test]
    fn what_would_do_something_twice_is_not_repeated() {
        for (line, headers, repeats) in [
            ("DELETE /", "", true),
            ("POST /", "", false),
            ("PUT /", "Content-Length: 1\r\n", false),
            ("PUT /", "Transfer-Encoding: chunked\r\n", false),
        ] {
            let request = parse(&format!("{line} HTTP/1.1\r\nHost: a\r\n{headers}\r\n"));
            assert_eq!(request.unwrap().may_repeat, repeats, "{line} {headers}");
        }
    }

    #[test]
    fn what_another_proxy_may_understand_otherwise_is_refused() {
        for (text, status) in [
            ("GET / HTTP/1.1\r\n\r\n", Status::BadRequest),
            (
                "GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
                Status::BadRequest,
            ),
            (
                "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
                Status::BadRequest,
            ),
            (
                "POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n",
                Status::BadRequest,
            ),
            (
                "CONNECT a:1 HTTP/1.1\r\nHost: a\r\n\r\n",
                Status::NotImplemented,
            ),
        ] {
            assert_eq!(parse(text).unwrap_err(), status, "{text}");
        }
    }
}
