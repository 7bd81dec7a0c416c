//! `trefoil::sync` has what `std::sync` has: one program, compiled and run with both. It names every
//! stable method of Rust 1.95, and asserts the traits that threads are about.
//!
//! What std has not made stable (mapped guards, `OnceLock::get_or_try_init`, `Mutex::set`) is not here,
//! and not there.
#![forbid(unsafe_code)]

macro_rules! program {
    ($name:ident, $($sync:tt)+) => {
        mod $name {
            use std::fmt::{Debug, Display};
            use std::panic::{AssertUnwindSafe, RefUnwindSafe, UnwindSafe, catch_unwind};
            use std::time::Duration;

            use $($sync)+::atomic::{AtomicUsize, Ordering};
            use $($sync)+::mpsc;
            use $($sync)+::{
                Arc, Barrier, BarrierWaitResult, Condvar, LazyLock, LockResult, Mutex, MutexGuard,
                Once, OnceLock, OnceState, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard,
                TryLockError, TryLockResult, WaitTimeoutResult, Weak,
            };

            const MOMENT: Duration = Duration::from_millis(1);

            fn shared<T: Send + Sync>() {}
            fn sent<T: Send>() {}
            fn read<T: Sync>() {}
            fn calm<T: UnwindSafe + RefUnwindSafe>() {}

            static MUTEX: Mutex<u32> = Mutex::new(1);
            static LOCK: RwLock<u32> = RwLock::new(1);
            static CONDVAR: Condvar = Condvar::new();
            static ONCE: Once = Once::new();
            static CELL: OnceLock<u32> = OnceLock::new();
            static LAZY: LazyLock<u32> = LazyLock::new(|| 1);
            static BARRIER: Barrier = Barrier::new(1);

            #[test]
            fn traits() {
                type Fun = fn() -> u8;
                shared::<Mutex<std::cell::Cell<u8>>>();
                shared::<RwLock<u8>>();
                shared::<Condvar>();
                shared::<Once>();
                shared::<OnceLock<u8>>();
                shared::<LazyLock<u8, Fun>>();
                shared::<Barrier>();
                read::<MutexGuard<'_, u8>>();
                read::<RwLockReadGuard<'_, u8>>();
                read::<RwLockWriteGuard<'_, u8>>();
                shared::<mpsc::Sender<std::cell::Cell<u8>>>();
                shared::<mpsc::SyncSender<std::cell::Cell<u8>>>();
                sent::<mpsc::Receiver<std::cell::Cell<u8>>>();
                sent::<mpsc::IntoIter<u8>>();
                calm::<Mutex<std::cell::Cell<u8>>>();
                calm::<RwLock<std::cell::Cell<u8>>>();
                calm::<Condvar>();
                calm::<Once>();
                calm::<OnceLock<u8>>();
                calm::<LazyLock<u8, Fun>>();
                calm::<Barrier>();
                calm::<mpsc::Sender<u8>>();
                calm::<mpsc::SyncSender<u8>>();
                calm::<mpsc::Receiver<u8>>();
            }

            fn shows<T: Debug>(what: T, text: &str) {
                assert_eq!(format!("{what:?}"), text);
            }

            fn displays(what: impl Display, text: &str) {
                assert_eq!(what.to_string(), text);
            }

            #[test]
            fn mutex() {
                let locked: LockResult<MutexGuard<'_, u32>> = MUTEX.lock();
                *locked.unwrap() += 1;
                let mut mutex: Mutex<u32> = Mutex::from(5);
                assert_eq!(*Mutex::<u32>::default().lock().unwrap(), 0);
                *mutex.get_mut().unwrap() += 1;
                shows(&mutex, "Mutex { data: 6, poisoned: false, .. }");
                let guard = mutex.lock().unwrap();
                displays(&guard, "6");
                shows(&guard, "6");
                shows(&mutex, "Mutex { data: \"<locked>\", poisoned: false, .. }");
                let again: TryLockResult<_> = mutex.try_lock();
                assert!(matches!(again, Err(TryLockError::WouldBlock)));
                drop(again);
                drop(guard);
                let unsized_: &Mutex<[u8]> = &Mutex::new([1, 2]);
                assert_eq!(unsized_.lock().unwrap().len(), 2);
                let panics = catch_unwind(|| {
                    let _guard = mutex.lock();
                    panic!("it is meant to");
                });
                assert!(panics.is_err() && mutex.is_poisoned());
                let error: PoisonError<_> = mutex.lock().unwrap_err();
                assert_eq!(*error.into_inner(), 6);
                mutex.clear_poison();
                assert_eq!(mutex.into_inner().unwrap(), 6);
            }

            #[test]
            fn rwlock() {
                assert_eq!(*LOCK.read().unwrap(), 1);
                let mut lock: RwLock<u32> = RwLock::from(5);
                assert_eq!(*RwLock::<u32>::default().try_read().unwrap(), 0);
                *lock.get_mut().unwrap() += 1;
                shows(&lock, "RwLock { data: 6, poisoned: false, .. }");
                let mut guard = lock.write().unwrap();
                *guard += 1;
                shows(&guard, "7");
                displays(&guard, "7");
                shows(&lock, "RwLock { data: <locked>, poisoned: false, .. }");
                assert!(lock.try_read().is_err() && lock.try_write().is_err());
                let guard: RwLockReadGuard<'_, u32> = RwLockWriteGuard::downgrade(guard);
                shows(&guard, "7");
                displays(&guard, "7");
                assert_eq!(*lock.read().unwrap(), 7);
                drop(guard);
                let panics = catch_unwind(|| {
                    let _guard = lock.read();
                    panic!("it is meant to");
                });
                assert!(panics.is_err() && !lock.is_poisoned());
                let panics = catch_unwind(|| {
                    let _guard = lock.write();
                    panic!("it is meant to");
                });
                assert!(panics.is_err() && lock.is_poisoned());
                assert!(lock.read().is_err() && lock.try_write().is_err());
                lock.clear_poison();
                assert_eq!(lock.into_inner().unwrap(), 7);
            }

            #[test]
            fn condvar() {
                let mutex = Mutex::new(0);
                CONDVAR.notify_one();
                CONDVAR.notify_all();
                let guard = mutex.lock().unwrap();
                let (guard, late) = CONDVAR
                    .wait_timeout_while(guard, MOMENT, |value| *value == 0)
                    .unwrap();
                assert!(late.timed_out());
                let guard = CONDVAR.wait_while(guard, |value| *value != 0).unwrap();
                let waited = CONDVAR.wait_timeout(guard, MOMENT).unwrap();
                let (guard, _): (_, WaitTimeoutResult) = waited;
                std::thread::scope(|scope| {
                    scope.spawn(|| {
                        *mutex.lock().unwrap() = 1;
                        CONDVAR.notify_all();
                    });
                    let mut guard = guard;
                    while *guard == 0 {
                        guard = CONDVAR.wait(guard).unwrap();
                    }
                });
                shows(Condvar::default(), "Condvar { .. }");
            }

            #[test]
            fn once() {
                ONCE.call_once(|| ());
                ONCE.call_once_force(|_: &OnceState| unreachable!());
                ONCE.wait();
                ONCE.wait_force();
                assert!(ONCE.is_completed());
                let once = Once::new();
                let panics = AssertUnwindSafe(|| once.call_once(|| panic!("it is meant to")));
                assert!(catch_unwind(panics).is_err());
                assert!(catch_unwind(|| once.call_once(|| ())).is_err());
                assert!(catch_unwind(|| once.wait()).is_err());
                once.call_once_force(|state| assert!(state.is_poisoned()));
                shows(Once::new(), "Once { .. }");
            }

            #[test]
            fn once_lock() {
                assert_eq!(CELL.get(), None);
                assert_eq!(CELL.set(1), Ok(()));
                assert_eq!(CELL.set(2), Err(2));
                assert_eq!((CELL.get_or_init(|| 3), CELL.wait()), (&1, &1));
                let mut cell = OnceLock::from(5);
                assert_eq!(cell.clone(), cell);
                shows(&cell, "OnceLock(5)");
                *cell.get_mut().unwrap() += 1;
                assert_eq!(cell.take(), Some(6));
                shows(&cell, "OnceLock(<uninit>)");
                let panics = AssertUnwindSafe(|| *cell.get_or_init(|| panic!("it is meant to")));
                assert!(catch_unwind(panics).is_err());
                assert_eq!(*cell.get_or_init(|| 7), 7);
                assert_eq!(cell.into_inner(), Some(7));
                assert_eq!(OnceLock::<u8>::default().get(), None);
            }

            #[test]
            fn lazy_lock() {
                assert_eq!((*LAZY, LazyLock::get(&LAZY)), (1, Some(&1)));
                let mut lazy = LazyLock::new(|| 5);
                shows(&lazy, "LazyLock(<uninit>)");
                assert_eq!(LazyLock::get_mut(&mut lazy), None);
                *LazyLock::force_mut(&mut lazy) += 1;
                *lazy += 1;
                assert_eq!(LazyLock::force(&lazy), &7);
                shows(&lazy, "LazyLock(7)");
                assert_eq!(*LazyLock::<u8>::default(), 0);
                let lazy: LazyLock<u8> = LazyLock::new(|| panic!("it is meant to"));
                assert!(catch_unwind(|| *lazy).is_err());
                assert!(catch_unwind(|| *lazy).is_err());
            }

            #[test]
            fn barrier() {
                let passed: BarrierWaitResult = BARRIER.wait();
                assert!(passed.is_leader());
                shows(&passed, "BarrierWaitResult { is_leader: true }");
                shows(Barrier::new(2), "Barrier { .. }");
            }

            #[test]
            fn channels() {
                use mpsc::{
                    RecvError, RecvTimeoutError, SendError, TryRecvError, TrySendError,
                };
                let (sender, receiver) = mpsc::channel();
                sender.clone().send(1).unwrap();
                assert_eq!(receiver.recv(), Ok(1));
                assert_eq!(receiver.try_recv(), Err(TryRecvError::Empty));
                assert_eq!(receiver.recv_timeout(MOMENT), Err(RecvTimeoutError::Timeout));
                (2..6).for_each(|n| sender.send(n).unwrap());
                let first: Option<u32> = receiver.iter().next();
                let second = (&receiver).into_iter().next();
                assert_eq!((first, second), (Some(2), Some(3)));
                let rest: mpsc::TryIter<'_, u32> = receiver.try_iter();
                assert_eq!(rest.collect::<Vec<_>>(), [4, 5]);
                shows(&sender, "Sender { .. }");
                shows(&receiver, "Receiver { .. }");
                drop(sender);
                assert_eq!(receiver.recv(), Err(RecvError));
                assert_eq!(receiver.into_iter().next(), None);

                let (sender, receiver) = mpsc::sync_channel(1);
                sender.clone().send(1).unwrap();
                assert_eq!(sender.try_send(2), Err(TrySendError::Full(2)));
                shows(&sender, "SyncSender { .. }");
                drop(receiver);
                assert_eq!(sender.send(3), Err(SendError(3)));
                let error: Box<dyn std::error::Error> = Box::new(sender.send(3).unwrap_err());
                displays(error, "sending on a closed channel");
            }

            #[test]
            fn the_rest() {
                let shared = Arc::new(AtomicUsize::new(1));
                let weak: Weak<_> = Arc::downgrade(&shared);
                assert_eq!(weak.upgrade().unwrap().load(Ordering::SeqCst), 1);
            }
        }
    };
}

program!(by_std, std::sync);
program!(by_trefoil, trefoil::sync);

/// Handles of threads, as those of std, and what std does not have: all may go through `catch_unwind`.
#[test]
fn handles_and_the_other_objects_are_calm() {
    use std::panic::{RefUnwindSafe, UnwindSafe};
    use trefoil::sync::{
        CancellationToken, DropGuard, OwnedSemaphorePermit, Semaphore, SemaphorePermit, WaitGroup,
        oneshot,
    };
    use trefoil::thread::{Thread, ThreadId};

    fn calm<T: Send + Sync + UnwindSafe + RefUnwindSafe>() {}

    calm::<(std::thread::Thread, std::thread::ThreadId)>();
    calm::<(Thread, ThreadId)>();
    calm::<(CancellationToken, DropGuard)>();
    calm::<(Semaphore, SemaphorePermit<'_>, OwnedSemaphorePermit)>();
    calm::<WaitGroup>();
    calm::<(oneshot::Sender<u8>, oneshot::Receiver<u8>)>();
}
