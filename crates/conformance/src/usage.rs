//! How deep stacks get: what is told is what was used, of the right threads, and at the right place.

use std::fs::File;
use std::hint::black_box;
use std::io;
use std::os::unix::fs::FileExt as _;
use std::panic;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, mpsc};
use std::time::Duration;

use trefoil_runtime::thread::{self, Builder, MAX_STACK_SIZE};
use trefoil_runtime::{Model, Reason, StackUsage, stack_usage};
use trefoil_sync::channel::unbounded;

use crate::Subject;
use crate::stack::descend;
use crate::subject::{GRACE, assert_nobody_left};
use crate::witness::{find, join_all, until, until_waiting};

/// What a deep thread uses.
const DEEP: usize = 100 << 10;

/// By how much more than what it was told to use a thread may be deeper: the last frame, a page's
/// rest, what its runtime needs above its closure, and what the C library keeps above that.
const MORE: usize = 32 << 10;

const PAGE: usize = 4096;

/// Uses so many bytes of the stack below its caller, and little more; waits there once.
#[inline(never)]
fn dig(bytes: usize) {
    let top = 0_u8;
    assert!(descend(std::ptr::from_ref(&top).addr(), bytes, thread::yield_now) > 0);
}

/// What `f` makes known on a runtime that measures, and leaves nothing behind; and `f`'s value.
fn usage_of<S: Subject, T: Send + 'static>(
    f: impl FnOnce() -> T + Send + 'static,
) -> (Vec<StackUsage>, T) {
    let runtime = S::metered(GRACE, true);
    let value = runtime.run(f);
    assert_nobody_left(&runtime);
    let usage = runtime.stack_usage();
    assert!(usage.is_sorted_by(|a, b| a.deepest >= b.deepest));
    (usage, value)
}

/// The threads that were spawned in this line of this file.
#[track_caller]
fn at(usage: &[StackUsage], line: u32) -> &StackUsage {
    let here = |usage: &&StackUsage| usage.site.file() == file!() && usage.site.line() == line;
    let found: Vec<&StackUsage> = usage.iter().filter(here).collect();
    match found[..] {
        [usage] => usage,
        _ => panic!("line {line} is one site: {usage:#?}"),
    }
}

#[track_caller]
fn assert_used(usage: &StackUsage, threads: u64, bytes: usize) {
    assert_eq!(usage.threads, threads, "{usage}");
    assert!(usage.deepest >= bytes.max(1), "{usage}");
    assert!(usage.deepest <= bytes + MORE, "{usage}");
    assert!(usage.deepest <= usage.stack_size, "{usage}");
}

/// Where nobody asks, nothing is measured.
pub fn nothing_is_known_where_it_is_off<S: Subject>() {
    let runtime = S::metered(GRACE, false);
    runtime.run(|| thread::spawn(|| dig(DEEP)).join().unwrap());
    assert!(runtime.stack_usage().is_empty());
}

/// Two sites, a deep and a shallow one, are told apart, whatever the order.
pub fn a_deep_site_is_told_from_a_shallow_one<S: Subject>() {
    let (usage, line) = usage_of::<S, _>(|| {
        let line = line!();
        let shallow = thread::spawn(thread::yield_now);
        let deep = thread::spawn(|| dig(DEEP));
        let again = thread::spawn(thread::yield_now);
        join_all([shallow, deep, again]);
        line
    });
    assert_used(at(&usage, line + 1), 1, 0);
    assert_used(at(&usage, line + 2), 1, DEEP);
    assert_used(at(&usage, line + 3), 1, 0);
    assert_eq!(usage.len(), 4, "these and the first thread: {usage:#?}");
}

/// A stack that a deep thread has used does not make the next one look deep.
pub fn a_used_stack_does_not_make_the_next_thread_deep<S: Subject>() {
    let (usage, line) = usage_of::<S, _>(|| {
        let line = line!();
        for _ in 0..50 {
            thread::spawn(|| dig(DEEP)).join().unwrap();
            thread::spawn(|| dig(1)).join().unwrap();
        }
        line
    });
    assert_used(at(&usage, line + 2), 50, DEEP);
    assert_used(at(&usage, line + 3), 50, 0);
}

/// Many threads at once are all counted, and each once.
pub fn each_thread_counts<S: Subject>() {
    let (usage, line) = usage_of::<S, _>(|| {
        let line = line!() + 1;
        let threads = [(); 1000].map(|()| thread::spawn(thread::yield_now));
        join_all(threads);
        line
    });
    assert_used(at(&usage, line), 1000, 0);
}

/// Whoever has joined a thread, or come out of a scope, finds its threads counted.
pub fn a_joined_thread_is_counted_already<S: Subject>() {
    let runtime = Arc::new(S::metered(GRACE, true));
    let mine = Arc::clone(&runtime);
    runtime.run(move || {
        for round in 1..=100 {
            let line = line!() + 1;
            thread::spawn(|| ()).join().unwrap();
            assert_eq!(at(&mine.stack_usage(), line).threads, round);
            let line = line!() + 1;
            thread::scope(|scope| drop(scope.spawn(|| ())));
            assert_eq!(at(&mine.stack_usage(), line).threads, round);
        }
    });
}

