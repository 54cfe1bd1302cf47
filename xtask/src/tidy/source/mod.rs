//! Rules about Rust source, read as tokens: comments and strings never count.

pub(super) mod functions;
pub(super) mod items;

use proc_macro2::{Delimiter, Ident, TokenStream, TokenTree};

use super::files::{FORBIDDEN_NAMES, name_reason};
use super::violation::Violation;
use super::workspace::File;

/// Where `unsafe` may stand: a folder, or one file.
const UNSAFE_PLACES: &[&str] = &["crates/ops/", "crates/data/src/mmap.rs"];

const UNFINISHED_MACROS: &[&str] = &["todo", "unimplemented", "dbg"];

pub(super) fn check(file: &File) -> Vec<Violation> {
    if !file.is_rust() {
        return Vec::new();
    }
    let mut scan = Scan { path: &file.path, violations: Vec::new(), test_ahead: false };
    match file.text.parse::<TokenStream>() {
        Ok(tokens) => scan.stream(tokens),
        Err(error) => {
            let line = error.span().start().line;
            scan.report(line, "source", "the file does not read as Rust".to_owned(), "mend what the compiler names");
        }
    }
    scan.violations
}

struct Scan<'a> {
    path: &'a str,
    violations: Vec<Violation>,
    /// A `#[test]` was read and its function is still to come.
    test_ahead: bool,
}

impl Scan<'_> {
    fn stream(&mut self, stream: TokenStream) {
        let tokens: Vec<TokenTree> = stream.into_iter().collect();
        for (place, token) in tokens.iter().enumerate() {
            let next = tokens.get(place + 1);
            match token {
                TokenTree::Ident(ident) => self.ident(ident, next),
                TokenTree::Punct(punct) if punct.as_char() == '#' => self.test_ahead |= next.is_some_and(is_test_attribute),
                TokenTree::Group(group) => self.stream(group.stream()),
                TokenTree::Punct(_) | TokenTree::Literal(_) => {}
            }
        }
    }

    fn ident(&mut self, ident: &Ident, next: Option<&TokenTree>) {
        let line = ident.span().start().line;
        let word = ident.to_string();
        if word == "unsafe" && !UNSAFE_PLACES.iter().any(|place| self.path.starts_with(place)) {
            self.report(
                line,
                "unsafe",
                format!("`unsafe` is read with care in few places: {}", UNSAFE_PLACES.join(", ")),
                "use a safe form, or move the kernel to crates/ops",
            );
        }
        let is_macro = matches!(next, Some(TokenTree::Punct(punct)) if punct.as_char() == '!');
        if is_macro && UNFINISHED_MACROS.contains(&word.as_str()) {
            self.report(
                line,
                "unfinished",
                format!("`{word}!` is for work in progress; a user would meet it as a panic or as noise"),
                "finish it, return an error, or take it out",
            );
        }
        let Some(TokenTree::Ident(name)) = next else { return };
        let name = name.to_string();
        if word == "mod" && FORBIDDEN_NAMES.contains(&name.as_str()) {
            self.report(line, "name", name_reason(&name), "name it after the subject it holds");
        }
        if word == "fn" && std::mem::take(&mut self.test_ahead) && name.starts_with("test_") {
            self.report(
                line,
                "test-name",
                format!("`{name}`: a test's name is the claim that is false where it fails"),
                "say what holds, as in `crop_reaches_every_offset`",
            );
        }
    }

    fn report(&mut self, line: usize, rule: &'static str, reason: String, remedy: &str) {
        self.violations.push(Violation::new(self.path, rule, reason, remedy).at(line));
    }
}

/// `[test]`, `[tokio::test]`: the attribute's path ends in `test`.
fn is_test_attribute(token: &TokenTree) -> bool {
    let TokenTree::Group(group) = token else { return false };
    let last = group.stream().into_iter().last();
    group.delimiter() == Delimiter::Bracket && matches!(last, Some(TokenTree::Ident(ident)) if ident == "test")
}

#[cfg(test)]
mod tests {
    use super::super::violation::rules;
    use super::*;

    fn found(path: &str, text: &str) -> Vec<(&'static str, usize)> {
        let violations = check(&File::new(path, text));
        rules(&violations).into_iter().zip(violations.iter().map(|v| v.line.expect("has a line"))).collect()
    }

    #[test]
    fn unsafe_stands_only_where_it_may() {
        let text = "fn f(p: *const u8) -> u8 {\n    unsafe { *p }\n}\n";
        assert_eq!(found("crates/augment/src/resize.rs", text), [("unsafe", 2)]);
        assert_eq!(found("crates/data/src/records.rs", text), [("unsafe", 2)]);
        assert!(found("crates/ops/src/conv/tile.rs", text).is_empty());
        assert!(found("crates/data/src/mmap.rs", text).is_empty());
    }

    #[test]
    fn words_in_comments_strings_and_lints_do_not_count() {
        let text = "//! unsafe, todo!()\n#![deny(unsafe_code)]\nconst S: &str = r#\"unsafe { dbg!(1) }\"#; // mod utils\n";
        assert!(found("crates/model/src/lib.rs", text).is_empty());
    }

    #[test]
    fn unfinished_macros_fail() {
        let text = "fn f() {\n    todo!()\n}\nfn g() {\n    unimplemented!();\n    dbg!(1);\n}\n";
        assert_eq!(found("a.rs", text), [("unfinished", 2), ("unfinished", 5), ("unfinished", 6)]);
        assert!(found("a.rs", "fn f() { let todo = 1; other!(todo) }").is_empty());
    }

    #[test]
    fn modules_with_names_that_say_nothing_fail() {
        assert_eq!(found("a.rs", "mod data;\nmod helpers {}\n"), [("name", 2)]);
    }

    #[test]
    fn a_test_is_named_by_its_claim() {
        assert_eq!(found("a.rs", "#[test]\nfn test_crop() {}\n"), [("test-name", 2)]);
        assert_eq!(found("a.rs", "mod t {\n#[test]\n#[should_panic]\nfn test_crop() {}\n}"), [("test-name", 4)]);
        assert_eq!(found("a.rs", "proptest! {\n#[test]\nfn test_crop(x in 0..3) {}\n}"), [("test-name", 3)]);
    }

    #[test]
    fn only_tests_are_held_to_the_names_of_tests() {
        assert!(found("a.rs", "#[test]\nfn crop_reaches_every_offset() {}\nfn test_images() {}\n").is_empty());
    }

    #[test]
    fn what_is_not_rust_is_said() {
        assert_eq!(found("a.rs", "fn f() {\n"), [("source", 1)]);
        assert!(found("a.md", "fn f() {\n").is_empty());
    }
}
