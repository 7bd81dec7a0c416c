//! The reactor on real descriptors.

use std::collections::HashSet;
use std::fs::File;
use std::io::{self, ErrorKind, PipeReader, PipeWriter, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::os::fd::{AsFd, AsRawFd, FromRawFd, OwnedFd, RawFd};
use std::os::unix::net::UnixStream;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, mpsc};
use std::thread;
use std::time::{Duration, Instant};

use trefoil_reactor::{Handle, Reactor, Readiness, Watch};

/// What one look finds now.
fn look<K: Clone>(reactor: &mut Reactor<K>) -> Vec<(K, Readiness)> {
    let mut ready = Vec::new();
    reactor.poll(Some(Duration::ZERO), &mut ready).unwrap();
    ready
}

/// The keys one look finds now.
fn keys<K: Clone>(reactor: &mut Reactor<K>) -> Vec<K> {
    look(reactor).into_iter().map(|(key, _)| key).collect()
}

/// A pair of which the left side does not block.
fn pair() -> (UnixStream, UnixStream) {
    let (left, right) = UnixStream::pair().unwrap();
    left.set_nonblocking(true).unwrap();
    (left, right)
}

/// A pair whose left side is registered, and whose first edge (it is writable) was taken.
fn watched(reactor: &mut Reactor<&'static str>, key: &'static str) -> (UnixStream, UnixStream) {
    let (left, right) = pair();
    reactor
        .handle()
        .register(left.as_raw_fd(), key, Watch::Both)
        .unwrap();
    assert_eq!(look(reactor), [(key, Readiness::WRITABLE)]);
    (left, right)
}

fn nonblocking(fd: &impl AsFd) {
    let fd = fd.as_fd().as_raw_fd();
    // SAFETY: `fd` is open; `F_SETFL` takes an int.
    let set = unsafe { libc::fcntl(fd, libc::F_SETFL, libc::O_NONBLOCK) };
    assert_eq!(set, 0);
}

fn pipe() -> (PipeReader, PipeWriter) {
    let (reader, writer) = io::pipe().unwrap();
    nonblocking(&reader);
    nonblocking(&writer);
    (reader, writer)
}

fn send_urgent_byte(into: &TcpStream) {
    let byte = b"!";
    // SAFETY: one byte, alive for the call, and an open descriptor.
    let sent = unsafe { libc::send(into.as_raw_fd(), byte.as_ptr().cast(), 1, libc::MSG_OOB) };
    assert_eq!(sent, 1);
}

/// Closes `fd` behind its owner's back, as faulty code would.
fn close_raw(owner: impl Into<OwnedFd>) -> RawFd {
    let owner = owner.into();
    let fd = owner.as_raw_fd();
    drop(owner);
    fd
}

fn read_all(from: &mut impl Read) -> usize {
    let (mut total, mut part) = (0, [0; 4096]);
    loop {
        match from.read(&mut part) {
            Ok(0) => return total,
            Ok(count) => total += count,
            Err(error) if error.kind() == ErrorKind::WouldBlock => return total,
            Err(error) => panic!("{error}"),
        }
    }
}

fn fill(into: &mut impl Write) -> usize {
    let mut total = 0;
    loop {
        match into.write(&[7; 4096]) {
            Ok(count) => total += count,
            Err(error) if error.kind() == ErrorKind::WouldBlock => return total,
            Err(error) => panic!("{error}"),
        }
    }
}

// --- edges ---

#[test]
fn a_registration_reports_what_is_ready_already() {
    let mut reactor = Reactor::new().unwrap();
    let (left, mut right) = pair();
    right.write_all(b"early").unwrap();
    reactor
        .handle()
        .register(left.as_raw_fd(), 'l', Watch::Both)
        .unwrap();
    let both = Readiness::READABLE | Readiness::WRITABLE;
    assert_eq!(look(&mut reactor), [('l', both)]);
}

