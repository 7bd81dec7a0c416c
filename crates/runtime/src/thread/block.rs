//! The control block: header, closure and result of a thread in one piece of memory.
//!
//! | stage    | the slot holds | who may touch it                                     |
//! |----------|----------------|------------------------------------------------------|
//! | CLOSURE  | the closure    | whoever holds the `NewThread`, then the thread       |
//! | EMPTY    | nothing        | -                                                    |
//! | RESULT   | the result     | the thread until it sets the join word, then whoever the join word allows |
//!
//! **Panics stop here**: the closure's becomes the result; those of a result, a payload or
//! a closure that is dropped unused are caught, and their payloads are forgotten, because
//! there is nobody left to tell.

use core::alloc::Layout;
use core::cell::UnsafeCell;
use core::mem::{self, ManuallyDrop};
use core::ptr::NonNull;
use std::panic::{self, AssertUnwindSafe};
use std::thread::Result;

use super::header::{Header, Traits};
use super::reuse;
use crate::cancel::Cancelled;
use crate::model::Model;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stage {
    Closure,
    Empty,
    Result,
}

/// What only the block knows, because only it knows the types.
pub(crate) struct VTable {
    /// CLOSURE -> RESULT: calls the closure.
    call: unsafe fn(NonNull<Header>),
    /// CLOSURE -> RESULT: drops the closure; the result is this payload.
    refuse: unsafe fn(NonNull<Header>, Box<dyn core::any::Any + Send>),
    /// RESULT: whether it is a panic, and not the end of a thread that was cancelled.
    is_panic: unsafe fn(NonNull<Header>) -> bool,
    /// RESULT -> EMPTY: moves the `Result<T>` to where the pointer points.
    take: unsafe fn(NonNull<Header>, *mut ()),
    /// Any stage -> EMPTY: drops what is there.
    clear: unsafe fn(NonNull<Header>),
    /// Drops what is there and frees the block.
    pub(super) free: unsafe fn(NonNull<Header>),
}

union Slot<F, T> {
    closure: ManuallyDrop<F>,
    result: ManuallyDrop<Result<T>>,
}

#[repr(C)]
pub(super) struct Block<F, T> {
    header: Header,
    slot: UnsafeCell<Slot<F, T>>,
}

impl<F: FnOnce() -> T, T> Block<F, T> {
    const VTABLE: VTable = VTable {
        call: call::<F, T>,
        refuse: refuse::<F, T>,
        is_panic: is_panic::<F, T>,
        take: take::<F, T>,
        clear: clear::<F, T>,
        free: free::<F, T>,
    };

    /// A block with `references` references, to be given back one by one.
    pub(super) fn allocate(
        closure: F,
        model: Model,
        traits: Traits,
        references: usize,
    ) -> NonNull<Header> {
        let block = reuse::allocate(Layout::new::<Block<F, T>>()).cast::<Block<F, T>>();
        let content = Block {
            header: Header::new(&Self::VTABLE, Stage::Closure, model, traits, references),
            slot: UnsafeCell::new(Slot::<F, T> {
                closure: ManuallyDrop::new(closure),
            }),
        };
        // SAFETY: the memory is new, and has room for it.
        unsafe { block.write(content) };
        block.cast()
    }
}

/// # Safety
///
/// `header` is that of a live `Block<F, T>`, and the caller may touch its slot.
unsafe fn slot<'a, F, T>(header: NonNull<Header>) -> &'a mut Slot<F, T> {
    // SAFETY: the header is the block's first field (`repr(C)`), and the pointer was made
    // from the whole block.
    unsafe { &mut *header.cast::<Block<F, T>>().as_ref().slot.get() }
}

/// Takes the closure out.
///
/// # Safety
///
/// As for [`slot`]; the stage is CLOSURE.
unsafe fn closure<F, T>(header: NonNull<Header>) -> F {
    // SAFETY: the caller's promise.
    unsafe {
        debug_assert_eq!(header.as_ref().stage.get(), Stage::Closure);
        header.as_ref().stage.set(Stage::Empty);
        ManuallyDrop::take(&mut slot::<F, T>(header).closure)
    }
}

/// Puts the result in.
///
/// # Safety
///
/// As for [`slot`]; the stage is EMPTY.
unsafe fn put<F, T>(header: NonNull<Header>, result: Result<T>) {
    // SAFETY: the caller's promise.
    unsafe {
        slot::<F, T>(header).result = ManuallyDrop::new(result);
        header.as_ref().stage.set(Stage::Result);
    }
}

unsafe fn call<F: FnOnce() -> T, T>(header: NonNull<Header>) {
    // SAFETY: the caller's promise, passed on.
    unsafe {
        let closure = closure::<F, T>(header);
        put::<F, T>(header, panic::catch_unwind(AssertUnwindSafe(closure)));
    }
}

