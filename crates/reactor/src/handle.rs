//! The side of a reactor that everybody may touch: register, deregister, wake.
//!
//! A `Handle` is called from any OS thread, a `Reactor` only from its worker. Between them stand
//! the registrations, behind one lock. No system call is made and no key is dropped under it.

#![forbid(unsafe_code)]

use std::fmt;
use std::io;
use std::os::fd::RawFd;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use mio::unix::SourceFd;
use mio::{Registry, Waker};

use crate::alarm::Alarm;
use crate::slab::Slab;
use crate::token::{Token, WAKER};
use crate::watch::Watch;

/// One descriptor's entry.
struct Registration<K> {
    tag: u32,
    key: K,
}

/// Who is registered. Closed for good when the reactor goes.
pub(crate) struct Registrations<K> {
    slab: Slab<Registration<K>>,
    /// The tag of the next registration. It may wrap: for a mistake a stale event would have to
    /// sit in the kernel while its very slot sees 2^32 registrations pass.
    next_tag: u32,
    closed: bool,
}

impl<K> Registrations<K> {
    fn insert(&mut self, key: K) -> Token {
        let tag = self.next_tag;
        self.next_tag = tag.wrapping_add(1);
        let slot = self.slab.insert(Registration { tag, key });
        Token::new(slot, tag)
    }

    pub(crate) fn get(&self, token: Token) -> Option<&K> {
        let found = self.slab.get(token.slot())?;
        (found.tag == token.tag()).then_some(&found.key)
    }

    fn remove(&mut self, token: Token) -> Option<K> {
        self.get(token)?;
        self.slab.remove(token.slot()).map(|gone| gone.key)
    }
}

/// What a reactor and its handles share.
pub(crate) struct Shared<K> {
    id: usize,
    registry: Registry,
    waker: Waker,
    /// A wake-up is on its way and no `poll` has seen it yet, so that another needs no system call.
    signalled: AtomicBool,
    /// Made when one is first set.
    alarm: OnceLock<Alarm>,
    registrations: Mutex<Registrations<K>>,
    /// How many events `poll` has returned.
    events: AtomicUsize,
}

/// Zero is left out, so that a source can use it for "nowhere".
static NEXT_ID: AtomicUsize = AtomicUsize::new(1);

impl<K> Shared<K> {
    pub(crate) fn new(registry: &Registry) -> io::Result<Self> {
        Ok(Shared {
            id: NEXT_ID.fetch_add(1, Ordering::Relaxed),
            waker: Waker::new(registry, WAKER)?,
            registry: registry.try_clone()?,
            signalled: AtomicBool::new(false),
            alarm: OnceLock::new(),
            registrations: Mutex::new(Registrations {
                slab: Slab::new(),
                next_tag: 0,
                closed: false,
            }),
            events: AtomicUsize::new(0),
        })
    }

    /// A panic under the lock can only come from a key's `clone`, which leaves nothing half done:
    /// poisoning is ignored.
    pub(crate) fn lock(&self) -> MutexGuard<'_, Registrations<K>> {
        self.registrations
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether the caller is the one that has to make the system call for a wake-up.
    ///
    /// Pairs with `wake_seen`. Release: hands over what this thread wrote before. No acquire:
    /// finding the flag set tells nothing about other data.
    #[must_use]
    pub(crate) fn claim_wake(&self) -> bool {
        !self.signalled.swap(true, Ordering::Release)
    }

    fn alarm(&self) -> io::Result<&Alarm> {
        if let Some(alarm) = self.alarm.get() {
            return Ok(alarm);
        }
        let new = Alarm::new(&self.registry)?;
        // If another has been quicker, the new one closes, and with it its registration.
        Ok(self.alarm.get_or_init(|| new))
    }

    /// `poll` saw the wake-up.
    ///
    /// Pairs with `claim_wake`: whoever found the flag set, and made no system call, did so before
    /// this swap, which therefore sees all that was written before that wake.
    pub(crate) fn wake_seen(&self) {
        self.signalled.swap(false, Ordering::Acquire);
    }

    /// `poll` returned one event more. A counter that only the reactor's own OS thread writes.
    pub(crate) fn count_event(&self) {
        let before = self.events.load(Ordering::Relaxed);
        self.events.store(before.wrapping_add(1), Ordering::Relaxed);
    }

    /// Ends every registration and refuses new ones. The keys leave the lock before they drop.
    pub(crate) fn close(&self) -> Vec<K> {
        let left = {
            let mut registrations = self.lock();
            registrations.closed = true;
            registrations.slab.take()
        };
        left.map(|gone| gone.key).collect()
    }
}

/// The part of a [`Reactor`](crate::Reactor) that can be given to other OS threads.
///
/// Clones name the same reactor. A handle may outlive its reactor and then finds it closed; the
/// reactor's descriptors (three, and one for an alarm) are closed when the reactor and all its handles are gone.
///
/// # Examples
///
/// ```
/// use std::thread;
/// use trefoil_reactor::Reactor;
///
/// let mut reactor = Reactor::<()>::new()?;
/// let handle = reactor.handle();
/// let waker = thread::spawn(move || handle.wake());
/// reactor.poll(None, &mut Vec::new())?; // sleeps until the other thread wakes it
/// waker.join().unwrap();
/// # Ok::<(), std::io::Error>(())
/// ```
pub struct Handle<K> {
    pub(crate) shared: Arc<Shared<K>>,
}

