//! Who am I: the current thread of this OS thread, and how it waits.
//!
//! An OS thread always has a current thread: one that a runtime runs on it, or, outside,
//! one that stands for the OS thread itself and is made when it is first asked for.
//!
//! By Rule 7 the pointer is read anew after every wait, by functions that are not inlined. What waits
//! keeps a reference to its own thread's header over the switch: on this stack that is the current thread
//! whenever it runs.

use core::cell::Cell;
use core::ptr::{self, NonNull};
use core::sync::atomic::Ordering;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::clock;
use crate::contract::{Runtime, Timer};
use crate::domain::DomainId;
use crate::limit::{self, Limit, Verdict};
use crate::model::Model;
use crate::no_suspend;
use crate::no_unwind::no_unwind;
use crate::os::Foreign;
use crate::owner;
use crate::reason::Reason;
use crate::stretch;
use crate::thread::{Header, Slice, Thread, ThreadId, ThreadRef, adopted, fiber};
use crate::unwinding;
use crate::wait::{Outcome, Wait};

thread_local! {
    static CURRENT: Cell<*mut Header> = const { Cell::new(ptr::null_mut()) };
    static ADOPTED: Cell<Option<Adopted>> = const { Cell::new(None) };
}

/// Ends the thread that stands for an OS thread when that OS thread ends.
struct Adopted(NonNull<Header>);

impl Drop for Adopted {
    fn drop(&mut self) {
        // SAFETY: the reference that `adopt` got. Its locals' destructors are the last that runs
        // as this thread.
        unsafe {
            let header = self.0.as_ref();
            header.locals.end();
            CURRENT.set(ptr::null_mut());
            header.state.finish();
            // `adopted` has listed it.
            crate::registry::remove(self.0);
            let _ = header.join.finish();
            Header::release(self.0);
        }
    }
}

/// The current thread, which is alive as long as it runs.
#[inline(never)]
pub(crate) fn thread_ref() -> ThreadRef {
    match NonNull::new(CURRENT.get()) {
        Some(header) => ThreadRef(header),
        None => adopt(),
    }
}

#[cold]
fn adopt() -> ThreadRef {
    // The name is only asked for where that cannot fail: `std::thread::current` panics
    // while thread-locals are torn down.
    let name = ADOPTED
        .try_with(|_| std::thread::current().name().map(str::to_owned))
        .ok()
        .flatten();
    let header = adopted(name.as_deref());
    CURRENT.set(header.as_ptr());
    // In a thread-local's destructor nothing comes after us that could end the thread:
    // then it is leaked, a few hundred bytes.
    let _ = ADOPTED.try_with(|slot| slot.set(Some(Adopted(header))));
    ThreadRef(header)
}

/// The current thread, if there is one yet. For a signal handler: it makes none.
#[inline(never)]
pub(crate) fn peek() -> Option<NonNull<Header>> {
    NonNull::new(CURRENT.get())
}

/// A handle to the current thread.
pub(crate) fn thread() -> Thread {
    // SAFETY: the current thread is alive.
    unsafe { thread_ref().upgrade() }
}

/// Whether the caller runs on a thread that one of our runtimes runs.
#[must_use]
pub fn in_runtime() -> bool {
    // SAFETY: the current thread is alive, and has started.
    peek().is_some_and(|header| unsafe { header.as_ref().has_home() })
}

/// The current thread's number.
pub(crate) fn id() -> ThreadId {
    // SAFETY: the current thread is alive.
    unsafe { thread_ref().0.as_ref() }.id
}

/// The `run` that the current thread belongs to.
pub(crate) fn domain() -> DomainId {
    // SAFETY: the current thread is alive.
    unsafe { thread_ref().0.as_ref() }.traits.domain
}

/// Whether the current thread belongs to a `run` of this runtime.
pub(crate) fn is_of_runtime(runtime: u64) -> bool {
    // A plain OS thread needs no control block for this answer.
    // SAFETY: the current thread is alive.
    peek().is_some_and(|header| unsafe { header.as_ref() }.traits.domain.runtime == runtime)
}

/// Calls `body` with the runtime that answers for the current thread.
#[inline]
pub(crate) fn with_runtime<R>(body: impl FnOnce(&dyn Runtime) -> R) -> R {
    let me = thread_ref();
    // SAFETY: the current thread is alive and has started; it does not change or end
    // while `body` runs on its stack.
    body(unsafe { me.0.as_ref().runtime() })
}

