//! Receivers to which time sends: a message at one point, or again and again. Nobody holds the other end,
//! so they are never disconnected.
#![forbid(unsafe_code)]

use std::time::{Duration, Instant};

use trefoil_runtime::thread::deadline_after;
use trefoil_runtime::{Outcome, Reason, Spin, Wait, Waiter, cancel, spend};

use super::error::RecvTimeoutError;
use super::receiver::Receiver;

/// A receiver of one message, the time now plus `duration`, which comes then. After that, and after a
/// time that is too far away for the clock, nothing comes, and [`recv`](Receiver::recv) waits for ever.
/// Clones share the message.
///
/// It starts no thread, and costs nothing while nobody waits for it. For a limit of a single wait
/// [`recv_timeout`](Receiver::recv_timeout), a `select!` with `default(duration)`, or
/// [`timeout`](trefoil_runtime::time::timeout) around whatever waits is simpler.
///
/// ```
/// use std::time::{Duration, Instant};
/// use trefoil_sync::channel::{after, never, select, unbounded};
///
/// let begin = Instant::now();
/// let (_sender, receiver) = unbounded::<u8>();
/// select! {
///     recv(receiver) -> _ => unreachable!(),
///     recv(after(Duration::from_millis(5))) -> time => {
///         assert!(time.unwrap() >= begin + Duration::from_millis(5));
///     }
/// }
/// ```
#[must_use]
pub fn after(duration: Duration) -> Receiver<Instant> {
    deadline_after(duration).map_or_else(never, at)
}

/// A receiver of one message, `when`, which comes then. Otherwise as [`after`].
///
/// ```
/// use std::time::{Duration, Instant};
/// use trefoil_sync::channel::{TryRecvError, at};
///
/// let when = Instant::now() + Duration::from_millis(5);
/// let receiver = at(when);
/// assert_eq!(receiver.recv(), Ok(when));
/// assert!(Instant::now() >= when);
/// assert_eq!(receiver.try_recv(), Err(TryRecvError::Empty));
/// ```
#[must_use]
pub fn at(when: Instant) -> Receiver<Instant> {
    Receiver::by_clock(Clock::new(Some(when), None))
}

/// A receiver of a message every `period`, the first one a period from now. It is the time at which it
/// was due. One that nobody has received delays the next: that comes a period after the receiver took it,
/// so a slow receiver misses some, and never gets a burst. Clones share the messages.
///
/// [`interval`](trefoil_runtime::time::interval) lets you choose what happens to missed ticks, and is to
/// be waited for alone.
///
/// ```
/// use std::time::{Duration, Instant};
/// use trefoil_sync::channel::tick;
///
/// let begin = Instant::now();
/// let ticks = tick(Duration::from_millis(2));
/// assert_eq!(ticks.iter().take(3).count(), 3);
/// assert!(begin.elapsed() >= Duration::from_millis(6));
/// ```
#[must_use]
pub fn tick(period: Duration) -> Receiver<Instant> {
    Receiver::by_clock(Clock::new(deadline_after(period), Some(period)))
}

/// A receiver to which nothing comes: [`recv`](Receiver::recv) waits for ever, until the thread is
/// cancelled. For an arm of `select!` that is switched off.
///
/// ```
/// use std::time::Duration;
/// use trefoil_sync::channel::{after, never, select};
///
/// let timeout: Option<Duration> = None;
/// let over = timeout.map_or_else(never, after);
/// select! {
///     recv(over) -> _ => unreachable!(),
///     default => {}
/// }
/// ```
#[must_use]
pub fn never<T>() -> Receiver<T> {
    Receiver::of_nothing()
}

/// When the next message comes. `None`: none does.
#[derive(Debug)]
pub(super) struct Clock {
    next: Spin<Option<Instant>>,
    period: Option<Duration>,
}

impl Clock {
    const fn new(next: Option<Instant>, period: Option<Duration>) -> Clock {
        Clock {
            next: Spin::new(next),
            period,
        }
    }
}

/// What comes by time alone. Only the time itself does; but a receiver's type does not say so.
pub(super) trait Comes<T>: Send + Sync {
    /// Takes the message that is due.
    fn take(&self) -> Option<T>;

    /// When the next one is.
    fn due(&self) -> Option<Instant>;
}

impl Comes<Instant> for Clock {
    fn take(&self) -> Option<Instant> {
        let now = Instant::now();
        let mut next = self.next.lock();
        let due = next.take_if(|due| *due <= now)?;
        *next = self.period.and_then(|period| now.checked_add(period));
        Some(due)
    }

    fn due(&self) -> Option<Instant> {
        *self.next.lock()
    }
}

/// Waits for the next message of a clock, or of none.
#[track_caller]
pub(super) fn recv<T>(
    clock: Option<&dyn Comes<T>>,
    until: Option<Instant>,
) -> Result<T, RecvTimeoutError> {
    let wait = Wait::new(Reason::Receive).cancellable();
    loop {
        if let Some(message) = clock.and_then(Comes::take) {
            spend();
            return Ok(message);
        }
        if until.is_some_and(|until| until <= Instant::now()) {
            return Err(RecvTimeoutError::Timeout);
        }
        let due = clock.and_then(Comes::due);
        // Nobody knows the waiter: it ends by time, or by cancellation.
        let next = due.into_iter().chain(until).min();
        if Waiter::new().wait(&wait.until(next)) == Outcome::Cancelled {
            cancel::raise();
        }
    }
}
