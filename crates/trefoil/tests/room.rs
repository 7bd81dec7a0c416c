//! Room for OS threads, where it takes unsafe code to have little of it. Whole programs, each in a
//! process of its own. What all models promise alike is the conformance suite's topic `memory`.

mod support;

use std::env;
use std::fs::{self, File};
use std::hint::black_box;
use std::io;
use std::process::{self, Command};
use std::sync::{Arc, Barrier};

use libc::c_uint;
use support::{INSIDE, end_of, models, program, said};
use trefoil::{Builder, Error, Model, Runtime, thread};

const KIB: usize = 1024;
const MIB: usize = 1024 * KIB;

/// In the environment of a program: what it is to try.
const CASE: &str = "TREFOIL_TEST_CASE";

/// In which only stacks take much address space.
const ONE_ARENA: &str = "one arena";

/// The number in this line of `/proc/self/status`, which is in KiB, in bytes.
fn status(line: &str) -> usize {
    let text = fs::read_to_string("/proc/self/status").unwrap();
    let rest = text.split_once(line).expect("the line is there").1;
    let number = rest.split_whitespace().next().expect("a number follows");
    number.parse::<usize>().unwrap() * KIB
}

/// The process may have so much of this resource from now on.
fn limit(resource: c_uint, to: usize) {
    let mut limit = libc::rlimit {
        rlim_cur: 0,
        rlim_max: 0,
    };
    // SAFETY: it writes one live value.
    assert_eq!(unsafe { libc::getrlimit(resource, &raw mut limit) }, 0);
    limit.rlim_cur = limit.rlim_max.min(to as libc::rlim_t);
    // SAFETY: it reads one live value.
    assert_eq!(unsafe { libc::setrlimit(resource, &raw const limit) }, 0);
}

/// The process may have so much more address space than it has. Gives the limit.
fn limit_address_space(more: usize) -> usize {
    let to = status("VmSize:") + more;
    limit(libc::RLIMIT_AS, to);
    to
}

fn kernel() -> Runtime {
    Builder::new().model(Model::Kernel).build().unwrap()
}

/// So many threads of this size that wait; fewer, and the refusal, if they are refused.
fn parked(
    many: usize,
    stack_size: Option<usize>,
) -> (Vec<thread::JoinHandle<()>>, Option<io::Error>) {
    let mut threads = Vec::new();
    while threads.len() < many {
        let builder = match stack_size {
            Some(size) => thread::Builder::new().stack_size(size),
            None => thread::Builder::new(),
        };
        let spawned = builder.spawn(|| {
            let mine = black_box(vec![1_u8; 1000]);
            thread::park();
            drop(mine);
        });
        match spawned {
            Ok(thread) => threads.push(thread),
            Err(refused) => return (threads, Some(refused)),
        }
    }
    (threads, None)
}

fn release(threads: Vec<thread::JoinHandle<()>>) {
    threads.iter().for_each(|it| it.thread().unpark());
    threads.into_iter().for_each(|it| it.join().unwrap());
}

/// It is we who refuse, for want of address space.
#[track_caller]
fn assert_no_space(refused: &io::Error) {
    assert_eq!(refused.kind(), io::ErrorKind::OutOfMemory, "{refused}");
    let text = refused.to_string();
    assert!(text.contains("16 MiB to the rest"), "{text}");
    assert!(text.contains("raise `ulimit -v`"), "{text}");
}

/// What the rest of the process has: 16 MiB, less what has come after the last claim.
#[track_caller]
fn assert_the_rest_has_its_share(limit: usize) {
    let left = limit - status("VmSize:");
    assert!(left >= 15 * MIB, "{} KiB are left", left / KIB);
}

/// Runs `body` in a process of its own for each of these cases.
#[track_caller]
fn on_cases(test: &str, model: Model, cases: &[&str], body: fn(&str)) {
    if let Ok(case) = env::var(CASE) {
        body(&case);
        println!("\n> came through");
        process::exit(0);
    }
    if !models().contains(&model) {
        return;
    }
    for case in cases {
        let ended = end_of(prepared(&mut program(test, model), case));
        assert_eq!(said(&ended), ["came through"], "{case}: {ended:?}");
    }
}

