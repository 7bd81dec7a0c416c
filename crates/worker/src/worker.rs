//! The worker's own part: its fibers, their queue, timers and poller.
#![forbid(unsafe_code)]

use std::cell::{Cell, RefCell};
use std::io;
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

use trefoil_fiber::{LocalStacks, Stack};
use trefoil_reactor::TimerId;
use trefoil_runtime::{
    Held, Inbox, Interest, Left, Live, Mail, NewThread, Next, Outcome, Owned, Owner, ReadyQueue,
    Runtime, Source, Thread, Timer, Wait, Woken, clock, offload, park_fiber, thread,
};

use crate::beat::Beat;
use crate::monitor::Monitor;
use crate::poller::Poller;
use crate::remote::Remote;
use crate::roamers::Roamers;
use crate::stacks::Stacks;
use crate::timers::Timers;

/// How a worker came back from [`Worker::sleep`].
#[must_use]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rested {
    /// It did not sleep: there was a message.
    NotAtAll,
    /// It slept until something came, or the time was over.
    Slept,
}

/// What belongs to one OS thread that runs fibers. It is kept in a
/// [`trefoil_runtime::Owned`]; see the crate's head for the picture.
#[derive(Debug)]
pub struct Worker {
    ready: ReadyQueue,
    timers: Timers,
    poller: Poller,
    stacks: Stacks,
    own_stacks: RefCell<LocalStacks>,
    /// When to look whether stacks are to be given back. `None`: nothing is to be.
    tidy_at: Cell<Option<Instant>>,
    remote: Arc<Remote>,
    monitor: Option<Arc<Monitor>>,
    /// Threads that have started and not finished.
    started: Cell<usize>,
    /// Threads that wait for a call on another OS thread.
    calls: Cell<usize>,
    /// `None`: threads stay where they start (Rule 1).
    roamers: Option<Roamers>,
}

impl Worker {
    /// A worker whose threads have stacks from `stacks`. `monitor`, if there is one, is to
    /// [watch](Worker::be_watched) it.
    ///
    /// # Errors
    ///
    /// The poller's: `EMFILE` at the limit of descriptors.
    pub fn new(stacks: &Stacks, monitor: Option<Arc<Monitor>>) -> io::Result<Worker> {
        let poller = Poller::new().map_err(explain)?;
        let remote = Remote {
            inbox: Inbox::new(),
            bell: Arc::clone(&poller.registrar),
            beat: Beat::default(),
        };
        Ok(Worker {
            ready: ReadyQueue::new(),
            timers: Timers::new(),
            poller,
            own_stacks: RefCell::new(LocalStacks::new(
                Arc::clone(&stacks.pool),
                stacks.default_size,
            )?),
            stacks: stacks.clone(),
            tidy_at: Cell::new(None),
            remote: Arc::new(remote),
            monitor,
            started: Cell::new(0),
            calls: Cell::new(0),
            roamers: None,
        })
    }

    /// The same, whose threads roam.
    #[must_use]
    pub fn with_roamers(self, roamers: Roamers) -> Worker {
        Worker {
            roamers: Some(roamers),
            ..self
        }
    }

    /// Its part in threads that roam. `None`: threads stay where they start.
    #[must_use]
    #[inline]
    pub fn roamers(&self) -> Option<&Roamers> {
        self.roamers.as_ref()
    }

    /// The monitor watches from now on whether the worker comes back to its loop.
    pub fn be_watched(&self, owner: &Owner) {
        if let Some(monitor) = &self.monitor {
            monitor.watch(&self.remote, owner.key());
        }
    }

    /// What others may have of this worker.
    #[must_use]
    pub fn remote(&self) -> Arc<Remote> {
        Arc::clone(&self.remote)
    }

    // ----- for the loop, on the OS thread's own stack

    /// Reserves the stack of a thread that one of this worker's threads spawns. It is taken when
    /// the thread starts, here or on another worker with the same stacks.
    ///
    /// # Errors
    ///
    /// As [`Stacks::reserve`].
    #[inline]
    pub fn reserve_stack(&self, thread: &NewThread) -> io::Result<()> {
        let size = self.stacks.size_of(thread);
        self.own_stacks.borrow_mut().reserve(size)
    }

    /// Queues a thread that is to start here, and has its stack reserved.
    pub fn push_new(&self, thread: NewThread) {
        // Those that have started may all be parked now, and be woken before this one starts.
        self.ready.make_room(self.started.get() + 1);
        self.ready.push_new(thread);
    }

