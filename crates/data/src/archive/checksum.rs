use std::fmt;
#[cfg(feature = "archives")]
use std::{
    fs::File,
    io::{Read, Seek},
    path::Path,
};

#[cfg(feature = "archives")]
use super::{Progress, Work};
#[cfg(feature = "archives")]
use crate::{Error, Result};

/// What a file's bytes must come to, in hexadecimal digits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Checksum {
    /// What publishers of data sets give: it finds damage, not malice.
    Md5(String),
    /// What the hub gives.
    Sha256(String),
}

impl Checksum {
    /// The digits.
    #[must_use]
    pub fn digits(&self) -> &str {
        match self {
            Self::Md5(digits) | Self::Sha256(digits) => digits,
        }
    }

    /// `MD5` or `SHA-256`.
    #[must_use]
    pub fn algorithm(&self) -> &'static str {
        match self {
            Self::Md5(_) => "MD5",
            Self::Sha256(_) => "SHA-256",
        }
    }
}

/// `MD5 c32a1d4a...`
impl fmt::Display for Checksum {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.algorithm(), self.digits())
    }
}

#[cfg(feature = "archives")]
const CHUNK_BYTES: usize = 256 * 1024;

/// Reads `file` from its start, compares, and leaves it at its start.
#[cfg(feature = "archives")]
pub(crate) fn check(file: &mut File, path: &Path, expected: &Checksum, progress: &dyn Fn(Progress)) -> Result<()> {
    use sha2::Digest;

    let (bytes, got) = match expected {
        Checksum::Md5(_) => digest(md5::Md5::new(), file, path, progress)?,
        Checksum::Sha256(_) => digest(sha2::Sha256::new(), file, path, progress)?,
    };
    if got.eq_ignore_ascii_case(expected.digits()) {
        return Ok(());
    }
    Err(Error::Checksum { path: path.to_owned(), bytes, expected: Box::new(expected.clone()), got })
}

/// Size and digits.
#[cfg(feature = "archives")]
fn digest(mut digest: impl sha2::Digest, file: &mut File, path: &Path, progress: &dyn Fn(Progress)) -> Result<(u64, String)> {
    let io = |source| Error::Io { path: path.to_owned(), source };
    let of_bytes = file.metadata().map_err(io)?.len();
    file.rewind().map_err(io)?;
    let (mut done_bytes, mut chunk) = (0, vec![0; CHUNK_BYTES]);
    loop {
        let read = file.read(&mut chunk).map_err(io)?;
        if read == 0 {
            break;
        }
        digest.update(&chunk[..read]);
        done_bytes += read as u64;
        progress(Progress { work: Work::Verify, done_bytes, of_bytes });
    }
    file.rewind().map_err(io)?;
    Ok((of_bytes, hexadecimal(&digest.finalize())))
}

#[cfg(feature = "archives")]
pub(crate) fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
