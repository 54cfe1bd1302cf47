//! Where the name of a plug may stand: a method, augmentation step, data set, probe protocol, optimiser or backbone tells everything about
//! itself in its own file, and one table registers it. Whoever else knows it by name has to be changed when one is added.

use std::collections::{BTreeMap, BTreeSet};

use proc_macro2::{TokenStream, TokenTree};

use super::source::items::{is_ident, is_punct, items_of, without_tests};
use super::violation::Violation;
use super::workspace::File;

/// What can be added, the folder with a file for each and the table, and how their names are read from there.
const KINDS: &[(&str, &str, Names)] = &[
    ("method", "crates/train/src/methods/", Names::Literals),
    ("augmentation step", "crates/augment/src/steps/", Names::Files),
    ("data set", "crates/data/src/sets/", Names::Literals),
    ("probe protocol", "crates/probe/src/protocols/", Names::Literals),
    ("optimiser", "crates/optim/src/optimizers/", Names::Literals),
    ("backbone", "crates/model/src/backbones/", Names::Literals),
];

#[derive(Clone, Copy, PartialEq, Eq)]
enum Names {
    /// The strings behind `name:` and `NAME: ... =`.
    Literals,
    /// The names of the folder's files and folders.
    Files,
}

/// Names of splits, which data sets name too.
const NO_PLUGS: &[&str] = &["mod", "train", "test"];

/// Files that name plugs as their subject, with the reason.
const EXCEPTED: &[(&str, &str)] = &[
    ("xtask/", "bench times some of them by name, beside what PyTorch has; ci runs tests by name"),
    ("crates/report/src/published", "published figures are of methods and data sets by name"),
    ("crates/testkit/", "writes small copies of published data sets"),
];

/// Words that are a plug's name elsewhere and mean something else in this file.
const OTHER_WORDS: &[(&str, &str, &str)] = &[
    ("crates/cli/src/scoring/evaluation.rs", "random", "weights that a training starts from, in the name of its state's file"),
    ("crates/probe/src/protocols/finetune.rs", "flip", "a setting of its own"),
    ("crates/probe/src/protocols/finetune.rs", "affine", "a setting of its own"),
    ("crates/probe/src/protocols/finetune.rs", "cutout", "a setting of its own"),
];

pub(super) fn check(files: &[File]) -> Vec<Violation> {
    let sources: Vec<&File> = files.iter().filter(|file| is_source(&file.path)).collect();
    let for_tests: BTreeSet<String> = sources.iter().flat_map(|file| test_modules(file)).collect();
    let is_test = |path: &str| for_tests.iter().any(|test| path == format!("{test}.rs") || path.starts_with(&format!("{test}/")));
    let sources: Vec<&File> = sources.into_iter().filter(|file| !is_test(&file.path)).collect();
    let names = names(&sources);
    let mut violations = Vec::new();
    for file in sources {
        if EXCEPTED.iter().any(|(place, _)| file.path.starts_with(place)) {
            continue;
        }
        for (name, line) in literals(file) {
            let Some(plugs) = names.get(&name) else { continue };
            let is_own = plugs.iter().any(|(_, folder)| file.path.starts_with(folder));
            let is_other_word = OTHER_WORDS.iter().any(|(path, word, _)| (*path, *word) == (file.path.as_str(), name.as_str()));
            if is_own || is_other_word {
                continue;
            }
            let (kind, folder) = plugs[0];
            let reason =
                format!("the {kind} {name:?} is known by name outside {folder}, so adding another means changing this file too");
            let remedy = "ask the table for what is needed to be known, and let the plug's own file answer";
            violations.push(Violation::new(&file.path, "plug-name", reason, remedy).at(line));
        }
    }
    violations
}

/// Whether a folder holds a file for each plug of a kind.
pub(super) fn is_folder_of_plugs(folder: &str) -> bool {
    KINDS.iter().any(|(_, plugs, _)| plugs.strip_suffix('/') == Some(folder))
}

/// Code that is neither a test nor an example.
fn is_source(path: &str) -> bool {
    path.ends_with(".rs")
        && !path.ends_with("tests.rs")
        && (path.starts_with("xtask/src/") || (path.starts_with("crates/") && path.contains("/src/")))
}

/// What a file declares by `#[cfg(test)] mod name;`, as a path without its ending.
fn test_modules(file: &File) -> Vec<String> {
    let Ok(tokens) = file.text.parse::<TokenStream>() else { return Vec::new() };
    let (folder, name) = file.path.rsplit_once('/').unwrap_or(("", &file.path));
    let inside = match name {
        "lib.rs" | "main.rs" | "mod.rs" => folder.to_owned(),
        name => format!("{folder}/{}", name.trim_end_matches(".rs")),
    };
    let modules = items_of(tokens).into_iter().filter(|item| item.is_test).filter_map(|item| item.module());
    modules.filter(|(_, body)| body.is_none()).map(|(name, _)| format!("{inside}/{name}")).collect()
}

