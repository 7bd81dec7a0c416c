//! How a kernel thread waits for a descriptor with an error that no operation takes.
//!
//! `ppoll(2)` reports an error as long as it is there, asked or not. One that stands in the
//! socket's error queue (a report of `MSG_ZEROCOPY`, say) is taken by no read and no write: a
//! thread would poll and try in turn without end. Therefore, once an error alone was reported,
//! its OS thread watches the descriptor by edges, with an `epoll(7)` of its own, which it polls
//! in place of the descriptor. It goes back when an edge comes without an error.
//!
//! It is kept from wait to wait, and what it reports at its beginning is taken before the
//! operation is tried again: so whatever the operation does not find causes an edge here.
//!
//! One per OS thread is kept, for the descriptor and direction that needed it last.

use std::cell::RefCell;
use std::io;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};
use std::sync::Arc;

use crate::source::{Interest, Readiness, Source};

struct Edges {
    /// Of whom. The share keeps the address from being used again.
    of: Arc<Readiness>,
    interest: Interest,
    epoll: OwnedFd,
}

thread_local! {
    static EDGES: RefCell<Option<Edges>> = const { RefCell::new(None) };
}

/// What to poll in place of the descriptor, if this OS thread watches it by edges. It stays
/// open until the thread's next call of this module.
pub(super) fn of(source: &Source, interest: Interest) -> Option<RawFd> {
    let find = |edges: &RefCell<Option<Edges>>| {
        let edges = edges.borrow();
        let found = edges.as_ref().filter(|edges| {
            edges.interest == interest && Arc::ptr_eq(&edges.of, source.readiness())
        });
        found.map(|edges| edges.epoll.as_raw_fd())
    };
    EDGES.try_with(find).ok().flatten()
}

/// Watches the descriptor by edges from now on. If the system refuses, for want of
/// descriptors or memory, everything stays as it is.
#[cold]
pub(super) fn watch(source: &Source, interest: Interest) {
    let edges = epoll(source.fd(), interest).map(|epoll| Edges {
        of: Arc::clone(source.readiness()),
        interest,
        epoll,
    });
    if let Ok(edges) = edges {
        // What it reports at once is what has just been polled.
        take_report(edges.epoll.as_raw_fd());
        let _ = EDGES.try_with(|slot| slot.replace(Some(edges)));
    }
}

/// Takes an edge that was polled.
#[cold]
pub(super) fn take(epoll: RawFd) {
    if take_report(epoll) & libc::EPOLLERR == 0 {
        let _ = EDGES.try_with(|slot| slot.take());
    }
}

fn epoll(fd: RawFd, interest: Interest) -> io::Result<OwnedFd> {
    // SAFETY: no pointers are passed.
    let epoll = unsafe { libc::epoll_create1(libc::EPOLL_CLOEXEC) };
    if epoll < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: a descriptor that was just made and is nobody else's.
    let epoll = unsafe { OwnedFd::from_raw_fd(epoll) };
    let events = match interest {
        Interest::Read => libc::EPOLLIN | libc::EPOLLPRI | libc::EPOLLRDHUP,
        Interest::Write => libc::EPOLLOUT,
    };
    let mut event = libc::epoll_event {
        events: (events | libc::EPOLLET).cast_unsigned(),
        u64: 0,
    };
    // SAFETY: the event is alive for the call, which reads it.
    let added =
        unsafe { libc::epoll_ctl(epoll.as_raw_fd(), libc::EPOLL_CTL_ADD, fd, &raw mut event) };
    match added {
        0 => Ok(epoll),
        _ => Err(io::Error::last_os_error()),
    }
}

/// Takes what is reported, without waiting.
fn take_report(epoll: RawFd) -> libc::c_int {
    let mut event = libc::epoll_event { events: 0, u64: 0 };
    // SAFETY: room for one event, alive for the call. It does not block.
    let count = unsafe { libc::epoll_wait(epoll, &raw mut event, 1, 0) };
    match count {
        1 => event.events.cast_signed(),
        _ => 0,
    }
}
