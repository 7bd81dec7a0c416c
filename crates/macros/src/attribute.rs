//! Which attribute is being expanded: what a refusal calls it, and what it takes.

#![forbid(unsafe_code)]

use std::fmt;

/// One of the attribute macros.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Attribute {
    Main,
    Test,
}

impl Attribute {
    /// Whether it takes an argument of this name.
    pub(crate) fn takes(self, key: &str) -> bool {
        match key {
            "model" | "workers" => true,
            "models" | "timeout" | "stack_size" => self == Attribute::Test,
            _ => false,
        }
    }

    /// The names of its arguments, in a sentence.
    pub(crate) fn keys(self) -> &'static str {
        match self {
            Attribute::Main => "`model` and `workers`",
            Attribute::Test => "`model`, `models`, `workers`, `timeout` and `stack_size`",
        }
    }

    /// Its arguments as they are written, in a sentence.
    pub(crate) fn forms(self) -> &'static str {
        match self {
            Attribute::Main => "`model = \"…\"` or `workers = N`",
            Attribute::Test => {
                "`model = \"…\"`, `models(\"…\", \"…\")`, `workers = N`, `timeout = SECONDS` or \
                 `stack_size = BYTES`"
            }
        }
    }

    /// A function's name, for an example of use.
    pub(crate) fn example(self) -> &'static str {
        match self {
            Attribute::Main => "main",
            Attribute::Test => "it_works",
        }
    }
}

impl fmt::Display for Attribute {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Attribute::Main => "#[trefoil::main]",
            Attribute::Test => "#[trefoil::test]",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_names_in_the_sentences_are_those_that_are_taken() {
        for attribute in [Attribute::Main, Attribute::Test] {
            for key in ["model", "models", "workers", "timeout", "stack_size"] {
                let told = attribute.keys().contains(&format!("`{key}`"));
                assert_eq!(told, attribute.takes(key), "{attribute}, {key}");
                let shown = [" = ", "("].map(|next| format!("`{key}{next}"));
                let shown = shown.iter().any(|form| attribute.forms().contains(form));
                assert_eq!(shown, attribute.takes(key), "{attribute}, {key}");
            }
        }
    }
}
