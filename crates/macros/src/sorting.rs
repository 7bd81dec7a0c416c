//! Where the attributes of a test's function go: to the function itself, to the module of its
//! cases, or to each case.
//!
//! | attribute | function | module | cases |
//! |---|---|---|---|
//! | `allow`, `warn`, `deny`, `forbid` | x | x | |
//! | `expect`: it is fulfilled in one place | x | | |
//! | every other: `should_panic`, `ignore`, documentation, those of other crates | | | x |
//!
//! `cfg` and `cfg_attr` are not seen here: wherever they stand, the compiler looks at them before it
//! expands another attribute.

#![forbid(unsafe_code)]

use proc_macro2::{Delimiter, Group, Span, TokenStream, TokenTree};

use crate::attribute::Attribute;
use crate::refusal::Refusal;

/// The attributes, by where they go.
#[derive(Debug, Default)]
pub(crate) struct Sorted {
    pub(crate) function: TokenStream,
    pub(crate) module: TokenStream,
    pub(crate) cases: TokenStream,
    /// Whether the cases are to panic.
    pub(crate) should_panic: bool,
}

impl Sorted {
    /// Of `#[…] #[…]`.
    pub(crate) fn parse(attributes: &[TokenTree]) -> Result<Sorted, Refusal> {
        let mut sorted = Sorted::default();
        for attribute in attributes.chunks(2) {
            if let [_, TokenTree::Group(group)] = attribute {
                sorted.add(attribute, &inside(group))?;
            }
        }
        Ok(sorted)
    }

    fn add(&mut self, attribute: &[TokenTree], content: &[TokenTree]) -> Result<(), Refusal> {
        let tokens = || attribute.iter().cloned();
        match name(content).as_str() {
            "test" => {
                let test = Attribute::Test;
                let message = format!("{test} is a test already: remove the other `test`");
                return Err(Refusal::over(content, Span::call_site(), message));
            }
            "allow" | "warn" | "deny" | "forbid" => {
                self.function.extend(tokens());
                self.module.extend(tokens());
            }
            "expect" => self.function.extend(tokens()),
            name => {
                self.should_panic |= name == "should_panic";
                self.cases.extend(tokens());
            }
        }
        Ok(())
    }
}

/// The tokens in a group; a `macro_rules!` fragment (`$attribute:meta`) is seen through.
fn inside(group: &Group) -> Vec<TokenTree> {
    let tokens: Vec<TokenTree> = group.stream().into_iter().collect();
    match &tokens[..] {
        [TokenTree::Group(fragment)] if fragment.delimiter() == Delimiter::None => inside(fragment),
        _ => tokens,
    }
}

/// The word by which the attribute begins. A path has none: it is no attribute of the compiler's.
fn name(content: &[TokenTree]) -> String {
    match content {
        [_, TokenTree::Punct(colon), ..] if colon.as_char() == ':' => String::new(),
        [TokenTree::Ident(name), ..] => name.to_string(),
        // A fragment that holds the word.
        [TokenTree::Group(fragment), ..] if fragment.delimiter() == Delimiter::None => {
            name(&inside(fragment))
        }
        _ => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<Sorted, Refusal> {
        let tokens: TokenStream = text.parse().expect("the text is Rust tokens");
        Sorted::parse(&tokens.into_iter().collect::<Vec<_>>())
    }

    /// Spacing aside, as the compiler reads it.
    fn tokens(text: &str) -> String {
        text.parse::<TokenStream>().unwrap().to_string()
    }

    #[track_caller]
    fn assert_sorted(text: &str, function: &str, module: &str, cases: &str) {
        let sorted = parse(text).unwrap();
        assert_eq!(sorted.function.to_string(), tokens(function));
        assert_eq!(sorted.module.to_string(), tokens(module));
        assert_eq!(sorted.cases.to_string(), tokens(cases));
    }

    #[test]
    fn each_goes_to_its_place() {
        assert_sorted(
            "#[allow(dead_code)] #[expect(unused)] #[ignore = \"slow\"] #[my::own]",
            "#[allow(dead_code)] #[expect(unused)]",
            "#[allow(dead_code)]",
            "#[ignore = \"slow\"] #[my::own]",
        );
        assert_sorted("/// Documented.", "", "", "/// Documented.");
        assert_sorted("", "", "", "");
    }

    #[test]
    fn whether_it_is_to_panic_is_known() {
        assert!(!parse("#[ignore] #[my::should_panic]").unwrap().should_panic);
        for text in [
            "#[should_panic]",
            "#[should_panic(expected = \"no\")] #[ignore]",
        ] {
            assert!(parse(text).unwrap().should_panic);
            assert_sorted(text, "", "", text);
        }
    }

    #[test]
    fn a_second_test_is_refused() {
        let refusal = parse("#[test]").unwrap_err();
        assert!(refusal.message().contains("is a test already"));
        // It is another's.
        assert_sorted("#[other::test]", "", "", "#[other::test]");
    }

    #[test]
    fn fragments_of_macro_rules_are_seen_through() {
        let content = "allow(unused)".parse().unwrap();
        let fragment = TokenTree::from(Group::new(Delimiter::None, content));
        let hash = "#".parse::<TokenStream>().unwrap();
        let group = Group::new(Delimiter::Bracket, fragment.into());
        let attribute = hash.into_iter().chain([group.into()]);
        let sorted = Sorted::parse(&attribute.collect::<Vec<_>>()).unwrap();
        assert!(!sorted.function.is_empty());
        assert!(sorted.cases.is_empty());
    }
}
