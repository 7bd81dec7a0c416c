//! `thread_local!`: every thread has its own value, which ends with the thread.

use std::cell::{Cell, RefCell};
use std::sync::atomic::{AtomicU32, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use trefoil_runtime::cancel::Cancelled;
use trefoil_runtime::thread::{self, AccessError};
use trefoil_runtime::{Reason, thread_local};
use trefoil_sync::channel::{Receiver, bounded};

use crate::Subject;
use crate::subject::run;
use crate::witness::{Bomb, Token, Witness, join_all, refusal, until, until_waiting};

/// Threads that take turns have values of their own, wherever they run.
pub fn every_thread_has_its_own<S: Subject>() {
    thread_local!(static COUNT: Cell<u32> = const { Cell::new(0) });
    run::<S, _>(|| {
        COUNT.set(1000);
        let threads: Vec<_> = (0..40)
            .map(|number| {
                thread::spawn(move || {
                    for round in 0..number {
                        assert_eq!(COUNT.get(), round);
                        COUNT.set(round + 1);
                        thread::yield_now();
                    }
                    COUNT.get()
                })
            })
            .collect();
        assert!(join_all(threads).into_iter().eq(0..40));
        assert_eq!(COUNT.get(), 1000);
    });
}

/// A reference is good for as long as the closure runs, also over waits, while other threads make
/// and drop values of their own, and this one further values.
pub fn a_reference_outlives_waits<S: Subject>() {
    thread_local!(static NAME: RefCell<String> = RefCell::new(String::new()));
    macro_rules! others {
        ($($name:ident)*) => { $(thread_local!(static $name: Cell<usize> = Cell::new(1));)* };
    }
    others!(A B C D E F G H I J K L M N O P Q R S T U V W X Y Z);
    run::<S, _>(|| {
        let threads = [(); 8].map(|()| {
            thread::spawn(|| {
                NAME.with(|name| {
                    name.borrow_mut().push('a');
                    thread::sleep(Duration::from_millis(1));
                    // The table grows.
                    let sum: usize = [
                        &A, &B, &C, &D, &E, &F, &G, &H, &I, &J, &K, &L, &M, &N, &O, &P, &Q, &R, &S,
                        &T, &U, &V, &W, &X, &Y, &Z,
                    ]
                    .into_iter()
                    .map(|key| key.get())
                    .sum();
                    assert_eq!(sum, 26);
                    thread::spawn(|| NAME.with_borrow_mut(|name| name.push('b')))
                        .join()
                        .unwrap();
                    thread::yield_now();
                    name.borrow_mut().push('c');
                    assert_eq!(*name.borrow(), "ac");
                });
            })
        });
        join_all(threads);
    });
}

/// The initializer runs in each thread that uses the variable, once, and in no other.
pub fn it_is_made_at_the_first_use<S: Subject>() {
    static MADE: AtomicUsize = AtomicUsize::new(0);
    thread_local!(static VALUE: usize = MADE.fetch_add(1, Ordering::Relaxed));
    // Several subjects run this test at once, in one process.
    static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());
    let _one = ONE_AT_A_TIME.lock().unwrap();
    let before = MADE.load(Ordering::Relaxed);
    run::<S, _>(move || {
        join_all([(); 5].map(|()| thread::spawn(|| ())));
        assert_eq!(MADE.load(Ordering::Relaxed), before);
        let mut values = join_all([(); 5].map(|()| {
            thread::spawn(|| {
                let first = VALUE.with(|value| *value);
                thread::yield_now();
                assert_eq!(VALUE.with(|value| *value), first);
                first
            })
        }));
        values.sort_unstable();
        assert!(values.into_iter().eq(before..before + 5));
    });
}

mod declared {
    trefoil_runtime::thread_local! {
        /// With attributes, and seen from outside.
        #[allow(dead_code)]
        pub(super) static FIRST: u32 = 1;
        pub(super) static SECOND: std::cell::Cell<u32> = const { std::cell::Cell::new(2) };
        pub static THIRD: String = format!("{}", 1 + 2)
    }
    trefoil_runtime::thread_local!(static FOURTH: u64 = const { 4 });
    trefoil_runtime::thread_local!();
    // The names in an initializer are those of who writes it.
    trefoil_runtime::thread_local!(static FIFTH: u64 = init() + 1);

    fn init() -> u64 {
        4
    }

    pub(super) fn fifth() -> u64 {
        FIFTH.with(|value| *value)
    }

    pub(super) fn fourth() -> u64 {
        FOURTH.with(|value| *value)
    }
}