unsafe fn refuse<F, T>(header: NonNull<Header>, payload: Box<dyn core::any::Any + Send>) {
    // SAFETY: the caller's promise, passed on.
    unsafe {
        let closure = closure::<F, T>(header);
        quietly(|| drop(closure));
        put::<F, T>(header, Err(payload));
    }
}

unsafe fn is_panic<F, T>(header: NonNull<Header>) -> bool {
    // SAFETY: the caller's promise; the stage is RESULT.
    match unsafe { &*slot::<F, T>(header).result } {
        Ok(_) => false,
        Err(payload) => !payload.is::<Cancelled>(),
    }
}

unsafe fn take<F, T>(header: NonNull<Header>, to: *mut ()) {
    // SAFETY: the caller's promise; `to` has room for a `Result<T>`.
    unsafe {
        debug_assert_eq!(header.as_ref().stage.get(), Stage::Result);
        header.as_ref().stage.set(Stage::Empty);
        let result = ManuallyDrop::take(&mut slot::<F, T>(header).result);
        to.cast::<Result<T>>().write(result);
    }
}

unsafe fn clear<F, T>(header: NonNull<Header>) {
    // SAFETY: the caller's promise; the stage says what is there.
    unsafe {
        let stage = header.as_ref().stage.replace(Stage::Empty);
        let slot = slot::<F, T>(header);
        match stage {
            Stage::Closure => {
                let closure = ManuallyDrop::take(&mut slot.closure);
                quietly(|| drop(closure));
            }
            Stage::Result => {
                let result = ManuallyDrop::take(&mut slot.result);
                quietly(|| drop(result));
            }
            Stage::Empty => {}
        }
    }
}

unsafe fn free<F, T>(header: NonNull<Header>) {
    // SAFETY: the caller has the only reference; the block came from `allocate`. What lies in its slot is
    // gone, and a slot drops nothing.
    unsafe {
        clear::<F, T>(header);
        header.cast::<Block<F, T>>().drop_in_place();
        reuse::free(header.cast(), Layout::new::<Block<F, T>>());
    }
}

/// Runs a drop that may panic where nobody could be told.
pub(super) fn quietly(drop: impl FnOnce()) {
    if let Err(payload) = panic::catch_unwind(AssertUnwindSafe(drop)) {
        // Dropping the payload might panic as well.
        mem::forget(payload);
    }
}

/// The slot's operations for those who know only the header.
///
/// # Safety
///
/// For all: the caller may touch the slot, and its stage is the one named.
impl Header {
    /// CLOSURE -> RESULT, on the thread's own stack.
    ///
    /// # Safety
    ///
    /// As above.
    pub(crate) unsafe fn call(header: NonNull<Header>) {
        // SAFETY: passed on.
        unsafe { (header.as_ref().vtable.call)(header) }
    }

    /// CLOSURE -> RESULT, without running the closure.
    ///
    /// # Safety
    ///
    /// As above.
    pub(crate) unsafe fn refuse(header: NonNull<Header>, payload: Box<dyn core::any::Any + Send>) {
        // SAFETY: passed on.
        unsafe { (header.as_ref().vtable.refuse)(header, payload) }
    }

    /// CLOSURE -> RESULT, because the thread was cancelled before it began.
    ///
    /// # Safety
    ///
    /// As above.
    pub(crate) unsafe fn refuse_cancelled(header: NonNull<Header>) {
        // SAFETY: passed on.
        unsafe { Header::refuse(header, Box::new(Cancelled)) }
    }

    /// Whether the RESULT is a panic.
    ///
    /// # Safety
    ///
    /// As above.
    pub(super) unsafe fn is_panic(header: NonNull<Header>) -> bool {
        // SAFETY: passed on.
        unsafe { (header.as_ref().vtable.is_panic)(header) }
    }

    /// RESULT -> EMPTY.
    ///
    /// # Safety
    ///
    /// As above, and the thread's result is a `T`.
    pub(super) unsafe fn take<T>(header: NonNull<Header>) -> Result<T> {
        let mut result = mem::MaybeUninit::<Result<T>>::uninit();
        // SAFETY: passed on; `take` fills the room it is given.
        unsafe {
            (header.as_ref().vtable.take)(header, result.as_mut_ptr().cast());
            result.assume_init()
        }
    }

    /// Any stage -> EMPTY.
    ///
    /// # Safety
    ///
    /// As above.
    pub(super) unsafe fn clear(header: NonNull<Header>) {
        // SAFETY: passed on.
        unsafe { (header.as_ref().vtable.clear)(header) }
    }
}
