//! Does anybody look at a group of OS threads, which now and then all sleep? Who looks sleeps too then, and
//! the first of them that wakes up sees to it that it looks again.
//!
//! | word  | meaning                                   | leaves by                                       |
//! |-------|-------------------------------------------|-------------------------------------------------|
//! | true  | somebody will look                        | [`Attention::rest`], by who looks               |
//! | false | nobody will                               | [`Attention::is_due`], by the first that wakes up, or a second look of `rest` |
//!
//! *Who wakes up* (1) says so, (2) fence, (3) looks at the word. *Who looks*, when it has seen all asleep, (1)
//! lowers the word, (2) fence, (3) looks at them once more. Of two that write first and look second, with a fence
//! between, at least one sees the other; the exchange lets only one of them act.
#![forbid(unsafe_code)]

use crate::atomic::{AtomicBool, Ordering, fence};

/// Whether somebody will look.
///
/// ```
/// use trefoil_runtime::Attention;
///
/// let attention = Attention::paid();
/// assert!(!attention.rest(|| false), "all sleep");
/// assert!(attention.is_due(), "the first that wakes up");
/// assert!(!attention.is_due(), "the second");
/// ```
#[derive(Debug)]
pub struct Attention(AtomicBool);

impl Attention {
    /// Somebody will.
    #[must_use]
    pub fn paid() -> Attention {
        Attention(AtomicBool::new(true))
    }

    /// One of the group has said that it is awake. `true`: the caller has to make somebody look.
    #[must_use]
    #[inline]
    pub fn is_due(&self) -> bool {
        // Pairs with the fence of `rest`.
        fence(Ordering::SeqCst);
        // Relaxed: the fences order them.
        !self.0.load(Ordering::Relaxed) && !self.0.swap(true, Ordering::Relaxed)
    }

    /// Whoever looks has seen all asleep. `awake` looks once more. `true`: the caller has to look again.
    #[must_use]
    pub fn rest(&self, awake: impl FnOnce() -> bool) -> bool {
        self.0.store(false, Ordering::Relaxed);
        // Pairs with the fence of `is_due`.
        fence(Ordering::SeqCst);
        awake() && !self.0.swap(true, Ordering::Relaxed)
    }
}

#[cfg(all(test, trefoil_loom))]
mod loom_models {
    use super::*;
    use crate::atomic::AtomicU32;
    use loom::sync::Arc;
    use loom::thread;

    /// Two sleepers of which `wakers` wake up, while whoever looks comes to rest: it is made to look exactly once if
    /// one is awake, and not if none is.
    fn they_wake(wakers: usize) {
        loom::model(move || {
            let shared = Arc::new((Attention::paid(), AtomicU32::new(0), AtomicU32::new(0)));
            let threads: Vec<_> = (0..wakers)
                .map(|_| {
                    let shared = Arc::clone(&shared);
                    thread::spawn(move || {
                        let (attention, awake, alarms) = &*shared;
                        awake.fetch_add(1, Ordering::Relaxed);
                        if attention.is_due() {
                            alarms.fetch_add(1, Ordering::Relaxed);
                        }
                    })
                })
                .collect();
            let (attention, awake, alarms) = &*shared;
            if attention.rest(|| awake.load(Ordering::Relaxed) != 0) {
                alarms.fetch_add(1, Ordering::Relaxed);
            }
            threads
                .into_iter()
                .for_each(|thread| thread.join().unwrap());
            let due = usize::from(wakers != 0);
            assert_eq!(alarms.load(Ordering::Relaxed) as usize, due);
            assert_eq!(attention.is_due(), wakers == 0);
        });
    }

    #[test]
    fn nobody_wakes() {
        they_wake(0);
    }

    #[test]
    fn who_wakes_is_looked_at() {
        they_wake(1);
    }

    #[test]
    fn of_two_that_wake_one_makes_it_look() {
        they_wake(2);
    }
}
