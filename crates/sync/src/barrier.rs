//! Nobody passes before all are there.

use core::fmt;
use std::panic::{RefUnwindSafe, UnwindSafe};

use trefoil_runtime::{Reason, Spin, Wait};

use crate::budget::spend;
use crate::queue::{Batch, Node, Queue};

/// Lets a number of threads wait for each other, again and again, as [`std::sync::Barrier`].
///
/// ```
/// use trefoil_sync::Barrier;
///
/// let barrier = Barrier::new(2);
/// std::thread::scope(|scope| {
///     scope.spawn(|| barrier.wait());
///     barrier.wait();
/// });
/// ```
pub struct Barrier {
    threads: usize,
    queue: Spin<Queue<()>>,
}

/// Tells one of the threads that have passed a [`Barrier`] together that it is the leader.
///
/// ```
/// let barrier = trefoil_sync::Barrier::new(1);
/// let passed = barrier.wait();
/// assert!(passed.is_leader());
/// ```
pub struct BarrierWaitResult(bool);

impl BarrierWaitResult {
    /// Whether this thread is the leader: the one that came last. Does not wait.
    ///
    /// ```
    /// use trefoil_sync::Barrier;
    ///
    /// let barrier = Barrier::new(2);
    /// let led = std::thread::scope(|scope| {
    ///     let other = scope.spawn(|| barrier.wait().is_leader());
    ///     [barrier.wait().is_leader(), other.join().unwrap()]
    /// });
    /// assert_ne!(led[0], led[1]);
    /// ```
    #[must_use]
    pub fn is_leader(&self) -> bool {
        self.0
    }
}

impl Barrier {
    /// A barrier for this many threads. One for 0 threads is as one for 1.
    ///
    /// ```
    /// let barrier = trefoil_sync::Barrier::new(0);
    /// barrier.wait(); // for nobody
    /// ```
    #[must_use]
    pub const fn new(threads: usize) -> Barrier {
        Barrier {
            threads,
            queue: Spin::new(Queue::new()),
        }
    }

    /// Parks the thread until all are there. No cancellation point: others rely on it.
    ///
    /// # Panics
    ///
    /// Inside [`no_suspend`](trefoil_runtime::thread::no_suspend), also if all the others are there.
    ///
    /// ```
    /// use std::sync::atomic::{AtomicU32, Ordering};
    /// use trefoil_sync::Barrier;
    ///
    /// let (barrier, there) = (Barrier::new(3), AtomicU32::new(0));
    /// std::thread::scope(|scope| {
    ///     for _ in 0..3 {
    ///         scope.spawn(|| {
    ///             there.fetch_add(1, Ordering::Relaxed);
    ///             barrier.wait();
    ///             assert_eq!(there.load(Ordering::Relaxed), 3);
    ///         });
    ///     }
    /// });
    /// ```
    #[track_caller]
    pub fn wait(&self) -> BarrierWaitResult {
        let wait = Wait::new(Reason::Barrier);
        let node = Node::new(());
        let mut queue = self.queue.lock();
        if queue.len() + 1 < self.threads {
            // SAFETY: we wait until the node is fired.
            unsafe { queue.push_back(&node) };
            drop(queue);
            node.wait(&wait);
            return BarrierWaitResult(false);
        }
        let mut batch = Batch::new();
        while let Some(node) = queue.pop() {
            batch.add(node);
        }
        drop(queue);
        batch.fire();
        spend();
        BarrierWaitResult(true)
    }
}

impl fmt::Debug for BarrierWaitResult {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BarrierWaitResult")
            .field("is_leader", &self.is_leader())
            .finish()
    }
}

impl fmt::Debug for Barrier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Barrier").finish_non_exhaustive()
    }
}

// Nobody's code runs while its queue is changed.
impl UnwindSafe for Barrier {}
impl RefUnwindSafe for Barrier {}
