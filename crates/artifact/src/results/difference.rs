//! One setting in which a result is not the run's own, and the part of a file name that says so.

use std::fmt;

use sha2::{Digest, Sha256};

/// Keys that are no setting: the checkpoint that was scored, and the step of that checkpoint.
pub(super) const CHECKPOINT: &str = "checkpoint";
pub(super) const STEP: &str = "step";

pub(super) const SEED: &str = "probe.seed";
pub(super) const DATASET: &str = "data.dataset";
pub(super) const PATH: &str = "data.path";
/// Training images that are held out, and scored in the place of the test split.
pub(super) const HELD_OUT: &str = "data.validation";

/// One setting of a result that is not the run's own.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Difference {
    /// The setting's dotted key, `checkpoint`, or `step` for weights that were trained on since.
    pub key: String,
    /// The value that the result was requested with.
    pub value: String,
    /// The run's own value.
    pub own: String,
}

impl Difference {
    /// As a part of a file's name.
    pub(super) fn file_name_part(&self) -> String {
        let Self { key, value, .. } = self;
        let seeds = value.strip_prefix('[').and_then(|list| list.strip_suffix(']')).filter(|_| key == SEED);
        let text = match (key.as_str(), seeds) {
            (DATASET | CHECKPOINT, _) => value.clone(),
            // Two folders may have one name.
            (PATH, _) => format!("{}-{}", folder_name(value), digest(value, 8)),
            (HELD_OUT, _) if value == "0" => "test".to_owned(),
            (_, Some(seeds)) => format!("seeds={}", seeds.replace(", ", "+")),
            _ => format!("{}={value}", key.rsplit('.').next().unwrap_or(key)),
        };
        let safe = |c: char| c.is_ascii_alphanumeric() || "-_.=+".contains(c);
        if text.chars().all(safe) {
            return text;
        }
        let plain = text.replace(|c| !safe(c), "-");
        if key == PATH { plain } else { format!("{plain}-{}", digest(value, 8)) }
    }
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.key, self.value)?;
        if self.own.is_empty() { Ok(()) } else { write!(f, " (the run's own: {})", self.own) }
    }
}

/// The last part of a path of any operating system.
pub(super) fn folder_name(path: &str) -> &str {
    path.trim_end_matches(['/', '\\']).rsplit(['/', '\\']).next().unwrap_or_default()
}

/// The first hexadecimal digits of a text's SHA-256.
pub(super) fn digest(text: &str, digits: usize) -> String {
    let bytes = Sha256::digest(text.as_bytes());
    bytes.iter().flat_map(|byte| format!("{byte:02x}").into_bytes()).take(digits).map(char::from).collect()
}
