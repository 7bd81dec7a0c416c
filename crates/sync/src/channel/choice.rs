//! Which arm of a select comes to pass: one word and one waiter, on the stack of the thread that
//! selects. A node for each arm stands in the queue of its channel and points here.
//!
//! | word      | meaning                                  | leaves by                             |
//! |-----------|------------------------------------------|---------------------------------------|
//! | OPEN      | the thread waits, or is about to         | `win` by who has the node of an arm; `abandon` by the thread |
//! | ABANDONED | the thread takes its nodes out           | never: the thread makes a new choice  |
//! | arm + 1   | somebody has won this arm for himself    | never: he fires the waiter            |
//!
//! Who takes a node out of its queue has to win the word; who loses lets the node be, and goes on with
//! the next one in the queue. He may look at the word as long as he holds the lock of that queue, for the
//! thread takes all its nodes out, under their locks, before its choice goes.
//!
//! All is relaxed: the word settles who it is and carries nothing else. What an arm's winner hands over
//! lies in the node, and is seen because he fires the waiter.

use core::ptr::NonNull;

use trefoil_runtime::{Outcome, Wait, Waiter};

use crate::atomic::{AtomicUsize, Ordering};

const OPEN: usize = 0;
const ABANDONED: usize = usize::MAX;

pub struct Choice {
    word: AtomicUsize,
    waiter: Waiter,
}

impl Choice {
    /// Of the current thread.
    #[track_caller]
    pub(super) fn new() -> Choice {
        Choice {
            word: AtomicUsize::new(OPEN),
            waiter: Waiter::new(),
        }
    }

    /// Makes this arm the one. `false`: another one is, or none will be.
    pub(super) fn win(&self, arm: usize) -> bool {
        self.settle(arm + 1)
    }

    /// From here on no arm can be won. `false`: one has been, and the waiter is being fired.
    pub(super) fn abandon(&self) -> bool {
        self.settle(ABANDONED)
    }

    fn settle(&self, word: usize) -> bool {
        // Relaxed: see the head.
        self.word
            .compare_exchange(OPEN, word, Ordering::Relaxed, Ordering::Relaxed)
            .is_ok()
    }

    /// Whether an arm can still be won.
    pub(super) fn is_open(&self) -> bool {
        // Relaxed: see the head.
        self.word.load(Ordering::Relaxed) == OPEN
    }

    /// Which arm was won, after the waiter was fired.
    pub(super) fn won(&self) -> usize {
        // Relaxed: the fired waiter shows what its thread has written before.
        self.word.load(Ordering::Relaxed) - 1
    }

    /// Waits until an arm was won and the waiter fired, or as `wait` says.
    pub(super) fn wait(&self, wait: &Wait) -> Outcome {
        self.waiter.wait(wait)
    }

    /// Lets the thread go on.
    ///
    /// # Safety
    ///
    /// The caller has won an arm of this choice, and does this once.
    pub(super) unsafe fn fire(choice: NonNull<Choice>) {
        // SAFETY: the thread waits until this is done, and only who has won does it.
        unsafe { Waiter::fire(&raw const (*choice.as_ptr()).waiter) };
    }
}
