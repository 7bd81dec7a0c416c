//! Waits for descriptors and for wake-ups, and returns who is ready.
//!
//! A worker owns one `Reactor` and calls `poll` when it has nothing to run, or every so often with
//! a timeout of zero. Everybody else uses a `Handle`. It starts nothing, wakes nobody, and forgets
//! an event once it was returned.

#![forbid(unsafe_code)]

use std::fmt;
use std::io;
use std::os::fd::AsFd;
use std::sync::Arc;
use std::time::{Duration, Instant};

use mio::{Events, Poll};

use crate::handle::{Handle, Shared};
use crate::readiness::Readiness;
use crate::token::{ALARM, Token, WAKER};
use crate::wait;

/// Events taken from the kernel by one system call. The rest stays there for the next `poll`.
const BATCH: usize = 1024;

/// Waits for descriptors; one per worker.
///
/// `K` is what the caller gets back for a descriptor that became ready. It is cloned for each
/// event, so it is cheap to clone: an `Arc`, or an index.
///
/// # Examples
///
/// ```
/// use std::io::{Read, Write};
/// use std::os::fd::AsRawFd;
/// use std::os::unix::net::UnixStream;
/// use trefoil_reactor::{Reactor, Watch};
///
/// let (mut left, mut right) = UnixStream::pair()?;
/// left.set_nonblocking(true)?;
/// let mut reactor = Reactor::new()?;
/// let token = reactor.handle().register(left.as_raw_fd(), "left", Watch::Both)?;
///
/// right.write_all(b"ping")?;
/// let mut ready = Vec::new();
/// reactor.poll(None, &mut ready)?;
/// for (key, readiness) in ready.drain(..) {
///     assert_eq!(key, "left");
///     assert!(readiness.is_readable());
/// }
/// let mut text = [0; 16];
/// assert_eq!(left.read(&mut text)?, 4); // short: nothing is left, the next edge will tell
///
/// reactor.handle().deregister(left.as_raw_fd(), token);
/// # Ok::<(), std::io::Error>(())
/// ```
pub struct Reactor<K> {
    poll: Poll,
    events: Events,
    shared: Arc<Shared<K>>,
}

impl<K> Reactor<K> {
    /// A reactor with nothing registered.
    ///
    /// # Errors
    ///
    /// It needs three descriptors: `EMFILE` at the process's limit (`RLIMIT_NOFILE`), `ENFILE` at
    /// the machine's.
    ///
    /// # Examples
    ///
    /// ```
    /// let reactor = trefoil_reactor::Reactor::<u32>::new()?;
    /// assert_eq!(reactor.handle().registered(), 0);
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn new() -> io::Result<Self> {
        let poll = Poll::new()?;
        let shared = Arc::new(Shared::new(poll.registry())?);
        Ok(Reactor {
            poll,
            events: Events::with_capacity(BATCH),
            shared,
        })
    }

    /// What other OS threads, and descriptors that want to be watched, hold of this reactor.
    ///
    /// # Examples
    ///
    /// ```
    /// let reactor = trefoil_reactor::Reactor::<u32>::new()?;
    /// let handle = reactor.handle();
    /// std::thread::spawn(move || handle.wake()).join().unwrap();
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn handle(&self) -> Handle<K> {
        Handle {
            shared: Arc::clone(&self.shared),
        }
    }

    /// Ends every registration and gives the keys back, so that their owners can be told that
    /// they are registered nowhere. Handles find the reactor closed from now on. Dropping a
    /// reactor does the same and drops the keys.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::io::ErrorKind;
    /// use std::os::fd::AsRawFd;
    /// use std::os::unix::net::UnixStream;
    /// use trefoil_reactor::{Reactor, Watch};
    ///
    /// let reactor = Reactor::new()?;
    /// let handle = reactor.handle();
    /// let (left, right) = UnixStream::pair()?;
    /// handle.register(left.as_raw_fd(), "left", Watch::Both)?;
    ///
    /// assert_eq!(reactor.close(), ["left"]);
    /// let late = handle.register(right.as_raw_fd(), "right", Watch::Both);
    /// assert_eq!(late.unwrap_err().kind(), ErrorKind::NotConnected);
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn close(self) -> Vec<K> {
        self.shared.close()
    }
}

