//! Relief: threads of a spawn site that is known to keep its worker from all others start on kernel threads.
//!
//! The facade instantiates these for every model, with [`suite_relief`](crate::suite_relief); on the kernel model
//! nobody keeps anybody from running, nothing is learned, and all else is as promised.

use std::io::{ErrorKind, Read as _, Write as _};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use trefoil_net::{TcpListener, TcpStream, pipe};
use trefoil_runtime::cancel::Cancelled;
use trefoil_runtime::thread::{self, Builder, JoinHandle};
use trefoil_runtime::{Model, Reason, Stall};
use trefoil_sync::channel::bounded;

use crate::Subject;
use crate::subject::assert_nobody_left;
use crate::witness::{Witness, find, join_all, sentence, until, until_waiting};

/// A runtime that can be asked to move threads.
pub trait Relieved: Subject {
    /// A runtime that watches its workers, with a limit of [`LIMIT`], and moves so many threads at once; `None`: none.
    ///
    /// # Panics
    ///
    /// If the operating system refuses what the runtime needs.
    #[must_use]
    fn relieved(most: Option<usize>) -> Self;

    /// Who kept a worker from all others.
    fn stalls(&self) -> Vec<Stall>;
}

/// Who does not let others run for so long keeps a worker. Longer than a thread of a busy machine usually waits for a
/// processor.
pub const LIMIT: Duration = Duration::from_millis(20);

type Job = Box<dyn FnOnce() + Send>;

/// By which model a thread runs, and whether it was moved.
type Seen = (Model, bool);

/// Runs `body` with a runtime that moves so many.
fn with<S: Relieved>(most: impl Into<Option<usize>>, body: impl FnOnce(&Arc<S>) + Send + 'static) {
    let runtime = Arc::new(S::relieved(most.into()));
    let mine = Arc::clone(&runtime);
    runtime.run(move || body(&mine));
    assert_nobody_left(&*runtime);
}

fn seen() -> Seen {
    let me = find(thread::current().id()).expect("who asks is alive");
    assert_eq!(me.model, thread::current().model());
    (me.model, me.moved)
}

/// As usual, on this model.
fn usual<S: Subject>() -> Seen {
    (S::MODEL, false)
}

/// As it is seen on this model where its site is learned.
fn moved<S: Subject>() -> Seen {
    (Model::Kernel, S::MODEL != Model::Kernel)
}

/// All threads that are spawned by this function have the same site: it is not generic, and nor is its closure.
fn spawn_at_the_site(builder: Builder, job: Job) -> JoinHandle<Seen> {
    let here = move || {
        let seen = seen();
        job();
        seen
    };
    builder.spawn(here).unwrap()
}

fn at_the_site_by(builder: Builder, job: impl FnOnce() + Send + 'static) -> JoinHandle<Seen> {
    spawn_at_the_site(builder, Box::new(job))
}

fn at_the_site(job: impl FnOnce() + Send + 'static) -> JoinHandle<Seen> {
    at_the_site_by(Builder::new(), job)
}

/// Keeps its OS thread until the condition holds: asks again and again, and leaves the processor to whoever has to make
/// it hold, but not to others of its worker.
fn keep(until: impl Fn() -> bool) {
    while !until() {
        std::thread::sleep(Duration::from_micros(200));
    }
}

/// Has `spawn` spawn and join threads that keep their worker until that was seen. They all have one site, and
/// no other one of this runtime has stalled, in this file.
fn stall_once<S: Relieved>(runtime: &Arc<S>, spawn: impl FnOnce(Job)) {
    let before = stalls(runtime);
    let mine = Arc::clone(runtime);
    spawn(Box::new(move || {
        keep(|| stalls(&mine) > before || is_learned(&mine))
    }));
}

fn mine(stall: &Stall) -> bool {
    stall
        .spawned_at
        .is_some_and(|place| place.file() == file!())
        && stall.name.as_deref() != Some("main")
}

fn stalls<S: Relieved>(runtime: &Arc<S>) -> u64 {
    let stalls = runtime.stalls();
    stalls
        .iter()
        .filter(|stall| mine(stall))
        .map(|stall| stall.count)
        .sum()
}

