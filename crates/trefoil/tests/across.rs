//! Threads of two runtimes share objects: every pair of models, and two runtimes of one. And
//! single kernel threads among those of every model.

#![cfg(all(feature = "kernel", feature = "green", feature = "hybrid"))]

use std::time::Duration;

use trefoil::{Builder, Model, Runtime};
use trefoil_conformance::Subject;
use trefoil_runtime::{StackUsage, ThreadInfo};

macro_rules! subjects {
    ($($name:ident: $model:expr, $workers:expr;)*) => {$(
        struct $name(Runtime);

        impl Subject for $name {
            const MODEL: Model = $model;

            fn new(grace: Duration) -> $name {
                let builder = Builder::new().model($model).workers($workers).grace(grace);
                $name(builder.build().expect("the runtime can be built"))
            }

            fn metered(grace: Duration, on: bool) -> $name {
                let builder = Builder::new().model($model).workers($workers).grace(grace);
                let builder = builder.measure_stacks(on);
                $name(builder.build().expect("the runtime can be built"))
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
    )*};
}

subjects! {
    Kernel: Model::Kernel, 1;
    Green: Model::Green, 1;
    Hybrid: Model::Hybrid, 2;
}

mod kernel_and_green {
    trefoil_conformance::suite_across!(crate::Kernel, crate::Green);
}

mod kernel_and_hybrid {
    trefoil_conformance::suite_across!(crate::Kernel, crate::Hybrid);
}

mod green_and_hybrid {
    trefoil_conformance::suite_across!(crate::Green, crate::Hybrid);
}

mod green_and_green {
    trefoil_conformance::suite_across!(crate::Green, crate::Green);
}

mod hybrid_and_hybrid {
    trefoil_conformance::suite_across!(crate::Hybrid, crate::Hybrid);
}

mod beside_kernel {
    trefoil_conformance::suite_beside!(crate::Kernel);
}

mod beside_green {
    trefoil_conformance::suite_beside!(crate::Green);
}

mod beside_hybrid {
    trefoil_conformance::suite_beside!(crate::Hybrid);
}
