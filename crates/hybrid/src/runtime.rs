//! A hybrid runtime as a value: its workers' OS threads, and programs that run on them.
#![forbid(unsafe_code)]

use std::cell::Cell;
use std::fmt;
use std::io;
use std::sync::Arc;
use std::time::Instant;

use crossbeam_channel::{Receiver, Sender};
use trefoil_runtime::{
    Model, NewThread, Runs, SpawnQueue, StackUsage, Stall, ThreadInfo, join_main, launch, overflow,
    refuse_drop_inside, result_of_main,
};
use trefoil_worker::{Monitor, Roamers, Stacks, Worker};

use crate::builder::Builder;
use crate::commons::{Commons, Table};
use crate::hybrid::{Hybrid, Own};
use crate::schedule::Schedule;
use crate::shared::Shared;

/// A runtime of green threads on several OS threads. Several can live in one process.
pub struct Runtime {
    shared: Arc<Shared>,
    settings: Builder,
    monitor: Option<Arc<Monitor>>,
    runs: Runs,
    /// Each worker says once that it has ended, or that it must go on with threads that do
    /// not end.
    gone: Receiver<()>,
}

/// What a new OS thread needs to become a worker.
struct Seed {
    spawned: SpawnQueue,
    /// Where threads roam.
    roaming: Option<(Roamers, Arc<Commons>)>,
    seat: usize,
    shared: Arc<Shared>,
    monitor: Option<Arc<Monitor>>,
    begun: Sender<io::Result<Arc<Hybrid>>>,
    gone: Sender<()>,
}

impl Runtime {
    pub(crate) fn new(settings: Builder, workers: usize) -> io::Result<Runtime> {
        overflow::check_environment()?;
        let queues: Vec<SpawnQueue> = (0..workers).map(|_| SpawnQueue::new()).collect();
        let monitor = Monitor::of(settings.monitoring, settings.relief, &settings.companions)?;
        let table = settings
            .roaming()
            .map(|promise| Arc::new(Table::new(promise)));
        let roamers: Vec<Option<Roamers>> = (0..workers)
            .map(|_| table.as_ref().map(|table| table.roamers()))
            .collect();
        let afar = roamers.iter().map(|it| it.as_ref().map(Roamers::afar));
        let shared = Arc::new(Shared::new(
            queues.iter().map(SpawnQueue::stealer).zip(afar),
            Stacks::new(settings.stack_size, settings.metering.meter()?)?,
            settings.companions.clone(),
            monitor.as_deref().and_then(Monitor::hogs),
        ));
        let (begun, begins) = crossbeam_channel::unbounded();
        let (gone, goes) = crossbeam_channel::unbounded();
        // From here on, an early return drops the runtime, which ends the workers there are.
        let mut runtime = Runtime {
            shared: Arc::clone(&shared),
            monitor: monitor.clone(),
            settings,
            runs: Runs::new(),
            gone: goes,
        };
        let mut started = 0;
        let launched = queues.into_iter().zip(roamers).enumerate().try_for_each(
            |(seat, (spawned, roamers))| {
                let commons = table.as_ref().map(|table| Commons::new(&shared, table));
                let seed = Seed {
                    spawned,
                    roaming: roamers.zip(commons),
                    seat,
                    shared: Arc::clone(&shared),
                    monitor: monitor.clone(),
                    begun: begun.clone(),
                    gone: gone.clone(),
                };
                launch(&format!("trefoil-{seat}"), None, seed, work)
                    .map_err(|(_, refused)| explain(seat, workers, &refused))?;
                started += 1;
                Ok(())
            },
        );
        drop((begun, gone));
        // Every worker has sat down before any thread can look for it.
        let begun: io::Result<Vec<Arc<Hybrid>>> = begins.iter().take(started).collect();
        let begun = launched.and(begun).inspect_err(|_| {
            runtime.settings.grace = std::time::Duration::from_secs(1);
        })?;
        if let Some(table) = table {
            table.settle(begun);
        }
        Ok(runtime)
    }

    /// How many workers there are.
    #[must_use]
    pub fn workers(&self) -> usize {
        self.shared.seats.len()
    }

    /// Runs `f` as the main thread of this runtime, on one of its workers, and returns its
    /// value. The calling OS thread is blocked meanwhile.
    ///
    /// When `f` has ended, threads that are still alive are cancelled and given the grace.
    /// Those that do not end in time go on, and are listed by
    /// [`leftover`](Runtime::leftover).
    ///
    /// Several OS threads may call it at the same time.
    ///
    /// # Panics
    ///
    /// With `f`'s panic. If the calling thread is a thread of a runtime already, unless it is in a
    /// [blocking call](trefoil_runtime::thread::blocking) of a thread of another runtime. And if
    /// no address space is left for the main thread's stack.
    #[track_caller]
    pub fn run<F, T>(&self, f: F) -> T
    where
        F: FnOnce() -> T + Send + 'static,
        T: Send + 'static,
    {
        self.runs.refuse_inside();
        let domain = self.runs.begin();
        let stack_size = Some(self.settings.main_stack_size);
        let (main, handle) = NewThread::main(f, Model::Hybrid, stack_size, &domain);
        if let Err(refused) = self.shared.stacks.reserve(&main) {
            panic!("the hybrid runtime cannot run: {refused}");
        }
        self.shared
            .inject(main)
            .expect("the runtime closes when it is dropped, and is borrowed here");
        let joined = join_main(handle);
        self.runs
            .add_leftover(domain.wind_down(self.settings.grace));
        result_of_main(joined)
    }

    #[cfg(test)]
    pub(crate) fn shared(&self) -> &Arc<Shared> {
        &self.shared
    }

