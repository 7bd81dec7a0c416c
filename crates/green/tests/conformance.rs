//! The green runtime keeps every promise.

use std::time::Duration;

use trefoil_conformance::Subject;
use trefoil_runtime::{Model, StackUsage, ThreadInfo};

struct Green(trefoil_green::Runtime);

impl Subject for Green {
    const MODEL: Model = Model::Green;

    fn new(grace: Duration) -> Green {
        let builder = trefoil_green::Builder::new().grace(grace);
        Green(builder.build().expect("the runtime needs nothing yet"))
    }

    fn metered(grace: Duration, on: bool) -> Green {
        let builder = trefoil_green::Builder::new().grace(grace);
        let builder = builder.measure_stacks(on);
        Green(builder.build().expect("the runtime needs nothing yet"))
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

trefoil_conformance::suite!(crate::Green);
