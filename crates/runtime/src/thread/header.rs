//! The control block's header: all that is known of a thread but its closure and result.
//!
//! One per thread, reference-counted, followed in the same allocation by the closure and
//! later the result (`block.rs`). Fields are grouped by who may touch them:
//!
//! | fields                                    | who                                        |
//! |-------------------------------------------|--------------------------------------------|
//! | `id`, `traits`, `vtable`                   | anybody; they never change                 |
//! | `kind`                                    | anybody; its spawner may change it while it spawns (`kind.rs`) |
//! | `state`, `token`, `cancel`, `join`, `waiting`, `alarm`, `calling` | anybody, by their own rules   |
//! | `home`, `owner`                           | written once before `State::start`, read by who saw it started |
//! | `context`, `depth`, `unwinding`, `raised`, `ever_raised`, `limits`, `is_main`, `concluded`, `stage`, `locals`, `slice`, `budget` | the OS thread that runs the thread (before: whoever holds the `NewThread`; after: whoever the join word allows) |
//! | `waited`                                  | the thread itself; others read it once it has ended, when its hooks may still run |
//! | `queued_at`                               | whoever holds the `NewThread`, and of a thread that roams whoever holds its `Live`; others read it as a hint |
//! | `mail_link`                               | the inbox that holds the message           |
//! | `listed`                                  | the registry, under its lock               |

use core::cell::{Cell, UnsafeCell};
use core::fmt;
use core::num::NonZeroU64;
use core::panic::Location;
use core::ptr::NonNull;
use core::sync::atomic::{AtomicBool, AtomicI32, AtomicU32, AtomicUsize, Ordering, fence};
use std::os::fd::OwnedFd;
use std::process;
use std::sync::Arc;

use super::block::{Stage, VTable};
use super::checkpoint::Slice;
use super::handle::Addressee;
use super::kind::Kind;
use super::locals::Locals;
use super::moving::Origin;
use super::scope::ScopeData;
use crate::contract::Runtime;
use crate::current;
use crate::domain::DomainId;
use crate::inbox::Link;
use crate::join_word::JoinWord;
use crate::limit::Innermost;
use crate::model::Model;
use crate::os::{FOREIGN, Placement};
use crate::owner;
use crate::reason::WaitingNote;
use crate::registry::Listed;
use crate::spin::Spin;
use crate::state::State;
use crate::token::Token;
use crate::unwinding::Suspended;

/// A number that names a thread. No two threads of a process have the same, ever,
/// whichever runtime they belong to.
///
/// ```
/// use std::collections::HashMap;
/// use trefoil_runtime::thread;
///
/// let mut turns = HashMap::new();
/// *turns.entry(thread::current().id()).or_insert(0) += 1;
/// assert_eq!(turns[&thread::current().id()], 1);
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ThreadId(pub(crate) NonZeroU64);

impl fmt::Debug for ThreadId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ThreadId({})", self.0)
    }
}

impl ThreadId {
    /// The number itself. Does not wait.
    ///
    /// ```
    /// use trefoil_runtime::thread;
    ///
    /// let id = thread::current().id();
    /// assert_eq!(format!("{id:?}"), format!("ThreadId({})", id.get()));
    /// ```
    #[must_use]
    pub fn get(self) -> NonZeroU64 {
        self.0
    }

    /// A new one. OS threads take numbers by the thousand, so that spawning threads do
    /// not meet on one counter.
    // Not inlined: a fiber that roams keeps no address of an OS thread's own.
    #[inline(never)]
    pub(crate) fn next() -> ThreadId {
        const BLOCK: u64 = 1024;
        static NEXT_BLOCK: core::sync::atomic::AtomicU64 = core::sync::atomic::AtomicU64::new(0);
        thread_local! {
            static NEXT: Cell<u64> = const { Cell::new(0) };
        }
        let taken = NEXT.get();
        let number = if taken.is_multiple_of(BLOCK) {
            // A counter: any order will do.
            NEXT_BLOCK.fetch_add(1, Ordering::Relaxed) * BLOCK + 1
        } else {
            taken + 1
        };
        NEXT.set(number);
        // The last number of a block is a multiple of BLOCK, so the next call takes a new one.
        ThreadId(NonZeroU64::new(number).expect("numbers begin at one"))
    }
}

