//! Standard input, output and error: who waits for them is parked, and nobody else.
//!
//! They belong to the whole process, so each promise is kept by a process of its own, which puts a pipe
//! in their place and has its other end.

use std::fs::File;
use std::io::{self, PipeReader, PipeWriter, Read as _, Write as _};
use std::os::fd::AsFd as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use nix::fcntl::{FcntlArg, OFlag, fcntl};
use nix::unistd::{dup2_stderr, dup2_stdin, dup2_stdout};
use trefoil_net::io::{BufRead as _, Cursor, copy, stderr, stdin, stdout};
use trefoil_runtime::cancel::Cancelled;
use trefoil_runtime::time::{Elapsed, timeout};
use trefoil_runtime::{Reason, thread};
use trefoil_sync::channel::bounded;

use crate::Subject;
use crate::child::end_of;
use crate::fs::Place;
use crate::seed::draw;
use crate::subject::run;
use crate::witness::{Bomb, find, join_all, refusal, until_waiting};

/// Standard input is a pipe from now on: its other end.
fn input() -> PipeWriter {
    let (reader, writer) = io::pipe().unwrap();
    dup2_stdin(&reader).unwrap();
    writer
}

/// Standard output is a pipe from now on: its other end.
fn output() -> PipeReader {
    let (reader, writer) = io::pipe().unwrap();
    dup2_stdout(&writer).unwrap();
    reader
}

/// In a process of its own, and on a runtime.
fn apart<S: Subject>(body: impl FnOnce() + Send + 'static) {
    end_of(|| run::<S, _>(body)).assert_came_through();
}

/// A thread waits for a line, others run, and one of them writes it.
pub fn a_line_is_waited_for<S: Subject>() {
    apart::<S>(|| {
        let mut writer = input();
        let reads = thread::spawn(|| {
            let mut line = String::from("> ");
            let taken = stdin().read_line(&mut line).unwrap();
            (taken, line)
        });
        until_waiting(reads.thread(), Reason::Read);
        let info = find(reads.thread().id()).unwrap();
        let place = info.waiting.unwrap().place;
        assert!(
            place.file().ends_with("conformance/src/stdio.rs"),
            "{place}"
        );
        let (ask, asked) = bounded(0);
        let answers = thread::spawn(move || asked.recv().unwrap() + 1);
        ask.send(1).unwrap();
        assert_eq!(answers.join().unwrap(), 2);
        // Half a line is none.
        writer.write_all(b"one ").unwrap();
        until_waiting(reads.thread(), Reason::Read);
        writer.write_all(b"line\nand").unwrap();
        assert_eq!(reads.join().unwrap(), (9, "> one line\n".to_owned()));
        drop(writer);
        let mut rest = String::new();
        assert_eq!(stdin().read_line(&mut rest).unwrap(), 3);
        assert_eq!(stdin().read_line(&mut rest).unwrap(), 0);
        assert_eq!(rest, "and");
    });
}

/// All ways to read do what `std`'s do.
pub fn input_is_read_as_in_std<S: Subject>() {
    apart::<S>(|| {
        let mut writer = input();
        let lines = "first\nsecond\r\n\nlast";
        let writes = thread::spawn(move || {
            thread::blocking(|| {
                writer.write_all(lines.as_bytes()).unwrap();
                drop(writer);
            })
        });
        let mut byte = [0];
        stdin().read_exact(&mut byte).unwrap();
        assert_eq!(&byte, b"f");
        let mut lock = stdin().lock();
        let mut until = Vec::new();
        assert_eq!(lock.read_until(b's', &mut until).unwrap(), 3);
        assert_eq!(until, b"irs");
        drop(lock);
        let all: Result<Vec<_>, _> = stdin().lines().collect();
        assert_eq!(all.unwrap(), ["t", "second", "", "last"]);
        assert_eq!(stdin().read(&mut byte).unwrap(), 0);
        writes.join().unwrap();

        let mut writer = input();
        writer.write_all(b"\xff\nrest").unwrap();
        drop(writer);
        let mut line = String::from("kept");
        let refused = stdin().read_line(&mut line).unwrap_err();
        assert_eq!(refused.kind(), io::ErrorKind::InvalidData);
        assert_eq!(line, "kept");
        let mut all = String::new();
        assert_eq!(stdin().read_to_string(&mut all).unwrap(), 4);
        assert_eq!(all, "rest");
        assert!(!stdin().is_terminal());
    });
}

