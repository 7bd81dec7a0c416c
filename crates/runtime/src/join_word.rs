//! The join word of a thread: who takes care of its result, and who is told of its end.
//!
//! | word                  | meaning                                  | leaves by                          |
//! |-----------------------|------------------------------------------|------------------------------------|
//! | 0                     | the thread runs, its handle is kept      | `finish`, `detach`, `enlist`, `tell` |
//! | a waiter              | the thread runs, a joiner waits          | `finish` (fires it), `withdraw`    |
//! | a call, CALLS         | the thread runs, its handle is kept, and these calls are to be made | as the first row |
//! | a call, CALLS + DETACHED | the same, its handle is gone          | `finish` (drops the result)        |
//! | DETACHED              | the thread runs, its handle is gone      | `finish` (drops the result)        |
//! | DONE                  | the thread has ended; the result is the handle's | never                      |
//!
//! Calls are a list to which `tell` adds in front. A joiner that finds calls adds itself as one of them,
//! on its own stack: it owns the handle, so nobody adds another after it, and it can take itself out.

use core::cell::Cell;
use core::ptr;

use crate::atomic::{AtomicPtr, Ordering};
use crate::wait::Waiter;

const DETACHED: usize = 1;
const DONE: usize = 2;
const CALLS: usize = 4;

/// The flags lie below the address.
const FLAGS: usize = DETACHED | DONE | CALLS;

/// What is done when the thread has ended.
pub(crate) type Hook = Box<dyn FnOnce() + Send>;

/// One of the calls of the list.
struct Call {
    next: Cell<*const Call>,
    what: What,
}

enum What {
    /// Lies in a box, that the list owns.
    Run(Hook),
    /// Lies with the joiner, until its waiter is fired.
    Fire(*const Waiter),
}

/// A joiner's place, on its stack: used if there are calls.
pub(crate) struct Joiner {
    call: Call,
}

impl Joiner {
    pub(crate) fn new(waiter: &Waiter) -> Joiner {
        Joiner {
            call: Call {
                next: Cell::new(ptr::null()),
                what: What::Fire(waiter),
            },
        }
    }
}

/// A [`Waiter`] or a [`Call`] and flags.
type Word = *mut ();

pub(crate) struct JoinWord(AtomicPtr<()>);

/// What the ending thread has to do.
#[must_use]
pub(crate) struct Ending {
    before: Word,
}

impl JoinWord {
    pub(crate) fn new() -> JoinWord {
        JoinWord(AtomicPtr::new(ptr::null_mut()))
    }

    /// The thread has ended and its result is in place.
    pub(crate) fn finish(&self) -> Ending {
        // Release: pairs with `is_done`, `enlist`, `tell` and `detach` (the result is in place);
        // Acquire: pairs with `enlist` and `tell` (the waiter, the call is in place).
        let before = self
            .0
            .swap(ptr::without_provenance_mut(DONE), Ordering::AcqRel);
        Ending { before }
    }

    /// The same by the thread that has the handle: nobody else can come to the word.
    pub(crate) fn finish_alone(&self) -> Ending {
        // Relaxed, twice: as above.
        let before = self.0.load(Ordering::Relaxed);
        self.0
            .store(ptr::without_provenance_mut(DONE), Ordering::Relaxed);
        Ending { before }
    }

    pub(crate) fn is_done(&self) -> bool {
        // Acquire: pairs with `finish`.
        self.0.load(Ordering::Acquire).addr() == DONE
    }

    /// Whether the handle has gone. It never comes back.
    pub(crate) fn is_detached(&self) -> bool {
        // Relaxed: the result is the thread's own, before and after.
        self.0.load(Ordering::Relaxed).addr() & DETACHED != 0
    }

    /// The handle goes. `true`: the thread has ended before; the result is the caller's.
    pub(crate) fn detach(&self) -> bool {
        // Relaxed: what it holds is not looked at.
        let mut word = self.0.load(Ordering::Relaxed);
        loop {
            if word.addr() == DONE {
                // Acquire: pairs with `finish`.
                return self.is_done();
            }
            let detached = word.map_addr(|addr| addr | DETACHED);
            match self.exchange(word, detached) {
                Ok(()) => return false,
                Err(now) => word = now,
            }
        }
    }

