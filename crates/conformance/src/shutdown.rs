//! The end of a run with threads that live: all are cancelled, wherever they wait, their
//! destructors run, and who does not end is named.

use std::panic::{self, AssertUnwindSafe};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, mpsc};
use std::time::Duration;

use trefoil_net::{TcpListener, TcpStream};
use trefoil_runtime::cancel::Cancelled;
use trefoil_runtime::thread::{self, Builder};
use trefoil_runtime::{Model, Reason, threads};
use trefoil_sync::channel::{bounded, unbounded};
use trefoil_sync::{Barrier, Condvar, Mutex, Semaphore};

use crate::Subject;
use crate::subject::{patient, run};
use crate::witness::{Spawns, Witness, find, refusal, sentence, until, until_waiting};

const HOUR: Duration = Duration::from_secs(3600);

/// A thread that waits for ever, for this reason, is ended by the end of the run: what it
/// had is dropped, and it does not go on.
fn ended_while_waiting<S: Subject>(reason: Reason, wait: impl FnOnce() + Send + 'static) {
    let witness = Witness::new();
    let token = witness.token();
    let survived = Arc::new(AtomicBool::new(false));
    let mark = Arc::clone(&survived);
    let handle = run::<S, _>(move || {
        let thread = thread::spawn(move || {
            let _token = token;
            wait();
            mark.store(true, Ordering::Release);
        });
        until_waiting(thread.thread(), reason);
        thread
    });
    assert_eq!(witness.dropped(), 1);
    assert!(!survived.load(Ordering::Acquire));
    assert!(handle.join().unwrap_err().is::<Cancelled>());
}

/// One that is parked.
pub fn a_parked_thread_is_ended<S: Subject>() {
    ended_while_waiting::<S>(Reason::Park, thread::park);
    ended_while_waiting::<S>(Reason::Park, || thread::park_timeout(HOUR));
}

/// One that sleeps.
pub fn a_sleeping_thread_is_ended<S: Subject>() {
    ended_while_waiting::<S>(Reason::Sleep, || thread::sleep(HOUR));
}

/// One that receives from a channel that stays open.
pub fn a_receiving_thread_is_ended<S: Subject>() {
    let (send, receive) = unbounded::<()>();
    let timed = receive.clone();
    ended_while_waiting::<S>(Reason::Receive, move || {
        let _ = receive.recv();
    });
    ended_while_waiting::<S>(Reason::Receive, move || {
        let _ = timed.recv_timeout(HOUR);
    });
    // Whoever was cancelled has left nothing of itself in the channel: its last receiver
    // has gone.
    assert!(send.send(()).is_err());
}

/// One that sends to a channel that stays full; the message is dropped with it.
pub fn a_sending_thread_is_ended<S: Subject>() {
    let witness = Witness::new();
    let (send, receive) = bounded(1);
    send.send(None).unwrap();
    let (message, again) = (Some(witness.token()), send.clone());
    ended_while_waiting::<S>(Reason::Send, move || drop(again.send(message)));
    assert_eq!(witness.dropped(), 1);
    assert!(receive.recv().unwrap().is_none());
    assert!(receive.try_recv().is_err());
}

/// One that hands over at a rendezvous to which nobody comes.
pub fn a_thread_at_a_rendezvous_is_ended<S: Subject>() {
    let (send, receive) = bounded(0);
    ended_while_waiting::<S>(Reason::Send, move || {
        let _ = send.send(1);
    });
    assert!(receive.try_recv().is_err());
}

/// One that waits for a connection.
pub fn an_accepting_thread_is_ended<S: Subject>() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    ended_while_waiting::<S>(Reason::Accept, move || drop(listener.accept()));
}

/// One that waits for data; the socket is closed with it, as the other side sees.
pub fn a_reading_thread_is_ended<S: Subject>() {
    use std::io::Read as _;
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let mut client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    let (mut server, _) = listener.accept().unwrap();
    ended_while_waiting::<S>(Reason::Read, move || drop(server.read(&mut [0; 8])));
    assert_eq!(client.read(&mut [0; 8]).unwrap(), 0);
}

/// One that waits for room to write.
pub fn a_writing_thread_is_ended<S: Subject>() {
    use std::io::Write as _;
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let mut client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    let server = listener.accept().unwrap();
    ended_while_waiting::<S>(
        Reason::Write,
        move || {
            while client.write(&[0; 1 << 16]).is_ok() {}
        },
    );
    drop(server);
}

