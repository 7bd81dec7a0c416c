//! Waits for time: none ends too early, unless it is unwound.

use std::sync::Arc;
use std::time::{Duration, Instant};

use trefoil::thread;
use trefoil::time::{MissedTickBehavior, interval};

use crate::dice::Dice;
use crate::ledger::{Account, Open, Outcome};
use crate::world::World;

const MOST: Duration = Duration::from_millis(3);

pub(super) fn sleep_for(duration: Duration) {
    let open = Open::new(Account::Sleeps).or(Outcome::Unwound);
    let begin = Instant::now();
    thread::sleep(duration);
    assert!(begin.elapsed() >= duration, "a sleep lasts long enough");
    open.close(Outcome::Done);
}

pub(super) fn sleep(_: &Arc<World>, dice: &mut Dice) {
    sleep_for(dice.moment(MOST));
}

pub(super) fn ticks(_: &Arc<World>, dice: &mut Dice) {
    let period = Duration::from_micros(1 + dice.below(500));
    let begin = Instant::now();
    let mut interval = interval(period);
    interval.set_missed_tick_behavior(match dice.below(3) {
        0 => MissedTickBehavior::Burst,
        1 => MissedTickBehavior::Delay,
        _ => MissedTickBehavior::Skip,
    });
    let ticks = 1 + dice.below(5) as u32;
    for _ in 0..ticks {
        interval.tick();
    }
    assert!(begin.elapsed() >= period * (ticks - 1), "no tick is early");
}

/// Somebody may wake it, who wakes others for nothing.
pub(super) fn park(_: &Arc<World>, dice: &mut Dice) {
    thread::park_timeout(dice.moment(MOST));
    thread::current().unpark();
    thread::park();
}

pub(super) fn give_way(_: &Arc<World>, dice: &mut Dice) {
    for _ in 0..dice.below(30) {
        match dice.once_in(2) {
            true => thread::yield_now(),
            false => thread::checkpoint(),
        }
    }
}
