//! What goes wrong with sockets: no descriptor is left, a peer resets, a socket ends under those
//! who wait. Nothing hangs, nothing is leaked, and nobody is kept busy.

use std::fs;
use std::io::{self, Read as _, Write as _};
use std::net::Shutdown;
use std::os::fd::AsRawFd as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use socket2::SockRef;
use trefoil_net::unix::{SocketAddr as UnixAddress, UnixDatagram, UnixListener, UnixStream};
use trefoil_net::{DescriptorsExhausted, TcpListener, TcpStream, UdpSocket, pipe};
use trefoil_runtime::thread::JoinHandle;
use trefoil_runtime::time::timeout;
use trefoil_runtime::{Reason, thread};
use trefoil_sync::Barrier;
use trefoil_sync::channel::bounded;

use crate::Subject;
use crate::child::{Child, end_of};
use crate::seed::{Random, draw};
use crate::subject::run;
use crate::tcp::{listener, pair};
use crate::witness::{join_all, until, until_waiting};

/// Closes it so that the peer gets a reset.
fn reset(stream: TcpStream) {
    stream.set_linger(Some(Duration::ZERO)).unwrap();
}

fn is_exhausted(error: &io::Error) -> bool {
    let inner = error.get_ref();
    inner.is_some_and(|inner| inner.is::<DescriptorsExhausted>())
}

/// A server that has no descriptor left tries again and again, gets the connection when another
/// thread has closed something, and lets that thread run meanwhile.
pub fn accept_outlives_a_lack_of_descriptors<S: Subject>() {
    let child = Child::new().with_descriptors(64);
    let end = child.end_of(|| run::<S, _>(|| while !lacks_for_a_while() {}));
    end.assert_came_through();
}

/// How often it was refused before it was given the connection.
fn persist<T>(
    mut accept: impl FnMut() -> io::Result<T>,
    tell: &trefoil_sync::channel::Sender<()>,
) -> (usize, T) {
    for refused in 0.. {
        match accept() {
            Ok(accepted) => return (refused, accepted),
            Err(error) => assert!(is_exhausted(&error), "{error}"),
        }
        let _ = tell.try_send(());
    }
    unreachable!("it persists")
}

/// Two listeners lack descriptors, and have one again. `false`: somebody gave one back while they were to have
/// none, an OS thread that had just begun, say.
fn lacks_for_a_while() -> bool {
    let (tcp, address) = listener();
    let nameless = UnixAddress::from_pathname("").unwrap();
    let unix = UnixListener::bind_addr(&nameless).unwrap();
    let _tcp_client = TcpStream::connect(address).unwrap();
    let _unix_client = UnixStream::connect_addr(&unix.local_addr().unwrap()).unwrap();
    let (tell, told) = bounded(0);
    let tcp = thread::spawn({
        let tell = tell.clone();
        move || {
            tell.send(()).unwrap();
            persist(|| tcp.accept(), &tell).0
        }
    });
    let unix = thread::spawn(move || {
        tell.send(()).unwrap();
        persist(|| unix.accept(), &tell).0
    });
    // Whoever waits has what it waits with.
    until_waiting(tcp.thread(), Reason::Send);
    until_waiting(unix.thread(), Reason::Send);
    let open = || fs::File::open("/dev/null").ok();
    let taken: Vec<_> = std::iter::from_fn(open).collect();
    let refused = is_exhausted_by(pipe())
        && is_exhausted_by(UdpSocket::bind("127.0.0.1:0"))
        && is_exhausted_by(UnixDatagram::pair());
    let lacked = (0..8).all(|_| told.recv().is_ok());
    drop((taken, told));
    let attempts = tcp.join().unwrap() + unix.join().unwrap();
    assert!(!lacked || attempts >= 4, "{attempts}");
    refused && lacked
}

/// `false`: there was one.
fn is_exhausted_by<T: std::fmt::Debug>(attempt: io::Result<T>) -> bool {
    attempt
        .err()
        .inspect(|error| assert!(is_exhausted(error), "{error}"))
        .is_some()
}

