//! The values that one thread has of its locals: a table in its control block.
//!
//! It belongs to the thread, and not to the OS thread: only the thread that is current touches
//! it, on its own stack. What a key (`local.rs`) finds under its number:
//!
//! | slot     | meaning                                  | leaves by                              |
//! |----------|------------------------------------------|----------------------------------------|
//! | nothing  | the thread has not used the key          | `insert`                               |
//! | a value  | it is alive, and stays where it is       | `end`, if it has a destructor          |
//! | GONE     | its destructor runs, or has run          | never: so each key ends once           |
//!
//! A thread that uses no locals has no table: three words of its control block are all that it
//! costs. Values without a destructor are freed with the table; nobody can tell when.
//!
//! **Panics stop here**: those of a value's destructor. The hook has told it, and the other
//! values are still to be dropped.

use core::cell::Cell;
use core::mem::needs_drop;
use core::ptr::{self, NonNull};
use core::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

use super::block::quietly;

/// Which slot a key has in every thread's table. Keys get theirs when they are first used.
#[derive(Debug)]
pub(crate) struct Number(AtomicUsize);

impl Number {
    /// Its slot is empty in every table.
    const NONE: usize = 0;

    pub(crate) const fn new() -> Number {
        Number(AtomicUsize::new(Number::NONE))
    }

    #[inline]
    fn get(&self) -> usize {
        // Relaxed: it names a slot of the thread's own table, and leads to nothing that
        // another thread has written.
        self.0.load(Ordering::Relaxed)
    }

    #[cold]
    fn assign(&self) -> usize {
        static LAST: Mutex<usize> = Mutex::new(Number::NONE);
        let mut last = LAST.lock().unwrap_or_else(PoisonError::into_inner);
        if self.get() == Number::NONE {
            *last += 1;
            // Relaxed: as above; numbers are given under the lock.
            self.0.store(*last, Ordering::Relaxed);
        }
        self.get()
    }
}

/// What every value begins with.
struct Head {
    /// The value with a destructor that was made before it.
    older: *mut Head,
    slot: usize,
    has_destructor: bool,
    drop: unsafe fn(*mut Head),
}

#[repr(C)]
struct Value<T> {
    head: Head,
    value: T,
}

/// # Safety
///
/// `head` is that of a `Value<T>` in a box that is the caller's.
unsafe fn drop_value<T>(head: *mut Head) {
    // SAFETY: the head is the value's first field (`repr(C)`), and the pointer was made from
    // the whole box.
    drop(unsafe { Box::from_raw(head.cast::<Value<T>>()) });
}

type Slot = Cell<*mut Head>;

fn gone() -> *mut Head {
    ptr::without_provenance_mut(1)
}

/// What a slot says.
pub(crate) enum Found<T> {
    Nothing,
    /// It stays where it is until the thread's closure has returned.
    Alive(NonNull<T>),
    Gone,
}

/// One thread's table.
pub(crate) struct Locals {
    slots: Cell<NonNull<Slot>>,
    len: Cell<usize>,
    /// The youngest value with a destructor.
    youngest: Cell<*mut Head>,
}

impl Locals {
    pub(crate) const fn new() -> Locals {
        Locals {
            slots: Cell::new(NonNull::dangling()),
            len: Cell::new(0),
            youngest: Cell::new(ptr::null_mut()),
        }
    }

    #[inline]
    fn slot(&self, number: usize) -> Option<&Slot> {
        // SAFETY: there are `len` slots. Only `grow` and `free` move them, which are called
        // where no such reference is kept.
        (number < self.len.get()).then(|| unsafe { self.slots.get().add(number).as_ref() })
    }

    /// # Safety
    ///
    /// Whatever was inserted under this number is a `T`.
    #[inline]
    pub(crate) unsafe fn find<T>(&self, number: &Number) -> Found<T> {
        let head = self.slot(number.get()).map_or(ptr::null_mut(), Cell::get);
        if head.addr() > gone().addr() {
            // SAFETY: it is alive, and a `T` by the caller's promise.
            return Found::Alive(unsafe {
                NonNull::new_unchecked(&raw mut (*head.cast::<Value<T>>()).value)
            });
        }
        if head.is_null() {
            Found::Nothing
        } else {
            Found::Gone
        }
    }