/// What the spawner says about a thread.
#[derive(Debug, Default)]
pub(crate) struct Traits {
    pub(crate) name: Option<Box<str>>,
    /// 0: the runtime's default.
    pub(crate) stack_size: usize,
    /// The `run` that it belongs to.
    pub(crate) domain: DomainId,
    pub(crate) scope: Option<Arc<ScopeData>>,
    /// The owner of the OS thread on which alone it may start. 0: on any.
    pub(crate) only_on: usize,
    pub(crate) placement: Option<Box<Placement>>,
    /// Where it would have run, if it was moved (`moving.rs`).
    pub(crate) origin: Origin,
    /// Where; `None`: it is a plain OS thread.
    pub(crate) spawned_at: Option<&'static Location<'static>>,
}

/// In the order in which a thread's turn touches them: a thread that waits among many thousand
/// others is in no cache, and each line costs up to 100 ns.
#[repr(C)]
pub(crate) struct Header {
    // A wake-up, and the begin of a turn.
    pub(crate) state: State,
    pub(crate) token: Token,
    owner: AtomicUsize,
    refs: AtomicUsize,
    /// The fiber, from the start to the end.
    #[cfg(feature = "fibers")]
    pub(crate) context: Cell<*mut ()>,
    /// Where its stack ended when it left it last, but for what the switch saved. For the cache only.
    #[cfg(feature = "fibers")]
    pub(crate) depth: Cell<*const u8>,
    /// What `unwinding.rs` knows of it while its stack is left.
    pub(crate) unwinding: Cell<Suspended>,
    pub(crate) cancel: AtomicBool,
    /// Its cancellation was raised, and it has not been seen going on since.
    pub(crate) raised: Cell<bool>,
    /// Its cancellation was raised at some time.
    pub(crate) ever_raised: Cell<bool>,
    /// It has waited where its cancellation would have ended the wait, or has joined a thread that did.
    pub(crate) waited: AtomicBool,
    /// What ends its waits early, innermost first.
    pub(crate) limits: Innermost,
    /// It is the first thread of a `run`.
    pub(crate) is_main: Cell<bool>,
    /// It has run its closure, and told whoever waits for its end.
    pub(crate) concluded: Cell<bool>,
    pub(crate) stage: Cell<Stage>,
    pub(crate) kind: Kind,
    /// Operations that need not wait until others have their turn.
    pub(crate) budget: Cell<u32>,
    // A wait, and the end.
    pub(crate) waiting: WaitingNote,
    home: UnsafeCell<Option<Arc<dyn Runtime>>>,
    pub(crate) join: JoinWord,
    pub(crate) vtable: &'static VTable,
    pub(crate) mail_link: Link<Addressee>,
    pub(crate) listed: Listed,
    // The rest.
    pub(crate) locals: Locals,
    pub(crate) slice: Slice,
    pub(crate) id: ThreadId,
    pub(crate) traits: Traits,
    /// What interrupts the poll of a kernel thread that waits for a descriptor.
    pub(crate) alarm: Spin<Option<Arc<OwnedFd>>>,
    /// On which OS thread it is in a system call that a signal ends; 0: it is in none.
    pub(crate) calling: AtomicI32,
    /// Where to look for it in a queue, until it starts. Then, of a thread that roams, which worker runs it, or ran
    /// it last.
    pub(crate) queued_at: AtomicU32,
}

impl Header {
    pub(crate) fn new(
        vtable: &'static VTable,
        stage: Stage,
        model: Model,
        traits: Traits,
        references: usize,
    ) -> Header {
        Header {
            refs: AtomicUsize::new(references),
            vtable,
            state: State::new(),
            token: Token::new(),
            cancel: AtomicBool::new(false),
            kind: Kind::of(model),
            unwinding: Cell::new(Suspended::default()),
            raised: Cell::new(false),
            ever_raised: Cell::new(false),
            waited: AtomicBool::new(false),
            limits: Cell::new(core::ptr::null()),
            is_main: Cell::new(false),
            stage: Cell::new(stage),
            id: ThreadId::next(),
            traits,
            join: JoinWord::new(),
            waiting: WaitingNote::new(),
            home: UnsafeCell::new(None),
            owner: AtomicUsize::new(0),
            concluded: Cell::new(false),
            #[cfg(feature = "fibers")]
            context: Cell::new(core::ptr::null_mut()),
            #[cfg(feature = "fibers")]
            depth: Cell::new(core::ptr::null()),
            mail_link: Link::new(),
            listed: Listed::new(),
            locals: Locals::new(),
            slice: Slice::new(),
            budget: Cell::new(current::BUDGET),
            alarm: Spin::new(None),
            calling: AtomicI32::new(0),
            queued_at: AtomicU32::new(0),
        }
    }