#[test]
fn an_edge_comes_once_and_again_with_new_data() {
    let mut reactor = Reactor::new().unwrap();
    let (mut left, mut right) = watched(&mut reactor, "left");
    assert!(look(&mut reactor).is_empty());

    right.write_all(b"one").unwrap();
    assert!(look(&mut reactor)[0].1.is_readable());
    assert!(look(&mut reactor).is_empty(), "no new data, no new edge");

    right.write_all(b"two").unwrap();
    assert!(
        look(&mut reactor)[0].1.is_readable(),
        "not drained, but new"
    );

    assert_eq!(read_all(&mut left), 6);
    assert!(look(&mut reactor).is_empty());
    right.write_all(b"three").unwrap();
    assert!(look(&mut reactor)[0].1.is_readable(), "drained, and new");
}

#[test]
fn after_a_short_read_the_next_data_is_an_edge() {
    let mut reactor = Reactor::new().unwrap();
    let (mut left, mut right) = watched(&mut reactor, "left");
    for text in ["a", "bc", "def"] {
        right.write_all(text.as_bytes()).unwrap();
        assert_eq!(keys(&mut reactor), ["left"]);
        assert_eq!(left.read(&mut [0; 64]).unwrap(), text.len());
        assert!(look(&mut reactor).is_empty());
    }
}

#[test]
fn a_full_pipe_becomes_writable_when_it_is_read() {
    let mut reactor = Reactor::new().unwrap();
    let (mut reader, mut writer) = pipe();
    let full = fill(&mut writer);
    reactor
        .handle()
        .register(writer.as_raw_fd(), 'w', Watch::Both)
        .unwrap();
    assert!(look(&mut reactor).is_empty());

    assert_eq!(read_all(&mut reader), full);
    assert_eq!(look(&mut reactor), [('w', Readiness::WRITABLE)]);
    assert!(look(&mut reactor).is_empty());
}

#[test]
fn poll_appends() {
    let mut reactor = Reactor::new().unwrap();
    let (left, right) = pair();
    reactor
        .handle()
        .register(left.as_raw_fd(), 1, Watch::Both)
        .unwrap();
    reactor
        .handle()
        .register(right.as_raw_fd(), 2, Watch::Both)
        .unwrap();
    let mut ready = vec![(0, Readiness::EMPTY)];
    reactor.poll(None, &mut ready).unwrap();
    let found: HashSet<i32> = ready.iter().map(|(key, _)| *key).collect();
    assert_eq!(found, HashSet::from([0, 1, 2]));
    assert_eq!(ready[0], (0, Readiness::EMPTY));
}

// --- ends ---

#[test]
fn a_half_close_ends_reads_only() {
    let mut reactor = Reactor::new().unwrap();
    let (_left, right) = watched(&mut reactor, "left");
    right.shutdown(Shutdown::Write).unwrap();
    let readiness = look(&mut reactor)[0].1;
    assert!(readiness.is_read_closed() && readiness.is_readable());
    assert!(!readiness.is_write_closed() && !readiness.is_error());
}

#[test]
fn a_hang_up_ends_both() {
    let mut reactor = Reactor::new().unwrap();
    let (_left, right) = watched(&mut reactor, "left");
    drop(right);
    let readiness = look(&mut reactor)[0].1;
    assert!(readiness.is_read_closed() && readiness.is_write_closed());
}

#[test]
fn a_pipe_without_writer_is_read_closed() {
    let mut reactor = Reactor::new().unwrap();
    let (reader, writer) = pipe();
    reactor
        .handle()
        .register(reader.as_raw_fd(), (), Watch::Both)
        .unwrap();
    drop(writer);
    let readiness = look(&mut reactor)[0].1;
    assert!(readiness.is_read_closed() && readiness.concerns_reader());
}

#[test]
fn a_pipe_without_reader_is_an_error() {
    let mut reactor = Reactor::new().unwrap();
    let (reader, writer) = pipe();
    reactor
        .handle()
        .register(writer.as_raw_fd(), (), Watch::Both)
        .unwrap();
    drop(reader);
    let readiness = look(&mut reactor)[0].1;
    assert!(readiness.is_error() && readiness.is_write_closed());
    assert!(readiness.concerns_reader() && readiness.concerns_writer());
}

// --- registrations ---

#[test]
fn a_pending_event_dies_with_its_registration() {
    let mut reactor = Reactor::new().unwrap();
    let handle = reactor.handle();
    let (left, mut right) = pair();
    let token = handle
        .register(left.as_raw_fd(), "left", Watch::Both)
        .unwrap();
    right.write_all(b"pending").unwrap();
    handle.deregister(left.as_raw_fd(), token);
    assert!(look(&mut reactor).is_empty());
}