    /// [`Runtime::claim`] of a thread that `take` takes from where it waits.
    #[inline(always)]
    pub fn claim(
        &self,
        thread: &Thread,
        left: usize,
        take: impl FnOnce() -> Option<NewThread>,
    ) -> Option<NewThread> {
        if !self.stacks.is_enough(thread, left) {
            return None;
        }
        take().inspect(|thread| self.unreserve_stack(thread))
    }

    /// The same of a thread that was [queued](Worker::push_new) here.
    #[inline]
    pub fn claim_queued(&self, thread: &Thread, left: usize) -> Option<NewThread> {
        self.claim(thread, left, || self.ready.claim(thread))
    }

    /// [`Runtime::claim_last`] where `take` takes the last one that waits, if it is wanted.
    pub fn claim_last(
        &self,
        left: usize,
        wanted: &dyn Fn(&Thread) -> bool,
        take: impl FnOnce(&dyn Fn(&Thread) -> bool) -> Option<NewThread>,
    ) -> Option<NewThread> {
        let wanted = |thread: &Thread| self.stacks.is_enough(thread, left) && wanted(thread);
        take(&wanted).inspect(|thread| self.unreserve_stack(thread))
    }

    /// The same among those that were [queued](Worker::push_new) here.
    pub fn claim_last_queued(
        &self,
        left: usize,
        wanted: &dyn Fn(&Thread) -> bool,
    ) -> Option<NewThread> {
        self.claim_last(left, wanted, |wanted| self.ready.claim_last(wanted))
    }

    /// How many threads are queued.
    #[must_use]
    #[inline]
    pub fn ready(&self) -> usize {
        let roaming = self.roamers.as_ref().map_or(0, |it| it.queue().len());
        self.ready.len() + roaming
    }

    /// Threads that have started here and not finished.
    #[must_use]
    pub fn started(&self) -> usize {
        self.started.get()
    }

    /// Runs the first thread of the queue until it parks, yields or ends. `home` answers for
    /// a thread that starts. `false`: the queue is empty.
    #[inline(always)]
    pub fn run_next(&self, owner: &Owner, home: impl FnOnce() -> Arc<dyn Runtime>) -> bool {
        self.remote.beat.round();
        match self.ready.pop() {
            Some(Next::Ready(thread)) => {
                thread.set_running(owner);
                self.run(thread);
            }
            Some(Next::New(thread)) => self.start(thread, owner, home()),
            None => return false,
        }
        true
    }

    /// Starts a thread, whose stack is reserved, and runs it until it parks, yields or ends.
    pub fn start(&self, thread: NewThread, owner: &Owner, home: Arc<dyn Runtime>) {
        let Some((thread, stack)) = self.stack_for(thread) else {
            return;
        };
        let thread = thread.start_here(home, owner);
        thread.equip(stack, self.stacks.meter.clone());
        self.started.set(self.started.get() + 1);
        self.ready.make_room(self.started.get());
        self.run(thread);
    }

    /// Takes the stack that is reserved. `None`: the kernel has refused it, and the thread has been told.
    #[inline]
    fn stack_for(&self, thread: NewThread) -> Option<(NewThread, Stack)> {
        let size = self.stacks.size_of(&thread);
        let stack = self.own_stacks.borrow_mut().get(size);
        match stack {
            Ok(stack) => Some((thread, stack)),
            Err(refused) => {
                self.own_stacks.borrow_mut().unreserve(size);
                refuse(thread, &refused);
                None
            }
        }
    }

    /// Inlined into the loop: it is all that lies between two threads.
    #[inline(always)]
    fn run(&self, mut thread: Live) {
        match thread.resume() {
            Left::Yielded => {
                thread.set_ready();
                self.ready.push(thread);
            }
            Left::Parked => {
                if let Some(thread) = thread.park() {
                    self.ready.push(thread);
                }
            }
            Left::Finished => self.retire(thread),
        }
    }

    fn retire(&self, thread: Live) {
        self.take_stack_back(&thread);
        self.started.set(self.started.get() - 1);
        thread.finish();
    }

    #[inline]
    fn take_stack_back(&self, thread: &Live) {
        let mut stack = thread.retire();
        if let Some(meter) = &self.stacks.meter {
            meter.clean(&mut stack);
        }
        let size = stack.size();
        let mut stacks = self.own_stacks.borrow_mut();
        stacks.put(stack);
        stacks.unreserve(size);
    }

