//! Tokens of our own, as the expansions write them.

#![forbid(unsafe_code)]

use proc_macro2::{Delimiter, Group, Span, TokenStream, TokenTree};

/// Tokens of our own.
pub(crate) fn written(text: &str) -> TokenStream {
    hygienic(text.parse().expect("the text is Rust tokens"))
}

pub(crate) fn parenthesized(tokens: TokenStream) -> TokenStream {
    grouped(Delimiter::Parenthesis, tokens)
}

pub(crate) fn braced(tokens: TokenStream) -> TokenStream {
    grouped(Delimiter::Brace, tokens)
}

/// With mixed-site hygiene local names of ours cannot meet names of the user's.
fn hygienic(tokens: TokenStream) -> TokenStream {
    let one = |token| {
        let mut token = match token {
            TokenTree::Group(group) => {
                Group::new(group.delimiter(), hygienic(group.stream())).into()
            }
            other => other,
        };
        token.set_span(Span::mixed_site());
        token
    };
    tokens.into_iter().map(one).collect()
}

fn grouped(delimiter: Delimiter, tokens: TokenStream) -> TokenStream {
    TokenTree::from(Group::new(delimiter, tokens)).into()
}
