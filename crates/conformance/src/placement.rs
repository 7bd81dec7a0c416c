//! Priority and affinity: what the operating system's scheduler is told of a kernel thread, and is
//! refused of others. The kernel says what it was told, in `/proc`.

use std::fs;
use std::io;
use std::sync::mpsc;

use trefoil_runtime::thread::{self, Builder};
use trefoil_runtime::{Model, Reason};

use crate::Subject;
use crate::subject::run;
use crate::witness::{Witness, join_all, until, until_waiting};

/// The nice value of the calling OS thread, and its CPUs, as the kernel has them.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Placed {
    nice: i32,
    cpus: String,
}

impl Placed {
    fn here() -> Placed {
        let stat = fs::read_to_string("/proc/thread-self/stat").unwrap();
        // The name, which may hold anything, ends with the last parenthesis; field 3 follows.
        let fields = stat.rsplit_once(')').unwrap().1;
        let status = fs::read_to_string("/proc/thread-self/status").unwrap();
        let mut lines = status.lines();
        let cpus = lines.find_map(|line| line.strip_prefix("Cpus_allowed_list:"));
        Placed {
            nice: fields.split_whitespace().nth(16).unwrap().parse().unwrap(),
            cpus: cpus.unwrap().trim().to_owned(),
        }
    }

    /// The first of the CPUs.
    fn first(&self) -> usize {
        self.cpus.split(['-', ',']).next().unwrap().parse().unwrap()
    }
}

/// A builder of a kernel thread that is less urgent than its process, and has one CPU.
fn modest(usual: &Placed) -> (Builder, Placed) {
    let placed = Placed {
        nice: (usual.nice + 3).min(19),
        cpus: usual.first().to_string(),
    };
    let builder = Builder::new().model(Model::Kernel);
    (
        builder.priority(placed.nice).affinity([usual.first()]),
        placed,
    )
}

/// Whether the subject's threads are kernel threads. If not, both are refused with a sentence.
fn has_kernel_threads<S: Subject>() -> bool {
    let kernel = S::MODEL == Model::Kernel;
    if !kernel {
        run::<S, _>(|| {
            for builder in [Builder::new().priority(5), Builder::new().affinity([0])] {
                let witness = Witness::new();
                let token = witness.token();
                let refused = builder.spawn(move || drop(token)).unwrap_err();
                assert_eq!(refused.kind(), io::ErrorKind::Unsupported);
                assert!(
                    refused.to_string().contains(".model(Model::Kernel)"),
                    "{refused}"
                );
                assert_eq!(witness.dropped(), 1);
            }
            // A scope hears nothing of it.
            thread::scope(|scope| {
                Builder::new()
                    .priority(5)
                    .spawn_scoped(scope, || ())
                    .unwrap_err();
            });
        });
    }
    kernel
}

/// A kernel thread gets both, from its first instruction on. A scoped one too.
pub fn a_kernel_thread_gets_both<S: Subject>() {
    if !has_kernel_threads::<S>() {
        return;
    }
    run::<S, _>(get_both);
}

pub(crate) fn get_both() {
    let usual = Placed::here();
    let (builder, placed) = modest(&usual);
    assert_eq!(builder.spawn(Placed::here).unwrap().join().unwrap(), placed);
    let one = Builder::new().model(Model::Kernel).priority(placed.nice);
    let seen = one.spawn(Placed::here).unwrap().join().unwrap();
    assert_eq!((seen.nice, &seen.cpus), (placed.nice, &usual.cpus));
    thread::scope(|scope| {
        let other = Builder::new()
            .model(Model::Kernel)
            .affinity([usual.first()]);
        let seen = other.spawn_scoped(scope, Placed::here).unwrap();
        let seen = seen.join().unwrap();
        assert_eq!((seen.nice, &seen.cpus), (usual.nice, &placed.cpus));
    });
    assert_eq!(Placed::here(), usual);
}

/// Nobody inherits it who was not spawned by it: kernel threads that serve one thread after the
/// other are as usual.
pub fn the_next_thread_is_as_usual<S: Subject>() {
    if !has_kernel_threads::<S>() {
        return;
    }
    run::<S, _>(|| {
        let usual = Placed::here();
        for _ in 0..5 {
            let (builder, placed) = modest(&usual);
            // Its children need kernel threads of their own, at the same time.
            let parent = builder.spawn(|| {
                let children = [(); 6].map(|()| thread::spawn(Placed::here));
                join_all(children)
            });
            for child in parent.unwrap().join().unwrap() {
                assert_eq!(child, placed);
            }
            let next = [(); 12].map(|()| thread::spawn(Placed::here));
            for seen in join_all(next) {
                assert_eq!(seen, usual);
            }
        }
    });
}

