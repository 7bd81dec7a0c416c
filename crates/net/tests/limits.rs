//! What happens when descriptors are exhausted. The limit belongs to a process, so the test
//! runs itself in one of its own.

mod support;

use std::fs::File;
use std::io::{self, Read, Write};
use std::process::Command;
use std::time::Duration;

use support::listener;
use trefoil_net::{DescriptorsExhausted, TcpListener, TcpStream};

const INSIDE: &str = "TREFOIL_NET_FEW_DESCRIPTORS";

#[test]
fn a_process_without_descriptors_is_told_what_to_do() {
    if std::env::var_os(INSIDE).is_some() {
        return without_descriptors();
    }
    let status = Command::new("sh")
        .args(["-c", "ulimit -n 32 && exec \"$0\" --exact \"$1\""])
        .arg(std::env::current_exe().unwrap())
        .arg("a_process_without_descriptors_is_told_what_to_do")
        .env(INSIDE, "1")
        .status()
        .unwrap();
    assert!(status.success());
}

/// Takes all descriptors there are.
fn take_all() -> Vec<File> {
    std::iter::from_fn(|| File::open("/dev/null").ok()).collect()
}

fn assert_says_what_to_do<T: std::fmt::Debug>(result: io::Result<T>) {
    let refused = result.unwrap_err();
    let text = refused.to_string();
    assert!(text.contains("ulimit -n"), "{text}");
    let inner = refused.get_ref().unwrap();
    let exhausted = inner.downcast_ref::<DescriptorsExhausted>().unwrap();
    assert_eq!(exhausted.raw_os_error(), Some(libc::EMFILE));
}

fn without_descriptors() {
    let (listener, address) = listener();
    let mut client = TcpStream::connect(address).unwrap();
    let taken = take_all();
    for _ in 0..3 {
        assert_says_what_to_do(listener.accept());
    }
    assert_says_what_to_do(listener.try_clone());
    assert_says_what_to_do(client.try_clone());
    assert_says_what_to_do(TcpStream::connect(address));
    assert_says_what_to_do(TcpListener::bind("127.0.0.1:0"));

    // A thread that cannot have the descriptor that would wake it waits all the same.
    client
        .set_read_timeout(Some(Duration::from_millis(20)))
        .unwrap();
    let refused = client.read(&mut [0; 8]).unwrap_err();
    assert_eq!(refused.kind(), io::ErrorKind::WouldBlock);
    drop(taken);

    // The connection has waited.
    let (mut server, _) = listener.accept().unwrap();
    client.write_all(b"still here").unwrap();
    drop(client);
    let mut heard = String::new();
    server.read_to_string(&mut heard).unwrap();
    assert_eq!(heard, "still here");
}