/// Input may be a file, of any length, or nothing at all.
pub fn input_may_be_a_file<S: Subject>() {
    const LINES: usize = 50_000;
    apart::<S>(|| {
        let place = Place::new();
        let text: String = (0..LINES)
            .map(|number| format!("line {number}\n"))
            .collect();
        std::fs::write(place.at("input"), &text).unwrap();
        dup2_stdin(File::open(place.at("input")).unwrap()).unwrap();
        let mut read = 0;
        for (number, line) in stdin().lines().enumerate() {
            assert_eq!(line.unwrap(), format!("line {number}"));
            read += 1;
        }
        assert_eq!(read, LINES);
        dup2_stdin(File::open("/dev/null").unwrap()).unwrap();
        assert_eq!(stdin().read(&mut [0; 8]).unwrap(), 0);
    });
}

/// Who is ended while it waits for a line takes nothing of it: the next one gets all.
pub fn who_is_ended_takes_nothing<S: Subject>() {
    apart::<S>(|| {
        let mut writer = input();
        let reads = || {
            thread::spawn(|| {
                let mut line = String::new();
                stdin().read_line(&mut line).unwrap();
                line
            })
        };
        let ended = reads();
        until_waiting(ended.thread(), Reason::Read);
        writer.write_all(b"half a ").unwrap();
        until_waiting(ended.thread(), Reason::Read);
        ended.cancel();
        assert!(ended.join().unwrap_err().is::<Cancelled>());
        let late = timeout(Duration::from_millis(2), || {
            stdin().read_line(&mut String::new())
        });
        assert!(matches!(late, Err(Elapsed)));
        let next = reads();
        until_waiting(next.thread(), Reason::Read);
        writer.write_all(b"line\n").unwrap();
        assert_eq!(next.join().unwrap(), "half a line\n");
    });
}

/// A thread that waits for input is ended with its run: nothing waits for a line that nobody writes.
pub fn a_run_ends_without_its_line<S: Subject>() {
    end_of(|| {
        let _writer = input();
        run::<S, _>(|| {
            let reads = thread::spawn(|| stdin().read_line(&mut String::new()));
            until_waiting(reads.thread(), Reason::Read);
            drop(reads);
        });
    })
    .assert_came_through();
}

/// The lock is held across waits: who wants it waits for it, and each gets whole lines.
pub fn the_input_is_locked_across_waits<S: Subject>() {
    apart::<S>(|| {
        let mut writer = input();
        let holds = thread::spawn(|| {
            let mut lock = stdin().lock();
            let mut lines = String::new();
            lock.read_line(&mut lines).unwrap();
            lock.read_line(&mut lines).unwrap();
            lines
        });
        until_waiting(holds.thread(), Reason::Read);
        let waits = thread::spawn(|| stdin().lines().next().unwrap().unwrap());
        until_waiting(waits.thread(), Reason::Mutex);
        writer.write_all(b"one\n").unwrap();
        thread::yield_now();
        writer.write_all(b"two\nthree\n").unwrap();
        assert_eq!(holds.join().unwrap(), "one\ntwo\n");
        assert_eq!(waits.join().unwrap(), "three");
        // A panic with the lock held leaves it usable.
        assert!(
            thread::spawn(|| {
                let _lock = stdin().lock();
                drop(Bomb);
            })
            .join()
            .is_err()
        );
        drop(writer);
        assert_eq!(stdin().read(&mut [0; 8]).unwrap(), 0);
    });
}

