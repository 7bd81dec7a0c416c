//! `net::TcpListener` and `net::TcpStream`: std's semantics, while others run on.

use std::io::{self, Read as _, Write as _};
use std::net::{self, Shutdown, SocketAddr};
use std::os::fd::AsFd;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::socket::{TimestampingFlag, setsockopt, sockopt};
use socket2::SockRef;
use trefoil_net::{TcpListener, TcpStream};
use trefoil_runtime::thread::JoinHandle;
use trefoil_runtime::{Interest, Reason, Source, Wait, thread};

use crate::Subject;
use crate::subject::run;
use crate::witness::{join_all, until_waiting};

/// A listener, and where it listens.
pub(crate) fn listener() -> (TcpListener, SocketAddr) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    (listener, address)
}

/// Two connected sockets.
pub(crate) fn pair() -> (TcpStream, TcpStream) {
    let (listener, address) = listener();
    // The kernel completes the connection before anybody accepts it.
    let client = TcpStream::connect(address).unwrap();
    (client, listener.accept().unwrap().0)
}

/// Sends back all that comes, until the other side has said all.
fn echo(mut stream: TcpStream) {
    let mut buffer = [0; 512];
    loop {
        match stream.read(&mut buffer).unwrap() {
            0 => break,
            n => stream.write_all(&buffer[..n]).unwrap(),
        }
    }
}

/// A hundred connections at the same time, one thread on either side of each.
pub fn a_hundred_connections_echo<S: Subject>() {
    const CLIENTS: usize = 100;
    run::<S, _>(|| {
        let (listener, address) = listener();
        let server = thread::spawn(move || {
            let connections: Vec<_> = (0..CLIENTS)
                .map(|_| {
                    let (stream, _) = listener.accept().unwrap();
                    thread::spawn(move || echo(stream))
                })
                .collect();
            join_all(connections);
        });
        let clients: Vec<_> = (0..CLIENTS)
            .map(|n| {
                thread::spawn(move || {
                    let mut stream = TcpStream::connect(address).unwrap();
                    for round in 0..5 {
                        let said = format!("client {n}, round {round}");
                        stream.write_all(said.as_bytes()).unwrap();
                        let mut heard = vec![0; said.len()];
                        stream.read_exact(&mut heard).unwrap();
                        assert_eq!(heard, said.as_bytes());
                    }
                })
            })
            .collect();
        join_all(clients);
        server.join().unwrap();
    });
}

/// More than all buffers hold goes both ways at once.
pub fn much_goes_both_ways<S: Subject>() {
    const SIZE: usize = 4 << 20;
    fn pattern(seed: usize) -> Vec<u8> {
        (0..SIZE).map(|n| (n / 251 + n + seed) as u8).collect()
    }
    fn both_ways(stream: TcpStream, mine: usize) -> Vec<u8> {
        let mut writer = stream.try_clone().unwrap();
        let writes = thread::spawn(move || {
            writer.write_all(&pattern(mine)).unwrap();
            writer.shutdown(Shutdown::Write).unwrap();
        });
        let mut heard = Vec::new();
        (&stream).read_to_end(&mut heard).unwrap();
        writes.join().unwrap();
        heard
    }
    run::<S, _>(|| {
        let (left, right) = pair();
        let right = thread::spawn(move || both_ways(right, 2));
        assert!(both_ways(left, 1) == pattern(2));
        assert!(right.join().unwrap() == pattern(1));
    });
}

/// A thread that waits for data says so, and does not keep others from running.
pub fn a_reader_waits<S: Subject>() {
    run::<S, _>(|| {
        let (mut left, mut right) = pair();
        let reader = thread::spawn(move || {
            let mut buffer = [0; 5];
            right.read_exact(&mut buffer).unwrap();
            buffer
        });
        until_waiting(reader.thread(), Reason::Read);
        left.write_all(b"he").unwrap();
        thread::yield_now();
        left.write_all(b"llo").unwrap();
        assert_eq!(&reader.join().unwrap(), b"hello");
    });
}

