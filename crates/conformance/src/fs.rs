//! Files and directories: what `std::fs` does, while nobody but the caller waits.
//!
//! A call that the test ends when it likes is made with a FIFO: to open one waits for who opens its
//! other end. Where a test asks who runs meanwhile, everything is a thread of the runtime.

use std::env;
use std::io::{
    self, BufRead as _, BufReader, IoSlice, IoSliceMut, Read as _, Seek as _, SeekFrom, Write as _,
};
use std::os::fd::{AsFd as _, AsRawFd as _, OwnedFd};
use std::os::unix::fs::{
    DirBuilderExt as _, DirEntryExt as _, FileExt as _, MetadataExt as _, OpenOptionsExt as _,
    PermissionsExt as _,
};
use std::path::{Path, PathBuf};
use std::process::{self, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, UNIX_EPOCH};

use nix::sys::stat::Mode;
use nix::unistd::mkfifo;
use trefoil_net::fs::{self, DirBuilder, File, FileTimes, OpenOptions, Permissions, TryLockError};
use trefoil_runtime::cancel::Cancelled;
use trefoil_runtime::thread::JoinHandle;
use trefoil_runtime::time::{Elapsed, timeout};
use trefoil_runtime::{Model, Reason, thread};
use trefoil_sync::channel::bounded;

use crate::Subject;
use crate::child::end_of;
use crate::subject::run;
use crate::witness::{find, join_all, refusal, until, until_waiting};

/// A directory of a test's own, which goes with it.
pub(crate) struct Place(PathBuf);

impl Place {
    pub(crate) fn new() -> Place {
        static NEXT: AtomicUsize = AtomicUsize::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let path = env::temp_dir().join(format!("trefoil-conformance-{}-{number}", process::id()));
        std::fs::create_dir(&path).unwrap();
        Place(path)
    }

