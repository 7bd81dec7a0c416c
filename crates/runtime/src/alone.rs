//! Does anybody else in this process do anything? What a deadlock report must know.
//!
//! It lists the groups of OS threads that wait for work ([`Idlers`]), and counts the threads of
//! the process. It does not look into OS threads that are not ours: any may do anything.
#![forbid(unsafe_code)]

use std::fs;
use std::sync::{Arc, Mutex, PoisonError, Weak};

use crate::idlers::{Idlers, alone_among};

static GROUPS: Mutex<Vec<Weak<Idlers>>> = Mutex::new(Vec::new());

impl Idlers {
    /// A new group, without threads, that [`is_alone`] asks for as long as it exists.
    #[must_use]
    pub fn listed() -> Arc<Idlers> {
        let group = Arc::new(Idlers::new());
        let mut groups = GROUPS.lock().unwrap_or_else(PoisonError::into_inner);
        groups.retain(|group| group.strong_count() != 0);
        groups.push(Arc::downgrade(&group));
        group
    }
}

/// Whether the calling OS thread is certainly the only one of the process that does anything:
/// all others are ours, and wait for work. What they did before can be seen after this call.
///
/// An OS thread that waits for work ends after some time, and destroys its thread-locals. What
/// their destructors do is not counted as doing anything.
///
/// It costs some microseconds. Where the kernel does not say how many threads there are, nobody
/// is ever alone.
#[must_use]
pub fn is_alone() -> bool {
    let groups: Vec<Arc<Idlers>> = {
        let groups = GROUPS.lock().unwrap_or_else(PoisonError::into_inner);
        groups.iter().filter_map(Weak::upgrade).collect()
    };
    alone_among(&groups, threads)
}

/// How many threads the process has, those included that are about to end. The kernel gives the
/// number as it was at one moment, which a list of `/proc/self/task` is not.
fn threads() -> Option<usize> {
    threads_of(&fs::read_to_string("/proc/self/stat").ok()?)
}

/// The field `num_threads` of `proc(5)`'s `stat`, the 20th. The second is the program's name,
/// in parentheses, and may hold anything.
fn threads_of(stat: &str) -> Option<usize> {
    let (_, fields) = stat.rsplit_once(')')?;
    fields.split_whitespace().nth(17)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kernel_counts_the_threads() {
        let before = threads().expect("Linux says it");
        assert!(before >= 1);
        let (end, ended) = std::sync::mpsc::channel::<()>();
        let threads: Vec<_> = (0..3).map(|_| std::thread::spawn(|| ())).collect();
        drop(threads);
        let parked = std::thread::spawn(move || ended.recv());
        // Tests beside this one start and end threads too; this thread and that one are there.
        assert!(super::threads().unwrap() >= 2);
        assert!(!is_alone(), "that one is none of ours");
        drop(end);
        let _ = parked.join().unwrap();
    }

    #[test]
    fn a_name_may_hold_anything() {
        let stat = "42 (a) S 1 (b)) S 1 42 42 0 -1 4194304 1 0 0 0 0 0 0 0 20 0 7 0 5 1 1 1";
        assert_eq!(threads_of(stat), Some(7));
        assert_eq!(threads_of("42 (a) S 1"), None);
        assert_eq!(threads_of(""), None);
    }

    #[test]
    fn a_group_that_has_gone_is_asked_no_more() {
        let listed = |group: &Weak<Idlers>| {
            let groups = GROUPS.lock().unwrap();
            groups.iter().any(|it| it.ptr_eq(group))
        };
        let group = Idlers::listed();
        let weak = Arc::downgrade(&group);
        assert!(listed(&weak));
        drop(group);
        let _other = Idlers::listed();
        assert!(!listed(&weak));
    }
}
