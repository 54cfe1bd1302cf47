//! A hub of the test's own on the loopback interface: the listing of a branch, and files behind a redirection.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;

use sha2::{Digest, Sha256};

pub(crate) const COMMIT: &str = "0123456789abcdef0123456789abcdef01234567";

/// What a server does that a good one does not.
#[derive(Debug, Clone, Default)]
pub(crate) struct Faults {
    /// Answers requests of this method with this status.
    pub(crate) status: Option<(&'static str, u16)>,
    /// Ends the first transfers after so many bytes each.
    pub(crate) cuts: Vec<usize>,
    /// Sends other bytes than it promised.
    pub(crate) wrong_bytes: bool,
    /// Takes connections and says nothing.
    pub(crate) silent: bool,
    /// Names that are listed beside the files.
    pub(crate) listed: Vec<&'static str>,
    /// The commit of the branch.
    pub(crate) commit: Option<&'static str>,
}

/// A request line, and the start of the range that it asks for.
pub(crate) type Request = (String, Option<usize>);

pub(crate) struct Server {
    pub(crate) endpoint: String,
    requests: Arc<Mutex<Vec<Request>>>,
}

impl Server {
    /// Serves the files of the parquet branch of `repository`, by name, until the test ends.
    pub(crate) fn start(repository: &'static str, files: BTreeMap<String, Vec<u8>>, faults: Faults) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let endpoint = format!("http://{}", listener.local_addr().unwrap());
        let requests: Arc<Mutex<Vec<Request>>> = Arc::default();
        let state =
            Arc::new(State { repository, files, cuts: Mutex::new(faults.cuts.clone()), faults, requests: Arc::clone(&requests) });
        thread::spawn(move || {
            for stream in listener.incoming() {
                let state = Arc::clone(&state);
                // A client that has heard enough may be gone.
                thread::spawn(move || state.serve(stream.unwrap()).ok());
            }
        });
        Self { endpoint, requests }
    }

    /// What was asked since the last call, such as `GET /bytes/a.parquet`.
    pub(crate) fn requests(&self) -> Vec<Request> {
        std::mem::take(&mut *self.requests.lock().unwrap())
    }
}

struct State {
    repository: &'static str,
    files: BTreeMap<String, Vec<u8>>,
    faults: Faults,
    cuts: Mutex<Vec<usize>>,
    requests: Arc<Mutex<Vec<Request>>>,
}

impl State {
    fn serve(&self, mut stream: TcpStream) -> std::io::Result<()> {
        let mut lines = BufReader::new(stream.try_clone()?).lines().map_while(Result::ok).take_while(|line| !line.is_empty());
        let first = lines.next().unwrap_or_default();
        let mut start = None;
        for line in lines.map(|line| line.to_lowercase()) {
            assert!(!line.starts_with("authorization"), "a token was sent");
            if let Some(range) = line.strip_prefix("range: bytes=") {
                start = Some(range.trim_end_matches('-').parse().unwrap());
            }
        }
        let mut words = first.split(' ');
        let (method, path) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
        self.requests.lock().unwrap().push((format!("{method} {path}"), start));
        if self.faults.silent {
            let _ = stream.read(&mut [0]);
            return Ok(());
        }
        if let Some((_, status)) = self.faults.status.filter(|(refused, _)| *refused == method) {
            return write!(stream, "HTTP/1.1 {status} No\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
        }
        let repository = self.repository;
        let listing = format!("/api/datasets/{repository}/revision/refs%2Fconvert%2Fparquet");
        let resolve = format!("/datasets/{repository}/resolve/{COMMIT}/");
        if path == listing {
            let body = self.listing();
            let head = format!("Content-Type: application/json\r\nContent-Length: {}", body.len());
            return write!(stream, "HTTP/1.1 200 OK\r\n{head}\r\nConnection: close\r\n\r\n{body}");
        }
        if let Some((name, file)) = path.strip_prefix(&resolve).and_then(|name| self.files.get_key_value(name)) {
            let sha256: String = Sha256::digest(file).iter().map(|byte| format!("{byte:02x}")).collect();
            let promise = format!("X-Linked-Etag: \"{sha256}\"\r\nX-Linked-Size: {}\r\nX-Repo-Commit: {COMMIT}", file.len());
            let location = format!("http://{}/bytes/{name}", stream.local_addr()?);
            let head =
                format!("HTTP/1.1 302 Found\r\nLocation: {location}\r\n{promise}\r\nX-Xet-Hash: {sha256}\r\nETag: \"other\"");
            return write!(stream, "{head}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
        }
        match path.strip_prefix("/bytes/").and_then(|name| self.files.get(name)) {
            Some(file) => self.send(stream, file, start),
            None => write!(stream, "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"),
        }
    }

    fn listing(&self) -> String {
        let names = [".gitattributes"].into_iter().chain(self.files.keys().map(String::as_str));
        let siblings: Vec<String> =
            names.chain(self.faults.listed.iter().copied()).map(|name| format!("{{\"rfilename\": \"{name}\"}}")).collect();
        let commit = self.faults.commit.unwrap_or(COMMIT);
        format!("{{\"id\": \"{}\", \"sha\": \"{commit}\", \"siblings\": [{}]}}", self.repository, siblings.join(", "))
    }

    fn send(&self, mut stream: TcpStream, file: &[u8], start: Option<usize>) -> std::io::Result<()> {
        let (from, all) = (start.unwrap_or(0), file.len());
        let status = match start {
            Some(from) => format!("206 Partial Content\r\nContent-Range: bytes {from}-{}/{all}", all - 1),
            None => "200 OK".to_owned(),
        };
        write!(stream, "HTTP/1.1 {status}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n", all - from)?;
        if self.faults.wrong_bytes {
            return stream.write_all(&vec![0x55; all - from]);
        }
        let cut = {
            let mut cuts = self.cuts.lock().unwrap();
            if cuts.is_empty() { all } else { cuts.remove(0) }
        };
        stream.write_all(&file[from..(from + cut).min(all)])
    }
}
