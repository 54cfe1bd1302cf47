//! Words of messages: the nearest known one to a mistyped one, plurals, and what the user calls this program.

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

/// Seeds as an argument takes them: those that a configuration can hold.
pub(crate) fn seed() -> clap::builder::RangedU64ValueParser<u64> {
    clap::value_parser!(u64).range(0..=i64::MAX as u64)
}

/// `1 epoch`, `8 epochs`, `3 classes`
pub(crate) fn counted(count: usize, what: &str) -> String {
    let ending = if what.ends_with('s') { "es" } else { "s" };
    if count == 1 { format!("1 {what}") } else { format!("{count} {what}{ending}") }
}

/// `0.3 MiB`, `2518.1 MiB`
pub(crate) fn mib(bytes: u64) -> String {
    format!("{:.1} MiB", bytes as f64 / f64::from(1 << 20))
}

/// How the user starts this program: `relata`, or `cargo xtask` where the commands are part of that.
pub(crate) fn program() -> &'static str {
    let path = std::env::current_exe().ok();
    let is_xtask = path.as_deref().and_then(std::path::Path::file_stem).is_some_and(|stem| stem == "xtask");
    if is_xtask { "cargo xtask" } else { "relata" }
}

/// A help text in which every `relata COMMAND` is what the user would type.
pub(crate) fn help(text: &str) -> String {
    text.replace("  relata ", &format!("  {} ", program()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_is_no_plural() {
        assert_eq!([0, 1, 2].map(|count| counted(count, "image")), ["0 images", "1 image", "2 images"]);
        assert_eq!(counted(2, "class"), "2 classes");
    }

    #[test]
    fn sizes_are_in_mebibytes() {
        assert_eq!([300_000, 2_640_397_119].map(mib), ["0.3 MiB", "2518.1 MiB"]);
    }

    #[test]
    fn the_nearest_word_is_near() {
        let keys = ["train.epochs", "probe.epochs", "train.lr"];
        assert_eq!(nearest("train.epoch", keys.into_iter()), Some("train.epochs"));
        assert_eq!(nearest("probe.epoch", keys.into_iter()), Some("probe.epochs"));
        assert_eq!(nearest("colour", keys.into_iter()), None);
    }
}
