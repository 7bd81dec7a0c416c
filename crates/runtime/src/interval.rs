//! Ticks at equal distances, and what becomes of those that were missed.

#![forbid(unsafe_code)]

use std::time::{Duration, Instant};

use crate::current;
use crate::thread::sleep_until;

/// What an [`Interval`] does when a tick comes too late, as in tokio.
///
/// With a period of 10 ms, and a thread that was busy from 10 to 35:
///
/// | | ticks at |
/// |---|---|
/// | `Burst` | 10, 35 (for 20), 35 (for 30), 40, 50 |
/// | `Delay` | 10, 35 (for 20), 45, 55 |
/// | `Skip`  | 10, 35 (for 20), 40, 50 |
///
/// ```
/// use std::time::{Duration, Instant};
/// use trefoil_runtime::time::{MissedTickBehavior, interval_at};
///
/// // The first tick is ten periods late, and nine more are.
/// let (start, period) = (Instant::now() - Duration::from_secs(10), Duration::from_secs(1));
/// let mut ticks = interval_at(start, period);
/// assert_eq!(ticks.missed_tick_behavior(), MissedTickBehavior::Burst);
/// let due: Vec<_> = (0..3).map(|_| ticks.tick()).collect();
/// assert_eq!(due, [start, start + period, start + 2 * period]);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum MissedTickBehavior {
    /// Ticks without a pause until none is missing.
    #[default]
    Burst,
    /// Counts the period anew from the late tick.
    Delay,
    /// Leaves out those that were missed, and goes on in the old rhythm.
    Skip,
}

/// A late tick is one that is later than this: clocks are read now and then.
const TOLERANCE: Duration = Duration::from_millis(5);

impl MissedTickBehavior {
    /// The tick after `due`, which came at `now`.
    fn next(self, due: Instant, now: Instant, period: Duration) -> Option<Instant> {
        match now.checked_duration_since(due) {
            Some(late) if late > TOLERANCE => self.next_of_late(due, now, late, period),
            _ => due.checked_add(period),
        }
    }

    fn next_of_late(
        self,
        due: Instant,
        now: Instant,
        late: Duration,
        period: Duration,
    ) -> Option<Instant> {
        match self {
            MissedTickBehavior::Burst => due.checked_add(period),
            MissedTickBehavior::Delay => now.checked_add(period),
            MissedTickBehavior::Skip => {
                // The remainder is less than the period, and a period in nanoseconds may be
                // more than fits 64 bits: what does not fit has missed no tick.
                let missed = late.as_nanos() % period.as_nanos();
                let missed = u64::try_from(missed).map_or(late, Duration::from_nanos);
                now.checked_add(period.saturating_sub(missed))
            }
        }
    }
}

/// Ticks; made by [`interval`] and [`interval_at`].
///
/// ```
/// use std::time::Duration;
/// use trefoil_runtime::time::{Interval, interval};
///
/// let mut ticks: Interval = interval(Duration::from_millis(1));
/// let begin = ticks.tick();
/// let last = (0..3).map(|_| ticks.tick()).last().unwrap();
/// assert!(last >= begin + Duration::from_millis(3));
/// ```
#[derive(Debug)]
pub struct Interval {
    /// `None`: beyond what the clock can tell.
    due: Option<Instant>,
    period: Duration,
    behavior: MissedTickBehavior,
}

/// An interval whose first tick is due at once, and the others each a period after the one
/// before. Does not wait.
///
/// # Panics
///
/// If the period is zero.
///
/// ```
/// use std::time::Duration;
/// use trefoil_runtime::time::interval;
///
/// let mut ticks = interval(Duration::from_millis(2));
/// let first = ticks.tick(); // at once
/// assert_eq!(ticks.tick() - first, Duration::from_millis(2));
/// ```
#[track_caller]
#[must_use]
pub fn interval(period: Duration) -> Interval {
    interval_at(now(), period)
}

/// An interval whose first tick is due at `start`. Does not wait.
///
/// # Panics
///
/// If the period is zero.
///
/// ```
/// use std::time::{Duration, Instant};
/// use trefoil_runtime::time::interval_at;
///
/// let start = Instant::now() + Duration::from_millis(1);
/// assert_eq!(interval_at(start, Duration::from_secs(1)).tick(), start);
/// assert!(Instant::now() >= start);
/// ```
#[track_caller]
#[must_use]
pub fn interval_at(start: Instant, period: Duration) -> Interval {
    assert!(
        !period.is_zero(),
        "the period of an interval must not be zero"
    );
    Interval {
        due: Some(start),
        period,
        behavior: MissedTickBehavior::default(),
    }
}

fn now() -> Instant {
    current::with_runtime(|runtime| runtime.now())
}

