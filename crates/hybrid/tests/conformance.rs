//! The hybrid runtime keeps every promise: with one worker, with two, and with more than
//! this project's machines have processors. And where its threads migrate, all that do not rest on Rule 1.

use std::time::Duration;

use trefoil_conformance::Subject;
use trefoil_runtime::{Model, StackUsage, ThreadInfo};

struct Hybrid(trefoil_hybrid::Runtime);

/// How many workers the current test is about, by the module in which it stands. So the promises are compiled
/// once, and not for each number: that would be most of the time that these tests take. A runtime that is made
/// inside of another one, or on a plain thread, has two.
fn workers() -> usize {
    let test = trefoil_conformance::current_test();
    match test.split_once("::").map(|(module, _)| module) {
        Some("one_worker") => 1,
        Some("two_workers") | None => 2,
        Some("four_workers") => 4,
        Some("sixteen_workers") => 16,
        Some("migrating") => 3,
        Some(other) => panic!("`{other}` does not say how many workers"),
    }
}

/// Whether the current test is about threads that may change their worker.
fn migrates() -> bool {
    trefoil_conformance::current_test().starts_with("migrating::")
}

fn builder(grace: Duration) -> trefoil_hybrid::Builder {
    let builder = trefoil_hybrid::Builder::new()
        .workers(workers())
        .grace(grace);
    if migrates() {
        // SAFETY: promises are functions that hold nothing of an OS thread's own over a wait; those that do so to
        // show that they may ask whether the subject migrates.
        unsafe { builder.migrating() }
    } else {
        builder
    }
}

impl Subject for Hybrid {
    const MODEL: Model = Model::Hybrid;

    fn workers() -> usize {
        workers()
    }

    fn migrates() -> bool {
        migrates()
    }

    fn new(grace: Duration) -> Hybrid {
        Hybrid(builder(grace).build().expect("the workers start"))
    }

    fn metered(grace: Duration, on: bool) -> Hybrid {
        let builder = builder(grace).measure_stacks(on);
        Hybrid(builder.build().expect("the workers start"))
    }

    fn run<F, T>(&self, f: F) -> T
    where
        F: FnOnce() -> T + Send + 'static,
        T: Send + 'static,
    {
        self.0.run(f)
    }

    fn leftover(&self) -> Vec<ThreadInfo> {
        self.0.leftover()
    }

    fn stack_usage(&self) -> Vec<StackUsage> {
        self.0.stack_usage()
    }
}

mod one_worker {
    trefoil_conformance::suite!(crate::Hybrid);

    #[test]
    fn there_is_one() {
        trefoil_conformance::watched(concat!(module_path!(), "::there_is_one"), || {
            assert_eq!(crate::workers(), 1);
        });
    }
}

mod two_workers {
    trefoil_conformance::suite!(crate::Hybrid);

    #[test]
    fn there_are_two() {
        trefoil_conformance::watched(concat!(module_path!(), "::there_are_two"), || {
            assert_eq!(crate::workers(), 2);
        });
    }
}

/// Not in the gate, as `sixteen_workers`: `RUSTFLAGS="--cfg trefoil_more_instances" cargo test`, best with `--release`.
#[cfg(trefoil_more_instances)]
mod migrating {
    trefoil_conformance::suite!(crate::Hybrid);

    #[test]
    fn threads_do() {
        trefoil_conformance::watched(concat!(module_path!(), "::threads_do"), || {
            assert!(crate::migrates());
        });
    }
}

mod four_workers {
    trefoil_conformance::suite!(crate::Hybrid);

    #[test]
    fn there_are_four() {
        trefoil_conformance::watched(concat!(module_path!(), "::there_are_four"), || {
            assert_eq!(crate::workers(), 4);
        });
    }
}

/// Eight for each processor of this project's machines: which of them runs next is the kernel's choice.
#[cfg(trefoil_more_instances)]
mod sixteen_workers {
    trefoil_conformance::suite!(crate::Hybrid);

    #[test]
    fn there_are_sixteen() {
        trefoil_conformance::watched(concat!(module_path!(), "::there_are_sixteen"), || {
            assert_eq!(crate::workers(), 16);
        });
    }
}
