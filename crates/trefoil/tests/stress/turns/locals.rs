//! Variables of a thread: each thread that used one drops its own, also where its destructor waits.

use std::cell::RefCell;
use std::sync::Arc;

use trefoil::thread;

use super::{any, threads};
use crate::dice::Dice;
use crate::ledger::{Account, Open};
use crate::world::World;

struct Value {
    number: u64,
    _open: Open,
}

impl Drop for Value {
    fn drop(&mut self) {
        if self.number.is_multiple_of(3) {
            thread::yield_now();
        }
    }
}

fn value() -> RefCell<Value> {
    RefCell::new(Value {
        number: 0,
        _open: Open::new(Account::Locals),
    })
}

trefoil::thread_local! {
    static FIRST: RefCell<Value> = value();
    static SECOND: RefCell<Value> = {
        thread::uncancellable(thread::yield_now);
        value()
    };
}

pub(super) fn some(world: &Arc<World>, dice: &mut Dice) {
    let mut threads = Vec::new();
    for number in 1..=1 + dice.below(4) {
        let (world, mut own) = (Arc::clone(world), dice.branch());
        threads.extend(threads::spawn(move || {
            FIRST.with_borrow_mut(|value| value.number = number);
            SECOND.with(|value| value.borrow_mut().number = number + 1);
            any(&world, &mut own);
            let mine = FIRST.with_borrow(|value| value.number);
            assert_eq!(mine, number, "it is this thread's own");
        }));
    }
    for thread in threads {
        thread.join();
    }
}
