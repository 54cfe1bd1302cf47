//! Which settings a resumed run may change.

use relata_artifact::{CHANGES_NO_RESULT, changes_no_result};

/// What `--resume` may change beside the settings that change no result: what was trained so far stays as it is. Data that has moved is
/// known by its fingerprint.
const CHANGEABLE_ON_RESUME: [&str; 3] = ["train.epochs", "data.path", "probe.*"];

/// Whether `--resume` may change the setting of this dotted key.
pub(super) fn changeable(key: &str) -> bool {
    let fits = |pattern: &str| pattern.strip_suffix('*').map_or(key == pattern, |section| key.starts_with(section));
    CHANGEABLE_ON_RESUME.iter().any(|pattern| fits(pattern)) || changes_no_result(key)
}

/// `train.epochs, ...`: all that a resumed run may change.
pub(super) fn changeable_on_resume() -> String {
    CHANGEABLE_ON_RESUME.into_iter().chain(CHANGES_NO_RESULT).collect::<Vec<_>>().join(", ")
}