#[test]
fn a_slot_used_again_has_another_token() {
    let mut reactor = Reactor::new().unwrap();
    let handle = reactor.handle();
    let (left, _right) = pair();
    let mut seen = HashSet::new();
    for round in 0..1000 {
        let token = handle
            .register(left.as_raw_fd(), round, Watch::Both)
            .unwrap();
        assert!(seen.insert(token));
        assert_eq!(keys(&mut reactor), [round]);
        handle.deregister(left.as_raw_fd(), token);
        // The old token is harmless from here on.
        handle.deregister(left.as_raw_fd(), token);
    }
    assert_eq!(handle.registered(), 0);
}

/// A descriptor number that was closed and means another file now. `dup2` makes the exchange in
/// one step, so that no other test gets the number in between.
#[test]
fn a_descriptor_number_used_again_starts_anew() {
    let mut reactor = Reactor::new().unwrap();
    let handle = reactor.handle();
    let (old, mut old_peer) = pair();
    let (new, mut new_peer) = pair();
    let fd = old.as_raw_fd();
    let token = handle.register(fd, "old", Watch::Both).unwrap();
    handle.deregister(fd, token);
    // SAFETY: both are open descriptors that this function owns.
    assert_eq!(unsafe { libc::dup2(new.as_raw_fd(), fd) }, fd);
    let _ = old_peer.write_all(b"to nobody");
    handle.register(fd, "new", Watch::Both).unwrap();
    // A late second call for the old registration must not touch the new one.
    handle.deregister(fd, token);
    assert_eq!(keys(&mut reactor), ["new"]);
    new_peer.write_all(b"hello").unwrap();
    assert_eq!(keys(&mut reactor), ["new"]);
}

#[test]
fn deregistering_with_a_live_duplicate_is_silence() {
    let mut reactor = Reactor::new().unwrap();
    let handle = reactor.handle();
    let (left, mut right) = pair();
    let duplicate = left.try_clone().unwrap();
    let token = handle
        .register(left.as_raw_fd(), "left", Watch::Both)
        .unwrap();
    assert_eq!(keys(&mut reactor), ["left"]);
    handle.deregister(left.as_raw_fd(), token);
    drop(left);
    right.write_all(b"for the duplicate").unwrap();
    assert!(look(&mut reactor).is_empty());
    drop(duplicate);
}

/// Closed before it was deregistered, while a duplicate lives: the kernel goes on sending events
/// with the old token and cannot be stopped. The tag keeps them from the slot's new tenant.
#[test]
fn a_stale_token_does_not_reach_the_next_tenant() {
    let mut reactor = Reactor::new().unwrap();
    let handle = reactor.handle();
    let (left, mut right) = pair();
    let duplicate = left.try_clone().unwrap();
    let token = handle
        .register(left.as_raw_fd(), "old", Watch::Both)
        .unwrap();
    assert_eq!(keys(&mut reactor), ["old"]);
    let fd = close_raw(left);

    right.write_all(b"still the old one's").unwrap();
    assert_eq!(keys(&mut reactor), ["old"], "the kernel kept the entry");
    // The number may have gone to another test meanwhile: that one is not in this reactor.
    handle.deregister(fd, token);

    let (tenant, _tenant_peer) = pair();
    let new = handle
        .register(tenant.as_raw_fd(), "new", Watch::Both)
        .unwrap();
    assert_eq!(new.to_raw() as u32, token.to_raw() as u32, "same slot");
    assert_eq!(keys(&mut reactor), ["new"]);
    for _ in 0..3 {
        right.write_all(b"stale").unwrap();
        assert!(look(&mut reactor).is_empty());
    }
    drop(duplicate);
}

