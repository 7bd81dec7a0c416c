//! A thread that its joiner runs on its own stack is a thread like any other.
//!
//! That it is run so is seen by where its locals lie: near the joiner's. With several workers another one may
//! have taken it, so that is only asserted where a worker cannot.

use std::any::Any;
use std::cell::Cell;
use std::marker::PhantomData;
use std::panic::{self, AssertUnwindSafe};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use trefoil_runtime::cancel::Cancelled;
use trefoil_runtime::thread::{self, Builder, JoinHandle};
use trefoil_runtime::time::timeout;
use trefoil_runtime::{Model, Reason, thread_local};
use trefoil_sync::channel::{Receiver, bounded, unbounded};

use crate::Subject;
use crate::seed::{self, Random};
use crate::subject::run;
use crate::witness::{Witness, refusal, until, until_waiting, waits_for};

type Value = Box<dyn Any + Send>;

/// All threads that this spawns come from one line, and are of one type.
fn spawn_child(f: Box<dyn FnOnce() -> Value + Send>) -> JoinHandle<Value> {
    Builder::new().name("child".into()).spawn(f).unwrap()
}

/// A thread that [`spawn_child`] has spawned.
pub(crate) struct Child<T> {
    handle: JoinHandle<Value>,
    value: PhantomData<fn() -> T>,
}

pub(crate) fn child<T: Send + 'static>(f: impl FnOnce() -> T + Send + 'static) -> Child<T> {
    Child {
        handle: spawn_child(Box::new(|| Box::new(f()))),
        value: PhantomData,
    }
}

impl<T: 'static> Child<T> {
    pub(crate) fn join(self) -> std::thread::Result<T> {
        let value = self.handle.join()?;
        Ok(*value.downcast().expect("that is what it returns"))
    }

    pub(crate) fn thread(&self) -> &thread::Thread {
        self.handle.thread()
    }

    fn cancel(&self) {
        self.handle.cancel();
    }
}

/// So many children that never wait, that the next one is expected not to.
pub(crate) fn train() {
    let near = (0..300).filter(|_| is_near(child(here).join().unwrap()));
    let near = near.count();
    // Of a hybrid runtime another worker may take them.
    if thread::current().model() == Model::Green {
        assert!(near >= 200, "{near} of 300");
    }
}

/// Where the caller's locals are.
fn here() -> usize {
    let local = 0_u8;
    std::hint::black_box(&raw const local).addr()
}

/// Whether what lies there is on the caller's stack.
fn is_near(address: usize) -> bool {
    here().abs_diff(address) < 32 << 10
}

/// A joiner runs a thread that has not started on its own stack, if threads of its line do not wait; and not
/// on kernel threads, which have started. A local thread is not run by a joiner that migrates.
pub fn a_joiner_runs_it<S: Subject>() {
    let migrates = S::migrates();
    run::<S, _>(move || {
        train();
        // A local thread is taken by no other worker.
        if S::MODEL == Model::Kernel {
            assert!(!is_near(child(here).join().unwrap()));
            return;
        }
        let local = || thread::spawn_local(here).join().unwrap();
        let near = (0..300).map(|_| local()).filter(|at| is_near(*at)).count();
        assert!((near >= 200) != migrates, "{near} of 300");
        assert!(near == 0 || !migrates, "{near} have left their OS thread");
    });
}

/// It has its own name, number and locals, and the joiner keeps its own.
pub fn it_is_itself<S: Subject>() {
    thread_local! {
        static OWN: Cell<u32> = const { Cell::new(0) };
    }
    run::<S, _>(|| {
        train();
        OWN.set(7);
        let me = thread::current();
        let joiner = me.clone();
        let thread = child(move || {
            assert!(!joiner.is_current());
            assert_eq!(OWN.replace(8), 0);
            thread::current()
        });
        let id = thread.thread().id();
        let was = thread.join().unwrap();
        assert_eq!((was.id(), was.name()), (id, Some("child")));
        assert!(me.is_current() && thread::current().id() == me.id());
        assert_eq!(OWN.get(), 7);
    });
}

