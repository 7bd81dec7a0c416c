//! The run state of a thread: one word, its table, and who may change it.
//!
//! | state    | the thread                            | who holds it                | leaves by |
//! |----------|---------------------------------------|-----------------------------|-----------|
//! | NEW      | is only its closure                   | a queue, as a `NewThread`   | `start`   |
//! | READY    | has a stack and waits for its worker  | its worker's ready queue    | `resume`  |
//! | RUNNING  | runs on its stack                     | the OS thread that runs it  | `park`, `yield_now`, `finish` |
//! | NOTIFIED | runs; a wake-up came before its park  | the OS thread that runs it  | `take_notice` |
//! | PARKED   | has left the processor                | nobody: it owns itself      | `wake`    |
//! | BOUND    | the same, and is to go on where it was | nobody: it owns itself     | `roaming_wake` |
//! | FINISHED | has returned and left its stack       | its handles, if any         | never     |
//!
//! The word has **three sets of transitions**, and a thread uses one of them for life.
//!
//! *Owned* (`owned_*`): a fiber. By Rule 1 a started fiber belongs to one OS thread,
//! and only that OS thread writes the word, so plain loads and stores do; other OS
//! threads may read it (dumps). A wake-up from elsewhere is a message in the owner's
//! inbox. The `mail` word is the one part that others write: it says that such a
//! message is under way, so that the intrusive link is used once at a time.
//!
//! *Shared* (`shared_*`): a kernel thread. It parks on the word itself as a futex, and
//! anybody may move it from RUNNING or PARKED to NOTIFIED.
//!
//! *Roaming* (`roaming_*`): a fiber of a runtime that migrates, which is READY in a queue that all its
//! workers take from. Any worker may wake it, and who has moved it from PARKED to READY holds it. So all
//! transitions are exchanges, also those that change nothing: what was written before a wake-up that finds
//! the thread READY is seen after `roaming_resume`. From BOUND only the worker wakes it that ran it last.
//!
//! A wake-up means "look again": whoever waits checks a condition in a loop, and who
//! wakes has made the condition true before. Both halves carry that order across:
//! what was written before `wake` is seen after `park` returns.

#![forbid(unsafe_code)]

use crate::atomic::{AtomicU32, Ordering, fence};

/// What a thread is doing, as dumps show it.
///
/// ```
/// use trefoil_runtime::{RunState, thread, threads};
///
/// let me = thread::current().id();
/// let mine = threads().into_iter().find(|thread| thread.id == me);
/// assert_eq!(mine.unwrap().state, RunState::Running);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum RunState {
    /// Not started: only its closure exists.
    New,
    /// Started and waiting for its worker.
    Ready,
    /// Running on its stack.
    Running,
    /// Parked: it waits for an event.
    Parked,
    /// Finished.
    Finished,
}

impl core::fmt::Display for RunState {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str(match self {
            RunState::New => "not started",
            RunState::Ready => "ready",
            RunState::Running => "running",
            RunState::Parked => "parked",
            RunState::Finished => "finished",
        })
    }
}

const NEW: u32 = 0;
const READY: u32 = 1;
const RUNNING: u32 = 2;
const NOTIFIED: u32 = 3;
const PARKED: u32 = 4;
const FINISHED: u32 = 5;
const BOUND: u32 = 6;

/// What a wake-up by the owner asks for.
#[must_use]
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum OwnedWake {
    /// The thread was parked: the caller must put it into its ready queue.
    Enqueue,
    /// Nothing to do: it is awake and will look again, or it has finished.
    Nothing,
}

/// What a wake-up of a thread that roams asks for.
#[cfg(any(test, feature = "fibers"))]
#[must_use]
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum RoamingWake {
    /// The thread was parked: it is the caller's now, who puts it into a queue.
    Enqueue,
    /// Nothing to do: it is awake and will look again, or it has finished.
    Nothing,
    /// Another worker must do it.
    Elsewhere,
}

/// What a wake-up of a kernel thread asks for.
#[must_use]
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum SharedWake {
    /// The thread sleeps on the word: the caller must wake the futex.
    Futex,
    /// Nothing to do.
    Nothing,
}

