//! How long calls wait.

mod support;

use std::io::{self, ErrorKind, Read, Write};
use std::net::SocketAddr;
use std::thread;
use std::time::{Duration, Instant};

use socket2::{Domain, Socket, Type};
use support::{LONG, listener, pair};
use trefoil_net::TcpStream;

const SHORT: Duration = Duration::from_millis(30);

/// Writes until it is refused.
fn fill(mut stream: &TcpStream) -> io::Error {
    let block = [0; 1 << 16];
    loop {
        if let Err(refused) = stream.write(&block) {
            return refused;
        }
    }
}

#[test]
fn a_read_times_out_and_the_socket_still_works() {
    let (mut left, mut right) = pair();
    right.set_read_timeout(Some(SHORT)).unwrap();
    for _ in 0..2 {
        let begin = Instant::now();
        let refused = right.read(&mut [0; 8]).unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::WouldBlock);
        assert!(begin.elapsed() >= SHORT);
    }
    left.write_all(b"x").unwrap();
    assert_eq!(right.read(&mut [0; 8]).unwrap(), 1);
}

#[test]
fn peek_times_out_as_a_read() {
    let (_left, right) = pair();
    right.set_read_timeout(Some(SHORT)).unwrap();
    let refused = right.peek(&mut [0; 8]).unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::WouldBlock);
}

#[test]
fn a_write_times_out_and_the_socket_still_works() {
    let (left, mut right) = pair();
    left.set_write_timeout(Some(SHORT)).unwrap();
    assert_eq!(fill(&left).kind(), ErrorKind::WouldBlock);
    let reader = thread::spawn(move || {
        let mut sink = vec![0; 1 << 20];
        while right.read(&mut sink).unwrap() != 0 {}
    });
    left.set_write_timeout(Some(LONG)).unwrap();
    (&left).write_all(&[0; 1 << 20]).unwrap();
    drop(left);
    reader.join().unwrap();
}

#[test]
fn the_other_direction_has_its_own_timeout() {
    let (left, mut right) = pair();
    left.set_write_timeout(Some(SHORT)).unwrap();
    let (reads, _) = support::waits(trefoil_runtime::Reason::Read, move || {
        (&left).read(&mut [0; 8]).unwrap()
    });
    thread::sleep(SHORT * 2);
    right.write_all(b"late").unwrap();
    assert_eq!(reads.join().unwrap(), 4);
}

#[test]
fn a_timeout_is_read_back_and_zero_is_refused() {
    let (left, _right) = pair();
    assert_eq!(left.read_timeout().unwrap(), None);
    assert_eq!(left.write_timeout().unwrap(), None);
    left.set_read_timeout(Some(SHORT)).unwrap();
    left.set_write_timeout(Some(LONG)).unwrap();
    for refused in [
        left.set_read_timeout(Some(Duration::ZERO)),
        left.set_write_timeout(Some(Duration::ZERO)),
    ] {
        assert_eq!(refused.unwrap_err().kind(), ErrorKind::InvalidInput);
    }
    assert_eq!(left.read_timeout().unwrap(), Some(SHORT));
    assert_eq!(left.write_timeout().unwrap(), Some(LONG));
    left.set_read_timeout(None).unwrap();
    assert_eq!(left.read_timeout().unwrap(), None);
}

#[test]
fn a_timeout_beyond_all_time_is_none() {
    let (mut left, mut right) = pair();
    right.set_read_timeout(Some(Duration::MAX)).unwrap();
    let writer = thread::spawn(move || {
        thread::sleep(SHORT);
        left.write_all(b"x").unwrap();
    });
    assert_eq!(right.read(&mut [0; 8]).unwrap(), 1);
    writer.join().unwrap();
}

/// A listener whose queue is full, so that it answers nobody; and what fills it.
fn busy() -> (Socket, SocketAddr, Vec<TcpStream>) {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    let any = SocketAddr::from(([127, 0, 0, 1], 0));
    socket.bind(&any.into()).unwrap();
    socket.listen(0).unwrap();
    let address = socket.local_addr().unwrap().as_socket().unwrap();
    let mut connections = Vec::new();
    while let Ok(connection) = TcpStream::connect_timeout(&address, SHORT) {
        connections.push(connection);
        assert!(connections.len() < 16, "the queue has no end");
    }
    (socket, address, connections)
}

#[test]
fn connect_times_out_where_nobody_answers() {
    let (_listener, address, _connections) = busy();
    let begin = Instant::now();
    let refused = TcpStream::connect_timeout(&address, SHORT).unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::TimedOut);
    assert!(begin.elapsed() >= SHORT);
    assert!(begin.elapsed() < LONG);
}

#[test]
fn connect_waits_for_an_answer() {
    let (listener, address, _connections) = busy();
    let (connects, _) = support::waits(trefoil_runtime::Reason::Connect, move || {
        TcpStream::connect(address).unwrap()
    });
    // Room in the queue: the system's next attempt, a second later, is answered.
    drop(listener.accept().unwrap());
    let stream = connects.join().unwrap();
    assert_eq!(stream.peer_addr().unwrap(), address);
}

#[test]
fn connect_in_no_time_is_refused() {
    let (_listener, address) = listener();
    let refused = TcpStream::connect_timeout(&address, Duration::ZERO).unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::InvalidInput);
}

#[test]
fn nonblocking_calls_do_not_wait() {
    let (listener, address) = listener();
    listener.set_nonblocking(true).unwrap();
    assert_eq!(listener.accept().unwrap_err().kind(), ErrorKind::WouldBlock);
    let mut left = TcpStream::connect(address).unwrap();
    let mut right = listener.accept().unwrap().0;
    // As in std, a connection does not inherit it.
    left.write_all(b"x").unwrap();
    assert_eq!(right.read(&mut [0; 8]).unwrap(), 1);

    right.set_nonblocking(true).unwrap();
    for refused in [
        right.read(&mut [0; 8]).unwrap_err(),
        right.peek(&mut [0; 8]).unwrap_err(),
        fill(&right),
    ] {
        assert_eq!(refused.kind(), ErrorKind::WouldBlock);
    }
    right.set_nonblocking(false).unwrap();
    let (reads, _) = support::waits(trefoil_runtime::Reason::Read, move || {
        right.read(&mut [0; 8]).unwrap()
    });
    left.write_all(b"abc").unwrap();
    assert_eq!(reads.join().unwrap(), 3);
}
