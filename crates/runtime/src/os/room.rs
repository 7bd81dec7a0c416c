//! Room for one more kernel thread of ours.
//!
//! Linux limits the mappings of a process (`vm.max_map_count`). Each kernel thread takes four:
//! its stack, the signal stack that `std` gives it, and their guard pages. `std` ends the
//! process when it is the signal stack that is refused, so we stop before that. The same goes for
//! its address space, where that is limited (`ulimit -v`).
#![forbid(unsafe_code)]

use std::io;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicUsize, Ordering};

const MAPPINGS: usize = 4;

/// The size of the stack that `std` gives who asks for none, in bytes,
const STACK: usize = 2 << 20;
/// and how much address space is left to the rest of the process.
const REST: usize = 16 << 20;

/// Kernel threads that our pools and runtimes have started and that have not ended.
static THREADS: AtomicUsize = AtomicUsize::new(0);

/// The room that one kernel thread takes, until it is dropped.
#[derive(Debug)]
pub struct Room(());

impl Room {
    /// Takes room for a kernel thread that is about to be started, with a stack of so many bytes
    /// if it asks for a size.
    ///
    /// # Errors
    ///
    /// `OutOfMemory`: the limit of the process's mappings would be reached, or that of its address
    /// space.
    pub fn claim(stack_size: Option<usize>) -> io::Result<Room> {
        if let Some(limit) = address_space()
            && used() + stack_size.unwrap_or(STACK) + REST > limit
        {
            return Err(no_space(limit));
        }
        // A counter: any order will do.
        let claimed = THREADS.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |threads| {
            (threads < most()).then_some(threads + 1)
        });
        match claimed {
            Ok(_) => Ok(Room(())),
            Err(threads) => Err(refusal(threads)),
        }
    }
}

impl Drop for Room {
    fn drop(&mut self) {
        THREADS.fetch_sub(1, Ordering::Relaxed);
    }
}

/// How many there may be: a sixteenth of the mappings is left to the rest of the process.
fn most() -> usize {
    static MOST: OnceLock<usize> = OnceLock::new();
    *MOST.get_or_init(|| {
        let limit = std::fs::read_to_string("/proc/sys/vm/max_map_count").ok();
        let mappings: Option<usize> = limit.and_then(|text| text.trim().parse().ok());
        mappings.map_or(usize::MAX, |mappings| mappings / 16 * 15 / MAPPINGS)
    })
}

/// The limit of the process's address space, in bytes; `None`: there is none.
fn address_space() -> Option<usize> {
    static LIMIT: OnceLock<Option<usize>> = OnceLock::new();
    *LIMIT.get_or_init(|| {
        let limits = std::fs::read_to_string("/proc/self/limits").ok()?;
        let (_, line) = limits.split_once("Max address space")?;
        line.split_whitespace().next()?.parse().ok()
    })
}

/// How much of it is used. 0, if the kernel does not tell: then it will refuse what is too much.
fn used() -> usize {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.split_once("VmSize:");
    let kibibytes = line.and_then(|(_, line)| line.split_whitespace().next()?.parse().ok());
    kibibytes.map_or(0, |kibibytes: usize| kibibytes << 10)
}

#[cold]
fn refusal(threads: usize) -> io::Error {
    io::Error::new(
        io::ErrorKind::OutOfMemory,
        format!(
            "{threads} kernel threads run, and each takes four of the memory mappings that the \
             process may have: raise vm.max_map_count, for instance with \
             `sysctl -w vm.max_map_count=1048576`"
        ),
    )
}

#[cold]
fn no_space(limit: usize) -> io::Error {
    io::Error::new(
        io::ErrorKind::OutOfMemory,
        format!(
            "the stack of one more would take the last of the {} MiB of address space that the \
             process may have: raise `ulimit -v`, or use smaller stacks",
            limit >> 20
        ),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn room_is_given_back() {
        let before = THREADS.load(Ordering::Relaxed);
        let room = Room::claim(None).unwrap();
        assert!(THREADS.load(Ordering::Relaxed) > 0);
        drop(room);
        assert!(THREADS.load(Ordering::Relaxed) <= before + 64);
        assert!(most() > 100);
        assert!(used() > STACK, "the kernel tells");
    }
}