/// One that waits for a condition: it leaves with the lock given back and not poisoned.
pub fn a_thread_at_a_condvar_is_ended<S: Subject>() {
    let pair = Arc::new((Mutex::new(()), Condvar::new()));
    let shared = Arc::clone(&pair);
    ended_while_waiting::<S>(Reason::Condvar, move || {
        let guard = shared.0.lock().unwrap();
        drop(shared.1.wait_while(guard, |()| true));
    });
    drop(
        pair.0
            .try_lock()
            .expect("the lock is free and not poisoned"),
    );
}

/// One that waits for a permit; permits are not lost with it.
pub fn a_thread_at_a_semaphore_is_ended<S: Subject>() {
    let semaphore = Arc::new(Semaphore::new(0));
    let shared = Arc::clone(&semaphore);
    ended_while_waiting::<S>(Reason::Semaphore, move || drop(shared.acquire()));
    semaphore.add_permits(1);
    assert!(semaphore.try_acquire().is_some());
}

/// One that joins another, which is parked.
pub fn a_joining_thread_is_ended<S: Subject>() {
    ended_while_waiting::<S>(Reason::Join, || {
        // The child cannot end before the one that joins it has left.
        let mutex = Arc::new(Mutex::new(()));
        let _guard = mutex.lock().unwrap();
        let shared = Arc::clone(&mutex);
        let child = thread::spawn(move || drop(shared.lock()));
        until_waiting(child.thread(), Reason::Mutex);
        drop(child.join());
    });
}

/// One that waits for the threads of a scope: they are ended, then it, and what they
/// borrowed was there till then.
pub fn a_scope_is_ended_from_below<S: Subject>() {
    let witness = Witness::new();
    let (borrowed, token) = (witness.clone(), witness.token());
    let drops_seen = Arc::new(AtomicUsize::new(usize::MAX));
    let seen = Arc::clone(&drops_seen);
    run::<S, _>(move || {
        let parent = thread::spawn(move || {
            struct Looks<'a>(&'a Witness, &'a AtomicUsize);
            impl Drop for Looks<'_> {
                fn drop(&mut self) {
                    self.1.store(self.0.dropped(), Ordering::Release);
                }
            }
            let token = token;
            thread::scope(|scope| {
                let (looks, _borrows) = (Looks(&borrowed, &seen), &token);
                scope.spawn(move || {
                    let _looks = looks;
                    thread::park();
                });
            });
        });
        until_waiting(parent.thread(), Reason::Scope);
    });
    assert_eq!(drops_seen.load(Ordering::Acquire), 0);
    assert_eq!(witness.dropped(), 1);
}

/// A child of a scope that is cancelled has not panicked: its parent ends as cancelled too.
pub fn a_cancelled_child_is_no_panic<S: Subject>() {
    let parent = run::<S, _>(|| {
        let (tell, told) = bounded(1);
        let parent = thread::spawn(move || {
            thread::scope(|scope| {
                let child = scope.spawn(thread::park);
                tell.send(child.thread().clone()).unwrap();
            });
            thread::park();
        });
        until_waiting(&told.recv().unwrap(), Reason::Park);
        until_waiting(parent.thread(), Reason::Scope);
        parent
    });
    assert!(parent.join().unwrap_err().is::<Cancelled>());
}

/// Waiting for a lock is no cancellation point: the thread gets its turn when the holder
/// is ended, goes on with a lock that is not poisoned, and ends at its next wait.
pub fn a_thread_at_a_lock_gets_its_turn<S: Subject>() {
    let mutex = Arc::new(Mutex::new(0));
    let (held, wanted) = (Arc::clone(&mutex), Arc::clone(&mutex));
    run::<S, _>(move || {
        let holder = thread::spawn(move || {
            let _guard = held.lock().unwrap();
            thread::park();
        });
        until_waiting(holder.thread(), Reason::Park);
        let waiter = thread::spawn(move || {
            *wanted.lock().expect("a cancellation does not poison") += 1;
            thread::park();
            unreachable!("it was asked to end");
        });
        until_waiting(waiter.thread(), Reason::Mutex);
    });
    assert_eq!(*mutex.lock().unwrap(), 1);
}

