//! The pool of stacks: what is promised is there, what is out is nobody else's, and what nobody
//! needs goes back to the kernel.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

use trefoil_fiber::{LocalStacks, MAX_STACK, MIN_STACK, Stack, StackPool};

const SECOND: Duration = Duration::from_secs(1);

/// Pages of the range that are in memory.
fn resident(stack: &Stack) -> usize {
    let page = stack.guard().len();
    let low = stack.bounds().start;
    let pages = stack.bounds().len().div_ceil(page);
    let mut each = vec![0_u8; pages];
    // SAFETY: the stack is mapped, up to the end of its last page, and `each` has a byte for each
    // page.
    let told = unsafe { libc::mincore(low as *mut _, pages * page, each.as_mut_ptr()) };
    assert_eq!(told, 0);
    each.iter().filter(|page| **page & 1 != 0).count()
}

/// Writes to the top of a stack.
fn touch(stack: &Stack) {
    // SAFETY: the stack is this test's own.
    unsafe { ((stack.bounds().end - 8) as *mut u64).write(stack.bounds().start as u64) };
}

/// What `touch` has written, or 0.
fn touched(stack: &Stack) -> bool {
    // SAFETY: as above.
    unsafe { ((stack.bounds().end - 8) as *const u64).read() != 0 }
}

/// As a worker that has nothing else to do: lets time pass until there is nothing to give back.
/// Gives how often it was called.
fn let_time_pass(pool: &StackPool, now: Instant) -> usize {
    let_time_pass_by(now, |now| pool.tidy(now))
}

fn let_time_pass_by(mut now: Instant, mut tidy: impl FnMut(Instant) -> Option<Duration>) -> usize {
    let mut calls = 1;
    while let Some(pause) = tidy(now) {
        now += pause;
        calls += 1;
        assert!(calls < 10_000, "never calm");
    }
    calls
}

fn take(pool: &StackPool, size: usize, count: usize) -> Vec<Stack> {
    pool.reserve(size, count).unwrap();
    (0..count).map(|_| pool.get(size).unwrap()).collect()
}

fn give(pool: &StackPool, size: usize, stacks: Vec<Stack>) {
    let count = stacks.len();
    stacks.into_iter().for_each(|stack| pool.put(stack));
    pool.unreserve(size, count);
}

#[test]
fn no_two_stacks_share_a_byte() {
    let pool = StackPool::new();
    let mut all = Vec::new();
    for size in [MIN_STACK, 256 << 10, 1 << 20, 8 << 20] {
        all.extend(take(&pool, size, 150));
    }
    let mut ranges: Vec<_> = all
        .iter()
        .map(|stack| stack.guard().start..stack.bounds().end)
        .collect();
    ranges.sort_unstable_by_key(|range| range.start);
    assert!(ranges.windows(2).all(|pair| pair[0].end <= pair[1].start));
    assert!(all.iter().all(|stack| stack.bounds().len() >= stack.size()));
}

#[test]
fn tops_are_staggered() {
    let pool = StackPool::new();
    let page = take(&pool, MIN_STACK, 1)[0].guard().len();
    let stacks = take(&pool, MIN_STACK, 64);
    let offsets: HashSet<_> = stacks
        .iter()
        .map(|stack| stack.bounds().end % page)
        .collect();
    assert_eq!(offsets.len(), 16);
}

#[test]
fn the_last_one_put_is_the_next_one_got() {
    let pool = StackPool::new();
    let stacks = take(&pool, MIN_STACK, 10);
    let places: Vec<_> = stacks.iter().map(Stack::bounds).collect();
    give(&pool, MIN_STACK, stacks);
    let again: Vec<_> = take(&pool, MIN_STACK, 10)
        .iter()
        .map(Stack::bounds)
        .collect();
    assert!(again.iter().eq(places.iter().rev()));
}

#[test]
fn what_is_needed_again_at_once_stays_in_memory() {
    let pool = StackPool::new();
    let start = Instant::now();
    for round in 0..5 {
        let stacks = take(&pool, MIN_STACK, 20_000);
        assert_eq!(stacks.iter().all(touched), round != 0);
        stacks.iter().for_each(touch);
        give(&pool, MIN_STACK, stacks);
        // A tenth of a period each time.
        let _ = pool.tidy(start + SECOND / 10 * round);
    }
    assert_eq!(pool.stats().cleaned, 0);
}

