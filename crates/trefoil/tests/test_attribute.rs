//! `#[trefoil::test]`: real tests with it, and what comes of those that fail or hang.
//!
//! A test that fails or hangs does so only in a process of its own, which another test runs: this very
//! file, with the names of some cases. Those that hang have little time, so that nobody else runs them.
#![forbid(unsafe_code)]

mod support;

use std::env;
use std::error::Error;
use std::fs;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use support::{Ended, INSIDE, end_of, models};
use trefoil::channel::bounded;
use trefoil::sync::Mutex;
use trefoil::{Model, thread};

/// Whether this process was started by a test, to fail.
fn inside() -> bool {
    env::var_os(INSIDE).is_some()
}

/// This file as a program that runs these cases, keeping to itself what a test prints that passes.
fn program(cases: &[&str]) -> Command {
    let mut command = Command::new(env::current_exe().unwrap());
    command
        .arg("--exact")
        .args(cases)
        .env(INSIDE, "1")
        .env_remove("TREFOIL_TEST_TIMEOUT")
        .env_remove("RUST_BACKTRACE");
    command
}

/// How this test ends on a model.
fn end_of_case(test: &str, model: Model) -> Ended {
    end_of(program(&[&format!("{test}::{model}")]).arg("--include-ignored"))
}

/// How this test ends on a model, beside one that passes.
fn end_beside_another(test: &str, model: Model) -> Ended {
    let cases = [test, "says_its_model"].map(|test| format!("{test}::{model}"));
    end_of(program(&[&cases[0], &cases[1]]).arg("--include-ignored"))
}

/// Checks all models at once, since most of it is waiting.
fn for_each_model(check: fn(Model)) {
    std::thread::scope(|scope| {
        for model in models() {
            scope.spawn(move || check(model));
        }
    });
}

/// The lines after `> ` in what was printed.
fn said(ended: &Ended) -> Vec<&str> {
    support::said(ended)
}

#[track_caller]
fn assert_result(ended: &Ended, passed: usize, failed: usize) {
    let word = if failed == 0 { "ok" } else { "FAILED" };
    let result = format!("test result: {word}. {passed} passed; {failed} failed; 0 ignored");
    assert!(ended.out.contains(&result), "{ended:?}");
    let code = if failed == 0 { 0 } else { 101 };
    assert_eq!(ended.status.code(), Some(code), "{ended:?}");
}

/// The line of a report on the thread that `is` tells.
#[track_caller]
fn line_of<'a>(text: &'a str, is: impl Fn(&str) -> bool, ended: &Ended) -> &'a str {
    let found = text
        .lines()
        .find(|line| line.starts_with("  thread ") && is(line));
    found.unwrap_or_else(|| panic!("the thread is missing: {ended:?}"))
}

// Which cases there are, and where they run.

#[trefoil::test]
fn says_its_model() {
    let child = thread::spawn(|| thread::current().model());
    println!(
        "\n> {} {}",
        thread::current().model(),
        child.join().unwrap()
    );
}

#[test]
fn every_case_runs_on_its_model() {
    for model in models() {
        let ended = end_of(program(&[&format!("says_its_model::{model}")]).arg("--nocapture"));
        assert_result(&ended, 1, 0);
        assert_eq!(said(&ended), [format!("{model} {model}")], "{ended:?}");
    }
}

/// The cases of this test, as the harness lists them.
fn cases(test: &str) -> Vec<String> {
    let listed = end_of(Command::new(env::current_exe().unwrap()).arg("--list"));
    let names = listed.out.lines().filter_map(|line| {
        let name = line.strip_suffix(": test")?;
        name.starts_with(&format!("{test}::"))
            .then(|| name.to_owned())
    });
    let mut names: Vec<String> = names.collect();
    names.sort_unstable();
    names
}

/// The cases of this test on these models, as the harness sorts them.
fn expected(test: &str, models: &[Model]) -> Vec<String> {
    let mut names: Vec<String> = models
        .iter()
        .map(|model| format!("{test}::{model}"))
        .collect();
    names.sort_unstable();
    names
}

