//! A test: a worker is not woken for the direction of a descriptor that only another one waits
//! for. It counts the events of each worker's poller. The descriptors are Unix sockets, of which
//! it is certain when they become writable.
#![forbid(unsafe_code)]

use std::hint::spin_loop;
use std::io::{self, Read as _, Write as _};
use std::os::fd::BorrowedFd;
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc;

use trefoil_runtime::{
    Interest, Owner, Reason, Source, ThreadId, ThreadInfo, Wait, thread, threads,
};

use crate::Builder;
use crate::shared::Shared;

/// One end of a connection; the other end is a plain OS thread's.
struct End {
    stream: UnixStream,
    source: Source,
}

impl End {
    fn pair() -> (Arc<End>, UnixStream) {
        let (near, far) = UnixStream::pair().unwrap();
        let source = Source::new(near.try_clone().unwrap().into()).unwrap();
        let stream = near;
        (Arc::new(End { stream, source }), far)
    }

    fn read_byte(&self) -> u8 {
        let (mut byte, wait) = ([0], Wait::new(Reason::Read));
        // It leaves no room that was not filled, but nothing more is ever there.
        let read = |_: BorrowedFd<'_>| (&self.stream).read(&mut byte);
        let taken = self.source.io(Interest::Read, &wait, |_| true, read);
        assert_eq!(taken.unwrap(), 1);
        byte[0]
    }

    fn write_all(&self, mut bytes: &[u8]) {
        let wait = Wait::new(Reason::Write);
        while !bytes.is_empty() {
            let write = |_: BorrowedFd<'_>| (&self.stream).write(bytes);
            let written = self.source.io(Interest::Write, &wait, |_| false, write);
            bytes = &bytes[written.unwrap()..];
        }
    }
}

/// How many events the pollers have reported: of the calling thread's worker, and of the other.
fn events(shared: &Shared) -> (usize, usize) {
    let here = |seat: usize| Owner::is_here(shared.seats[seat].remote().0);
    let own = usize::from(here(1));
    assert!(here(own));
    let of = |seat: usize| shared.seats[seat].remote().1.events();
    (of(own), of(1 - own))
}

/// Lets others run until this thread waits for this.
fn until_waiting(thread: ThreadId, reason: Reason) {
    let waits =
        |info: ThreadInfo| info.id == thread && info.waiting.is_some_and(|it| it.reason == reason);
    while !threads().into_iter().any(waits) {
        thread::yield_now();
    }
}

/// Spawns a thread on the other one of two workers (this one does not come back to its loop
/// before it has begun), and lets it come to its wait.
fn spawn_elsewhere<T: Send + 'static>(
    reason: Reason,
    f: impl FnOnce() -> T + Send + 'static,
) -> thread::JoinHandle<T> {
    let begun = Arc::new(AtomicBool::new(false));
    let begins = Arc::clone(&begun);
    let child = thread::spawn(move || {
        // Nothing hangs on the order.
        begins.store(true, Ordering::Relaxed);
        f()
    });
    while !begun.load(Ordering::Relaxed) {
        spin_loop();
    }
    until_waiting(child.thread().id(), reason);
    child
}

/// Runs `f` as the first thread of two workers.
fn on_two_workers(f: impl FnOnce(&Shared) + Send + 'static) {
    let runtime = Builder::new().workers(2).build().unwrap();
    let shared = Arc::clone(runtime.shared());
    runtime.run(move || f(&shared));
}

#[test]
fn what_is_read_here_does_not_wake_the_writers_worker() {
    const MESSAGES: usize = 100;
    on_two_workers(|shared| {
        let (end, mut far) = End::pair();
        let mut far_end = far.try_clone().unwrap();
        let much = vec![7; 1 << 20];
        let writes = Arc::clone(&end);
        let writer = spawn_elsewhere(Reason::Write, move || writes.write_all(&much));
        let (ask, asked) = mpsc::channel();
        let peer = std::thread::spawn(move || {
            asked.iter().for_each(|n| far.write_all(&[n]).unwrap());
        });
        let before = events(shared);
        for n in 0..MESSAGES as u8 {
            // It is sent while this thread waits, or just before.
            ask.send(n).unwrap();
            assert_eq!(end.read_byte(), n);
        }
        let after = events(shared);
        assert!(
            after.0 > before.0,
            "the messages came by this worker's poller"
        );
        assert_eq!(after.1, 0, "events at the worker that waits to write");
        drop(ask);
        peer.join().unwrap();
        // And its own direction does wake it.
        let drain = std::thread::spawn(move || {
            let mut all = vec![0; 1 << 20];
            far_end.read_exact(&mut all).unwrap();
        });
        writer.join().unwrap();
        drain.join().unwrap();
    });
}

#[test]
fn what_is_written_here_does_not_wake_the_readers_worker() {
    on_two_workers(|shared| {
        let (end, mut far) = End::pair();
        let reads = Arc::clone(&end);
        let reader = spawn_elsewhere(Reason::Read, move || reads.read_byte());
        let writer = thread::current().id();
        let peer = std::thread::spawn(move || {
            until_waiting(writer, Reason::Write);
            let copied = io::copy(&mut (&far).take(1 << 20), &mut io::sink()).unwrap();
            assert_eq!(copied, 1 << 20);
            far
        });
        let before = events(shared);
        end.write_all(&vec![7; 1 << 20]);
        let after = events(shared);
        assert!(
            after.0 > before.0,
            "this thread was woken by its worker's poller"
        );
        assert_eq!(after.1, 0, "events at the worker that waits to read");
        far = peer.join().unwrap();
        far.write_all(&[9]).unwrap();
        assert_eq!(reader.join().unwrap(), 9);
    });
}
