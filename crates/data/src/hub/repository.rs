use std::fs::{self, File};
use std::path::{Component, Path, PathBuf};
use std::thread;

use candle_datasets::hub::from_hub;
use hf_hub::{HFClient, HFClientSync, split_id};
use parquet::file::reader::SerializedFileReader;
use ureq::Agent;

use super::source::HubSource;
use crate::archive::{Download, agent_builder, answered_with, check, header, is_final};
use crate::sync::sync_folder;
use crate::{Archive, Checksum, Error, FetchOptions, Progress, Result};

/// The branch to which the hub converts every data set; `candle_datasets` reads this one and no other.
const BRANCH: &str = "refs/convert/parquet";
/// The branch in an address, where it is one segment.
const BRANCH_SEGMENT: &str = "refs%2Fconvert%2Fparquet";
const USER_AGENT: &str = concat!("relata/", env!("CARGO_PKG_VERSION"));
/// No valid header value, so that none is sent. Without it the hub's library would look for one in the home folder.
const NO_TOKEN: &str = "\n";

/// Which hub, and how patient.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HubOptions {
    /// The hub's address, or that of a mirror. Default [`HubSource::ENDPOINT`].
    pub endpoint: String,
    /// As for the publishers' archives.
    pub fetch: FetchOptions,
}

impl Default for HubOptions {
    fn default() -> Self {
        Self { endpoint: HubSource::ENDPOINT.to_owned(), fetch: FetchOptions::default() }
    }
}

/// One of the hub's files, open.
pub(super) struct Table {
    /// The split whose folder it lies in.
    pub(super) split: &'static str,
    pub(super) path: PathBuf,
    pub(super) reader: SerializedFileReader<File>,
}

/// A data set's repository on the hub.
pub(super) struct Repository<'a> {
    pub(super) source: &'a HubSource,
    pub(super) archive: &'a Archive,
    pub(super) root: &'a Path,
    pub(super) cache: &'a Path,
    pub(super) options: &'a HubOptions,
    pub(super) progress: &'a dyn Fn(Progress),
}

/// The state of the branch.
struct Listing {
    commit: String,
    /// Every parquet file, in the hub's order.
    files: Vec<Listed>,
}

struct Listed {
    name: String,
    split: &'static str,
}

