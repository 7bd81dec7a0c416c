//! The client's connections: what is under way on each of them, and the poller that says which can
//! go on.
#![forbid(unsafe_code)]

use std::io::{self, ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::os::fd::AsRawFd;
use std::thread;
use std::time::{Duration, Instant};

use hdrhistogram::Histogram;
use mio::unix::SourceFd;
use mio::{Events, Interest, Poll, Token};

use super::{DISTINCT, Exchange, Plan, wrong};
use crate::lateness::Lateness;

/// The longest latency that is told apart, in nanoseconds: a minute.
const LONGEST: u64 = 60_000_000_000;

struct Connection {
    stream: TcpStream,
    /// How many more are made in its place.
    lives: u64,
    /// When the request was sent that is under way.
    begun: Instant,
    /// Which request is under way, from 0.
    sequence: u64,
    /// How many of its bytes have been sent.
    sent: usize,
    /// How many bytes of its answer have arrived.
    received: usize,
}

/// All connections, from the first request to the last answer.
pub(super) struct Session {
    plan: Plan,
    address: SocketAddr,
    /// Open, and silent.
    _idle: Vec<TcpStream>,
    /// How long each answer took to come, in nanoseconds.
    latency: Histogram<u64>,
    exchanges: Vec<Exchange>,
    poll: Poll,
    connections: Vec<Connection>,
    buffer: Vec<u8>,
    /// How many connections still have requests to send.
    busy: usize,
}

impl Session {
    pub(super) fn connect(address: SocketAddr, plan: Plan) -> io::Result<Session> {
        let exchanges: Vec<_> = (0..DISTINCT)
            .map(|number| Exchange::new(number, plan))
            .collect();
        let poll = Poll::new()?;
        let latency = Histogram::new_with_bounds(1, LONGEST, 3).map_err(io::Error::other)?;
        let mut connections = Vec::new();
        for number in 0..plan.connections {
            let number = usize::try_from(number).expect("connections are counted in memory");
            connections.push(Connection::open(address, &poll, number, plan.lives)?);
        }
        let idle = (0..plan.idle).map(|number| {
            // Else the server's queue may be full, and the kernel tries again after a second.
            if number % 64 == 63 {
                thread::sleep(Duration::from_millis(2));
            }
            TcpStream::connect(address)
        });
        Ok(Session {
            _idle: idle.collect::<io::Result<_>>()?,
            address,
            latency,
            buffer: vec![0; exchanges[0].answer.len()],
            busy: connections.len(),
            plan,
            exchanges,
            poll,
            connections,
        })
    }

    /// Sends all requests of all connections and hears all answers.
    pub(super) fn exchange(&mut self) -> io::Result<()> {
        for number in 0..self.connections.len() {
            self.advance(number)?;
        }
        let mut events = Events::with_capacity(1024);
        while self.busy > 0 {
            match self.poll.poll(&mut events, None) {
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                done => done?,
            }
            for event in &events {
                self.advance(event.token().0)?;
            }
        }
        Ok(())
    }

    /// How long the answers took to come.
    pub(super) fn latency(&self) -> Lateness {
        Lateness {
            p50_ns: self.latency.value_at_quantile(0.5),
            p99_ns: self.latency.value_at_quantile(0.99),
            last_ns: self.latency.max(),
        }
    }

    /// Does for one connection what can be done now. The poller tells about edges, so it stops
    /// only where the kernel has said `WouldBlock`, or where nothing can have arrived yet.
    fn advance(&mut self, number: usize) -> io::Result<()> {
        let connection = &mut self.connections[number];
        if connection.sequence == self.plan.requests {
            return Ok(());
        }
        if connection.sent == 0 {
            connection.begun = Instant::now();
        }
        let which = (number + connection.sequence as usize) % DISTINCT;
        let exchange = &self.exchanges[which];
        if !connection.send(&exchange.request)? {
            return Ok(());
        }
        if !connection.receive(&mut self.buffer, &exchange.answer)? {
            return Ok(());
        }
        let now = Instant::now();
        self.latency
            .saturating_record((now - connection.begun).as_nanos() as u64);
        connection.sequence += 1;
        connection.sent = 0;
        connection.received = 0;
        if connection.sequence == self.plan.requests {
            if connection.lives == 1 {
                self.busy -= 1;
                return Ok(());
            }
            let lives = connection.lives - 1;
            *connection = Connection::open(self.address, &self.poll, number, lives)?;
        }
        connection.begun = now;
        let which = (number + connection.sequence as usize) % DISTINCT;
        // The answer to this one will be an edge of its own.
        connection.send(&self.exchanges[which].request)?;
        Ok(())
    }
}

impl Connection {
    fn open(address: SocketAddr, poll: &Poll, number: usize, lives: u64) -> io::Result<Connection> {
        let stream = TcpStream::connect(address)?;
        stream.set_nodelay(true)?;
        stream.set_nonblocking(true)?;
        poll.registry().register(
            &mut SourceFd(&stream.as_raw_fd()),
            Token(number),
            Interest::READABLE | Interest::WRITABLE,
        )?;
        Ok(Connection {
            stream,
            lives,
            begun: Instant::now(),
            sequence: 0,
            sent: 0,
            received: 0,
        })
    }

    /// Sends what is left of a request. `true`: nothing is.
    fn send(&mut self, request: &[u8]) -> io::Result<bool> {
        while self.sent < request.len() {
            match self.stream.write(&request[self.sent..]) {
                Ok(count) => self.sent += count,
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(false),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(true)
    }

    /// Receives what is left of an answer and compares it. `true`: it is complete.
    fn receive(&mut self, buffer: &mut [u8], answer: &[u8]) -> io::Result<bool> {
        while self.received < answer.len() {
            let rest = &answer[self.received..];
            match self.stream.read(&mut buffer[..rest.len()]) {
                Ok(0) => return Err(wrong("the server hung up in the middle".into())),
                Ok(count) if buffer[..count] != rest[..count] => {
                    let sequence = self.sequence;
                    return Err(wrong(format!("the answer to request {sequence} is wrong")));
                }
                Ok(count) => self.received += count,
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(false),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(true)
    }
}
