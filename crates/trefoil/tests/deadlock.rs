//! When a deadlock of green threads is reported, and when not: beside other OS threads, those of
//! Trefoil and others.
//!
//! Each case is a process of its own, in which nothing runs but the case. So this is no test of
//! the harness, which has OS threads. Run without a case, it runs all of them, one after the other.
#![forbid(unsafe_code)]

use std::panic::{self, AssertUnwindSafe, catch_unwind};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use trefoil::channel::{bounded, unbounded};
use trefoil::net::TcpListener;
use trefoil::sync::Mutex;
use trefoil::{Model, Monitoring, process, signal, thread};
use trefoil_green::{Builder, Runtime};

const VARIABLE: &str = "TREFOIL_TEST_CASE";
/// A case that still runs after so long hangs.
const LIMIT: Duration = Duration::from_secs(60);
/// Longer than any case: what is kept so long is there at its end.
const HOUR: Duration = Duration::from_secs(3600);

type Case = (&'static str, fn());

const CASES: &[Case] = &[
    ("nobody else is there", nobody_else_is_there),
    ("waits have been refused", waits_have_been_refused),
    ("a monitor watches", a_monitor_watches),
    ("a kernel thread has ended", a_kernel_thread_has_ended),
    (
        "many kernel threads have ended",
        many_kernel_threads_have_ended,
    ),
    ("a blocking call has ended", a_blocking_call_has_ended),
    ("a hybrid runtime is idle", a_hybrid_runtime_is_idle),
    ("a plain thread ends later", a_plain_thread_ends_later),
    (
        "a hybrid thread is waited for",
        a_hybrid_thread_is_waited_for,
    ),
    (
        "a kernel thread is waited for",
        a_kernel_thread_is_waited_for,
    ),
    ("a plain thread is waited for", a_plain_thread_is_waited_for),
    ("a listener has gone", a_listener_has_gone),
    ("a signal is waited for", a_signal_is_waited_for),
    ("a child is waited for", a_child_is_waited_for),
];

fn main() {
    let Ok(wanted) = std::env::var(VARIABLE) else {
        return CASES.iter().for_each(run_apart);
    };
    let case = CASES.iter().find(|(name, _)| *name == wanted);
    case.expect("the case is listed").1();
}

fn run_apart((name, _): &Case) {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .env(VARIABLE, name)
        .stdin(Stdio::null())
        .spawn()
        .unwrap();
    let end = Instant::now() + LIMIT;
    let status = loop {
        if let Some(status) = child.try_wait().unwrap() {
            break status;
        }
        if Instant::now() > end {
            child.kill().unwrap();
            child.wait().unwrap();
            panic!("deadlock: {name}: hangs");
        }
        std::thread::sleep(Duration::from_millis(5));
    };
    assert!(status.success(), "deadlock: {name}: {status}");
    println!("deadlock: {name}: ok");
}

/// A green runtime with a kernel runtime beside it, whose kernel threads never go.
fn green() -> Runtime {
    builder().build().unwrap()
}

fn builder() -> Builder {
    let kernel = trefoil_kernel::Builder::new().keep_idle(HOUR).build();
    let green = Builder::new().companion(kernel.unwrap().companion());
    green.grace(Duration::from_millis(100))
}

fn on_a_kernel_thread<T: Send + 'static>(
    f: impl FnOnce() -> T + Send + 'static,
) -> thread::JoinHandle<T> {
    thread::Builder::new()
        .model(Model::Kernel)
        .spawn(f)
        .unwrap()
}

/// Two green threads that wait for each other's lock.
fn deadlock() {
    let locks = Arc::new([Mutex::new(()), Mutex::new(())]);
    let threads = [("left", 0), ("right", 1)].map(|(name, first)| {
        let locks = Arc::clone(&locks);
        let named = thread::Builder::new().name(name.to_owned());
        let spawned = named.spawn(move || {
            let _one = locks[first].lock().unwrap();
            thread::yield_now();
            let _other = locks[1 - first].lock().unwrap();
        });
        spawned.unwrap()
    });
    let _ = threads.map(|thread| thread.join().unwrap());
}

/// After `before`, the deadlock is reported, with names and places.
#[track_caller]
fn reported_after(before: impl FnOnce() + Send + 'static) {
    reported_by(green(), before);
}

/// The same on this runtime.
#[track_caller]
fn reported_by(runtime: Runtime, before: impl FnOnce() + Send + 'static) {
    let ran = AssertUnwindSafe(|| {
        runtime.run(move || {
            before();
            deadlock();
        });
    });
    // The report need not be printed as well.
    let hook = panic::take_hook();
    panic::set_hook(Box::new(|_| ()));
    let ran = catch_unwind(ran);
    panic::set_hook(hook);
    let payload = ran.expect_err("there is a deadlock");
    let report = payload.downcast_ref::<String>().expect("it is a text");
    assert!(
        report.starts_with("deadlock: none of the 3 green threads"),
        "{report}"
    );
    for name in ["left", "right"] {
        let line = report
            .lines()
            .find(|line| line.contains(&format!("'{name}'")));
        let line = line.unwrap_or_else(|| panic!("{name} is missing: {report}"));
        assert!(line.contains("waits for a mutex at"), "{line}");
        assert!(line.contains(file!()), "{line}");
    }
}

fn nobody_else_is_there() {
    reported_after(|| ());
}

