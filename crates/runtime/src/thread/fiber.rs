//! A thread that is a fiber: how it enters and leaves its stack.
//!
//! Leaving is part of the contract, and not behind the `Runtime` trait, so that it can be
//! inlined into who waits. A processor predicts where a `ret` goes from the calls that it has
//! seen; after a switch these were another fiber's. Each frame between the program and the
//! switch costs two wrong guesses. Measured on this project's machines, a switch to another
//! fiber and back costs 2 ns without such a frame, and 23 ns with one.

use core::ptr::{self, NonNull};
use std::sync::Arc;

use trefoil_fiber::{Fiber, RawFiber, Resumed, Stack, prefetch, stack_pointer};

use super::header::Header;
use super::live::{Handle, Live, run_current};
use crate::current;
use crate::overflow::Limit;
use crate::usage::{Extent, Meter};

/// Why a fiber has left its stack.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Left {
    /// To be parked.
    Parked,
    /// To be queued again.
    Yielded,
    /// It has finished: it never enters it again.
    Finished,
}

const PARK: usize = 0;
const YIELD: usize = 1;

/// What a fiber's stack begins with.
///
/// # Safety
///
/// `meter` is null, or a share of a [`Meter`] that is given up to this call.
unsafe fn entry(meter: *mut ()) {
    let meter = meter.cast_const().cast::<Meter>();
    // SAFETY: the caller's promise.
    let meter = (!meter.is_null()).then(|| unsafe { Arc::from_raw(meter) });
    // The thread is the current one: `resume` made it so.
    run_current(meter.as_deref(), Handle::Anywhere);
}

/// For the worker, on its own stack.
impl Live {
    /// Gives a thread that has just started its stack, which is measured by `meter`, if there is
    /// one: then the stack is clean ([`Meter::clean`]).
    pub fn equip(&self, stack: Stack, meter: Option<Arc<Meter>>) {
        let meter = meter.map_or(ptr::null(), Arc::into_raw);
        // SAFETY: `entry` takes the share of the meter, is called once at most, and does not
        // unwind: `run_current` catches the closure's panic.
        let fiber = unsafe { Fiber::new(stack, entry, meter.cast_mut().cast()) };
        self.header().context.set(fiber.into_raw().as_ptr());
    }

    /// Makes it the current thread, and runs it until its stack is left. The thread that has left it may be
    /// another one, which it runs inside of itself, or which ran it (`inline.rs`): then it is the right to run
    /// that one.
    #[inline]
    pub fn resume(&mut self) -> Left {
        let context = self.header().context.get();
        assert!(!context.is_null(), "a fiber needs a stack to run");
        // SAFETY: `equip` has put the fiber there. A `Live` exists once, and we have it
        // mutably: nobody else resumes the fiber, not even itself. It is on the OS thread that started it, or
        // roams.
        let mut fiber = unsafe { Fiber::from_raw(RawFiber::from_ptr(context)) };
        // SAFETY: the `Live` is the right to run the thread, exists once, and keeps it alive.
        let (resumed, last) = unsafe { current::with(self.pointer(), || fiber.resume(0)) };
        let _ = fiber.into_raw();
        self.turn_into(last);
        match resumed {
            Resumed::Suspended(PARK) => Left::Parked,
            Resumed::Suspended(_) => Left::Yielded,
            Resumed::Finished => Left::Finished,
        }
    }

    /// The stack of a thread that has finished.
    ///
    /// # Panics
    ///
    /// If it has not.
    pub fn retire(&self) -> Stack {
        let context = self.header().context.replace(ptr::null_mut());
        assert!(!context.is_null(), "a fiber gives its stack back once");
        // SAFETY: `equip` has put the fiber there, and it is taken out once, here.
        unsafe { Fiber::from_raw(RawFiber::from_ptr(context)) }.finish()
    }
}

/// Whether the thread, which runs, is a fiber.
#[inline]
pub(crate) fn is_one(current: &Header) -> bool {
    !current.context.get().is_null()
}

