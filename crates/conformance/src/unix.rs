//! `net::unix`: std's semantics, while others run on.

use std::fs;
use std::io::{self, Read as _, Write as _};
use std::net::Shutdown;
use std::os::linux::net::SocketAddrExt as _;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use trefoil_net::unix::{SocketAddr, UnixDatagram, UnixListener, UnixStream};
use trefoil_runtime::cancel::Cancelled;
use trefoil_runtime::time::{timeout, timeout_at};
use trefoil_runtime::{Reason, thread};

use crate::Subject;
use crate::seed::draw;
use crate::subject::run;
use crate::witness::{join_all, until_waiting};

const SHORT: Duration = Duration::from_millis(10);

/// A directory of this test alone, which goes with the value.
struct Directory(PathBuf);

impl Directory {
    fn new() -> Directory {
        static NUMBER: AtomicUsize = AtomicUsize::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let name = format!("trefoil-unix-{}-{number}", std::process::id());
        let path = std::env::temp_dir().join(name);
        fs::create_dir(&path).unwrap();
        Directory(path)
    }

    fn at(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// For which the kernel chooses an abstract name that is free.
fn nameless() -> SocketAddr {
    SocketAddr::from_pathname("").unwrap()
}

fn listener() -> (UnixListener, SocketAddr) {
    let listener = UnixListener::bind_addr(&nameless()).unwrap();
    let address = listener.local_addr().unwrap();
    (listener, address)
}

fn mailbox() -> (UnixDatagram, SocketAddr) {
    let mailbox = UnixDatagram::bind_addr(&nameless()).unwrap();
    let address = mailbox.local_addr().unwrap();
    (mailbox, address)
}

/// Many connections at the same time, by a path, one thread on either side of each.
pub fn many_connections_echo<S: Subject>() {
    const CLIENTS: usize = 30;
    run::<S, _>(|| {
        let directory = Directory::new();
        let path = directory.at("socket");
        let listener = UnixListener::bind(&path).unwrap();
        assert_eq!(listener.local_addr().unwrap().as_pathname(), Some(&*path));
        let server = thread::spawn(move || {
            let connections = listener.incoming().take(CLIENTS).map(|connection| {
                let mut connection = connection.unwrap();
                thread::spawn(move || {
                    let mut heard = String::new();
                    connection.read_to_string(&mut heard).unwrap();
                    connection
                        .write_all(heard.to_uppercase().as_bytes())
                        .unwrap();
                })
            });
            join_all(connections.collect::<Vec<_>>());
        });
        let clients = (0..CLIENTS).map(|n| {
            let path = path.clone();
            thread::spawn(move || {
                let mut stream = UnixStream::connect(&path).unwrap();
                assert_eq!(stream.peer_addr().unwrap().as_pathname(), Some(&*path));
                write!(stream, "client {n}").unwrap();
                stream.shutdown(Shutdown::Write).unwrap();
                let mut answer = String::new();
                stream.read_to_string(&mut answer).unwrap();
                assert_eq!(answer, format!("CLIENT {n}"));
            })
        });
        join_all(clients.collect::<Vec<_>>());
        server.join().unwrap();
    });
}

/// A path that exists, one that is too long, and one where nobody listens.
pub fn bad_paths_are_refused<S: Subject>() {
    use io::ErrorKind::{AddrInUse, ConnectionRefused, InvalidInput, NotFound};
    run::<S, _>(|| {
        let directory = Directory::new();
        let (path, long) = (directory.at("socket"), directory.at(&"x".repeat(108)));
        let listener = UnixListener::bind(&path).unwrap();
        assert_eq!(UnixListener::bind(&path).unwrap_err().kind(), AddrInUse);
        assert_eq!(UnixDatagram::bind(&path).unwrap_err().kind(), AddrInUse);
        drop(listener);
        // The path stays.
        assert_eq!(UnixListener::bind(&path).unwrap_err().kind(), AddrInUse);
        let refused = UnixStream::connect(&path).unwrap_err();
        assert_eq!(refused.kind(), ConnectionRefused);
        for path in [long, PathBuf::from("zero\0byte")] {
            let sender = UnixDatagram::unbound().unwrap();
            let refusals = [
                UnixListener::bind(&path).unwrap_err(),
                UnixDatagram::bind(&path).unwrap_err(),
                UnixStream::connect(&path).unwrap_err(),
                sender.connect(&path).unwrap_err(),
                sender.send_to(b"x", &path).unwrap_err(),
            ];
            assert!(
                refusals
                    .iter()
                    .all(|refused| refused.kind() == InvalidInput)
            );
        }
        let nowhere = directory.at("nowhere");
        assert_eq!(UnixStream::connect(nowhere).unwrap_err().kind(), NotFound);
    });
}

/// Abstract addresses are in no file system, and free when the socket is closed.
pub fn abstract_addresses_work<S: Subject>() {
    run::<S, _>(|| {
        let (listener, address) = listener();
        let name = address.as_abstract_name().unwrap();
        let same = SocketAddr::from_abstract_name(name).unwrap();
        let client = UnixStream::connect_addr(&same).unwrap();
        let (_server, peer) = listener.accept().unwrap();
        assert!(peer.is_unnamed());
        let named = client.peer_addr().unwrap();
        assert_eq!(named.as_abstract_name(), Some(name));
        drop(listener);
        UnixListener::bind_addr(&same).unwrap();
    });
}

/// Threads that wait for a connection, for data and for room say so, and go on when it comes.
pub fn each_call_waits<S: Subject>() {
    run::<S, _>(|| {
        let (listener, address) = listener();
        let accepts = thread::spawn(move || listener.accept().unwrap().0);
        until_waiting(accepts.thread(), Reason::Accept);
        let client = UnixStream::connect_addr(&address).unwrap();
        let mut server = accepts.join().unwrap();
        let mut reader = client.try_clone().unwrap();
        let reads = thread::spawn(move || {
            let mut heard = [0; 5];
            reader.read_exact(&mut heard).unwrap();
            heard
        });
        until_waiting(reads.thread(), Reason::Read);
        server.write_all(b"hello").unwrap();
        assert_eq!(&reads.join().unwrap(), b"hello");
        let mut writer = client;
        let writes = thread::spawn(move || writer.write_all(&[7; 4 << 20]).unwrap());
        until_waiting(writes.thread(), Reason::Write);
        let mut all = Vec::new();
        server.read_to_end(&mut all).unwrap();
        writes.join().unwrap();
        assert!(all.len() == 4 << 20 && all.iter().all(|byte| *byte == 7));
    });
}

/// While a listener's queue is full `connect` waits, and goes on when there is room.
pub fn connect_waits_for_room<S: Subject>() {
    run::<S, _>(|| {
        use socket2::{Domain, SockAddr, Socket, Type};
        let directory = Directory::new();
        let path = directory.at("socket");
        let raw = Socket::new(Domain::UNIX, Type::STREAM, None).unwrap();
        raw.bind(&SockAddr::unix(&path).unwrap()).unwrap();
        raw.listen(0).unwrap();
        let listener = UnixListener::try_from(std::os::fd::OwnedFd::from(raw)).unwrap();
        let first = UnixStream::connect(&path).unwrap();
        let connect = || {
            let path = path.clone();
            let connects = thread::spawn(move || UnixStream::connect(path));
            until_waiting(connects.thread(), Reason::Connect);
            connects
        };
        let cancelled = connect();
        cancelled.cancel();
        assert!(cancelled.join().unwrap_err().is::<Cancelled>());
        assert!(timeout(SHORT, || UnixStream::connect(&path)).is_err());
        let second = connect();
        drop(listener.accept().unwrap());
        let mut second = second.join().unwrap().unwrap();
        listener.accept().unwrap().0.write_all(b"x").unwrap();
        assert_eq!(second.read(&mut [0; 8]).unwrap(), 1);
        // One that waits is told that nobody will take it.
        let _queued = UnixStream::connect(&path).unwrap();
        let refused = connect();
        drop(listener);
        let refused = refused.join().unwrap().unwrap_err();
        assert_eq!(refused.kind(), io::ErrorKind::ConnectionRefused);
        drop(first);
    });
}

/// Reads and writes give up in time.
pub fn streams_time_out<S: Subject>() {
    run::<S, _>(|| {
        let (mut left, right) = UnixStream::pair().unwrap();
        left.set_read_timeout(Some(SHORT)).unwrap();
        left.set_write_timeout(Some(SHORT)).unwrap();
        let begin = Instant::now();
        let refused = left.read(&mut [0; 8]).unwrap_err();
        assert_eq!(refused.kind(), io::ErrorKind::WouldBlock);
        assert!(begin.elapsed() >= SHORT);
        let refused = left.write_all(&[0; 4 << 20]).unwrap_err();
        assert_eq!(refused.kind(), io::ErrorKind::WouldBlock);
        drop(right);
        assert_eq!(
            left.write(b"x").unwrap_err().kind(),
            io::ErrorKind::BrokenPipe
        );
    });
}

/// `shutdown` ends the waits of all who wait by the same socket.
pub fn shutdown_wakes_those_who_wait<S: Subject>() {
    run::<S, _>(|| {
        let (left, _right) = UnixStream::pair().unwrap();
        let mut clone = left.try_clone().unwrap();
        let reads = thread::spawn(move || clone.read(&mut [0; 8]).unwrap());
        until_waiting(reads.thread(), Reason::Read);
        left.shutdown(Shutdown::Both).unwrap();
        assert_eq!(reads.join().unwrap(), 0);

        let (left, _right) = UnixDatagram::pair().unwrap();
        let clone = left.try_clone().unwrap();
        let reads = thread::spawn(move || clone.recv(&mut [0; 8]).unwrap());
        until_waiting(reads.thread(), Reason::Read);
        left.shutdown(Shutdown::Both).unwrap();
        assert_eq!(reads.join().unwrap(), 0);
        // And it stays so.
        assert_eq!(left.recv(&mut [0; 8]).unwrap(), 0);
        let (length, from) = left.recv_from(&mut [0; 8]).unwrap();
        assert!(length == 0 && from.is_unnamed());
    });
}

/// Messages come whole, with their sender if that has an address.
pub fn messages_come_whole<S: Subject>() {
    run::<S, _>(|| {
        let directory = Directory::new();
        let (here, there) = (directory.at("here"), directory.at("there"));
        let left = UnixDatagram::bind(&here).unwrap();
        let right = UnixDatagram::bind(&there).unwrap();
        let receiver = thread::spawn(move || {
            let mut message = [0; 8];
            let (length, from) = right.recv_from(&mut message).unwrap();
            assert_eq!(&message[..length], b"hello");
            right.connect(from.as_pathname().unwrap()).unwrap();
            right.send(b"good day").unwrap();
        });
        until_waiting(receiver.thread(), Reason::Read);
        assert_eq!(left.send_to(b"hello", &there).unwrap(), 5);
        let mut message = [0; 4];
        assert_eq!(left.recv(&mut message).unwrap(), 4);
        assert_eq!(&message, b"good");
        receiver.join().unwrap();
        let refused = left.send(b"x").unwrap_err();
        assert_eq!(refused.kind(), io::ErrorKind::NotConnected);
        // EMSGSIZE.
        let refused = left.send_to(&vec![0; 8 << 20], &here).unwrap_err();
        assert_eq!(refused.raw_os_error(), Some(90));
    });
}

/// A sender waits while the receiver has no room, however it has said to whom it sends, and no
/// message is lost or doubled.
pub fn a_sender_waits_for_the_receiver<S: Subject>() {
    const MESSAGES: u32 = 3000;
    type Send = fn(&UnixDatagram, &[u8], &SocketAddr) -> io::Result<usize>;
    let connected: Send = |socket, bytes, _| socket.send(bytes);
    let unconnected: Send = |socket, bytes, to| socket.send_to_addr(bytes, to);
    run::<S, _>(move || {
        // Small ones fill the receiver's queue, large ones the sender's buffer.
        for (send, size, senders) in [
            (connected, 4, 1),
            (unconnected, 4, 1),
            (unconnected, 4, 3),
            (unconnected, 40_000, 2),
        ] {
            let (mailbox, address) = mailbox();
            let each = if size == 4 { MESSAGES } else { 50 };
            let threads = (0..senders).map(|_| {
                let address = address.clone();
                thread::spawn(move || {
                    let socket = UnixDatagram::unbound().unwrap();
                    if send as usize == connected as usize {
                        socket.connect_addr(&address).unwrap();
                    }
                    let mut message = vec![0; size];
                    for n in 0..each {
                        message[..4].copy_from_slice(&n.to_le_bytes());
                        assert_eq!(send(&socket, &message, &address).unwrap(), size);
                    }
                })
            });
            let threads: Vec<_> = threads.collect();
            until_waiting(threads[0].thread(), Reason::Write);
            let mut sum = 0;
            let mut message = vec![0; size];
            for _ in 0..each * senders {
                assert_eq!(mailbox.recv(&mut message).unwrap(), size);
                sum += u32::from_le_bytes(message[..4].try_into().unwrap());
            }
            join_all(threads);
            assert_eq!(sum, senders * (each * (each - 1) / 2));
        }
    });
}

/// A sender that waits for room gives up in time, by a cancellation, and when the receiver goes.
pub fn a_sender_gives_up<S: Subject>() {
    run::<S, _>(|| {
        let (mailbox, address) = mailbox();
        let fill = UnixDatagram::unbound().unwrap();
        fill.set_nonblocking(true).unwrap();
        while fill.send_to_addr(b"x", &address).is_ok() {}
        let sender = Arc::new(UnixDatagram::unbound().unwrap());
        sender.set_write_timeout(Some(SHORT)).unwrap();
        let refused = sender.send_to_addr(b"x", &address).unwrap_err();
        assert_eq!(refused.kind(), io::ErrorKind::WouldBlock);
        sender.set_write_timeout(None).unwrap();
        assert!(timeout(SHORT, || sender.send_to_addr(b"x", &address)).is_err());
        let wait = || {
            let (sender, address) = (Arc::clone(&sender), address.clone());
            let sends = thread::spawn(move || sender.send_to_addr(b"x", &address));
            until_waiting(sends.thread(), Reason::Write);
            sends
        };
        let cancelled = wait();
        cancelled.cancel();
        assert!(cancelled.join().unwrap_err().is::<Cancelled>());
        let refused = wait();
        drop(mailbox);
        let refused = refused.join().unwrap().unwrap_err();
        assert_eq!(refused.kind(), io::ErrorKind::ConnectionRefused);
    });
}

/// A message and the end of the receiver's time come at the same moment: it is received once, or is
/// still there, and they keep their order; and so with room and the sender's time.
pub fn no_message_is_lost_to_a_timeout<S: Subject>() {
    const ROUNDS: u32 = 400;
    const PACE: Duration = Duration::from_micros(150);
    let seed = draw();
    let mut random = seed.random();
    run::<S, _>(move || {
        let (mailbox, address) = mailbox();
        let mut jitter = random.branch();
        let begin = Instant::now();
        let sender = thread::spawn(move || {
            let socket = UnixDatagram::unbound().unwrap();
            for round in 0..ROUNDS {
                let message = round.to_le_bytes();
                // While it is full a limit may come before the room.
                let limit = || begin + PACE * round + Duration::from_micros(jitter.below(80));
                let mut limits = std::iter::repeat_with(limit);
                let mut send = || {
                    let limit = limits.next().expect("there is always one more");
                    timeout_at(limit, || socket.send_to_addr(&message, &address))
                };
                while send().is_err() {
                    thread::yield_now();
                }
            }
        });
        let mut next = 0;
        let mut receive_until = |deadline| {
            let mut message = [0; 4];
            if let Ok(length) = timeout_at(deadline, || mailbox.recv(&mut message)) {
                assert_eq!(length.unwrap(), 4);
                assert_eq!(u32::from_le_bytes(message), next);
                next += 1;
            }
            next
        };
        for round in 0..ROUNDS {
            receive_until(begin + PACE * round + Duration::from_micros(random.below(20)));
        }
        while receive_until(Instant::now() + SHORT) < ROUNDS {}
        sender.join().unwrap();
    });
}

/// Sockets go to `std` and back, and are shared with a plain thread.
pub fn a_plain_thread_takes_part<S: Subject>() {
    run::<S, _>(|| {
        let (left, right) = UnixStream::pair().unwrap();
        left.set_read_timeout(Some(Duration::from_secs(60)))
            .unwrap();
        let left = UnixStream::from_std(left.into_std().unwrap()).unwrap();
        let timeout = left.read_timeout().unwrap();
        assert_eq!(timeout, Some(Duration::from_secs(60)));
        let plain = std::thread::spawn(move || {
            let mut byte = [0];
            (&right).read_exact(&mut byte).unwrap();
            (&right).write_all(&byte).unwrap();
        });
        (&left).write_all(b"x").unwrap();
        assert_eq!((&left).read(&mut [0; 8]).unwrap(), 1);
        thread::blocking(|| plain.join().unwrap());
    });
}
