//! A thread that overflows its stack: the process says which it was, and aborts.
//!
//! Each promise is about the end of a process, and so runs in one of its own. Those about
//! signals, which take unsafe code, are tests of the facade, `tests/overflow.rs`.

use std::fmt::Write as _;
use std::hint::black_box;
use std::time::Duration;

use trefoil_runtime::Model;
use trefoil_runtime::thread::{self, Builder};
use trefoil_sync::channel::bounded;

use crate::Subject;
use crate::child::{self, Ended};
use crate::subject::run;

/// Recurses until there is no stack left.
fn overflow() {
    fn descend(depth: u64) -> u64 {
        let frame = black_box([depth; 32]);
        let below = if depth == u64::MAX {
            0
        } else {
            descend(depth + 1)
        };
        // After the call, so that it is no tail call.
        below + black_box(frame)[0]
    }
    black_box(descend(0));
}

/// Recurses until `depth` bytes of stack are in use.
fn use_stack(depth: usize) {
    fn descend(top: usize, depth: usize) {
        let frame = black_box([0_u8; 1024]);
        if top.abs_diff(std::ptr::from_ref(&frame).addr()) < depth {
            descend(top, depth);
        }
        black_box(&frame);
    }
    let top = 0_u8;
    descend(std::ptr::from_ref(&top).addr(), depth);
}

/// The size of the stack of a thread that asks for none.
fn usual_size<S: Subject>() -> &'static str {
    match S::MODEL {
        Model::Kernel => "2 MiB",
        Model::Green | Model::Hybrid if cfg!(debug_assertions) => "1 MiB",
        Model::Green | Model::Hybrid => "256 KiB",
    }
}

/// The process has told of an overflow, in these words and no others, and aborted.
#[track_caller]
fn assert_told<S: Subject>(ended: &Ended, name: &str, size: &str) {
    let help = "help: give it a larger one by `thread::Builder::stack_size`, or all threads by \
                `stack_size` of the runtime's builder";
    assert_eq!(ended.err, report::<S>(name, size, help), "{ended:?}");
    ended.assert_aborted();
}

fn report<S: Subject>(name: &str, size: &str, help: &str) -> String {
    let model = S::MODEL;
    format!(
        "\nthread '{name}' ({model}, {size} stack) has overflowed its stack\n{help}\n\
         fatal runtime error: stack overflow, aborting\n"
    )
}

fn named(name: &str) -> Builder {
    Builder::new().name(name.to_owned())
}

/// The report has the thread's name, model and stack size, and says what to change.
pub fn a_thread_is_named<S: Subject>() {
    let ended = child::end_of(|| {
        run::<S, _>(|| named("deep").spawn(overflow).unwrap().join().unwrap());
    });
    assert_told::<S>(&ended, "deep", usual_size::<S>());
}

/// A thread without a name is reported as such.
pub fn a_thread_without_a_name_is_reported<S: Subject>() {
    let ended = child::end_of(|| {
        run::<S, _>(|| thread::spawn(overflow).join().unwrap());
    });
    assert_told::<S>(&ended, "<unnamed>", usual_size::<S>());
}

/// A name is written as it is, however long it is and whatever letters it has.
pub fn a_name_is_written_whole<S: Subject>() {
    let mut name = String::new();
    for number in 0..1000 {
        writeln!(name, "Käfer {number} \u{1f9f5}").unwrap();
    }
    let ended = child::end_of(|| {
        let name = name.clone();
        run::<S, _>(move || named(&name).spawn(overflow).unwrap().join().unwrap());
    });
    assert_told::<S>(&ended, &name, usual_size::<S>());
}

/// The first thread of a run is reported, and told what helps the first thread.
pub fn the_first_thread_is_reported<S: Subject>() {
    let ended = child::end_of(|| {
        let caller = std::thread::Builder::new().stack_size(1 << 20);
        let caller = caller.spawn(|| run::<S, _>(overflow)).unwrap();
        let _ = caller.join();
    });
    let (size, otherwise) = match S::MODEL {
        Model::Kernel => (
            "1 MiB",
            "call `run` where the stack is larger (`ulimit -s`)",
        ),
        Model::Green | Model::Hybrid => {
            ("8 MiB", "raise `main_stack_size` of the runtime's builder")
        }
    };
    let help = format!(
        "help: do this in a thread that has a larger one by `thread::Builder::stack_size`, or \
         {otherwise}"
    );
    assert_eq!(ended.err, report::<S>("main", size, &help), "{ended:?}");
    ended.assert_aborted();
}

/// A thread that asked for a stack size has it, and it is in the report.
pub fn the_size_is_the_one_asked_for<S: Subject>() {
    let ended = child::end_of(|| {
        run::<S, _>(|| {
            let large = named("large").stack_size(16 << 20).spawn(|| {
                use_stack(15 << 20);
                eprintln!("so far it is well");
                overflow();
            });
            large.unwrap().join().unwrap();
        });
    });
    assert_told::<S>(&ended.after("so far it is well\n"), "large", "16 MiB");
}

/// A small stack overflows too, and is no larger than it says.
pub fn a_small_stack_is_reported<S: Subject>() {
    let ended = child::end_of(|| {
        run::<S, _>(|| {
            let small = named("small").stack_size(64 << 10);
            small.spawn(|| use_stack(80 << 10)).unwrap().join().unwrap();
        });
    });
    assert_told::<S>(&ended, "small", "64 KiB");
}

/// A thread that joins is not taken for the thread that it joins.
pub fn the_child_is_reported_and_not_its_joiner<S: Subject>() {
    let ended = child::end_of(|| {
        run::<S, _>(|| {
            let parent = named("parent").spawn(|| {
                let child = named("child").spawn(overflow).unwrap();
                child.join().unwrap();
            });
            parent.unwrap().join().unwrap();
        });
    });
    assert_told::<S>(&ended, "child", usual_size::<S>());
}

