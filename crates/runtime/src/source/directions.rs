//! In which directions a poller watches a descriptor.
#![forbid(unsafe_code)]

use super::Interest;

/// In which directions a poller watches a descriptor: in one at least.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Directions {
    /// For something to read, urgent data included.
    Read,
    /// For room to write.
    Write,
    /// For either.
    Both,
}

impl Directions {
    pub(super) fn contain(self, interest: Interest) -> bool {
        self == Directions::Both || self == interest.into()
    }

    pub(super) fn with(self, interest: Interest) -> Directions {
        if self.contain(interest) {
            self
        } else {
            Directions::Both
        }
    }

    /// `None`: nothing is left.
    pub(super) fn without(self, interest: Interest) -> Option<Directions> {
        match (self, interest) {
            (Directions::Read, Interest::Read) | (Directions::Write, Interest::Write) => None,
            (Directions::Read, _) | (Directions::Both, Interest::Write) => Some(Directions::Read),
            (Directions::Write, _) | (Directions::Both, Interest::Read) => Some(Directions::Write),
        }
    }
}

impl From<Interest> for Directions {
    fn from(interest: Interest) -> Directions {
        match interest {
            Interest::Read => Directions::Read,
            Interest::Write => Directions::Write,
        }
    }
}
