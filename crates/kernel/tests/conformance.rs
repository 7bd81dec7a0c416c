//! The kernel runtime keeps every promise.

use std::time::Duration;

use trefoil_conformance::Subject;
use trefoil_runtime::{Model, StackUsage, ThreadInfo};

struct Kernel(trefoil_kernel::Runtime);

impl Subject for Kernel {
    const MODEL: Model = Model::Kernel;

    fn new(grace: Duration) -> Kernel {
        let builder = trefoil_kernel::Builder::new().grace(grace);
        Kernel(builder.build().expect("the runtime needs nothing yet"))
    }

    fn metered(grace: Duration, on: bool) -> Kernel {
        let builder = trefoil_kernel::Builder::new().grace(grace);
        // Memory that is given back is given back by whoever measures, not at the end of an idle
        // kernel thread.
        let builder = builder.measure_stacks(on).keep_idle(Duration::MAX);
        Kernel(builder.build().expect("the runtime needs nothing yet"))
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

trefoil_conformance::suite!(crate::Kernel);
