//! A worker's own few stacks, over the pool of all.
//!
//! The last stack put is the next one got: its top is still in the cache. Only when the cache runs
//! empty or full does it go to the pool, for half of what it holds.

#![forbid(unsafe_code)]

use std::fmt;
use std::io;
use std::sync::Arc;

use crate::pool::StackPool;
use crate::size::Class;
use crate::stack::Stack;

/// How many stacks a worker keeps at most,
const BOUND: usize = 64;
/// and how many it exchanges with the pool at a time.
const BATCH: usize = BOUND / 2;

/// A cache of stacks of one size, for one worker, over an [`Arc`] of a [`StackPool`].
///
/// [`get`](LocalStacks::get) and [`put`](LocalStacks::put) of the default size use neither lock nor
/// atomic operation unless the cache of 64 stacks is empty or full; then 32 stacks are fetched or
/// given back at once. Other sizes go to the pool each time. Dropping the cache gives its stacks
/// back.
///
/// ```
/// use std::sync::Arc;
/// use trefoil_fiber::{LocalStacks, StackPool};
///
/// let pool = Arc::new(StackPool::new());
/// let mut stacks = LocalStacks::new(Arc::clone(&pool), 256 * 1024)?;
/// let stack = stacks.get(256 * 1024)?;
/// let place = stack.bounds();
/// stacks.put(stack);
/// assert_eq!(stacks.get(256 * 1024)?.bounds(), place);
/// # Ok::<(), std::io::Error>(())
/// ```
pub struct LocalStacks {
    stacks: Vec<Stack>,
    class: Class,
    size: usize,
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
        Ok(LocalStacks {
            stacks: Vec::with_capacity(BOUND),
            class,
            size: class.size(),
            pool,
        })
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
        if ours && self.stacks.len() < BOUND {
            self.stacks.push(stack);
        } else {
            self.put_slow(stack);
        }
    }

    /// The pool under this cache.
    pub fn pool(&self) -> &Arc<StackPool> {
        &self.pool
    }

    #[cold]
    fn get_slow(&mut self, size: usize) -> io::Result<Stack> {
        let class = Class::of(size)?;
        if class != self.class {
            return self.pool.get(size);
        }
        if self.stacks.is_empty() {
            self.pool.get_some(class, BATCH, &mut self.stacks)?;
        }
        Ok(self.stacks.pop().expect("at least one stack was fetched"))
    }

    #[cold]
    fn put_slow(&mut self, stack: Stack) {
        if stack.home().class != self.class {
            return self.pool.put(stack);
        }
        if self.stacks.len() == BOUND {
            // The ones at the bottom have lain here longest.
            self.pool.put_all(self.class, self.stacks.drain(..BATCH));
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
    }
}

impl fmt::Debug for LocalStacks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LocalStacks")
            .field("size", &self.size)
            .field("cached", &self.stacks.len())
            .finish_non_exhaustive()
    }
}
