//! What answers for threads that roam: one object for all workers, and not each worker for its own.
//!
//! A thread's control block names who answers for it, once and for all. Where threads change their worker, that is
//! [`Commons`], which looks each time on whose OS thread it is called.
//!
//! | asked for                       | who does it                                                      |
//! |---------------------------------|------------------------------------------------------------------|
//! | to start a thread, or claim one | the worker that runs the caller                                  |
//! | a timer, a descriptor           | the same: it fires on this worker, wherever the thread is by then |
//! | a wake-up, by a worker          | that worker, which has the thread next                           |
//! | a wake-up from outside          | whichever worker comes first; if the thread is bound, its worker |
//!
//! A call that waits may come back on another OS thread. What it asks of the worker before and after is asked by
//! functions of their own that are not inlined, so that the compiler keeps no address of a thread-local over the wait.
#![forbid(unsafe_code)]

use std::fmt;
use std::io;
use std::rc::Rc;
use std::sync::{Arc, OnceLock};
use std::time::Instant;

use trefoil_runtime::{
    Held, Interest, Meter, Model, NewThread, Outcome, Owner, Poller, Roaming, Runtime, Source,
    Thread, Timer, Wait, Woken, in_runtime, offload, park_fiber, yield_fiber,
};
use trefoil_worker::{Peers, Roamers};

use crate::hybrid::{Hybrid, Own};
use crate::shared::Shared;

/// All workers, by the numbers of their OS threads.
#[derive(Debug)]
pub(crate) struct Table {
    roaming: Arc<Roaming>,
    peers: Arc<Peers>,
    hybrids: OnceLock<Box<[Arc<Hybrid>]>>,
}

impl Table {
    pub(crate) fn new(promise: Roaming) -> Table {
        Table {
            roaming: Arc::new(promise),
            peers: Arc::default(),
            hybrids: OnceLock::new(),
        }
    }

    /// A worker's part.
    pub(crate) fn roamers(&self) -> Roamers {
        Roamers::new(Arc::clone(&self.roaming), Arc::clone(&self.peers))
    }

    /// All have sat down. Before, there is no thread.
    pub(crate) fn settle(&self, mut hybrids: Vec<Arc<Hybrid>>) {
        hybrids.sort_unstable_by_key(|hybrid| hybrid.seat);
        let workers = hybrids.iter().map(|it| (it.own.key(), it.remote()));
        self.peers.settle(workers);
        // Once.
        let _ = self.hybrids.set(hybrids.into());
    }

    /// The worker that is the calling OS thread.
    fn here(&self) -> Option<&Arc<Hybrid>> {
        let seat = self.peers.seat_of(Owner::here())?;
        self.hybrids.get()?.get(seat)
    }
}

/// The workers, as the threads that one of them has started see them.
pub(crate) struct Commons {
    shared: Arc<Shared>,
    table: Arc<Table>,
}

impl Commons {
    /// One for each worker: so the threads that it starts count it without meeting those of others.
    pub(crate) fn new(shared: &Arc<Shared>, table: &Arc<Table>) -> Arc<Commons> {
        Arc::new(Commons {
            shared: Arc::clone(shared),
            table: Arc::clone(table),
        })
    }

    /// The worker that is the calling OS thread, and its own part.
    #[inline(never)]
    fn here(&self) -> Option<(&Hybrid, Rc<Held<Own>>)> {
        let hybrid = self.table.here()?;
        Some((hybrid, hybrid.own.get()?))
    }

    /// The same for a thread that runs.
    fn of_this_fiber(&self) -> (&Hybrid, Rc<Held<Own>>) {
        self.here()
            .expect("a thread that roams runs on a worker of its runtime")
    }

    #[inline(never)]
    fn arm_here(&self, until: Instant) -> Timer {
        let (hybrid, own) = self.of_this_fiber();
        let timer = own.worker.arm_here(until);
        let worker = u32::try_from(hybrid.seat).expect("there are no more than 1024");
        Timer { worker, ..timer }
    }

