//! One initialization, whoever comes first.
//!
//! | state      | meaning                                   | leaves by                        |
//! |------------|-------------------------------------------|----------------------------------|
//! | INCOMPLETE | nobody has begun                          | the first that comes             |
//! | RUNNING    | one thread initializes; others are queued | its end                          |
//! | COMPLETE   | done                                      | never                            |
//! | POISONED   | the initialization panicked               | a call that forces it            |
//!
//! The state changes under the queue's lock. An initialization that was cancelled has not
//! happened: the state goes back to what it was.
#![forbid(unsafe_code)]

use core::fmt;
use std::panic::{RefUnwindSafe, UnwindSafe};

#[cfg(not(trefoil_loom))]
use trefoil_runtime::cancel::Unwinding;
use trefoil_runtime::{Reason, Spin, Wait};

use crate::atomic::{AtomicU32, Ordering};
use crate::queue::{Batch, Queue};
use crate::turnstile;

const INCOMPLETE: u32 = 0;
const POISONED: u32 = 1;
const RUNNING: u32 = 2;
const COMPLETE: u32 = 3;

/// Runs something once, as [`std::sync::Once`].
///
/// A thread that comes while another one initializes is parked, in every model, and the one
/// that initializes may itself wait for anything. Waiting is no cancellation point. To call
/// the same `Once` inside its own initialization waits for ever.
///
/// ```
/// use trefoil_sync::Once;
///
/// static START: Once = Once::new();
/// START.call_once(|| println!("only once"));
/// START.call_once(|| unreachable!());
/// assert!(START.is_completed());
/// ```
pub struct Once {
    state: AtomicU32,
    queue: Spin<Queue<()>>,
}

/// What [`Once::call_once_force`] tells its closure.
///
/// ```
/// use trefoil_sync::Once;
///
/// Once::new().call_once_force(|state| assert!(!state.is_poisoned()));
/// ```
#[derive(Debug)]
pub struct OnceState {
    poisoned: bool,
}

impl OnceState {
    /// Whether an earlier initialization has panicked. Does not wait.
    ///
    /// ```
    /// use trefoil_sync::Once;
    ///
    /// let once = Once::new();
    /// let panics = || once.call_once(|| panic!("it is meant to"));
    /// assert!(std::panic::catch_unwind(panics).is_err());
    /// once.call_once_force(|state| assert!(state.is_poisoned()));
    /// ```
    #[must_use]
    pub fn is_poisoned(&self) -> bool {
        self.poisoned
    }
}

/// The initialization that runs; ends it, however it is left.
struct Running<'a> {
    once: &'a Once,
    before: u32,
    begun: Unwinding,
    after: Option<u32>,
}

impl Drop for Running<'_> {
    fn drop(&mut self) {
        let panicked = self.begun.has_panicked_since();
        let after = self
            .after
            .unwrap_or(if panicked { POISONED } else { self.before });
        let mut batch = Batch::new();
        let mut queue = self.once.queue.lock();
        // Release: pairs with `is_completed`.
        self.once.state.store(after, Ordering::Release);
        while let Some(node) = queue.pop() {
            batch.add(node);
        }
        drop(queue);
        batch.fire();
    }
}

impl Once {
    /// One that has not run.
    ///
    /// ```
    /// let once = trefoil_sync::Once::new();
    /// assert!(!once.is_completed());
    /// ```
    #[cfg(not(trefoil_loom))]
    #[must_use]
    pub const fn new() -> Once {
        Once {
            state: AtomicU32::new(INCOMPLETE),
            queue: Spin::new(Queue::new()),
        }
    }

    #[cfg(trefoil_loom)]
    pub(crate) fn new() -> Once {
        Once {
            state: AtomicU32::new(INCOMPLETE),
            queue: Spin::new(Queue::new()),
        }
    }

