//! `process`: std's semantics, while others run on.

use std::fs;
use std::io::{ErrorKind, Read as _, Write as _};
use std::os::unix::process::ExitStatusExt as _;
use std::sync::Arc;
use std::time::Duration;

use nix::errno::Errno;
use nix::sys::wait::{Id, WaitPidFlag, waitid};
use trefoil_net::process::{Child, Command, Stdio};
use trefoil_runtime::cancel::Cancelled;
use trefoil_runtime::time::{Elapsed, timeout};
use trefoil_runtime::{Reason, thread};
use trefoil_sync::Mutex;

use crate::Subject;
use crate::child;
use crate::seed::draw;
use crate::subject::run;
use crate::witness::{find, join_all, until, until_waiting};

const SIGKILL: i32 = 9;

fn shell(script: &str) -> Command {
    let mut command = Command::new("sh");
    command.args(["-c", script]);
    command
}

/// A child that does not end by itself. Should a test leave it behind, it holds no pipe of the test.
fn endless() -> Command {
    let mut command = Command::new("sleep");
    command
        .arg("3600")
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    command
}

/// A child that hands on what it reads.
fn cat() -> Child {
    let mut command = Command::new("cat");
    let command = command.stdin(Stdio::piped()).stdout(Stdio::piped());
    command.spawn().unwrap()
}

/// The descriptors of the process.
fn descriptors() -> usize {
    fs::read_dir("/proc/self/fd").unwrap().count()
}

/// Whether the process has no child at all, not even a zombie. Nothing but the test runs in it.
fn has_no_child() -> bool {
    // A zombie is left as it is.
    let flags = WaitPidFlag::WEXITED | WaitPidFlag::WNOHANG | WaitPidFlag::WNOWAIT;
    waitid(Id::All, flags) == Err(Errno::ECHILD)
}

/// A child is started, and how it ended is told, as often as is asked.
pub fn the_end_is_told<S: Subject>() {
    run::<S, _>(|| {
        let mut child = shell("exit 7").spawn().unwrap();
        assert_eq!(child.wait().unwrap().code(), Some(7));
        assert_eq!(child.wait().unwrap().code(), Some(7));
        assert_eq!(child.try_wait().unwrap().unwrap().code(), Some(7));
        child.kill().unwrap();
        let by_signal = shell("kill -9 $$").status().unwrap();
        assert_eq!(by_signal.signal(), Some(SIGKILL));
    });
}

/// What was set of a command arrives.
pub fn a_command_is_carried_out<S: Subject>() {
    run::<S, _>(|| {
        let mut command = shell("echo \"$0 $1 $A $B $(pwd)\"; cat");
        command.args(["zero", "one"]).current_dir("/");
        command
            .env_clear()
            .env("A", "a")
            .envs([("B", "b"), ("C", "c")]);
        command.env_remove("C").env("PATH", "/usr/bin:/bin");
        // Its input is empty, though that of the tests may not be.
        let output = command.output().unwrap();
        assert_eq!(output.stdout, b"zero one a b /\n");
        assert!(output.stderr.is_empty() && output.status.success());
        // What `output` has set for itself does not stay.
        let mut quiet = Command::new("true");
        assert!(quiet.output().unwrap().status.success());
        let mut child = quiet.spawn().unwrap();
        assert!(child.stdin.is_none() && child.stdout.is_none() && child.stderr.is_none());
        assert!(child.wait().unwrap().success());
        // The same command, with other streams.
        let command = command.stdin(Stdio::null()).stdout(Stdio::piped());
        let mut child = command.stderr(Stdio::null()).spawn().unwrap();
        assert!(child.stdin.is_none() && child.stderr.is_none());
        let mut heard = String::new();
        child
            .stdout
            .take()
            .unwrap()
            .read_to_string(&mut heard)
            .unwrap();
        assert_eq!(heard, "zero one a b /\n");
        assert!(child.wait().unwrap().success());
    });
}

/// The pipes of a child are read and written while it runs.
pub fn a_child_is_talked_to<S: Subject>() {
    run::<S, _>(|| {
        let mut child = cat();
        let mut stdin = child.stdin.take().unwrap();
        let mut stdout = child.stdout.take().unwrap();
        for round in 0..20 {
            let said = format!("round {round}\n");
            stdin.write_all(said.as_bytes()).unwrap();
            let mut heard = vec![0; said.len()];
            stdout.read_exact(&mut heard).unwrap();
            assert_eq!(heard, said.as_bytes());
        }
        drop(stdin);
        assert_eq!(stdout.read(&mut [0; 8]).unwrap(), 0);
        assert!(child.wait().unwrap().success());
    });
}

