//! What many threads cost, what is left of them, and what happens when there is room for no more.
//!
//! Each promise is about what a whole process has, and so runs in one of its own. Two models differ
//! from the third: a fiber takes a slot in a mapping of many, a kernel thread takes four mappings, so
//! of those there are fewer here. What takes unsafe code is a test of the facade, `tests/memory.rs`.

use std::fs;
use std::hint::black_box;
use std::io;
use std::os::unix::process::CommandExt as _;
use std::process::{Command, Output};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use nix::sys::mman::{MlockAllFlags, mlockall};
use trefoil_runtime::Model;
use trefoil_runtime::thread::{self, Builder, JoinHandle};
use trefoil_sync::channel::{Receiver, Sender, bounded};

use crate::Subject;
use crate::child::Child;
use crate::subject::run;
use crate::witness::{join_all, until};

const KIB: usize = 1024;
const MIB: usize = 1024 * KIB;

// ----- what the kernel says of the process

/// The number in this line of `/proc/self/status`, which is in KiB, in bytes.
fn status(line: &str) -> usize {
    let text = fs::read_to_string("/proc/self/status").unwrap();
    let rest = text.split_once(line).expect("the line is there").1;
    let number = rest.split_whitespace().next().expect("a number follows");
    number.parse::<usize>().unwrap() * KIB
}

/// What is in memory.
fn resident() -> usize {
    status("VmRSS:")
}

/// How many mappings there are.
fn mappings() -> usize {
    fs::read_to_string("/proc/self/maps")
        .unwrap()
        .lines()
        .count()
}

/// How many mappings there may be.
fn max_map_count() -> usize {
    let text = fs::read_to_string("/proc/sys/vm/max_map_count").unwrap();
    text.trim().parse().unwrap()
}

// ----- threads that are there at the same time

/// Threads that have begun and wait, until they are told to go on.
struct Crowd {
    threads: Vec<JoinHandle<usize>>,
    begun: Arc<AtomicUsize>,
    go: Sender<()>,
    gate: Receiver<()>,
}

impl Crowd {
    fn new() -> Crowd {
        let (go, gate) = bounded(0);
        Crowd {
            threads: Vec::new(),
            begun: Arc::default(),
            go,
            gate,
        }
    }

    /// So many that use `depth` bytes of stack.
    fn of(many: usize, depth: usize, builder: impl Fn() -> Builder) -> Crowd {
        let mut crowd = Crowd::new();
        while crowd.threads.len() < many {
            crowd.add(builder(), depth).unwrap();
        }
        crowd.wait_for_all();
        crowd
    }

    /// As many as are allowed, and the refusal of one more; `most` at most.
    fn of_as_many(most: usize, builder: impl Fn() -> Builder) -> (Crowd, Option<io::Error>) {
        let mut crowd = Crowd::new();
        let mut refused = None;
        while crowd.threads.len() < most && refused.is_none() {
            refused = crowd.add(builder(), 0).err();
        }
        crowd.wait_for_all();
        (crowd, refused)
    }

    fn add(&mut self, builder: Builder, depth: usize) -> io::Result<()> {
        let number = self.threads.len();
        let (begun, gate) = (Arc::clone(&self.begun), self.gate.clone());
        let thread = builder.spawn(move || {
            use_stack(depth);
            begun.fetch_add(1, Ordering::Relaxed);
            // Nobody sends: it is released when the other end goes.
            gate.recv().unwrap_err();
            number
        });
        self.threads.push(thread?);
        Ok(())
    }

    fn wait_for_all(&self) {
        until(|| self.begun.load(Ordering::Relaxed) == self.threads.len());
    }

    fn len(&self) -> usize {
        self.threads.len()
    }

    /// All of them go on and end, and each answers for itself.
    fn release(self) {
        let Crowd { threads, go, .. } = self;
        drop(go);
        let many = threads.len();
        assert!(join_all(threads).into_iter().eq(0..many));
    }
}

/// Writes to so many bytes of stack, in whole KiB.
#[inline(never)]
fn use_stack(depth: usize) {
    if depth == 0 {
        return;
    }
    let frame = black_box([1_u8; KIB]);
    use_stack(depth.saturating_sub(KIB));
    // After the call, so that it is no tail call.
    black_box(&frame);
}

fn usual() -> Builder {
    Builder::new()
}

fn small() -> Builder {
    Builder::new().stack_size(64 * KIB)
}