/// The current thread's runtime, to be kept. A plain OS thread's answers like a kernel
/// thread's, and cannot start threads.
#[must_use]
pub fn runtime() -> Arc<dyn Runtime> {
    // SAFETY: the current thread is alive and has started.
    unsafe { thread_ref().0.as_ref().home() }.unwrap_or_else(|| Arc::new(Foreign))
}

/// Waits for the current thread's park token, and takes it.
pub(crate) fn wait_for_token(wait: &Wait) -> Outcome {
    let me = thread_ref();
    // SAFETY: the current thread is alive, and stays the current one on this stack.
    let token = unsafe { &me.0.as_ref().token };
    if token.take() {
        spend();
        return Outcome::Woken;
    }
    no_suspend::check();
    wait_until(wait, || token.take())
}

/// Lets other threads that are ready run first, where that may be.
#[inline]
pub(crate) fn yield_now() {
    if !no_suspend::is_on() {
        yield_anyway();
    }
}

/// Lets other threads that are ready run first: not inside `no_suspend`. Inlined for the reason told
/// in `fiber.rs`.
#[inline(always)]
pub(crate) fn yield_anyway() {
    let me = thread_ref();
    // SAFETY: the current thread is alive, and stays the current one on this stack.
    if !unsafe { fiber::yield_now(me.0.as_ref()) } {
        with_runtime(|runtime| runtime.yield_now());
    }
}

/// For a runtime of fibers: the current fiber leaves its stack, to be parked.
///
/// # Panics
///
/// If the current thread is no fiber.
#[inline]
pub fn park_fiber() {
    // SAFETY: the current thread is alive, and stays the current one on this stack.
    let parked = unsafe { fiber::park(thread_ref().0.as_ref()) };
    assert!(parked, "only a fiber can leave its stack");
}

/// For a runtime of fibers: the current fiber leaves its stack, to be queued again.
///
/// # Panics
///
/// If the current thread is no fiber.
#[inline]
pub fn yield_fiber() {
    // SAFETY: the current thread is alive, and stays the current one on this stack.
    let yielded = unsafe { fiber::yield_now(thread_ref().0.as_ref()) };
    assert!(yielded, "only a fiber can leave its stack");
}

/// Waits until `done`, or as `wait` says. `done` is asked before every park.
///
/// The first time a fiber leaves its stack from inside the caller, into which this is inlined for the
/// reason told in `fiber.rs`. What has to be done before and after it is done by functions that return.
#[inline(always)]
pub(crate) fn wait_until(wait: &Wait, done: impl Fn() -> bool) -> Outcome {
    if done() {
        return Outcome::Woken;
    }
    let begun = begin_wait(wait);
    if begun.may_leave {
        // SAFETY: the current thread is alive, and stays the current one on this stack.
        let header = unsafe { begun.me.0.as_ref() };
        // SAFETY: as above.
        let parked = unsafe { fiber::park(header) };
        debug_assert!(parked, "`begin_wait` has asked");
        if let Some(timer) = begun.timer {
            disarm(timer);
        }
        if done() {
            header.waiting.end();
            return Outcome::Woken;
        }
    }
    go_on_waiting(begun.me, begun.calm, wait, done)
}

/// A wait that has been written down.
struct Begun {
    me: ThreadRef,
    /// The thread was known not to unwind. While it waits its neighbours may, but it does not begin to.
    calm: bool,
    /// It is a fiber, nothing has ended the wait yet, and a time that would has a timer. A request to end
    /// that comes later wakes it.
    may_leave: bool,
    /// It is woken by this one.
    timer: Option<Timer>,
}

#[inline(never)]
fn begin_wait(wait: &Wait) -> Begun {
    let me = thread_ref();
    // SAFETY: the current thread is alive.
    let header = unsafe { me.0.as_ref() };
    let calm = unwinding::is_calm();
    header
        .waiting
        .begin(wait.reason, wait.place, clock::coarse());
    if !matches!(wait.reason, Reason::Join | Reason::Scope) {
        // Of those it learns afterwards whether they waited.
        note_waited_of(header);
    }
    let asked = wait.cancellable && (is_cancelled(header) || !header.limits.get().is_null());
    let (may_leave, timer) = match wait.until {
        _ if asked || !fiber::is_one(header) => (false, None),
        None => (true, None),
        Some(until) => {
            // SAFETY: it is the current thread, which has started.
            let timer = arm(unsafe { header.runtime() }, until);
            (timer.is_some(), timer)
        }
    };
    if may_leave {
        header.budget.set(BUDGET);
    }
    Begun {
        me,
        calm,
        may_leave,
        timer,
    }
}

