//! What ends the turns of others early, at a moment that the dice choose: a cancellation, a timeout, a
//! token.

use std::sync::Arc;
use std::time::Duration;

use trefoil::sync::CancellationToken;
use trefoil::thread;
use trefoil::time::timeout;

use super::any;
use super::threads::{self, Handle};
use crate::dice::Dice;
use crate::ledger::{Account, Open, Outcome};
use crate::world::World;

/// Within this time most turns are in the middle of something.
const MOST: Duration = Duration::from_millis(2);

fn doomed(world: &Arc<World>, dice: &mut Dice) -> Option<Handle<()>> {
    let (world, mut own) = (Arc::clone(world), dice.branch());
    threads::spawn(move || {
        for _ in 0..4 {
            any(&world, &mut own);
        }
    })
}

fn wait_for_a_moment(dice: &mut Dice) {
    match dice.below(4) {
        0 => {}
        1 => (0..dice.below(8)).for_each(|_| thread::yield_now()),
        _ => thread::sleep(dice.moment(MOST)),
    }
}

fn joined(thread: Handle<()>, open: Open) {
    let outcome = thread.join();
    open.close(match outcome {
        Some(()) => Outcome::Done,
        None => Outcome::Cancelled,
    });
}

/// A thread in the middle of its turns is asked to end.
pub(super) fn victim(world: &Arc<World>, dice: &mut Dice) {
    let Some(thread) = doomed(world, dice) else {
        return;
    };
    let open = Open::new(Account::Victims);
    wait_for_a_moment(dice);
    thread.thread().cancel();
    joined(thread, open);
}

/// Several ask at the same time, wake it for nothing, and look at what it waits for.
pub(super) fn hunted(world: &Arc<World>, dice: &mut Dice) {
    let Some(thread) = doomed(world, dice) else {
        return;
    };
    let open = Open::new(Account::Victims);
    let mut hunters = Vec::new();
    for _ in 0..3 {
        let (prey, mut own) = (thread.thread().clone(), dice.branch());
        hunters.extend(threads::spawn(move || {
            wait_for_a_moment(&mut own);
            prey.unpark();
            if own.once_in(8) {
                let known = trefoil::threads();
                drop(known.into_iter().find(|info| info.id == prey.id()));
            }
            prey.cancel();
        }));
    }
    while !thread.is_finished() {
        thread.thread().cancel();
        thread::yield_now();
        if dice.once_in(8) {
            thread::sleep(dice.moment(MOST));
        }
    }
    joined(thread, open);
    for hunter in hunters {
        hunter.join();
    }
}

/// A limit that some turns reach, and others do not.
pub(super) fn limited(world: &Arc<World>, dice: &mut Dice) {
    let most = match dice.below(3) {
        0 => Duration::ZERO,
        1 => dice.moment(MOST),
        _ => Duration::from_secs(3600),
    };
    let open = Open::new(Account::Timeouts).or(Outcome::Unwound);
    let mut own = dice.branch();
    match timeout(most, || any(world, &mut own)) {
        Ok(()) => open.close(Outcome::Done),
        Err(_) => {
            assert!(most < Duration::from_secs(3600), "an hour has not passed");
            open.close(Outcome::TimedOut);
        }
    }
}

/// Somebody else cancels the token.
pub(super) fn by_token(world: &Arc<World>, dice: &mut Dice) {
    let token = match dice.once_in(2) {
        true => world.token.child_token(),
        false => CancellationToken::new(),
    };
    let (its, mut others) = (token.clone(), dice.branch());
    let canceller = threads::spawn(move || {
        wait_for_a_moment(&mut others);
        its.cancel();
    });
    let open = Open::new(Account::TokenWaits).or(Outcome::Unwound);
    let mut own = dice.branch();
    match token.run_until_cancelled(|| any(world, &mut own)) {
        Some(()) => open.close(Outcome::Done),
        None => {
            assert!(token.is_cancelled(), "it ends for no other reason");
            open.close(Outcome::Cancelled);
        }
    }
    if let Some(canceller) = canceller {
        canceller.join();
    }
}
