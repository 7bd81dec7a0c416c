//! Where a thread must not leave its stack: a wait in there is a panic that names the place.
//!
//! A region belongs to the OS thread, and not to the thread: nobody else runs on it before the
//! region is left, for that is what it forbids. So a thread-local is enough. Who waits asks one word
//! of the process, and the thread-local only where some region was ever entered: by functions that are
//! not inlined, for what waits may come back on another OS thread (`roaming.rs`).
//!
//! Who waits asks before anybody else can know of the wait, for a panic must leave nothing behind:
//!
//! * [`Waiter::new`](crate::Waiter::new), and so all that queues the thread somewhere
//!   (with a spin lock held, `Wait::allow` asks before);
//! * what waits without a waiter: `park`, `sleep`, `yield_now`, `scope`, `blocking`, descriptors,
//!   and `run`.
//!
//! On a kernel thread nobody else would run on its stack. It is refused there all the same: the
//! models agree.
#![forbid(unsafe_code)]
// Models have no `thread` that would show it.
#![cfg_attr(trefoil_loom, allow(unreachable_pub))]

use core::cell::Cell;
use core::fmt;
use core::panic::Location;
use core::sync::atomic::{AtomicBool, Ordering};

use crate::reason::Reason;

type Place = &'static Location<'static>;

thread_local! {
    /// Where the innermost region was entered.
    static REGION: Cell<Option<Place>> = const { Cell::new(None) };
    /// In a region: for what a call that may wait was going to wait, and where it is.
    static PREPARED: Cell<Option<(Reason, Place)>> = const { Cell::new(None) };
}

/// A region was entered in this process. Relaxed: who is in a region reads its own store.
static EVER_ON: AtomicBool = AtomicBool::new(false);

/// Leaves the region also where it unwinds.
struct Region {
    outer: Option<Place>,
}

impl Region {
    #[inline(never)]
    fn enter(place: Place) -> Region {
        EVER_ON.store(true, Ordering::Relaxed);
        Region {
            outer: REGION.replace(Some(place)),
        }
    }
}

impl Drop for Region {
    #[inline(never)]
    fn drop(&mut self) {
        REGION.set(self.outer);
        PREPARED.set(None);
    }
}

/// Runs `f`, and panics where the thread would have to wait in there.
///
/// For code that safe Rust allows and a fiber breaks, if it is left in the middle and another one
/// of the same OS thread runs meanwhile: a scope that a `std::thread_local!` tracks, the
/// initializer of a lazy `std::thread_local!`, a lock of `std` that is held. A library that calls
/// what it was given in such a place, a callback, a `Display` or `Drop` of its user, wraps the call.
/// The user then gets a panic that says where the wait is, and not a wrong value.
///
/// Every call of Trefoil panics that would have to wait, in all models alike; and those that always
/// may: [`yield_now`](crate::thread::yield_now), [`scope`](crate::thread::scope),
/// [`blocking`](crate::thread::blocking), `Barrier::wait` and `run`. One that finds at once what
/// it wants does not: a free lock, a message that is there. A
/// [`checkpoint`](crate::thread::checkpoint) lets nobody else run, and
/// [`join`](crate::thread::join) runs both closures one after the other.
///
/// What is not of Trefoil is not seen: a blocking call of the operating system does not leave the
/// stack. Costs nothing where no wait is.
///
/// # Panics
///
/// With `f`'s panic: also that of a wait in `f`. Out of a panic hook no panic can come: there the
/// process ends, and the place of the wait is written.
///
/// ```
/// use std::panic::catch_unwind;
/// use std::time::Duration;
/// use trefoil_runtime::thread;
///
/// assert_eq!(thread::no_suspend(|| 1 + 1), 2);
/// let slept = catch_unwind(|| thread::no_suspend(|| thread::sleep(Duration::from_secs(3600))));
/// let sentence = slept.unwrap_err().downcast::<String>().unwrap();
/// assert!(sentence.contains(file!()), "it names the place: {sentence}");
/// ```
#[track_caller]
pub fn no_suspend<F, R>(f: F) -> R
where
    F: FnOnce() -> R,
{
    let _region = Region::enter(Location::caller());
    f()
}

#[inline]
fn was_ever_on() -> bool {
    EVER_ON.load(Ordering::Relaxed)
}

/// The region in which the current thread is.
#[inline(never)]
fn region() -> Option<Place> {
    REGION.get()
}

/// Whether the current thread must not leave its stack.
#[inline]
pub(crate) fn is_on() -> bool {
    was_ever_on() && region().is_some()
}

/// Whether the current thread may leave its stack: it is not inside [`no_suspend`].
///
/// ```
/// use trefoil_runtime::{may_suspend, thread};
///
/// assert!(may_suspend());
/// thread::no_suspend(|| assert!(!may_suspend()));
/// ```
#[must_use]
#[inline]
pub fn may_suspend() -> bool {
    !is_on()
}

/// A call may wait for this, at this place of the program.
#[inline]
pub(crate) fn prepare(reason: Reason, place: Place) {
    if was_ever_on() {
        prepare_in_region(reason, place);
    }
}

#[inline(never)]
fn prepare_in_region(reason: Reason, place: Place) {
    if REGION.get().is_some() {
        PREPARED.set(Some((reason, place)));
    }
}

/// The thread is going to wait.
///
/// # Panics
///
/// If it must not.
#[inline]
#[track_caller]
pub(crate) fn check() {
    if was_ever_on() {
        check_region();
    }
}

#[inline(never)]
#[track_caller]
fn check_region() {
    if let Some(region) = REGION.get() {
        refuse_wait(PREPARED.get(), region);
    }
}

/// For a wait that must not be.
#[cold]
pub(crate) fn refuse(reason: Reason, place: Place) -> ! {
    refuse_wait(Some((reason, place)), region().unwrap_or(place))
}

/// The same, for a call that waits for nothing in particular.
#[inline]
#[track_caller]
pub(crate) fn check_call(name: &str) {
    if was_ever_on()
        && let Some(region) = region()
    {
        refuse_call(&format_args!("`{name}`"), Location::caller(), region);
    }
}

#[cold]
#[track_caller]
fn refuse_wait(prepared: Option<(Reason, Place)>, region: Place) -> ! {
    match prepared {
        Some((reason, place)) => refuse_call(&format_args!("a wait for {reason}"), place, region),
        None => refuse_call(&"a wait", Location::caller(), region),
    }
}

#[cold]
#[track_caller]
fn refuse_call(what: &dyn fmt::Display, place: Place, region: Place) -> ! {
    panic!(
        "{what} at {place} would let other threads run on this OS thread, which must not be \
         inside `thread::no_suspend`, entered at {region}: wait before it or after it"
    )
}