    fn wait_for_workers(&self) {
        let end = Instant::now().checked_add(self.settings.grace);
        // A worker that computes cannot be waited for without an end.
        for _ in 0..self.workers() {
            let gone = match end {
                Some(end) => self.gone.recv_deadline(end).is_ok(),
                None => self.gone.recv().is_ok(),
            };
            if !gone {
                break;
            }
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
    /// let runtime = trefoil_hybrid::Builder::new().measure_stacks(true).build()?;
    /// runtime.run(|| thread::spawn(|| std::hint::black_box([1_u8; 40_000]).len()).join().unwrap());
    /// let deepest = &runtime.stack_usage()[0];
    /// assert!(deepest.deepest >= 40_000 && deepest.deepest <= deepest.stack_size);
    /// # Ok::<(), std::io::Error>(())
    /// ```
    #[must_use]
    pub fn stack_usage(&self) -> Vec<StackUsage> {
        self.shared.stacks.usage()
    }

    /// Threads that kept their worker from all others for too long, by the place that spawned them; the longest
    /// first. Empty unless [workers are watched](Builder::monitoring). Takes a lock that nobody holds for long.
    ///
    /// ```
    /// use std::time::Duration;
    /// use trefoil_runtime::{Monitoring, thread};
    ///
    /// let limit = Monitoring::After(Duration::from_millis(5));
    /// let runtime = trefoil_hybrid::Builder::new().monitoring(limit).build()?;
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

/// Says which worker there is no room for.
#[cold]
fn explain(seat: usize, workers: usize, refused: &io::Error) -> io::Error {
    io::Error::new(
        refused.kind(),
        format!("{seat} of {workers} workers run: {refused}, or ask for fewer workers"),
    )
}

/// The life of a worker's OS thread.
fn work(seed: Seed) {
    let _watch = overflow::Watch::fibers();
    let worker = match Worker::new(&seed.shared.stacks, seed.monitor) {
        Ok(worker) => worker,
        Err(refused) => {
            let _ = seed.begun.send(Err(refused));
            let _ = seed.gone.send(());
            return;
        }
    };
    let (worker, commons) = match seed.roaming {
        Some((roamers, commons)) => (worker.with_roamers(roamers), Some(commons)),
        None => (worker, None),
    };
    let own = Own {
        worker,
        spawned: seed.spawned,
    };
    let hybrid = Hybrid::new(own, seed.seat, seed.shared);
    let own = hybrid.own.get().expect("the worker has just been made");
    own.worker.be_watched(own.owner());
    let _ = seed.begun.send(Ok(Arc::clone(&hybrid)));
    drop(seed.begun);
    // Once: whoever waits counts workers, and one that is stranded may yet end.
    let gone = Cell::new(Some(seed.gone));
    let tell = || {
        if let Some(gone) = gone.take() {
            let _ = gone.send(());
        }
    };
    Schedule::new(&hybrid, &own, commons).run(tell);
    own.worker.close();
    while own.spawned.pop().is_some() {}
    drop(own);
    drop(hybrid.own.close());
    // Before it is told: who has dropped the runtime finds its descriptors closed.
    drop(hybrid);
    tell();
}

impl Drop for Runtime {
    /// Ends the workers, and waits for them; not for those that own threads that do not end.
    ///
    /// # Panics
    ///
    /// If one of the runtime's own threads drops it, or a thread of one of its `run`s, which a
    /// runtime beside it runs, or a blocking call of either; unless that thread unwinds. It waits for nobody then: a worker
    /// may wait for the very thread.
    fn drop(&mut self) {
        self.shared.close();
        let inside = self.shared.is_here() || self.runs.is_inside();
        if !inside {
            self.wait_for_workers();
        }
        refuse_drop_inside(inside);
    }
}

impl fmt::Debug for Runtime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Runtime")
            .field("model", &Model::Hybrid)
            .field("workers", &self.workers())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::panic::{AssertUnwindSafe, catch_unwind};
    use std::sync::atomic::{AtomicBool, Ordering};
    use std::sync::mpsc;
    use std::time::Duration;
    use trefoil_runtime::thread;

    /// Once a runtime has been dropped, what its workers shared is gone, and the descriptors in it are closed.
    #[test]
    fn nothing_is_left_after_a_drop() {
        for _ in 0..500 {
            let runtime = Builder::new().workers(2).build().unwrap();
            let shared = Arc::downgrade(&runtime.shared);
            runtime.run(|| thread::spawn(|| ()).join().unwrap());
            drop(runtime);
            assert_eq!(shared.strong_count(), 0);
        }
    }

    /// A runtime that was dropped from inside leaves nothing behind once that thread has ended:
    /// its workers end, and what they share goes with the last of them.
    #[test]
    fn workers_end_after_a_drop_from_inside() {
        let builder = Builder::new().workers(2).grace(Duration::from_millis(1));
        let runtime = Arc::new(builder.build().unwrap());
        let shared = Arc::downgrade(&runtime.shared);
        let (go, gate) = mpsc::channel::<()>();
        let mine = Arc::clone(&runtime);
        runtime.run(move || {
            let begun = Arc::new(AtomicBool::new(false));
            let sign = Arc::clone(&begun);
            drop(thread::spawn(move || {
                sign.store(true, Ordering::Release);
                thread::blocking(move || gate.recv().unwrap());
                catch_unwind(AssertUnwindSafe(|| drop(mine))).unwrap_err();
            }));
            while !begun.load(Ordering::Acquire) {
                thread::yield_now();
            }
        });
        drop(runtime);
        assert_ne!(shared.strong_count(), 0, "the workers own a thread");
        go.send(()).unwrap();
        while shared.strong_count() != 0 {
            std::thread::yield_now();
        }
    }
}