/// Input that somebody has made non-blocking is waited for all the same.
pub fn a_non_blocking_input_is_waited_for<S: Subject>() {
    apart::<S>(|| {
        let mut writer = input();
        let std = io::stdin();
        fcntl(std.as_fd(), FcntlArg::F_SETFL(OFlag::O_NONBLOCK)).unwrap();
        let reads = thread::spawn(|| stdin().read(&mut [0; 8]).unwrap());
        until_waiting(reads.thread(), Reason::Read);
        writer.write_all(b"four").unwrap();
        assert_eq!(reads.join().unwrap(), 4);
    });
}

/// A thread writes into a full pipe, others run, and one of them reads it.
pub fn a_full_pipe_stops_nobody_else<S: Subject>() {
    const MUCH: usize = 300_000;
    apart::<S>(|| {
        let mut reader = output();
        let writes = thread::spawn(|| {
            let mut out = stdout();
            for _ in 0..MUCH / 1000 {
                out.write_all(&[b'x'; 1000]).unwrap();
            }
            out.flush().unwrap();
        });
        // The pipe is full.
        until_waiting(writes.thread(), Reason::Write);
        let others = (0..10).map(|number| thread::spawn(move || number));
        assert_eq!(join_all(others.collect::<Vec<_>>()).len(), 10);
        let mut all = vec![0; MUCH];
        thread::blocking(|| reader.read_exact(&mut all)).unwrap();
        writes.join().unwrap();
        assert!(all.iter().all(|byte| *byte == b'x'));

        // And who waits for room is ended.
        let writes = thread::spawn(|| {
            let mut out = stdout();
            loop {
                out.write_all(&[b'y'; 1000]).unwrap();
            }
        });
        until_waiting(writes.thread(), Reason::Write);
        writes.cancel();
        assert!(writes.join().unwrap_err().is::<Cancelled>());
    });
}

/// What is written by `print!` and by these handles comes out in order, and lines are whole.
pub fn output_is_in_order<S: Subject>() {
    const THREADS: usize = 20;
    apart::<S>(|| {
        let mut reader = output();
        let mut out = stdout();
        let two = "two";
        write!(out, "one {two} ").unwrap();
        io::stdout().write_all(b"three ").unwrap();
        out.write_all(b"four\n").unwrap();
        let threads = (0..THREADS).map(|number| {
            thread::spawn(move || {
                let mut lock = stdout().lock();
                write!(lock, "{number} ").unwrap();
                thread::yield_now();
                // The same thread may take it again.
                stdout().write_all(b"and ").unwrap();
                drop(stdout().lock());
                thread::sleep(Duration::from_micros(10));
                writeln!(lock, "{number}").unwrap();
            })
        });
        join_all(threads.collect::<Vec<_>>());
        out.write_all(b"without an end").unwrap();
        out.flush().unwrap();
        // Nobody else has the other end: this is all.
        dup2_stdout(io::stderr()).unwrap();
        let mut all = String::new();
        reader.read_to_string(&mut all).unwrap();
        let mut lines = all.lines();
        assert_eq!(lines.next(), Some("one two three four"));
        assert_eq!(lines.next_back(), Some("without an end"));
        let mut numbers: Vec<usize> = lines
            .map(|line| {
                let (one, other) = line.split_once(" and ").unwrap();
                assert_eq!(one, other);
                one.parse().unwrap()
            })
            .collect();
        numbers.sort_unstable();
        assert!(numbers.into_iter().eq(0..THREADS));
    });
}

/// Standard error has no buffer, and a pipe whose reader has gone is an error and no signal.
pub fn a_broken_pipe_is_an_error<S: Subject>() {
    apart::<S>(|| {
        let (mut reader, writer) = io::pipe().unwrap();
        let before = io::stderr().as_fd().try_clone_to_owned().unwrap();
        dup2_stderr(&writer).unwrap();
        let once = "once";
        let told = write!(stderr(), "at {once}");
        dup2_stderr(&before).unwrap();
        told.unwrap();
        let mut heard = [0; 7];
        reader.read_exact(&mut heard).unwrap();
        assert_eq!(&heard, b"at once");
        assert!(!stderr().is_terminal());
        drop(output());
        let mut out = stdout().lock();
        let refused = out.write_all(b"a line\n").and_then(|()| out.flush());
        assert_eq!(refused.unwrap_err().kind(), io::ErrorKind::BrokenPipe);
    });
}

