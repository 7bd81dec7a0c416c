//! The arguments of `#[trefoil::main(…)]` and `#[trefoil::test(…)]`: reads `key = value` pairs and
//! checks each. It knows the names of the models; whether one is compiled in is known to the facade
//! alone.

#![forbid(unsafe_code)]

use proc_macro2::{Delimiter, Ident, Literal, Span, TokenStream, TokenTree};

use crate::attribute::Attribute;
use crate::refusal::Refusal;

/// The names that `model = "…"` takes, and the variants of `trefoil::Model` they stand for.
pub(crate) const MODELS: [(&str, &str); 3] = [
    ("kernel", "Kernel"),
    ("green", "Green"),
    ("hybrid", "Hybrid"),
];

/// A model, at the place of the string that named it.
#[derive(Clone, Debug)]
pub(crate) struct Named {
    /// Its name, as features spell it.
    pub(crate) name: &'static str,
    /// Its variant of `trefoil::Model`.
    pub(crate) variant: Ident,
}

/// What the attribute asks for. Numbers are kept as they were written.
#[derive(Debug, Default)]
pub(crate) struct Arguments {
    /// At most one, but for `models(…)`. Each once.
    pub(crate) models: Vec<Named>,
    /// At least 1.
    pub(crate) workers: Option<Literal>,
    /// In seconds.
    pub(crate) timeout: Option<Literal>,
    /// In bytes, at least 1.
    pub(crate) stack_size: Option<Literal>,
}

impl Arguments {
    pub(crate) fn parse(attribute: Attribute, tokens: TokenStream) -> Result<Self, Refusal> {
        let tokens: Vec<TokenTree> = tokens.into_iter().collect();
        let mut arguments = Arguments::default();
        for argument in split_at_commas(&tokens) {
            arguments.set(attribute, argument)?;
        }
        Ok(arguments)
    }

    pub(crate) fn is_empty(&self) -> bool {
        let numbers = [&self.workers, &self.timeout, &self.stack_size];
        self.models.is_empty() && numbers.iter().all(|number| number.is_none())
    }

    fn set(&mut self, attribute: Attribute, argument: &[TokenTree]) -> Result<(), Refusal> {
        let (key, value) = key_and_value(attribute, argument)?;
        let name = key.to_string();
        if !attribute.takes(&name) {
            let message = format!(
                "unknown argument `{key}`: {attribute} takes {}",
                attribute.keys()
            );
            return Err(Refusal::at(key.span(), message));
        }
        let set_before = match name.as_str() {
            "model" => self.set_models(vec![model(value)?]),
            "models" => self.set_models(models(key, value)?),
            "workers" => self.workers.replace(workers(value)?).is_some(),
            "timeout" => self.timeout.replace(timeout(value)?).is_some(),
            _ => self.stack_size.replace(stack_size(value)?).is_some(),
        };
        if set_before {
            let message = match name.as_str() {
                "model" | "models" if attribute.takes("models") => {
                    "the models are given twice: `models(…)` takes them all".to_owned()
                }
                _ => format!("`{key}` is given twice"),
            };
            return Err(Refusal::at(key.span(), message));
        }
        Ok(())
    }

    /// Whether there were some before.
    fn set_models(&mut self, models: Vec<Named>) -> bool {
        let before = std::mem::replace(&mut self.models, models);
        !before.is_empty()
    }
}

/// The pieces between the commas; one comma may close the list.
fn split_at_commas(tokens: &[TokenTree]) -> impl Iterator<Item = &[TokenTree]> {
    let tokens = match tokens {
        [rest @ .., last] if !rest.is_empty() && is_punct(last, ',') => rest,
        all => all,
    };
    tokens
        .split(|token| is_punct(token, ','))
        .filter(move |_| !tokens.is_empty())
}

