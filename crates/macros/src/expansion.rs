//! Writes the function that stands where `#[trefoil::main]` was.
//!
//! ```text
//! ATTRIBUTES VISIBILITY fn name() -> R {
//!     fn name() -> R { body }
//!     ::trefoil::run(name)
//! }
//! ```
//!
//! The body becomes an inner function of the same signature, not a closure: `return`, `?` and
//! `impl Trait` mean in it what they meant before, and backtraces keep its name.

#![forbid(unsafe_code)]

use proc_macro2::{TokenStream, TokenTree};

use crate::arguments::Arguments;
use crate::attribute::Attribute;
use crate::function::Function;
use crate::refusal::Refusal;
use crate::tokens::{braced, parenthesized, written};

/// `#[trefoil::main(arguments)] item`, or the item and what is wrong with it. The item stays so
/// that a mistake is told once, and not again as "no `main` function found".
pub(crate) fn main(arguments: TokenStream, item: TokenStream) -> TokenStream {
    match try_main(arguments, item.clone()) {
        Ok(expansion) => expansion,
        Err(refusal) => TokenStream::from_iter([refusal.into_compile_error(), item]),
    }
}

fn try_main(arguments: TokenStream, item: TokenStream) -> Result<TokenStream, Refusal> {
    let arguments = Arguments::parse(Attribute::Main, arguments)?;
    let Function {
        attributes,
        visibility,
        signature,
        name,
        body,
        ..
    } = Function::parse(Attribute::Main, item)?;
    let inner = TokenStream::from_iter([signature.clone(), TokenTree::from(body).into()]);
    let call = run(arguments, parenthesized(TokenTree::from(name).into()));
    let block = braced(TokenStream::from_iter([inner, call]));
    Ok(TokenStream::from_iter([
        attributes.into_iter().collect(),
        visibility,
        signature,
        block,
    ]))
}

/// Runs the function in `(name)`: the facade's own choice where nothing was asked for.
fn run(arguments: Arguments, name: TokenStream) -> TokenStream {
    if arguments.is_empty() {
        return TokenStream::from_iter([written("::trefoil::run"), name]);
    }
    let mut building = written("::trefoil::Builder::new()");
    if let Some(named) = arguments.models.into_iter().next() {
        let model = [
            written("::trefoil::Model::"),
            TokenTree::from(named.variant).into(),
        ];
        building.extend([
            written(".model"),
            parenthesized(model.into_iter().collect()),
        ]);
    }
    if let Some(count) = arguments.workers {
        let count = TokenTree::from(count).into();
        building.extend([written(".workers"), parenthesized(count)]);
    }
    building.extend(written(".build()"));
    let arms = TokenStream::from_iter([
        written("::core::result::Result::Ok(runtime) => runtime.run"),
        name,
        written(", ::core::result::Result::Err(error) => ::trefoil::__private::exit_with(error),"),
    ]);
    TokenStream::from_iter([written("match"), building, braced(arms)])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn expand(arguments: &str, item: &str) -> String {
        main(arguments.parse().unwrap(), item.parse().unwrap()).to_string()
    }

    /// Spacing aside, as the compiler reads it.
    fn tokens(text: &str) -> String {
        text.parse::<TokenStream>().unwrap().to_string()
    }

    #[test]
    fn without_arguments_the_facade_chooses() {
        assert_eq!(
            expand("", "fn main() { work() }"),
            tokens("fn main() { fn main() { work() } ::trefoil::run(main) }"),
        );
    }

    #[test]
    fn attributes_and_visibility_stay_on_the_outer_function_only() {
        assert_eq!(
            expand("", "#[inline] pub fn serve() -> u8 where u8: Copy { 1 }"),
            tokens(
                "#[inline] pub fn serve() -> u8 where u8: Copy {
                    fn serve() -> u8 where u8: Copy { 1 }
                    ::trefoil::run(serve)
                }"
            ),
        );
    }

    #[test]
    fn arguments_go_to_the_builder() {
        assert_eq!(
            expand("model = \"hybrid\", workers = 4", "fn main() {}"),
            tokens(
                "fn main() {
                    fn main() {}
                    match ::trefoil::Builder::new()
                        .model(::trefoil::Model::Hybrid)
                        .workers(4)
                        .build()
                    {
                        ::core::result::Result::Ok(runtime) => runtime.run(main),
                        ::core::result::Result::Err(error) =>
                            ::trefoil::__private::exit_with(error),
                    }
                }"
            ),
        );
    }

    #[test]
    fn only_what_was_asked_for_is_set() {
        let only_model = expand("model = \"green\"", "fn main() {}");
        assert!(only_model.contains(&tokens("::trefoil::Model::Green")));
        assert!(!only_model.contains("workers"));
        let only_workers = expand("workers = 2", "fn main() {}");
        assert!(only_workers.contains(&tokens(".workers(2)")));
        assert!(!only_workers.contains("model"));
    }

    #[test]
    fn a_refusal_keeps_the_item() {
        for (arguments, item) in [("workers = 0", "fn main() {}"), ("", "async fn main() {}")] {
            let expansion = expand(arguments, item);
            assert!(
                expansion.starts_with(&tokens("::core::compile_error!")),
                "{expansion}"
            );
            assert!(expansion.ends_with(&tokens(item)), "{expansion}");
        }
    }
}
