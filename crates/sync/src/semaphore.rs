//! Counting who may go on.

use core::fmt;
use core::mem;
use core::ptr;
use std::panic::{RefUnwindSafe, UnwindSafe};
use std::sync::Arc;
use std::time::{Duration, Instant};

use trefoil_runtime::{Outcome, Reason, Spin, Wait, cancel, thread};

use crate::budget::spend_before_a_permit;
use crate::queue::{Batch, Node, Queue, wait_in};

/// A number of permits, which threads take and give back.
///
/// Threads get them in the order in which they came; one that wants many is not passed by
/// those that want few. Waiting parks the thread, in every model, and is a cancellation
/// point.
///
/// `std` has none; the names are those of tokio's. Other than tokio's it cannot be closed, so
/// that `acquire` needs no error: a thread that waits in vain is cancelled, or gives up by
/// [`acquire_timeout`](Semaphore::acquire_timeout).
///
/// ```
/// use trefoil_sync::Semaphore;
///
/// let two_at_a_time = Semaphore::new(2);
/// let one = two_at_a_time.acquire();
/// let other = two_at_a_time.acquire();
/// assert!(two_at_a_time.try_acquire().is_none());
/// drop(one);
/// assert!(two_at_a_time.try_acquire().is_some());
/// # drop(other);
/// ```
pub struct Semaphore {
    state: Spin<State>,
}

struct State {
    permits: usize,
    /// How many permits each thread waits for.
    queue: Queue<usize>,
}

/// Permits of a [`Semaphore`]; gives them back when it is dropped.
///
/// ```
/// let semaphore = trefoil_sync::Semaphore::new(1);
/// let permit = semaphore.acquire();
/// assert_eq!(semaphore.available_permits(), 0);
/// drop(permit);
/// assert_eq!(semaphore.available_permits(), 1);
/// ```
#[must_use = "if unused the permit is given back at once"]
#[derive(Debug)]
pub struct SemaphorePermit<'a> {
    semaphore: &'a Semaphore,
    count: usize,
}

/// Permits of a [`Semaphore`] that keep it alive; gives them back when it is dropped.
///
/// ```
/// use std::sync::Arc;
/// use trefoil_sync::Semaphore;
///
/// let permit = Arc::new(Semaphore::new(1)).acquire_owned();
/// std::thread::spawn(move || drop(permit)).join().unwrap();
/// ```
#[must_use = "if unused the permit is given back at once"]
#[derive(Debug)]
pub struct OwnedSemaphorePermit {
    semaphore: Arc<Semaphore>,
    count: usize,
}

impl State {
    /// Takes permits, unless others wait for theirs.
    fn take(&mut self, count: usize) -> bool {
        let free = self.queue.is_empty() && self.permits >= count;
        if free {
            self.permits -= count;
        }
        free
    }

    /// Gives permits to those who wait, in order, as far as they go.
    fn serve(&mut self) -> Batch<usize> {
        let mut served = Batch::new();
        while let Some(&wanted) = self.queue.front()
            && wanted <= self.permits
            && let Some(node) = self.queue.pop()
        {
            self.permits -= wanted;
            served.add(node);
        }
        served
    }
}

impl Semaphore {
    /// A semaphore with this many permits.
    ///
    /// ```
    /// use trefoil_sync::Semaphore;
    ///
    /// static CONNECTIONS: Semaphore = Semaphore::new(100);
    /// assert_eq!(CONNECTIONS.available_permits(), 100);
    /// ```
    #[must_use]
    pub const fn new(permits: usize) -> Semaphore {
        Semaphore {
            state: Spin::new(State {
                permits,
                queue: Queue::new(),
            }),
        }
    }