/// Its OS thread looks at the workers, and wakes none of their threads.
fn a_monitor_watches() {
    let monitoring = Monitoring::After(Duration::from_millis(1));
    reported_by(builder().monitoring(monitoring).build().unwrap(), || ());
}

/// By `no_suspend`: none of them counts as one that something may end.
fn waits_have_been_refused() {
    reported_after(|| {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let refused = |wait: &dyn Fn()| {
            let inside = AssertUnwindSafe(|| thread::no_suspend(wait));
            catch_unwind(inside).unwrap_err();
        };
        refused(&|| drop(listener.accept()));
        refused(&|| thread::blocking(|| ()));
        refused(&|| thread::sleep(HOUR));
    });
}

fn a_kernel_thread_has_ended() {
    reported_after(|| {
        assert_eq!(on_a_kernel_thread(|| 1).join().unwrap(), 1);
    });
}

fn many_kernel_threads_have_ended() {
    reported_after(|| {
        // All at once, so that each has a kernel thread of its own, which is kept.
        let all = Arc::new(std::sync::Barrier::new(20));
        let threads: Vec<_> = (0..20)
            .map(|_| {
                let all = Arc::clone(&all);
                on_a_kernel_thread(move || all.wait().is_leader())
            })
            .collect();
        let leaders = threads.into_iter().filter_map(|thread| thread.join().ok());
        assert_eq!(leaders.filter(|&leads| leads).count(), 1);
    });
}

fn a_blocking_call_has_ended() {
    reported_after(|| thread::blocking(|| ()));
}

fn a_hybrid_runtime_is_idle() {
    let hybrid = trefoil_hybrid::Builder::new().workers(3).build().unwrap();
    let run = |hybrid: &trefoil_hybrid::Runtime| {
        let sum = hybrid.run(|| {
            let threads: Vec<_> = (0..100).map(|n| thread::spawn(move || n)).collect();
            threads
                .into_iter()
                .map(|thread| thread.join().unwrap())
                .sum::<i32>()
        });
        assert_eq!(sum, 4950);
    };
    run(&hybrid);
    reported_after(|| ());
    // It is idle, not gone.
    run(&hybrid);
    reported_after(|| ());
}

/// As long as it is there, nothing is certain. After that it is.
fn a_plain_thread_ends_later() {
    reported_after(|| {
        let plain = std::thread::spawn(|| std::thread::sleep(Duration::from_millis(70)));
        drop(plain);
    });
}

/// Around the times at which green looks for a deadlock.
fn moments() -> impl Iterator<Item = Duration> {
    (0..40_u64).map(|n| Duration::from_micros(19_600 + 20 * n))
}

/// A kernel thread that was kept is handed a thread, and sends what is waited for: no deadlock.
fn a_kernel_thread_is_waited_for() {
    green().run(|| {
        for (n, moment) in moments().enumerate() {
            let (send, receive) = bounded(1);
            drop(on_a_kernel_thread(move || {
                std::thread::sleep(moment);
                // It goes on by another one, and ends.
                drop(on_a_kernel_thread(move || send.send(n).unwrap()));
            }));
            assert_eq!(receive.recv(), Ok(n));
        }
    });
}

fn a_plain_thread_is_waited_for() {
    green().run(|| {
        for (n, moment) in moments().enumerate() {
            let (send, receive) = bounded(1);
            drop(std::thread::spawn(move || {
                std::thread::sleep(moment);
                send.send(n).unwrap();
            }));
            assert_eq!(receive.recv(), Ok(n));
        }
    });
}

/// A plain thread hands work to an idle hybrid runtime, and its threads send what is waited for.
fn a_hybrid_thread_is_waited_for() {
    let hybrid = trefoil_hybrid::Builder::new().workers(2).build().unwrap();
    let (tell, told) = unbounded();
    // The hybrid runtime's own way to spawn from outside, which does not wait for the end.
    let workers = hybrid.run(trefoil_runtime::runtime);
    let beside = trefoil_green::Builder::new().companion(workers);
    beside.build().unwrap().run(move || {
        for (n, moment) in moments().enumerate() {
            let tell = tell.clone();
            drop(std::thread::spawn(move || std::thread::sleep(moment)));
            let spawned = thread::Builder::new().model(Model::Hybrid).spawn(move || {
                std::thread::sleep(moment);
                drop(thread::spawn(move || tell.send(n).unwrap()));
            });
            drop(spawned.unwrap());
            assert_eq!(told.recv(), Ok(n));
        }
    });
}

/// Its OS thread ends, and then there is nobody.
fn a_listener_has_gone() {
    reported_after(|| drop(signal::on(signal::SIGUSR1).unwrap()));
}

/// Nobody in this process will send it.
fn a_signal_is_waited_for() {
    green().run(|| {
        let signals = signal::on(signal::SIGUSR1).unwrap();
        for moment in ["0.05", "0.1"] {
            let script = format!("sleep {moment}; kill -USR1 $PPID");
            let mut sender = process::Command::new("sh");
            let mut sender = sender.args(["-c", &script]).spawn().unwrap();
            assert_eq!(signals.recv(), Ok(signal::SIGUSR1));
            sender.wait().unwrap();
        }
    });
}

fn a_child_is_waited_for() {
    green().run(|| {
        let mut child = process::Command::new("sleep");
        assert!(child.arg("0.1").status().unwrap().success());
    });
}
