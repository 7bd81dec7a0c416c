//! `echo`: many loopback connections, a thread each, which send back what arrives. One operation
//! is one request with its answer; each connection has one request in flight.
//!
//! It measures I/O with little work: a read, a write, and a wait in between. The client is a
//! process of its own with one OS thread ([`client`](crate::client)), which compares every byte;
//! so the CPU time per request is the server's. Where both run on few cores, the time by the
//! clock contains the client's work too. Parameters: `connections` (64), `requests` on each of
//! them (800), the `size` of a request in bytes (64), and `pin`: 1 keeps the server on the first
//! processor and the client on the last, for a server of one worker.
//!
//! The client must have got all right answers, and the server must have given as many.
#![forbid(unsafe_code)]

use std::io::{self, ErrorKind, Read, Write};
use std::sync::Arc;

use trefoil::net::{TcpListener, TcpStream};
use trefoil::thread;

use super::Workload;
use crate::client::Plan;
use crate::failure::Failure;
use crate::held::Held;
use crate::load::{Answered, Load};
use crate::measurement::{Measurement, Stopwatch};
use crate::order::Order;
use crate::parameters::Parameter;
use crate::scenario::Scenario;
use crate::tally::Tally;
use crate::usage::{self, Footprint};

/// Of each workload that has a client.
pub(super) const PIN: Parameter =
    Parameter::new("pin", 0, "server and client on a processor each, if not 0").within(0, 1);

/// The workload's entry in the list.
pub static WORKLOAD: Workload = Workload {
    name: "echo",
    about: "send back what arrives on many loopback connections",
    operation: "a request and its answer",
    scenario: Scenario::IoBound,
    parameters: &[
        Parameter::new("connections", 64, "connections, a thread each").within(1, 9_000),
        Parameter::new("requests", 800, "requests on each connection"),
        Parameter::new("size", 64, "bytes of a request").within(1, 1_000_000),
        PIN,
    ],
    contrast: None,
    run,
};

fn run(order: &Order) -> Result<Measurement, Failure> {
    serve(order, plan(order))
}

/// What the client is to do.
#[must_use]
pub fn plan(order: &Order) -> Plan {
    Plan {
        connections: order.get("connections"),
        requests: order.get("requests"),
        size: order.get("size"),
        pin: order.is_pinned(),
        ..Plan::LEAST
    }
}

pub(super) fn serve(order: &Order, plan: Plan) -> Result<Measurement, Failure> {
    let before = usage::footprint();
    let listener = TcpListener::bind("127.0.0.1:0").map_err(Failure::io("bind"))?;
    let address = listener.local_addr().map_err(Failure::io("bind"))?;
    let mut load = thread::blocking(|| Load::start(&order.program, address, plan))?;
    let tally = Arc::new(Tally::default());
    let accepting = Arc::clone(&tally);
    thread::spawn(move || accepting.stopped(accept(&listener, plan, &accepting)));
    thread::blocking(|| load.connected())?;
    thread::blocking(|| tally.until_accepted(plan))?;
    let held = held(plan, before);

    let watch = Stopwatch::start();
    load.go()?;
    let answered = thread::blocking(|| load.answered())?;
    let measurement = answered.stop(watch);

    drop(load);
    let served = thread::blocking(|| tally.until_ended(plan))?;
    check(plan, served, answered)?;
    Ok(Measurement {
        held,
        ..measurement
    })
}

/// What idle connections hold, if there are any, now that they are accepted.
#[must_use]
pub fn held(plan: Plan, before: Footprint) -> Option<Held> {
    (plan.idle != 0).then(|| Held::since(before, plan.idle))
}

fn accept(listener: &TcpListener, plan: Plan, tally: &Arc<Tally>) -> io::Result<()> {
    for _ in 0..plan.opened() {
        let (stream, _) = listener.accept()?;
        tally.accepted();
        let tally = Arc::clone(tally);
        thread::spawn(move || tally.ended(handle(stream, plan)));
    }
    Ok(())
}

fn handle(mut stream: TcpStream, plan: Plan) -> io::Result<u64> {
    stream.set_nodelay(true)?;
    answer_all(&mut stream, plan)
}

