//! The server's end of the process that sends the requests: starts it, says when it may begin,
//! and hears what came of it. What that process does is in [`client`](crate::client).
//!
//! The client is a process of its own, so that the CPU time of this process is the server's
//! alone. They speak over the client's standard input and output, one line each:
//!
//! | from | line | meaning |
//! |---|---|---|
//! | client | `connected` | all connections are made |
//! | server | `go` | send the requests |
//! | client | `answered REQUESTS NANOSECONDS P50 P99 LAST` | every answer was right, and it took so long, in all and each |
//! | client | anything else | it has failed, and this is why |
//!
//! [`connected`](Load::connected) and [`answered`](Load::answered) block their OS thread. A
//! workload calls them where its runtime lets it block.
#![forbid(unsafe_code)]

use std::io::{BufRead, BufReader, Write};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::Duration;

use crate::client::Plan;
use crate::failure::Failure;
use crate::lateness::Lateness;
use crate::measurement::{Measurement, Stopwatch};

/// The client process.
#[derive(Debug)]
pub struct Load {
    process: Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
}

/// What the client says at the end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Answered {
    /// How many requests were answered, rightly.
    pub requests: u64,
    /// The time from the first request to the last answer.
    pub elapsed: Duration,
    /// How long an answer took to come.
    pub latency: Lateness,
}

impl Answered {
    /// Ends the measurement of the server.
    pub fn stop(self, watch: Stopwatch) -> Measurement {
        Measurement {
            latency: Some(self.latency),
            ..watch.stop_after(self.requests, self.elapsed)
        }
    }
}

impl Load {
    /// Starts `program` as a client that connects to `address` as the plan says.
    ///
    /// # Errors
    ///
    /// If the process cannot be started.
    pub fn start(program: &Path, address: SocketAddr, plan: Plan) -> Result<Load, Failure> {
        let mut process = Command::new(program)
            .arg("client")
            .args(["--address", &address.to_string()])
            .args(plan.arguments())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .map_err(Failure::io("start the client process"))?;
        let (Some(input), Some(output)) = (process.stdin.take(), process.stdout.take()) else {
            unreachable!("both were asked for")
        };
        Ok(Load {
            process,
            input,
            output: BufReader::new(output),
        })
    }

    /// Waits until the client has made all its connections. Blocks.
    ///
    /// # Errors
    ///
    /// If the client fails.
    pub fn connected(&mut self) -> Result<(), Failure> {
        match self.line()?.as_str() {
            "connected" => Ok(()),
            other => Err(Failure::Client(other.into())),
        }
    }

    /// Lets the client send its requests. Does not block.
    ///
    /// # Errors
    ///
    /// If the client is gone.
    pub fn go(&mut self) -> Result<(), Failure> {
        self.input
            .write_all(b"go\n")
            .map_err(Failure::io("tell the client to begin"))
    }

    /// Waits until all requests are answered. Blocks.
    ///
    /// # Errors
    ///
    /// If an answer was wrong, or if the client fails otherwise.
    pub fn answered(&mut self) -> Result<Answered, Failure> {
        let line = self.line()?;
        parse(&line).ok_or(Failure::Client(line))
    }

    fn line(&mut self) -> Result<String, Failure> {
        let mut line = String::new();
        self.output
            .read_line(&mut line)
            .map_err(Failure::io("hear from the client"))?;
        match line.trim_end() {
            "" => Err(Failure::Client("it ended without a word".into())),
            line => Ok(line.into()),
        }
    }
}

fn parse(line: &str) -> Option<Answered> {
    let numbers = line.strip_prefix("answered ")?.split(' ');
    let numbers: Vec<u64> = numbers.map(|it| it.parse().ok()).collect::<Option<_>>()?;
    let &[requests, nanoseconds, p50_ns, p99_ns, last_ns] = numbers.as_slice() else {
        return None;
    };
    Some(Answered {
        requests,
        elapsed: Duration::from_nanos(nanoseconds),
        latency: Lateness {
            p50_ns,
            p99_ns,
            last_ns,
        },
    })
}

impl Drop for Load {
    /// A client must not outlive the run. One that has answered has nothing left to do.
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_agreed_line_is_an_answer() {
        let answered = parse("answered 30 1500 7 8 9").unwrap();
        assert_eq!(answered.latency.p99_ns, 8);
        assert_eq!(answered.requests, 30);
        assert_eq!(answered.elapsed, Duration::from_nanos(1500));
        let wrong = [
            "answered 30 1500",
            "answered x 1500 7 8 9",
            "the answer is wrong",
        ];
        for line in wrong {
            assert_eq!(parse(line), None);
        }
    }
}
