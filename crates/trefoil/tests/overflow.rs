//! Faults: overflows where the suite cannot make them, and what is no overflow and must go where
//! it went before. Whole programs, each in a process of its own, on every model.

mod support;

use std::env;
use std::ffi::{c_int, c_void};
use std::hint::black_box;
use std::os::unix::process::ExitStatusExt as _;
use std::process;
use std::sync::atomic::{AtomicPtr, AtomicU32, Ordering};
use std::{mem, ptr, thread as plain};

use libc::siginfo_t;
use support::{Ended, INSIDE, end_of, models, on_all_models, program, said};
use trefoil::{Builder, Model, thread};

/// Runs `f` on a thread named "deep" of a runtime of this model.
fn on_a_thread(model: Model, f: fn()) {
    run(model, move || spawn(f));
}

fn run(model: Model, f: impl FnOnce() + Send + 'static) {
    let builder = Builder::new().model(model).workers(2);
    builder.build().unwrap().run(f);
}

fn spawn(f: fn()) {
    let deep = thread::Builder::new().name("deep".to_owned());
    deep.spawn(f).unwrap().join().unwrap();
}

/// Recurses until there is no stack left.
fn overflow() {
    fn descend(depth: u64) -> u64 {
        let frame = black_box([depth; 32]);
        let below = if depth == u64::MAX {
            0
        } else {
            descend(depth + 1)
        };
        // After the call, so that it is no tail call.
        below + black_box(frame)[0]
    }
    black_box(descend(0));
}

fn dereference_null() {
    // SAFETY: none. It is meant to fault, and the process to end by it.
    unsafe { black_box(ptr::null::<u8>()).read_volatile() };
}

fn send_sigsegv() {
    // SAFETY: it takes a number.
    unsafe { libc::raise(libc::SIGSEGV) };
}

#[track_caller]
fn assert_killed(ended: &Ended, signal: c_int) {
    assert_eq!(ended.status.signal(), Some(signal), "{ended:?}");
}

/// It has reported the overflow of `thread`, and aborted.
#[track_caller]
fn assert_told(ended: &Ended, thread: &str) {
    let line = format!("\nthread {thread} has overflowed its stack\nhelp: ");
    assert!(ended.err.starts_with(&line), "{ended:?}");
    assert_killed(ended, libc::SIGABRT);
}

fn deep(model: Model) -> &'static str {
    match model {
        Model::Kernel => "'deep' (kernel, 2 MiB stack)",
        Model::Green if cfg!(debug_assertions) => "'deep' (green, 1 MiB stack)",
        Model::Green => "'deep' (green, 256 KiB stack)",
        Model::Hybrid if cfg!(debug_assertions) => "'deep' (hybrid, 1 MiB stack)",
        Model::Hybrid => "'deep' (hybrid, 256 KiB stack)",
    }
}

#[test]
fn a_kernel_thread_among_others_is_reported_as_one() {
    if cfg!(not(feature = "kernel")) {
        return;
    }
    on_all_models(
        "a_kernel_thread_among_others_is_reported_as_one",
        |model| {
            run(model, || {
                let own = thread::Builder::new().model(Model::Kernel);
                let own = own.name("own".to_owned()).stack_size(4 << 20);
                own.spawn(overflow).unwrap().join().unwrap();
            });
        },
        |_, ended| assert_told(&ended, "'own' (kernel, 4 MiB stack)"),
    );
}

#[test]
fn a_thread_among_kernel_threads_is_reported_as_what_it_is() {
    if cfg!(not(feature = "kernel")) {
        return;
    }
    on_all_models(
        "a_thread_among_kernel_threads_is_reported_as_what_it_is",
        |model| {
            run(model, || {
                let own = thread::Builder::new().model(Model::Kernel);
                own.spawn(|| ()).unwrap().join().unwrap();
                spawn(overflow);
            });
        },
        |model, ended| assert_told(&ended, deep(model)),
    );
}

#[test]
fn the_program_can_switch_it_off() {
    if let Ok(model) = env::var(INSIDE) {
        on_a_thread(model.parse().unwrap(), overflow);
    }
    let words = |model| [(model, "off"), (model, "0")];
    for (model, word) in models().into_iter().flat_map(words) {
        let mut program = program("the_program_can_switch_it_off", model);
        let ended = end_of(program.env("TREFOIL_OVERFLOW", word));
        match model {
            // `std` reports the OS thread.
            Model::Kernel => {
                assert!(ended.err.contains("'trefoil-kernel'"), "{ended:?}");
                assert_killed(&ended, libc::SIGABRT);
            }
            Model::Green | Model::Hybrid => {
                assert_eq!(ended.err, "");
                assert_killed(&ended, libc::SIGSEGV);
            }
        }
    }
}

