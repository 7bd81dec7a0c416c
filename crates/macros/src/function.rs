//! The function below the attribute, cut where something is to be written between its parts.
//! It checks only what would make the new function wrong; the compiler checks the rest.
//!
//! ```text
//! #[inline]    pub(crate)   fn name ( )  -> R where …   { … }
//! attributes   visibility   signature                   body
//! ```

#![forbid(unsafe_code)]

use proc_macro2::{Delimiter, Group, Ident, Span, TokenStream, TokenTree};

use crate::attribute::Attribute;
use crate::refusal::Refusal;

/// A function without parameters, in four parts that together are the whole of it.
#[derive(Debug)]
pub(crate) struct Function {
    pub(crate) attributes: Vec<TokenTree>,
    pub(crate) visibility: TokenStream,
    /// From `fn` to the last token before the body.
    pub(crate) signature: TokenStream,
    pub(crate) name: Ident,
    pub(crate) body: Group,
    /// Whether a return type is written.
    pub(crate) has_output: bool,
}

impl Function {
    /// The function below this attribute.
    pub(crate) fn parse(attribute: Attribute, item: TokenStream) -> Result<Self, Refusal> {
        let tokens: Vec<TokenTree> = item.into_iter().collect();
        let attributes_end = after_attributes(&tokens);
        let start = after_visibility(&tokens, attributes_end);
        let fn_at = fn_keyword(attribute, &tokens, start)?;
        let name = name(attribute, &tokens, fn_at)?;
        check_parameters(attribute, &tokens[fn_at + 2..], name.span())?;
        let (last, before) = tokens.split_last().expect("a name was found");
        let body = body(attribute, last)?;
        Ok(Function {
            attributes: before[..attributes_end].to_vec(),
            visibility: before[attributes_end..fn_at].iter().cloned().collect(),
            has_output: is_arrow(&tokens[fn_at + 3..]),
            signature: before[fn_at..].iter().cloned().collect(),
            name,
            body,
        })
    }
}

/// The index behind `#[…] #[…]`.
fn after_attributes(tokens: &[TokenTree]) -> usize {
    let mut next = 0;
    while let [TokenTree::Punct(hash), TokenTree::Group(_), ..] = &tokens[next..] {
        if hash.as_char() != '#' {
            break;
        }
        next += 2;
    }
    next
}

/// The index behind `pub` or `pub(…)`. A `macro_rules!` fragment (`$vis`) is an invisible group,
/// which may be empty.
fn after_visibility(tokens: &[TokenTree], start: usize) -> usize {
    match &tokens[start..] {
        [TokenTree::Group(fragment), ..] if fragment.delimiter() == Delimiter::None => start + 1,
        [TokenTree::Ident(word), TokenTree::Group(scope), ..]
            if word == "pub" && scope.delimiter() == Delimiter::Parenthesis =>
        {
            start + 2
        }
        [TokenTree::Ident(word), ..] if word == "pub" => start + 1,
        _ => start,
    }
}

/// The index of `fn`, which must come at once: a qualifier would not hold for the new function.
fn fn_keyword(attribute: Attribute, tokens: &[TokenTree], start: usize) -> Result<usize, Refusal> {
    let Some(TokenTree::Ident(word)) = tokens.get(start) else {
        return Err(no_function(attribute, tokens));
    };
    match word.to_string().as_str() {
        "fn" => Ok(start),
        "async" => Err(Refusal::at(
            word.span(),
            format!(
                "{attribute} takes no `async fn`: remove `async`, a Trefoil thread waits by blocking"
            ),
        )),
        qualifier @ ("const" | "unsafe" | "safe" | "extern")
            if tokens[start..].iter().any(is_fn_keyword) =>
        {
            let message = format!("{attribute} takes a plain `fn`: remove `{qualifier}`");
            Err(Refusal::at(word.span(), message))
        }
        _ => Err(no_function(attribute, tokens)),
    }
}

