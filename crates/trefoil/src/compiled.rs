//! The runtimes that are compiled in. All that depends on the features is in this file.
#![forbid(unsafe_code)]
// Without any feature the enum has no variant, and nobody uses what is given to it.
#![cfg_attr(
    not(any(feature = "kernel", feature = "green", feature = "hybrid")),
    allow(unused_imports, unused_variables, dead_code)
)]

use trefoil_runtime::{Metering, Model, StackUsage, Stall, ThreadInfo};

use crate::builder::Builder;
use crate::error::Error;

/// The models that can be chosen, in the order in which they are listed.
pub(crate) const AVAILABLE: &[Model] = &[
    #[cfg(feature = "kernel")]
    Model::Kernel,
    #[cfg(feature = "green")]
    Model::Green,
    #[cfg(feature = "hybrid")]
    Model::Hybrid,
];

/// A runtime of one of the models.
#[derive(Debug)]
pub(crate) enum Compiled {
    #[cfg(feature = "kernel")]
    Kernel(trefoil_kernel::Runtime),
    #[cfg(feature = "green")]
    Green(trefoil_green::Runtime),
    #[cfg(feature = "hybrid")]
    Hybrid(trefoil_hybrid::Runtime),
}

impl Compiled {
    /// A runtime of this model, which must be available.
    pub(crate) fn new(model: Model, settings: &Builder) -> Result<Compiled, Error> {
        // A thread counts alike, on this runtime and on a kernel runtime beside it.
        let metering = &settings.metering.together()?;
        match model {
            #[cfg(feature = "kernel")]
            Model::Kernel => Ok(Compiled::Kernel(kernel(settings, metering)?)),
            #[cfg(feature = "green")]
            Model::Green => Ok(Compiled::Green(green(settings, metering)?)),
            #[cfg(feature = "hybrid")]
            Model::Hybrid => Ok(Compiled::Hybrid(hybrid(settings, metering)?)),
            #[allow(unreachable_patterns, reason = "all features may be enabled")]
            _ => Err(Error::ModelNotCompiledIn {
                model,
                available: AVAILABLE,
            }),
        }
    }

    pub(crate) fn model(&self) -> Model {
        match *self {
            #[cfg(feature = "kernel")]
            Compiled::Kernel(_) => Model::Kernel,
            #[cfg(feature = "green")]
            Compiled::Green(_) => Model::Green,
            #[cfg(feature = "hybrid")]
            Compiled::Hybrid(_) => Model::Hybrid,
        }
    }

    pub(crate) fn workers(&self) -> Option<usize> {
        match *self {
            #[cfg(feature = "kernel")]
            Compiled::Kernel(_) => None,
            #[cfg(feature = "green")]
            Compiled::Green(_) => Some(1),
            #[cfg(feature = "hybrid")]
            Compiled::Hybrid(ref runtime) => Some(runtime.workers()),
        }
    }

    #[track_caller]
    pub(crate) fn run<F, T>(&self, f: F) -> T
    where
        F: FnOnce() -> T + Send + 'static,
        T: Send + 'static,
    {
        match *self {
            #[cfg(feature = "kernel")]
            Compiled::Kernel(ref runtime) => runtime.run(f),
            #[cfg(feature = "green")]
            Compiled::Green(ref runtime) => runtime.run(f),
            #[cfg(feature = "hybrid")]
            Compiled::Hybrid(ref runtime) => runtime.run(f),
        }
    }

    pub(crate) fn leftover(&self) -> Vec<ThreadInfo> {
        match *self {
            #[cfg(feature = "kernel")]
            Compiled::Kernel(ref runtime) => runtime.leftover(),
            #[cfg(feature = "green")]
            Compiled::Green(ref runtime) => runtime.leftover(),
            #[cfg(feature = "hybrid")]
            Compiled::Hybrid(ref runtime) => runtime.leftover(),
        }
    }

    pub(crate) fn stack_usage(&self) -> Vec<StackUsage> {
        match *self {
            #[cfg(feature = "kernel")]
            Compiled::Kernel(ref runtime) => runtime.stack_usage(),
            #[cfg(feature = "green")]
            Compiled::Green(ref runtime) => runtime.stack_usage(),
            #[cfg(feature = "hybrid")]
            Compiled::Hybrid(ref runtime) => runtime.stack_usage(),
        }
    }

    pub(crate) fn stalls(&self) -> Vec<Stall> {
        match *self {
            // Its threads have no worker.
            #[cfg(feature = "kernel")]
            Compiled::Kernel(_) => Vec::new(),
            #[cfg(feature = "green")]
            Compiled::Green(ref runtime) => runtime.stalls(),
            #[cfg(feature = "hybrid")]
            Compiled::Hybrid(ref runtime) => runtime.stalls(),
        }
    }
}

