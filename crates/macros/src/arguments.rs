//! The arguments of `#[trefoil::main(…)]`: reads `key = value` pairs and checks each.
//! It knows the names of the models; whether one is compiled in is known only at run time.

#![forbid(unsafe_code)]

use proc_macro2::{Delimiter, Ident, Literal, Span, TokenStream, TokenTree};

use crate::refusal::Refusal;

/// The names that `model = "…"` takes, and the variants of `trefoil::Model` they stand for.
const MODELS: [(&str, &str); 3] = [
    ("kernel", "Kernel"),
    ("green", "Green"),
    ("hybrid", "Hybrid"),
];

/// What the attribute asks for.
#[derive(Debug, Default)]
pub(crate) struct Arguments {
    /// A variant of `trefoil::Model`, at the place of the string that named it.
    pub(crate) model: Option<Ident>,
    /// A literal, at least 1, as it was written.
    pub(crate) workers: Option<Literal>,
}

impl Arguments {
    pub(crate) fn parse(tokens: TokenStream) -> Result<Self, Refusal> {
        let tokens: Vec<TokenTree> = tokens.into_iter().collect();
        let mut arguments = Arguments::default();
        for pair in split_at_commas(&tokens) {
            arguments.set(pair)?;
        }
        Ok(arguments)
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.model.is_none() && self.workers.is_none()
    }

    fn set(&mut self, pair: &[TokenTree]) -> Result<(), Refusal> {
        let (key, value) = key_and_value(pair)?;
        let set_before = match key.to_string().as_str() {
            "model" => self.model.replace(model(value)?).is_some(),
            "workers" => self.workers.replace(workers(value)?).is_some(),
            other => {
                let message = format!(
                    "unknown argument `{other}`: #[trefoil::main] takes `model` and `workers`"
                );
                return Err(Refusal::at(key.span(), message));
            }
        };
        if set_before {
            return Err(Refusal::at(key.span(), format!("`{key}` is given twice")));
        }
        Ok(())
    }
}

/// The pairs between the commas; one comma may close the list.
fn split_at_commas(tokens: &[TokenTree]) -> impl Iterator<Item = &[TokenTree]> {
    let tokens = match tokens {
        [rest @ .., last] if !rest.is_empty() && is_punct(last, ',') => rest,
        all => all,
    };
    tokens
        .split(|token| is_punct(token, ','))
        .filter(move |_| !tokens.is_empty())
}

fn key_and_value(pair: &[TokenTree]) -> Result<(&Ident, &TokenTree), Refusal> {
    match pair {
        [TokenTree::Ident(key), equals, value] if is_punct(equals, '=') => Ok((key, value)),
        _ => Err(Refusal::over(
            pair,
            Span::call_site(),
            "expected `model = \"…\"` or `workers = N`",
        )),
    }
}

/// The literal, also when a `macro_rules!` fragment (`$workers:literal`) wraps it in an invisible
/// group.
fn literal(value: &TokenTree) -> Option<Literal> {
    match value {
        TokenTree::Literal(literal) => Some(literal.clone()),
        TokenTree::Group(group) if group.delimiter() == Delimiter::None => {
            let mut inner = group.stream().into_iter();
            match (inner.next(), inner.next()) {
                (Some(only), None) => literal(&only),
                _ => None,
            }
        }
        _ => None,
    }
}

fn model(value: &TokenTree) -> Result<Ident, Refusal> {
    let names = "the models are \"kernel\", \"green\" and \"hybrid\"";
    let text = literal(value).map(|literal| literal.to_string());
    let Some(name) = text.as_deref().and_then(quoted) else {
        let message = format!("`model` takes a string: {names}");
        return Err(Refusal::at(value.span(), message));
    };
    match MODELS.iter().find(|(known, _)| *known == name) {
        Some((_, variant)) => Ok(Ident::new(variant, value.span())),
        None => {
            let message = format!("unknown model \"{name}\": {names}");
            Err(Refusal::at(value.span(), message))
        }
    }
}

/// The text of a plain string literal. No model's name needs an escape.
fn quoted(literal: &str) -> Option<&str> {
    literal.strip_prefix('"')?.strip_suffix('"')
}