/// A thread's run state.
#[derive(Debug)]
pub(crate) struct State {
    word: AtomicU32,
    /// 1 while a wake-up message for this thread is in its owner's inbox.
    mail: AtomicU32,
}

impl State {
    pub(crate) fn new() -> State {
        State {
            word: AtomicU32::new(NEW),
            mail: AtomicU32::new(0),
        }
    }

    /// What the thread is doing, for dumps: a moment later it may be doing something else.
    pub(crate) fn get(&self) -> RunState {
        // Acquire: pairs with `start`, so that a reader who sees a started thread also
        // sees which runtime owns it. If it sees a later store of an `owned_*`, which is
        // Relaxed, it pairs with the fence of `start` before that store.
        match self.word.load(Ordering::Acquire) {
            NEW => RunState::New,
            READY => RunState::Ready,
            RUNNING | NOTIFIED => RunState::Running,
            PARKED | BOUND => RunState::Parked,
            _ => RunState::Finished,
        }
    }

    /// NEW -> RUNNING, in either set, by the OS thread that will run the thread.
    pub(crate) fn start(&self) {
        debug_assert_eq!(self.get(), RunState::New);
        // Release: pairs with `get`; the owner has been written before.
        self.word.store(RUNNING, Ordering::Release);
        // Pairs with `get`, which may see a later store (as a release fence); and with the
        // fence of `is_started_for_wake`: either the thread sees the token or
        // the request that the other side has set, or the other side sees it started.
        fence(Ordering::SeqCst);
    }

    /// Whether the thread must be woken because of something that was written before
    /// this call and that the thread looks at before it parks (its token, a request to
    /// cancel it). A thread that has not started will see it by itself.
    pub(crate) fn is_started_for_wake(&self) -> bool {
        // Pairs with the fence of `start`.
        fence(Ordering::SeqCst);
        !matches!(self.get(), RunState::New)
    }

    /// RUNNING -> FINISHED, by the OS thread that ran the thread. Wake-ups that come
    /// later find nobody.
    pub(crate) fn finish(&self) {
        // Release: pairs with `get`.
        self.word.store(FINISHED, Ordering::Release);
    }

    // ----- owned: only the owner's OS thread calls these, so Relaxed is program order.

    /// Before a park, on the thread's own stack: takes back a wake-up that came early.
    /// If it says `true`, the park must not happen.
    #[inline]
    pub(crate) fn owned_take_notice(&self) -> bool {
        if self.word.load(Ordering::Relaxed) == NOTIFIED {
            self.word.store(RUNNING, Ordering::Relaxed);
            return true;
        }
        false
    }

    /// RUNNING -> PARKED, by the scheduler once the stack has been left (Rule 4).
    #[inline]
    pub(crate) fn owned_park(&self) {
        debug_assert_eq!(self.word.load(Ordering::Relaxed), RUNNING);
        self.word.store(PARKED, Ordering::Relaxed);
    }

    /// RUNNING or NOTIFIED -> READY, by the scheduler once the stack has been left.
    /// A notice is dropped: the thread will run again, and looks again then.
    #[inline]
    pub(crate) fn owned_yield(&self) {
        self.word.store(READY, Ordering::Relaxed);
    }

    /// READY -> RUNNING, by the scheduler just before it switches to the stack.
    #[inline]
    pub(crate) fn owned_resume(&self) {
        debug_assert_eq!(self.word.load(Ordering::Relaxed), READY);
        self.word.store(RUNNING, Ordering::Relaxed);
    }

    /// A wake-up on the owner's OS thread.
    #[inline]
    pub(crate) fn owned_wake(&self) -> OwnedWake {
        match self.word.load(Ordering::Relaxed) {
            PARKED => {
                self.word.store(READY, Ordering::Relaxed);
                OwnedWake::Enqueue
            }
            RUNNING => {
                self.word.store(NOTIFIED, Ordering::Relaxed);
                OwnedWake::Nothing
            }
            _ => OwnedWake::Nothing,
        }
    }