/// Its locals are dropped at its end, as it, and before the joiner goes on.
pub fn its_locals_end_with_it<S: Subject>() {
    struct Tells(Cell<Option<Arc<AtomicBool>>>);
    impl Drop for Tells {
        fn drop(&mut self) {
            let told = self.0.take().unwrap();
            told.store(thread::current().name() == Some("child"), Ordering::Relaxed);
        }
    }
    thread_local! {
        static TELLS: Tells = const { Tells(Cell::new(None)) };
    }
    run::<S, _>(|| {
        train();
        let told = Arc::new(AtomicBool::new(false));
        let tell = Arc::clone(&told);
        child(move || TELLS.with(|tells| tells.0.set(Some(tell))))
            .join()
            .unwrap();
        assert!(told.load(Ordering::Relaxed));
    });
}

/// Its panic and its cancellation are its own.
pub fn how_it_ends_is_its_result<S: Subject>() {
    run::<S, _>(|| {
        train();
        let panic = child(|| -> () { panic!("no luck") }).join().unwrap_err();
        assert_eq!(panic.downcast_ref(), Some(&"no luck"));
        let cancelled = child(|| {
            thread::current().cancel();
            thread::park();
        });
        assert!(cancelled.join().unwrap_err().is::<Cancelled>());
        assert!(!thread::is_cancelled());
        let never = child(|| unreachable!("it was cancelled before it began"));
        never.cancel();
        // Another worker may have begun it before.
        let _ = never.join();
    });
}

/// It may wait for anything, while the joiner waits for it, and others see both.
pub fn it_may_wait<S: Subject>() {
    run::<S, _>(|| {
        train();
        let (send, receive) = bounded(0);
        let (tell, told) = unbounded();
        let joiner = thread::spawn(move || {
            let waits = child(move || receive.recv().unwrap());
            tell.send(waits.thread().clone()).unwrap();
            waits.join().unwrap()
        });
        let child = told.recv().unwrap();
        until_waiting(&child, Reason::Receive);
        until_waiting(joiner.thread(), Reason::Join);
        // What wakes the joiner does not wake it, and is kept.
        joiner.thread().unpark();
        thread::yield_now();
        assert!(waits_for(child.id(), Reason::Receive));
        send.send(5).unwrap();
        assert_eq!(joiner.join().unwrap(), 5);
    });
}

/// An unpark that comes to the joiner meanwhile is remembered.
pub fn an_unpark_of_the_joiner_is_kept<S: Subject>() {
    run::<S, _>(|| {
        train();
        let me = thread::current();
        child(move || me.unpark()).join().unwrap();
        thread::park(); // at once
    });
}

/// Threads of a line that wait are not run by who joins them: it can be told that it was cancelled.
pub fn a_joiner_of_one_that_waits_is_told_at_once<S: Subject>() {
    run::<S, _>(|| {
        let witness = Witness::new();
        let token = witness.token();
        let (send, receive) = unbounded::<()>();
        let joiner = thread::spawn(move || {
            let _token = token;
            // The first one of its line: nobody knows whether it waits.
            child(move || receive.recv().unwrap()).join()
        });
        until_waiting(joiner.thread(), Reason::Join);
        joiner.cancel();
        until(|| witness.dropped() == 1);
        assert!(joiner.join().unwrap_err().is::<Cancelled>());
        send.send(()).unwrap();
    });
}

/// The same within a timeout, whatever the line's threads did before.
pub fn a_joiner_within_a_timeout_is_told_at_once<S: Subject>() {
    run::<S, _>(|| {
        train();
        let (send, receive) = unbounded::<()>();
        let joined = timeout(Duration::from_millis(5), || {
            child(move || receive.recv().unwrap()).join()
        });
        assert!(joined.is_err());
        send.send(()).unwrap();
    });
}

