//! How long a function may be.

use proc_macro2::{Delimiter, TokenStream, TokenTree};

use crate::tidy::violation::Violation;
use crate::tidy::workspace::File;

/// Lines between the braces.
const MAX_LINES: usize = 70;

/// Register tiles: loops over named vector registers, which a call in between would spill to memory. File and function, and what a cut
/// cost where it was tried.
const REGISTER_TILES: &[(&str, &str, &str)] = &[(
    "crates/ops/src/conv/tile.rs",
    "correlate_tile",
    "docs/log/kernels.md: parts of it as functions that are called spill registers or take 1 to 20 points of a layer",
)];

pub(in crate::tidy) fn check(file: &File) -> Vec<Violation> {
    let Ok(tokens) = file.text.parse::<TokenStream>() else { return Vec::new() };
    if !file.is_rust() {
        return Vec::new();
    }
    let mut violations = Vec::new();
    for Function { name, line, lines } in functions(tokens) {
        let is_tile = REGISTER_TILES.iter().any(|(path, tile, _)| (*path, *tile) == (file.path.as_str(), name.as_str()));
        if lines > MAX_LINES && !is_tile {
            let reason = format!("`{name}` has {lines} lines; one that does one thing has at most {MAX_LINES}");
            let remedy = "give each thing that it does a function with a name of its own, or its state a struct";
            violations.push(Violation::new(&file.path, "long-function", reason, remedy).at(line));
        }
    }
    violations
}

/// A function with a body.
struct Function {
    name: String,
    line: usize,
    /// Between its braces.
    lines: usize,
}

/// All functions, those inside others and inside macros too.
fn functions(stream: TokenStream) -> Vec<Function> {
    let mut found = Vec::new();
    // Name and line of a function whose body is still to come.
    let mut head = None;
    let mut after_fn = false;
    for token in stream {
        match token {
            TokenTree::Ident(ident) => {
                if after_fn {
                    head = Some((ident.to_string(), ident.span().start().line));
                }
                after_fn = ident == "fn";
            }
            TokenTree::Group(group) => {
                if group.delimiter() == Delimiter::Brace
                    && let Some((name, line)) = head.take()
                {
                    let lines = group.span_close().start().line.saturating_sub(group.span_open().start().line + 1);
                    found.push(Function { name, line, lines });
                }
                found.extend(functions(group.stream()));
                after_fn = false;
            }
            TokenTree::Punct(punct) => {
                if punct.as_char() == ';' {
                    head = None;
                }
                // `fn $name` of a macro.
                after_fn &= punct.as_char() == '$';
            }
            TokenTree::Literal(_) => after_fn = false,
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tidy::violation::rules;

    fn function(lines: usize) -> String {
        format!("fn long(a: usize) -> usize {{\n{}}}\n", "    a;\n".repeat(lines))
    }

    fn found(text: &str) -> Vec<&'static str> {
        rules(&check(&File::new("crates/x/src/a.rs", text)))
    }

    #[test]
    fn a_function_over_seventy_lines_fails() {
        assert!(found(&function(70)).is_empty());
        assert_eq!(found(&function(71)), ["long-function"]);
    }

    #[test]
    fn functions_of_traits_modules_and_macros_have_the_same_limit() {
        let long = function(71);
        assert_eq!(found(&format!("mod m {{ impl A {{ {long} }} }}")), ["long-function"]);
        assert_eq!(found(&format!("macro_rules! m {{ () => {{ {} }} }}", long.replace("long", "$name"))), ["long-function"]);
    }

    #[test]
    fn what_is_no_function_has_no_length() {
        assert!(found(&format!("trait T {{ fn f(); }}\nstruct S {{{}}}", "\n".repeat(100))).is_empty());
        assert!(rules(&check(&File::new("a.md", &function(71)))).is_empty());
    }

    #[test]
    fn every_exception_is_there_and_long() {
        for (path, name, _) in REGISTER_TILES {
            let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
            let text = std::fs::read_to_string(root.join(path)).unwrap_or_else(|error| panic!("{path}: {error}"));
            let there = functions(text.parse().expect("is Rust"));
            assert!(there.iter().any(|function| function.name == *name && function.lines > MAX_LINES), "{path}: {name}");
        }
    }
}