#[test]
fn a_null_dereference_is_a_segmentation_fault() {
    on_all_models(
        "a_null_dereference_is_a_segmentation_fault",
        |model| on_a_thread(model, dereference_null),
        |_, ended| {
            assert_eq!(ended.err, "");
            assert_killed(&ended, libc::SIGSEGV);
        },
    );
}

#[test]
fn a_null_dereference_of_a_plain_thread_is_a_segmentation_fault() {
    on_all_models(
        "a_null_dereference_of_a_plain_thread_is_a_segmentation_fault",
        |model| {
            on_a_thread(model, || ());
            let _ = plain::spawn(dereference_null).join();
        },
        |_, ended| {
            assert_eq!(ended.err, "");
            assert_killed(&ended, libc::SIGSEGV);
        },
    );
}

/// Makes this the action at SIGSEGV, before any runtime is there.
fn install(handler: usize, flags: c_int, also_blocked: &[c_int]) {
    // SAFETY: numbers and bits may be zero. The handlers of this file fit their flags.
    unsafe {
        let mut action: libc::sigaction = mem::zeroed();
        action.sa_sigaction = handler;
        action.sa_flags = flags;
        for signal in also_blocked {
            libc::sigaddset(&raw mut action.sa_mask, *signal);
        }
        let done = libc::sigaction(libc::SIGSEGV, &raw const action, ptr::null_mut());
        assert_eq!(done, 0);
    }
}

type InfoHandler = extern "C" fn(c_int, *mut siginfo_t, *mut c_void);
type PlainHandler = extern "C" fn(c_int);

/// A page that faults, until a handler opens it.
static PAGE: AtomicPtr<c_void> = AtomicPtr::new(ptr::null_mut());
const PAGE_SIZE: usize = 4096;
static OPENED: AtomicU32 = AtomicU32::new(0);

fn close_page() {
    let old = PAGE.load(Ordering::Relaxed);
    let fixed = if old.is_null() { 0 } else { libc::MAP_FIXED };
    let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | fixed;
    // SAFETY: a new mapping, or in the place of the last one, which nobody refers to.
    let page = unsafe { libc::mmap(old, PAGE_SIZE, libc::PROT_NONE, flags, -1, 0) };
    assert_ne!(page, libc::MAP_FAILED);
    PAGE.store(page, Ordering::Relaxed);
}

/// Writes to the page, which is no overflow; gives what is there then.
fn use_page() -> u8 {
    let page = PAGE.load(Ordering::Relaxed).cast::<u8>();
    // SAFETY: the handler opens it when it faults.
    unsafe {
        page.write_volatile(7);
        page.read_volatile()
    }
}

fn open_page() {
    let page = PAGE.load(Ordering::Relaxed);
    let access = libc::PROT_READ | libc::PROT_WRITE;
    // SAFETY: our own page.
    let done = unsafe { libc::mprotect(page, PAGE_SIZE, access) };
    if done != 0 {
        process::abort();
    }
    OPENED.fetch_add(1, Ordering::Relaxed);
}

fn is_blocked(signal: c_int) -> bool {
    // SAFETY: the mask is written by the call, and read afterwards.
    unsafe {
        let mut mask = mem::zeroed();
        libc::pthread_sigmask(libc::SIG_BLOCK, ptr::null(), &raw mut mask);
        libc::sigismember(&raw const mask, signal) == 1
    }
}

/// Aborts if the kernel would have called it differently.
extern "C" fn opens(signal: c_int, info: *mut siginfo_t, context: *mut c_void) {
    // SAFETY: a handler of SA_SIGINFO is given it.
    let address = unsafe { (*info).si_addr() };
    let as_it_should_be = signal == libc::SIGSEGV
        && address == PAGE.load(Ordering::Relaxed)
        && !context.is_null()
        && is_blocked(libc::SIGSEGV)
        && is_blocked(libc::SIGUSR1)
        && !is_blocked(libc::SIGUSR2);
    if !as_it_should_be {
        process::abort();
    }
    open_page();
}

extern "C" fn opens_plainly(signal: c_int) {
    // It does not know the address, and must not return to one fault for ever.
    let often = OPENED.load(Ordering::Relaxed) > 100;
    if signal != libc::SIGSEGV || is_blocked(libc::SIGSEGV) || often {
        process::abort();
    }
    open_page();
}

/// Uses the page on a thread of each kind, then overflows.
fn use_pages_then_overflow(model: Model) {
    close_page();
    run(model, || {
        for _ in 0..3 {
            assert_eq!(use_page(), 7);
            assert!(!is_blocked(libc::SIGSEGV));
            close_page();
            spawn(|| assert_eq!(use_page(), 7));
            close_page();
            plain::spawn(|| assert_eq!(use_page(), 7)).join().unwrap();
            close_page();
        }
        println!("\n> opened {} times", OPENED.load(Ordering::Relaxed));
        spawn(overflow);
    });
}

