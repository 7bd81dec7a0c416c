//! What a thread waits for: shown in dumps and deadlock reports.
#![forbid(unsafe_code)]

use core::fmt;
use core::panic::Location;
use core::sync::atomic::{AtomicPtr, AtomicU8, AtomicU64, Ordering};
use core::time::Duration;

macro_rules! reasons {
    ($($name:ident: $text:literal,)*) => {
        /// What a thread waits for.
        ///
        /// ```
        /// use trefoil_runtime::Reason;
        ///
        /// assert_eq!(format!("it waits for {}", Reason::Mutex), "it waits for a mutex");
        /// ```
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[repr(u8)]
        #[non_exhaustive]
        pub enum Reason {
            $(#[doc = concat!("It waits for ", $text, ".")] $name,)*
        }

        impl Reason {
            const ALL: &'static [Reason] = &[$(Reason::$name,)*];

            /// The reason in words, as they follow "waits for". Does not wait.
            ///
            /// ```
            /// assert_eq!(trefoil_runtime::Reason::Sleep.text(), "a point in time");
            /// ```
            #[must_use]
            pub const fn text(self) -> &'static str {
                match self { $(Reason::$name => $text,)* }
            }
        }
    };
}

reasons! {
    Park: "an unpark",
    Sleep: "a point in time",
    Join: "a thread to finish",
    Scope: "the threads of a scope to finish",
    Mutex: "a mutex",
    RwLockRead: "a read lock",
    RwLockWrite: "a write lock",
    Condvar: "a condition variable",
    Once: "a one-time initialization",
    Barrier: "a barrier",
    Semaphore: "a permit of a semaphore",
    Send: "room in a channel",
    Receive: "a message from a channel",
    Select: "one of several channels",
    Accept: "a connection to accept",
    Connect: "a connection to be made",
    Read: "data to read",
    Write: "room to write",
    FileLock: "a lock of a file",
    Future: "a future to be ready",
    Process: "a child process to end",
    Blocking: "a blocking call on another OS thread",
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.text())
    }
}

/// What a thread waits for, where in the source, since when.
///
/// ```
/// use trefoil_runtime::{Reason, thread, threads};
///
/// let (tell, told) = std::sync::mpsc::channel();
/// let waits = std::thread::spawn(move || {
///     tell.send(thread::current()).unwrap();
///     thread::park();
/// });
/// let thread = told.recv().unwrap();
/// let waiting = loop {
///     let info = threads().into_iter().find(|info| info.id == thread.id()).unwrap();
///     if let Some(waiting) = info.waiting {
///         break waiting;
///     }
/// };
/// assert_eq!(waiting.reason, Reason::Park);
/// thread.unpark();
/// waits.join().unwrap();
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Waiting {
    /// What it waits for.
    pub reason: Reason,
    /// The call that waits, in the code that uses Trefoil.
    pub place: &'static Location<'static>,
    /// How long it has been waiting. Workers read the clock now and then, so this may be
    /// some milliseconds too long.
    pub since: Duration,
}

/// The place in the control block where a thread writes down what it waits for. Readers
/// on other OS threads may see a mixture of two waits: it is for people.
#[derive(Debug)]
pub(crate) struct WaitingNote {
    /// `Reason as u8 + 1`; 0: it does not wait.
    reason: AtomicU8,
    place: AtomicPtr<Location<'static>>,
    since: AtomicU64,
}

impl WaitingNote {
    pub(crate) const fn new() -> WaitingNote {
        WaitingNote {
            reason: AtomicU8::new(0),
            place: AtomicPtr::new(core::ptr::null_mut()),
            since: AtomicU64::new(0),
        }
    }

    #[inline]
    pub(crate) fn begin(&self, reason: Reason, place: &'static Location<'static>, now: u64) {
        self.place
            .store(core::ptr::from_ref(place).cast_mut(), Ordering::Relaxed);
        self.since.store(now, Ordering::Relaxed);
        self.reason.store(reason as u8 + 1, Ordering::Relaxed);
    }

    #[inline]
    pub(crate) fn end(&self) {
        self.reason.store(0, Ordering::Relaxed);
    }

    /// The reason, the place's address and the time, if the thread waits.
    pub(crate) fn read(&self) -> Option<(Reason, *const Location<'static>, u64)> {
        let number = self.reason.load(Ordering::Relaxed).checked_sub(1)?;
        let reason = *Reason::ALL.get(usize::from(number))?;
        let place = self.place.load(Ordering::Relaxed);
        let since = self.since.load(Ordering::Relaxed);
        (!place.is_null()).then_some((reason, place.cast_const(), since))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_note_is_read_back() {
        let note = WaitingNote::new();
        assert!(note.read().is_none());
        let here = Location::caller();
        note.begin(Reason::Blocking, here, 7);
        let (reason, place, since) = note.read().unwrap();
        assert_eq!((reason, since), (Reason::Blocking, 7));
        assert!(core::ptr::eq(place, here));
        note.end();
        assert!(note.read().is_none());
    }
}