    pub(crate) fn at(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    /// A FIFO of that name.
    pub(crate) fn fifo(&self, name: &str) -> PathBuf {
        let path = self.at(name);
        mkfifo(&path, Mode::from_bits_truncate(0o600)).unwrap();
        path
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// A thread that has begun a call which waits until the FIFO's other end is opened.
fn opens(fifo: &Path, options: &OpenOptions) -> JoinHandle<io::Result<File>> {
    let (fifo, options) = (fifo.to_owned(), options.clone());
    let opens = thread::spawn(move || options.open(fifo));
    until_waiting(opens.thread(), Reason::Blocking);
    opens
}

fn to_read() -> OpenOptions {
    OpenOptions::new().read(true).clone()
}

/// What is written is read, in every way that `std` has.
pub fn what_is_written_is_read<S: Subject>() {
    run::<S, _>(|| {
        let place = Place::new();
        let path = place.at("file");
        let mut file = File::options()
            .read(true)
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(&path)
            .unwrap();
        file.write_all(b"first ").unwrap();
        let second = "second";
        write!(file, "{}-{second}", 2).unwrap();
        let parts = [IoSlice::new(b" thi"), IoSlice::new(b"rd")];
        assert_eq!((&file).write_vectored(&parts).unwrap(), 6);
        file.flush().unwrap();
        file.sync_data().unwrap();
        file.sync_all().unwrap();
        assert_eq!(file.stream_position().unwrap(), 20);
        file.rewind().unwrap();
        let mut all = String::new();
        assert_eq!(file.read_to_string(&mut all).unwrap(), 20);
        assert_eq!(all, "first 2-second third");
        assert_eq!(file.read(&mut [0; 8]).unwrap(), 0, "the end");

        assert_eq!((&file).seek(SeekFrom::End(-5)).unwrap(), 15);
        let (mut one, mut other) = ([0; 2], [0; 8]);
        let mut room = [IoSliceMut::new(&mut one), IoSliceMut::new(&mut other)];
        assert_eq!((&file).read_vectored(&mut room).unwrap(), 5);
        assert_eq!((&one, &other[..3]), (b"th", &b"ird"[..]));
        file.seek(SeekFrom::Start(6)).unwrap();
        let mut bytes = [0; 8];
        file.read_exact(&mut bytes).unwrap();
        assert_eq!(&bytes, b"2-second");
        let mut rest = Vec::new();
        assert_eq!(file.read_to_end(&mut rest).unwrap(), 6);
        let early = file.read_exact(&mut bytes).unwrap_err();
        assert_eq!(early.kind(), io::ErrorKind::UnexpectedEof);

        let lines: Vec<_> = BufReader::new(File::open(&path).unwrap()).lines().collect();
        assert_eq!(lines.len(), 1);
        assert_eq!(std::fs::read_to_string(&path).unwrap(), all);
    });
}

/// Positional reads and writes leave the position alone, and threads may make them at once.
pub fn a_position_may_be_given<S: Subject>() {
    const THREADS: u64 = 20;
    run::<S, _>(|| {
        let place = Place::new();
        let file = Arc::new(File::create_new(place.at("file")).unwrap());
        let threads = (0..THREADS).map(|number| {
            let file = Arc::clone(&file);
            thread::spawn(move || {
                let text = number.to_le_bytes();
                file.write_all_at(&text, number * 8).unwrap();
                let mut back = [0; 8];
                file.read_exact_at(&mut back, number * 8).unwrap();
                assert_eq!(back, text);
            })
        });
        join_all(threads.collect::<Vec<_>>());
        assert_eq!((&*file).stream_position().unwrap(), 0);
        assert_eq!(file.metadata().unwrap().len(), THREADS * 8);
        let mut byte = [0];
        assert_eq!(file.read_at(&mut byte, 8).unwrap(), 1);
        assert_eq!(byte, [1]);
        assert_eq!(file.write_at(b"x", 0).unwrap(), 1);
        let end = file.read_exact_at(&mut byte, THREADS * 8).unwrap_err();
        assert_eq!(end.kind(), io::ErrorKind::UnexpectedEof);
    });
}

/// Each way to open a file does what `std`'s does, and says why it could not.
pub fn a_file_is_opened_as_asked<S: Subject>() {
    run::<S, _>(|| {
        let place = Place::new();
        let path = place.at("file");
        let kind = |result: io::Result<File>| result.unwrap_err().kind();
        assert_eq!(kind(File::open(&path)), io::ErrorKind::NotFound);
        assert_eq!(kind(File::open("a\0b")), io::ErrorKind::InvalidInput);
        File::create(&path).unwrap().write_all(b"old").unwrap();
        assert_eq!(kind(File::create_new(&path)), io::ErrorKind::AlreadyExists);
        assert_eq!(
            kind(OpenOptions::new().open(&path)),
            io::ErrorKind::InvalidInput
        );
        assert_eq!(
            kind(OpenOptions::default().read(true).open(path.join("x"))),
            io::ErrorKind::NotADirectory
        );
        let mut appends = File::options().append(true).open(&path).unwrap();
        appends.write_all(b" and new").unwrap();
        assert!(appends.read(&mut [0; 8]).is_err());
        assert_eq!(fs::read(&path).unwrap(), b"old and new");
        File::options()
            .write(true)
            .open(&path)
            .unwrap()
            .write_all(b"OLD")
            .unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"OLD and new");
        File::options()
            .write(true)
            .truncate(true)
            .create(true)
            .open(&path)
            .unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"");
        let refused = File::options()
            .read(true)
            .custom_flags(nix::libc::O_DIRECTORY)
            .open(&path);
        assert_eq!(kind(refused), io::ErrorKind::NotADirectory);
    });
}

/// What a file is besides its content: length, times, permissions, handles, `std`'s types.
pub fn a_file_has_metadata_and_handles<S: Subject>() {
    run::<S, _>(|| {
        let place = Place::new();
        let path = place.at("file");
        let file = File::options()
            .read(true)
            .write(true)
            .create(true)
            .mode(0o640)
            .open(&path)
            .unwrap();
        file.set_len(10).unwrap();
        let then = UNIX_EPOCH + Duration::from_secs(1_000_000_000);
        file.set_times(FileTimes::new().set_accessed(then).set_modified(then))
            .unwrap();
        file.set_permissions(Permissions::from_mode(0o600)).unwrap();
        let known = file.metadata().unwrap();
        assert!(known.is_file());
        assert_eq!((known.len(), known.mode() & 0o777), (10, 0o600));
        assert_eq!(
            (known.accessed().unwrap(), known.modified().unwrap()),
            (then, then)
        );
        file.set_modified(UNIX_EPOCH).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().modified().unwrap(), UNIX_EPOCH);
        assert!(!file.is_terminal());

        let mut clone = file.try_clone().unwrap();
        clone.seek(SeekFrom::Start(4)).unwrap();
        assert_eq!(
            (&file).stream_position().unwrap(),
            4,
            "they share the position"
        );
        assert_ne!(file.as_raw_fd(), clone.as_fd().as_raw_fd());
        let of_std = std::fs::File::from(clone);
        let file = File::from(OwnedFd::from(File::from(of_std)));
        assert!(format!("{file:?}").contains("file"));
        let mut text = String::new();
        file.into_std().read_to_string(&mut text).unwrap();
        assert_eq!(text, "\0".repeat(6));
    });
}