#[test]
fn a_duplicate_has_a_registration_of_its_own() {
    let mut reactor = Reactor::new().unwrap();
    let handle = reactor.handle();
    let (left, mut right) = pair();
    let duplicate = left.try_clone().unwrap();
    let first = handle.register(left.as_raw_fd(), 1, Watch::Both).unwrap();
    handle
        .register(duplicate.as_raw_fd(), 2, Watch::Both)
        .unwrap();
    let both = |reactor: &mut Reactor<i32>| HashSet::from_iter(keys(reactor));
    assert_eq!(both(&mut reactor), HashSet::from([1, 2]));
    right.write_all(b"x").unwrap();
    assert_eq!(both(&mut reactor), HashSet::from([1, 2]));
    handle.deregister(left.as_raw_fd(), first);
    right.write_all(b"y").unwrap();
    assert_eq!(both(&mut reactor), HashSet::from([2]));
}

#[test]
fn two_reactors_watch_one_descriptor() {
    let (mut one, mut other) = (Reactor::new().unwrap(), Reactor::new().unwrap());
    let (left, mut right) = pair();
    one.handle()
        .register(left.as_raw_fd(), 1, Watch::Both)
        .unwrap();
    other
        .handle()
        .register(left.as_raw_fd(), 2, Watch::Both)
        .unwrap();
    assert_eq!((keys(&mut one), keys(&mut other)), (vec![1], vec![2]));
    right.write_all(b"x").unwrap();
    assert_eq!((keys(&mut one), keys(&mut other)), (vec![1], vec![2]));
}

#[test]
fn only_the_watched_direction_is_reported() {
    let mut reactor = Reactor::new().unwrap();
    let (mut left, mut right) = pair();
    right.set_nonblocking(true).unwrap();
    let handle = reactor.handle();
    handle
        .register(left.as_raw_fd(), "read", Watch::Read)
        .unwrap();
    let duplicate = left.try_clone().unwrap();
    fill(&mut left);
    handle
        .register(duplicate.as_raw_fd(), "write", Watch::Write)
        .unwrap();
    assert!(look(&mut reactor).is_empty());
    right.write_all(b"data").unwrap();
    assert_eq!(look(&mut reactor), [("read", Readiness::READABLE)]);
    read_all(&mut right);
    assert_eq!(look(&mut reactor), [("write", Readiness::WRITABLE)]);
    assert_eq!(handle.events(), 2);
}

#[test]
fn a_direction_that_is_added_reports_what_is_ready_already() {
    let mut reactor = Reactor::new().unwrap();
    let (left, mut right) = pair();
    let (handle, fd) = (reactor.handle(), left.as_raw_fd());
    let token = handle.register(fd, "left", Watch::Write).unwrap();
    assert_eq!(look(&mut reactor), [("left", Readiness::WRITABLE)]);
    right.write_all(b"data").unwrap();
    assert!(look(&mut reactor).is_empty());
    handle.reregister(fd, token, Watch::Both).unwrap();
    let both = Readiness::READABLE | Readiness::WRITABLE;
    assert_eq!(look(&mut reactor), [("left", both)]);
}

#[test]
fn an_edge_survives_that_the_other_direction_is_left() {
    let mut reactor = Reactor::new().unwrap();
    let (left, mut right) = pair();
    let (handle, fd) = (reactor.handle(), left.as_raw_fd());
    let token = handle.register(fd, "left", Watch::Both).unwrap();
    assert_eq!(look(&mut reactor), [("left", Readiness::WRITABLE)]);
    right.write_all(b"data").unwrap();
    // The edge has come, and nobody has polled.
    handle.reregister(fd, token, Watch::Read).unwrap();
    assert_eq!(look(&mut reactor), [("left", Readiness::READABLE)]);
    handle.reregister(fd, token, Watch::Write).unwrap();
    assert_eq!(look(&mut reactor), [("left", Readiness::WRITABLE)]);
    right.write_all(b"data").unwrap();
    assert!(look(&mut reactor).is_empty());
}

#[test]
fn urgent_data_is_for_who_reads() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let left = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    let right = listener.accept().unwrap().0;
    let mut reader = Reactor::new().unwrap();
    let mut writer = Reactor::new().unwrap();
    let fd = left.as_raw_fd();
    reader.handle().register(fd, (), Watch::Read).unwrap();
    writer.handle().register(fd, (), Watch::Write).unwrap();
    assert_eq!(look(&mut writer), [((), Readiness::WRITABLE)]);
    send_urgent_byte(&right);
    reader.poll(None, &mut Vec::new()).unwrap();
    assert!(look(&mut writer).is_empty());
}

