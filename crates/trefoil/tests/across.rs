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

/// The four kinds of threads at once: those of each model, a kernel thread among green ones, and a plain
/// one.
mod every_kind {
    use std::sync::mpsc::{Sender, channel};

    use trefoil::sync::CancellationToken;
    use trefoil::{Builder, Model, thread, threads};
    use trefoil_conformance::watched;

    /// Says who it is, then waits.
    fn listen(token: &CancellationToken, tell: &Sender<thread::Thread>) -> Model {
        tell.send(thread::current()).unwrap();
        token.wait();
        thread::current().model()
    }

    fn a_token_is_heard() {
        let token = CancellationToken::new();
        let (tell, told) = channel();
        let runs = Model::ALL.map(|model| {
            let (token, tell) = (token.child_token(), tell.clone());
            std::thread::spawn(move || {
                let runtime = Builder::new().model(model).build().unwrap();
                runtime.run(move || {
                    let (below, also) = (token.child_token(), tell.clone());
                    let kernel = thread::Builder::new().model(Model::Kernel);
                    let kernel = kernel.spawn(move || listen(&below, &also)).unwrap();
                    let own = thread::spawn(move || listen(&token, &tell));
                    [own.join().unwrap(), kernel.join().unwrap()]
                })
            })
        });
        let plain = {
            let token = token.clone();
            std::thread::spawn(move || listen(&token, &tell))
        };
        // All seven wait, each in its own way.
        let listeners: Vec<_> = told.iter().take(7).map(|thread| thread.id()).collect();
        while !threads()
            .iter()
            .filter(|info| listeners.contains(&info.id))
            .all(|info| info.waiting.is_some())
        {
            std::thread::yield_now();
        }
        token.cancel();
        let heard = runs.map(|run| run.join().unwrap());
        assert_eq!(heard, Model::ALL.map(|model| [model, Model::Kernel]));
        assert_eq!(plain.join().unwrap(), Model::Kernel);
    }

    #[test]
    fn one_token_is_heard_by_all() {
        watched("every_kind::one_token_is_heard_by_all", a_token_is_heard);
    }
}