    /// A joiner waits. `false`: no need to, the thread has ended.
    ///
    /// # Safety
    ///
    /// The waiter and the joiner stay where they are until the waiter has been fired or `withdraw` has said
    /// `true`. The caller owns the thread's handle.
    pub(crate) unsafe fn enlist(&self, waiter: &Waiter, joiner: &Joiner) -> bool {
        // Relaxed: what it holds is not looked at.
        let mut word = self.0.load(Ordering::Relaxed);
        loop {
            let next = match word.addr() {
                0 => ptr::from_ref(waiter).cast_mut().cast(),
                DONE => return !self.is_done(),
                _ => {
                    joiner.call.next.set(call_of(word));
                    flagged(&joiner.call)
                }
            };
            match self.exchange(word, next) {
                Ok(()) => return true,
                Err(now) => word = now,
            }
        }
    }

    /// The joiner gives up. `false`: too late, its waiter is being fired.
    pub(crate) fn withdraw(&self, waiter: &Waiter, joiner: &Joiner) -> bool {
        let alone: Word = ptr::from_ref(waiter).cast_mut().cast();
        let next = joiner.call.next.get();
        if next.is_null() {
            return self.exchange(alone, ptr::null_mut()).is_ok();
        }
        // Nobody has added a call since, for that takes the handle.
        self.exchange(flagged(&joiner.call), flagged(next)).is_ok()
    }

    /// Has something done when the thread has ended. An error gives it back: it has.
    pub(crate) fn tell(&self, hook: Hook) -> Result<(), Hook> {
        let call = Box::into_raw(Box::new(Call {
            next: Cell::new(ptr::null()),
            what: What::Run(hook),
        }));
        // Relaxed: what it holds is not looked at.
        let mut word = self.0.load(Ordering::Relaxed);
        while word.addr() != DONE {
            debug_assert!(word.addr() & FLAGS == CALLS || word.is_null(), "no joiner");
            // SAFETY: the call is ours until the exchange succeeds.
            unsafe { (*call).next.set(call_of(word)) };
            match self.exchange(word, flagged(call)) {
                Ok(()) => return Ok(()),
                Err(now) => word = now,
            }
        }
        // Acquire: pairs with `finish`: whoever is told now sees what the thread did.
        let _ = self.is_done();
        // SAFETY: it is still ours.
        match unsafe { Box::from_raw(call) }.what {
            What::Run(hook) => Err(hook),
            What::Fire(_) => unreachable!("it was made above"),
        }
    }

    fn exchange(&self, word: Word, next: Word) -> Result<(), Word> {
        // Release: pairs with `finish`: what was added is in place, also what earlier exchanges have added.
        // Acquire on failure: pairs with `finish` (the result is in place).
        self.0
            .compare_exchange(word, next, Ordering::Release, Ordering::Acquire)
            .map(drop)
    }
}

/// The first call of a word that is null or has some.
fn call_of(word: Word) -> *const Call {
    word.map_addr(|addr| addr & !FLAGS).cast()
}

fn flagged(call: *const Call) -> Word {
    call.map_addr(|addr| addr | CALLS).cast_mut().cast()
}

impl Ending {
    /// Whether the handle has gone: the result is to be dropped.
    pub(crate) fn is_detached(&self) -> bool {
        self.before.addr() & DETACHED != 0
    }

    /// Tells all who wanted to know.
    ///
    /// # Safety
    ///
    /// The thread is at its end, and this is called once.
    pub(crate) unsafe fn tell(&self, mut run: impl FnMut(Hook)) {
        if self.before.addr() & CALLS == 0 {
            let waiter = self.before.cast::<Waiter>();
            if !waiter.is_null() && self.before.addr() & FLAGS == 0 {
                // SAFETY: the joiner waits until its waiter is fired, which only we do.
                unsafe { Waiter::fire(waiter) };
            }
            return;
        }
        let mut call = call_of(self.before);
        while !call.is_null() {
            // SAFETY: the list is ours since the word says DONE. A joiner's call lives until it is fired;
            // the others are boxes.
            let (next, fire) = unsafe {
                let fire = match (*call).what {
                    What::Fire(waiter) => Some(waiter),
                    What::Run(_) => None,
                };
                ((*call).next.get(), fire)
            };
            match fire {
                // SAFETY: as above.
                Some(waiter) => unsafe { Waiter::fire(waiter) },
                None => {
                    // SAFETY: as above.
                    let call = unsafe { Box::from_raw(call.cast_mut()) };
                    if let What::Run(hook) = call.what {
                        run(hook);
                    }
                }
            }
            call = next;
        }
    }
}

