//! Timeouts that race with wake-ups, at everything that can be waited for with a limit: who gives up must
//! not take along what it was just given. That the storm finds such a fault is shown by one that was
//! planted.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use trefoil_runtime::{Model, Thread, thread};
use trefoil_sync::channel::{Receiver, Select, Sender, bounded, select, unbounded};
use trefoil_sync::{Condvar, Mutex, Semaphore, mpsc, oneshot};

use crate::Subject;
use crate::seed::{Random, draw};
use crate::subject::run;
use crate::witness::{join_all, until};

/// Gives tokens to who waits for them.
trait Tokens: Send + Sync + 'static {
    fn give(&self);

    /// Takes one. `false`: none came in time.
    fn take(&self, limit: Duration) -> bool;
}

const TAKERS: u64 = 4;

/// One round: as many threads as tokens, each of which tries a few times for a moment, and then waits with
/// patience. How many got none although there was one for each.
fn round(tokens: &Arc<impl Tokens>, random: &mut Random, patience: Duration) -> usize {
    let begun = Arc::new(AtomicU64::new(0));
    let takers: Vec<_> = (0..TAKERS)
        .map(|_| {
            let (tokens, mut random) = (Arc::clone(tokens), random.branch());
            let begun = Arc::clone(&begun);
            thread::spawn(move || {
                begun.fetch_add(1, Ordering::Relaxed);
                let hasty = (0..random.below(6)).any(|_| {
                    let limit = Duration::from_micros(random.below(120));
                    tokens.take(limit)
                });
                hasty || tokens.take(patience)
            })
        })
        .collect();
    // Else they might begin when all has been given.
    until(|| begun.load(Ordering::Relaxed) == TAKERS);
    for _ in 0..TAKERS {
        tokens.give();
        // It goes on, so that who was told does not run at once; or lets others run.
        let until = Instant::now() + Duration::from_micros(random.below(100));
        while Instant::now() < until {
            std::hint::spin_loop();
        }
        if random.below(3) > 0 {
            thread::yield_now();
        }
    }
    join_all(takers).into_iter().filter(|got| !got).count()
}

/// Nothing is lost, in many rounds.
fn storm<S: Subject, T: Tokens>(tokens: impl FnOnce() -> T + Send + 'static) {
    /// A thread that is not woken hangs, and the watchdog tells of it.
    const HOUR: Duration = Duration::from_secs(3600);
    let seed = draw();
    let mut random = seed.random();
    run::<S, _>(move || {
        let tokens = Arc::new(tokens());
        let rounds = if S::MODEL == Model::Kernel { 40 } else { 150 };
        for _ in 0..rounds {
            assert_eq!(round(&tokens, &mut random, HOUR), 0);
        }
        assert!(!tokens.take(Duration::ZERO), "there is one too many");
    });
}

impl Tokens for Semaphore {
    fn give(&self) {
        self.add_permits(1);
    }

    fn take(&self, limit: Duration) -> bool {
        let permit = self.acquire_timeout(limit);
        permit.map(|permit| permit.forget()).is_some()
    }
}

/// A semaphore.
pub fn no_permit_is_lost<S: Subject>() {
    storm::<S, _>(|| Semaphore::new(0));
}

impl Tokens for (Mutex<u64>, Condvar) {
    fn give(&self) {
        *self.0.lock().unwrap() += 1;
        self.1.notify_one();
    }

    fn take(&self, limit: Duration) -> bool {
        let count = self.0.lock().unwrap();
        let nothing = |count: &mut u64| *count == 0;
        let (mut count, _) = self.1.wait_timeout_while(count, limit, nothing).unwrap();
        let there = *count > 0;
        *count -= u64::from(there);
        there
    }
}

/// A condition variable: a notification goes to one who still waits.
pub fn no_notification_is_lost<S: Subject>() {
    storm::<S, _>(|| (Mutex::new(0), Condvar::new()));
}

/// Its sender waits at a rendezvous, so each token has a thread.
impl Tokens for (Sender<()>, Receiver<()>) {
    fn give(&self) {
        let send = self.0.clone();
        if send.capacity() == Some(0) {
            drop(thread::spawn(move || send.send(())));
        } else {
            send.send(()).unwrap();
        }
    }

    fn take(&self, limit: Duration) -> bool {
        self.1.recv_timeout(limit).is_ok()
    }
}

/// Channels of each kind.
pub fn no_message_is_lost<S: Subject>() {
    storm::<S, _>(|| bounded(0));
    storm::<S, _>(|| bounded(TAKERS as usize));
    storm::<S, _>(unbounded);
}