/// Has the current thread woken at this time. `None`: the time may have come, or the runtime does not do that.
fn arm(runtime: &dyn Runtime, until: Instant) -> Option<Timer> {
    // Others may hold a pointer to this wait's waiter.
    no_unwind(|| {
        let is_to_come = clock::is_far(until) || runtime.now() < until;
        is_to_come.then(|| runtime.arm(until)).flatten()
    })
}

#[inline(never)]
fn disarm(timer: Timer) {
    with_runtime(|runtime| no_unwind(|| runtime.disarm(timer)));
}

#[inline(never)]
fn go_on_waiting(me: ThreadRef, calm: bool, wait: &Wait, done: impl Fn() -> bool) -> Outcome {
    // SAFETY: the current thread is alive, has started, and stays the current one on this
    // stack.
    let (header, runtime) = unsafe { (me.0.as_ref(), me.0.as_ref().runtime()) };
    let mut left = false;
    let outcome = loop {
        if let Some(early) = interrupted(header, runtime, wait, calm) {
            // A last look: what has come counts more than that it came late.
            break if done() { Outcome::Woken } else { early };
        }
        let until = effective(header, runtime, wait, calm);
        // SAFETY: it is the current thread, on this stack.
        if until.is_some() || !unsafe { fiber::park(header) } {
            // Others may hold a pointer to this wait's waiter.
            no_unwind(|| runtime.park(until));
        }
        left = true;
        header.budget.set(BUDGET);
        if done() {
            break Outcome::Woken;
        }
    };
    header.waiting.end();
    if !left && outcome == Outcome::TimedOut {
        // Its time had come, so it has not waited. Whoever fires its waiter meanwhile finds it.
        spend();
    }
    outcome
}

/// `calm`: the thread is known not to unwind.
#[inline]
fn interrupted(header: &Header, runtime: &dyn Runtime, wait: &Wait, calm: bool) -> Option<Outcome> {
    if is_limited(header, wait) {
        return interrupted_within(header, runtime, wait, calm);
    }
    if wait.cancellable && is_cancelled(header) && may_raise(calm) {
        return Some(Outcome::Cancelled);
    }
    // A waiter may be listed: as with the park, others hold a pointer to it.
    let late = wait
        .until
        .is_some_and(|until| no_unwind(|| runtime.now()) >= until);
    late.then_some(Outcome::TimedOut)
}

/// Calls `ask` with the current thread's slice, and tells whether the thread may have been asked to
/// end, or what it does inside a limit.
#[inline]
pub(crate) fn with_slice<R>(ask: impl FnOnce(&Slice) -> R) -> (R, bool) {
    let me = thread_ref();
    // SAFETY: the current thread is alive, and stays the current one while `ask` runs.
    let header = unsafe { me.0.as_ref() };
    let limited = !header.limits.get().is_null();
    (ask(&header.slice), limited || is_cancelled(header))
}

/// So many operations in a row that need not wait are a turn. Some ten nanoseconds each, they are about as
/// long as thirty switches.
pub(crate) const BUDGET: u32 = 32;

/// Counts an operation that might have waited and did not need to. After some in a row, others that are ready
/// run first: so a thread that always finds its channel ready does not keep them from their turn. No
/// cancellation point. Kernel threads are preempted, and inside `no_suspend` nobody else runs: it does nothing
/// there.
#[inline]
pub fn spend() {
    // SAFETY: the current thread is alive, and stays the current one on this stack.
    let budget = unsafe { &thread_ref().0.as_ref().budget };
    match budget.get().checked_sub(1) {
        Some(left) => budget.set(left),
        None => give_way(),
    }
}

