//! `time::timeout`: a limit for whatever a call waits for.

use std::io::Read as _;
use std::panic::{self, AssertUnwindSafe};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use trefoil_net::{TcpListener, TcpStream};
use trefoil_runtime::cancel::Cancelled;
use trefoil_runtime::thread::{self, uncancellable};
use trefoil_runtime::time::{Elapsed, timeout, timeout_at};
use trefoil_runtime::{Reason, thread::is_cancelled};
use trefoil_sync::channel::{RecvTimeoutError, bounded, unbounded};
use trefoil_sync::{Mutex, Semaphore};

use crate::Subject;
use crate::seed::draw;
use crate::subject::run;
use crate::witness::{Witness, text, until, until_waiting};

const HOUR: Duration = Duration::from_secs(3600);
const SHORT: Duration = Duration::from_millis(5);

/// A wait ends when the time is over, and not before.
pub fn a_wait_is_ended_in_time<S: Subject>() {
    run::<S, _>(|| {
        let begin = Instant::now();
        assert_eq!(timeout(SHORT, thread::park), Err(Elapsed));
        assert!(begin.elapsed() >= SHORT);
        assert_eq!(timeout_at(begin + SHORT, thread::park), Err(Elapsed));
        assert_eq!(timeout(Duration::ZERO, thread::park), Err(Elapsed));
        assert!(!is_cancelled());
        thread::sleep(Duration::from_micros(1));
    });
}

/// What comes in time is returned, and the limit is gone with the call.
pub fn what_comes_in_time_is_returned<S: Subject>() {
    run::<S, _>(|| {
        let (send, receive) = bounded(0);
        let sender = thread::spawn(move || send.send(5));
        assert_eq!(timeout(HOUR, || receive.recv()), Ok(Ok(5)));
        sender.join().unwrap().unwrap();
        assert_eq!(timeout(Duration::MAX, || 6), Ok(6));
        assert_eq!(timeout(SHORT, || 7), Ok(7));
        thread::sleep(SHORT * 2);
    });
}

/// A call that never waits comes to its end, however late it is.
pub fn a_call_that_never_waits_comes_to_its_end<S: Subject>() {
    run::<S, _>(|| {
        let value = timeout(Duration::ZERO, || {
            let (send, receive) = bounded(1);
            send.send(8).unwrap();
            thread::yield_now();
            receive.recv().unwrap()
        });
        assert_eq!(value, Ok(8));
    });
}

/// Each ends its own call: the inner one does not end the outer, nor the other way round.
pub fn timeouts_nest<S: Subject>() {
    run::<S, _>(|| {
        let outer = timeout(HOUR, || {
            assert_eq!(timeout(SHORT, thread::park), Err(Elapsed));
            thread::sleep(Duration::from_micros(1));
            9
        });
        assert_eq!(outer, Ok(9));
        let passed = AtomicBool::new(false);
        let outer = timeout(SHORT, || {
            let _ = timeout(HOUR, thread::park);
            passed.store(true, Ordering::Relaxed);
        });
        assert_eq!(outer, Err(Elapsed));
        assert!(!passed.load(Ordering::Relaxed), "the inner one took it");
        let begin = Instant::now();
        let both = timeout_at(begin + SHORT * 2, || {
            assert_eq!(timeout_at(begin + SHORT, thread::park), Err(Elapsed));
            let _ = timeout(HOUR, || timeout(HOUR, thread::park));
            passed.store(true, Ordering::Relaxed);
        });
        assert_eq!(both, Err(Elapsed));
        assert!(!passed.load(Ordering::Relaxed));
    });
}

/// Of two that are over at the first look, the one that was over first ends its own call, and
/// then the other.
pub fn the_first_that_is_over_is_first<S: Subject>() {
    run::<S, _>(|| {
        let now = Instant::now();
        let mut inner = None;
        let outer = timeout_at(now - SHORT, || {
            inner = Some(timeout_at(now - SHORT * 2, thread::park));
            thread::park();
        });
        assert_eq!((outer, inner), (Err(Elapsed), Some(Err(Elapsed))));
        let mut inner = None;
        let outer = timeout_at(now - SHORT * 2, || {
            inner = Some(timeout_at(now - SHORT, thread::park));
        });
        assert_eq!((outer, inner), (Err(Elapsed), None));
    });
}

