//! A fiber: a function on a stack of its own, and the switch into and out of it.
//!
//! The switch itself is that of `corosensei`. Its state, and whatever else belongs to a fiber, is a
//! record of 64 bytes at the top of the fiber's own stack (128 under the address sanitizer, whose
//! notes `corosensei` keeps there): creating a fiber allocates nothing, and a [`Fiber`] is one
//! pointer.
//!
//! ```text
//!            Fiber::new          resume                 entry returns
//!   Stack ──────────────► new ──────────► running ──────────────────────► finished
//!     ▲                                     │  ▲                              │
//!     │                             suspend │  │ resume                       │
//!     │                                     ▼  │                              │
//!     │                                  suspended                            │
//!     └─────────────────────────────── finish ────────────────────────────────┘
//! ```
//!
//! Who owns the stack: the [`Fiber`], from `new` to `finish`. While the fiber runs, code on it uses
//! the stack below the record, and of the record only `yielder` and `stack`; `coroutine` belongs to
//! the resumer throughout.

use std::fmt;
use std::mem::{ManuallyDrop, forget};
use std::ops::Range;
use std::process::abort;
use std::ptr::{self, NonNull};

use corosensei::stack::StackPointer;
use corosensei::{Coroutine, CoroutineResult, Yielder};

use crate::guard;
use crate::stack::Stack;

/// A fiber: one pointer, bound to the OS thread on which it was created, unless who has it by
/// [name](Fiber::from_raw) answers for more.
///
/// # Dropping
///
/// A fiber has no destructor. Dropping one frees nothing, whatever state it is in, and the stack
/// stays `outstanding` in [`PoolStats`](crate::PoolStats) for ever:
///
/// * *suspended:* its stack, and all that lives on it, is leaked. It is never reused or unmapped, so
///   whatever points into it stays valid (Rule 3).
/// * *finished:* the stack is lost to its pool. Call [`finish`](Fiber::finish) instead.
/// * *never resumed:* likewise, and `entry` is never called: `arg` stays with who passed it.
///
/// ```compile_fail
/// fn send<T: Send>() {}
/// send::<trefoil_fiber::Fiber>();
/// ```
#[must_use = "a fiber that is dropped leaks its stack"]
pub struct Fiber {
    record: NonNull<Record>,
}

/// Names a [`Fiber`] without owning it.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct RawFiber {
    record: NonNull<Record>,
}

/// Why [`Fiber::resume`] came back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Resumed {
    /// The fiber called [`Fiber::suspend`], with this output.
    Suspended(usize),
    /// The fiber's entry function returned.
    Finished,
}

/// What is kept of a fiber, at the top of its stack.
#[repr(C, align(64))]
struct Record {
    /// Never dropped: dropping one that is suspended would unwind it.
    coroutine: ManuallyDrop<Coroutine<usize, usize, (), Below>>,
    /// How the fiber leaves its stack; written when it first runs.
    yielder: *const Yielder<usize, usize>,
    stack: ManuallyDrop<Stack>,
}

/// The stack below a record, as `corosensei` wants to see it.
struct Below(NonNull<Record>);

// SAFETY: `limit` is the lower end of a guard page, and `base` the start of the record, which is
// aligned to 64 bytes. Between them lie the guard page and at least 64 KiB of usable memory.
unsafe impl corosensei::stack::Stack for Below {
    #[inline]
    fn base(&self) -> StackPointer {
        self.0.addr()
    }

    fn limit(&self) -> StackPointer {
        // SAFETY: the record's stack is written before the coroutine is made, and lives as long.
        let stack = unsafe { &(*self.0.as_ptr()).stack };
        StackPointer::new(stack.guard().start).expect("no stack starts at address 0")
    }
}

/// Aborts the process when an unwinding panic comes past.
struct AbortOnUnwind;

impl Drop for AbortOnUnwind {
    fn drop(&mut self) {
        abort();
    }
}