    /// A wake-up from another OS thread: says whether the caller must put a message
    /// into the owner's inbox. If not, one is there that the owner has not read yet.
    #[inline]
    #[must_use]
    pub(crate) fn mail_post(&self) -> bool {
        // AcqRel: pairs with `mail_read`. Whoever finds 1 has released its condition
        // into the chain of exchanges that the reader acquires.
        self.mail.swap(1, Ordering::AcqRel) == 0
    }

    /// The owner has unlinked the message and is about to act on it.
    #[inline]
    pub(crate) fn mail_read(&self) {
        // AcqRel: pairs with `mail_post`. An exchange and not a store, so that the
        // conditions of posters that found 1 are visible to the thread it wakes.
        self.mail.swap(0, Ordering::AcqRel);
    }

    // ----- shared: a kernel thread parks on the word.

    /// RUNNING -> PARKED, or takes back a notice and says `false`: do not sleep.
    pub(crate) fn shared_prepare_park(&self) -> bool {
        // Release: pairs with `shared_wake`, so that the waker sees where the thread
        // sleeps (its alarm). Acquire on failure: pairs with `shared_wake`.
        match self
            .word
            .compare_exchange(RUNNING, PARKED, Ordering::Release, Ordering::Acquire)
        {
            Ok(_) => true,
            Err(_) => {
                self.shared_finish_park();
                false
            }
        }
    }

    /// Whether the thread is still to sleep.
    pub(crate) fn shared_is_parked(&self) -> bool {
        self.word.load(Ordering::Relaxed) == PARKED
    }

    /// PARKED or NOTIFIED -> RUNNING, on return from the park for whatever reason.
    pub(crate) fn shared_finish_park(&self) {
        // Acquire: pairs with `shared_wake`. An exchange and not a store: a second
        // wake-up may come between, and what it released must be acquired too.
        self.word.swap(RUNNING, Ordering::Acquire);
    }

    /// RUNNING, PARKED or NOTIFIED -> NOTIFIED, by anybody.
    pub(crate) fn shared_wake(&self) -> SharedWake {
        let mut seen = self.word.load(Ordering::Relaxed);
        loop {
            if seen == NEW || seen == FINISHED {
                return SharedWake::Nothing;
            }
            // Release: pairs with `shared_finish_park` and `shared_prepare_park`; Acquire:
            // pairs with `shared_prepare_park`. Also from NOTIFIED, where the exchange only adds to the release sequence.
            match self.word.compare_exchange_weak(
                seen,
                NOTIFIED,
                Ordering::AcqRel,
                Ordering::Relaxed,
            ) {
                Ok(PARKED) => return SharedWake::Futex,
                Ok(_) => return SharedWake::Nothing,
                Err(now) => seen = now,
            }
        }
    }

    /// The word as a futex. Kernel threads sleep here while it says PARKED.
    #[cfg(not(trefoil_loom))]
    pub(crate) fn futex(&self) -> (&core::sync::atomic::AtomicU32, u32) {
        (&self.word, PARKED)
    }
}

/// Roaming: any worker wakes the thread, and who holds it moves it on.
#[cfg(any(test, feature = "fibers"))]
impl State {
    /// RUNNING -> PARKED, or BOUND, by the scheduler once the stack has been left. `false`: a wake-up came
    /// before; it is READY, and the caller queues it.
    pub(crate) fn roaming_park(&self, bound: bool) -> bool {
        let parked = if bound { BOUND } else { PARKED };
        // Release: pairs with `roaming_wake`: the thread's own fields are its next worker's.
        let may = self
            .word
            .compare_exchange(RUNNING, parked, Ordering::Release, Ordering::Relaxed)
            .is_ok();
        if !may {
            self.roaming_yield();
        }
        may
    }

    /// RUNNING or NOTIFIED -> READY, by the scheduler once the stack has been left. A notice is dropped: the
    /// thread will run again, and looks again then.
    pub(crate) fn roaming_yield(&self) {
        // Acquire: pairs with `roaming_wake`, whose notice is dropped. Release: what was acquired goes on to
        // `roaming_resume`, whatever comes between.
        self.word.swap(READY, Ordering::AcqRel);
    }

