//! OS threads that wait for work for a while before they end.
//!
//! Jobs go through a crossbeam channel. `idle` counts the threads that wait there, less the jobs
//! in it ([`Idlers`]):
//!
//! * a thread that is about to wait adds one;
//! * who takes one away has reserved a thread, and sends it a job;
//! * a job for which no thread waits, at the limit, is owed: one is taken away below zero;
//! * where there is no room for another OS thread, one that waits is let go, in the same way;
//! * a thread that has waited long enough takes one away, and ends. If it cannot, a job is
//!   on its way to it.
//!
//! So a reserved job never waits. And no job is left without a thread: who ends, and who finds
//! the pool full, exclude each other (`leaving`).
#![forbid(unsafe_code)]

use std::io;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use crossbeam_channel::{Receiver, Sender, TryRecvError};

use crate::idlers::Idlers;
use crate::launch::launch;
use crate::overflow::Watch;
use crate::spare::{self, Spare};

/// A pool of OS threads that run jobs.
#[derive(Debug)]
pub struct Pool<J: 'static> {
    shared: Arc<Shared<J>>,
}

#[derive(Debug)]
struct Shared<J> {
    name: &'static str,
    limits: Limits,
    run: fn(J),
    closed: AtomicBool,
    /// `None` ends the thread that gets it.
    sender: Sender<Option<J>>,
    receiver: Receiver<Option<J>>,
    idle: Arc<Idlers>,
    threads: AtomicUsize,
    leaving: Mutex<()>,
    looking: AtomicUsize,
}

/// How large a pool becomes, and how long its threads stay.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// The most threads.
    pub threads: usize,
    /// A thread that has had nothing to do for so long ends.
    pub keep: Duration,
    /// The threads' stack size. `None`: that of `std::thread`.
    pub stack_size: Option<usize>,
}

impl<J: Send + 'static> Pool<J> {
    /// A pool without threads. They will be called `name`. `run` runs a job, and does not
    /// unwind.
    #[must_use]
    pub fn new(name: &'static str, limits: Limits, run: fn(J)) -> Pool<J> {
        let (sender, receiver) = crossbeam_channel::unbounded();
        let shared = Arc::new(Shared {
            name,
            limits,
            run,
            closed: AtomicBool::new(false),
            sender,
            receiver,
            idle: Idlers::listed(),
            threads: AtomicUsize::new(0),
            leaving: Mutex::new(()),
            looking: AtomicUsize::new(0),
        });
        let weak = Arc::downgrade(&shared);
        spare::enlist(weak);
        Pool { shared }
    }

    /// How many threads there are.
    #[must_use]
    pub fn threads(&self) -> usize {
        self.shared.threads.load(Ordering::Relaxed)
    }

    /// How many threads have nothing to do, and how many jobs no thread has been found for yet: one of both
    /// is 0. A job that is on its way to its thread is neither.
    #[must_use]
    pub fn idle_and_queued(&self) -> (usize, usize) {
        let count = self.shared.idle.count();
        let number = usize::try_from(count.unsigned_abs()).unwrap_or(usize::MAX);
        if count < 0 { (0, number) } else { (number, 0) }
    }

    /// Has a job run: by an idle thread, else by a new one, else (at the limit) by the first
    /// that has finished. Does not wait for a job to end; for how long it takes to start a thread,
    /// see [`launch`](crate::launch()).
    ///
    /// # Errors
    ///
    /// There is no idle thread, and no room for a new one ([`launch`](crate::launch())): the job is
    /// given back.
    pub fn submit(&self, job: J) -> Result<(), (J, io::Error)> {
        let shared = &self.shared;
        if shared.idle.take() {
            shared.send(Some(job));
            return Ok(());
        }
        if !shared.count_thread() {
            let leaving = shared.no_one_leaves();
            if !shared.count_thread() {
                // One of those that are counted will get to it.
                shared.idle.owe();
                shared.send(Some(job));
                return Ok(());
            }
            drop(leaving);
        }
        Shared::spawn(shared, job)
    }
}

impl<J> Drop for Pool<J> {
    /// Jobs that were submitted still run; then the threads end.
    fn drop(&mut self) {
        // SeqCst, with `Shared::next`.
        self.shared.closed.store(true, Ordering::SeqCst);
        while self.shared.let_one_go() {}
    }
}

impl<J> Shared<J> {
    /// The caller has taken an idle thread, or owes the job.
    fn send(&self, job: Option<J>) {
        // The pool holds a receiver, so it cannot fail.
        let _ = self.sender.send(job);
    }

    /// Ends a thread that waits, if there is one.
    fn let_one_go(&self) -> bool {
        let one_waits = self.idle.take();
        if one_waits {
            self.send(None);
        }
        one_waits
    }

