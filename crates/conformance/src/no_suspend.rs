//! `thread::no_suspend`: what would let another thread run is a panic that names the place.

use std::cell::{Cell, RefCell};
use std::panic::{self, AssertUnwindSafe};
use std::sync::{Arc, Mutex as StdMutex};
use std::time::{Duration, Instant};

use trefoil_net::TcpListener;
use trefoil_runtime::{Reason, thread};
use trefoil_sync::channel::{Sender, bounded, unbounded};
use trefoil_sync::{Barrier, Condvar, Mutex, Once, RwLock, Semaphore};

use crate::Subject;
use crate::child::end_of;
use crate::subject::{patient, run};
use crate::witness::{Witness, refusal, until, until_waiting};

const HOUR: Duration = Duration::from_secs(3600);

/// The sentence with which a call inside is refused: it names both places.
#[track_caller]
fn refused<T>(call: impl FnOnce() -> T) -> String {
    let said = refusal(|| thread::no_suspend(call));
    assert!(said.contains("`thread::no_suspend`"), "{said}");
    assert_eq!(said.matches(file!()).count(), 2, "{said}");
    said
}

/// Every kind of wait is refused, with what it is for and where.
pub fn every_wait_is_refused<S: Subject>() {
    run::<S, _>(|| {
        let line = line!() + 1;
        let said = refused(|| thread::sleep(HOUR));
        assert!(said.contains("a point in time"), "{said}");
        let place = format!("{}:{line}", file!());
        assert!(said.contains(&place), "{said}");
        refused(|| thread::yield_now());
        refused(|| thread::park());
        refused(|| thread::park_timeout(HOUR));
        refused(|| thread::sleep_until(Instant::now() + HOUR));
        refused(|| thread::scope(|_| ()));
        refused(|| thread::blocking(|| ()));

        let (send, receive) = bounded::<u32>(1);
        refused(|| receive.recv());
        refused(|| receive.recv_timeout(HOUR));
        send.send(1).unwrap();
        let said = refused(|| send.send(2));
        assert!(said.contains("room in a channel"), "{said}");
        let (meet, _other) = bounded::<u32>(0);
        refused(|| meet.send(1));

        refused(|| Semaphore::new(0).acquire().forget());
        refused(|| Barrier::new(2).wait());
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        refused(|| listener.accept());
        let (mutex, condvar) = (Mutex::new(()), Condvar::new());
        let guard = mutex.lock().unwrap();
        refused(|| condvar.wait_timeout(guard, HOUR));
        assert!(patient_run_is_refused::<S>().contains("`run`"));
    });
}

/// `run` is refused, before anything was run.
fn patient_run_is_refused<S: Subject>() -> String {
    let runtime = patient::<S>();
    refusal(|| thread::no_suspend(|| runtime.run(|| ())))
}

/// So are waits for what another thread has.
pub fn a_wait_for_another_thread_is_refused<S: Subject>() {
    run::<S, _>(|| {
        let shared = Arc::new((Mutex::new(0), RwLock::new(0), Once::new()));
        let (go, gate) = bounded::<()>(0);
        let theirs = Arc::clone(&shared);
        let thread = thread::spawn(move || {
            theirs.2.call_once(|| {
                let _guards = (theirs.0.lock().unwrap(), theirs.1.write().unwrap());
                gate.recv().unwrap();
            });
        });
        until_waiting(thread.thread(), Reason::Receive);
        let said = refused(|| drop(shared.0.lock()));
        assert!(said.contains("a mutex"), "{said}");
        refused(|| drop(shared.1.read()));
        refused(|| drop(shared.1.write()));
        refused(|| shared.2.call_once(|| ()));
        let mut thread = Some(thread);
        refused(|| thread.take().unwrap().join());
        // Nothing of those who were refused is left in a queue.
        go.send(()).unwrap();
        until(|| shared.2.is_completed());
        *shared.0.lock().unwrap() += 1;
        *shared.1.write().unwrap() += 1;
        drop(shared.1.read().unwrap());
    });
}