    /// READY -> RUNNING, by the worker that has taken it out of a queue.
    pub(crate) fn roaming_resume(&self) {
        // Acquire: pairs with `roaming_wake`, of which several may have found it READY.
        let was = self.word.swap(RUNNING, Ordering::Acquire);
        debug_assert_eq!(was, READY);
    }

    /// A wake-up. `is_its`: whether the caller is the worker that ran it last.
    pub(crate) fn roaming_wake(&self, is_its: impl Fn() -> bool) -> RoamingWake {
        // Acquire, here and where it fails: pairs with `roaming_park`, for `is_its`.
        let mut seen = self.word.load(Ordering::Acquire);
        loop {
            let next = match seen {
                NEW | FINISHED => return RoamingWake::Nothing,
                BOUND if !is_its() => return RoamingWake::Elsewhere,
                PARKED | BOUND => READY,
                RUNNING => NOTIFIED,
                awake => awake,
            };
            // Release: pairs with `roaming_resume` and `roaming_yield`. Acquire: pairs with `roaming_park`.
            // Where it changes nothing the exchange adds to the release sequence.
            match self
                .word
                .compare_exchange_weak(seen, next, Ordering::AcqRel, Ordering::Acquire)
            {
                Ok(PARKED | BOUND) => return RoamingWake::Enqueue,
                Ok(_) => return RoamingWake::Nothing,
                Err(now) => seen = now,
            }
        }
    }
}

#[cfg(all(test, not(trefoil_loom)))]
mod tests {
    use super::*;

    #[test]
    fn owned_life() {
        let state = State::new();
        assert_eq!(state.get(), RunState::New);
        state.start();
        assert!(!state.owned_take_notice());
        state.owned_park();
        assert_eq!(state.get(), RunState::Parked);
        assert_eq!(state.owned_wake(), OwnedWake::Enqueue);
        assert_eq!(state.owned_wake(), OwnedWake::Nothing, "it is queued once");
        state.owned_resume();
        assert_eq!(state.owned_wake(), OwnedWake::Nothing);
        assert!(state.owned_take_notice(), "an early wake-up is kept");
        assert!(!state.owned_take_notice(), "and kept once");
        state.finish();
        assert_eq!(state.owned_wake(), OwnedWake::Nothing);
    }

    #[test]
    fn roaming_life() {
        let (state, its, anothers) = (State::new(), || true, || false);
        assert_eq!(state.roaming_wake(its), RoamingWake::Nothing);
        state.start();
        assert!(state.roaming_park(false));
        assert_eq!(state.get(), RunState::Parked);
        assert_eq!(state.roaming_wake(anothers), RoamingWake::Enqueue);
        assert_eq!(state.roaming_wake(its), RoamingWake::Nothing, "once");
        state.roaming_resume();
        assert_eq!(state.roaming_wake(anothers), RoamingWake::Nothing);
        assert!(!state.roaming_park(true), "an early wake-up is kept");
        state.roaming_resume();
        assert!(state.roaming_park(true), "and kept once");
        assert_eq!(state.get(), RunState::Parked);
        assert_eq!(state.roaming_wake(anothers), RoamingWake::Elsewhere);
        assert_eq!(state.roaming_wake(its), RoamingWake::Enqueue);
        state.roaming_resume();
        state.roaming_yield();
        assert_eq!(state.get(), RunState::Ready);
        state.roaming_resume();
        state.finish();
        assert_eq!(state.roaming_wake(its), RoamingWake::Nothing);
        assert_eq!(state.get(), RunState::Finished);
    }

    #[test]
    fn a_message_is_posted_once_until_it_is_read() {
        let state = State::new();
        assert!(state.mail_post());
        assert!(!state.mail_post());
        state.mail_read();
        assert!(state.mail_post());
    }

    #[test]
    fn shared_wake_finds_nobody_before_start_and_after_finish() {
        let state = State::new();
        assert_eq!(state.shared_wake(), SharedWake::Nothing);
        state.start();
        assert_eq!(state.shared_wake(), SharedWake::Nothing);
        assert!(!state.shared_prepare_park(), "the notice is taken back");
        assert!(state.shared_prepare_park());
        assert_eq!(state.shared_wake(), SharedWake::Futex);
        state.shared_finish_park();
        state.finish();
        assert_eq!(state.shared_wake(), SharedWake::Nothing);
        assert_eq!(state.get(), RunState::Finished);
    }
}