/// More than the pipes hold goes both ways: neither the writer nor the reader stops the other.
pub fn much_goes_through_a_child<S: Subject>() {
    const SIZE: usize = 1 << 20;
    run::<S, _>(|| {
        let mut child = cat();
        let mut stdin = child.stdin.take().unwrap();
        let pattern: Vec<u8> = (0..SIZE).map(|n| (n / 251 + n) as u8).collect();
        let said = pattern.clone();
        let writes = thread::spawn(move || stdin.write_all(&said).unwrap());
        let output = child.wait_with_output().unwrap();
        writes.join().unwrap();
        assert!(output.stdout == pattern);
    });
}

/// A child that fills one pipe while the other is read, or both at once, does not stop.
pub fn both_pipes_are_read_at_once<S: Subject>() {
    const SIZE: usize = 300_000;
    let script = |first: u8, then: u8| {
        format!("head -c {SIZE} /dev/zero >&{first}; head -c {SIZE} /dev/zero >&{then}")
    };
    run::<S, _>(move || {
        let both = format!("head -c {SIZE} /dev/zero >&2 & head -c {SIZE} /dev/zero; wait");
        for script in [script(1, 2), script(2, 1), both] {
            let output = shell(&script).output().unwrap();
            assert_eq!(output.stdout.len(), SIZE);
            assert_eq!(output.stderr.len(), SIZE);
            assert!(output.status.success());
        }
    });
}

/// Who collects waits for the pipe that is left when the other has ended, and does not look again and again.
pub fn a_pipe_that_has_ended_is_not_looked_at<S: Subject>() {
    const LONG: Duration = Duration::from_millis(30);
    run::<S, _>(|| {
        let mut command = shell("exec 2>&-; read line; echo $line");
        command.stdin(Stdio::piped());
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let mut stdin = child.stdin.take().unwrap();
        let collects = thread::spawn(move || child.wait_with_output().unwrap());
        // One wait lasts so long.
        until(|| {
            let found = find(collects.thread().id()).unwrap();
            let waiting = found.waiting.filter(|it| it.reason == Reason::Read);
            waiting.is_some_and(|waiting| waiting.since >= LONG)
        });
        stdin.write_all(b"late\n").unwrap();
        assert_eq!(collects.join().unwrap().stdout, b"late\n");
    });
}

/// A thread that waits for a child says so, and does not keep others from running.
pub fn who_waits_lets_others_run<S: Subject>() {
    run::<S, _>(|| {
        let mut child = endless().spawn().unwrap();
        let handle = child.handle();
        let waits = thread::spawn(move || child.wait().unwrap());
        until_waiting(waits.thread(), Reason::Process);
        thread::yield_now();
        assert!(handle.try_wait().unwrap().is_none());
        handle.kill().unwrap();
        assert_eq!(waits.join().unwrap().signal(), Some(SIGKILL));
    });
}

/// A child that never ends is waited for until a timeout, as often as one likes, and then killed.
pub fn a_child_that_never_ends_is_given_up<S: Subject>() {
    run::<S, _>(|| {
        let limit = Duration::from_millis(3);
        let mut child = endless().spawn().unwrap();
        for _ in 0..3 {
            assert!(matches!(timeout(limit, || child.wait()), Err(Elapsed)));
        }
        child.kill().unwrap();
        assert_eq!(child.wait().unwrap().signal(), Some(SIGKILL));
    });
}

/// A wait that is over at the moment at which the child ends loses nothing.
pub fn a_timeout_races_the_end<S: Subject>() {
    let seed = draw();
    let mut random = seed.random();
    run::<S, _>(move || {
        for _ in 0..20 {
            let mut child = shell("exit 5").spawn().unwrap();
            let code = loop {
                let limit = Duration::from_micros(random.below(2_000));
                if let Ok(status) = timeout(limit, || child.wait()) {
                    break status.unwrap().code();
                }
            };
            assert_eq!(code, Some(5));
        }
    });
}

