use std::cell::Cell;
use std::fs::{self, File};
use std::io::{ErrorKind, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use ureq::Agent;
use ureq::config::ConfigBuilder;
use ureq::http::Response;
use ureq::typestate::AgentScope;

use super::check::check;
use super::checksum::Checksum;
use super::description::Archive;
use super::folder::is_there_whole;
use super::progress::{Progress, Work};
use super::unpack::{UnpackLimits, unpack};
use crate::sync::sync_folder;
use crate::{Error, Result};

/// How patient a download is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FetchOptions {
    /// For a connection, names resolved. Default 20 s.
    pub connect_timeout: Duration,
    /// For the next bytes of a server that has fallen silent. Default 60 s; a download as a whole may take any time.
    pub read_timeout: Duration,
    /// Tries in a row that bring nothing new before it gives up. Default 5.
    pub attempts: u32,
    /// Between two tries. Default 2 s.
    pub retry_delay: Duration,
    /// Most bytes of a file whose length nobody knows. Default 32 GiB, as much as an archive may unpack to.
    pub largest_bytes: u64,
}

impl Default for FetchOptions {
    fn default() -> Self {
        Self {
            connect_timeout: Duration::from_secs(20),
            read_timeout: Duration::from_secs(60),
            attempts: 5,
            retry_delay: Duration::from_secs(2),
            largest_bytes: UnpackLimits::default().bytes,
        }
    }
}

const CHUNK_BYTES: usize = 128 * 1024;

/// Downloads the archive into `root`, checks its MD5, unpacks it and returns the folder; the archive stays.
///
/// What is there already is not done again: neither a folder, nor an archive, nor the beginning of one. A download that was cut
/// off goes on from `<archive.file>.part` where the server can do that (HTTP ranges), and starts again where it cannot; what is
/// there is given up only for an answer that may be the file: not for a web page, nor for a file of another length.
/// The archive's name appears only once all of it is there and right.
///
/// # Errors
/// [`Error::Incomplete`] where the folder is there and lacks something; [`Error::Download`], with the address, the checksum and the
/// place to put the file, also where the server sent something else, which is removed; [`Error::NotOffered`]; [`Error::Write`]; or
/// those of [`unpack`].
pub fn fetch(archive: &Archive, root: &Path, options: &FetchOptions, progress: &dyn Fn(Progress)) -> Result<PathBuf> {
    let (target, path) = (root.join(archive.folder), root.join(archive.file));
    if is_there_whole(archive, root)? {
        return Ok(target);
    }
    if !path.is_file() {
        let Some(url) = archive.url else {
            return Err(Error::NotOffered { file: archive.file, folder: target });
        };
        fs::create_dir_all(root).map_err(|source| Error::Write { path: root.to_owned(), source })?;
        Download::new(url.to_owned(), path, archive.bytes, archive.checksum(), options, progress).run()?;
        sync_folder(root).map_err(|source| Error::Write { path: root.to_owned(), source })?;
    }
    unpack(archive, root, &UnpackLimits::default(), progress)
}

/// One file from its address to its path, by way of `<place>.part`.
pub(crate) struct Download<'a> {
    url: String,
    path: PathBuf,
    part: PathBuf,
    bytes: Option<u64>,
    checksum: Option<Checksum>,
    options: &'a FetchOptions,
    progress: &'a dyn Fn(Progress),
    /// Whether the server has sent the ranges that were requested so far. If not, the whole file is requested.
    ranges: Cell<bool>,
}

/// Why a try did not bring the whole file.
enum Stop {
    /// The next try may.
    ForNow(String),
    /// No other try will.
    ForGood(String),
    /// The disk, not the network.
    Disk(std::io::Error),
}

impl<'a> Download<'a> {
    /// `bytes` and `checksum` where they are known; the folder of `path` must be there.
    pub(crate) fn new(
        url: String,
        path: PathBuf,
        bytes: Option<u64>,
        checksum: Option<Checksum>,
        options: &'a FetchOptions,
        progress: &'a dyn Fn(Progress),
    ) -> Self {
        let mut part = path.clone().into_os_string();
        part.push(".part");
        Self { url, path, part: part.into(), bytes, checksum, options, progress, ranges: Cell::new(true) }
    }

