//! What a worker has of threads that *roam*: those that any worker of its runtime may go on with.
//!
//! Its ready ones stand in a queue that the others take from, unless they are bound to this worker: then they stand
//! with the worker's own, as local threads do. What others have of it is [`Afar`].
//!
//! A timer stays in the wheel of the worker that armed it. A thread that takes it back on another one leaves it there
//! as *stale*; its worker takes it out when it comes by.
//!
//! It decides nothing about who takes what, and when.
#![forbid(unsafe_code)]

use std::cell::Cell;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering, fence};
use std::sync::{Arc, OnceLock};

use trefoil_runtime::{Live, Roaming, RoamingQueue, RoamingStealer, Spin, Timer};

use crate::remote::Remote;

/// So many stale timers are worth a wake-up of their worker: each keeps a thread's control block.
const MANY_STALE: usize = 64;

/// One worker's own part.
#[derive(Debug)]
pub struct Roamers {
    pub(crate) roaming: Arc<Roaming>,
    queue: RoamingQueue,
    /// One was queued since somebody was told.
    untold: Cell<bool>,
    afar: Arc<Afar>,
    pub(crate) peers: Arc<Peers>,
}

/// What others have of it.
#[derive(Debug)]
pub struct Afar {
    /// Threads that are ready.
    pub ready: RoamingStealer,
    stale: Spin<Vec<Timer>>,
    has_stale: AtomicBool,
    /// How many threads this worker has started, and how many have ended here. Only it writes them.
    begun: AtomicUsize,
    ended: AtomicUsize,
}

/// All workers of the runtime, by their seats.
#[derive(Debug, Default)]
pub struct Peers(OnceLock<Settled>);

#[derive(Debug)]
struct Settled {
    /// Each one's number as an owner of fibers, in order, and its seat.
    numbers: Box<[(usize, usize)]>,
    remotes: Box<[Arc<Remote>]>,
}

impl Peers {
    /// All have sat down: their numbers as owners of fibers, and how to reach them.
    pub fn settle(&self, workers: impl Iterator<Item = (usize, Arc<Remote>)>) {
        let (numbers, remotes): (Vec<usize>, Vec<_>) = workers.unzip();
        let mut numbers: Box<[_]> = numbers.into_iter().zip(0..).collect();
        numbers.sort_unstable();
        let remotes = remotes.into();
        // They sit down once.
        let _ = self.0.set(Settled { numbers, remotes });
    }

    /// The seat of the worker with this number. `None`: it is none of these.
    #[must_use]
    pub fn seat_of(&self, owner: usize) -> Option<usize> {
        let numbers = &self.0.get()?.numbers;
        let at = numbers.binary_search_by_key(&owner, |it| it.0).ok()?;
        Some(numbers[at].1)
    }

    /// How to reach the worker with this number.
    #[must_use]
    pub fn remote_of(&self, owner: usize) -> Option<&Remote> {
        let seat = self.seat_of(owner)?;
        Some(&self.0.get()?.remotes[seat])
    }

    /// How to reach the worker in this seat.
    fn remote(&self, seat: usize) -> Option<&Remote> {
        Some(self.0.get()?.remotes.get(seat)?)
    }

    /// A thread has taken back a timer that this worker has, on another one.
    pub fn disarm(&self, seat: usize, afar: &Afar, timer: Timer) {
        if afar.leave_stale(timer)
            && let Some(remote) = self.remote(seat)
        {
            remote.rouse();
        }
    }
}

impl Roamers {
    /// One without threads.
    #[must_use]
    pub fn new(roaming: Arc<Roaming>, peers: Arc<Peers>) -> Roamers {
        let queue = RoamingQueue::new();
        let afar = Afar {
            ready: queue.stealer(),
            stale: Spin::new(Vec::new()),
            has_stale: AtomicBool::new(false),
            begun: AtomicUsize::new(0),
            ended: AtomicUsize::new(0),
        };
        Roamers {
            roaming,
            queue,
            untold: Cell::new(false),
            afar: Arc::new(afar),
            peers,
        }
    }

    /// What others may have of it.
    #[must_use]
    pub fn afar(&self) -> Arc<Afar> {
        Arc::clone(&self.afar)
    }

    /// The others' queue of threads that are ready, and may be taken.
    #[must_use]
    pub fn queue(&self) -> &RoamingQueue {
        &self.queue
    }

