//! `echo`: many loopback connections, a thread each, which send back what arrives. One operation
//! is one request with its answer; each connection has one request in flight.
//!
//! It measures I/O with little work: a read, a write, and a wait in between. The client is a
//! process of its own with one OS thread ([`client`](crate::client)), which compares every byte;
//! so the CPU time per request is the server's. Where both run on few cores, the time by the
//! clock contains the client's work too. Parameters: `connections` (64), `requests` on each of
//! them (800), and the `size` of a request in bytes (64).
//!
//! The client must have got all right answers, and the server must have given as many.
#![forbid(unsafe_code)]

use std::io::{self, ErrorKind, Read, Write};

use trefoil::net::{TcpListener, TcpStream};
use trefoil::thread::{self, JoinHandle};

use super::{Workload, join};
use crate::client::Plan;
use crate::failure::Failure;
use crate::load::{Answered, Load};
use crate::measurement::{Measurement, Stopwatch};
use crate::order::Order;
use crate::parameters::Parameter;
use crate::scenario::Scenario;

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
        work: 0,
    }
}

type Handler = JoinHandle<io::Result<u64>>;

pub(super) fn serve(order: &Order, plan: Plan) -> Result<Measurement, Failure> {
    let listener = TcpListener::bind("127.0.0.1:0").map_err(Failure::io("bind"))?;
    let address = listener.local_addr().map_err(Failure::io("bind"))?;
    let mut load = thread::blocking(|| Load::start(&order.program, address, plan))?;
    let acceptor = thread::spawn(move || accept(&listener, plan));
    thread::blocking(|| load.connected())?;
    let handlers = join(acceptor)?.map_err(Failure::io("accept"))?;

    let watch = Stopwatch::start();
    load.go()?;
    let answered = thread::blocking(|| load.answered())?;
    let measurement = watch.stop_after(answered.requests, answered.elapsed);

    drop(load);
    let mut served = 0;
    for handler in handlers {
        served += join(handler)?.map_err(Failure::io("answer"))?;
    }
    check(plan, served, answered)?;
    Ok(measurement)
}

fn accept(listener: &TcpListener, plan: Plan) -> io::Result<Vec<Handler>> {
    let accept_one = |_| {
        let (stream, _) = listener.accept()?;
        Ok(thread::spawn(move || handle(stream, plan)))
    };
    (0..plan.connections).map(accept_one).collect()
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
    let mut request = vec![0; plan.size as usize];
    let mut served = 0;
    while read_request(stream, &mut request)? {
        match plan.work {
            0 => stream.write_all(&request)?,
            work => {
                let digest = super::echo_compute::digest(&request, work);
                stream.write_all(&digest.to_le_bytes())?;
            }
        }
        served += 1;
    }
    Ok(served)
}

/// `false`: there is no further request.
fn read_request(stream: &mut impl Read, request: &mut [u8]) -> io::Result<bool> {
    let mut received = 0;
    while received < request.len() {
        match stream.read(&mut request[received..]) {
            Ok(0) if received == 0 => return Ok(false),
            Ok(0) => return Err(ErrorKind::UnexpectedEof.into()),
            Ok(count) => received += count,
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(true)
}

/// Server and client have counted as many requests as were planned.
///
/// # Errors
///
/// If one of them has not.
pub fn check(plan: Plan, served: u64, answered: Answered) -> Result<(), Failure> {
    let planned = plan.connections * plan.requests;
    Failure::unless_equal("the number of requests served", planned, served)?;
    Failure::unless_equal("the number of right answers", planned, answered.requests)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    const PLAN: Plan = Plan {
        connections: 2,
        requests: 3,
        size: 4,
        work: 0,
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
        };
        assert!(check(PLAN, 6, answered(6)).is_ok());
        assert!(check(PLAN, 5, answered(6)).is_err());
        assert!(check(PLAN, 6, answered(5)).is_err());
    }
}
