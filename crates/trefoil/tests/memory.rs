//! Memory that is refused, and `fork`, where it takes unsafe code to try. Whole programs, each in a
//! process of its own. The rest is the conformance suite's topic `memory`.

mod support;

use std::env;
use std::hint::black_box;
use std::panic::{self, AssertUnwindSafe};
use std::process;
use std::ptr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use libc::c_void;
use support::{INSIDE, end_of, models, on_all_models, program, said};
use trefoil::channel::bounded;
use trefoil::{Builder, Model, thread};

const PAGE: usize = 4096;

/// All the memory mappings that the process may still have.
struct Mappings {
    low: *mut c_void,
    bytes: usize,
}

impl Mappings {
    fn take_all() -> Mappings {
        let bytes = 200_000 * PAGE;
        let (private, none) = (libc::MAP_PRIVATE | libc::MAP_ANONYMOUS, libc::PROT_NONE);
        // SAFETY: a new mapping at an address of the kernel's choice touches nothing that exists.
        let low = unsafe { libc::mmap(ptr::null_mut(), bytes, none, private, -1, 0) };
        assert_ne!(low, libc::MAP_FAILED);
        let taken = Mappings { low, bytes };
        // Each page that differs from its neighbours is a mapping.
        let mut pages = (1..bytes / PAGE).step_by(2);
        let refused = pages.any(|page| {
            // SAFETY: the page lies in the mapping, of which nobody uses anything.
            unsafe {
                let page = low.byte_add(page * PAGE);
                libc::mprotect(page, PAGE, libc::PROT_READ) != 0
            }
        });
        assert!(refused, "this machine allows too many mappings");
        taken
    }
}

impl Drop for Mappings {
    fn drop(&mut self) {
        // SAFETY: it is the mapping of `take_all`, and nobody uses it.
        assert_eq!(unsafe { libc::munmap(self.low, self.bytes) }, 0);
    }
}

/// A thread whose guard page is refused when it starts does not vanish: its panic says so, also if
/// nobody joins it. A kernel thread has its stack when it is spawned, or is refused then.
#[test]
fn a_thread_without_a_guard_page_says_so() {
    if let Ok(model) = env::var(INSIDE) {
        starve(model.parse().unwrap());
        process::exit(0);
    }
    for model in models().into_iter().filter(|&it| it != Model::Kernel) {
        let mut program = program("a_thread_without_a_guard_page_says_so", model);
        program.env("TREFOIL_GUARD", "mprotect");
        let ended = end_of(program.env("RUST_BACKTRACE", "0"));
        assert_eq!(said(&ended), ["joined", "goes on"], "{ended:?}");
        for name in ["lost", "starved"] {
            let told = format!("thread '{name}' could not start: cannot make the guard page");
            assert_eq!(ended.err.matches(&told).count(), 1, "{ended:?}");
        }
        assert!(ended.err.contains("vm.max_map_count"), "{ended:?}");
    }
}

fn starve(model: Model) {
    // What a panic needs of memory is there from now on.
    panic::catch_unwind(AssertUnwindSafe(|| panic!("the first"))).unwrap_err();
    // With one worker nobody starts a thread before the first one waits.
    let builder = Builder::new().model(model).workers(1);
    builder.build().unwrap().run(|| {
        let named = |name: &str| thread::Builder::new().name(name.to_owned());
        drop(named("lost").spawn(|| println!("\n> it ran")).unwrap());
        let starved = named("starved").spawn(|| println!("\n> it ran")).unwrap();
        let all = Mappings::take_all();
        let joined = starved.join();
        drop(all);
        let payload = joined.expect_err("it had no guard page");
        let sentence = payload.downcast::<String>().expect("a sentence");
        assert!(sentence.contains("vm.max_map_count"), "{sentence}");
        println!("\n> joined");
        let threads: Vec<_> = (0..100).map(|n| thread::spawn(move || n)).collect();
        let sum: usize = threads.into_iter().map(|it| it.join().unwrap()).sum();
        assert_eq!(sum, 99 * 100 / 2);
        println!("\n> goes on");
    });
}

/// A child that a thread forks while many others are parked goes on on its copy of that thread's
/// stack, and the parent's threads know nothing of it.
#[test]
fn a_thread_forks_beside_many_stacks() {
    on_all_models(
        "a_thread_forks_beside_many_stacks",
        |model| {
            let many = if model == Model::Kernel { 500 } else { 20_000 };
            let runtime = Builder::new().model(model).workers(2).build().unwrap();
            let codes = runtime.run(move || fork_beside(many));
            println!("\n> {codes:?}");
        },
        |_, ended| assert_eq!(said(&ended), ["[7, 7]"], "{ended:?}"),
    );
}

fn fork_beside(many: usize) -> [i32; 2] {
    let (go, gate) = bounded::<()>(0);
    let begun = Arc::new(AtomicUsize::new(0));
    let spawn = |n| {
        let (begun, gate) = (Arc::clone(&begun), gate.clone());
        thread::spawn(move || {
            begun.fetch_add(1, Ordering::Relaxed);
            gate.recv().unwrap_err();
            n
        })
    };
    let threads: Vec<_> = (0..many).map(spawn).collect();
    while begun.load(Ordering::Relaxed) != many {
        thread::yield_now();
    }
    let codes = [fork(), thread::spawn(fork).join().unwrap()];
    drop(go);
    let numbers = threads.into_iter().map(|thread| thread.join().unwrap());
    assert!(numbers.eq(0..many));
    codes
}

/// The exit code of a child that uses its stack.
fn fork() -> i32 {
    let mine = black_box([7_i32; 2000]);
    // SAFETY: the child calls nothing but `_exit`, and no function that allocates or locks.
    let child = unsafe { libc::fork() };
    if child == 0 {
        let deep = black_box(mine);
        // SAFETY: it ends the child, without anything that is the parent's.
        unsafe { libc::_exit(deep.iter().sum::<i32>() / 2000) };
    }
    assert!(child > 0, "the fork is refused");
    let mut status = 0;
    // SAFETY: `status` lives across the call.
    assert_eq!(unsafe { libc::waitpid(child, &raw mut status, 0) }, child);
    assert!(libc::WIFEXITED(status), "{status:#x}");
    libc::WEXITSTATUS(status)
}