/// Who joins and joins lets others have their turn.
pub fn others_have_their_turn<S: Subject>() {
    run::<S, _>(|| {
        train();
        let done = Arc::new(AtomicBool::new(false));
        let set = Arc::clone(&done);
        let other = thread::spawn(move || set.store(true, Ordering::Relaxed));
        while !done.load(Ordering::Relaxed) {
            child(|| ()).join().unwrap();
        }
        other.join().unwrap();
    });
}

/// However deep threads join threads: where a stack would become short, the next one has its own.
pub fn joins_nest_as_deep_as_they_like<S: Subject>() {
    fn nest(depth: u32) -> u32 {
        let _frame = std::hint::black_box([0_u8; 512]);
        match depth {
            0 => 0,
            _ => child(move || nest(depth - 1)).join().unwrap() + 1,
        }
    }
    let depth = if S::MODEL == Model::Kernel {
        300
    } else {
        5_000
    };
    run::<S, _>(move || {
        train();
        assert_eq!(nest(depth), depth);
        assert_eq!(nest(depth), depth);
    });
}

/// A thread that asked for a larger stack than is left has its own.
pub fn who_asked_for_more_has_its_own_stack<S: Subject>() {
    run::<S, _>(|| {
        train();
        let small = Builder::new().stack_size(64 << 10);
        let at = small.spawn(|| {
            let large = || Builder::new().stack_size(4 << 20).spawn_local(here);
            let usual = || Builder::new().spawn_local(here);
            let far = |thread: std::io::Result<thread::LocalJoinHandle<usize>>| {
                thread.is_ok_and(|thread| is_near(thread.join().unwrap()))
            };
            (0..200).any(|_| far(large()) || far(usual()))
        });
        assert!(!at.unwrap().join().unwrap());
    });
}

/// A join in a destructor, while the thread unwinds.
pub fn it_is_joined_in_an_unwinding<S: Subject>() {
    struct Joins(Option<Child<u32>>);
    impl Drop for Joins {
        fn drop(&mut self) {
            assert!(thread::panicking());
            assert_eq!(self.0.take().unwrap().join().unwrap(), 3);
        }
    }
    run::<S, _>(|| {
        train();
        let unwound = panic::catch_unwind(AssertUnwindSafe(|| {
            let _joins = Joins(Some(child(|| if thread::panicking() { 4 } else { 3 })));
            panic!("on purpose");
        }));
        assert!(unwound.is_err());
    });
}

/// Inside `no_suspend` it is a wait like any other.
pub fn no_suspend_refuses_it<S: Subject>() {
    run::<S, _>(|| {
        train();
        let thread = child(|| thread::park_timeout(Duration::from_millis(1)));
        let sentence = refusal(|| thread::no_suspend(|| thread.join()));
        assert!(sentence.contains("no_suspend"), "{sentence}");
    });
}

/// At its end a scope runs those of its threads that have not started, and no others.
pub fn a_scope_runs_its_own<S: Subject>() {
    run::<S, _>(|| {
        let strangers = Arc::new(AtomicUsize::new(0));
        let near = AtomicUsize::new(0);
        let (gate, wait) = unbounded::<()>();
        let strange = {
            let (strangers, wait) = (Arc::clone(&strangers), wait.clone());
            move || {
                strangers.fetch_add(usize::from(wait.recv().is_ok()), Ordering::Relaxed);
            }
        };
        let before: Vec<_> = (0..3).map(|_| thread::spawn(strange.clone())).collect();
        let ended = AtomicUsize::new(0);
        thread::scope(|scope| {
            for _ in 0..10 {
                scope.spawn(|| {
                    near.fetch_add(usize::from(is_near(here())), Ordering::Relaxed);
                    ended.fetch_add(1, Ordering::Relaxed);
                });
            }
        });
        // The strangers wait for what comes only now.
        assert_eq!(ended.load(Ordering::Relaxed), 10);
        assert_eq!(strangers.load(Ordering::Relaxed), 0);
        (0..3).for_each(|_| gate.send(()).unwrap());
        before.into_iter().for_each(|thread| thread.join().unwrap());
        assert_eq!(strangers.load(Ordering::Relaxed), 3);
    });
}