/// A server that has no descriptor left, and tries again and again, rests in between: it is seen at rest, many
/// times, while there is a connection that it could take.
pub fn a_lack_of_descriptors_keeps_nobody_busy<S: Subject>() {
    let child = Child::new().with_descriptors(64);
    let end = child.end_of(|| {
        run::<S, _>(|| {
            let (listener, address) = listener();
            let (begin, begun) = bounded::<()>(0);
            let refusals = Arc::new(AtomicUsize::new(0));
            let accepts = thread::spawn({
                let refusals = Arc::clone(&refusals);
                move || {
                    begun.recv().unwrap();
                    loop {
                        match listener.accept() {
                            Ok((stream, _)) => return stream,
                            Err(error) => assert!(is_exhausted(&error), "{error}"),
                        }
                        refusals.fetch_add(1, Ordering::Relaxed);
                    }
                }
            });
            until_waiting(accepts.thread(), Reason::Receive);
            let client = TcpStream::connect(address).unwrap();
            let open = || fs::File::open("/dev/null").ok();
            let taken: Vec<_> = std::iter::from_fn(open).collect();
            begin.send(()).unwrap();
            for _ in 0..5 {
                let before = refusals.load(Ordering::Relaxed);
                until_waiting(accepts.thread(), Reason::Sleep);
                until(|| refusals.load(Ordering::Relaxed) > before);
            }
            drop(taken);
            let mut stream = accepts.join().unwrap();
            (&client).write_all(b"x").unwrap();
            stream.read_exact(&mut [0]).unwrap();
        });
    });
    end.assert_came_through();
}

/// A peer that resets ends whatever one waits for, at each stage of a connection.
pub fn a_reset_is_seen_at_each_stage<S: Subject>() {
    use io::ErrorKind::{BrokenPipe, ConnectionReset};
    run::<S, _>(|| {
        // In the listener's queue.
        let (listener, address) = listener();
        reset(TcpStream::connect(address).unwrap());
        let (mut dead, _) = listener.accept().unwrap();
        assert_eq!(dead.read(&mut [0; 8]).unwrap_err().kind(), ConnectionReset);
        // While one waits for data.
        let (left, mut right) = pair();
        let reads = thread::spawn(move || right.read(&mut [0; 8]).unwrap_err());
        until_waiting(reads.thread(), Reason::Read);
        reset(left);
        assert_eq!(reads.join().unwrap().kind(), ConnectionReset);
        // While one waits for room, and afterwards.
        let (left, mut right) = pair();
        let writes = thread::spawn(move || {
            let refused = right.write_all(&[0; 8 << 20]).unwrap_err();
            (refused, right)
        });
        until_waiting(writes.thread(), Reason::Write);
        reset(left);
        let (refused, mut right) = writes.join().unwrap();
        assert_eq!(refused.kind(), ConnectionReset);
        assert_eq!(right.write(b"x").unwrap_err().kind(), BrokenPipe);
        assert_eq!(right.read(&mut [0; 8]).unwrap(), 0);
        // After the own half was closed.
        let (left, mut right) = pair();
        right.shutdown(Shutdown::Write).unwrap();
        assert_eq!((&left).read(&mut [0; 8]).unwrap(), 0);
        let reads = thread::spawn(move || right.read(&mut [0; 8]).unwrap_err());
        until_waiting(reads.thread(), Reason::Read);
        reset(left);
        assert_eq!(reads.join().unwrap().kind(), ConnectionReset);
        // Before the own half is closed.
        let (left, mut right) = pair();
        reset(left);
        let refused = right.shutdown(Shutdown::Write).unwrap_err();
        assert_eq!(refused.kind(), io::ErrorKind::NotConnected);
        assert_eq!(right.read(&mut [0; 8]).unwrap_err().kind(), ConnectionReset);
    });
}

/// While one waits to be connected the listener goes: the next question of the kernel gets a reset.
pub fn a_reset_ends_who_connects<S: Subject>() {
    run::<S, _>(|| {
        // Nobody is accepted, and the queue is full.
        let deaf = TcpListener::builder().backlog(0).bind("127.0.0.1:0");
        let deaf = deaf.unwrap();
        let address = deaf.local_addr().unwrap();
        let fill = || TcpStream::connect_timeout(&address, Duration::from_millis(100)).ok();
        let queued: Vec<_> = std::iter::from_fn(fill).take(16).collect();
        let connects = thread::spawn(move || TcpStream::connect(address).unwrap_err().kind());
        until_waiting(connects.thread(), Reason::Connect);
        drop((deaf, queued));
        assert_eq!(connects.join().unwrap(), io::ErrorKind::ConnectionRefused);
    });
}

