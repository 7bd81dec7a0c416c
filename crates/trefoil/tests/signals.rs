//! Signals that somebody sent, and handlers that call each other: what came before ours is asked
//! as it would have been without us, and a process that is to die does. Whole programs, each in a
//! process of its own, on every model.

mod support;

use std::env;
use std::ffi::{c_int, c_void};
use std::hint::black_box;
use std::os::unix::process::ExitStatusExt as _;
use std::process::{self, Command};
use std::sync::atomic::{AtomicBool, AtomicPtr, AtomicU32, AtomicUsize, Ordering};
use std::time::Duration;
use std::{fs, mem, ptr, thread as plain};

use libc::siginfo_t;
use support::{Ended, INSIDE, end_of, models, on_all_models, program, said};
use trefoil::{Builder, Model, thread};

const BOTH: [c_int; 2] = [libc::SIGSEGV, libc::SIGBUS];

/// Runs `f` on a thread of a runtime of this model.
fn on_a_thread(model: Model, f: impl FnOnce() + Send + 'static) {
    let runtime = Builder::new().model(model).workers(2).build().unwrap();
    runtime.run(move || thread::spawn(f).join().unwrap());
}

fn dereference_null() {
    // SAFETY: none. It is meant to fault, and the process to end by it.
    unsafe { black_box(ptr::null::<u8>()).read_volatile() };
}

/// No address of x86-64: the processor refuses it without a page fault, and the kernel tells no
/// address (`SI_KERNEL`).
#[cfg(target_arch = "x86_64")]
fn dereference_what_is_no_address() {
    let nowhere = ptr::without_provenance::<u8>(1 << 62);
    // SAFETY: none. It is meant to fault, and the process to end by it.
    unsafe { black_box(nowhere).read_volatile() };
}

#[track_caller]
fn assert_killed(ended: &Ended, signal: c_int) {
    assert_eq!(ended.status.signal(), Some(signal), "{ended:?}");
}

/// Writes one line of the program's own, from a handler.
fn say(line: &str) {
    for text in ["\n> ", line, "\n"] {
        // SAFETY: live bytes.
        unsafe { libc::write(libc::STDOUT_FILENO, text.as_ptr().cast(), text.len()) };
    }
}

type InfoHandler = extern "C" fn(c_int, *mut siginfo_t, *mut c_void);

/// Makes this the action at a signal, and gives the one before.
fn install(signal: c_int, handler: usize, flags: c_int) -> libc::sigaction {
    // SAFETY: numbers and bits may be zero. The handlers of this file fit their flags.
    unsafe {
        let mut action: libc::sigaction = mem::zeroed();
        let mut before: libc::sigaction = mem::zeroed();
        action.sa_sigaction = handler;
        action.sa_flags = flags;
        let done = libc::sigaction(signal, &raw const action, &raw mut before);
        assert_eq!(done, 0);
        before
    }
}

// --- Signals that somebody sent ---------------------------------------------------------------

