//! `signal`: signals become messages. Each test is a process of its own, for signals are the process's.

use std::fs;
use std::io::{ErrorKind, Read as _, Write as _};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use nix::sys::pthread::{pthread_kill, pthread_self};
use nix::sys::signal::{Signal, kill};
use nix::unistd::getpid;
use trefoil_net::signal::{SIGCHLD, SIGINT, SIGTERM, SIGUSR1, SIGUSR2, SignalKind, ctrl_c, on};
use trefoil_net::{TcpListener, TcpStream};
use trefoil_runtime::Reason;
use trefoil_runtime::cancel::Cancelled;
use trefoil_runtime::thread::{self, JoinHandle};
use trefoil_runtime::time::{Elapsed, timeout};
use trefoil_sync::channel::{TryRecvError, bounded, select_biased, unbounded};

use crate::Subject;
use crate::child;
use crate::subject::run;
use crate::witness::{join_all, until, until_waiting};

/// Runs `body` in a run, in a process that has to come through it.
fn apart<S: Subject>(body: impl FnOnce() + Send + 'static) {
    child::end_of(|| run::<S, _>(body)).assert_came_through();
}

/// The process gets a signal, from itself.
fn send(signal: Signal) {
    kill(getpid(), signal).unwrap();
}

/// A thread that listens, and returns the first that it receives; it is waiting.
fn listener(kind: SignalKind) -> JoinHandle<SignalKind> {
    let listener = thread::spawn(move || on(kind).unwrap().recv().unwrap());
    until_waiting(listener.thread(), Reason::Receive);
    listener
}

/// Who waits for a signal lets others run, and gets it; again and again.
pub fn a_signal_is_received<S: Subject>() {
    apart::<S>(|| {
        let signals = Arc::new(on(SIGUSR1).unwrap());
        for _ in 0..20 {
            let own = Arc::clone(&signals);
            let waits = thread::spawn(move || own.recv().unwrap());
            until_waiting(waits.thread(), Reason::Receive);
            send(Signal::SIGUSR1);
            assert_eq!(waits.join().unwrap(), SIGUSR1);
        }
    });
}

/// All who listen to a signal are told, and nobody else.
pub fn every_listener_is_told<S: Subject>() {
    apart::<S>(|| {
        let other = on(SIGUSR2).unwrap();
        let listeners: Vec<_> = (0..10).map(|_| listener(SIGUSR1)).collect();
        send(Signal::SIGUSR1);
        assert!(join_all(listeners).into_iter().all(|kind| kind == SIGUSR1));
        assert_eq!(other.try_recv(), Err(TryRecvError::Empty));
        send(Signal::SIGUSR2);
        assert_eq!(other.recv(), Ok(SIGUSR2));
    });
}

/// Signals of a kind that come while nobody receives are one.
pub fn signals_of_a_kind_are_joined<S: Subject>() {
    apart::<S>(|| {
        let (first, second) = (on(SIGUSR1).unwrap(), on(SIGUSR2).unwrap());
        for _ in 0..5 {
            send(Signal::SIGUSR1);
        }
        until(|| !first.is_empty());
        send(Signal::SIGUSR1);
        // Those of the lower number are told first.
        send(Signal::SIGUSR2);
        assert_eq!(second.recv(), Ok(SIGUSR2));
        assert_eq!(first.try_recv(), Ok(SIGUSR1));
        assert_eq!(first.try_recv(), Err(TryRecvError::Empty));
    });
}

/// A signal that comes when its listeners have gone does nothing; a later listener does not get it.
pub fn nobody_has_to_listen<S: Subject>() {
    apart::<S>(|| {
        for _ in 0..50 {
            drop(on(SIGTERM).unwrap());
            send(Signal::SIGTERM);
        }
        let late = on(SIGTERM).unwrap();
        assert_eq!(late.try_recv(), Err(TryRecvError::Empty));
        send(Signal::SIGTERM);
        assert_eq!(late.recv(), Ok(SIGTERM));
        // The receiver may outlive the listener, and is closed then.
        let receiver = late.clone();
        drop(late);
        assert!(receiver.recv().is_err());
    });
}

/// A signal is an arm of a select.
pub fn a_select_takes_a_signal<S: Subject>() {
    apart::<S>(|| {
        let (again, end) = (on(SIGUSR1).unwrap(), on(SIGTERM).unwrap());
        let (sender, messages) = unbounded();
        let server = thread::spawn(move || {
            let mut seen = Vec::new();
            loop {
                select_biased! {
                    recv(messages) -> message => seen.push(message.unwrap()),
                    recv(again) -> kind => seen.push(kind.unwrap().to_string()),
                    recv(end) -> _ => return seen,
                }
            }
        });
        until_waiting(server.thread(), Reason::Select);
        sender.send("message".to_owned()).unwrap();
        until(|| sender.is_empty());
        until_waiting(server.thread(), Reason::Select);
        send(Signal::SIGUSR1);
        // The listener of this one was made first, but both have been told when it ends.
        let told = on(SIGUSR2).unwrap();
        send(Signal::SIGUSR2);
        told.recv().unwrap();
        send(Signal::SIGTERM);
        assert_eq!(server.join().unwrap(), ["message", "SIGUSR1"]);
    });
}

