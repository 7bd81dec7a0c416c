//! The contract, answered for the fibers of one worker.
#![forbid(unsafe_code)]

use std::io;
use std::sync::Arc;
use std::time::Instant;

use trefoil_runtime::{
    Hogs, Interest, Meter, Model, NewThread, Outcome, Owned, Runtime, Source, SpawnQueue, Thread,
    Timer, Wait, yield_fiber,
};
use trefoil_worker::{Remote, Worker};

use crate::shared::Shared;

/// A worker's own part.
#[derive(Debug)]
pub(crate) struct Own {
    pub(crate) worker: Worker,
    /// Threads that were spawned here and have not started.
    pub(crate) spawned: SpawnQueue,
}

impl Own {
    /// Takes this thread out of those that were spawned here, to be run inside of another one.
    #[inline(always)]
    pub(crate) fn claim(&self, thread: &Thread, left: usize) -> Option<NewThread> {
        self.worker
            .claim(thread, left, || self.spawned.claim(thread))
    }

    /// The same with the last one, if it is wanted.
    #[inline]
    pub(crate) fn claim_last(
        &self,
        left: usize,
        wanted: &dyn Fn(&Thread) -> bool,
        shared: &Shared,
    ) -> Option<NewThread> {
        let found = self
            .worker
            .claim_last(left, wanted, |wanted| self.spawned.claim_last(wanted));
        if found.is_none() && !self.spawned.is_empty() {
            // The last one was out of the queue for a moment: who looked then has not seen it.
            shared.rouse(shared.idle.work_added(1, shared));
        }
        found
    }
}

impl AsRef<Worker> for Own {
    fn as_ref(&self) -> &Worker {
        &self.worker
    }
}

/// One worker, as its threads see it.
#[derive(Debug)]
pub(crate) struct Hybrid {
    pub(crate) own: Owned<Own>,
    pub(crate) seat: usize,
    pub(crate) shared: Arc<Shared>,
    remote: Arc<Remote>,
}

impl Hybrid {
    /// Makes the calling OS thread the worker with this seat.
    pub(crate) fn new(own: Own, seat: usize, shared: Arc<Shared>) -> Arc<Hybrid> {
        let remote = own.worker.remote();
        let own = Owned::new(own);
        shared.settle(seat, own.key(), Arc::clone(&remote));
        Arc::new(Hybrid {
            own,
            seat,
            shared,
            remote,
        })
    }
}

impl Hybrid {
    /// How others wake the worker.
    pub(crate) fn remote(&self) -> Arc<Remote> {
        Arc::clone(&self.remote)
    }
}

#[cold]
fn closed() -> io::Error {
    io::Error::new(
        io::ErrorKind::NotConnected,
        "the hybrid runtime has been dropped: its workers start no more threads",
    )
}

impl Runtime for Hybrid {
    fn model(&self) -> Model {
        Model::Hybrid
    }

    fn start(&self, thread: NewThread) -> io::Result<()> {
        let Some(own) = self.own.get() else {
            self.shared.stacks.reserve(&thread)?;
            return self.shared.inject(thread).map_err(|_refused| closed());
        };
        own.worker.reserve_stack(&thread)?;
        if thread.is_local() {
            // Not where it could be stolen. Nobody is woken: it is this worker's.
            own.worker.push_new(thread);
            return Ok(());
        }
        own.spawned.push(thread);
        let shared = &*self.shared;
        shared.rouse(shared.idle.work_added(own.spawned.len(), shared));
        Ok(())
    }

    fn claim(&self, thread: &Thread, left: usize) -> Option<NewThread> {
        let own = self.own.get()?;
        own.claim(thread, left)
            .or_else(|| own.worker.claim_queued(thread, left))
    }

    fn claim_last(&self, left: usize, wanted: &dyn Fn(&Thread) -> bool) -> Option<NewThread> {
        let own = self.own.get()?;
        own.worker
            .claim_last_queued(left, wanted)
            .or_else(|| own.claim_last(left, wanted, &self.shared))
    }

    fn park(&self, until: Option<Instant>) {
        Worker::park(&self.own, until);
    }

    fn arm(&self, until: Instant) -> Option<Timer> {
        Some(Worker::arm(&self.own, until))
    }

    fn disarm(&self, timer: Timer) {
        Worker::disarm(&self.own, timer);
    }

    fn wake(&self, thread: &Thread) {
        match self.own.get() {
            Some(own) => own.worker.wake(thread, own.owner()),
            None => self.remote.wake(thread),
        }
    }

    fn yield_now(&self) {
        yield_fiber();
    }

    fn wait_ready(&self, source: &Source, interest: Interest, wait: &Wait) -> io::Result<Outcome> {
        Worker::wait_ready(&self.own, source, interest, wait)
    }

    fn blocking(&self, call: &mut (dyn FnMut() + Send)) {
        Worker::blocking(&self.own, call);
    }

    fn now(&self) -> Instant {
        Instant::now()
    }

    fn companion(&self, model: Model) -> Option<Arc<dyn Runtime>> {
        self.shared.companions.of(model)
    }

    fn hogs(&self) -> Option<&Arc<Hogs>> {
        self.shared.hogs.as_ref()
    }

    fn meter(&self) -> Option<Arc<Meter>> {
        self.shared.stacks.meter()
    }
}
