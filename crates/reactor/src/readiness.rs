//! What became possible on a descriptor, as a small set.
//!
//! The reactor makes it from an event of the kernel; the runtime passes it on to whoever waits.
//! It reports an edge and remembers nothing: which bits stay true is for the caller to keep.

#![forbid(unsafe_code)]

use std::fmt;
use std::ops::{BitOr, BitOrAssign};

/// What became possible on a descriptor.
///
/// # Examples
///
/// ```
/// use trefoil_reactor::Readiness;
///
/// let both = Readiness::READABLE | Readiness::WRITABLE;
/// assert!(both.is_readable() && both.is_writable());
/// assert!(!both.is_error());
/// assert_eq!(format!("{both:?}"), "READABLE | WRITABLE");
/// assert!(Readiness::EMPTY.is_empty());
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Readiness(u8);

impl Readiness {
    /// Nothing.
    pub const EMPTY: Readiness = Readiness(0);
    /// A read finds data, a listener a connection.
    pub const READABLE: Readiness = Readiness(1);
    /// A write finds room, a connection attempt has ended.
    pub const WRITABLE: Readiness = Readiness(1 << 1);
    /// Reads will come to an end: the peer shut its writing side, or hung up. Data sent before may
    /// still be there to read.
    pub const READ_CLOSED: Readiness = Readiness(1 << 2);
    /// Writes fail from now on, or, together with [`ERROR`](Readiness::ERROR), may do so.
    pub const WRITE_CLOSED: Readiness = Readiness(1 << 3);
    /// An error is pending; the next operation, or `SO_ERROR`, tells which. Or there is something
    /// in the socket's error queue (a report of `MSG_ZEROCOPY`, say): then no operation fails, and
    /// this comes with every event until somebody reads that queue.
    pub const ERROR: Readiness = Readiness(1 << 4);
    /// There is urgent data: a read stops at the urgent mark, with more behind it.
    pub const URGENT: Readiness = Readiness(1 << 5);

    const NAMES: [(Readiness, &str); 6] = [
        (Readiness::READABLE, "READABLE"),
        (Readiness::WRITABLE, "WRITABLE"),
        (Readiness::READ_CLOSED, "READ_CLOSED"),
        (Readiness::WRITE_CLOSED, "WRITE_CLOSED"),
        (Readiness::ERROR, "ERROR"),
        (Readiness::URGENT, "URGENT"),
    ];

    pub(crate) fn of(event: &mio::event::Event) -> Self {
        Readiness::READABLE.when(event.is_readable())
            | Readiness::WRITABLE.when(event.is_writable())
            | Readiness::READ_CLOSED.when(event.is_read_closed())
            | Readiness::WRITE_CLOSED.when(event.is_write_closed())
            | Readiness::ERROR.when(event.is_error())
            | Readiness::URGENT.when(event.is_priority())
    }

    fn when(self, holds: bool) -> Self {
        if holds { self } else { Readiness::EMPTY }
    }

    /// Whether nothing is in the set.
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// Whether every bit of `other` is in the set.
    ///
    /// ```
    /// use trefoil_reactor::Readiness;
    ///
    /// let closed = Readiness::READ_CLOSED | Readiness::WRITE_CLOSED;
    /// assert!(closed.contains(Readiness::READ_CLOSED));
    /// assert!(!Readiness::READ_CLOSED.contains(closed));
    /// ```
    pub const fn contains(self, other: Readiness) -> bool {
        self.0 & other.0 == other.0
    }

    /// Whether a read finds data.
    pub const fn is_readable(self) -> bool {
        self.contains(Readiness::READABLE)
    }

    /// Whether a write finds room.
    pub const fn is_writable(self) -> bool {
        self.contains(Readiness::WRITABLE)
    }

    /// Whether reads come to an end: hung up by the peer.
    pub const fn is_read_closed(self) -> bool {
        self.contains(Readiness::READ_CLOSED)
    }

    /// Whether writes fail from now on, or may do so.
    pub const fn is_write_closed(self) -> bool {
        self.contains(Readiness::WRITE_CLOSED)
    }

    /// Whether an error is pending.
    pub const fn is_error(self) -> bool {
        self.contains(Readiness::ERROR)
    }

    /// Whether there is urgent data.
    pub const fn is_urgent(self) -> bool {
        self.contains(Readiness::URGENT)
    }

    /// Whether somebody who waits to read should try again. The end of the stream and an error
    /// are learned by trying, so they count.
    ///
    /// ```
    /// use trefoil_reactor::Readiness;
    ///
    /// assert!(Readiness::READ_CLOSED.concerns_reader());
    /// assert!(!Readiness::WRITABLE.concerns_reader());
    /// ```
    pub const fn concerns_reader(self) -> bool {
        let closed = Readiness::READ_CLOSED.0 | Readiness::ERROR.0;
        let reader = Readiness::READABLE.0 | Readiness::URGENT.0 | closed;
        self.0 & reader != 0
    }

    /// Whether somebody who waits to write should try again.
    ///
    /// ```
    /// use trefoil_reactor::Readiness;
    ///
    /// assert!(Readiness::ERROR.concerns_writer());
    /// assert!(!Readiness::READABLE.concerns_writer());
    /// ```
    pub const fn concerns_writer(self) -> bool {
        let writer = Readiness::WRITABLE.0 | Readiness::WRITE_CLOSED.0 | Readiness::ERROR.0;
        self.0 & writer != 0
    }
}

impl BitOr for Readiness {
    type Output = Readiness;

    fn bitor(self, other: Readiness) -> Readiness {
        Readiness(self.0 | other.0)
    }
}

impl BitOrAssign for Readiness {
    fn bitor_assign(&mut self, other: Readiness) {
        self.0 |= other.0;
    }
}

impl fmt::Debug for Readiness {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_empty() {
            return f.write_str("EMPTY");
        }
        let names = Readiness::NAMES
            .iter()
            .filter(|(bit, _)| self.contains(*bit));
        for (position, (_, name)) in names.enumerate() {
            let separator = if position == 0 { "" } else { " | " };
            write!(f, "{separator}{name}")?;
        }
        Ok(())
    }
}