/// Waiting at a barrier is no cancellation point: the thread that completes it, on its way
/// out, lets the others go.
pub fn threads_at_a_barrier_go_together<S: Subject>() {
    struct Completes(Arc<Barrier>);
    impl Drop for Completes {
        fn drop(&mut self) {
            self.0.wait();
        }
    }
    let passed = Arc::new(AtomicBool::new(false));
    let mark = Arc::clone(&passed);
    run::<S, _>(move || {
        let barrier = Arc::new(Barrier::new(2));
        let completes = Completes(Arc::clone(&barrier));
        let waiter = thread::spawn(move || {
            barrier.wait();
            mark.store(true, Ordering::Release);
        });
        until_waiting(waiter.thread(), Reason::Barrier);
        let other = thread::spawn(move || {
            let _completes = completes;
            thread::park();
        });
        until_waiting(other.thread(), Reason::Park);
    });
    assert!(passed.load(Ordering::Acquire));
}

/// Threads that have not begun are not begun for nothing: their closures are dropped, or
/// run to their end; nothing is leaked.
pub fn threads_that_have_not_begun_are_dropped<S: Subject>() {
    let witness = Witness::new();
    let tokens: Vec<_> = (0..500).map(|_| witness.token()).collect();
    run::<S, _>(move || {
        for token in tokens {
            drop(thread::spawn(move || {
                let _token = token;
                thread::park();
            }));
        }
    });
    assert_eq!(witness.dropped(), 500);
}

/// A thread that catches its cancellation may go on and end by itself.
pub fn a_thread_may_catch_its_cancellation<S: Subject>() {
    let went_on = Arc::new(AtomicBool::new(false));
    let mark = Arc::clone(&went_on);
    let handle = run::<S, _>(move || {
        let thread = thread::spawn(move || {
            let payload = panic::catch_unwind(thread::park).unwrap_err();
            assert!(payload.is::<Cancelled>());
            // No cancellation point, so it still works.
            thread::yield_now();
            mark.store(true, Ordering::Release);
            11
        });
        until_waiting(thread.thread(), Reason::Park);
        thread
    });
    assert!(went_on.load(Ordering::Acquire));
    assert_eq!(handle.join().unwrap(), 11);
}

/// A destructor that waits while its thread is ended gets what it waits for: a
/// cancellation is never raised in the middle of an unwinding.
pub fn a_destructor_may_wait<S: Subject>() {
    struct WaitsALot(Arc<AtomicUsize>);
    impl Drop for WaitsALot {
        fn drop(&mut self) {
            thread::sleep(Duration::from_millis(1));
            self.0.fetch_add(1, Ordering::Relaxed);
            let (send, receive) = bounded(1);
            send.send(1).unwrap();
            assert_eq!(receive.recv(), Ok(1));
            self.0.fetch_add(1, Ordering::Relaxed);
            thread::park_timeout(Duration::from_millis(1));
            thread::blocking(|| ());
            self.0.fetch_add(1, Ordering::Release);
        }
    }
    let steps = Arc::new(AtomicUsize::new(0));
    let values = [(); 5].map(|()| WaitsALot(Arc::clone(&steps)));
    run::<S, _>(move || {
        for value in values {
            let thread = thread::spawn(move || {
                let _value = value;
                thread::park();
            });
            until_waiting(thread.thread(), Reason::Park);
        }
    });
    assert_eq!(steps.load(Ordering::Acquire), 15);
}

/// A destructor may spawn while its thread is ended: the new thread is ended, too.
pub fn a_destructor_may_spawn<S: Subject>() {
    let witness = Witness::new();
    let spawns = Spawns::new(witness.token());
    run::<S, _>(move || {
        let thread = thread::spawn(move || {
            let _spawns = spawns;
            thread::park();
        });
        until_waiting(thread.thread(), Reason::Park);
    });
    assert_eq!(witness.dropped(), 1);
}

/// Hundreds of threads that wait for different things are all ended.
pub fn many_threads_in_many_waits_are_ended<S: Subject>() {
    let witness = Witness::new();
    let tokens: Vec<_> = (0..300).map(|_| witness.token()).collect();
    let (send, receive) = unbounded::<()>();
    let waits = receive.clone();
    run::<S, _>(move || {
        let threads: Vec<_> = tokens
            .into_iter()
            .enumerate()
            .map(|(n, token)| {
                let waits = waits.clone();
                thread::spawn(move || {
                    let _token = token;
                    match n % 3 {
                        0 => thread::park(),
                        1 => thread::sleep(HOUR),
                        _ => drop(waits.recv()),
                    }
                })
            })
            .collect();
        until(|| {
            let waiting = threads_waiting();
            threads
                .iter()
                .all(|thread| waiting.contains(&thread.thread().id()))
        });
    });
    assert_eq!(witness.dropped(), 300);
    drop((send, receive));
}