#[test]
fn what_nobody_needs_goes_back() {
    let pool = StackPool::new();
    let stacks = take(&pool, MIN_STACK, 20_000);
    stacks.iter().for_each(touch);
    let slabs = pool.stats().slabs;
    give(&pool, MIN_STACK, stacks);
    assert_eq!(pool.stats().dirty, 20_000);

    let calls = let_time_pass(&pool, Instant::now());
    let stats = pool.stats();
    assert_eq!((stats.dirty, stats.cleaned), (1024, 20_000 - 1024));
    assert!(calls > 30, "in portions: {calls}");
    assert!(
        stats.slabs < slabs,
        "slabs without memory are unmapped: {stats:?}"
    );
    assert_eq!(pool.tidy(Instant::now() + 100 * SECOND), None, "calm");

    // What is left is hot; the rest is as new, and guarded all the same.
    let stacks = take(&pool, MIN_STACK, 3000);
    assert_eq!(stacks.iter().filter(|stack| touched(stack)).count(), 1024);
}

#[test]
fn a_stack_that_was_cleaned_has_no_memory_and_its_neighbours_keep_theirs() {
    let pool = StackPool::new();
    let mut stacks = take(&pool, MIN_STACK, 8000);
    stacks.iter().for_each(touch);
    // Every second one stays out.
    let kept: Vec<_> = stacks
        .extract_if(.., |stack| {
            (stack.bounds().start / MIN_STACK).is_multiple_of(2)
        })
        .collect();
    give(&pool, MIN_STACK, stacks);
    pool.trim();
    assert!(pool.stats().cleaned > 0);
    assert!(
        kept.iter()
            .all(|stack| touched(stack) && resident(stack) == 1)
    );
    let fresh = take(&pool, MIN_STACK, 2000);
    let cleaned = fresh.iter().filter(|stack| resident(stack) == 0).count();
    assert_eq!(cleaned, 2000 - 1024);
}

#[test]
fn what_is_reserved_survives_every_tidying() {
    let pool = StackPool::new();
    pool.reserve(MIN_STACK, 10_000).unwrap();
    let_time_pass(&pool, Instant::now());
    let slabs = pool.stats().slabs;
    let stacks: Vec<_> = (0..10_000).map(|_| pool.get(MIN_STACK).unwrap()).collect();
    assert_eq!(
        pool.stats().slabs,
        slabs,
        "there was room for who was promised a stack"
    );
    give(&pool, MIN_STACK, stacks);
    let_time_pass(&pool, Instant::now() + SECOND);
    assert!(pool.stats().slabs <= slabs, "{pool:?}");
}

/// Slabs that nobody has touched do not stay for ever.
#[test]
fn what_was_reserved_in_vain_goes_back() {
    let pool = StackPool::new();
    pool.reserve(MIN_STACK, 10_000).unwrap();
    pool.unreserve(MIN_STACK, 10_000);
    let_time_pass(&pool, Instant::now());
    assert_eq!(pool.stats().slabs, 0, "{pool:?}");
}

#[test]
fn a_worker_needs_the_pool_seldom() {
    let pool = Arc::new(StackPool::new());
    let mut stacks = LocalStacks::new(Arc::clone(&pool), MIN_STACK).unwrap();
    let mut other = LocalStacks::new(Arc::clone(&pool), MIN_STACK).unwrap();
    // Also for other sizes than the default one, by turns, and where no stack has just that size.
    let sizes = [MIN_STACK, 256 << 10, (256 << 10) - 1];
    // Reserved by one worker, taken and given back by the other: as when threads are stolen.
    for size in sizes.into_iter().cycle().take(3000) {
        stacks.reserve(size).unwrap();
        let stack = other.get(size).unwrap();
        assert!(stack.bounds().len() >= size);
        other.put(stack);
        other.unreserve(size);
    }
    let stats = pool.stats();
    assert!(
        (1..=2 * 2 * 128).contains(&stats.reserved) && stats.outstanding <= 2 * 2 * 64,
        "{stats:?}"
    );
    drop((stacks, other));
    let stats = pool.stats();
    assert_eq!((stats.reserved, stats.outstanding), (0, 0));
}

/// Also among the stacks of another size than the default one.
#[test]
fn the_last_stack_put_is_the_next_one_got() {
    let pool = Arc::new(StackPool::new());
    let mut stacks = LocalStacks::new(Arc::clone(&pool), 256 << 10).unwrap();
    for size in [256 << 10, MIN_STACK, 1 << 20] {
        let [one, two] = [(); 2].map(|()| stacks.get(size).unwrap());
        let place = one.bounds();
        stacks.put(two);
        stacks.put(one);
        assert_eq!(stacks.get(size).unwrap().bounds(), place);
    }
}

