//! What ends the waits of one call early, while its thread lives on: a deadline, or an
//! interrupt by somebody else. And what holds them off, and a cancellation too: a shield.
//!
//! | limit     | ends the waits inside it                     | set by                        |
//! |-----------|----------------------------------------------|-------------------------------|
//! | deadline  | once its time has come                       | [`timeout`](crate::time::timeout) |
//! | interrupt | once [`Interrupt::interrupt`] was called     | [`until`]                     |
//! | shield    | never: what is set outside it is not seen    | [`uncancellable`](crate::thread::uncancellable) |
//!
//! A limit lies in the frame of the call that set it, and points to the one outside it. The
//! control block points to the innermost. Only the thread itself follows these pointers, and a
//! call takes its limit off before it returns or unwinds: so what is found is alive.
//!
//! A wait that is a cancellation point takes the earliest deadline for one of its own, and
//! ends as if it were cancelled. [`cancel::raise`] then unwinds with
//! the number of the limit, and exactly the call that set it stops that. Nothing is taken
//! back: who catches it on the way meets it again in the next wait.
//!
//! A thread without limits pays for one look, where it would park.

use core::cell::Cell;
use core::ptr;
use core::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::any::Any;
use std::panic::{self, AssertUnwindSafe};
use std::sync::Arc;
use std::time::Instant;

use crate::cancel;
use crate::current;
use crate::thread::{Header, Thread};
use crate::unwinding;

/// The innermost limit of a thread; null: it has none.
pub(crate) type Innermost = Cell<*const Limit>;

/// One limit of one thread.
#[derive(Debug)]
pub(crate) struct Limit {
    kind: Kind,
    /// No two limits have the same, ever.
    number: u64,
    /// It has been raised before.
    raised: Cell<bool>,
    outer: *const Limit,
}

#[derive(Debug)]
pub(crate) enum Kind {
    Deadline(Instant),
    Interrupt(Arc<Interrupt>),
    Shield,
}

/// The payload that unwinds to the call that set the limit of this number.
struct Raised(u64);

/// Why a wait is to be ended.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Verdict {
    /// The thread was cancelled.
    Cancelled,
    /// A limit is over: its number, when it was (`None`: unknown), and whether it has been
    /// raised before.
    Ended {
        number: u64,
        at: Option<Instant>,
        again: bool,
    },
}

/// A request to end what one thread does inside [`until`].
///
/// ```
/// use trefoil_runtime::{limit, thread};
///
/// let interrupt = limit::Interrupt::new();
/// interrupt.interrupt();
/// assert!(limit::until(&interrupt, thread::park).is_none());
/// ```
#[derive(Debug)]
pub struct Interrupt {
    requested: AtomicBool,
    thread: Thread,
}

impl Interrupt {
    /// A request to the calling thread, not made yet. Does not wait.
    ///
    /// ```
    /// let interrupt = trefoil_runtime::limit::Interrupt::new();
    /// assert!(!interrupt.is_requested());
    /// ```
    #[must_use]
    pub fn new() -> Arc<Interrupt> {
        Arc::new(Interrupt {
            requested: AtomicBool::new(false),
            thread: current::thread(),
        })
    }

    /// Makes the request, and wakes the thread to see it. Does not wait. Any thread may call
    /// it, also when nobody is inside any more.
    ///
    /// ```
    /// use std::sync::Arc;
    /// use trefoil_runtime::{limit, thread};
    ///
    /// let interrupt = limit::Interrupt::new();
    /// let request = Arc::clone(&interrupt);
    /// std::thread::spawn(move || request.interrupt());
    /// let ended = limit::until(&interrupt, || loop {
    ///     thread::park();
    /// });
    /// assert!(ended.is_none());
    /// ```
    pub fn interrupt(&self) {
        // Release: pairs with `is_requested`. The wake-up comes after it.
        self.requested.store(true, Ordering::Release);
        // SAFETY: it has started: it made the interrupt.
        unsafe { self.thread.wake() };
    }

    /// Whether the request was made. Does not wait.
    ///
    /// ```
    /// let interrupt = trefoil_runtime::limit::Interrupt::new();
    /// interrupt.interrupt();
    /// assert!(interrupt.is_requested());
    /// ```
    #[must_use]
    pub fn is_requested(&self) -> bool {
        // Acquire: pairs with `interrupt`.
        self.requested.load(Ordering::Acquire)
    }
}