/// Inside `no_suspend` reading and writing are refused, on every model.
pub fn a_call_is_refused_in_no_suspend<S: Subject>() {
    apart::<S>(|| {
        let mut writer = input();
        let _reader = output();
        refusal(|| thread::no_suspend(|| stdin().read(&mut [0; 8])));
        writer.write_all(b"text").unwrap();
        drop(writer);
        // Also where it would not wait; and what is there is left.
        let said = refusal(|| thread::no_suspend(|| stdin().read(&mut [0; 8])));
        assert!(
            said.contains("at crates/conformance/src/stdio.rs"),
            "{said}"
        );
        let said = refusal(|| thread::no_suspend(|| stdout().write_all(b"text\n")));
        assert!(
            said.contains("at crates/conformance/src/stdio.rs"),
            "{said}"
        );
        let mut all = String::new();
        stdin().read_to_string(&mut all).unwrap();
        assert_eq!(all, "text");
    });
}

/// Timeouts race with pieces of lines: each line comes once, and as a whole.
pub fn no_line_is_lost_to_a_timeout<S: Subject>() {
    const LINES: usize = 300;
    end_of(|| {
        let mut random = draw().random();
        run::<S, _>(move || {
            let mut writer = input();
            let mut pieces = random.branch();
            let writes = thread::spawn(move || {
                let text: String = (0..LINES).map(|line| format!("line {line}\n")).collect();
                let mut rest = text.as_bytes();
                while !rest.is_empty() {
                    let length = usize::try_from(pieces.below(12)).unwrap().min(rest.len());
                    let (piece, others) = rest.split_at(length);
                    writer.write_all(piece).unwrap();
                    rest = others;
                    thread::sleep(Duration::from_micros(pieces.below(60)));
                }
            });
            let mut next = 0;
            while next < LINES {
                let patience = Duration::from_micros(random.below(120));
                let mut line = String::new();
                if let Ok(read) = timeout(patience, || stdin().read_line(&mut line)) {
                    read.unwrap();
                    assert_eq!(line, format!("line {next}\n"));
                    next += 1;
                }
            }
            writes.join().unwrap();
        });
    })
    .assert_came_through();
}

/// `copy` takes everything, from any reader to any writer, and parks where they do.
pub fn everything_is_copied<S: Subject>() {
    apart::<S>(|| {
        let mut writer = input();
        let text = "0123456789".repeat(20_000);
        let done = Arc::new(AtomicBool::new(false));
        let (mark, expected) = (Arc::clone(&done), text.clone());
        let copies = thread::spawn(move || {
            let mut all = Vec::new();
            let copied = copy(&mut stdin(), &mut all).unwrap();
            mark.store(true, Ordering::Release);
            assert_eq!(all, expected.as_bytes());
            copied
        });
        until_waiting(copies.thread(), Reason::Read);
        assert!(!done.load(Ordering::Acquire));
        let place = Place::new();
        std::fs::write(place.at("text"), &text).unwrap();
        let mut file = trefoil_net::fs::File::open(place.at("text")).unwrap();
        let mut all = Vec::new();
        assert_eq!(copy(&mut file, &mut all).unwrap(), text.len() as u64);
        thread::blocking(|| writer.write_all(&all)).unwrap();
        drop(writer);
        assert_eq!(copies.join().unwrap(), text.len() as u64);
        let mut out = trefoil_net::fs::File::create(place.at("copy")).unwrap();
        assert_eq!(
            copy(&mut Cursor::new(&all), &mut out).unwrap(),
            text.len() as u64
        );
        assert_eq!(std::fs::read(place.at("copy")).unwrap(), all);
        let mut refused = trefoil_net::fs::File::open(place.at("copy")).unwrap();
        assert!(copy(&mut Cursor::new(b"text"), &mut refused).is_err());
    });
}