fn threads_waiting() -> std::collections::HashSet<trefoil_runtime::ThreadId> {
    let waiting = threads()
        .into_iter()
        .filter(|thread| thread.waiting.is_some());
    waiting.map(|thread| thread.id).collect()
}

/// A thread that does not end, because it waits for a lock that nobody gives back, is
/// named with what it waits for; `run` returns all the same, and the runtime runs on.
pub fn a_thread_that_cannot_end_is_named<S: Subject>() {
    let runtime = S::new(Duration::from_millis(30));
    let value = runtime.run(|| {
        let mutex = Arc::new(Mutex::new(()));
        std::mem::forget(mutex.lock().unwrap());
        let thread = Builder::new()
            .name("stubborn".into())
            .spawn(move || drop(mutex.lock()))
            .unwrap();
        until_waiting(thread.thread(), Reason::Mutex);
        8
    });
    assert_eq!(value, 8);
    let left = runtime.leftover();
    assert_eq!(left.len(), 1, "{left:#?}");
    assert_eq!(left[0].name.as_deref(), Some("stubborn"));
    assert_eq!(left[0].waiting.unwrap().reason, Reason::Mutex);
    assert_eq!(runtime.run(|| thread::spawn(|| 9).join().unwrap()), 9);
    assert_eq!(runtime.leftover().len(), 1);
    // Dropping it must not wait for that thread.
    drop(runtime);
}

/// A thread that catches every cancellation and waits again is named. It may still end, but
/// for a green one, which nobody runs any more.
pub fn a_thread_that_will_not_end_is_named<S: Subject>() {
    let stop = Arc::new(AtomicBool::new(false));
    let asked = Arc::clone(&stop);
    let runtime = S::new(Duration::from_millis(30));
    runtime.run(move || {
        let thread = Builder::new()
            .name("unruly".into())
            .spawn(move || {
                while !asked.load(Ordering::Acquire) {
                    let _ = panic::catch_unwind(|| thread::sleep(Duration::from_millis(1)));
                }
            })
            .unwrap();
        until_waiting(thread.thread(), Reason::Sleep);
    });
    let left = runtime.leftover();
    assert_eq!(left.len(), 1, "{left:#?}");
    assert_eq!(left[0].name.as_deref(), Some("unruly"));
    stop.store(true, Ordering::Release);
    if S::MODEL != Model::Green {
        let unruly = left[0].id;
        runtime.run(move || until(|| find(unruly).is_none()));
    }
}

/// A handle of a thread that was ended by the end of the run says so to a plain thread.
pub fn a_handle_outlives_its_run<S: Subject>() {
    let runtime = patient::<S>();
    let (parked, ended) = runtime.run(|| {
        let ended = thread::spawn(|| 3);
        until(|| ended.is_finished());
        (thread::spawn(thread::park), ended)
    });
    drop(runtime);
    assert!(parked.is_finished());
    assert!(parked.join().unwrap_err().is::<Cancelled>());
    assert_eq!(ended.join().unwrap(), 3);
}

/// The end of a run wakes all that wait for its threads from outside.
pub fn a_join_from_outside_ends_with_the_run<S: Subject>() {
    let outside = run::<S, _>(|| {
        let parked = thread::spawn(thread::park);
        let (tell, told) = bounded(1);
        let outside = std::thread::spawn(move || {
            tell.send(thread::current()).unwrap();
            parked.join()
        });
        until_waiting(&told.recv().unwrap(), Reason::Join);
        outside
    });
    let payload = outside.join().unwrap().unwrap_err();
    assert!(payload.is::<Cancelled>());
}

/// Panics while threads are ended harm nobody else.
pub fn a_panic_instead_of_an_end_harms_nobody<S: Subject>() {
    let witness = Witness::new();
    let tokens = [(); 10].map(|()| witness.token());
    run::<S, _>(move || {
        for token in tokens {
            let thread = thread::spawn(move || {
                let _token = token;
                let _ = panic::catch_unwind(AssertUnwindSafe(thread::park));
                panic!("it is meant to");
            });
            until_waiting(thread.thread(), Reason::Park);
        }
    });
    assert_eq!(witness.dropped(), 10);
}