    /// Goes on from what is there, as often as it takes; the file has its name only once all of it is there and right.
    pub(crate) fn run(self) -> Result<()> {
        let write_error = |source| Error::Write { path: self.part.clone(), source };
        let opened = File::options().read(true).write(true).create(true).truncate(false).open(&self.part);
        let mut part = opened.map_err(write_error)?;
        if let Err(fs::TryLockError::WouldBlock) = part.try_lock() {
            return Err(self.failed(format!("another process is writing {}", self.part.display())));
        }
        if self.path.is_file() {
            // Another process has brought it meanwhile; the beginning that was made here is of nothing.
            if fs::metadata(&self.part).is_ok_and(|metadata| metadata.len() == 0) {
                let _ = fs::remove_file(&self.part);
            }
            return Ok(());
        }
        let agent: Agent = agent_builder(self.options).build().into();
        let start_bytes = part.seek(SeekFrom::End(0)).map_err(write_error)?;
        let (mut most_bytes, mut failures, mut from_before) = (start_bytes, 0, start_bytes > 0);
        loop {
            match self.attempt(&agent, &mut part) {
                Ok(()) => match self.check(&mut part) {
                    // The beginning may be of another file than the rest: once more, all of it.
                    Err(Error::Checksum { .. }) if from_before => {
                        from_before = false;
                        part.set_len(0).map_err(write_error)?;
                        most_bytes = 0;
                    }
                    Err(error) => {
                        drop(part);
                        let _ = fs::remove_file(&self.part);
                        return Err(match error {
                            Error::Checksum { expected, got, .. } => self.failed(format!(
                                "the server sent another file, of {} {got} instead of {}, which is removed",
                                expected.algorithm(),
                                expected.digits()
                            )),
                            error => error,
                        });
                    }
                    Ok(()) => break,
                },
                Err(Stop::Disk(source)) => return Err(write_error(source)),
                Err(Stop::ForGood(reason)) => return Err(self.given_up(part, reason)),
                Err(Stop::ForNow(reason)) => {
                    let bytes = part.seek(SeekFrom::End(0)).map_err(write_error)?;
                    failures = if bytes > most_bytes { 0 } else { failures + 1 };
                    most_bytes = most_bytes.max(bytes);
                    if failures >= self.options.attempts {
                        return Err(self.given_up(part, reason));
                    }
                    std::thread::sleep(self.options.retry_delay);
                }
            }
        }
        part.sync_all().map_err(write_error)?;
        // Its lock keeps others out until it has its name; an open file cannot be renamed everywhere.
        let _open = cfg!(unix).then_some(part);
        fs::rename(&self.part, &self.path).map_err(|source| Error::Write { path: self.path.clone(), source })
    }

    fn check(&self, part: &mut File) -> Result<()> {
        self.checksum.as_ref().map_or(Ok(()), |expected| check(part, &self.part, expected, self.progress))
    }

    /// Brings what is missing of the file, as far as the connection holds.
    fn attempt(&self, agent: &Agent, part: &mut File) -> Result<(), Stop> {
        let mut have = part.seek(SeekFrom::End(0)).map_err(Stop::Disk)?;
        if let Some(bytes) = self.bytes {
            if have == bytes {
                return Ok(());
            } else if have > bytes {
                have = restart(part)?;
            }
        }
        let request = agent.get(&self.url);
        let rest = have > 0 && self.ranges.get();
        let request = if rest { request.header("Range", format!("bytes={have}-")) } else { request };
        let mut response = request.call().map_err(|error| Stop::ForNow(error.to_string()))?;
        let whole_next = |reason: &str| {
            self.ranges.set(false);
            Stop::ForNow(reason.to_owned())
        };
        let status = response.status().as_u16();
        let total = match status {
            200 => header(&response, "content-length").and_then(|length| length.parse().ok()),
            206 => match header(&response, "content-range").and_then(content_range) {
                Some((start, total)) if start == have => total,
                _ => return Err(whole_next("the server sent another part of the file than was requested")),
            },
            // What is there is the whole file, whose length was not known; its checksum decides.
            416 if header(&response, "content-range").and_then(length_alone) == Some(have) && rest => return Ok(()),
            416 => return Err(whole_next("the server has nothing behind the part that is there")),
            status if is_final(status) => return Err(Stop::ForGood(answered_with(status))),
            status => return Err(Stop::ForNow(answered_with(status))),
        };
        // All that speaks against the answer, before anything is given up for it.
        if header(&response, "content-type").is_some_and(|kind| kind.trim_start().starts_with("text/html")) {
            return Err(Stop::ForGood("the server answered with a web page instead of the file".to_owned()));
        }
        match (total, self.bytes) {
            (Some(offered), Some(expected)) if offered != expected => {
                return Err(Stop::ForGood(format!("the server offers a file of {offered} bytes, expected {expected}")));
            }
            (Some(offered), None) if offered < have => {
                let part = self.part.display();
                let reason = format!(
                    "the server offers a file of {offered} bytes, and {part} has {have}: remove one that is another file's"
                );
                return Err(Stop::ForGood(reason));
            }
            _ => {}
        }
        if status == 200 {
            have = restart(part)?;
            self.ranges.set(true);
        }
        self.receive(&mut response.body_mut().as_reader(), part, have, total.or(self.bytes))
    }