fn workers(value: &TokenTree) -> Result<Literal, Refusal> {
    let literal = literal(value);
    match literal
        .as_ref()
        .and_then(|it| whole_number(&it.to_string()))
    {
        Some(0) => Err(Refusal::at(
            value.span(),
            "`workers` must be at least 1: without a worker no thread would run",
        )),
        Some(_) => Ok(literal.expect("a number was read from it")),
        None => Err(Refusal::at(
            value.span(),
            "`workers` takes a whole number, such as `workers = 4`",
        )),
    }
}

/// The value of a decimal literal, with `_` and the suffix `usize` allowed.
fn whole_number(literal: &str) -> Option<usize> {
    let digits = literal.strip_suffix("usize").unwrap_or(literal);
    digits.replace('_', "").parse().ok()
}

fn is_punct(token: &TokenTree, character: char) -> bool {
    matches!(token, TokenTree::Punct(punct) if punct.as_char() == character)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<Arguments, Refusal> {
        Arguments::parse(text.parse().expect("the text is Rust tokens"))
    }

    fn message(text: &str) -> String {
        parse(text).expect_err(text).message().to_owned()
    }

    #[test]
    fn no_arguments_are_fine() {
        assert!(parse("").unwrap().is_empty());
    }

    #[test]
    fn every_model_has_its_variant() {
        for (name, variant) in MODELS {
            let arguments = parse(&format!("model = \"{name}\"")).unwrap();
            assert_eq!(arguments.model.unwrap(), variant);
            assert!(arguments.workers.is_none());
        }
    }

    #[test]
    fn workers_keep_their_spelling() {
        for spelling in ["1", "4", "1_000", "4usize"] {
            let arguments = parse(&format!("workers = {spelling}")).unwrap();
            assert_eq!(arguments.workers.unwrap().to_string(), spelling);
        }
    }

    #[test]
    fn both_in_any_order_and_with_a_closing_comma() {
        for text in [
            "model = \"green\", workers = 2",
            "workers = 2, model = \"green\",",
        ] {
            let arguments = parse(text).unwrap();
            assert_eq!(arguments.model.unwrap(), "Green");
            assert_eq!(arguments.workers.unwrap().to_string(), "2");
        }
    }

    #[test]
    fn an_unknown_key_is_named_with_the_known_ones() {
        let message = message("threads = 4");
        assert!(message.contains("`threads`"), "{message}");
        assert!(message.contains("`model` and `workers`"), "{message}");
    }

    #[test]
    fn an_unknown_model_is_named_with_the_known_ones() {
        let message = message("model = \"async\"");
        assert!(message.contains("unknown model \"async\""), "{message}");
        for (name, _) in MODELS {
            assert!(message.contains(name), "{message}");
        }
    }

    #[test]
    fn a_model_must_be_a_string() {
        for text in [
            "model = green",
            "model = 1",
            "model = 'g'",
            "model = (\"green\")",
        ] {
            assert!(
                message(text).starts_with("`model` takes a string"),
                "{text}"
            );
        }
    }

    #[test]
    fn zero_workers_are_refused() {
        for text in ["workers = 0", "workers = 0usize", "workers = 0_0"] {
            assert!(message(text).contains("at least 1"), "{text}");
        }
    }

    #[test]
    fn workers_must_be_a_whole_number() {
        for text in [
            "workers = \"4\"",
            "workers = 1.5",
            "workers = 4u8",
            "workers = many",
            "workers = 99999999999999999999999",
        ] {
            assert!(message(text).contains("a whole number"), "{text}");
        }
    }

    #[test]
    fn a_key_given_twice_is_refused() {
        assert_eq!(
            message("workers = 1, workers = 2"),
            "`workers` is given twice"
        );
        let twice = "model = \"green\", model = \"green\"";
        assert_eq!(message(twice), "`model` is given twice");
    }

    #[test]
    fn what_is_no_pair_is_refused() {
        for text in [
            "model",
            "model =",
            "\"green\"",
            "workers = -1",
            "workers == 1",
            ",",
            "workers = 1,,",
            "model: \"green\"",
        ] {
            assert!(message(text).starts_with("expected `model"), "{text}");
        }
    }
}