/// Threads of a scope that need each other end, in whichever order they are run.
pub fn threads_of_a_scope_may_need_each_other<S: Subject>() {
    run::<S, _>(|| {
        for _ in 0..50 {
            let (send, receive) = bounded(0);
            let (answer, answered) = bounded(0);
            thread::scope(|scope| {
                scope.spawn(|| send.send(3).unwrap());
                scope.spawn(|| answered.recv().unwrap());
                scope.spawn(|| answer.send(receive.recv().unwrap()).unwrap());
            });
        }
    });
}

/// Asserts that who joins a thread of the line of `child` is told of its cancellation while that thread waits:
/// so it was not expected not to wait.
pub(crate) fn assert_a_joiner_is_told() {
    let witness = Witness::new();
    let token = witness.token();
    let (send, receive) = unbounded::<()>();
    let joiner = thread::spawn(move || {
        let _token = token;
        child(move || receive.recv().unwrap()).join()
    });
    until_waiting(joiner.thread(), Reason::Join);
    joiner.cancel();
    until(|| witness.dropped() == 1);
    assert!(joiner.join().unwrap_err().is::<Cancelled>());
    send.send(()).unwrap();
}

/// A thread whose join was ended by its cancellation has waited.
pub fn a_join_that_was_cancelled_was_a_wait<S: Subject>() {
    run::<S, _>(|| {
        train();
        let (send, receive) = unbounded::<()>();
        let joins = child(move || {
            let _ = thread::spawn(move || receive.recv()).join();
        });
        until_waiting(joins.thread(), Reason::Join);
        joins.cancel();
        assert!(joins.join().unwrap_err().is::<Cancelled>());
        assert_a_joiner_is_told();
        drop(send);
    });
}

/// The same if a timeout ended it, and the thread went on.
pub fn a_join_that_took_too_long_was_a_wait<S: Subject>() {
    run::<S, _>(|| {
        train();
        let (send, receive) = unbounded::<()>();
        let joins = child(move || {
            let waits = thread::spawn(move || receive.recv());
            assert!(timeout(Duration::from_millis(1), || waits.join()).is_err());
        });
        joins.join().unwrap();
        assert_a_joiner_is_told();
        drop(send);
    });
}

/// A thread has waited if a thread of its scope has, be it only in the destructor of a local.
pub fn what_a_scoped_thread_leaves_to_do_counts<S: Subject>() {
    struct Waits(Cell<Option<Receiver<()>>>);
    impl Drop for Waits {
        fn drop(&mut self) {
            let _ = self.0.take().unwrap().recv();
        }
    }
    thread_local! {
        static WAITS: Waits = const { Waits(Cell::new(None)) };
    }
    run::<S, _>(|| {
        train();
        let (send, receive) = unbounded::<()>();
        let parent = child(move || {
            thread::scope(|scope| {
                scope.spawn(|| WAITS.with(|waits| waits.0.set(Some(receive))));
            });
        });
        until_waiting(parent.thread(), Reason::Scope);
        send.send(()).unwrap();
        parent.join().unwrap();
        assert_a_joiner_is_told();
    });
}

/// Who joins threads that compute for long lets others have their turn after each.
pub fn others_have_their_turn_after_a_long_one<S: Subject>() {
    if S::MODEL == Model::Kernel {
        return; // The operating system takes turns.
    }
    run::<S, _>(|| {
        train();
        // On this worker.
        let other = thread::spawn_local(|| (0..3).for_each(|_| thread::yield_now()));
        let mut joined = 0;
        while !other.is_finished() {
            let long = child(|| {
                // Longer than a tick of any kernel.
                let begin = Instant::now();
                while begin.elapsed() < Duration::from_millis(12) {}
            });
            long.join().unwrap();
            joined += 1;
        }
        assert!(joined <= 8, "{joined} were joined before it had four turns");
    });
}

