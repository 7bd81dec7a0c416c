//! Trefoil's attribute macros. Programs use them through the facade: `#[trefoil::main]` and
//! `#[trefoil::test]`.
//!
//! | file | stage |
//! |---|---|
//! | `attribute.rs` | which of the two it is, and what it takes |
//! | `arguments.rs` | reads `model = "…", workers = N` |
//! | `function.rs` | finds the parts of the function below the attribute |
//! | `sorting.rs` | says where the other attributes of a test go |
//! | `expansion.rs` | writes the new function of `#[trefoil::main]` |
//! | `cases.rs` | writes the test cases of `#[trefoil::test]` |
//! | `tokens.rs` | tokens of our own |
//! | `refusal.rs` | a mistake and its place, as a `compile_error!` |
//!
//! The walk over the tokens is written by hand: it needs the name, the parameter list and the
//! body of one function, and everything between them is handed on as it came. A full parser would
//! cost every user's build more than all of Trefoil.

#![forbid(unsafe_code)]

mod arguments;
mod attribute;
mod cases;
mod expansion;
mod function;
mod refusal;
mod sorting;
mod tokens;

/// Runs a function's body as the first thread of a Trefoil runtime.
///
/// Stands above `fn main`, or any function without parameters. Attributes, visibility and return
/// type stay as they are.
///
/// Without arguments the model is chosen as [`trefoil::run`] chooses it: the environment variable
/// `TREFOIL_MODEL`, then the enabled features.
///
/// ```
/// # extern crate self as trefoil; // stands in for the facade
/// # pub use trefoil_macros::main;
/// # pub fn run<T>(body: impl FnOnce() -> T) -> T { body() }
/// #[trefoil::main]
/// fn main() -> Result<(), std::num::ParseIntError> {
///     let answer: u32 = "42".parse()?;
///     assert_eq!(answer, 42);
///     Ok(())
/// }
/// ```
///
/// # Arguments
///
/// * `model = "kernel"`, `"green"` or `"hybrid"`: the model. It wins over `TREFOIL_MODEL`, as
///   everything does that the program says itself.
/// * `workers = N`: how many OS threads the hybrid model runs on, at least 1.
///
/// ```
/// # extern crate self as trefoil; // stands in for the facade
/// # pub use trefoil_macros::main;
/// # pub enum Model { Hybrid }
/// # pub struct Builder;
/// # impl Builder {
/// #     pub fn new() -> Self { Builder }
/// #     pub fn model(self, _: Model) -> Self { self }
/// #     pub fn workers(self, _: usize) -> Self { self }
/// #     pub fn build(self) -> Result<Runtime, ()> { Ok(Runtime) }
/// # }
/// # pub struct Runtime;
/// # impl Runtime { pub fn run<T>(self, body: impl FnOnce() -> T) -> T { body() } }
/// # pub mod __private { pub fn exit_with(_: ()) -> ! { std::process::exit(1) } }
/// #[trefoil::main(model = "hybrid", workers = 4)]
/// fn main() {
///     println!("on four workers");
/// }
/// ```
///
/// # Errors
///
/// A runtime that cannot be built (a model that is not compiled in, say) ends the program with
/// the reason and a failing exit code.
///
/// At compile time are refused: an `async`, `const`, `unsafe` or `extern` function, parameters,
/// generics, an unknown argument, an unknown model, and `workers = 0`.
///
/// ```compile_fail
/// # extern crate self as trefoil;
/// # pub use trefoil_macros::main;
/// # pub fn run<T>(body: impl FnOnce() -> T) -> T { body() }
/// #[trefoil::main]
/// async fn main() {}
/// ```
///
/// [`trefoil::run`]: ../trefoil/fn.run.html
#[proc_macro_attribute]
pub fn main(
    arguments: proc_macro::TokenStream,
    item: proc_macro::TokenStream,
) -> proc_macro::TokenStream {
    expansion::main(arguments.into(), item.into()).into()
}