/// The same before permits are taken: nobody else runs while they are held for that reason. Not while somebody
/// of this OS thread unwinds: a panic hook may take some, where no neighbour may run. A plain OS thread that has
/// no control block gets none for permits that are there.
#[inline(never)]
pub fn spend_before_a_permit() {
    let Some(header) = peek() else { return };
    // SAFETY: the current thread is alive, and stays the current one on this stack.
    let budget = unsafe { &header.as_ref().budget };
    match budget.get().checked_sub(1) {
        Some(left) => budget.set(left),
        None => give_way_if_calm(),
    }
}

#[cold]
fn give_way_if_calm() {
    if unwinding::is_calm() {
        give_way();
    }
}

/// Others that are ready run first, if the current thread is a fiber and may leave its stack.
#[cold]
pub(crate) fn give_way() {
    // SAFETY: as above. It is left before the thread leaves its stack.
    unsafe { thread_ref().0.as_ref() }.budget.set(BUDGET);
    match model() {
        Model::Kernel => stretch::turn(),
        Model::Green | Model::Hybrid => yield_now(),
    }
}

/// The OS thread on which the current thread runs, as the number of an owner of fibers: unless the thread
/// roams, it belongs to it for good. `None`: it is no fiber.
pub(crate) fn owner() -> Option<usize> {
    // SAFETY: the current thread is alive.
    let owner = unsafe { thread_ref().0.as_ref() }.owner();
    match owner {
        0 => None,
        roaming if owner::is_roaming(roaming) => Some(owner::here()),
        owner => Some(owner),
    }
}

/// Whether limits bear on the wait (`limit.rs`).
#[inline]
fn is_limited(header: &Header, wait: &Wait) -> bool {
    wait.cancellable && !header.limits.get().is_null()
}

/// The same for a thread with limits. What was over first counts.
#[cold]
fn interrupted_within(
    header: &Header,
    runtime: &dyn Runtime,
    wait: &Wait,
    calm: bool,
) -> Option<Outcome> {
    let now = no_unwind(|| runtime.now());
    let late = wait.until.filter(|until| now >= *until);
    let verdict = if may_raise(calm) {
        limit::verdict(header, is_cancelled(header), now)
    } else {
        None
    };
    match (verdict, late) {
        (Some(Verdict::Ended { at: Some(at), .. }), Some(late)) if late <= at => {
            Some(Outcome::TimedOut)
        }
        (Some(_), _) => Some(Outcome::Cancelled),
        (None, Some(_)) => Some(Outcome::TimedOut),
        (None, None) => None,
    }
}

/// Until when to park.
#[inline]
fn effective(header: &Header, runtime: &dyn Runtime, wait: &Wait, calm: bool) -> Option<Instant> {
    if is_limited(header, wait) {
        return effective_within(header, runtime, wait, calm);
    }
    if wait.cancellable && is_cancelled(header) {
        return effective_untold(runtime, wait);
    }
    wait.until
}

/// How long a thread waits that may not be told now because of a neighbour's unwinding. Nobody wakes it
/// when that is over.
const AGAIN: Duration = Duration::from_millis(1);

/// Whether a thread that may not be told now what ends its wait may be told later in this wait.
fn is_told_later() -> bool {
    cfg!(panic = "unwind") && !unwinding::panicking()
}

/// The same for a thread that was asked to end, and goes on waiting.
#[cold]
fn effective_untold(runtime: &dyn Runtime, wait: &Wait) -> Option<Instant> {
    if !is_told_later() {
        return wait.until;
    }
    let again = no_unwind(|| runtime.now()).checked_add(AGAIN);
    earlier(wait.until, again)
}

/// The earlier of two times that may not be there.
fn earlier(one: Option<Instant>, other: Option<Instant>) -> Option<Instant> {
    match (one, other) {
        (Some(one), Some(other)) => Some(one.min(other)),
        (one, other) => one.or(other),
    }
}

/// The same for a thread with limits.
#[cold]
fn effective_within(
    header: &Header,
    runtime: &dyn Runtime,
    wait: &Wait,
    calm: bool,
) -> Option<Instant> {
    let deadline = if may_raise(calm) {
        limit::earliest(header)
    } else if is_told_later() {
        let now = no_unwind(|| runtime.now());
        match limit::verdict(header, is_cancelled(header), now) {
            Some(_) => now.checked_add(AGAIN),
            None => limit::earliest(header),
        }
    } else {
        None
    };
    earlier(wait.until, deadline)
}