/// A thread that waits while it unwinds, above its joiner: neither the joiner nor a neighbour is taken for one
/// that unwinds, and both can be cancelled afterwards.
pub fn it_may_wait_while_it_unwinds<S: Subject>() {
    struct WaitsInDrop(Receiver<()>);
    impl Drop for WaitsInDrop {
        fn drop(&mut self) {
            assert!(thread::panicking());
            self.0.recv().unwrap();
            assert!(thread::panicking());
        }
    }
    run::<S, _>(|| {
        train();
        let (go, gate) = bounded(0);
        let (tell, told) = unbounded();
        let joiner = thread::spawn(move || {
            let unwinds = child(move || -> () {
                let _waits = WaitsInDrop(gate);
                panic!("on purpose");
            });
            tell.send(unwinds.thread().clone()).unwrap();
            assert!(unwinds.join().unwrap_err().is::<&str>());
            assert!(!thread::panicking());
            let lock = trefoil_sync::Mutex::new(());
            drop(lock.lock());
            assert!(!lock.is_poisoned());
            thread::current().cancel();
            thread::park();
        });
        until_waiting(&told.recv().unwrap(), Reason::Receive);
        assert!(!thread::panicking());
        // One that is run inside of a neighbour meanwhile, or that cannot be.
        assert!(!child(thread::panicking).join().unwrap());
        go.send(()).unwrap();
        assert!(joiner.join().unwrap_err().is::<Cancelled>());
        assert!(!thread::panicking());
    });
}

/// Where the end of a run finds a joiner and the thread that it runs, both are ended.
pub fn both_are_ended_with_the_run<S: Subject>() {
    let witness = Witness::new();
    let tokens = (witness.token(), witness.token());
    run::<S, _>(move || {
        train();
        let joiner = thread::spawn(move || {
            let _outer = tokens.0;
            let inner = tokens.1;
            let waits = child(move || {
                let _inner = inner;
                thread::park();
            });
            let _ = waits.join();
            thread::park();
        });
        until_waiting(joiner.thread(), Reason::Join);
    });
    assert_eq!(witness.dropped(), 2);
}

/// A joiner and the thread that it runs may both be woken by anybody, in any order.
pub fn wake_ups_find_whom_they_are_for<S: Subject>() {
    run::<S, _>(|| {
        train();
        let done = Arc::new(AtomicBool::new(false));
        let (tell, told) = unbounded();
        let stops = Arc::clone(&done);
        let wakes = std::thread::spawn(move || {
            let mut awake: Vec<thread::Thread> = Vec::new();
            while !stops.load(Ordering::Acquire) {
                awake.extend(told.try_iter());
                let few = awake.len().saturating_sub(8);
                awake.drain(..few);
                awake.iter().for_each(thread::Thread::unpark);
                std::thread::yield_now();
            }
        });
        for _ in 0..500 {
            tell.send(thread::current()).unwrap();
            let tells = tell.clone();
            thread::scope(|scope| {
                for _ in 0..3 {
                    let tells = tells.clone();
                    scope.spawn(move || {
                        tells.send(thread::current()).unwrap();
                        thread::park();
                        thread::park();
                    });
                }
            });
            thread::park();
        }
        done.store(true, Ordering::Release);
        wakes.join().unwrap();
    });
}

/// What the threads of [`trees_of_any_shape_come_to_an_end`] share.
struct Forest {
    witness: Witness,
    made: AtomicUsize,
    lock: trefoil_sync::Mutex<u64>,
    /// Who may be woken or cancelled by anybody.
    seen: std::sync::Mutex<Vec<thread::Thread>>,
}