    /// Runs `f`, unless it or another closure has run here; returns when one has. Parks the thread
    /// while another one initializes. No cancellation point itself: a cancellation in `f` leaves it
    /// as it was before.
    ///
    /// # Panics
    ///
    /// With `f`'s panic, which poisons; and if an earlier call was poisoned.
    ///
    /// ```
    /// use std::sync::atomic::{AtomicU32, Ordering};
    /// use trefoil_sync::Once;
    ///
    /// let (once, runs) = (Once::new(), AtomicU32::new(0));
    /// std::thread::scope(|scope| {
    ///     for _ in 0..3 {
    ///         scope.spawn(|| {
    ///             once.call_once(|| drop(runs.fetch_add(1, Ordering::Relaxed)));
    ///             assert_eq!(runs.load(Ordering::Relaxed), 1);
    ///         });
    ///     }
    /// });
    /// ```
    #[inline]
    #[track_caller]
    pub fn call_once<F: FnOnce()>(&self, f: F) {
        if !self.is_completed() {
            self.call(false, |_| f());
        }
    }

    /// As [`call_once`](Once::call_once), but also after an initialization that panicked.
    ///
    /// # Panics
    ///
    /// With `f`'s panic, which poisons.
    ///
    /// ```
    /// use trefoil_sync::Once;
    ///
    /// let once = Once::new();
    /// let panics = || once.call_once(|| panic!("it is meant to"));
    /// assert!(std::panic::catch_unwind(panics).is_err());
    /// once.call_once_force(|_| ());
    /// assert!(once.is_completed());
    /// ```
    #[inline]
    #[track_caller]
    pub fn call_once_force<F: FnOnce(&OnceState)>(&self, f: F) {
        if !self.is_completed() {
            self.call(true, f);
        }
    }

    /// Whether an initialization has run to its end. If so, what it wrote is seen. Does not wait.
    ///
    /// ```
    /// let once = trefoil_sync::Once::new();
    /// once.call_once(|| assert!(!once.is_completed()));
    /// assert!(once.is_completed());
    /// ```
    #[must_use]
    #[inline]
    pub fn is_completed(&self) -> bool {
        // Acquire: pairs with the end of `Running`.
        self.state.load(Ordering::Acquire) == COMPLETE
    }

    /// Returns when an initialization has run to its end. Parks the thread until then. No
    /// cancellation point.
    ///
    /// # Panics
    ///
    /// If it is poisoned.
    ///
    /// ```
    /// use trefoil_sync::Once;
    ///
    /// let once = Once::new();
    /// std::thread::scope(|scope| {
    ///     scope.spawn(|| once.call_once(|| ()));
    ///     once.wait();
    /// });
    /// assert!(once.is_completed());
    /// ```
    #[track_caller]
    pub fn wait(&self) {
        let wait = Wait::new(Reason::Once);
        loop {
            match self.state.load(Ordering::Acquire) {
                COMPLETE => return,
                POISONED => refuse_poisoned(),
                state => turnstile::wait(&self.queue, &wait, || self.is_in(state)),
            }
        }
    }

    /// As [`wait`](Once::wait), but waits on after an initialization that panicked, until another
    /// one has run to its end.
    ///
    /// ```
    /// use trefoil_sync::Once;
    ///
    /// let once = Once::new();
    /// std::thread::scope(|scope| {
    ///     scope.spawn(|| once.call_once(|| ()));
    ///     once.wait_force();
    /// });
    /// ```
    #[track_caller]
    pub fn wait_force(&self) {
        let wait = Wait::new(Reason::Once);
        loop {
            // Acquire: as in `is_completed`.
            match self.state.load(Ordering::Acquire) {
                COMPLETE => return,
                state => turnstile::wait(&self.queue, &wait, || self.is_in(state)),
            }
        }
    }

    #[cold]
    #[track_caller]
    fn call(&self, force: bool, f: impl FnOnce(&OnceState)) {
        let wait = Wait::new(Reason::Once);
        loop {
            match self.begin(force) {
                COMPLETE => return,
                RUNNING => turnstile::wait(&self.queue, &wait, || self.is_in(RUNNING)),
                POISONED if !force => refuse_poisoned(),
                before => return self.run(before, f),
            }
        }
    }

