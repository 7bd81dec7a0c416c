//! Answers, as RESP2 writes them.

/// What is to be sent, one answer behind the other.
#[derive(Debug, Default)]
pub(super) struct Reply(Vec<u8>);

impl Reply {
    pub(super) fn bytes(&self) -> &[u8] {
        &self.0
    }

    /// It was sent.
    pub(super) fn clear(&mut self) {
        self.0.clear();
        // What a long answer needed is given back.
        self.0.shrink_to(64 << 10);
    }

    pub(super) fn simple(&mut self, text: &str) {
        self.line(b'+', text.as_bytes());
    }

    /// An error is one line, whatever of the client's own words it repeats.
    pub(super) fn error(&mut self, text: &str) {
        let line: String = text
            .chars()
            .map(|c| if matches!(c, '\r' | '\n') { ' ' } else { c })
            .collect();
        self.line(b'-', line.as_bytes());
    }

    pub(super) fn integer(&mut self, number: i64) {
        self.line(b':', number.to_string().as_bytes());
    }

    pub(super) fn count(&mut self, count: usize) {
        self.line(b':', count.to_string().as_bytes());
    }

    pub(super) fn bulk(&mut self, bytes: &[u8]) {
        self.line(b'$', bytes.len().to_string().as_bytes());
        self.0.extend_from_slice(bytes);
        self.0.extend_from_slice(b"\r\n");
    }

    /// Nothing is there.
    pub(super) fn null(&mut self) {
        self.line(b'$', b"-1");
    }

    pub(super) fn optional(&mut self, bytes: Option<&[u8]>) {
        match bytes {
            Some(bytes) => self.bulk(bytes),
            None => self.null(),
        }
    }

    /// So many answers follow, which are its elements.
    pub(super) fn array(&mut self, length: usize) {
        self.line(b'*', length.to_string().as_bytes());
    }

    fn line(&mut self, kind: u8, text: &[u8]) {
        self.0.push(kind);
        self.0.extend_from_slice(text);
        self.0.extend_from_slice(b"\r\n");
    }
}