fn is_fn_keyword(token: &TokenTree) -> bool {
    matches!(token, TokenTree::Ident(word) if word == "fn")
}

/// Whether the tokens begin with `->`.
fn is_arrow(tokens: &[TokenTree]) -> bool {
    matches!(
        tokens,
        [TokenTree::Punct(dash), TokenTree::Punct(head), ..]
            if dash.as_char() == '-' && head.as_char() == '>'
    )
}

fn no_function(attribute: Attribute, tokens: &[TokenTree]) -> Refusal {
    let example = attribute.example();
    let message = format!("{attribute} stands above a function, such as `fn {example}() {{ … }}`");
    Refusal::over(tokens, Span::call_site(), message)
}

fn name(attribute: Attribute, tokens: &[TokenTree], fn_at: usize) -> Result<Ident, Refusal> {
    match tokens.get(fn_at + 1) {
        Some(TokenTree::Ident(name)) => Ok(name.clone()),
        _ => Err(no_function(attribute, tokens)),
    }
}

/// `after_name` must open with `()`.
fn check_parameters(
    attribute: Attribute,
    after_name: &[TokenTree],
    name: Span,
) -> Result<(), Refusal> {
    match after_name.first() {
        Some(TokenTree::Group(parameters)) if parameters.delimiter() == Delimiter::Parenthesis => {
            if parameters.stream().is_empty() {
                return Ok(());
            }
            let message = format!(
                "{attribute} takes a function without parameters: nobody is there to pass them"
            );
            Err(Refusal::at(parameters.span(), message))
        }
        _ => {
            let end = after_name
                .iter()
                .position(|token| matches!(token, TokenTree::Group(_)))
                .unwrap_or(after_name.len());
            let message = format!(
                "{attribute} takes a function without generics: nobody is there to choose them"
            );
            Err(Refusal::over(&after_name[..end], name, message))
        }
    }
}

