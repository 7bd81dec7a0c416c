//! How connections end, and how they do not begin.

mod support;

use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr};
use std::time::Duration;

use socket2::SockRef;
use support::{LONG, listener, pair, waits};
use trefoil_net::TcpStream;
use trefoil_runtime::Reason;

#[test]
fn half_a_connection_goes_on() {
    let (mut left, mut right) = pair();
    left.write_all(b"question").unwrap();
    left.shutdown(Shutdown::Write).unwrap();
    let refused = left.write(b"more").unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::BrokenPipe);
    let mut question = String::new();
    right.read_to_string(&mut question).unwrap();
    right.write_all(question.to_uppercase().as_bytes()).unwrap();
    drop(right);
    let mut answer = String::new();
    left.read_to_string(&mut answer).unwrap();
    assert_eq!(answer, "QUESTION");
}

#[test]
fn the_end_of_one_side_wakes_the_reader_of_the_other() {
    let (left, mut right) = pair();
    let (reads, _) = waits(Reason::Read, move || right.read(&mut [0; 8]).unwrap());
    drop(left);
    assert_eq!(reads.join().unwrap(), 0);
}

#[test]
fn the_end_does_not_go_away() {
    let (mut left, mut right) = pair();
    left.write_all(b"abc").unwrap();
    drop(left);
    let mut room = [0; 8];
    let reads = [(); 4].map(|()| right.read(&mut room).unwrap());
    assert_eq!(reads, [3, 0, 0, 0]);
}

#[test]
fn shutdown_wakes_the_own_reader() {
    let (_left, right) = pair();
    let mut clone = right.try_clone().unwrap();
    let (reads, _) = waits(Reason::Read, move || clone.read(&mut [0; 8]).unwrap());
    right.shutdown(Shutdown::Read).unwrap();
    assert_eq!(reads.join().unwrap(), 0);
}

#[test]
fn shutdown_wakes_the_own_writer() {
    let (left, _right) = pair();
    let clone = left.try_clone().unwrap();
    let (writes, _) = waits(Reason::Write, move || {
        (&clone).write_all(&vec![0; 64 << 20])
    });
    left.shutdown(Shutdown::Both).unwrap();
    let refused = writes.join().unwrap().unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::BrokenPipe);
}

#[test]
fn a_reset_wakes_reader_and_writer() {
    for reason in [Reason::Read, Reason::Write] {
        let (left, right) = pair();
        let (call, _) = waits(reason, move || match reason {
            Reason::Read => (&right).read(&mut [0; 8]).map(|_| ()),
            _ => (&right).write_all(&vec![0; 64 << 20]),
        });
        // With no time to linger, the connection is reset.
        SockRef::from(&left)
            .set_linger(Some(Duration::ZERO))
            .unwrap();
        drop(left);
        let refused = call.join().unwrap().unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::ConnectionReset);
    }
}

/// An address that is taken by a socket that does not listen. It stays so while the socket
/// lives.
fn nobody() -> (TcpStream, TcpStream, SocketAddr) {
    let (left, right) = pair();
    let address = left.local_addr().unwrap();
    (left, right, address)
}

#[test]
fn connect_is_refused_where_nobody_listens() {
    let (_left, _right, nobody) = nobody();
    let refused = TcpStream::connect(nobody).unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::ConnectionRefused);
    let refused = TcpStream::connect_timeout(&nobody, LONG).unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::ConnectionRefused);
}

#[test]
fn connect_tries_every_address() {
    let (_left, _right, nobody) = nobody();
    let (_listener, address) = listener();
    let stream = TcpStream::connect(&[nobody, address][..]).unwrap();
    assert_eq!(stream.peer_addr().unwrap(), address);
    let refused = TcpStream::connect(&[][..] as &[SocketAddr]).unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::InvalidInput);
}

#[test]
fn a_name_is_looked_up() {
    let (_listener, address) = listener();
    let stream = TcpStream::connect(("localhost", address.port())).unwrap();
    assert_eq!(stream.peer_addr().unwrap(), address);
}
