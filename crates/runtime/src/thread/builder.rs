//! Spawning: what a thread can be given, what is refused, and who starts it.

use core::panic::Location;
use std::io;
use std::sync::Arc;

use super::header::Traits;
use super::join::JoinHandle;
use super::moving::{self, Origin};
use super::new::NewThread;
use super::scope::ScopeData;
use crate::contract::Runtime;
use crate::current;
use crate::hogs;
use crate::model::Model;
use crate::os::Placement;

/// The largest stack that a thread may ask for: 1 GiB.
///
/// ```
/// use trefoil_runtime::thread::{Builder, MAX_STACK_SIZE};
///
/// let too_large = Builder::new().stack_size(MAX_STACK_SIZE + 1).spawn(|| ());
/// assert_eq!(too_large.unwrap_err().kind(), std::io::ErrorKind::InvalidInput);
/// ```
pub const MAX_STACK_SIZE: usize = 1 << 30;

/// Says how a thread is to be, then spawns it; as `std::thread::Builder`, with a model.
///
/// ```
/// use trefoil_runtime::thread::{self, Builder};
///
#[doc = include_str!("in_a_run.md")]
/// # run(|| {
/// let builder = Builder::new().name("adder".to_owned()).stack_size(64 * 1024);
/// let adder = builder.spawn(|| {
///     assert_eq!(thread::current().name(), Some("adder"));
///     1 + 1
/// })?;
/// assert_eq!(adder.join().unwrap(), 2);
/// # Ok::<(), std::io::Error>(())
/// # }).unwrap();
/// ```
#[derive(Debug, Default)]
#[must_use = "a builder does nothing until it spawns"]
pub struct Builder {
    name: Option<String>,
    stack_size: Option<usize>,
    model: Option<Model>,
    placement: Placement,
    /// The OS thread on which alone it may start. 0: on any.
    only_on: usize,
    /// It is its spawner's own computation, and starts nowhere else than usual.
    own: bool,
}

impl Builder {
    /// A builder that leaves everything to the runtime. Does not wait, and nor do the other methods
    /// but those that spawn.
    ///
    /// ```
    /// use trefoil_runtime::thread::Builder;
    ///
    #[doc = include_str!("in_a_run.md")]
    /// # run(|| {
    /// let thread = Builder::new().spawn(|| 1 + 1)?;
    /// assert_eq!(thread.join().unwrap(), 2);
    /// # Ok::<(), std::io::Error>(())
    /// # }).unwrap();
    /// ```
    pub fn new() -> Builder {
        Builder::default()
    }

    /// Names the thread. Dumps and deadlock reports show the name; on the kernel model
    /// debuggers and `top` show its first 15 bytes too. It must not contain a NUL: [`spawn`](Builder::spawn) refuses it.
    ///
    /// ```
    /// use trefoil_runtime::thread::Builder;
    ///
    #[doc = include_str!("in_a_run.md")]
    /// # run(|| {
    /// let named = Builder::new().name("reader".to_owned()).spawn(|| ())?;
    /// assert_eq!(named.thread().name(), Some("reader"));
    /// let refused = Builder::new().name("a\0b".to_owned()).spawn(|| ());
    /// assert_eq!(refused.unwrap_err().kind(), std::io::ErrorKind::InvalidInput);
    /// # Ok::<(), std::io::Error>(())
    /// # }).unwrap();
    /// ```
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
    ///
    /// ```
    /// use trefoil_runtime::thread::Builder;
    ///
    #[doc = include_str!("in_a_run.md")]
    /// # run(|| {
    /// let deep = Builder::new().stack_size(4 << 20).spawn(|| {
    ///     let large = std::hint::black_box([1_u8; 1 << 20]);
    ///     large.len()
    /// })?;
    /// assert_eq!(deep.join().unwrap(), 1 << 20);
    /// # Ok::<(), std::io::Error>(())
    /// # }).unwrap();
    /// ```
    pub fn stack_size(self, size: usize) -> Builder {
        Builder {
            stack_size: Some(size),
            ..self
        }
    }

    /// Gives the thread a model of its own inside this runtime: `Model::Kernel` puts one
    /// that computes for long, or calls what blocks, on its own kernel thread.
    ///
    /// ```
    /// use trefoil_runtime::Model;
    /// use trefoil_runtime::thread::{self, Builder};
    ///
    #[doc = include_str!("in_a_run.md")]
    /// # run(|| {
    /// let computes = Builder::new().model(Model::Kernel).spawn(|| {
    ///     assert_eq!(thread::current().model(), Model::Kernel);
    ///     (1..=1000_u64).sum::<u64>()
    /// })?;
    /// assert_eq!(computes.join().unwrap(), 500_500);
    /// # Ok::<(), std::io::Error>(())
    /// # }).unwrap();
    /// ```
    pub fn model(self, model: Model) -> Builder {
        Builder {
            model: Some(model),
            ..self
        }
    }