/// A thread that waits for a connection says so, and does not keep others from running.
pub fn accept_waits<S: Subject>() {
    run::<S, _>(|| {
        let (listener, address) = listener();
        let accepts = thread::spawn(move || listener.accept().unwrap().1);
        until_waiting(accepts.thread(), Reason::Accept);
        let client = TcpStream::connect(address).unwrap();
        assert_eq!(accepts.join().unwrap(), client.local_addr().unwrap());
    });
}

/// A read gives up after its timeout, and not before; afterwards the socket still works.
pub fn a_read_times_out<S: Subject>() {
    run::<S, _>(|| {
        let (mut left, mut right) = pair();
        let timeout = Duration::from_millis(20);
        right.set_read_timeout(Some(timeout)).unwrap();
        assert_eq!(right.read_timeout().unwrap(), Some(timeout));
        let begin = Instant::now();
        let refused = right.read(&mut [0; 8]).unwrap_err();
        assert_eq!(refused.kind(), io::ErrorKind::WouldBlock);
        assert!(begin.elapsed() >= timeout);
        right.set_read_timeout(None).unwrap();
        left.write_all(b"x").unwrap();
        assert_eq!(right.read(&mut [0; 8]).unwrap(), 1);
        let zero = right.set_read_timeout(Some(Duration::ZERO)).unwrap_err();
        assert_eq!(zero.kind(), io::ErrorKind::InvalidInput);
    });
}

/// A write gives up after its timeout, when nobody reads.
pub fn a_write_times_out<S: Subject>() {
    run::<S, _>(|| {
        let (mut left, right) = pair();
        left.set_write_timeout(Some(Duration::from_millis(10)))
            .unwrap();
        let block = [0; 1 << 16];
        let refused = loop {
            if let Err(refused) = left.write(&block) {
                break refused;
            }
        };
        assert_eq!(refused.kind(), io::ErrorKind::WouldBlock);
        drop(right);
    });
}

/// Half a connection can be closed: the other half goes on.
pub fn half_a_connection_goes_on<S: Subject>() {
    run::<S, _>(|| {
        let (mut left, mut right) = pair();
        let answers = thread::spawn(move || {
            let mut question = String::new();
            right.read_to_string(&mut question).unwrap();
            right.write_all(question.to_uppercase().as_bytes()).unwrap();
        });
        left.write_all(b"question").unwrap();
        left.shutdown(Shutdown::Write).unwrap();
        assert_eq!(
            left.write(b"more").unwrap_err().kind(),
            io::ErrorKind::BrokenPipe
        );
        let mut answer = String::new();
        left.read_to_string(&mut answer).unwrap();
        assert_eq!(answer, "QUESTION");
        answers.join().unwrap();
    });
}

/// The end of one side wakes a reader on the other.
pub fn a_closed_connection_wakes_the_reader<S: Subject>() {
    run::<S, _>(|| {
        let (left, mut right) = pair();
        let reader = thread::spawn(move || right.read(&mut [0; 8]).unwrap());
        until_waiting(reader.thread(), Reason::Read);
        drop(left);
        assert_eq!(reader.join().unwrap(), 0);
    });
}

/// `shutdown` wakes a reader of the same socket.
pub fn shutdown_wakes_the_own_reader<S: Subject>() {
    run::<S, _>(|| {
        let (_left, right) = pair();
        let mut clone = right.try_clone().unwrap();
        let reader = thread::spawn(move || clone.read(&mut [0; 8]).unwrap());
        until_waiting(reader.thread(), Reason::Read);
        right.shutdown(Shutdown::Both).unwrap();
        assert_eq!(reader.join().unwrap(), 0);
    });
}

/// Where nobody listens, `connect` says that it was refused.
pub fn a_refused_connection_is_an_error<S: Subject>() {
    run::<S, _>(|| {
        let (_left, right) = pair();
        // This port is taken, by a socket that does not listen any more. The kernel gives it to no
        // client, as it may the port of one that connected: that would connect to itself.
        let nobody = right.local_addr().unwrap();
        let refused = TcpStream::connect(nobody).unwrap_err();
        assert_eq!(refused.kind(), io::ErrorKind::ConnectionRefused);
        let refused = TcpStream::connect_timeout(&nobody, Duration::from_secs(60)).unwrap_err();
        assert_eq!(refused.kind(), io::ErrorKind::ConnectionRefused);
    });
}