#[test]
fn each_model_that_is_compiled_in_has_one_case() {
    let test = "says_its_model";
    assert_eq!(cases(test), expected(test, &models()));
}

#[cfg(feature = "green")]
#[trefoil::test(model = "green")]
fn is_green() {
    assert_eq!(thread::current().model(), Model::Green);
}

#[cfg(all(feature = "kernel", feature = "hybrid"))]
#[trefoil::test(models("kernel", "hybrid"))]
fn is_not_green() {
    assert_ne!(thread::current().model(), Model::Green);
}

#[test]
fn named_models_are_the_only_ones() {
    let green = [Model::Green];
    let green = if cfg!(feature = "green") {
        &green[..]
    } else {
        &[]
    };
    assert_eq!(cases("is_green"), expected("is_green", green));
    let others = [Model::Kernel, Model::Hybrid];
    let both = cfg!(all(feature = "kernel", feature = "hybrid"));
    let others = if both { &others[..] } else { &[] };
    assert_eq!(cases("is_not_green"), expected("is_not_green", others));
}

mod module {
    /// A path that means something else in the module of the cases.
    fn here() -> u32 {
        7
    }

    mod inner {
        #[trefoil::test]
        pub(super) fn paths_mean_what_they_meant() {
            assert_eq!(super::here(), 7);
            assert_eq!(self::twice(super::here()), 14);
        }

        fn twice(n: u32) -> u32 {
            2 * n
        }
    }

    #[test]
    fn the_function_can_be_called() {
        trefoil::run(inner::paths_mean_what_they_meant);
    }
}

