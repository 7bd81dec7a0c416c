//! A process that begins to lock its memory when there are stacks already. One test, because it is
//! for the whole process that guard pages cost memory mappings from then on.

use std::collections::VecDeque;
use std::fs;
use std::io;

use trefoil_fiber::{MIN_STACK, Stack, StackPool};

/// How many guard pages may be made that cost mappings: an eighth of these is left to the rest.
fn most() -> usize {
    let text = fs::read_to_string("/proc/sys/vm/max_map_count").unwrap();
    let mappings: usize = text.trim().parse().unwrap();
    (mappings - mappings / 8) / 2
}

/// How many mappings there are.
fn mappings() -> usize {
    let maps = fs::read_to_string("/proc/self/maps").unwrap();
    maps.lines().count()
}

/// Locks the page where the next slot after that of `stack` is to have its guard page: it takes no
/// guard advice any more. To lock a page needs no privilege.
fn lock_after(stack: &Stack) {
    let page = stack.guard().len();
    let next = stack.guard().start + stack.size() + 2 * page;
    // Past `libc`, where the address sanitizer would do nothing instead.
    // SAFETY: nothing is in this page, and it stays as it is.
    let done = unsafe { libc::syscall(libc::SYS_mlock, next, page) };
    assert_eq!(done, 0, "{}", io::Error::last_os_error());
}

#[track_caller]
fn assert_used_up(refused: &io::Error) {
    assert_eq!(refused.kind(), io::ErrorKind::OutOfMemory);
    let told = refused.to_string();
    assert!(told.contains("sysctl -w vm.max_map_count="), "{told}");
}

/// How many stacks of this size have room in the pool, which has no others.
fn slots(pool: &StackPool, stack: &Stack) -> usize {
    pool.stats().mapped_bytes / (stack.size() + 2 * stack.guard().len())
}

/// Guard pages that are made later, in slabs which were there before, are counted. What was promised
/// before is there nevertheless; nobody gets more.
#[test]
fn guard_pages_that_are_made_later_are_counted() {
    const BEYOND: usize = 500;
    let (few, many) = (StackPool::new(), StackPool::new());
    let promised = most() + BEYOND;
    if let Err(refused) = many.reserve(MIN_STACK, promised) {
        // On this machine they cost mappings from the first.
        return assert_used_up(&refused);
    }
    let before = mappings();
    let mut stacks = VecDeque::from([many.get(MIN_STACK).unwrap()]);
    let first = few.get(4 * MIN_STACK).unwrap();
    assert!(mappings() <= before + 10, "so far they cost little");
    assert!(
        slots(&many, &stacks[0]) > promised,
        "there are slots that were not promised"
    );
    lock_after(&first);
    // This one is taken before it is known that it costs something, and counted all the same.
    let second = few.get(4 * MIN_STACK).unwrap();

    assert_used_up(&many.reserve(MIN_STACK, 1).unwrap_err());
    while stacks.len() < promised {
        stacks.push_back(many.get(MIN_STACK).unwrap());
    }
    assert_used_up(&many.get(MIN_STACK).unwrap_err());
    assert!(mappings() > 2 * (promised - 1), "each is guarded");

    // What comes back may be promised anew, and no more than that.
    let back = 2 * BEYOND;
    stacks.drain(..back).for_each(|stack| many.put(stack));
    many.unreserve(MIN_STACK, back);
    many.reserve(MIN_STACK, back).unwrap();
    assert_used_up(&many.reserve(MIN_STACK, 1).unwrap_err());

    // All that was counted is given back, also what was beyond the limit.
    stacks.into_iter().for_each(|stack| many.put(stack));
    drop(many);
    // The few that are left are counted when their pool is next asked, but for the first, which has
    // a guard page that costs nothing.
    few.reserve(4 * MIN_STACK, 3).unwrap();
    let counted = slots(&few, &first) - 1;
    let many = StackPool::new();
    many.reserve(MIN_STACK, most() - counted).unwrap();
    assert_used_up(&many.reserve(MIN_STACK, 1).unwrap_err());
    few.put(first);
    few.put(second);
}