#[cfg(all(test, trefoil_loom))]
mod loom_models {
    use super::*;
    use crate::reason::Reason;
    use crate::wait::{Outcome, Wait};
    use loom::sync::Arc;
    use loom::sync::atomic::AtomicUsize;
    use loom::thread;
    use std::time::Instant;

    /// A thread's word, its result, and how often somebody was told.
    struct Thread {
        word: JoinWord,
        result: AtomicUsize,
        told: AtomicUsize,
        dropped: AtomicUsize,
    }

    fn thread() -> Arc<Thread> {
        Arc::new(Thread {
            word: JoinWord::new(),
            result: AtomicUsize::new(0),
            told: AtomicUsize::new(0),
            dropped: AtomicUsize::new(0),
        })
    }

    fn end(thread: &Thread) {
        thread.result.store(7, Ordering::Relaxed);
        let ending = thread.word.finish();
        // SAFETY: once, at the end.
        unsafe { ending.tell(|hook| hook()) };
        if ending.is_detached() {
            thread.dropped.fetch_add(1, Ordering::Relaxed);
        }
    }

    fn hook(thread: &Arc<Thread>) -> Hook {
        let thread = Arc::clone(thread);
        Box::new(move || {
            assert_eq!(thread.result.load(Ordering::Relaxed), 7);
            thread.told.fetch_add(1, Ordering::Relaxed);
        })
    }

    /// As `JoinHandle::join`, where any time may have come.
    fn join(thread: &Thread, wait: &Wait) -> bool {
        let waiter = Waiter::new();
        let joiner = Joiner::new(&waiter);
        // SAFETY: fired or withdrawn before it goes.
        if unsafe { thread.word.enlist(&waiter, &joiner) } && waiter.wait(wait) != Outcome::Woken {
            if thread.word.withdraw(&waiter, &joiner) {
                return false;
            }
            let _ = waiter.wait(&Wait::new(Reason::Join));
        }
        assert_eq!(thread.result.load(Ordering::Relaxed), 7);
        true
    }

    /// Whoever wants to be told is, once, and whoever joins gets the result; in any order, whether the
    /// joiner waits or gives up and comes again.
    #[test]
    fn a_call_and_a_joiner_are_told() {
        for hasty in [false, true] {
            loom::model(move || {
                let thread = thread();
                let ends = {
                    let thread = Arc::clone(&thread);
                    thread::spawn(move || end(&thread))
                };
                let here = thread.word.tell(hook(&thread)).err();
                let is_over = here.is_some();
                if let Some(hook) = here {
                    hook();
                }
                let wait = Wait::new(Reason::Join).until(hasty.then(Instant::now));
                let joined = join(&thread, &wait) || join(&thread, &Wait::new(Reason::Join));
                assert!(joined);
                ends.join().unwrap();
                assert_eq!(thread.told.load(Ordering::Relaxed), 1, "{is_over}");
            });
        }
    }

    /// A handle that goes leaves the result to the thread or has it, and who was to be told is.
    #[test]
    fn a_call_outlives_the_handle() {
        loom::model(|| {
            let thread = thread();
            let ends = {
                let thread = Arc::clone(&thread);
                thread::spawn(move || end(&thread))
            };
            if let Err(hook) = thread.word.tell(hook(&thread)) {
                hook();
            }
            if thread.word.detach() {
                assert_eq!(thread.result.load(Ordering::Relaxed), 7);
                thread.dropped.fetch_add(1, Ordering::Relaxed);
            }
            ends.join().unwrap();
            assert_eq!(thread.told.load(Ordering::Relaxed), 1);
            assert_eq!(thread.dropped.load(Ordering::Relaxed), 1);
        });
    }

    /// Two who share the handle and want to be told at the same time both are.
    #[test]
    fn two_calls_are_made() {
        loom::model(|| {
            let thread = thread();
            let other = {
                let thread = Arc::clone(&thread);
                thread::spawn(move || thread.word.tell(hook(&thread)).is_ok())
            };
            assert!(thread.word.tell(hook(&thread)).is_ok());
            assert!(other.join().unwrap());
            end(&thread);
            assert_eq!(thread.told.load(Ordering::Relaxed), 2);
        });
    }
}