/// What a panic prints is not to need more memory than there is.
fn prepared<'a>(program: &'a mut Command, case: &str) -> &'a mut Command {
    assert!(env::var_os(INSIDE).is_none(), "it is the outer process");
    program.env_remove("RUST_MIN_STACK");
    if case == ONE_ARENA {
        program.env("MALLOC_ARENA_MAX", "1");
    }
    program.env("RUST_BACKTRACE", "0").env(CASE, case)
}

/// However many spawn at the same time, and however `malloc` reserves address space for their threads,
/// 16 MiB are left to the rest of the process.
#[test]
fn the_rest_has_its_share_of_the_address_space() {
    let cases = [
        "20", "40", "70", "85", "100", "140", "150", "200", "300", "600",
    ];
    on_cases(
        "the_rest_has_its_share_of_the_address_space",
        Model::Kernel,
        &cases,
        |case| {
            let mebibytes: usize = case.parse().unwrap();
            kernel().run(move || {
                let go = Arc::new(Barrier::new(9));
                let all_spawned = Arc::new(Barrier::new(9));
                let spawners: Vec<_> = (0..8)
                    .map(|_| {
                        let (go, all_spawned) = (Arc::clone(&go), Arc::clone(&all_spawned));
                        thread::spawn(move || {
                            // It has what it allocates in by the first one.
                            go.wait();
                            go.wait();
                            let (threads, refused) = parked(usize::MAX, None);
                            assert_no_space(&refused.unwrap());
                            all_spawned.wait();
                            release(threads);
                        })
                    })
                    .collect();
                go.wait();
                let limit = limit_address_space(mebibytes * MIB);
                go.wait();
                all_spawned.wait();
                assert_the_rest_has_its_share(limit);
                spawners.into_iter().for_each(|it| it.join().unwrap());
            });
        },
    );
}

/// Also when there is no descriptor left to read `/proc`.
#[test]
fn the_address_space_is_known_without_descriptors() {
    on_cases(
        "the_address_space_is_known_without_descriptors",
        Model::Kernel,
        &["20", "60", "100", "150"],
        |case| {
            let mebibytes: usize = case.parse().unwrap();
            kernel().run(move || {
                let space = limit_address_space(mebibytes * MIB);
                limit(libc::RLIMIT_NOFILE, 50);
                let mut files = Vec::new();
                while let Ok(file) = File::open("/dev/null") {
                    files.push(file);
                }
                let (threads, refused) = parked(usize::MAX, None);
                drop(files);
                assert_no_space(&refused.unwrap());
                assert_the_rest_has_its_share(space);
                release(threads);
            });
        },
    );
}

/// The size counts that a thread has asked for, or that `RUST_MIN_STACK` says.
#[test]
fn a_large_stack_takes_much_address_space() {
    let body: fn(&str) = |case| {
        kernel().run({
            let case = case.to_owned();
            move || {
                limit_address_space(100 * MIB);
                let size = (case == "asked for").then_some(90 * MIB);
                let (_, refused) = parked(1, size);
                assert_no_space(&refused.unwrap());
                let (threads, refused) = parked(1, Some(2 * MIB));
                assert!(refused.is_none(), "{refused:?}");
                release(threads);
            }
        });
    };
    let test = "a_large_stack_takes_much_address_space";
    on_cases(test, Model::Kernel, &["asked for"], body);
    if models().contains(&Model::Kernel) {
        let mut program = program(test, Model::Kernel);
        let program = prepared(&mut program, "by the environment");
        // The test harness starts an OS thread too.
        let ended = end_of(program.env("RUST_MIN_STACK", (90 * MIB).to_string()));
        assert_eq!(said(&ended), ["came through"], "{ended:?}");
    }
}

/// Who raises the limit, as the refusal says, gets the thread.
#[test]
fn a_raised_limit_of_the_address_space_is_seen() {
    on_cases(
        "a_raised_limit_of_the_address_space_is_seen",
        Model::Kernel,
        &["once"],
        |_| {
            kernel().run(|| {
                limit_address_space(30 * MIB);
                let (threads, refused) = parked(usize::MAX, None);
                assert_no_space(&refused.unwrap());
                limit_address_space(400 * MIB);
                let (more, refused) = parked(1, Some(100 * MIB));
                assert!(refused.is_none(), "{refused:?}");
                release(more);
                limit(libc::RLIMIT_AS, usize::MAX);
                let (more, refused) = parked(100, None);
                assert!(refused.is_none(), "{refused:?}");
                release(more);
                release(threads);
            });
        },
    );
}

