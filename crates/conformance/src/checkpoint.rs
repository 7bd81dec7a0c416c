//! `thread::checkpoint`: who computes lets others run, and can be ended.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use trefoil_runtime::cancel::Cancelled;
use trefoil_runtime::thread;

use crate::Subject;
use crate::subject::run;
use crate::witness::{Witness, sentence, until};

/// A thread that computes until another one says so ends, for that one gets its turn. With few
/// instructions in a round and with many.
pub fn others_get_their_turn<S: Subject>() {
    run::<S, _>(|| {
        for work in [0, 100_000] {
            let stop = Arc::new(AtomicBool::new(false));
            let hogs = [(); 3].map(|()| {
                let stop = Arc::clone(&stop);
                thread::spawn(move || {
                    let mut rounds = 0_u64;
                    while !stop.load(Ordering::Relaxed) {
                        (0..work).for_each(|_| std::hint::spin_loop());
                        rounds += 1;
                        thread::checkpoint();
                    }
                    rounds
                })
            });
            thread::spawn(move || stop.store(true, Ordering::Relaxed))
                .join()
                .unwrap();
            for hog in hogs {
                hog.join().unwrap();
            }
        }
    });
}

/// Timers go on beside threads that compute.
pub fn timers_come<S: Subject>() {
    run::<S, _>(|| {
        let stop = Arc::new(AtomicBool::new(false));
        let hogs = [(); 3].map(|()| {
            let stop = Arc::clone(&stop);
            thread::spawn(move || {
                while !stop.load(Ordering::Relaxed) {
                    thread::checkpoint();
                }
            })
        });
        thread::sleep(Duration::from_millis(2));
        stop.store(true, Ordering::Relaxed);
        for hog in hogs {
            hog.join().unwrap();
        }
    });
}

/// It is a cancellation point: a thread that computes for ever ends with its run.
pub fn a_computing_thread_is_ended<S: Subject>() {
    let witness = Witness::new();
    let tokens = [(); 3].map(|()| witness.token());
    let hogs = run::<S, _>(move || {
        let begun = Arc::new(AtomicBool::new(false));
        let hogs = tokens.map(|token| {
            let begun = Arc::clone(&begun);
            thread::spawn(move || {
                let _token = token;
                loop {
                    begun.store(true, Ordering::Relaxed);
                    thread::checkpoint();
                }
            })
        });
        until(|| begun.load(Ordering::Relaxed));
        hogs
    });
    assert_eq!(witness.dropped(), 3);
    for hog in hogs {
        let payload: Box<dyn std::any::Any + Send> = match hog.join() {
            Ok(never) => never,
            Err(payload) => payload,
        };
        assert!(payload.is::<Cancelled>());
    }
}

/// Not while the thread unwinds: a destructor that computes does so to its end, although the run is
/// over and the thread was asked to end.
pub fn a_destructor_may_compute<S: Subject>() {
    struct Computes {
        first: Witness,
        begun: Arc<AtomicBool>,
    }
    impl Drop for Computes {
        fn drop(&mut self) {
            self.begun.store(true, Ordering::Release);
            // Until the first thread has ended, and then for long: it is asked meanwhile.
            while self.first.dropped() == 0 {
                thread::checkpoint();
            }
            (0..1_000_000).for_each(|_| thread::checkpoint());
        }
    }
    let panics = run::<S, _>(move || {
        let (first, begun) = (Witness::new(), Arc::new(AtomicBool::new(false)));
        let _token = first.token();
        let begins = Arc::clone(&begun);
        let panics = thread::spawn(move || {
            let _computes = Computes {
                first,
                begun: begins,
            };
            panic!("this is the panic of the thread");
        });
        until(|| begun.load(Ordering::Acquire));
        panics
    });
    let payload: Box<dyn std::any::Any + Send> = match panics.join() {
        Ok(never) => never,
        Err(payload) => payload,
    };
    assert_eq!(sentence(&*payload), "this is the panic of the thread");
}

/// On a plain `std::thread`, and in a blocking call, it returns.
pub fn a_plain_thread_goes_on<S: Subject>() {
    fn many() {
        (0..100_000).for_each(|_| thread::checkpoint());
    }
    run::<S, _>(|| {
        let plain = std::thread::spawn(many);
        thread::blocking(|| plain.join().unwrap());
        thread::blocking(many);
    });
    many();
}
