//! What is sent back.

use std::io::Write as _;
use std::time::SystemTime;

/// How it went.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs, reason = "each is named as in RFC 9110")]
pub enum Status {
    Ok,
    BadRequest,
    NotFound,
    MethodNotAllowed,
    RequestTimeout,
    ContentTooLarge,
    HeadTooLarge,
    InternalServerError,
    NotImplemented,
    VersionNotSupported,
}

impl Status {
    /// Its number and its name.
    fn line(self) -> &'static str {
        match self {
            Status::Ok => "200 OK",
            Status::BadRequest => "400 Bad Request",
            Status::NotFound => "404 Not Found",
            Status::MethodNotAllowed => "405 Method Not Allowed",
            Status::RequestTimeout => "408 Request Timeout",
            Status::ContentTooLarge => "413 Content Too Large",
            Status::HeadTooLarge => "431 Request Header Fields Too Large",
            Status::InternalServerError => "500 Internal Server Error",
            Status::NotImplemented => "501 Not Implemented",
            Status::VersionNotSupported => "505 HTTP Version Not Supported",
        }
    }
}

/// An answer, with its whole body.
#[derive(Debug)]
pub struct Response {
    /// How it went.
    pub status: Status,
    /// What the body is.
    pub content_type: &'static str,
    /// What is sent.
    pub body: Vec<u8>,
}

impl Response {
    /// This text.
    #[must_use]
    pub fn text(body: impl Into<Vec<u8>>) -> Response {
        Response {
            status: Status::Ok,
            content_type: "text/plain; charset=utf-8",
            body: body.into(),
        }
    }

    /// That it did not go well.
    #[must_use]
    pub fn failure(status: Status) -> Response {
        Response {
            status,
            ..Response::text(format!("{}\n", status.line()))
        }
    }

    /// Appends it to what is to be sent; without its body, if only the head was asked for.
    pub(super) fn append(&self, out: &mut Vec<u8>, with_body: bool, keeps_alive: bool) {
        let connection = if keeps_alive {
            ""
        } else {
            "Connection: close\r\n"
        };
        let written = write!(
            out,
            "HTTP/1.1 {}\r\nDate: {}\r\nContent-Type: {}\r\nContent-Length: {}\r\n{connection}\r\n",
            self.status.line(),
            httpdate::HttpDate::from(SystemTime::now()),
            self.content_type,
            self.body.len(),
        );
        written.expect("a vector takes all");
        if with_body {
            out.extend_from_slice(&self.body);
        }
    }
}