/// All forms of `std`'s macro, and all methods of its keys.
pub fn all_forms_are_those_of_std<S: Subject>() {
    thread_local! {
        static CELL: Cell<u32> = panic!("`set` comes first");
        static LIST: RefCell<Vec<u32>> = panic!("`set` comes first");
    }
    run::<S, _>(|| {
        assert_eq!(declared::FIRST.with(|value| *value), 1);
        assert_eq!(
            (declared::SECOND.replace(5), declared::SECOND.get()),
            (2, 5)
        );
        assert_eq!(declared::THIRD.try_with(String::clone).unwrap(), "3");
        assert_eq!((declared::fourth(), declared::fifth()), (4, 5));
        CELL.set(7);
        CELL.set(8);
        assert_eq!((CELL.take(), CELL.get()), (8, 0));
        LIST.set(vec![1]);
        LIST.with_borrow_mut(|list| list.push(2));
        assert_eq!(LIST.with_borrow(Vec::len), 2);
        assert_eq!(LIST.replace(vec![3]), [1, 2]);
        LIST.set(vec![4]);
        assert_eq!((LIST.take(), LIST.take()), (vec![4], vec![]));
    });
}

thread_local!(static KEPT: RefCell<Vec<Token>> = RefCell::new(Vec::new()));

fn keep(token: Token) {
    KEPT.with_borrow_mut(|kept| kept.push(token));
}

/// Who has joined a thread finds its values dropped.
pub fn they_are_dropped_before_the_joiner_is_told<S: Subject>() {
    run::<S, _>(|| {
        for round in 1..50 {
            let witness = Witness::new();
            let token = witness.token();
            let thread = thread::spawn(move || {
                keep(token);
                if round % 2 == 0 {
                    thread::yield_now();
                }
            });
            thread.join().unwrap();
            assert_eq!(witness.dropped(), 1);
        }
    });
}

/// And so does who leaves a scope, also if a child's handle is gone.
pub fn they_are_dropped_before_a_scope_ends<S: Subject>() {
    run::<S, _>(|| {
        let witness = Witness::new();
        thread::scope(|scope| {
            for _ in 0..20 {
                let token = witness.token();
                drop(scope.spawn(move || keep(token)));
            }
        });
        assert_eq!(witness.dropped(), 20);
    });
}

/// However a thread ends: by a panic, by a cancellation, detached, or as the first thread.
pub fn they_are_dropped_at_any_end<S: Subject>() {
    let witness = Witness::new();
    let tokens = [(); 4].map(|()| witness.token());
    let counted = witness.clone();
    let cancelled = run::<S, _>(move || {
        let [first, panics, detached, parked] = tokens;
        keep(first);
        let panics = thread::spawn(move || {
            keep(panics);
            panic!("it is meant to");
        });
        assert!(panics.join().is_err());
        assert_eq!(counted.dropped(), 1);
        drop(thread::spawn(move || keep(detached)));
        until(|| counted.dropped() == 2);
        let parked = thread::spawn(move || {
            keep(parked);
            thread::park();
        });
        until_waiting(parked.thread(), Reason::Park);
        assert_eq!(counted.dropped(), 2);
        parked
    });
    assert_eq!(witness.dropped(), 4);
    assert!(cancelled.join().unwrap_err().is::<Cancelled>());
}

/// Tells a list when it is dropped.
struct Tells(&'static str, Arc<Mutex<Vec<&'static str>>>);

impl Drop for Tells {
    fn drop(&mut self) {
        self.1.lock().unwrap().push(self.0);
    }
}

/// Values are dropped in the reverse order in which the thread first used them.
pub fn the_youngest_is_dropped_first<S: Subject>() {
    thread_local! {
        static ONE: RefCell<Option<Tells>> = const { RefCell::new(None) };
        static TWO: RefCell<Option<Tells>> = const { RefCell::new(None) };
        static THREE: RefCell<Option<Tells>> = const { RefCell::new(None) };
    }
    let list = Arc::new(Mutex::new(Vec::new()));
    let told = Arc::clone(&list);
    run::<S, _>(move || {
        let thread = thread::spawn(move || {
            for (key, name) in [(&TWO, "two"), (&THREE, "three"), (&ONE, "one")] {
                key.set(Some(Tells(name, Arc::clone(&told))));
            }
            told.lock().unwrap().push("closure");
        });
        thread.join().unwrap();
    });
    assert_eq!(*list.lock().unwrap(), ["closure", "one", "three", "two"]);
}

struct Waits(Receiver<Token>);
impl Drop for Waits {
    fn drop(&mut self) {
        thread::yield_now();
        thread::sleep(Duration::from_millis(1));
        let _token = self.0.recv().unwrap();
    }
}

