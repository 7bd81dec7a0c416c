//! The test cases compiled and run, against a stand-in for the facade that knows two of the models and
//! records what is asked of it. What the real facade does with it is tested there.

#![forbid(unsafe_code)]

extern crate self as trefoil;

use std::cell::RefCell;
use std::process::{ExitCode, Termination};

pub use trefoil_macros::test;

thread_local! {
    static ASKED: RefCell<Vec<String>> = const { RefCell::new(Vec::new()) };
}

fn ask(what: impl Into<String>) {
    ASKED.with_borrow_mut(|asked| asked.push(what.into()));
}

/// What was asked of the stand-in for this case; the model is the last word of the first.
fn asked() -> Vec<String> {
    ASKED.take()
}

#[derive(Debug)]
#[allow(dead_code, reason = "no case of the last is made")]
enum Model {
    Kernel,
    Green,
    Hybrid,
}

mod __private {
    use super::{ExitCode, Model, Termination, ask};

    pub(crate) struct Case;

    impl Case {
        pub(crate) fn new(path: &str, model: Model) -> Case {
            ask(format!("{path} {model:?}"));
            Case
        }

        pub(crate) fn workers(self, count: usize) -> Case {
            ask(format!("{count} workers"));
            self
        }

        pub(crate) fn timeout(self, seconds: u64) -> Case {
            ask(format!("{seconds} seconds"));
            self
        }

        pub(crate) fn stack_size(self, size: usize) -> Case {
            ask(format!("{size} bytes"));
            self
        }

        pub(crate) fn should_panic(self) -> Case {
            ask("is to panic");
            self
        }

        pub(crate) fn run<T: Termination>(self, body: impl FnOnce() -> T) -> ExitCode {
            body().report()
        }
    }

    macro_rules! compiled_in {
        ({ $($here:tt)* } { $($missing:tt)* }) => { $($here)* };
    }
    macro_rules! not_compiled_in {
        ({ $($here:tt)* } { $($missing:tt)* }) => { $($missing)* };
    }
    macro_rules! no_model {
        ($($missing:tt)*) => {};
    }
    pub(crate) use not_compiled_in as hybrid;
    pub(crate) use {compiled_in as green, compiled_in as kernel, no_model};
}

/// The variant's name where this case is asked for by no more than its path.
fn only_model(test: &str) -> String {
    let asked = asked();
    let [asked] = &asked[..] else {
        panic!("{asked:?}");
    };
    let (path, model) = asked.split_once(' ').unwrap();
    let case = path.strip_prefix(&format!("cases::{test}::")).unwrap();
    assert!(case.eq_ignore_ascii_case(model), "{asked}");
    model.to_owned()
}

#[trefoil::test]
fn every_model_has_a_case() {
    assert!(["Kernel", "Green"].contains(&&*only_model("every_model_has_a_case")));
}

mod inner {
    #[trefoil::test]
    pub(crate) fn modules_are_in_the_path() {
        super::only_model("inner::modules_are_in_the_path");
    }
}

#[trefoil::test(model = "green")]
fn one_model_is_asked_for() {
    assert_eq!(only_model("one_model_is_asked_for"), "Green");
}

#[trefoil::test(models("kernel"), workers = 3, timeout = 10, stack_size = 65_536)]
fn settings_are_handed_on() {
    assert_eq!(
        asked(),
        [
            "cases::settings_are_handed_on::kernel Kernel",
            "3 workers",
            "10 seconds",
            "65536 bytes",
        ]
    );
}

#[trefoil::test(models("kernel"))]
#[should_panic(expected = "is to panic")]
fn the_case_knows_that_it_is_to_panic() {
    panic!("{:?}", asked());
}

#[trefoil::test(models("kernel"))]
#[cfg_attr(not(test), should_panic)]
#[cfg_attr(test, ignore = "always")]
fn conditions_are_decided_before() {
    assert_eq!(asked().len(), 1);
}

#[trefoil::test]
#[cfg(not(test))]
fn is_configured_away() {
    this_does_not_exist();
}

#[trefoil::test]
fn question_mark_and_return_leave_the_body() -> Result<(), Box<dyn std::error::Error>> {
    let number: u32 = "1".parse()?;
    if number == 1 {
        return Ok(());
    }
    Err("it did not return".into())
}

#[trefoil::test]
#[should_panic = "it never returns"]
fn a_body_may_diverge() {
    let never: fn() -> ! = || panic!("it never returns");
    never()
}

#[trefoil::test]
fn r#match() {
    only_model("r#match");
}

#[trefoil::test]
#[expect(unused_variables, reason = "an expectation is fulfilled once")]
fn lints_count_for_the_body() {
    let unused = 1;
}

#[trefoil::test]
#[allow(non_snake_case)]
fn LintsCountForTheName() {}

#[trefoil::test]
fn names_of_the_expansion_do_not_meet_the_bodys() {
    // A function and a module in the body's scope have the names of cases.
    fn kernel() -> u8 {
        1
    }
    assert_eq!(kernel() + green::it(), 3);
}

mod green {
    pub(crate) fn it() -> u8 {
        2
    }
}

macro_rules! tests {
    ($($(#[$attribute:meta])* $vis:vis fn $name:ident() $body:block, $model:literal, $workers:literal)*) => {
        $(
            $(#[$attribute])*
            #[trefoil::test(model = $model, workers = $workers)]
            $vis fn $name() $body
        )*
    };
}

tests! {
    /// Documented.
    #[should_panic]
    fn works_below_macro_rules() {
        panic!("it is meant to");
    }, "kernel", 2
    #[ignore = "never"]
    pub(crate) fn is_ignored() {
        panic!("it was run");
    }, "green", 3
}

/// The function itself is what it was. In this module `test` is ours.
#[core::prelude::v1::test]
fn the_function_can_be_called() {
    question_mark_and_return_leave_the_body().unwrap();
    assert!(asked().is_empty());
}