/// Until when a wait that `wait` describes may last, for who parks by itself.
pub(crate) fn deadline(wait: &Wait) -> Option<Instant> {
    let me = thread_ref();
    // SAFETY: the current thread is alive and has started.
    let (header, runtime) = unsafe { (me.0.as_ref(), me.0.as_ref().runtime()) };
    effective(header, runtime, wait, unwinding::is_calm())
}

/// Why the current thread's wait was ended as cancelled. `None`: it was not.
pub(crate) fn verdict() -> Option<Verdict> {
    let me = thread_ref();
    // SAFETY: the current thread is alive and has started.
    let (header, runtime) = unsafe { (me.0.as_ref(), me.0.as_ref().runtime()) };
    if header.limits.get().is_null() {
        return is_cancelled(header).then_some(Verdict::Cancelled);
    }
    limit::verdict(header, is_cancelled(header), runtime.now())
}

/// The innermost limit of the current thread.
pub(crate) fn limit() -> *const Limit {
    // SAFETY: the current thread is alive, and only it touches the field.
    unsafe { thread_ref().0.as_ref() }.limits.get()
}

/// Puts the innermost limit of the current thread into place.
pub(crate) fn set_limit(limit: *const Limit) {
    // SAFETY: as above.
    unsafe { thread_ref().0.as_ref() }.limits.set(limit);
}

/// Notes that a limit of the current thread is being raised.
pub(crate) fn note_limit_raised(number: u64) {
    set_raised(true);
    // SAFETY: the current thread is alive.
    limit::note_raised(unsafe { thread_ref().0.as_ref() }, number);
}

/// Whether the current thread was asked to end.
pub(crate) fn was_asked_to_end() -> bool {
    // SAFETY: the current thread is alive.
    is_cancelled(unsafe { thread_ref().0.as_ref() })
}

/// Whether a wait that `wait` describes is over without having got what it waits for.
pub(crate) fn interruption(wait: &Wait) -> Option<Outcome> {
    let me = thread_ref();
    // SAFETY: the current thread is alive and has started.
    let (header, runtime) = unsafe { (me.0.as_ref(), me.0.as_ref().runtime()) };
    interrupted(header, runtime, wait, unwinding::is_calm())
}

/// By Rule 6: never while the thread unwinds, and not where nothing unwinds.
#[cold]
fn may_raise(calm: bool) -> bool {
    cfg!(panic = "unwind") && (calm || unwinding::is_calm())
}

#[inline]
pub(crate) fn is_cancelled(header: &Header) -> bool {
    // Acquire: pairs with `Thread::cancel`.
    header.cancel.load(Ordering::Acquire)
}

/// Writes down what the current thread waits for while `body` waits.
pub(crate) fn note_wait<R>(wait: &Wait, body: impl FnOnce() -> R) -> R {
    no_suspend::check();
    let me = thread_ref();
    // SAFETY: the current thread is alive, and stays the current one on this stack.
    let header = unsafe { me.0.as_ref() };
    note_waited_of(header);
    write_down(header, wait);
    let result = body();
    header.waiting.end();
    result
}

/// Writes down what a thread waits for. Not inlined: nothing of the OS thread is kept over the wait.
#[inline(never)]
fn write_down(header: &Header, wait: &Wait) {
    header
        .waiting
        .begin(wait.reason, wait.place, clock::coarse());
}

/// The same wait, at the place that the current thread's note names: that of the program, where what waits
/// was called through the contract.
pub(crate) fn placed_as_noted(wait: Wait) -> Wait {
    // SAFETY: the current thread is alive.
    let noted = unsafe { thread_ref().0.as_ref() }.waiting.read();
    match noted {
        // SAFETY: a note's address is that of a `'static` location.
        Some((_, place, _)) => wait.placed(unsafe { &*place }),
        None => wait,
    }
}

