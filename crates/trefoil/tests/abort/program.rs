//! A program that cannot unwind: what a cancellation does in it, on the model that the
//! environment asks for. It checks itself; `tests/abort.rs` builds it with `panic = "abort"`.
#![forbid(unsafe_code)]

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use trefoil::channel::{bounded, unbounded};
use trefoil::net::TcpListener;
use trefoil::sync::CancellationToken;
use trefoil::time::timeout;
use trefoil::{Builder, Reason, Runtime, ThreadInfo, thread, threads};

/// For those that will not end; and for those that will, however slow the machine.
const SHORT: Duration = Duration::from_millis(50);
const LONG: Duration = Duration::from_secs(60);
const HOUR: Duration = Duration::from_secs(3600);

/// Counts how often one of its kind was dropped.
struct Token(Arc<AtomicUsize>);

impl Drop for Token {
    fn drop(&mut self) {
        self.0.fetch_add(1, Ordering::Release);
    }
}

fn main() {
    if cfg!(panic = "unwind") {
        panic!("this program must be built with `panic = \"abort\"`");
    }
    let built = |grace| Builder::new().workers(2).grace(grace).build().unwrap();
    let (hasty, patient) = (built(SHORT), built(LONG));
    who_waits_goes_on_waiting(&hasty);
    who_ignores_it_goes_on(&hasty);
    who_ends_by_itself_is_waited_for(&patient);
    who_has_not_begun_is_dropped(&patient);
    a_limit_ends_no_wait(&patient);
    let model = hasty.model();
    // Threads that were left behind live on; nobody waits for them.
    drop((hasty, patient));
    println!("abort ({model}): a cancellation is a flag");
}

fn named(name: &str, f: impl FnOnce() + Send + 'static) -> thread::JoinHandle<()> {
    let builder = thread::Builder::new().name(name.to_owned());
    builder.spawn(f).unwrap()
}

/// Lets others run until all these threads wait.
fn until_all_wait(threads: &[thread::JoinHandle<()>]) {
    let waits = |thread: &thread::JoinHandle<()>| {
        let id = thread.thread().id();
        self::threads()
            .iter()
            .any(|info| info.id == id && info.waiting.is_some())
    };
    while !threads.iter().all(waits) {
        thread::yield_now();
    }
}

/// The threads that were left since there were `before`.
fn left_since(runtime: &Runtime, before: usize) -> Vec<ThreadInfo> {
    runtime.leftover().split_off(before)
}

/// Whatever it waits for: it is asked to end, stays where it is, drops nothing, and is listed.
fn who_waits_goes_on_waiting(runtime: &Runtime) {
    let before = runtime.leftover().len();
    let dropped = Arc::new(AtomicUsize::new(0));
    let tokens = [(); 5].map(|()| Token(Arc::clone(&dropped)));
    let went_on = Arc::new(AtomicBool::new(false));
    let mark = Arc::clone(&went_on);
    // Never dropped, so that the receiver waits for good.
    let (send, receive) = unbounded::<()>();
    std::mem::forget(send);
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let parked = runtime.run(move || {
        let [one, two, three, four, five] = tokens;
        let parks = move || {
            let _token = one;
            thread::park();
            mark.store(true, Ordering::Release);
        };
        let parked = named("parks", parks);
        until_all_wait(std::slice::from_ref(&parked));
        let thread = parked.thread().clone();
        let joins = move || {
            let _token = two;
            let _ = parked.join();
        };
        let sleeps = move || {
            let _token = three;
            thread::sleep(HOUR);
        };
        let receives = move || {
            let _token = four;
            let _ = receive.recv();
        };
        let accepts = move || {
            let _token = five;
            let _ = listener.accept();
        };
        until_all_wait(&[
            named("joins", joins),
            named("sleeps", sleeps),
            named("receives", receives),
            named("accepts", accepts),
        ]);
        thread
    });
    let mut left: Vec<_> = left_since(runtime, before)
        .into_iter()
        .map(|info| (info.name.unwrap(), info.waiting.unwrap().reason))
        .collect();
    left.sort_by(|one, other| one.0.cmp(&other.0));
    let expected = [
        ("accepts", Reason::Accept),
        ("joins", Reason::Join),
        ("parks", Reason::Park),
        ("receives", Reason::Receive),
        ("sleeps", Reason::Sleep),
    ];
    assert_eq!(
        left,
        expected.map(|(name, reason)| (name.to_owned(), reason))
    );
    assert_eq!(dropped.load(Ordering::Acquire), 0);
    assert!(!went_on.load(Ordering::Acquire), "a request is no unpark");
    if runtime.model() == trefoil::Model::Green {
        return; // Nobody runs it any more.
    }
    // It goes on as if nothing had been: an unpark ends the park.
    parked.unpark();
    while !went_on.load(Ordering::Acquire) {
        std::thread::yield_now();
    }
}

