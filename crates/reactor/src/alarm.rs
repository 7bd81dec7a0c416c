//! A timer in the kernel that ends a `poll` which is under way.
//!
//! The sleeper's own timeout is fixed when it falls asleep. An alarm is set later and by others,
//! for about the cost of one short system call, and wakes nobody if it is taken back in time.

use std::io;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::time::Duration;

use mio::unix::SourceFd;
use mio::{Interest, Registry};

use crate::token::ALARM;

pub(crate) struct Alarm(OwnedFd);

impl Alarm {
    /// An alarm that is not set, watched by `registry`.
    pub(crate) fn new(registry: &Registry) -> io::Result<Alarm> {
        let flags = libc::TFD_NONBLOCK | libc::TFD_CLOEXEC;
        // SAFETY: it takes no pointer.
        let fd = unsafe { libc::timerfd_create(libc::CLOCK_MONOTONIC, flags) };
        if fd < 0 {
            return Err(io::Error::last_os_error());
        }
        // SAFETY: the descriptor is new and nobody else's.
        let timer = unsafe { OwnedFd::from_raw_fd(fd) };
        // An edge for each time it goes off; nobody needs to read how often it did.
        registry.register(&mut SourceFd(&timer.as_raw_fd()), ALARM, Interest::READABLE)?;
        Ok(Alarm(timer))
    }

    /// It goes off once, in `after`; what was set before is forgotten.
    pub(crate) fn set(&self, after: Duration) {
        // Zero would take it back.
        self.arm(after.max(Duration::from_nanos(1)));
    }

    pub(crate) fn clear(&self) {
        self.arm(Duration::ZERO);
    }

    fn arm(&self, after: Duration) {
        let zero = libc::timespec {
            tv_sec: 0,
            tv_nsec: 0,
        };
        let time = libc::itimerspec {
            it_interval: zero,
            it_value: libc::timespec {
                tv_sec: libc::time_t::try_from(after.as_secs()).unwrap_or(libc::time_t::MAX),
                tv_nsec: libc::c_long::from(after.subsec_nanos() as i32),
            },
        };
        // SAFETY: the descriptor is open, `time` is live for the call and its nanoseconds are
        // below 10^9; a null pointer asks for no earlier time.
        let set =
            unsafe { libc::timerfd_settime(self.0.as_raw_fd(), 0, &time, std::ptr::null_mut()) };
        debug_assert_eq!(set, 0, "a timer of one's own takes any time");
    }
}
