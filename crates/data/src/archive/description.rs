use std::path::{Path, PathBuf};

use super::checksum::Checksum;

/// A data set as its publisher packs it.
#[derive(Debug, Clone, Copy)]
pub struct Archive {
    /// The file's name; its ending, `.tar.gz`, `.tgz` or `.zip`, says what it is.
    pub file: &'static str,
    /// The folder inside that the data set is read from. Whatever else the archive holds is left packed.
    pub folder: &'static str,
    /// Where the publisher offers it; `None` where there is nothing that could be read as it is.
    pub url: Option<&'static str>,
    /// Its MD5 in hexadecimal digits, where the publisher gives one.
    pub md5: Option<&'static str>,
    /// Its size, where it is known.
    pub bytes: Option<u64>,
    /// What the folder, which is there, must hold and does not, by a look at names.
    pub missing: fn(&Path) -> Vec<PathBuf>,
}

impl Archive {
    /// The checksum that the archive must have, where it is known.
    #[must_use]
    pub fn checksum(&self) -> Option<Checksum> {
        self.md5.map(|digits| Checksum::Md5(digits.to_owned()))
    }
}
