//! The pool: all stacks of a runtime, shared by its workers.
//!
//! One lock per size class guards the bookkeeping (`shelf.rs`). Memory is mapped under that lock,
//! so that two workers do not both map a slab for want of one; guard pages are made and memory is
//! given back without it. Workers come here in batches, through `local.rs`.

use std::fmt;
use std::io;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::guard;
use crate::shelf::{Shelf, Taken, Trim};
use crate::size::Class;
use crate::slab::Slab;
use crate::stack::{Home, Stack};

/// The memory of all stacks, shared by all workers of a runtime: put it into an
/// [`Arc`](std::sync::Arc).
///
/// Stacks that come back are kept for the next one who asks. Beyond a bound (256 MiB of stacks by
/// their full size, 1024 stacks at most, for each size class), the memory of slabs that are free as
/// a whole goes back to the kernel, one system call for a slab; their address space stays. A slab
/// of which any stack is in use keeps its memory.
///
/// # When it is dropped
///
/// Slabs whose stacks are all back are unmapped. A slab of which a stack is still out, or was
/// dropped, stays mapped for ever, with all its stacks: whoever has such a stack may go on using it.
///
/// ```
/// use trefoil_fiber::StackPool;
///
/// let pool = StackPool::new();
/// let stack = pool.get(256 * 1024)?;
/// assert_eq!(pool.stats().outstanding, 1);
/// pool.put(stack);
/// assert_eq!(pool.stats().outstanding, 0);
/// # Ok::<(), std::io::Error>(())
/// ```
pub struct StackPool {
    id: u32,
    shelves: [Mutex<Shelf>; Class::COUNT],
}

/// What a [`StackPool`] holds at one moment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct PoolStats {
    /// Stacks that are not in the pool: under a fiber, in a [`LocalStacks`](crate::LocalStacks), or
    /// lost because they, or the fiber that was suspended on them, were dropped.
    pub outstanding: usize,
    /// Free stacks that have memory from their last use.
    pub dirty: usize,
    /// Slabs, each of which is one mapping (more where guard pages are made by `mprotect`).
    pub slabs: usize,
    /// Address space of all slabs, in bytes. How much of it is memory, only the kernel knows.
    pub mapped_bytes: usize,
    /// How many times the memory of a slab was given back to the kernel.
    pub trims: u64,
}

