//! Locks and their kin. What is read under a lock has to be what its rules allow.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use trefoil::sync::{Barrier, Condvar, LazyLock, Mutex, OnceLock, WaitGroup};
use trefoil::thread;

use super::threads;
use super::{Meant, clocks};
use crate::dice::Dice;
use crate::ledger::{Account, Open, Outcome};
use crate::world::{Message, World};

const PATIENCE: Duration = Duration::from_millis(1);

/// A wait with a guard held: the holder may.
fn wait_a_little(dice: &mut Dice) {
    match dice.below(4) {
        0 => thread::yield_now(),
        1 => clocks::sleep_for(dice.moment(PATIENCE / 4)),
        _ => {}
    }
}

pub(super) fn mutex(world: &Arc<World>, dice: &mut Dice) {
    let guard = match dice.below(3) {
        0 => world.mutex.try_lock().ok(),
        1 => world.mutex.try_lock_for(dice.moment(PATIENCE)).ok(),
        _ => Some(world.mutex.lock().expect("nobody panics with it")),
    };
    let Some(mut guard) = guard else {
        return;
    };
    let _open = Open::new(Account::Guards).or(Outcome::Done);
    let locked = world.locked.fetch_add(1, Ordering::Relaxed);
    assert_eq!(locked, *guard, "one at a time");
    *guard += 1;
    wait_a_little(dice);
}

pub(super) fn put_ticket(world: &Arc<World>, dice: &mut Dice) {
    let (tickets, more) = &world.tickets;
    let mut tickets = tickets.lock().expect("nobody panics with it");
    if tickets.len() < 50 {
        tickets.push_back(Message::new());
    }
    wait_a_little(dice);
    drop(tickets);
    match dice.once_in(4) {
        true => more.notify_all(),
        false => more.notify_one(),
    }
}

pub(super) fn take_ticket(world: &Arc<World>, dice: &mut Dice) {
    let (tickets, more) = &world.tickets;
    let tickets = tickets.lock().expect("nobody panics with it");
    let waited = more.wait_timeout_while(tickets, dice.moment(PATIENCE), |all| all.is_empty());
    let (mut tickets, _) = waited.expect("nobody panics with it");
    tickets.pop_front().into_iter().for_each(Message::receive);
}

pub(super) fn rwlock(world: &Arc<World>, dice: &mut Dice) {
    if dice.once_in(4) {
        let mut both = world.rwlock.write().expect("nobody panics with it");
        let _open = Open::new(Account::Guards).or(Outcome::Done);
        both[0] += 1;
        // It is unwound in here perhaps: others must not see the half of it.
        thread::uncancellable(|| wait_a_little(dice));
        both[1] += 1;
        return;
    }
    let both = match dice.once_in(2) {
        true => world.rwlock.try_read_for(dice.moment(PATIENCE)).ok(),
        false => Some(world.rwlock.read().expect("nobody panics with it")),
    };
    if let Some(both) = both {
        let _open = Open::new(Account::Guards).or(Outcome::Done);
        let before = *both;
        wait_a_little(dice);
        assert_eq!(before[0], both[1], "nobody writes meanwhile");
    }
}

/// What is held of the semaphore, counted.
struct Held<'a> {
    world: &'a World,
    permits: u64,
    _open: Open,
}

impl Held<'_> {
    fn new(world: &World, permits: u64) -> Held<'_> {
        let held = world.held.fetch_add(permits, Ordering::Relaxed) + permits;
        assert!(
            held <= world.most_permits(),
            "no more permits than there are"
        );
        Held {
            world,
            permits,
            _open: Open::new(Account::Guards).or(Outcome::Done),
        }
    }
}

impl Drop for Held<'_> {
    fn drop(&mut self) {
        self.world.held.fetch_sub(self.permits, Ordering::Relaxed);
    }
}

