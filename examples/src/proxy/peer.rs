//! One side of the proxy: a connection, with what has come from it and what goes to it.

use std::io::{self, ErrorKind, Write as _};
use std::time::{Duration, Instant};

use trefoil::net::{Shutdown, TcpStream};

use crate::http::Input;

#[derive(Debug)]
pub(super) struct Peer {
    pub(super) stream: TcpStream,
    pub(super) input: Input,
    /// Is sent by [`Sink::flush`], or when there is much of it.
    output: Vec<u8>,
}

/// Why nothing more can be had from a peer.
#[derive(Debug)]
pub(super) enum Fault {
    /// It has taken too long.
    Late,
    /// It has said all.
    Ended,
    Broken(io::Error),
}

impl From<io::Error> for Fault {
    fn from(error: io::Error) -> Fault {
        match error.kind() {
            ErrorKind::WouldBlock | ErrorKind::TimedOut => Fault::Late,
            _ => Fault::Broken(error),
        }
    }
}

/// More is sent without being asked.
const MOST_OUTPUT: usize = 64 << 10;

impl Peer {
    /// Small messages are whole: nothing is gained by waiting for more.
    pub(super) fn new(stream: TcpStream, stall: Duration) -> io::Result<Peer> {
        stream.set_nodelay(true)?;
        stream.set_write_timeout(Some(stall))?;
        Ok(Peer {
            stream,
            input: Input::default(),
            output: Vec::new(),
        })
    }

    /// Both directions, of which each may be another thread's.
    pub(super) fn halves(&mut self) -> (Source<'_>, Sink<'_>) {
        let source = Source {
            stream: &self.stream,
            input: &mut self.input,
        };
        let sink = Sink {
            stream: &self.stream,
            output: &mut self.output,
        };
        (source, sink)
    }

    pub(super) fn source(&mut self) -> Source<'_> {
        self.halves().0
    }

    pub(super) fn sink(&mut self) -> Sink<'_> {
        self.halves().1
    }
}

/// What comes from a peer.
#[derive(Debug)]
pub(super) struct Source<'a> {
    stream: &'a TcpStream,
    pub(super) input: &'a mut Input,
}

/// What goes to it.
#[derive(Debug)]
pub(super) struct Sink<'a> {
    stream: &'a TcpStream,
    /// Where it is appended.
    pub(super) output: &'a mut Vec<u8>,
}

impl Source<'_> {
    /// Waits for more bytes, so long at most.
    pub(super) fn fill(&mut self, within: Duration) -> Result<(), Fault> {
        if within.is_zero() {
            return Err(Fault::Late);
        }
        self.stream.set_read_timeout(Some(within))?;
        match self.input.read_from(self.stream)? {
            0 => Err(Fault::Ended),
            _ => Ok(()),
        }
    }

    /// The same, with a limit for several waits together.
    pub(super) fn fill_until(&mut self, until: Instant) -> Result<(), Fault> {
        self.fill(until.saturating_duration_since(Instant::now()))
    }
}

impl Sink<'_> {
    pub(super) fn flush(&mut self) -> Result<(), Fault> {
        if !self.output.is_empty() {
            let sent = (&mut self.stream).write_all(self.output);
            self.output.clear();
            sent?;
        }
        Ok(())
    }

    pub(super) fn flush_if_much(&mut self) -> Result<(), Fault> {
        if self.output.len() >= MOST_OUTPUT {
            self.flush()?;
        }
        Ok(())
    }

    /// Ends the connection in both directions: who waits for it to say something, waits no more.
    pub(super) fn hang_up(&self) {
        // The peer may have done so.
        let _ = self.stream.shutdown(Shutdown::Both);
    }
}
