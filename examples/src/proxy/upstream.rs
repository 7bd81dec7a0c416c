//! Whose turn it is to answer, and which connections are kept for the next request.

use std::io::{self, ErrorKind};
use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use trefoil::net::{TcpStream, ToSocketAddrs as _};
use trefoil::sync::Mutex;

use super::peer::Peer;
use crate::http::Status;

/// The servers that answer, one after the other.
#[derive(Debug)]
pub struct Upstreams {
    all: Vec<Upstream>,
    next: AtomicUsize,
    /// How long a connection may take to be made.
    connect: Duration,
}

#[derive(Debug)]
struct Upstream {
    address: SocketAddr,
    /// Connections without a request, the one that was used last at the end.
    idle: Mutex<Vec<Idle>>,
    /// Nobody was there: until then it is asked after all others.
    rests_until: Mutex<Option<Instant>>,
}

#[derive(Debug)]
struct Idle {
    peer: Peer,
    since: Instant,
}

/// A connection, to be used for one request.
#[derive(Debug)]
pub(super) struct Lease {
    pub(super) peer: Peer,
    /// It has served before: the upstream may end it at any time, also when the next request is under way.
    pub(super) was_kept: bool,
    of: usize,
}

/// How many connections to one upstream are kept.
const MOST_IDLE: usize = 64;
/// How long.
const KEPT: Duration = Duration::from_secs(30);
/// How long an upstream rests that was not there.
const REST: Duration = Duration::from_secs(1);

impl Upstreams {
    /// Those at these addresses.
    ///
    /// # Errors
    ///
    /// An address means nothing, or there is none.
    pub fn new(addresses: &[String], connect: Duration) -> io::Result<Upstreams> {
        let all = addresses.iter().map(|name| {
            let nowhere = || io::Error::other(format!("{name} has no address"));
            Ok(Upstream {
                address: name
                    .as_str()
                    .to_socket_addrs()?
                    .next()
                    .ok_or_else(nowhere)?,
                idle: Mutex::default(),
                rests_until: Mutex::default(),
            })
        });
        let all: Vec<Upstream> = all.collect::<io::Result<_>>()?;
        if all.is_empty() {
            let none = "a proxy needs an upstream: name one at least";
            return Err(io::Error::new(ErrorKind::InvalidInput, none));
        }
        Ok(Upstreams {
            all,
            next: AtomicUsize::new(0),
            connect,
        })
    }

    /// A connection to the next upstream, or to one after it, if it is not there. `fresh`: none that was kept.
    pub(super) fn lease(&self, fresh: bool, stall: Duration) -> Result<Lease, Status> {
        let mut status = Status::BadGateway;
        for of in self.in_turn() {
            let upstream = &self.all[of];
            let kept = if fresh { None } else { upstream.kept() };
            let was_kept = kept.is_some();
            match kept.map_or_else(|| upstream.connect(self.connect, stall), Ok) {
                Ok(peer) => {
                    return Ok(Lease { peer, was_kept, of });
                }
                Err(error) if error.kind() == ErrorKind::TimedOut => {
                    status = Status::GatewayTimeout;
                }
                Err(_) => {}
            }
        }
        Err(status)
    }

    /// Keeps the connection for another request.
    pub(super) fn give_back(&self, lease: Lease) {
        let mut idle = self.all[lease.of].idle();
        if idle.len() < MOST_IDLE {
            idle.push(Idle {
                peer: lease.peer,
                since: Instant::now(),
            });
        }
    }

    /// All of them, from the next one on; those that rest come last.
    fn in_turn(&self) -> Vec<usize> {
        let (count, now) = (self.all.len(), Instant::now());
        // A counter: any order will do.
        let first = self.next.fetch_add(1, Ordering::Relaxed) % count;
        let mut turn: Vec<usize> = (first..count).chain(0..first).collect();
        turn.sort_by_key(|&of| self.all[of].rests(now));
        turn
    }
}

impl Upstream {
    fn connect(&self, within: Duration, stall: Duration) -> io::Result<Peer> {
        let connected = TcpStream::connect_timeout(&self.address, within);
        let rests_until = connected.is_err().then(|| Instant::now() + REST);
        *self.rests_until.lock().expect(UNPOISONED) = rests_until;
        Peer::new(connected?, stall)
    }

    fn rests(&self, now: Instant) -> bool {
        let until = *self.rests_until.lock().expect(UNPOISONED);
        until.is_some_and(|until| now < until)
    }

    /// One that was kept, and is still there.
    fn kept(&self) -> Option<Peer> {
        loop {
            let Idle { peer, since } = self.idle().pop()?;
            if since.elapsed() >= KEPT {
                // The others are older still.
                self.idle().clear();
                return None;
            }
            if is_quiet(&peer.stream) {
                return Some(peer);
            }
        }
    }

    fn idle(&self) -> trefoil::sync::MutexGuard<'_, Vec<Idle>> {
        self.idle.lock().expect(UNPOISONED)
    }
}

const UNPOISONED: &str = "nobody panics with an upstream";

/// Whether it is open, and nothing comes that nobody has asked for.
fn is_quiet(stream: &TcpStream) -> bool {
    let look = || {
        stream.set_nonblocking(true)?;
        let seen = stream.peek(&mut [0]);
        stream.set_nonblocking(false)?;
        seen
    };
    matches!(look(), Err(error) if error.kind() == ErrorKind::WouldBlock)
}
