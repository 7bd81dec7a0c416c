//! Cancellation tokens: waits for them, and trees in which a parent's end is its children's.

use std::sync::Arc;
use std::time::Duration;

use trefoil::sync::CancellationToken;
use trefoil::thread;

use super::threads;
use crate::dice::Dice;
use crate::ledger::{Account, Open, Outcome};
use crate::world::World;

const PATIENCE: Duration = Duration::from_millis(1);

/// For the one that all share, which nobody cancels.
pub(super) fn wait(world: &Arc<World>, dice: &mut Dice) {
    let token = world.token.child_token();
    let open = Open::new(Account::TokenWaits).or(Outcome::Unwound);
    let cancelled = token.wait_timeout(dice.moment(PATIENCE));
    assert!(!cancelled, "nobody cancels it");
    open.close(Outcome::TimedOut);
}

/// Waiters for some tokens of a tree, of which one is cancelled first and the root last.
pub(super) fn tree(_: &Arc<World>, dice: &mut Dice) {
    let root = CancellationToken::new();
    let mut tokens = vec![root.clone()];
    for _ in 0..1 + dice.below(6) {
        let parent = dice.below(tokens.len() as u64) as usize;
        tokens.push(tokens[parent].child_token());
    }
    // Also if this turn is unwound here, nobody waits for ever.
    let root = root.drop_guard();
    let waiters: Vec<_> = tokens
        .iter()
        .filter_map(|token| {
            let token = token.clone();
            threads::spawn(move || {
                let open = Open::new(Account::TokenWaits).or(Outcome::Unwound);
                token.wait();
                open.close(Outcome::Cancelled);
            })
        })
        .collect();
    thread::sleep(dice.moment(PATIENCE));
    tokens[dice.below(tokens.len() as u64) as usize].cancel();
    drop(tokens);
    drop(root);
    for waiter in waiters {
        waiter.join();
    }
}
