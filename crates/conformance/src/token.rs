//! `sync::CancellationToken`: a signal that is handed round.

use std::panic::{self, AssertUnwindSafe};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use trefoil_net::TcpListener;
use trefoil_runtime::cancel::Cancelled;
use trefoil_runtime::{Reason, thread};
use trefoil_sync::channel::{RecvError, TryRecvError, bounded};
use trefoil_sync::{CancellationToken, Mutex};

use crate::Subject;
use crate::seed::draw;
use crate::subject::run;
use crate::witness::{Witness, join_all, until_waiting};

const HOUR: Duration = Duration::from_secs(3600);

/// Cancelling a token cancels those below it, and nothing else.
pub fn a_token_cancels_what_is_below<S: Subject>() {
    run::<S, _>(|| {
        let root = CancellationToken::new();
        let (left, right) = (root.child_token(), root.child_token());
        let below = left.child_token();
        let clone = left.clone();
        left.cancel();
        let cancelled = [&root, &left, &clone, &below, &right].map(|it| it.is_cancelled());
        assert_eq!(cancelled, [false, true, true, true, false]);
        assert!(left.child_token().is_cancelled());
        root.cancel();
        assert!(right.is_cancelled());
        root.cancel();
    });
}

/// All who wait for a token, or for one above it, go on when it is cancelled.
pub fn those_who_wait_go_on<S: Subject>() {
    run::<S, _>(|| {
        let root = CancellationToken::new();
        let threads: Vec<_> = (0..10)
            .map(|at| {
                let token = match at % 2 {
                    0 => root.clone(),
                    _ => root.child_token(),
                };
                thread::spawn(move || token.wait())
            })
            .collect();
        for thread in &threads {
            until_waiting(thread.thread(), Reason::Receive);
        }
        root.cancel();
        join_all(threads);
    });
}

/// A wait with a limit says which it was, and does not end early.
pub fn a_wait_times_out<S: Subject>() {
    run::<S, _>(|| {
        let token = CancellationToken::new();
        let (begin, duration) = (Instant::now(), Duration::from_millis(5));
        assert!(!token.wait_timeout(duration));
        assert!(!token.wait_deadline(begin));
        assert!(begin.elapsed() >= duration);
        token.cancel();
        assert!(token.wait_timeout(HOUR) && token.wait_deadline(begin));
    });
}

/// The channel of a token ends with it, and brings nothing before.
pub fn done_ends_with_the_token<S: Subject>() {
    run::<S, _>(|| {
        let root = CancellationToken::new();
        let token = root.child_token();
        let done = token.done();
        assert_eq!(done.try_recv(), Err(TryRecvError::Empty));
        let waits = thread::spawn(move || done.recv());
        until_waiting(waits.thread(), Reason::Receive);
        root.cancel();
        assert_eq!(waits.join().unwrap(), Err(RecvError));
        assert_eq!(token.done().try_recv(), Err(TryRecvError::Disconnected));
    });
}

/// The waits of `run_until_cancelled` end with the token, also for a socket; what was held is
/// dropped, and no lock is poisoned.
pub fn a_call_ends_with_the_token<S: Subject>() {
    run::<S, _>(|| {
        let witness = Witness::new();
        let root = CancellationToken::new();
        let mutex = Arc::new(Mutex::new(()));
        let waits: [(Reason, fn()); 3] = [
            (Reason::Park, thread::park),
            (Reason::Sleep, || thread::sleep(HOUR)),
            (Reason::Accept, || {
                drop(TcpListener::bind("127.0.0.1:0").unwrap().accept());
            }),
        ];
        for (count, (reason, wait)) in waits.into_iter().enumerate() {
            let token = root.child_token();
            let (shared, dropped, runs) =
                (Arc::clone(&mutex), witness.token(), token.child_token());
            let thread = thread::spawn(move || {
                let result = runs.run_until_cancelled(|| {
                    let _dropped = dropped;
                    let _guard = shared.lock().unwrap();
                    wait();
                });
                // It goes on, and waits as always.
                thread::sleep(Duration::from_micros(1));
                result
            });
            until_waiting(thread.thread(), reason);
            token.cancel();
            assert_eq!(thread.join().unwrap(), None);
            assert_eq!(witness.dropped(), count + 1);
            assert!(mutex.lock().is_ok());
        }
        assert!(!root.is_cancelled());
    });
}

/// A call that comes to its end brings its value, and its panic goes on; of a cancelled token
/// it is not made.
pub fn a_call_may_come_to_its_end<S: Subject>() {
    run::<S, _>(|| {
        let token = CancellationToken::new();
        assert_eq!(token.run_until_cancelled(|| 5), Some(5));
        let panics = AssertUnwindSafe(|| token.run_until_cancelled(|| panic!("it is meant to")));
        assert!(panic::catch_unwind(panics).is_err());
        let busy = token.run_until_cancelled(|| {
            token.cancel();
            6
        });
        assert_eq!(busy, Some(6));
        assert_eq!(token.run_until_cancelled(|| unreachable!()), None::<()>);
    });
}

