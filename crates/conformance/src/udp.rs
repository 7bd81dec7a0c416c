//! `net::UdpSocket`: std's semantics, while others run on.

use std::io;
use std::net::Ipv4Addr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use trefoil_net::UdpSocket;
use trefoil_runtime::time::timeout;
use trefoil_runtime::{Reason, thread};

use crate::Subject;
use crate::subject::run;
use crate::witness::{join_all, until_waiting};

const SHORT: Duration = Duration::from_millis(10);

fn socket() -> UdpSocket {
    UdpSocket::bind("127.0.0.1:0").unwrap()
}

/// Two sockets that are connected to each other.
fn pair() -> (UdpSocket, UdpSocket) {
    let (left, right) = (socket(), socket());
    left.connect(right.local_addr().unwrap()).unwrap();
    right.connect(left.local_addr().unwrap()).unwrap();
    (left, right)
}

/// A server answers many clients, each a thread, by one socket.
pub fn one_socket_serves_many<S: Subject>() {
    const CLIENTS: usize = 20;
    const ROUNDS: usize = 10;
    run::<S, _>(|| {
        let server = socket();
        let address = server.local_addr().unwrap();
        let answers = thread::spawn(move || {
            let mut message = [0; 64];
            for _ in 0..CLIENTS * ROUNDS {
                let (length, from) = server.recv_from(&mut message).unwrap();
                assert_eq!(server.send_to(&message[..length], from).unwrap(), length);
            }
        });
        let clients: Vec<_> = (0..CLIENTS)
            .map(|n| {
                thread::spawn(move || {
                    let socket = socket();
                    for round in 0..ROUNDS {
                        let said = format!("client {n}, round {round}");
                        socket.send_to(said.as_bytes(), address).unwrap();
                        let mut heard = [0; 64];
                        let (length, from) = socket.recv_from(&mut heard).unwrap();
                        assert_eq!((&heard[..length], from), (said.as_bytes(), address));
                    }
                })
            })
            .collect();
        join_all(clients);
        answers.join().unwrap();
    });
}

/// A thread that waits for a message says so, and gets it whole, by every call.
pub fn a_receiver_waits<S: Subject>() {
    type Receive = fn(&UdpSocket, &mut [u8]) -> io::Result<usize>;
    let receives: [(Receive, bool); 4] = [
        (|socket, buffer| socket.recv(buffer), false),
        (|socket, buffer| Ok(socket.recv_from(buffer)?.0), false),
        (|socket, buffer| socket.peek(buffer), true),
        (|socket, buffer| Ok(socket.peek_from(buffer)?.0), true),
    ];
    run::<S, _>(move || {
        for (receive, leaves_it) in receives {
            let (left, right) = pair();
            let receiver = thread::spawn(move || {
                let mut message = [0; 64];
                let length = receive(&right, &mut message).unwrap();
                (right, message[..length].to_vec())
            });
            until_waiting(receiver.thread(), Reason::Read);
            left.send(b"hello").unwrap();
            let (right, heard) = receiver.join().unwrap();
            assert_eq!(heard, b"hello");
            right.set_nonblocking(true).unwrap();
            assert_eq!(right.recv(&mut [0; 64]).is_ok(), leaves_it);
        }
    });
}

/// Several threads wait for messages of the same socket, and each message goes to one.
pub fn each_message_goes_to_one<S: Subject>() {
    const READERS: u8 = 4;
    run::<S, _>(|| {
        let (left, right) = pair();
        let right = Arc::new(right);
        let readers: Vec<_> = (0..READERS)
            .map(|_| {
                let right = Arc::clone(&right);
                let reader = thread::spawn(move || {
                    let mut message = [0; 8];
                    assert_eq!(right.recv(&mut message).unwrap(), 1);
                    message[0]
                });
                until_waiting(reader.thread(), Reason::Read);
                reader
            })
            .collect();
        (0..READERS).for_each(|n| assert_eq!(left.send(&[n]).unwrap(), 1));
        let mut got = join_all(readers);
        got.sort_unstable();
        assert!(got.into_iter().eq(0..READERS));
    });
}

