//! All threads that have not ended: what dumps, deadlock reports and shutdown read.
//!
//! Lists of control blocks, linked through the blocks themselves, each behind a spin lock.
//! An OS thread puts what it spawns into one list, so workers that spawn do not meet.

use core::cell::Cell;
use core::fmt;
use core::panic::Location;
use core::ptr::NonNull;
use core::sync::atomic::{AtomicUsize, Ordering};

use crate::clock;
use crate::model::Model;
use crate::reason::Waiting;
use crate::site::Site;
use crate::spin::Spin;
use crate::state::RunState;
use crate::thread::{Header, Thread, ThreadId};

/// As many OS threads list without meeting each other.
const SHARDS: usize = 64;

/// A control block's place in its list, guarded by the list's lock.
pub(crate) struct Listed {
    shard: Cell<usize>,
    next: Cell<Option<NonNull<Header>>>,
    previous: Cell<Option<NonNull<Header>>>,
}

impl Listed {
    pub(crate) const fn new() -> Listed {
        Listed {
            shard: Cell::new(0),
            next: Cell::new(None),
            previous: Cell::new(None),
        }
    }
}

/// The first block of a list.
#[repr(align(128))]
struct Shard(Spin<List>);

struct List(Option<NonNull<Header>>);

// SAFETY: the pointers are to live headers, and are followed only under the lock.
unsafe impl Send for List {}

static REGISTRY: [Shard; SHARDS] = [const { Shard(Spin::new(List(None))) }; SHARDS];

/// The list into which this OS thread puts threads.
fn shard() -> usize {
    static NEXT: AtomicUsize = AtomicUsize::new(0);
    thread_local! {
        static SHARD: Cell<usize> = const { Cell::new(usize::MAX) };
    }
    let mut shard = SHARD.get();
    if shard == usize::MAX {
        shard = NEXT.fetch_add(1, Ordering::Relaxed) % SHARDS;
        SHARD.set(shard);
    }
    shard
}

/// # Safety
///
/// The header is alive as long as the answer is used: it is listed, and the list's lock is
/// held, or the caller has a reference.
unsafe fn listed<'a>(header: NonNull<Header>) -> &'a Listed {
    // SAFETY: the caller's promise.
    unsafe { &(*header.as_ptr()).listed }
}

/// Lists a thread.
///
/// # Safety
///
/// It is alive and not listed, nobody else lists it or takes it out meanwhile, and it is
/// [taken out](remove) before its last reference goes.
// Not inlined: a fiber that roams keeps no address of an OS thread's own.
#[inline(never)]
pub(crate) unsafe fn insert(header: NonNull<Header>) {
    let shard = shard();
    // SAFETY: it is alive, and nobody else uses the place of a thread that is not listed.
    let place = unsafe { listed(header) };
    place.shard.set(shard);
    let mut list = REGISTRY[shard].0.lock();
    place.next.set(list.0);
    // A thread that runs destructors after its end is listed a second time (`clear_late`).
    place.previous.set(None);
    if let Some(next) = list.0 {
        // SAFETY: it is listed, and the lock is held.
        unsafe { listed(next) }.previous.set(Some(header));
    }
    list.0 = Some(header);
}

/// Takes out a thread that has ended.
///
/// # Safety
///
/// It is listed, nobody else takes it out, and the caller has a reference.
pub(crate) unsafe fn remove(header: NonNull<Header>) {
    // SAFETY: the caller has a reference. The shard is written before the thread is listed,
    // and not while it is.
    let place = unsafe { listed(header) };
    let mut list = REGISTRY[place.shard.get()].0.lock();
    match place.previous.get() {
        // SAFETY: it is listed, and the lock is held.
        Some(previous) => unsafe { listed(previous) }.next.set(place.next.get()),
        None => list.0 = place.next.get(),
    }
    if let Some(next) = place.next.get() {
        // SAFETY: as above.
        unsafe { listed(next) }.previous.set(place.previous.get());
    }
}

/// Handles to the threads that have not ended and that `wanted` picks. It must not block.
pub(crate) fn collect(wanted: impl Fn(&Thread) -> bool) -> Vec<Thread> {
    let mut threads = Vec::new();
    for shard in &REGISTRY {
        // Cloned under the lock and used outside: the vector may grow meanwhile, which
        // takes no lock of ours.
        let list = shard.0.lock();
        let mut next = list.0;
        while let Some(header) = next {
            // SAFETY: it is listed, so its thread's reference is there as long as the lock is
            // held; the handle is not used longer.
            let thread = unsafe { Thread::borrowed(&header) };
            if wanted(thread) {
                threads.push(thread.clone());
            }
            // SAFETY: it is listed, and the lock is held.
            next = unsafe { listed(header) }.next.get();
        }
    }
    threads
}