/// The end of an unwinding that waits for a thread.
struct JoinsInDrop(Option<Child<()>>);

impl Drop for JoinsInDrop {
    fn drop(&mut self) {
        let _ = self.0.take().unwrap().join();
    }
}

impl Forest {
    fn tree(self: &Arc<Forest>, random: &mut Random, height: u64) -> Child<()> {
        let (forest, mut random) = (Arc::clone(self), random.branch());
        let token = self.witness.token();
        self.made.fetch_add(1, Ordering::Relaxed);
        let tree = child(move || {
            let _token = token;
            forest.grow(&mut random, height);
        });
        self.seen.lock().unwrap().push(tree.thread().clone());
        tree
    }

    fn grow(self: &Arc<Forest>, random: &mut Random, height: u64) {
        for _ in 0..random.below(5) {
            self.step(random, height);
        }
    }

    /// Forks and joins somehow, or waits a little.
    fn step(self: &Arc<Forest>, random: &mut Random, height: u64) {
        let forks = if height == 0 { 0 } else { 7 };
        match random.below(3 + forks) {
            0 => thread::yield_now(),
            1 => thread::park_timeout(Duration::from_micros(random.below(100))),
            2 => {
                let mut count = self.lock.lock().unwrap();
                thread::yield_now();
                *count += 1;
            }
            3 | 4 => drop(self.tree(random, height - 1).join()),
            5 => thread::scope(|scope| {
                for _ in 0..random.below(5) {
                    let mut random = random.branch();
                    scope.spawn(move || self.grow(&mut random, height - 1));
                }
            }),
            6 => {
                let (mut one, mut other) = (random.branch(), random.branch());
                thread::join(
                    || self.grow(&mut one, height - 1),
                    || self.grow(&mut other, height - 1),
                );
            }
            7 => {
                let tree = self.tree(random, height - 1);
                let span = Duration::from_micros(random.below(200));
                drop(timeout(span, || tree.join()));
            }
            8 => {
                let tree = self.tree(random, height - 1);
                tree.cancel();
                drop(tree.join());
            }
            _ => {
                let last = JoinsInDrop(Some(self.tree(random, height - 1)));
                let unwinds = child(move || {
                    let _last = last;
                    // No hook tells of it.
                    panic::resume_unwind(Box::new("on purpose"));
                });
                drop(unwinds.join());
            }
        }
    }
}

/// Threads that fork and join at random, wait, unwind, are cancelled, woken and timed out by anybody at any time:
/// all end, and nothing of them is left.
pub fn trees_of_any_shape_come_to_an_end<S: Subject>() {
    let seed = seed::draw();
    let mut random = seed.random();
    let forest = Arc::new(Forest {
        witness: Witness::new(),
        made: AtomicUsize::new(0),
        lock: trefoil_sync::Mutex::new(0),
        seen: std::sync::Mutex::default(),
    });
    let done = Arc::new(AtomicBool::new(false));
    let outside = {
        let (forest, done, mut random) = (Arc::clone(&forest), Arc::clone(&done), random.branch());
        std::thread::spawn(move || {
            // Acquire: pairs with the store below.
            while !done.load(Ordering::Acquire) {
                let seen = std::mem::take(&mut *forest.seen.lock().unwrap());
                for thread in seen {
                    match random.below(40) {
                        0 => thread.cancel(),
                        _ => thread.unpark(),
                    }
                }
                std::thread::yield_now();
            }
        })
    };
    let trees = Arc::clone(&forest);
    run::<S, _>(move || {
        train();
        for _ in 0..200 {
            let roots: Vec<_> = (0..3).map(|_| trees.tree(&mut random, 5)).collect();
            roots.into_iter().for_each(|root| drop(root.join()));
        }
    });
    // Release: pairs with the load above.
    done.store(true, Ordering::Release);
    outside.join().unwrap();
    assert_eq!(
        forest.witness.dropped(),
        forest.made.load(Ordering::Relaxed)
    );
}