/// A listener that another thread shuts down wakes all who wait for connections, with an error.
pub fn a_listener_ends_under_those_who_wait<S: Subject>() {
    fn ended<T: Send + 'static>(
        accept: impl Fn() -> io::Result<T> + Send + Sync + 'static,
        shutdown: impl FnOnce() -> io::Result<()>,
    ) {
        let accept = Arc::new(accept);
        let waits: [JoinHandle<_>; 2] = [(); 2].map(|()| {
            let accept = Arc::clone(&accept);
            let waits = thread::spawn(move || accept().map(drop).unwrap_err().kind());
            until_waiting(waits.thread(), Reason::Accept);
            waits
        });
        shutdown().unwrap();
        for waits in waits {
            assert_eq!(waits.join().unwrap(), io::ErrorKind::InvalidInput);
        }
        // And it stays so.
        assert_eq!(
            accept().map(drop).unwrap_err().kind(),
            io::ErrorKind::InvalidInput
        );
    }
    run::<S, _>(|| {
        let (tcp, _) = listener();
        let other = tcp.try_clone().unwrap();
        ended(
            move || tcp.accept(),
            || SockRef::from(&other).shutdown(Shutdown::Both),
        );
        let nameless = UnixAddress::from_pathname("").unwrap();
        let unix = UnixListener::bind_addr(&nameless).unwrap();
        let other = unix.try_clone().unwrap();
        ended(
            move || unix.accept(),
            || SockRef::from(&other).shutdown(Shutdown::Both),
        );
    });
}

/// Two threads wait for one socket by the same handle. Each gets a byte, and both get the end.
pub fn two_wait_by_one_handle<S: Subject>() {
    run::<S, _>(|| {
        let (mut left, right) = pair();
        let right = Arc::new(right);
        let wait = || {
            [(); 2].map(|()| {
                let right = Arc::clone(&right);
                let reads = thread::spawn(move || {
                    let mut byte = [0];
                    let length = (&*right).read(&mut byte).unwrap();
                    (length, byte[0])
                });
                until_waiting(reads.thread(), Reason::Read);
                reads
            })
        };
        let waiting = wait();
        left.write_all(b"a").unwrap();
        left.write_all(b"b").unwrap();
        let mut got = join_all(waiting);
        got.sort_unstable();
        assert_eq!(got, [(1, b'a'), (1, b'b')]);
        let waiting = wait();
        drop(left);
        assert_eq!(join_all(waiting), [(0, 0); 2]);
    });
}

/// A handle that is dropped while a clone is waited for takes nothing from who waits.
pub fn a_clone_is_closed_under_who_waits<S: Subject>() {
    run::<S, _>(|| {
        let (mut left, mut right) = pair();
        let clone = right.try_clone().unwrap();
        let reads = thread::spawn(move || {
            let mut byte = [0];
            right.read_exact(&mut byte).unwrap();
            byte
        });
        until_waiting(reads.thread(), Reason::Read);
        // It has been waited for too.
        clone
            .set_read_timeout(Some(Duration::from_millis(1)))
            .unwrap();
        (&clone).read(&mut [0]).unwrap_err();
        drop(clone);
        left.write_all(b"x").unwrap();
        assert_eq!(&reads.join().unwrap(), b"x");
    });
}

/// The number of a closed descriptor is soon another's, who gets its own events and no others.
pub fn a_number_is_used_again_at_once<S: Subject>() {
    run::<S, _>(|| {
        let mut again = 0;
        let mut last = -1;
        while again < 20 {
            let (left, mut right) = UnixStream::pair().unwrap();
            again += usize::from(right.as_raw_fd() == last);
            last = right.as_raw_fd();
            let reads = thread::spawn(move || {
                let mut byte = [0];
                right.read_exact(&mut byte).unwrap();
                // What comes for it afterwards is for nobody.
                drop(right);
                byte
            });
            until_waiting(reads.thread(), Reason::Read);
            (&left).write_all(b"xy").unwrap();
            assert_eq!(&reads.join().unwrap(), b"x");
        }
    });
}

