//! The items of a Rust file as tokens, those for tests told from the others.

use proc_macro2::{Delimiter, TokenStream, TokenTree};

/// An item at the top of a module, with its attributes.
pub(in crate::tidy) struct Item {
    pub(in crate::tidy) tokens: Vec<TokenTree>,
    /// Compiled for tests alone.
    pub(in crate::tidy) is_test: bool,
}

impl Item {
    /// Name and body of `mod name;` or `mod name { ... }`.
    pub(in crate::tidy) fn module(&self) -> Option<(String, Option<TokenStream>)> {
        let at = self.tokens.iter().position(|token| is_ident(token, "mod"))?;
        let before = &self.tokens[..at];
        // Nothing but attributes and `pub(...)` may stand before it.
        let plain = |token: &TokenTree| match token {
            TokenTree::Ident(ident) => ident == "pub",
            TokenTree::Punct(punct) => punct.as_char() == '#' || punct.as_char() == '!',
            TokenTree::Group(_) => true,
            TokenTree::Literal(_) => false,
        };
        let TokenTree::Ident(name) = self.tokens.get(at + 1)? else { return None };
        let body = match self.tokens.get(at + 2)? {
            TokenTree::Group(group) if group.delimiter() == Delimiter::Brace => Some(group.stream()),
            TokenTree::Punct(punct) if punct.as_char() == ';' => None,
            _ => return None,
        };
        before.iter().all(plain).then(|| (name.to_string(), body))
    }
}

/// Items end with `;` or with a group in braces. What a constant's value has behind such a group counts as an item of its own, which
/// does no harm.
pub(in crate::tidy) fn items_of(stream: TokenStream) -> Vec<Item> {
    let mut items = Vec::new();
    let (mut tokens, mut is_test, mut after_hash) = (Vec::new(), false, false);
    for token in stream {
        let ends = match &token {
            TokenTree::Punct(punct) => punct.as_char() == ';',
            TokenTree::Group(group) => {
                is_test |= after_hash && is_for_tests(&group.stream());
                group.delimiter() == Delimiter::Brace && !tokens.iter().any(|token| is_ident(token, "use"))
            }
            TokenTree::Ident(_) | TokenTree::Literal(_) => false,
        };
        after_hash = is_punct(&token, '#');
        tokens.push(token);
        if ends {
            items.push(Item { tokens: std::mem::take(&mut tokens), is_test });
            is_test = false;
        }
    }
    items.push(Item { tokens, is_test });
    items
}

/// `cfg(test)`, `cfg(all(test, ...))`, `test`: compiled for tests alone.
fn is_for_tests(attribute: &TokenStream) -> bool {
    let tokens: Vec<TokenTree> = attribute.clone().into_iter().collect();
    match &tokens[..] {
        [TokenTree::Ident(only)] => only == "test",
        [TokenTree::Ident(cfg), TokenTree::Group(group)] if cfg == "cfg" => names_test(group.stream()),
        _ => false,
    }
}

fn names_test(stream: TokenStream) -> bool {
    let tokens: Vec<TokenTree> = stream.into_iter().collect();
    let all = |place: usize| tokens.get(place.wrapping_sub(1)).is_some_and(|before| is_ident(before, "all"));
    tokens.iter().enumerate().any(|(place, token)| match token {
        TokenTree::Ident(ident) => ident == "test",
        TokenTree::Group(group) => all(place) && names_test(group.stream()),
        _ => false,
    })
}

/// The code of a file or module without what is compiled for tests alone.
pub(in crate::tidy) fn without_tests(stream: TokenStream) -> TokenStream {
    let items = items_of(stream).into_iter().filter(|item| !item.is_test);
    let inner = items.flat_map(|item| item.tokens).map(|token| match token {
        TokenTree::Group(group) => {
            let mut kept = proc_macro2::Group::new(group.delimiter(), without_tests(group.stream()));
            kept.set_span(group.span());
            TokenTree::Group(kept)
        }
        token => token,
    });
    inner.collect()
}

pub(in crate::tidy) fn is_ident(token: &TokenTree, word: &str) -> bool {
    matches!(token, TokenTree::Ident(ident) if ident == word)
}

pub(in crate::tidy) fn is_punct(token: &TokenTree, c: char) -> bool {
    matches!(token, TokenTree::Punct(punct) if punct.as_char() == c)
}
