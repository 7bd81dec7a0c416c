//! The pool: all stacks of a runtime, shared by its workers.
//!
//! One lock per size class guards the bookkeeping (`shelf.rs`). Memory is mapped under that lock,
//! so that two workers do not both map a slab for want of one; guard pages are made and memory is
//! given back without it. Workers come here in batches, through `local.rs`.

use std::fmt;
use std::io;
use std::ptr::NonNull;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::advice;
use crate::guard::{self, Method};
use crate::shelf::{Cleaning, Shelf, Taken};
use crate::size::Class;
use crate::slab::{Slab, Span};
use crate::stack::{Home, Stack};

/// A stack that nobody has touched for so long is cold.
const PERIOD: Duration = Duration::from_secs(1);
/// Between two portions of cold stacks: so that giving back takes a small part of a processor.
const PAUSE: Duration = Duration::from_millis(10);

/// The memory of all stacks, shared by all workers of a runtime: put it into an
/// [`Arc`](std::sync::Arc).
///
/// Stacks that come back are kept for the next one who asks. Those that nobody has asked for, for a
/// second or more, are given back to the kernel by [`tidy`](StackPool::tidy), many in one system
/// call, down to a watermark (256 MiB of stacks by their full size, 1024 stacks at most, for each
/// size class). A slab none of whose stacks has any memory left is unmapped a little later. Which
/// stacks are kept is chosen so that few slabs are: those of which a stack is out, and as many
/// others as have the watermark's number of stacks.
///
/// # Reservations
///
/// A stack is first [reserved](StackPool::reserve), when a thread is spawned, and taken when it
/// starts. The kernel's refusal comes at the reservation, where it can still be told; a stack that
/// was reserved is there.
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
/// pool.reserve(256 * 1024, 1)?;
/// let stack = pool.get(256 * 1024)?;
/// assert_eq!(pool.stats().outstanding, 1);
/// pool.put(stack);
/// pool.unreserve(256 * 1024, 1);
/// assert_eq!(pool.stats().outstanding, 0);
/// # Ok::<(), std::io::Error>(())
/// ```
pub struct StackPool {
    id: u32,
    shelves: [Mutex<Shelf>; Class::COUNT],
    /// There may be something to give back, sooner or later.
    restless: AtomicBool,
    /// Held by the one who tidies.
    calendar: Mutex<Calendar>,
    /// How many periods have begun.
    periods: AtomicU32,
}

/// When to tidy.
#[derive(Default)]
struct Calendar {
    next_period: Option<Instant>,
    /// There is more to clean before that.
    cleaning: bool,
}

