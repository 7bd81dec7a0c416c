//! What allocates in a steady state, on each model: a spawn once (its control block), a wait and a
//! wake-up never. An allocator counts for the whole process, hence a binary of its own with a
//! single test.

mod support;

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::io::{Read as _, Write as _};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use trefoil::channel::{Receiver, Sender, bounded};
use trefoil::net::{TcpListener, TcpStream};
use trefoil::sync::{Barrier, Condvar, Mutex, OnceLock};
use trefoil::thread::{self, Thread};
use trefoil::{Builder, Model};

static ALLOCATIONS: AtomicUsize = AtomicUsize::new(0);

struct Counting;

// SAFETY: every call goes to the system's allocator unchanged, which keeps the contract.
// `realloc` is the trait's own, by `alloc` and `dealloc`, so one that moves is counted too.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATIONS.fetch_add(1, Ordering::Relaxed);
        // SAFETY: the caller answers for `layout`.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        // SAFETY: the block came from `System` with this layout, through `alloc` above.
        unsafe { System.dealloc(block, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

fn allocations() -> usize {
    ALLOCATIONS.load(Ordering::Relaxed)
}

const ROUNDS: usize = 1000;

/// What is not of the rounds, and far less than one for each of them: an OS thread of an earlier
/// case that first becomes idle (on the kernel model, one each), a slab of stacks that goes back to
/// the kernel (once in a second or two).
const STRAY: usize = 20;

/// A new thread goes to an idle kernel thread by a list of blocks, each for so many.
const PER_BLOCK: usize = 31;

/// What `work` allocates when so many threads do it a second time. Each is told its number.
fn second_time(threads: usize, work: impl Fn(usize) + Send + Sync + 'static) -> usize {
    let work = Arc::new(work);
    let barrier = Arc::new(Barrier::new(threads + 1));
    let threads: Vec<_> = (0..threads)
        .map(|number| {
            let (work, barrier) = (Arc::clone(&work), Arc::clone(&barrier));
            thread::spawn(move || {
                work(number);
                barrier.wait();
                barrier.wait();
                work(number);
                barrier.wait();
            })
        })
        .collect();
    barrier.wait();
    let before = allocations();
    barrier.wait();
    barrier.wait();
    let allocated = allocations() - before;
    threads.into_iter().for_each(|it| it.join().unwrap());
    allocated
}

fn yields() -> usize {
    second_time(4, |_| (0..ROUNDS).for_each(|_| thread::yield_now()))
}

fn parks() -> usize {
    let players: [OnceLock<Thread>; 2] = Default::default();
    let turn = AtomicUsize::new(0);
    second_time(2, move |me| {
        players[me].get_or_init(thread::current);
        for _ in 0..ROUNDS {
            while turn.load(Ordering::Acquire) != me {
                thread::park();
            }
            turn.store(1 - me, Ordering::Release);
            // The other's first turn comes by itself, if it is not there yet.
            if let Some(other) = players[1 - me].get() {
                other.unpark();
            }
        }
    })
}

fn sleeps() -> usize {
    second_time(4, |_| {
        (0..ROUNDS / 10).for_each(|_| thread::sleep(Duration::from_micros(1)));
    })
}

/// Two threads that send a message to and fro.
fn messages(room: usize) -> usize {
    let (there, back) = (bounded::<usize>(room), bounded::<usize>(room));
    let ends: [(Sender<usize>, Receiver<usize>); 2] = [(there.0, back.1), (back.0, there.1)];
    second_time(2, move |me| {
        let (send, receive) = &ends[me];
        for n in 0..ROUNDS {
            if me == 0 {
                send.send(n).unwrap();
            }
            let got = receive.recv().unwrap();
            if me == 1 {
                send.send(got).unwrap();
            }
        }
    })
}

fn locks() -> usize {
    let mutex = Mutex::new(0);
    second_time(4, move |_| {
        for _ in 0..ROUNDS {
            let mut guard = mutex.lock().unwrap();
            *guard += 1;
            // The others want it meanwhile.
            thread::yield_now();
        }
    })
}

fn conditions() -> usize {
    let (turn, changed) = (Mutex::new(0), Condvar::new());
    second_time(2, move |me| {
        for _ in 0..ROUNDS {
            let guard = turn.lock().unwrap();
            let mut turn = changed.wait_while(guard, |turn| *turn != me).unwrap();
            *turn = 1 - me;
            changed.notify_one();
        }
    })
}

/// Two threads that send a byte to and fro by a socket.
fn bytes() -> usize {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let near = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    let far = listener.accept().unwrap().0;
    for end in [&near, &far] {
        end.set_nodelay(true).unwrap();
    }
    let ends = [near, far];
    second_time(2, move |me| {
        let mut end = &ends[me];
        for _ in 0..ROUNDS {
            if me == 0 {
                end.write_all(&[1]).unwrap();
            }
            end.read_exact(&mut [0]).unwrap();
            if me == 1 {
                end.write_all(&[1]).unwrap();
            }
        }
    })
}

trefoil::thread_local!(static COUNT: Cell<usize> = Cell::new(0));

fn locals() -> usize {
    second_time(4, |_| (0..ROUNDS).for_each(|_| COUNT.set(COUNT.get() + 1)))
}

fn checkpoints() -> usize {
    second_time(4, |_| (0..ROUNDS * 100).for_each(|_| thread::checkpoint()))
}

/// What [`ROUNDS`] joins of two closures allocate.
fn joins() -> usize {
    let join = || {
        let sum = AtomicUsize::new(0);
        let add = || sum.fetch_add(1, Ordering::Relaxed);
        for _ in 0..ROUNDS {
            let _ = thread::join(add, add);
        }
        assert_eq!(sum.into_inner(), 2 * ROUNDS);
    };
    join();
    let before = allocations();
    join();
    allocations() - before
}

/// What [`ROUNDS`] threads allocate that are spawned, so many at a time, and joined.
fn spawns(at_once: usize) -> usize {
    // A kernel thread that was joined may not wait for the next one yet: there are to be enough.
    let several = 4 * at_once;
    let mut handles: Vec<thread::JoinHandle<usize>> = Vec::with_capacity(several);
    let mut spawn = |rounds: usize, at_once: usize| {
        for _ in 0..rounds {
            handles.extend((0..at_once).map(|n| thread::spawn(move || n)));
            for (n, handle) in handles.drain(..).enumerate() {
                assert_eq!(handle.join().unwrap(), n);
            }
        }
    };
    let gate = Arc::new(Barrier::new(several + 1));
    let all: Vec<_> = (0..several)
        .map(|_| {
            let gate = Arc::clone(&gate);
            thread::spawn(move || {
                gate.wait();
            })
        })
        .collect();
    gate.wait();
    all.into_iter().for_each(|one| one.join().unwrap());
    spawn(ROUNDS / at_once, at_once);
    let before = allocations();
    spawn(ROUNDS / at_once, at_once);
    allocations() - before
}

fn check(model: Model) {
    let waits = [
        ("a yield", yields()),
        ("park and unpark", parks()),
        ("a sleep", sleeps()),
        ("a channel with room", messages(1)),
        ("a channel without room", messages(0)),
        ("a contended mutex", locks()),
        ("a condition variable", conditions()),
        ("a socket", bytes()),
        ("a thread's local", locals()),
        ("a checkpoint", checkpoints()),
    ];
    for (what, allocated) in waits {
        assert!(
            allocated <= STRAY,
            "{model}: {what}: {allocated} allocations"
        );
    }
    // Control blocks are used again where they are freed, but without the optimizer
    // (`runtime/src/thread/reuse.rs`). A kernel thread frees its own when it ends, and not who joins it.
    let least = if cfg!(debug_assertions) { ROUNDS } else { 0 };
    let most = match model {
        Model::Kernel => ROUNDS + ROUNDS.div_ceil(PER_BLOCK),
        Model::Green | Model::Hybrid => least,
    };
    let allocated = (0..5).map(|_| joins()).min().unwrap();
    assert!(
        (least..=most + STRAY).contains(&allocated),
        "{model}: {ROUNDS} joins of two closures: {allocated} allocations"
    );
    for at_once in [1, 50] {
        // Of five times the least: a kernel thread that has ended may not wait for the next one yet, so
        // that another is started, which allocates.
        let allocated = (0..5).map(|_| spawns(at_once)).min().unwrap();
        assert!(
            (least..=most + STRAY).contains(&allocated),
            "{model}: {ROUNDS} spawns, {at_once} at a time: {allocated} allocations"
        );
    }
}

#[test]
fn waits_and_wake_ups_allocate_nothing_and_a_spawn_once_at_most() {
    // Kernel threads last: when they first wait for a job, each of them allocates.
    for model in support::models().into_iter().rev() {
        let runtime = Builder::new().model(model).workers(2).build().unwrap();
        runtime.run(move || check(model));
    }
}
