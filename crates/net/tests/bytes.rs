//! What is written on one side is read on the other.

mod support;

use std::io::{IoSlice, IoSliceMut, Read, Write};
use std::net::Shutdown;
use std::thread;

use support::{listener, pair, pattern};
use trefoil_net::TcpStream;

#[test]
fn a_server_echoes_to_many() {
    const CLIENTS: usize = 32;
    let (listener, address) = listener();
    thread::scope(|scope| {
        scope.spawn(|| {
            for connection in listener.incoming().take(CLIENTS) {
                let mut stream = connection.unwrap();
                scope.spawn(move || {
                    let mut all = Vec::new();
                    stream.read_to_end(&mut all).unwrap();
                    stream.write_all(&all).unwrap();
                });
            }
        });
        for client in 0..CLIENTS {
            scope.spawn(move || {
                let mut stream = TcpStream::connect(address).unwrap();
                write!(stream, "client {client}").unwrap();
                stream.shutdown(Shutdown::Write).unwrap();
                let mut heard = String::new();
                stream.read_to_string(&mut heard).unwrap();
                assert_eq!(heard, format!("client {client}"));
            });
        }
    });
}

#[test]
fn much_goes_both_ways_at_once() {
    const SIZE: usize = 16 << 20;
    fn both_ways(stream: &TcpStream) {
        let sent = pattern(SIZE);
        thread::scope(|scope| {
            scope.spawn(|| {
                let mut writer = stream;
                writer.write_all(&sent).unwrap();
                stream.shutdown(Shutdown::Write).unwrap();
            });
            let mut heard = Vec::new();
            let mut reader = stream;
            reader.read_to_end(&mut heard).unwrap();
            assert!(heard == sent);
        });
    }
    let (left, right) = pair();
    thread::scope(|scope| {
        scope.spawn(|| both_ways(&left));
        scope.spawn(|| both_ways(&right));
    });
}

#[test]
fn bytes_come_one_by_one() {
    let (mut left, mut right) = pair();
    let writer = thread::spawn(move || {
        for byte in 0..200 {
            left.write_all(&[byte]).unwrap();
        }
    });
    // More room than there is: each read uses readiness up.
    let mut heard = Vec::new();
    let mut buffer = [0; 64];
    loop {
        match right.read(&mut buffer).unwrap() {
            0 => break,
            n => heard.extend_from_slice(&buffer[..n]),
        }
    }
    writer.join().unwrap();
    assert_eq!(heard, (0..200).collect::<Vec<u8>>());
}

#[test]
fn many_buffers_go_in_one_call() {
    let (mut left, mut right) = pair();
    let parts = [
        IoSlice::new(b"one "),
        IoSlice::new(b""),
        IoSlice::new(b"two"),
    ];
    assert_eq!(left.write_vectored(&parts).unwrap(), 7);
    let (mut head, mut tail) = ([0; 3], [0; 16]);
    let mut room = [IoSliceMut::new(&mut head), IoSliceMut::new(&mut tail)];
    assert_eq!(right.read_vectored(&mut room).unwrap(), 7);
    assert_eq!((&head, &tail[..4]), (b"one", &b" two"[..]));
}

#[test]
fn more_buffers_than_the_system_takes_are_a_short_call() {
    let (mut left, mut right) = pair();
    let parts = vec![IoSlice::new(b"x"); 5000];
    let written = left.write_vectored(&parts).unwrap();
    assert!((1..5000).contains(&written), "{written}");
    let mut bytes = vec![[0; 1]; 5000];
    let mut room: Vec<_> = bytes.iter_mut().map(|byte| IoSliceMut::new(byte)).collect();
    assert!(right.read_vectored(&mut room).unwrap() > 0);
}

#[test]
fn peek_takes_nothing() {
    let (mut left, mut right) = pair();
    left.write_all(b"abc").unwrap();
    let mut seen = [0; 8];
    for _ in 0..3 {
        assert_eq!(right.peek(&mut seen).unwrap(), 3);
        assert_eq!(&seen[..3], b"abc");
    }
    assert_eq!(right.read(&mut seen).unwrap(), 3);
    drop(left);
    assert_eq!(right.peek(&mut seen).unwrap(), 0);
}

#[test]
fn peek_waits() {
    let (mut left, right) = pair();
    let peeks = move || right.peek(&mut [0; 8]).unwrap();
    let (peeks, _) = support::waits(trefoil_runtime::Reason::Read, peeks);
    left.write_all(b"abc").unwrap();
    assert_eq!(peeks.join().unwrap(), 3);
}
