use std::path::Path;

use md5::Md5;
use sha2::{Digest, Sha256};

use crate::Error;

/// Collects parts of a data set into its fingerprint: the first 16 hexadecimal digits of a SHA-256.
///
/// Each part goes in with its length, so that no two different lists of parts read the same.
pub(crate) struct Fingerprint(Sha256);

impl Fingerprint {
    /// Starts with the format's name, so that two formats never agree by chance.
    pub(crate) fn new(format: &str) -> Self {
        Self(Sha256::new()).part(format.as_bytes())
    }

    /// Adds one part.
    pub(crate) fn part(mut self, bytes: &[u8]) -> Self {
        self.0.update((bytes.len() as u64).to_le_bytes());
        self.0.update(bytes);
        self
    }

    /// Adds one number.
    pub(crate) fn number(self, number: u64) -> Self {
        self.part(&number.to_le_bytes())
    }

    /// The digest.
    pub(crate) fn finish(self) -> String {
        self.0.finalize()[..8].iter().map(|byte| format!("{byte:02x}")).collect()
    }
}

/// The error where a file's bytes are not those with the MD5 `expected`. It finds damage, not malice.
pub(crate) fn damage(path: &Path, bytes: &[u8], expected: &'static str) -> Option<Error> {
    let got: String = Md5::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect();
    (got != expected).then(|| Error::DamagedFile { path: path.to_owned(), expected, got })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_do_not_run_together() {
        let digest = |parts: &[&str]| parts.iter().fold(Fingerprint::new("x"), |f, part| f.part(part.as_bytes())).finish();
        assert_ne!(digest(&["ab", "c"]), digest(&["a", "bc"]));
        assert_eq!(digest(&["ab", "c"]), digest(&["ab", "c"]));
        assert_eq!(digest(&[]).len(), 16);
    }
}
