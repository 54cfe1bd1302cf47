use std::fs::File;
use std::io::{Read, Seek};
use std::path::Path;

use sha2::Digest;

use super::checksum::Checksum;
use super::progress::{Progress, Work};
use crate::{Error, Result};

const CHUNK_BYTES: usize = 256 * 1024;

/// Reads `file` from its start, compares, and leaves it at its start.
pub(crate) fn check(file: &mut File, path: &Path, expected: &Checksum, progress: &dyn Fn(Progress)) -> Result<()> {
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

pub(crate) fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