/// Several `run`s of one runtime count together.
pub fn all_runs_count<S: Subject>() {
    let runtime = S::metered(GRACE, true);
    for run in 1..=3 {
        let line = line!() + 1;
        let child = runtime.run(|| {
            thread::spawn(|| ()).join().unwrap();
            line!() - 1
        });
        let usage = runtime.stack_usage();
        assert_used(at(&usage, line), run, 0);
        assert_used(at(&usage, child), run, 0);
        assert_eq!(usage.len(), 2, "{usage:#?}");
    }
}

/// The site is the line that spawns, by whichever function.
pub fn the_site_is_the_programs<S: Subject>() {
    let first = line!() + 2;
    let runtime = S::metered(GRACE, true);
    runtime.run(|| {
        thread::spawn(|| ()).join().unwrap();
        Builder::new().spawn(|| ()).unwrap().join().unwrap();
        thread::scope(|scope| {
            scope.spawn(|| ());
            Builder::new().spawn_scoped(scope, || ()).unwrap();
        });
    });
    let mut lines = runtime.stack_usage();
    lines.sort_by_key(|usage| usage.site.line());
    let lines = lines.iter().map(|usage| usage.site.line() - first);
    assert!(lines.eq([0, 1, 2, 4, 5]), "{:#?}", runtime.stack_usage());
}

/// Scoped threads, which borrow, are measured like others.
pub fn scoped_threads_count<S: Subject>() {
    let (usage, line) = usage_of::<S, _>(|| {
        let bytes = DEEP;
        let line = line!() + 1;
        thread::scope(|scope| (0..10).for_each(|_| drop(scope.spawn(|| dig(bytes)))));
        line
    });
    assert_used(at(&usage, line), 10, DEEP);
}

/// Of a site the deepest thread is told, with its name and the size of its stack.
pub fn the_deepest_of_a_site_is_told<S: Subject>() {
    let (usage, line) = usage_of::<S, _>(|| {
        let line = line!() + 3;
        for (name, bytes) in [("low", 1), ("deepest", 5 << 20), ("middle", 2 << 20)] {
            let builder = Builder::new().name(name.to_owned()).stack_size(8 << 20);
            let thread = builder.spawn(move || dig(bytes)).unwrap();
            thread.join().unwrap();
        }
        line
    });
    let site = at(&usage, line);
    assert_used(site, 3, 5 << 20);
    assert_eq!(site.name.as_deref(), Some("deepest"));
    assert!((8 << 20..9 << 20).contains(&site.stack_size), "{site}");
}

/// A thread that panicked counts, with what it used.
pub fn a_panicking_thread_counts<S: Subject>() {
    let (usage, line) = usage_of::<S, _>(|| {
        let line = line!() + 1;
        let thread = thread::spawn(|| {
            dig(DEEP);
            // Not by `panic!`: a hook that prints a backtrace would be deeper.
            panic::resume_unwind(Box::new("it is meant to"));
        });
        assert!(thread.join().is_err());
        line
    });
    assert_used(at(&usage, line), 1, DEEP);
}

/// What a destructor uses that runs at the very end counts: of the result of a detached thread.
pub fn the_last_destructor_counts<S: Subject>() {
    struct Digs;
    impl Drop for Digs {
        fn drop(&mut self) {
            dig(DEEP);
        }
    }
    let (usage, line) = usage_of::<S, _>(|| {
        let (go, gate) = unbounded::<()>();
        let line = line!() + 1;
        let thread = thread::spawn(move || {
            gate.recv().unwrap();
            Digs
        });
        let id = thread.thread().id();
        // It has no handle any more when it ends.
        drop(thread);
        go.send(()).unwrap();
        until(|| find(id).is_none());
        line
    });
    assert_used(at(&usage, line), 1, DEEP);
}

/// The first thread counts. Its site is the line of `run`.
pub fn the_first_thread_counts<S: Subject>() {
    let line = line!() + 2;
    let runtime = S::metered(GRACE, true);
    runtime.run(|| dig(DEEP));
    let usage = runtime.stack_usage();
    assert_eq!(usage.len(), 1, "{usage:#?}");
    assert_used(at(&usage, line), 1, DEEP);
    assert_eq!(usage[0].name.as_deref(), Some("main"));
}

/// What the caller of `run` has used before, and does not use any more, is not the first thread's.
pub fn the_callers_past_is_not_the_first_threads<S: Subject>() {
    dig(4 * DEEP);
    let runtime = S::metered(GRACE, true);
    for run in 1..=3 {
        dig(2 * DEEP);
        runtime.run(|| ());
        assert_used(&runtime.stack_usage()[0], run, 0);
    }
}