/// What finds at once what it wants goes on: nobody else has run.
pub fn what_need_not_wait_goes_on<S: Subject>() {
    run::<S, _>(|| {
        let done = thread::spawn(|| 7);
        until(|| done.is_finished());
        let value = thread::no_suspend(|| {
            let mutex = Mutex::new(1);
            *mutex.lock().unwrap() += 1;
            let lock = RwLock::new(2);
            drop(lock.read().unwrap());
            let (send, receive) = unbounded();
            send.send(3).unwrap();
            assert_eq!(receive.recv(), Ok(3));
            Semaphore::new(1).acquire().forget();
            Once::new().call_once(|| ());
            thread::current().unpark();
            thread::park();
            thread::spawn(|| ());
            done.join().unwrap()
        });
        assert_eq!(value, 7);
    });
}

/// A checkpoint in there lets nobody else run, for however long it computes.
pub fn a_checkpoint_lets_nobody_run<S: Subject>() {
    thread_local!(static RAN: Cell<u32> = const { Cell::new(0) });
    run::<S, _>(|| {
        // By `std`: it counts the others on this OS thread.
        let here = std::thread::current().id();
        let others = [(); 8].map(|()| {
            thread::spawn(move || {
                if std::thread::current().id() == here {
                    RAN.set(RAN.get() + 1);
                }
            })
        });
        thread::no_suspend(|| {
            let before = RAN.get();
            let begin = Instant::now();
            while begin.elapsed() < Duration::from_millis(2) {
                thread::checkpoint();
            }
            assert_eq!(RAN.get(), before);
        });
        for other in others {
            other.join().unwrap();
        }
    });
}

/// Regions nest, and each ends with its closure, also by a panic. Afterwards one may wait.
pub fn a_region_ends_with_its_closure<S: Subject>() {
    run::<S, _>(|| {
        thread::no_suspend(|| {
            thread::no_suspend(|| ());
            refusal(thread::yield_now);
            refusal(|| thread::no_suspend(|| panic!("this panic is meant")));
            refusal(thread::yield_now);
        });
        thread::sleep(Duration::from_millis(1));
        thread::yield_now();
        // A thread that is spawned inside is not inside.
        let spawned =
            thread::no_suspend(|| thread::spawn(|| thread::sleep(Duration::from_millis(1))));
        spawned.join().unwrap();
    });
}

/// Who was refused has left nothing behind: no waiter that a message or a permit would go to.
pub fn nothing_is_left_behind<S: Subject>() {
    run::<S, _>(|| {
        for room in [0, 1, 2] {
            let (send, receive) = bounded(room);
            let semaphore = Arc::new(Semaphore::new(0));
            for _ in 0..3 {
                refused(|| receive.recv());
                refused(|| semaphore.acquire().forget());
                (0..room).for_each(|_| send.send(1).unwrap());
                refused(|| send.send(2));
                (0..room).for_each(|_| assert_eq!(receive.recv(), Ok(1)));
            }
            let theirs = Arc::clone(&semaphore);
            let other = thread::spawn(move || {
                theirs.acquire().forget();
                receive.iter().sum::<u32>()
            });
            semaphore.add_permits(1);
            (0..10).for_each(|_| send.send(5).unwrap());
            drop(send);
            assert_eq!(other.join().unwrap(), 50);
            assert_eq!(semaphore.available_permits(), 0);
        }
    });
}

/// The message of a refused `send` is dropped when the channel is free again: its destructor may use
/// the channel.
pub fn a_refused_message_may_use_the_channel<S: Subject>() {
    struct Uses(Sender<Option<Uses>>, Witness);
    impl Drop for Uses {
        fn drop(&mut self) {
            assert!(self.0.try_send(None).is_err());
            drop(self.1.token());
        }
    }
    run::<S, _>(|| {
        let witness = Witness::new();
        let (send, _receive) = bounded(1);
        send.send(None).unwrap();
        let message = Some(Uses(send.clone(), witness.clone()));
        refused(|| drop(send.send(message)));
        assert_eq!(witness.dropped(), 1);
    });
}

/// A scope that a thread-local tracks: the wait is refused, and the scope is left in order.
pub fn a_wait_in_a_tracked_scope_says_so<S: Subject>() {
    thread_local!(static USER: Cell<u32> = const { Cell::new(0) });
    struct ActsFor {
        before: u32,
    }
    impl Drop for ActsFor {
        fn drop(&mut self) {
            USER.set(self.before);
        }
    }
    fn acting_for<R>(user: u32, f: impl FnOnce() -> R) -> R {
        let _scope = ActsFor {
            before: USER.replace(user),
        };
        thread::no_suspend(f)
    }
    run::<S, _>(|| {
        let threads = [1, 2].map(|user| {
            thread::spawn(move || {
                let said = refusal(|| acting_for(user, thread::yield_now));
                thread::yield_now();
                (said, acting_for(user, || USER.get()))
            })
        });
        for (user, thread) in [1, 2].into_iter().zip(threads) {
            let (said, seen) = thread.join().unwrap();
            assert!(said.contains("`yield_now`"), "{said}");
            assert_eq!(seen, user);
        }
        assert_eq!(USER.get(), 0);
    });
}