pub(super) fn permits(world: &Arc<World>, dice: &mut Dice) {
    let number = 1 + dice.below(world.most_permits());
    let semaphore = &world.semaphore;
    // The permit is given back after it was counted as such.
    let (owned, borrowed) = match dice.below(4) {
        0 => (
            Some(Arc::clone(semaphore).acquire_many_owned(number as usize)),
            None,
        ),
        1 => (None, semaphore.try_acquire_many(number as usize)),
        2 => {
            let permit = semaphore.acquire_many_timeout(number as usize, dice.moment(PATIENCE));
            (None, permit)
        }
        _ => (None, Some(semaphore.acquire_many(number as usize))),
    };
    if owned.is_some() || borrowed.is_some() {
        let _held = Held::new(world, number);
        wait_a_little(dice);
    }
}

/// The initializer waits, and is cancelled perhaps; then another one makes the value.
pub(super) fn once(_: &Arc<World>, dice: &mut Dice) {
    static LAZY: LazyLock<u64> = LazyLock::new(|| {
        thread::uncancellable(thread::yield_now);
        7
    });
    let cell = OnceLock::new();
    let value = *cell.get_or_init(|| {
        wait_a_little(dice);
        *LAZY
    });
    assert_eq!((value, cell.get()), (7, Some(&7)));
}

/// All meet, time after time, and each time one is the leader.
pub(super) fn barrier(_: &Arc<World>, dice: &mut Dice) {
    let (members, times) = (2 + dice.below(3), 1 + dice.below(4));
    let barrier = Barrier::new(members as usize);
    let leaders = AtomicU64::new(0);
    thread::scope(|scope| {
        for _ in 0..members {
            scope.spawn(|| {
                for _ in 0..times {
                    let leads = barrier.wait().is_leader();
                    leaders.fetch_add(u64::from(leads), Ordering::Relaxed);
                }
            });
        }
    });
    assert_eq!(leaders.into_inner(), times, "each time one leads");
}

pub(super) fn group(world: &Arc<World>, dice: &mut Dice) {
    let group = WaitGroup::new();
    let done = Arc::new(AtomicU64::new(0));
    let mut expected = 0;
    for _ in 0..=dice.below(4) {
        let (member, done, mut own) = (group.clone(), Arc::clone(&done), dice.branch());
        let spawned = threads::spawn(move || {
            let _member = member;
            wait_a_little(&mut own);
            done.fetch_add(1, Ordering::Relaxed);
        });
        expected += u64::from(spawned.is_some());
    }
    group.wait();
    // At its end a `run` may cancel some.
    let all = done.load(Ordering::Relaxed) == expected;
    assert!(all || world.is_over(), "all members have done it");
}

/// One waits without a limit until the other has notified it, in whatever way that one ends.
pub(super) fn condition(_: &Arc<World>, dice: &mut Dice) {
    struct Notifies(Arc<(Mutex<bool>, Condvar)>);
    impl Drop for Notifies {
        fn drop(&mut self) {
            *self.0.0.lock().expect("nobody panics with it") = true;
            self.0.1.notify_all();
        }
    }
    let pair = Arc::new((Mutex::new(false), Condvar::new()));
    let waiters: Vec<_> = (0..=dice.below(3))
        .filter_map(|_| {
            let pair = Arc::clone(&pair);
            threads::spawn(move || {
                let flag = pair.0.lock().expect("nobody panics with it");
                let flag = pair.1.wait_while(flag, |flag| !*flag);
                assert!(*flag.expect("nobody panics with it"));
            })
        })
        .collect();
    let notifies = Notifies(pair);
    clocks::sleep_for(dice.moment(PATIENCE));
    drop(notifies);
    for waiter in waiters {
        waiter.join();
    }
}

/// A lock whose holder has panicked tells the next one.
pub(super) fn poison(_: &Arc<World>, _: &mut Dice) {
    let mutex = Arc::new(Mutex::new(0));
    let shared = Arc::clone(&mutex);
    let thread = threads::spawn(move || {
        let _guard = shared.lock();
        std::panic::panic_any(Meant);
    });
    if let Some(thread) = thread {
        let value: Option<()> = thread.join();
        assert!(value.is_none(), "it has panicked");
    }
    drop(mutex.lock());
}