/// What is known of a thread, at one moment.
///
/// ```
/// use trefoil_runtime::{RunState, thread, threads};
///
/// let me = thread::current().id();
/// let info = threads().into_iter().find(|thread| thread.id == me).unwrap();
/// assert_eq!((info.state, info.waiting), (RunState::Running, None));
/// assert!(info.to_string().ends_with("kernel) is running"), "{info}");
/// ```
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct ThreadInfo {
    /// Its number.
    pub id: ThreadId,
    /// Its name, if it has one.
    pub name: Option<String>,
    /// By which model it waits.
    pub model: Model,
    /// What it is doing.
    pub state: RunState,
    /// What it waits for, if it does.
    pub waiting: Option<Waiting>,
    /// Where it was spawned; for a main thread, where `run` was called. `None`: it is a plain OS
    /// thread.
    ///
    /// That is the line that calls the function. One that is passed as a value, as in
    /// `.map(thread::spawn)`, is called by `core`, and the place is one in there: the compiler tells
    /// no other. Write `.map(|work| thread::spawn(work))`, and it is that line.
    pub spawned_at: Option<&'static Location<'static>>,
    /// It was to be a thread of another model, and was moved to a kernel thread: others of its site had kept a worker
    /// from all others ([`Relief`](crate::Relief)).
    pub moved: bool,
    /// Of one that could be moved, if its site is learned.
    pub(crate) site: Option<Site>,
}

impl ThreadInfo {
    pub(crate) fn of(thread: &Thread) -> ThreadInfo {
        let header = thread.header();
        let state = header.state.get();
        let note = header
            .waiting
            .read()
            .filter(|_| !matches!(state, RunState::New | RunState::Finished));
        ThreadInfo {
            id: thread.id(),
            name: thread.name().map(str::to_owned),
            model: thread.model(),
            state,
            spawned_at: header.traits.spawned_at,
            moved: header.kind.is_moved(),
            site: header.may_be_moved().then(|| Site::of(header)),
            waiting: note.map(|(reason, place, since)| Waiting {
                reason,
                // SAFETY: the note holds nothing but null, which was sorted out, and
                // addresses of locations, which are never freed.
                place: unsafe { &*place },
                since: clock::elapsed_since(since),
            }),
        }
    }
}

impl fmt::Display for ThreadInfo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let moved = if self.moved { ", moved" } else { "" };
        match &self.name {
            Some(name) => write!(
                f,
                "thread '{name}' ({}, {}{moved})",
                self.id.get(),
                self.model
            )?,
            None => write!(f, "thread {} ({}{moved})", self.id.get(), self.model)?,
        }
        match &self.waiting {
            Some(Waiting {
                reason,
                place,
                since,
            }) => write!(f, " waits for {reason} at {place}, for {since:.1?}"),
            None => write!(f, " is {}", self.state),
        }
    }
}

/// All threads of the process that have not ended: those of every runtime, started or not,
/// and the plain OS threads that have used something of ours. Each is described as it is
/// at the moment it is looked at, while the others run on. Ordered by id. Does not wait, but for a
/// lock that nobody holds for long.
///
/// ```
/// let me = trefoil_runtime::thread::current();
/// assert!(trefoil_runtime::threads().iter().any(|thread| thread.id == me.id()));
/// ```
#[must_use]
pub fn threads() -> Vec<ThreadInfo> {
    describe(&collect(|_| true))
}

/// The thread that runs on the OS thread which is the owner of fibers with this number. `None`: none does,
/// at the moment. Takes a lock that nobody holds for long, and looks at all threads.
///
/// ```
/// // No owner has this number.
/// assert!(trefoil_runtime::running_on(0).is_none());
/// ```
#[must_use]
pub fn running_on(owner: usize) -> Option<ThreadInfo> {
    let runs = |thread: &Thread| {
        let header = thread.header();
        owner != 0 && header.runs_on() == owner && header.state.get() == RunState::Running
    };
    let running = collect(runs);
    // Below one that runs on its stack stands its joiner, which waits (`inline.rs`).
    let waits = |thread: &&Thread| thread.header().waiting.read().is_some();
    let uppermost = running.iter().find(|thread| !waits(thread));
    uppermost.or(running.first()).map(ThreadInfo::of)
}

pub(crate) fn describe(threads: &[Thread]) -> Vec<ThreadInfo> {
    let mut all: Vec<ThreadInfo> = threads.iter().map(ThreadInfo::of).collect();
    all.sort_by_key(|thread| thread.id);
    all
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::run::Runs;
    use crate::thread::NewThread;

    #[test]
    fn a_thread_may_be_listed_again() {
        let domain = Runs::new().begin();
        let threads = [(); 3].map(|()| NewThread::main(|| (), Model::Green, None, &domain).0);
        assert_eq!(domain.threads().len(), 3);
        // The middle one: it has a neighbour on either side.
        let middle = threads[1].thread().pointer();
        // SAFETY: it is listed, once, and the `NewThread` has a reference.
        unsafe { remove(middle) };
        assert_eq!(domain.threads().len(), 2);
        // SAFETY: it was taken out; the end of the thread takes it out again.
        unsafe { insert(middle) };
        assert_eq!(domain.threads().len(), 3);
        for (ended, thread) in threads.into_iter().enumerate() {
            drop(thread);
            assert_eq!(domain.threads().len(), 2 - ended);
        }
    }
}
