//! `thread::no_suspend`: what would let another thread run is a panic that names the place.

use std::cell::{Cell, RefCell};
use std::future::pending;
use std::io::{Read as _, Write as _};
use std::panic::{self, AssertUnwindSafe};
use std::sync::{Arc, Mutex as StdMutex, TryLockError};
use std::time::{Duration, Instant};

use trefoil_net::process::{Command, Stdio};
use trefoil_net::{TcpListener, TcpStream, ToSocketAddrs as _};
use trefoil_runtime::future::block_on;
use trefoil_runtime::thread::Builder;
use trefoil_runtime::time::{interval_at, timeout};
use trefoil_runtime::{Model, Reason, thread};
use trefoil_sync::channel::{Sender, bounded, unbounded};
use trefoil_sync::{
    Barrier, CancellationToken, Condvar, LazyLock, Mutex, MutexGuard, Once, OnceLock, RwLock,
    Semaphore, WaitGroup, mpsc, oneshot,
};

use crate::Subject;
use crate::child::end_of;
use crate::subject::{patient, run};
use crate::tcp::pair;
use crate::witness::{Witness, join_all, refusal, until, until_waiting};

const HOUR: Duration = Duration::from_secs(3600);

fn in_an_hour() -> Instant {
    Instant::now() + HOUR
}

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

/// So is what waits for time, a future or threads of its own; and what is refused in a limit that is
/// set inside ends the whole region.
pub fn every_wait_of_a_thread_is_refused<S: Subject>() {
    run::<S, _>(|| {
        let mut ticks = interval_at(in_an_hour(), HOUR);
        refused(|| ticks.tick());
        let said = refused(|| block_on(pending::<()>()));
        assert!(said.contains("a future to be ready"), "{said}");
        refused(|| thread::try_scope(|_| Ok::<(), ()>(())));
        refused(|| timeout(Duration::ZERO, || thread::park()));
        refused(|| thread::uncancellable(|| thread::park()));
        let token = CancellationToken::new();
        refused(|| token.run_until_cancelled(|| thread::park()));
        token.cancel();
        assert!(token.is_cancelled());
        // Both closures run here, one after the other.
        assert_eq!(thread::no_suspend(|| thread::join(|| 1, || 2)), (1, 2));
    });
}

/// So is every wait of a lock or a condition, also one with a limit; nothing of it is left behind.
pub fn every_wait_for_a_lock_is_refused<S: Subject>() {
    run::<S, _>(|| {
        let mutex = Mutex::new(0);
        let held = mutex.lock().unwrap();
        refused(|| drop(mutex.try_lock_for(HOUR)));
        let said = refused(|| drop(mutex.try_lock_until(in_an_hour())));
        assert!(said.contains("a mutex"), "{said}");
        drop(held);
        assert!(mutex.try_lock().is_ok());

        let lock = RwLock::new(0);
        let reading = lock.read().unwrap();
        refused(|| drop(lock.try_write_for(HOUR)));
        refused(|| drop(lock.try_write_until(in_an_hour())));
        // No writer is next.
        assert!(lock.try_read().is_ok());
        drop(reading);
        let writing = lock.write().unwrap();
        refused(|| drop(lock.try_read_for(HOUR)));
        let said = refused(|| drop(lock.try_read_until(in_an_hour())));
        assert!(said.contains("a read lock"), "{said}");
        drop(writing);
        assert!(lock.try_write().is_ok());

        refused_with_a_guard(|condvar, guard| drop(condvar.wait(guard)));
        refused_with_a_guard(|condvar, guard| drop(condvar.wait_while(guard, |()| true)));
        refused_with_a_guard(|condvar, guard| drop(condvar.wait_timeout(guard, HOUR)));
        refused_with_a_guard(|condvar, guard| {
            drop(condvar.wait_timeout_while(guard, HOUR, |()| true));
        });
        refused_with_a_guard(|condvar, guard| drop(condvar.wait_until(guard, in_an_hour())));
    });
}