/// What its children spawn is placed like it, too, also with a stack size of its own.
pub fn children_are_placed_like_their_parent<S: Subject>() {
    if !has_kernel_threads::<S>() {
        return;
    }
    run::<S, _>(|| {
        let (builder, placed) = modest(&Placed::here());
        let seen = builder.spawn(|| {
            let child = Builder::new().stack_size(1 << 20).spawn(|| {
                let grandchild = thread::spawn(Placed::here);
                [Placed::here(), grandchild.join().unwrap()]
            });
            child.unwrap().join().unwrap()
        });
        assert_eq!(seen.unwrap().join().unwrap(), [placed.clone(), placed]);
    });
}

/// Nonsense is refused, by a sentence that names it, and the closure is dropped.
pub fn nonsense_is_refused<S: Subject>() {
    run::<S, _>(|| {
        let kernel = || Builder::new().model(Model::Kernel);
        for (builder, name) in [
            (kernel().priority(20), "20"),
            (kernel().priority(-21), "-21"),
            (kernel().affinity([]), "empty"),
            (kernel().affinity([usize::MAX]), "18446744073709551615"),
        ] {
            let witness = Witness::new();
            let token = witness.token();
            let refused = builder.spawn(move || drop(token)).unwrap_err();
            assert_eq!(refused.kind(), io::ErrorKind::InvalidInput, "{refused}");
            assert!(refused.to_string().contains(name), "{refused}");
            assert_eq!(witness.dropped(), 1);
        }
    });
}

/// A CPU that there is not is refused by the operating system, alone or beside one that there is; the
/// closure is dropped, and nobody hears of the thread.
pub fn a_missing_cpu_is_refused<S: Subject>() {
    const NONE: usize = 8191;
    if !has_kernel_threads::<S>() {
        return;
    }
    run::<S, _>(|| {
        let mine = Placed::here().first();
        for cpus in [vec![NONE], vec![mine, NONE]] {
            let witness = Witness::new();
            let token = witness.token();
            let builder = Builder::new().affinity(cpus);
            let (ran, runs) = mpsc::channel();
            let refused = builder.spawn(move || {
                let _token = token;
                ran.send(()).unwrap();
            });
            let refused = refused.unwrap_err();
            assert!(runs.recv().is_err(), "it has run all the same");
            assert_eq!(refused.kind(), io::ErrorKind::InvalidInput, "{refused}");
            assert!(refused.to_string().contains("8191"), "{refused}");
            assert_eq!(witness.dropped(), 1);
        }
        // It was no thread of a scope either.
        thread::scope(|scope| {
            let builder = Builder::new().affinity([NONE]);
            builder.spawn_scoped(scope, || ()).unwrap_err();
        });
    });
}

/// A priority above the process's own is given, or refused with what to do.
pub fn a_higher_priority_takes_a_privilege<S: Subject>() {
    if !has_kernel_threads::<S>() {
        return;
    }
    run::<S, _>(|| {
        let usual = Placed::here();
        let nice = (usual.nice - 1).max(-20);
        match Builder::new().priority(nice).spawn(Placed::here) {
            Ok(thread) => assert_eq!(thread.join().unwrap(), Placed { nice, ..usual }),
            Err(refused) => {
                assert_eq!(refused.kind(), io::ErrorKind::PermissionDenied);
                assert!(refused.to_string().contains("ulimit -e"), "{refused}");
            }
        }
    });
}

/// It is a thread like the others: it waits, is woken, and is ended with its run.
pub fn it_waits_like_others<S: Subject>() {
    if !has_kernel_threads::<S>() {
        return;
    }
    let witness = Witness::new();
    let token = witness.token();
    run::<S, _>(|| {
        let (builder, _) = modest(&Placed::here());
        let woken = builder.name("modest".to_owned()).spawn(|| {
            thread::park();
            thread::current().name().map(str::to_owned)
        });
        let woken = woken.unwrap();
        until_waiting(woken.thread(), Reason::Park);
        woken.thread().unpark();
        until(|| woken.is_finished());
        assert_eq!(woken.join().unwrap().as_deref(), Some("modest"));
        let (builder, _) = modest(&Placed::here());
        let parked = builder.spawn(move || {
            let _token = token;
            thread::park();
        });
        until_waiting(parked.unwrap().thread(), Reason::Park);
    });
    assert_eq!(witness.dropped(), 1);
}