impl Repository<'_> {
    /// Brings whatever is missing, and opens all.
    ///
    /// `candle_datasets` lists and opens. The bytes are brought into its cache beforehand, because its own transfer starts again
    /// where a connection was cut, waits for a silent server for ever, compares no checksum, and in part (xet) keeps its files in
    /// the home folder.
    pub(super) fn tables(&self) -> Result<Vec<Table>> {
        let client = self.client()?;
        let Listing { commit, files } = self.listing(&client)?;
        let folder = self.cache.join(format!("datasets--{}", self.source.repository.replace('/', "--")));
        let snapshot = folder.join("snapshots").join(&commit);
        for file in &files {
            self.bring(&commit, &file.name, &snapshot.join(&file.name))?;
        }
        // Such a file of the cache names the commit of a branch.
        let reference = folder.join("refs").join(BRANCH);
        make_parent(&reference)?;
        fs::write(&reference, &commit).map_err(|source| Error::Write { path: reference, source })?;

        let readers = from_hub(&client, self.source.repository.to_owned()).map_err(|error| self.failed(chain(&error)))?;
        if readers.len() != files.len() {
            return Err(self.failed("its files changed on the way".to_owned()));
        }
        let table = |(file, reader): (Listed, _)| Table { split: file.split, path: snapshot.join(file.name), reader };
        Ok(files.into_iter().zip(readers).map(table).collect())
    }

    fn client(&self) -> Result<HFClientSync> {
        let HubOptions { endpoint, fetch } = self.options;
        let http = reqwest::Client::builder()
            .user_agent(USER_AGENT)
            .connect_timeout(fetch.connect_timeout)
            .read_timeout(fetch.read_timeout)
            .build()
            .map_err(|error| self.failed(chain(&error)))?;
        let client = HFClient::builder()
            .endpoint(endpoint.as_str())
            .cache_dir(self.cache)
            .client(http)
            .user_agent(USER_AGENT)
            .token(NO_TOKEN)
            .retry_max_attempts(fetch.attempts.saturating_sub(1) as usize)
            // It waits twice as long before the second try, four times before the third, and so on.
            .retry_base_delay(fetch.retry_delay / 4);
        client.build_sync().map_err(|error| self.failed(chain(&error)))
    }

    fn listing(&self, client: &HFClientSync) -> Result<Listing> {
        let (owner, name) = split_id(self.source.repository);
        let info = client.dataset(owner, name).info().revision(BRANCH).send().map_err(|error| self.failed(chain(&error)))?;
        let commit = info.sha.unwrap_or_default();
        if commit.len() != 40 || !commit.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return Err(self.failed(format!("it names no commit, but {commit:?}")));
        }
        let mut files = Vec::new();
        for sibling in info.siblings.unwrap_or_default() {
            if sibling.rfilename.ends_with(".parquet") {
                // All of them are opened, and a name is a path: none may lead elsewhere.
                let Some(split) = self.split_of(&sibling.rfilename) else {
                    return Err(self.failed(format!("it lists {}, which is not one of the data set's files", sibling.rfilename)));
                };
                files.push(Listed { name: sibling.rfilename, split });
            }
        }
        match self.source.splits.iter().find(|split| files.iter().all(|file| file.split != split.name)) {
            None => Ok(Listing { commit, files }),
            Some(split) => Err(self.failed(format!("it lists no parquet file below {}/{}", self.source.subset, split.name))),
        }
    }

    /// The split of a file `<subset>/<split>/<file>`.
    fn split_of(&self, name: &str) -> Option<&'static str> {
        let mut parts = Path::new(name).components().map(|part| match part {
            Component::Normal(part) => part.to_str(),
            _ => None,
        });
        let (subset, split, _file) = (parts.next()??, parts.next()??, parts.next()??);
        if subset != self.source.subset || parts.next().is_some() || name.contains(['\\', ':', '\0']) {
            return None;
        }
        self.source.splits.iter().map(|known| known.name).find(|known| *known == split)
    }

    /// Downloads a file of the branch unless it is there, and checks it in either case.
    fn bring(&self, commit: &str, name: &str, path: &Path) -> Result<()> {
        let url = format!("{}/datasets/{}/resolve/{commit}/{name}", self.endpoint(), self.source.repository);
        let (bytes, checksum) = self.promised(&url, path)?;
        if checksum.is_none() {
            tracing::warn!("{}: {url} comes without a SHA-256: its bytes are taken as they are", path.display());
        }
        if path.is_file() {
            let mut file = File::open(path).map_err(|source| Error::Io { path: path.to_owned(), source })?;
            return checksum.map_or(Ok(()), |checksum| check(&mut file, path, &checksum, self.progress));
        }
        let folder = make_parent(path)?;
        Download::new(url, path.to_owned(), bytes, checksum, &self.options.fetch, self.progress).run()?;
        sync_folder(&folder).map_err(|source| Error::Write { path: folder, source })
    }

    /// Size and checksum of a large file, which only the hub's first answer has: the one that says where its bytes are.
    fn promised(&self, url: &str, path: &Path) -> Result<(Option<u64>, Option<Checksum>)> {
        let agent: Agent = agent_builder(&self.options.fetch).max_redirects(0).user_agent(USER_AGENT).build().into();
        let mut tries = 0;
        let reason = loop {
            tries += 1;
            let reason = match agent.head(url).call() {
                Ok(answer) if answer.status().is_success() || answer.status().is_redirection() => {
                    let digits = header(&answer, "x-linked-etag").or_else(|| header(&answer, "etag"));
                    let digits = digits.map(|tag| tag.trim_start_matches("W/").trim_matches('"').to_ascii_lowercase());
                    let is_sha256 = |digits: &String| digits.len() == 64 && digits.bytes().all(|byte| byte.is_ascii_hexdigit());
                    let bytes = header(&answer, "x-linked-size").and_then(|bytes| bytes.parse().ok());
                    return Ok((bytes, digits.filter(is_sha256).map(Checksum::Sha256)));
                }
                Ok(answer) if is_final(answer.status().as_u16()) => break answered_with(answer.status().as_u16()),
                Ok(answer) => answered_with(answer.status().as_u16()),
                Err(error) => error.to_string(),
            };
            if tries >= self.options.fetch.attempts {
                break reason;
            }
            thread::sleep(self.options.fetch.retry_delay);
        };
        Err(Error::Download { url: url.to_owned(), path: path.to_owned(), checksum: None, reason })
    }

    fn endpoint(&self) -> &str {
        self.options.endpoint.trim_end_matches('/')
    }

    fn failed(&self, reason: String) -> Error {
        let Self { source, archive, root, .. } = self;
        Error::Hub {
            url: format!("{}/datasets/{}/tree/{BRANCH_SEGMENT}/{}", self.endpoint(), source.repository, source.subset),
            reason,
            archive: Box::new(**archive),
            path: root.join(archive.file).into(),
        }
    }
}

/// Makes the folder that `path` lies in, and returns it.
fn make_parent(path: &Path) -> Result<PathBuf> {
    let folder = path.parent().unwrap_or(path).to_owned();
    fs::create_dir_all(&folder).map_err(|source| Error::Write { path: folder.clone(), source })?;
    Ok(folder)
}

/// The error and its causes.
fn chain(error: &dyn std::error::Error) -> String {
    let (mut words, mut cause) = (error.to_string(), error.source());
    while let Some(error) = cause {
        let text = error.to_string();
        if !words.contains(&text) {
            words.push_str(": ");
            words.push_str(&text);
        }
        cause = error.source();
    }
    words
}