/// The same while many open and close, wait, give up, and are cancelled: nobody gets another's bytes, and nobody
/// waits for what has come.
pub fn numbers_change_hands_under_load<S: Subject>() {
    const THREADS: u64 = 8;
    const ROUNDS: u64 = 100;
    fn round(random: &mut Random, mark: u8) {
        let (left, right) = UnixStream::pair().unwrap();
        let gives_up = random.below(3) == 0;
        let limit = Duration::from_micros(1 + random.below(300));
        let reads = thread::spawn(move || {
            let mut byte = [0];
            let mut read = || (&right).read(&mut byte);
            let read = if gives_up {
                timeout(limit, read)
            } else {
                Ok(read())
            };
            read.map(|read| (read.unwrap(), byte[0])).ok()
        });
        (0..random.below(3)).for_each(|_| thread::yield_now());
        match random.below(3) {
            0 => reads.cancel(),
            1 => drop(left),
            // It may have gone.
            _ => drop((&left).write_all(&[mark])),
        }
        match reads.join() {
            Ok(Some((1, byte))) => assert_eq!(byte, mark),
            Ok(Some(end)) => assert_eq!(end, (0, 0)),
            // It gave up, or was cancelled.
            Ok(None) | Err(_) => {}
        }
    }
    let seed = draw();
    let mut random = seed.random();
    run::<S, _>(move || {
        let threads = (0..THREADS).map(|number| {
            let mut random = random.branch();
            thread::spawn(move || {
                for turn in 0..ROUNDS {
                    round(&mut random, (number * ROUNDS + turn) as u8);
                }
            })
        });
        join_all(threads.collect::<Vec<_>>());
    });
}

/// Who never reads holds up nobody but who writes to it, and that one gives up in time.
pub fn a_peer_that_never_reads_is_given_up<S: Subject>() {
    run::<S, _>(|| {
        let (mut left, _right) = pair();
        let limit = Duration::from_millis(20);
        assert!(timeout(limit, || left.write_all(&[0; 8 << 20])).is_err());
        left.set_write_timeout(Some(limit)).unwrap();
        let refused = left.write_all(&[0; 8 << 20]).unwrap_err();
        assert_eq!(refused.kind(), io::ErrorKind::WouldBlock);
    });
}

/// Each side closes its half, one after the other: what comes before the end is read, and nobody waits behind it.
pub fn both_halves_are_closed_in_turn<S: Subject>() {
    fn close(first: &TcpStream, second: &TcpStream) {
        (&*first).write_all(b"last").unwrap();
        first.shutdown(Shutdown::Write).unwrap();
        let mut come = Vec::new();
        (&*second).read_to_end(&mut come).unwrap();
        assert_eq!(come, b"last");
        assert_eq!((&*second).read(&mut [0; 8]).unwrap(), 0);
    }
    run::<S, _>(|| {
        let (left, right) = pair();
        for (first, second) in [(&left, &right), (&right, &left)] {
            close(first, second);
            assert_eq!(
                (&*first).write(b"x").unwrap_err().kind(),
                io::ErrorKind::BrokenPipe
            );
        }
        // A half that was closed for reading reads no more, and goes on writing.
        let (left, right) = pair();
        left.shutdown(Shutdown::Read).unwrap();
        assert_eq!((&left).read(&mut [0; 8]).unwrap(), 0);
        close(&left, &right);
    });
}

/// Many connections that are dropped as soon as they were opened, on either side.
pub fn many_are_opened_and_dropped<S: Subject>() {
    const CLIENTS: usize = 10;
    const EACH: usize = 100;
    run::<S, _>(|| {
        // With the longest queue there is: what finds it full comes again after a second.
        let listener = TcpListener::builder().bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let clients = (0..CLIENTS).map(|n| {
            thread::spawn(move || {
                for round in 0..EACH {
                    let stream = TcpStream::connect(address).unwrap();
                    if (n + round) % 2 == 0 {
                        reset(stream);
                    }
                }
            })
        });
        let clients: Vec<_> = clients.collect();
        for connection in listener.incoming().take(CLIENTS * EACH) {
            // One that was reset in the queue may say so.
            drop(connection);
        }
        join_all(clients);
    });
}

