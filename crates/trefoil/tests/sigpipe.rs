//! A write to a pipe or a socket that nobody reads any more raises no signal, also where SIGPIPE has
//! its default action: to end the process. What the program has done with the signal stays so. Each
//! model in a process of its own.

mod support;

use std::io::{self, IoSlice, Write};
use std::mem;

use support::{on_all_models, said};
use trefoil::io::pipe;
use trefoil::net::{TcpListener, TcpStream};
use trefoil::os::unix::net::UnixStream;
use trefoil::{Builder, Model, thread};

/// Whether SIGPIPE is blocked for this OS thread, and whether there is one.
fn blocked_and_pending() -> (bool, bool) {
    // SAFETY: sets of plain numbers, which the calls fill; they change nothing.
    unsafe {
        let (mut mask, mut pending) = (mem::zeroed(), mem::zeroed());
        libc::pthread_sigmask(libc::SIG_BLOCK, std::ptr::null(), &raw mut mask);
        libc::sigpending(&raw mut pending);
        let has = |set| libc::sigismember(set, libc::SIGPIPE) == 1;
        (has(&raw const mask), has(&raw const pending))
    }
}

fn block() {
    // SAFETY: a set of plain numbers, which the calls fill.
    unsafe {
        let mut mask = mem::zeroed();
        libc::sigaddset(&raw mut mask, libc::SIGPIPE);
        libc::pthread_sigmask(libc::SIG_BLOCK, &raw const mask, std::ptr::null_mut());
    }
}

fn assert_broken(mut stream: impl Write) {
    for written in [
        stream.write(b"x"),
        stream.write_vectored(&[IoSlice::new(b"x")]),
    ] {
        assert_eq!(written.unwrap_err().kind(), io::ErrorKind::BrokenPipe);
    }
}

fn write_to_nobody() {
    let (reader, writer) = pipe().unwrap();
    drop(reader);
    assert_broken(writer);
    let (left, right) = UnixStream::pair().unwrap();
    drop(right);
    assert_broken(left);
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let stream = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    stream.shutdown(std::net::Shutdown::Write).unwrap();
    assert_broken(stream);
}

fn program(model: Model) {
    // SAFETY: the default action is one for every signal.
    unsafe { libc::signal(libc::SIGPIPE, libc::SIG_DFL) };
    let runtime = Builder::new().model(model).workers(2).build().unwrap();
    runtime.run(|| {
        let threads = [(); 4].map(|()| {
            thread::spawn(|| {
                write_to_nobody();
                assert_eq!(blocked_and_pending(), (false, false));
            })
        });
        threads
            .into_iter()
            .for_each(|thread| thread.join().unwrap());
    });
    // One that the program has blocked, and waits for: it is still there.
    block();
    write_to_nobody();
    assert_eq!(blocked_and_pending(), (true, false));
    // SAFETY: it is blocked, so nothing happens at once.
    unsafe { libc::raise(libc::SIGPIPE) };
    write_to_nobody();
    assert_eq!(blocked_and_pending(), (true, true));
    println!("\n> through");
}

#[test]
fn no_write_ends_the_process() {
    on_all_models("no_write_ends_the_process", program, |model, ended| {
        assert_eq!(said(&ended), ["through"], "{model}: {ended:?}");
    });
}
