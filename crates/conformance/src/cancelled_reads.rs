//! A read that waits is ended by a cancellation, whatever signals come and are blocked: on the kernel
//! model a signal ends it.
#![forbid(unsafe_code)]

use std::io::{Read as _, Write as _};
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use nix::sys::pthread::{Pthread, pthread_kill, pthread_self};
use nix::sys::signal::{SigSet, Signal, raise};
use trefoil_net::TcpStream;
use trefoil_net::signal::{SIGUSR1, SignalKind, on};
use trefoil_runtime::cancel::Cancelled;
use trefoil_runtime::thread::{self, JoinHandle};
use trefoil_runtime::time::timeout;
use trefoil_runtime::{Model, Reason, model};
use trefoil_sync::Barrier;
use trefoil_sync::channel::bounded;

use crate::Subject;
use crate::child;
use crate::seed::{Random, draw};
use crate::subject::run;
use crate::tcp::pair;
use crate::witness::{until, until_waiting};

/// A thread that waits for bytes until it is cancelled.
fn reader(stream: &Arc<TcpStream>) -> JoinHandle<()> {
    let stream = Arc::clone(stream);
    thread::spawn(move || while (&*stream).read(&mut [0; 1]).is_ok() {})
}

fn must_end(reader: JoinHandle<()>) {
    reader.cancel();
    assert!(reader.join().unwrap_err().is::<Cancelled>());
}

/// Works for a moment, of one of many lengths.
fn pause(random: &mut Random) {
    let longest = 1 << random.below(13);
    for _ in 0..random.below(longest) {
        std::hint::spin_loop();
    }
}

/// Before the read, in it, behind it; while bytes come and while none do.
pub fn at_any_moment<S: Subject>() {
    let seed = draw();
    let mut random = seed.random();
    run::<S, _>(move || {
        let (near, far) = pair();
        let far = Arc::new(far);
        for _ in 0..500 {
            let reader = reader(&far);
            if random.below(4) == 0 {
                until_waiting(reader.thread(), Reason::Read);
            } else if random.below(2) == 0 {
                thread::yield_now();
            }
            pause(&mut random);
            if random.below(2) == 0 {
                (&near).write_all(b"x").unwrap();
                pause(&mut random);
            }
            must_end(reader);
        }
        // What was not read is there still, and nothing else.
        (&near).write_all(b"end").unwrap();
        drop(near);
        let mut left = Vec::new();
        (&*far).read_to_end(&mut left).unwrap();
        assert!(left.ends_with(b"end"), "{left:?}");
        assert!(left.len() <= 3 + 500, "{left:?}");
    });
}

/// A handler that runs where the signal comes does not lose it.
pub fn under_a_hail_of_signals<S: Subject>() {
    child::end_of(|| {
        run::<S, _>(|| {
            let _handled = on(SIGUSR1).unwrap();
            let (_near, far) = pair();
            let far = Arc::new(far);
            for _ in 0..300 {
                let (tell, told) = bounded(1);
                let stream = Arc::clone(&far);
                let reader = thread::spawn(move || {
                    tell.send(pthread_self()).unwrap();
                    while (&*stream).read(&mut [0; 1]).is_ok() {}
                });
                let target = told.recv().unwrap();
                let hail = hail(target);
                until_waiting(reader.thread(), Reason::Read);
                reader.cancel();
                until(|| reader.is_finished());
                hail();
                assert!(reader.join().unwrap_err().is::<Cancelled>());
            }
        });
    })
    .assert_came_through();
}

/// Signals for one OS thread, again and again, until what is returned is called. The kernel runtime keeps
/// OS threads for later ones, so that it is there still.
fn hail(target: Pthread) -> impl FnOnce() {
    let over = Arc::new(AtomicBool::new(false));
    let ends = Arc::clone(&over);
    let hail = std::thread::spawn(move || {
        while !over.load(Ordering::Acquire) {
            pthread_kill(target, Signal::SIGUSR1).unwrap();
        }
    });
    move || {
        ends.store(true, Ordering::Release);
        hail.join().unwrap();
    }
}