/// Of `key = value`, or of `key(value)`, where the value is the parentheses.
fn key_and_value(
    attribute: Attribute,
    argument: &[TokenTree],
) -> Result<(&Ident, &TokenTree), Refusal> {
    match argument {
        [TokenTree::Ident(key), equals, value] if is_punct(equals, '=') && key != "models" => {
            Ok((key, value))
        }
        [TokenTree::Ident(key), value @ TokenTree::Group(list)]
            if key == "models" && list.delimiter() == Delimiter::Parenthesis =>
        {
            Ok((key, value))
        }
        _ => Err(Refusal::over(
            argument,
            Span::call_site(),
            format!("expected {}", attribute.forms()),
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

/// Each of the strings in the parentheses: some model's, and no two the same.
fn models(key: &Ident, list: &TokenTree) -> Result<Vec<Named>, Refusal> {
    let TokenTree::Group(list) = list else {
        unreachable!("the parentheses were seen");
    };
    let tokens: Vec<TokenTree> = list.stream().into_iter().collect();
    let mut models: Vec<Named> = Vec::new();
    for value in split_at_commas(&tokens) {
        let [value] = value else {
            let message = "`models` takes strings, such as `models(\"green\", \"hybrid\")`";
            return Err(Refusal::over(value, list.span(), message));
        };
        let named = model(value)?;
        if models.iter().any(|other| other.name == named.name) {
            let message = format!("the model \"{}\" is given twice", named.name);
            return Err(Refusal::at(value.span(), message));
        }
        models.push(named);
    }
    if models.is_empty() {
        let message = "`models` without a model: no test would run. Name one, or remove it";
        return Err(Refusal::at(key.span(), message));
    }
    Ok(models)
}

fn model(value: &TokenTree) -> Result<Named, Refusal> {
    let names = "the models are \"kernel\", \"green\" and \"hybrid\"";
    let text = literal(value).map(|literal| literal.to_string());
    let Some(name) = text.as_deref().and_then(quoted) else {
        let message = format!("`model` takes a string: {names}");
        return Err(Refusal::at(value.span(), message));
    };
    match MODELS.iter().find(|(known, _)| *known == name) {
        Some((name, variant)) => Ok(Named {
            name,
            variant: Ident::new(variant, value.span()),
        }),
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
    match whole_number(value, "usize") {
        Some((0, _)) => Err(Refusal::at(
            value.span(),
            "`workers` must be at least 1: without a worker no thread would run",
        )),
        Some((_, literal)) => Ok(literal),
        None => Err(Refusal::at(
            value.span(),
            "`workers` takes a whole number, such as `workers = 4`",
        )),
    }
}

fn timeout(value: &TokenTree) -> Result<Literal, Refusal> {
    let number = whole_number(value, "u64").map(|(_, literal)| literal);
    number.ok_or_else(|| {
        let message = "`timeout` takes a whole number of seconds, such as `timeout = 10`; \
                       0 is none";
        Refusal::at(value.span(), message)
    })
}

fn stack_size(value: &TokenTree) -> Result<Literal, Refusal> {
    match whole_number(value, "usize") {
        Some((1.., literal)) => Ok(literal),
        _ => Err(Refusal::at(
            value.span(),
            "`stack_size` takes a whole number of bytes, at least 1, such as \
             `stack_size = 1_048_576`",
        )),
    }
}

/// A decimal literal and its value, with `_` and the suffix allowed.
fn whole_number(value: &TokenTree, suffix: &str) -> Option<(u64, Literal)> {
    let literal = literal(value)?;
    let text = literal.to_string();
    let digits = text.strip_suffix(suffix).unwrap_or(&text);
    let number = digits.replace('_', "").parse().ok()?;
    Some((number, literal))
}

fn is_punct(token: &TokenTree, character: char) -> bool {
    matches!(token, TokenTree::Punct(punct) if punct.as_char() == character)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<Arguments, Refusal> {
        parse_of(Attribute::Main, text)
    }

    fn parse_of(attribute: Attribute, text: &str) -> Result<Arguments, Refusal> {
        Arguments::parse(attribute, text.parse().expect("the text is Rust tokens"))
    }

    fn message(text: &str) -> String {
        parse(text).expect_err(text).message().to_owned()
    }

    /// What `#[trefoil::test]` says of it.
    fn test_message(text: &str) -> String {
        let refusal = parse_of(Attribute::Test, text).expect_err(text);
        refusal.message().to_owned()
    }

    fn only_model(arguments: &Arguments) -> &Named {
        let [only] = &arguments.models[..] else {
            panic!("{arguments:?}");
        };
        only
    }

    #[test]
    fn no_arguments_are_fine() {
        assert!(parse("").unwrap().is_empty());
    }

    #[test]
    fn every_model_has_its_variant() {
        for (name, variant) in MODELS {
            let arguments = parse(&format!("model = \"{name}\"")).unwrap();
            assert_eq!(only_model(&arguments).variant, variant);
            assert_eq!(only_model(&arguments).name, name);
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
            assert_eq!(only_model(&arguments).variant, "Green");
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

    #[test]
    fn a_test_takes_more() {
        let all =
            "models(\"kernel\", \"hybrid\",), workers = 4, timeout = 10u64, stack_size = 1_024";
        let arguments = parse_of(Attribute::Test, all).unwrap();
        let names: Vec<_> = arguments.models.iter().map(|model| model.name).collect();
        assert_eq!(names, ["kernel", "hybrid"]);
        assert_eq!(arguments.workers.unwrap().to_string(), "4");
        assert_eq!(arguments.timeout.unwrap().to_string(), "10u64");
        assert_eq!(arguments.stack_size.unwrap().to_string(), "1_024");
        for text in ["timeout = 1", "stack_size = 1", "models(\"green\")"] {
            assert!(!parse_of(Attribute::Test, text).unwrap().is_empty());
            assert!(message(text).starts_with("unknown argument"), "{text}");
        }
    }

    #[test]
    fn an_unknown_key_of_a_test_is_named_with_the_known_ones() {
        assert_eq!(
            test_message("time = 4"),
            "unknown argument `time`: #[trefoil::test] takes `model`, `models`, `workers`, \
             `timeout` and `stack_size`"
        );
    }

    #[test]
    fn no_timeout_is_a_timeout_of_zero() {
        let arguments = parse_of(Attribute::Test, "timeout = 0").unwrap();
        assert_eq!(arguments.timeout.unwrap().to_string(), "0");
    }

    #[test]
    fn numbers_of_a_test_must_be_whole() {
        for value in ["\"4\"", "1.5", "4u8", "many", "99999999999999999999999"] {
            let timeout = test_message(&format!("timeout = {value}"));
            assert!(timeout.contains("whole number of seconds"), "{timeout}");
            let size = test_message(&format!("stack_size = {value}"));
            assert!(size.contains("whole number of bytes"), "{size}");
        }
        assert!(test_message("stack_size = 0").contains("at least 1"));
    }

    #[test]
    fn models_are_a_list_of_some_without_repetition() {
        assert!(test_message("models()").contains("no test would run"));
        let twice = "models(\"green\", \"green\")";
        assert_eq!(test_message(twice), "the model \"green\" is given twice");
        assert!(test_message("models(\"green\", \"async\")").starts_with("unknown model"));
        assert!(test_message("models(green)").starts_with("`model` takes a string"));
        for text in ["models(\"green\" \"hybrid\")", "models(,)"] {
            assert!(
                test_message(text).starts_with("`models` takes strings"),
                "{text}"
            );
        }
        for text in [
            "models = \"green\"",
            "models[\"green\"]",
            "models",
            "model(\"green\")",
        ] {
            assert!(test_message(text).starts_with("expected `model"), "{text}");
        }
    }

    #[test]
    fn models_are_given_once() {
        for text in [
            "model = \"green\", models(\"hybrid\")",
            "models(\"green\"), models(\"hybrid\")",
            "model = \"green\", model = \"hybrid\"",
        ] {
            assert!(
                test_message(text).starts_with("the models are given twice"),
                "{text}"
            );
        }
        assert_eq!(
            test_message("timeout = 1, timeout = 1"),
            "`timeout` is given twice"
        );
    }
}
