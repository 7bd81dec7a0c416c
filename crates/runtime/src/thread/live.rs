//! A started thread, in the hands of the OS thread that runs it.
//!
//! `Live` is the right to run one fiber. It exists once or, while the thread is parked,
//! not at all: the parked thread owns itself, and [`Owner::wake`] makes a new one. That
//! is Rule 4 in types: only the scheduler holds a `Live`, so only the scheduler can
//! publish a thread as parked or ready, and it does so on its own stack. A thread that runs another one
//! inside of itself (`inline.rs`) lends it this right together with its stack, until the other's end.

use core::fmt;
use core::marker::PhantomData;
use core::mem;
use core::ptr::NonNull;
use core::sync::atomic::Ordering;
use std::panic::{AssertUnwindSafe, catch_unwind};

use super::Thread;
use super::block::{Stage, quietly};
use super::handle::Mail;
use super::header::Header;
use super::moving;
use crate::current;
use crate::hogs;
use crate::join_word::Hook;
use crate::owner::Owner;
use crate::registry;
use crate::site::Site;
use crate::state::OwnedWake;
use crate::stretch;
use crate::usage::Meter;

/// The right of one OS thread to run one started thread.
#[must_use]
pub struct Live {
    header: NonNull<Header>,
    /// By Rule 1 it stays on its OS thread. That of a thread that roams is given up there, and made anew on
    /// another one (`roaming.rs`).
    _not_send: PhantomData<*const ()>,
}

impl Live {
    /// # Safety
    ///
    /// The caller gives up one reference to a started thread of this OS thread, which
    /// nobody else runs.
    pub(crate) unsafe fn from_pointer(header: NonNull<Header>) -> Live {
        Live {
            header,
            _not_send: PhantomData,
        }
    }

    pub(crate) fn into_pointer(self) -> NonNull<Header> {
        mem::ManuallyDrop::new(self).header
    }

    /// The thread's handle.
    #[must_use]
    pub fn thread(&self) -> &Thread {
        // SAFETY: a `Live` has a reference for as long as it exists.
        unsafe { Thread::borrowed(&self.header) }
    }

    pub(super) fn pointer(&self) -> NonNull<Header> {
        self.header
    }

    /// Its stack was left by this thread, to which the right to run has come, or gone back.
    #[cfg(feature = "fibers")]
    #[inline]
    pub(super) fn turn_into(&mut self, header: NonNull<Header>) {
        self.header = header;
    }

    pub(super) fn header(&self) -> &Header {
        self.thread().header()
    }

    /// Runs the thread to its end on the calling kernel thread's stack, which is measured by
    /// `meter`, if there is one.
    ///
    /// # Panics
    ///
    /// If it has begun to run elsewhere.
    pub fn run_here(self, meter: Option<&Meter>) {
        if let Some(meter) = meter {
            meter.clean_here();
        }
        if self.header().kind.is_moved() {
            stretch::begin();
        }
        // SAFETY: the `Live` is the right to run the thread, exists once, and keeps it alive.
        let _ = unsafe { current::with(self.header, || run_current(meter, Handle::Anywhere)) };
        if let Some(meter) = meter {
            meter.clean_here();
        }
        self.finish();
    }

    /// RUNNING -> READY, once its stack has been left. The caller queues it.
    #[inline]
    pub fn set_ready(&self) {
        self.header().state.owned_yield();
    }

    /// READY -> RUNNING, before its stack is entered.
    ///
    /// # Panics
    ///
    /// If `owner` is not the OS thread that started it: Rule 1.
    #[inline]
    pub fn set_running(&self, owner: &Owner) {
        assert_eq!(
            self.header().owner(),
            owner.key(),
            "Rule 1: a started fiber never changes its OS thread"
        );
        self.header().state.owned_resume();
    }

    /// RUNNING -> PARKED, once its stack has been left. A wake-up that came meanwhile
    /// gives it back: then it is READY and the caller queues it.
    #[inline]
    pub fn park(self) -> Option<Live> {
        let header = self.header();
        if header.state.owned_take_notice() {
            header.state.owned_yield();
            return Some(self);
        }
        header.state.owned_park();
        // It owns itself now: `Owner::wake` takes the reference up again.
        mem::forget(self);
        None
    }

    /// Its stack has been left for the last time: gives up the reference.
    ///
    /// # Panics
    ///
    /// If it has not run to its end.
    pub fn finish(self) {
        let header = self.header();
        assert!(
            header.concluded.get(),
            "a thread is finished when it has run to its end"
        );
        header.state.finish();
        // SAFETY: the reference that the `Live` stands for.
        unsafe { Header::release(self.into_pointer()) };
    }
}

impl Drop for Live {
    fn drop(&mut self) {
        // Its stack is still in use: by Rule 3 nothing of it may be freed. A scheduler
        // that loses a thread has a defect; leaking is what is left that is sound.
        debug_assert!(
            std::thread::panicking(),
            "a started thread was dropped unfinished"
        );
    }
}

impl fmt::Debug for Live {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Live").field(self.thread()).finish()
    }
}

impl Owner {
    /// Wakes a fiber of this OS thread. `Some`: it was parked and is now READY; the caller
    /// queues it. `None`: it is awake, and will look again before it parks.
    ///
    /// # Panics
    ///
    /// If the thread is not this owner's.
    #[inline]
    #[must_use]
    pub fn wake(&self, thread: &Thread) -> Option<Live> {
        let header = thread.header();
        assert_eq!(header.owner(), self.key(), "a fiber is woken by its owner");
        match header.state.owned_wake() {
            // SAFETY: a parked thread owns one reference, taken up here; it is PARKED no
            // longer, so nobody else takes it.
            OwnedWake::Enqueue => Some(unsafe { Live::from_pointer(thread.pointer()) }),
            OwnedWake::Nothing => None,
        }
    }