/// The initializer of a lazy thread-local of `std`: the wait is refused, and it does not run twice
/// at once.
pub fn a_wait_in_an_initializer_says_so<S: Subject>() {
    thread_local! {
        static INSIDE: Cell<bool> = const { Cell::new(false) };
        static LIST: RefCell<Vec<u32>> = thread::no_suspend(|| {
            assert!(!INSIDE.replace(true), "it runs twice at once");
            let waits = panic::catch_unwind(AssertUnwindSafe(thread::yield_now));
            INSIDE.set(false);
            match waits {
                Ok(()) => RefCell::new(Vec::new()),
                Err(sentence) => panic::resume_unwind(sentence),
            }
        });
    }
    run::<S, _>(|| {
        let threads = [1, 2].map(|number| {
            thread::spawn(move || refusal(|| LIST.with_borrow_mut(|list| list.push(number))))
        });
        for thread in threads {
            let said = thread.join().unwrap();
            assert!(said.contains("`yield_now`"), "{said}");
        }
    });
}

/// A panic hook: no panic can leave it, so the process ends, but the place of the wait is written.
pub fn a_wait_in_a_hook_says_so<S: Subject>() {
    let line = line!() + 2;
    let ended = end_of(|| {
        panic::set_hook(Box::new(|_| thread::no_suspend(|| thread::sleep(HOUR))));
        run::<S, _>(|| thread::spawn(|| panic!("it is meant to")).join().is_err());
    });
    ended.assert_aborted();
    let place = format!("panicked at {}:{line}", file!());
    assert!(ended.err.contains(&place), "{}", ended.err);
}

/// A wait of a destructor that unwinds: it is refused, and the neighbours see nobody panic.
pub fn a_wait_while_unwinding_says_so<S: Subject>() {
    struct WaitsInDrop(Arc<StdMutex<Option<String>>>);
    impl Drop for WaitsInDrop {
        fn drop(&mut self) {
            let (_send, receive) = bounded::<()>(0);
            let said = refusal(|| thread::no_suspend(|| receive.recv()));
            *self.0.lock().unwrap() = Some(said);
        }
    }
    run::<S, _>(|| {
        let said = Arc::new(StdMutex::new(None));
        let waits = WaitsInDrop(Arc::clone(&said));
        let panics = thread::spawn(move || {
            let _waits = waits;
            panic!("it is meant to");
        });
        assert!(panics.join().is_err());
        let said = said.lock().unwrap().take().unwrap();
        assert!(said.contains("a message from a channel"), "{said}");
    });
}

/// A lock of `std` that is held: the wait is refused before a neighbour can block on the lock.
pub fn a_wait_with_a_lock_of_std_says_so<S: Subject>() {
    run::<S, _>(|| {
        let lock = Arc::new(StdMutex::new(0));
        let threads = [(); 4].map(|()| {
            let lock = Arc::clone(&lock);
            thread::spawn(move || {
                refusal(|| {
                    let mut guard = lock.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
                    *guard += 1;
                    thread::no_suspend(thread::yield_now);
                })
            })
        });
        for thread in threads {
            assert!(thread.join().unwrap().contains("`yield_now`"));
        }
        assert_eq!(
            *lock.lock().unwrap_or_else(|poisoned| poisoned.into_inner()),
            4
        );
    });
}

/// A thread-local that is lent to the threads of a scope: refused before anybody has it.
pub fn a_wait_with_a_lent_local_says_so<S: Subject>() {
    thread_local!(static LENT: StdMutex<u32> = const { StdMutex::new(0) });
    run::<S, _>(|| {
        let said = refused(|| {
            LENT.with(|lent| {
                thread::scope(|scope| scope.spawn(|| *lent.lock().unwrap() += 1).join())
            })
        });
        assert!(said.contains("the threads of a scope"), "{said}");
        LENT.with(|lent| assert_eq!(*lent.lock().unwrap(), 0));
    });
}