fn is_learned<S: Relieved>(runtime: &Arc<S>) -> bool {
    runtime.stalls().iter().any(|stall| stall.learned)
}

fn moves<S: Relieved>(runtime: &Arc<S>) -> u64 {
    runtime.stalls().iter().map(|stall| stall.moved).sum()
}

/// Threads of one site, which `spawn` spawns and joins, stall until the site is learned.
fn learn_by<S: Relieved>(runtime: &Arc<S>, spawn: impl Fn(Job)) {
    while S::MODEL != Model::Kernel && !is_learned(runtime) {
        stall_once(runtime, &spawn);
    }
}

fn learn<S: Relieved>(runtime: &Arc<S>) {
    learn_by(runtime, |job| {
        at_the_site(job).join().unwrap();
    });
}

/// The next thread of a site that was learned is a kernel thread; dumps and the list of stalls say so. Another
/// one is as usual.
pub fn the_next_thread_of_a_learned_site_is_a_kernel_thread<S: Relieved>() {
    with::<S>(64, |runtime| {
        assert_eq!(at_the_site(|| ()).join().unwrap(), usual::<S>());
        learn(runtime);
        let dump = Arc::new(AtomicBool::new(false));
        let tells = Arc::clone(&dump);
        let next = at_the_site(move || {
            let told = find(thread::current().id()).unwrap().to_string();
            tells.store(
                told.contains("(") && told.contains("kernel, moved)"),
                Ordering::Relaxed,
            );
        });
        let learned = S::MODEL != Model::Kernel;
        assert_eq!(next.thread().model(), Model::Kernel);
        assert_eq!(next.join().unwrap(), moved::<S>());
        assert_eq!(dump.load(Ordering::Relaxed), learned);
        assert_eq!(
            (is_learned(runtime), moves(runtime)),
            (learned, u64::from(learned))
        );
        let told = runtime
            .stalls()
            .iter()
            .any(|stall| stall.to_string().contains("kernel threads, as 1 have"));
        assert_eq!(told, learned);
        assert_eq!(thread::spawn(seen).join().unwrap(), usual::<S>());
    });
}

/// Without relief nobody is moved, however often it stalls.
pub fn nobody_is_moved_who_was_not_asked<S: Relieved>() {
    with::<S>(None, |runtime| {
        for _ in 0..3 {
            if S::MODEL != Model::Kernel {
                stall_once(runtime, |job| {
                    at_the_site(job).join().unwrap();
                });
            }
            assert_eq!(at_the_site(|| ()).join().unwrap(), usual::<S>());
        }
        assert!(!is_learned(runtime));
    });
}

/// A sleeper goes on beside four threads of a learned site that never let anybody run, also where there is one
/// worker. So do a message, and who yields.
pub fn a_sleeper_goes_on_beside_four_hogs<S: Relieved>() {
    with::<S>(64, |runtime| {
        learn(runtime);
        let stop = Arc::new(AtomicBool::new(false));
        let hogs = [(); 4].map(|()| {
            let stop = Arc::clone(&stop);
            at_the_site(move || {
                while !stop.load(Ordering::Acquire) {
                    std::hint::spin_loop();
                }
            })
        });
        let (send, receive) = bounded(0);
        let sleeper = thread::spawn(move || {
            for _ in 0..20 {
                thread::sleep(Duration::from_millis(1));
                send.send(()).unwrap();
                thread::yield_now();
            }
        });
        assert_eq!(receive.iter().count(), 20);
        sleeper.join().unwrap();
        stop.store(true, Ordering::Release);
        assert_eq!(join_all(hogs), [moved::<S>(); 4]);
    });
}

/// One line, in a generic function, may spawn many closures: each is learned by itself.
pub fn another_closure_of_the_line_is_another_site<S: Relieved>() {
    fn generic<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
        thread::spawn(work).join().unwrap()
    }
    with::<S>(64, |runtime| {
        learn_by(runtime, generic);
        assert_eq!(generic(seen), usual::<S>());
        assert_eq!(moves(runtime), 0);
    });
}