/// The function's block. A `macro_rules!` fragment (`$body:block`) wraps it in an invisible group.
fn body(attribute: Attribute, last: &TokenTree) -> Result<Group, Refusal> {
    if let TokenTree::Group(group) = last {
        if group.delimiter() == Delimiter::Brace {
            return Ok(group.clone());
        }
        let mut inner = group.stream().into_iter();
        if let (Delimiter::None, Some(only), None) = (group.delimiter(), inner.next(), inner.next())
        {
            return body(attribute, &only);
        }
    }
    Err(Refusal::at(
        last.span(),
        format!("{attribute} takes a function with a body"),
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<Function, Refusal> {
        Function::parse(
            Attribute::Main,
            text.parse().expect("the text is Rust tokens"),
        )
    }

    fn message(text: &str) -> String {
        parse(text).expect_err(text).message().to_owned()
    }

    /// Spacing aside, as the compiler reads it.
    fn tokens(text: &str) -> String {
        text.parse::<TokenStream>().unwrap().to_string()
    }

    #[test]
    fn the_shortest_function() {
        let function = parse("fn main() {}").unwrap();
        assert!(function.attributes.is_empty());
        assert!(function.visibility.is_empty());
        assert!(!function.has_output);
        assert_eq!(function.signature.to_string(), tokens("fn main()"));
        assert_eq!(function.name, "main");
        assert_eq!(function.body.to_string(), tokens("{}"));
    }

    #[test]
    fn the_parts_together_are_the_whole() {
        for text in [
            "fn main() { work() }",
            "/// Documented.\n#[inline] #[allow(dead_code)] pub fn serve() -> u8 { 1 }",
            "pub(crate) fn serve() -> Result<(), Box<dyn Error + Send>> { Ok(()) }",
            "pub(in crate::inner) fn serve() -> [u8; { 2 + 1 }] { [0; 3] }",
            "fn serve() -> Sized<{ 3 }> where String: Clone { Sized }",
            "fn r#match() -> ! { loop {} }",
            "fn main() { #![allow(unused)] let x = || -> u8 { 1 }; }",
        ] {
            let Function {
                attributes,
                visibility,
                signature,
                body,
                ..
            } = parse(text).unwrap();
            let attributes = attributes.into_iter().collect();
            let body = TokenTree::from(body).into();
            let whole = TokenStream::from_iter([attributes, visibility, signature, body]);
            assert_eq!(whole.to_string(), tokens(text));
        }
    }

    #[test]
    fn visibility_and_attributes_stay_outside_the_signature() {
        let function = parse("#[inline] pub(crate) fn serve() -> u8 { 1 }").unwrap();
        let attributes = TokenStream::from_iter(function.attributes);
        assert_eq!(attributes.to_string(), tokens("#[inline]"));
        assert_eq!(function.visibility.to_string(), tokens("pub(crate)"));
        assert_eq!(function.signature.to_string(), tokens("fn serve() -> u8"));
    }

    #[test]
    fn a_return_type_is_seen() {
        assert!(parse("fn serve() -> u8 { 1 }").unwrap().has_output);
        assert!(
            !parse("fn serve() where fn() -> u8: Copy {}")
                .unwrap()
                .has_output
        );
    }

    #[test]
    fn a_refusal_names_the_attribute() {
        for text in [
            "async fn it() {}",
            "unsafe fn it() {}",
            "fn it(n: u8) {}",
            "fn it<T>() {}",
        ] {
            let item = text.parse().unwrap();
            let refusal = Function::parse(Attribute::Test, item).unwrap_err();
            assert!(
                refusal.message().starts_with("#[trefoil::test] takes "),
                "{text}"
            );
        }
    }

    #[test]
    fn fragments_of_macro_rules_are_seen_through() {
        let invisible = |text: &str| {
            let group = Group::new(Delimiter::None, text.parse().unwrap());
            TokenStream::from(TokenTree::from(group))
        };
        for visibility in ["", "pub", "pub(crate)"] {
            let item = TokenStream::from_iter([
                invisible(visibility),
                "fn main()".parse().unwrap(),
                invisible("{ work() }"),
            ]);
            let function = Function::parse(Attribute::Main, item).unwrap();
            assert_eq!(function.signature.to_string(), tokens("fn main()"));
            assert_eq!(function.body.to_string(), tokens("{ work() }"));
        }
    }

    #[test]
    fn async_is_refused() {
        assert!(message("async fn main() {}").contains("remove `async`"));
        assert!(message("pub async fn main() {}").contains("remove `async`"));
    }

    #[test]
    fn other_qualifiers_are_refused_by_name() {
        for (text, qualifier) in [
            ("const fn main() {}", "`const`"),
            ("unsafe fn main() {}", "`unsafe`"),
            ("extern \"C\" fn main() {}", "`extern`"),
        ] {
            let message = message(text);
            assert!(message.contains("a plain `fn`"), "{message}");
            assert!(message.contains(qualifier), "{message}");
        }
    }

    #[test]
    fn parameters_are_refused() {
        for text in ["fn main(count: usize) {}", "fn serve(&self) {}"] {
            assert!(message(text).contains("without parameters"), "{text}");
        }
    }

    #[test]
    fn generics_are_refused() {
        for text in [
            "fn main<T>() {}",
            "fn main<'a, const N: usize>() -> &'a str { \"\" }",
        ] {
            assert!(message(text).contains("without generics"), "{text}");
        }
    }

    #[test]
    fn what_is_no_function_is_refused() {
        for text in [
            "",
            "struct Main;",
            "const MAIN: u8 = 1;",
            "#[inline]",
            "pub",
            "fn",
            "mod main {}",
        ] {
            assert!(message(text).contains("stands above a function"), "{text}");
        }
    }

    #[test]
    fn a_function_without_a_body_is_refused() {
        for text in ["fn main();", "fn main()"] {
            assert!(message(text).contains("with a body"), "{text}");
        }
    }
}
