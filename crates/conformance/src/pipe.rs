//! `net::pipe`: std's semantics, while others run on. That no signal ends the process takes unsafe code
//! to show: a test of the facade, `tests/sigpipe.rs`.

use std::io::{self, IoSlice, IoSliceMut, Read as _, Write as _};
use std::process::{Command, Stdio};
use std::sync::Arc;

use trefoil_net::{PipeReader, PipeWriter, pipe};
use trefoil_runtime::{Reason, thread};

use crate::Subject;
use crate::subject::run;
use crate::witness::{join_all, until_waiting};

/// A thread that waits for data says so; it reads to the end when all writers are gone.
pub fn a_reader_waits<S: Subject>() {
    run::<S, _>(|| {
        let (mut reader, mut writer) = pipe().unwrap();
        let reads = thread::spawn(move || {
            let mut heard = String::new();
            reader.read_to_string(&mut heard).unwrap();
            heard
        });
        until_waiting(reads.thread(), Reason::Read);
        writer.write_all(b"hel").unwrap();
        let mut other = writer.try_clone().unwrap();
        drop(writer);
        until_waiting(reads.thread(), Reason::Read);
        other.write_all(b"lo").unwrap();
        drop(other);
        assert_eq!(reads.join().unwrap(), "hello");
    });
}

/// A thread that waits for room says so, and all that it writes arrives.
pub fn a_writer_waits<S: Subject>() {
    const SIZE: usize = 1 << 20;
    run::<S, _>(|| {
        let (mut reader, mut writer) = pipe().unwrap();
        let pattern: Vec<u8> = (0..SIZE).map(|n| (n / 251 + n) as u8).collect();
        let expected = pattern.clone();
        let writes = thread::spawn(move || writer.write_all(&pattern).unwrap());
        until_waiting(writes.thread(), Reason::Write);
        let mut all = Vec::new();
        reader.read_to_end(&mut all).unwrap();
        writes.join().unwrap();
        assert!(all == expected);
    });
}

/// Several buffers go in one call.
pub fn vectored_calls_work<S: Subject>() {
    run::<S, _>(|| {
        let (mut reader, mut writer) = pipe().unwrap();
        let parts = [IoSlice::new(b"ab"), IoSlice::new(b""), IoSlice::new(b"cde")];
        assert_eq!(writer.write_vectored(&parts).unwrap(), 5);
        let (mut one, mut two) = ([0; 1], [0; 8]);
        let mut rooms = [IoSliceMut::new(&mut one), IoSliceMut::new(&mut two)];
        assert_eq!(reader.read_vectored(&mut rooms).unwrap(), 5);
        assert_eq!((&one, &two[..4]), (b"a", &b"bcde"[..]));
    });
}

/// Several threads use either end at the same time: nothing is lost, and small writes are whole.
pub fn either_end_is_shared<S: Subject>() {
    const EACH: u32 = 500;
    run::<S, _>(|| {
        let (reader, writer) = pipe().unwrap();
        let writers = [(); 3].map(|()| {
            let mut writer = writer.try_clone().unwrap();
            thread::spawn(move || (0..EACH).for_each(|_| writer.write_all(b"abcd").unwrap()))
        });
        drop(writer);
        let reader = Arc::new(reader);
        let readers = [(); 3].map(|()| {
            let reader = Arc::clone(&reader);
            thread::spawn(move || {
                let (mut sum, mut room) = (0, [0; 4]);
                while (&*reader).read(&mut room).unwrap() == 4 {
                    assert_eq!(&room, b"abcd");
                    sum += 1;
                }
                sum
            })
        });
        join_all(writers);
        assert_eq!(join_all(readers).iter().sum::<u32>(), 3 * EACH);
    });
}

fn assert_broken(written: io::Result<usize>) {
    assert_eq!(written.unwrap_err().kind(), io::ErrorKind::BrokenPipe);
}

/// The end of the readers wakes a writer that waits for room, with an error.
pub fn the_end_of_the_readers_wakes_the_writer<S: Subject>() {
    run::<S, _>(|| {
        let (reader, mut writer) = pipe().unwrap();
        let writes = thread::spawn(move || {
            loop {
                if let Err(refused) = writer.write(&[0; 4096]) {
                    return refused;
                }
            }
        });
        until_waiting(writes.thread(), Reason::Write);
        drop(reader);
        assert_broken(Err(writes.join().unwrap()));
    });
}

/// As Linux has it.
const O_NONBLOCK: u32 = 0o4000;

/// A child process gets an end that blocks, and what it writes comes through.
pub fn a_child_writes_to_it<S: Subject>() {
    run::<S, _>(|| {
        let (mut reader, writer) = pipe().unwrap();
        // What it tells of its end, and then more than the pipe holds.
        let script = "cat /proc/self/fdinfo/1; head -c 200000 /dev/zero | tr '\\0' x";
        let mut command = Command::new("sh");
        command.args(["-c", script]);
        command.stdin(Stdio::null()).stdout(writer);
        let mut child = thread::blocking(|| command.spawn().unwrap());
        // It holds the writer.
        drop(command);
        let mut all = String::new();
        reader.read_to_string(&mut all).unwrap();
        let (told, filled) = all.split_at(all.len() - 200_000);
        assert!(filled.bytes().all(|byte| byte == b'x'));
        let flags = told.lines().find_map(|line| line.strip_prefix("flags:"));
        let flags = u32::from_str_radix(flags.unwrap().trim(), 8).unwrap();
        assert_eq!(flags & O_NONBLOCK, 0);
        assert!(thread::blocking(|| child.wait().unwrap()).success());
    });
}

/// Ends go to `std` and back.
pub fn ends_go_to_std_and_back<S: Subject>() {
    run::<S, _>(|| {
        let (reader, writer) = std::io::pipe().unwrap();
        let mut reader = PipeReader::from_std(reader).unwrap();
        let mut writer = PipeWriter::from_std(writer).unwrap();
        let reads = thread::spawn(move || {
            let mut byte = [0];
            reader.read_exact(&mut byte).unwrap();
            reader
        });
        until_waiting(reads.thread(), Reason::Read);
        writer.write_all(b"x").unwrap();
        let mut reader = reads.join().unwrap().into_std().unwrap();
        drop(writer);
        assert_eq!(thread::blocking(|| reader.read(&mut [0; 8])).unwrap(), 0);
    });
}
