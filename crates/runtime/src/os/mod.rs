//! How a kernel thread waits: on its state word as a futex, or for a descriptor. And whether there
//! is room for one.
//!
//! The kernel runtime's threads wait like this, and so does a plain `std::thread` that uses
//! our objects: it has `Foreign` for a runtime.

mod call;
mod edges;
mod futex;
mod kept;
mod placement;
mod poll;
mod processor;
pub(crate) mod room;
mod space;

use std::io;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use crate::caller::Caller;
use crate::contract::Runtime;
use crate::current;
use crate::model::Model;
use crate::source::{Interest, Source};
use crate::state::{SharedWake, State};
use crate::stretch;
use crate::thread::{NewThread, Thread};
use crate::wait::{Outcome, Wait};

pub use call::Call;
pub(crate) use call::make;
pub use placement::Placement;
pub use poll::wait_ready;
pub(crate) use processor::{Processor, processor};

/// Parks the calling kernel thread; see [`Runtime::park`].
pub fn park(until: Option<Instant>) {
    let me = current::thread_ref();
    // SAFETY: the current thread is alive while it runs.
    let state = unsafe { &me.0.as_ref().state };
    if !state.shared_prepare_park() {
        return;
    }
    stretch::pause(|| {
        if !spin(state) {
            sleep(state, until);
        }
    });
    state.shared_finish_park();
}

fn sleep(state: &State, until: Option<Instant>) {
    let (word, parked) = state.futex();
    while state.shared_is_parked() {
        let timeout = match until {
            None => None,
            Some(until) => match until.checked_duration_since(Instant::now()) {
                Some(left) if !left.is_zero() => Some(left),
                _ => return,
            },
        };
        futex::wait(word, parked, timeout);
    }
}

/// Waits awake for a moment: waking a kernel thread that sleeps costs far more than a
/// wait-up between two that run. `true`: woken.
///
/// Of the threads that wait, fewer spin than there are processors, so that whoever is to
/// wake them can run.
fn spin(state: &State) -> bool {
    const LOOKS: u32 = 150;
    static SPINNING: AtomicUsize = AtomicUsize::new(0);
    static PROCESSORS: OnceLock<usize> = OnceLock::new();
    let processors = *PROCESSORS
        .get_or_init(|| std::thread::available_parallelism().map_or(1, std::num::NonZero::get));
    // Relaxed: a limit that may be passed by accident.
    if SPINNING.load(Ordering::Relaxed) + 1 >= processors {
        return false;
    }
    SPINNING.fetch_add(1, Ordering::Relaxed);
    let woken = (0..LOOKS).any(|_| {
        std::hint::spin_loop();
        !state.shared_is_parked()
    });
    SPINNING.fetch_sub(1, Ordering::Relaxed);
    woken
}

/// Wakes a kernel thread; see [`Runtime::wake`]. Any OS thread may call it.
pub fn wake(thread: &Thread) {
    let header = thread.header();
    match header.state.shared_wake() {
        SharedWake::Nothing => {}
        SharedWake::Futex => {
            futex::wake(header.state.futex().0);
            poll::interrupt(header);
            call::interrupt(header);
        }
    }
}

/// The calling kernel thread lets others run, if there are some.
pub fn yield_now() {
    stretch::turn();
    std::thread::yield_now();
}

/// Makes a blocking call of the calling kernel thread, right here; see [`Runtime::blocking`].
pub fn blocking(call: &mut (dyn FnMut() + Send)) {
    stretch::pause(|| Caller::current().make(call));
}

/// The runtime of an OS thread that belongs to none: it waits like a kernel thread, and
/// cannot spawn.
#[derive(Debug)]
pub(crate) struct Foreign;

pub(crate) static FOREIGN: Foreign = Foreign;

impl Runtime for Foreign {
    fn model(&self) -> Model {
        Model::Kernel
    }

    fn start(&self, _: NewThread) -> io::Result<()> {
        Err(io::Error::new(
            io::ErrorKind::Unsupported,
            "this OS thread belongs to no Trefoil runtime, so it cannot spawn threads: \
             call `spawn` inside `run`",
        ))
    }

    fn park(&self, until: Option<Instant>) {
        park(until);
    }

    fn wake(&self, thread: &Thread) {
        wake(thread);
    }

    fn yield_now(&self) {
        yield_now();
    }

    fn wait_ready(&self, source: &Source, interest: Interest, wait: &Wait) -> io::Result<Outcome> {
        wait_ready(source, interest, wait)
    }

    fn blocking(&self, call: &mut (dyn FnMut() + Send)) {
        // It is in no runtime, unless it makes a call for a thread of one: that stays noted.
        call();
    }

    fn now(&self) -> Instant {
        Instant::now()
    }
}

/// Names the calling kernel thread for debuggers, `/proc` and `top`; the kernel keeps the
/// first 15 bytes.
pub fn set_thread_name(name: &str) {
    let mut short = [0u8; 16];
    let len = name.len().min(15);
    short[..len].copy_from_slice(&name.as_bytes()[..len]);
    // SAFETY: a live string that ends with a NUL, for the calling thread.
    unsafe { libc::pthread_setname_np(libc::pthread_self(), short.as_ptr().cast()) };
}
