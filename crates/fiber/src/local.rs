//! A worker's own few stacks, over the pool of all.
//!
//! The last stack put is the next one got: its top is still in the cache. Only when the cache runs
//! empty or full does it go to the pool, for half of what it holds. The same goes for reservations.

#![forbid(unsafe_code)]

use std::fmt;
use std::io;
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

/// A cache of stacks of one size, for one worker, over an [`Arc`] of a [`StackPool`].
///
/// For the default size, [`get`](LocalStacks::get), [`put`](LocalStacks::put),
/// [`reserve`](LocalStacks::reserve) and [`unreserve`](LocalStacks::unreserve) use neither lock nor
/// atomic operation unless the cache (of 64 stacks; fewer, if they are larger than 1 MiB) is empty
/// or full; then half as many are fetched or given back at once. Other sizes go to the pool each
/// time. Dropping the cache gives its stacks back.
///
/// A reservation may be made through one worker's cache and taken back through another's.
///
/// ```
/// use std::sync::Arc;
/// use trefoil_fiber::{LocalStacks, StackPool};
///
/// let pool = Arc::new(StackPool::new());
/// let mut stacks = LocalStacks::new(Arc::clone(&pool), 256 * 1024)?;
/// stacks.reserve(256 * 1024)?;
/// let stack = stacks.get(256 * 1024)?;
/// let place = stack.bounds();
/// stacks.put(stack);
/// assert_eq!(stacks.get(256 * 1024)?.bounds(), place);
/// stacks.unreserve(256 * 1024);
/// # Ok::<(), std::io::Error>(())
/// ```
pub struct LocalStacks {
    stacks: Vec<Stack>,
    /// Reservations that no thread has.
    reserved: usize,
    class: Class,
    size: usize,
    bound: usize,
    /// The pool's period in which the stacks were given back to it last.
    period: u32,
    pool: Arc<StackPool>,
}

impl LocalStacks {
    /// An empty cache for stacks of `default_size` bytes, rounded by
    /// [`check_size`](crate::check_size).
    ///
    /// # Errors
    ///
    /// [`io::ErrorKind::InvalidInput`] if the size is 0 or more than 1 GiB.
    pub fn new(pool: Arc<StackPool>, default_size: usize) -> io::Result<LocalStacks> {
        let class = Class::of(default_size)?;
        pool.add_cache(class);
        Ok(LocalStacks {
            stacks: Vec::with_capacity(class.cache_bound()),
            reserved: 0,
            class,
            size: class.size(),
            bound: class.cache_bound(),
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
        if size == self.size && self.reserved != 0 {
            self.reserved -= 1;
            return Ok(());
        }
        self.reserve_slow(size)
    }

    /// Takes a promise back, as [`StackPool::unreserve`].
    ///
    /// # Panics
    ///
    /// As there.
    #[inline]
    pub fn unreserve(&mut self, size: usize) {
        if size == self.size && self.reserved < MOST_RESERVED {
            self.reserved += 1;
        } else {
            self.unreserve_slow(size);
        }
    }

    /// Takes a stack of at least `size` bytes, rounded by [`check_size`](crate::check_size).
    ///
    /// # Errors
    ///
    /// Those of [`StackPool::get`].
    #[inline]
    pub fn get(&mut self, size: usize) -> io::Result<Stack> {
        if size == self.size
            && let Some(stack) = self.stacks.pop()
        {
            self.prefetch();
            return Ok(stack);
        }
        self.get_slow(size)
    }

    /// Keeps a stack, or gives it back to the pool.
    ///
    /// # Panics
    ///
    /// If the stack comes from another pool. That stack is lost.
    #[inline]
    pub fn put(&mut self, stack: Stack) {
        let home = stack.home();
        let ours = home.class == self.class && home.pool == self.pool.id();
        if ours && self.stacks.len() < self.bound {
            self.stacks.push(stack);
        } else {
            self.put_slow(stack);
        }
    }

    /// As [`StackPool::tidy`], for the worker that has this cache: it calls this, and not that one.
    ///
    /// While the pool has something to give back, the cache puts its own stacks into it about once a
    /// second: each of them keeps a slab from being unmapped.
    pub fn tidy(&mut self, now: Instant) -> Option<Duration> {
        let again = self.pool.tidy(now);
        let period = self.pool.period();
        if again.is_some() && period != self.period {
            self.period = period;
            self.pool.put_all(self.class, self.stacks.drain(..));
        }
        again
    }

    /// Asks for the top of a stack that is taken soon.
    #[inline]
    fn prefetch(&self) {
        if let Some(soon) = self.stacks.len().checked_sub(AHEAD) {
            let top = self.stacks[soon].top().as_ptr();
            prefetch(top.wrapping_sub(TOP), TOP / 64);
        }
    }

    #[cold]
    fn reserve_slow(&mut self, size: usize) -> io::Result<()> {
        let class = Class::of(size)?;
        if class != self.class {
            return self.pool.reserve_class(class, 1);
        }
        if self.reserved == 0 {
            // Near a limit there may be one, and no batch.
            match self.pool.reserve_class(class, BATCH) {
                Ok(()) => self.reserved += BATCH,
                Err(_) => return self.pool.reserve_class(class, 1),
            }
        }
        self.reserved -= 1;
        Ok(())
    }

    #[cold]
    fn unreserve_slow(&mut self, size: usize) {
        let class = Class::of(size).expect("the size has been reserved");
        if class != self.class {
            return self.pool.unreserve_class(class, 1);
        }
        if self.reserved == MOST_RESERVED {
            self.pool.unreserve_class(class, MOST_RESERVED / 2);
            self.reserved -= MOST_RESERVED / 2;
        }
        self.reserved += 1;
    }

    #[cold]
    fn get_slow(&mut self, size: usize) -> io::Result<Stack> {
        let class = Class::of(size)?;
        if class != self.class {
            return self.pool.get(size);
        }
        if self.stacks.is_empty() {
            self.pool
                .get_some(class, self.bound / 2, &mut self.stacks)?;
            // The one that the pool gave first is the next. Were each batch turned round instead,
            // neighbours would drift apart with every round of a program that takes all of its
            // stacks and puts them back.
            self.stacks.reverse();
        }
        Ok(self.stacks.pop().expect("at least one stack was fetched"))
    }

    #[cold]
    fn put_slow(&mut self, stack: Stack) {
        if stack.home().class != self.class {
            return self.pool.put(stack);
        }
        if self.stacks.len() == self.bound {
            // The ones at the bottom have lain here longest.
            self.pool
                .put_all(self.class, self.stacks.drain(..self.bound / 2));
        }
        if stack.home().pool == self.pool.id() {
            self.stacks.push(stack);
        } else {
            self.pool.put(stack);
        }
    }
}

impl Drop for LocalStacks {
    fn drop(&mut self) {
        self.pool.put_all(self.class, self.stacks.drain(..));
        self.pool.unreserve_class(self.class, self.reserved);
        self.pool.remove_cache(self.class);
    }
}

impl fmt::Debug for LocalStacks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LocalStacks")
            .field("size", &self.size)
            .field("cached", &self.stacks.len())
            .field("reserved", &self.reserved)
            .finish_non_exhaustive()
    }
}
