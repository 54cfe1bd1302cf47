//! Words that only this project used for things that the field has names for: who searches for the field's name must find it.

use proc_macro2::{TokenStream, TokenTree};

use super::violation::Violation;
use super::workspace::File;

/// Where a private word must not stand.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Where {
    /// In any text, as whole words.
    Text,
    /// As an identifier of Rust code; in prose it is plain English.
    Identifier,
    /// As the name of a source file.
    FileName,
}

use Where::{FileName, Identifier, Text};

/// The private word, where it must not stand, and what the field says.
const PRIVATE: &[(&str, Where, &str)] = &[
    ("ahead", FileName, "prefetch"),
    ("Ahead", Identifier, "PrefetchPlan"),
    ("Asks", Identifier, "the field's prefetch: PrefetchPlan, or requests"),
    ("unseen", Identifier, "prefetch"),
    ("asks memory", Text, "prefetches"),
    ("asked in advance", Text, "prefetched"),
    ("asks in advance", Text, "prefetches"),
    ("Past", Identifier, "NonTemporal"),
    ("past the cache", Text, "by non-temporal stores"),
    ("past the caches", Text, "by non-temporal stores"),
    ("past them", Text, "by non-temporal stores"),
    ("Store::Over", Text, "Store::Overwrite"),
    ("Store::Add", Text, "Store::Accumulate"),
    ("Store::Past", Text, "Store::NonTemporal"),
    ("judge", Identifier, "loss_and_gradients"),
    ("follow", Identifier, "update_running_stats or ema_update"),
    ("places", Identifier, "positions, slots or RNG word indices"),
    ("foretold", Text, "estimated"),
    ("foretell", Text, "estimate"),
    ("told rightly", Text, "correct"),
    ("tells rightly", Text, "is correct"),
    ("told wrongly", Text, "wrong"),
    ("no number", Text, "not finite"),
    ("anew", Text, "again"),
    ("asked for", Text, "requested"),
    ("Fastest", Identifier, "Auto"),
    ("pace", FileName, "throughput"),
    ("strata", FileName, "stratified_split"),
    ("sheet", FileName, "contact_sheet"),
    ("neutral", FileName, "result_neutral"),
    ("unit", FileName, "l2_normalise"),
    ("parts", FileName, "split"),
    ("totals", FileName, "running_means"),
    ("answers", FileName, "predictions"),
    ("words", FileName, "a name of its subject"),
    ("Given", Identifier, "what was given"),
    ("Made", Identifier, "what was made"),
    ("Passed", Identifier, "what passed"),
];

/// What was tried and decided is told in the words of its day; this table must name what it forbids.
const EXCEPTED: &[&str] = &["docs/log", "docs/LOG.md", "docs/adr", "CHANGELOG.md", "xtask/src/tidy/vocabulary.rs"];

/// Names of settings, which old configurations have: they stay.
const SETTINGS: &[(&str, &str)] = &[("places", "crates/train/")];

const TEXT_FILES: &[&str] = &[".rs", ".md", ".toml", ".py", ".yml"];

pub(super) fn check(file: &File) -> Vec<Violation> {
    if EXCEPTED.iter().any(|place| file.path.starts_with(place)) || !TEXT_FILES.iter().any(|end| file.path.ends_with(end)) {
        return Vec::new();
    }
    let is_setting = |word: &str| SETTINGS.iter().any(|(setting, place)| *setting == word && file.path.starts_with(place));
    let mut violations = Vec::new();
    let mut report = |word: &str, line: Option<usize>, field: &str| {
        let reason = format!("{word:?} is this project's own word: who looks for what it means will not find it");
        let violation = Violation::new(&file.path, "private-word", reason, format!("say what the field says: {field}"));
        violations.push(Violation { line, ..violation });
    };
    let stem = file.path.rsplit('/').next().and_then(|name| name.strip_suffix(".rs"));
    for (word, _, field) in words(FileName).filter(|(word, ..)| stem == Some(*word)) {
        report(word, None, field);
    }
    for (line, word, field) in in_text(&file.text) {
        report(word, Some(line), field);
    }
    if let Some(tokens) = file.is_rust().then(|| file.text.parse::<TokenStream>().ok()).flatten() {
        identifiers(tokens, &mut |name, line| {
            if let Some((word, _, field)) = words(Identifier).find(|(word, ..)| *word == name && !is_setting(word)) {
                report(word, Some(line), field);
            }
        });
    }
    violations
}

