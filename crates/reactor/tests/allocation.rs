//! A wheel in a steady state does not allocate: counted by an allocator, hence a binary of its own.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::time::{Duration, Instant};

use trefoil_reactor::Wheel;

thread_local! {
    /// Per thread, so that the test harness's own threads do not disturb.
    static ALLOCATIONS: Cell<usize> = const { Cell::new(0) };
}

struct Counting;

// SAFETY: every call goes to the system's allocator unchanged, which keeps the contract.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATIONS.set(ALLOCATIONS.get() + 1);
        // SAFETY: the caller answers for `layout`.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        // SAFETY: the block came from `System` with this layout, through `alloc` above.
        unsafe { System.dealloc(block, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// A thousand timeouts that are open at once, all cancelled; a sleeper that expires every round;
/// short timeouts in the current tick, cancelled before the clock moves.
fn rounds(wheel: &mut Wheel<u64>, now: &mut Instant, due: &mut Vec<u64>) {
    let mut open = [const { None }; 1000];
    for round in 0..50_000_u64 {
        let timeout = &mut open[round as usize % 1000];
        if let Some(id) = timeout.take() {
            assert!(wheel.cancel(id).is_some());
        }
        *timeout = Some(wheel.insert(*now + Duration::from_secs(30), round));
        let short = wheel.insert(*now + Duration::from_nanos(10), round);
        wheel.insert(*now + Duration::from_micros(round % 300), round);
        assert!(wheel.cancel(short).is_some());
        if round % 64 == 0 {
            *now += Duration::from_micros(301);
            wheel.expire(*now, due);
            due.clear();
        }
    }
    for id in open.into_iter().flatten() {
        assert!(wheel.cancel(id).is_some());
    }
    *now += Duration::from_secs(31);
    wheel.expire(*now, due);
    due.clear();
    assert!(wheel.is_empty());
}

#[test]
fn a_steady_state_allocates_nothing() {
    let mut now = Instant::now();
    let mut wheel = Wheel::new(now);
    let mut due = Vec::new();
    rounds(&mut wheel, &mut now, &mut due);
    let before = ALLOCATIONS.get();
    assert!(before > 0, "the allocator counts");
    rounds(&mut wheel, &mut now, &mut due);
    assert_eq!(ALLOCATIONS.get(), before);
}

/// Timeouts that are cancelled while the clock stands still leave nothing behind.
#[test]
fn cancelled_timers_of_a_standing_clock_do_not_pile_up() {
    let now = Instant::now();
    let mut wheel = Wheel::new(now);
    wheel.insert(now, 0);
    let mut burst = || {
        for key in 0..100_000 {
            let id = wheel.insert(now + Duration::from_nanos(5), key);
            wheel.cancel(id);
        }
    };
    burst();
    let before = ALLOCATIONS.get();
    for _ in 0..10 {
        burst();
    }
    assert_eq!(ALLOCATIONS.get(), before);
}