impl<K: Clone> Reactor<K> {
    /// Waits until a descriptor is ready, a [wake](Handle::wake) comes, or `timeout` has passed,
    /// and appends the keys of the ready descriptors to `ready`. `None` sets no limit; zero only
    /// looks. Timeouts count in nanoseconds, and end late by what the kernel's timer slack and the
    /// wake-up cost.
    ///
    /// It may return with nothing before the time has passed: after a wake, a signal (`EINTR`),
    /// or an event whose registration had ended. A key comes at most once per call, with all that
    /// is true of its descriptor at that time.
    ///
    /// # Errors
    ///
    /// None that an intact reactor meets: `epoll_wait(2)` and `ppoll(2)` fail on bad descriptors
    /// and for want of memory.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::time::{Duration, Instant};
    /// use trefoil_reactor::Reactor;
    ///
    /// let mut reactor = Reactor::<()>::new()?;
    /// let (start, short) = (Instant::now(), Duration::from_micros(50));
    /// let mut ready = Vec::new();
    /// while start.elapsed() < short {
    ///     reactor.poll(Some(short.saturating_sub(start.elapsed())), &mut ready)?;
    /// }
    /// assert!(ready.is_empty());
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn poll(
        &mut self,
        timeout: Option<Duration>,
        ready: &mut Vec<(K, Readiness)>,
    ) -> io::Result<()> {
        match self.wait(timeout) {
            Ok(()) => self.collect(ready),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
        Ok(())
    }

    /// Fills `self.events`. Whole milliseconds are slept in `epoll_wait(2)`, which brings the
    /// events along; only the rest below one millisecond needs a second system call.
    fn wait(&mut self, timeout: Option<Duration>) -> io::Result<()> {
        let Some(limit) = timeout else {
            return self.poll.poll(&mut self.events, None);
        };
        let mut rest = Duration::from_nanos(u64::from(limit.subsec_nanos() % 1_000_000));
        let whole = limit - rest;
        if rest.is_zero() {
            return self.poll.poll(&mut self.events, timeout);
        }
        if !whole.is_zero() {
            let start = Instant::now();
            self.poll.poll(&mut self.events, Some(whole))?;
            if !self.events.is_empty() {
                return Ok(());
            }
            rest = limit.saturating_sub(start.elapsed());
        }
        wait::readable_within(self.poll.registry().as_fd(), rest)?;
        self.poll.poll(&mut self.events, Some(Duration::ZERO))
    }

    /// Takes the lock once for the whole batch.
    fn collect(&self, ready: &mut Vec<(K, Readiness)>) {
        if self.events.is_empty() {
            return;
        }
        let registrations = self.shared.lock();
        for event in &self.events {
            if event.token() == WAKER {
                self.shared.wake_seen();
                continue;
            }
            if event.token() == ALARM {
                continue;
            }
            if let Some(key) = registrations.get(Token::from_raw(event.token().0)) {
                ready.push((key.clone(), Readiness::of(event)));
                self.shared.count_event();
            }
        }
    }
}

impl<K> Drop for Reactor<K> {
    fn drop(&mut self) {
        drop(self.shared.close());
    }
}

impl<K> fmt::Debug for Reactor<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let handle = self.handle();
        f.debug_struct("Reactor")
            .field("id", &handle.id())
            .field("registered", &handle.registered())
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::watch::Watch;

    /// How many events one look brings, the waker's own included.
    fn events(reactor: &mut Reactor<()>) -> usize {
        reactor.poll(Some(Duration::ZERO), &mut Vec::new()).unwrap();
        reactor.events.iter().count()
    }

    #[test]
    fn wakes_coalesce_until_a_poll_has_seen_them() {
        let mut reactor = Reactor::new().unwrap();
        let handle = reactor.handle();
        for _ in 0..3 {
            assert_eq!(events(&mut reactor), 0);
            handle.wake();
            handle.clone().wake();
            assert_eq!(events(&mut reactor), 1);
        }
    }

    #[test]
    fn a_wake_that_another_has_claimed_makes_no_system_call() {
        let mut reactor = Reactor::new().unwrap();
        assert!(reactor.shared.claim_wake());
        reactor.handle().wake();
        assert_eq!(events(&mut reactor), 0);
    }

    #[test]
    fn a_poisoned_lock_still_serves() {
        struct Brittle;
        impl Clone for Brittle {
            fn clone(&self) -> Self {
                panic!("this key cannot be cloned");
            }
        }
        let (left, _right) = std::os::unix::net::UnixStream::pair().unwrap();
        let fd = std::os::fd::AsRawFd::as_raw_fd(&left);
        let mut reactor = Reactor::new().unwrap();
        let token = reactor.handle().register(fd, Brittle, Watch::Both).unwrap();
        let polled = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            reactor.poll(Some(Duration::ZERO), &mut Vec::new())
        }));
        assert!(polled.is_err());
        reactor.handle().deregister(fd, token);
        assert_eq!(reactor.handle().registered(), 0);
    }
}