/// A thread that is left over does not count; nor does one that was refused.
pub fn only_threads_that_ended_count<S: Subject>() {
    let runtime = S::metered(Duration::from_millis(1), true);
    let (go, gate) = mpsc::channel::<()>();
    let left = runtime.run(move || {
        let refused = Builder::new().stack_size(MAX_STACK_SIZE + 1);
        assert_eq!(
            refused.spawn(|| ()).unwrap_err().kind(),
            io::ErrorKind::InvalidInput
        );
        let thread = thread::spawn(move || thread::blocking(move || gate.recv().unwrap()));
        until_waiting(thread.thread(), Reason::Blocking);
        thread
    });
    assert_eq!(runtime.leftover().len(), 1);
    let usage = runtime.stack_usage();
    assert_eq!(
        usage.len(),
        1,
        "only the first thread has ended: {usage:#?}"
    );
    go.send(()).unwrap();
    drop(left);
}

/// A thread that is cancelled before its closure runs does not count; one that runs does.
pub fn a_thread_that_never_ran_does_not_count<S: Subject>() {
    let ran = Arc::new(AtomicU64::new(0));
    let mine = Arc::clone(&ran);
    let (usage, line) = usage_of::<S, _>(move || {
        for _ in 0..200 {
            let ran = Arc::clone(&mine);
            drop(thread::spawn(move || ran.fetch_add(1, Ordering::Relaxed)));
        }
        line!() - 2
    });
    let ran = ran.load(Ordering::Relaxed);
    if S::MODEL == Model::Green {
        assert_eq!(ran, 0, "the first thread has not let them begin");
    }
    let counted = usage.iter().filter(|usage| usage.site.line() == line);
    assert_eq!(counted.map(|usage| usage.threads).sum::<u64>(), ran);
}

/// Uses the stack down to this address, and one small frame more. It has no array: under the address
/// sanitizer filling one takes another two KiB of the stack.
#[inline(never)]
fn fill(low: usize) -> usize {
    let frame = 1;
    let here = std::ptr::from_ref(black_box(&frame)).addr();
    let below = if here > low { fill(low) } else { 0 };
    below + *black_box(&frame)
}

/// A stack that is used to its end is not told as more than full, wherever its top lies in a page.
pub fn no_thread_uses_more_than_its_stack<S: Subject>() {
    const SIZE: usize = 64 << 10;
    // What lies above the closure: a few frames, and what the C library keeps there.
    let kept = match S::MODEL {
        Model::Kernel => 24 << 10,
        Model::Green | Model::Hybrid => 4 << 10,
    };
    let (usage, line) = usage_of::<S, _>(move || {
        let line = line!() + 3;
        // All have their stacks at once: of fibers', several begin at each place of a page.
        let threads = [(); 40].map(|()| {
            let thread = Builder::new().stack_size(SIZE).spawn(move || {
                thread::yield_now();
                let top = 0_u8;
                assert!(fill(std::ptr::from_ref(&top).addr() - (SIZE - kept)) > 0);
            });
            thread.unwrap()
        });
        join_all(threads);
        line
    });
    let site = at(&usage, line);
    assert_eq!(site.threads, 40);
    assert!(site.deepest > SIZE - kept, "{site}");
    assert!(site.deepest <= site.stack_size, "{site}");
    if S::MODEL != Model::Kernel {
        assert_eq!(site.stack_size, SIZE, "{site}");
    }
}

/// A thread that has no runtime at hand asks for its own, and gets what that knows.
pub fn a_thread_asks_for_its_own_runtime<S: Subject>() {
    let runtime = Arc::new(S::metered(GRACE, true));
    let mine = Arc::clone(&runtime);
    runtime.run(move || {
        let line = line!() + 1;
        thread::spawn(|| dig(DEEP)).join().unwrap();
        let told = thread::spawn(stack_usage).join().unwrap();
        assert_used(at(&told, line), 1, DEEP);
        assert_eq!(told.len(), 1, "the others have not ended: {told:#?}");
        assert_used(at(&stack_usage(), line), 1, DEEP);
        assert_eq!(stack_usage().len(), mine.stack_usage().len());
        let plain = std::thread::spawn(stack_usage);
        assert!(plain.join().unwrap().is_empty());
    });
    assert!(stack_usage().is_empty());
    let off = S::metered(GRACE, false);
    let told = off.run(|| {
        thread::spawn(|| ()).join().unwrap();
        stack_usage()
    });
    assert!(told.is_empty(), "{told:#?}");
}

/// Whether the page of this address is memory of this process.
fn is_resident(address: usize) -> bool {
    let mut entry = [0; 8];
    let place = (address / PAGE * entry.len()) as u64;
    let pages = File::open("/proc/self/pagemap").unwrap();
    pages.read_exact_at(&mut entry, place).unwrap();
    // Present, or swapped out: proc_pid_pagemap(5).
    u64::from_ne_bytes(entry) >> 62 != 0
}

/// The memory that a deep thread used is given back, while its runtime lives.
pub fn the_memory_is_given_back<S: Subject>() {
    let runtime = S::metered(GRACE, true);
    runtime.run(|| {
        for _ in 0..3 {
            let thread = thread::spawn(|| {
                dig(DEEP);
                let here = 0_u8;
                let used = std::ptr::from_ref(&here).addr() - DEEP / 2;
                assert!(is_resident(used));
                used
            });
            let used = thread.join().unwrap();
            until(|| !is_resident(used));
        }
    });
}