    /// Whether others have sent messages.
    #[must_use]
    pub fn has_mail(&self) -> bool {
        self.remote.inbox.has_messages()
    }

    /// Reads the messages of others.
    #[inline(always)]
    pub fn read_inbox(&self, owner: &Owner) {
        for mail in self.remote.inbox.take() {
            if self.roamers.is_some() {
                self.open_any(mail, owner);
            } else if let Some(thread) = owner.open(mail) {
                self.ready.push(thread);
            }
        }
    }

    /// Reads the messages of others, the clock, and the poller, without waiting.
    pub fn look_outside(&self, owner: &Owner) {
        self.read_inbox(owner);
        self.drop_stale_timers();
        let now = clock::tick();
        if !self.timers.is_empty() {
            self.expire(owner, now);
        }
        if self.poller.is_needed() {
            self.poller.poll(Some(Duration::ZERO));
        }
        self.tidy(now);
    }

    /// How long until stacks may have to be given back. `None`: none have to be.
    fn until_tidy(&self) -> Option<Duration> {
        let now = clock::tick();
        if self.tidy_at.get().is_none() {
            // Since the last look a whole round of threads may have ended.
            self.tidy(now);
        }
        let time = self.tidy_at.get()?;
        Some(time.saturating_duration_since(now))
    }

    /// Gives stacks back to the kernel that nobody has used for a while, if it is time for that.
    fn tidy(&self, now: Instant) {
        if self.tidy_at.get().is_none_or(|time| now >= time) {
            let again = self.own_stacks.borrow_mut().tidy(now);
            self.tidy_at.set(again.map(|pause| now + pause));
        }
    }

    fn expire(&self, owner: &Owner, now: Instant) {
        self.timers.expire(now, |thread| {
            if self.roamers.is_some() && thread.roams() {
                self.wake_roaming(thread, owner);
            } else {
                self.wake(thread, owner);
            }
        });
    }

    /// Timers that threads have taken back on other workers.
    fn drop_stale_timers(&self) {
        if let Some(roamers) = &self.roamers {
            let stale = roamers.take_stale();
            stale.into_iter().for_each(|timer| self.disarm_here(timer));
        }
    }

    /// Sleeps until a thread of this worker may be ready, somebody rouses it, or `at_most`
    /// has passed. `more_work` looks, once others can see that the worker is about to sleep,
    /// whether there is other work.
    pub fn sleep(
        &self,
        owner: &Owner,
        at_most: Option<Duration>,
        more_work: impl FnOnce() -> bool,
    ) -> Rested {
        if !self.remote.inbox.fall_asleep() {
            self.read_inbox(owner);
            return Rested::NotAtAll;
        }
        self.drop_stale_timers();
        let timeout = if more_work() {
            Some(Duration::ZERO)
        } else {
            shorter(
                shorter(at_most, self.until_tidy()),
                self.timers.until_next(),
            )
        };
        self.remote.beat.falls_asleep();
        self.poller.poll(timeout);
        self.wake_up();
        // Awake again: whoever posts from here on need not ring.
        self.read_inbox(owner);
        let now = clock::tick();
        self.expire(owner, now);
        self.tidy(now);
        Rested::Slept
    }

    fn wake_up(&self) {
        self.remote.beat.wakes_up();
        if let Some(monitor) = &self.monitor {
            monitor.worker_wakes();
        }
    }

    /// Whether something other than another OS thread can make a thread ready: a timer, a
    /// descriptor that is waited for, a call on another OS thread.
    #[must_use]
    pub fn has_prospects(&self) -> bool {
        !self.timers.is_empty() || self.poller.waits.get() != 0 || self.calls.get() != 0
    }

    /// The worker ends: nobody can send it messages any more, descriptors leave its poller.
    /// Threads that have not started are refused; those that have are left behind.
    pub fn close(&self) {
        while let Some(next) = self.ready.pop() {
            match next {
                Next::New(thread) => self.give_up(thread),
                // By Rules 2 and 3 it is leaked, with its stack.
                Next::Ready(thread) => std::mem::forget(thread),
            }
        }
        drop(self.remote.inbox.close());
        self.poller.close();
        clock::stop();
        // Handles of its threads keep what others have of it.
        self.remote.beat.falls_asleep();
    }

    /// Drops a thread that has its stack reserved and will not start.
    fn give_up(&self, thread: NewThread) {
        self.unreserve_stack(&thread);
        drop(thread);
    }