/// All plugs by name, with kind and folder; a method and a protocol may share theirs.
fn names(sources: &[&File]) -> BTreeMap<String, Vec<(&'static str, &'static str)>> {
    let mut names: BTreeMap<String, Vec<_>> = BTreeMap::new();
    for &(kind, folder, how) in KINDS {
        for (file, inside) in sources.iter().filter_map(|file| Some((file, file.path.strip_prefix(folder)?))) {
            let found = match how {
                Names::Literals => named(file),
                Names::Files => vec![inside.split('/').next().unwrap_or_default().trim_end_matches(".rs").to_owned()],
            };
            for name in found.into_iter().filter(|name| !NO_PLUGS.contains(&name.as_str())) {
                names.entry(name).or_default().push((kind, folder));
            }
        }
    }
    names
}

/// Strings that follow `name` or `NAME` in a constant or a field.
fn named(file: &File) -> Vec<String> {
    let mut names = Vec::new();
    let mut stack = vec![code(file)];
    while let Some(stream) = stack.pop() {
        let tokens: Vec<TokenTree> = stream.into_iter().collect();
        for (place, token) in tokens.iter().enumerate() {
            if let TokenTree::Group(group) = token {
                stack.push(group.stream());
            }
            if is_ident(token, "NAME") {
                let rest = tokens[place + 1..].iter().take_while(|token| !is_punct(token, ';'));
                names.extend(rest.filter_map(string).next());
            } else if is_ident(token, "name") && tokens.get(place + 1).is_some_and(|token| is_punct(token, ':')) {
                names.extend(tokens.get(place + 2).and_then(string));
            }
        }
    }
    names
}

/// Every string of a file's code, with its line.
fn literals(file: &File) -> Vec<(String, usize)> {
    let mut found = Vec::new();
    let mut stack = vec![code(file)];
    while let Some(stream) = stack.pop() {
        for token in stream {
            match &token {
                TokenTree::Group(group) => stack.push(group.stream()),
                TokenTree::Literal(literal) => found.extend(string(&token).map(|text| (text, literal.span().start().line))),
                TokenTree::Ident(_) | TokenTree::Punct(_) => {}
            }
        }
    }
    found
}

fn code(file: &File) -> TokenStream {
    file.text.parse().map(without_tests).unwrap_or_default()
}

/// The text of a plain string literal.
fn string(token: &TokenTree) -> Option<String> {
    let TokenTree::Literal(literal) = token else { return None };
    let text = literal.to_string();
    Some(text.strip_prefix('"')?.strip_suffix('"')?.to_owned())
}

#[cfg(test)]
mod tests {
    use super::super::violation::rules;
    use super::*;

    const METHOD: (&str, &str) =
        ("crates/train/src/methods/simclr.rs", "impl MethodSettings for S { const NAME: &'static str = \"simclr\"; }");
    const STEP: (&str, &str) = ("crates/augment/src/steps/cutout.rs", "");

    fn found(files: &[(&str, &str)]) -> Vec<(String, usize)> {
        let files: Vec<File> = files.iter().chain(&[METHOD, STEP]).map(|(path, text)| File::new(path, text)).collect();
        let violations = check(&files);
        assert!(rules(&violations).iter().all(|rule| *rule == "plug-name"));
        violations.into_iter().map(|violation| (violation.file, violation.line.expect("has a line"))).collect()
    }

    #[test]
    fn a_plug_that_is_known_elsewhere_by_its_name_fails() {
        let place = |path: &str, line| vec![(path.to_owned(), line)];
        let report = "crates/report/src/headline.rs";
        assert_eq!(found(&[(report, "fn f(m: &str) {\n match m { \"simclr\" => 1, _ => 2 } }")]), place(report, 2));
        assert_eq!(found(&[("crates/cli/src/a.rs", "const A: &str = \"cutout\";")]), place("crates/cli/src/a.rs", 1));
    }

    #[test]
    fn its_own_folder_tests_and_docs_may_name_it() {
        let allowed = [
            ("crates/train/src/methods/mod.rs", "fn default() -> &str { \"simclr\" }"),
            ("crates/train/tests/methods.rs", "fn f() { \"simclr\" }"),
            ("crates/cli/src/a.rs", "/// simclr\nfn f() {}\n#[cfg(test)]\nmod tests { fn f() { \"simclr\" } }"),
            ("crates/cli/src/b.rs", "#[cfg(test)]\nmod tests;"),
            ("crates/cli/src/b/tests.rs", "fn f() { \"simclr\" }"),
            ("docs/METHODS.md", "\"simclr\""),
        ];
        assert!(found(&allowed).is_empty(), "{:?}", found(&allowed));
    }

    #[test]
    fn the_tables_are_where_they_are_looked_for() {
        let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
        for (kind, folder, _) in KINDS {
            assert!(root.join(folder).join("mod.rs").is_file(), "{kind}: {folder}");
        }
    }

    #[test]
    fn a_name_inside_other_words_is_no_name() {
        assert!(
            found(&[("crates/cli/src/a.rs", "const A: &str = \"relata train configs/cifar10/conv4-simclr.toml\";")]).is_empty()
        );
    }
}