impl Fiber {
    /// Makes a fiber that will call `entry(arg)` on `stack`, and does not run it yet.
    ///
    /// If `entry` unwinds, the process is aborted.
    ///
    /// # Safety
    ///
    /// It must be sound to call `entry(arg)`, once, on this OS thread, when the fiber is first
    /// resumed. The stack is larger than [`MIN_STACK`](crate::MIN_STACK) only if its size was asked
    /// for: `entry` overflows it into the guard page, which ends the process by a signal.
    #[inline]
    pub unsafe fn new(stack: Stack, entry: unsafe fn(*mut ()), arg: *mut ()) -> Fiber {
        let top = stack.top().cast::<Record>();
        // SAFETY: a stack has far more than the record's bytes below its top, which is a multiple of 64.
        let record = unsafe { top.sub(1) };
        let at = record.as_ptr();
        // SAFETY: we own the stack, so these bytes are ours to write.
        unsafe { (&raw mut (*at).stack).write(ManuallyDrop::new(stack)) };
        let body = move |yielder: &Yielder<usize, usize>, _first: usize| {
            // SAFETY: the record lies above this frame, and the field is only used on this stack.
            unsafe { (&raw mut (*at).yielder).write(yielder) };
            let guard = AbortOnUnwind;
            // SAFETY: promised by the caller of `new`.
            unsafe { entry(arg) };
            forget(guard);
        };
        // SAFETY: what `body` uses is valid until it has run, as promised by the caller of `new`;
        // if it never runs, nothing is used.
        let coroutine = unsafe { Coroutine::with_stack_unchecked(Below(record), body) };
        // SAFETY: as for `stack` above.
        unsafe {
            (&raw mut (*at).coroutine).write(ManuallyDrop::new(coroutine));
            (&raw mut (*at).yielder).write(ptr::null());
        }
        Fiber { record }
    }

    /// Runs the fiber until it suspends or finishes, and tells which.
    ///
    /// `input` is what [`suspend`](Fiber::suspend) returns on the other side. That of the first
    /// call has nobody to take it, and is lost.
    ///
    /// # Panics
    ///
    /// If the fiber has finished.
    #[inline]
    pub fn resume(&mut self, input: usize) -> Resumed {
        // SAFETY: the record lives until `finish`, which takes the fiber. We have the fiber
        // mutably, and the code that runs on it does not touch this field.
        let coroutine = unsafe { &mut (*self.record.as_ptr()).coroutine };
        match coroutine.resume(input) {
            CoroutineResult::Yield(output) => Resumed::Suspended(output),
            CoroutineResult::Return(()) => Resumed::Finished,
        }
    }

    /// Leaves the running fiber: its [`resume`](Fiber::resume) returns
    /// [`Resumed::Suspended`]`(output)`. Returns the `input` of the next one.
    ///
    /// Inlined into its caller on purpose. The processor predicts where a `ret` goes from the calls
    /// it has seen, and each function between here and the code that waits costs two wrong guesses.
    ///
    /// # Safety
    ///
    /// `raw` is the fiber that runs, and the call is made on its own stack.
    #[inline(always)]
    pub unsafe fn suspend(raw: RawFiber, output: usize) -> usize {
        // SAFETY: the fiber runs, so its record lives, and `yielder` was written when it started.
        // The yielder lies on this stack, above every frame that may use it.
        unsafe { (*(*raw.record.as_ptr()).yielder).suspend(output) }
    }

    /// Takes the stack back from a fiber that has finished.
    ///
    /// # Panics
    ///
    /// If the fiber has not finished. Its stack is leaked then, as by dropping it.
    #[inline]
    pub fn finish(self) -> Stack {
        assert!(
            self.is_finished(),
            "only a fiber that has finished gives its stack back"
        );
        let at = self.record.as_ptr();
        // SAFETY: the record lives, and its coroutine is used no more once the fiber is gone.
        let coroutine = unsafe { (&raw const (*at).coroutine).read() };
        // What it gives is not the stack that counts. But it tells the address sanitizer that
        // this memory may be written again, also where frames that never return had red zones.
        let _ = ManuallyDrop::into_inner(coroutine).into_stack();
        // SAFETY: as above. Now the stack is nobody else's.
        ManuallyDrop::into_inner(unsafe { (&raw const (*at).stack).read() })
    }

    /// Whether the entry function has returned.
    #[inline]
    pub fn is_finished(&self) -> bool {
        // SAFETY: the record lives as long as the fiber. While the fiber runs, its resumer has it
        // mutably borrowed, so this is not called then.
        unsafe { (*self.record.as_ptr()).coroutine.done() }
    }

