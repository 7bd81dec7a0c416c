//! The kernel runtime keeps every promise.

use std::time::Duration;

use trefoil_conformance::Subject;
use trefoil_runtime::{Model, ThreadInfo};

struct Kernel(trefoil_kernel::Runtime);

impl Subject for Kernel {
    const MODEL: Model = Model::Kernel;

    fn new(grace: Duration) -> Kernel {
        let builder = trefoil_kernel::Builder::new().grace(grace);
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
}

trefoil_conformance::suite!(crate::Kernel);