/// A destructor may wait, for as long as it takes; nobody is told before.
pub fn a_destructor_may_wait<S: Subject>() {
    thread_local!(static WAITS: RefCell<Option<Waits>> = const { RefCell::new(None) });
    run::<S, _>(|| {
        let (go, gate) = bounded(1);
        let witness = Witness::new();
        let thread = thread::spawn(move || WAITS.set(Some(Waits(gate))));
        until_waiting(thread.thread(), Reason::Receive);
        assert!(!thread.is_finished());
        go.send(witness.token()).unwrap();
        thread.join().unwrap();
        assert_eq!(witness.dropped(), 1);
    });
}

/// In a thread that was asked to end, a wait of a destructor that is a cancellation point is left: the
/// thread ends, and its other values are dropped.
pub fn a_destructor_of_an_ended_thread_is_left<S: Subject>() {
    struct Parks(Witness);
    impl Drop for Parks {
        fn drop(&mut self) {
            let _token = self.0.token();
            thread::park();
        }
    }
    thread_local!(static PARKS: RefCell<Option<Parks>> = const { RefCell::new(None) });
    let witness = Witness::new();
    let (seen, token) = (witness.clone(), witness.token());
    let handle = run::<S, _>(move || {
        let thread = thread::spawn(move || {
            keep(token);
            PARKS.set(Some(Parks(seen)));
            thread::park();
        });
        until_waiting(thread.thread(), Reason::Park);
        thread
    });
    assert_eq!(witness.dropped(), 2);
    assert!(handle.join().unwrap_err().is::<Cancelled>());
}

