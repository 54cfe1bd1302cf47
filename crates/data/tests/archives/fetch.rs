//! Downloads, from a server of the test's own on the loopback interface that does what servers should not do.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::Duration;

use flate2::Compression;
use flate2::write::GzEncoder;
use md5::{Digest, Md5};
use relata_data::{Archive, Error, FetchOptions, Progress, Work, entry, fetch};
use relata_testkit::hash_uniform;
use tempfile::TempDir;

/// What the server does with one connection.
#[derive(Debug, Clone, Copy)]
enum Answer {
    /// The rest that was requested, as it should.
    Well,
    /// As many bytes of what was requested, then an end.
    CutAfter(usize),
    /// All of the file, whatever was requested.
    IgnoresRange,
    /// All of the file, whatever was requested, cut after as many bytes.
    IgnoresRangeAndCutsAfter(usize),
    /// Another range than was requested.
    OtherRange,
    /// The right length of wrong bytes.
    WrongBytes,
    /// A file of another length.
    WrongLength,
    /// The page of a network that wants a password first, whatever was requested.
    Portal,
    /// A page that does not say it is one, shorter than the file.
    ShortPage,
    /// That nothing is behind the beginning that was requested, and how long the file is.
    NothingBehind,
    /// No length, all bytes and one more.
    OneByteTooMany,
    /// Only a status.
    Status(u16),
    /// Headers, and then nothing.
    Silence,
    /// A connection that ends before a word.
    HangUp,
}

/// A file, the archive that describes it, and the ranges that were requested of the server.
struct Server {
    file: Vec<u8>,
    archive: Archive,
    requests: Receiver<Option<u64>>,
}

fn leak(text: String) -> &'static str {
    Box::leak(text.into_boxed_str())
}

/// Bytes that do not pack.
fn noise(bytes: usize) -> Vec<u8> {
    (0..bytes).map(|i| ((hash_uniform("noise", i) + 1.0) * 128.0) as u8).collect()
}

/// Serves a small archive, one answer a connection, and then refuses connections.
fn serve(answers: &[Answer]) -> Server {
    let noise = noise(200_000);
    let mut tar = tar::Builder::new(GzEncoder::new(Vec::new(), Compression::fast()));
    let mut header = tar::Header::new_gnu();
    header.set_size(noise.len() as u64);
    tar.append_data(&mut header, "set/noise", &noise[..]).unwrap();
    let file = tar.into_inner().unwrap().finish().unwrap();
    let md5: String = Md5::digest(&file).iter().map(|byte| format!("{byte:02x}")).collect();

    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/set.tar.gz", listener.local_addr().unwrap());
    let (sender, requests) = channel();
    let (answers, served) = (answers.to_vec(), file.clone());
    thread::spawn(move || {
        for answer in answers {
            let (stream, _) = listener.accept().unwrap();
            let start = read_request(&stream);
            let _ = sender.send(start);
            // A client that has heard enough may be gone.
            let _ = reply(stream, answer, &served, start);
        }
    });
    let bytes = Some(file.len() as u64);
    let archive =
        Archive { file: "set.tar.gz", folder: "set", url: Some(leak(url)), md5: Some(leak(md5)), bytes, missing: |_| Vec::new() };
    Server { file, archive, requests }
}

/// The start of the range that is requested.
fn read_request(stream: &TcpStream) -> Option<u64> {
    let mut start = None;
    for line in BufReader::new(stream).lines().map(Result::unwrap).take_while(|line| !line.is_empty()) {
        if let Some(range) = line.to_lowercase().strip_prefix("range: bytes=") {
            start = Some(range.trim_end_matches('-').parse().unwrap());
        }
    }
    start
}