    /// Gives the thread to the OS thread that will run it, and starts it.
    ///
    /// # Safety
    ///
    /// The caller holds the thread's `NewThread`, or has just made the header.
    pub(crate) unsafe fn start(&self, home: Option<Arc<dyn Runtime>>, owner: usize) {
        // SAFETY: nobody reads `home` before the state says that the thread has started.
        unsafe { *self.home.get() = home };
        self.owner.store(owner, Ordering::Relaxed);
        self.state.start();
    }

    /// The runtime that answers for this thread.
    ///
    /// # Safety
    ///
    /// The thread has started, and the caller knows it by an acquire (or is the thread).
    pub(crate) unsafe fn runtime(&self) -> &dyn Runtime {
        // SAFETY: written once, before the start that the caller has seen.
        match unsafe { &*self.home.get() } {
            Some(runtime) => &**runtime,
            None => &FOREIGN,
        }
    }

    /// The same, to be kept. `None`: a plain OS thread.
    ///
    /// # Safety
    ///
    /// As for [`Header::runtime`].
    pub(crate) unsafe fn home(&self) -> Option<Arc<dyn Runtime>> {
        // SAFETY: as above.
        unsafe { (*self.home.get()).clone() }
    }

    /// Where it spawns: a thread that was moved does where it would have run. And by which model, usually.
    ///
    /// # Safety
    ///
    /// As for [`Header::runtime`]; and it is the current thread.
    #[inline]
    pub(crate) unsafe fn spawns_on(&self) -> (&dyn Runtime, Model) {
        if self.kind.is_moved()
            && let Some(origin) = self.traits.origin.runtime()
        {
            return (&**origin, origin.model());
        }
        // SAFETY: as above.
        (unsafe { self.runtime() }, self.kind.model())
    }

    /// The same runtime, to be kept. `None`: it is a plain OS thread.
    ///
    /// # Safety
    ///
    /// As there.
    pub(crate) unsafe fn origin(&self) -> Option<Arc<dyn Runtime>> {
        match self.traits.origin.runtime() {
            Some(origin) if self.kind.is_moved() => Some(Arc::clone(origin)),
            // SAFETY: as above.
            _ => unsafe { self.home() },
        }
    }

    /// Whether a runtime runs it. Otherwise it stands for a plain OS thread.
    ///
    /// # Safety
    ///
    /// As for [`Header::runtime`].
    pub(crate) unsafe fn has_home(&self) -> bool {
        // SAFETY: as above.
        unsafe { (*self.home.get()).is_some() }
    }

    /// Whether it is a thread as those that may be moved, for all that is known of it.
    pub(crate) fn may_be_moved(&self) -> bool {
        self.kind.model() != Model::Kernel
            && self.traits.stack_size == 0
            && self.traits.only_on == 0
            && self.traits.spawned_at.is_some()
    }

    /// Whether this is a fiber of the calling OS thread.
    #[inline]
    pub(crate) fn is_here(&self) -> bool {
        // Relaxed: the answer "yes" can only be given by the OS thread that wrote it.
        owner::is_here(self.owner.load(Ordering::Relaxed))
    }

    pub(crate) fn owner(&self) -> usize {
        self.owner.load(Ordering::Relaxed)
    }

    /// The number of the OS thread that runs it, as an owner of fibers, for dumps: a moment later another one may.
    pub(crate) fn runs_on(&self) -> usize {
        match self.owner() {
            roaming if owner::is_roaming(roaming) => {
                self.queued_at.load(Ordering::Relaxed) as usize
            }
            owner => owner,
        }
    }

    pub(crate) fn retain(&self) {
        // Relaxed: a reference is made from one that exists.
        let before = self.refs.fetch_add(1, Ordering::Relaxed);
        if before > usize::MAX / 2 {
            // Handles were forgotten until the count nearly overflowed, as in `Arc`.
            process::abort();
        }
    }

    /// Gives a reference back; the last one frees the block.
    ///
    /// # Safety
    ///
    /// The caller owns one reference and does not use the header afterwards.
    pub(crate) unsafe fn release(header: NonNull<Header>) {
        // SAFETY: the reference keeps it alive.
        let refs = unsafe { &header.as_ref().refs };
        // Acquire: pairs with the Release of whoever gave back the last but one. Who has the only reference needs
        // no exchange: there is none from which another could be made.
        if refs.load(Ordering::Acquire) != 1 {
            // Release: pairs with the load above, or with the fence of whoever comes last.
            if refs.fetch_sub(1, Ordering::Release) != 1 {
                return;
            }
            fence(Ordering::Acquire);
        }
        // SAFETY: nobody else has a reference.
        unsafe { (header.as_ref().vtable.free)(header) };
    }
}