/// A thread whose child has ended is itself again.
pub fn the_joiner_is_reported_after_its_child<S: Subject>() {
    let ended = child::end_of(|| {
        run::<S, _>(|| {
            let parent = named("parent").spawn(|| {
                let child = named("child").spawn(|| use_stack(16 << 10)).unwrap();
                child.join().unwrap();
                overflow();
            });
            parent.unwrap().join().unwrap();
        });
    });
    assert_told::<S>(&ended, "parent", usual_size::<S>());
}

/// Among many that wait, yield and use their stacks, the right one is reported.
pub fn the_right_one_of_many_is_reported<S: Subject>() {
    let ended = child::end_of(|| {
        run::<S, _>(|| {
            let (go, gate) = bounded::<()>(0);
            let threads: Vec<_> = (0..20)
                .map(|number| {
                    let gate = gate.clone();
                    let thread = named(&format!("thread {number}")).spawn(move || {
                        use_stack(32 << 10);
                        thread::yield_now();
                        thread::sleep(Duration::from_millis(1));
                        if number == 7 {
                            gate.recv().unwrap();
                            overflow();
                        }
                        thread::park();
                    });
                    thread.unwrap()
                })
                .collect();
            go.send(()).unwrap();
            threads.into_iter().for_each(|it| it.join().unwrap());
        });
    });
    assert_told::<S>(&ended, "thread 7", usual_size::<S>());
}

/// A thread that runs where others have ended is reported by its own name.
pub fn a_later_thread_is_reported<S: Subject>() {
    let ended = child::end_of(|| {
        for _ in 0..3 {
            run::<S, _>(|| {
                for _ in 0..10 {
                    let earlier = named("earlier").spawn(|| use_stack(16 << 10));
                    earlier.unwrap().join().unwrap();
                }
            });
        }
        run::<S, _>(|| named("later").spawn(overflow).unwrap().join().unwrap());
    });
    assert_told::<S>(&ended, "later", usual_size::<S>());
}

/// A scoped thread is reported as any other. Where its parent runs it at the scope's end, it has the stack of
/// that one, here the main thread's.
pub fn a_scoped_thread_is_reported<S: Subject>() {
    let ended = child::end_of(|| {
        run::<S, _>(|| {
            thread::scope(|scope| {
                named("scoped").spawn_scoped(scope, overflow).unwrap();
            });
        });
    });
    let size = match S::MODEL {
        Model::Kernel => usual_size::<S>(),
        Model::Green | Model::Hybrid => "8 MiB",
    };
    assert_told::<S>(&ended, "scoped", size);
}

/// One frame that is larger than the whole stack does not jump over its end.
pub fn a_large_frame_is_reported<S: Subject>() {
    #[inline(never)]
    fn too_much() -> u8 {
        black_box([1_u8; 8 << 20])[4 << 20]
    }
    let ended = child::end_of(|| {
        run::<S, _>(|| {
            let thread = named("wide").spawn(|| assert_eq!(too_much(), 1));
            thread.unwrap().join().unwrap();
        });
    });
    assert_told::<S>(&ended, "wide", usual_size::<S>());
}

/// A destructor that runs because of a panic may overflow like all else.
pub fn an_overflow_while_unwinding_is_reported<S: Subject>() {
    struct Deep;

    impl Drop for Deep {
        fn drop(&mut self) {
            overflow();
        }
    }

    let ended = child::end_of(|| {
        std::panic::set_hook(Box::new(|_| ()));
        run::<S, _>(|| {
            let thread = named("unwinds").spawn(|| {
                let _deep = Deep;
                panic!("it is meant to");
            });
            let _ = thread.unwrap().join();
        });
    });
    assert_told::<S>(&ended, "unwinds", usual_size::<S>());
}

/// The report of a plain thread is `std`'s, whether or not it has used something of ours.
#[track_caller]
fn assert_told_by_std(ended: &Ended) {
    let told = ended.err.strip_prefix("\nthread 'plain'");
    let told = told.and_then(|rest| rest.split_once(" has overflowed its stack\n"));
    let (id, rest) = told.unwrap_or_else(|| panic!("{ended:?}"));
    // `std` shows the OS's number of the thread.
    let bare = id.trim_start_matches(" (").trim_end_matches(')');
    assert!(bare.bytes().all(|byte| byte.is_ascii_digit()), "{ended:?}");
    assert_eq!(rest, "fatal runtime error: stack overflow, aborting\n");
    ended.assert_aborted();
}

fn plain(body: fn()) {
    let plain = std::thread::Builder::new().name("plain".to_owned());
    let _ = plain.spawn(body).unwrap().join();
}

/// A plain thread that overflows beside a run is reported as without us.
pub fn a_plain_thread_is_reported_as_before<S: Subject>() {
    let ended = child::end_of(|| {
        run::<S, _>(|| thread::spawn(|| plain(overflow)).join().unwrap());
    });
    assert_told_by_std(&ended);
}

/// The same, of a plain thread that has used locks, channels and threads of ours.
pub fn a_plain_thread_that_knows_us_is_reported_as_before<S: Subject>() {
    let ended = child::end_of(|| {
        plain(|| {
            run::<S, _>(|| thread::spawn(|| use_stack(16 << 10)).join().unwrap());
            let (sender, receiver) = bounded(1);
            sender.send(thread::current().id()).unwrap();
            assert_eq!(receiver.recv(), Ok(thread::current().id()));
            overflow();
        });
    });
    assert_told_by_std(&ended);
}
