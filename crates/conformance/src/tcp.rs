//! `net::TcpListener` and `net::TcpStream`: std's semantics, while others run on.

use std::io::{self, Read as _, Write as _};
use std::net::{Shutdown, SocketAddr};
use std::time::{Duration, Instant};

use trefoil_net::{TcpListener, TcpStream};
use trefoil_runtime::{Reason, thread};

use crate::Subject;
use crate::subject::run;
use crate::witness::{join_all, until_waiting};

fn listener() -> (TcpListener, SocketAddr) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    (listener, address)
}

/// Two connected sockets.
fn pair() -> (TcpStream, TcpStream) {
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
        let (left, _right) = pair();
        // This port is taken, by a socket that does not listen.
        let nobody = left.local_addr().unwrap();
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