/// Two threads may wait for the same socket in the same direction: each gets a message.
pub fn two_may_read_one_socket<S: Subject>() {
    run::<S, _>(|| {
        let (mut left, right) = pair();
        let readers = [(); 2].map(|()| {
            let mut stream = right.try_clone().unwrap();
            let reader = thread::spawn(move || {
                let mut byte = [0];
                stream.read_exact(&mut byte).unwrap();
                byte[0]
            });
            until_waiting(reader.thread(), Reason::Read);
            reader
        });
        left.write_all(b"a").unwrap();
        left.write_all(b"b").unwrap();
        let mut got = readers.map(|reader| reader.join().unwrap());
        got.sort_unstable();
        assert_eq!(&got, b"ab");
    });
}

/// A socket may be handed to another thread, and go on there.
pub fn a_socket_changes_hands<S: Subject>() {
    run::<S, _>(|| {
        let (left, mut right) = pair();
        let far = thread::spawn(move || echo(left));
        for round in 0..10_u8 {
            right = thread::spawn(move || {
                right.write_all(&[round]).unwrap();
                let mut heard = [0];
                right.read_exact(&mut heard).unwrap();
                assert_eq!(heard, [round]);
                right
            })
            .join()
            .unwrap();
        }
        drop(right);
        far.join().unwrap();
    });
}

/// Bytes on both sides of an urgent byte are read, without waiting for more to come. The
/// urgent byte itself is among them only with `SO_OOBINLINE`.
pub fn urgent_data_holds_up_no_reader<S: Subject>() {
    fn send(stream: &TcpStream, before: &[u8], after: &[u8]) {
        (&mut &*stream).write_all(before).unwrap();
        assert_eq!(SockRef::from(stream).send_out_of_band(b"!").unwrap(), 1);
        (&mut &*stream).write_all(after).unwrap();
    }
    /// A thread that waits for so many bytes, and takes what each read gives.
    fn reader(mut stream: TcpStream, wanted: usize) -> JoinHandle<(TcpStream, Vec<u8>)> {
        let reader = thread::spawn(move || {
            let mut heard = Vec::new();
            while heard.len() < wanted {
                let mut buffer = [0; 64];
                let taken = stream.read(&mut buffer).unwrap();
                heard.extend_from_slice(&buffer[..taken]);
            }
            (stream, heard)
        });
        until_waiting(reader.thread(), Reason::Read);
        reader
    }
    run::<S, _>(|| {
        for (inline, expected) in [(false, "before,after"), (true, "before,!after")] {
            let (left, mut right) = pair();
            SockRef::from(&right)
                .set_out_of_band_inline(inline)
                .unwrap();
            for _ in 0..10 {
                let waits = reader(right, expected.len());
                send(&left, b"before,", b"after");
                let (stream, heard) = waits.join().unwrap();
                assert_eq!(heard, expected.as_bytes());
                right = stream;
            }
            // An ordinary message is read as ever.
            let waits = reader(right, 5);
            (&left).write_all(b"plain").unwrap();
            assert_eq!(waits.join().unwrap().1, b"plain");
        }
    });
}

/// A read that does not fill its room has taken all: a reader that waits for each message
/// needs one system call for each, and no other to learn that nothing is left.
pub fn one_read_takes_one_message<S: Subject>() {
    const MESSAGES: usize = 50;
    run::<S, _>(|| {
        let (mut left, right) = pair();
        let reader = thread::spawn(move || {
            let source = Source::new(right.into_std().unwrap().into()).unwrap();
            let (mut tries, mut messages) = (0, 0);
            while messages < MESSAGES {
                let taken = source.io(
                    Interest::Read,
                    &Wait::new(Reason::Read),
                    |&taken| taken < 8,
                    |fd| {
                        tries += 1;
                        (&mut &*SockRef::from(&fd)).read(&mut [0; 8])
                    },
                );
                messages += taken.unwrap();
            }
            tries
        });
        for _ in 0..MESSAGES {
            until_waiting(reader.thread(), Reason::Read);
            left.write_all(b"m").unwrap();
        }
        let tries = reader.join().unwrap();
        // The first one, which finds nothing, and few others.
        assert!(tries <= MESSAGES + 5, "{tries} reads");
    });
}

