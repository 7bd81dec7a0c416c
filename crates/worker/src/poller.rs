//! The worker's poller: which descriptors are ready, told to those who wait for them.
#![forbid(unsafe_code)]

use std::cell::{Cell, RefCell};
use std::io;
use std::os::fd::RawFd;
use std::sync::Arc;
use std::time::Duration;

use trefoil_reactor::{Handle, Reactor, Readiness as Event, Token, Watch};
use trefoil_runtime::{Directions, Interest, Readiness};

/// Descriptors register with a poller by its handle.
#[derive(Debug)]
pub(crate) struct Registrar(pub(crate) Handle<Arc<Readiness>>);

impl Registrar {
    /// By which number descriptors know this poller.
    pub(crate) fn home(&self) -> usize {
        self.0.id()
    }
}

impl trefoil_runtime::Poller for Registrar {
    fn register(
        &self,
        fd: RawFd,
        readiness: Arc<Readiness>,
        directions: Directions,
    ) -> io::Result<usize> {
        let token = self.0.register(fd, readiness, watch(directions))?;
        Ok(token.to_raw())
    }

    fn reregister(&self, fd: RawFd, token: usize, directions: Directions) -> io::Result<()> {
        self.0
            .reregister(fd, Token::from_raw(token), watch(directions))
    }

    fn deregister(&self, fd: RawFd, token: usize) {
        self.0.deregister(fd, Token::from_raw(token));
    }
}

fn watch(directions: Directions) -> Watch {
    match directions {
        Directions::Read => Watch::Read,
        Directions::Write => Watch::Write,
        Directions::Both => Watch::Both,
    }
}

#[derive(Debug)]
pub(crate) struct Poller {
    /// `None` once the worker has closed.
    reactor: RefCell<Option<Reactor<Arc<Readiness>>>>,
    /// Room for events, kept.
    events: RefCell<Vec<(Arc<Readiness>, Event)>>,
    pub(crate) registrar: Arc<Registrar>,
    /// How many threads of this worker wait for a descriptor.
    pub(crate) waits: Cell<usize>,
}

impl Poller {
    pub(crate) fn new() -> io::Result<Poller> {
        let reactor = Reactor::new()?;
        Ok(Poller {
            registrar: Arc::new(Registrar(reactor.handle())),
            reactor: RefCell::new(Some(reactor)),
            events: RefCell::new(Vec::new()),
            waits: Cell::new(0),
        })
    }

    /// Whether anything could become ready.
    pub(crate) fn is_needed(&self) -> bool {
        self.registrar.0.registered() != 0
    }

    /// Waits for at most `timeout`, and fires the waiters of what became ready.
    pub(crate) fn poll(&self, timeout: Option<Duration>) {
        let mut events = self.events.take();
        if let Some(reactor) = &mut *self.reactor.borrow_mut() {
            // It fails only for want of kernel memory; then the timers go on, and the next
            // round tries again.
            let _ = reactor.poll(timeout, &mut events);
        }
        let home = self.registrar.home();
        for (readiness, event) in events.drain(..) {
            deliver(&readiness, home, event);
        }
        self.events.replace(events);
    }

    /// Descriptors that are registered here learn that they are not any more.
    pub(crate) fn close(&self) {
        let reactor = self.reactor.take();
        for readiness in reactor.map(Reactor::close).into_iter().flatten() {
            readiness.detach(self.registrar.home());
        }
    }
}

/// Hands an edge to both directions. After some a short read has not taken all: see
/// [`Readiness::event`].
fn deliver(readiness: &Readiness, home: usize, event: Event) {
    let error = event.is_error();
    let mut woken = false;
    if event.concerns_reader() {
        let drain = event.is_read_closed() || event.is_urgent() || error;
        woken |= readiness.event(home, Interest::Read, drain);
    }
    if event.concerns_writer() {
        let drain = event.is_write_closed() || error;
        woken |= readiness.event(home, Interest::Write, drain);
    }
    if !woken {
        readiness.unwanted(home);
    }
}