    /// The thread needs none of its own.
    #[inline]
    fn unreserve_stack(&self, thread: &NewThread) {
        let size = self.stacks.size_of(thread);
        self.own_stacks.borrow_mut().unreserve(size);
    }

    // ----- the contract: wake on the worker's OS thread, the rest on a fiber's own stack

    /// [`Runtime::wake`] of a thread of this worker.
    #[inline]
    pub fn wake(&self, thread: &Thread, owner: &Owner) {
        if let Some(thread) = owner.wake(thread) {
            self.ready.push(thread);
        }
    }
}

/// Threads that roam: for the loop, on the OS thread's own stack.
impl Worker {
    /// As [`start`](Worker::start), of a thread that is to roam.
    pub fn start_roaming(&self, thread: NewThread, owner: &Owner, home: Arc<dyn Runtime>) {
        let roamers = self.roamers.as_ref().expect("its threads roam");
        let Some((thread, stack)) = self.stack_for(thread) else {
            return;
        };
        let thread = thread.start_roaming(home, &roamers.roaming, owner);
        thread.equip(stack, self.stacks.meter.clone());
        roamers.one_begins();
        self.run_roaming(thread, owner);
    }

    /// As [`run_next`](Worker::run_next), where threads roam: runs one of those that stay here, and one of those
    /// that need not.
    #[inline(never)]
    pub fn run_next_of_all(&self, owner: &Owner, home: impl FnOnce() -> Arc<dyn Runtime>) -> bool {
        self.remote.beat.round();
        let stayed = self.ready.pop().map(|next| match next {
            Next::Ready(thread) if thread.roams() => self.go_on_with(thread, owner),
            Next::Ready(thread) => self.go_on_here_with(thread, owner),
            Next::New(thread) => self.start_here(thread, owner, home()),
        });
        let roamer = self.roamers.as_ref().and_then(|it| it.queue().pop());
        let roamed = roamer.map(|thread| self.go_on_with(thread, owner));
        stayed.or(roamed).is_some()
    }

    /// A local thread's turn. Not inlined, and neither is its start: the loop of threads that stay is.
    #[inline(never)]
    fn go_on_here_with(&self, thread: Live, owner: &Owner) {
        thread.set_running(owner);
        self.run(thread);
    }

    #[inline(never)]
    fn start_here(&self, thread: NewThread, owner: &Owner, home: Arc<dyn Runtime>) {
        self.start(thread, owner, home);
    }

    /// A wake-up from elsewhere, of a thread that roams or of a local one.
    #[inline(never)]
    fn open_any(&self, mail: Mail, owner: &Owner) {
        if mail.is_for_roaming() {
            self.wake_roaming(&mail.read(), owner);
        } else if let Some(thread) = owner.open(mail) {
            self.ready.push(thread);
        }
    }

    /// Runs a thread that roams, and was taken from wherever it was ready, until it parks, yields or ends.
    pub fn go_on_with(&self, thread: Live, owner: &Owner) {
        thread.roam_to(owner);
        self.run_roaming(thread, owner);
    }

    fn run_roaming(&self, mut thread: Live, owner: &Owner) {
        match thread.resume() {
            Left::Yielded => {
                thread.roam_ready(owner);
                self.queue_roaming(thread);
            }
            Left::Parked => {
                if let Some(thread) = thread.roam_park(owner) {
                    self.queue_roaming(thread);
                }
            }
            Left::Finished => {
                self.take_stack_back(&thread);
                thread.finish();
                if let Some(roamers) = &self.roamers {
                    roamers.one_has_ended();
                }
            }
        }
    }

    /// Queues a thread that roams and is ready: where others may take it, if it is not bound.
    fn queue_roaming(&self, thread: Live) {
        match &self.roamers {
            Some(roamers) if !thread.is_bound() => roamers.push(thread),
            _ => self.ready.push(thread),
        }
    }

    /// Wakes a thread that roams, here or, if it is bound there, on its worker.
    pub fn wake_roaming(&self, thread: &Thread, owner: &Owner) {
        let roamers = self.roamers.as_ref().expect("its threads roam");
        match roamers.roaming.wake(thread, owner) {
            Woken::Ready(thread) => self.queue_roaming(thread),
            Woken::Awake => {}
            Woken::Elsewhere => {
                if let Some(remote) = roamers.peers.remote_of(thread.runs_on()) {
                    remote.wake(thread);
                }
            }
        }
    }

