//! Which headers are for the next hop alone.

use httparse::Header;

use crate::http::has_token;

/// Those that RFC 9110 and its forerunners name.
const HOP_BY_HOP: [&str; 9] = [
    "connection",
    "keep-alive",
    "proxy-authenticate",
    "proxy-authorization",
    "proxy-connection",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
];

/// Appends the headers that go on, but for those that are told anew: `but`.
pub(super) fn append_all(out: &mut Vec<u8>, headers: &[Header<'_>], but: &[&str]) {
    for header in headers {
        let is_one_of =
            |names: &[&str]| names.iter().any(|it| it.eq_ignore_ascii_case(header.name));
        // Whom it is for cannot be taken away by naming it.
        let named = !header.name.eq_ignore_ascii_case("host")
            && has_token(headers, "connection", header.name);
        if !named && !is_one_of(&HOP_BY_HOP) && !is_one_of(but) {
            append(out, header.name, header.value);
        }
    }
}

pub(super) fn append(out: &mut Vec<u8>, name: &str, value: impl AsRef<[u8]>) {
    for piece in [name.as_bytes(), b": ", value.as_ref(), b"\r\n"] {
        out.extend_from_slice(piece);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_for_the_next_hop_stays_here() {
        let header = |name, value: &'static str| Header {
            name,
            value: value.as_bytes(),
        };
        let headers = [
            header("Host", "a"),
            header("Connection", "close, X-Mine, host"),
            header("Keep-Alive", "timeout=5"),
            header("x-mine", "1"),
            header("Accept", "*/*"),
            header("Content-Length", "5"),
            header("Upgrade", "h2c"),
        ];
        let mut out = Vec::new();
        append_all(&mut out, &headers, &["content-length"]);
        assert_eq!(out, b"Host: a\r\nAccept: */*\r\n");
    }
}
