//! The expansion compiled and run, against a stand-in for the facade that records what is asked of
//! it. What the real facade does with it is tested there.

#![forbid(unsafe_code)]

extern crate self as trefoil;

use std::cell::RefCell;

pub use trefoil_macros::main;

thread_local! {
    static ASKED: RefCell<Vec<String>> = const { RefCell::new(Vec::new()) };
}

fn ask(what: impl Into<String>) {
    ASKED.with_borrow_mut(|asked| asked.push(what.into()));
}

/// What was asked of the stand-in since the last call, on this thread.
fn asked() -> Vec<String> {
    ASKED.take()
}

fn run<T>(body: impl FnOnce() -> T) -> T {
    ask("run");
    body()
}

#[derive(Debug)]
#[allow(
    dead_code,
    reason = "the attribute names them all; not every test does"
)]
enum Model {
    Kernel,
    Green,
    Hybrid,
}

struct Builder;

impl Builder {
    fn new() -> Self {
        ask("new");
        Builder
    }

    fn model(self, model: Model) -> Self {
        ask(format!("{model:?}"));
        self
    }

    fn workers(self, count: usize) -> Self {
        ask(format!("{count} workers"));
        self
    }

    fn build(self) -> Result<Runtime, &'static str> {
        ask("build");
        if ASKED.with_borrow(|asked| asked.iter().any(|it| it == "13 workers")) {
            return Err("thirteen");
        }
        Ok(Runtime)
    }
}

struct Runtime;

impl Runtime {
    fn run<T>(self, body: impl FnOnce() -> T) -> T {
        ask("run");
        body()
    }
}

mod __private {
    pub(crate) fn exit_with(error: &str) -> ! {
        panic!("exit with {error}")
    }
}

#[trefoil::main]
fn early_return() -> Option<u32> {
    let first = Some(1)?;
    if first == 1 {
        return None;
    }
    Some(first)
}

#[test]
fn return_and_question_mark_leave_the_body() {
    assert_eq!(early_return(), None);
    assert_eq!(asked(), ["run"]);
}

mod inner {
    /// Documented, visible, and with a return type that no closure could have.
    #[must_use]
    #[trefoil::main(workers = 3, model = "hybrid")]
    pub(super) fn opaque() -> impl Iterator<Item = u8>
    where
        u8: Copy,
    {
        0..3
    }
}

#[test]
fn signature_and_visibility_are_kept_and_the_builder_is_asked() {
    assert_eq!(inner::opaque().sum::<u8>(), 3);
    assert_eq!(asked(), ["new", "Hybrid", "3 workers", "build", "run"]);
}

#[trefoil::main(workers = 13)]
fn unlucky() -> u8 {
    13
}

#[test]
#[should_panic = "exit with thirteen"]
fn a_build_error_goes_to_exit_with() {
    unlucky();
}

#[trefoil::main(model = "green")]
fn names() -> (u8, u8) {
    // The expansion's own names must not be seen here.
    let runtime = 1;
    let error = 2;
    (runtime, error)
}

#[test]
fn names_of_the_expansion_do_not_meet_the_bodys() {
    assert_eq!(names(), (1, 2));
    assert_eq!(asked(), ["new", "Green", "build", "run"]);
}

macro_rules! entry {
    ($(#[$attribute:meta])* $vis:vis fn $name:ident() -> $ret:ty $body:block, $workers:literal) => {
        $(#[$attribute])*
        #[trefoil::main(workers = $workers)]
        $vis fn $name() -> $ret $body
    };
}

entry!(
    #[inline]
    fn from_a_macro() -> Box<dyn Fn() -> u8 + Send> {
        Box::new(|| 7)
    },
    2
);

#[test]
fn works_below_macro_rules() {
    assert_eq!(from_a_macro()(), 7);
    assert_eq!(asked(), ["new", "2 workers", "build", "run"]);
}

#[test]
#[trefoil::main]
fn stands_below_other_attributes() {
    assert_eq!(asked(), ["run"]);
}

#[trefoil::main]
fn never() -> ! {
    panic!("it never returns")
}

#[test]
#[should_panic = "it never returns"]
fn a_body_may_diverge() {
    never()
}