    #[inline(never)]
    fn take_back(&self, timer: Timer) {
        let (hybrid, own) = self.of_this_fiber();
        let seat = timer.worker as usize;
        if seat == hybrid.seat {
            own.worker.disarm_here(timer);
        } else if let Some(afar) = &self.shared.seats[seat].roamers {
            self.table.peers.disarm(seat, afar, timer);
        }
    }

    #[inline(never)]
    fn poller_home(&self) -> usize {
        self.of_this_fiber().1.worker.poller_home()
    }

    #[inline(never)]
    fn registrar(&self) -> Arc<dyn Poller> {
        self.of_this_fiber().1.worker.registrar()
    }

    fn wake_here(&self, thread: &Thread, own: &Held<Own>) {
        own.worker.wake_roaming(thread, own.owner());
        let roamers = own.worker.roamers();
        // The loop tells of it by itself. A thread may go on for long.
        if in_runtime()
            && let Some(roamers) = roamers.filter(|it| it.has_news())
        {
            let shared = &*self.shared;
            shared.rouse(shared.idle.work_added(roamers.queue().len(), shared));
        }
    }

    fn wake_from_outside(&self, thread: &Thread) {
        match self.table.roaming.wake_from_outside(thread) {
            Woken::Ready(thread) => {
                self.shared.returned.push(thread);
                self.shared.rouse(self.shared.idle.work_injected());
            }
            Woken::Awake => {}
            Woken::Elsewhere => {
                if let Some(remote) = self.table.peers.remote_of(thread.runs_on()) {
                    remote.wake(thread);
                }
            }
        }
    }
}

impl Runtime for Commons {
    fn model(&self) -> Model {
        Model::Hybrid
    }

    fn start(&self, thread: NewThread) -> io::Result<()> {
        // Any of them starts it from outside.
        let any = || self.table.hybrids.get().and_then(|all| all.first());
        let hybrid = self.table.here().or_else(any);
        hybrid
            .expect("a thread that roams has begun after the workers")
            .start(thread)
    }

    fn claim(&self, thread: &Thread, left: usize) -> Option<NewThread> {
        // A local thread is run by its own worker, for it does not roam.
        self.here()?.1.claim(thread, left)
    }

    fn claim_last(&self, left: usize, wanted: &dyn Fn(&Thread) -> bool) -> Option<NewThread> {
        self.here()?.1.claim_last(left, wanted, &self.shared)
    }

    fn park(&self, until: Option<Instant>) {
        let timer = until.map(|until| self.arm_here(until));
        park_fiber();
        if let Some(timer) = timer {
            self.take_back(timer);
        }
    }

    fn arm(&self, until: Instant) -> Option<Timer> {
        Some(self.arm_here(until))
    }

    fn disarm(&self, timer: Timer) {
        self.take_back(timer);
    }

    fn wake(&self, thread: &Thread) {
        match self.here() {
            Some((_, own)) => self.wake_here(thread, &own),
            None => self.wake_from_outside(thread),
        }
    }

    fn yield_now(&self) {
        yield_fiber();
    }

    fn wait_ready(&self, source: &Source, interest: Interest, wait: &Wait) -> io::Result<Outcome> {
        source.wait_registered(interest, wait, self.poller_home(), || self.registrar())
    }

    fn blocking(&self, call: &mut (dyn FnMut() + Send)) {
        offload(call);
    }

    fn now(&self) -> Instant {
        Instant::now()
    }

    fn companion(&self, model: Model) -> Option<Arc<dyn Runtime>> {
        self.shared.companions.of(model)
    }

    fn meter(&self) -> Option<Arc<Meter>> {
        self.shared.stacks.meter()
    }
}

impl fmt::Debug for Commons {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Commons").finish_non_exhaustive()
    }
}
