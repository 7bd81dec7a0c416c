//! A stack that is nobody's: taken from a pool, and not under a fiber yet or any more.

use std::fmt;
use std::ops::Range;
use std::ptr::NonNull;

use crate::guard;
use crate::shelf::Slot;
use crate::size::Class;

/// Memory to run a [`Fiber`](crate::Fiber) on, taken from a [`StackPool`](crate::StackPool) and to
/// be given back by [`StackPool::put`](crate::StackPool::put) or
/// [`LocalStacks::put`](crate::LocalStacks::put).
///
/// A stack that is dropped instead stays taken for ever, and its slab stays mapped: that is what
/// makes it harmless to lose the stack of a fiber that has not finished.
///
/// ```
/// use trefoil_fiber::StackPool;
///
/// let pool = StackPool::new();
/// let stack = pool.get(100_000)?;
/// assert!(stack.bounds().len() >= 100_000);
/// assert_eq!(stack.guard().end, stack.bounds().start);
/// pool.put(stack);
/// # Ok::<(), std::io::Error>(())
/// ```
#[must_use = "a stack that is dropped is lost to its pool"]
pub struct Stack {
    /// One past its highest byte; the lower end is `usable` bytes below, and the guard page below that.
    top: NonNull<u8>,
    usable: u32,
    home: Home,
}

/// Where a stack belongs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Home {
    pub(crate) pool: u32,
    slab: u32,
    pub(crate) class: Class,
    slot: u16,
}

impl Home {
    pub(crate) fn new(pool: u32, class: Class, Slot { slab, slot }: Slot) -> Home {
        Home {
            pool,
            slab,
            class,
            slot,
        }
    }

    /// The slot itself.
    pub(crate) fn slot(self) -> Slot {
        Slot {
            slab: self.slab,
            slot: self.slot,
        }
    }
}

// SAFETY: a stack is memory that its holder owns alone, without any tie to an OS thread.
unsafe impl Send for Stack {}

impl Stack {
    /// # Safety
    ///
    /// The `usable` bytes below `top` are mapped, writable, belong to nobody else, lie right above
    /// a guard page, and stay mapped until the stack is taken apart by [`Stack::into_home`]. `top`
    /// is a multiple of 64.
    pub(crate) unsafe fn new(top: NonNull<u8>, usable: u32, home: Home) -> Stack {
        debug_assert_eq!(top.addr().get() % 64, 0);
        Stack { top, usable, home }
    }

    /// The address one past the highest byte of the stack: a multiple of 64.
    #[inline]
    pub(crate) fn top(&self) -> NonNull<u8> {
        self.top
    }

    /// Where the stack belongs.
    #[inline]
    pub(crate) fn home(&self) -> Home {
        self.home
    }

    /// Takes the stack apart: from now on its pool owns the memory.
    #[inline]
    pub(crate) fn into_home(self) -> Home {
        self.home
    }

    /// The size of the stack's class, in bytes: what was asked for, rounded by
    /// [`check_size`](crate::check_size). A stack has a little more than that.
    pub fn size(&self) -> usize {
        self.home.class.size()
    }

    /// The addresses that may be used, from the end of the guard page up. The highest 64
    /// bytes, or 128, hold the record of the fiber that runs on this stack.
    #[inline]
    pub fn bounds(&self) -> Range<usize> {
        let top = self.top.addr().get();
        top - self.usable as usize..top
    }

    /// The addresses of the guard page: an access to these is an overflow of this stack.
    pub fn guard(&self) -> Range<usize> {
        let low = self.bounds().start;
        low - guard::page_size()..low
    }
}

impl fmt::Debug for Stack {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Stack")
            .field("bounds", &self.bounds())
            .field("size", &self.size())
            .finish_non_exhaustive()
    }
}
