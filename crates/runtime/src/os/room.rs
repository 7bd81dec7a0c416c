//! Room for one more kernel thread of ours.
//!
//! Linux limits the mappings of a process (`vm.max_map_count`). Each kernel thread takes four:
//! its stack, the signal stack that `std` gives it, and their guard pages. `std` ends the
//! process when it is the signal stack that is refused, so we stop before that. The same goes for
//! its address space, where that is limited (`ulimit -v`).
//!
//! What a thread takes when it begins is there only some time after its room was claimed: the signal
//! stack, and what glibc's `malloc` reserves for it. So a thread counts as
//! *beginning* until it says [`begun`](Room::begin), with the most that it may take till then.
//! Where that matters, because the limit is near, the next claim waits for it; everywhere else
//! threads are started side by side.
#![forbid(unsafe_code)]

use std::io;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::kept::{self, Kept};
use super::space::Space;

const MAPPINGS: usize = 4;

/// The kernel's default of `vm.max_map_count`, where it does not tell.
const USUAL_LIMIT: usize = 65_530;

/// How much address space is left to the rest of the process, in bytes.
const REST: usize = 16 << 20;

/// What glibc's `malloc` reserves for a thread when it first allocates, in bytes, until there are
/// eight such *arenas* for each processor. Where so much is not to be had, it goes on without.
const ARENA: usize = 64 << 20;

/// What a thread takes besides its stack until it has begun, at most: an arena begins at a multiple of
/// its size, and to find such a place `malloc` first takes twice as much.
const START: usize = 2 * ARENA;

/// What a thread cannot begin without, besides its stack.
const LEAST: usize = 1 << 20;

/// How long a thread that ends is waited for.
const PATIENCE: Duration = Duration::from_millis(200);

static ROOMS: Mutex<Rooms> = Mutex::new(Rooms::NONE);

/// A thread has begun, or has ended.
static CHANGED: Condvar = Condvar::new();

#[derive(Debug)]
struct Rooms {
    /// Kernel threads that our pools and runtimes have started and that have not ended.
    threads: usize,
    /// Those of them that have not begun,
    beginning: usize,
    /// and what they may still take of the address space, in bytes.
    promised: usize,
    /// How many have ended.
    ended: u64,
    /// The last that the kernel has told of its limit on mappings.
    max_map_count: Option<usize>,
    kept: Kept,
}

/// The room that one kernel thread takes, until it is dropped.
#[derive(Debug)]
pub(crate) struct Room {
    stack_size: usize,
    /// `None`: it has not begun.
    id: Option<kept::Id>,
}

fn rooms() -> MutexGuard<'static, Rooms> {
    ROOMS.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Room {
    /// Takes room for a kernel thread that is about to be started, with a stack of so many bytes.
    /// Where there may be too little room, it waits for the threads that are about to begin.
    ///
    /// # Errors
    ///
    /// `OutOfMemory`: the limit of the process's mappings would be reached, or that of its address
    /// space.
    pub(crate) fn claim(stack_size: usize) -> io::Result<Room> {
        let mut rooms = rooms();
        while let Some(space) = Space::now()
            && !rooms.fit_into(&space, stack_size)
        {
            if rooms.beginning == 0 {
                return Err(no_space(space.limit, stack_size));
            }
            rooms = CHANGED.wait(rooms).unwrap_or_else(PoisonError::into_inner);
        }
        rooms.leave_mappings()?;
        rooms.add(stack_size);
        Ok(Room {
            stack_size,
            id: None,
        })
    }

    /// The calling thread is the one that takes it, and has all that it needs to begin.
    pub(crate) fn begin(&mut self) {
        rooms().begin(self.stack_size);
        CHANGED.notify_all();
        self.id = Some(kept::own_id());
    }
}

impl Drop for Room {
    fn drop(&mut self) {
        let mut rooms = rooms();
        rooms.threads -= 1;
        match self.id {
            Some(id) => {
                rooms.ended += 1;
                rooms.kept.add(self.stack_size, id);
            }
            // It was not started.
            None => rooms.begin(self.stack_size),
        }
        drop(rooms);
        CHANGED.notify_all();
    }
}

impl Rooms {
    const NONE: Rooms = Rooms {
        threads: 0,
        beginning: 0,
        promised: 0,
        ended: 0,
        max_map_count: None,
        kept: Kept::new(),
    };

    /// Whether a thread with such a stack leaves enough of the address space.
    fn fit_into(&mut self, space: &Space, stack_size: usize) -> bool {
        if self.kept.find(stack_size).is_none() {
            return self.leave_rest(space, stack_size);
        }
        // A thread that is none of ours may have got that stack. Then this one still can begin.
        self.leave_rest(space, 0) && space.has(stack_size.saturating_add(LEAST))
    }

    /// Whether the rest has enough when somebody has taken `bytes`, and an arena if he gets one.
    fn leave_rest(&self, space: &Space, bytes: usize) -> bool {
        let left = |more: usize| {
            let taken = self.promised.saturating_add(bytes);
            space.has(taken.saturating_add(more))
        };
        left(ARENA + REST) || (left(REST) && !left(ARENA))
    }