/// The process is alive: it gets memory, and threads.
fn go_on() {
    let memory = black_box(vec![1_u8; 64 * MIB]);
    assert_eq!(
        memory.iter().map(|&byte| usize::from(byte)).sum::<usize>(),
        64 * MIB
    );
    let threads: Vec<_> = (0..100).map(|n| thread::spawn(move || n)).collect();
    assert_eq!(join_all(threads).into_iter().sum::<usize>(), 99 * 100 / 2);
}

// ----- what they cost

/// A hundred thousand fibers with the smallest stack are some hundred mappings, and each costs a page
/// and little more: at most 4.7 KiB in release builds. A kernel thread takes four mappings, and some
/// pages.
pub fn a_parked_thread_costs_little<S: Subject>() {
    let (many, most_bytes, most_mappings) = match S::MODEL {
        Model::Kernel => (2000, 24 * KIB, 4 * 2000 + 500),
        // Without the optimizer its frames take more than one page.
        _ if cfg!(debug_assertions) => (100_000, 9 * KIB, 999),
        // The page of its stack; some 300 bytes of control block; its handle and its place in queues.
        _ => (100_000, 47 * KIB / 10, 999),
    };
    let ended = Child::new().end_of(move || {
        run::<S, _>(move || {
            go_on();
            let before = resident();
            let crowd = Crowd::of(many, 0, small);
            let each = (resident() - before) / many;
            let mappings = mappings();
            assert!(each <= most_bytes, "{each} bytes each");
            assert!(mappings <= most_mappings, "{mappings} mappings");
            crowd.release();
        });
    });
    ended.assert_came_through();
}

/// More workers are very many: each keeps something for itself.
const MOST_WORKERS: usize = 4;

/// After two hundred thousand short threads, and after many that used much of their stacks at the same
/// time, the process is hardly larger than before; and another time leaves nothing more. Not known of very many
/// workers, of which sixteen were seen to keep 128 MiB and more.
pub fn a_burst_leaves_no_memory_behind<S: Subject>() {
    /// What may be left is what is kept hot, 1024 stacks and the workers' caches with some pages
    /// each, or idle kernel threads: some 40 MiB. The queues keep their room, 8 bytes for each thread that
    /// waited there, and twice that where others may look into what they have outgrown: 6 MiB. And the control
    /// blocks were 64 MiB, of which the allocator gives back what it likes.
    const LEFT: usize = 112 * MIB;
    /// Between two times: what chance makes of it.
    const MORE: usize = 24 * MIB;
    if S::workers() > MOST_WORKERS {
        return;
    }
    let ended = Child::new().end_of(|| {
        run::<S, _>(|| {
            go_on();
            let first = after_a_burst::<S>(resident() + LEFT).expect("memory is given back");
            // What leaks adds up. What chance makes of it does not.
            let next: Vec<_> = (0..3)
                .map(|_| after_a_burst::<S>(first + MORE))
                .take_while(Result::is_err)
                .collect();
            assert!(next.len() < 3, "bytes in memory: {first}, then {next:?}");
        });
    });
    ended.assert_came_through();
}

/// Has a burst of threads, and waits until no more than `most` bytes are in memory. Gives how many are:
/// an error, if they are more after many seconds.
fn after_a_burst<S: Subject>(most: usize) -> Result<usize, usize> {
    let (at_once, crowd) = match S::MODEL {
        // Each is a kernel thread.
        Model::Kernel => (1000, 1000),
        Model::Green | Model::Hybrid => (200_000, 20_000),
    };
    for _ in 0..200_000 / at_once {
        let threads: Vec<_> = (0..at_once).map(|n| thread::spawn(move || n)).collect();
        assert!(join_all(threads).into_iter().eq(0..at_once));
    }
    let crowd = Crowd::of(crowd, 24 * KIB, usual);
    assert!(resident() > crowd.len() * 24 * KIB, "they have used it");
    crowd.release();
    for _ in 0..400 {
        let now = resident();
        if now <= most {
            return Ok(now);
        }
        // While nobody runs, what nobody needs is given back.
        thread::sleep(Duration::from_millis(50));
    }
    Err(resident())
}

/// Programs are started and answer while many threads are there, by `posix_spawn` and by `fork`.
pub fn programs_run_beside_many_stacks<S: Subject>() {
    let many = match S::MODEL {
        Model::Kernel => 2000,
        Model::Green | Model::Hybrid => 20_000,
    };
    let ended = Child::new().end_of(move || {
        run::<S, _>(move || {
            let crowd = Crowd::of(many, 4 * KIB, usual);
            run_programs();
            thread::spawn(run_programs).join().unwrap();
            thread::blocking(run_programs);
            crowd.release();
            run_programs();
        });
    });
    ended.assert_came_through();
}