/// A wait's own limit is its own affair: the earlier of the two counts.
pub fn the_earlier_limit_counts<S: Subject>() {
    run::<S, _>(|| {
        let (_send, receive) = bounded::<()>(0);
        let inner = timeout(HOUR, || receive.recv_timeout(SHORT));
        assert_eq!(inner, Ok(Err(RecvTimeoutError::Timeout)));
        let outer = timeout(SHORT, || receive.recv_timeout(HOUR));
        assert_eq!(outer, Err(Elapsed));
        assert_eq!(timeout(HOUR, || thread::sleep(SHORT)), Ok(()));
        // Both are over when the thread first looks.
        let now = Instant::now();
        let late = timeout_at(now, || receive.recv_deadline(now - SHORT));
        assert_eq!(late, Ok(Err(RecvTimeoutError::Timeout)));
    });
}

/// What the call holds is dropped, and no lock is poisoned.
pub fn what_is_held_is_released<S: Subject>() {
    run::<S, _>(|| {
        let (witness, mutex, semaphore) = (Witness::new(), Mutex::new(1), Semaphore::new(1));
        let result = timeout(SHORT, || {
            let _held = (witness.token(), mutex.lock().unwrap(), semaphore.acquire());
            thread::park();
        });
        assert_eq!(result, Err(Elapsed));
        assert_eq!(witness.dropped(), 1);
        assert_eq!(*mutex.lock().unwrap(), 1);
        assert_eq!(semaphore.available_permits(), 1);
        // A panic afterwards poisons as always.
        let panics = panic::catch_unwind(AssertUnwindSafe(|| {
            let _guard = mutex.lock().unwrap();
            panic!("it is meant to");
        }));
        assert!(panics.is_err() && mutex.is_poisoned());
    });
}

/// A panic of the call goes through, and the limit is gone.
pub fn a_panic_goes_through<S: Subject>() {
    run::<S, _>(|| {
        let panics = || timeout(Duration::ZERO, || panic!("it is meant to"));
        assert!(panic::catch_unwind(panics).is_err());
        thread::sleep(Duration::from_micros(1));
    });
}

/// Who catches it on the way meets it again in the next wait.
pub fn who_catches_it_meets_it_again<S: Subject>() {
    run::<S, _>(|| {
        let mut caught = 0;
        let result = timeout(SHORT, || {
            for _ in 0..3 {
                assert!(panic::catch_unwind(thread::park).is_err());
                caught += 1;
            }
            thread::park();
        });
        assert_eq!((result, caught), (Err(Elapsed), 3));
    });
}

/// A call that catches it and comes to its end is over: a panic afterwards poisons what is held. So does
/// a panic with which it ends.
pub fn a_panic_after_a_call_that_caught_it_poisons<S: Subject>() {
    run::<S, _>(|| {
        for inside in [false, true] {
            let mutex = Mutex::new(());
            let panics = panic::catch_unwind(AssertUnwindSafe(|| {
                let _guard = mutex.lock().unwrap();
                let result = timeout(Duration::ZERO, || {
                    assert!(panic::catch_unwind(thread::park).is_err());
                    assert!(!inside, "it is meant to");
                    5
                });
                assert_eq!(result, Ok(5));
                panic!("it is meant to");
            }));
            let payload = panics.unwrap_err();
            assert_eq!(text(&*payload).unwrap(), "it is meant to");
            assert!(mutex.is_poisoned());
        }
    });
}

/// It is not raised in a destructor that waits while the thread panics.
pub fn it_is_not_raised_in_an_unwinding<S: Subject>() {
    struct Waits(Arc<AtomicBool>);
    impl Drop for Waits {
        fn drop(&mut self) {
            thread::sleep(SHORT);
            self.0.store(true, Ordering::Release);
        }
    }
    run::<S, _>(|| {
        let waited = Arc::new(AtomicBool::new(false));
        let waits = Waits(Arc::clone(&waited));
        let panics = panic::catch_unwind(AssertUnwindSafe(|| {
            timeout(Duration::ZERO, || {
                let _waits = waits;
                panic!("it is meant to");
            })
        }));
        let payload = panics.unwrap_err();
        assert_eq!(payload.downcast_ref::<&str>(), Some(&"it is meant to"));
        assert!(waited.load(Ordering::Acquire));
    });
}

