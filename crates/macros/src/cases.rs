//! Writes what stands where `#[trefoil::test]` was: the function, and a module with one test for
//! each model.
//!
//! ```text
//! #[cfg(test)] VISIBILITY fn name() -> R { body }      // as it was: paths mean what they meant
//!
//! #[cfg(test)] mod name {
//!     ::trefoil::__private::kernel! {
//!         { #[test] ATTRIBUTES fn kernel() { Case::new("…", Model::Kernel).run(super::name); } }
//!         { }                                          // or an error, if this model was asked for
//!     }
//!     …                                                // green! and hybrid!
//!     ::trefoil::__private::no_model! { compile_error! { "…" } }
//! }
//! ```
//!
//! # Who knows which models are there
//!
//! The facade's features say it, and an attribute macro cannot see them: a `cfg` in what it writes
//! means a feature of the user's crate. If this crate had the same features, and the facade passed
//! them on, they would be those of the host: where a build script, or another macro, uses Trefoil too,
//! Cargo builds this crate once, with the features of both. Then there would be cases for models that
//! the facade of the tests does not have. So the facade itself decides: for each model it exports a
//! `macro_rules!` macro that keeps its first argument if the model is compiled in, and else its second.
//! That macro is part of the very facade that runs the test.

#![forbid(unsafe_code)]

use proc_macro2::{Ident, Literal, Span, TokenStream, TokenTree};

use crate::arguments::{Arguments, MODELS, Named};
use crate::attribute::Attribute;
use crate::function::Function;
use crate::refusal::Refusal;
use crate::sorting::Sorted;
use crate::tokens::{braced, parenthesized, written};

/// `#[trefoil::test(arguments)] item`, or the item and what is wrong with it: so the mistake is
/// told once, and not again as a function that is missing.
pub(crate) fn test(arguments: TokenStream, item: TokenStream) -> TokenStream {
    match try_test(arguments, item.clone()) {
        Ok(expansion) => expansion,
        Err(refusal) => TokenStream::from_iter([refusal.into_compile_error(), item]),
    }
}

fn try_test(arguments: TokenStream, item: TokenStream) -> Result<TokenStream, Refusal> {
    let arguments = Arguments::parse(Attribute::Test, arguments)?;
    let function = Function::parse(Attribute::Test, item)?;
    let attributes = Sorted::parse(&function.attributes)?;
    let module = module(&arguments, &function, &attributes);
    Ok(TokenStream::from_iter([
        written("#[cfg(test)]"),
        attributes.function,
        function.visibility,
        function.signature,
        TokenTree::from(function.body).into(),
        written("#[cfg(test)]"),
        attributes.module,
        written("mod"),
        TokenTree::from(function.name).into(),
        braced(module),
    ]))
}

/// What is in the module of the cases.
fn module(arguments: &Arguments, function: &Function, attributes: &Sorted) -> TokenStream {
    let mut items = TokenStream::new();
    for (name, variant) in MODELS {
        let asked = arguments.models.iter().find(|named| named.name == name);
        if asked.is_none() && !arguments.models.is_empty() {
            continue;
        }
        let missing = asked.map(not_compiled_in).unwrap_or_default();
        let case = case(name, variant, arguments, function, attributes);
        items.extend([
            written(&format!("::trefoil::__private::{name}!")),
            braced(TokenStream::from_iter([braced(case), braced(missing)])),
        ]);
    }
    // Where models are named, each is missed already.
    if arguments.models.is_empty() {
        items.extend([
            written("::trefoil::__private::no_model!"),
            braced(no_model()),
        ]);
    }
    items
}

/// The test on one model.
fn case(
    name: &str,
    variant: &str,
    arguments: &Arguments,
    function: &Function,
    attributes: &Sorted,
) -> TokenStream {
    let mut running = written(&format!(
        "::trefoil::__private::Case::new(
            ::core::concat!(::core::module_path!(), \"::{name}\"),
            ::trefoil::Model::{variant},
        )"
    ));
    let numbers = [
        ("workers", &arguments.workers),
        ("timeout", &arguments.timeout),
        ("stack_size", &arguments.stack_size),
    ];
    for (setting, number) in numbers {
        if let Some(number) = number {
            running.extend(call(
                setting,
                TokenTree::from(Literal::clone(number)).into(),
            ));
        }
    }
    if attributes.should_panic {
        running.extend(call("should_panic", TokenStream::new()));
    }
    let body = [
        written("super::"),
        TokenTree::from(function.name.clone()).into(),
    ];
    running.extend(call("run", body.into_iter().collect()));
    // `#[should_panic]` and the like look whether a test returns something.
    let output = if function.has_output {
        written("-> ::std::process::ExitCode")
    } else {
        running = TokenStream::from_iter([written("let _ ="), running, written(";")]);
        TokenStream::new()
    };
    TokenStream::from_iter([
        written("#[::core::prelude::v1::test]"),
        attributes.cases.clone(),
        written("fn"),
        TokenTree::from(Ident::new(name, Span::mixed_site())).into(),
        written("()"),
        output,
        braced(running),
    ])
}