/// Answers one connection until the client hangs up, and gives the number of requests. The same
/// code serves every runtime whose streams are `Read` and `Write`.
///
/// # Errors
///
/// What the stream says, and `UnexpectedEof` if the client hangs up in the middle of a request.
pub fn answer_all(stream: &mut (impl Read + Write), plan: Plan) -> io::Result<u64> {
    let mut requests = Requests::new(plan);
    loop {
        match stream.read(requests.room()) {
            Ok(0) => return requests.end(),
            Ok(count) => {
                if let Some(answers) = requests.answer(count) {
                    stream.write_all(answers)?;
                }
            }
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}

/// What has come of the requests of a connection, as many as the client sends at once. What is there is
/// answered at once.
#[derive(Debug)]
pub struct Requests {
    plan: Plan,
    buffer: Vec<u8>,
    /// How many bytes are answered, and how many stand behind them: an incomplete one.
    answered: usize,
    held: usize,
    digest: [u8; 8],
    served: u64,
}

impl Requests {
    /// None has come.
    #[must_use]
    pub fn new(plan: Plan) -> Requests {
        Requests {
            plan,
            buffer: vec![0; (plan.size * plan.depth) as usize],
            answered: 0,
            held: 0,
            digest: [0; 8],
            served: 0,
        }
    }

    /// Where the next bytes go. It is never empty.
    pub fn room(&mut self) -> &mut [u8] {
        let rest = self.answered..self.answered + self.held;
        self.buffer.copy_within(rest, 0);
        self.answered = 0;
        &mut self.buffer[self.held..]
    }

    /// So many bytes have come. What they are answered with, if they complete a request; it is to be sent before
    /// there is room again.
    pub fn answer(&mut self, count: usize) -> Option<&[u8]> {
        let size = self.plan.size as usize;
        self.held += count;
        let whole = self.held / size * size;
        if whole == 0 {
            return None;
        }
        self.served += (whole / size) as u64;
        self.held -= whole;
        self.answered = whole;
        if self.plan.work > 0 {
            self.digest =
                super::echo_compute::digest(&self.buffer[..whole], self.plan.work).to_le_bytes();
            return Some(&self.digest);
        }
        Some(&self.buffer[..whole])
    }

    /// The client has hung up.
    ///
    /// # Errors
    ///
    /// If it did so in the middle of a request.
    pub fn end(&self) -> io::Result<u64> {
        match self.held {
            0 => Ok(self.served),
            _ => Err(ErrorKind::UnexpectedEof.into()),
        }
    }
}

/// Server and client have counted as many requests as were planned.
///
/// # Errors
///
/// If one of them has not.
pub fn check(plan: Plan, served: u64, answered: Answered) -> Result<(), Failure> {
    let planned = plan.planned();
    Failure::unless_equal("the number of requests served", planned, served)?;
    Failure::unless_equal("the number of right answers", planned, answered.requests)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lateness::Lateness;
    use std::time::Duration;

    const PLAN: Plan = Plan {
        connections: 2,
        requests: 3,
        size: 4,
        ..Plan::LEAST
    };

    /// A stream whose input is given, and whose output is kept.
    struct Script<'a>(&'a [u8], Vec<u8>);

    impl Read for Script<'_> {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            // Pieces of three bytes, so that a request comes in two.
            let short = buffer.len().min(3);
            self.0.read(&mut buffer[..short])
        }
    }

    impl Write for Script<'_> {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.1.write(bytes)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn requests_are_put_together_and_sent_back() {
        let mut script = Script(b"abcdefgh", Vec::new());
        assert_eq!(answer_all(&mut script, PLAN).unwrap(), 2);
        assert_eq!(script.1, b"abcdefgh");
    }

    #[test]
    fn what_is_there_of_several_is_answered_at_once() {
        let mut requests = Requests::new(Plan { depth: 3, ..PLAN });
        let mut get = |bytes: &[u8]| {
            requests.room()[..bytes.len()].copy_from_slice(bytes);
            requests.answer(bytes.len()).map(<[u8]>::to_vec)
        };
        assert_eq!(get(b"abcdefghij").unwrap(), b"abcdefgh");
        assert_eq!(get(b"k"), None);
        assert_eq!(get(b"l").unwrap(), b"ijkl");
        assert_eq!(requests.end().unwrap(), 3);
    }

    #[test]
    fn half_a_request_is_an_error() {
        let mut script = Script(b"abcdef", Vec::new());
        let error = answer_all(&mut script, PLAN).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::UnexpectedEof);
    }

    #[test]
    fn a_request_without_answer_is_seen() {
        let answered = |requests| Answered {
            requests,
            elapsed: Duration::from_secs(1),
            latency: Lateness::default(),
        };
        assert!(check(PLAN, 6, answered(6)).is_ok());
        assert!(check(PLAN, 5, answered(6)).is_err());
        assert!(check(PLAN, 6, answered(5)).is_err());
    }
}
