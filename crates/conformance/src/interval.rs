//! `time::interval`: ticks at equal distances.

use std::time::{Duration, Instant};

use trefoil_runtime::thread;
use trefoil_runtime::time::{Elapsed, MissedTickBehavior, interval, interval_at, timeout};

use crate::Subject;
use crate::subject::run;
use crate::witness::refusal;

const PERIOD: Duration = Duration::from_millis(20);

/// No tick comes before its time, and each is due a period after the one before.
pub fn no_tick_comes_early<S: Subject>() {
    run::<S, _>(|| {
        let begin = Instant::now() + Duration::from_millis(5);
        let mut ticks = interval_at(begin, Duration::from_millis(2));
        for number in 0..10 {
            let due = ticks.tick();
            assert_eq!(due, begin + ticks.period() * number);
            assert!(Instant::now() >= due);
        }
    });
}

/// The first tick of `interval` is due at once.
pub fn the_first_tick_is_at_once<S: Subject>() {
    run::<S, _>(|| {
        let mut ticks = interval(Duration::from_secs(3600));
        assert!(ticks.tick() <= Instant::now());
    });
}

/// Missed ticks come in a burst, or are counted anew, or are left out.
pub fn missed_ticks_are_treated_as_asked<S: Subject>() {
    run::<S, _>(|| {
        let late_ticks = |behavior| {
            let begin = Instant::now();
            let mut ticks = interval_at(begin, PERIOD);
            ticks.set_missed_tick_behavior(behavior);
            assert_eq!(ticks.missed_tick_behavior(), behavior);
            thread::sleep(PERIOD * 2 + PERIOD / 2);
            let looked = Instant::now();
            assert_eq!(ticks.tick(), begin);
            (begin, looked, ticks.tick())
        };
        let (begin, _, next) = late_ticks(MissedTickBehavior::Burst);
        assert_eq!(next, begin + PERIOD);
        let (begin, looked, next) = late_ticks(MissedTickBehavior::Delay);
        // The runtime's clock may be read a moment before ours.
        assert!(next >= begin + PERIOD * 2 && next + PERIOD >= looked);
        let (begin, _, next) = late_ticks(MissedTickBehavior::Skip);
        let rhythm = (next - begin).as_nanos() % PERIOD.as_nanos();
        assert_eq!(rhythm, 0);
        assert!(next >= begin + PERIOD * 3);
    });
}

/// A tick whose wait was ended is still due.
pub fn an_ended_tick_is_still_due<S: Subject>() {
    run::<S, _>(|| {
        let begin = Instant::now() + PERIOD;
        let mut ticks = interval_at(begin, PERIOD);
        assert_eq!(timeout(Duration::ZERO, || ticks.tick()), Err(Elapsed));
        assert_eq!(ticks.tick(), begin);
    });
}

/// An interval is set anew.
pub fn an_interval_is_reset<S: Subject>() {
    run::<S, _>(|| {
        let mut ticks = interval(Duration::from_secs(3600));
        ticks.tick();
        let at = Instant::now() + Duration::from_millis(1);
        ticks.reset_at(at);
        assert_eq!(ticks.tick(), at);
        ticks.reset_immediately();
        ticks.tick();
        ticks.reset_after(Duration::from_millis(1));
        ticks.tick();
        ticks.reset();
        assert!(timeout(Duration::from_millis(1), || ticks.tick()).is_err());
    });
}

/// A period of nothing is refused.
pub fn no_period_is_refused<S: Subject>() {
    let text = run::<S, _>(|| refusal(|| interval(Duration::ZERO)));
    assert!(text.contains("must not be zero"), "{text}");
}
