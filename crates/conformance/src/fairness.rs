//! Fairness: what need not wait is counted, so that others have their turn; and timers, descriptors, messages from
//! other OS threads and new threads are seen also while there is always a thread that is ready.
//!
//! On the kernel model the operating system takes turns, and all of it is trivially so.

use std::io::{Read as _, Write as _};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::{Duration, Instant};

use trefoil_net::{TcpListener, TcpStream, UdpSocket, pipe};
use trefoil_runtime::thread::{self, JoinHandle};
use trefoil_runtime::{Model, Reason};
use trefoil_sync::channel::{bounded, unbounded};
use trefoil_sync::{Barrier, Condvar, Mutex, Semaphore, WaitGroup, mpsc, oneshot};

use crate::Subject;
use crate::subject::{patient, run};
use crate::witness::{join_all, until, waits_for};

const HOUR: Duration = Duration::from_secs(3600);

/// Says when those who go on for ever are to end.
#[derive(Clone, Debug, Default)]
struct Stop(Arc<AtomicBool>);

impl Stop {
    fn is_said(&self) -> bool {
        // Acquire: pairs with `say`.
        self.0.load(Ordering::Acquire)
    }

    fn say(&self) {
        // Release: pairs with `is_said`.
        self.0.store(true, Ordering::Release);
    }

    fn until(&self, mut round: impl FnMut()) {
        while !self.is_said() {
            round();
        }
    }
}

/// A thread that does this again and again, and never has to wait for it, lets another one run. One by one, and more of
/// each than there are workers.
fn gives_way<S: Subject>(makes: impl Fn() -> Box<dyn FnMut() + Send> + Send + 'static) {
    run::<S, _>(move || {
        let stop = Stop::default();
        let hogs: Vec<_> = (0..5)
            .map(|_| {
                let (stop, mut round) = (stop.clone(), makes());
                thread::spawn(move || stop.until(&mut round))
            })
            .collect();
        // Behind all of them, and on hybrid on the same worker.
        thread::yield_now();
        thread::spawn(move || stop.say()).join().unwrap();
        join_all(hogs);
    });
}

/// Permits that are there.
pub fn permits_give_way<S: Subject>() {
    gives_way::<S>(|| {
        let permits = Semaphore::new(2);
        Box::new(move || drop(permits.acquire_many(2)))
    });
    gives_way::<S>(|| {
        let permits = Semaphore::new(1);
        Box::new(move || drop(permits.acquire_timeout(HOUR).unwrap()))
    });
}

/// Permits that are there let no neighbour run in the middle of an unwinding: a panic hook may take some.
pub fn permits_in_an_unwinding_suspend_nobody<S: Subject>() {
    struct Takes(Arc<AtomicU32>, Stop);
    impl Drop for Takes {
        fn drop(&mut self) {
            let permits = Semaphore::new(1);
            for _ in 0..1000 {
                self.0.fetch_add(1, Ordering::Relaxed);
                drop(permits.acquire());
            }
            self.1.say();
        }
    }
    run::<S, _>(|| {
        let (taken, ended) = (Arc::new(AtomicU32::new(0)), Stop::default());
        let takes = Takes(Arc::clone(&taken), ended.clone());
        let panics = thread::spawn(move || {
            let _takes = takes;
            panic!("this is the panic of the thread");
        });
        let neighbours = [(); 8].map(|()| {
            let (taken, ended) = (Arc::clone(&taken), ended.clone());
            thread::spawn(move || {
                let taken = taken.load(Ordering::Relaxed);
                (taken == 0 || ended.is_said()) || S::MODEL != Model::Green
            })
        });
        panics.join().unwrap_err();
        assert_eq!(join_all(neighbours), [true; 8]);
    });
}

/// A barrier of one, a group that has gone, a value that has been sent.
pub fn what_is_there_gives_way<S: Subject>() {
    gives_way::<S>(|| {
        let barrier = Barrier::new(1);
        Box::new(move || assert!(barrier.wait().is_leader()))
    });
    gives_way::<S>(|| Box::new(|| WaitGroup::new().wait()));
    gives_way::<S>(|| {
        Box::new(|| {
            let (send, receive) = oneshot::channel();
            send.send(7).unwrap();
            assert_eq!(receive.recv(), Ok(7));
        })
    });
    gives_way::<S>(|| {
        let (send, receive) = mpsc::channel();
        Box::new(move || {
            send.send(7).unwrap();
            assert_eq!(receive.recv(), Ok(7));
        })
    });
}

/// A time that has come: a sleep of nothing, and waits that are over at once.
pub fn a_time_that_has_come_gives_way<S: Subject>() {
    gives_way::<S>(|| Box::new(|| thread::sleep(Duration::ZERO)));
    gives_way::<S>(|| {
        let past = Instant::now();
        Box::new(move || thread::sleep_until(past))
    });
    gives_way::<S>(|| {
        let (send, receive) = unbounded::<()>();
        Box::new(move || {
            let _send = &send;
            receive.recv_timeout(Duration::ZERO).unwrap_err();
        })
    });
    gives_way::<S>(|| {
        let (mutex, changed) = (Mutex::new(0), Condvar::new());
        Box::new(move || {
            let guard = mutex.lock().unwrap();
            let (_guard, waited) = changed.wait_timeout(guard, Duration::ZERO).unwrap();
            assert!(waited.timed_out());
        })
    });
}

/// A park whose token is there.
pub fn a_token_that_is_there_gives_way<S: Subject>() {
    gives_way::<S>(|| {
        Box::new(|| {
            thread::current().unpark();
            thread::park();
        })
    });
}