    /// [`Runtime::arm`], for the current thread, in this worker's wheel.
    pub fn arm_here(&self, until: Instant) -> Timer {
        let timer = self.timers.add(until, thread::current());
        let (slot, number) = timer.into_parts();
        Timer {
            slot,
            number,
            worker: 0,
        }
    }

    /// [`Runtime::disarm`], of a timer in this worker's wheel.
    pub fn disarm_here(&self, timer: Timer) {
        self.timers
            .cancel(TimerId::from_parts(timer.slot, timer.number));
    }

    /// By which number descriptors know this worker's poller.
    #[must_use]
    pub fn poller_home(&self) -> usize {
        self.poller.registrar.home()
    }

    /// By which descriptors register with this worker's poller.
    #[must_use]
    pub fn registrar(&self) -> Arc<dyn trefoil_runtime::Poller> {
        Arc::clone(&self.poller.registrar) as _
    }
}

impl AsRef<Worker> for Worker {
    fn as_ref(&self) -> &Worker {
        self
    }
}

/// The contract's waits, on a fiber's own stack. Nothing of the worker is held while the
/// fiber is away: a fiber that never comes back must not keep it.
impl Worker {
    fn of_this_fiber<W: AsRef<Worker>>(worker: &Owned<W>) -> Rc<Held<W>> {
        worker
            .get()
            .expect("Rule 1: a fiber runs on the OS thread that started it")
    }

    /// [`Runtime::park`].
    #[inline]
    pub fn park<W: AsRef<Worker>>(worker: &Owned<W>, until: Option<Instant>) {
        let timer = until.map(|until| Worker::arm(worker, until));
        park_fiber();
        if let Some(timer) = timer {
            Worker::disarm(worker, timer);
        }
    }

    /// [`Runtime::arm`].
    #[inline]
    pub fn arm<W: AsRef<Worker>>(worker: &Owned<W>, until: Instant) -> Timer {
        let here = Worker::of_this_fiber(worker);
        (**here).as_ref().arm_here(until)
    }

    /// [`Runtime::disarm`].
    #[inline]
    pub fn disarm<W: AsRef<Worker>>(worker: &Owned<W>, timer: Timer) {
        let here = Worker::of_this_fiber(worker);
        (**here).as_ref().disarm_here(timer);
    }

    /// [`Runtime::wait_ready`].
    ///
    /// # Errors
    ///
    /// As there.
    pub fn wait_ready<W: AsRef<Worker>>(
        worker: &Owned<W>,
        source: &Source,
        interest: Interest,
        wait: &Wait,
    ) -> io::Result<Outcome> {
        // Counts, and tells by which number descriptors know the worker's poller.
        let count = |by: isize| {
            let here = Worker::of_this_fiber(worker);
            let poller = &(**here).as_ref().poller;
            let waits = &poller.waits;
            waits.set(waits.get().wrapping_add_signed(by));
            poller.registrar.home()
        };
        let home = count(1);
        let outcome = source.wait_registered(interest, wait, home, || {
            let here = Worker::of_this_fiber(worker);
            Arc::clone(&(**here).as_ref().poller.registrar) as _
        });
        count(-1);
        outcome
    }

    /// [`Runtime::blocking`].
    pub fn blocking<W: AsRef<Worker>>(worker: &Owned<W>, call: &mut (dyn FnMut() + Send)) {
        let count = |by: isize| {
            let here = Worker::of_this_fiber(worker);
            let calls = &(**here).as_ref().calls;
            calls.set(calls.get().wrapping_add_signed(by));
        };
        count(1);
        offload(call);
        count(-1);
    }
}

/// The thread that could not be given a stack ends with the reason as its panic. Like any panic it
/// goes through the panic hook: nobody may ever join the thread.
#[cold]
fn refuse(thread: NewThread, refused: &io::Error) {
    let name = thread.thread().name().unwrap_or("<unnamed>");
    let sentence = format!("thread '{name}' could not start: {refused}");
    let panicked = std::panic::catch_unwind(|| -> () { panic!("{sentence}") });
    if let Err(payload) = panicked {
        thread.refuse(payload);
    }
}

fn explain(refused: io::Error) -> io::Error {
    io::Error::new(
        refused.kind(),
        format!("a worker's poller needs three descriptors ({refused}): raise `ulimit -n`"),
    )
}

fn shorter(one: Option<Duration>, other: Option<Duration>) -> Option<Duration> {
    match (one, other) {
        (Some(one), Some(other)) => Some(one.min(other)),
        (one, other) => one.or(other),
    }
}
