//! A process that has little address space. One test, because the limit is the whole process's:
//! the OS thread of another test gives address space back when it ends.

use std::fs;
use std::io;
use std::time::{Duration, Instant};

use trefoil_fiber::{MAX_STACK, Stack, StackPool};

#[test]
fn where_address_space_is_short() {
    too_much_is_refused_when_it_is_reserved();
    what_is_free_makes_room_for_other_sizes();
    something_makes_room_for_the_rest();
}

/// The address space that the process has, in bytes.
fn size() -> usize {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let line = status.split_once("VmSize:").unwrap().1;
    let kibibytes: usize = line.split_whitespace().next().unwrap().parse().unwrap();
    kibibytes << 10
}

/// From now on the process has so many bytes of address space.
fn limit(bytes: usize) {
    let limit = libc::rlimit {
        rlim_cur: bytes as libc::rlim_t,
        rlim_max: libc::RLIM_INFINITY,
    };
    // SAFETY: `limit` is one, and lives across the call.
    let done = unsafe { libc::setrlimit(libc::RLIMIT_AS, &raw const limit) };
    assert_eq!(done, 0);
}

fn let_time_pass(pool: &StackPool) {
    let mut now = Instant::now();
    while let Some(pause) = pool.tidy(now) {
        now += pause.max(Duration::from_millis(1));
    }
}

/// More address space than a process has: an error, and what was promised before is there.
fn too_much_is_refused_when_it_is_reserved() {
    let pool = StackPool::new();
    pool.reserve(1, 1000).unwrap();
    let refused = pool.reserve(MAX_STACK, 1 << 18).unwrap_err();
    assert!(
        refused.to_string().contains("vm.max_map_count"),
        "{refused}"
    );
    let stacks: Vec<_> = (0..1000).map(|_| pool.get(1).unwrap()).collect();
    stacks.into_iter().for_each(|stack| pool.put(stack));
    pool.unreserve(1, 1000);
    // What was mapped for the promise that could not be given is given back.
    let_time_pass(&pool);
    assert!(pool.stats().mapped_bytes < 1 << 32, "{pool:?}");
}

fn word(stack: &Stack) -> *mut usize {
    (stack.bounds().end - 8) as *mut usize
}

/// Free stacks of one size do not stand in the way of those of another; stacks that are out or
/// promised stay.
fn what_is_free_makes_room_for_other_sizes() {
    const MOST: usize = 30;
    limit((MOST + 4) * MAX_STACK);
    let pool = StackPool::new();
    let small = pool.get(1).unwrap();
    pool.reserve(MAX_STACK, MOST).unwrap();
    let refused = pool.reserve(MAX_STACK / 2, MOST).unwrap_err();
    assert_eq!(refused.kind(), io::ErrorKind::OutOfMemory);
    assert!(refused.to_string().contains("ulimit -v"), "{refused}");

    let (out, hot) = (pool.get(MAX_STACK).unwrap(), pool.get(MAX_STACK).unwrap());
    for stack in [&out, &hot] {
        // SAFETY: the stack is this test's own.
        unsafe { word(stack).write(7) };
    }
    pool.put(hot);
    pool.unreserve(MAX_STACK, MOST - 3);
    // One is out, and two are promised besides.
    pool.reserve(MAX_STACK / 2, MOST).unwrap();
    // SAFETY: as above.
    assert_eq!(unsafe { word(&out).read() }, 7);
    let slabs = pool.stats().slabs;
    let promised = [pool.get(MAX_STACK).unwrap(), pool.get(MAX_STACK).unwrap()];
    assert_eq!(pool.stats().slabs, slabs, "they were there");

    pool.put(out);
    promised.into_iter().for_each(|stack| pool.put(stack));
    pool.put(small);
    pool.unreserve(MAX_STACK, 3);
    pool.unreserve(MAX_STACK / 2, MOST);
    let_time_pass(&pool);
    let stats = pool.stats();
    assert_eq!((stats.outstanding, stats.reserved), (0, 0));
    assert!(stats.mapped_bytes < 3 * MAX_STACK, "{stats:?}");
}

/// Stacks do not take the last of the address space: something is left for the rest of the process.
fn something_makes_room_for_the_rest() {
    let pool = StackPool::new();
    // Not one stack fits, of 64 KiB and two pages.
    limit(size() + (16 << 20) + (64 << 10));
    let refused = pool.reserve(1, 1).unwrap_err();
    assert_eq!(refused.kind(), io::ErrorKind::OutOfMemory);
    assert!(refused.to_string().contains("ulimit -v"), "{refused}");
    assert!(Vec::<u8>::new().try_reserve_exact(15 << 20).is_ok());

    // A whole slab does not fit, but some stacks do, down to the last.
    const SPARE: usize = 2 << 20;
    const STRIDE: usize = (64 << 10) + 2 * 4096;
    limit(size() + (16 << 20) + SPARE);
    let stacks = (0..).take_while(|_| pool.reserve(1, 1).is_ok()).count();
    assert!(stacks <= SPARE / STRIDE, "{stacks}");
    assert!(stacks + 2 >= SPARE / STRIDE, "{stacks}");
    assert!(Vec::<u8>::new().try_reserve_exact(15 << 20).is_ok());
}