/// What takes much address space is not kept from the others, unless most threads have it.
#[test]
fn a_worker_keeps_no_large_stacks_of_a_rare_size() {
    const LARGE: usize = 8 << 20;
    for (default, kept) in [(MIN_STACK, false), (LARGE, true)] {
        let pool = Arc::new(StackPool::new());
        let mut stacks = LocalStacks::new(Arc::clone(&pool), default).unwrap();
        stacks.reserve(LARGE).unwrap();
        let stack = stacks.get(LARGE).unwrap();
        stacks.put(stack);
        stacks.unreserve(LARGE);
        let stats = pool.stats();
        assert_eq!(
            (stats.reserved != 0, stats.outstanding != 0),
            (kept, kept),
            "{stats:?}"
        );
    }
}

#[test]
fn sizes_that_no_stack_has_are_refused() {
    let pool = Arc::new(StackPool::new());
    let mut stacks = LocalStacks::new(Arc::clone(&pool), MIN_STACK).unwrap();
    for size in [0, MAX_STACK + 1, usize::MAX] {
        assert!(stacks.reserve(size).is_err());
        assert!(stacks.get(size).is_err());
    }
    for size in [0, MAX_STACK + 1, usize::MAX] {
        assert!(pool.reserve(size, 1).is_err());
        assert!(pool.get(size).is_err());
    }
    let stack = take(&pool, MAX_STACK, 1);
    assert!(stack[0].bounds().len() >= MAX_STACK);
    give(&pool, MAX_STACK, stack);
}

/// Numbers that look random, from a seed that is printed and may be given.
struct Random(u64);

impl Random {
    fn new() -> Random {
        let seed = std::env::var("TREFOIL_SEED")
            .ok()
            .and_then(|seed| seed.parse().ok())
            .unwrap_or(0x5eed_u64);
        eprintln!("TREFOIL_SEED={seed}");
        Random(seed | 1)
    }

    fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % bound as u64) as usize
    }

    fn shuffle<T>(&mut self, all: &mut [T]) {
        for last in (1..all.len()).rev() {
            all.swap(last, self.below(last + 1));
        }
    }
}

/// The most slots that slabs have of which nobody has a stack: the watermark, and the slab in which
/// it ends.
const FREE_SLOTS: usize = 1024 + 4096;

/// Address space of so many small stacks, in bytes.
fn space(stacks: usize) -> usize {
    stacks * (MIN_STACK + 2 * 4096)
}

/// The stacks of a burst come back in no order at all, and some do not come back. What stays mapped
/// is the slabs of these, and of others as many as the watermark needs.
#[test]
fn what_came_back_in_any_order_leaves_few_slabs() {
    let mut random = Random::new();
    let pool = StackPool::new();
    let mut stacks = take(&pool, MIN_STACK, 50_000);
    stacks.iter().for_each(touch);
    let slabs = pool.stats().slabs;
    assert!(slabs > 15, "or else it is no test: {slabs}");
    // Two slabs of 4096 have one that stays out, each.
    let kept = [stacks.swap_remove(20_000), stacks.swap_remove(40_000)];
    random.shuffle(&mut stacks);
    give(&pool, MIN_STACK, stacks);
    let now = Instant::now();
    let_time_pass(&pool, now);
    let stats = pool.stats();
    assert_eq!((stats.outstanding, stats.dirty), (2, 1024));
    assert!(
        stats.mapped_bytes <= space(2 * 4096),
        "the kept ones lie where two are out: {stats:?}"
    );
    assert!(kept.iter().all(touched));

    // With them the last reason goes to keep both slabs.
    give(&pool, MIN_STACK, kept.into());
    let_time_pass(&pool, now + 1000 * SECOND);
    let stats = pool.stats();
    assert!(stats.mapped_bytes <= space(4096), "{stats:?}");
    assert_eq!(stats.dirty, 1024, "what is hot is kept");
}

/// Stacks come from slabs that are in use, and else from the first: the others drain.
#[test]
fn stacks_come_from_slabs_in_use() {
    let pool = StackPool::new();
    // While so many are promised, all slabs stay.
    pool.reserve(MIN_STACK, 40_000).unwrap();
    let mut all: Vec<_> = (0..40_000).map(|_| pool.get(MIN_STACK).unwrap()).collect();
    // Of one slab of 4096 twenty stay out, of another one.
    let kept: Vec<_> = all.drain(30_000..30_020).collect();
    let one = all.swap_remove(20_000);
    all.into_iter().for_each(|stack| pool.put(stack));
    let now = Instant::now();
    let_time_pass(&pool, now);
    let more: Vec<_> = (0..3000).map(|_| pool.get(MIN_STACK).unwrap()).collect();
    pool.unreserve(MIN_STACK, 40_000 - 3021);
    let_time_pass(&pool, now + 1000 * SECOND);
    assert_eq!(pool.stats().mapped_bytes, space(2 * 4096));

    let out = more.into_iter().chain(kept).chain([one]);
    give(&pool, MIN_STACK, out.collect());

    let pool = StackPool::new();
    pool.reserve(MIN_STACK, 40_000).unwrap();
    let first = pool.get(MIN_STACK).unwrap();
    pool.unreserve(MIN_STACK, 40_000 - 1);
    let_time_pass(&pool, now);
    assert_eq!(
        pool.stats().mapped_bytes,
        space(64),
        "the first is the smallest"
    );
    pool.put(first);
}