/// A run that is over has left a thread that holds the last handle of the runtime.
/// Let go, the thread does `last` with it. `None` on the green model: its threads run nowhere
/// but in `run`, which borrows the runtime.
fn outlived_by<S: Subject, T: Send + 'static>(
    last: impl FnOnce(Arc<S>) -> T + Send + 'static,
) -> Option<(mpsc::Sender<()>, thread::JoinHandle<T>)> {
    if S::MODEL == Model::Green {
        return None;
    }
    let runtime = Arc::new(S::new(Duration::from_millis(1)));
    let mine = Arc::clone(&runtime);
    let (go, gate) = mpsc::channel::<()>();
    let left = runtime.run(move || {
        let begun = Arc::new(AtomicBool::new(false));
        let sign = Arc::clone(&begun);
        let left = thread::spawn(move || {
            sign.store(true, Ordering::Release);
            // A call that cannot be called back.
            thread::blocking(move || gate.recv().unwrap());
            last(mine)
        });
        until(|| begun.load(Ordering::Acquire));
        left
    });
    assert_eq!(runtime.leftover().len(), 1);
    drop(runtime);
    Some((go, left))
}

/// The last handle of a runtime is dropped by one of its own threads, one that outlived its
/// run: it panics with a sentence, does not wait, and may go on.
pub fn a_runtime_dropped_by_its_own_thread_says_so<S: Subject>() {
    let dropped = outlived_by::<S, _>(|runtime| {
        let said = refusal(|| drop(runtime));
        thread::yield_now();
        said
    });
    let Some((go, left)) = dropped else { return };
    go.send(()).unwrap();
    let said = left.join().unwrap();
    assert!(said.contains("runtime was dropped by one of"), "{said}");
}

/// The same by a thread that unwinds: there is no second panic, which would end the process,
/// and no wait. Its own panic is what its `join` gets.
pub fn a_runtime_dropped_by_its_own_thread_that_unwinds_is_gone<S: Subject>() {
    let dropped = outlived_by::<S, ()>(|_runtime| panic!("this is the panic of the thread"));
    let Some((go, left)) = dropped else { return };
    go.send(()).unwrap();
    let payload = left.join().unwrap_err();
    assert_eq!(sentence(&*payload), "this is the panic of the thread");
}

/// The last handle of a runtime is dropped in a blocking call that has outlived its run, on every
/// model, although another OS thread may make it: the sentence is the same, and nobody waits.
pub fn a_runtime_dropped_in_a_blocking_call_says_so<S: Subject>() {
    let runtime = Arc::new(S::new(Duration::from_millis(1)));
    let mine = Arc::clone(&runtime);
    let (begin, begun) = mpsc::channel::<()>();
    let (go, gate) = mpsc::channel::<()>();
    let (tell, told) = mpsc::channel();
    let last = move || {
        begin.send(()).unwrap();
        gate.recv().unwrap();
        tell.send(refusal(|| drop(mine))).unwrap();
    };
    runtime.run(move || {
        drop(thread::spawn(|| thread::blocking(last)));
        thread::blocking(move || begun.recv().unwrap());
    });
    assert_eq!(runtime.leftover().len(), 1);
    drop(runtime);
    go.send(()).unwrap();
    let said = told.recv().unwrap();
    assert!(said.contains("runtime was dropped by one of"), "{said}");
}

/// The same by a call that unwinds: its own panic comes back.
pub fn a_runtime_dropped_in_a_blocking_call_that_unwinds_is_gone<S: Subject>() {
    let dropped = outlived_by::<S, ()>(|runtime| {
        thread::blocking(move || {
            let _runtime = runtime;
            panic!("this is the panic of the call");
        });
    });
    let Some((go, left)) = dropped else { return };
    go.send(()).unwrap();
    let payload = left.join().unwrap_err();
    assert_eq!(sentence(&*payload), "this is the panic of the call");
}

/// The same by a thread whose result it is, and nobody joins it: there is nobody to tell. What
/// else the result holds is dropped all the same.
pub fn a_runtime_in_the_result_of_its_own_thread_is_gone<S: Subject>() {
    let witness = Witness::new();
    let token = witness.token();
    let dropped = outlived_by::<S, _>(move |runtime| (runtime, token));
    let Some((go, left)) = dropped else { return };
    let id = left.thread().id();
    drop(left);
    go.send(()).unwrap();
    until(|| find(id).is_none() && witness.dropped() == 1);
}