    /// Acts on a wake-up from elsewhere.
    #[must_use]
    pub fn open(&self, mail: Mail) -> Option<Live> {
        // First read, then act: a poster that comes later sends another.
        mail.0.header().state.mail_read();
        self.wake(&mail.0)
    }
}

/// Who has the handle of a thread that ends.
#[derive(Clone, Copy, Debug)]
pub(super) enum Handle {
    /// Nobody knows.
    Anywhere,
    /// The thread that runs it inside of itself.
    OnThisStack,
}

/// Whether a thread that ends has begun.
#[derive(Clone, Copy, Debug)]
enum Ran {
    Yes,
    No,
}

/// Runs the current thread to its end, on its own stack: calls its closure and tells whoever
/// waits for it. Its stack is measured by `meter`, if there is one. A thread that was cancelled
/// before it began drops its closure instead, and is not measured.
///
/// # Panics
///
/// If the current thread has begun already, or is a plain OS thread. The closure's own
/// panic is caught: it is the thread's result.
pub(super) fn run_current(meter: Option<&Meter>, handle: Handle) {
    let header = current::thread_ref().0;
    // SAFETY: the current thread is alive; its closure is its own to take, once.
    unsafe {
        assert_eq!(
            header.as_ref().stage.get(),
            Stage::Closure,
            "a thread runs its closure once"
        );
        // Acquire: pairs with `Thread::cancel`.
        if header.as_ref().cancel.load(Ordering::Acquire) {
            Header::refuse_cancelled(header);
            // It has not run, so it is no thread that was measured.
            conclude(header, None, handle, Ran::No);
        } else {
            Header::call(header);
            conclude(header, meter, handle, Ran::Yes);
        }
        header.as_ref().locals.free();
        header.as_ref().concluded.set(true);
    }
}

/// Tells whoever waits for the thread that it has ended; drops a result that nobody asks for.
///
/// Before that its locals are dropped.
///
/// That is done on the thread's own stack, where a destructor may wait. Nothing of what the
/// thread has borrowed is touched afterwards.
///
/// # Safety
///
/// The caller has a reference, and runs the thread, or holds its `NewThread`; the stage is
/// RESULT. `meter` only from the thread itself.
unsafe fn conclude(pointer: NonNull<Header>, meter: Option<&Meter>, handle: Handle, ran: Ran) {
    // SAFETY: the caller's reference keeps it alive. The result is the thread's until the
    // join word says otherwise.
    let (header, panicked) = unsafe { (pointer.as_ref(), Header::is_panic(pointer)) };
    let scope = header.traits.scope.clone();
    if panicked && let Some(scope) = &scope {
        scope.child_panicked();
    }
    if header.join.is_detached() {
        // SAFETY: the handle has gone, so the result is nobody else's.
        unsafe { Header::clear(pointer) };
    }
    // A thread that never ran has none.
    header.locals.end();
    if let Some(meter) = meter {
        // Before anybody is told: who has joined it finds it counted.
        meter.note(header);
    }
    if let Ran::Yes = ran {
        // What its locals' destructors did counts too; and who has joined it knows of it.
        Site::of(header).ended(header.waited.load(Ordering::Relaxed));
    }
    if header.kind.is_moved() {
        moving::ended(header);
    } else if hogs::are_known() && matches!(ran, Ran::Yes) {
        // SAFETY: it has started.
        moving::ran(header, unsafe { header.runtime() });
    }
    // SAFETY: `NewThread::make` has listed it, a thread concludes once, and we have a
    // reference.
    unsafe { registry::remove(pointer) };
    let ending = match handle {
        Handle::Anywhere => header.join.finish(),
        Handle::OnThisStack => header.join.finish_alone(),
    };
    // SAFETY: a thread ends once.
    unsafe { ending.tell(run_hook) };
    if ending.is_detached() {
        // SAFETY: as above.
        unsafe { clear_late(pointer) };
    }
    // Last of all, for now the scope may end, and with it what the thread borrowed.
    if let Some(scope) = scope {
        if header.waited.load(Ordering::Relaxed) {
            scope.child_has_waited();
        }
        scope.child_ended();
    }
}

/// A hook's panic has been told by the panic hook, and nobody else wants it.
fn run_hook(hook: Hook) {
    if let Err(payload) = catch_unwind(AssertUnwindSafe(hook)) {
        quietly(|| drop(payload));
    }
}

/// The handle went at the last moment. A thread that runs destructors is alive, and listed.
///
/// # Safety
///
/// As [`conclude`]; the handle has gone.
unsafe fn clear_late(pointer: NonNull<Header>) {
    // SAFETY: the result, if it is still there, is nobody else's. `conclude` has taken the
    // thread out of the list, and the reference outlasts its second time there.
    unsafe {
        if pointer.as_ref().stage.get() == Stage::Result {
            registry::insert(pointer);
            Header::clear(pointer);
            // Its destructor may have made some.
            pointer.as_ref().locals.end();
            registry::remove(pointer);
        }
    }
}

/// A thread that never ran has got its result: publishes its end and gives the reference back.
///
/// # Safety
///
/// The caller holds the thread's `NewThread` reference, which is used up; the stage is RESULT.
pub(super) unsafe fn end(pointer: NonNull<Header>) {
    // SAFETY: the reference keeps it alive, and is given back at the end.
    unsafe {
        pointer.as_ref().state.finish();
        conclude(pointer, None, Handle::Anywhere, Ran::No);
        Header::release(pointer);
    }
}
