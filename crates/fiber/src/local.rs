//! A worker's own few stacks, over the pool of all.
//!
//! The last stack put is the next one got: its top is still in the cache. Only when a compartment
//! runs empty or full does it go to the pool, for half of what it holds. The same goes for
//! reservations.

#![forbid(unsafe_code)]

use std::fmt;
use std::io;
use std::mem;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::pool::StackPool;
use crate::prefetch::prefetch;
use crate::size::Class;
use crate::stack::Stack;

/// How many reservations a worker fetches at a time,
const BATCH: usize = 32;
/// and how many it keeps at most.
const MOST_RESERVED: usize = 128;

/// What a thread that starts writes to first, below the end of its stack: the fiber's record, and
/// its first frames.
const TOP: usize = 512;
/// So many starts ahead it is asked for.
const AHEAD: usize = 3;
/// One line of each stack is asked for before that, of so many stacks at once: a prefetch is not over
/// before its address is translated, and so the translations come side by side.
const SIDE_BY_SIDE: usize = 8;

/// Larger stacks are kept only if they are what most threads get: they are rare, and a few of them
/// take much address space.
const LARGEST_KEPT: usize = 1024 * 1024;

/// A cache of stacks for one worker, over an [`Arc`] of a [`StackPool`].
///
/// It has a compartment for the default size, and one for each other size up to 1 MiB that has been
/// asked for. There [`get`](LocalStacks::get), [`put`](LocalStacks::put),
/// [`reserve`](LocalStacks::reserve) and [`unreserve`](LocalStacks::unreserve) use neither lock nor
/// atomic operation unless the compartment (of 64 stacks; fewer, if they are larger than 1 MiB) is
/// empty or full; then half as many are fetched or given back at once. Other sizes go to the pool
/// each time. Dropping the cache gives its stacks back.
///
/// A reservation may be made through one worker's cache and taken back through another's.
///
/// ```
/// use std::sync::Arc;
/// use trefoil_fiber::{LocalStacks, StackPool};
///
/// let pool = Arc::new(StackPool::new());
/// let mut stacks = LocalStacks::new(Arc::clone(&pool), 256 * 1024)?;
/// for size in [256 * 1024, 64 * 1024] {
///     stacks.reserve(size)?;
///     let stack = stacks.get(size)?;
///     let place = stack.bounds();
///     stacks.put(stack);
///     assert_eq!(stacks.get(size)?.bounds(), place);
///     stacks.unreserve(size);
/// }
/// # Ok::<(), std::io::Error>(())
/// ```
pub struct LocalStacks {
    /// The default size's, then the others, in the order in which they were first asked for.
    compartments: Vec<Compartment>,
    /// Which one was used last.
    latest: usize,
    /// The pool's period in which the stacks were given back to it last.
    period: u32,
    pool: Arc<StackPool>,
}

impl LocalStacks {
    /// An empty cache, above all for stacks of `default_size` bytes, rounded by
    /// [`check_size`](crate::check_size).
    ///
    /// # Errors
    ///
    /// [`io::ErrorKind::InvalidInput`] if the size is 0 or more than 1 GiB.
    pub fn new(pool: Arc<StackPool>, default_size: usize) -> io::Result<LocalStacks> {
        let class = Class::of(default_size)?;
        Ok(LocalStacks {
            compartments: vec![Compartment::new(class, &pool)],
            latest: 0,
            period: pool.period(),
            pool,
        })
    }

    /// Promises a stack, as [`StackPool::reserve`].
    ///
    /// # Errors
    ///
    /// As there.
    #[inline]
    pub fn reserve(&mut self, size: usize) -> io::Result<()> {
        match self.compartment(size) {
            Some((compartment, pool)) => compartment.reserve(pool),
            None => self.pool.reserve(size, 1),
        }
    }

    /// Takes a promise back, as [`StackPool::unreserve`].
    ///
    /// # Panics
    ///
    /// As there.
    #[inline]
    pub fn unreserve(&mut self, size: usize) {
        match self.compartment(size) {
            Some((compartment, pool)) => compartment.unreserve(pool),
            None => self.pool.unreserve(size, 1),
        }
    }

    /// Takes a stack of at least `size` bytes, rounded by [`check_size`](crate::check_size).
    ///
    /// # Errors
    ///
    /// Those of [`StackPool::get`].
    #[inline]
    pub fn get(&mut self, size: usize) -> io::Result<Stack> {
        match self.compartment(size) {
            Some((compartment, pool)) => compartment.get(pool),
            None => self.pool.get(size),
        }
    }

    /// Keeps a stack, or gives it back to the pool.
    ///
    /// # Panics
    ///
    /// If the stack comes from another pool. That stack is lost.
    #[inline]
    pub fn put(&mut self, stack: Stack) {
        let home = stack.home();
        if home.pool == self.pool.id()
            && let Some(index) = self.find(home.class)
        {
            self.compartments[index].put(stack, &self.pool);
        } else {
            self.pool.put(stack);
        }
    }

    /// As [`StackPool::tidy`], for the worker that has this cache: it calls this, and not that one.
    ///
    /// While the pool has something to give back, the cache puts its own stacks into it about once a
    /// second: each of them keeps a slab from being unmapped. So it does with the reservations for
    /// other sizes than the default one, which others may lack.
    pub fn tidy(&mut self, now: Instant) -> Option<Duration> {
        let again = self.pool.tidy(now);
        let period = self.pool.period();
        if again.is_some() && period != self.period {
            self.period = period;
            for (index, compartment) in self.compartments.iter_mut().enumerate() {
                compartment.empty(&self.pool);
                if index != 0 {
                    compartment.unreserve_all(&self.pool);
                }
            }
        }
        again
    }