/// Runs a test once on every model that is compiled in, under a watchdog.
///
/// `fn name` becomes the tests `name::kernel`, `name::green` and `name::hybrid`: one for each of the
/// features `kernel`, `green` and `hybrid` of the crate `trefoil` that is enabled. `cargo test name`
/// runs them all, `cargo test name::green` one, `cargo test ::green` all tests on one model. The body
/// is the first thread of a runtime of its own each time.
///
/// ```test_harness
/// # extern crate self as trefoil; // stands in for the facade
/// # pub use trefoil_macros::test;
/// # pub enum Model { Kernel, Green, Hybrid }
/// # pub mod __private {
/// #     pub struct Case;
/// #     impl Case {
/// #         pub fn new(_: &str, _: crate::Model) -> Self { Case }
/// #         pub fn run<T>(self, body: fn() -> T) -> std::process::ExitCode
/// #         where T: std::process::Termination { body().report() }
/// #     }
/// #     macro_rules! kept { ({ $($kept:tt)* } { $($other:tt)* }) => { $($kept)* } }
/// #     macro_rules! none { ($($no:tt)*) => {} }
/// #     pub(crate) use {kept as kernel, kept as green, kept as hybrid, none as no_model};
/// # }
/// #[trefoil::test]
/// fn a_number_is_read() -> Result<(), std::num::ParseIntError> {
///     assert_eq!("42".parse::<u32>()?, 42);
///     Ok(())
/// }
/// ```
///
/// A crate that leaves the choice of the model to others enables all three for its tests:
///
/// ```toml
/// [dev-dependencies]
/// trefoil = { version = "…", features = ["kernel", "green", "hybrid"] }
/// ```
///
/// It is as `#[test]` else: what is returned, and what a panic means; `#[should_panic]`, `#[ignore]`,
/// `#[cfg]`, lints and other attributes count for every case. A thread that panics and that nobody joins
/// fails no test. What the threads of the test print is kept and shown as that of the test itself, but for
/// what [`thread::blocking`] runs on an OS thread that another test has begun.
///
/// The function stays where it is, and can be called. Its cases are in a module of its name, which must be
/// free. After `use trefoil::test;` it is `#[test]` that means this attribute.
///
/// # Arguments
///
/// * `model = "green"`, or `models("green", "hybrid")`: runs on these alone. One that is not compiled in
///   is a compile error.
/// * `workers = N`: how many OS threads the hybrid model runs on, at least 1.
/// * `stack_size = BYTES`: of threads that the test spawns, unless they ask for another.
/// * `timeout = SECONDS`: how long the test may take; 60 without it, and 0 for ever.
///
/// The environment variable `TREFOIL_TEST_TIMEOUT` is a number of seconds too. It wins over `timeout` and
/// over the 60: for a slow machine, and as 0 for a debugger.
///
/// # A test that hangs
///
/// When its time is over, a report goes to the standard error: each thread of the test, what it waits
/// for, where, and for how long. Then they are all [cancelled]. A test that ends by that has failed, with
/// the report as its panic's message, and the others go on:
///
/// ```text
/// `queue::is_drained::hybrid` has not ended after 60s, on the hybrid model. Its threads:
///   thread 'main' (12, hybrid) waits for a thread to finish at src/queue.rs:81:16, for 60.0s; spawned at src/queue.rs:70:5
///   thread 'drains' (13, hybrid) waits for a message from a channel at src/queue.rs:75:29, for 60.0s; spawned at src/queue.rs:74:18
/// ```
///
/// One that does not end within five seconds either, because it computes, say, or blocks outside of
/// Trefoil, cannot be ended by itself: then the process ends with the exit code 101, and tests that have not
/// ended by then have no result.
///
/// A test with `#[should_panic]` that hangs fails too.
///
/// # Errors
///
/// At compile time are refused: an `async`, `const`, `unsafe` or `extern` function, parameters, generics, a
/// further `#[test]`, an unknown argument, an unknown model or one that is not compiled in, and
/// `workers = 0`. A runtime that cannot be built fails the test, and so does a `TREFOIL_TEST_TIMEOUT` that
/// is no number.
///
/// ```compile_fail
/// # extern crate self as trefoil;
/// # pub use trefoil_macros::test;
/// #[trefoil::test]
/// async fn it_works() {}
/// ```
///
/// ```compile_fail
/// # extern crate self as trefoil;
/// # pub use trefoil_macros::test;
/// #[trefoil::test]
/// fn it_works(count: usize) {}
/// ```
///
/// [`thread::blocking`]: ../trefoil/thread/fn.blocking.html
/// [cancelled]: ../trefoil/thread/struct.Thread.html#method.cancel
#[proc_macro_attribute]
pub fn test(
    arguments: proc_macro::TokenStream,
    item: proc_macro::TokenStream,
) -> proc_macro::TokenStream {
    cases::test(arguments.into(), item.into()).into()
}
