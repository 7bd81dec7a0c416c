//! Runtimes as values: several, again and again, one in another, and their end.

use std::sync::{Arc, Barrier, mpsc};

use trefoil_runtime::{Model, in_runtime, thread};
use trefoil_sync::channel::bounded;

use crate::Subject;
use crate::subject::{assert_nobody_left, patient, run};
use crate::witness::{Witness, refusal, sentence};

/// `run` may be called again, as often as one likes.
pub fn a_runtime_runs_again<S: Subject>() {
    let runtime = patient::<S>();
    for n in 0..20 {
        let value = runtime.run(move || thread::spawn(move || n).join().unwrap());
        assert_eq!(value, n);
        assert_nobody_left(&runtime);
    }
}

/// A runtime that never ran is dropped without ado, and so are many.
pub fn a_runtime_may_be_dropped_unused<S: Subject>() {
    (0..10).for_each(|_| drop(patient::<S>()));
}

/// The closure and its captures are dropped in the run.
pub fn what_run_was_given_is_dropped<S: Subject>() {
    let witness = Witness::new();
    let token = witness.token();
    run::<S, _>(move || {
        let _token = token;
        thread::yield_now();
    });
    assert_eq!(witness.dropped(), 1);
}

/// Inside one is in a runtime, outside not.
pub fn in_runtime_tells_where_one_is<S: Subject>() {
    assert!(!in_runtime());
    assert!(run::<S, _>(in_runtime));
    assert!(!in_runtime());
}

/// `run` inside `run` is refused with a sentence, whether the runtime is the same or
/// another one, and does not hang.
pub fn run_inside_run_is_refused<S: Subject>() {
    let runtime = Arc::new(patient::<S>());
    let same = Arc::clone(&runtime);
    runtime.run(move || {
        let refused = refusal(|| same.run(|| ()));
        assert!(refused.contains("run"), "{refused}");
        let other = patient::<S>();
        let refused = refusal(|| other.run(|| ()));
        assert!(refused.contains("run"), "{refused}");
        let in_child = Arc::clone(&same);
        thread::spawn(move || refusal(|| in_child.run(|| ())))
            .join()
            .unwrap();
        // Nothing of this harms the run that goes on.
        assert_eq!(thread::spawn(|| 1).join().unwrap(), 1);
    });
    assert_nobody_left(&*runtime);
    assert_eq!(runtime.run(|| 2), 2);
}

/// The same in a blocking call, although another OS thread may make it: its thread's own
/// runtime is not run there, nor is any by a thread that the call runs in turn.
pub fn run_inside_run_is_refused_in_a_blocking_call<S: Subject>() {
    let runtime = Arc::new(patient::<S>());
    let same = Arc::clone(&runtime);
    runtime.run(move || {
        let direct = refusal(|| same.run(|| ()));
        let refused = thread::blocking(|| refusal(|| same.run(|| ())));
        assert_eq!(refused, direct);
        // A call in a call hides nothing.
        let refused = thread::blocking(|| thread::blocking(|| refusal(|| same.run(|| ()))));
        assert_eq!(refused, direct);
        let third = Arc::new(patient::<S>());
        let refused = thread::blocking(|| {
            run::<S, _>(move || [same, third].map(|runtime| refusal(|| runtime.run(|| ()))))
        });
        assert_eq!(refused, [direct.clone(), direct]);
        // The call is over.
        assert_eq!(thread::spawn(|| 1).join().unwrap(), 1);
    });
    assert_nobody_left(&*runtime);
    assert_eq!(runtime.run(|| 2), 2);
}

/// A blocking call may run another runtime than its thread's: it stops nobody else. That one's
/// threads may do so, too.
pub fn a_blocking_call_may_run_another_runtime<S: Subject>() {
    let other = Arc::new(patient::<S>());
    let third = Arc::clone(&other);
    run::<S, _>(move || {
        // Its value comes back, and so does its panic.
        let value = thread::blocking(|| other.run(|| thread::spawn(|| 3).join().unwrap()));
        assert_eq!(value, 3);
        let text = refusal(|| thread::blocking(|| other.run(|| panic!("it is meant to do this"))));
        assert_eq!(text, "it is meant to do this");
        // Deeper.
        let deep = thread::blocking(|| {
            run::<S, _>(move || thread::blocking(|| third.run(|| thread::spawn(|| 4).join())))
        });
        assert_eq!(deep.unwrap(), 4);
        // One goes on with its own threads while calls run others.
        let threads = [(); 4].map(|()| {
            thread::spawn(|| thread::blocking(|| run::<S, _>(|| thread::spawn(|| 5).join())))
        });
        for thread in threads {
            assert_eq!(thread.join().unwrap().unwrap(), 5);
        }
        assert_nobody_left(&*other);
        // And drop them.
        thread::blocking(move || drop(other));
        thread::blocking(|| drop(patient::<S>()));
    });
}