/// What a [`StackPool`] holds at one moment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct PoolStats {
    /// Stacks that were promised by [`StackPool::reserve`].
    pub reserved: usize,
    /// Stacks that are not in the pool: under a fiber, in a [`LocalStacks`](crate::LocalStacks), or
    /// lost because they, or the fiber that was suspended on them, were dropped.
    pub outstanding: usize,
    /// Free stacks that have memory from their last use.
    pub dirty: usize,
    /// Slabs, each of which is one mapping (more where guard pages are made by `mprotect`).
    pub slabs: usize,
    /// Address space of all slabs, in bytes. How much of it is memory, only the kernel knows.
    pub mapped_bytes: usize,
    /// How many times the memory of a free stack was given back to the kernel.
    pub cleaned: u64,
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
        StackPool {
            id,
            shelves,
            restless: AtomicBool::new(false),
            calendar: Mutex::default(),
            periods: AtomicU32::new(0),
        }
    }

    /// Promises `count` stacks of at least `size` bytes each, rounded by
    /// [`check_size`](crate::check_size), until [`unreserve`](StackPool::unreserve).
    ///
    /// They cost address space only. Takes a lock, never waits for long: at worst for another
    /// worker that is mapping memory.
    ///
    /// # Errors
    ///
    /// [`io::ErrorKind::InvalidInput`] if the size is 0 or more than 1 GiB.
    /// [`io::ErrorKind::OutOfMemory`] if the kernel refuses the address space, or where guard pages
    /// cost memory mappings and those are used up; the message names the limits to raise.
    pub fn reserve(&self, size: usize, count: usize) -> io::Result<()> {
        self.reserve_class(Class::of(size)?, count)
    }

    /// Takes back the promise of [`reserve`](StackPool::reserve) for `count` stacks of this size,
    /// which have been put back, or were never taken.
    ///
    /// # Panics
    ///
    /// If the size is 0 or more than 1 GiB.
    pub fn unreserve(&self, size: usize, count: usize) {
        let class = Class::of(size).expect("the size has been reserved");
        self.unreserve_class(class, count);
    }

    /// Takes a stack of at least `size` bytes, rounded by [`check_size`](crate::check_size).
    ///
    /// Whoever has reserved one gets it, but for want of memory for the guard page. Whoever has not
    /// may take one that was promised to another.
    ///
    /// # Errors
    ///
    /// Those of [`reserve`](StackPool::reserve), and [`io::ErrorKind::OutOfMemory`] if the kernel
    /// refuses the guard page.
    pub fn get(&self, size: usize) -> io::Result<Stack> {
        let mut stack = Vec::with_capacity(1);
        self.get_some(Class::of(size)?, 1, &mut stack)?;
        Ok(stack.pop().expect("one was taken"))
    }

    /// Takes back a stack that [`get`](StackPool::get) of this pool gave, to be handed out again.
    /// Takes a lock and nothing else.
    ///
    /// # Panics
    ///
    /// If the stack comes from another pool. That stack is lost.
    pub fn put(&self, stack: Stack) {
        let class = stack.home().class;
        self.put_all(class, [stack]);
    }

    /// Gives a portion of what nobody needs back to the kernel, if it is time for that. Tells when
    /// to come again; `None`: there is nothing to give back until more stacks have been put.
    ///
    /// Takes well under a millisecond, and 10 ns if there is nothing to do: workers call it between
    /// two threads. Once, when a burst of them is over, it also takes some nanoseconds for each stack.
    pub fn tidy(&self, now: Instant) -> Option<Duration> {
        // Relaxed: a hint. Who puts sets it again.
        if !self.restless.load(Ordering::Relaxed) {
            return None;
        }
        let Ok(mut calendar) = self.calendar.try_lock() else {
            // Another worker is at it.
            return Some(PERIOD);
        };
        let next = calendar.next_period;
        let remaining = next.map_or(Duration::ZERO, |next| next.saturating_duration_since(now));
        let new_period = remaining.is_zero();
        if !new_period && !calendar.cleaning {
            // What is cold is found out when a period begins.
            return Some(remaining);
        }
        // Before the look: what comes after it is told anew.
        self.restless.store(false, Ordering::Relaxed);
        if new_period {
            calendar.next_period = Some(now + PERIOD);
            self.start_period();
        }
        calendar.cleaning =
            Class::all().fold(false, |more, class| self.clean_portion(class) | more);
        let again = if calendar.cleaning {
            PAUSE
        } else if Class::all().any(|class| self.shelf(class).is_restless()) {
            if new_period { PERIOD } else { remaining }
        } else {
            return None;
        };
        self.restless.store(true, Ordering::Relaxed);
        Some(again)
    }

    /// Gives everything above the watermark back to the kernel, whenever it was last touched. Takes
    /// about a microsecond for each stack.
    pub fn trim(&self) {
        let calendar = self.calendar.lock();
        let _tidying = calendar.unwrap_or_else(PoisonError::into_inner);
        for class in Class::all() {
            self.shelf(class).cool_down();
            while self.clean_portion(class) {}
        }
    }

    /// What the pool holds now. Takes the lock of each size class in turn.
    pub fn stats(&self) -> PoolStats {
        let mut stats = PoolStats::default();
        for class in Class::all() {
            let shelf = self.shelf(class);
            stats.reserved += shelf.reserved();
            stats.outstanding += shelf.taken();
            stats.dirty += shelf.dirty();
            stats.slabs += shelf.mapped();
            stats.mapped_bytes += shelf.bytes();
            stats.cleaned += shelf.cleaned();
        }
        stats
    }

    /// Another number in each period.
    pub(crate) fn period(&self) -> u32 {
        // Relaxed: whoever sees it late comes late.
        self.periods.load(Ordering::Relaxed)
    }

    /// The number that the stacks of this pool bear.
    pub(crate) fn id(&self) -> u32 {
        self.id
    }

    pub(crate) fn reserve_class(&self, class: Class, count: usize) -> io::Result<()> {
        let mut shelf = self.counted_shelf(class);
        while let Some(slots) = shelf.lacks(count) {
            self.grow(&mut shelf, class, slots)?;
        }
        shelf.reserve(count);
        Ok(())
    }

    pub(crate) fn unreserve_class(&self, class: Class, count: usize) {
        let mut shelf = self.shelf(class);
        shelf.unreserve(count);
        if shelf.has_much() {
            self.disturb();
        }
    }

    /// A worker's cache comes: its stacks are out of reach for the others.
    pub(crate) fn add_cache(&self, class: Class) {
        self.shelf(class).add_cache(class.cache_bound());
    }

    pub(crate) fn remove_cache(&self, class: Class) {
        self.shelf(class).remove_cache(class.cache_bound());
    }

    /// Takes up to `count` stacks of `class`: fewer, but at least one, if there are no more, or if
    /// the kernel refuses more.
    pub(crate) fn get_some(
        &self,
        class: Class,
        count: usize,
        into: &mut Vec<Stack>,
    ) -> io::Result<()> {
        let mut batch = Vec::with_capacity(count);
        let mut shelf = self.counted_shelf(class);
        if let Some(taken) = shelf.take() {
            batch.push(taken);
        } else {
            // Nobody has reserved it.
            let slots = class.slots_after(shelf.mapped());
            self.grow(&mut shelf, class, slots)?;
        }
        while batch.len() < count
            && let Some(taken) = shelf.take()
        {
            batch.push(taken);
        }
        drop(shelf);
        self.guard(class, batch, into)
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
            shelf.put(home.slot());
        }
        if shelf.has_much() {
            self.disturb();
        }
    }

    fn disturb(&self) {
        // Relaxed: a hint. It is mostly set already.
        if !self.restless.load(Ordering::Relaxed) {
            self.restless.store(true, Ordering::Relaxed);
        }
    }

    fn shelf(&self, class: Class) -> MutexGuard<'_, Shelf> {
        // The one panic that is expected under the lock, over a foreign stack, changes nothing.
        self.shelves[class.index()]
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    /// For who reserves or takes: there are slots only as far as guard pages may be made.
    fn counted_shelf(&self, class: Class) -> MutexGuard<'_, Shelf> {
        let mut shelf = self.shelf(class);
        if guard::method() == Method::Protect {
            shelf.count_guards();
        }
        shelf
    }

    fn grow(&self, shelf: &mut Shelf, class: Class, slots: u16) -> io::Result<()> {
        let slab = match Slab::map(class, slots) {
            // Free stacks of other sizes may hold what is wanted.
            Err(_) if self.clear(class) => map_what_fits(class, slots)?,
            Err(_) => map_what_fits(class, (slots / 2).max(1))?,
            Ok(slab) => slab,
        };
        shelf.add(slab);
        // It may turn out that nobody needs it.
        self.disturb();
        Ok(())
    }

    /// Unmaps what is free of all classes but one, whose lock the caller holds. `false`: nothing.
    fn clear(&self, wanted: Class) -> bool {
        let others = Class::all().filter(|&class| class != wanted);
        let cleared = others.map(|class| {
            // Whoever holds that lock may be about to ask for ours.
            let shelf = self.shelves[class.index()].try_lock();
            let gone = shelf.map_or_else(|_| Vec::new(), |mut shelf| shelf.start_clearing());
            gone.len()
        });
        cleared.sum::<usize>() != 0
    }

    // ----- guard pages

    /// Makes stacks of slots, with guard pages below them: of as many as the kernel allows, which
    /// is an error if it is none.
    fn guard(&self, class: Class, batch: Vec<Taken>, into: &mut Vec<Stack>) -> io::Result<()> {
        let pages: Vec<NonNull<u8>> = batch.iter().filter_map(|taken| taken.needs_guard).collect();
        // SAFETY: they are the lowest pages of slots that only we have, in private anonymous
        // mappings that stay while a slot of them is out.
        let all = unsafe { guard::install(&pages) }.ok();
        let before = into.len();
        let mut refused = None;
        for taken in batch {
            match self.guarded(class, taken, all) {
                Ok(stack) => into.push(stack),
                Err(error) => refused = Some(error),
            }
        }
        match refused {
            Some(error) if into.len() == before => Err(error),
            _ => Ok(()),
        }
    }

    /// Makes a stack of a slot. `made`: how all guard pages have been made, if they have.
    fn guarded(&self, class: Class, taken: Taken, made: Option<Method>) -> io::Result<Stack> {
        let Taken { slot, place, .. } = taken;
        if let Some(page) = taken.needs_guard {
            // SAFETY: as in `guard`. To make one twice does no harm.
            let made = made.map_or_else(|| unsafe { guard::install(&[page]) }, Ok);
            match made {
                Ok(Method::Protect) if !taken.is_counted => self.shelf(class).count_guard(slot),
                Ok(_) => {}
                Err(error) => {
                    self.shelf(class).put_bare(slot, taken.is_counted);
                    return Err(error);
                }
            }
        }
        let home = Home::new(self.id, class, slot);
        // SAFETY: the slab says that these bytes lie above the guard page of the slot, which was
        // made now or earlier; a slot is handed out once until it is put back, and a slab of which
        // one is out is not unmapped.
        Ok(unsafe { Stack::new(place.top, place.usable, home) })
    }

    // ----- giving back

    fn start_period(&self) {
        self.periods.fetch_add(1, Ordering::Relaxed);
        for class in Class::all() {
            let gone = self.shelf(class).start_period();
            // Without the lock.
            drop(gone);
        }
    }

    /// `true`: there is more to clean.
    fn clean_portion(&self, class: Class) -> bool {
        let cleaning = self.shelf(class).start_cleaning();
        let Some(cleaning) = cleaning else {
            return false;
        };
        // SAFETY: these slots are free, and the shelf hands none of them out before
        // `finish_cleaning`; a slab stays mapped while one of its slots is not clean.
        unsafe { discard(&cleaning) };
        let mut shelf = self.shelf(class);
        shelf.finish_cleaning(cleaning);
        shelf.has_cold()
    }
}

