//! Signals of a process that has its own ideas about them: SIGPIPE is not ignored, and handlers were
//! installed before. Each in a process of its own, on every model.

mod support;

use std::ffi::c_int;
use std::io::{ErrorKind, Write as _};
use std::mem;
use std::ptr;
use std::sync::atomic::{AtomicUsize, Ordering};

use support::on_all_models;
use trefoil::process::{Command, Stdio};
use trefoil::signal::{SIGPIPE, SIGUSR1, on};
use trefoil::{Builder, Model, thread};

/// Runs `f` on a thread of a runtime of this model.
fn on_a_thread(model: Model, f: impl FnOnce() + Send + 'static) {
    let runtime = Builder::new().model(model).workers(2).build().unwrap();
    runtime.run(move || thread::spawn(f).join().unwrap());
}

/// Makes this the action at a signal.
fn install(signal: c_int, handler: usize) {
    // SAFETY: numbers and bits may be zero. The handlers of this file take one argument.
    unsafe {
        let mut action: libc::sigaction = mem::zeroed();
        action.sa_sigaction = handler;
        assert_eq!(
            libc::sigaction(signal, &raw const action, ptr::null_mut()),
            0
        );
    }
}

fn raise(signal: c_int) {
    // SAFETY: numbers only.
    unsafe { libc::kill(libc::getpid(), signal) };
}

/// Writes to a child that has ended.
fn write_to_nobody() {
    let mut child = Command::new("true").stdin(Stdio::piped()).spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    child.wait().unwrap();
    for _ in 0..10 {
        let refused = stdin.write(b"hello").unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::BrokenPipe);
        let parts = [std::io::IoSlice::new(b"hello")];
        let refused = stdin.write_vectored(&parts).unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::BrokenPipe);
    }
}

#[test]
fn a_write_to_nobody_does_not_end_the_process() {
    on_all_models(
        "a_write_to_nobody_does_not_end_the_process",
        |model| {
            install(libc::SIGPIPE, libc::SIG_DFL);
            on_a_thread(model, write_to_nobody);
        },
        |model, ended| assert!(ended.status.success(), "{model}: {ended:?}"),
    );
}

/// Neither is it told to who listens to that signal, nor is one lost that somebody sends.
#[test]
fn a_write_to_nobody_is_no_signal() {
    on_all_models(
        "a_write_to_nobody_is_no_signal",
        |model| {
            install(libc::SIGPIPE, libc::SIG_DFL);
            on_a_thread(model, || {
                let pipes = on(SIGPIPE).unwrap();
                write_to_nobody();
                let other = on(SIGUSR1).unwrap();
                raise(libc::SIGUSR1);
                other.recv().unwrap();
                assert!(pipes.is_empty());
                raise(libc::SIGPIPE);
                assert_eq!(pipes.recv(), Ok(SIGPIPE));
            });
        },
        |model, ended| assert!(ended.status.success(), "{model}: {ended:?}"),
    );
}

static CALLS: AtomicUsize = AtomicUsize::new(0);

extern "C" fn count(_: c_int) {
    CALLS.fetch_add(1, Ordering::SeqCst);
}

#[test]
fn an_earlier_handler_is_called_as_before() {
    on_all_models(
        "an_earlier_handler_is_called_as_before",
        |model| {
            install(libc::SIGUSR1, count as *const () as usize);
            on_a_thread(model, || {
                let signals = on(SIGUSR1).unwrap();
                raise(libc::SIGUSR1);
                assert_eq!(signals.recv(), Ok(SIGUSR1));
                assert_eq!(CALLS.load(Ordering::SeqCst), 1);
                drop(signals);
                raise(libc::SIGUSR1);
                while CALLS.load(Ordering::SeqCst) != 2 {
                    thread::yield_now();
                }
            });
        },
        |model, ended| assert!(ended.status.success(), "{model}: {ended:?}"),
    );
}
