//! Handles of one socket: clones, descriptors, the types of `std`; and what dumps say.

mod support;

use std::io::{Read, Write};
use std::os::fd::{AsFd, AsRawFd, FromRawFd, IntoRawFd, OwnedFd};
use std::panic::{RefUnwindSafe, UnwindSafe};
use std::time::Duration;

use support::{listener, pair, waits};
use trefoil_net::fs::File;
use trefoil_net::{TcpListener, TcpStream};
use trefoil_runtime::Reason;

const SECOND: Option<Duration> = Some(Duration::from_secs(1));

#[test]
fn clones_share_connection_timeouts_and_mode() {
    let (mut left, right) = pair();
    let mut clone = right.try_clone().unwrap();
    assert_ne!(clone.as_raw_fd(), right.as_raw_fd());
    clone.set_read_timeout(SECOND).unwrap();
    assert_eq!(right.read_timeout().unwrap(), SECOND);
    clone.set_nonblocking(true).unwrap();
    assert!((&right).read(&mut [0; 8]).is_err());
    clone.set_nonblocking(false).unwrap();
    left.write_all(b"x").unwrap();
    drop(right);
    assert_eq!(clone.read(&mut [0; 8]).unwrap(), 1);
    drop(clone);
    assert_eq!(left.read(&mut [0; 8]).unwrap(), 0);
}

#[test]
fn clones_of_a_listener_share_its_queue() {
    let (listener, address) = listener();
    let clone = listener.try_clone().unwrap();
    let (accepts, _) = waits(Reason::Accept, move || clone.accept().unwrap().1);
    let client = TcpStream::connect(address).unwrap();
    assert_eq!(accepts.join().unwrap(), client.local_addr().unwrap());
}

#[test]
fn sockets_come_from_std_and_go_there() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let listener = TcpListener::try_from(listener).unwrap();
    let left = std::net::TcpStream::connect(address).unwrap();
    left.set_read_timeout(SECOND).unwrap();
    let left = TcpStream::try_from(left).unwrap();
    assert_eq!(left.read_timeout().unwrap(), SECOND);

    let mut left = std::net::TcpStream::try_from(left).unwrap();
    assert_eq!(left.read_timeout().unwrap(), SECOND);
    let mut right = listener.accept().unwrap().0.into_std().unwrap();
    // It waits as std's do.
    let reads = std::thread::spawn(move || left.read(&mut [0; 8]).unwrap());
    std::thread::sleep(Duration::from_millis(20));
    right.write_all(b"abc").unwrap();
    assert_eq!(reads.join().unwrap(), 3);
    std::net::TcpListener::try_from(listener).unwrap();
}

#[test]
fn sockets_come_from_descriptors_and_go_there() {
    let (mut left, right) = pair();
    let fd: OwnedFd = right.into();
    let mut right = TcpStream::try_from(fd).unwrap();
    assert_eq!(right.as_fd().as_raw_fd(), right.as_raw_fd());
    left.write_all(b"x").unwrap();
    assert_eq!(right.read(&mut [0; 8]).unwrap(), 1);

    let file = std::fs::File::open("/dev/null").unwrap();
    TcpStream::try_from(OwnedFd::from(file)).expect_err("it is no socket");
}

#[test]
fn sockets_come_from_numbers() {
    let (mut left, right) = pair();
    let number = right.into_raw_fd();
    // SAFETY: it was just given away, to nobody else.
    let mut right = unsafe { TcpStream::from_raw_fd(number) };
    left.write_all(b"x").unwrap();
    assert_eq!(right.read(&mut [0; 8]).unwrap(), 1);

    let number = std::fs::File::open("/dev/null").unwrap().into_raw_fd();
    // SAFETY: as above.
    let refused = std::panic::catch_unwind(|| unsafe { TcpStream::from_raw_fd(number) });
    let says = refused.unwrap_err().downcast::<String>().unwrap();
    assert!(says.contains("as a TcpStream"), "{says}");
    // SAFETY: it was closed by the attempt; this one is open.
    let file =
        unsafe { File::from_raw_fd(std::fs::File::open("/dev/null").unwrap().into_raw_fd()) };
    assert_eq!((&file).read(&mut [0; 8]).unwrap(), 0);
}

#[test]
fn options_are_kept() {
    let (left, right) = pair();
    left.set_nodelay(true).unwrap();
    left.set_ttl(42).unwrap();
    assert!(left.nodelay().unwrap());
    assert_eq!(left.ttl().unwrap(), 42);
    assert!(left.take_error().unwrap().is_none());
    assert_eq!(left.peer_addr().unwrap(), right.local_addr().unwrap());
    let (listener, address) = listener();
    listener.set_ttl(43).unwrap();
    assert_eq!(listener.ttl().unwrap(), 43);
    assert!(listener.take_error().unwrap().is_none());
    assert!(format!("{listener:?}").contains(&address.to_string()));
    assert!(format!("{left:?}").contains(&left.peer_addr().unwrap().to_string()));
}

#[test]
fn a_dump_names_the_line_of_the_program() {
    fn place(reason: Reason, f: impl FnOnce() + Send + 'static) -> (&'static str, u32) {
        let (_, waiting) = waits(reason, f);
        (waiting.place.file(), waiting.place.line())
    }
    let (_left, right) = pair();
    let reads: [fn(&TcpStream); 5] = [
        |mut stream| drop(stream.read(&mut [0; 8])),
        |mut stream| drop(stream.read_exact(&mut [0; 8])),
        |mut stream| drop(stream.read_to_end(&mut Vec::new())),
        |mut stream| drop(stream.read_to_string(&mut String::new())),
        |stream| drop(stream.peek(&mut [0; 8])),
    ];
    for read in reads {
        let clone = right.try_clone().unwrap();
        let (file, _) = place(Reason::Read, move || read(&clone));
        assert!(file.ends_with("tests/handles.rs"), "{file}");
    }
    let (file, _) = place(Reason::Write, move || {
        drop((&right).write_all(&vec![0; 64 << 20]));
    });
    assert!(file.ends_with("tests/handles.rs"), "{file}");
    let (listener, _) = listener();
    let line = line!() + 1;
    let here = place(Reason::Accept, move || drop(listener.accept()));
    assert!(here.0.ends_with("tests/handles.rs"));
    assert_eq!(here.1, line);
}

#[test]
fn sockets_may_be_shared_and_survive_panics() {
    fn check<T: Send + Sync + UnwindSafe + RefUnwindSafe>() {}
    check::<TcpListener>();
    check::<TcpStream>();
}