    fn receive(&self, body: &mut dyn Read, part: &mut File, start: u64, total: Option<u64>) -> Result<(), Stop> {
        let mut have = start;
        let mut chunk = vec![0; CHUNK_BYTES];
        loop {
            let read = match body.read(&mut chunk) {
                Ok(read) => read,
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                Err(error) => return Err(Stop::ForNow(error.to_string())),
            };
            if read == 0 {
                return match total {
                    Some(total) if have < total => {
                        Err(Stop::ForNow(format!("the connection ended after {have} of {total} bytes")))
                    }
                    _ => Ok(()),
                };
            }
            have += read as u64;
            if let Some(total) = total.filter(|total| have > *total) {
                // This answer is wrong; what was there before it may be right.
                part.set_len(start).map_err(Stop::Disk)?;
                return Err(Stop::ForGood(format!("the server sends more than the {total} bytes of the file")));
            }
            let largest = self.options.largest_bytes;
            if total.is_none() && have > largest {
                part.set_len(start).map_err(Stop::Disk)?;
                return Err(Stop::ForGood(format!(
                    "the server does not say how long the file is, and sends more than {largest} bytes"
                )));
            }
            part.write_all(&chunk[..read]).map_err(Stop::Disk)?;
            (self.progress)(Progress { work: Work::Download, done_bytes: have, of_bytes: total.unwrap_or(0) });
        }
    }

    /// Leaves what the next command can go on from, but no empty file.
    fn given_up(&self, part: File, reason: String) -> Error {
        if part.metadata().is_ok_and(|metadata| metadata.len() == 0) {
            let _ = fs::remove_file(&self.part);
        }
        self.failed(reason)
    }

    fn failed(&self, reason: String) -> Error {
        Error::Download { url: self.url.clone(), path: self.path.clone(), checksum: self.checksum.clone().map(Box::new), reason }
    }
}

/// Whether a server that answers with this status would do so again.
pub(crate) fn is_final(status: u16) -> bool {
    !matches!(status, 408 | 429 | 500..)
}

pub(crate) fn answered_with(status: u16) -> String {
    format!("the server answered with status {status}")
}

/// An HTTP client as patient as `options` say, to which every status is an answer.
pub(crate) fn agent_builder(options: &FetchOptions) -> ConfigBuilder<AgentScope> {
    Agent::config_builder()
        .timeout_resolve(Some(options.connect_timeout))
        .timeout_connect(Some(options.connect_timeout))
        .timeout_per_read(Some(options.read_timeout))
        .timeout_per_write(Some(options.read_timeout))
        .http_status_as_error(false)
}

/// Empties the file, to start again.
fn restart(part: &mut File) -> Result<u64, Stop> {
    part.set_len(0).and_then(|()| part.rewind()).map_err(Stop::Disk)?;
    Ok(0)
}

pub(crate) fn header<'a, B>(response: &'a Response<B>, name: &str) -> Option<&'a str> {
    response.headers().get(name)?.to_str().ok()
}

/// Start and total of `bytes 100-199/200`; the total is `*` where the server does not know it.
fn content_range(value: &str) -> Option<(u64, Option<u64>)> {
    let (range, total) = value.trim().strip_prefix("bytes ")?.split_once('/')?;
    let (start, _) = range.split_once('-')?;
    let total = if total == "*" { None } else { Some(total.parse().ok()?) };
    Some((start.trim().parse().ok()?, total))
}

/// The total of `bytes */200`: what a server says that has nothing to send.
fn length_alone(value: &str) -> Option<u64> {
    value.trim().strip_prefix("bytes */")?.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::{content_range, length_alone};

    #[test]
    fn ranges_are_read_or_refused() {
        assert_eq!(content_range("bytes 100-199/200"), Some((100, Some(200))));
        assert_eq!(content_range("bytes 0-9/*"), Some((0, None)));
        for bad in ["", "bytes */200", "bytes 1/2", "items 0-9/10", "bytes x-9/10", "bytes 0-9/x"] {
            assert_eq!(content_range(bad), None, "{bad}");
        }
        assert_eq!(length_alone("bytes */200"), Some(200));
        for bad in ["", "bytes */*", "bytes 0-9/10", "*/200"] {
            assert_eq!(length_alone(bad), None, "{bad}");
        }
    }
}
