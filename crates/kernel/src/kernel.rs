//! How kernel threads start and wait: the contract, answered by the operating system.

use std::cell::Cell;
use std::io;
use std::sync::{Arc, Weak, mpsc};
use std::time::Instant;

use trefoil_runtime::{
    Interest, Limits, Meter, Model, NewThread, Outcome, Pool, Runtime, Source, Thread, Wait,
    launch, os, overflow,
};

use crate::builder::Builder;

/// The name of a kernel thread that runs no named thread.
const NAME: &str = "trefoil-kernel";

thread_local! {
    /// This OS thread has a priority or an affinity, and so will those that it starts.
    static PLACED: Cell<bool> = const { Cell::new(false) };
}

/// What the threads of one runtime share.
#[derive(Debug)]
pub(crate) struct Kernel {
    pool: Pool<Job>,
    /// Of threads that ask for none. `None`: that of `std::thread`.
    stack_size: Option<usize>,
    /// Measures all threads. `None`: none is measured.
    pub(crate) meter: Option<Arc<Meter>>,
    /// Itself: threads keep a share of the runtime that answers for them.
    this: Weak<Kernel>,
}

/// A thread to start, and the runtime that will answer for it.
#[derive(Debug)]
struct Job {
    thread: NewThread,
    home: Arc<Kernel>,
}

impl Kernel {
    pub(crate) fn new(builder: &Builder, meter: Option<Arc<Meter>>) -> Arc<Kernel> {
        let limits = Limits {
            threads: usize::MAX,
            keep: builder.keep,
            stack_size: builder.stack_size,
        };
        Arc::new_cyclic(|this| Kernel {
            pool: Pool::new(NAME, limits, live),
            stack_size: limits.stack_size,
            meter,
            this: Weak::clone(this),
        })
    }

    /// Whether the calling thread is one of this runtime's.
    pub(crate) fn is_current(&self) -> bool {
        trefoil_runtime::in_runtime()
            && std::ptr::addr_eq(Arc::as_ptr(&trefoil_runtime::runtime()), self)
    }

    /// Waits until the kernel thread has begun, and has what was asked for.
    fn start_placed(&self, stack_size: Option<usize>, job: Job) -> io::Result<()> {
        let (begin, begun) = mpsc::channel();
        let stack_size = stack_size.or(self.stack_size);
        launch(NAME, stack_size, (job, begin), live_placed).map_err(explain)?;
        begun.recv().expect("who begins says so")
    }

    fn share(&self) -> Arc<Kernel> {
        self.this
            .upgrade()
            .expect("who calls the runtime has a share of it")
    }
}

/// The life of a thread on its kernel thread.
fn live(Job { thread, home }: Job) {
    let named = thread.thread().name().map(os::set_thread_name).is_some();
    live_here(thread, home);
    if named {
        os::set_thread_name(NAME);
    }
}

/// Runs a thread on the calling kernel thread.
pub(crate) fn live_here(thread: NewThread, home: Arc<Kernel>) {
    let meter = home.meter.clone();
    thread.start_kernel(home).run_here(meter.as_deref());
}

/// The life of a thread with a priority or an affinity, or spawned by one, on a kernel thread of its
/// own: it ends with the thread, for nobody can undo them.
fn live_placed((job, begun): (Job, mpsc::Sender<io::Result<()>>)) {
    let placed = job.thread.placement().map_or(Ok(()), os::Placement::apply);
    let refused = placed.is_err();
    if refused {
        // First, so that the spawner finds it ended.
        drop(job);
        let _ = begun.send(placed);
        return;
    }
    PLACED.set(true);
    let _ = begun.send(placed);
    drop(begun);
    live_alone(job);
}

/// The life of a thread with a stack size of its own, on a kernel thread of its own.
fn live_alone(job: Job) {
    let _watch = overflow::Watch::kernel_threads();
    live(job);
}

/// Says what else can be done when there is no room for one more kernel thread.
#[cold]
fn explain<J>((_, refused): (J, io::Error)) -> io::Error {
    io::Error::new(
        refused.kind(),
        format!("{refused}, or run this many threads on the green or hybrid model"),
    )
}

impl Runtime for Kernel {
    fn model(&self) -> Model {
        Model::Kernel
    }

    fn start(&self, thread: NewThread) -> io::Result<()> {
        let stack_size = thread.stack_size();
        let job = Job {
            thread,
            home: self.share(),
        };
        if job.thread.placement().is_some() || PLACED.get() {
            return self.start_placed(stack_size, job);
        }
        match stack_size {
            Some(size) => launch(NAME, Some(size), job, live_alone),
            None => self.pool.submit(job),
        }
        .map_err(explain)
    }

    fn start_moved(&self, thread: NewThread) -> Result<(), NewThread> {
        // It was asked for nothing, and nor was who spawns it, as a thread of another runtime.
        let home = self.share();
        let submitted = self.pool.submit(Job { thread, home });
        submitted.map_err(|(job, _refused)| job.thread)
    }

    fn park(&self, until: Option<Instant>) {
        os::park(until);
    }

    fn wake(&self, thread: &Thread) {
        os::wake(thread);
    }

    fn yield_now(&self) {
        os::yield_now();
    }

    fn wait_ready(&self, source: &Source, interest: Interest, wait: &Wait) -> io::Result<Outcome> {
        os::wait_ready(source, interest, wait)
    }

    fn blocking(&self, call: &mut (dyn FnMut() + Send)) {
        os::blocking(call);
    }

    fn now(&self) -> Instant {
        Instant::now()
    }

    fn meter(&self) -> Option<Arc<Meter>> {
        self.meter.clone()
    }
}