    /// How urgent the operating system takes the thread to be: a nice value, from -20, the most
    /// urgent, to 19; 0 is usual. See `sched(7)`.
    ///
    /// Only a kernel thread can have one, which is [refused](Builder::spawn) elsewhere: the fibers of
    /// an OS thread are all as urgent as it is. It gets an OS thread of its own, which ends with it,
    /// and the kernel threads that it spawns are as urgent as it is, as with `nice(1)`.
    ///
    /// ```
    /// use trefoil_runtime::thread::Builder;
    ///
    /// let builder = Builder::new().priority(20);
    /// assert_eq!(builder.spawn(|| ()).unwrap_err().kind(), std::io::ErrorKind::InvalidInput);
    /// ```
    pub fn priority(self, nice: i32) -> Builder {
        let placement = Placement {
            nice: Some(nice),
            ..self.placement
        };
        Builder { placement, ..self }
    }

    /// On which CPUs the operating system may run the thread, by their numbers.
    ///
    /// Only a kernel thread can choose, which is [refused](Builder::spawn) elsewhere: the fibers of an
    /// OS thread run where it runs. It gets an OS thread of its own, which ends with it, and the
    /// kernel threads that it spawns may use the same CPUs, as with `taskset(1)`.
    ///
    /// ```
    /// use trefoil_runtime::thread::Builder;
    ///
    /// let builder = Builder::new().affinity([]);
    /// assert_eq!(builder.spawn(|| ()).unwrap_err().kind(), std::io::ErrorKind::InvalidInput);
    /// ```
    pub fn affinity(self, cpus: impl IntoIterator<Item = usize>) -> Builder {
        let placement = Placement {
            cpus: Some(cpus.into_iter().collect()),
            ..self.placement
        };
        Builder { placement, ..self }
    }

    /// Spawns the thread on the current thread's runtime. It has not necessarily started
    /// when this returns.
    ///
    /// It does not wait on green and hybrid. On kernel, where there is no room for one more OS thread, it
    /// waits for idle ones to end, some seconds at most, before it is refused; and with a priority or an
    /// affinity it blocks until the new OS thread has begun and got them. No cancellation point.
    ///
    /// # Errors
    ///
    /// `InvalidInput`: a name with a NUL, a stack size of 0 or above [`MAX_STACK_SIZE`], a priority
    /// that is none, no CPU or one that there is not.
    /// `Unsupported`: the calling thread belongs to no runtime, or the runtime has no threads
    /// of the model; a priority or an affinity of a thread that is no kernel thread.
    /// `PermissionDenied`: a priority above the process's own. Else what the operating system says when it refuses a kernel thread or
    /// memory.
    ///
    /// ```
    /// use std::io::ErrorKind;
    /// use trefoil_runtime::thread::Builder;
    ///
    #[doc = include_str!("in_a_run.md")]
    /// # run(|| {
    /// let number = 20;
    /// let thread = Builder::new().spawn(move || number + 1)?;
    /// assert_eq!(thread.join().unwrap(), 21);
    /// # Ok::<(), std::io::Error>(())
    /// # }).unwrap();
    /// // A plain OS thread belongs to no runtime.
    /// assert_eq!(Builder::new().spawn(|| ()).unwrap_err().kind(), ErrorKind::Unsupported);
    /// ```
    #[track_caller]
    pub fn spawn<F, T>(self, f: F) -> io::Result<JoinHandle<T>>
    where
        F: FnOnce() -> T + Send + 'static,
        T: Send + 'static,
    {
        // SAFETY: by the bounds.
        unsafe { self.spawn_in(None, f) }
    }

    /// As [`spawn`](Builder::spawn), with bounds that the caller has to see to.
    ///
    /// # Errors
    ///
    /// As there.
    ///
    /// # Safety
    ///
    /// As for [`std::thread::Builder::spawn_unchecked`]: what `f` and its value borrow lives until the
    /// thread has ended, and the value has been taken or dropped.
    ///
    /// ```
    /// use trefoil_runtime::thread::Builder;
    ///
    /// let number = 7;
    /// // SAFETY: a plain OS thread cannot spawn, so nothing is borrowed.
    /// let refused = unsafe { Builder::new().spawn_unchecked(|| number + 1) };
    /// assert!(refused.is_err());
    /// ```
    #[track_caller]
    pub unsafe fn spawn_unchecked<F, T>(self, f: F) -> io::Result<JoinHandle<T>>
    where
        F: FnOnce() -> T + Send,
        T: Send,
    {
        // SAFETY: by the bounds, and the caller's promise.
        unsafe { self.spawn_in(None, f) }
    }

    /// It starts on this OS thread alone.
    pub(super) fn here(self) -> io::Result<Builder> {
        match current::owner() {
            Some(only_on) if self.model.is_none_or(|model| model == current::model()) => {
                Ok(Builder { only_on, ..self })
            }
            _ => Err(no_local_threads()),
        }
    }

    /// It is a part of what its spawner computes, who waits for it.
    pub(super) fn own(self) -> Builder {
        Builder { own: true, ..self }
    }