/// `uncancellable` holds it off, and it comes at the next wait after; a timeout inside it ends
/// what it is around.
pub fn uncancellable_holds_it_off<S: Subject>() {
    run::<S, _>(|| {
        let (mut through, mut after) = (false, false);
        let result = timeout(Duration::ZERO, || {
            uncancellable(|| {
                thread::sleep(SHORT);
                assert_eq!(timeout(SHORT, thread::park), Err(Elapsed));
                thread::sleep(Duration::from_micros(1));
            });
            through = true;
            thread::sleep(Duration::from_micros(1));
            after = true;
        });
        assert_eq!((result, through, after), (Err(Elapsed), true, false));
    });
}

/// A cancellation of the thread goes through.
pub fn a_cancellation_goes_through<S: Subject>() {
    run::<S, _>(|| {
        let thread = thread::spawn(|| timeout(HOUR, || timeout(HOUR, thread::park)));
        until_waiting(thread.thread(), Reason::Park);
        thread.cancel();
        assert!(thread.join().unwrap_err().is::<Cancelled>());
        let late = thread::spawn(|| {
            timeout(Duration::ZERO, || {
                thread::current().cancel();
                thread::park();
            })
        });
        assert!(late.join().unwrap_err().is::<Cancelled>());
    });
}

/// The children of a scope in the call are waited for, and may borrow.
pub fn a_scope_ends_first<S: Subject>() {
    run::<S, _>(|| {
        let ended = AtomicBool::new(false);
        let result = timeout(SHORT, || {
            thread::scope(|scope| {
                scope.spawn(|| {
                    thread::sleep(SHORT * 2);
                    ended.store(true, Ordering::Release);
                });
                thread::park();
            });
        });
        assert_eq!(result, Err(Elapsed));
        assert!(ended.load(Ordering::Acquire));
    });
}

/// It bounds a wait for a descriptor, and the socket can be used afterwards.
pub fn it_bounds_a_socket<S: Subject>() {
    run::<S, _>(|| {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        assert!(timeout(SHORT, || listener.accept()).is_err());
        let mut client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let mut server = listener.accept().unwrap().0;
        assert!(timeout(SHORT, || server.read(&mut [0; 4])).is_err());
        std::io::Write::write_all(&mut client, b"late").unwrap();
        let mut heard = [0; 4];
        let read = timeout(HOUR, || server.read_exact(&mut heard));
        read.unwrap().unwrap();
        assert_eq!(&heard, b"late");
    });
}

/// It works on a plain `std::thread`.
pub fn a_plain_thread_has_timeouts<S: Subject>() {
    run::<S, _>(|| {
        let plain = std::thread::spawn(|| {
            let (_send, receive) = bounded::<()>(0);
            timeout(SHORT, || receive.recv())
        });
        assert_eq!(thread::blocking(|| plain.join()).unwrap(), Err(Elapsed));
    });
}

/// A message and the end of the receiver's time come at the same moment: it is received once,
/// or is still there, and they keep their order.
pub fn no_message_is_lost_to_a_timeout<S: Subject>() {
    const ROUNDS: u32 = 1000;
    const PACE: Duration = Duration::from_micros(150);
    let seed = draw();
    let mut random = seed.random();
    run::<S, _>(move || {
        let (send, receive) = unbounded();
        let begin = Instant::now();
        let mut jitter = random.branch();
        let sender = thread::spawn(move || {
            for round in 0..ROUNDS {
                let moment = begin + PACE * round + Duration::from_micros(jitter.below(80));
                until(|| Instant::now() >= moment);
                send.send(round).unwrap();
            }
        });
        let mut next = 0;
        let mut receive_until = |deadline| {
            if let Ok(Ok(round)) = timeout_at(deadline, || receive.recv()) {
                assert_eq!(round, next);
                next += 1;
            }
        };
        for round in 0..ROUNDS {
            receive_until(begin + PACE * round + Duration::from_micros(random.below(20)));
        }
        sender.join().unwrap();
        // What is there is got without a look at the time.
        (0..ROUNDS).for_each(|_| receive_until(begin));
        assert_eq!(next, ROUNDS);
    });
}