    /// An error, if one more would take the last mappings.
    fn leave_mappings(&mut self) -> io::Result<()> {
        let full = |rooms: &Rooms| rooms.threads >= most(rooms.max_map_count);
        // It may have been raised since it was read. What cannot be read stays as it was.
        if self.max_map_count.is_none() || full(self) {
            self.max_map_count = max_map_count().or(self.max_map_count);
        }
        match full(self) {
            true => Err(no_mappings(self.threads)),
            false => Ok(()),
        }
    }

    fn add(&mut self, stack_size: usize) {
        self.kept.take(stack_size);
        self.threads += 1;
        self.beginning += 1;
        self.promised = self.promised.saturating_add(start(stack_size));
    }

    fn begin(&mut self, stack_size: usize) {
        self.beginning -= 1;
        self.promised = self.promised.saturating_sub(start(stack_size));
    }
}

/// The most that a thread takes until it has begun.
fn start(stack_size: usize) -> usize {
    stack_size.saturating_add(START)
}

/// How many threads there may be: a sixteenth of the mappings is left to the rest of the process.
fn most(max_map_count: Option<usize>) -> usize {
    max_map_count.unwrap_or(USUAL_LIMIT) / 16 * 15 / MAPPINGS
}

/// The kernel's limit on mappings. Reads a file.
fn max_map_count() -> Option<usize> {
    let text = std::fs::read_to_string("/proc/sys/vm/max_map_count").ok()?;
    text.trim().parse().ok()
}

/// How many threads that had room have ended so far.
pub(crate) fn ended() -> u64 {
    rooms().ended
}

/// Waits until more threads than `before` have ended, at most so long. `true`: they have.
pub(crate) fn wait_for_an_end(before: u64, patience: Duration) -> bool {
    let none = |rooms: &mut Rooms| rooms.ended == before;
    let waited = CHANGED.wait_timeout_while(rooms(), patience, none);
    waited.unwrap_or_else(PoisonError::into_inner).0.ended != before
}

/// Waits until all threads that have given up their room have really gone, but not for long: the
/// destructor of a thread-local may take for ever.
pub(crate) fn wait_for_leavers() {
    let end = Instant::now() + PATIENCE;
    let mut pause = Duration::from_micros(50);
    while rooms().kept.has_leavers() {
        if Instant::now() > end {
            rooms().kept.give_up_leavers();
        }
        std::thread::sleep(pause);
        pause *= 2;
    }
}

#[cold]
fn no_mappings(threads: usize) -> io::Error {
    io::Error::new(
        io::ErrorKind::OutOfMemory,
        format!(
            "{threads} kernel threads run, and each takes four of the memory mappings that the \
             process may have, of which a sixteenth is left to the rest of it: raise \
             vm.max_map_count, for instance with `sysctl -w vm.max_map_count=1048576`"
        ),
    )
}

#[cold]
fn no_space(limit: usize, stack_size: usize) -> io::Error {
    io::Error::new(
        io::ErrorKind::OutOfMemory,
        format!(
            "a thread with a stack of {} KiB, for which malloc may reserve {} MiB more, would not \
             leave {} MiB to the rest of the process, of the {} MiB of address space that it may \
             have: raise `ulimit -v`, use fewer threads or smaller stacks, or set \
             MALLOC_ARENA_MAX in the environment",
            stack_size >> 10,
            ARENA >> 20,
            REST >> 20,
            limit >> 20
        ),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_usual_limit_counts_where_the_kernel_does_not_tell() {
        assert_eq!(most(None), 15_356);
        assert_eq!(most(Some(1_048_576)), 245_760);
        assert!(max_map_count().is_some_and(|mappings| most(Some(mappings)) > 100));
    }

    #[test]
    fn who_begins_is_counted_until_then() {
        let mut rooms = Rooms::NONE;
        rooms.add(2 << 20);
        rooms.add(usize::MAX);
        assert_eq!((rooms.threads, rooms.beginning), (2, 2));
        assert_eq!(rooms.promised, usize::MAX);
        rooms.begin(usize::MAX);
        rooms.begin(2 << 20);
        assert_eq!((rooms.threads, rooms.beginning, rooms.promised), (2, 0, 0));
    }

    /// The limit is read again before anybody is refused, and what was read is not forgotten.
    #[test]
    fn a_limit_that_was_raised_is_seen() {
        let mut rooms = Rooms {
            threads: 100,
            max_map_count: Some(1),
            ..Rooms::NONE
        };
        rooms.leave_mappings().unwrap();
        rooms.threads = usize::MAX;
        let refused = rooms.leave_mappings().unwrap_err();
        assert_eq!(refused.kind(), io::ErrorKind::OutOfMemory);
        assert_eq!(rooms.max_map_count, max_map_count());
    }

    #[test]
    fn room_is_given_back() {
        let before = ended();
        std::thread::spawn(|| Room::claim(1 << 20).unwrap().begin())
            .join()
            .unwrap();
        assert!(wait_for_an_end(before, Duration::ZERO) && ended() > before);
        wait_for_leavers();
    }
}
