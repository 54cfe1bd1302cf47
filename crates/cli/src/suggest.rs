//! "Did you mean": the known name that is most like a mistyped one. The libraries' errors carry the names; the hint is added here.

use std::path::{Path, PathBuf};

/// A name that is less like than this is no suggestion.
const LEAST_LIKENESS: f64 = 0.6;

/// The candidate most like `word`; `None` where none is like it.
///
/// Dotted keys are also compared by their last part, so that `epochs` finds `train.epochs`.
pub(crate) fn nearest<'a>(word: &str, candidates: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let last = |dotted: &str| dotted.rsplit('.').next().unwrap_or_default().to_owned();
    let scored = candidates.map(|candidate| {
        // Slightly less than a match of the whole, so that the same section wins over another with the same last part.
        let by_last_part = 0.95 * likeness(&last(word), &last(candidate));
        (likeness(word, candidate).max(by_last_part), candidate)
    });
    let best = scored.max_by(|a, b| a.0.total_cmp(&b.0));
    best.filter(|(likeness, _)| *likeness >= LEAST_LIKENESS).map(|(_, candidate)| candidate)
}

/// 1 for the same word, 0 for one that has nothing in common: the share of letters that need no edit (Damerau-Levenshtein).
fn likeness(word: &str, candidate: &str) -> f64 {
    strsim::normalized_damerau_levenshtein(word, candidate)
}

/// `; did you mean "x"?`, or nothing.
pub(crate) fn did_you_mean(nearest: Option<&str>) -> String {
    nearest.map_or_else(String::new, |word| format!("; did you mean {word:?}?"))
}

/// `; did you mean a or b?`, or nothing.
pub(crate) fn or_did_you_mean(nearest: &[String]) -> String {
    if nearest.is_empty() { String::new() } else { format!("; did you mean {}?", nearest.join(" or ")) }
}

/// `did you mean runs/a or runs/b?`: the runs whose names are most like that of `path`, three at most; `None` where there are none.
pub(crate) fn did_you_mean_run(path: &Path, known: &[PathBuf]) -> Option<String> {
    let name = |path: &Path| path.file_name().map(|name| name.to_string_lossy().to_lowercase()).unwrap_or_default();
    let wanted = name(path);
    let mut runs: Vec<(f64, &PathBuf)> = known.iter().map(|run| (likeness(&wanted, &name(run)), run)).collect();
    runs.sort_by(|a, b| b.0.total_cmp(&a.0).then_with(|| a.1.cmp(b.1)));
    let names: Vec<String> = runs.iter().take(3).map(|(_, run)| run.display().to_string()).collect();
    (!names.is_empty()).then(|| format!("did you mean {}?", names.join(" or ")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_word_is_near() {
        let keys = ["train.epochs", "probe.epochs", "train.lr"];
        assert_eq!(nearest("train.epoch", keys.into_iter()), Some("train.epochs"));
        assert_eq!(nearest("probe.epoch", keys.into_iter()), Some("probe.epochs"));
        assert_eq!(nearest("colour", keys.into_iter()), None);
    }

    #[test]
    fn a_run_that_is_not_there_names_the_three_most_like_it() {
        let known = ["stl10-resnet34", "shapes", "runs/cifar10-rotation", "cifar10-conv4"].map(PathBuf::from);
        let hint = did_you_mean_run(Path::new("cifar10-conv"), &known).unwrap();
        assert!(hint.starts_with("did you mean cifar10-conv4 or ") && hint.contains("runs/cifar10-rotation"), "{hint}");
        assert_eq!(did_you_mean_run(Path::new("x"), &[]), None);
    }
}