    /// Begins to initialize, if that may be; tells the state before.
    fn begin(&self, force: bool) -> u32 {
        let _queue = self.queue.lock();
        // Acquire: as in `is_completed`.
        let state = self.state.load(Ordering::Acquire);
        if state == INCOMPLETE || state == POISONED && force {
            self.state.store(RUNNING, Ordering::Relaxed);
        }
        state
    }

    fn run(&self, before: u32, f: impl FnOnce(&OnceState)) {
        let mut running = Running {
            once: self,
            before,
            begun: Unwinding::now(),
            after: None,
        };
        f(&OnceState {
            poisoned: before == POISONED,
        });
        running.after = Some(COMPLETE);
    }

    fn is_in(&self, state: u32) -> bool {
        self.state.load(Ordering::Relaxed) == state
    }
}

#[cold]
#[track_caller]
fn refuse_poisoned() -> ! {
    panic!("the initialization of this `Once` has panicked before")
}

impl Default for Once {
    fn default() -> Once {
        Once::new()
    }
}

impl fmt::Debug for Once {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Once").finish_non_exhaustive()
    }
}

// A panic is told by the state.
impl UnwindSafe for Once {}
impl RefUnwindSafe for Once {}

/// In a model nobody panics: an initialization that ends without a result was cancelled.
#[cfg(trefoil_loom)]
#[derive(Clone, Copy)]
struct Unwinding;

#[cfg(trefoil_loom)]
impl Unwinding {
    fn now() -> Unwinding {
        Unwinding
    }

    fn has_panicked_since(self) -> bool {
        false
    }
}

#[cfg(all(test, trefoil_loom))]
mod loom_models {
    use super::*;
    use loom::sync::Arc;
    use loom::thread;

    struct Shared {
        once: Once,
        /// Written and read `Relaxed`: that it is seen is the work of the state.
        value: AtomicU32,
    }

    impl Shared {
        fn initialize(&self) {
            self.once.call_once(|| {
                assert_eq!(self.value.load(Ordering::Relaxed), 0, "it runs once");
                self.value.store(1, Ordering::Relaxed);
            });
            self.assert_seen();
        }

        /// An initialization that is cancelled, if it is this thread's turn.
        fn begin_in_vain(&self) {
            let before = self.once.begin(false);
            if before == INCOMPLETE {
                drop(Running {
                    once: &self.once,
                    before,
                    begun: Unwinding::now(),
                    after: None,
                });
            }
        }

        fn wait(&self) {
            self.once.wait();
            self.assert_seen();
        }

        fn assert_seen(&self) {
            assert_eq!(self.value.load(Ordering::Relaxed), 1);
        }
    }

    fn check(others: [fn(&Shared); 2]) {
        let mut model = loom::model::Builder::new();
        model.preemption_bound = Some(3);
        model.check(move || {
            let shared = Arc::new(Shared {
                once: Once::new(),
                value: AtomicU32::new(0),
            });
            let others = others.map(|other| {
                let shared = Arc::clone(&shared);
                thread::spawn(move || other(&shared))
            });
            shared.initialize();
            for other in others {
                other.join().unwrap();
            }
            assert!(shared.once.is_completed());
        });
    }

    /// Of three that come, one initializes, and all see what it did.
    #[test]
    fn one_of_three_initializes() {
        check([Shared::initialize, Shared::initialize]);
    }

    /// Who waits for it is let go, also if it waits before anybody has begun.
    #[test]
    fn a_waiter_is_let_go() {
        check([Shared::wait, Shared::initialize]);
    }

    /// Where an initialization was cancelled, one that waits takes over.
    #[test]
    fn a_cancelled_one_is_taken_over() {
        check([Shared::begin_in_vain, Shared::wait]);
        check([Shared::begin_in_vain, Shared::initialize]);
    }
}
