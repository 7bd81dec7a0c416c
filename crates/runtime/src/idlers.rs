//! A group of OS threads of ours that wait for work: how many have nothing to do, and are not
//! spoken for.
//!
//! A pool is a group, and so are the workers of a hybrid runtime. Its word holds two numbers:
//!
//! * *idle*: the threads that wait for work, less the work that is on its way to the group;
//! * *taken*: how often *idle* was lowered. It wraps.
//!
//! | what happens                                    | idle | by              |
//! |-------------------------------------------------|------|-----------------|
//! | a thread is about to wait for work              | +1   | [`Idlers::add`] |
//! | work is about to be sent to one that waits      | -1   | [`Idlers::take`] |
//! | work is about to be sent, whether one waits or not | -1 | [`Idlers::owe`] |
//! | a thread that waits gets work                   | 0    | both go         |
//! | a thread that waits ends, or waits no longer    | -1   | [`Idlers::take`], [`Idlers::owe`] |
//! | a thread that does not wait gets work           | +1   | [`Idlers::add`] |
//!
//! So a thread that was just handed something is idle no longer from before the moment at which
//! it could find it. That is what makes [`alone_among`] certain:
//!
//! 1. It reads all words.
//! 2. It asks the kernel how many threads the process has.
//! 3. It reads the words again, and gives up if anything was taken since.
//!
//! If not, idle has only grown between 1 and 3, so at the moment of 2 it was at least what 1
//! has read. If then the process has no more threads than those, and the caller, there was at
//! that moment nobody who did anything, and no work under way. Idle threads do nothing by
//! themselves, so there will be nobody until the caller does something. What others did
//! before, the caller sees after 2: they have gone, or have said so by a release in the word.

#![forbid(unsafe_code)]

use core::ops::Deref;

use crate::atomic::{AtomicU64, Ordering};

/// One group of OS threads that wait for work.
#[derive(Debug)]
pub struct Idlers {
    word: AtomicU64,
}

/// How *idle* stands in the lower half of the word: it may be below zero.
const ZERO: u64 = 1 << 31;
const TAKEN: u64 = 1 << 32;

fn idle(word: u64) -> i64 {
    (word % TAKEN).cast_signed() - ZERO.cast_signed()
}

fn taken(word: u64) -> u64 {
    word / TAKEN
}

fn lowered(word: u64) -> u64 {
    (word - 1).wrapping_add(TAKEN)
}

// SeqCst everywhere, with `Pool`'s closing. `alone_among` needs a release in what raises idle,
// and an acquire where it reads.
impl Idlers {
    pub(crate) fn new() -> Idlers {
        Idlers {
            word: AtomicU64::new(ZERO),
        }
    }

    /// A thread is about to wait; or one that did not wait has got work that was
    /// [owed](Idlers::owe). It has done all that it did for earlier work.
    pub fn add(&self) {
        self.word.fetch_add(1, Ordering::SeqCst);
    }

    /// Takes one away, if one waits that is not spoken for. The caller then sends it something;
    /// or it is the thread that waits, and waits no longer.
    #[must_use]
    pub fn take(&self) -> bool {
        self.word
            .fetch_update(Ordering::SeqCst, Ordering::SeqCst, |word| {
                (idle(word) > 0).then(|| lowered(word))
            })
            .is_ok()
    }

    /// Takes one away, also if none waits: the caller is about to put work where the next that
    /// looks finds it; or it is a thread that waits no longer.
    pub fn owe(&self) {
        // One step up in the upper half, one down in the lower.
        self.word.fetch_add(TAKEN - 1, Ordering::SeqCst);
    }

    /// How many wait for work; below zero: how much work waits for them.
    pub(crate) fn count(&self) -> i64 {
        idle(self.read())
    }

    fn read(&self) -> u64 {
        self.word.load(Ordering::SeqCst)
    }
}

/// Whether all OS threads of the process but the calling one are idle, in one of these groups.
/// `threads` counts those that the process has; `None`: it is not known.
pub(crate) fn alone_among<G: Deref<Target = Idlers>>(
    groups: &[G],
    threads: impl FnOnce() -> Option<usize>,
) -> bool {
    let before: Vec<u64> = groups.iter().map(|group| group.read()).collect();
    let waiting: i64 = before.iter().copied().map(idle).sum();
    let Some(threads) = threads().and_then(|threads| i64::try_from(threads).ok()) else {
        return false;
    };
    let mut both = groups.iter().zip(before);
    threads <= 1 + waiting && both.all(|(group, before)| taken(group.read()) == taken(before))
}

#[cfg(all(test, not(trefoil_loom)))]
mod tests {
    use super::*;

