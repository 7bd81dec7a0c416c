//! Trefoil's attribute macros. Programs use them through the facade: `#[trefoil::main]`.
//!
//! | file | stage |
//! |---|---|
//! | `arguments.rs` | reads `model = "…", workers = N` |
//! | `function.rs` | finds the parts of the function below the attribute |
//! | `expansion.rs` | writes the new function |
//! | `refusal.rs` | a mistake and its place, as a `compile_error!` |
//!
//! The walk over the tokens is written by hand: it needs the name, the parameter list and the
//! body of one function, and everything between them is handed on as it came. A full parser would
//! cost every user's build more than all of Trefoil.

#![forbid(unsafe_code)]

mod arguments;
mod expansion;
mod function;
mod refusal;

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
