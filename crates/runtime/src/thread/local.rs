//! `thread_local!`: variables of which every thread has its own, as in `std`.
//!
//! The thread is ours, a fiber or a kernel thread, and not the OS thread: neighbours on one OS
//! thread have different values. What a thread has is kept in its control block (`locals.rs`);
//! here is the key by which it is found.

use core::cell::{Cell, RefCell};
use core::fmt;
use core::ptr::NonNull;

use super::locals::{Found, Number};
use crate::current;

/// Declares variables of which every thread has its own, as `std::thread_local!`.
///
/// Each becomes a static [`LocalKey`]. The thread is the one of Trefoil: fibers on the same OS
/// thread have values of their own. A plain `std::thread` has some too. In
/// [`thread::blocking`](crate::thread::blocking) it is the thread that makes the call.
///
/// The initial value is computed when a thread first uses the variable. `const { … }` demands
/// that it is a constant.
///
/// ```
/// use std::cell::{Cell, RefCell};
///
/// trefoil_runtime::thread_local! {
///     /// How often this thread was asked.
///     pub static ASKED: Cell<u32> = const { Cell::new(0) };
///     static NAMES: RefCell<Vec<String>> = RefCell::new(Vec::new());
/// }
///
/// ASKED.set(ASKED.get() + 1);
/// NAMES.with_borrow_mut(|names| names.push("Ada".to_owned()));
/// assert_eq!(ASKED.get(), 1);
/// std::thread::spawn(|| assert_eq!(ASKED.get(), 0)).join().unwrap();
/// ```
#[macro_export]
macro_rules! thread_local {
    () => {};
    ($(#[$attr:meta])* $vis:vis static $name:ident: $t:ty = const $init:block; $($rest:tt)*) => {
        $crate::thread_local!(@ [$(#[$attr])*] $vis $name, $t, { const { $init } });
        $crate::thread_local!($($rest)*);
    };
    ($(#[$attr:meta])* $vis:vis static $name:ident: $t:ty = const $init:block) => {
        $crate::thread_local!(@ [$(#[$attr])*] $vis $name, $t, { const { $init } });
    };
    ($(#[$attr:meta])* $vis:vis static $name:ident: $t:ty = $init:expr; $($rest:tt)*) => {
        $crate::thread_local!(@ [$(#[$attr])*] $vis $name, $t, { $init });
        $crate::thread_local!($($rest)*);
    };
    ($(#[$attr:meta])* $vis:vis static $name:ident: $t:ty = $init:expr) => {
        $crate::thread_local!(@ [$(#[$attr])*] $vis $name, $t, { $init });
    };
    (@ [$($attr:tt)*] $vis:vis $name:ident, $t:ty, $init:block) => {
        $($attr)*
        $vis static $name: $crate::thread::LocalKey<$t> = {
            // No name that the initializer may mean.
            fn __trefoil_init() -> $t $init
            $crate::thread::LocalKey::new(__trefoil_init)
        };
    };
}

/// A variable of which every thread has its own; made by
/// [`thread_local!`](crate::thread_local!). As `std::thread::LocalKey`.
///
/// **Where it lives.** With the thread: a reference that a closure was given is good until the
/// closure returns, also if it waits. Nobody else touches the value meanwhile, for it belongs to
/// this thread alone. A thread that uses no such variable pays nothing for them; a variable's
/// first use in a thread allocates.
///
/// **When it is dropped.** At the thread's end, after its closure, and after its result if nobody
/// will ask for that; on the thread's own stack; before a joiner or a scope is told. A variable is
/// dropped before those that the thread first used earlier. Its destructor may wait, and may use
/// other variables, also such as the thread has not used before: those are dropped too. A variable
/// whose destructor runs or has run is gone: [`with`](LocalKey::with) panics,
/// [`try_with`](LocalKey::try_with) gives an error. One without a destructor stays until the end.
///
/// **Panics of a destructor** end there: the panic hook is told, and the other variables are
/// dropped. (`std` ends the process.) A destructor whose wait is a cancellation point, in a thread
/// that was asked to end, is left in the same way.
///
/// **An initializer** may wait too, and use other variables. If it uses its own, the value that was
/// made first stays, and the other is dropped.
///
/// **Waiting.** Its methods wait for nothing themselves; what they call may.
///
/// What is left behind with a thread that never ends is not dropped, nor what the destructor of a
/// `std::thread_local!` makes after a plain thread's own have been dropped.
///
/// ```
/// use std::cell::Cell;
/// use trefoil_runtime::thread::LocalKey;
///
/// trefoil_runtime::thread_local!(static TURNS: Cell<u32> = const { Cell::new(0) });
///
/// fn count(key: &'static LocalKey<Cell<u32>>) -> u32 {
///     key.set(key.get() + 1);
///     key.get()
/// }
///
/// assert_eq!((count(&TURNS), count(&TURNS)), (1, 2));
/// assert_eq!(std::thread::spawn(|| count(&TURNS)).join().unwrap(), 1);
/// ```
pub struct LocalKey<T: 'static> {
    number: Number,
    init: fn() -> T,
}

/// [`LocalKey::try_with`] was called during or after the variable's destruction.
///
/// ```
/// use std::sync::Mutex;
/// use trefoil_runtime::thread::AccessError;
///
/// static SEEN: Mutex<Option<Result<(), AccessError>>> = Mutex::new(None);
///
/// struct Asks;
/// impl Drop for Asks {
///     fn drop(&mut self) {
///         *SEEN.lock().unwrap() = Some(ASKS.try_with(|_| ()));
///     }
/// }
/// trefoil_runtime::thread_local!(static ASKS: Asks = Asks);
///
#[doc = include_str!("in_a_run.md")]
/// # run(|| {
/// trefoil_runtime::thread::spawn(|| ASKS.with(|_| ())).join().unwrap();
/// # });
/// assert!(SEEN.lock().unwrap().take().unwrap().is_err());
/// ```
#[derive(Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct AccessError;

impl fmt::Debug for AccessError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AccessError").finish()
    }
}

impl fmt::Display for AccessError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a thread-local variable was used while, or after, its thread dropped it")
    }
}

impl std::error::Error for AccessError {}

#[cold]
#[track_caller]
fn refuse(error: AccessError) -> ! {
    panic!(
        "{error}: use `try_with`, or let the variable that is dropped later be used first by the \
         thread"
    )
}

impl<T: 'static> LocalKey<T> {
    /// For the macro's expansion alone.
    #[doc(hidden)]
    #[must_use]
    pub const fn new(init: fn() -> T) -> LocalKey<T> {
        LocalKey {
            number: Number::new(),
            init,
        }
    }

    /// Calls `f` with this thread's value, which is made first if there is none. Does not wait
    /// itself.
    ///
    /// # Panics
    ///
    /// If the thread has dropped the value, or is about to. With the panic of `f`, or of the
    /// initializer, which leaves no value.
    ///
    /// ```
    /// trefoil_runtime::thread_local!(static NAME: String = "Ada".to_owned());
    /// assert_eq!(NAME.with(|name| name.len()), 3);
    /// ```
    #[inline]
    #[track_caller]
    pub fn with<F, R>(&'static self, f: F) -> R
    where
        F: FnOnce(&T) -> R,
    {
        match self.try_with(f) {
            Ok(value) => value,
            Err(error) => refuse(error),
        }
    }

    /// As [`with`](LocalKey::with), with an error where that panics.
    ///
    /// # Errors
    ///
    /// The thread has dropped the value, or is about to. `f` is not called then.
    ///
    /// # Panics
    ///
    /// With the panic of `f`, or of the initializer, which leaves no value.
    ///
    /// ```
    /// trefoil_runtime::thread_local!(static NAME: String = "Ada".to_owned());
    /// assert_eq!(NAME.try_with(|name| name.len()), Ok(3));
    /// ```
    #[inline]
    pub fn try_with<F, R>(&'static self, f: F) -> Result<R, AccessError>
    where
        F: FnOnce(&T) -> R,
    {
        let value = match self.find() {
            Found::Alive(value) => value,
            Found::Nothing => self.make(self.init)?,
            Found::Gone => return Err(AccessError),
        };
        // SAFETY: it stays where it is until the thread's closure has returned and, after that,
        // until its own destructor is called, which is not while another one's runs `f`. The
        // reference ends with `f`.
        Ok(f(unsafe { value.as_ref() }))
    }

    #[inline]
    fn find(&'static self) -> Found<T> {
        let me = current::thread_ref();
        // SAFETY: the current thread is alive, only it touches its locals, and a key keeps
        // values of its one type under its number.
        unsafe { me.0.as_ref().locals.find(&self.number) }
    }

    /// Makes the value. `init` may do whatever a thread may do: so the current thread is asked
    /// for anew.
    #[cold]
    fn make(&'static self, init: impl FnOnce() -> T) -> Result<NonNull<T>, AccessError> {
        let value = init();
        match self.find() {
            Found::Nothing => {
                let me = current::thread_ref();
                // SAFETY: as in `find`.
                Ok(unsafe { me.0.as_ref() }.locals.insert(&self.number, value))
            }
            // The initializer has used its own variable.
            Found::Alive(first) => Ok(first),
            Found::Gone => Err(AccessError),
        }
    }

    /// Gives the value to `change` if there is one, else makes it of `first`, without the
    /// initializer.
    #[inline]
    #[track_caller]
    fn put(&'static self, first: T, change: impl FnOnce(&T, T)) {
        match self.find() {
            // SAFETY: as in `try_with`.
            Found::Alive(value) => change(unsafe { value.as_ref() }, first),
            Found::Nothing => {
                let made = self.make(|| first);
                debug_assert!(made.is_ok());
            }
            Found::Gone => refuse(AccessError),
        }
    }
}

impl<T: 'static> LocalKey<Cell<T>> {
    /// Sets this thread's value. If there is none it is made of `value`, and the initializer is
    /// not called.
    ///
    /// # Panics
    ///
    /// As [`with`](LocalKey::with).
    ///
    /// ```
    /// use std::cell::Cell;
    /// trefoil_runtime::thread_local!(static TURNS: Cell<u32> = panic!("`set` comes first"));
    /// TURNS.set(1);
    /// assert_eq!(TURNS.get(), 1);
    /// ```
    #[track_caller]
    pub fn set(&'static self, value: T) {
        self.put(Cell::new(value), |cell, value| cell.set(value.into_inner()));
    }

    /// A copy of this thread's value.
    ///
    /// # Panics
    ///
    /// As [`with`](LocalKey::with).
    ///
    /// ```
    /// use std::cell::Cell;
    /// trefoil_runtime::thread_local!(static TURNS: Cell<u32> = const { Cell::new(7) });
    /// assert_eq!(TURNS.get(), 7);
    /// ```
    #[track_caller]
    pub fn get(&'static self) -> T
    where
        T: Copy,
    {
        self.with(Cell::get)
    }

    /// Takes this thread's value, and leaves the default.
    ///
    /// # Panics
    ///
    /// As [`with`](LocalKey::with).
    ///
    /// ```
    /// use std::cell::Cell;
    /// trefoil_runtime::thread_local!(static TURNS: Cell<u32> = const { Cell::new(7) });
    /// assert_eq!((TURNS.take(), TURNS.take()), (7, 0));
    /// ```
    #[track_caller]
    pub fn take(&'static self) -> T
    where
        T: Default,
    {
        self.with(Cell::take)
    }

    /// Sets this thread's value, and gives the one before.
    ///
    /// # Panics
    ///
    /// As [`with`](LocalKey::with).
    ///
    /// ```
    /// use std::cell::Cell;
    /// trefoil_runtime::thread_local!(static TURNS: Cell<u32> = const { Cell::new(7) });
    /// assert_eq!((TURNS.replace(8), TURNS.get()), (7, 8));
    /// ```
    #[track_caller]
    pub fn replace(&'static self, value: T) -> T {
        self.with(|cell| cell.replace(value))
    }
}

impl<T: 'static> LocalKey<RefCell<T>> {
    /// Calls `f` with a reference to what this thread's cell holds.
    ///
    /// # Panics
    ///
    /// As [`with`](LocalKey::with); and if the cell is mutably borrowed.
    ///
    /// ```
    /// use std::cell::RefCell;
    /// trefoil_runtime::thread_local!(static LIST: RefCell<Vec<u32>> = RefCell::new(vec![1, 2]));
    /// assert_eq!(LIST.with_borrow(|list| list.len()), 2);
    /// ```
    #[track_caller]
    pub fn with_borrow<F, R>(&'static self, f: F) -> R
    where
        F: FnOnce(&T) -> R,
    {
        self.with(|cell| f(&cell.borrow()))
    }

    /// Calls `f` with a mutable reference to what this thread's cell holds.
    ///
    /// # Panics
    ///
    /// As [`with`](LocalKey::with); and if the cell is borrowed.
    ///
    /// ```
    /// use std::cell::RefCell;
    /// trefoil_runtime::thread_local!(static LIST: RefCell<Vec<u32>> = RefCell::new(vec![1, 2]));
    /// LIST.with_borrow_mut(|list| list.push(3));
    /// assert_eq!(LIST.take(), [1, 2, 3]);
    /// ```
    #[track_caller]
    pub fn with_borrow_mut<F, R>(&'static self, f: F) -> R
    where
        F: FnOnce(&mut T) -> R,
    {
        self.with(|cell| f(&mut cell.borrow_mut()))
    }

    /// Sets what this thread's cell holds. If there is none it is made of `value`, and the
    /// initializer is not called.
    ///
    /// # Panics
    ///
    /// As [`with`](LocalKey::with); and if the cell is borrowed.
    ///
    /// ```
    /// use std::cell::RefCell;
    /// trefoil_runtime::thread_local!(static LIST: RefCell<Vec<u32>> = panic!("`set` comes first"));
    /// LIST.set(vec![1]);
    /// assert_eq!(LIST.take(), [1]);
    /// ```
    #[track_caller]
    pub fn set(&'static self, value: T) {
        self.put(RefCell::new(value), |cell, value| {
            *cell.borrow_mut() = value.into_inner();
        });
    }

    /// Takes what this thread's cell holds, and leaves the default.
    ///
    /// # Panics
    ///
    /// As [`with`](LocalKey::with); and if the cell is borrowed.
    ///
    /// ```
    /// use std::cell::RefCell;
    /// trefoil_runtime::thread_local!(static LIST: RefCell<Vec<u32>> = RefCell::new(vec![1, 2]));
    /// assert_eq!((LIST.take(), LIST.take()), (vec![1, 2], vec![]));
    /// ```
    #[track_caller]
    pub fn take(&'static self) -> T
    where
        T: Default,
    {
        self.with(RefCell::take)
    }

    /// Replaces what this thread's cell holds, and gives what it held before.
    ///
    /// # Panics
    ///
    /// As [`with`](LocalKey::with); and if the cell is borrowed.
    ///
    /// ```
    /// use std::cell::RefCell;
    /// trefoil_runtime::thread_local!(static NAME: RefCell<String> = RefCell::new("Ada".to_owned()));
    /// assert_eq!(NAME.replace("Grace".to_owned()), "Ada");
    /// ```
    #[track_caller]
    pub fn replace(&'static self, value: T) -> T {
        self.with(|cell| cell.replace(value))
    }
}

impl<T: 'static> fmt::Debug for LocalKey<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LocalKey").finish_non_exhaustive()
    }
}
