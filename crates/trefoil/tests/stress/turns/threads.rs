//! Threads: joined, scoped, forked, detached, and those that panic.

use std::panic::{AssertUnwindSafe, catch_unwind, panic_any, resume_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use trefoil::thread::{self, Builder, JoinHandle};
use trefoil::{Cancelled, Model};

use super::{Meant, any};
use crate::dice::Dice;
use crate::ledger::{Account, Open, Outcome};
use crate::world::World;

/// The handle of a thread, which counts what becomes of it.
pub(super) struct Handle<T> {
    handle: JoinHandle<T>,
    open: Open,
}

/// Spawns, and counts. `None`: there was no room for it.
pub(super) fn spawn<T: Send + 'static>(
    work: impl FnOnce() -> T + Send + 'static,
) -> Option<Handle<T>> {
    spawn_by(Builder::new(), work)
}

pub(super) fn spawn_by<T: Send + 'static>(
    builder: Builder,
    work: impl FnOnce() -> T + Send + 'static,
) -> Option<Handle<T>> {
    let open = Open::new(Account::Handles).or(Outcome::Refused);
    let handle = builder.spawn(counted(work)).ok()?;
    let open = open.or(Outcome::Dropped);
    Some(Handle { handle, open })
}

/// What the thread does, and that it counts how it ends.
fn counted<T>(work: impl FnOnce() -> T) -> impl FnOnce() -> T {
    let open = Open::new(Account::Threads);
    move || {
        let open = open.or(Outcome::Unwound);
        let value = work();
        open.close(Outcome::Done);
        value
    }
}

impl<T> Handle<T> {
    /// Its value; `None`: it was cancelled, or has panicked as it was meant to.
    pub(super) fn join(self) -> Option<T> {
        let Handle { handle, open } = self;
        match handle.join() {
            Ok(value) => {
                open.close(Outcome::Done);
                Some(value)
            }
            Err(payload) if payload.is::<Cancelled>() => {
                open.close(Outcome::Cancelled);
                None
            }
            // One that is not meant has been told by the panic hook.
            Err(_) => {
                open.close(Outcome::Panicked);
                None
            }
        }
    }

    pub(super) fn thread(&self) -> &thread::Thread {
        self.handle.thread()
    }

    pub(super) fn is_finished(&self) -> bool {
        self.handle.is_finished()
    }
}

/// A turn of its own for each of some threads, which are joined in any order.
pub(super) fn plain(world: &Arc<World>, dice: &mut Dice) {
    let mut threads = Vec::new();
    for number in 0..=dice.below(6) {
        let (world, mut own) = (Arc::clone(world), dice.branch());
        let thread = spawn(move || {
            if own.once_in(2) {
                any(&world, &mut own);
            }
            number
        });
        threads.extend(thread.map(|thread| (number, thread)));
        if dice.once_in(4) {
            thread::yield_now();
        }
    }
    while !threads.is_empty() {
        let next = dice.below(threads.len() as u64) as usize;
        let (number, thread) = threads.swap_remove(next);
        if dice.once_in(4) {
            thread.thread().unpark();
        }
        if let Some(value) = thread.join() {
            assert_eq!(value, number, "a thread returns its own value");
        }
    }
}

/// The threads of a scope borrow from its body, and all have ended when it ends.
pub(super) fn scoped(world: &Arc<World>, dice: &mut Dice) {
    let branches: Vec<Dice> = (0..=dice.below(5)).map(|_| dice.branch()).collect();
    let expected = branches.len();
    let ended = AtomicUsize::new(0);
    thread::scope(|scope| {
        for mut own in branches {
            let (joined, ended) = (dice.once_in(3), &ended);
            let handle = scope.spawn(counted(move || {
                any(world, &mut own);
                ended.fetch_add(1, Ordering::Relaxed);
            }));
            if joined {
                let ended = handle.join();
                assert!(ended.is_ok() || world.is_over(), "nobody cancels it");
            }
        }
    });
    // At its end a `run` may cancel some that have not begun.
    let all = ended.into_inner() == expected;
    assert!(all || world.is_over(), "all threads of a scope have ended");
}

/// One of the threads fails perhaps, and the others are interrupted then.
pub(super) fn tried(world: &Arc<World>, dice: &mut Dice) {
    let fails = dice.below(6);
    let branches: Vec<Dice> = (0..4).map(|_| dice.branch()).collect();
    let tried = thread::try_scope(|scope| {
        for (number, mut own) in (0..).zip(branches) {
            let thread = scope.spawn(counted(move || {
                if number == fails {
                    return Err(number);
                }
                any(world, &mut own);
                Ok(())
            }));
            drop(thread);
        }
        Ok::<(), u64>(())
    });
    match tried {
        Ok(()) => assert!(fails >= 4 || world.is_over(), "a failure is not lost"),
        Err(number) => assert_eq!(number, fails, "it is the failure of who failed"),
    }
}

/// A tree of forks.
pub(super) fn fork(world: &Arc<World>, dice: &mut Dice) {
    let height = dice.below(6) as u32;
    let leaf = dice.branch();
    let leaves = tree(world, height, leaf);
    assert_eq!(leaves, 1 << height, "every leaf counts");
}

fn tree(world: &Arc<World>, height: u32, mut dice: Dice) -> u64 {
    if height == 0 {
        if dice.once_in(16) {
            any(world, &mut dice);
        }
        return 1;
    }
    let (left, right) = (dice.sibling(), dice.sibling());
    let (left, right) = thread::join(
        || tree(world, height - 1, left),
        || tree(world, height - 1, right),
    );
    left + right
}

/// Nobody joins them, and the end of the `run` may find them at work.
pub(super) fn detached(world: &Arc<World>, dice: &mut Dice) {
    for _ in 0..=dice.below(4) {
        let (world, mut own) = (Arc::clone(world), dice.branch());
        drop(spawn(move || any(&world, &mut own)));
    }
}

/// Threads that panic: joined, in a scope, and in the middle of an unwinding.
pub(super) fn panics(world: &Arc<World>, dice: &mut Dice) {
    struct Waits;
    impl Drop for Waits {
        fn drop(&mut self) {
            thread::yield_now();
        }
    }
    let (world, mut own) = (Arc::clone(world), dice.branch());
    let thread = spawn(move || {
        let _waits = Waits;
        any(&world, &mut own);
        panic_any(Meant);
    });
    let in_a_scope = catch_unwind(AssertUnwindSafe(|| {
        thread::scope(|scope| drop(scope.spawn(counted(|| panic_any(Meant)))));
    }));
    let payload = in_a_scope.expect_err("a panic of a thread is its scope's");
    // That of a scope has a sentence of its own.
    if payload.is::<Cancelled>() {
        resume_unwind(payload);
    }
    if let Some(thread) = thread {
        let value: Option<()> = thread.join();
        assert!(value.is_none(), "it has panicked");
    }
}

/// One of the kernel model, among the others.
pub(super) fn kernel() -> Builder {
    Builder::new().model(Model::Kernel)
}
