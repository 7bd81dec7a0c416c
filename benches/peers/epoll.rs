//! A bare loop around `epoll(7)`: one OS thread, no threads and no tasks. It is what an I/O runtime can be at
//! best on one core, for programs that can be written so.
//!
//! The poller tells what is ready as long as it is (level-triggered), so a message costs one `read(2)` and one
//! `write(2)`, and a part of an `epoll_wait(2)`.
#![forbid(unsafe_code)]

use std::io::{self, ErrorKind, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::thread;

use nix::sys::epoll::{Epoll, EpollCreateFlags, EpollEvent, EpollFlags, EpollTimeout};

use super::echo::{NAMES, drive, plan};
use crate::client::Plan;
use crate::failure::Failure;
use crate::measurement::Measurement;
use crate::order::Order;
use crate::tally::Tally;
use crate::workloads::echo::Requests;

/// By what the poller names the listener. Connections have the numbers from 0.
const LISTENER: u64 = u64::MAX;

/// How many reports are taken at once.
const REPORTS: usize = 256;

pub(super) fn run(workload: &str, order: &Order) -> Result<Measurement, Failure> {
    if !NAMES.contains(&workload) {
        let why = "a loop around a poller has no threads: it serves connections only";
        return Err(Failure::Unable(why.into()));
    }
    let plan = plan(workload, order);
    let listener = TcpListener::bind("127.0.0.1:0").map_err(Failure::io("bind"))?;
    let address = listener.local_addr().map_err(Failure::io("bind"))?;
    let tally = Arc::new(Tally::default());
    let serving = Arc::clone(&tally);
    thread::spawn(move || serving.stopped(serve(listener, plan, &serving)));
    drive(order, plan, address, &tally)
}

struct Server<'a> {
    plan: Plan,
    tally: &'a Tally,
    poller: Epoll,
    listener: TcpListener,
    connections: Vec<Option<Connection>>,
    free: Vec<usize>,
}

struct Connection {
    stream: TcpStream,
    requests: Requests,
    /// What the socket has not taken yet.
    unsent: Vec<u8>,
}

fn serve(listener: TcpListener, plan: Plan, tally: &Tally) -> io::Result<()> {
    listener.set_nonblocking(true)?;
    let poller = Epoll::new(EpollCreateFlags::EPOLL_CLOEXEC)?;
    poller.add(&listener, EpollEvent::new(EpollFlags::EPOLLIN, LISTENER))?;
    let mut server = Server {
        plan,
        tally,
        poller,
        listener,
        connections: Vec::new(),
        free: Vec::new(),
    };
    let mut reports = [EpollEvent::empty(); REPORTS];
    let mut left = plan.opened();
    while left > 0 {
        let count = match server.poller.wait(&mut reports, EpollTimeout::NONE) {
            Err(nix::Error::EINTR) => continue,
            count => count?,
        };
        for report in &reports[..count] {
            match report.data() {
                LISTENER => server.accept()?,
                number => left -= u64::from(server.advance(number as usize)),
            }
        }
    }
    Ok(())
}

impl Server<'_> {
    fn accept(&mut self) -> io::Result<()> {
        loop {
            let stream = match self.listener.accept() {
                Ok((stream, _)) => stream,
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
                Err(error) => return Err(error),
            };
            stream.set_nonblocking(true)?;
            stream.set_nodelay(true)?;
            self.tally.accepted();
            let number = self.free.pop().unwrap_or(self.connections.len());
            let event = EpollEvent::new(EpollFlags::EPOLLIN, number as u64);
            self.poller.add(&stream, event)?;
            let connection = Connection {
                stream,
                requests: Requests::new(self.plan),
                unsent: Vec::new(),
            };
            match self.connections.get_mut(number) {
                Some(place) => *place = Some(connection),
                None => self.connections.push(Some(connection)),
            }
        }
    }

    /// Does for a connection what can be done now. Whether it has ended.
    fn advance(&mut self, number: usize) -> bool {
        let Some(connection) = &mut self.connections[number] else {
            return false;
        };
        let result = match connection.advance(&self.poller, number) {
            Ok(false) => return false,
            Ok(true) => connection.requests.end(),
            Err(error) => Err(error),
        };
        self.tally.ended(result);
        // Closing it ends its registration.
        self.connections[number] = None;
        self.free.push(number);
        true
    }
}

impl Connection {
    /// `true`: the client has hung up.
    fn advance(&mut self, poller: &Epoll, number: usize) -> io::Result<bool> {
        if !self.unsent.is_empty() {
            let taken = sent(&self.stream, &self.unsent)?;
            self.unsent.drain(..taken);
            if self.unsent.is_empty() {
                self.watch(poller, number, EpollFlags::EPOLLIN)?;
            }
            return Ok(false);
        }
        let count = match self.stream.read(self.requests.room()) {
            Ok(0) => return Ok(true),
            Ok(count) => count,
            Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(false),
            Err(error) => return Err(error),
        };
        if let Some(answers) = self.requests.answer(count) {
            let taken = sent(&self.stream, answers)?;
            self.unsent.extend_from_slice(&answers[taken..]);
            if !self.unsent.is_empty() {
                self.watch(poller, number, EpollFlags::EPOLLOUT)?;
            }
        }
        Ok(false)
    }

    fn watch(&self, poller: &Epoll, number: usize, what: EpollFlags) -> io::Result<()> {
        let mut event = EpollEvent::new(what, number as u64);
        Ok(poller.modify(&self.stream, &mut event)?)
    }
}

/// How many bytes the socket takes now.
fn sent(mut stream: &TcpStream, bytes: &[u8]) -> io::Result<usize> {
    match stream.write(bytes) {
        Err(error) if error.kind() == ErrorKind::WouldBlock => Ok(0),
        taken => taken,
    }
}
