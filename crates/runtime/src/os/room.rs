//! Room for one more kernel thread of ours.
//!
//! Linux limits the mappings of a process (`vm.max_map_count`). Each kernel thread takes four:
//! its stack, the signal stack that `std` gives it, and their guard pages. `std` ends the
//! process when it is the signal stack that is refused, so we stop before that.
#![forbid(unsafe_code)]

use std::io;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicUsize, Ordering};

const MAPPINGS: usize = 4;

/// Kernel threads that our pools and runtimes have started and that have not ended.
static THREADS: AtomicUsize = AtomicUsize::new(0);

/// The room that one kernel thread takes, until it is dropped.
#[derive(Debug)]
pub struct Room(());

impl Room {
    /// Takes room for a kernel thread that is about to be started.
    ///
    /// # Errors
    ///
    /// `OutOfMemory`: the limit of the process's mappings would be reached.
    pub fn claim() -> io::Result<Room> {
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

#[cold]
fn refusal(threads: usize) -> io::Error {
    io::Error::new(
        io::ErrorKind::OutOfMemory,
        format!(
            "{threads} kernel threads run, and one more could exhaust the mappings of the process"
        ),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn room_is_given_back() {
        let before = THREADS.load(Ordering::Relaxed);
        let room = Room::claim().unwrap();
        assert!(THREADS.load(Ordering::Relaxed) > 0);
        drop(room);
        assert!(THREADS.load(Ordering::Relaxed) <= before + 64);
        assert!(most() > 100);
    }
}