#[track_caller]
fn assert_opened_then_told(model: Model, ended: Ended) {
    assert_eq!(said(&ended), ["opened 9 times"], "{ended:?}");
    assert_told(&ended, deep(model));
}

#[test]
fn an_earlier_handler_gets_what_is_no_overflow() {
    on_all_models(
        "an_earlier_handler_gets_what_is_no_overflow",
        |model| {
            let flags = libc::SA_SIGINFO | libc::SA_ONSTACK;
            install(opens as InfoHandler as usize, flags, &[libc::SIGUSR1]);
            use_pages_then_overflow(model);
        },
        assert_opened_then_told,
    );
}

#[test]
fn an_earlier_handler_of_the_old_kind_is_called_as_one() {
    on_all_models(
        "an_earlier_handler_of_the_old_kind_is_called_as_one",
        |model| {
            let handler = opens_plainly as PlainHandler as usize;
            install(handler, libc::SA_NODEFER, &[]);
            use_pages_then_overflow(model);
        },
        assert_opened_then_told,
    );
}

#[test]
fn an_earlier_handler_for_one_time_is_called_once() {
    on_all_models(
        "an_earlier_handler_for_one_time_is_called_once",
        |model| {
            let flags = libc::SA_SIGINFO | libc::SA_RESETHAND;
            install(opens as InfoHandler as usize, flags, &[libc::SIGUSR1]);
            close_page();
            on_a_thread(model, || assert_eq!(use_page(), 7));
            println!("\n> opened {} times", OPENED.load(Ordering::Relaxed));
            close_page();
            use_page();
        },
        |_, ended| {
            assert_eq!(said(&ended), ["opened 1 times"], "{ended:?}");
            assert_killed(&ended, libc::SIGSEGV);
        },
    );
}

#[test]
fn without_an_earlier_handler_a_fault_kills() {
    on_all_models(
        "without_an_earlier_handler_a_fault_kills",
        |model| {
            install(libc::SIG_DFL, 0, &[]);
            on_a_thread(model, dereference_null);
        },
        |_, ended| assert_killed(&ended, libc::SIGSEGV),
    );
}

#[test]
fn without_an_earlier_handler_a_signal_that_was_sent_kills() {
    on_all_models(
        "without_an_earlier_handler_a_signal_that_was_sent_kills",
        |model| {
            install(libc::SIG_DFL, 0, &[]);
            on_a_thread(model, send_sigsegv);
        },
        |_, ended| assert_killed(&ended, libc::SIGSEGV),
    );
}

#[test]
fn without_an_earlier_handler_an_overflow_is_reported() {
    on_all_models(
        "without_an_earlier_handler_an_overflow_is_reported",
        |model| {
            install(libc::SIG_DFL, 0, &[]);
            on_a_thread(model, overflow);
        },
        |model, ended| assert_told(&ended, deep(model)),
    );
}

#[test]
fn a_signal_that_is_ignored_stays_so_and_a_fault_does_not() {
    on_all_models(
        "a_signal_that_is_ignored_stays_so_and_a_fault_does_not",
        |model| {
            install(libc::SIG_IGN, 0, &[]);
            on_a_thread(model, || {
                send_sigsegv();
                send_sigsegv();
                println!("\n> goes on");
                dereference_null();
            });
        },
        |_, ended| {
            assert_eq!(said(&ended), ["goes on"], "{ended:?}");
            assert_killed(&ended, libc::SIGSEGV);
        },
    );
}

#[test]
fn a_signal_that_is_ignored_does_not_end_the_reports() {
    on_all_models(
        "a_signal_that_is_ignored_does_not_end_the_reports",
        |model| {
            install(libc::SIG_IGN, 0, &[]);
            on_a_thread(model, || {
                send_sigsegv();
                overflow();
            });
        },
        |model, ended| assert_told(&ended, deep(model)),
    );
}

extern "C" fn says_it_came(_: c_int) {
    // SAFETY: live bytes; `_exit` never returns.
    unsafe {
        libc::write(libc::STDOUT_FILENO, b"\n> mine\n".as_ptr().cast(), 8);
        libc::_exit(0);
    }
}

#[test]
fn a_later_handler_is_the_programs_business() {
    on_all_models(
        "a_later_handler_is_the_programs_business",
        |model| {
            on_a_thread(model, || {
                install(says_it_came as PlainHandler as usize, libc::SA_ONSTACK, &[]);
                overflow();
            });
        },
        |_, ended| {
            assert_eq!(said(&ended), ["mine"], "{ended:?}");
            assert!(ended.status.success(), "{ended:?}");
        },
    );
}

fn signal_stack() -> libc::stack_t {
    // SAFETY: numbers and a pointer may be zero; the call writes one such value.
    unsafe {
        let mut stack = mem::zeroed();
        libc::sigaltstack(ptr::null(), &raw mut stack);
        stack
    }
}