#[test]
fn a_registration_that_has_ended_watches_nothing_else() {
    let reactor = Reactor::new().unwrap();
    let (left, _right) = pair();
    let (handle, fd) = (reactor.handle(), left.as_raw_fd());
    let token = handle.register(fd, "left", Watch::Read).unwrap();
    handle.deregister(fd, token);
    let refused = handle.reregister(fd, token, Watch::Both).unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::NotConnected);
    let token = handle.register(fd, "left", Watch::Read).unwrap();
    drop(reactor);
    let refused = handle.reregister(fd, token, Watch::Both).unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::NotConnected);
}

#[test]
fn a_second_registration_is_refused_and_the_first_stays() {
    let mut reactor = Reactor::new().unwrap();
    let (left, mut right) = watched(&mut reactor, "first");
    let again = reactor
        .handle()
        .register(left.as_raw_fd(), "second", Watch::Both);
    assert_eq!(again.unwrap_err().raw_os_error(), Some(libc::EEXIST));
    assert_eq!(reactor.handle().registered(), 1);
    right.write_all(b"x").unwrap();
    assert_eq!(keys(&mut reactor), ["first"]);
}

#[test]
fn a_regular_file_is_refused() {
    let mut reactor = Reactor::new().unwrap();
    let file = File::open(concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml")).unwrap();
    let refused = reactor.handle().register(file.as_raw_fd(), (), Watch::Both);
    assert_eq!(refused.unwrap_err().raw_os_error(), Some(libc::EPERM));
    assert_eq!(reactor.handle().registered(), 0);
    assert!(look(&mut reactor).is_empty());
}

#[test]
fn a_bad_descriptor_is_refused() {
    let reactor = Reactor::new().unwrap();
    let refused = reactor.handle().register(-1, (), Watch::Both);
    assert_eq!(refused.unwrap_err().raw_os_error(), Some(libc::EBADF));
    assert_eq!(reactor.handle().registered(), 0);
}

/// An eventfd is always writable, so each registration causes one event at once. What was
/// deregistered before a `poll` began must not come out of it.
#[test]
fn no_event_comes_after_deregister_returned() {
    const ROUNDS: usize = 20_000;
    let mut reactor = Reactor::new().unwrap();
    let handle = reactor.handle();
    let ended = Arc::new(AtomicUsize::new(0));
    let done = Arc::new(AtomicBool::new(false));
    let registrar = {
        let (ended, done) = (Arc::clone(&ended), Arc::clone(&done));
        thread::spawn(move || {
            // SAFETY: `eventfd` has no preconditions.
            let fd = unsafe { libc::eventfd(0, libc::EFD_CLOEXEC) };
            assert!(fd >= 0);
            // SAFETY: the call above opened it, and nobody else has it.
            let fd = unsafe { OwnedFd::from_raw_fd(fd) };
            for round in 1..=ROUNDS {
                let token = handle.register(fd.as_raw_fd(), round, Watch::Both).unwrap();
                if round % 3 == 0 {
                    thread::yield_now();
                }
                handle.deregister(fd.as_raw_fd(), token);
                // Release: pairs with the poller's load, which so knows that round has ended.
                ended.store(round, Ordering::Release);
            }
            done.store(true, Ordering::Release);
            handle.wake();
        })
    };
    while !done.load(Ordering::Acquire) {
        // Acquire: pairs with the registrar's store.
        let over = ended.load(Ordering::Acquire);
        for key in keys(&mut reactor) {
            assert!(key > over, "{key} came after {over} had ended");
        }
    }
    registrar.join().unwrap();
    assert!(look(&mut reactor).is_empty());
}

// --- wake ---

#[test]
fn a_wake_before_poll_is_kept() {
    let mut reactor = Reactor::<()>::new().unwrap();
    for timeout in [
        None,
        Some(Duration::from_secs(3600)),
        Some(Duration::from_nanos(3_600_000_000_000_500)),
    ] {
        reactor.handle().wake();
        reactor.handle().wake();
        let mut ready = Vec::new();
        reactor.poll(timeout, &mut ready).unwrap();
        assert!(ready.is_empty());
    }
}

#[test]
fn a_wake_is_not_lost_beside_events() {
    let mut reactor = Reactor::new().unwrap();
    let (_left, mut right) = watched(&mut reactor, "left");
    right.write_all(b"x").unwrap();
    reactor.handle().wake();
    assert_eq!(keys(&mut reactor), ["left"]);
    reactor.handle().wake();
    let mut ready = Vec::new();
    reactor.poll(None, &mut ready).unwrap();
    assert!(ready.is_empty());
}

/// Messages from several threads, each followed by a wake. A lost wake-up hangs the receiver.
#[test]
fn every_message_before_a_wake_is_seen() {
    const SENDERS: usize = 4;
    const EACH: usize = 5_000;
    let mut reactor = Reactor::<()>::new().unwrap();
    let (sender, receiver) = mpsc::channel();
    let senders: Vec<_> = (0..SENDERS)
        .map(|_| {
            let (sender, handle) = (sender.clone(), reactor.handle());
            thread::spawn(move || {
                for message in 0..EACH {
                    sender.send(message).unwrap();
                    handle.wake();
                    if message % 7 == 0 {
                        thread::yield_now();
                    }
                }
            })
        })
        .collect();
    let mut received = 0;
    while received < SENDERS * EACH {
        reactor.poll(None, &mut Vec::new()).unwrap();
        received += receiver.try_iter().count();
    }
    for sender in senders {
        sender.join().unwrap();
    }
}

/// Two reactors wake each other in turn, each asleep most of the time.
#[test]
fn ping_pong() {
    const TURNS: usize = 2_000;
    fn play(mut mine: Reactor<()>, other: Handle<()>, turn: &AtomicUsize, parity: usize) {
        loop {
            // Acquire and Release pair between the two players: the turn passes with the wake.
            let now = turn.load(Ordering::Acquire);
            if now >= TURNS {
                return other.wake();
            }
            if now % 2 == parity {
                turn.store(now + 1, Ordering::Release);
                other.wake();
            } else {
                mine.poll(None, &mut Vec::new()).unwrap();
            }
        }
    }
    let (one, other) = (Reactor::new().unwrap(), Reactor::new().unwrap());
    let (to_one, to_other) = (one.handle(), other.handle());
    let turn = AtomicUsize::new(0);
    thread::scope(|scope| {
        scope.spawn(|| play(one, to_other, &turn, 0));
        scope.spawn(|| play(other, to_one, &turn, 1));
    });
    assert_eq!(turn.into_inner(), TURNS);
}

// --- time ---

/// A lower bound only: how late the machine is says nothing about this crate. No signal comes to
/// this process, so nothing ends the sleep early.
#[test]
fn a_timeout_brings_nothing_and_not_before_its_time() {
    let mut reactor = Reactor::new().unwrap();
    let _pair = watched(&mut reactor, "left");
    for nanos in [
        0, 1, 1_000, 300_000, 999_999, 1_000_000, 1_250_000, 3_000_001,
    ] {
        let timeout = Duration::from_nanos(nanos);
        let (start, mut ready) = (Instant::now(), Vec::new());
        reactor.poll(Some(timeout), &mut ready).unwrap();
        assert!(start.elapsed() >= timeout, "{timeout:?} was cut short");
        assert!(ready.is_empty());
    }
}

#[test]
fn events_come_at_every_timeout() {
    let mut reactor = Reactor::new().unwrap();
    let (_left, mut right) = watched(&mut reactor, "left");
    let timeouts = [
        Duration::ZERO,
        Duration::from_nanos(1),
        Duration::from_micros(999),
        Duration::from_micros(1500),
        Duration::from_secs(5),
        Duration::MAX,
    ];
    for timeout in timeouts {
        right.write_all(b"x").unwrap();
        let mut ready = Vec::new();
        reactor.poll(Some(timeout), &mut ready).unwrap();
        assert_eq!(ready.len(), 1, "{timeout:?}");
        assert!(ready[0].1.is_readable());
    }
}

// --- the end of a reactor ---

#[test]
fn close_gives_back_who_is_left() {
    let reactor = Reactor::new().unwrap();
    let handle = reactor.handle();
    let (left, right) = pair();
    let (more, _more) = pair();
    handle
        .register(left.as_raw_fd(), "left", Watch::Both)
        .unwrap();
    let token = handle
        .register(right.as_raw_fd(), "right", Watch::Both)
        .unwrap();
    handle
        .register(more.as_raw_fd(), "more", Watch::Both)
        .unwrap();
    handle.deregister(right.as_raw_fd(), token);
    let mut keys = reactor.close();
    keys.sort_unstable();
    assert_eq!(keys, ["left", "more"]);
    assert_eq!(handle.registered(), 0);
}

#[test]
fn a_handle_outlives_its_reactor() {
    let key = Arc::new(());
    let (left, right) = pair();
    let reactor = Reactor::new().unwrap();
    let handle = reactor.handle();
    let token = handle
        .register(left.as_raw_fd(), Arc::clone(&key), Watch::Both)
        .unwrap();
    drop(reactor);
    assert_eq!(Arc::strong_count(&key), 1, "dropped with the reactor");

    handle.deregister(left.as_raw_fd(), token);
    handle.wake();
    handle.wake();
    let refused = handle
        .register(right.as_raw_fd(), Arc::clone(&key), Watch::Both)
        .unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::NotConnected);
    assert_eq!(Arc::strong_count(&key), 1);
    assert_eq!(handle.registered(), 0);
}