/// A way to send a signal to the calling thread, or to the process.
type Way = (&'static str, fn(c_int));

/// All ways by which a signal comes that no instruction caused.
const WAYS: [Way; 5] = [
    ("raise", |signal| {
        // SAFETY: it takes a number.
        unsafe { libc::raise(signal) };
    }),
    ("queue", |signal| queue(signal, libc::SI_QUEUE)),
    ("timer", |signal| queue(signal, -2)),
    // To the process, by itself and by another one.
    ("kill", |signal| {
        // SAFETY: they take numbers.
        unsafe { libc::kill(libc::getpid(), signal) };
    }),
    ("outside", |signal| {
        let mut kill = Command::new("kill");
        kill.args([format!("-{signal}"), process::id().to_string()]);
        assert!(kill.status().unwrap().success());
    }),
];

/// Sends a signal to the calling thread, with this code: as the kernel would for what cannot be
/// had in a test.
fn queue(signal: c_int, code: c_int) {
    // SAFETY: numbers may be zero; the call reads one such value.
    unsafe {
        let mut info: siginfo_t = mem::zeroed();
        info.si_signo = signal;
        info.si_code = code;
        let (number, process, thread) =
            (libc::SYS_rt_tgsigqueueinfo, libc::getpid(), libc::gettid());
        let sent = libc::syscall(number, process, thread, signal, &raw const info);
        assert_eq!(sent, 0);
    }
}

/// In the environment of a program: the signal that it is to send, and the way.
const SENT: &str = "TREFOIL_TEST_SENT";

fn asked() -> (c_int, fn(c_int)) {
    let asked = env::var(SENT).unwrap();
    let (signal, name) = asked.split_once(' ').unwrap();
    let way = WAYS.iter().find(|way| way.0 == name);
    (signal.parse().unwrap(), way.unwrap().1)
}

/// Runs a test as a program on each model, with each signal and way.
#[track_caller]
fn each_way(test: &str, ways: &[Way], check: impl Fn(c_int, Ended)) {
    for model in models() {
        for signal in BOTH {
            for (way, _) in ways {
                let mut program = program(test, model);
                check(signal, end_of(program.env(SENT, format!("{signal} {way}"))));
            }
        }
    }
}

/// What was to come has not.
fn survived() -> ! {
    // One that was sent to the process may reach another thread, a little later.
    plain::sleep(Duration::from_secs(5));
    say("survived");
    process::exit(0);
}

#[test]
fn what_is_sent_kills_a_process_without_a_handler() {
    if let Ok(model) = env::var(INSIDE) {
        let (signal, send) = asked();
        install(signal, libc::SIG_DFL, 0);
        on_a_thread(model.parse().unwrap(), move || {
            send(signal);
            survived();
        });
    }
    let test = "what_is_sent_kills_a_process_without_a_handler";
    each_way(test, &WAYS, |signal, ended| assert_killed(&ended, signal));
}

#[test]
fn what_is_sent_to_a_plain_thread_kills_too() {
    if let Ok(model) = env::var(INSIDE) {
        let (signal, send) = asked();
        install(signal, libc::SIG_DFL, 0);
        on_a_thread(model.parse().unwrap(), || ());
        send(signal);
        survived();
    }
    let test = "what_is_sent_to_a_plain_thread_kills_too";
    each_way(test, &WAYS, |signal, ended| assert_killed(&ended, signal));
}

#[test]
fn what_is_sent_is_ignored_where_it_was() {
    if let Ok(model) = env::var(INSIDE) {
        let (signal, send) = asked();
        install(signal, libc::SIG_IGN, 0);
        on_a_thread(model.parse().unwrap(), move || {
            send(signal);
            send(signal);
            say("goes on");
        });
        process::exit(0);
    }
    // Those that come at once, to this very thread.
    let test = "what_is_sent_is_ignored_where_it_was";
    each_way(test, &WAYS[..3], |_, ended| {
        assert_eq!(said(&ended), ["goes on"], "{ended:?}");
        assert!(ended.status.success(), "{ended:?}");
    });
}

/// Whether an OS thread has begun to read from this descriptor.
fn reads(thread: libc::pid_t, fd: c_int) -> bool {
    let call = fs::read_to_string(format!("/proc/self/task/{thread}/syscall")).unwrap();
    call.starts_with(&format!("{} {fd:#x} ", libc::SYS_read))
}

/// Whether a signal that was sent to an OS thread has not come to it yet.
fn has_pending(thread: libc::pid_t) -> bool {
    let status = fs::read_to_string(format!("/proc/self/task/{thread}/status")).unwrap();
    !status.contains("\nSigPnd:\t0000000000000000\n")
}

#[test]
fn what_is_ignored_interrupts_no_call() {
    fn until(condition: impl Fn() -> bool) {
        while !condition() {
            plain::yield_now();
        }
    }
    on_all_models(
        "what_is_ignored_interrupts_no_call",
        |model| {
            install(libc::SIGSEGV, libc::SIG_IGN, 0);
            on_a_thread(model, || ());
            let mut ends = [0; 2];
            // SAFETY: room for two descriptors; the other takes nothing.
            let reader = unsafe {
                assert_eq!(libc::pipe(ends.as_mut_ptr()), 0);
                libc::gettid()
            };
            let writer = plain::spawn(move || {
                until(|| reads(reader, ends[0]));
                // SAFETY: it takes numbers.
                unsafe { libc::syscall(libc::SYS_tgkill, libc::getpid(), reader, libc::SIGSEGV) };
                until(|| !has_pending(reader));
                // SAFETY: one live byte.
                unsafe { libc::write(ends[1], b"x".as_ptr().cast(), 1) }
            });
            let mut byte = 0_u8;
            // SAFETY: room for one byte.
            let read = unsafe { libc::read(ends[0], (&raw mut byte).cast(), 1) };
            assert_eq!(writer.join().unwrap(), 1);
            say(&format!("read {read}"));
        },
        |_, ended| assert_eq!(said(&ended), ["read 1"], "{ended:?}"),
    );
}

/// Codes that are positive, as those of faults are, for what no instruction does again: the kernel
/// has found broken memory that nobody has touched yet, or ends the process.
const NOT_AGAIN: [(c_int, c_int); 3] = [
    (libc::SIGBUS, libc::BUS_MCEERR_AO),
    (libc::SIGBUS, libc::SI_KERNEL),
    (libc::SIGSEGV, libc::SI_KERNEL),
];

/// Runs a test as a program on each model, with each of these codes.
#[track_caller]
fn each_code(test: &str, codes: &[(c_int, c_int)], check: impl Fn(c_int, Ended)) {
    for model in models() {
        for (signal, code) in codes {
            let mut program = program(test, model);
            check(
                *signal,
                end_of(program.env(SENT, format!("{signal} {code}"))),
            );
        }
    }
}

fn asked_code() -> (c_int, c_int) {
    let asked = env::var(SENT).unwrap();
    let (signal, code) = asked.split_once(' ').unwrap();
    (signal.parse().unwrap(), code.parse().unwrap())
}

#[test]
fn what_no_instruction_does_again_kills_at_once() {
    if let Ok(model) = env::var(INSIDE) {
        let (signal, code) = asked_code();
        install(signal, libc::SIG_DFL, 0);
        on_a_thread(model.parse().unwrap(), move || queue(signal, code));
        say("survived");
        process::exit(0);
    }
    let test = "what_no_instruction_does_again_kills_at_once";
    each_code(test, &NOT_AGAIN, |signal, ended| {
        assert_killed(&ended, signal)
    });
}

/// Advice about broken memory may be ignored; what the kernel forces on a process may not.
#[test]
fn what_is_advice_may_be_ignored_and_what_is_forced_not() {
    if let Ok(model) = env::var(INSIDE) {
        let (signal, code) = asked_code();
        install(signal, libc::SIG_IGN, 0);
        on_a_thread(model.parse().unwrap(), move || queue(signal, code));
        say("goes on");
        process::exit(0);
    }
    let test = "what_is_advice_may_be_ignored_and_what_is_forced_not";
    each_code(test, &NOT_AGAIN[..1], |_, ended| {
        assert_eq!(said(&ended), ["goes on"], "{ended:?}");
        assert!(ended.status.success(), "{ended:?}");
    });
    each_code(test, &NOT_AGAIN[1..], |signal, ended| {
        assert_killed(&ended, signal);
    });
}

#[test]
#[cfg(target_arch = "x86_64")]
fn what_is_no_address_at_all_is_a_segmentation_fault() {
    on_all_models(
        "what_is_no_address_at_all_is_a_segmentation_fault",
        |model| {
            install(libc::SIGSEGV, libc::SIG_DFL, 0);
            on_a_thread(model, dereference_what_is_no_address);
        },
        |_, ended| assert_killed(&ended, libc::SIGSEGV),
    );
}

// --- Handlers that call each other ------------------------------------------------------------

/// What the reporter found when it was installed last: a handler that takes three arguments, or
/// one of the constants that are no handler.
static BEFORE: AtomicUsize = AtomicUsize::new(0);
/// It passes on a copy of what it was given.
static COPIES: AtomicBool = AtomicBool::new(false);
static REPORTS: AtomicU32 = AtomicU32::new(0);

/// A crash reporter: writes its line, then calls what was there before.
extern "C" fn reports(signal: c_int, info: *mut siginfo_t, context: *mut c_void) {
    say("crash");
    if REPORTS.fetch_add(1, Ordering::Relaxed) > 100 {
        say("for ever");
        // SAFETY: it never returns.
        unsafe { libc::_exit(1) };
    }
    let before = BEFORE.load(Ordering::Relaxed);
    if before == libc::SIG_DFL {
        install(signal, libc::SIG_DFL, 0);
        return;
    }
    // SAFETY: a handler of this kind, as `install_reporter` has seen; the kernel's information is
    // there for as long as the handler runs.
    unsafe {
        let before = mem::transmute::<usize, InfoHandler>(before);
        let mut copy = info.read();
        let copies = COPIES.load(Ordering::Relaxed);
        before(signal, if copies { &raw mut copy } else { info }, context);
    }
}

fn install_reporter(flags: c_int) {
    for signal in BOTH {
        let handler = reports as InfoHandler as usize;
        let before = install(signal, handler, libc::SA_SIGINFO | flags);
        let is_handler = before.sa_sigaction > libc::SIG_IGN;
        assert!(!is_handler || before.sa_flags & libc::SA_SIGINFO != 0);
        BEFORE.store(before.sa_sigaction, Ordering::Relaxed);
    }
}

/// The reporter is installed before the first runtime and once more after it, as by a library
/// that is initialized twice. Then `fault` happens on a thread of this model.
fn report_twice_installed(model: Model, flags: c_int, fault: fn()) {
    install_reporter(flags);
    on_a_thread(model, || ());
    install_reporter(flags);
    on_a_thread(model, fault);
    survived();
}

/// Every call of the reporter was by one that was not called for this signal before: it, ours,
/// and it again.
#[track_caller]
fn assert_reported_then_killed(ended: &Ended, signal: c_int) {
    assert_eq!(said(ended), ["crash", "crash"], "{ended:?}");
    assert_killed(ended, signal);
}

#[test]
fn a_reporter_that_is_installed_twice_reports_and_the_process_dies() {
    on_all_models(
        "a_reporter_that_is_installed_twice_reports_and_the_process_dies",
        |model| report_twice_installed(model, libc::SA_ONSTACK, dereference_null),
        |_, ended| assert_reported_then_killed(&ended, libc::SIGSEGV),
    );
}

#[test]
fn a_reporter_that_blocks_nothing_reports_and_the_process_dies() {
    on_all_models(
        "a_reporter_that_blocks_nothing_reports_and_the_process_dies",
        |model| {
            let flags = libc::SA_ONSTACK | libc::SA_NODEFER;
            report_twice_installed(model, flags, dereference_null);
        },
        |_, ended| assert_reported_then_killed(&ended, libc::SIGSEGV),
    );
}

#[test]
fn a_reporter_that_passes_on_a_copy_reports_and_the_process_dies() {
    on_all_models(
        "a_reporter_that_passes_on_a_copy_reports_and_the_process_dies",
        |model| {
            COPIES.store(true, Ordering::Relaxed);
            report_twice_installed(model, libc::SA_ONSTACK, dereference_null);
        },
        |_, ended| assert_reported_then_killed(&ended, libc::SIGSEGV),
    );
}

#[test]
fn a_reporter_that_is_installed_twice_reports_what_was_sent_too() {
    on_all_models(
        "a_reporter_that_is_installed_twice_reports_what_was_sent_too",
        |model| {
            let send = || WAYS[0].1(libc::SIGBUS);
            report_twice_installed(model, libc::SA_ONSTACK, send);
        },
        |_, ended| assert_reported_then_killed(&ended, libc::SIGBUS),
    );
}

#[test]
fn a_reporter_that_is_installed_once_is_called_once() {
    on_all_models(
        "a_reporter_that_is_installed_once_is_called_once",
        |model| {
            install(libc::SIGSEGV, libc::SIG_DFL, 0);
            install(libc::SIGBUS, libc::SIG_DFL, 0);
            install_reporter(libc::SA_ONSTACK);
            on_a_thread(model, dereference_null);
        },
        |_, ended| {
            assert_eq!(said(&ended), ["crash"], "{ended:?}");
            assert_killed(&ended, libc::SIGSEGV);
        },
    );
}

/// A page that faults, until a handler opens it.
static PAGE: AtomicPtr<c_void> = AtomicPtr::new(ptr::null_mut());
const PAGE_SIZE: usize = 4096;

fn close_page() {
    let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS;
    // SAFETY: a new mapping; an old one stays.
    let page = unsafe { libc::mmap(ptr::null_mut(), PAGE_SIZE, libc::PROT_NONE, flags, -1, 0) };
    assert_ne!(page, libc::MAP_FAILED);
    PAGE.store(page, Ordering::Relaxed);
}

fn open_page() {
    let access = libc::PROT_READ | libc::PROT_WRITE;
    // SAFETY: our own page.
    if unsafe { libc::mprotect(PAGE.load(Ordering::Relaxed), PAGE_SIZE, access) } != 0 {
        process::abort();
    }
}

/// One function, so that it is always the same instruction that faults.
#[inline(never)]
fn use_page() {
    // SAFETY: the handler opens it when it faults, or never returns.
    unsafe { PAGE.load(Ordering::Relaxed).cast::<u8>().write_volatile(7) };
}

/// How many calls of `faults_itself` have not returned.
static INSIDE_CALLS: AtomicU32 = AtomicU32::new(0);

/// Uses the page itself before it opens it, which is a fault of its own, at the same address and
/// on the same OS thread.
extern "C" fn faults_itself(_: c_int, _: *mut siginfo_t, _: *mut c_void) {
    match INSIDE_CALLS.fetch_add(1, Ordering::Relaxed) {
        0 => use_page(),
        1 => open_page(),
        _ => process::abort(),
    }
    INSIDE_CALLS.fetch_sub(1, Ordering::Relaxed);
}

#[test]
fn a_fault_in_an_earlier_handler_is_another_one() {
    on_all_models(
        "a_fault_in_an_earlier_handler_is_another_one",
        |model| {
            let flags = libc::SA_SIGINFO | libc::SA_ONSTACK | libc::SA_NODEFER;
            install(libc::SIGSEGV, faults_itself as InfoHandler as usize, flags);
            for _ in 0..3 {
                close_page();
                on_a_thread(model, use_page);
            }
            say("goes on");
        },
        |_, ended| {
            assert_eq!(said(&ended), ["goes on"], "{ended:?}");
            assert!(ended.status.success(), "{ended:?}");
        },
    );
}

static ATTEMPTS: AtomicU32 = AtomicU32::new(0);

/// Leaves the signal's stack for a new one and never returns, as one that jumps back to where the
/// program can go on.
#[cfg(target_env = "gnu")]
extern "C" fn goes_elsewhere(_: c_int, _: *mut siginfo_t, _: *mut c_void) {
    const SIZE: usize = 256 << 10;
    let stack = Box::leak(vec![0_u8; SIZE].into_boxed_slice());
    // SAFETY: a context that is made whole, with a stack that is nobody else's and is never
    // freed. No destructor is skipped in a frame that is left.
    unsafe {
        let mut context: libc::ucontext_t = mem::zeroed();
        libc::getcontext(&raw mut context);
        context.uc_stack.ss_sp = stack.as_mut_ptr().cast();
        context.uc_stack.ss_size = SIZE;
        context.uc_link = ptr::null_mut();
        libc::sigemptyset(&raw mut context.uc_sigmask);
        libc::makecontext(&raw mut context, attempts, 0);
        libc::setcontext(&raw const context);
    }
    process::abort();
}

/// Faults with the same instruction at the same address, three times.
extern "C" fn attempts() {
    let attempts = ATTEMPTS.fetch_add(1, Ordering::Relaxed);
    if attempts < 3 {
        use_page();
    }
    say(&format!("attempts: {attempts}"));
    // SAFETY: it never returns.
    unsafe { libc::_exit(0) };
}

#[test]
#[cfg(target_env = "gnu")]
fn an_earlier_handler_that_never_returns_gets_each_fault() {
    on_all_models(
        "an_earlier_handler_that_never_returns_gets_each_fault",
        |model| {
            let flags = libc::SA_SIGINFO | libc::SA_ONSTACK;
            install(libc::SIGSEGV, goes_elsewhere as InfoHandler as usize, flags);
            on_a_thread(model, || ());
            close_page();
            on_a_thread(model, || attempts());
        },
        |_, ended| assert_eq!(said(&ended), ["attempts: 3"], "{ended:?}"),
    );
}