/// What was read before a timeout is kept, and the rest comes when it goes on.
pub fn collected_output_is_kept<S: Subject>() {
    run::<S, _>(|| {
        let script = "echo first; echo oh >&2; read line; echo $line";
        let mut command = shell(script);
        command.stdin(Stdio::piped());
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        // It is closed before the output is collected.
        let mut stdin = child.stdin.take().unwrap();
        let (mut out, mut err) = (Vec::new(), Vec::new());
        until(|| {
            let limit = Duration::from_millis(1);
            let late = timeout(limit, || child.collect_output(&mut out, &mut err));
            assert!(matches!(late, Err(Elapsed)));
            !out.is_empty() && !err.is_empty()
        });
        stdin.write_all(b"second\n").unwrap();
        let status = child.collect_output(&mut out, &mut err).unwrap();
        assert!(status.success());
        assert_eq!(out, b"first\nsecond\n");
        assert_eq!(err, b"oh\n");
    });
}

/// Who writes to a child that has ended gets an error.
pub fn a_child_that_has_ended_takes_nothing<S: Subject>() {
    run::<S, _>(|| {
        let mut child = Command::new("true").stdin(Stdio::piped()).spawn().unwrap();
        let mut stdin = child.stdin.take().unwrap();
        assert!(child.wait().unwrap().success());
        let refused = stdin.write_all(b"hello").unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::BrokenPipe);

        // Also who waits for room at the time.
        let mut child = endless().stdin(Stdio::piped()).spawn().unwrap();
        let mut stdin = child.stdin.take().unwrap();
        let writes = thread::spawn(move || stdin.write_all(&[0; 1 << 20]).unwrap_err());
        until_waiting(writes.thread(), Reason::Write);
        child.kill().unwrap();
        assert_eq!(writes.join().unwrap().kind(), ErrorKind::BrokenPipe);
        child.wait().unwrap();
    });
}

/// What cannot be started is an error, and leaves no child.
pub fn what_cannot_be_started_is_an_error<S: Subject>() {
    let ended = child::end_of(|| {
        run::<S, _>(|| {
            let missing = Command::new("/no/such/program").spawn().unwrap_err();
            assert_eq!(missing.kind(), ErrorKind::NotFound);
            let missing = Command::new("no-such-program").output().unwrap_err();
            assert_eq!(missing.kind(), ErrorKind::NotFound);
            let forbidden = Command::new("/proc/self/status").status().unwrap_err();
            assert_eq!(forbidden.kind(), ErrorKind::PermissionDenied);
            let mut nowhere = Command::new("true");
            let nowhere = nowhere.current_dir("/no/such/directory").spawn();
            assert_eq!(nowhere.unwrap_err().kind(), ErrorKind::NotFound);
            let nul = Command::new("a\0b").spawn().unwrap_err();
            assert_eq!(nul.kind(), ErrorKind::InvalidInput);
            assert!(has_no_child());
        });
    });
    ended.assert_came_through();
}

/// With no descriptor left a child cannot be started, but one that runs can be waited for; and when there are
/// some again, all is well.
pub fn without_descriptors_a_child_is_still_waited_for<S: Subject>() {
    const EMFILE: i32 = 24;
    let ended = child::Child::new().with_descriptors(64).end_of(|| {
        run::<S, _>(|| {
            let mut running = endless().spawn().unwrap();
            let mut talks = shell("echo out; echo err >&2");
            let talks = talks.stdout(Stdio::piped()).stderr(Stdio::piped());
            let talks = talks.spawn().unwrap();
            let taken: Vec<_> = std::iter::from_fn(|| fs::File::open("/dev/null").ok()).collect();
            let refused = endless().stdout(Stdio::piped()).spawn().unwrap_err();
            assert_eq!(refused.raw_os_error(), Some(EMFILE));
            let late = timeout(Duration::from_millis(5), || running.wait());
            assert!(matches!(late, Err(Elapsed)));
            let output = talks.wait_with_output().unwrap();
            assert_eq!(
                (&*output.stdout, &*output.stderr),
                (&b"out\n"[..], &b"err\n"[..])
            );
            running.kill().unwrap();
            assert_eq!(running.wait().unwrap().signal(), Some(SIGKILL));
            drop(taken);
            assert!(shell("exit 0").output().unwrap().status.success());
            assert!(has_no_child());
        });
    });
    ended.assert_came_through();
}