macro_rules! tests {
    ($($(#[$attribute:meta])* $vis:vis fn $name:ident() $(-> $output:ty)? $body:block)*) => {
        $(
            $(#[$attribute])*
            #[trefoil::test(workers = 2, timeout = 120)]
            $vis fn $name() $(-> $output)? $body
        )*
    };
}

tests! {
    #[should_panic(expected = "a macro wrote it")]
    fn macros_write_tests() {
        panic!("a macro wrote it");
    }

    #[allow(unused_variables)]
    fn macros_write_tests_that_return() -> Result<(), String> {
        let unused = 1;
        Ok(())
    }
}

/// More than the usual stack of any model has.
#[trefoil::test(stack_size = 16_777_216)]
fn has_large_stacks() {
    let large = thread::spawn(|| std::hint::black_box([1_u8; 6 << 20]).len());
    assert_eq!(large.join().unwrap(), 6 << 20);
}

/// No runtime has so many. That it panics, as this test should, is no success.
#[trefoil::test(workers = 2_000)]
#[should_panic]
#[ignore = "another test runs it"]
fn has_too_many_workers() {
    panic!("it was run");
}

#[test]
fn a_runtime_that_cannot_be_built_fails_the_test() {
    for model in models() {
        let ended = end_of_case("has_too_many_workers", model);
        assert_result(&ended, 0, 1);
        let sentence = "a runtime has 1 to 1024 workers, not 2000: give `workers` another number";
        assert!(ended.out.contains(sentence), "{ended:?}");
        assert!(!ended.out.contains("it was run"), "{ended:?}");
    }
}

/// A kernel runtime accepts it too; only the hybrid one has them.
#[trefoil::test(workers = 3)]
fn has_three_workers() {
    if inside() {
        let worker = |name: &String| name.starts_with("trefoil-") && name.trim_end().len() == 9;
        println!("\n> {}", os_threads().filter(worker).count());
    }
}

#[test]
fn the_number_of_workers_is_the_one_asked_for() {
    for model in models() {
        let ended = end_of(program(&[&format!("has_three_workers::{model}")]).arg("--nocapture"));
        assert_result(&ended, 1, 0);
        let workers = if model == Model::Hybrid { "3" } else { "0" };
        assert_eq!(said(&ended), [workers], "{ended:?}");
    }
}

/// The names of the OS threads of this process, of which the kernel keeps 15 bytes.
fn os_threads() -> impl Iterator<Item = String> {
    let tasks = fs::read_dir("/proc/self/task").unwrap();
    tasks.filter_map(|task| fs::read_to_string(task.ok()?.path().join("comm")).ok())
}

// What a test returns, and how it panics.

/// What is returned need not be `Send`. When inside it is an error.
#[trefoil::test]
fn returns_a_result() -> Result<(), Box<dyn Error>> {
    let number = if inside() { "many" } else { "42" };
    let n: u32 = number.parse()?;
    assert_eq!(n, 42);
    Ok(())
}

#[test]
fn an_error_fails_the_test() {
    for model in models() {
        let ended = end_of(&mut program(&[&format!("returns_a_result::{model}")]));
        assert_result(&ended, 0, 1);
        let said = "Error: ParseIntError { kind: InvalidDigit }";
        assert!(ended.out.contains(said), "{ended:?}");
    }
}

#[trefoil::test]
fn returns_an_exit_code() -> std::process::ExitCode {
    std::process::ExitCode::from(u8::from(inside()))
}

#[test]
fn a_failing_exit_code_fails_the_test() {
    for model in models() {
        let ended = end_of(&mut program(&[&format!("returns_an_exit_code::{model}")]));
        assert_result(&ended, 0, 1);
    }
}

/// When inside.
#[trefoil::test]
fn panics() {
    if inside() {
        panic!("the answer is {}", 42);
    }
}

#[test]
fn a_panic_fails_the_test_with_its_message() {
    for model in models() {
        let ended = end_beside_another("panics", model);
        assert_result(&ended, 1, 1);
        assert!(ended.out.contains("the answer is 42"), "{ended:?}");
        assert!(ended.out.contains(file!()), "{ended:?}");
        assert_eq!(ended.out.matches("panicked at").count(), 1, "{ended:?}");
    }
}

#[trefoil::test]
#[should_panic]
fn is_to_panic() {
    thread::spawn(|| panic!("it is meant to")).join().unwrap();
}

#[should_panic(expected = "the right words")]
#[trefoil::test]
fn is_to_panic_with_certain_words() {
    panic!(
        "{}",
        if inside() {
            "others"
        } else {
            "the right words"
        }
    );
}

#[test]
fn other_words_fail_the_test() {
    for model in models() {
        let case = format!("is_to_panic_with_certain_words::{model}");
        let ended = end_of(&mut program(&[&case]));
        assert_result(&ended, 0, 1);
        assert!(
            ended.out.contains("did not contain expected string"),
            "{ended:?}"
        );
    }
}

#[trefoil::test]
#[ignore = "it has no time"]
fn is_ignored() {
    assert!(!inside(), "it was run");
}

#[test]
fn an_ignored_test_is_not_run() {
    for model in models() {
        for (test, reason) in [
            ("is_ignored", "it has no time"),
            ("is_ignored_by_configuration", "always"),
        ] {
            let case = format!("{test}::{model}");
            let ended = end_of(&mut program(&[&case]));
            let line = format!("test {case} ... ignored, {reason}");
            assert!(ended.out.contains(&line), "{ended:?}");
            assert!(ended.status.success(), "{ended:?}");
            assert_result(&end_of_case(test, model), 0, 1);
        }
    }
}

#[cfg(any())]
#[trefoil::test]
fn is_configured_away() {
    this_does_not_exist();
}

#[trefoil::test]
#[cfg(any())]
fn is_configured_away_below() {
    this_does_not_exist();
}

#[trefoil::test]
#[cfg_attr(all(), ignore = "always")]
fn is_ignored_by_configuration() {
    assert!(!inside(), "it was run");
}

#[trefoil::test]
fn a_panic_that_nobody_joins_fails_no_test() {
    let (hold, held) = bounded::<()>(0);
    let panics = thread::spawn(move || {
        let _hold = hold;
        panic!("it is meant to");
    });
    // It has panicked when the sender is gone; nobody asks.
    assert!(held.recv().is_err());
    drop(panics);
}

/// When inside.
#[trefoil::test]
fn cancels_itself() {
    if inside() {
        thread::current().cancel();
        thread::park();
    }
}

#[test]
fn a_test_that_is_cancelled_fails_with_a_sentence() {
    for model in models() {
        let ended = end_beside_another("cancels_itself", model);
        assert_result(&ended, 1, 1);
        let sentence = "the test's first thread was cancelled, and has not come to its end";
        assert!(ended.out.contains(sentence), "{ended:?}");
    }
}

// What a test prints.

#[test]
fn what_a_passing_test_prints_is_kept() {
    for model in models() {
        let ended = end_of(&mut program(&[&format!("says_its_model::{model}")]));
        assert_result(&ended, 1, 0);
        assert!(said(&ended).is_empty(), "{ended:?}");
        assert_eq!(ended.err, "", "on {model}");
    }
}

/// When inside it says so from a spawned thread, and fails.
#[trefoil::test]
fn prints_and_fails() {
    if inside() {
        let child = thread::spawn(|| println!("\n> from a thread"));
        child.join().unwrap();
        panic!("it is meant to");
    }
}

#[test]
fn what_a_failing_test_prints_is_shown_below_its_name() {
    for model in models() {
        let ended = end_of(&mut program(&[&format!("prints_and_fails::{model}")]));
        assert_result(&ended, 0, 1);
        let head = format!("---- prints_and_fails::{model} stdout ----");
        let (_, shown) = ended.out.split_once(&head).expect("it failed");
        assert!(shown.contains("\n> from a thread\n"), "{ended:?}");
    }
}

// Tests that hang. Outside of a process of their own they do not.

#[trefoil::test(timeout = 3)]
#[ignore = "another test runs it"]
fn hangs_on_a_channel() {
    // The sender is alive.
    let (sender, receiver) = bounded(1);
    if !inside() {
        sender.send(()).unwrap();
    }
    println!("\n> {}", line!() + 1);
    receiver.recv().unwrap();
    drop(sender);
}

#[test]
fn a_test_that_hangs_fails_alone_and_says_where() {
    for_each_model(|model| {
        let ended = end_beside_another("hangs_on_a_channel", model);
        assert_result(&ended, 1, 1);
        let line = said(&ended)[0];
        let place = format!(" waits for a message from a channel at {}:{line}:", file!());
        let head = format!(
            "`hangs_on_a_channel::{model}` has not ended after 3s, on the {model} model. Its threads:"
        );
        // At once, and as the test's failure.
        for text in [&ended.err, &ended.out] {
            assert!(text.contains(&head), "{ended:?}");
            let first = line_of(text, |line| line.contains(&place), &ended);
            assert!(first.contains(&format!(", {model})")), "{ended:?}");
            assert!(
                first.contains(&format!("; spawned at {}:", file!())),
                "{ended:?}"
            );
        }
        assert!(!ended.err.contains("the process ends"), "{ended:?}");
    });
}

/// Its main thread, which waits for a lock, cannot be cancelled there. It gets the lock in the end.
#[trefoil::test(timeout = 3)]
#[ignore = "another test runs it"]
fn hangs_on_a_lock() {
    let lock = Arc::new(Mutex::new(()));
    let theirs = Arc::clone(&lock);
    let (tell, told) = bounded(1);
    let holder = thread::Builder::new().name("holder".to_owned());
    let holder = holder.spawn(move || {
        let _held = theirs.lock().unwrap();
        tell.send(()).unwrap();
        while inside() {
            thread::park();
        }
    });
    told.recv().unwrap();
    println!("\n> {}", line!() + 1);
    drop(lock.lock().unwrap());
    drop(holder);
}

#[test]
fn a_lock_that_is_held_is_told_with_its_holder() {
    for_each_model(|model| {
        let ended = end_beside_another("hangs_on_a_lock", model);
        // Although its body has come to its end.
        assert_result(&ended, 1, 1);
        let line = said(&ended)[0];
        let waits = format!(" waits for a mutex at {}:{line}:", file!());
        line_of(&ended.err, |line| line.contains(&waits), &ended);
        let holder = line_of(&ended.err, |line| line.contains("'holder'"), &ended);
        assert!(holder.contains(" waits for an unpark at "), "{ended:?}");
        assert!(
            holder.contains(&format!("; spawned at {}:", file!())),
            "{ended:?}"
        );
        assert!(!ended.err.contains("the process ends"), "{ended:?}");
    });
}

#[trefoil::test(timeout = 3)]
#[should_panic]
#[ignore = "another test runs it"]
fn hangs_instead_of_a_panic() {
    while inside() {
        thread::park();
    }
    panic!("it is meant to");
}

#[test]
fn a_hang_is_not_the_panic_that_was_expected() {
    for_each_model(|model| {
        let ended = end_beside_another("hangs_instead_of_a_panic", model);
        assert_result(&ended, 1, 1);
        assert!(ended.out.contains("did not panic as expected"), "{ended:?}");
        assert!(ended.out.contains(" waits for an unpark at "), "{ended:?}");
    });
}

#[trefoil::test(timeout = 3)]
#[ignore = "another test runs it"]
fn hangs_where_it_cannot_be_cancelled() {
    thread::uncancellable(|| {
        while inside() {
            thread::park();
        }
    });
}

/// It blocks its OS thread, as one that computes does.
#[trefoil::test(timeout = 3)]
#[ignore = "another test runs it"]
fn never_waits() {
    while inside() {
        std::thread::sleep(Duration::from_millis(1));
    }
}

#[track_caller]
fn assert_ends_the_process(test: &str, model: Model, does: &str) {
    let ended = end_of_case(test, model);
    assert_eq!(ended.status.code(), Some(101), "{ended:?}");
    line_of(&ended.err, |line| line.contains(does), &ended);
    let end =
        format!("`{test}::{model}` has not ended by being cancelled either: the process ends");
    assert!(ended.err.contains(&end), "{ended:?}");
}

#[test]
fn a_test_that_cannot_be_cancelled_ends_the_process() {
    for_each_model(|model| {
        let does = " waits for an unpark at ";
        assert_ends_the_process("hangs_where_it_cannot_be_cancelled", model, does);
    });
}

#[test]
fn a_test_that_never_waits_ends_the_process() {
    for_each_model(|model| assert_ends_the_process("never_waits", model, " is running; "));
}

/// The thread never waits once this one has ended.
#[trefoil::test(timeout = 20)]
#[ignore = "another test runs it"]
fn leaves_a_thread_behind() {
    let [begun, ended] = [(); 2].map(|()| Arc::new(AtomicBool::new(false)));
    let (begins, ends) = (Arc::clone(&begun), Arc::clone(&ended));
    let busy = thread::Builder::new().name("busy".to_owned());
    let busy = busy.spawn(move || {
        begins.store(true, Ordering::Relaxed);
        while !ends.load(Ordering::Relaxed) {
            thread::yield_now();
        }
        while inside() {
            std::thread::sleep(Duration::from_millis(1));
        }
    });
    while !begun.load(Ordering::Relaxed) {
        thread::yield_now();
    }
    ended.store(true, Ordering::Relaxed);
    drop(busy);
}

/// On a green runtime it has the only OS thread, and the `run` does not end.
#[test]
fn a_thread_that_is_left_behind_is_told() {
    for_each_model(|model| {
        let case = format!("leaves_a_thread_behind::{model}");
        let mut program = program(&[&case]);
        program.args(["--include-ignored", "--nocapture"]);
        if model == Model::Green {
            program.env("TREFOIL_TEST_TIMEOUT", "3");
        }
        let ended = end_of(&mut program);
        if model == Model::Green {
            assert_eq!(ended.status.code(), Some(101), "{ended:?}");
            let head = "Its body has; these threads have not:\n  thread 'busy' (";
            assert!(ended.err.contains(head), "{ended:?}");
        } else {
            assert_result(&ended, 1, 0);
            let told = "left when the test had ended, and did not end when it was cancelled: \
                        thread 'busy' (";
            assert!(ended.err.contains(told), "{ended:?}");
        }
    });
}

/// Its threads are ended, and those that they spawn meanwhile.
#[trefoil::test(timeout = 3)]
#[ignore = "another test runs it"]
fn hangs_in_many_threads() {
    struct Spawns;
    impl Drop for Spawns {
        fn drop(&mut self) {
            drop(thread::spawn(thread::park));
        }
    }
    thread::scope(|scope| {
        for _ in 0..10 {
            scope.spawn(|| {
                let _spawns = Spawns;
                while inside() {
                    thread::park();
                }
            });
        }
    });
}

#[test]
fn all_threads_of_a_test_that_hangs_are_ended() {
    for_each_model(|model| {
        let ended = end_beside_another("hangs_in_many_threads", model);
        assert_result(&ended, 1, 1);
        let parked = ended.err.matches(" waits for an unpark at ").count();
        assert_eq!(parked, 10, "{ended:?}");
        let scope = " waits for the threads of a scope to finish at ";
        line_of(&ended.err, |line| line.contains(scope), &ended);
        assert!(!ended.err.contains("the process ends"), "{ended:?}");
    });
}

#[test]
fn the_report_has_no_threads_of_other_tests() {
    for_each_model(|model| {
        let cases =
            ["hangs_on_a_channel", "hangs_on_a_lock"].map(|test| format!("{test}::{model}"));
        let ended = end_of(program(&[&cases[0], &cases[1]]).arg("--include-ignored"));
        assert_result(&ended, 0, 2);
        for (case, threads) in cases.iter().zip([1, 2]) {
            let head = format!("`{case}` has not ended after 3s");
            let (_, report) = ended.err.split_once(&head).expect("it is reported");
            let lines = report.lines().skip(1);
            let told = lines.take_while(|line| line.starts_with("  thread "));
            assert_eq!(told.count(), threads, "{ended:?}");
        }
    });
}

// How long a test may take.

/// Says how many OS threads there are: one more with a watchdog.
fn count_threads() {
    println!("\n> {}", os_threads().count());
}

#[trefoil::test]
fn usual_time() {
    count_threads();
}

#[trefoil::test(timeout = 0)]
fn no_timeout() {
    count_threads();
}

#[trefoil::test(timeout = 100)]
fn long_timeout() {
    count_threads();
}

/// How many OS threads the test has, where the variable holds this.
fn counted(test: &str, model: Model, variable: &str) -> usize {
    let mut program = program(&[&format!("{test}::{model}")]);
    program.env("TREFOIL_TEST_TIMEOUT", variable);
    let ended = end_of(program.arg("--nocapture"));
    assert_result(&ended, 1, 0);
    said(&ended)[0].parse().unwrap()
}

#[test]
fn the_environment_wins_over_the_test() {
    for model in models() {
        let alone = counted("usual_time", model, "0");
        for (test, variable, watchdogs) in [
            ("usual_time", "", 1),
            ("usual_time", "50", 1),
            ("no_timeout", "", 0),
            ("no_timeout", "50", 1),
            ("long_timeout", "", 1),
            ("long_timeout", "0", 0),
            // More than any clock can tell.
            ("long_timeout", "18446744073709551615", 0),
        ] {
            let counted = counted(test, model, variable);
            assert_eq!(counted, alone + watchdogs, "{test}, {variable}, {model}");
        }
    }
}

#[test]
fn the_time_is_what_the_environment_says() {
    for_each_model(|model| {
        let case = format!("leaves_no_time::{model}");
        let mut program = program(&[&case]);
        program
            .arg("--include-ignored")
            .env("TREFOIL_TEST_TIMEOUT", "2");
        let ended = end_of(&mut program);
        assert_result(&ended, 0, 1);
        assert!(
            ended.err.contains(" has not ended after 2s, on "),
            "{ended:?}"
        );
    });
}

#[trefoil::test(timeout = 1000)]
#[ignore = "another test runs it"]
fn leaves_no_time() {
    while inside() {
        thread::park();
    }
}

#[test]
fn a_wrong_variable_fails_the_test() {
    for model in models() {
        for test in ["usual_time", "is_to_panic"] {
            let case = format!("{test}::{model}");
            let ended = end_of(program(&[&case]).env("TREFOIL_TEST_TIMEOUT", "soon"));
            assert_result(&ended, 0, 1);
            let sentence = "the environment variable TREFOIL_TEST_TIMEOUT is `soon`, which it cannot \
                            be: set it to a whole number of seconds, to `0` for no limit, or not at all";
            assert!(ended.out.contains(sentence), "{ended:?}");
        }
    }
}