/// Ten thousand connections that are all open at the same time, and are all dropped at once. A machine that
/// allows fewer descriptors gets fewer.
pub fn ten_thousand_are_dropped_at_once<S: Subject>() {
    const CLIENTS: usize = 10;
    const WANTED: usize = 10_000;
    fn most_descriptors() -> usize {
        let limits = fs::read_to_string("/proc/self/limits").unwrap();
        let line = limits
            .lines()
            .find(|line| line.starts_with("Max open files"));
        let soft = line.unwrap().split_whitespace().nth(3).unwrap();
        soft.parse().unwrap_or(usize::MAX)
    }
    let end = Child::new().with_most_descriptors().end_of(|| {
        // One in twenty is held on the other side too, and the process has others.
        let most = most_descriptors().saturating_sub(500) / 21 * 20;
        let each = WANTED.min(most) / CLIENTS;
        if most < WANTED {
            eprintln!(
                "NOT CHECKED with {WANTED} connections: the descriptors are enough for {most}"
            );
        }
        run::<S, _>(move || {
            let before = sockets_and_pipes();
            let listener = TcpListener::builder().bind("127.0.0.1:0").unwrap();
            let address = listener.local_addr().unwrap();
            let gates = [(); 2].map(|()| Arc::new(Barrier::new(CLIENTS + 1)));
            let clients = (0..CLIENTS).map(|number| {
                let gates = gates.clone();
                thread::spawn(move || {
                    let open = (0..each).map(|_| TcpStream::connect(address).unwrap());
                    let open: Vec<_> = open.collect();
                    for gate in &gates {
                        gate.wait();
                    }
                    if number % 2 == 0 {
                        open.into_iter().for_each(reset);
                    }
                })
            });
            let clients: Vec<_> = clients.collect();
            // Who reads from one waits for its end.
            let readers = listener.incoming().take(CLIENTS * each).enumerate();
            let readers = readers.filter_map(|(number, stream)| {
                let stream = stream.unwrap();
                (number % 20 == 0).then(|| thread::spawn(move || drop((&stream).read(&mut [0; 8]))))
            });
            let readers: Vec<_> = readers.collect();
            gates[0].wait();
            assert!(sockets_and_pipes() > CLIENTS * each);
            gates[1].wait();
            join_all(clients);
            join_all(readers);
            drop(listener);
            assert_eq!(sockets_and_pipes(), before);
        });
    });
    end.assert_came_through();
}

/// Who sends a byte now and then, so that no read is ever late, is given up when its time is over.
pub fn who_trickles_is_given_up<S: Subject>() {
    run::<S, _>(|| {
        let (near, far) = pair();
        far.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
        let trickles = thread::spawn(move || {
            while (&near).write_all(b"x").is_ok() {
                thread::sleep(Duration::from_millis(1));
            }
        });
        let mut got = Vec::new();
        let request = timeout(Duration::from_millis(50), || {
            while !got.ends_with(b"\n") {
                let mut byte = [0];
                (&far).read_exact(&mut byte).unwrap();
                got.extend(byte);
            }
        });
        assert!(request.is_err());
        assert!(!got.is_empty());
        drop(far);
        trickles.join().unwrap();
    });
}

fn sockets_and_pipes() -> usize {
    let descriptors = fs::read_dir("/proc/self/fd").unwrap();
    let links = descriptors.filter_map(|entry| fs::read_link(entry.unwrap().path()).ok());
    links
        .filter(|link| {
            let link = link.to_string_lossy();
            link.starts_with("socket:") || link.starts_with("pipe:")
        })
        .count()
}

/// No descriptor of a socket or a pipe is left, however it ended.
pub fn no_descriptor_is_leaked<S: Subject>() {
    fn once() {
        let nameless = UnixAddress::from_pathname("").unwrap();
        let mailbox = UnixDatagram::bind_addr(&nameless).unwrap();
        let address = mailbox.local_addr().unwrap();
        let sender = UnixDatagram::unbound().unwrap();
        let sends = thread::spawn(move || while sender.send_to_addr(b"x", &address).is_ok() {});
        until_waiting(sends.thread(), Reason::Write);
        sends.cancel();
        assert!(sends.join().is_err());
        let (left, right) = pair();
        let reads = thread::spawn(move || drop((&right).read(&mut [0; 8])));
        until_waiting(reads.thread(), Reason::Read);
        reads.cancel();
        assert!(reads.join().is_err());
        drop(left.try_clone().unwrap().into_std().unwrap());
        let (reader, writer) = pipe().unwrap();
        let reads = thread::spawn(move || drop((&reader).read(&mut [0; 8])));
        until_waiting(reads.thread(), Reason::Read);
        drop(writer);
        reads.join().unwrap();
        let (listener, address) = listener();
        drop(listener);
        assert!(TcpStream::connect(address).is_err());
        UnixListener::bind("/no/such/directory/socket").unwrap_err();
        UnixStream::connect("/no/such/path").unwrap_err();
        let taken = UdpSocket::bind("127.0.0.1:0").unwrap();
        UdpSocket::bind(taken.local_addr().unwrap()).unwrap_err();
    }
    let end = end_of(|| {
        run::<S, _>(|| {
            once();
            let before = sockets_and_pipes();
            (0..10).for_each(|_| once());
            assert_eq!(sockets_and_pipes(), before);
        });
    });
    end.assert_came_through();
}
