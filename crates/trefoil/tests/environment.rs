//! What the environment variables say, on every model, and what comes of a word that one cannot hold:
//! programs, each in a process with an environment of its own. `TREFOIL_MODEL` has `selection.rs`.
#![forbid(unsafe_code)]

mod support;

use std::env;
use std::process;

use support::{Ended, INSIDE, end_of, models, program, said};
use trefoil::{Builder, Model, stack_usage, thread};

/// All that is read but `TREFOIL_MODEL`.
const VARIABLES: [&str; 4] = [
    "TREFOIL_STACK_USAGE",
    "TREFOIL_OVERFLOW",
    "TREFOIL_GUARD",
    "TREFOIL_RELIEF",
];

/// Runs `body` on the model that the test which runs this process asks for, if it is one.
fn inside(body: fn(Model)) {
    if let Ok(model) = env::var(INSIDE) {
        body(model.parse().unwrap());
        process::exit(0);
    }
}

/// How `test` ends as a process of its own, on a model, where one variable is set.
fn end_where(test: &str, model: Model, variable: &str, value: &str) -> Ended {
    let mut program = program(test, model);
    for variable in VARIABLES {
        program.env_remove(variable);
    }
    end_of(
        program
            .env("TREFOIL_MODEL", model.name())
            .env(variable, value),
    )
}

/// Whether a runtime of this model looks at the variable.
fn is_read(variable: &str, model: Model) -> bool {
    variable != "TREFOIL_GUARD" || model != Model::Kernel
}

/// What is said of a word that the variable cannot hold.
fn sentence(variable: &str, value: &str) -> String {
    let words = match variable {
        "TREFOIL_STACK_USAGE" => "`1`, `on`, `print`, `0`, `off`",
        "TREFOIL_OVERFLOW" | "TREFOIL_RELIEF" => "`1`, `on`, `0`, `off`",
        "TREFOIL_GUARD" => "`mprotect`",
        _ => panic!("{variable} is another test's"),
    };
    format!(
        "the thread runtime cannot be built: the environment variable {variable} is `{value}`, \
         which it cannot be: set it to {words}, or not at all"
    )
}

/// Says whether a runtime can be built, and that a thread of it runs.
fn build(model: Model) {
    match Builder::new().model(model).workers(2).build() {
        Ok(runtime) => runtime.run(|| {
            thread::spawn(|| println!("\n> ran")).join().unwrap();
        }),
        Err(refused) => println!("\n> {refused}"),
    }
}

#[test]
fn a_word_that_is_none_is_refused_by_build() {
    inside(build);
    for model in models() {
        for variable in VARIABLES {
            for value in ["true", "ON", "no", " "] {
                let test = "a_word_that_is_none_is_refused_by_build";
                let ended = end_where(test, model, variable, value);
                let refused = sentence(variable, value);
                let read = is_read(variable, model);
                assert_eq!(
                    said(&ended),
                    [if read { &refused } else { "ran" }],
                    "{ended:?}"
                );
            }
        }
    }
}

#[test]
fn every_word_and_none_is_understood() {
    inside(build);
    // Without a kernel runtime to which threads could be moved it is refused.
    let relief: &[&str] = match cfg!(feature = "kernel") {
        true => &["", "0", "off", "1", "on"],
        false => &["", "0", "off"],
    };
    let words: [(&str, &[&str]); 4] = [
        ("TREFOIL_RELIEF", relief),
        ("TREFOIL_STACK_USAGE", &["", "0", "off", "1", "on", "print"]),
        ("TREFOIL_OVERFLOW", &["", "0", "off", "1", "on"]),
        ("TREFOIL_GUARD", &["", "mprotect"]),
    ];
    for model in models() {
        for (variable, words) in words {
            for value in words {
                let test = "every_word_and_none_is_understood";
                let ended = end_where(test, model, variable, value);
                assert_eq!(said(&ended), ["ran"], "{ended:?}");
            }
        }
    }
}