impl<K> Handle<K> {
    /// Watches `fd` in the directions that `watch` says; its events carry `key`.
    ///
    /// Events are edges: one comes when readiness begins (and at once for what is ready now), and
    /// the next one only after more has arrived. So try the operation first, register when it
    /// would block, and after each event go on until it would block again or came up short. An
    /// operation that comes up short has taken all, unless the event said
    /// [`URGENT`](crate::Readiness::URGENT), [`ERROR`](crate::Readiness::ERROR) or closed. The
    /// key may be returned by a concurrent `poll` before this call returns.
    ///
    /// The descriptor must be [deregistered](Handle::deregister) before it is closed.
    ///
    /// # Errors
    ///
    /// What `epoll_ctl(2)` says: `EPERM` for a regular file or a directory, which are always
    /// ready; `EEXIST` when this reactor watches `fd` already; `EBADF`; `ENOSPC` at the limit
    /// `fs.epoll.max_user_watches`. And [`NotConnected`](io::ErrorKind::NotConnected) when the
    /// reactor is gone.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::io::Write;
    /// use std::os::fd::AsRawFd;
    /// use std::os::unix::net::UnixStream;
    /// use trefoil_reactor::{Reactor, Watch};
    ///
    /// let mut reactor = Reactor::new()?;
    /// let (left, mut right) = UnixStream::pair()?;
    /// let token = reactor.handle().register(left.as_raw_fd(), "left", Watch::Both)?;
    ///
    /// right.write_all(b"hello")?;
    /// let mut ready = Vec::new();
    /// reactor.poll(None, &mut ready)?;
    /// assert_eq!(ready[0].0, "left");
    /// assert!(ready[0].1.is_readable());
    ///
    /// reactor.handle().deregister(left.as_raw_fd(), token);
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn register(&self, fd: RawFd, key: K, watch: Watch) -> io::Result<Token> {
        let token = {
            let mut registrations = self.shared.lock();
            if registrations.closed {
                // The guard goes before `key` does: locals drop before parameters.
                return Err(closed());
            }
            registrations.insert(key)
        };
        // The entry exists before the first event can name it.
        let watched =
            self.shared
                .registry
                .register(&mut SourceFd(&fd), token.into(), watch.interest());
        if let Err(refused) = watched {
            self.forget(token);
            return Err(refused);
        }
        Ok(token)
    }

    /// Watches a registered `fd` in other directions from now on, under the same token.
    ///
    /// What is ready in them now is an edge, as at the registration, also if it was reported
    /// before: so no edge is lost in a direction that stays. An event of a direction that is not
    /// watched any more may still come, from a `poll` that had it already.
    ///
    /// # Errors
    ///
    /// [`NotConnected`](io::ErrorKind::NotConnected) when the token names nothing any more, or
    /// the reactor is gone. What `epoll_ctl(2)` says: `ENOENT` or `EBADF` if `fd` was closed.
    /// Then it is watched as before.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::os::fd::AsRawFd;
    /// use std::os::unix::net::UnixStream;
    /// use std::time::Duration;
    /// use trefoil_reactor::{Reactor, Watch};
    ///
    /// let mut reactor = Reactor::new()?;
    /// let (left, _right) = UnixStream::pair()?;
    /// let token = reactor.handle().register(left.as_raw_fd(), "left", Watch::Read)?;
    /// let mut ready = Vec::new();
    /// reactor.poll(Some(Duration::ZERO), &mut ready)?;
    /// assert!(ready.is_empty());
    ///
    /// reactor.handle().reregister(left.as_raw_fd(), token, Watch::Both)?;
    /// reactor.poll(None, &mut ready)?;
    /// assert!(ready[0].1.is_writable());
    ///
    /// reactor.handle().deregister(left.as_raw_fd(), token);
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn reregister(&self, fd: RawFd, token: Token, watch: Watch) -> io::Result<()> {
        if self.shared.lock().get(token).is_none() {
            return Err(closed());
        }
        self.shared
            .registry
            .reregister(&mut SourceFd(&fd), token.into(), watch.interest())
    }

    /// Ends a registration. After it returned, no `poll` that begins returns its key.
    ///
    /// Call it before `fd` is closed: a duplicate of a closed descriptor would go on causing
    /// events (they are recognised and ignored, but each interrupts a sleep), and `fd` might
    /// already mean another file. With a token that names nothing any more, and after the reactor
    /// is gone, this does nothing.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::os::fd::AsRawFd;
    /// use std::os::unix::net::UnixStream;
    /// use std::time::Duration;
    /// use trefoil_reactor::{Reactor, Watch};
    ///
    /// let mut reactor = Reactor::new()?;
    /// let (left, _right) = UnixStream::pair()?;
    /// let token = reactor.handle().register(left.as_raw_fd(), "left", Watch::Both)?;
    /// reactor.handle().deregister(left.as_raw_fd(), token);
    ///
    /// let mut ready = Vec::new();
    /// reactor.poll(Some(Duration::ZERO), &mut ready)?;
    /// assert!(ready.is_empty());
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn deregister(&self, fd: RawFd, token: Token) {
        if self.forget(token) {
            // It fails if `fd` was closed too early; then the tag keeps stale events out.
            let _ = self.shared.registry.deregister(&mut SourceFd(&fd));
        }
    }