/// Two channels that are selected from, by turns with the macro and with a list.
struct Two([(Sender<()>, Receiver<()>); 2]);

impl Tokens for Two {
    fn give(&self) {
        // Into the emptier one.
        let [one, two] = &self.0;
        let into = if one.1.len() <= two.1.len() { one } else { two };
        into.give();
    }

    fn take(&self, limit: Duration) -> bool {
        let [(_, one), (_, two)] = &self.0;
        if limit.as_micros().is_multiple_of(2) {
            return select! {
                recv(one) -> message => message.is_ok(),
                recv(two) -> message => message.is_ok(),
                default(limit) => false,
            };
        }
        let mut select = Select::new();
        let first = select.recv(one);
        select.recv(two);
        let Ok(operation) = select.select_timeout(limit) else {
            return false;
        };
        let from = if operation.index() == first { one } else { two };
        operation.recv(from).is_ok()
    }
}

/// A select over two channels.
pub fn no_selected_message_is_lost<S: Subject>() {
    storm::<S, _>(|| Two([bounded(0), unbounded()]));
    storm::<S, _>(|| Two([bounded(TAKERS as usize), bounded(0)]));
}

impl Tokens for (mpsc::Sender<()>, Mutex<mpsc::Receiver<()>>) {
    fn give(&self) {
        self.0.send(()).unwrap();
    }

    fn take(&self, limit: Duration) -> bool {
        let Ok(receiver) = self.1.try_lock_for(limit) else {
            return false;
        };
        receiver.recv_timeout(limit).is_ok()
    }
}

/// A receiver of `mpsc` that is shared by a lock which is waited for with a limit too.
pub fn no_turn_is_lost<S: Subject>() {
    storm::<S, _>(|| {
        let (send, receive) = mpsc::channel();
        (send, Mutex::new(receive))
    });
}

/// A oneshot for each token.
struct Promises(Mutex<VecDeque<oneshot::Sender<()>>>, Semaphore);

impl Tokens for Promises {
    fn give(&self) {
        // All with the lock held, as in `take`: who finds no permit has its promise in the list.
        let mut promises = self.0.lock().unwrap();
        while let Some(promise) = promises.pop_front() {
            // One that is not heard any more is none.
            if promise.send(()).is_ok() {
                return;
            }
        }
        self.1.add_permits(1);
    }

    fn take(&self, limit: Duration) -> bool {
        let mut promises = self.0.lock().unwrap();
        if let Some(permit) = self.1.try_acquire() {
            permit.forget();
            return true;
        }
        let (promise, answer) = oneshot::channel();
        promises.push_back(promise);
        drop(promises);
        // Who gives up closes it, and takes what came at that moment.
        answer.recv_timeout(limit).is_ok() || {
            answer.close();
            answer.try_recv().is_ok()
        }
    }
}

/// A receiver of a oneshot that gives up.
pub fn no_answer_is_lost<S: Subject>() {
    storm::<S, _>(|| Promises(Mutex::new(VecDeque::new()), Semaphore::new(0)));
}

/// A semaphore made of parked threads. Planted: who finds that its time is over does not look whether it was
/// chosen meanwhile.
#[derive(Default)]
struct Planted(Mutex<(u64, VecDeque<Thread>)>);

impl Tokens for Planted {
    fn give(&self) {
        let mut state = self.0.lock().unwrap();
        match state.1.pop_front() {
            Some(thread) => thread.unpark(),
            None => state.0 += 1,
        }
    }

    fn take(&self, limit: Duration) -> bool {
        let me = thread::current();
        let mut state = self.0.lock().unwrap();
        if state.0 > 0 {
            state.0 -= 1;
            return true;
        }
        state.1.push_back(me.clone());
        drop(state);
        let begin = Instant::now();
        let is_queued = |queue: &VecDeque<Thread>| queue.iter().any(|one| one.id() == me.id());
        while is_queued(&self.0.lock().unwrap().1) {
            let Some(left) = limit.checked_sub(begin.elapsed()) else {
                break;
            };
            thread::park_timeout(left);
        }
        self.0.lock().unwrap().1.retain(|one| one.id() != me.id());
        begin.elapsed() < limit
    }
}

/// The storm finds a wake-up that is lost.
pub fn a_planted_fault_is_found<S: Subject>() {
    let seed = draw();
    let mut random = seed.random();
    run::<S, _>(move || {
        let rounds = 1..=20_000;
        let found = rounds.into_iter().find(|_| {
            let tokens = Arc::new(Planted::default());
            round(&tokens, &mut random, Duration::from_millis(300)) > 0
        });
        assert!(found.is_some(), "in 20,000 rounds");
    });
}