/// Gives memory back to the kernel. The mapping stays, and so do its guard pages.
///
/// # Safety
///
/// The slots are mapped and not in use, until this returns.
unsafe fn discard(cleaning: &Cleaning) {
    let mut spans = cleaning.spans.iter().copied().peekable();
    let merged = std::iter::from_fn(|| {
        let Span { low, mut bytes } = spans.next()?;
        // The guard page between two neighbours is stepped over: `MADV_DONTNEED` leaves guard pages
        // of both kinds as they are (madvise(2)).
        while let Some(next) = spans.next_if(|next| {
            next.low.addr().get() - (low.addr().get() + bytes) == guard::page_size()
        }) {
            bytes += guard::page_size() + next.bytes;
        }
        Some((low, bytes))
    });
    // SAFETY: nobody has anything in this memory, says the caller. Were the advice refused, the
    // memory would only stay where it is.
    let _ = unsafe { advice::give(merged, libc::MADV_DONTNEED) };
}

/// A slab of so many slots, or of the half, and so on: where address space is short, the last of it
/// is worth a system call or two.
fn map_what_fits(class: Class, most: u16) -> io::Result<Slab> {
    let mut slots = most;
    loop {
        match Slab::map(class, slots) {
            Err(_) if slots > 1 => slots /= 2,
            mapped => return mapped,
        }
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