    /// # Safety
    ///
    /// `F` and `T` outlive the thread, and are `Send`; unless the builder is [`here`](Builder::here),
    /// and the handle stays here too.
    #[track_caller]
    #[inline]
    pub(super) unsafe fn spawn_in<F: FnOnce() -> T, T>(
        self,
        scope: Option<Arc<ScopeData>>,
        f: F,
    ) -> io::Result<JoinHandle<T>> {
        if let Err(refused) = self.check() {
            scope.inspect(|scope| scope.child_ended());
            return Err(refused);
        }
        let me = current::thread_ref();
        // SAFETY: the current thread is alive, has started, and does not change while it is in here.
        let (spawner, (runtime, usual)) = unsafe { (me.0.as_ref(), me.0.as_ref().spawns_on()) };
        let model = self.model.unwrap_or(usual);
        let placed = !self.placement.is_empty();
        let stays =
            self.model.is_some() || self.stack_size.is_some() || self.only_on != 0 || self.own;
        let traits = Traits {
            name: self.name.map(String::into_boxed_str),
            stack_size: self.stack_size.unwrap_or(0),
            domain: spawner.traits.domain,
            scope,
            only_on: self.only_on,
            placement: placed.then(|| Box::new(self.placement)),
            origin: Origin::default(),
            spawned_at: Some(Location::caller()),
        };
        // SAFETY: the caller's promise, passed on.
        let (thread, handle) = unsafe { NewThread::make(f, model, traits) };
        let started = if model == usual && !placed {
            if hogs::are_known() && !stays {
                // SAFETY: as above.
                moving::start(runtime, unsafe { spawner.origin() }, thread)
            } else {
                runtime.start(thread)
            }
        } else {
            start(runtime, thread, model)
        };
        match started {
            Ok(()) => Ok(handle),
            Err(refused) => {
                // It has ended without having begun; a scope need not hear of it.
                let _ = handle.join();
                Err(refused)
            }
        }
    }

    #[inline]
    fn check(&self) -> io::Result<()> {
        let plain = self.name.is_none() && self.stack_size.is_none() && self.placement.is_empty();
        if plain { Ok(()) } else { self.check_all() }
    }

    #[cold]
    fn check_all(&self) -> io::Result<()> {
        if self.name.as_ref().is_some_and(|name| name.contains('\0')) {
            return Err(invalid("a thread's name must not contain a NUL"));
        }
        if let Some(size) = self.stack_size {
            check_stack_size(size)?;
        }
        self.placement.check()
    }
}

/// Checks a stack size that somebody asks for. Does not wait.
///
/// # Errors
///
/// `InvalidInput`: it is 0 or above [`MAX_STACK_SIZE`].
///
/// ```
/// use trefoil_runtime::thread::{MAX_STACK_SIZE, check_stack_size};
///
/// assert!(check_stack_size(MAX_STACK_SIZE).is_ok());
/// assert!(check_stack_size(0).is_err());
/// ```
pub fn check_stack_size(size: usize) -> io::Result<()> {
    match size {
        0 => Err(invalid("a thread needs a stack: its size must not be 0")),
        1..=MAX_STACK_SIZE => Ok(()),
        _ => Err(invalid("a thread's stack is at most 1 GiB")),
    }
}

/// Starts a thread of any model, or one that asks for something special.
#[cold]
fn start(runtime: &dyn Runtime, thread: NewThread, model: Model) -> io::Result<()> {
    if thread.placement().is_some() && model != Model::Kernel {
        return Err(no_placement(model));
    }
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
fn no_placement(model: Model) -> io::Error {
    io::Error::new(
        io::ErrorKind::Unsupported,
        format!(
            "a {model} thread has no priority and no affinity of its own, for it shares its OS \
             thread: spawn it with `.model(Model::Kernel)`"
        ),
    )
}

#[cold]
fn no_local_threads() -> io::Error {
    io::Error::new(
        io::ErrorKind::Unsupported,
        "a local thread runs on the OS thread that spawns it, and only a green or hybrid thread \
         shares its OS thread with others, of its own model: spawn it from one, or let the closure \
         be `Send` and use `spawn`",
    )
}

#[cold]
fn no_companion(runtime: Model, wanted: Model) -> io::Error {
    io::Error::new(
        io::ErrorKind::Unsupported,
        format!("this {runtime} runtime was built without a {wanted} runtime beside it"),
    )
}

/// Spawns a thread on the current thread's runtime, as `std::thread::spawn`. Waits no more than
/// [`Builder::spawn`].
///
/// # Panics
///
/// If the thread cannot be started, for instance because the calling thread belongs to no
/// runtime; [`Builder::spawn`] gives an error instead.
///
/// ```
/// use trefoil_runtime::thread;
///
#[doc = include_str!("in_a_run.md")]
/// # run(|| {
/// let threads: Vec<_> = (1..=3).map(|n| thread::spawn(move || n * n)).collect();
/// let squares: Vec<_> = threads.into_iter().map(|thread| thread.join().unwrap()).collect();
/// assert_eq!(squares, [1, 4, 9]);
/// # });
/// ```
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