/// Who asked for a model, or for a stack, gets it.
pub fn what_was_asked_for_is_had<S: Relieved>() {
    with::<S>(64, |runtime| {
        learn(runtime);
        for builder in [
            Builder::new().model(S::MODEL),
            Builder::new().stack_size(1 << 20),
        ] {
            assert_eq!(at_the_site_by(builder, || ()).join().unwrap(), usual::<S>());
        }
        let kernel = Builder::new().model(Model::Kernel);
        assert_eq!(
            at_the_site_by(kernel, || ()).join().unwrap(),
            (Model::Kernel, false)
        );
        assert_eq!(at_the_site(|| ()).join().unwrap(), moved::<S>());
    });
}

/// Local threads stay where they are, and so does what is a part of its spawner's computation.
pub fn what_cannot_be_elsewhere_stays<S: Relieved>() {
    if S::MODEL == Model::Kernel {
        return;
    }
    with::<S>(64, |runtime| {
        let local = |job: Job| {
            thread::spawn_local(move || (job(), seen()).1)
                .join()
                .unwrap()
        };
        for _ in 0..3 {
            stall_once(runtime, |job| assert_eq!(local(job), usual::<S>()));
        }
        assert!(!is_learned(runtime));
        let second = |job: Job| thread::join(|| (), move || (job(), seen()).1).1;
        for _ in 0..3 {
            stall_once(runtime, |job| assert_eq!(second(job), usual::<S>()));
        }
        assert_eq!(second(Box::new(|| ())), usual::<S>());
        assert_eq!(moves(runtime), 0);
    });
}

/// A site whose threads do not stall any more is forgotten, and may be learned again.
pub fn a_quiet_site_is_forgotten<S: Relieved>() {
    if S::MODEL == Model::Kernel {
        return;
    }
    with::<S>(64, |runtime| {
        for _ in 0..2 {
            let before = moves(runtime);
            learn(runtime);
            until(|| at_the_site(|| ()).join().unwrap() == usual::<S>());
            assert!(!is_learned(runtime));
            assert!(moves(runtime) >= before + 8, "eight in a row");
        }
    });
}

/// Waits are no stalls, however long and in whichever way a kernel thread waits: in a lock, in a poll, in a read of a
/// connection, in a blocking call.
pub fn who_waits_for_long_is_quiet<S: Relieved>() {
    if S::MODEL == Model::Kernel {
        return;
    }
    // Longer than the limit, and not the longest.
    let long = LIMIT * 3 / 2;
    let waits: [fn(Duration); 4] = [
        thread::sleep,
        |long| thread::blocking(|| std::thread::sleep(long)),
        |long| {
            let (mut reader, mut writer) = pipe().unwrap();
            let writes = std::thread::spawn(move || {
                std::thread::sleep(long);
                writer.write_all(&[1]).unwrap();
            });
            reader.read_exact(&mut [0]).unwrap();
            thread::blocking(|| writes.join().unwrap());
        },
        |long| {
            let listener = TcpListener::bind("127.0.0.1:0").unwrap();
            let address = listener.local_addr().unwrap();
            let writes = std::thread::spawn(move || {
                let mut stream = std::net::TcpStream::connect(address).unwrap();
                std::thread::sleep(long);
                stream.write_all(&[1]).unwrap();
            });
            let mut stream: TcpStream = listener.accept().unwrap().0;
            stream.read_exact(&mut [0]).unwrap();
            thread::blocking(|| writes.join().unwrap());
        },
    ];
    with::<S>(64, move |runtime| {
        for wait in waits {
            learn(runtime);
            until(|| at_the_site(move || wait(long)).join().unwrap() == usual::<S>());
        }
    });
}

/// How long the calling OS thread has had a processor.
fn computed() -> Duration {
    let told = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap();
    let nanos = told.split(' ').next().unwrap();
    Duration::from_nanos(nanos.parse().unwrap())
}

/// Who computes for long, but lets others run, is quiet: they would have run.
pub fn who_lets_others_run_is_quiet<S: Relieved>() {
    if S::MODEL == Model::Kernel {
        return;
    }
    let turns: [fn(); 3] = [thread::yield_now, thread::checkpoint, || {
        let (send, receive) = bounded(1);
        for _ in 0..64 {
            send.send(()).unwrap();
            receive.recv().unwrap();
        }
    }];
    with::<S>(64, move |runtime| {
        for turn in turns {
            learn(runtime);
            let computes = move || {
                let begin = computed();
                while computed() - begin < LIMIT * 3 / 2 {
                    turn();
                }
            };
            until(|| at_the_site(computes).join().unwrap() == usual::<S>());
        }
    });
}