    /// Takes a permit; parks the thread until there is one. A cancellation point when it has to
    /// wait.
    ///
    /// ```
    /// let semaphore = trefoil_sync::Semaphore::new(0);
    /// std::thread::scope(|scope| {
    ///     scope.spawn(|| semaphore.add_permits(1));
    ///     drop(semaphore.acquire());
    /// });
    /// assert_eq!(semaphore.available_permits(), 1);
    /// ```
    #[track_caller]
    pub fn acquire(&self) -> SemaphorePermit<'_> {
        self.acquire_many(1)
    }

    /// Takes `count` permits at once; parks the thread until there are so many. A cancellation
    /// point when it has to wait.
    ///
    /// ```
    /// let semaphore = trefoil_sync::Semaphore::new(3);
    /// let two = semaphore.acquire_many(2);
    /// assert_eq!(semaphore.available_permits(), 1);
    /// drop(two);
    /// assert_eq!(semaphore.acquire_many(3).num_permits(), 3);
    /// ```
    #[track_caller]
    pub fn acquire_many(&self, count: usize) -> SemaphorePermit<'_> {
        self.acquire_as(count, &Wait::new(Reason::Semaphore))
            .expect("it waits without a limit")
    }

    /// Takes a permit, if there is one and nobody waits for it. Does not wait.
    ///
    /// ```
    /// let semaphore = trefoil_sync::Semaphore::new(1);
    /// let permit = semaphore.try_acquire().unwrap();
    /// assert!(semaphore.try_acquire().is_none());
    /// drop(permit);
    /// assert!(semaphore.try_acquire().is_some());
    /// ```
    #[must_use = "the permit is given back at once"]
    pub fn try_acquire(&self) -> Option<SemaphorePermit<'_>> {
        self.try_acquire_many(1)
    }

    /// Takes `count` permits, if there are so many and nobody waits. Does not wait.
    ///
    /// ```
    /// let semaphore = trefoil_sync::Semaphore::new(2);
    /// assert!(semaphore.try_acquire_many(3).is_none());
    /// assert!(semaphore.try_acquire_many(2).is_some());
    /// ```
    #[must_use = "the permits are given back at once"]
    pub fn try_acquire_many(&self, count: usize) -> Option<SemaphorePermit<'_>> {
        let taken = self.state.lock().take(count);
        taken.then(|| self.permit(count))
    }

    /// As [`acquire`](Semaphore::acquire), for at most this long. `None`: the time was over.
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// let semaphore = trefoil_sync::Semaphore::new(1);
    /// let permit = semaphore.acquire();
    /// assert!(semaphore.acquire_timeout(Duration::from_millis(1)).is_none());
    /// drop(permit);
    /// assert!(semaphore.acquire_timeout(Duration::from_millis(1)).is_some());
    /// ```
    #[track_caller]
    #[must_use = "the permit is given back at once"]
    pub fn acquire_timeout(&self, duration: Duration) -> Option<SemaphorePermit<'_>> {
        let wait = Wait::new(Reason::Semaphore);
        self.acquire_as(1, &wait.until(thread::deadline_after(duration)))
    }

    /// As [`acquire`](Semaphore::acquire), until this time at the latest. `None`: the time was
    /// over.
    ///
    /// ```
    /// use std::time::Instant;
    ///
    /// let semaphore = trefoil_sync::Semaphore::new(1);
    /// let permit = semaphore.acquire_deadline(Instant::now());
    /// assert!(permit.is_some());
    /// assert!(semaphore.acquire_deadline(Instant::now()).is_none());
    /// ```
    #[track_caller]
    #[must_use = "the permit is given back at once"]
    pub fn acquire_deadline(&self, deadline: Instant) -> Option<SemaphorePermit<'_>> {
        self.acquire_as(1, &Wait::new(Reason::Semaphore).until(Some(deadline)))
    }

    /// As [`acquire_many`](Semaphore::acquire_many), for at most this long.
    ///
    /// ```
    /// use std::time::Duration;
    /// use trefoil_sync::Semaphore;
    ///
    /// let semaphore = Semaphore::new(2);
    /// let wait = Duration::from_millis(1);
    /// assert!(semaphore.acquire_many_timeout(3, wait).is_none());
    /// assert!(semaphore.acquire_many_timeout(2, wait).is_some());
    /// ```
    #[track_caller]
    #[must_use = "the permits are given back at once"]
    pub fn acquire_many_timeout(
        &self,
        count: usize,
        duration: Duration,
    ) -> Option<SemaphorePermit<'_>> {
        let wait = Wait::new(Reason::Semaphore);
        self.acquire_as(count, &wait.until(thread::deadline_after(duration)))
    }

    /// As [`acquire`](Semaphore::acquire), with a permit that may go to another thread and
    /// outlive the caller.
    ///
    /// ```
    /// use std::sync::Arc;
    /// use trefoil_sync::Semaphore;
    ///
    /// let semaphore = Arc::new(Semaphore::new(1));
    /// let permit = Arc::clone(&semaphore).acquire_owned();
    /// std::thread::spawn(move || drop(permit)).join().unwrap();
    /// assert_eq!(semaphore.available_permits(), 1);
    /// ```
    #[track_caller]
    pub fn acquire_owned(self: Arc<Semaphore>) -> OwnedSemaphorePermit {
        self.acquire_many_owned(1)
    }

    /// As [`acquire_many`](Semaphore::acquire_many), with a permit as of
    /// [`acquire_owned`](Semaphore::acquire_owned).
    ///
    /// ```
    /// use std::sync::Arc;
    /// use trefoil_sync::Semaphore;
    ///
    /// let semaphore = Arc::new(Semaphore::new(3));
    /// let permit = Arc::clone(&semaphore).acquire_many_owned(2);
    /// assert_eq!((permit.num_permits(), semaphore.available_permits()), (2, 1));
    /// ```
    #[track_caller]
    pub fn acquire_many_owned(self: Arc<Semaphore>, count: usize) -> OwnedSemaphorePermit {
        let permit = self.acquire_many(count);
        permit.forget();
        OwnedSemaphorePermit {
            semaphore: self,
            count,
        }
    }

    /// As [`try_acquire`](Semaphore::try_acquire), with a permit as of
    /// [`acquire_owned`](Semaphore::acquire_owned).
    ///
    /// ```
    /// use std::sync::Arc;
    /// use trefoil_sync::Semaphore;
    ///
    /// assert!(Arc::new(Semaphore::new(0)).try_acquire_owned().is_none());
    /// ```
    #[must_use = "the permit is given back at once"]
    pub fn try_acquire_owned(self: Arc<Semaphore>) -> Option<OwnedSemaphorePermit> {
        self.try_acquire_many_owned(1)
    }

    /// As [`try_acquire_many`](Semaphore::try_acquire_many), with a permit as of
    /// [`acquire_owned`](Semaphore::acquire_owned).
    ///
    /// ```
    /// use std::sync::Arc;
    /// use trefoil_sync::Semaphore;
    ///
    /// assert!(Arc::new(Semaphore::new(2)).try_acquire_many_owned(2).is_some());
    /// ```
    #[must_use = "the permits are given back at once"]
    pub fn try_acquire_many_owned(
        self: Arc<Semaphore>,
        count: usize,
    ) -> Option<OwnedSemaphorePermit> {
        self.try_acquire_many(count)?.forget();
        Some(OwnedSemaphorePermit {
            semaphore: self,
            count,
        })
    }

    /// `None`: the time was over.
    fn acquire_as(&self, count: usize, wait: &Wait) -> Option<SemaphorePermit<'_>> {
        spend_before_a_permit();
        let mut state = self.state.lock();
        if state.take(count) {
            drop(state);
            return Some(self.permit(count));
        }
        let mut state = wait.allow(state);
        let node = Node::new(count);
        // SAFETY: `wait_in` returns after the node is out of the queue, and fired if
        // somebody else took it out.
        unsafe { state.queue.push_back(&node) };
        drop(state);
        let mut served = Batch::new();
        // SAFETY: it was put into this queue, and into no other; `serve` fires whom it takes out.
        let outcome = unsafe {
            wait_in(
                &self.state,
                &node,
                &wait.cancellable(),
                |state| &mut state.queue,
                // Those behind may be content with what was not enough for us.
                |state| served = state.serve(),
            )
        };
        served.fire();
        match outcome {
            Outcome::Woken => Some(self.permit(count)),
            Outcome::TimedOut => None,
            Outcome::Cancelled => cancel::raise(),
        }
    }

    fn permit(&self, count: usize) -> SemaphorePermit<'_> {
        SemaphorePermit {
            semaphore: self,
            count,
        }
    }

    /// How many permits are there now. Does not wait.
    ///
    /// ```
    /// let semaphore = trefoil_sync::Semaphore::new(2);
    /// let _one = semaphore.acquire();
    /// assert_eq!(semaphore.available_permits(), 1);
    /// ```
    #[must_use]
    pub fn available_permits(&self) -> usize {
        self.state.lock().permits
    }

    /// Takes up to `count` of the permits that are there away for ever, and tells how many.
    /// Does not wait.
    ///
    /// ```
    /// let semaphore = trefoil_sync::Semaphore::new(2);
    /// assert_eq!(semaphore.forget_permits(5), 2);
    /// assert_eq!(semaphore.available_permits(), 0);
    /// ```
    pub fn forget_permits(&self, count: usize) -> usize {
        let mut state = self.state.lock();
        let taken = count.min(state.permits);
        state.permits -= taken;
        taken
    }

    /// Adds permits, and lets threads go on that wait for them. Does not wait.
    ///
    /// # Panics
    ///
    /// If there would be more than `usize::MAX`.
    ///
    /// ```
    /// let semaphore = trefoil_sync::Semaphore::new(0);
    /// std::thread::scope(|scope| {
    ///     scope.spawn(|| semaphore.acquire_many(2).forget());
    ///     semaphore.add_permits(2);
    /// });
    /// assert_eq!(semaphore.available_permits(), 0);
    /// ```
    pub fn add_permits(&self, count: usize) {
        let mut state = self.state.lock();
        let Some(permits) = state.permits.checked_add(count) else {
            drop(state);
            panic!("a semaphore cannot hold more than usize::MAX permits");
        };
        state.permits = permits;
        let served = state.serve();
        drop(state);
        served.fire();
    }
}

