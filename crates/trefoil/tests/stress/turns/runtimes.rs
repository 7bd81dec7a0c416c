//! Threads of other models and of none beside those of the runtime, and runtimes inside of it.

use std::sync::Arc;
use std::time::Duration;

use trefoil::{Builder, Model, thread};

use super::{any, threads};
use crate::dice::Dice;
use crate::ledger::{Account, Open, Outcome};
use crate::world::World;

/// Longer than any turn takes to end.
pub(crate) const GRACE: Duration = Duration::from_secs(60);

pub(super) fn kernel_thread(world: &Arc<World>, dice: &mut Dice) {
    let (world, mut own) = (Arc::clone(world), dice.branch());
    let thread = threads::spawn_by(threads::kernel(), move || {
        assert_eq!(thread::current().model(), Model::Kernel);
        any(&world, &mut own);
    });
    if let Some(thread) = thread {
        if dice.once_in(3) {
            thread::sleep(dice.moment(Duration::from_millis(1)));
            thread.thread().cancel();
        }
        thread.join();
    }
}

/// It uses what all share, and knows no runtime.
pub(super) fn plain_thread(world: &Arc<World>, dice: &mut Dice) {
    let open = Open::new(Account::PlainThreads);
    let (world, mut own) = (Arc::clone(world), dice.branch());
    let plain =
        std::thread::Builder::new().spawn(move || (0..3).for_each(|_| any(&world, &mut own)));
    match plain {
        Ok(plain) => {
            let joined = thread::blocking(|| plain.join());
            joined.expect("nobody cancels it");
            open.close(Outcome::Done);
        }
        Err(_) => open.close(Outcome::Refused),
    }
}

/// A runtime of some model, for a few turns in a world of its own.
pub(super) fn another(world: &Arc<World>, dice: &mut Dice) {
    let Some(_permit) = world.runtimes.try_acquire() else {
        return;
    };
    let models = [Model::Kernel, Model::Green, Model::Hybrid];
    let model = models[dice.below(3) as usize];
    let workers = 1 + dice.below(4) as usize;
    let builder = Builder::new().model(model).workers(workers).grace(GRACE);
    let mut own = dice.branch();
    let inner = Arc::new(World::new(world.room()));
    let open = Open::new(Account::Runtimes);
    thread::blocking(|| {
        let runtime = builder.build().expect("there is room for it");
        let theirs = Arc::clone(&inner);
        runtime.run(move || {
            for _ in 0..10 {
                any(&theirs, &mut own);
            }
            theirs.end();
        });
        let left = runtime.leftover();
        assert!(left.is_empty(), "threads are left: {left:#?}");
    });
    open.close(Outcome::Done);
    let inner = Arc::into_inner(inner).expect("all its threads have ended");
    let wrong = inner.wrong();
    assert!(wrong.is_empty(), "{wrong:#?}");
}