impl StackPool {
    /// An empty pool. Nothing is mapped until a stack is asked for.
    ///
    /// # Panics
    ///
    /// If 2^32 pools were made in this process before.
    pub fn new() -> StackPool {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        // The number only has to be another each time: there is nothing to order.
        let id = NEXT
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |id| id.checked_add(1))
            .expect("fewer than 2^32 stack pools in a process");
        let mut classes = Class::all();
        let shelves = std::array::from_fn(|_| {
            let class = classes.next().expect("one shelf for each class");
            Mutex::new(Shelf::new(class))
        });
        StackPool { id, shelves }
    }

    /// Takes a stack of at least `size` bytes, rounded by [`check_size`](crate::check_size).
    ///
    /// Takes a lock, never waits for long: at worst for another worker that is mapping memory.
    ///
    /// # Errors
    ///
    /// [`io::ErrorKind::InvalidInput`] if the size is 0 or more than 1 GiB.
    /// [`io::ErrorKind::OutOfMemory`] if the kernel refuses the memory or the guard page; the
    /// message names the limits to raise.
    pub fn get(&self, size: usize) -> io::Result<Stack> {
        let class = Class::of(size)?;
        let taken = Self::take(&mut self.shelf(class), class)?;
        self.guarded(class, taken)
    }

    /// Takes back a stack that [`get`](StackPool::get) of this pool gave, to be handed out again.
    ///
    /// Usually takes a lock and nothing else; now and then one call gives the memory of a free slab
    /// back to the kernel, as described above.
    ///
    /// # Panics
    ///
    /// If the stack comes from another pool. That stack is lost.
    pub fn put(&self, stack: Stack) {
        let class = stack.home().class;
        self.put_all(class, [stack]);
    }

    /// What the pool holds now. Takes the lock of each size class in turn.
    pub fn stats(&self) -> PoolStats {
        let mut stats = PoolStats::default();
        for class in Class::all() {
            let shelf = self.shelf(class);
            stats.outstanding += shelf.taken();
            stats.dirty += shelf.dirty();
            stats.slabs += shelf.mapped();
            stats.mapped_bytes += shelf.mapped() * Slab::bytes_of(class);
            stats.trims += shelf.trims();
        }
        stats
    }

    /// The number that the stacks of this pool bear.
    pub(crate) fn id(&self) -> u32 {
        self.id
    }

    /// Takes up to `count` stacks of `class`: fewer, but at least one, if the kernel refuses more.
    pub(crate) fn get_some(
        &self,
        class: Class,
        count: usize,
        into: &mut Vec<Stack>,
    ) -> io::Result<()> {
        let before = into.len();
        let mut batch = Vec::with_capacity(count);
        let mut refused = None;
        let mut shelf = self.shelf(class);
        while batch.len() < count && refused.is_none() {
            match Self::take(&mut shelf, class) {
                Ok(taken) => batch.push(taken),
                Err(error) => refused = Some(error),
            }
        }
        drop(shelf);
        for taken in batch {
            match self.guarded(class, taken) {
                Ok(stack) => into.push(stack),
                Err(error) => refused = Some(error),
            }
        }
        match refused {
            Some(error) if into.len() == before => Err(error),
            _ => Ok(()),
        }
    }

    /// Takes back stacks of `class`.
    pub(crate) fn put_all(&self, class: Class, stacks: impl IntoIterator<Item = Stack>) {
        let mut shelf = self.shelf(class);
        for stack in stacks {
            let home = stack.into_home();
            assert!(
                home.pool == self.id && home.class == class,
                "a stack goes back to the pool it came from"
            );
            shelf.put(home.slab, home.slot);
        }
        while let Some(Trim { slab, span }) = shelf.start_trim() {
            drop(shelf);
            // SAFETY: the slab stays mapped while this pool lives. All its slots are free, and the
            // shelf hands none of them out before `trimmed`.
            unsafe { span.discard() };
            shelf = self.shelf(class);
            shelf.trimmed(slab, class.slots());
        }
    }

    fn shelf(&self, class: Class) -> MutexGuard<'_, Shelf> {
        // The one panic that is expected under the lock, over a foreign stack, changes nothing.
        self.shelves[class.index()]
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    /// A free slot, of a new slab if need be.
    fn take(shelf: &mut Shelf, class: Class) -> io::Result<Taken> {
        if let Some(taken) = shelf.take() {
            return Ok(taken);
        }
        shelf.add(Slab::map(class)?, class.slots());
        Ok(shelf.take().expect("a fresh slab has free slots"))
    }

    /// Makes a stack of a slot, with a guard page below it.
    fn guarded(&self, class: Class, taken: Taken) -> io::Result<Stack> {
        let Taken { slab, slot, .. } = taken;
        if let Some(page) = taken.needs_guard {
            // SAFETY: it is the lowest page of a slot that only we have, in a private anonymous
            // mapping that stays while a slot of it is out.
            if let Err(error) = unsafe { guard::install(page) } {
                self.shelf(class).put_unguarded(slab, slot);
                return Err(error);
            }
        }
        let pool = self.id;
        let home = Home {
            pool,
            slab,
            class,
            slot,
        };
        // SAFETY: the slab says that these bytes lie above the guard page of the slot, which was
        // made now or earlier; a slot is handed out once until it is put back, and a slab of which
        // one is out is not unmapped.
        Ok(unsafe { Stack::new(taken.place.top, taken.place.usable, home) })
    }
}

impl Default for StackPool {
    fn default() -> StackPool {
        StackPool::new()
    }
}

impl fmt::Debug for StackPool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StackPool")
            .field("id", &self.id)
            .field("stats", &self.stats())
            .finish_non_exhaustive()
    }
}