/// A few free stacks do not keep a whole slab each, even if all of them are less than the watermark.
#[test]
fn a_few_stacks_do_not_keep_many_slabs() {
    let pool = StackPool::new();
    let mut stacks = take(&pool, MIN_STACK, 40_000);
    let sparse: Vec<_> = stacks
        .extract_if(.., |stack| {
            (stack.bounds().start / (MIN_STACK + 8192)).is_multiple_of(100)
        })
        .collect();
    assert!((300..500).contains(&sparse.len()), "{}", sparse.len());
    give(&pool, MIN_STACK, stacks);
    let now = Instant::now();
    let_time_pass(&pool, now);
    // All that were kept are taken: what comes back now is all that is dirty.
    let out = take(&pool, MIN_STACK, 1024);
    give(&pool, MIN_STACK, sparse);
    assert!(pool.stats().dirty < 500);
    let_time_pass(&pool, now + 1000 * SECOND);
    let stats = pool.stats();
    // Those that were kept are of few slabs as well.
    assert!(
        stats.mapped_bytes <= space(2 * 4096 + FREE_SLOTS),
        "{stats:?}"
    );
    give(&pool, MIN_STACK, out);
}

/// What lies in the caches of workers does not keep many slabs either.
#[test]
fn workers_give_back_what_they_cached() {
    let mut random = Random::new();
    let pool = Arc::new(StackPool::new());
    // The second size is the default one's neighbour.
    let mut workers = [MIN_STACK, 256 << 10, MIN_STACK]
        .map(|size| LocalStacks::new(Arc::clone(&pool), size).unwrap());
    for worker in &mut workers {
        worker.reserve(MIN_STACK).unwrap();
        worker.unreserve(MIN_STACK);
    }
    let mut stacks = take(&pool, MIN_STACK, 50_000);
    pool.unreserve(MIN_STACK, 50_000);
    random.shuffle(&mut stacks);
    for (stack, worker) in stacks.into_iter().zip((0..3).cycle()) {
        workers[worker].put(stack);
    }
    assert!(pool.stats().outstanding > 3 * 30, "they cache some");
    let_time_pass_by(Instant::now(), |now| {
        let again = workers.each_mut().map(|worker| worker.tidy(now));
        again.into_iter().max().flatten()
    });
    let stats = pool.stats();
    assert_eq!(stats.outstanding, 0, "{stats:?}");
    assert_eq!(
        stats.reserved,
        2 * 32,
        "only for the default size: {stats:?}"
    );
    assert!(stats.mapped_bytes <= space(FREE_SLOTS), "{stats:?}");
}

/// A random walk: stacks of several sizes are reserved, taken, given back and cleaned. A stack that
/// is out keeps what its holder wrote; what was promised is there.
#[test]
fn a_random_walk() {
    let mut random = Random::new();
    let pool = StackPool::new();
    let sizes = [MIN_STACK, 256 << 10, 8 << 20];
    let mut out: [Vec<Stack>; 3] = Default::default();
    let mut now = Instant::now();
    for _ in 0..3000 {
        let which = random.below(3);
        let count = 1 + random.below(if which == 0 { 400 } else { 20 });
        match random.below(3) {
            0 => {
                let stacks = take(&pool, sizes[which], count);
                stacks.iter().for_each(touch);
                out[which].extend(stacks);
            }
            1 => {
                let left = out[which].len().saturating_sub(count);
                let back = out[which].split_off(left);
                for stack in &back {
                    // SAFETY: the stack is this test's own.
                    let wrote = unsafe { ((stack.bounds().end - 8) as *const u64).read() };
                    assert_eq!(wrote, stack.bounds().start as u64);
                }
                give(&pool, sizes[which], back);
            }
            _ => {
                now += Duration::from_millis(random.below(700) as u64);
                let _ = pool.tidy(now);
            }
        }
        let held: usize = out.iter().map(Vec::len).sum();
        assert_eq!(pool.stats().outstanding, held);
        assert_eq!(pool.stats().reserved, held);
    }
    for (size, stacks) in sizes.into_iter().zip(out) {
        give(&pool, size, stacks);
    }
    let_time_pass(&pool, now + SECOND);
    let stats = pool.stats();
    assert!(stats.dirty <= 1024 + 1024 + 32, "{stats:?}");
}