/// What nobody can listen to is refused with the reason.
pub fn some_signals_are_refused<S: Subject>() {
    apart::<S>(|| {
        // SIGKILL, SIGSTOP, the four faults, what the C library keeps, and what is none.
        for number in [9, 19, 11, 7, 4, 8, 32, 33, 0, -1, 65, i32::MAX] {
            let refused = on(SignalKind::from_raw(number)).unwrap_err();
            assert_eq!(refused.kind(), ErrorKind::InvalidInput);
            assert!(refused.to_string().len() > 20, "{refused}");
        }
        let real_time = SignalKind::from_raw(40);
        assert_eq!(on(real_time).unwrap().kind(), real_time);
    });
}

/// `ctrl_c` waits for the next one, and gives up as all waits do.
pub fn ctrl_c_is_waited_for<S: Subject>() {
    apart::<S>(|| {
        let late = timeout(Duration::from_millis(3), ctrl_c);
        assert!(matches!(late, Err(Elapsed)));
        for _ in 0..3 {
            let waits = thread::spawn(|| ctrl_c().unwrap());
            until_waiting(waits.thread(), Reason::Receive);
            send(Signal::SIGINT);
            waits.join().unwrap();
        }
        let waits = thread::spawn(|| ctrl_c().unwrap());
        until_waiting(waits.thread(), Reason::Receive);
        waits.cancel();
        assert!(waits.join().unwrap_err().is::<Cancelled>());
        let again = listener(SIGINT);
        send(Signal::SIGINT);
        assert_eq!(again.join().unwrap(), SIGINT);
    });
}

/// Plain OS threads listen with the others.
pub fn a_plain_thread_listens<S: Subject>() {
    apart::<S>(|| {
        let (ready, begun) = bounded(1);
        let plain = std::thread::spawn(move || {
            let signals = on(SIGUSR1).unwrap();
            ready.send(()).unwrap();
            signals.recv().unwrap()
        });
        begun.recv().unwrap();
        let other = listener(SIGUSR1);
        send(Signal::SIGUSR1);
        assert_eq!(other.join().unwrap(), SIGUSR1);
        assert_eq!(thread::blocking(|| plain.join().unwrap()), SIGUSR1);
    });
}

/// The end of a child is a signal too, and who listens to it takes nothing from who waits for the child.
pub fn a_childs_end_is_a_signal<S: Subject>() {
    apart::<S>(|| {
        let signals = on(SIGCHLD).unwrap();
        for code in 0..10 {
            let mut command = trefoil_net::process::Command::new("sh");
            let command = command.args(["-c", &format!("exit {code}")]);
            let mut child = command.spawn().unwrap();
            assert_eq!(signals.recv(), Ok(SIGCHLD));
            assert_eq!(child.wait().unwrap().code(), Some(code));
        }
    });
}

/// Signals that hit the OS thread of a waiting thread end no wait early, and no call fails by them.
pub fn a_signal_interrupts_no_wait<S: Subject>() {
    fn hit(waits: impl FnOnce() + Send + 'static, end: impl FnOnce()) {
        const TIMES: usize = 200;
        let (tell, told) = bounded(1);
        let thread = thread::spawn(move || {
            tell.send(pthread_self()).unwrap();
            waits();
        });
        let target = told.recv().unwrap();
        let over = Arc::new(AtomicBool::new(false));
        let hits = Arc::clone(&over);
        let hitter = std::thread::spawn(move || {
            for _ in 0..TIMES {
                pthread_kill(target, Signal::SIGUSR1).unwrap();
                std::thread::yield_now();
            }
            hits.store(true, Ordering::Release);
        });
        until(|| {
            // Its OS thread sleeps between the hits, where it has nothing else to do.
            thread::sleep(Duration::from_micros(100));
            over.load(Ordering::Acquire)
        });
        hitter.join().unwrap();
        assert!(!thread.is_finished());
        end();
        thread.join().unwrap();
    }
    apart::<S>(|| {
        let signals = on(SIGUSR1).unwrap();
        let listens = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listens.local_addr().unwrap();
        let mut client = None;
        let (stream, streams) = bounded(1);
        hit(
            move || stream.send(listens.accept().unwrap().0).unwrap(),
            || client = Some(TcpStream::connect(address).unwrap()),
        );
        let (mut near, mut far) = (client.unwrap(), streams.recv().unwrap());
        hit(
            move || far.read_exact(&mut [0; 3]).unwrap(),
            || near.write_all(b"end").unwrap(),
        );
        let mut command = trefoil_net::process::Command::new("sleep");
        let mut child = command.arg("3600").spawn().unwrap();
        let handle = child.handle();
        hit(
            move || assert!(!child.wait().unwrap().success()),
            || handle.kill().unwrap(),
        );
        let (go, gate) = bounded(1);
        hit(move || gate.recv().unwrap(), || go.send(()).unwrap());
        assert_eq!(signals.recv(), Ok(SIGUSR1));
    });
}

/// Listeners that come and go leave no descriptor and no OS thread.
pub fn listeners_leave_nothing<S: Subject>() {
    fn descriptors() -> usize {
        fs::read_dir("/proc/self/fd").unwrap().count()
    }
    fn ears() -> usize {
        let tasks = fs::read_dir("/proc/self/task").unwrap();
        let names =
            tasks.filter_map(|task| fs::read_to_string(task.ok()?.path().join("comm")).ok());
        names
            .filter(|name| name.trim_end() == "trefoil-signal")
            .count()
    }
    apart::<S>(|| {
        let before = descriptors();
        for _ in 0..300 {
            let both = (on(SIGUSR1).unwrap(), on(SIGUSR2).unwrap());
            drop(both);
        }
        until(|| ears() == 0 && descriptors() == before);
        let _listens = on(SIGUSR1).unwrap();
        let _also = on(SIGTERM).unwrap();
        until(|| ears() == 1);
    });
}
