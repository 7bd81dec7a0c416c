//! Handles to a thread: what anybody may hold and use from anywhere.

use core::fmt;
use core::ptr::NonNull;
use std::panic::{RefUnwindSafe, UnwindSafe};

use super::header::{Header, ThreadId};
use crate::current;
use crate::inbox::{Link, Message};
use crate::model::Model;

/// A handle to a thread, as `std::thread::Thread`: clones name the same thread, and it may
/// outlive the thread.
///
/// ```
/// use trefoil_runtime::thread;
///
/// let me = thread::current();
/// assert_eq!(me.id(), thread::current().id());
/// ```
#[repr(transparent)]
pub struct Thread {
    header: NonNull<Header>,
}

// SAFETY: a handle gives access to what anybody may touch of the header (see its table);
// the reference count is atomic.
unsafe impl Send for Thread {}
// SAFETY: as above.
unsafe impl Sync for Thread {}

impl Thread {
    /// # Safety
    ///
    /// The caller gives one of its references to the handle.
    pub(crate) unsafe fn from_reference(header: NonNull<Header>) -> Thread {
        Thread { header }
    }

    /// A handle that borrows its reference.
    ///
    /// # Safety
    ///
    /// For as long as the pointer is borrowed, somebody keeps a reference to the header.
    pub(crate) unsafe fn borrowed(header: &NonNull<Header>) -> &Thread {
        // SAFETY: `Thread` is a transparent wrapper, and by the caller's promise the header
        // is alive as long as the answer. A shared `Thread` does not release it.
        unsafe { &*core::ptr::from_ref(header).cast::<Thread>() }
    }

    #[inline]
    pub(crate) fn header(&self) -> &Header {
        // SAFETY: the handle's reference keeps the header alive.
        unsafe { self.header.as_ref() }
    }

    #[inline]
    pub(crate) fn pointer(&self) -> NonNull<Header> {
        self.header
    }

    /// Gives up the handle for its reference.
    pub(crate) fn into_pointer(self) -> NonNull<Header> {
        core::mem::ManuallyDrop::new(self).header
    }

    /// The thread's number, unique in the process. Does not wait.
    ///
    /// ```
    /// use trefoil_runtime::thread;
    ///
    /// let here = thread::current().id();
    /// let there = std::thread::spawn(|| thread::current().id()).join().unwrap();
    /// assert_ne!(here, there);
    /// ```
    #[must_use]
    pub fn id(&self) -> ThreadId {
        self.header().id
    }

    /// The thread's name, if it was given one. Does not wait.
    ///
    /// ```
    /// use trefoil_runtime::thread::Builder;
    ///
    #[doc = include_str!("in_a_run.md")]
    /// # run(|| {
    /// let named = Builder::new().name("reader".to_owned()).spawn(|| ())?;
    /// assert_eq!(named.thread().name(), Some("reader"));
    /// let nameless = Builder::new().spawn(|| ())?;
    /// assert_eq!(nameless.thread().name(), None);
    /// # Ok::<(), std::io::Error>(())
    /// # }).unwrap();
    /// ```
    #[must_use]
    pub fn name(&self) -> Option<&str> {
        self.header().traits.name.as_deref()
    }

    /// The model by which the thread waits. A plain OS thread counts as a kernel thread. Does not
    /// wait.
    ///
    /// ```
    /// use trefoil_runtime::{Model, thread};
    ///
    /// assert_eq!(thread::current().model(), Model::Kernel); // a plain OS thread
    /// ```
    #[must_use]
    pub fn model(&self) -> Model {
        self.header().kind.model()
    }

    /// Whether it is the calling thread. Does not wait.
    ///
    /// ```
    /// use trefoil_runtime::thread;
    ///
    /// let other = std::thread::spawn(thread::current).join().unwrap();
    /// assert!(thread::current().is_current() && !other.is_current());
    /// ```
    #[must_use]
    pub fn is_current(&self) -> bool {
        current::thread_ref() == self.as_ref()
    }

    /// Makes the thread's next (or present) [`park`](crate::thread::park) return, as in
    /// `std`: at most one unpark is remembered. Never blocks; any thread may call it, of
    /// whichever runtime, and a plain `std::thread` too. Unparking a thread that has ended
    /// does nothing.
    ///
    /// ```
    /// use trefoil_runtime::thread;
    ///
    /// let waits = thread::current();
    /// std::thread::spawn(move || waits.unpark());
    /// thread::park();
    /// ```
    // Not inlined: a fiber that roams keeps no address of an OS thread's own.
    #[inline(never)]
    pub fn unpark(&self) {
        let header = self.header();
        if header.is_here() {
            header.token.put_own();
            // SAFETY: a fiber of this OS thread has been started by this OS thread.
            unsafe { self.wake() };
        } else if header.token.put_far() && header.state.is_started_for_wake() {
            // SAFETY: the state says, by an acquire, that it has started.
            unsafe { self.wake() };
        }
    }

