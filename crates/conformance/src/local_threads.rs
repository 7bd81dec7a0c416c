//! `thread::spawn_local`: threads that stay with who spawns them, and need not be `Send`. Kernel
//! threads have none, and say so.

use std::cell::{Cell, RefCell};
use std::io;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use trefoil_runtime::cancel::Cancelled;
use trefoil_runtime::thread::{self, Builder, LocalJoinHandle};
use trefoil_runtime::{Model, Reason};
use trefoil_sync::channel::{bounded, unbounded};

use crate::Subject;
use crate::subject::run;
use crate::witness::{Witness, refusal, until, until_waiting};

/// Whether the subject has local threads. If not, it says so. Where threads migrate a promise would hold what is not
/// `Send` over a wait, which that mode forbids.
fn has_some<S: Subject>() -> bool {
    let has_some = S::MODEL != Model::Kernel;
    run::<S, _>(move || match Builder::new().spawn_local(|| 1) {
        Ok(thread) => {
            assert!(has_some);
            assert_eq!(thread.join().unwrap(), 1);
        }
        Err(refused) => {
            assert!(!has_some);
            assert_refused(&refused);
            let said = refusal(|| thread::spawn_local(|| 1));
            assert!(said.contains("local thread"), "{said}");
        }
    });
    has_some && !S::migrates()
}

#[track_caller]
fn assert_refused(refused: &io::Error) {
    assert_eq!(refused.kind(), io::ErrorKind::Unsupported, "{refused}");
    assert!(refused.to_string().contains("green or hybrid"), "{refused}");
}

fn join_all<T>(threads: impl IntoIterator<Item = LocalJoinHandle<T>>) -> Vec<T> {
    threads
        .into_iter()
        .map(|thread| thread.join().unwrap())
        .collect()
}

/// What is shared and what is returned need not be `Send`.
pub fn what_is_shared_need_not_be_send<S: Subject>() {
    if !has_some::<S>() {
        return;
    }
    run::<S, _>(|| {
        let shared = Rc::new(RefCell::new(Vec::new()));
        let threads: Vec<_> = (0..100)
            .map(|number| {
                let shared = Rc::clone(&shared);
                thread::spawn_local(move || {
                    shared.borrow_mut().push(number);
                    thread::yield_now();
                    Rc::new(number)
                })
            })
            .collect();
        let values: Vec<u32> = join_all(threads).into_iter().map(|value| *value).collect();
        assert!(values.into_iter().eq(0..100));
        assert_eq!(shared.borrow().len(), 100);
        assert_eq!(Rc::strong_count(&shared), 1);
    });
}

/// It starts where it is spawned, also if that worker computes and others have nothing to do; and
/// the threads that it spawns in turn do.
pub fn it_starts_on_this_very_worker<S: Subject>() {
    if !has_some::<S>() {
        return;
    }
    run::<S, _>(|| {
        let everywhere: Vec<_> = (0..8)
            .map(|_| {
                thread::spawn(|| {
                    let here = std::thread::current().id();
                    for _ in 0..20 {
                        let locals = [(); 5].map(|()| {
                            thread::spawn_local(move || {
                                assert_eq!(std::thread::current().id(), here);
                                let inner = thread::spawn_local(|| std::thread::current().id());
                                assert_eq!(inner.join().unwrap(), here);
                                assert_eq!(std::thread::current().id(), here);
                            })
                        });
                        // Ordinary ones that may be stolen meanwhile.
                        let others = [(); 3].map(|()| thread::spawn(|| ()));
                        (0..10_000).for_each(|_| std::hint::spin_loop());
                        join_all(locals);
                        for other in others {
                            other.join().unwrap();
                        }
                    }
                })
            })
            .collect();
        for thread in everywhere {
            thread.join().unwrap();
        }
    });
}

/// It waits, and is woken, like any other: also by threads of other workers.
pub fn it_waits_like_others<S: Subject>() {
    if !has_some::<S>() {
        return;
    }
    run::<S, _>(|| {
        let (send, receive) = unbounded::<u32>();
        let (there, back) = bounded(0);
        let sum = Rc::new(Cell::new(0));
        let adder = {
            let sum = Rc::clone(&sum);
            thread::spawn_local(move || {
                for number in receive {
                    sum.set(sum.get() + number);
                    there.send(number).unwrap();
                }
            })
        };
        let senders = [(); 4].map(|()| {
            let (send, back) = (send.clone(), back.clone());
            thread::spawn(move || {
                for number in 1..=50 {
                    send.send(number).unwrap();
                    back.recv().unwrap();
                }
            })
        });
        drop(send);
        for sender in senders {
            sender.join().unwrap();
        }
        adder.join().unwrap();
        assert_eq!(sum.get(), 4 * 1275);
    });
}