    /// The compartment of a size. `None`: it has none, perhaps because there is no such size.
    #[inline]
    fn compartment(&mut self, size: usize) -> Option<(&mut Compartment, &StackPool)> {
        if self.compartments[self.latest].size != size {
            self.turn_to(size)?;
        }
        Some((&mut self.compartments[self.latest], &self.pool))
    }

    #[cold]
    fn turn_to(&mut self, size: usize) -> Option<()> {
        let class = Class::of(size).ok()?;
        self.latest = match self.find(class) {
            Some(index) => index,
            None if class.size() > LARGEST_KEPT => return None,
            None => {
                self.compartments.push(Compartment::new(class, &self.pool));
                self.compartments.len() - 1
            }
        };
        self.compartments[self.latest].size = size;
        Some(())
    }

    #[inline]
    fn find(&self, class: Class) -> Option<usize> {
        if self.compartments[self.latest].class == class {
            return Some(self.latest);
        }
        self.compartments.iter().position(|one| one.class == class)
    }
}

impl Drop for LocalStacks {
    fn drop(&mut self) {
        for compartment in &mut self.compartments {
            compartment.empty(&self.pool);
            compartment.unreserve_all(&self.pool);
            self.pool.remove_cache(compartment.class);
        }
    }
}

impl fmt::Debug for LocalStacks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LocalStacks")
            .field("compartments", &self.compartments)
            .finish_non_exhaustive()
    }
}

/// Stacks of one class, and reservations for such.
struct Compartment {
    stacks: Vec<Stack>,
    /// Reservations that no thread has.
    reserved: usize,
    class: Class,
    /// The size in which it was asked for last: not always that of the class.
    size: usize,
    bound: usize,
}

impl Compartment {
    fn new(class: Class, pool: &StackPool) -> Compartment {
        pool.add_cache(class);
        Compartment {
            stacks: Vec::with_capacity(class.cache_bound()),
            reserved: 0,
            class,
            size: class.size(),
            bound: class.cache_bound(),
        }
    }

    #[inline]
    fn reserve(&mut self, pool: &StackPool) -> io::Result<()> {
        if self.reserved == 0 {
            return self.reserve_slow(pool);
        }
        self.reserved -= 1;
        Ok(())
    }

    #[cold]
    fn reserve_slow(&mut self, pool: &StackPool) -> io::Result<()> {
        // Near a limit there may be one, and no batch.
        match pool.reserve_class(self.class, BATCH) {
            Ok(()) => self.reserved = BATCH - 1,
            Err(_) => pool.reserve_class(self.class, 1)?,
        }
        Ok(())
    }

    #[inline]
    fn unreserve(&mut self, pool: &StackPool) {
        if self.reserved == MOST_RESERVED {
            self.unreserve_slow(pool);
        }
        self.reserved += 1;
    }

    #[cold]
    fn unreserve_slow(&mut self, pool: &StackPool) {
        pool.unreserve_class(self.class, MOST_RESERVED / 2);
        self.reserved -= MOST_RESERVED / 2;
    }

    fn unreserve_all(&mut self, pool: &StackPool) {
        pool.unreserve_class(self.class, mem::take(&mut self.reserved));
    }

    #[inline]
    fn get(&mut self, pool: &StackPool) -> io::Result<Stack> {
        let Some(stack) = self.stacks.pop() else {
            return self.get_slow(pool);
        };
        self.prefetch();
        Ok(stack)
    }

    #[cold]
    fn get_slow(&mut self, pool: &StackPool) -> io::Result<Stack> {
        pool.get_some(self.class, self.bound / 2, &mut self.stacks)?;
        // The one that the pool gave first is the next. Were each batch turned round instead,
        // neighbours would drift apart with every round of a program that takes all of its
        // stacks and puts them back.
        self.stacks.reverse();
        Ok(self.stacks.pop().expect("at least one stack was fetched"))
    }

    /// Asks for the top of a stack that is taken soon.
    #[inline]
    fn prefetch(&self) {
        let len = self.stacks.len();
        if len.is_multiple_of(SIDE_BY_SIDE) && len >= 2 * SIDE_BY_SIDE {
            for stack in &self.stacks[len - 2 * SIDE_BY_SIDE..len - SIDE_BY_SIDE] {
                prefetch(stack.top().as_ptr().wrapping_sub(64), 1);
            }
        }
        if let Some(soon) = len.checked_sub(AHEAD) {
            let top = self.stacks[soon].top().as_ptr();
            prefetch(top.wrapping_sub(TOP), TOP / 64);
        }
    }

    #[inline]
    fn put(&mut self, stack: Stack, pool: &StackPool) {
        if self.stacks.len() == self.bound {
            self.put_slow(pool);
        }
        self.stacks.push(stack);
    }

    #[cold]
    fn put_slow(&mut self, pool: &StackPool) {
        // The ones at the bottom have lain here longest.
        pool.put_all(self.class, self.stacks.drain(..self.bound / 2));
    }

    fn empty(&mut self, pool: &StackPool) {
        pool.put_all(self.class, self.stacks.drain(..));
    }
}

impl fmt::Debug for Compartment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Compartment")
            .field("size", &self.class.size())
            .field("stacks", &self.stacks.len())
            .field("reserved", &self.reserved)
            .finish_non_exhaustive()
    }
}
