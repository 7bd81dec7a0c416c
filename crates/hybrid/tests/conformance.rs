//! The hybrid runtime keeps every promise: with one worker, with two, and with more than
//! this project's machines have processors.

use std::time::Duration;

use trefoil_conformance::Subject;
use trefoil_runtime::{Model, StackUsage, ThreadInfo};

struct Hybrid<const WORKERS: usize>(trefoil_hybrid::Runtime);

impl<const WORKERS: usize> Subject for Hybrid<WORKERS> {
    const MODEL: Model = Model::Hybrid;

    fn new(grace: Duration) -> Hybrid<WORKERS> {
        let builder = trefoil_hybrid::Builder::new().workers(WORKERS).grace(grace);
        Hybrid(builder.build().expect("the workers start"))
    }

    fn metered(grace: Duration, on: bool) -> Hybrid<WORKERS> {
        let builder = trefoil_hybrid::Builder::new().workers(WORKERS).grace(grace);
        let builder = builder.measure_stacks(on);
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
    trefoil_conformance::suite!(crate::Hybrid<1>);
}

mod two_workers {
    trefoil_conformance::suite!(crate::Hybrid<2>);
}

mod four_workers {
    trefoil_conformance::suite!(crate::Hybrid<4>);
}
