//! What holds of threads that migrate, and is the opposite of Rule 1 or comes with it.

mod support;

use std::hint::spin_loop;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc;
use std::time::Duration;

use trefoil_hybrid::{Builder, Runtime};
use trefoil_runtime::thread::{self, Thread};

use support::ends;

fn runtime(workers: usize) -> Runtime {
    let builder = Builder::new().workers(workers);
    // SAFETY: the threads below hold nothing of an OS thread's own over a wait, and ask on which one they are by a
    // function that is not inlined. Those that wait in an unwinding panic themselves.
    unsafe { builder.migrating() }.build().unwrap()
}

/// On which OS thread the caller is.
#[inline(never)]
fn here() -> std::thread::ThreadId {
    std::thread::current().id()
}

/// Computes until it is set: its worker runs nobody else.
fn compute_until(sign: &AtomicBool) {
    while !sign.load(Ordering::Acquire) {
        spin_loop();
    }
}

#[test]
fn a_ready_thread_of_a_busy_worker_is_gone_on_with_by_another() {
    ends("the thread waits for its worker, which computes", || {
        let runtime = runtime(2);
        for _ in 0..50 {
            runtime.run(|| {
                let done = Arc::new(AtomicBool::new(false));
                let its_done = Arc::clone(&done);
                let waits = thread::spawn(move || {
                    thread::park();
                    its_done.store(true, Ordering::Release);
                    here()
                });
                while !is_parked(waits.thread()) {
                    thread::yield_now();
                }
                let computes_on = here();
                // It is ready on this worker, which does not come back to its loop before it has run.
                waits.thread().unpark();
                compute_until(&done);
                assert_ne!(waits.join().unwrap(), computes_on);
            });
        }
    });
}

fn is_parked(thread: &Thread) -> bool {
    let parks = |it: &trefoil_runtime::ThreadInfo| it.id == thread.id() && it.waiting.is_some();
    trefoil_runtime::threads().iter().any(parks)
}

#[test]
fn who_yields_behind_one_that_computes_goes_on() {
    ends("the threads wait for a worker that computes", || {
        runtime(2).run(|| {
            let done = Arc::new(AtomicBool::new(false));
            let turns = Arc::new(AtomicUsize::new(0));
            let yields: Vec<_> = (0..4)
                .map(|_| {
                    let (done, turns) = (Arc::clone(&done), Arc::clone(&turns));
                    thread::spawn(move || {
                        for _ in 0..100 {
                            thread::yield_now();
                        }
                        if turns.fetch_add(1, Ordering::AcqRel) == 3 {
                            done.store(true, Ordering::Release);
                        }
                    })
                })
                .collect();
            thread::yield_now();
            compute_until(&done);
            yields.into_iter().for_each(|it| it.join().unwrap());
        });
    });
}

#[test]
fn whoever_wakes_it_from_outside_it_is_gone_on_with() {
    ends("a wake-up from outside is lost", || {
        let runtime = runtime(2);
        for _ in 0..200 {
            let (tell, told) = mpsc::channel::<Thread>();
            let wakes = std::thread::spawn(move || told.iter().for_each(|it| it.unpark()));
            runtime.run(move || {
                let threads: Vec<_> = (0..8)
                    .map(|_| {
                        let tell = tell.clone();
                        thread::spawn(move || {
                            tell.send(thread::current()).unwrap();
                            thread::park();
                        })
                    })
                    .collect();
                threads.into_iter().for_each(|it| it.join().unwrap());
            });
            wakes.join().unwrap();
        }
    });
}