/// A site is not forgotten whose threads go on as they are.
pub fn who_would_stall_is_not_forgotten<S: Relieved>() {
    with::<S>(64, |runtime| {
        learn(runtime);
        for _ in 0..10 {
            let stalls = at_the_site(|| std::thread::sleep(LIMIT * 3 / 2));
            assert_eq!(stalls.join().unwrap(), moved::<S>());
        }
        assert_eq!(is_learned(runtime), S::MODEL != Model::Kernel);
    });
}

/// Not more threads at once are moved than was said. Who comes then does not wait for one of them: it starts as usual.
pub fn the_bound_holds<S: Relieved>() {
    with::<S>(2, |runtime| {
        learn(runtime);
        let (send, receive) = bounded::<()>(0);
        let waits = |_| {
            let receive = receive.clone();
            at_the_site(move || receive.recv().unwrap())
        };
        let first: Vec<_> = (0..2).map(waits).collect();
        let late: Vec<_> = (0..3).map(waits).collect();
        for thread in first.iter().chain(&late) {
            until_waiting(thread.thread(), Reason::Receive);
        }
        (0..5).for_each(|_| send.send(()).unwrap());
        assert_eq!(join_all(first), [moved::<S>(); 2]);
        assert_eq!(join_all(late), [usual::<S>(); 3]);
        assert_eq!(
            at_the_site(|| ()).join().unwrap(),
            moved::<S>(),
            "there is room again"
        );
    });
}

/// A panic of a thread that was moved is its result, and gives its place to the next one; so does the end of one that
/// was cancelled.
pub fn a_panic_or_a_cancellation_gives_the_place_back<S: Relieved>() {
    with::<S>(1, |runtime| {
        learn(runtime);
        // Fewer than make it forgotten.
        for _ in 0..2 {
            let panics = at_the_site(|| panic!("this is the panic of the thread"));
            let payload = panics.join().unwrap_err();
            assert_eq!(sentence(&*payload), "this is the panic of the thread");
            let parks = at_the_site(|| {
                loop {
                    thread::park();
                }
            });
            assert_eq!(parks.thread().model(), moved::<S>().0);
            until_waiting(parks.thread(), Reason::Park);
            parks.cancel();
            assert!(parks.join().unwrap_err().is::<Cancelled>());
            assert_eq!(at_the_site(|| ()).join().unwrap(), moved::<S>());
        }
    });
}

/// At the end of its run a thread that was moved is asked to end, as all others.
pub fn the_end_of_the_run_ends_it<S: Relieved>() {
    let witness = Witness::new();
    let tokens = [(); 3].map(|()| witness.token());
    with::<S>(64, move |runtime| {
        learn(runtime);
        for token in tokens {
            let parks = at_the_site(move || {
                let _token = token;
                loop {
                    thread::park();
                }
            });
            assert_eq!(parks.thread().model(), moved::<S>().0);
        }
    });
    assert_eq!(witness.dropped(), 3);
}

/// What it spawns is as usual, also in a scope, and by a child of a child; and it may ask for kernel threads. It has no
/// local threads.
pub fn its_children_are_as_usual<S: Relieved>() {
    with::<S>(64, |runtime| {
        learn(runtime);
        let parent = at_the_site(|| {
            let child = thread::spawn(|| (seen(), thread::spawn(seen).join().unwrap()));
            assert_eq!(child.join().unwrap(), (usual::<S>(), usual::<S>()));
            let scoped = thread::scope(|scope| scope.spawn(seen).join().unwrap());
            assert_eq!(scoped, usual::<S>());
            assert_eq!(thread::join(seen, seen).1, usual::<S>());
            let same = Builder::new().model(S::MODEL).spawn(seen).unwrap();
            assert_eq!(same.join().unwrap(), usual::<S>());
            let kernel = Builder::new().model(Model::Kernel).spawn(seen).unwrap();
            assert_eq!(kernel.join().unwrap(), (Model::Kernel, false));
            let refused = Builder::new().spawn_local(seen).unwrap_err();
            assert_eq!(refused.kind(), ErrorKind::Unsupported);
            // A child of its own site is moved as it was.
            assert_eq!(at_the_site(|| ()).join().unwrap(), moved::<S>());
        });
        assert_eq!(parent.join().unwrap(), moved::<S>());
    });
}

