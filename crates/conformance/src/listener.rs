//! How a server listens: options, several listeners at one address, one that balances; and what a
//! stream has beside reading and writing.

use std::io::{self, IoSlice, IoSliceMut, Read as _, Write as _};
use std::net::SocketAddr;
use std::time::Duration;

use trefoil_net::{TcpListener, TcpStream};
use trefoil_runtime::{Reason, thread};

use crate::Subject;
use crate::subject::run;
use crate::tcp::pair;
use crate::witness::{join_all, until_waiting};

/// Says something, and hears the same.
fn ask(address: SocketAddr, n: usize) {
    let mut stream = TcpStream::connect(address).unwrap();
    let said = format!("client {n}");
    stream.write_all(said.as_bytes()).unwrap();
    stream.shutdown(std::net::Shutdown::Write).unwrap();
    let mut heard = String::new();
    stream.read_to_string(&mut heard).unwrap();
    assert_eq!(heard, said);
}

fn answer(mut stream: TcpStream) {
    let mut heard = String::new();
    stream.read_to_string(&mut heard).unwrap();
    stream.write_all(heard.as_bytes()).unwrap();
}

/// One thread for each of several listeners of one address: each gets its share, and together
/// they get all.
pub fn shards_share_the_connections<S: Subject>() {
    const SHARDS: usize = 3;
    const CLIENTS: usize = 90;
    run::<S, _>(|| {
        let builder = TcpListener::builder();
        let shards = builder.bind_sharded("127.0.0.1:0", SHARDS).unwrap();
        let address = shards[0].local_addr().unwrap();
        let accepting: Vec<_> = shards
            .into_iter()
            .map(|listener| {
                assert_eq!(listener.local_addr().unwrap(), address);
                thread::spawn(move || {
                    let mut served = 0;
                    loop {
                        let (stream, _) = listener.accept().unwrap();
                        // It sends nothing: the end.
                        if stream.peek(&mut [0]).unwrap() == 0 {
                            return served;
                        }
                        served += 1;
                        answer(stream);
                    }
                })
            })
            .collect();
        let clients = (0..CLIENTS).map(|n| thread::spawn(move || ask(address, n)));
        join_all(clients.collect::<Vec<_>>());
        // Each listener that is gone leaves its share of the ends to the others.
        while accepting.iter().any(|thread| !thread.is_finished()) {
            let _ = TcpStream::connect(address);
            thread::yield_now();
        }
        let served = join_all(accepting);
        assert_eq!(served.iter().sum::<usize>(), CLIENTS);
        // By chance in one of a million million cases.
        assert!(served.iter().all(|served| *served > 0), "{served:?}");
    });
}

/// One thread accepts, and each connection has a thread of its own: all are served at the same
/// time.
pub fn one_loop_serves_all_at_once<S: Subject>() {
    const CLIENTS: usize = 40;
    run::<S, _>(|| {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let server = thread::spawn(move || {
            let connections = listener.incoming().take(CLIENTS);
            let threads: Vec<_> = connections
                .map(|stream| thread::spawn(move || answer(stream.unwrap())))
                .collect();
            join_all(threads);
        });
        // None ends before all have begun.
        let mut streams: Vec<_> = (0..CLIENTS)
            .map(|_| TcpStream::connect(address).unwrap())
            .collect();
        for stream in &mut streams {
            stream.write_all(b"x").unwrap();
        }
        for mut stream in streams {
            stream.shutdown(std::net::Shutdown::Write).unwrap();
            assert_eq!(stream.read(&mut [0; 8]).unwrap(), 1);
        }
        server.join().unwrap();
    });
}

/// An address belongs to one listener, or to several that all have said so.
pub fn an_address_is_shared_by_agreement<S: Subject>() {
    run::<S, _>(|| {
        let alone = TcpListener::builder().bind("127.0.0.1:0").unwrap();
        let shared = TcpListener::builder().reuse_port(true);
        let refused = shared.bind(alone.local_addr().unwrap()).unwrap_err();
        assert_eq!(refused.kind(), io::ErrorKind::AddrInUse);
        let first = shared.bind("127.0.0.1:0").unwrap();
        let address = first.local_addr().unwrap();
        let refused = TcpListener::bind(address).unwrap_err();
        assert_eq!(refused.kind(), io::ErrorKind::AddrInUse);
        shared.bind(address).unwrap();
        let refused = shared.bind_sharded(address, 0).unwrap_err();
        assert_eq!(refused.kind(), io::ErrorKind::InvalidInput);
    });
}

/// A short queue makes those who connect wait until somebody accepts.
pub fn a_short_queue_makes_clients_wait<S: Subject>() {
    run::<S, _>(|| {
        let listener = TcpListener::builder()
            .backlog(0)
            .bind("127.0.0.1:0")
            .unwrap();
        let address = listener.local_addr().unwrap();
        let attempt = || TcpStream::connect_timeout(&address, Duration::from_millis(50));
        // The first is queued, and perhaps some whose packets overtake it.
        let _first = TcpStream::connect(address).unwrap();
        let more: Vec<_> = std::iter::from_fn(|| attempt().ok()).take(16).collect();
        assert!(more.len() < 16);
        let connects = thread::spawn(move || drop(TcpStream::connect(address).unwrap()));
        until_waiting(connects.thread(), Reason::Connect);
        let accepts = thread::spawn(move || listener.incoming().for_each(drop));
        connects.join().unwrap();
        accepts.cancel();
        assert!(accepts.join().is_err());
    });
}

/// A stream that lingers for no time is reset when it is closed.
pub fn no_linger_resets<S: Subject>() {
    run::<S, _>(|| {
        let (left, mut right) = pair();
        assert_eq!(left.linger().unwrap(), None);
        left.set_linger(Some(Duration::ZERO)).unwrap();
        assert_eq!(left.linger().unwrap(), Some(Duration::ZERO));
        let reads = thread::spawn(move || right.read(&mut [0; 8]).unwrap_err());
        until_waiting(reads.thread(), Reason::Read);
        drop(left);
        let refused = reads.join().unwrap();
        assert_eq!(refused.kind(), io::ErrorKind::ConnectionReset);
    });
}

/// Several buffers go in one call, and what was peeked at is still there.
pub fn vectored_calls_and_peek_work<S: Subject>() {
    run::<S, _>(|| {
        let (mut left, mut right) = pair();
        let peeks = thread::spawn(move || {
            let mut seen = [0; 8];
            let length = right.peek(&mut seen).unwrap();
            assert_eq!(seen[..length], b"abcde"[..length]);
            let mut all: Vec<u8> = Vec::new();
            while all.len() < 5 {
                let (mut one, mut two) = ([0; 1], [0; 8]);
                let mut rooms = [IoSliceMut::new(&mut one), IoSliceMut::new(&mut two)];
                let taken = right.read_vectored(&mut rooms).unwrap();
                all.extend(one.iter().chain(&two).take(taken));
            }
            all
        });
        until_waiting(peeks.thread(), Reason::Read);
        let parts = [IoSlice::new(b"ab"), IoSlice::new(b""), IoSlice::new(b"cde")];
        assert_eq!(left.write_vectored(&parts).unwrap(), 5);
        assert_eq!(peeks.join().unwrap(), b"abcde");
    });
}