    /// Keeps a value under a number that has nothing.
    pub(crate) fn insert<T: 'static>(&self, number: &Number, value: T) -> NonNull<T> {
        let number = match number.get() {
            Number::NONE => number.assign(),
            number => number,
        };
        if number >= self.len.get() {
            self.grow(number + 1);
        }
        let has_destructor = needs_drop::<T>();
        let value = Box::into_raw(Box::new(Value {
            head: Head {
                older: self.youngest.get(),
                slot: number,
                has_destructor,
                drop: drop_value::<T>,
            },
            value,
        }));
        if has_destructor {
            self.youngest.set(value.cast());
        }
        let slot = self.slot(number).expect("there is room by now");
        debug_assert!(slot.get().is_null());
        slot.set(value.cast());
        // SAFETY: it comes from a box.
        unsafe { NonNull::new_unchecked(&raw mut (*value).value) }
    }

    #[cold]
    fn grow(&self, len: usize) {
        let mut larger: Vec<Slot> = Vec::new();
        larger.resize(len.next_power_of_two().max(8), Cell::new(ptr::null_mut()));
        let before = self.len.get();
        for (number, slot) in larger[..before].iter().enumerate() {
            slot.set(self.slot(number).map_or(ptr::null_mut(), Cell::get));
        }
        let larger = NonNull::from(Box::leak(larger.into_boxed_slice()));
        self.free_slots();
        self.slots.set(larger.cast());
        self.len.set(larger.len());
    }

    /// Drops all values that have a destructor, the youngest first, and those that the
    /// destructors make. On the thread's own stack: destructors may wait.
    #[inline]
    pub(crate) fn end(&self) {
        if !self.youngest.get().is_null() {
            self.end_all();
        }
    }

    #[cold]
    fn end_all(&self) {
        while let Some(head) = NonNull::new(self.youngest.get()) {
            // SAFETY: what is linked is alive.
            let (older, slot, drop) = unsafe {
                let head = head.as_ref();
                (head.older, head.slot, head.drop)
            };
            self.youngest.set(older);
            if let Some(slot) = self.slot(slot) {
                slot.set(gone());
            }
            // SAFETY: it is out of the list and of its slot, so it is ours.
            quietly(|| unsafe { drop(head.as_ptr()) });
        }
    }

    /// Gives back all memory but that of values with a destructor that has not run. The thread
    /// runs nothing any more.
    pub(crate) fn free(&self) {
        for number in 0..self.len.get() {
            let head = self.slot(number).map_or(ptr::null_mut(), Cell::get);
            // SAFETY: what is in a slot is alive; without a destructor nobody else drops it.
            unsafe {
                if head.addr() > gone().addr() && !(*head).has_destructor {
                    ((*head).drop)(head);
                }
            }
        }
        self.free_slots();
        self.slots.set(NonNull::dangling());
        self.len.set(0);
    }

    fn free_slots(&self) {
        let slots = NonNull::slice_from_raw_parts(self.slots.get(), self.len.get());
        if self.len.get() != 0 {
            // SAFETY: they come from a boxed slice of this length (`grow`), and the caller puts
            // others in their place.
            drop(unsafe { Box::from_raw(slots.as_ptr()) });
        }
    }
}

impl Drop for Locals {
    fn drop(&mut self) {
        // A thread that never came to its end leaves values behind: by Rule 3 its stack is in use.
        self.free();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::rc::Rc;

    fn read<T: Copy>(locals: &Locals, number: &Number) -> Option<T> {
        // SAFETY: the tests keep one type under a number.
        match unsafe { locals.find::<T>(number) } {
            // SAFETY: it is alive, and a copy leaves it so.
            Found::Alive(value) => Some(unsafe { value.read() }),
            Found::Nothing | Found::Gone => None,
        }
    }

    #[test]
    fn values_stay_while_the_table_grows() {
        let numbers: Vec<Number> = (0..100).map(|_| Number::new()).collect();
        let (one, other) = (Locals::new(), Locals::new());
        let places: Vec<NonNull<usize>> = numbers
            .iter()
            .enumerate()
            .map(|(value, number)| one.insert(number, value))
            .collect();
        for (value, number) in numbers.iter().enumerate() {
            assert_eq!(read::<usize>(&one, number), Some(value));
            assert_eq!(read::<usize>(&other, number), None);
            // SAFETY: as in `read`.
            assert_eq!(unsafe { places[value].read() }, value);
        }
    }

    #[test]
    fn a_value_ends_once_and_its_slot_says_so() {
        let (number, locals, value) = (Number::new(), Locals::new(), Rc::new(()));
        locals.insert(&number, Rc::clone(&value));
        locals.end();
        assert_eq!(Rc::strong_count(&value), 1);
        // SAFETY: an `Rc<()>` was kept there.
        let found = unsafe { locals.find::<Rc<()>>(&number) };
        assert!(matches!(found, Found::Gone));
        locals.end();
        locals.free();
    }

    #[test]
    fn what_needs_no_destructor_outlives_the_end() {
        let (number, locals) = (Number::new(), Locals::new());
        locals.insert(&number, 7);
        locals.end();
        assert_eq!(read::<i32>(&locals, &number), Some(7));
        locals.free();
        assert_eq!(read::<i32>(&locals, &number), None);
    }
}
