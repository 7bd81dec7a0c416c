//! The process that sends the requests: many connections, one request or several in flight on each,
//! one OS thread, and every answer compared with what it must be.
//!
//! It must never be what limits the run. So it does one `write` and one `read` per request, asks
//! the poller once for many connections, and computes the right answers before it begins: there
//! are only [`DISTINCT`] different requests.
//!
//! How it is started and told to begin is in [`load`](crate::load).
#![forbid(unsafe_code)]

use std::io::{self, BufRead, ErrorKind, Write};
use std::net::SocketAddr;
use std::time::Instant;

use self::session::Session;
use crate::pin;
use crate::workloads::echo_compute::digest;

mod session;

/// How many different requests there are.
pub const DISTINCT: usize = 64;

/// What a client sends, how often, and what it must get.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Plan {
    /// How many connections it makes.
    pub connections: u64,
    /// How many times it sends requests on each of them.
    pub requests: u64,
    /// How many bytes a request has.
    pub size: u64,
    /// How much the server computes for a request; 0 if it sends the request back.
    pub work: u64,
    /// How many requests it sends at once on a connection, before it waits for their answers.
    pub depth: u64,
    /// How many connections it makes one after the other in each place.
    pub lives: u64,
    /// How many more connections it makes, on which it says nothing.
    pub idle: u64,
    /// Whether it runs on another processor than the server.
    pub pin: bool,
}

impl Plan {
    /// One request on one connection.
    pub const LEAST: Plan = Plan {
        connections: 1,
        requests: 1,
        size: 1,
        work: 0,
        depth: 1,
        lives: 1,
        idle: 0,
        pin: false,
    };

    /// How many connections it makes, all in all.
    #[must_use]
    pub const fn opened(self) -> u64 {
        self.connections * self.lives + self.idle
    }

    /// How many of them are open when it begins.
    #[must_use]
    pub const fn open_at_first(self) -> u64 {
        self.connections + self.idle
    }

    /// How many requests it sends, all in all.
    #[must_use]
    pub const fn planned(self) -> u64 {
        self.connections * self.lives * self.requests * self.depth
    }

    /// The plan as arguments of the client program.
    #[must_use]
    pub fn arguments(self) -> Vec<String> {
        [
            ("--connections", self.connections),
            ("--requests", self.requests),
            ("--size", self.size),
            ("--work", self.work),
            ("--depth", self.depth),
            ("--lives", self.lives),
            ("--idle", self.idle),
            ("--pin", u64::from(self.pin)),
        ]
        .into_iter()
        .flat_map(|(name, value)| [name.to_string(), value.to_string()])
        .collect()
    }
}

/// Plays the client: connects, waits for `go` on `input`, sends all requests, and tells `output`
/// what came of it.
///
/// # Errors
///
/// If the server refuses, hangs up, or gives a wrong answer.
pub fn play(
    address: SocketAddr,
    plan: Plan,
    mut input: impl BufRead,
    mut output: impl Write,
) -> io::Result<()> {
    if plan.pin {
        pin::client();
    }
    let mut session = Session::connect(address, plan)?;
    writeln!(output, "connected")?;
    output.flush()?;
    let mut line = String::new();
    input.read_line(&mut line)?;
    if line.trim_end() != "go" {
        return Err(wrong("the server ended before it said `go`".into()));
    }
    let start = Instant::now();
    session.exchange()?;
    let nanoseconds = start.elapsed().as_nanos();
    let (requests, latency) = (plan.planned(), session.latency());
    let (p50, p99, last) = (latency.p50_ns, latency.p99_ns, latency.last_ns);
    writeln!(
        output,
        "answered {requests} {nanoseconds} {p50} {p99} {last}"
    )
}

fn wrong(sentence: String) -> io::Error {
    io::Error::new(ErrorKind::InvalidData, sentence)
}

/// What is sent at once, and the answer that it must get.
struct Exchange {
    request: Vec<u8>,
    answer: Vec<u8>,
}

impl Exchange {
    fn new(number: usize, plan: Plan) -> Exchange {
        let size = usize::try_from(plan.size * plan.depth).expect("a size fits into memory");
        let byte = |place| (number * 131 + place * 17 + place / 8) as u8;
        let request: Vec<u8> = (0..size).map(byte).collect();
        let answer = match plan.work {
            0 => request.clone(),
            work => digest(&request, work).to_le_bytes().to_vec(),
        };
        Exchange { request, answer }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Read;
    use std::net::TcpListener;
    use std::thread;

    const PLAN: Plan = Plan {
        connections: 3,
        requests: 100,
        size: 48,
        ..Plan::LEAST
    };

    /// A server of plain kernel threads, which answers a request with what `answer` makes of it,
    /// and hangs up where that is nothing.
    fn serve(plan: Plan, answer: fn(&mut Vec<u8>)) -> SocketAddr {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        thread::spawn(move || {
            for stream in listener.incoming().take(plan.connections as usize) {
                let mut stream = stream.unwrap();
                thread::spawn(move || {
                    let mut message = vec![0; plan.size as usize];
                    while stream.read_exact(&mut message).is_ok() {
                        let mut reply = message.clone();
                        answer(&mut reply);
                        if reply.is_empty() || stream.write_all(&reply).is_err() {
                            break;
                        }
                    }
                });
            }
        });
        address
    }

    fn said(plan: Plan, answer: fn(&mut Vec<u8>)) -> Result<String, String> {
        let mut output = Vec::new();
        play(serve(plan, answer), plan, &b"go\n"[..], &mut output)
            .map(|()| String::from_utf8(output).unwrap())
            .map_err(|error| error.to_string())
    }

    #[test]
    fn right_answers_are_counted() {
        let said = said(PLAN, |_| {}).unwrap();
        assert!(said.starts_with("connected\nanswered 300 "), "{said}");
        let numbers = said
            .split_whitespace()
            .skip(3)
            .map(|it| it.parse().unwrap());
        let [elapsed, p50, p99, last] = *numbers.collect::<Vec<u64>>() else {
            panic!("{said}")
        };
        // No exchange on the loopback interface takes less.
        assert!(
            1_000 < p50 && p50 <= p99 && p99 <= last && last <= elapsed,
            "{said}"
        );
    }

    #[test]
    fn a_digest_is_compared_with_its_own() {
        let plan = Plan { work: 5, ..PLAN };
        let right = |message: &mut Vec<u8>| {
            *message = digest(message, 5).to_le_bytes().to_vec();
        };
        assert!(said(plan, right).is_ok());
        let other_work = |message: &mut Vec<u8>| {
            *message = digest(message, 6).to_le_bytes().to_vec();
        };
        assert!(said(plan, other_work).unwrap_err().contains("is wrong"));
    }

    #[test]
    fn one_wrong_byte_is_seen() {
        let wrong = said(PLAN, |message| message[47] ^= 1);
        assert!(wrong.unwrap_err().contains("is wrong"));
    }

    #[test]
    fn a_server_that_hangs_up_is_no_success() {
        assert!(said(PLAN, Vec::clear).is_err());
    }

    #[test]
    fn nothing_is_sent_before_the_word() {
        let address = serve(PLAN, |_| {});
        let mut output = Vec::new();
        let ended = play(address, PLAN, &b""[..], &mut output).unwrap_err();
        assert!(ended.to_string().contains("before it said `go`"));
        assert_eq!(output, b"connected\n");
    }
}