/// How much of its stack is left below the caller's frame, in bytes, to a thread that runs and is a fiber.
pub(crate) fn remaining(current: &Header) -> usize {
    // SAFETY: `equip` has put the fiber there, or `lend`, and the thread runs.
    unsafe { RawFiber::from_ptr(current.context.get()).remaining() }
}

/// The stack of `parent`, which runs, is left and entered as `child`'s from now on.
pub(crate) fn lend(parent: &Header, child: &Header) {
    child.context.set(parent.context.get());
}

/// And no more.
pub(crate) fn give_back(child: &Header) {
    child.context.set(ptr::null_mut());
    child.depth.set(ptr::null());
}

/// If the current thread is a fiber, it leaves its stack to be parked, and `true` is returned
/// once it has been resumed.
///
/// # Safety
///
/// `current` is the thread that runs on this stack.
#[inline(always)]
pub(crate) unsafe fn park(current: &Header) -> bool {
    // SAFETY: passed on.
    unsafe { leave(current, PARK) }
}

/// If the current thread is a fiber, it leaves its stack to be queued again, and `true` is
/// returned once it has been resumed.
///
/// # Safety
///
/// `current` is the thread that runs on this stack.
#[inline(always)]
pub(crate) unsafe fn yield_now(current: &Header) -> bool {
    // SAFETY: passed on.
    unsafe { leave(current, YIELD) }
}

/// # Safety
///
/// `current` is the thread that runs on this stack.
#[inline(always)]
unsafe fn leave(current: &Header, why: usize) -> bool {
    let context = current.context.get();
    if context.is_null() {
        return false;
    }
    current.depth.set(stack_pointer());
    // SAFETY: the current thread has a fiber, so this is that fiber's own stack.
    unsafe { Fiber::suspend(RawFiber::from_ptr(context), why) };
    true
}

/// Where the stack of the current thread ends, if it is a fiber. For a signal handler: it
/// allocates nothing and takes no lock.
pub(crate) fn limit(current: &Header) -> Option<Limit> {
    let context = current.context.get();
    if context.is_null() {
        return None;
    }
    // SAFETY: `equip` has put the fiber there, and `retire` takes it out before it finishes it.
    unsafe {
        let fiber = RawFiber::from_ptr(context);
        Some(Limit::new(fiber.guard(), fiber.stack_size()))
    }
}

/// The stack of the current thread, if it is a fiber.
pub(crate) fn extent(current: &Header) -> Option<Extent> {
    let context = current.context.get();
    if context.is_null() {
        return None;
    }
    // SAFETY: as in `limit`.
    unsafe {
        let fiber = RawFiber::from_ptr(context);
        Some(Extent {
            addresses: fiber.stack_bounds(),
            size: fiber.stack_size(),
        })
    }
}

/// Asks for the control block of a thread whose turn comes.
#[inline(always)]
pub(crate) fn prefetch_header(header: NonNull<Header>) {
    prefetch(header.as_ptr().cast(), 3);
}

/// Asks for all of a control block that is about to be used. It may have gone.
#[inline(always)]
pub(crate) fn prefetch_block(header: *const Header) {
    prefetch(header.cast(), 5);
}

/// Asks for what a thread's turn begins with: where its stack is entered and the frames above, and its
/// fiber's record.
/// A thread that has not left its stack yet has neither.
#[inline(always)]
pub(crate) fn prefetch_stack(header: &Header) {
    let depth = header.depth.get();
    if !depth.is_null() {
        prefetch(header.context.get().cast_const().cast(), 1);
        prefetch(depth.wrapping_sub(64), 6);
    }
}

/// Asks for where the stack of a thread is entered: one line, and with it the translation of its address.
#[inline(always)]
pub(crate) fn prefetch_page(header: &Header) {
    let depth = header.depth.get();
    if !depth.is_null() {
        prefetch(depth, 1);
    }
}