    /// Asks the thread to end: its next wait that is a cancellation point, or the one that it is
    /// in, does not return but unwinds, and its `join` returns
    /// [`Cancelled`](crate::cancel::Cancelled) as an error. Which waits are cancellation points
    /// is told in `docs/cancellation.md`.
    ///
    /// A thread that has not begun never begins. One that never waits is not ended, but can ask
    /// [`is_cancelled`](crate::thread::is_cancelled). There is no way back. A thread that has
    /// ended is not affected.
    ///
    /// It works in every model, and does not wait; any thread may call it, also the thread
    /// itself. A plain `std::thread` that uses our objects is ended in the same way. In a
    /// program that is compiled with `panic = "abort"` a thread that has begun is only told.
    ///
    /// ```
    /// use trefoil_runtime::cancel::Cancelled;
    /// use trefoil_runtime::thread;
    ///
    /// let (tell, told) = std::sync::mpsc::channel();
    /// let thread = std::thread::spawn(move || {
    ///     tell.send(thread::current()).unwrap();
    ///     loop {
    ///         thread::park();
    ///     }
    /// });
    /// told.recv().unwrap().cancel();
    /// assert!(thread.join().unwrap_err().is::<Cancelled>());
    /// ```
    pub fn cancel(&self) {
        let header = self.header();
        // Release: pairs with the load in `current::is_cancelled`.
        header
            .cancel
            .store(true, core::sync::atomic::Ordering::Release);
        self.look_again();
    }

    /// The thread looks again at what it waits for, if it has started: else it looks by itself.
    pub(crate) fn look_again(&self) {
        if self.header().state.is_started_for_wake() {
            // SAFETY: the state says, by an acquire, that it has started.
            unsafe { self.wake() };
        }
    }

    /// The thread looks again at what it waits for.
    ///
    /// # Safety
    ///
    /// The thread has started, and the caller knows it by an acquire, or by having found
    /// something that only a running thread leaves (a waiter, say).
    pub(crate) unsafe fn wake(&self) {
        // SAFETY: the caller's promise, passed on.
        unsafe { self.header().runtime() }.wake(self);
    }

    pub(crate) fn as_ref(&self) -> ThreadRef {
        ThreadRef(self.header)
    }

    // ----- for runtimes

    /// For a runtime: the size of stack that was asked for, in bytes. `None`: none.
    #[must_use]
    pub fn stack_size(&self) -> Option<usize> {
        let size = self.header().traits.stack_size;
        (size != 0).then_some(size)
    }

    /// For a runtime: a message that tells the owner to wake this thread, unless one is
    /// on its way already.
    #[must_use]
    pub fn mail(&self) -> Option<Mail> {
        self.header().state.mail_post().then(|| Mail(self.clone()))
    }
}

impl Clone for Thread {
    fn clone(&self) -> Thread {
        self.header().retain();
        Thread {
            header: self.header,
        }
    }
}

impl Drop for Thread {
    fn drop(&mut self) {
        // SAFETY: the handle owns one reference and goes.
        unsafe { Header::release(self.header) }
    }
}

impl fmt::Debug for Thread {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Thread")
            .field("id", &self.id())
            .field("name", &self.name())
            .field("model", &self.model())
            .finish()
    }
}

// As `std`'s: nobody's code runs while what it names is changed.
impl UnwindSafe for Thread {}
impl RefUnwindSafe for Thread {}

/// A thread that is known to be alive for another reason than a reference: the waiting
/// thread of a waiter, the current thread.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ThreadRef(pub(crate) NonNull<Header>);

impl ThreadRef {
    /// The thread, if it is a fiber of the calling OS thread.
    ///
    /// # Safety
    ///
    /// It is alive, and stays so while the answer is used.
    #[inline]
    pub(crate) unsafe fn here(&self) -> Option<&Thread> {
        // SAFETY: it is alive, and stays so while the answer is used.
        unsafe { self.0.as_ref().is_here().then(|| Thread::borrowed(&self.0)) }
    }

    /// A handle of its own.
    ///
    /// # Safety
    ///
    /// It is alive.
    pub(crate) unsafe fn upgrade(self) -> Thread {
        // SAFETY: it is alive, and the borrowed handle is cloned at once.
        unsafe { Thread::borrowed(&self.0) }.clone()
    }
}

/// A wake-up on its way to the OS thread that owns the fiber.
#[derive(Debug)]
pub struct Mail(pub(super) Thread);

/// What a [`Mail`] is addressed to, seen from outside: a control block.
#[derive(Debug)]
pub struct Addressee {
    _opaque: [u8; 0],
}

// SAFETY: the link is used for one message at a time, because `State::mail_post` lets only
// one be made until the owner has read it.
unsafe impl Message for Mail {
    type Target = Addressee;

    fn into_raw(self) -> *mut Addressee {
        self.0.into_pointer().as_ptr().cast()
    }

    unsafe fn from_raw(raw: *mut Addressee) -> Mail {
        // SAFETY: by the trait's contract `raw` is a reference given up by `into_raw`.
        Mail(unsafe { Thread::from_reference(NonNull::new_unchecked(raw.cast())) })
    }

    unsafe fn link(raw: *mut Addressee) -> *const Link<Addressee> {
        // SAFETY: by the trait's contract the header is alive.
        unsafe { &raw const (*raw.cast::<Header>()).mail_link }
    }
}