/// A condition is a word that is written and read `Relaxed`: that it is seen is the work of
/// the transitions. A lost wake-up is a deadlock, which loom reports.
#[cfg(all(test, trefoil_loom))]
mod loom_models {
    use super::*;
    use crate::inbox::testing::Note;
    use crate::inbox::{Inbox, Posted};
    use loom::sync::Arc;
    use loom::thread;

    struct Shared {
        state: State,
        conditions: [AtomicU32; 2],
    }

    fn started() -> Arc<Shared> {
        let shared = Arc::new(Shared {
            state: State::new(),
            conditions: [AtomicU32::new(0), AtomicU32::new(0)],
        });
        shared.state.start();
        shared
    }

    /// With three threads, all interleavings with up to two preemptions.
    fn bounded(body: impl Fn() + Sync + Send + 'static) {
        let mut model = loom::model::Builder::new();
        model.preemption_bound = Some(2);
        model.check(body);
    }

    impl Shared {
        fn all(&self) -> bool {
            let mut set = self.conditions.iter().map(|it| it.load(Ordering::Relaxed));
            set.all(|it| it == 1)
        }
    }

    /// A kernel thread parks until two others have made their conditions true. loom's `park`
    /// stands for the futex.
    #[test]
    fn a_kernel_thread_misses_no_wake_up() {
        bounded(|| {
            let shared = started();
            let sleeper = thread::current();
            let wakers = [0, 1].map(|which| {
                let (shared, sleeper) = (Arc::clone(&shared), sleeper.clone());
                thread::spawn(move || {
                    shared.conditions[which].store(1, Ordering::Relaxed);
                    if shared.state.shared_wake() == SharedWake::Futex {
                        sleeper.unpark();
                    }
                })
            });
            while !shared.all() {
                if shared.state.shared_prepare_park() {
                    while shared.state.shared_is_parked() {
                        thread::park();
                    }
                    shared.state.shared_finish_park();
                }
            }
            for waker in wakers {
                waker.join().unwrap();
            }
        });
    }

    /// A kernel thread waits for one condition, and is asked to give up by another thread. It
    /// ends by one of them, whichever it sees; and its next wait sees the request, also where
    /// the first one got what it waited for.
    #[test]
    fn a_request_and_a_wake_up_are_both_seen() {
        bounded(|| {
            let shared = started();
            let sleeper = thread::current();
            let others = [0, 1].map(|which| {
                let (shared, sleeper) = (Arc::clone(&shared), sleeper.clone());
                thread::spawn(move || {
                    shared.conditions[which].store(1, Ordering::Relaxed);
                    if shared.state.shared_wake() == SharedWake::Futex {
                        sleeper.unpark();
                    }
                })
            });
            let wait = |ends: &dyn Fn() -> bool| {
                while !ends() {
                    if shared.state.shared_prepare_park() {
                        while shared.state.shared_is_parked() {
                            thread::park();
                        }
                        shared.state.shared_finish_park();
                    }
                }
            };
            let is_set = |which: usize| shared.conditions[which].load(Ordering::Relaxed) == 1;
            wait(&|| is_set(0) || is_set(1));
            wait(&|| is_set(1));
            for other in others {
                other.join().unwrap();
            }
        });
    }

    /// Two others mail a fiber's owner; of two that come together one sends the message for
    /// both. What both wrote is seen after the message was read.
    #[test]
    fn a_fiber_misses_no_mail() {
        bounded(|| {
            let shared = started();
            let inbox = Arc::new(Inbox::new());
            let owner = thread::current();
            let posters = [0, 1].map(|which| {
                let (shared, owner) = (Arc::clone(&shared), owner.clone());
                let inbox = Arc::clone(&inbox);
                thread::spawn(move || {
                    shared.conditions[which].store(1, Ordering::Relaxed);
                    if shared.state.mail_post() && inbox.push(Note::new(which)) == Posted::WakeOwner
                    {
                        owner.unpark();
                    }
                })
            });
            loop {
                for _ in inbox.take() {
                    shared.state.mail_read();
                }
                if shared.all() {
                    break;
                }
                if inbox.fall_asleep() {
                    thread::park();
                }
            }
            for poster in posters {
                poster.join().unwrap();
            }
        });
    }

