//! A runtime by the facade: every model that is compiled in, by the same calls.
#![forbid(unsafe_code)]

mod support;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

use support::models;
use trefoil::channel::bounded;
use trefoil::sync::{Arc, Mutex};
use trefoil::{Builder, Error, Model, Runtime, thread};

fn runtime(model: Model) -> Runtime {
    Builder::new().model(model).workers(2).build().unwrap()
}

/// The sentence with which `refused` panics.
#[track_caller]
fn sentence(refused: impl FnOnce()) -> String {
    let payload = catch_unwind(AssertUnwindSafe(refused)).unwrap_err();
    *payload.downcast::<String>().unwrap_or_else(|other| {
        Box::new(
            other
                .downcast_ref::<&str>()
                .map_or_else(String::new, ToString::to_string),
        )
    })
}

#[test]
fn a_runtime_and_its_error_may_go_to_any_thread() {
    fn may_go<T: Send + Sync + 'static>() {}
    may_go::<Builder>();
    may_go::<Runtime>();
    may_go::<Error>();
}

#[test]
fn run_gives_back_what_the_closure_returns() {
    for model in models() {
        let moved = "what was".to_owned();
        let text = runtime(model).run(move || moved + " moved in");
        assert_eq!(text, "what was moved in");
    }
}

#[test]
fn threads_are_of_the_model_that_was_asked_for() {
    for model in models() {
        let runtime = runtime(model);
        assert_eq!(runtime.model(), model);
        let (main, child) = runtime.run(|| {
            let child = thread::spawn(|| thread::current().model());
            (thread::current().model(), child.join().unwrap())
        });
        assert_eq!((main, child), (model, model));
    }
}

#[test]
fn run_passes_on_the_panic() {
    for model in models() {
        let runtime = runtime(model);
        let said = sentence(|| runtime.run(|| panic!("it is meant to")));
        assert_eq!(said, "it is meant to");
        assert_eq!(runtime.run(|| 1), 1);
    }
}

#[test]
fn a_runtime_runs_again_and_on_another_thread() {
    for model in models() {
        let runtime = runtime(model);
        for n in 0..10 {
            assert_eq!(
                runtime.run(move || thread::spawn(move || n).join().unwrap()),
                n
            );
        }
        let elsewhere = std::thread::spawn(move || runtime.run(|| 10));
        assert_eq!(elsewhere.join().unwrap(), 10);
    }
}

#[test]
fn run_inside_run_is_refused() {
    for model in models() {
        let said = runtime(model).run(|| sentence(|| trefoil::run(|| ())));
        assert!(
            said.contains("`run` was called by a thread of a Trefoil runtime"),
            "{said}"
        );
    }
}

#[test]
fn the_number_of_workers_is_told() {
    for model in models() {
        let processors = std::thread::available_parallelism().unwrap().get();
        let expected = match model {
            Model::Kernel => processors,
            Model::Green => 1,
            Model::Hybrid => 2,
        };
        assert_eq!(runtime(model).workers(), expected, "{model}");
    }
}

#[test]
fn a_number_of_workers_that_cannot_be_is_refused_on_every_model() {
    for model in models() {
        for workers in [0, 1025, usize::MAX] {
            let refused = Builder::new().model(model).workers(workers).build();
            assert!(matches!(refused, Err(Error::Workers(it)) if it == workers));
        }
    }
}

#[test]
fn a_stack_size_that_cannot_be_is_refused_on_every_model() {
    for model in models() {
        for size in [0, (1 << 30) + 1, usize::MAX] {
            let builder = || Builder::new().model(model);
            for builder in [builder().stack_size(size), builder().main_stack_size(size)] {
                let Err(Error::Io(refused)) = builder.build() else {
                    panic!("{size} is accepted by {model}");
                };
                assert_eq!(refused.kind(), std::io::ErrorKind::InvalidInput);
            }
        }
    }
}

#[test]
fn the_stack_size_is_that_of_threads_that_ask_for_none() {
    fn deep(levels: usize) -> usize {
        let here = std::hint::black_box([levels; 128]);
        if levels == 0 {
            here[0]
        } else {
            deep(levels - 1) + 1
        }
    }
    for model in models() {
        // More than any default: 4096 frames of at least 1 KiB, in a debug build of more.
        let runtime = Builder::new()
            .model(model)
            .stack_size(64 << 20)
            .build()
            .unwrap();
        let levels = runtime.run(|| thread::spawn(|| deep(4096)).join().unwrap());
        assert_eq!(levels, 4096);
    }
}

#[test]
fn who_does_not_end_is_listed() {
    for model in models() {
        let builder = Builder::new().model(model).grace(Duration::from_millis(20));
        let runtime = builder.build().unwrap();
        assert!(runtime.leftover().is_empty());
        let (end, ended) = bounded::<()>(0);
        runtime.run(move || {
            let stubborn = thread::Builder::new().name("stubborn".to_owned());
            stubborn.spawn(move || hold_out(&ended)).unwrap();
            thread::yield_now();
            thread::sleep(Duration::from_millis(5));
        });
        let left = runtime.leftover();
        assert_eq!(left.len(), 1, "{left:?}");
        assert_eq!(left[0].name.as_deref(), Some("stubborn"));
        drop(end);
    }
}

/// Catches every request to end, until `ended` is closed.
fn hold_out(ended: &trefoil::channel::Receiver<()>) {
    while catch_unwind(AssertUnwindSafe(|| ended.recv())).is_err() {
        thread::yield_now();
    }
}

#[test]
fn a_single_thread_gets_a_kernel_thread() {
    if !models().contains(&Model::Kernel) {
        return;
    }
    for model in models() {
        let (found, value) = runtime(model).run(|| {
            let (send, receive) = bounded(0);
            let hog = thread::Builder::new().model(Model::Kernel);
            let hog = hog.spawn(move || {
                send.send(7).unwrap();
                thread::current().model()
            });
            (receive.recv().unwrap(), hog.unwrap().join().unwrap())
        });
        assert_eq!((found, value), (7, Model::Kernel), "inside {model}");
    }
}

#[test]
fn a_model_that_is_not_beside_is_refused() {
    for model in models() {
        let Some(other) = Model::ALL
            .into_iter()
            .find(|&it| it != model && it != Model::Kernel)
        else {
            continue;
        };
        let kind = runtime(model).run(move || {
            let refused = thread::Builder::new().model(other).spawn(|| ());
            refused.unwrap_err().kind()
        });
        assert_eq!(kind, std::io::ErrorKind::Unsupported);
    }
}

#[test]
fn objects_work_between_runtimes() {
    const ROUNDS: u32 = 100;
    for here in models() {
        for there in models() {
            let sum = Arc::new(Mutex::new(0));
            let (send, receive) = bounded(1);
            let theirs = Arc::clone(&sum);
            let other = std::thread::spawn(move || {
                runtime(there).run(move || {
                    receive
                        .iter()
                        .for_each(|n: u32| *theirs.lock().unwrap() += n);
                });
            });
            runtime(here).run(move || (0..ROUNDS).for_each(|n| send.send(n).unwrap()));
            other.join().unwrap();
            assert_eq!(*sum.lock().unwrap(), ROUNDS * (ROUNDS - 1) / 2);
        }
    }
}