/// The free functions do what `std`'s do.
pub fn paths_are_handled_as_in_std<S: Subject>() {
    run::<S, _>(|| {
        let place = Place::new();
        let (one, other) = (place.at("one"), place.at("other"));
        fs::write(&one, "text").unwrap();
        assert_eq!(fs::copy(&one, &other).unwrap(), 4);
        assert_eq!(fs::read_to_string(&other).unwrap(), "text");
        fs::write(&one, [0xff]).unwrap();
        assert_eq!(
            fs::read_to_string(&one).unwrap_err().kind(),
            io::ErrorKind::InvalidData
        );
        fs::rename(&other, &one).unwrap();
        assert!(!fs::exists(&other).unwrap());
        fs::hard_link(&one, &other).unwrap();
        assert_eq!(
            fs::metadata(&one).unwrap().ino(),
            fs::metadata(&other).unwrap().ino()
        );
        fs::remove_file(&other).unwrap();
        assert_eq!(
            fs::remove_file(&other).unwrap_err().kind(),
            io::ErrorKind::NotFound
        );
        fs::symlink(&one, &other).unwrap();
        assert_eq!(fs::read_link(&other).unwrap(), one);
        assert!(fs::symlink_metadata(&other).unwrap().is_symlink());
        assert!(fs::metadata(&other).unwrap().is_file());
        assert_eq!(
            fs::canonicalize(&other).unwrap(),
            std::fs::canonicalize(&one).unwrap()
        );
        fs::set_permissions(&one, Permissions::from_mode(0o400)).unwrap();
        assert!(fs::metadata(&one).unwrap().permissions().readonly());
        fs::chown(&one, None, None).unwrap();
        fs::lchown(&other, None, None).unwrap();
        fs::fchown(File::open(&one).unwrap(), None, None).unwrap();
    });
}

/// Directories are made, read and removed, also a large one.
pub fn directories_are_read<S: Subject>() {
    const FILES: usize = 150;
    run::<S, _>(|| {
        let place = Place::new();
        let directory = place.at("directory");
        DirBuilder::new().mode(0o700).create(&directory).unwrap();
        assert_eq!(
            fs::create_dir(&directory).unwrap_err().kind(),
            io::ErrorKind::AlreadyExists
        );
        fs::create_dir_all(directory.join("a/b/c")).unwrap();
        fs::create_dir_all(directory.join("a/b/c")).unwrap();
        DirBuilder::default()
            .recursive(true)
            .create(directory.join("a/d"))
            .unwrap();
        for number in 0..FILES {
            fs::write(directory.join(number.to_string()), "").unwrap();
        }
        let mut numbers: Vec<usize> = Vec::new();
        for entry in fs::read_dir(&directory).unwrap() {
            let entry = entry.unwrap();
            let known = entry.metadata().unwrap();
            assert_eq!(entry.path(), directory.join(entry.file_name()));
            assert_eq!(entry.ino(), known.ino());
            assert_eq!(entry.file_type().unwrap(), known.file_type());
            match entry.file_name().to_str().unwrap() {
                "a" => assert!(known.is_dir()),
                name => numbers.push(name.parse().unwrap()),
            }
        }
        numbers.sort_unstable();
        assert!(numbers.into_iter().eq(0..FILES));
        let mut entries = fs::read_dir(directory.join("a/b/c")).unwrap();
        assert!(entries.next().is_none() && entries.next().is_none());
        assert_eq!(
            fs::remove_dir(&directory).unwrap_err().kind(),
            io::ErrorKind::DirectoryNotEmpty
        );
        fs::remove_dir(directory.join("a/d")).unwrap();
        fs::remove_dir_all(&directory).unwrap();
        assert_eq!(
            fs::read_dir(&directory).unwrap_err().kind(),
            io::ErrorKind::NotFound
        );
    });
}