#[cfg(feature = "kernel")]
fn kernel(settings: &Builder, metering: &Metering) -> Result<trefoil_kernel::Runtime, Error> {
    let mut builder = trefoil_kernel::Builder::new().metering(metering.clone());
    if let Some(size) = settings.stack_size {
        builder = builder.stack_size(size);
    }
    if let Some(grace) = settings.grace {
        builder = builder.grace(grace);
    }
    Ok(builder.build()?)
}

#[cfg(feature = "green")]
fn green(settings: &Builder, metering: &Metering) -> Result<trefoil_green::Runtime, Error> {
    let builder = trefoil_green::Builder::new().metering(metering.clone());
    let builder = builder.monitoring(settings.monitoring);
    let mut builder = builder.relief(settings.relief);
    if let Some(size) = settings.stack_size {
        builder = builder.stack_size(size);
    }
    if let Some(size) = settings.main_stack_size {
        builder = builder.main_stack_size(size);
    }
    if let Some(grace) = settings.grace {
        builder = builder.grace(grace);
    }
    // For single threads that ask for a kernel thread. Until one does it starts none.
    #[cfg(feature = "kernel")]
    let builder = builder.companion(kernel(settings, metering)?.companion());
    Ok(builder.build()?)
}

#[cfg(feature = "hybrid")]
fn hybrid(settings: &Builder, metering: &Metering) -> Result<trefoil_hybrid::Runtime, Error> {
    let builder = trefoil_hybrid::Builder::new().metering(metering.clone());
    let builder = builder.monitoring(settings.monitoring);
    let mut builder = builder.relief(settings.relief);
    if let Some(workers) = settings.workers {
        builder = builder.workers(workers);
    }
    if let Some(size) = settings.stack_size {
        builder = builder.stack_size(size);
    }
    if let Some(size) = settings.main_stack_size {
        builder = builder.main_stack_size(size);
    }
    if let Some(grace) = settings.grace {
        builder = builder.grace(grace);
    }
    // For single threads that ask for a kernel thread. Until one does it starts none.
    #[cfg(feature = "kernel")]
    let builder = builder.companion(kernel(settings, metering)?.companion());
    Ok(builder.build()?)
}

// What the cases of `#[trefoil::test]` are written with: the first argument where the model is
// compiled in, and else the second. A user's crate does not know the features of this one.

#[cfg(feature = "kernel")]
#[doc(hidden)]
#[macro_export]
macro_rules! __kernel {
    ({ $($here:tt)* } { $($missing:tt)* }) => { $($here)* };
}

#[cfg(not(feature = "kernel"))]
#[doc(hidden)]
#[macro_export]
macro_rules! __kernel {
    ({ $($here:tt)* } { $($missing:tt)* }) => { $($missing)* };
}

#[cfg(feature = "green")]
#[doc(hidden)]
#[macro_export]
macro_rules! __green {
    ({ $($here:tt)* } { $($missing:tt)* }) => { $($here)* };
}

#[cfg(not(feature = "green"))]
#[doc(hidden)]
#[macro_export]
macro_rules! __green {
    ({ $($here:tt)* } { $($missing:tt)* }) => { $($missing)* };
}

#[cfg(feature = "hybrid")]
#[doc(hidden)]
#[macro_export]
macro_rules! __hybrid {
    ({ $($here:tt)* } { $($missing:tt)* }) => { $($here)* };
}

#[cfg(not(feature = "hybrid"))]
#[doc(hidden)]
#[macro_export]
macro_rules! __hybrid {
    ({ $($here:tt)* } { $($missing:tt)* }) => { $($missing)* };
}

/// Its argument where no model is compiled in.
#[cfg(not(any(feature = "kernel", feature = "green", feature = "hybrid")))]
#[doc(hidden)]
#[macro_export]
macro_rules! __no_model {
    ($($missing:tt)*) => { $($missing)* };
}

#[cfg(any(feature = "kernel", feature = "green", feature = "hybrid"))]
#[doc(hidden)]
#[macro_export]
macro_rules! __no_model {
    ($($missing:tt)*) => {};
}

#[cfg(all(test, feature = "hybrid"))]
mod tests {
    use crate::error::MOST_WORKERS;

    /// The facade refuses, for every model, what the hybrid runtime refuses.
    #[test]
    fn the_most_workers_are_those_of_the_hybrid_runtime() {
        let refused = trefoil_hybrid::Builder::new()
            .workers(MOST_WORKERS + 1)
            .build()
            .unwrap_err();
        let sentence = format!("1 to {MOST_WORKERS} workers");
        assert!(refused.to_string().contains(&sentence), "{refused}");
    }
}