    /// Whether one was queued since this was asked last.
    #[inline]
    pub fn has_news(&self) -> bool {
        self.untold.take()
    }

    #[inline]
    pub(crate) fn push(&self, thread: Live) {
        self.queue.push(thread);
        self.untold.set(true);
    }

    pub(crate) fn one_begins(&self) {
        count(&self.afar.begun);
    }

    pub(crate) fn one_has_ended(&self) {
        count(&self.afar.ended);
    }

    /// Timers that were taken back elsewhere.
    pub(crate) fn take_stale(&self) -> Vec<Timer> {
        // Relaxed: a hint. What is not seen now is seen the next time.
        if !self.afar.has_stale.load(Ordering::Relaxed) {
            return Vec::new();
        }
        let mut stale = self.afar.stale.lock();
        self.afar.has_stale.store(false, Ordering::Relaxed);
        std::mem::take(&mut *stale)
    }
}

/// By the worker alone.
fn count(counter: &AtomicUsize) {
    let next = counter.load(Ordering::Relaxed).wrapping_add(1);
    // Release: pairs with `Afar::none_is_left`.
    counter.store(next, Ordering::Release);
}

impl Afar {
    /// `true`: there are so many that the worker should come by.
    fn leave_stale(&self, timer: Timer) -> bool {
        let mut stale = self.stale.lock();
        stale.push(timer);
        self.has_stale.store(true, Ordering::Relaxed);
        stale.len() == MANY_STALE
    }

    /// Whether there was a moment, since the call, at which every thread that these workers have started had ended.
    ///
    /// Of the ended ones is read first. Both numbers only grow: so what has ended by then is no more than what has
    /// begun by then, and that no more than what is read afterwards. If the first equals the last, they are all
    /// equal. Of two workers whose last threads end at the same time, one at least sees both.
    #[must_use]
    pub fn none_is_left<'a>(all: impl Iterator<Item = &'a Afar> + Clone) -> bool {
        // Pairs with itself: each worker has counted what ended with it.
        fence(Ordering::SeqCst);
        // Acquire: pairs with `count`. So the sum is complete before the other one is begun.
        let sum = |counter: fn(&Afar) -> &AtomicUsize| {
            all.clone()
                .map(|it| counter(it).load(Ordering::Acquire))
                .fold(0_usize, usize::wrapping_add)
        };
        let ended = sum(|it| &it.ended);
        ended == sum(|it| &it.begun)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::num::NonZeroU64;
    use trefoil_runtime::RoamingQueue;

    fn afar() -> Afar {
        Afar {
            ready: RoamingQueue::new().stealer(),
            stale: Spin::new(Vec::new()),
            has_stale: AtomicBool::new(false),
            begun: AtomicUsize::new(0),
            ended: AtomicUsize::new(0),
        }
    }

    /// One that has begun here may end there.
    #[test]
    fn who_is_left_is_counted_over_all_workers() {
        let all = [afar(), afar()];
        assert!(Afar::none_is_left(all.iter()));
        count(&all[0].begun);
        assert!(!Afar::none_is_left(all.iter()));
        count(&all[1].begun);
        count(&all[1].ended);
        assert!(!Afar::none_is_left(all.iter()));
        count(&all[1].ended);
        assert!(Afar::none_is_left(all.iter()));
    }

    #[test]
    fn many_stale_timers_are_worth_a_look_and_few_are_not() {
        let afar = afar();
        let timer = |slot| Timer {
            slot,
            number: NonZeroU64::MIN,
            worker: 0,
        };
        let worth: Vec<u32> = (1..=200).filter(|n| afar.leave_stale(timer(*n))).collect();
        assert_eq!(worth, [MANY_STALE as u32]);
    }

    #[test]
    fn a_worker_is_found_by_its_number() {
        let peers = Peers::default();
        assert_eq!(peers.seat_of(7), None);
        let remotes = [9, 7, 30].map(|number| {
            let stacks = crate::Stacks::new(256 * 1024, None).unwrap();
            let worker = crate::Worker::new(&stacks, None).unwrap();
            let remote = worker.remote();
            worker.close();
            (number, remote)
        });
        peers.settle(remotes.iter().cloned());
        assert_eq!(
            [9, 7, 30, 8].map(|it| peers.seat_of(it)),
            [Some(0), Some(1), Some(2), None]
        );
        for (number, remote) in &remotes {
            assert!(std::ptr::eq(peers.remote_of(*number).unwrap(), &**remote));
        }
    }
}
