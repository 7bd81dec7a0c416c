//! A mistake in the use of an attribute: what is wrong, and at which token.
//! Every stage returns it; only `expansion.rs` turns it into a `compile_error!`.

#![forbid(unsafe_code)]

use proc_macro2::{Delimiter, Group, Ident, Literal, Punct, Spacing, Span, TokenStream, TokenTree};

/// Why an attribute is refused. The compiler underlines from `first` to `last`.
#[derive(Debug)]
pub(crate) struct Refusal {
    first: Span,
    last: Span,
    message: String,
}

impl Refusal {
    pub(crate) fn at(place: Span, message: impl Into<String>) -> Self {
        Refusal {
            first: place,
            last: place,
            message: message.into(),
        }
    }

    /// Underlines all of `tokens`, or `otherwise` when there are none.
    pub(crate) fn over(tokens: &[TokenTree], otherwise: Span, message: impl Into<String>) -> Self {
        Refusal {
            first: tokens.first().map_or(otherwise, TokenTree::span),
            last: tokens.last().map_or(otherwise, TokenTree::span),
            message: message.into(),
        }
    }

    #[cfg(test)]
    pub(crate) fn message(&self) -> &str {
        &self.message
    }

    /// `::core::compile_error! { "…" }`. The compiler underlines from its first token to its last,
    /// so the path carries the first span and the braces the last.
    pub(crate) fn into_compile_error(self) -> TokenStream {
        let mut text = Literal::string(&self.message);
        text.set_span(self.last);
        let mut braces = Group::new(Delimiter::Brace, TokenTree::from(text).into());
        braces.set_span(self.last);
        let colons = |spacing| punct(':', spacing, self.first);
        TokenStream::from_iter([
            colons(Spacing::Joint),
            colons(Spacing::Alone),
            Ident::new("core", self.first).into(),
            colons(Spacing::Joint),
            colons(Spacing::Alone),
            Ident::new("compile_error", self.first).into(),
            punct('!', Spacing::Alone, self.first),
            braces.into(),
        ])
    }
}

fn punct(character: char, spacing: Spacing, span: Span) -> TokenTree {
    let mut punct = Punct::new(character, spacing);
    punct.set_span(span);
    punct.into()
}
