//! `sync::LazyLock`: a value that its first reader makes.

use std::panic::{self, AssertUnwindSafe};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use trefoil_runtime::cancel::Cancelled;
use trefoil_runtime::{Reason, thread};
use trefoil_sync::LazyLock;
use trefoil_sync::channel::{Receiver, bounded};

use crate::Subject;
use crate::subject::run;
use crate::witness::{Witness, join_all, refusal, until_waiting};

/// Of a thousand threads one makes the value, which may wait in doing so; all see it.
pub fn one_of_a_thousand_makes_it<S: Subject>() {
    run::<S, _>(|| {
        let made = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&made);
        let lazy = Arc::new(LazyLock::new(move || {
            (0..5).for_each(|_| thread::yield_now());
            count.fetch_add(1, Ordering::SeqCst) + 41
        }));
        assert_eq!(LazyLock::get(&lazy), None);
        let threads: Vec<_> = (0..1000)
            .map(|_| {
                let lazy = Arc::clone(&lazy);
                thread::spawn(move || assert_eq!(**lazy, 41))
            })
            .collect();
        join_all(threads);
        assert_eq!(made.load(Ordering::SeqCst), 1);
        assert_eq!(LazyLock::get(&lazy), Some(&41));
    });
}

/// Who comes while another one makes it waits, and shows that it does.
pub fn the_others_wait<S: Subject>() {
    run::<S, _>(|| {
        let (tell, told) = bounded(0);
        let lazy = Arc::new(LazyLock::new(move || told.recv().unwrap()));
        let threads = [Reason::Receive, Reason::Once].map(|reason| {
            let lazy = Arc::clone(&lazy);
            let thread = thread::spawn(move || **lazy);
            until_waiting(thread.thread(), reason);
            thread
        });
        tell.send(3).unwrap();
        assert_eq!(threads.map(|thread| thread.join().unwrap()), [3, 3]);
    });
}

/// A closure that panics poisons it: who waits and who comes later panics, with a sentence.
pub fn a_panic_poisons_it<S: Subject>() {
    run::<S, _>(|| {
        let (tell, told) = bounded::<()>(0);
        let lazy = Arc::new(LazyLock::new(move || -> u32 {
            told.recv().unwrap();
            panic!("it is meant to")
        }));
        let threads = [Reason::Receive, Reason::Once].map(|reason| {
            let lazy = Arc::clone(&lazy);
            let thread = thread::spawn(move || **lazy);
            until_waiting(thread.thread(), reason);
            thread
        });
        tell.send(()).unwrap();
        for thread in threads {
            assert!(thread.join().is_err());
        }
        assert!(refusal(|| **lazy).contains("poisoned"));
        assert_eq!(LazyLock::get(&lazy), None);
        let Ok(mut lazy) = Arc::try_unwrap(lazy) else {
            panic!("the threads have ended");
        };
        let forced = AssertUnwindSafe(|| *LazyLock::force_mut(&mut lazy));
        assert!(panic::catch_unwind(forced).is_err());
    });
}

/// The closure of a value that was never used is dropped, and so is a value.
pub fn what_it_holds_is_dropped<S: Subject>() {
    let (closures, values) = (Witness::new(), Witness::new());
    let (closure, value) = (closures.clone(), values.clone());
    run::<S, _>(move || {
        let make = || {
            let (token, value) = (closure.token(), value.token());
            LazyLock::new(move || {
                drop(token);
                value
            })
        };
        drop(make());
        assert_eq!((closure.dropped(), value.dropped()), (1, 1));
        let lazy = make();
        LazyLock::force(&lazy);
        assert_eq!((closure.dropped(), value.dropped()), (2, 1));
    });
    assert_eq!((closures.dropped(), values.dropped()), (2, 2));
}

/// A thread that is cancelled while it makes the value has used the closure up: who waited gets
/// a panic, and nobody waits for ever.
pub fn a_cancelled_closure_leaves_nobody_waiting<S: Subject>() {
    type Lazy = LazyLock<u32, Box<dyn FnOnce() -> u32 + Send>>;
    fn never(told: Receiver<u32>) -> Lazy {
        LazyLock::new(Box::new(move || told.recv().unwrap()))
    }
    let (_tell, told) = bounded(0);
    let lazy = Arc::new(never(told));
    let shared = Arc::clone(&lazy);
    let threads = run::<S, _>(move || {
        [Reason::Receive, Reason::Once].map(|reason| {
            let lazy = Arc::clone(&shared);
            let thread = thread::spawn(move || **lazy);
            until_waiting(thread.thread(), reason);
            thread
        })
    });
    let [first, second] = threads.map(|thread| thread.join().unwrap_err());
    assert!(first.is::<Cancelled>());
    assert!(!second.is::<Cancelled>());
    assert!(refusal(|| **lazy).contains("poisoned"));
}