/// Thousands of short children leave no descriptor and no zombie.
pub fn thousands_of_children_leave_nothing<S: Subject>() {
    let migrates = S::migrates();
    let ended = child::end_of(|| {
        run::<S, _>(move || {
            // What the runtime needs it has afterwards; but where threads migrate, each worker gets some when
            // one comes there first.
            let rounds = |rounds| {
                for round in 0..rounds {
                    let mut command = Command::new("true");
                    if round % 2 == 0 {
                        assert!(command.output().unwrap().status.success());
                    } else {
                        assert!(command.spawn().unwrap().wait().unwrap().success());
                    }
                }
            };
            rounds(4);
            let before = descriptors();
            rounds(2_000);
            let most = before + if migrates { 16 } else { 0 };
            let after = descriptors();
            assert!(
                (before..=most).contains(&after),
                "{before} and then {after}"
            );
            assert!(has_no_child());
        });
    });
    ended.assert_came_through();
}

/// Many threads wait for children of their own, and each is told of its own.
pub fn many_threads_wait_for_their_children<S: Subject>() {
    run::<S, _>(|| {
        let threads: Vec<_> = (0..24)
            .map(|code| {
                thread::spawn(move || {
                    let mut command = shell(&format!("read line; exit {code}"));
                    let mut child = command.stdin(Stdio::piped()).spawn().unwrap();
                    // Its input ends, and so does it.
                    assert_eq!(child.wait().unwrap().code(), Some(code));
                })
            })
            .collect();
        join_all(threads);
    });
}

/// Several threads wait for one child, by handles or behind a lock; all are told.
pub fn several_threads_wait_for_one_child<S: Subject>() {
    run::<S, _>(|| {
        let child = endless().spawn().unwrap();
        let waits: Vec<_> = (0..4)
            .map(|_| {
                let handle = child.handle();
                thread::spawn(move || handle.wait().unwrap())
            })
            .collect();
        for thread in &waits {
            until_waiting(thread.thread(), Reason::Process);
        }
        let shared = Arc::new(Mutex::new(child));
        let own = Arc::clone(&shared);
        let behind = thread::spawn(move || own.lock().unwrap().wait().unwrap());
        until_waiting(behind.thread(), Reason::Process);
        waits[0].cancel();
        until(|| waits[0].is_finished());
        let handle = {
            let mut waits = waits.into_iter();
            let cancelled = waits.next().unwrap().join().unwrap_err();
            assert!(cancelled.is::<Cancelled>());
            let other = endless().spawn().unwrap();
            let handle = other.handle();
            handle.kill().unwrap();
            // The other one's end is not theirs.
            handle.wait().unwrap();
            waits
        };
        behind.cancel();
        assert!(behind.join().unwrap_err().is::<Cancelled>());
        let mut child = shared.lock().unwrap();
        child.kill().unwrap();
        for status in join_all(handle) {
            assert_eq!(status.signal(), Some(SIGKILL));
        }
        assert_eq!(child.wait().unwrap().signal(), Some(SIGKILL));
    });
}

/// A child that is dropped runs on, unless it is to be killed; that one does not stay a zombie.
pub fn a_dropped_child_runs_on_or_is_killed<S: Subject>() {
    let ended = child::end_of(|| {
        run::<S, _>(|| {
            let child = endless().spawn().unwrap();
            let handle = child.handle();
            drop(child);
            assert!(handle.try_wait().unwrap().is_none());
            handle.kill().unwrap();
            assert_eq!(handle.wait().unwrap().signal(), Some(SIGKILL));

            drop(endless().kill_on_drop(true).spawn().unwrap());
            // Later spawns ask for its end.
            until(|| {
                assert!(shell("exit 0").status().unwrap().success());
                has_no_child()
            });
        });
    });
    ended.assert_came_through();
}

/// A child that nobody has seen, for the call that started it was cancelled, does not stay a zombie.
pub fn a_cancelled_call_leaves_no_zombie<S: Subject>() {
    let ended = child::end_of(|| {
        run::<S, _>(|| {
            let waits = thread::spawn(|| {
                let mut talks = endless();
                talks.stdout(Stdio::piped()).kill_on_drop(true).output()
            });
            until_waiting(waits.thread(), Reason::Read);
            waits.cancel();
            assert!(waits.join().unwrap_err().is::<Cancelled>());
            let limit = Duration::from_millis(5);
            let mut brief = shell("sleep 0.1");
            assert!(matches!(timeout(limit, || brief.output()), Err(Elapsed)));
            assert!(matches!(timeout(limit, || brief.status()), Err(Elapsed)));
            until(|| {
                assert!(shell("exit 0").status().unwrap().success());
                has_no_child()
            });
        });
    });
    ended.assert_came_through();
}