/// The mutex of a condition is given back, and poisoned as by any panic.
#[track_caller]
fn refused_with_a_guard(wait: fn(&Condvar, MutexGuard<'_, ()>)) {
    let (mutex, condvar) = (Mutex::new(()), Condvar::new());
    let guard = mutex.lock().unwrap();
    let said = refused(|| wait(&condvar, guard));
    assert!(said.contains("a condition variable"), "{said}");
    assert!(matches!(mutex.try_lock(), Err(TryLockError::Poisoned(_))));
    condvar.notify_all();
}

/// So is every wait for a permit or for others; who is refused counts no more.
pub fn every_wait_for_others_is_refused<S: Subject>() {
    run::<S, _>(|| {
        let semaphore = Arc::new(Semaphore::new(1));
        refused(|| semaphore.acquire_many(2).forget());
        refused(|| semaphore.acquire_many_timeout(2, HOUR).is_some());
        refused(|| Arc::clone(&semaphore).acquire_many_owned(2).forget());
        let permit = semaphore.acquire();
        refused(|| semaphore.acquire_timeout(HOUR).is_some());
        refused(|| semaphore.acquire_deadline(in_an_hour()).is_some());
        refused(|| Arc::clone(&semaphore).acquire_owned().forget());
        drop(permit);
        assert_eq!(semaphore.available_permits(), 1);
        assert!(semaphore.try_acquire().is_some());

        // Always, so that it does not depend on who comes last.
        refused(|| Barrier::new(1).wait());

        let group = WaitGroup::new();
        let member = group.clone();
        refused(|| member.wait());
        let member = group.clone();
        refused(|| member.wait_timeout(HOUR).is_ok());
        // Only we are left.
        group.wait();

        let token = CancellationToken::new();
        refused(|| token.wait());
        refused(|| token.cancelled());
        refused(|| token.wait_timeout(HOUR));
        refused(|| token.wait_deadline(in_an_hour()));
        refused(|| token.done().recv());
        token.cancel();
        thread::no_suspend(|| token.wait());
    });
}

/// So is every wait at an end of a channel of `mpsc` and `oneshot`.
pub fn every_wait_at_a_channel_is_refused<S: Subject>() {
    run::<S, _>(|| {
        let (send, receive) = mpsc::sync_channel(1);
        refused(|| receive.recv());
        refused(|| receive.recv_timeout(HOUR));
        refused(|| receive.iter().next());
        send.send(1).unwrap();
        refused(|| send.send(2));
        assert_eq!(receive.try_iter().collect::<Vec<_>>(), [1]);
        refused(|| receive.into_iter().next());
        assert!(send.send(3).is_err());
        let (meet, _other) = mpsc::sync_channel(0);
        refused(|| meet.send(1));

        let (send, receive) = oneshot::channel();
        refused(|| send.closed());
        refused(|| receive.recv_timeout(HOUR));
        refused(|| receive.recv_deadline(in_an_hour()));
        send.send(4).unwrap();
        assert_eq!(thread::no_suspend(|| receive.recv()), Ok(4));
        let (send, receive) = oneshot::channel::<u32>();
        refused(|| receive.recv());
        assert!(send.is_closed());
    });
}

/// So is every wait for a socket, and looking up a name.
pub fn every_wait_for_a_socket_is_refused<S: Subject>() {
    run::<S, _>(|| {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        refused(|| listener.incoming().next());
        let mut client = TcpStream::connect(address).unwrap();
        let (mut server, _) = listener.accept().unwrap();
        refused(|| server.read(&mut [0; 8]));
        refused(|| server.peek(&mut [0; 8]));
        refused(|| server.read_exact(&mut [0; 8]));
        let said = refused(|| while client.write(&[1; 1 << 16]).is_ok() {});
        assert!(said.contains("room to write"), "{said}");
        drop(client);
        let mut all = Vec::new();
        server.read_to_end(&mut all).unwrap();
        assert!(!all.is_empty() && all.iter().all(|byte| *byte == 1));
        refused(|| ("localhost", 1).to_socket_addrs().is_ok());
    });
}

/// `run` is refused, before anything was run.
fn patient_run_is_refused<S: Subject>() -> String {
    let runtime = patient::<S>();
    refusal(|| thread::no_suspend(|| runtime.run(|| ())))
}

/// And what waits for a child, or starts one; the child is as it was.
pub fn every_wait_for_a_child_is_refused<S: Subject>() {
    run::<S, _>(|| {
        refused(|| Command::new("true").spawn());
        refused(|| Command::new("true").output());
        let mut command = Command::new("cat");
        let command = command.stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let mut stdin = child.stdin.take().unwrap();
        let said = refused(|| child.wait());
        assert!(said.contains("a child process to end"), "{said}");
        refused(|| child.handle().wait());
        refused(|| child.stdout.as_mut().unwrap().read(&mut [0; 8]));
        refused(|| stdin.write_all(&[0; 1 << 20]));
        refused(|| child.collect_output(&mut Vec::new(), &mut Vec::new()));
        drop(stdin);
        assert!(child.wait_with_output().unwrap().status.success());
    });
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
        refused(|| shared.2.call_once_force(|_| ()));
        refused(|| shared.2.wait());
        refused(|| shared.2.wait_force());
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

/// So are waits for a value that another thread makes.
pub fn a_wait_for_a_value_is_refused<S: Subject>() {
    run::<S, _>(|| {
        let (go, gate) = bounded::<()>(0);
        let second = gate.clone();
        let lazy = LazyLock::new(move || second.recv().is_err());
        let shared = Arc::new((OnceLock::new(), lazy));
        let (theirs, others) = (Arc::clone(&shared), Arc::clone(&shared));
        let threads = [
            thread::spawn(move || *theirs.0.get_or_init(|| gate.recv().is_err())),
            thread::spawn(move || *others.1),
        ];
        for thread in &threads {
            until_waiting(thread.thread(), Reason::Receive);
        }
        refused(|| *shared.0.get_or_init(|| true));
        refused(|| shared.0.set(true));
        refused(|| *shared.0.wait());
        refused(|| *LazyLock::force(&shared.1));
        let said = refused(|| *shared.1);
        assert!(said.contains("a one-time initialization"), "{said}");
        drop(go);
        assert_eq!(join_all(threads), [true; 2]);
        assert!(thread::no_suspend(|| *shared.0.wait() && *shared.1));
    });
}

/// So are joins of every kind of thread.
pub fn every_join_is_refused<S: Subject>() {
    run::<S, _>(|| {
        let (go, gate) = bounded::<()>(0);
        thread::scope(|scope| {
            let child = scope.spawn(|| gate.recv());
            refused(|| child.join());
            let tried = thread::try_scope(|scope| {
                let child = scope.spawn(|| gate.recv().map_err(|_| "the others have gone"));
                refused(|| child.join());
                drop(go);
                Ok(())
            });
            assert_eq!(tried, Err("the others have gone"));
        });
        let (go, gate) = bounded::<()>(0);
        // There is none on the kernel model.
        let local = Builder::new().spawn_local(move || gate.recv().is_err());
        assert_eq!(local.is_err(), S::MODEL == Model::Kernel);
        if let Ok(child) = local {
            refused(|| child.join());
        }
        drop(go);
    });
}

/// What finds at once what it wants goes on: nobody else has run.
pub fn what_need_not_wait_goes_on<S: Subject>() {
    run::<S, _>(|| {
        let (near, far) = pair();
        (&near).write_all(b"xyz").unwrap();
        thread::no_suspend(|| {
            let mut all = [0; 2];
            (&far).read_exact(&mut all).unwrap();
            assert_eq!((&far).read(&mut [0; 8]).unwrap(), 1);
            (&far).write_all(&all).unwrap();
        });

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
