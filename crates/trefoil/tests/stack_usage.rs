//! How deep stacks get, by the facade: who switches it on, and what is told of a process's first OS
//! thread, whose stack is not like others.
//!
//! A test of the harness runs on another OS thread. So this is none: each case is a call of a
//! function here, or of this program itself with a `case` in its environment.
#![forbid(unsafe_code)]

mod support;

use std::env;
use std::fs;
use std::path::Path;
use std::process::{self, Command};

use support::{Ended, end_of, models};
use trefoil::{Builder, Model, StackUsage, thread};

/// In the environment of this program as a case.
const CASE: &str = "TREFOIL_TEST_CASE";

/// What the deep thread uses, in KiB.
const DEEP: usize = 100;

/// Uses that much of its stack, and little more.
fn dig(kib: usize) -> usize {
    let frame = std::hint::black_box([0_u8; 1024]);
    let below = if kib > 1 { dig(kib - 1) } else { 0 };
    below + std::hint::black_box(&frame).len()
}

/// The deepest use of the main thread and of its one child, on a runtime that was told by `tell`
/// whether to measure. Both use much of their stacks, and so has the caller before.
fn measure(model: Model, tell: impl Fn(Builder) -> Builder) -> Vec<StackUsage> {
    dig(3 * DEEP);
    let builder = tell(Builder::new().model(model).workers(2));
    let runtime = builder.build().unwrap();
    runtime.run(|| {
        dig(DEEP / 2);
        thread::spawn(|| dig(DEEP)).join().unwrap()
    });
    runtime.stack_usage()
}

#[track_caller]
fn assert_measured(usage: &[StackUsage]) {
    let [child, main] = usage else {
        panic!("there are two sites: {usage:#?}");
    };
    assert_eq!((child.threads, main.threads), (1, 1));
    assert_eq!(main.name.as_deref(), Some("main"));
    for (usage, kib) in [(child, DEEP), (main, DEEP / 2)] {
        assert_eq!(usage.site.file(), file!());
        // Frames are larger than what is in them.
        let bounds = kib << 10..(2 * kib + 32) << 10;
        assert!(bounds.contains(&usage.deepest), "{usage}");
        assert!(usage.deepest <= usage.stack_size, "{usage}");
    }
}

fn a_builder_switches_it_on_and_off() {
    for model in models() {
        assert_measured(&measure(model, |builder| builder.measure_stacks(true)));
        assert!(measure(model, |builder| builder.measure_stacks(false)).is_empty());
    }
}

fn runtimes_of_one_builder_count_by_themselves() {
    for model in models() {
        let builder = Builder::new().model(model).workers(1).measure_stacks(true);
        let [one, other] = [(); 2].map(|()| builder.clone().build().unwrap());
        one.run(|| ());
        assert_eq!(one.stack_usage()[0].threads, 1);
        assert!(other.stack_usage().is_empty());
    }
}

fn it_prints_as_a_line() {
    for model in models() {
        for usage in measure(model, |builder| builder.measure_stacks(true)) {
            let expected = format!(
                "{}: 1 thread, the deepest used {} KiB of a stack of {} KiB",
                usage.site,
                usage.deepest.div_ceil(1024),
                usage.stack_size / 1024
            );
            assert_eq!(usage.to_string(), expected);
        }
    }
}

/// How this program ends as another process in whose environment `TREFOIL_STACK_USAGE` is `value`,
/// or not set, while its builders say `told`. `limit` is for the stack of its first thread, in KiB.
fn program(told: &str, value: Option<&str>, limit: &str) -> Ended {
    let mut command = Command::new("sh");
    command
        .args(["-c", "ulimit -s \"$1\" && exec \"$0\""])
        .arg(env::current_exe().unwrap())
        .arg(limit)
        .env(CASE, told)
        .env_remove("TREFOIL_STACK_USAGE");
    if let Some(value) = value {
        command.env("TREFOIL_STACK_USAGE", value);
    }
    end_of(&mut command)
}

/// The other process.
fn inside(told: &str) {
    let process = process::id();
    let me = fs::read_link("/proc/thread-self").unwrap();
    assert_eq!(me, Path::new(&format!("{process}/task/{process}")));
    for model in models() {
        let usage = measure(model, |builder| match told {
            "on" => builder.measure_stacks(true),
            "off" => builder.measure_stacks(false),
            _ => builder,
        });
        if usage.is_empty() {
            println!("{model} is not measured");
        } else {
            assert_measured(&usage);
            println!("{model} is measured");
        }
    }
}

#[track_caller]
fn assert_ended(ended: &Ended, measured: bool) {
    assert!(ended.status.success(), "{ended:?}");
    let is = if measured { "is" } else { "is not" };
    let lines = models().into_iter();
    let said: String = lines
        .map(|model| format!("{model} {is} measured\n"))
        .collect();
    assert_eq!(ended.out, said, "{ended:?}");
}

fn the_environment_switches_it_on_where_no_builder_says_anything() {
    assert_ended(&program("nothing", None, "8192"), false);
    assert_ended(&program("nothing", Some(""), "8192"), false);
    assert_ended(&program("nothing", Some("0"), "8192"), false);
    assert_ended(&program("nothing", Some("off"), "8192"), false);
    assert_ended(&program("nothing", Some("1"), "8192"), true);
    assert_ended(&program("nothing", Some("on"), "8192"), true);
    assert_ended(&program("nothing", Some("print"), "8192"), true);
    assert_ended(&program("off", Some("1"), "8192"), false);
    assert_ended(&program("on", None, "8192"), true);
}

/// The first thread's stack grows to its limit, which need not be a number of pages.
fn the_first_os_thread_is_measured_whatever_its_limit() {
    for limit in ["4099", "65536", "unlimited"] {
        assert_ended(&program("on", None, limit), true);
    }
}

fn main() {
    if let Ok(told) = env::var(CASE) {
        return inside(&told);
    }
    a_builder_switches_it_on_and_off();
    runtimes_of_one_builder_count_by_themselves();
    it_prints_as_a_line();
    the_environment_switches_it_on_where_no_builder_says_anything();
    the_first_os_thread_is_measured_whatever_its_limit();
}