#[test]
fn run_panics_with_the_sentence() {
    inside(|_| trefoil::run(|| println!("\n> ran")));
    for model in models() {
        let variables = VARIABLES.into_iter();
        for variable in variables.filter(|variable| is_read(variable, model)) {
            let ended = end_where("run_panics_with_the_sentence", model, variable, "true");
            assert_eq!(ended.status.code(), Some(101), "{ended:?}");
            assert!(ended.err.contains(&sentence(variable, "true")), "{ended:?}");
            assert!(
                ended.err.contains(file!()),
                "it is another's panic: {ended:?}"
            );
            assert!(said(&ended).is_empty(), "{ended:?}");
        }
    }
}

/// Where there is no kernel runtime to which a thread could be moved, relief is an error, and no silence.
#[test]
#[cfg(not(feature = "kernel"))]
fn relief_without_kernel_threads_is_refused() {
    inside(build);
    for model in models() {
        let test = "relief_without_kernel_threads_is_refused";
        let ended = end_where(test, model, "TREFOIL_RELIEF", "on");
        assert!(
            said(&ended)[0].contains("the feature `kernel`"),
            "{ended:?}"
        );
    }
}

/// What the program says itself wins: then the environment is not even read.
#[test]
fn where_the_program_decides_nothing_is_read() {
    inside(|model| {
        for on in [true, false] {
            let builder = Builder::new().model(model).measure_stacks(on);
            let runtime = builder.build().unwrap();
            runtime.run(|| ());
            println!("\n> {}", runtime.stack_usage().len());
        }
    });
    for model in models() {
        for value in ["true", "0", "1", "print"] {
            let test = "where_the_program_decides_nothing_is_read";
            let ended = end_where(test, model, "TREFOIL_STACK_USAGE", value);
            assert_eq!(said(&ended), ["1", "0"], "{ended:?}");
            assert!(!ended.err.contains("stack usage"), "{ended:?}");
        }
    }
}

/// A program that has no `Runtime` at hand. Its child uses 40 KiB and more.
#[trefoil::main]
fn small_program() {
    let deep = thread::spawn(|| std::hint::black_box([1_u8; 40 << 10]).len());
    deep.join().unwrap();
    for usage in stack_usage() {
        println!("\n> {usage}");
    }
}

/// The line of a place in this file, and the KiB used there.
#[track_caller]
fn parsed(line: &str) -> (u32, usize) {
    let place = line.trim_start().strip_prefix(concat!(file!(), ":"));
    let (place, rest) = place
        .unwrap()
        .split_once(": 1 thread, the deepest used ")
        .unwrap();
    let number = place.split_once(':').unwrap().0;
    let kib = rest.split_once(" KiB of a stack of ").unwrap().0;
    (number.parse().unwrap(), kib.parse().unwrap())
}

/// Where measuring is switched on from outside, a program with the attribute is told by
/// `trefoil::stack_usage`, and by `print` also whoever started it.
#[test]
fn a_program_with_the_attribute_is_measured() {
    inside(|_| small_program());
    for model in models() {
        for value in ["", "off", "on", "print"] {
            let test = "a_program_with_the_attribute_is_measured";
            let ended = end_where(test, model, "TREFOIL_STACK_USAGE", value);
            assert!(ended.status.success(), "{ended:?}");
            let told = said(&ended);
            if ["on", "print"].contains(&value) {
                assert_eq!(told.len(), 1, "only the child has ended: {ended:?}");
                assert!(parsed(told[0]).1 >= 40, "{ended:?}");
            } else {
                assert!(told.is_empty(), "{ended:?}");
            }
            assert_printed(&ended, model, (value == "print").then_some(&told));
        }
    }
}

/// `told`: what the program was told of its child. `None`: nothing is printed.
#[track_caller]
fn assert_printed(ended: &Ended, model: Model, told: Option<&Vec<&str>>) {
    let head = format!("stack usage of the {model} runtime, the deepest first:\n");
    let printed = ended.err.split_once(&head).map(|(_, table)| table);
    assert_eq!(printed.is_some(), told.is_some(), "{ended:?}");
    if let (Some(printed), Some(told)) = (printed, told) {
        let mut lines: Vec<&str> = printed.lines().collect();
        assert_eq!(lines.len(), 2, "the child and the first thread: {ended:?}");
        let child = lines.iter().position(|line| line.trim_start() == told[0]);
        lines.remove(child.expect("it is told alike"));
        let main = parsed(lines[0]).0;
        assert_eq!(main + 1, parsed(told[0]).0 - 1, "{ended:?}");
    }
}