/// A thread waits for who opens a FIFO's other end, and the others run: one of them does.
pub fn an_open_stops_nobody_else<S: Subject>() {
    run::<S, _>(|| {
        let place = Place::new();
        let fifo = place.fifo("fifo");
        let reads = {
            let fifo = fifo.clone();
            thread::spawn(move || fs::read_to_string(fifo).unwrap())
        };
        until_waiting(reads.thread(), Reason::Blocking);
        // Others of the same OS thread, with waits of their own.
        let (ask, asked) = bounded(0);
        let answers = thread::spawn(move || asked.recv().unwrap() + 1);
        ask.send(1).unwrap();
        assert_eq!(answers.join().unwrap(), 2);
        let mut writes = File::options().write(true).open(&fifo).unwrap();
        // It reads now, and nothing is there.
        thread::yield_now();
        assert!(find(reads.thread().id()).is_some());
        writes.write_all(b"through a FIFO").unwrap();
        drop(writes);
        assert_eq!(reads.join().unwrap(), "through a FIFO");
    });
}

/// The place of the program is noted where a thread waits for a file.
pub fn the_place_is_the_programs<S: Subject>() {
    run::<S, _>(|| {
        let place = Place::new();
        let fifo = place.fifo("fifo");
        let opens = opens(&fifo, &to_read());
        let info = find(opens.thread().id()).unwrap();
        assert!(
            info.waiting
                .unwrap()
                .place
                .file()
                .ends_with("conformance/src/fs.rs")
        );
        File::options().write(true).open(&fifo).unwrap();
        opens.join().unwrap().unwrap();
    });
}

/// A file that is locked by another open file is waited for, and nobody else waits.
pub fn a_lock_is_waited_for<S: Subject>() {
    run::<S, _>(|| {
        let place = Place::new();
        let path = place.at("file");
        let holder = File::create(&path).unwrap();
        holder.lock().unwrap();
        let free = Arc::new(AtomicBool::new(false));
        let waits = [false, true].map(|shared| {
            let (path, free) = (path.clone(), Arc::clone(&free));
            let waits = thread::spawn(move || {
                let file = File::open(path).unwrap();
                assert!(matches!(file.try_lock(), Err(TryLockError::WouldBlock)));
                assert!(matches!(
                    file.try_lock_shared(),
                    Err(TryLockError::WouldBlock)
                ));
                if shared {
                    file.lock_shared().unwrap();
                } else {
                    file.lock().unwrap();
                }
                assert!(free.load(Ordering::Acquire));
                file.unlock().unwrap();
            });
            until_waiting(waits.thread(), Reason::FileLock);
            waits
        });
        free.store(true, Ordering::Release);
        holder.unlock().unwrap();
        join_all(waits);
        let (one, other) = (File::open(&path).unwrap(), File::open(&path).unwrap());
        one.lock_shared().unwrap();
        other.try_lock_shared().unwrap();
        assert!(matches!(holder.try_lock(), Err(TryLockError::WouldBlock)));
    });
}