/// A message that is longer than the buffer is cut off, and one that is longer than a packet is
/// refused and not sent.
pub fn long_messages_are_cut_or_refused<S: Subject>() {
    run::<S, _>(|| {
        let (left, right) = pair();
        let refused = left.send(&vec![1; 70_000]).unwrap_err();
        // EMSGSIZE.
        assert_eq!(refused.raw_os_error(), Some(90));
        left.send(&[2; 1000]).unwrap();
        left.send(b"next").unwrap();
        let mut message = [0; 10];
        assert_eq!(right.recv(&mut message).unwrap(), 10);
        assert_eq!(message, [2; 10]);
        assert_eq!(right.recv(&mut message).unwrap(), 4);
        // One without bytes is a message too.
        left.send(b"").unwrap();
        assert_eq!(right.recv(&mut message).unwrap(), 0);
    });
}

/// A receiver gives up in time, by the socket's timeout and by a limit of the call.
pub fn a_receive_times_out<S: Subject>() {
    run::<S, _>(|| {
        let (left, right) = pair();
        right.set_read_timeout(Some(SHORT)).unwrap();
        let begin = Instant::now();
        let refused = right.recv(&mut [0; 8]).unwrap_err();
        assert_eq!(refused.kind(), io::ErrorKind::WouldBlock);
        assert!(begin.elapsed() >= SHORT);
        right.set_read_timeout(None).unwrap();
        assert!(timeout(SHORT, || right.recv(&mut [0; 8])).is_err());
        left.send(b"x").unwrap();
        assert_eq!(right.recv(&mut [0; 8]).unwrap(), 1);
    });
}

/// Where nobody takes a message, a socket that is connected there is told.
pub fn a_refusal_wakes_the_receiver<S: Subject>() {
    run::<S, _>(|| {
        let (left, right) = pair();
        drop(right);
        let left = Arc::new(left);
        let again = Arc::clone(&left);
        let receiver = thread::spawn(move || again.recv(&mut [0; 8]).unwrap_err());
        until_waiting(receiver.thread(), Reason::Read);
        left.send(b"x").unwrap();
        let refused = receiver.join().unwrap();
        assert_eq!(refused.kind(), io::ErrorKind::ConnectionRefused);
    });
}

/// A socket that is shut down says that nothing more comes, also to who waits, and does not
/// keep anybody busy.
pub fn shutdown_ends_a_receiver<S: Subject>() {
    run::<S, _>(|| {
        let (_left, right) = pair();
        let right = Arc::new(right);
        let again = Arc::clone(&right);
        let receiver = thread::spawn(move || again.recv(&mut [0; 8]).unwrap());
        until_waiting(receiver.thread(), Reason::Read);
        let shutdown = socket2::SockRef::from(&*right).shutdown(std::net::Shutdown::Both);
        shutdown.unwrap();
        assert_eq!(receiver.join().unwrap(), 0);
        assert_eq!(right.recv(&mut [0; 8]).unwrap(), 0);
    });
}

/// Options are those of the socket, and go with it to `std` and back.
pub fn options_go_with_the_socket<S: Subject>() {
    run::<S, _>(|| {
        let socket = socket();
        socket.set_broadcast(true).unwrap();
        socket.set_ttl(17).unwrap();
        socket.set_read_timeout(Some(SHORT)).unwrap();
        let theirs = socket.into_std().unwrap();
        assert!(theirs.broadcast().unwrap());
        assert_eq!(theirs.ttl().unwrap(), 17);
        // The kernel counts in its own ticks.
        assert!(theirs.read_timeout().unwrap().unwrap() >= SHORT);
        let ours = UdpSocket::from_std(theirs).unwrap();
        assert!(ours.read_timeout().unwrap().unwrap() >= SHORT);
        let refused = ours.recv(&mut [0; 8]).unwrap_err();
        assert_eq!(refused.kind(), io::ErrorKind::WouldBlock);
        let no_group = Ipv4Addr::new(127, 0, 0, 1);
        let refused = ours.join_multicast_v4(&no_group, &Ipv4Addr::UNSPECIFIED);
        assert_eq!(refused.unwrap_err().kind(), io::ErrorKind::InvalidInput);
    });
}

/// A plain `std::thread` and a thread of the runtime share a socket.
pub fn a_plain_thread_takes_part<S: Subject>() {
    run::<S, _>(|| {
        let (left, right) = pair();
        let plain = std::thread::spawn(move || {
            let mut message = [0; 8];
            let length = right.recv(&mut message).unwrap();
            right.send(&message[..length]).unwrap();
        });
        left.send(b"ping").unwrap();
        assert_eq!(left.recv(&mut [0; 8]).unwrap(), 4);
        thread::blocking(|| plain.join().unwrap());
    });
}
