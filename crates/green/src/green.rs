//! The contract, answered for fibers of one OS thread.

use std::io;
use std::sync::Arc;
use std::time::Instant;

use trefoil_runtime::{
    Companions, Hogs, Interest, Meter, Model, NewThread, Outcome, Owned, Runtime, Source, Spin,
    Thread, Timer, Wait, yield_fiber,
};
use trefoil_worker::{Remote, Stacks, Worker};

/// One `run`: its worker, and what others have of it.
#[derive(Debug)]
pub(crate) struct Green {
    pub(crate) worker: Owned<Worker>,
    remote: Arc<Remote>,
    /// Threads that other OS threads have spawned here. `None`: the `run` is over.
    arrivals: Spin<Option<Vec<NewThread>>>,
    stacks: Stacks,
    companions: Companions,
    hogs: Option<Arc<Hogs>>,
}

impl Green {
    /// Makes the calling OS thread the worker.
    pub(crate) fn new(
        worker: Worker,
        stacks: Stacks,
        companions: Companions,
        hogs: Option<Arc<Hogs>>,
    ) -> Arc<Green> {
        Arc::new(Green {
            remote: worker.remote(),
            worker: Owned::new(worker),
            arrivals: Spin::new(Some(Vec::new())),
            stacks,
            companions,
            hogs,
        })
    }

    /// Whether other OS threads have spawned threads here.
    pub(crate) fn has_arrivals(&self) -> bool {
        self.arrivals
            .lock()
            .as_ref()
            .is_some_and(|arrivals| !arrivals.is_empty())
    }

    pub(crate) fn take_arrivals(&self) -> Vec<NewThread> {
        self.arrivals
            .lock()
            .as_mut()
            .map(std::mem::take)
            .unwrap_or_default()
    }

    /// The `run` is over: who spawns now is refused.
    pub(crate) fn close_arrivals(&self) {
        let late = self.arrivals.lock().take();
        for thread in late.into_iter().flatten() {
            self.stacks.unreserve(&thread);
        }
    }

    fn arrive(&self, thread: NewThread) -> io::Result<()> {
        self.stacks.reserve(&thread)?;
        let mut arrivals = self.arrivals.lock();
        let Some(list) = &mut *arrivals else {
            drop(arrivals);
            self.stacks.unreserve(&thread);
            return Err(io::Error::new(
                io::ErrorKind::NotConnected,
                "the green runtime's `run` is over: no OS thread is left that could run the thread",
            ));
        };
        list.push(thread);
        drop(arrivals);
        self.remote.rouse();
        Ok(())
    }
}

impl Runtime for Green {
    fn model(&self) -> Model {
        Model::Green
    }

    fn start(&self, thread: NewThread) -> io::Result<()> {
        let Some(worker) = self.worker.get() else {
            return self.arrive(thread);
        };
        worker.reserve_stack(&thread)?;
        worker.push_new(thread);
        Ok(())
    }

    fn claim(&self, thread: &Thread, left: usize) -> Option<NewThread> {
        self.worker.get()?.claim_queued(thread, left)
    }

    fn claim_last(&self, left: usize, wanted: &dyn Fn(&Thread) -> bool) -> Option<NewThread> {
        self.worker.get()?.claim_last_queued(left, wanted)
    }

    fn park(&self, until: Option<Instant>) {
        Worker::park(&self.worker, until);
    }

    fn arm(&self, until: Instant) -> Option<Timer> {
        Some(Worker::arm(&self.worker, until))
    }

    fn disarm(&self, timer: Timer) {
        Worker::disarm(&self.worker, timer);
    }

    fn wake(&self, thread: &Thread) {
        match self.worker.get() {
            Some(worker) => worker.wake(thread, worker.owner()),
            None => self.remote.wake(thread),
        }
    }

    fn yield_now(&self) {
        yield_fiber();
    }

    fn wait_ready(&self, source: &Source, interest: Interest, wait: &Wait) -> io::Result<Outcome> {
        Worker::wait_ready(&self.worker, source, interest, wait)
    }

    fn blocking(&self, call: &mut (dyn FnMut() + Send)) {
        Worker::blocking(&self.worker, call);
    }

    fn now(&self) -> Instant {
        Instant::now()
    }

    fn companion(&self, model: Model) -> Option<Arc<dyn Runtime>> {
        self.companions.of(model)
    }

    fn hogs(&self) -> Option<&Arc<Hogs>> {
        self.hogs.as_ref()
    }

    fn meter(&self) -> Option<Arc<Meter>> {
        self.stacks.meter()
    }
}