/// Kernel threads that are kept for the next one end, where that makes room for a thread which none
/// of them can run.
#[test]
fn idle_threads_give_up_their_address_space() {
    on_cases(
        "idle_threads_give_up_their_address_space",
        Model::Kernel,
        &[ONE_ARENA],
        |_| {
            kernel().run(|| {
                limit_address_space(200 * MIB);
                let (threads, refused) = parked(usize::MAX, None);
                assert_no_space(&refused.unwrap());
                let idle = threads.len();
                assert!(idle > 40, "{idle}");
                release(threads);
                // More than there is, and than the C library keeps of them.
                let (threads, refused) = parked(1, Some(70 * MIB));
                assert!(refused.is_none(), "{idle} are idle: {refused:?}");
                release(threads);
            });
        },
    );
}

/// The stacks that the C library keeps are not counted twice: who could have a thread can have it
/// again when that has ended.
#[test]
fn a_thread_gets_the_address_space_of_one_that_ended() {
    on_cases(
        "a_thread_gets_the_address_space_of_one_that_ended",
        Model::Kernel,
        &["50", "60"],
        |case| {
            let mebibytes: usize = case.parse().unwrap();
            kernel().run(move || {
                let limit = limit_address_space(mebibytes * MIB);
                let (threads, refused) = parked(usize::MAX, Some(4 * MIB));
                assert_no_space(&refused.unwrap());
                let many = threads.len();
                assert!(many > 5, "{many}");
                release(threads);
                for _ in 0..10 {
                    // One may miss by some pages.
                    let (threads, refused) = parked(many - 1, Some(4 * MIB));
                    assert!(
                        refused.is_none(),
                        "{} of {many}: {refused:?}",
                        threads.len()
                    );
                    assert_the_rest_has_its_share(limit);
                    release(threads);
                }
            });
        },
    );
}

/// A limit that only the operating system knows: its refusal is an error that names what it may be.
#[test]
fn what_the_operating_system_refuses_is_explained() {
    on_cases(
        "what_the_operating_system_refuses_is_explained",
        Model::Kernel,
        &["once"],
        |_| {
            kernel().run(|| {
                limit(libc::RLIMIT_DATA, status("VmData:") + 20 * MIB);
                let (_, refused) = parked(1, Some(100 * MIB));
                let refused = refused.unwrap();
                assert_eq!(refused.kind(), io::ErrorKind::OutOfMemory, "{refused}");
                let limits = [
                    "operating system refuses",
                    "ulimit -u",
                    "pids.max",
                    "kernel.threads-max",
                    "ulimit -v",
                    "vm.max_map_count",
                ];
                for limit in limits {
                    assert!(refused.to_string().contains(limit), "{limit}: {refused}");
                }
                let (threads, refused) = parked(1, None);
                assert!(refused.is_none(), "{refused:?}");
                release(threads);
            });
        },
    );
}

/// The workers of a hybrid runtime need room like all threads of the operating system.
#[test]
fn workers_leave_address_space_to_the_rest() {
    on_cases(
        "workers_leave_address_space_to_the_rest",
        Model::Hybrid,
        &["18", "25", "40", "60", "63", "75", "100", "200"],
        |case| {
            let mebibytes: usize = case.parse().unwrap();
            let hybrid = |many| Builder::new().model(Model::Hybrid).workers(many).build();
            let space = limit_address_space(mebibytes * MIB);
            let Err(Error::Io(refused)) = hybrid(200) else {
                panic!("there is no room for so many");
            };
            assert_no_space(&refused);
            assert!(
                refused.to_string().contains("of 200 workers run"),
                "{refused}"
            );
            assert_the_rest_has_its_share(space);
            limit(libc::RLIMIT_AS, usize::MAX);
            assert_eq!(hybrid(20).unwrap().run(|| 7), 7);
        },
    );
}