/// Calls nest: each is ended by its own token alone.
pub fn calls_nest<S: Subject>() {
    run::<S, _>(|| {
        let (outer, inner) = (CancellationToken::new(), CancellationToken::new());
        let ended = outer.run_until_cancelled(|| {
            inner.cancel();
            let fresh = inner.child_token();
            assert_eq!(fresh.run_until_cancelled(thread::park), None);
            let other = CancellationToken::new();
            let went = other.run_until_cancelled(|| {
                other.cancel();
                thread::park();
            });
            assert_eq!(went, None);
            thread::sleep(Duration::from_micros(1));
            CancellationToken::new().run_until_cancelled(|| {
                outer.cancel();
                thread::park();
            });
            unreachable!("the outer one was cancelled");
        });
        assert_eq!(ended, None::<()>);
    });
}

/// The cancellation of the thread goes through a call.
pub fn a_cancellation_goes_through_a_call<S: Subject>() {
    run::<S, _>(|| {
        let token = CancellationToken::new();
        let runs = token.clone();
        let thread = thread::spawn(move || runs.run_until_cancelled(thread::park));
        until_waiting(thread.thread(), Reason::Park);
        thread.cancel();
        assert!(thread.join().unwrap_err().is::<Cancelled>());
        assert!(!token.is_cancelled());
    });
}

/// A guard cancels, however its frame is left; one that is disarmed does not.
pub fn a_guard_cancels<S: Subject>() {
    run::<S, _>(|| {
        let token = CancellationToken::new();
        drop(token.clone().drop_guard().disarm());
        assert!(!token.is_cancelled());
        let guard = token.clone().drop_guard();
        let panics = panic::catch_unwind(AssertUnwindSafe(move || {
            let _guard = guard;
            panic!("it is meant to");
        }));
        assert!(panics.is_err() && token.is_cancelled());
    });
}

/// A plain `std::thread` waits for a token, and cancels one.
pub fn a_plain_thread_takes_part<S: Subject>() {
    run::<S, _>(|| {
        let (mine, theirs) = (CancellationToken::new(), CancellationToken::new());
        let (wait, cancel) = (mine.clone(), theirs.clone());
        let plain = std::thread::spawn(move || {
            cancel.cancel();
            wait.wait();
            let token = CancellationToken::new();
            token.run_until_cancelled(|| {
                token.cancel();
                thread::park();
            })
        });
        theirs.wait();
        mine.cancel();
        assert_eq!(thread::blocking(|| plain.join()).unwrap(), None);
    });
}

/// A thousand threads, below one token, hear it.
pub fn a_thousand_threads_hear_it<S: Subject>() {
    const THREADS: usize = 1000;
    run::<S, _>(|| {
        let root = CancellationToken::new();
        let heard = Arc::new(AtomicUsize::new(0));
        let threads: Vec<_> = (0..THREADS)
            .map(|n| {
                let (token, heard) = (root.child_token(), Arc::clone(&heard));
                thread::spawn(move || {
                    match n % 3 {
                        0 => token.wait(),
                        1 => drop(token.run_until_cancelled(thread::park)),
                        _ => assert!(token.wait_timeout(HOUR)),
                    }
                    heard.fetch_add(1, Ordering::SeqCst);
                })
            })
            .collect();
        until_waiting(threads[THREADS - 1].thread(), Reason::Receive);
        assert_eq!(heard.load(Ordering::SeqCst), 0);
        root.cancel();
        join_all(threads);
        assert_eq!(heard.load(Ordering::SeqCst), THREADS);
    });
}

/// Tokens are made, waited for, dropped and cancelled at random by many threads: all who wait
/// go on.
pub fn no_signal_is_lost<S: Subject>() {
    let seed = draw();
    let mut random = seed.random();
    run::<S, _>(move || {
        for _ in 0..30 {
            let root = CancellationToken::new();
            let heard = Arc::new(AtomicUsize::new(0));
            let (ready, begun) = bounded::<()>(0);
            let threads: Vec<_> = (0..8)
                .map(|_| {
                    let (root, heard) = (root.clone(), Arc::clone(&heard));
                    let (ready, mut random) = (ready.clone(), random.branch());
                    thread::spawn(move || {
                        drop(ready);
                        let mut token = root;
                        for _ in 0..random.below(5) {
                            token = token.child_token();
                        }
                        let _other = token.child_token();
                        match random.below(3) {
                            0 => token.wait(),
                            1 => drop(token.run_until_cancelled(thread::park)),
                            _ => drop(token.done().recv()),
                        }
                        assert!(token.is_cancelled());
                        heard.fetch_add(1, Ordering::AcqRel);
                    })
                })
                .collect();
            drop(ready);
            if random.below(2) == 0 {
                let _ = begun.recv();
            }
            (0..random.below(10)).for_each(|_| thread::yield_now());
            root.cancel();
            join_all(threads);
            assert_eq!(heard.load(Ordering::Acquire), 8);
        }
    });
}
