//! How kernel threads start and wait: the contract, answered by the operating system.

use std::io;
use std::sync::{Arc, Weak};
use std::time::Instant;

use trefoil_runtime::{
    Interest, Limits, Meter, Model, NewThread, Outcome, Pool, Runtime, Source, Thread, Wait,
    launch, os, overflow,
};

use crate::builder::Builder;

/// The name of a kernel thread that runs no named thread.
const NAME: &str = "trefoil-kernel";

/// What the threads of one runtime share.
#[derive(Debug)]
pub(crate) struct Kernel {
    pool: Pool<Job>,
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
            meter,
            this: Weak::clone(this),
        })
    }

    /// Whether the calling thread is one of this runtime's.
    pub(crate) fn is_current(&self) -> bool {
        trefoil_runtime::in_runtime()
            && std::ptr::addr_eq(Arc::as_ptr(&trefoil_runtime::runtime()), self)
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

/// The life of a thread with a stack size of its own, on a kernel thread of its own.
fn live_alone(job: Job) {
    let _watch = overflow::Watch::kernel_threads();
    live(job);
}

/// Says what else can be done when there is no room for one more kernel thread.
#[cold]
fn explain((_, refused): (Job, io::Error)) -> io::Error {
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
        match stack_size {
            Some(size) => launch(NAME, Some(size), job, live_alone),
            None => self.pool.submit(job),
        }
        .map_err(explain)
    }

    fn park(&self, until: Option<Instant>) {
        os::park(until);
    }

    fn wake(&self, thread: &Thread) {
        os::wake(thread);
    }

    fn yield_now(&self) {
        std::thread::yield_now();
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
