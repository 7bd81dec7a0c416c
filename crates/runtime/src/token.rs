//! The park token: at most one `unpark` is remembered.
//!
//! It has two halves, so that a thread's own OS thread needs no atomic read-modify-write:
//!
//! | half  | set by                                   | with           |
//! |-------|------------------------------------------|----------------|
//! | `own` | the OS thread that owns the fiber         | a plain store  |
//! | `far` | any other OS thread                      | an exchange    |
//!
//! Taking the token takes both halves: two unparks are one, wherever they came from.
//! What was written before an unpark is seen after the park that took its token: for
//! `own` by program order, for `far` because it is taken by an exchange, which reads the
//! last setter's and, along the chain of exchanges, every earlier one's.
#![forbid(unsafe_code)]

use crate::atomic::{AtomicU32, Ordering};

#[derive(Debug)]
pub(crate) struct Token {
    own: AtomicU32,
    far: AtomicU32,
}

impl Token {
    pub(crate) fn new() -> Token {
        Token {
            own: AtomicU32::new(0),
            far: AtomicU32::new(0),
        }
    }

    /// Takes the token, if it is there. Only the thread itself does.
    pub(crate) fn take(&self) -> bool {
        let own = self.own.load(Ordering::Relaxed) == 1;
        if own {
            self.own.store(0, Ordering::Relaxed);
        }
        // Acquire: pairs with `put_far`.
        let far = self.far.load(Ordering::Relaxed) == 1 && self.far.swap(0, Ordering::Acquire) == 1;
        own || far
    }

    /// Sets the token from the OS thread that owns the fiber.
    pub(crate) fn put_own(&self) {
        self.own.store(1, Ordering::Relaxed);
    }

    /// Sets the token from elsewhere. `true`: it was not set, and the caller wakes the
    /// thread. `false`: whoever set it does.
    #[must_use]
    pub(crate) fn put_far(&self) -> bool {
        // AcqRel: Release pairs with `take`; Acquire keeps the chain for a second setter.
        self.far.swap(1, Ordering::AcqRel) == 0
    }
}

#[cfg(all(test, not(trefoil_loom)))]
mod tests {
    use super::Token;

    #[test]
    fn both_halves_are_one_token() {
        let token = Token::new();
        assert!(!token.take());
        token.put_own();
        assert!(token.put_far());
        assert!(!token.put_far());
        assert!(token.take());
        assert!(!token.take());
    }
}