fn run_programs() {
    for forks in [false, true] {
        let command = |program| {
            let mut command = Command::new(program);
            if forks {
                // With a group of its own to set, `std` forks, and does not call `posix_spawn`.
                command.gid(nix::unistd::getgid().as_raw());
            }
            command
        };
        assert!(command("true").status().unwrap().success());
        assert_eq!(command("false").status().unwrap().code(), Some(1));
        let Output { status, stdout, .. } = command("echo").arg("all is well").output().unwrap();
        assert!(status.success());
        assert_eq!(stdout, b"all is well\n");
    }
}

// ----- no more room

/// Where guard pages cost mappings, the thread that would take too many is refused, and whoever
/// spawns it is told what to do. All others run. The same holds for kernel threads, of which each
/// takes four.
pub fn a_thread_too_many_is_refused<S: Subject>() {
    const WANTED: usize = 40_000;
    let most = match S::MODEL {
        Model::Kernel => max_map_count() / 16 * 15 / 4,
        Model::Green | Model::Hybrid => (max_map_count() - max_map_count() / 8) / 2,
    };
    let ended = Child::new().with_protected_guards().end_of(move || {
        run::<S, _>(move || {
            let (crowd, refused) = Crowd::of_as_many(WANTED, small);
            let Some(refused) = refused else {
                // This machine allows more.
                assert!(most > WANTED, "{most}");
                return crowd.release();
            };
            assert_eq!(refused.kind(), io::ErrorKind::OutOfMemory);
            let text = refused.to_string();
            assert!(text.contains("sysctl -w vm.max_map_count="), "{text}");
            // Some slots lie in the caches of workers, some 64 each, and some are those of the first thread.
            let cached = if S::workers() > MOST_WORKERS {
                2000
            } else {
                1000
            };
            assert!(
                (most - cached..=most).contains(&crowd.len()),
                "{}",
                crowd.len()
            );
            let told = [most - 1, most].map(|count| text.contains(&count.to_string()));
            assert!(told.contains(&true), "the count that was reached: {text}");
            assert!(
                mappings() > 2 * crowd.len(),
                "each is there, with its guard page"
            );
            assert!(
                black_box(vec![1_u8; 64 * MIB])
                    .iter()
                    .all(|&byte| byte == 1)
            );
            crowd.release();
            go_on();
            let again = Crowd::of(most / 2, 0, small);
            again.release();
        });
    });
    ended.assert_came_through();
}

/// In a process that has little address space, the thread for whose stack there is none is refused,
/// and whoever spawns it is told what to do. All others run, and the rest of the process has its 16 MiB.
pub fn a_thread_without_address_space_is_refused<S: Subject>() {
    // `malloc` reserves a gigabyte for sixteen workers, and they keep some stacks each.
    let all = if S::workers() > MOST_WORKERS {
        4096
    } else {
        2048
    };
    let ended = Child::new().with_address_space(all).end_of(|| {
        run::<S, _>(move || {
            let (crowd, refused) = Crowd::of_as_many(1_000_000, usual);
            let refused = refused.expect("they have at least 256 KiB each");
            assert_eq!(refused.kind(), io::ErrorKind::OutOfMemory, "{refused}");
            assert!(refused.to_string().contains("ulimit -v"), "{refused}");
            assert!(crowd.len() > 100, "{}", crowd.len());
            // They have allocated since their stacks were counted.
            let left = all * MIB - status("VmSize:");
            assert!(left > 12 * MIB, "{} KiB are left", left / KIB);
            assert!(black_box(vec![1_u8; 8 * MIB]).iter().all(|&byte| byte == 1));
            crowd.release();
            let again = Crowd::of(100, 4 * KIB, usual);
            again.release();
        });
    });
    ended.assert_came_through();
}

/// A process that locks its memory gets its threads, also if it begins to lock when there are some
/// already. One that may not lock so much is told so.
pub fn locked_memory_is_no_obstacle<S: Subject>() {
    let ended = Child::new().end_of(|| {
        run::<S, _>(|| {
            let crowd = Crowd::of(100, 4 * KIB, small);
            let lock = MlockAllFlags::MCL_FUTURE;
            mlockall(lock).expect("what comes later may always be locked");
            let (locked, refused) = Crowd::of_as_many(2000, small);
            match refused {
                None => assert!(status("VmLck:") >= locked.len() * 64 * KIB),
                Some(refused) => {
                    assert_eq!(refused.kind(), io::ErrorKind::OutOfMemory, "{refused}");
                    assert!(refused.to_string().contains("ulimit -l"), "{refused}");
                }
            }
            locked.release();
            crowd.release();
        });
    });
    ended.assert_came_through();
}
