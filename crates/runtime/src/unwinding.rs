//! Does the current thread unwind? `std` knows it of the OS thread only.
//!
//! `std::thread::panicking()` is true as long as any fiber of the OS thread is in the middle
//! of an unwinding, and a destructor may wait there: then its neighbours run meanwhile. So it
//! is written down, when a fiber leaves its stack, whether it may be unwinding:
//!
//! | `std` says  | others may be suspended in an unwinding | the fiber that leaves         |
//! |-------------|-----------------------------------------|-------------------------------|
//! | calm        | no: all that was written down is void    | is calm                       |
//! | panicking   | no                                      | unwinds, for certain          |
//! | panicking   | yes                                     | may unwind: nobody can tell   |
//!
//! Where nobody can tell, a thread counts as calm for poisoning, and as unwinding for
//! cancellation: a lock may miss a panic, but a cancellation never meets an unwinding, which
//! would end the process.
#![forbid(unsafe_code)]

use core::cell::Cell;

thread_local! {
    static HERE: Here = const {
        Here {
            suspended: Cell::new(0),
            age: Cell::new(1),
            certain: Cell::new(false),
        }
    };
}

/// What is known of the fibers of one OS thread.
struct Here {
    /// How many are suspended and may be in the middle of an unwinding.
    suspended: Cell<usize>,
    /// What was written down at another age is void.
    age: Cell<u32>,
    /// The current one was certainly unwinding when it was suspended last.
    certain: Cell<bool>,
}

/// What is known of a suspended fiber. The default: it is calm.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Suspended {
    /// The age at which it may have been unwinding; 0: never.
    age: u32,
    certain: bool,
}

impl Suspended {
    /// Whether it may be in the middle of an unwinding, which `std` counts for its OS thread.
    #[cfg(feature = "fibers")]
    #[inline]
    pub(crate) fn may_unwind(self) -> bool {
        self.age != 0
    }
}

/// A fiber's stack is entered.
#[inline]
pub(crate) fn enter(fiber: Suspended) {
    if fiber.age != 0 {
        enter_unwinding(fiber);
    }
}

#[cold]
fn enter_unwinding(fiber: Suspended) {
    HERE.with(|here| {
        if fiber.age == here.age.get() {
            here.suspended.set(here.suspended.get() - 1);
            here.certain.set(fiber.certain);
        }
    });
}

/// A fiber's stack has been left.
#[inline]
pub(crate) fn leave() -> Suspended {
    if std::thread::panicking() {
        return leave_unwinding();
    }
    HERE.with(|here| {
        if here.suspended.get() != 0 {
            here.suspended.set(0);
            here.age.set(here.age.get().checked_add(1).unwrap_or(1));
        }
        here.certain.set(false);
    });
    Suspended::default()
}

#[cold]
fn leave_unwinding() -> Suspended {
    HERE.with(|here| {
        let others = here.suspended.get();
        here.suspended.set(others + 1);
        Suspended {
            age: here.age.get(),
            certain: here.certain.take() || others == 0,
        }
    })
}

/// Whether the current thread panics, for all that is known.
#[inline]
pub(crate) fn panicking() -> bool {
    !is_calm() && is_own()
}

/// Somebody of this OS thread unwinds: whether it is the current thread.
#[cold]
#[inline(never)]
fn is_own() -> bool {
    HERE.with(|here| here.suspended.get() == 0 || here.certain.get())
}

/// Whether the current thread certainly does not unwind.
#[inline]
pub(crate) fn is_calm() -> bool {
    !std::thread::panicking()
}
