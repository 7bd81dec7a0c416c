//! A green runtime as a value: run a program on the calling OS thread.

use std::fmt::Write as _;
use std::io;
use std::sync::Arc;

use trefoil_runtime::{
    Model, NewThread, Runs, StackUsage, Stall, ThreadInfo, overflow, refuse_drop_inside,
    result_of_main,
};
use trefoil_worker::{Monitor, Stacks, Worker};

use crate::builder::Builder;
use crate::green::Green;
use crate::schedule::{Deadlock, Schedule};

/// A runtime of green threads. Several can live in one process.
#[derive(Debug)]
pub struct Runtime {
    settings: Builder,
    stacks: Stacks,
    monitor: Option<Arc<Monitor>>,
    runs: Runs,
}

impl Runtime {
    pub(crate) fn new(settings: Builder) -> io::Result<Runtime> {
        overflow::check_environment()?;
        Ok(Runtime {
            stacks: Stacks::new(settings.stack_size, settings.metering.meter()?)?,
            monitor: Monitor::of(settings.monitoring, settings.relief, &settings.companions)?,
            settings,
            runs: Runs::new(),
        })
    }

    /// Runs `f` as the main thread, and all threads that are spawned below it, on the
    /// calling OS thread; returns `f`'s value.
    ///
    /// When `f` has ended, threads that are still alive are cancelled and given the grace.
    /// Those that do not end in time never run again; they are leaked, and listed by
    /// [`leftover`](Runtime::leftover).
    ///
    /// Several OS threads may call it at the same time; each runs its own threads.
    ///
    /// # Panics
    ///
    /// With `f`'s panic. If the calling thread is a thread of a runtime already, unless it is in a
    /// [blocking call](trefoil_runtime::thread::blocking) of a thread of another runtime. If the
    /// process has no descriptors left for a poller, or no address space for the main thread's
    /// stack. And in a deadlock, with a list of the threads: what each waits for, and where; they
    /// have been cancelled then.
    #[track_caller]
    pub fn run<F, T>(&self, f: F) -> T
    where
        F: FnOnce() -> T + Send + 'static,
        T: Send + 'static,
    {
        match self.try_run(f) {
            Ok(value) => value,
            Err(refused) => panic!("the green runtime cannot run: {refused}"),
        }
    }

    /// As [`run`](Runtime::run), with an error where the operating system refuses what is
    /// needed to begin.
    ///
    /// # Errors
    ///
    /// `EMFILE`: no descriptors are left for the poller, which needs three. `OutOfMemory`: no
    /// address space is left for the main thread's stack.
    ///
    /// # Panics
    ///
    /// As [`run`](Runtime::run), but for that.
    #[track_caller]
    pub fn try_run<F, T>(&self, f: F) -> io::Result<T>
    where
        F: FnOnce() -> T + Send + 'static,
        T: Send + 'static,
    {
        self.runs.refuse_inside();
        let _watch = overflow::Watch::fibers();
        let settings = &self.settings;
        let worker = Worker::new(&self.stacks, self.monitor.clone())?;
        let hogs = self.monitor.as_deref().and_then(Monitor::hogs);
        let companions = settings.companions.clone();
        let green = Green::new(worker, self.stacks.clone(), companions, hogs);
        let domain = self.runs.begin();
        let (main, handle) =
            NewThread::main(f, Model::Green, Some(settings.main_stack_size), &domain);
        let here = green
            .worker
            .get()
            .expect("this OS thread has just become the worker");
        here.be_watched(here.owner());
        here.reserve_stack(&main)?;
        here.push_new(main);
        let schedule = Schedule {
            green: &green,
            worker: &here,
            domain: &domain,
        };
        let ended = schedule.run_main(&handle, settings.isolated);
        self.runs.add_leftover(schedule.wind_down(settings.grace));
        green.close_arrivals();
        here.close();
        drop(here);
        drop(green.worker.close());
        self.stacks.trim();
        match ended {
            Ok(()) => Ok(result_of_main(handle.join())),
            Err(deadlock) => panic!("{}", describe(&deadlock)),
        }
    }

    /// The threads that did not end in time after their `run` had ended: what each was
    /// doing at that moment.
    #[must_use]
    pub fn leftover(&self) -> Vec<ThreadInfo> {
        self.runs.leftover()
    }

    /// How deep the stacks of threads got: for each place that spawned some, how many have ended,
    /// and what the deepest one used, in bytes; the deepest first. Empty unless the runtime
    /// [measures](Builder::measure_stacks).
    ///
    /// Threads of a [companion](Builder::companion) are counted by that one, unless both
    /// [count together](trefoil_runtime::Metering::Into).
    ///
    /// The place is the line that spawns; see [`spawned_at`](ThreadInfo::spawned_at) for a spawn that
    /// is passed as a value. A thread counts once it has ended: whoever has joined it finds it here.
    /// A thread that is left over, or whose closure never ran because it was cancelled before, does
    /// not count. Takes a lock that nobody holds for long.
    ///
    /// ```
    /// use trefoil_runtime::thread;
    ///
    /// let runtime = trefoil_green::Builder::new().measure_stacks(true).build()?;
    /// runtime.run(|| thread::spawn(|| std::hint::black_box([1_u8; 40_000]).len()).join().unwrap());
    /// let deepest = &runtime.stack_usage()[0];
    /// assert!(deepest.deepest >= 40_000 && deepest.deepest <= deepest.stack_size);
    /// # Ok::<(), std::io::Error>(())
    /// ```
    #[must_use]
    pub fn stack_usage(&self) -> Vec<StackUsage> {
        self.stacks.usage()
    }

    /// Threads that kept their worker from all others for too long, by the place that spawned them; the longest
    /// first. Empty unless [workers are watched](Builder::monitoring). Takes a lock that nobody holds for long.
    ///
    /// ```
    /// use std::time::Duration;
    /// use trefoil_runtime::{Monitoring, thread};
    ///
    /// let limit = Monitoring::After(Duration::from_millis(5));
    /// let runtime = trefoil_green::Builder::new().monitoring(limit).build()?;
    /// runtime.run(|| {
    ///     // It does not park: no other thread of the worker runs meanwhile.
    ///     thread::spawn(|| std::thread::sleep(Duration::from_millis(100))).join().unwrap()
    /// });
    /// assert_eq!(runtime.stalls()[0].count, 1);
    /// # Ok::<(), std::io::Error>(())
    /// ```
    #[must_use]
    pub fn stalls(&self) -> Vec<Stall> {
        self.monitor
            .as_deref()
            .map(Monitor::stalls)
            .unwrap_or_default()
    }
}

impl Drop for Runtime {
    /// Does not wait.
    ///
    /// # Panics
    ///
    /// If a thread of one of the runtime's `run`s drops it, unless that thread unwinds: a
    /// kernel thread of a runtime beside it, that has outlived its `run`; or a blocking call that
    /// has.
    fn drop(&mut self) {
        refuse_drop_inside(self.runs.is_inside());
    }
}

fn describe(Deadlock(threads): &Deadlock) -> String {
    let mut text = format!(
        "deadlock: none of the {} green threads can go on",
        threads.len()
    );
    for thread in threads {
        let _ = write!(text, "\n  {thread}");
    }
    text
}