fn has_signal_stack() -> bool {
    signal_stack().ss_flags & libc::SS_DISABLE == 0
}

/// Runs `f` on an OS thread that `std` knows nothing of, and which therefore has no alternate
/// signal stack.
fn on_a_foreign_thread(f: fn()) {
    extern "C" fn begin(f: *mut c_void) -> *mut c_void {
        assert!(!has_signal_stack());
        // SAFETY: it is the function below.
        unsafe { mem::transmute::<*mut c_void, fn()>(f)() };
        assert!(!has_signal_stack(), "it is taken away again");
        ptr::null_mut()
    }
    // SAFETY: the thread is made and joined once; what it is given is a function.
    unsafe {
        let mut attributes = mem::zeroed();
        let mut thread = mem::zeroed();
        libc::pthread_attr_init(&raw mut attributes);
        libc::pthread_attr_setstacksize(&raw mut attributes, 1 << 20);
        let f = f as *mut c_void;
        let made = libc::pthread_create(&raw mut thread, &raw const attributes, begin, f);
        assert_eq!(made, 0);
        libc::pthread_join(thread, ptr::null_mut());
    }
}

/// The model that this process is to try.
fn asked_model() -> Model {
    env::var(INSIDE).unwrap().parse().unwrap()
}

#[test]
fn a_foreign_thread_gets_a_signal_stack_for_as_long_as_it_runs_threads() {
    on_all_models(
        "a_foreign_thread_gets_a_signal_stack_for_as_long_as_it_runs_threads",
        |_| {
            let mappings = || {
                let list = std::fs::read_to_string("/proc/self/maps").unwrap();
                list.lines().count()
            };
            let before = mappings();
            on_a_foreign_thread(|| {
                for _ in 0..200 {
                    run(asked_model(), || {
                        assert!(has_signal_stack());
                        spawn(|| assert!(has_signal_stack()));
                    });
                    assert!(!has_signal_stack());
                }
            });
            // Each that was not unmapped would be two.
            let more = mappings().saturating_sub(before);
            assert!(more < 150, "{more} mappings are left");
            println!("\n> all is well");
        },
        |_, ended| assert_eq!(said(&ended), ["all is well"], "{ended:?}"),
    );
}

#[test]
fn an_overflow_on_a_foreign_thread_is_reported() {
    on_all_models(
        "an_overflow_on_a_foreign_thread_is_reported",
        |_| on_a_foreign_thread(|| run(asked_model(), || spawn(overflow))),
        |model, ended| assert_told(&ended, deep(model)),
    );
}

#[test]
fn an_overflow_of_the_first_thread_on_a_foreign_thread_is_reported() {
    on_all_models(
        "an_overflow_of_the_first_thread_on_a_foreign_thread_is_reported",
        |_| on_a_foreign_thread(|| run(asked_model(), overflow)),
        |model, ended| {
            let main = match model {
                Model::Kernel => "'main' (kernel, 1 MiB stack)",
                Model::Green => "'main' (green, 8 MiB stack)",
                Model::Hybrid => "'main' (hybrid, 8 MiB stack)",
            };
            assert_told(&ended, main);
        },
    );
}

#[test]
fn the_first_thread_has_the_stack_that_it_was_given() {
    on_all_models(
        "the_first_thread_has_the_stack_that_it_was_given",
        |model| {
            let builder = Builder::new().model(model).main_stack_size(16 << 20);
            // A large stack to be called from, which the kernel model uses.
            let caller = plain::Builder::new().stack_size(16 << 20);
            let runs = move || builder.build().unwrap().run(overflow);
            caller.spawn(runs).unwrap().join().unwrap();
        },
        |model, ended| assert_told(&ended, &format!("'main' ({model}, 16 MiB stack)")),
    );
}

#[test]
fn guard_pages_of_the_older_kind_are_known_too() {
    if let Ok(model) = env::var(INSIDE) {
        on_a_thread(model.parse().unwrap(), overflow);
    }
    for model in models() {
        let mut program = program("guard_pages_of_the_older_kind_are_known_too", model);
        let ended = end_of(program.env("TREFOIL_GUARD", "mprotect"));
        assert_told(&ended, deep(model));
    }
}

#[test]
fn two_that_overflow_at_once_end_the_process() {
    on_all_models(
        "two_that_overflow_at_once_end_the_process",
        |model| {
            run(model, || {
                let threads = [(); 4].map(|()| thread::spawn(overflow));
                threads.into_iter().for_each(|it| it.join().unwrap());
            });
        },
        |_, ended| {
            assert!(
                ended.err.contains("has overflowed its stack\nhelp: "),
                "{ended:?}"
            );
            assert_killed(&ended, libc::SIGABRT);
        },
    );
}