impl SemaphorePermit<'_> {
    /// Keeps the permits for ever: the semaphore has so many less. Does not wait.
    ///
    /// ```
    /// let semaphore = trefoil_sync::Semaphore::new(2);
    /// semaphore.acquire().forget();
    /// assert_eq!(semaphore.available_permits(), 1);
    /// ```
    pub fn forget(mut self) {
        self.count = 0;
    }

    /// How many permits it holds. Does not wait.
    ///
    /// ```
    /// let semaphore = trefoil_sync::Semaphore::new(2);
    /// assert_eq!(semaphore.acquire_many(2).num_permits(), 2);
    /// ```
    #[must_use]
    pub fn num_permits(&self) -> usize {
        self.count
    }

    /// Takes the other's permits into this one. Does not wait.
    ///
    /// # Panics
    ///
    /// If they are of two semaphores.
    ///
    /// ```
    /// let semaphore = trefoil_sync::Semaphore::new(2);
    /// let mut both = semaphore.acquire();
    /// both.merge(semaphore.acquire());
    /// assert_eq!(both.num_permits(), 2);
    /// ```
    #[track_caller]
    pub fn merge(&mut self, mut other: Self) {
        assert!(
            ptr::eq(self.semaphore, other.semaphore),
            "permits of two semaphores cannot be merged"
        );
        self.count += mem::take(&mut other.count);
    }

    /// Takes `count` permits out of this one. `None`: it has fewer. Does not wait.
    ///
    /// ```
    /// let semaphore = trefoil_sync::Semaphore::new(2);
    /// let mut both = semaphore.acquire_many(2);
    /// drop(both.split(1));
    /// assert_eq!(semaphore.available_permits(), 1);
    /// assert!(both.split(2).is_none());
    /// ```
    #[must_use = "the permits are given back at once"]
    pub fn split(&mut self, count: usize) -> Option<Self> {
        self.count = self.count.checked_sub(count)?;
        Some(self.semaphore.permit(count))
    }
}

