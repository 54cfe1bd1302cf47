//! "Did you mean": the known name that is most like a mistyped one. The libraries' errors carry the names; the hint is added here.

/// The candidate most like `word`; `None` where none is like it.
///
/// Dotted keys are also compared by their last part, so that `epochs` finds `train.epochs`.
pub(crate) fn nearest<'a>(word: &str, candidates: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let likeness = |candidate: &str| {
        let whole = strsim::normalized_damerau_levenshtein(word, candidate);
        let last = |dotted: &str| dotted.rsplit('.').next().unwrap_or_default().to_owned();
        // Slightly less than a match of the whole, so that the same section wins over another with the same last part.
        whole.max(0.95 * strsim::normalized_damerau_levenshtein(&last(word), &last(candidate)))
    };
    let scored = candidates.map(|candidate| (likeness(candidate), candidate));
    let best = scored.max_by(|a, b| a.0.total_cmp(&b.0));
    best.filter(|(likeness, _)| *likeness >= 0.6).map(|(_, candidate)| candidate)
}

/// `; did you mean "x"?`, or nothing.
pub(crate) fn did_you_mean(nearest: Option<&str>) -> String {
    nearest.map_or_else(String::new, |word| format!("; did you mean {word:?}?"))
}

/// `; did you mean a or b?`, or nothing.
pub(crate) fn or_did_you_mean(nearest: &[String]) -> String {
    if nearest.is_empty() { String::new() } else { format!("; did you mean {}?", nearest.join(" or ")) }
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
}