/// Panics on any other OS thread than the one that made it.
struct StaysHere(std::thread::ThreadId, Witness);

impl StaysHere {
    fn new(witness: &Witness) -> StaysHere {
        StaysHere(std::thread::current().id(), witness.clone())
    }
}

impl Drop for StaysHere {
    fn drop(&mut self) {
        if self.0 == std::thread::current().id() {
            drop(self.1.token());
        }
    }
}

/// Its closure and its result are dropped where it is: joined, detached, by a panic, cancelled while
/// it waits or before it began.
pub fn what_it_has_is_dropped_here<S: Subject>() {
    if !has_some::<S>() {
        return;
    }
    let witness = Witness::new();
    let seen = witness.clone();
    run::<S, _>(move || {
        drop(thread::spawn_local({
            let here = StaysHere::new(&seen);
            move || here
        }));
        until(|| seen.dropped() == 1);
        let ended = thread::spawn_local({
            let here = StaysHere::new(&seen);
            move || here
        });
        until(|| ended.is_finished());
        assert_eq!(seen.dropped(), 1);
        drop(ended);
        assert_eq!(seen.dropped(), 2);
        let panics = thread::spawn_local({
            let here = StaysHere::new(&seen);
            move || {
                let _here = here;
                panic!("it is meant to");
            }
        });
        assert!(panics.join().is_err());
        assert_eq!(seen.dropped(), 3);
        let parked = thread::spawn_local({
            let here = StaysHere::new(&seen);
            move || {
                let _here = here;
                thread::park();
            }
        });
        until_waiting(parked.thread(), Reason::Park);
        // This one has not begun when the run ends.
        let here = StaysHere::new(&seen);
        drop(thread::spawn_local(move || drop(here)));
    });
    assert_eq!(witness.dropped(), 5);
}

/// A joiner gets the payload of a panic, and `Cancelled` of a thread that was cancelled.
pub fn a_panic_arrives_at_join<S: Subject>() {
    if !has_some::<S>() {
        return;
    }
    let joined = Arc::new(AtomicBool::new(false));
    let mark = Arc::clone(&joined);
    run::<S, _>(move || {
        let panics = thread::spawn_local(|| panic!("this is the panic of the thread"));
        let said = refusal(|| {
            panics
                .join()
                .map_err(|payload| std::panic::resume_unwind(payload))
        });
        assert_eq!(said, "this is the panic of the thread");
        // The outer one is asked to end as well, and joins in a destructor.
        struct Joins(Option<LocalJoinHandle<()>>, Arc<AtomicBool>);
        impl Drop for Joins {
            fn drop(&mut self) {
                let ended = self.0.take().unwrap().join();
                self.1
                    .store(ended.unwrap_err().is::<Cancelled>(), Ordering::Release);
            }
        }
        let outer = thread::spawn(move || {
            let parked = thread::spawn_local(thread::park);
            let id = parked.thread().clone();
            let _joins = Joins(Some(parked), mark);
            until_waiting(&id, Reason::Park);
            thread::park();
        });
        until_waiting(outer.thread(), Reason::Park);
    });
    assert!(joined.load(Ordering::Acquire));
}

/// Who has no neighbours is told so: a blocking call, a plain thread, and who asks for another model.
pub fn it_is_refused_where_there_is_nobody_to_share_with<S: Subject>() {
    fn refused(builder: Builder) {
        let here = Rc::new(());
        assert_refused(&builder.spawn_local(move || drop(here)).unwrap_err());
    }
    has_some::<S>();
    run::<S, _>(|| {
        thread::blocking(|| refused(Builder::new()));
        let plain = std::thread::spawn(|| refused(Builder::new()));
        thread::blocking(|| plain.join().unwrap());
        refused(Builder::new().model(Model::Kernel));
        let witness = Witness::new();
        let other = if S::MODEL == Model::Green {
            Model::Hybrid
        } else {
            Model::Green
        };
        let token = witness.token();
        let refused = Builder::new().model(other).spawn_local(move || drop(token));
        assert_refused(&refused.unwrap_err());
        assert_eq!(witness.dropped(), 1);
        assert_eq!(
            Builder::new()
                .stack_size(0)
                .spawn_local(|| ())
                .unwrap_err()
                .kind(),
            if S::MODEL == Model::Kernel {
                io::ErrorKind::Unsupported
            } else {
                io::ErrorKind::InvalidInput
            }
        );
    });
}