/// A destructor may use other variables, older ones and such as the thread has not used before. Its
/// own is gone.
pub fn a_destructor_may_use_others<S: Subject>() {
    struct Uses(Arc<Mutex<Vec<&'static str>>>);
    impl Drop for Uses {
        fn drop(&mut self) {
            assert!(matches!(USES.try_with(|_| ()), Err(AccessError { .. })));
            let said = refusal(|| USES.with(|_| ()));
            assert!(said.contains("thread-local"), "{said}");
            assert_eq!(OLD.get(), 5);
            self.0.lock().unwrap().push("uses");
            NEW.set(Some(Tells("new", Arc::clone(&self.0))));
        }
    }
    thread_local! {
        static OLD: Cell<u32> = const { Cell::new(0) };
        static USES: RefCell<Option<Uses>> = const { RefCell::new(None) };
        static NEW: RefCell<Option<Tells>> = const { RefCell::new(None) };
    }
    let list = Arc::new(Mutex::new(Vec::new()));
    let told = Arc::clone(&list);
    run::<S, _>(move || {
        let thread = thread::spawn(move || {
            OLD.set(5);
            USES.set(Some(Uses(told)));
        });
        thread.join().unwrap();
    });
    // It was not left early by an assertion: then there would be nothing new.
    assert_eq!(*list.lock().unwrap(), ["uses", "new"]);
}

/// A destructor's panic ends there: the other values are dropped, and the thread keeps its result.
pub fn a_panic_of_a_destructor_ends_there<S: Subject>() {
    thread_local!(static BOMB: RefCell<Option<Bomb>> = const { RefCell::new(None) });
    run::<S, _>(|| {
        let witness = Witness::new();
        let (before, after) = (witness.token(), witness.token());
        let thread = thread::spawn(move || {
            keep(before);
            BOMB.set(Some(Bomb));
            thread_local!(static LATE: RefCell<Option<Token>> = const { RefCell::new(None) });
            LATE.set(Some(after));
            9
        });
        assert_eq!(thread.join().unwrap(), 9);
        assert_eq!(witness.dropped(), 2);
    });
}

/// Keeps its token in a variable of the thread that drops it.
struct Keeps(Option<Token>);

impl Drop for Keeps {
    fn drop(&mut self) {
        keep(self.0.take().unwrap());
    }
}

/// A result that nobody asks for may use the thread's variables when it is dropped, also at the very
/// last moment; nothing is left behind.
pub fn a_detached_result_may_use_them<S: Subject>() {
    run::<S, _>(|| {
        for round in 0..200_u32 {
            let witness = Witness::new();
            let result = Keeps(Some(witness.token()));
            let thread = thread::spawn(move || result);
            (0..round % 40).for_each(|_| std::hint::spin_loop());
            if round % 3 == 0 {
                thread::yield_now();
            }
            drop(thread);
            until(|| {
                // If the thread had ended already, it was dropped here, and our own variable has it.
                KEPT.take();
                witness.dropped() == 1
            });
        }
    });
}

/// The handle goes while the thread drops its variables: then the result is dropped after them, and
/// what it leaves in others is dropped too.
pub fn a_result_that_is_left_late_may_use_them<S: Subject>() {
    thread_local!(static WAITS: RefCell<Option<Waits>> = const { RefCell::new(None) });
    run::<S, _>(|| {
        let (go, gate) = bounded(1);
        let witness = Witness::new();
        let result = Keeps(Some(witness.token()));
        let thread = thread::spawn(move || {
            WAITS.set(Some(Waits(gate)));
            result
        });
        until_waiting(thread.thread(), Reason::Receive);
        drop(thread);
        assert_eq!(witness.dropped(), 0);
        go.send(witness.token()).unwrap();
        until(|| witness.dropped() == 2);
    });
}

/// An initializer may wait; its panic leaves nothing; if it uses its own variable, the first value
/// stays.
pub fn an_initializer_may_do_anything<S: Subject>() {
    static TRIES: AtomicU32 = AtomicU32::new(0);
    thread_local! {
        static WAITS: u32 = {
            thread::sleep(Duration::from_millis(1));
            thread::yield_now();
            3
        };
        static PANICS: Cell<u32> = {
            TRIES.fetch_add(1, Ordering::Relaxed);
            panic!("the initializer panics here")
        };
        static ITSELF: RefCell<Vec<u32>> = {
            if ITSELF_BEGUN.replace(true) {
                RefCell::new(vec![2])
            } else {
                ITSELF.with_borrow_mut(|list| list.push(3));
                RefCell::new(vec![1])
            }
        };
        static ITSELF_BEGUN: Cell<bool> = const { Cell::new(false) };
    }
    run::<S, _>(|| {
        let values = join_all([(); 6].map(|()| thread::spawn(|| WAITS.with(|value| *value))));
        assert_eq!(values, [3; 6]);
        for _ in 0..2 {
            assert_eq!(refusal(|| PANICS.get()), "the initializer panics here");
        }
        assert!(TRIES.load(Ordering::Relaxed) >= 2);
        PANICS.set(1);
        assert_eq!(PANICS.get(), 1);
        ITSELF.with_borrow(|list| assert_eq!(*list, [2, 3]));
    });
}

/// A panic of what is called with the value comes out, and the value stays, as it was left.
pub fn a_panic_inside_leaves_the_value<S: Subject>() {
    thread_local! {
        static LIST: RefCell<Vec<u32>> = const { RefCell::new(Vec::new()) };
        static MADE: Cell<u32> = const { Cell::new(0) };
    }
    run::<S, _>(|| {
        let said = refusal(|| {
            LIST.with_borrow_mut(|list| {
                list.push(1);
                thread::yield_now();
                panic!("what was called panics here");
            })
        });
        assert_eq!(said, "what was called panics here");
        // It is not borrowed any more.
        LIST.with_borrow_mut(|list| list.push(2));
        refusal(|| LIST.with_borrow(|_| panic!("what was called panics here")));
        refusal(|| {
            let called = MADE.try_with(|made| {
                made.set(3);
                panic!("what was called panics here");
            });
            called.unwrap()
        });
        assert_eq!((LIST.take(), MADE.get()), (vec![1, 2], 3));
    });
}

/// A thread may lend its value to the threads of a scope.
pub fn a_value_may_be_lent<S: Subject>() {
    thread_local!(static SUM: AtomicU32 = const { AtomicU32::new(0) });
    run::<S, _>(|| {
        SUM.with(|sum| {
            thread::scope(|scope| {
                for n in 1..=10 {
                    scope.spawn(move || {
                        thread::yield_now();
                        sum.fetch_add(n, Ordering::Relaxed);
                        assert_eq!(SUM.with(|own| own.load(Ordering::Relaxed)), 0);
                    });
                }
            });
            assert_eq!(sum.load(Ordering::Relaxed), 55);
        });
    });
}

/// A plain `std::thread` has its own too, which are dropped at its end. Its destructors may use
/// others.
pub fn a_plain_thread_has_some<S: Subject>() {
    run::<S, _>(|| {
        let witness = Witness::new();
        let tokens = [witness.token(), witness.token()];
        let plain = std::thread::spawn(move || {
            struct Late(Option<Token>);
            impl Drop for Late {
                fn drop(&mut self) {
                    keep(self.0.take().unwrap());
                }
            }
            thread_local!(static LATE: RefCell<Option<Late>> = const { RefCell::new(None) });
            let [one, other] = tokens;
            LATE.set(Some(Late(Some(one))));
            let inner = thread::current().id();
            keep(other);
            inner
        });
        let inner = thread::blocking(|| plain.join().unwrap());
        assert_ne!(inner, thread::current().id());
        assert_eq!(witness.dropped(), 2);
        assert!(KEPT.with_borrow(Vec::is_empty));
    });
}
