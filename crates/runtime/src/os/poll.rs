//! How a kernel thread waits for a descriptor: `ppoll(2)` on it and on an alarm.
//!
//! The thread parks as always, but sleeps in the poll. A wake-up (a cancellation, say)
//! finds it PARKED, and rings its alarm: an `eventfd(2)` that every OS thread makes when it
//! first waits here. The thread puts it into its control block before it parks, and whoever
//! rings it holds a share of it, so that it cannot have been closed.
//!
//! A descriptor with an error that no operation takes is polled by `edges`.

use std::cell::RefCell;
use std::io;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::edges;
use crate::current;
use crate::source::{Interest, Source};
use crate::stretch;
use crate::thread::Header;
use crate::wait::{Outcome, Wait};

thread_local! {
    static ALARM: RefCell<Option<Arc<OwnedFd>>> = const { RefCell::new(None) };
}

/// The calling kernel thread waits for a descriptor; see
/// [`Runtime::wait_ready`](crate::Runtime::wait_ready).
///
/// # Errors
///
/// What `ppoll(2)` says, for instance `ENOMEM`.
pub fn wait_ready(source: &Source, interest: Interest, wait: &Wait) -> io::Result<Outcome> {
    current::note_wait(wait, || wait_noted(source, interest, wait))
}

fn wait_noted(source: &Source, interest: Interest, wait: &Wait) -> io::Result<Outcome> {
    let me = current::thread_ref();
    // SAFETY: the current thread is alive while it runs.
    let header = unsafe { me.0.as_ref() };
    let alarm = alarm();
    loop {
        if let Some(early) = current::interruption(wait) {
            return Ok(early);
        }
        let edges = edges::of(source, interest);
        let (fd, events) = match edges {
            Some(epoll) => (epoll, libc::POLLIN),
            None => (source.fd(), events(interest)),
        };
        let reported = poll_once(header, fd, events, current::deadline(wait), alarm.as_ref())?;
        if reported == 0 {
            continue;
        }
        match edges {
            Some(epoll) => edges::take(epoll),
            None if reported == libc::POLLERR => edges::watch(source, interest),
            None => {}
        }
        // An edge comes once, like a poller's: nothing may be left behind it.
        let drain = edges.is_some() || reported == libc::POLLERR;
        source.is_ready_again(interest, drain);
        return Ok(Outcome::Woken);
    }
}

fn events(interest: Interest) -> libc::c_short {
    match interest {
        Interest::Read => libc::POLLIN | libc::POLLRDHUP,
        Interest::Write => libc::POLLOUT,
    }
}

/// Parks in the poll once. What is reported of the descriptor: 0, nothing.
fn poll_once(
    header: &Header,
    fd: RawFd,
    events: libc::c_short,
    until: Option<Instant>,
    alarm: Option<&Arc<OwnedFd>>,
) -> io::Result<libc::c_short> {
    *header.alarm.lock() = alarm.cloned();
    // A wake-up that came early is taken back here; the caller has looked since at what it
    // could be about, or looks again when the poll was skipped.
    let ready = if header.state.shared_prepare_park() {
        let ready = stretch::pause(|| poll(fd, events, until, alarm));
        header.state.shared_finish_park();
        ready
    } else {
        Ok(0)
    };
    // The lock is not held while the share is given back.
    let share = header.alarm.lock().take();
    drop(share);
    ready
}

fn poll(
    fd: RawFd,
    events: libc::c_short,
    until: Option<Instant>,
    alarm: Option<&Arc<OwnedFd>>,
) -> io::Result<libc::c_short> {
    /// How often a thread without an alarm looks whether it was woken.
    const LOOK: Duration = Duration::from_millis(50);
    let left = until.map(|until| until.saturating_duration_since(Instant::now()));
    let timeout = match alarm {
        Some(_) => left,
        None => Some(left.map_or(LOOK, |left| left.min(LOOK))),
    };
    let pollfd = |fd, events| libc::pollfd {
        fd,
        events,
        revents: 0,
    };
    // A negative descriptor is ignored by the kernel.
    let bell = alarm.map_or(-1, |alarm| alarm.as_raw_fd());
    let mut fds = [pollfd(fd, events), pollfd(bell, libc::POLLIN)];
    let timeout = timeout.map(|timeout| libc::timespec {
        tv_sec: libc::time_t::try_from(timeout.as_secs()).unwrap_or(libc::time_t::MAX),
        tv_nsec: libc::c_long::from(timeout.subsec_nanos().cast_signed()),
    });
    let timeout = timeout
        .as_ref()
        .map_or(core::ptr::null(), core::ptr::from_ref);
    // SAFETY: two pollfds and the timeout, alive for the call; no signal mask.
    let ready = unsafe { libc::ppoll(fds.as_mut_ptr(), 2, timeout, core::ptr::null()) };
    if ready < 0 {
        let error = io::Error::last_os_error();
        return match error.kind() {
            io::ErrorKind::Interrupted => Ok(0),
            _ => Err(error),
        };
    }
    if fds[1].revents != 0 {
        silence(bell);
    }
    Ok(fds[0].revents)
}

/// This OS thread's alarm. `None`: the process has no descriptor left for one.
fn alarm() -> Option<Arc<OwnedFd>> {
    ALARM
        .try_with(|slot| {
            let mut slot = slot.borrow_mut();
            if slot.is_none() {
                *slot = new_alarm().map(Arc::new);
            }
            slot.clone()
        })
        .ok()
        .flatten()
}

fn new_alarm() -> Option<OwnedFd> {
    // SAFETY: no pointers are passed.
    let fd = unsafe { libc::eventfd(0, libc::EFD_CLOEXEC | libc::EFD_NONBLOCK) };
    // SAFETY: a descriptor that was just made and is nobody else's.
    (fd >= 0).then(|| unsafe { OwnedFd::from_raw_fd(fd) })
}

fn silence(bell: RawFd) {
    let mut count = 0u64;
    // SAFETY: eight bytes of room; the descriptor is alive. It does not block.
    unsafe { libc::read(bell, (&raw mut count).cast(), 8) };
}

/// Ends the poll of a thread that was found PARKED, if it is in one.
pub(super) fn interrupt(header: &Header) {
    let alarm = header.alarm.lock().clone();
    if let Some(alarm) = alarm {
        let one = 1u64;
        // SAFETY: eight bytes; the share keeps the descriptor open. It can only fail when
        // the counter is full, and then the alarm rings already.
        unsafe { libc::write(alarm.as_raw_fd(), (&raw const one).cast(), 8) };
    }
}