/// So is one that another process has locked.
pub fn a_lock_of_another_process_is_waited_for<S: Subject>() {
    run::<S, _>(|| {
        let place = Place::new();
        let path = place.at("file");
        let locked = std::fs::File::create(&path).unwrap();
        locked.lock().unwrap();
        // The lock is that of its standard output now, and goes with it.
        let mut holder = Command::new("cat")
            .stdin(Stdio::piped())
            .stdout(locked)
            .spawn()
            .unwrap();
        let file = File::open(&path).unwrap();
        assert!(matches!(file.try_lock(), Err(TryLockError::WouldBlock)));
        let waits = thread::spawn(move || file.lock().unwrap());
        until_waiting(waits.thread(), Reason::FileLock);
        let others = (0..10).map(|number| thread::spawn(move || number));
        assert_eq!(join_all(others.collect::<Vec<_>>()).len(), 10);
        assert!(thread::blocking(|| holder.try_wait().unwrap().is_none()));
        drop(holder.stdin.take());
        waits.join().unwrap();
        assert!(thread::blocking(|| holder.wait().unwrap().success()));
    });
}

/// More threads wait for a lock than the pool has OS threads, and the holder still uses the file.
pub fn many_that_wait_for_a_lock_do_not_keep_its_holder<S: Subject>() {
    // On the kernel model each is an OS thread. On the others they would fill the pool.
    let threads = if S::MODEL == Model::Kernel { 50 } else { 600 };
    run::<S, _>(move || {
        let place = Place::new();
        let path = place.at("file");
        let holder = File::create(&path).unwrap();
        holder.lock().unwrap();
        let file = Arc::new(File::open(&path).unwrap());
        let waits: Vec<_> = (0..threads)
            .map(|_| {
                let file = Arc::clone(&file);
                thread::spawn(move || file.lock().unwrap())
            })
            .collect();
        waits
            .iter()
            .for_each(|waits| until_waiting(waits.thread(), Reason::FileLock));
        (&holder).write_all(b"still there").unwrap();
        holder.unlock().unwrap();
        join_all(waits);
    });
}

/// A thread that was asked to end begins no call that reads or writes; one that tidies up it does.
pub fn a_cancelled_thread_begins_no_call<S: Subject>() {
    run::<S, _>(|| {
        let place = Place::new();
        let path = place.at("file");
        fs::write(&path, "text").unwrap();
        let file = Arc::new(File::options().read(true).write(true).open(&path).unwrap());
        let calls: [fn(&File, &Path); 14] = [
            |_, path| drop(File::open(path)),
            |_, path| drop(File::create(path)),
            |_, path| drop(File::create_new(path)),
            |_, path| drop(fs::read(path)),
            |_, path| drop(fs::read_to_string(path)),
            |_, path| drop(fs::write(path, "other")),
            |_, path| drop(fs::copy(path, path.with_extension("copy"))),
            |mut file, _| drop(file.read(&mut [0; 8])),
            |mut file, _| drop(file.read_to_end(&mut Vec::new())),
            |mut file, _| drop(file.write_all(b"other")),
            |mut file, _| drop(write!(file, "other")),
            |file, _| drop(file.read_at(&mut [0; 8], 0)),
            |file, _| drop(file.write_at(b"other", 0)),
            |file, _| drop(file.sync_all()),
        ];
        for call in calls {
            let (path, file) = (path.clone(), Arc::clone(&file));
            let ends = thread::spawn(move || {
                thread::current().cancel();
                call(&file, &path);
            });
            assert!(ends.join().unwrap_err().is::<Cancelled>());
        }
        assert_eq!(fs::read(&path).unwrap(), b"text");
        assert!(!fs::exists(path.with_extension("copy")).unwrap());
        assert_eq!((&*file).stream_position().unwrap(), 0);
        let tidies = thread::spawn(move || {
            thread::current().cancel();
            fs::rename(&path, path.with_extension("new")).unwrap();
            fs::remove_file(path.with_extension("new")).unwrap();
            file.unlock().unwrap();
            thread::park();
        });
        assert!(tidies.join().unwrap_err().is::<Cancelled>());
        assert_eq!(fs::read_dir(&place.0).unwrap().count(), 0);
    });
}