/// A sleep of nothing between operations that need not wait does not give them a new budget.
pub fn what_does_not_wait_gives_no_new_budget<S: Subject>() {
    gives_way::<S>(|| {
        let (send, receive) = unbounded();
        Box::new(move || {
            for _ in 0..20 {
                send.send(()).unwrap();
                receive.recv().unwrap();
            }
            thread::sleep(Duration::ZERO);
        })
    });
}

/// The joins of threads that have ended already.
pub fn a_join_of_what_has_ended_gives_way<S: Subject>() {
    run::<S, _>(|| {
        let ended = [(); 512].map(|()| thread::spawn(|| ()));
        until(|| ended.iter().all(JoinHandle::is_finished));
        let stop = Stop::default();
        let says = stop.clone();
        let other = thread::spawn(move || says.say());
        join_all(ended);
        // Where the operating system takes turns, it may have chosen otherwise.
        assert!(stop.is_said() || S::MODEL == Model::Kernel);
        other.join().unwrap();
    });
}

/// A pipe and connections that are always ready.
pub fn a_descriptor_that_is_ready_gives_way<S: Subject>() {
    gives_way::<S>(|| {
        let (mut reader, mut writer) = pipe().unwrap();
        Box::new(move || {
            writer.write_all(&[7]).unwrap();
            reader.read_exact(&mut [0]).unwrap();
        })
    });
    gives_way::<S>(|| {
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        socket.connect(socket.local_addr().unwrap()).unwrap();
        Box::new(move || {
            socket.send(&[7]).unwrap();
            socket.recv(&mut [0]).unwrap();
        })
    });
}

/// What an OS thread outside, a timer and the poller do is seen while `busy` threads keep their workers busy, until they
/// are told to end.
fn all_is_seen_beside<S: Subject>(busy: fn(&Stop) -> Vec<JoinHandle<()>>) {
    let runtime = Arc::new(patient::<S>());
    let outside = Arc::clone(&runtime);
    let (begin, begun) = std::sync::mpsc::channel();
    // A `run` from outside, on green on another OS thread.
    let injected = std::thread::spawn(move || {
        begun.recv().unwrap();
        outside.run(|| thread::spawn(|| 7).join().unwrap())
    });
    let runtime_ended = Arc::clone(&runtime);
    let injected = runtime.run(move || {
        let stop = Stop::default();
        let threads = busy(&stop);
        // A timer.
        thread::sleep(Duration::from_millis(1));
        let (send, receive) = bounded::<()>(0);
        assert!(receive.recv_timeout(Duration::from_millis(1)).is_err());
        drop(send);
        // Messages to a worker.
        for _ in 0..3 {
            let me = thread::current();
            let unparks = std::thread::spawn(move || {
                until(|| waits_for(me.id(), Reason::Park));
                me.unpark();
            });
            thread::park();
            thread::blocking(|| unparks.join().unwrap());
        }
        // Its poller.
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let me = thread::current().id();
        let writes = std::thread::spawn(move || {
            until(|| waits_for(me, Reason::Accept));
            let mut stream = std::net::TcpStream::connect(address).unwrap();
            until(|| waits_for(me, Reason::Read));
            stream.write_all(&[7]).unwrap();
        });
        let mut stream: TcpStream = listener.accept().unwrap().0;
        stream.read_exact(&mut [0]).unwrap();
        thread::blocking(|| writes.join().unwrap());
        // New threads from outside.
        begin.send(()).unwrap();
        let value = thread::blocking(|| injected.join().unwrap());
        stop.say();
        join_all(threads);
        value
    });
    assert_eq!(injected, 7);
    drop(runtime_ended);
}

/// Threads that only yield keep nobody waiting.
pub fn all_is_seen_beside_threads_that_yield<S: Subject>() {
    all_is_seen_beside::<S>(|stop| {
        let threads = (0..8).map(|_| {
            let stop = stop.clone();
            thread::spawn(move || stop.until(thread::yield_now))
        });
        threads.collect()
    });
}

/// Nor does a chain of threads that hand a message over from one to the next, of which one is always ready.
pub fn all_is_seen_beside_a_chain_of_hand_overs<S: Subject>() {
    all_is_seen_beside::<S>(|stop| {
        let mut threads = Vec::new();
        for _ in 0..4 {
            let ((there, comes), (back, returns)) = (bounded(0), bounded(0));
            let stop = stop.clone();
            threads.push(thread::spawn(move || {
                stop.until(|| {
                    there.send(()).unwrap();
                    returns.recv().unwrap();
                });
            }));
            threads.push(thread::spawn(move || {
                while comes.recv().is_ok() {
                    back.send(()).unwrap();
                }
            }));
        }
        threads
    });
}

/// Nor do threads that spawn others and join them, and so run them on their own stack.
pub fn all_is_seen_beside_threads_that_join<S: Subject>() {
    all_is_seen_beside::<S>(|stop| {
        let threads = (0..5).map(|_| {
            let stop = stop.clone();
            thread::spawn(move || stop.until(|| thread::spawn(|| ()).join().unwrap()))
        });
        threads.collect()
    });
}

/// Nor do threads that always find a message.
pub fn all_is_seen_beside_threads_that_always_find_a_message<S: Subject>() {
    all_is_seen_beside::<S>(|stop| {
        let threads = (0..5).map(|_| {
            let stop = stop.clone();
            let (send, receive) = bounded(1);
            thread::spawn(move || {
                stop.until(|| {
                    send.send(()).unwrap();
                    receive.recv().unwrap();
                });
            })
        });
        threads.collect()
    });
}