/// The key's own end may ask the reactor something. That must not deadlock.
#[test]
fn a_key_may_call_back_while_it_drops() {
    struct Curious(Handle<Arc<Curious>>);
    impl Drop for Curious {
        fn drop(&mut self) {
            self.0.registered();
        }
    }
    let reactor = Reactor::new().unwrap();
    let handle = reactor.handle();
    let (left, right) = pair();
    let curious = || Arc::new(Curious(handle.clone()));
    let token = handle
        .register(left.as_raw_fd(), curious(), Watch::Both)
        .unwrap();
    assert!(
        handle
            .register(left.as_raw_fd(), curious(), Watch::Both)
            .is_err()
    );
    handle.deregister(left.as_raw_fd(), token);
    handle
        .register(right.as_raw_fd(), curious(), Watch::Both)
        .unwrap();
    drop(reactor);
    assert!(
        handle
            .register(left.as_raw_fd(), curious(), Watch::Both)
            .is_err()
    );
}

#[test]
fn ids_are_unique_and_not_zero() {
    let reactors: Vec<_> = (0..50).map(|_| Reactor::<()>::new().unwrap()).collect();
    let ids: HashSet<usize> = reactors.iter().map(|one| one.handle().id()).collect();
    assert_eq!(ids.len(), 50);
    assert!(!ids.contains(&0));
}