/// `std` counts panics by OS thread: who waits in an unwinding goes on where it was, and what is counted there is
/// right afterwards, on all workers.
#[test]
fn who_waits_in_an_unwinding_stays() {
    struct WaitsInDrop;
    impl Drop for WaitsInDrop {
        fn drop(&mut self) {
            assert!(std::thread::panicking());
            // From here on it is bound.
            thread::yield_now();
            let begun_on = here();
            for turn in 0..20 {
                if turn % 2 == 0 {
                    thread::yield_now();
                } else {
                    thread::park_timeout(Duration::from_micros(50));
                }
                assert_eq!(here(), begun_on);
                assert!(std::thread::panicking());
            }
        }
    }
    ends("a thread that unwinds does not come to its end", || {
        let runtime = runtime(3);
        for _ in 0..20 {
            runtime.run(|| {
                let threads: Vec<_> = (0..12_usize)
                    .map(|number| {
                        thread::spawn(move || {
                            if number % 3 == 0 {
                                let _waits = WaitsInDrop;
                                std::panic::resume_unwind(Box::new(number));
                            }
                            (0..50).for_each(|_| thread::yield_now());
                        })
                    })
                    .collect();
                for (number, thread) in threads.into_iter().enumerate() {
                    let ended = thread.join().map_err(|it| *it.downcast::<usize>().unwrap());
                    assert_eq!(ended, if number % 3 == 0 { Err(number) } else { Ok(()) });
                }
                assert!(!std::thread::panicking());
            });
        }
    });
}

#[test]
fn a_local_thread_stays() {
    ends("a local thread is lost", || {
        runtime(3).run(|| {
            let stayed = Arc::new(AtomicUsize::new(0));
            let threads: Vec<_> = (0..8)
                .map(|_| {
                    let stayed = Arc::clone(&stayed);
                    thread::spawn(move || {
                        let begun_on = here();
                        let local = thread::spawn_local(move || {
                            assert_eq!(here(), begun_on);
                            for _ in 0..50 {
                                thread::yield_now();
                                thread::park_timeout(Duration::from_micros(20));
                                let inner = thread::spawn_local(here);
                                assert_eq!(inner.join().unwrap(), begun_on);
                                thread::spawn(thread::yield_now).join().unwrap();
                                assert_eq!(here(), begun_on);
                            }
                            stayed.fetch_add(1, Ordering::Relaxed);
                        });
                        // The handle is not `Send`, and not held over a wait.
                        local.thread().clone()
                    })
                })
                .collect();
            for thread in threads {
                let local = thread.join().unwrap();
                while trefoil_runtime::threads()
                    .iter()
                    .any(|it| it.id == local.id())
                {
                    thread::yield_now();
                }
            }
            assert_eq!(stayed.load(Ordering::Relaxed), 8);
        });
    });
}

/// A timer is in the wheel of the worker that armed it. It keeps no thread for longer than it would otherwise live,
/// wherever it is taken back.
#[test]
fn timers_that_are_taken_back_elsewhere_leave_nothing() {
    ends("a thread with a timer is lost", || {
        let runtime = runtime(3);
        let seen = Arc::new(());
        let counted = Arc::clone(&seen);
        runtime.run(move || {
            let threads: Vec<_> = (0..16)
                .map(|_| {
                    let seen = Arc::clone(&counted);
                    thread::spawn(move || {
                        let me = thread::current();
                        for _ in 0..200 {
                            let me = me.clone();
                            let wakes = thread::spawn(move || me.unpark());
                            // A wake-up ends it, or the join's does.
                            thread::park_timeout(Duration::from_secs(3600));
                            wakes.join().unwrap();
                        }
                        drop(seen);
                    })
                })
                .collect();
            threads.into_iter().for_each(|it| it.join().unwrap());
        });
        drop(runtime);
        assert_eq!(Arc::strong_count(&seen), 1);
    });
}

#[test]
fn its_workers_end() {
    ends("a worker does not end", || {
        for workers in [1, 2, 4] {
            for _ in 0..30 {
                let runtime = runtime(workers);
                let sum = runtime.run(|| {
                    let fork = |n: u64| {
                        thread::spawn(move || {
                            thread::yield_now();
                            n
                        })
                    };
                    let threads: Vec<_> = (0..20).map(fork).collect();
                    threads
                        .into_iter()
                        .map(|it| it.join().unwrap())
                        .sum::<u64>()
                });
                assert_eq!(sum, 190);
            }
        }
    });
}