impl Interval {
    /// Parks the thread until the next tick is due, and returns the time for which it was
    /// due. If it is late already, it returns at once.
    ///
    /// A cancellation point, also when it is late. A tick that was ended by a cancellation or
    /// a timeout is still due.
    ///
    /// ```
    /// use std::time::{Duration, Instant};
    /// use trefoil_runtime::time::interval;
    ///
    /// let mut ticks = interval(Duration::from_millis(1));
    /// ticks.tick();
    /// let due = ticks.tick();
    /// assert!(Instant::now() >= due);
    /// ```
    #[track_caller]
    pub fn tick(&mut self) -> Instant {
        let Some(due) = self.due else {
            // The clock never gets there.
            loop {
                crate::thread::park();
            }
        };
        sleep_until(due);
        self.due = self.behavior.next(due, now(), self.period);
        due
    }

    /// The next tick is due a period from now. Does not wait.
    ///
    /// ```
    /// use std::time::{Duration, Instant};
    /// use trefoil_runtime::time::interval;
    ///
    /// let mut ticks = interval(Duration::from_millis(1));
    /// let begin = Instant::now();
    /// ticks.reset(); // the first tick is not at once
    /// assert!(ticks.tick() >= begin + Duration::from_millis(1));
    /// ```
    pub fn reset(&mut self) {
        self.due = now().checked_add(self.period);
    }

    /// The next tick is due now. Does not wait.
    ///
    /// ```
    /// use std::time::{Duration, Instant};
    /// use trefoil_runtime::time::interval;
    ///
    /// let mut ticks = interval(Duration::from_secs(3600));
    /// ticks.tick();
    /// ticks.reset_immediately();
    /// assert!(ticks.tick() <= Instant::now()); // not in an hour
    /// ```
    pub fn reset_immediately(&mut self) {
        self.due = Some(now());
    }

    /// The next tick is due after this long. Does not wait.
    ///
    /// ```
    /// use std::time::{Duration, Instant};
    /// use trefoil_runtime::time::interval;
    ///
    /// let mut ticks = interval(Duration::from_secs(3600));
    /// let begin = Instant::now();
    /// ticks.reset_after(Duration::from_millis(1));
    /// assert!(ticks.tick() >= begin + Duration::from_millis(1));
    /// ```
    pub fn reset_after(&mut self, after: Duration) {
        self.due = now().checked_add(after);
    }

    /// The next tick is due at this time. Does not wait.
    ///
    /// ```
    /// use std::time::{Duration, Instant};
    /// use trefoil_runtime::time::interval;
    ///
    /// let mut ticks = interval(Duration::from_secs(3600));
    /// let due = Instant::now() + Duration::from_millis(1);
    /// ticks.reset_at(due);
    /// assert_eq!(ticks.tick(), due);
    /// ```
    pub fn reset_at(&mut self, deadline: Instant) {
        self.due = Some(deadline);
    }

    /// What becomes of missed ticks. Does not wait.
    ///
    /// ```
    /// use std::time::Duration;
    /// use trefoil_runtime::time::{MissedTickBehavior, interval};
    ///
    /// let ticks = interval(Duration::from_secs(1));
    /// assert_eq!(ticks.missed_tick_behavior(), MissedTickBehavior::Burst);
    /// ```
    #[must_use]
    pub fn missed_tick_behavior(&self) -> MissedTickBehavior {
        self.behavior
    }

    /// Says what becomes of missed ticks. Does not wait.
    ///
    /// ```
    /// use std::time::{Duration, Instant};
    /// use trefoil_runtime::time::{MissedTickBehavior, interval_at};
    ///
    /// let (start, period) = (Instant::now() - Duration::from_secs(10), Duration::from_millis(1));
    /// let mut ticks = interval_at(start, period);
    /// ticks.set_missed_tick_behavior(MissedTickBehavior::Skip);
    /// assert_eq!(ticks.tick(), start);
    /// // Ten thousand ticks are left out.
    /// assert!(ticks.tick() >= start + 10_000 * period);
    /// ```
    pub fn set_missed_tick_behavior(&mut self, behavior: MissedTickBehavior) {
        self.behavior = behavior;
    }

    /// The distance between two ticks. Does not wait.
    ///
    /// ```
    /// use std::time::Duration;
    /// use trefoil_runtime::time::interval;
    ///
    /// let second = Duration::from_secs(1);
    /// assert_eq!(interval(second).period(), second);
    /// ```
    #[must_use]
    pub fn period(&self) -> Duration {
        self.period
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The table of [`MissedTickBehavior`], tick by tick.
    #[test]
    fn missed_ticks_are_treated_as_the_table_says() {
        let begin = Instant::now();
        let at = |millis| begin + Duration::from_millis(millis);
        let period = Duration::from_millis(10);
        let next = |behavior: MissedTickBehavior, due, now| {
            behavior.next(at(due), at(now), period).unwrap()
        };
        assert_eq!(next(MissedTickBehavior::Burst, 20, 35), at(30));
        assert_eq!(next(MissedTickBehavior::Burst, 30, 35), at(40));
        assert_eq!(next(MissedTickBehavior::Delay, 20, 35), at(45));
        assert_eq!(next(MissedTickBehavior::Skip, 20, 35), at(40));
        for behavior in [
            MissedTickBehavior::Burst,
            MissedTickBehavior::Delay,
            MissedTickBehavior::Skip,
        ] {
            assert_eq!(next(behavior, 20, 21), at(30), "{behavior:?}: hardly late");
        }
    }
}