    /// A fiber that waits for two conditions.
    struct Roamer {
        shared: Arc<Shared>,
        /// Its own field, which it counts up by loads and stores.
        turns: AtomicU32,
        /// The same, counted by exchanges, which nobody can miss.
        all_turns: AtomicU32,
        ends: AtomicU32,
    }

    impl Roamer {
        /// Runs it, which is RUNNING, until it is parked or ends. `bound`: it is parked as BOUND.
        fn run(&self, bound: bool) {
            loop {
                let turns = self.turns.load(Ordering::Relaxed);
                self.turns.store(turns + 1, Ordering::Relaxed);
                let all = self.all_turns.fetch_add(1, Ordering::Relaxed);
                assert_eq!(turns, all, "what it did on another worker is seen");
                if self.shared.all() {
                    self.ends.fetch_add(1, Ordering::Relaxed);
                    return self.shared.state.finish();
                }
                if self.shared.state.roaming_park(bound) {
                    return;
                }
                self.shared.state.roaming_resume();
            }
        }

        fn wake(&self, bound: bool) -> bool {
            let woken = self.shared.state.roaming_wake(|| !bound);
            if woken == RoamingWake::Enqueue {
                self.shared.state.roaming_resume();
                self.run(false);
            }
            woken == RoamingWake::Elsewhere
        }

        /// It is run to its end, once.
        fn ends_once(&self) {
            assert_eq!(self.ends.load(Ordering::Relaxed), 1);
        }
    }

    fn roamer() -> Arc<Roamer> {
        Arc::new(Roamer {
            shared: started(),
            turns: AtomicU32::new(0),
            all_turns: AtomicU32::new(0),
            ends: AtomicU32::new(0),
        })
    }

    /// Who wakes a fiber that roams goes on with it, and with its fields; nobody else does, and it misses
    /// neither of two wake-ups.
    #[test]
    fn a_fiber_that_roams_is_gone_on_with_by_one() {
        bounded(|| {
            let fiber = roamer();
            let wakers = [0, 1].map(|which| {
                let fiber = Arc::clone(&fiber);
                thread::spawn(move || {
                    fiber.shared.conditions[which].store(1, Ordering::Relaxed);
                    assert!(!fiber.wake(false));
                })
            });
            fiber.run(false);
            for waker in wakers {
                waker.join().unwrap();
            }
            fiber.ends_once();
        });
    }

    /// From where it is bound to it is gone on with by nobody else: who would, tells its worker.
    #[test]
    fn a_bound_fiber_is_woken_by_its_worker() {
        bounded(|| {
            let fiber = roamer();
            fiber.shared.conditions[1].store(1, Ordering::Relaxed);
            let other = {
                let fiber = Arc::clone(&fiber);
                thread::spawn(move || {
                    fiber.shared.conditions[0].store(1, Ordering::Relaxed);
                    fiber.wake(true)
                })
            };
            fiber.run(true);
            if other.join().unwrap() {
                assert!(!fiber.wake(false));
            }
            fiber.ends_once();
        });
    }

    /// What is written before a wake-up of a thread that is just starting is seen by the
    /// thread, or the waker sees that it has started.
    #[test]
    fn a_starting_thread_is_woken_or_sees_it_itself() {
        loom::model(|| {
            let shared = Arc::new(Shared {
                state: State::new(),
                conditions: [AtomicU32::new(0), AtomicU32::new(0)],
            });
            let waker = {
                let shared = Arc::clone(&shared);
                thread::spawn(move || {
                    shared.conditions[0].store(1, Ordering::Relaxed);
                    shared.state.is_started_for_wake()
                })
            };
            shared.state.start();
            let seen = shared.conditions[0].load(Ordering::Relaxed) == 1;
            assert!(waker.join().unwrap() || seen);
        });
    }
}