    #[test]
    fn only_who_waits_is_taken() {
        let idlers = Idlers::new();
        assert!(!idlers.take());
        idlers.add();
        assert!(idlers.take() && !idlers.take());
        idlers.owe();
        idlers.add();
        assert!(!idlers.take(), "the one that waits is spoken for");
        idlers.add();
        assert!(idlers.take());
        assert_eq!(taken(idlers.read()), 3);
        assert_eq!(idle(idlers.read()), 0);
    }

    #[test]
    fn the_upper_half_wraps() {
        let idlers = Idlers {
            word: AtomicU64::new(u64::MAX - TAKEN + 1 + ZERO),
        };
        assert_eq!(
            (idle(idlers.read()), taken(idlers.read())),
            (0, (1 << 32) - 1)
        );
        idlers.add();
        assert!(idlers.take());
        assert_eq!((idle(idlers.read()), taken(idlers.read())), (0, 0));
        idlers.owe();
        assert_eq!((idle(idlers.read()), taken(idlers.read())), (-1, 1));
    }

    #[test]
    fn one_is_alone_among_those_that_wait() {
        let groups = [&Idlers::new(), &Idlers::new()];
        assert!(alone_among(&groups, || Some(1)));
        assert!(!alone_among(&groups, || Some(2)));
        assert!(!alone_among(&groups, || None));
        groups[0].add();
        groups[1].add();
        assert!(alone_among(&groups, || Some(3)));
        groups[0].owe();
        assert!(!alone_among(&groups, || Some(3)), "there is work under way");
        groups[0].add();
        let busy_meanwhile = || {
            assert!(groups[1].take());
            groups[1].add();
            Some(3)
        };
        assert!(!alone_among(&groups, busy_meanwhile));
    }
}

/// The caller waits for mail. Another thread sends it, or has it sent by an idle one, and ends.
/// In no interleaving does the caller find itself alone, look for mail, and find none.
#[cfg(all(test, trefoil_loom))]
mod loom_models {
    use super::*;
    use loom::sync::atomic::{AtomicBool, AtomicUsize};
    use loom::sync::{Arc, mpsc};
    use loom::thread;

    struct Process {
        idlers: Idlers,
        /// What the kernel counts.
        threads: AtomicUsize,
        mail: AtomicBool,
    }

    impl Process {
        fn new(threads: usize) -> Arc<Process> {
            Arc::new(Process {
                idlers: Idlers::new(),
                threads: AtomicUsize::new(threads),
                mail: AtomicBool::new(false),
            })
        }

        /// The order is that of the words and the kernel, and not of the mail itself.
        fn send_mail(&self) {
            self.mail.store(true, Ordering::Relaxed);
        }

        fn end_thread(&self) {
            self.threads.fetch_sub(1, Ordering::SeqCst);
        }

        fn sees_a_deadlock(&self) -> bool {
            let threads = || Some(self.threads.load(Ordering::SeqCst));
            alone_among(&[&self.idlers], threads) && !self.mail.load(Ordering::Relaxed)
        }
    }

    #[test]
    fn who_ends_has_been_seen() {
        loom::model(|| {
            let process = Process::new(2);
            let other = Arc::clone(&process);
            let other = thread::spawn(move || {
                other.send_mail();
                other.end_thread();
            });
            assert!(!process.sees_a_deadlock());
            other.join().unwrap();
            assert!(!process.sees_a_deadlock());
        });
    }

    /// As a pool: the one that waits is spoken for, and gets the job.
    #[test]
    fn a_job_that_is_handed_over_is_seen() {
        loom::model(|| {
            let process = Process::new(3);
            process.idlers.add();
            let (jobs, job) = mpsc::channel();
            let (submitter, idler) = (Arc::clone(&process), Arc::clone(&process));
            let submitter = thread::spawn(move || {
                assert!(submitter.idlers.take());
                jobs.send(()).unwrap();
                submitter.end_thread();
            });
            let idler = thread::spawn(move || {
                job.recv().unwrap();
                idler.send_mail();
                idler.idlers.add();
            });
            assert!(!process.sees_a_deadlock());
            submitter.join().unwrap();
            idler.join().unwrap();
        });
    }

    /// As a hybrid runtime: the work is owed, the worker wakes, and then takes it.
    #[test]
    fn work_that_is_owed_is_seen() {
        loom::model(|| {
            let process = Process::new(3);
            process.idlers.add();
            let (queue, work) = mpsc::channel();
            let (spawner, worker) = (Arc::clone(&process), Arc::clone(&process));
            let spawner = thread::spawn(move || {
                spawner.idlers.owe();
                queue.send(()).unwrap();
                spawner.end_thread();
            });
            let worker = thread::spawn(move || {
                work.recv().unwrap();
                // It waits no longer, and has got what was owed.
                worker.idlers.owe();
                worker.idlers.add();
                worker.send_mail();
                worker.idlers.add();
            });
            assert!(!process.sees_a_deadlock());
            spawner.join().unwrap();
            worker.join().unwrap();
        });
    }
}