    /// Frees the token's entry, and drops its key outside the lock: the drop may come back here.
    fn forget(&self, token: Token) -> bool {
        let key = self.shared.lock().remove(token);
        key.is_some()
    }

    /// Interrupts a sleeping `poll`, or makes the next one return at once.
    ///
    /// Wake-ups that no `poll` has returned for yet are one: the second makes no system call.
    /// What was written before the wake is seen after the `poll` that it ended. After the reactor
    /// is gone, this does nothing.
    ///
    /// # Panics
    ///
    /// If the kernel refuses a write to the reactor's own `eventfd(2)`, for which it has no reason.
    ///
    /// # Examples
    ///
    /// ```
    /// use trefoil_reactor::Reactor;
    ///
    /// let mut reactor = Reactor::<()>::new()?;
    /// reactor.handle().wake();
    /// reactor.poll(None, &mut Vec::new())?; // returns at once
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn wake(&self) {
        if self.shared.claim_wake() {
            self.shared
                .waker
                .wake()
                .expect("the reactor's own eventfd takes a write");
        }
    }

    /// Interrupts a `poll` in `after` from now, if it sleeps then, and not before.
    ///
    /// A reactor has one alarm: setting it again moves it. One that has gone off is of no more
    /// effect than a `poll` that returns early, and one that is [taken back](Handle::clear_alarm)
    /// in time is of none. It takes one short system call, and wakes nobody now.
    ///
    /// # Errors
    ///
    /// The first alarm needs a descriptor: `EMFILE` or `ENFILE` at the limits, `ENOSPC` at that of
    /// `fs.epoll.max_user_watches`.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::time::Duration;
    /// use trefoil_reactor::Reactor;
    ///
    /// let mut reactor = Reactor::<()>::new()?;
    /// reactor.handle().set_alarm(Duration::from_millis(1))?;
    /// reactor.poll(None, &mut Vec::new())?; // returns then
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn set_alarm(&self, after: Duration) -> io::Result<()> {
        self.shared.alarm()?.set(after);
        Ok(())
    }

    /// Takes the alarm back, if one is set.
    pub fn clear_alarm(&self) {
        if let Some(alarm) = self.shared.alarm.get() {
            alarm.clear();
        }
    }

    /// How many descriptors are registered.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::os::fd::AsRawFd;
    /// use std::os::unix::net::UnixStream;
    /// use trefoil_reactor::{Reactor, Watch};
    ///
    /// let reactor = Reactor::new()?;
    /// let (left, _right) = UnixStream::pair()?;
    /// assert_eq!(reactor.handle().registered(), 0);
    /// reactor.handle().register(left.as_raw_fd(), (), Watch::Both)?;
    /// assert_eq!(reactor.handle().registered(), 1);
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn registered(&self) -> usize {
        self.shared.lock().slab.len()
    }

    /// How many events its `poll` has returned since it was made; wake-ups are none. So a program
    /// can tell whether the reactor is woken for what nobody there waits for.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::io::Write;
    /// use std::os::fd::AsRawFd;
    /// use std::os::unix::net::UnixStream;
    /// use std::time::Duration;
    /// use trefoil_reactor::{Reactor, Watch};
    ///
    /// let mut reactor = Reactor::new()?;
    /// let (left, mut right) = UnixStream::pair()?;
    /// reactor.handle().register(left.as_raw_fd(), (), Watch::Read)?;
    /// reactor.handle().wake();
    /// right.write_all(b"hello")?;
    /// reactor.poll(Some(Duration::ZERO), &mut Vec::new())?;
    /// assert_eq!(reactor.handle().events(), 1);
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn events(&self) -> usize {
        self.shared.events.load(Ordering::Relaxed)
    }

    /// A number that no other reactor of this process has or will have; never zero.
    ///
    /// # Examples
    ///
    /// ```
    /// use trefoil_reactor::Reactor;
    ///
    /// let (one, other) = (Reactor::<()>::new()?, Reactor::<()>::new()?);
    /// assert_ne!(one.handle().id(), other.handle().id());
    /// assert_eq!(one.handle().id(), one.handle().clone().id());
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn id(&self) -> usize {
        self.shared.id
    }
}

#[cold]
fn closed() -> io::Error {
    io::Error::new(
        io::ErrorKind::NotConnected,
        "the reactor is gone: its worker has ended",
    )
}

impl<K> Clone for Handle<K> {
    fn clone(&self) -> Self {
        Handle {
            shared: Arc::clone(&self.shared),
        }
    }
}

impl<K> fmt::Debug for Handle<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Handle")
            .field("id", &self.id())
            .field("registered", &self.registered())
            .finish()
    }
}