/// Makes every send of this socket leave a report in its error queue, which nobody reads;
/// `MSG_ZEROCOPY` does it in the same way.
fn report_sends(stream: &impl AsFd) {
    let wanted = TimestampingFlag::SOF_TIMESTAMPING_TX_SOFTWARE
        | TimestampingFlag::SOF_TIMESTAMPING_SOFTWARE;
    setsockopt(stream, sockopt::Timestamping, &wanted).unwrap();
}

fn has_error_pending(stream: &impl AsFd) -> bool {
    let mut polled = [PollFd::new(stream.as_fd(), PollFlags::empty())];
    poll(&mut polled, PollTimeout::ZERO).unwrap();
    polled[0].revents() == Some(PollFlags::POLLERR)
}

/// A thread that does `operation` as soon as it does not block, and tells how often it was
/// tried.
fn tries(
    stream: net::TcpStream,
    interest: Interest,
    reason: Reason,
    operation: impl Fn(&mut &net::TcpStream) -> io::Result<usize> + Send + 'static,
) -> JoinHandle<usize> {
    thread::spawn(move || {
        let other = stream.try_clone().unwrap();
        let source = Source::new(stream.into()).unwrap();
        let mut tries = 0;
        let tried = source.io(
            interest,
            &Wait::new(reason),
            |_| true,
            |_| {
                tries += 1;
                operation(&mut &other)
            },
        );
        assert!(tried.unwrap() > 0);
        tries
    })
}

/// What stands unread in a socket's error queue, as a report of `MSG_ZEROCOPY` does, is an
/// error of the socket that no read and no write takes. Who waits tries again a few times, and
/// not all the time.
pub fn an_unread_error_queue_wakes_nobody_again_and_again<S: Subject>() {
    /// A spinning thread needs less for thousands of tries.
    const CHANCE: Duration = Duration::from_millis(20);
    const FEW: usize = 20;
    run::<S, _>(|| {
        let (left, mut right) = pair();
        report_sends(&left);
        (&left).write_all(b"x").unwrap();
        assert!(has_error_pending(&left));
        let reader = tries(
            left.into_std().unwrap(),
            Interest::Read,
            Reason::Read,
            |stream| stream.read(&mut [0; 8]),
        );
        until_waiting(reader.thread(), Reason::Read);
        thread::sleep(CHANCE);
        right.write_all(b"y").unwrap();
        let tried = reader.join().unwrap();
        assert!(tried <= FEW, "{tried} reads for one message");
    });
    run::<S, _>(|| {
        let (left, mut right) = pair();
        report_sends(&left);
        left.set_nonblocking(true).unwrap();
        while (&left).write(&[0; 1 << 16]).is_ok() {}
        assert!(has_error_pending(&left));
        let writer = tries(
            left.into_std().unwrap(),
            Interest::Write,
            Reason::Write,
            |stream| stream.write(b"z"),
        );
        until_waiting(writer.thread(), Reason::Write);
        thread::sleep(CHANCE);
        let mut heard = Vec::new();
        right.read_to_end(&mut heard).unwrap();
        let tried = writer.join().unwrap();
        assert!(tried <= FEW, "{tried} writes of one byte");
        assert_eq!(heard.last(), Some(&b'z'));
    });
}

/// A thread whose connections are always ready lets others have their turn.
pub fn a_busy_connection_lets_others_run<S: Subject>() {
    run::<S, _>(|| {
        let (mut near, mut far) = pair();
        let ran = Arc::new(AtomicBool::new(false));
        let runs = Arc::clone(&ran);
        let other = thread::spawn(move || runs.store(true, Ordering::Release));
        while !ran.load(Ordering::Acquire) {
            near.write_all(b"more than one").unwrap();
            far.read_exact(&mut [0; 13]).unwrap();
        }
        other.join().unwrap();
    });
}