    fn no_one_leaves(&self) -> MutexGuard<'_, ()> {
        self.leaving.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<J: Send> Spare for Shared<J> {
    fn let_one_go(&self) -> bool {
        self.let_one_go()
    }
}

impl<J: Send + 'static> Shared<J> {
    /// Counts a new thread, if one more is allowed.
    fn count_thread(&self) -> bool {
        self.threads
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |threads| {
                (threads < self.limits.threads).then_some(threads + 1)
            })
            .is_ok()
    }

    fn spawn(shared: &Arc<Shared<J>>, job: J) -> Result<(), (J, io::Error)> {
        let load = (Arc::clone(shared), job);
        launch(shared.name, shared.limits.stack_size, load, Shared::begin).map_err(
            |((_, job), refused)| {
                shared.threads.fetch_sub(1, Ordering::Relaxed);
                (job, refused)
            },
        )
    }

    /// The life of a thread.
    fn begin((own, job): (Arc<Shared<J>>, J)) {
        let _watch = Watch::kernel_threads();
        (own.run)(job);
        own.serve();
    }

    /// The life of a thread after its first job.
    fn serve(&self) {
        while let Some(job) = self.next() {
            (self.run)(job);
        }
    }

    /// Waits for a job. `None`: the thread ends, and is not counted any more.
    fn next(&self) -> Option<J> {
        self.idle.add();
        // SeqCst, with `drop`: either it sees us idle and ends us, or we see it closed, and
        // then take what is left without waiting.
        let received = if self.closed.load(Ordering::SeqCst) {
            self.receiver.try_recv().ok()
        } else {
            self.look_awhile()
                .or_else(|| self.receiver.recv_timeout(self.limits.keep).ok())
        };
        let job = match received {
            Some(job) => job,
            None if self.leave() => return None,
            // Somebody has reserved us at this moment: a job is on its way.
            None => self.receiver.recv().ok()?,
        };
        job.or_else(|| self.leave_as_told())
    }

    /// Ends a thread that was told to, unless a job was left to those that were counted then: it takes
    /// that first.
    fn leave_as_told(&self) -> Option<J> {
        let _leaving = self.no_one_leaves();
        // Whoever finds the pool full has sent the job by now, or will find it less full.
        let mut told = 0;
        let job = loop {
            match self.receiver.try_recv() {
                Ok(Some(job)) => {
                    told += 1;
                    break Some(job);
                }
                Ok(None) => told += 1,
                Err(_) => break None,
            }
        };
        // As many are to end as before: those that wait, or this one when it has done the job.
        (0..told).for_each(|_| self.send(None));
        if job.is_none() {
            self.end();
        }
        job
    }

    /// Ends a thread that waits, unless a job is on its way to it.
    fn leave(&self) -> bool {
        let _leaving = self.no_one_leaves();
        let leaves = self.idle.take();
        if leaves {
            self.end();
        }
        leaves
    }

    /// One thread less.
    fn end(&self) {
        // A thread that came late may have taken what was sent to one that waits. So
        // whoever ends a closed pool ends the next one too.
        if self.closed.load(Ordering::SeqCst) {
            self.let_one_go();
        }
        self.threads.fetch_sub(1, Ordering::Relaxed);
    }

    /// Looks for a job awake, for a moment: to wake a kernel thread that sleeps costs far
    /// more. One thread of the pool at a time does.
    fn look_awhile(&self) -> Option<Option<J>> {
        const LOOKS: u32 = 300;
        static SEVERAL: OnceLock<bool> = OnceLock::new();
        let several = *SEVERAL
            .get_or_init(|| std::thread::available_parallelism().is_ok_and(|all| all.get() > 1));
        // Relaxed: it may happen that two look, or none.
        if !several || self.looking.swap(1, Ordering::Relaxed) == 1 {
            return None;
        }
        let mut found = None;
        for _ in 0..LOOKS {
            match self.receiver.try_recv() {
                Ok(job) => found = Some(job),
                Err(TryRecvError::Empty) => {
                    std::hint::spin_loop();
                    continue;
                }
                Err(TryRecvError::Disconnected) => {}
            }
            break;
        }
        self.looking.store(0, Ordering::Relaxed);
        found
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::mpsc;

    type Job = Box<dyn FnOnce() + Send>;

    fn pool(most: usize) -> Pool<Job> {
        let limits = Limits {
            threads: most,
            keep: Duration::from_millis(20),
            stack_size: None,
        };
        Pool::new("test", limits, |job: Job| job())
    }

    fn refused((_, error): (Job, io::Error)) {
        panic!("{error}");
    }

    #[test]
    fn every_job_runs_also_at_the_limit() {
        let pool = pool(2);
        let (sender, receiver) = mpsc::channel();
        for number in 0..500 {
            let sender = sender.clone();
            pool.submit(Box::new(move || sender.send(number).unwrap()))
                .unwrap_or_else(refused);
        }
        let mut seen: Vec<i32> = (0..500).map(|_| receiver.recv().unwrap()).collect();
        seen.sort_unstable();
        assert!(seen.into_iter().eq(0..500));
        assert!(pool.threads() <= 2);
    }

    /// The thread is told to end again and again, and a job comes at that moment.
    #[test]
    fn no_job_is_left_without_a_thread_when_threads_are_let_go() {
        let pool = pool(1);
        let shared = Arc::clone(&pool.shared);
        let over = Arc::new(AtomicBool::new(false));
        let stop = Arc::clone(&over);
        let teller = std::thread::spawn(move || {
            while !stop.load(Ordering::Relaxed) {
                shared.let_one_go();
                std::hint::spin_loop();
            }
        });
        let (sender, receiver) = mpsc::channel();
        for number in 0..5_000 {
            let sender = sender.clone();
            pool.submit(Box::new(move || sender.send(number).unwrap()))
                .unwrap_or_else(refused);
            let done = receiver.recv_timeout(Duration::from_secs(20));
            assert_eq!(done, Ok(number), "it has no thread");
        }
        over.store(true, Ordering::Relaxed);
        teller.join().unwrap();
    }

    #[test]
    fn a_job_does_not_wait_behind_another_below_the_limit() {
        let pool = pool(usize::MAX);
        let (sender, receiver) = mpsc::channel();
        let barrier = Arc::new(std::sync::Barrier::new(20));
        for _ in 0..20 {
            let (sender, barrier) = (sender.clone(), Arc::clone(&barrier));
            pool.submit(Box::new(move || {
                barrier.wait();
                sender.send(()).unwrap();
            }))
            .unwrap_or_else(refused);
        }
        for _ in 0..20 {
            receiver.recv().unwrap();
        }
    }

    /// At the limit the queue grows, and it is worked off by the same threads.
    #[test]
    fn the_queue_is_visible() {
        let limits = Limits {
            threads: 2,
            keep: Duration::MAX,
            stack_size: None,
        };
        let pool = Pool::new("test", limits, |job: Job| job());
        assert_eq!((pool.threads(), pool.idle_and_queued()), (0, (0, 0)));
        let (open, gate) = mpsc::channel::<()>();
        let gate = Arc::new(Mutex::new(gate));
        for number in 1..=5 {
            let gate = Arc::clone(&gate);
            let waits = move || {
                let _ = gate.lock().unwrap().recv();
            };
            pool.submit(Box::new(waits)).unwrap_or_else(refused);
            assert_eq!(pool.threads(), number.min(2));
            assert_eq!(pool.idle_and_queued(), (0, number.saturating_sub(2)));
        }
        for left in (0..3).rev() {
            open.send(()).unwrap();
            while pool.idle_and_queued() != (0, left) {
                std::thread::yield_now();
            }
        }
        drop(open);
        while pool.idle_and_queued() != (2, 0) {
            std::thread::yield_now();
        }
        assert_eq!(pool.threads(), 2);
    }

    #[test]
    fn idle_threads_end_and_new_ones_come() {
        let pool = pool(4);
        for _ in 0..3 {
            let (sender, receiver) = mpsc::channel();
            pool.submit(Box::new(move || sender.send(()).unwrap()))
                .unwrap_or_else(refused);
            receiver.recv().unwrap();
            while pool.threads() != 0 {
                std::thread::yield_now();
            }
        }
    }

    /// At the limit of one, every job comes about when the only thread has waited long enough.
    #[test]
    fn no_job_is_left_to_a_thread_that_ends() {
        let limits = Limits {
            threads: 1,
            keep: Duration::ZERO,
            stack_size: None,
        };
        let pool = Pool::new("test", limits, |job: Job| job());
        for number in 0..3000 {
            let (sender, receiver) = mpsc::channel();
            pool.submit(Box::new(move || sender.send(number).unwrap()))
                .unwrap_or_else(refused);
            assert_eq!(receiver.recv(), Ok(number));
            // Another moment each time.
            (0..number % 64).for_each(|_| std::hint::spin_loop());
        }
    }

    #[test]
    fn a_pool_that_goes_ends_its_threads() {
        let pool = Pool::new(
            "test",
            Limits {
                threads: 8,
                keep: Duration::MAX,
                stack_size: Some(64 << 10),
            },
            |job: Job| job(),
        );
        let shared = Arc::clone(&pool.shared);
        for _ in 0..50 {
            pool.submit(Box::new(|| ())).unwrap_or_else(refused);
        }
        drop(pool);
        while shared.threads.load(Ordering::Relaxed) != 0 {
            std::thread::yield_now();
        }
        assert!(
            shared.receiver.is_empty(),
            "jobs that were submitted have run"
        );
    }
}