impl OwnedSemaphorePermit {
    /// Keeps the permits for ever: the semaphore has so many less. Does not wait.
    ///
    /// ```
    /// use std::sync::Arc;
    /// use trefoil_sync::Semaphore;
    ///
    /// let semaphore = Arc::new(Semaphore::new(1));
    /// Arc::clone(&semaphore).acquire_owned().forget();
    /// assert_eq!(semaphore.available_permits(), 0);
    /// assert_eq!(Arc::strong_count(&semaphore), 1);
    /// ```
    pub fn forget(mut self) {
        self.count = 0;
    }

    /// How many permits it holds. Does not wait.
    ///
    /// ```
    /// use std::sync::Arc;
    /// use trefoil_sync::Semaphore;
    ///
    /// assert_eq!(Arc::new(Semaphore::new(1)).acquire_owned().num_permits(), 1);
    /// ```
    #[must_use]
    pub fn num_permits(&self) -> usize {
        self.count
    }

    /// The semaphore that it belongs to. Does not wait.
    ///
    /// ```
    /// use std::sync::Arc;
    /// use trefoil_sync::Semaphore;
    ///
    /// let permit = Arc::new(Semaphore::new(1)).acquire_owned();
    /// assert_eq!(permit.semaphore().available_permits(), 0);
    /// ```
    #[must_use]
    pub fn semaphore(&self) -> &Arc<Semaphore> {
        &self.semaphore
    }
}

impl Drop for OwnedSemaphorePermit {
    fn drop(&mut self) {
        self.semaphore.add_permits(self.count);
    }
}

impl Drop for SemaphorePermit<'_> {
    fn drop(&mut self) {
        self.semaphore.add_permits(self.count);
    }
}

impl fmt::Debug for Semaphore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Semaphore")
            .field("permits", &self.available_permits())
            .finish_non_exhaustive()
    }
}

// Nobody's code runs while its state is changed.
impl UnwindSafe for Semaphore {}
impl RefUnwindSafe for Semaphore {}
