//! Threads that would keep a worker are moved to kernel threads: the promises on every model, with one, two and four
//! workers.

#![cfg(all(feature = "kernel", feature = "green", feature = "hybrid"))]

use std::time::Duration;

use trefoil::{Builder, Model, Monitoring, Relief, Runtime};
use trefoil_conformance::Subject;
use trefoil_conformance::relief::{LIMIT, Relieved};
use trefoil_runtime::{StackUsage, Stall, ThreadInfo};

macro_rules! subjects {
    ($($name:ident, $module:ident: $model:expr, $workers:expr;)*) => {$(
        struct $name(Runtime);

        impl $name {
            fn builder() -> Builder {
                let builder = Builder::new().model($model).workers($workers);
                builder.grace(Duration::from_secs(60))
            }

            fn built(builder: Builder) -> $name {
                $name(builder.build().expect("the runtime can be built"))
            }
        }

        impl Subject for $name {
            const MODEL: Model = $model;

            fn new(grace: Duration) -> $name {
                $name::built($name::builder().grace(grace))
            }

            fn metered(grace: Duration, on: bool) -> $name {
                $name::built($name::builder().grace(grace).measure_stacks(on))
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

        impl Relieved for $name {
            fn relieved(most: Option<usize>) -> $name {
                let relief = most.map_or(Relief::Off, Relief::UpTo);
                let builder = $name::builder().monitoring(Monitoring::After(LIMIT));
                $name::built(builder.relief(relief))
            }

            fn stalls(&self) -> Vec<Stall> {
                self.0.stalls()
            }
        }

        mod $module {
            trefoil_conformance::suite_relief!(crate::$name);
        }
    )*};
}

subjects! {
    Kernel, kernel: Model::Kernel, 1;
    Green, green: Model::Green, 1;
    Hybrid1, one_worker: Model::Hybrid, 1;
    Hybrid2, two_workers: Model::Hybrid, 2;
    Hybrid4, four_workers: Model::Hybrid, 4;
}

/// What contradicts itself is refused, on every model.
#[test]
fn what_cannot_be_is_refused() {
    for model in Model::ALL {
        let builder = Builder::new().model(model);
        let none = builder.clone().relief(Relief::UpTo(0)).build();
        assert!(none.unwrap_err().to_string().contains("Relief::Off"));
        let blind = builder.monitoring(Monitoring::Off).relief(Relief::UpTo(1));
        let refused = blind.build().unwrap_err().to_string();
        assert!(refused.contains("monitoring"), "{refused}");
    }
}
