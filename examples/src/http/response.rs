//! What is sent back.

use std::borrow::Cow;

use super::date::Date;

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
    BadGateway,
    GatewayTimeout,
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
            Status::BadGateway => "502 Bad Gateway",
            Status::GatewayTimeout => "504 Gateway Timeout",
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
    pub body: Cow<'static, [u8]>,
}

impl Response {
    /// This text.
    #[must_use]
    pub fn text(body: impl Into<Vec<u8>>) -> Response {
        Response::bytes(Cow::Owned(body.into()))
    }

    /// This text, which is part of the program and need not be copied.
    #[must_use]
    pub fn text_of_ours(body: &'static str) -> Response {
        Response::bytes(Cow::Borrowed(body.as_bytes()))
    }

    fn bytes(body: Cow<'static, [u8]>) -> Response {
        Response {
            status: Status::Ok,
            content_type: "text/plain; charset=utf-8",
            body,
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
    pub(crate) fn append(
        &self,
        out: &mut Vec<u8>,
        date: &Date,
        with_body: bool,
        keeps_alive: bool,
    ) {
        let connection = if keeps_alive {
            "\r\n\r\n"
        } else {
            "\r\nConnection: close\r\n\r\n"
        };
        // Copied piece by piece: `write!` of the whole takes several times as long.
        for piece in [
            "HTTP/1.1 ",
            self.status.line(),
            "\r\nDate: ",
            date.text(),
            "\r\nContent-Type: ",
            self.content_type,
            "\r\nContent-Length: ",
        ] {
            out.extend_from_slice(piece.as_bytes());
        }
        append_number(out, self.body.len());
        out.extend_from_slice(connection.as_bytes());
        if with_body {
            out.extend_from_slice(&self.body);
        }
    }
}

/// Appends its digits.
fn append_number(out: &mut Vec<u8>, number: usize) {
    // As many as the largest has.
    let mut digits = [0; 20];
    let (mut begin, mut rest) = (digits.len(), number);
    loop {
        begin -= 1;
        digits[begin] = b'0' + (rest % 10) as u8;
        rest /= 10;
        if rest == 0 {
            break;
        }
    }
    out.extend_from_slice(&digits[begin..]);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_is_its_digits() {
        for number in [0, 9, 10, 13, 1_234_567_890, usize::MAX] {
            let mut out = Vec::new();
            append_number(&mut out, number);
            assert_eq!(out, number.to_string().into_bytes());
        }
    }
}
