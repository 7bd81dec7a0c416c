//! Single threads of the kernel model in a run of another model: they belong to the run that
//! spawned them, and not to the kernel runtime beside it.
//!
//! The facade instantiates these for every model, with [`suite_beside`](crate::suite_beside);
//! on the kernel model such a thread is one like the others.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, mpsc};
use std::time::Duration;

use trefoil_runtime::thread::{self, Builder, JoinHandle};
use trefoil_runtime::{Model, Reason, StackUsage, stack_usage};

use crate::Subject;
use crate::inline::{assert_a_joiner_is_told, child, train};
use crate::subject::{GRACE, patient, run};
use crate::witness::{refusal, sentence, until_waiting};

/// Spawns a kernel thread that no request can end, until it is let go: then it does `last`.
fn kernel_thread<T: Send + 'static>(
    last: impl FnOnce() -> T + Send + 'static,
) -> (mpsc::Sender<()>, JoinHandle<T>) {
    let (go, gate) = mpsc::channel::<()>();
    let spawned = Builder::new().model(Model::Kernel).spawn(move || {
        thread::blocking(move || gate.recv().unwrap());
        last()
    });
    let thread = spawned.expect("there is a kernel runtime beside it");
    until_waiting(thread.thread(), Reason::Blocking);
    (go, thread)
}

/// A run that is over has left a kernel thread with the last handle of the runtime.
fn outlived_by<S: Subject, T: Send + 'static>(
    last: impl FnOnce(Arc<S>) -> T + Send + 'static,
) -> JoinHandle<T> {
    let runtime = Arc::new(S::new(Duration::from_millis(1)));
    let mine = Arc::clone(&runtime);
    let (go, left) = runtime.run(move || kernel_thread(move || last(mine)));
    assert_eq!(runtime.leftover().len(), 1);
    drop(runtime);
    go.send(()).unwrap();
    left
}

/// The last handle of a runtime is dropped by a kernel thread of one of its runs: it panics
/// with a sentence, whatever the model, and does not wait for workers that may wait for it.
pub fn a_runtime_dropped_by_a_kernel_thread_of_its_run_says_so<S: Subject>() {
    let left = outlived_by::<S, _>(|runtime| refusal(|| drop(runtime)));
    let said = left.join().unwrap();
    assert!(said.contains("a thread of one of its `run`s"), "{said}");
}

/// The same by a kernel thread that unwinds: its own panic is what its `join` gets.
pub fn a_runtime_dropped_by_a_kernel_thread_that_unwinds_is_gone<S: Subject>() {
    let left = outlived_by::<S, ()>(|_runtime| panic!("this is the panic of the thread"));
    let payload = left.join().unwrap_err();
    assert_eq!(sentence(&*payload), "this is the panic of the thread");
}

/// A blocking call of a kernel thread does not run the runtime of its thread's run. It may run
/// another one.
pub fn a_blocking_call_of_a_kernel_thread_does_not_run_its_own<S: Subject>() {
    let runtime = Arc::new(patient::<S>());
    let mine = Arc::clone(&runtime);
    runtime.run(move || {
        let direct = refusal(|| mine.run(|| ()));
        let (go, thread) = kernel_thread(move || {
            let refused = thread::blocking(|| refusal(|| mine.run(|| ())));
            let value = thread::blocking(|| run::<S, _>(|| thread::spawn(|| 9).join()));
            (refused, value.unwrap())
        });
        go.send(()).unwrap();
        assert_eq!(thread.join().unwrap(), (direct, 9));
    });
}

/// A kernel thread may drop a runtime to whose runs it does not belong, and one that it has
/// made itself.
pub fn a_kernel_thread_of_another_run_may_drop_a_runtime<S: Subject>() {
    let other = patient::<S>();
    assert_eq!(other.run(|| 1), 1);
    run::<S, _>(move || {
        let (go, thread) = kernel_thread(move || {
            drop(other);
            drop(patient::<S>());
        });
        go.send(()).unwrap();
        thread.join().unwrap();
    });
}

/// A kernel thread is measured with the others, and counted where they are.
pub fn a_kernel_thread_is_measured_with_the_others<S: Subject>() {
    let runtime = S::metered(GRACE, true);
    runtime.run(|| {
        for model in [Model::Kernel, S::MODEL, Model::Kernel] {
            let spawned = Builder::new().model(model).spawn(|| ());
            spawned.unwrap().join().unwrap();
        }
    });
    let line = line!() - 4;
    let usage = runtime.stack_usage();
    let site = usage.iter().find(|usage| usage.site.line() == line);
    assert_eq!(site.unwrap().threads, 3, "{usage:#?}");
}

/// A kernel thread that asks how deep stacks got is told of the others too, and they of it.
pub fn a_kernel_thread_asks_for_the_run_it_is_in<S: Subject>() {
    let runtime = S::metered(GRACE, true);
    let (theirs, ours) = runtime.run(|| {
        let spawn = |model| Builder::new().model(model).spawn(stack_usage).unwrap();
        spawn(S::MODEL).join().unwrap();
        let theirs = spawn(Model::Kernel).join().unwrap();
        (theirs, stack_usage())
    });
    let line = line!() - 5;
    let counted = |usage: &[StackUsage]| {
        let site = usage.iter().find(|usage| usage.site.line() == line);
        site.map(|usage| usage.threads)
    };
    assert_eq!(counted(&theirs), Some(1), "{theirs:#?}");
    assert_eq!(counted(&ours), Some(2), "{ours:#?}");
}

/// A kernel thread among threads of any model gets a priority and an affinity of its own; what it
/// spawns gets them too, and nobody else.
pub fn a_kernel_thread_is_placed<S: Subject>() {
    run::<S, _>(crate::placement::get_both);
}

/// A thread that has joined a kernel thread has waited, whatever that one did: its OS thread is not the worker's.
pub fn a_join_of_a_kernel_thread_is_a_wait<S: Subject>() {
    run::<S, _>(|| {
        train();
        let stop = Arc::new(AtomicBool::new(false));
        let stops = Arc::clone(&stop);
        let joins = child(move || {
            let computes = Builder::new().model(Model::Kernel).spawn(move || {
                while !stops.load(Ordering::Relaxed) {
                    std::thread::yield_now();
                }
            });
            let computes = computes.expect("there is a kernel runtime beside it");
            computes.join().unwrap();
        });
        until_waiting(joins.thread(), Reason::Join);
        stop.store(true, Ordering::Relaxed);
        joins.join().unwrap();
        assert_a_joiner_is_told();
    });
}