/// Also for a key that is not `Sync`.
#[test]
fn a_handle_is_send_and_sync() {
    fn everywhere<T: Send + Sync + 'static>() {}
    fn movable<T: Send + 'static>() {}
    everywhere::<Handle<std::cell::Cell<u8>>>();
    movable::<Reactor<std::cell::Cell<u8>>>();
}

#[test]
fn an_alarm_ends_a_sleep_that_is_under_way() {
    let mut reactor = Reactor::<()>::new().unwrap();
    for _ in 0..3 {
        let handle = reactor.handle();
        let setter = thread::spawn(move || handle.set_alarm(Duration::from_millis(2)).unwrap());
        reactor.poll(None, &mut Vec::new()).unwrap();
        setter.join().unwrap();
    }
}

#[test]
fn an_alarm_that_was_taken_back_or_moved_does_not_come() {
    let mut reactor = Reactor::<()>::new().unwrap();
    let handle = reactor.handle();
    handle.clear_alarm(); // none is set
    let pause = Duration::from_millis(50);
    for take_back in [
        Handle::clear_alarm,
        (|handle| handle.set_alarm(Duration::from_secs(3_600)).unwrap()) as fn(&Handle<()>),
    ] {
        handle.set_alarm(Duration::from_millis(5)).unwrap();
        take_back(&handle);
        let start = Instant::now();
        reactor.poll(Some(pause), &mut Vec::new()).unwrap();
        assert!(start.elapsed() >= pause, "something ended the sleep");
    }
    handle.set_alarm(Duration::ZERO).unwrap(); // at once, and not: never
    reactor.poll(None, &mut Vec::new()).unwrap();
}
