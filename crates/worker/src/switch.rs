//! The switch between the worker's stack and its fibers', and what is said at it.

use std::cell::Cell;

use trefoil_fiber::{Fiber, RawFiber, Resumed, Stack};
use trefoil_runtime::{Live, run_current};

/// Why a fiber has left its stack.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Left {
    Parked,
    Yielded,
    Finished,
}

const PARK: usize = 0;
const YIELD: usize = 1;

/// The fiber that runs, or ran last, on this worker.
#[derive(Debug, Default)]
pub(crate) struct Switch {
    running: Cell<Option<RawFiber>>,
}

/// What a fiber's stack begins with.
unsafe fn entry(_: *mut ()) {
    // The thread is the current one: `resume` made it so.
    run_current();
}

impl Switch {
    /// Gives a started thread its stack.
    pub(crate) fn equip(thread: &Live, stack: Stack) {
        // SAFETY: `entry` takes nothing, and does not unwind: `run_current` catches the
        // closure's panic.
        let fiber = unsafe { Fiber::new(stack, entry, std::ptr::null_mut()) };
        thread.set_context(fiber.into_raw().as_ptr());
    }

    /// Runs the thread until it leaves its stack.
    #[inline]
    pub(crate) fn resume(&self, thread: &Live) -> Left {
        // SAFETY: `equip` has put the fiber there; the thread is not running, so nobody
        // else has it.
        let raw = unsafe { RawFiber::from_ptr(thread.context()) };
        self.running.set(Some(raw));
        // SAFETY: as above.
        let mut fiber = unsafe { Fiber::from_raw(raw) };
        let resumed = thread.as_current(|| fiber.resume(0));
        let _ = fiber.into_raw();
        self.running.set(None);
        match resumed {
            Resumed::Suspended(PARK) => Left::Parked,
            Resumed::Suspended(_) => Left::Yielded,
            Resumed::Finished => Left::Finished,
        }
    }

    /// The stack of a thread that has finished.
    pub(crate) fn retire(thread: &Live) -> Stack {
        // SAFETY: `equip` has put the fiber there, and it is taken out once, here.
        let fiber = unsafe { Fiber::from_raw(RawFiber::from_ptr(thread.context())) };
        thread.set_context(std::ptr::null_mut());
        fiber.finish()
    }

    /// The fiber that calls this.
    ///
    /// # Panics
    ///
    /// If no fiber of this worker does.
    #[inline]
    pub(crate) fn current(&self) -> Current {
        Current(
            self.running
                .get()
                .expect("only a fiber of this worker parks or yields on it"),
        )
    }
}

/// The fiber that runs on this OS thread now.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Current(RawFiber);

impl Current {
    /// Leaves the fiber's stack, to be parked.
    #[inline]
    pub(crate) fn park(self) {
        self.leave(PARK);
    }

    /// Leaves the fiber's stack, to be queued again.
    #[inline]
    pub(crate) fn yield_now(self) {
        self.leave(YIELD);
    }

    #[inline]
    fn leave(self, why: usize) {
        // SAFETY: `Current` is made by the fiber that runs, and used at once: the contract's
        // methods are called by the current thread, on its own stack.
        unsafe { Fiber::suspend(self.0, why) };
    }
}
