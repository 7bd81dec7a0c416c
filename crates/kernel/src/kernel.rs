//! How kernel threads start and wait: the contract, answered by the operating system.

use std::io;
use std::sync::{Arc, Weak};
use std::time::Instant;

use trefoil_runtime::{
    Interest, Limits, Meter, Model, NewThread, Outcome, Pool, Runtime, Source, Thread, Wait, os,
    overflow,
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

/// Starts a thread with a stack size of its own on a kernel thread of its own.
fn start_alone(job: Job, stack_size: usize) -> io::Result<()> {
    let room = os::Room::claim(Some(stack_size))?;
    std::thread::Builder::new()
        .name(NAME.to_owned())
        .stack_size(stack_size)
        .spawn(move || {
            let _watch = overflow::Watch::kernel_threads();
            live(job);
            drop(room);
        })
        .map(drop)
}

/// Says what to do when the operating system refuses a kernel thread.
#[cold]
fn explain(refused: io::Error) -> io::Error {
    io::Error::new(
        refused.kind(),
        format!(
            "the operating system refuses one more kernel thread ({refused}): raise its limit \
             (`ulimit -u`, cgroup `pids.max`, `kernel.threads-max`, `vm.max_map_count`), or \
             run this many threads on the green or hybrid model"
        ),
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
            Some(size) => start_alone(job, size),
            None => self.pool.submit(job).map_err(|(_, refused)| refused),
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
