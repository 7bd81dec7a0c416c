//! Spawning: what a thread can be given, what is refused, and who starts it.

use core::panic::Location;
use std::io;
use std::sync::Arc;

use super::header::Traits;
use super::join::JoinHandle;
use super::new::NewThread;
use super::scope::ScopeData;
use crate::contract::Runtime;
use crate::current;
use crate::model::Model;

/// The largest stack that a thread may ask for: 1 GiB.
pub const MAX_STACK_SIZE: usize = 1 << 30;

/// Says how a thread is to be, then spawns it; as `std::thread::Builder`, with a model.
#[derive(Debug, Default)]
#[must_use = "a builder does nothing until it spawns"]
pub struct Builder {
    name: Option<String>,
    stack_size: Option<usize>,
    model: Option<Model>,
}

impl Builder {
    /// A builder that leaves everything to the runtime.
    pub fn new() -> Builder {
        Builder::default()
    }

    /// Names the thread. Dumps and deadlock reports show the name; on the kernel model
    /// debuggers and `top` show its first 15 bytes too. It must not contain a NUL: [`spawn`](Builder::spawn) refuses it.
    pub fn name(self, name: String) -> Builder {
        Builder {
            name: Some(name),
            ..self
        }
    }

    /// Gives the stack's size in bytes. The runtime rounds it up. 0 and sizes above
    /// [`MAX_STACK_SIZE`] are refused by [`spawn`](Builder::spawn).
    ///
    /// A thread that overflows its stack ends the process, with a report of its name, model and
    /// stack size.
    pub fn stack_size(self, size: usize) -> Builder {
        Builder {
            stack_size: Some(size),
            ..self
        }
    }

    /// Gives the thread a model of its own inside this runtime: `Model::Kernel` puts one
    /// that computes for long, or calls what blocks, on its own kernel thread.
    pub fn model(self, model: Model) -> Builder {
        Builder {
            model: Some(model),
            ..self
        }
    }

    /// Spawns the thread on the current thread's runtime. It has not necessarily started
    /// when this returns. Never blocks.
    ///
    /// # Errors
    ///
    /// `InvalidInput`: a name with a NUL, a stack size of 0 or above [`MAX_STACK_SIZE`].
    /// `Unsupported`: the calling thread belongs to no runtime, or the runtime has no threads
    /// of the model. Else what the operating system says when it refuses a kernel thread or
    /// memory.
    #[track_caller]
    pub fn spawn<F, T>(self, f: F) -> io::Result<JoinHandle<T>>
    where
        F: FnOnce() -> T + Send + 'static,
        T: Send + 'static,
    {
        // SAFETY: by the bounds.
        unsafe { self.spawn_in(None, f) }
    }

    /// # Safety
    ///
    /// `F` and `T` are `Send` and outlive the thread.
    #[track_caller]
    pub(super) unsafe fn spawn_in<F: FnOnce() -> T, T>(
        self,
        scope: Option<Arc<ScopeData>>,
        f: F,
    ) -> io::Result<JoinHandle<T>> {
        let model = self.model;
        let traits = match self.checked() {
            Ok(traits) => Traits { scope, ..traits },
            Err(refused) => {
                scope.inspect(|scope| scope.child_ended());
                return Err(refused);
            }
        };
        current::with_runtime(|runtime| {
            let model = model.unwrap_or(runtime.model());
            // SAFETY: the caller's promise, passed on.
            let (thread, handle) = unsafe { NewThread::make(f, model, traits) };
            match start(runtime, thread, model) {
                Ok(()) => Ok(handle),
                Err(refused) => {
                    // It has ended without having begun; a scope need not hear of it.
                    let _ = handle.join();
                    Err(refused)
                }
            }
        })
    }

    #[track_caller]
    fn checked(self) -> io::Result<Traits> {
        if self.name.as_ref().is_some_and(|name| name.contains('\0')) {
            return Err(invalid("a thread's name must not contain a NUL"));
        }
        if let Some(size) = self.stack_size {
            check_stack_size(size)?;
        }
        Ok(Traits {
            name: self.name.map(String::into_boxed_str),
            stack_size: self.stack_size.unwrap_or(0),
            domain: current::domain(),
            scope: None,
            spawned_at: Some(Location::caller()),
        })
    }
}

/// Checks a stack size that somebody asks for.
///
/// # Errors
///
/// `InvalidInput`: it is 0 or above [`MAX_STACK_SIZE`].
pub fn check_stack_size(size: usize) -> io::Result<()> {
    match size {
        0 => Err(invalid("a thread needs a stack: its size must not be 0")),
        1..=MAX_STACK_SIZE => Ok(()),
        _ => Err(invalid("a thread's stack is at most 1 GiB")),
    }
}

fn start(runtime: &dyn Runtime, thread: NewThread, model: Model) -> io::Result<()> {
    if model == runtime.model() {
        return runtime.start(thread);
    }
    match runtime.companion(model) {
        Some(companion) => companion.start(thread),
        None => Err(no_companion(runtime.model(), model)),
    }
}

fn invalid(sentence: &'static str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidInput, sentence)
}

#[cold]
fn no_companion(runtime: Model, wanted: Model) -> io::Error {
    io::Error::new(
        io::ErrorKind::Unsupported,
        format!("this {runtime} runtime was built without a {wanted} runtime beside it"),
    )
}

/// Spawns a thread on the current thread's runtime, as `std::thread::spawn`. Never blocks.
///
/// # Panics
///
/// If the thread cannot be started, for instance because the calling thread belongs to no
/// runtime; [`Builder::spawn`] gives an error instead.
#[track_caller]
pub fn spawn<F, T>(f: F) -> JoinHandle<T>
where
    F: FnOnce() -> T + Send + 'static,
    T: Send + 'static,
{
    expect_spawned(Builder::new().spawn(f))
}

#[track_caller]
pub(super) fn expect_spawned<H>(spawned: io::Result<H>) -> H {
    match spawned {
        Ok(handle) => handle,
        Err(refused) => panic!("failed to spawn a thread: {refused}"),
    }
}