/// A call that has begun comes to its end, and its thread gets the value.
pub fn a_call_that_has_begun_comes_to_its_end<S: Subject>() {
    run::<S, _>(|| {
        let place = Place::new();
        let fifo = place.fifo("fifo");
        let got = Arc::new(AtomicBool::new(false));
        let (mark, path) = (Arc::clone(&got), fifo.clone());
        let reads = thread::spawn(move || {
            let mut file = File::open(path).unwrap();
            mark.store(true, Ordering::Release);
            let _ = file.read(&mut [0; 8]);
        });
        until_waiting(reads.thread(), Reason::Blocking);
        reads.cancel();
        for _ in 0..50 {
            thread::yield_now();
        }
        assert!(!got.load(Ordering::Acquire));
        let writes = File::options().write(true).open(&fifo).unwrap();
        assert!(reads.join().unwrap_err().is::<Cancelled>());
        assert!(got.load(Ordering::Acquire));
        // Else the next one would not wait.
        drop(writes);

        // And a timeout that is over is told afterwards, at the next point.
        let path = fifo.clone();
        let late = thread::spawn(move || {
            timeout(Duration::from_millis(1), || {
                let file = File::open(path).unwrap();
                let _ = (&file).read(&mut [0; 8]);
            })
        });
        until_waiting(late.thread(), Reason::Blocking);
        std::thread::sleep(Duration::from_millis(2));
        let _writes = File::options().write(true).open(&fifo).unwrap();
        assert_eq!(late.join().unwrap(), Err(Elapsed));
    });
}

/// Inside `no_suspend` a call is refused, on every model, and does nothing.
pub fn a_call_is_refused_in_no_suspend<S: Subject>() {
    run::<S, _>(|| {
        let place = Place::new();
        let path = place.at("file");
        let said = refusal(|| thread::no_suspend(|| fs::write(&path, "text")));
        assert!(said.contains("conformance/src/fs.rs"), "{said}");
        assert!(!fs::exists(&path).unwrap());
    });
}

/// A plain `std::thread` and ours use one file at the same time: each line is whole.
pub fn plain_threads_share_a_file<S: Subject>() {
    const LINES: usize = 50;
    run::<S, _>(|| {
        let place = Place::new();
        let file = Arc::new(
            File::options()
                .append(true)
                .create(true)
                .open(place.at("log"))
                .unwrap(),
        );
        let writer = |name: &'static str, file: Arc<File>| {
            move || {
                for number in 0..LINES {
                    (&*file)
                        .write_fmt(format_args!("{name} {number}\n"))
                        .unwrap();
                }
            }
        };
        let plain = std::thread::spawn(writer("plain", Arc::clone(&file)));
        let ours = thread::spawn(writer("ours", Arc::clone(&file)));
        ours.join().unwrap();
        until(|| plain.is_finished());
        plain.join().unwrap();
        let text = fs::read_to_string(place.at("log")).unwrap();
        for name in ["plain", "ours"] {
            let lines: Vec<_> = text.lines().filter(|line| line.starts_with(name)).collect();
            let wanted = (0..LINES).map(|number| format!("{name} {number}"));
            assert!(lines.into_iter().eq(wanted), "{text}");
        }
    });
}

/// No descriptor is left behind by files, directories, clones and errors.
pub fn no_descriptor_is_left<S: Subject>() {
    let open = || std::fs::read_dir("/proc/self/fd").unwrap().count();
    end_of(|| {
        run::<S, _>(|| ()); // what a runtime keeps
        let before = open();
        run::<S, _>(|| {
            let place = Place::new();
            for _ in 0..50 {
                let file = File::create(place.at("file")).unwrap();
                let _clone = file.try_clone().unwrap();
                assert!(File::create_new(place.at("file")).is_err());
                let _entry = fs::read_dir(&place.0).unwrap().next().unwrap().unwrap();
                let _half = fs::read_dir("/proc").unwrap();
            }
        });
        // An OS thread of the pool that has just woken a thread of the run holds on to what that was done with
        // for a moment.
        until(|| open() == before);
    })
    .assert_came_through();
}