fn reply(mut stream: TcpStream, answer: Answer, file: &[u8], start: Option<u64>) -> std::io::Result<()> {
    let all = file.len();
    let whole = format!("HTTP/1.1 200 OK\r\nContent-Length: {all}\r\nConnection: close\r\n\r\n");
    let ranged = |from: usize| {
        let range = format!("Content-Range: bytes {from}-{}/{all}\r\nContent-Length: {}", all - 1, all - from);
        format!("HTTP/1.1 206 Partial Content\r\n{range}\r\nConnection: close\r\n\r\n")
    };
    let from = start.unwrap_or(0) as usize;
    let head = if start.is_some() { ranged(from) } else { whole.clone() };
    let (head, body) = match answer {
        Answer::Well => (head, file[from..].to_vec()),
        Answer::CutAfter(bytes) => (head, file[from..(from + bytes).min(all)].to_vec()),
        Answer::IgnoresRange => (whole, file.to_vec()),
        Answer::IgnoresRangeAndCutsAfter(bytes) => (whole, file[..bytes].to_vec()),
        Answer::OtherRange => (ranged(from + 1), file[from + 1..].to_vec()),
        Answer::WrongBytes => (head, vec![0x55; all - from]),
        Answer::WrongLength => {
            ("HTTP/1.1 200 OK\r\nContent-Length: 9\r\nConnection: close\r\n\r\n".to_owned(), b"not found".to_vec())
        }
        Answer::Portal => {
            let page = vec![b'x'; all];
            (whole.replace("Content-Length", "Content-Type: text/html; charset=utf-8\r\nContent-Length"), page)
        }
        Answer::ShortPage => {
            ("HTTP/1.1 200 OK\r\nContent-Length: 9\r\nConnection: close\r\n\r\n".to_owned(), b"log in at".to_vec())
        }
        Answer::NothingBehind => {
            let head =
                format!("HTTP/1.1 416 Words\r\nContent-Range: bytes */{all}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
            (head, Vec::new())
        }
        Answer::OneByteTooMany => ("HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n".to_owned(), [file, b"x"].concat()),
        Answer::Status(status) => {
            (format!("HTTP/1.1 {status} Words\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"), Vec::new())
        }
        Answer::Silence => {
            stream.write_all(head.as_bytes())?;
            // Until the client gives up.
            let _ = stream.read(&mut [0]);
            return Ok(());
        }
        Answer::HangUp => return Ok(()),
    };
    stream.write_all(head.as_bytes())?;
    stream.write_all(&body)
}

/// Patience for a server of this machine.
fn options() -> FetchOptions {
    FetchOptions {
        connect_timeout: Duration::from_secs(5),
        read_timeout: Duration::from_secs(10),
        attempts: 3,
        retry_delay: Duration::ZERO,
        ..FetchOptions::default()
    }
}

fn fetch_quietly(server: &Server, root: &Path) -> Result<(), Error> {
    let folder = fetch(&server.archive, root, &options(), &|_| ())?;
    assert_eq!(folder, root.join("set"));
    assert_eq!(fs::metadata(folder.join("noise")).unwrap().len(), 200_000);
    assert_eq!(fs::read(root.join("set.tar.gz")).unwrap(), server.file);
    assert!(!root.join("set.tar.gz.part").exists());
    Ok(())
}

fn new_root() -> TempDir {
    tempfile::tempdir().unwrap()
}

/// Fetches, and says which ranges were requested.
fn ranges(answers: &[Answer]) -> Vec<Option<u64>> {
    let (server, root) = (serve(answers), new_root());
    fetch_quietly(&server, root.path()).unwrap();
    server.requests.try_iter().collect()
}

/// The words of the error, and the bytes of what is left to go on from.
fn failure(answers: &[Answer]) -> (String, Option<u64>) {
    let (server, root) = (serve(answers), new_root());
    match fetch_quietly(&server, root.path()).unwrap_err() {
        Error::Download { url, path, checksum, reason } => {
            assert_eq!((Some(&*url), checksum.map(|checksum| *checksum)), (server.archive.url, server.archive.checksum()));
            assert_eq!(path, root.path().join("set.tar.gz"));
            assert!(!path.exists() && !root.path().join("set").exists());
            (reason, fs::metadata(root.path().join("set.tar.gz.part")).ok().map(|part| part.len()))
        }
        other => panic!("{other}"),
    }
}

#[test]
fn a_good_server_is_asked_once() {
    let (server, root) = (serve(&[Answer::Well]), new_root());
    let seen = std::cell::RefCell::new(Vec::new());
    // A root that is not there yet is made.
    let root = root.path().join("data/sets");
    fetch(&server.archive, &root, &options(), &|at| seen.borrow_mut().push(at)).unwrap();
    let (seen, all) = (seen.into_inner(), server.file.len() as u64);
    let downloaded: Vec<&Progress> = seen.iter().filter(|at| at.work == Work::Download).collect();
    assert!(downloaded.windows(2).all(|two| two[0].done_bytes < two[1].done_bytes));
    assert_eq!(downloaded.last().map(|at| (at.done_bytes, at.of_bytes)), Some((all, all)));
    assert!(seen.iter().any(|at| at.work == Work::Verify) && seen.iter().any(|at| at.work == Work::Unpack));
    assert_eq!(server.requests.try_iter().collect::<Vec<_>>(), [None]);
    // And never again: the server would refuse the connection.
    fetch_quietly(&server, &root).unwrap();
    fs::remove_dir_all(root.join("set")).unwrap();
    fetch_quietly(&server, &root).unwrap();
}

#[test]
fn a_cut_connection_goes_on_where_it_was_cut() {
    let cuts = [Answer::CutAfter(1000), Answer::CutAfter(50_000), Answer::HangUp, Answer::Status(503), Answer::Well];
    assert_eq!(ranges(&cuts), [None, Some(1000), Some(51_000), Some(51_000), Some(51_000)]);
}

#[test]
fn as_many_cuts_as_bring_something_new_are_borne() {
    let mut answers = vec![Answer::CutAfter(10_000); 12];
    answers.push(Answer::Well);
    assert_eq!(ranges(&answers).len(), 13);
}

#[test]
fn the_next_command_goes_on_from_what_is_there() {
    let (first, root) = (serve(&[Answer::CutAfter(70_000), Answer::HangUp, Answer::HangUp, Answer::HangUp]), new_root());
    assert!(matches!(fetch_quietly(&first, root.path()), Err(Error::Download { .. })));
    let second = serve(&[Answer::Well]);
    fetch_quietly(&second, root.path()).unwrap();
    assert_eq!(second.requests.try_iter().collect::<Vec<_>>(), [Some(70_000)]);
}

#[test]
fn a_server_that_ignores_ranges_is_read_from_the_start() {
    assert_eq!(ranges(&[Answer::CutAfter(1000), Answer::IgnoresRange]), [None, Some(1000)]);
    assert_eq!(ranges(&[Answer::CutAfter(1000), Answer::OtherRange, Answer::Well]), [None, Some(1000), None]);
    assert_eq!(ranges(&[Answer::CutAfter(1000), Answer::Status(416), Answer::Well]), [None, Some(1000), None]);
}

#[test]
fn the_same_cut_again_and_again_ends() {
    let (reason, part) = failure(&[Answer::IgnoresRangeAndCutsAfter(5000); 4]);
    assert!(part == Some(5000), "{reason}");
}

#[test]
fn wrong_bytes_are_found_and_removed() {
    let (reason, part) = failure(&[Answer::WrongBytes]);
    assert!(reason.contains("MD5") && reason.contains("removed") && part.is_none(), "{reason}");
}

#[test]
fn a_beginning_of_another_file_is_thrown_away() {
    let (server, root) = (serve(&[Answer::Well, Answer::Well]), new_root());
    fs::write(root.path().join("set.tar.gz.part"), vec![1; 4321]).unwrap();
    fetch_quietly(&server, root.path()).unwrap();
    assert_eq!(server.requests.try_iter().collect::<Vec<_>>(), [Some(4321), None]);
}

#[test]
fn a_beginning_that_is_too_long_or_complete_asks_for_no_range() {
    let (server, root) = (serve(&[Answer::Well]), new_root());
    fs::write(root.path().join("set.tar.gz.part"), vec![1; server.file.len() + 1]).unwrap();
    fetch_quietly(&server, root.path()).unwrap();
    assert_eq!(server.requests.try_iter().collect::<Vec<_>>(), [None]);

    let (server, root) = (serve(&[]), new_root());
    fs::write(root.path().join("set.tar.gz.part"), &server.file).unwrap();
    fetch_quietly(&server, root.path()).unwrap();
}

#[test]
fn another_length_is_refused_at_once() {
    let (reason, part) = failure(&[Answer::WrongLength]);
    assert!(reason.contains('9') && part.is_none(), "{reason}");
    let (reason, part) = failure(&[Answer::OneByteTooMany]);
    assert!(part.is_none(), "{reason}");
}

#[test]
fn a_file_of_unknown_length_has_a_largest_one() {
    let (mut server, root) = (serve(&[Answer::OneByteTooMany]), new_root());
    (server.archive.bytes, server.archive.md5) = (None, None);
    let options = FetchOptions { largest_bytes: server.file.len() as u64, ..options() };
    match fetch(&server.archive, root.path(), &options, &|_| ()).unwrap_err() {
        Error::Download { reason, .. } => assert!(reason.contains("does not say how long"), "{reason}"),
        other => panic!("{other}"),
    }
    assert_eq!(fs::read_dir(root.path()).unwrap().count(), 0, "nothing is left");
}

/// What is left of a beginning of `bytes` bytes after answers that are no good, and why it failed.
fn left_of(bytes: usize, answers: &[Answer], length_is_known: bool) -> (Vec<u8>, String, Server) {
    let (mut server, root) = (serve(answers), new_root());
    if !length_is_known {
        server.archive.bytes = None;
    }
    let part = root.path().join("set.tar.gz.part");
    fs::write(&part, &server.file[..bytes]).unwrap();
    match fetch_quietly(&server, root.path()).unwrap_err() {
        Error::Download { reason, .. } => (fs::read(part).unwrap_or_default(), reason, server),
        other => panic!("{other}"),
    }
}

#[test]
fn what_is_there_is_not_given_up_for_an_answer_that_cannot_be_the_file() {
    for length_is_known in [true, false] {
        for answer in [Answer::Portal, Answer::ShortPage] {
            let (left, reason, server) = left_of(70_000, &[answer], length_is_known);
            assert!(left == server.file[..70_000], "{answer:?}: {} bytes are left; {reason}", left.len());
        }
    }
    // An answer that has another range, and then none at all.
    let (left, reason, server) = left_of(70_000, &[Answer::OtherRange, Answer::Status(404)], true);
    assert!(left == server.file[..70_000], "{} bytes are left; {reason}", left.len());
    assert_eq!(server.requests.try_iter().collect::<Vec<_>>(), [Some(70_000), None]);
}

#[test]
fn a_web_page_is_not_kept_where_the_length_is_not_known() {
    let (left, reason, _) = left_of(0, &[Answer::Portal], false);
    assert!(left.is_empty() && reason.contains("web page"), "{reason}");
}

#[test]
fn a_whole_beginning_of_unknown_length_is_the_file() {
    let (mut server, root) = (serve(&[Answer::NothingBehind]), new_root());
    server.archive.bytes = None;
    fs::write(root.path().join("set.tar.gz.part"), &server.file).unwrap();
    fetch_quietly(&server, root.path()).unwrap();
    assert_eq!(server.requests.try_iter().collect::<Vec<_>>(), [Some(server.file.len() as u64)]);
    // The right length of wrong bytes is found by the checksum, and downloaded again.
    let (mut server, root) = (serve(&[Answer::NothingBehind, Answer::Well]), new_root());
    server.archive.bytes = None;
    fs::write(root.path().join("set.tar.gz.part"), vec![1; server.file.len()]).unwrap();
    fetch_quietly(&server, root.path()).unwrap();
}

#[test]
fn a_file_that_is_gone_is_not_requested_again() {
    let (reason, _) = failure(&[Answer::Status(404)]);
    assert!(reason.contains("404"), "{reason}");
}

#[test]
fn no_connection_is_one_error_with_address_checksum_and_place() {
    // Nobody listens once the listener is dropped.
    let (reason, part) = failure(&[]);
    assert!(!reason.is_empty() && part.is_none());
}

#[test]
fn a_server_that_falls_silent_is_given_up() {
    let server = serve(&[Answer::Silence; 2]);
    let root = new_root();
    let options = FetchOptions { read_timeout: Duration::from_millis(200), attempts: 2, ..options() };
    let error = fetch(&server.archive, root.path(), &options, &|_| ());
    assert!(matches!(error, Err(Error::Download { .. })), "{error:?}");
    assert_eq!(server.requests.try_iter().count(), 2, "no connection is no silence");
}

#[test]
fn a_folder_that_lacks_something_is_not_taken_for_the_data_set() {
    let (server, root) = (serve(&[]), new_root());
    let cifar10 = entry("cifar10").unwrap().archive().unwrap();
    let folder = root.path().join(cifar10.folder);
    fs::create_dir(&folder).unwrap();
    fs::write(folder.join("test_batch.bin"), b"").unwrap();
    let error = fetch(&cifar10, root.path(), &options(), &|_| ()).unwrap_err();
    assert!(matches!(&error, Error::Incomplete { missing, .. } if missing.len() == 5), "{error}");
    let words = error.to_string();
    assert!(words.contains("lacks data_batch_1.bin, data_batch_2.bin, data_batch_3.bin and 2 more: move it away"), "{words}");
    // A name that leads to no folder.
    fs::write(root.path().join("set"), b"").unwrap();
    let error = fetch(&server.archive, root.path(), &options(), &|_| ()).unwrap_err();
    assert!(error.to_string().contains("is not a folder"), "{error}");
}

#[test]
fn what_nobody_offers_is_said() {
    let archive =
        Archive { file: "SlimageNet64.zip", folder: "SlimageNet64", url: None, md5: None, bytes: None, missing: |_| Vec::new() };
    let root = new_root();
    let error = fetch(&archive, root.path(), &options(), &|_| ());
    assert!(matches!(error, Err(Error::NotOffered { file: "SlimageNet64.zip", .. })), "{error:?}");
}