/// `.method(argument)`.
fn call(method: &str, argument: TokenStream) -> TokenStream {
    TokenStream::from_iter([written(&format!(".{method}")), parenthesized(argument)])
}

/// What is said where the model that was asked for has no feature.
fn not_compiled_in(model: &Named) -> TokenStream {
    let name = model.name;
    let message = format!(
        "the {name} model is not compiled in: enable the feature `{name}` of the crate `trefoil`, \
         or do not name it"
    );
    Refusal::at(model.variant.span(), message).into_compile_error()
}

/// What is said where no model has its feature.
fn no_model() -> TokenStream {
    let message = "no thread model is compiled in, so no test would run: enable at least one of the \
                   features `kernel`, `green` and `hybrid` of the crate `trefoil`";
    Refusal::at(Span::call_site(), message).into_compile_error()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn expand(arguments: &str, item: &str) -> String {
        test(arguments.parse().unwrap(), item.parse().unwrap()).to_string()
    }

    /// Spacing aside, as the compiler reads it.
    fn tokens(text: &str) -> String {
        text.parse::<TokenStream>().unwrap().to_string()
    }

    #[test]
    fn every_model_has_its_case() {
        let case = |name: &str, variant: &str| {
            format!(
                "::trefoil::__private::{name}! {{
                    {{
                        #[::core::prelude::v1::test]
                        fn {name}() {{
                            let _ = ::trefoil::__private::Case::new(
                                ::core::concat!(::core::module_path!(), \"::{name}\"),
                                ::trefoil::Model::{variant},
                            ).run(super::it_adds);
                        }}
                    }}
                    {{}}
                }}"
            )
        };
        let cases = MODELS.map(|(name, variant)| case(name, variant)).concat();
        assert_eq!(
            expand("", "fn it_adds() { assert_eq!(1 + 1, 2) }"),
            tokens(&format!(
                "#[cfg(test)] fn it_adds() {{ assert_eq!(1 + 1, 2) }}
                #[cfg(test)] mod it_adds {{
                    {cases}
                    ::trefoil::__private::no_model! {{ {} }}
                }}",
                no_model()
            )),
        );
    }

    #[test]
    fn arguments_go_to_the_case() {
        let expansion = expand(
            "model = \"green\", stack_size = 65_536, timeout = 10, workers = 4",
            "fn it() {}",
        );
        let settings = tokens(".workers(4).timeout(10).stack_size(65_536).run(super::it)");
        assert!(expansion.contains(&settings), "{expansion}");
    }

    #[test]
    fn only_the_named_models_have_a_case_and_each_must_be_there() {
        let expansion = expand("models(\"kernel\", \"hybrid\")", "fn it() {}");
        for (name, wanted) in [("kernel", true), ("green", false), ("hybrid", true)] {
            let case = tokens(&format!("::trefoil::__private::{name}!"));
            assert_eq!(expansion.contains(&case), wanted, "{expansion}");
            let missed = format!("the {name} model is not compiled in");
            assert_eq!(expansion.contains(&missed), wanted, "{expansion}");
        }
        assert!(!expansion.contains("no_model"), "{expansion}");
    }

    #[test]
    fn what_is_returned_is_given_to_the_harness() {
        let expansion = expand("", "fn it() -> Result<(), String> { Ok(()) }");
        let case = tokens("#[::core::prelude::v1::test] fn kernel() -> ::std::process::ExitCode");
        assert!(expansion.contains(&case), "{expansion}");
        assert!(!expansion.contains("let _"), "{expansion}");
        let runs = tokens(".run(super::it)") + " }";
        assert_eq!(expansion.matches(&runs).count(), 3, "{expansion}");
    }

    #[test]
    fn attributes_stand_on_each_case() {
        let expansion = expand(
            "",
            "#[ignore] #[should_panic] #[allow(unused)] pub fn it() {}",
        );
        let begin = tokens("#[cfg(test)] #[allow(unused)] pub fn it() {}");
        assert!(expansion.starts_with(&begin), "{expansion}");
        let module = tokens("#[cfg(test)] #[allow(unused)] mod it");
        assert!(expansion.contains(&module), "{expansion}");
        for (name, _) in MODELS {
            let case =
                format!("#[::core::prelude::v1::test] #[ignore] #[should_panic] fn {name}()");
            assert!(expansion.contains(&tokens(&case)), "{expansion}");
        }
        let told = tokens(".should_panic().run");
        assert_eq!(expansion.matches(&told).count(), 3, "{expansion}");
    }

    #[test]
    fn a_refusal_keeps_the_item() {
        for (arguments, item) in [
            ("workers = 0", "fn it() {}"),
            ("", "async fn it() {}"),
            ("", "#[test] fn it() {}"),
        ] {
            let expansion = expand(arguments, item);
            assert!(
                expansion.starts_with(&tokens("::core::compile_error!")),
                "{expansion}"
            );
            assert!(expansion.ends_with(&tokens(item)), "{expansion}");
        }
    }
}