fn words(place: Where) -> impl Iterator<Item = &'static (&'static str, Where, &'static str)> {
    PRIVATE.iter().filter(move |(_, of, _)| *of == place)
}

/// Line, word and the field's word; a phrase may go on in the next line.
fn in_text(text: &str) -> Vec<(usize, &'static str, &'static str)> {
    let lines: Vec<&str> = text.lines().map(without_marks).collect();
    let mut found = Vec::new();
    for (index, line) in lines.iter().enumerate() {
        let next = lines.get(index + 1).copied().unwrap_or_default();
        let both = format!("{line} {next}");
        for (word, _, field) in words(Text) {
            if stands_in(word, line) || (word.contains(' ') && stands_in(word, &both) && !stands_in(word, next)) {
                found.push((index + 1, *word, *field));
            }
        }
    }
    found
}

/// A line without what makes it a comment, a quotation or an entry of a list.
fn without_marks(line: &str) -> &str {
    line.trim().trim_start_matches(['/', '!', '#', '>', '*', '-']).trim()
}

/// Whether `word` stands in `line` as whole words.
fn stands_in(word: &str, line: &str) -> bool {
    let is_part = |c: char| c.is_alphanumeric() || c == '_';
    line.match_indices(word).any(|(at, _)| {
        let (before, after) = (line[..at].chars().next_back(), line[at + word.len()..].chars().next());
        !before.is_some_and(is_part) && !after.is_some_and(is_part)
    })
}

fn identifiers(stream: TokenStream, found: &mut dyn FnMut(&str, usize)) {
    for token in stream {
        match token {
            TokenTree::Ident(ident) => found(&ident.to_string(), ident.span().start().line),
            TokenTree::Group(group) => identifiers(group.stream(), found),
            TokenTree::Punct(_) | TokenTree::Literal(_) => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::violation::rules;
    use super::*;

    fn lines(path: &str, text: &str) -> Vec<Option<usize>> {
        let found = check(&File::new(path, text));
        assert!(rules(&found).iter().all(|rule| *rule == "private-word"));
        found.into_iter().map(|violation| violation.line).collect()
    }

    #[test]
    fn a_private_word_fails_in_code_and_in_docs() {
        assert_eq!(lines("crates/ops/src/a.rs", "/// Stores past the caches.\nfn f() {}\n"), [Some(1)]);
        assert_eq!(lines("docs/KERNELS.md", "It is\nmade anew.\n"), [Some(2)]);
        assert_eq!(
            lines("crates/ops/src/a.rs", "struct Ahead;\nfn f(x: Store) { x == Store::Past }"),
            [Some(2), Some(1), Some(2)]
        );
    }

    #[test]
    fn a_phrase_is_found_over_the_end_of_a_line() {
        assert_eq!(lines("a.rs", "// what it asks\n// memory for\n"), [Some(1)]);
    }

    #[test]
    fn a_private_name_of_a_file_fails() {
        assert_eq!(lines("crates/data/src/pace.rs", ""), [None]);
        assert!(lines("crates/data/src/space.rs", "").is_empty());
    }

    #[test]
    fn plain_english_passes() {
        let text = "// It runs ahead in many places, unseen; follow it to the judge.\nlet anew_x = 1;\n";
        assert!(lines("a.rs", text).is_empty());
        assert!(lines("a.md", "Given two views, go ahead.").is_empty());
    }

    #[test]
    fn what_was_tried_is_told_in_the_words_of_its_day() {
        for path in ["docs/LOG.md", "docs/log/kernels.md", "docs/adr/0001-house.md", "a.png"] {
            assert!(lines(path, "past the caches, anew").is_empty(), "{path}");
        }
    }
}