/// It computes, yields and sleeps, and never hears of it.
fn who_ignores_it_goes_on(runtime: &Runtime) {
    let before = runtime.leftover().len();
    let stop = Arc::new(AtomicBool::new(false));
    let asked = Arc::clone(&stop);
    runtime.run(move || {
        let begun = Arc::new(AtomicBool::new(false));
        let sign = Arc::clone(&begun);
        drop(named("ignores", move || {
            sign.store(true, Ordering::Release);
            while !asked.load(Ordering::Acquire) {
                thread::yield_now();
                thread::sleep(Duration::from_micros(100));
            }
        }));
        while !begun.load(Ordering::Acquire) {
            thread::yield_now();
        }
    });
    let left = left_since(runtime, before);
    assert_eq!(left.len(), 1, "{left:#?}");
    assert_eq!(left[0].name.as_deref(), Some("ignores"));
    stop.store(true, Ordering::Release);
}

/// The end of the main thread is told to others by what they share: that still works.
fn who_ends_by_itself_is_waited_for(runtime: &Runtime) {
    let before = runtime.leftover().len();
    let dropped = Arc::new(AtomicUsize::new(0));
    let token = Token(Arc::clone(&dropped));
    runtime.run(move || {
        let (hold, held) = bounded::<()>(0);
        let thread = named("listens", move || {
            let _token = token;
            assert!(held.recv().is_err());
        });
        until_all_wait(&[thread]);
        drop(hold);
    });
    assert_eq!(left_since(runtime, before).len(), 0);
    assert_eq!(dropped.load(Ordering::Acquire), 1);
}

/// Its closure is dropped, which needs no unwinding. A kernel thread may have begun.
fn who_has_not_begun_is_dropped(runtime: &Runtime) {
    let dropped = Arc::new(AtomicUsize::new(0));
    let tokens: Vec<_> = (0..50).map(|_| Token(Arc::clone(&dropped))).collect();
    let (end, ended) = bounded::<()>(0);
    runtime.run(move || {
        for token in tokens {
            let ended = ended.clone();
            drop(thread::spawn(move || {
                let _token = token;
                let _ = ended.recv();
            }));
        }
        drop(end);
    });
    assert_eq!(dropped.load(Ordering::Acquire), 50);
}

/// What is set around a call is not seen by its waits; a request can be asked for.
fn a_limit_ends_no_wait(runtime: &Runtime) {
    runtime.run(|| {
        let slept = timeout(Duration::ZERO, || thread::sleep(Duration::from_millis(1)));
        assert_eq!(slept, Ok(()));
        let token = CancellationToken::new();
        let went_on = token.run_until_cancelled(|| {
            token.cancel();
            thread::sleep(Duration::from_millis(1));
        });
        assert_eq!(went_on, Some(()));
        let (begin, begun) = bounded(1);
        let asked = thread::spawn(move || {
            begin.send(()).unwrap();
            while !thread::is_cancelled() {
                thread::yield_now();
            }
            thread::sleep(Duration::from_millis(1));
        });
        // Else it might never begin.
        begun.recv().unwrap();
        asked.cancel();
        assert!(asked.join().is_ok());
        let failed: Result<(), &str> = thread::try_scope(|scope| {
            scope.spawn(|| Err::<(), _>("first"));
            scope.spawn(|| {
                thread::sleep(Duration::from_millis(1));
                Ok(())
            });
            thread::sleep(Duration::from_millis(1));
            Ok(())
        });
        assert_eq!(failed, Err("first"));
    });
}