/// A program may listen to the signal that ends the read, before it is needed or later, and hears it.
pub fn whoever_has_the_signal<S: Subject>() {
    const SIGURG: SignalKind = SignalKind::from_raw(Signal::SIGURG as i32);
    for before in [false, true] {
        child::end_of(|| {
            run::<S, _>(move || {
                let early = before.then(|| on(SIGURG).unwrap());
                let (_near, far) = pair();
                let far = Arc::new(far);
                let ended = || {
                    let reader = reader(&far);
                    until_waiting(reader.thread(), Reason::Read);
                    must_end(reader);
                };
                ended();
                let signals = early.unwrap_or_else(|| on(SIGURG).unwrap());
                for _ in 0..3 {
                    ended();
                    raise(Signal::SIGURG).unwrap();
                    assert_eq!(signals.recv(), Ok(SIGURG));
                }
                drop(signals);
                ended();
                raise(Signal::SIGURG).unwrap();
            });
        })
        .assert_came_through();
    }
}

/// The first reads of a process, on several OS threads at once: each can be ended, and nothing that
/// one of them noted is lost to another (the address sanitizer looks).
pub fn of_the_first_threads_at_once<S: Subject>() {
    const READERS: usize = 4;
    for _ in 0..20 {
        child::end_of(|| {
            run::<S, _>(|| {
                let (_near, far) = pair();
                let far = Arc::new(far);
                let start = Arc::new(Barrier::new(READERS));
                let readers = [(); READERS].map(|()| {
                    let (far, start) = (Arc::clone(&far), Arc::clone(&start));
                    thread::spawn(move || {
                        start.wait();
                        while (&*far).read(&mut [0; 1]).is_ok() {}
                    })
                });
                for reader in readers {
                    until_waiting(reader.thread(), Reason::Read);
                    must_end(reader);
                }
            });
        })
        .assert_came_through();
    }
}

/// A program may block all signals, as one does that takes them by `sigwait(3)`.
pub fn with_all_signals_blocked<S: Subject>() {
    child::end_of(|| {
        SigSet::all().thread_block().unwrap();
        run::<S, _>(|| {
            let (_near, far) = pair();
            let reader = reader(&Arc::new(far));
            until_waiting(reader.thread(), Reason::Read);
            must_end(reader);
        });
    })
    .assert_came_through();
}

/// A limit ends it too, that of the stream and that of a call; and bytes that come first are got.
pub fn in_its_time<S: Subject>() {
    run::<S, _>(|| {
        let (near, far) = pair();
        let mut byte = [0];
        for limit in [Duration::from_nanos(1), Duration::from_millis(3)] {
            far.set_read_timeout(Some(limit)).unwrap();
            let late = (&far).read(&mut byte).unwrap_err();
            assert_eq!(late.kind(), std::io::ErrorKind::WouldBlock);
        }
        // Less than a microsecond, of which the kernel knows nothing, and over before the call or in it.
        for nanoseconds in [300, 999].repeat(100) {
            let limit = Duration::from_nanos(nanoseconds);
            far.set_read_timeout(Some(limit)).unwrap();
            let late = (&far).read(&mut byte).unwrap_err();
            assert_eq!(late.kind(), std::io::ErrorKind::WouldBlock);
        }
        far.set_read_timeout(Some(Duration::MAX)).unwrap();
        (&near).write_all(b"x").unwrap();
        assert_eq!((&far).read(&mut byte).unwrap(), 1);
        far.set_read_timeout(None).unwrap();
        let far = Arc::new(far);
        let again = Arc::clone(&far);
        let limited = timeout(Duration::from_millis(3), move || {
            (&*again).read(&mut [0; 1])
        });
        assert!(limited.is_err());
        far.set_nonblocking(true).unwrap();
        let none = (&*far).read(&mut byte).unwrap_err();
        assert_eq!(none.kind(), std::io::ErrorKind::WouldBlock);
    });
}

/// A connection that a kernel thread has made serves fibers, and one that is given away is as all are.
pub fn of_a_kernel_threads_connection<S: Subject>() {
    run::<S, _>(|| {
        let made = std::thread::spawn(|| {
            assert_eq!(model(), Model::Kernel);
            pair()
        });
        let (near, far) = thread::blocking(|| made.join().unwrap());
        let far = Arc::new(far);
        let first = reader(&far);
        until_waiting(first.thread(), Reason::Read);
        must_end(first);
        let blocked = {
            let near = near.try_clone().unwrap();
            thread::spawn(move || while (&near).write(&[0; 1 << 16]).is_ok() {})
        };
        until_waiting(blocked.thread(), Reason::Write);
        must_end(blocked);
        drop(far);
        let fd = OwnedFd::from(near);
        let flags = nix::fcntl::fcntl(&fd, nix::fcntl::FcntlArg::F_GETFL).unwrap();
        let flags = nix::fcntl::OFlag::from_bits_retain(flags);
        assert!(flags.contains(nix::fcntl::OFlag::O_NONBLOCK));
    });
}