    /// The addresses of the stack that may be used, as [`Stack::bounds`].
    pub fn stack_bounds(&self) -> Range<usize> {
        // SAFETY: the record lives as long as the fiber.
        unsafe { self.as_raw().stack_bounds() }
    }

    /// The name of this fiber, for use while the fiber itself is out of reach: for
    /// [`suspend`](Fiber::suspend) above all.
    #[inline]
    pub fn as_raw(&self) -> RawFiber {
        RawFiber {
            record: self.record,
        }
    }

    /// Turns the fiber into its name, to be turned back by [`from_raw`](Fiber::from_raw).
    #[inline]
    pub fn into_raw(self) -> RawFiber {
        self.as_raw()
    }

    /// Turns a name back into its fiber.
    ///
    /// # Safety
    ///
    /// `raw` comes from [`into_raw`](Fiber::into_raw), and is turned back once: on the same OS thread; or on another
    /// one, if the fiber was handed over to it, and nothing on its stack relies on where it runs.
    #[inline]
    pub unsafe fn from_raw(raw: RawFiber) -> Fiber {
        Fiber { record: raw.record }
    }
}

impl RawFiber {
    /// How many bytes of the fiber's stack are left below the frame of the caller, or 0 if the
    /// caller does not run on that stack.
    ///
    /// # Safety
    ///
    /// The fiber exists: [`finish`](Fiber::finish) was not called.
    #[inline]
    pub unsafe fn remaining(self) -> usize {
        let here = 0_u8;
        let here = (&raw const here).addr();
        // SAFETY: passed on to the caller.
        let bounds = unsafe { self.stack_bounds() };
        if bounds.contains(&here) {
            here - bounds.start
        } else {
            0
        }
    }

    /// The addresses of the stack that may be used, as [`Stack::bounds`].
    ///
    /// # Safety
    ///
    /// The fiber exists: [`finish`](Fiber::finish) was not called.
    #[inline]
    pub unsafe fn stack_bounds(self) -> Range<usize> {
        // SAFETY: the record lives, says the caller; this field is written once, by `new`.
        let stack = unsafe { &(*self.record.as_ptr()).stack };
        stack.bounds()
    }

    /// The addresses of the guard page below the stack, as [`Stack::guard`]. May be asked in a
    /// signal handler: it allocates nothing and takes no lock.
    ///
    /// # Safety
    ///
    /// The fiber exists: [`finish`](Fiber::finish) was not called.
    pub unsafe fn guard(self) -> Range<usize> {
        // SAFETY: passed on to the caller.
        let low = unsafe { self.stack_bounds() }.start;
        low - guard::page_size()..low
    }

    /// The size of the stack's class in bytes, as [`Stack::size`]. May be asked in a signal handler.
    ///
    /// # Safety
    ///
    /// The fiber exists: [`finish`](Fiber::finish) was not called.
    pub unsafe fn stack_size(self) -> usize {
        // SAFETY: the record lives, says the caller; this field is written once, by `new`.
        unsafe { &(*self.record.as_ptr()).stack }.size()
    }

    /// This name as a pointer without a type, to be kept in one word.
    #[inline]
    pub fn as_ptr(self) -> *mut () {
        self.record.as_ptr().cast()
    }

    /// The name that [`as_ptr`](RawFiber::as_ptr) gave.
    ///
    /// # Safety
    ///
    /// `ptr` comes from [`as_ptr`](RawFiber::as_ptr).
    #[inline]
    pub unsafe fn from_ptr(ptr: *mut ()) -> RawFiber {
        // SAFETY: what `as_ptr` gives is not null, and the caller has it from there.
        let record = unsafe { NonNull::new_unchecked(ptr.cast()) };
        RawFiber { record }
    }
}

impl fmt::Debug for Fiber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Fiber").field(&self.record).finish()
    }
}

impl fmt::Debug for RawFiber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("RawFiber").field(&self.record).finish()
    }
}

/// What a coroutine takes where no sanitizer's notes are kept in it.
const BARE: usize = 4 * size_of::<usize>();

const _: () = {
    let noted = size_of::<Coroutine<usize, usize, (), Below>>() > BARE;
    assert!(size_of::<Record>() == if noted { 128 } else { 64 });
    assert!(size_of::<Fiber>() == size_of::<usize>());
};