/// An OS thread that has made a blocking call for a runtime may run that one later.
pub fn a_blocking_call_leaves_nothing_behind<S: Subject>() {
    let runtime = patient::<S>();
    // On the kernel model it is made by this OS thread.
    runtime.run(|| thread::blocking(|| ()));
    assert_eq!(runtime.run(|| thread::blocking(|| 6)), 6);
}

/// A runtime that is made inside a run may be dropped there.
pub fn a_runtime_may_be_made_inside_a_run<S: Subject>() {
    run::<S, _>(|| {
        drop(patient::<S>());
        thread::spawn(|| drop(patient::<S>())).join().unwrap();
    });
}

/// A runtime may be handed to another OS thread, and run there.
pub fn a_runtime_changes_hands<S: Subject>() {
    let runtime = patient::<S>();
    assert_eq!(runtime.run(|| 1), 1);
    let value = std::thread::spawn(move || runtime.run(|| thread::spawn(|| 2).join().unwrap()));
    assert_eq!(value.join().unwrap(), 2);
}

/// Several runtimes in one process run at the same time and exchange messages.
pub fn several_runtimes_at_once<S: Subject>() {
    const ROUNDS: u32 = 200;
    let (ping, pings) = bounded::<u32>(0);
    let (pong, pongs) = bounded::<u32>(0);
    let other = std::thread::spawn(move || {
        run::<S, _>(move || {
            thread::spawn(move || pings.iter().for_each(|n| pong.send(n + 1).unwrap()))
                .join()
                .unwrap();
        });
    });
    let last = run::<S, _>(move || {
        (0..ROUNDS).fold(0, |n, _| {
            ping.send(n).unwrap();
            pongs.recv().unwrap()
        })
    });
    other.join().unwrap();
    assert_eq!(last, ROUNDS);
}

/// Two OS threads call `run` of one runtime at the same time. Kernel and hybrid threads
/// run side by side: here each run waits for the other. A green runtime works on the OS
/// thread that calls it: it says so with a sentence, or runs both.
pub fn two_runs_of_one_runtime_at_once<S: Subject>() {
    let runtime = Arc::new(patient::<S>());
    let both = Arc::new(Barrier::new(2));
    let (send, receive) = mpsc::channel();
    let runs = [(); 2].map(|()| {
        let (runtime, both, send) = (Arc::clone(&runtime), Arc::clone(&both), send.clone());
        std::thread::spawn(move || {
            if S::MODEL == Model::Green {
                both.wait();
                runtime.run(move || send.send(()).unwrap());
            } else {
                runtime.run(move || {
                    thread::blocking(|| both.wait());
                    thread::spawn(move || send.send(()).unwrap())
                        .join()
                        .unwrap();
                });
            }
        })
    });
    let mut completed = 0;
    for run in runs {
        match run.join() {
            Ok(()) => completed += 1,
            Err(payload) => assert_eq!(S::MODEL, Model::Green, "{}", sentence(&*payload)),
        }
    }
    assert!(completed >= 1);
    assert_eq!(receive.try_iter().count(), completed);
    assert_nobody_left(&*runtime);
}

/// The end of one run cancels its own threads, not those of another run of the runtime.
pub fn the_end_of_a_run_is_not_the_others<S: Subject>() {
    if S::MODEL == Model::Green {
        // One run at a time: nothing to keep apart.
        return;
    }
    let runtime = Arc::new(patient::<S>());
    let witness = Witness::new();
    let (ready, begun) = bounded::<()>(1);
    let (go, gate) = bounded::<()>(0);
    let (long, token) = (Arc::clone(&runtime), witness.token());
    let long = std::thread::spawn(move || {
        long.run(move || {
            let child = thread::spawn(move || {
                ready.send(()).unwrap();
                gate.recv().unwrap();
                drop(token);
                5
            });
            child.join().unwrap()
        })
    });
    begun.recv().unwrap();
    let other = witness.token();
    runtime.run(move || {
        drop(thread::spawn(move || {
            let _other = other;
            thread::park();
        }));
    });
    assert_eq!(witness.dropped(), 1);
    go.send(()).unwrap();
    assert_eq!(long.join().unwrap(), 5);
    assert_eq!(witness.dropped(), 2);
}