/// Runs `f`, whose waits end by unwinding to here once `interrupt` is requested: then `None`.
/// If `f` comes to its end all the same, its value is returned.
///
/// # Panics
///
/// With `f`'s panic. If the interrupt was made by another thread.
///
/// ```
/// use trefoil_runtime::{limit, thread};
///
/// let interrupt = limit::Interrupt::new();
/// assert_eq!(limit::until(&interrupt, || 1 + 1), Some(2));
/// interrupt.interrupt();
/// assert_eq!(limit::until(&interrupt, thread::park), None);
/// ```
pub fn until<T>(interrupt: &Arc<Interrupt>, f: impl FnOnce() -> T) -> Option<T> {
    assert!(
        interrupt.thread.is_current(),
        "an interrupt ends waits of the thread that made it only"
    );
    within(Kind::Interrupt(Arc::clone(interrupt)), f)
}

/// Runs `f` inside a new limit. `None`: the limit was over, and unwound `f`.
pub(crate) fn within<T>(kind: Kind, f: impl FnOnce() -> T) -> Option<T> {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    // A counter.
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    let result = {
        let limit = Limit {
            kind,
            number,
            raised: Cell::new(false),
            outer: current::limit(),
        };
        current::set_limit(&raw const limit);
        let result = panic::catch_unwind(AssertUnwindSafe(f));
        current::set_limit(limit.outer);
        result
    };
    match result {
        Ok(value) => {
            if unwinding::is_calm() {
                // If anything was raised, `f` has caught it: a panic from here on is one.
                current::set_raised(false);
            }
            Some(value)
        }
        Err(payload) if is_raised_by(&*payload, number) => {
            // It goes on, and unwinds no more.
            current::set_raised(false);
            None
        }
        Err(payload) => cancel::resume(payload),
    }
}

fn is_raised_by(payload: &(dyn Any + Send), number: u64) -> bool {
    payload
        .downcast_ref::<Raised>()
        .is_some_and(|raised| raised.0 == number)
}

/// Whether it is the payload of some limit.
pub(crate) fn is_raised(payload: &(dyn Any + Send)) -> bool {
    payload.is::<Raised>()
}

/// The payload that unwinds to the limit of this number.
pub(crate) fn payload(number: u64) -> Box<dyn Any + Send> {
    Box::new(Raised(number))
}

impl Limit {
    /// When it was or will be over; `None`: nobody knows.
    fn deadline(&self) -> Option<Instant> {
        match self.kind {
            Kind::Deadline(until) => Some(until),
            Kind::Interrupt(_) | Kind::Shield => None,
        }
    }

    fn is_over(&self, now: Instant) -> bool {
        match &self.kind {
            Kind::Deadline(until) => now >= *until,
            Kind::Interrupt(interrupt) => interrupt.is_requested(),
            Kind::Shield => false,
        }
    }

    fn is_shield(&self) -> bool {
        matches!(self.kind, Kind::Shield)
    }
}

/// The limits of the current thread that its waits see, from the inside out; a shield is the
/// last of them.
fn visible(header: &Header) -> impl Iterator<Item = &Limit> {
    let mut next: *const Limit = header.limits.get();
    core::iter::from_fn(move || {
        // SAFETY: only the current thread asks, and it is inside of every limit that it has
        // set and not taken off; `within` takes it off before the frame goes.
        let limit = unsafe { next.as_ref() }?;
        next = if limit.is_shield() {
            ptr::null()
        } else {
            limit.outer
        };
        Some(limit)
    })
}

/// The earliest deadline that the current thread's waits see.
pub(crate) fn earliest(header: &Header) -> Option<Instant> {
    visible(header).filter_map(Limit::deadline).min()
}

/// Whether the current thread's waits are to be ended now, and why: by a cancellation, else
/// by whatever was over first, and by the inner one of two that are alike.
pub(crate) fn verdict(header: &Header, cancelled: bool, now: Instant) -> Option<Verdict> {
    if cancelled && !visible(header).any(Limit::is_shield) {
        return Some(Verdict::Cancelled);
    }
    let over = visible(header).filter(|limit| limit.is_over(now));
    // An interrupt has no time, and so counts as the earliest. `min_by_key` takes the first.
    let first = over.min_by_key(|limit| limit.deadline())?;
    Some(Verdict::Ended {
        number: first.number,
        at: first.deadline(),
        again: first.raised.get(),
    })
}

/// Notes that a limit is being raised.
pub(crate) fn note_raised(header: &Header, number: u64) {
    let mut limits = visible(header);
    if let Some(limit) = limits.find(|limit| limit.number == number) {
        limit.raised.set(true);
    }
}