/// What it spawns comes to the worker from another OS thread, and is started also while there is always one that is ready.
pub fn its_children_come_beside_threads_that_yield<S: Relieved>() {
    with::<S>(64, |runtime| {
        learn(runtime);
        let stop = Arc::new(AtomicBool::new(false));
        let busy = [(); 8].map(|()| {
            let stop = Arc::clone(&stop);
            thread::spawn(move || until(|| stop.load(Ordering::Acquire)))
        });
        let parent = at_the_site(|| {
            for _ in 0..10 {
                assert_eq!(thread::spawn(seen).join().unwrap(), usual::<S>());
            }
        });
        assert_eq!(parent.join().unwrap(), moved::<S>());
        stop.store(true, Ordering::Release);
        join_all(busy);
    });
}

trefoil_runtime::thread_local! {
    static KEPT: std::cell::RefCell<Option<crate::witness::Token>> = const { std::cell::RefCell::new(None) };
}

/// It has its name, and its locals, which are dropped before its joiner is told.
pub fn it_has_its_name_and_its_locals<S: Relieved>() {
    with::<S>(64, |runtime| {
        learn(runtime);
        let witness = Witness::new();
        let token = witness.token();
        let named = at_the_site_by(Builder::new().name("hog".to_owned()), move || {
            assert_eq!(thread::current().name(), Some("hog"));
            KEPT.with_borrow(|kept| assert!(kept.is_none()));
            KEPT.set(Some(token));
        });
        assert_eq!(named.thread().name(), Some("hog"));
        assert_eq!(named.join().unwrap(), moved::<S>());
        assert_eq!(witness.dropped(), 1);
        KEPT.with_borrow(|kept| assert!(kept.is_none()));
    });
}

/// The threads of a scope may be moved; it waits for them, and they borrow.
pub fn a_scope_waits_for_threads_that_were_moved<S: Relieved>() {
    fn scoped(job: Job) -> [Seen; 2] {
        let number = 7;
        let job = std::sync::Mutex::new(Some(job));
        let mut seen_by_both = [usual_of_nobody(); 2];
        thread::scope(|scope| {
            for place in &mut seen_by_both {
                let (number, job) = (&number, &job);
                scope.spawn(move || {
                    let job = job.lock().unwrap().take();
                    if let Some(job) = job {
                        job();
                    }
                    assert_eq!(*number, 7);
                    *place = seen();
                });
            }
        });
        seen_by_both
    }
    fn usual_of_nobody() -> Seen {
        (Model::Kernel, false)
    }
    with::<S>(64, |runtime| {
        learn_by(runtime, |job| {
            scoped(job);
        });
        assert_eq!(scoped(Box::new(|| ())), [moved::<S>(); 2]);
    });
}

/// A thread that was moved shares objects with those of the runtime and with a plain thread.
pub fn it_shares_objects_with_all_others<S: Relieved>() {
    with::<S>(64, |runtime| {
        learn(runtime);
        let sum = Arc::new(trefoil_sync::Mutex::new(0));
        let (send, receive) = bounded(1);
        let adds = |number: u32| {
            let (sum, send) = (Arc::clone(&sum), send.clone());
            move || {
                for _ in 0..100 {
                    *sum.lock().unwrap() += number;
                    send.send(number).unwrap();
                }
            }
        };
        let plain = std::thread::spawn(adds(1));
        let own = thread::spawn(adds(10));
        let apart = at_the_site(adds(100));
        drop(send);
        assert_eq!(receive.iter().sum::<u32>(), 11_100);
        thread::blocking(|| plain.join().unwrap());
        own.join().unwrap();
        assert_eq!(apart.join().unwrap(), moved::<S>());
        assert_eq!(*sum.lock().unwrap(), 11_100);
    });
}