/// Makes `header` the current thread while `body` runs, and tells which thread is the current one at its end:
/// if `body` enters a fiber's stack, more than one thread may run there (`inline.rs`). If `body` unwinds, the
/// process ends.
///
/// # Safety
///
/// The thread has started on this OS thread and is run by nobody else, and the caller's
/// right to run it keeps it alive until `body` has returned.
#[inline]
pub(crate) unsafe fn with<R>(
    header: NonNull<Header>,
    body: impl FnOnce() -> R,
) -> (R, NonNull<Header>) {
    // SAFETY: it is alive, and whoever runs a thread may touch this field.
    let unwinding = unsafe { &header.as_ref().unwinding };
    unwinding::enter(unwinding.take());
    let outer = CURRENT.replace(header.as_ptr());
    let result = no_unwind(body);
    let last = NonNull::new(CURRENT.replace(outer)).unwrap_or(header);
    // SAFETY: as above; if it is another thread of that stack, its right to run has come back to the caller.
    unsafe { last.as_ref() }.unwinding.set(unwinding::leave());
    (result, last)
}

/// The same on the stack of a fiber, which is entered by another thread. It is written down that `outer`, the current
/// thread, waits as `wait` says. Returns whether `body` has taken long, by the clock.
///
/// # Safety
///
/// As for [`with`]; and neither thread roams.
#[inline]
pub(crate) unsafe fn with_inside(
    outer: &Header,
    wait: &Wait,
    header: NonNull<Header>,
    body: impl FnOnce(),
) -> bool {
    outer
        .waiting
        .begin(wait.reason, wait.place, clock::coarse());
    // SAFETY: passed on.
    let _ = unsafe { with(header, body) };
    outer.waiting.end();
    clock::has_ticked()
}

/// The same of threads that roam: `body` may leave the stack, and come back on another OS thread. So what is the OS
/// thread's is asked for by functions that are not inlined.
///
/// # Safety
///
/// As for [`with`].
#[inline(never)]
pub(crate) unsafe fn with_inside_anywhere(
    outer: &Header,
    wait: &Wait,
    header: NonNull<Header>,
    body: impl FnOnce(),
) -> bool {
    // SAFETY: passed on.
    let current = unsafe { enter_inside(outer, wait, header) };
    no_unwind(body);
    outer.waiting.end();
    // SAFETY: as above, and `body` has returned on this stack.
    unsafe { leave_inside(header, current) }
}

/// # Safety
///
/// `header` is alive, and the caller, which is the current thread, may run it.
#[inline(never)]
unsafe fn enter_inside(outer: &Header, wait: &Wait, header: NonNull<Header>) -> *mut Header {
    outer
        .waiting
        .begin(wait.reason, wait.place, clock::coarse());
    // SAFETY: the caller's promise.
    let inner = unsafe { header.as_ref() };
    unwinding::enter(inner.unwinding.take());
    // Relaxed: for dumps, if they roam.
    let worker = outer.queued_at.load(Ordering::Relaxed);
    inner.queued_at.store(worker, Ordering::Relaxed);
    CURRENT.replace(header.as_ptr())
}

/// # Safety
///
/// As for [`enter_inside`], which has given `current`.
#[inline(never)]
unsafe fn leave_inside(header: NonNull<Header>, current: *mut Header) -> bool {
    CURRENT.set(current);
    // SAFETY: the caller's promise.
    unsafe { header.as_ref() }.unwinding.set(unwinding::leave());
    clock::has_ticked()
}

/// Notes that the current thread has waited for something else than its own threads, or that they have.
pub(crate) fn note_waited() {
    // SAFETY: the current thread is alive.
    note_waited_of(unsafe { thread_ref().0.as_ref() });
}

#[inline]
fn note_waited_of(current: &Header) {
    // Relaxed: what counts is written before the end, which the reader has seen.
    current.waited.store(true, Ordering::Relaxed);
}

/// Notes whether the current thread's cancellation has been raised.
pub(crate) fn set_raised(raised: bool) {
    // SAFETY: the current thread is alive, and only it touches the field.
    unsafe { thread_ref().0.as_ref() }.raised.set(raised);
}

/// Notes that the current thread's cancellation is being raised. `true`: again.
pub(crate) fn raises_again() -> bool {
    set_raised(true);
    // SAFETY: as above.
    unsafe { thread_ref().0.as_ref() }.ever_raised.replace(true)
}

pub(crate) fn is_raised() -> bool {
    // SAFETY: as above.
    unsafe { thread_ref().0.as_ref() }.raised.get()
}

/// The model of the current thread: how it waits.
#[must_use]
pub fn model() -> Model {
    // SAFETY: the current thread is alive.
    unsafe { thread_ref().0.as_ref() }.kind.model()
}
