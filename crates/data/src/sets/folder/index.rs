//! The list of a folder's images, kept on disk between two openings.

use std::fs::{self, File};
use std::io::{self, ErrorKind, Write};
use std::path::{Component, Path, PathBuf};
use std::time::{Duration, SystemTime};

use rayon::prelude::*;
use tempfile::NamedTempFile;

use super::listing::{FolderListing, list};
use crate::Result;
use crate::digest::Fingerprint;

/// Below the data set's folder; what starts with a dot is never listed.
const FOLDER: &str = ".relata-index";
/// The first line; another version of the form is another first line.
const FORM: &str = "relata-index 1";
/// File systems round times by up to two seconds: what changed so shortly before the list was made may have changed after it,
/// and still show the same time.
const ROUNDING: Duration = Duration::from_secs(2);

/// As [`list`], from the index where that is fresh; else the index is written, as far as the folder can be written to.
pub(super) fn list_with_index(root: &Path, name: &str, listed_so_far: &dyn Fn(usize)) -> Result<FolderListing> {
    let stored = stored_at(root, name);
    if let Some(listed) = read(root, name, &stored) {
        return Ok(listed);
    }
    // Made before the list is: a file system has a clock of its own, and to write into `root` changes its time.
    let temporary = make_folder(root).and_then(|folder| temporary_in(&folder));
    let listed = list(root, name, listed_so_far)?;
    let written = temporary.and_then(|mut file| {
        let start = file.as_file().metadata()?.modified()?;
        let settled = |time: &SystemTime| time.checked_add(ROUNDING).is_some_and(|time| time < start);
        let text = text(&listed).filter(|_| listed.folders.iter().all(|(_, time)| settled(time)));
        if let Some(text) = text {
            file.write_all(text.as_bytes())?;
            file.persist(&stored).map_err(|error| error.error)?;
        }
        Ok(())
    });
    match written {
        Err(error) if !is_refused(&error) => {
            tracing::warn!("the index {} cannot be written: {error}", stored.display());
        }
        _ => {}
    }
    Ok(listed)
}

/// Whether it is not for this user to write there, as on a disk that is read only, or another's: then every opening lists the
/// folder, and there is nothing that the user should know.
fn is_refused(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::ReadOnlyFilesystem | ErrorKind::PermissionDenied)
}

/// The folder of the indices. What makes it leaves the time of `root` as it was, or it would look as if `root` had just changed, and
/// there would be no index until the next opening.
fn make_folder(root: &Path) -> io::Result<PathBuf> {
    let folder = root.join(FOLDER);
    let before = fs::metadata(root)?.modified();
    match fs::create_dir(&folder) {
        Ok(()) => {
            // The time of another's folder cannot be set; then the next opening writes the index.
            let _ = before.and_then(|before| File::open(root)?.set_modified(before));
            Ok(folder)
        }
        Err(error) if error.kind() == ErrorKind::AlreadyExists => Ok(folder),
        Err(error) => Err(error),
    }
}

fn temporary_in(folder: &Path) -> io::Result<NamedTempFile> {
    let mut builder = tempfile::Builder::new();
    // As any new file, for all who share the folder: temporary ones are otherwise for their owner alone.
    #[cfg(unix)]
    builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o666));
    builder.tempfile_in(folder)
}

fn stored_at(root: &Path, name: &str) -> PathBuf {
    let name = if name.is_empty() { "all".to_owned() } else { format!("in-{}", name.replace('/', "-")) };
    root.join(FOLDER).join(name)
}

/// For each folder `d`, its time and its path, then for each image in it `f`, its size and its name; `None` where a name does not
/// fit into a line.
fn text(listed: &FolderListing) -> Option<String> {
    let mut lines = String::new();
    let mut add = |kind: char, number: u128, name: &str| {
        lines.push_str(&format!("{kind}\t{number}\t{name}\n"));
        (!name.contains(['\n', '\r', '\t'])).then_some(())
    };
    let mut files = listed.files.iter().peekable();
    for (folder, time) in &listed.folders {
        add('d', time.duration_since(SystemTime::UNIX_EPOCH).ok()?.as_nanos(), folder.to_str()?)?;
        while let Some(file) = files.next_if(|file| file.relative.parent() == Some(folder.as_path())) {
            add('f', u128::from(file.size_bytes), file.relative.file_name()?.to_str()?)?;
        }
    }
    // Each image belongs to a folder of the list.
    files.next().is_none().then(|| format!("{FORM}\n{}\n{lines}", digest(&lines)))
}

fn digest(lines: &str) -> String {
    Fingerprint::new(FORM).part(lines.as_bytes()).finish()
}

/// The list in the file `stored`, if it is whole, leads nowhere but below the folder, and no folder has changed since.
fn read(root: &Path, name: &str, stored: &Path) -> Option<FolderListing> {
    let text = fs::read_to_string(stored).ok()?;
    let (form, rest) = text.split_once('\n')?;
    let (expected, lines) = rest.split_once('\n')?;
    if form != FORM || expected != digest(lines) {
        return None;
    }
    let mut listed = FolderListing::default();
    for line in lines.lines() {
        let mut fields = line.splitn(3, '\t');
        let (kind, number, field) = (fields.next()?, fields.next()?, fields.next()?);
        let parts = Path::new(field).components();
        if !parts.clone().all(|part| matches!(part, Component::Normal(_))) {
            return None;
        }
        if kind == "d" {
            let time = SystemTime::UNIX_EPOCH.checked_add(Duration::from_nanos(number.parse().ok()?))?;
            listed.folders.push((PathBuf::from(field), time));
        } else if parts.count() == 1 {
            listed.push(listed.folders.last()?.0.join(field), number.parse().ok()?);
        } else {
            return None;
        }
    }
    // The folder itself comes first, or nobody would see what came into it.
    listed.folders.first().filter(|(folder, _)| folder == Path::new(name))?;
    let unchanged = |(folder, time): &(PathBuf, SystemTime)| {
        fs::metadata(root.join(folder)).and_then(|metadata| metadata.modified()).is_ok_and(|now| now == *time)
    };
    listed.folders.par_iter().all(unchanged).then_some(listed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_the_user_could_mend_is_worth_a_warning() {
        let refused = |kind: ErrorKind| is_refused(&kind.into());
        assert!(refused(ErrorKind::PermissionDenied) && refused(ErrorKind::ReadOnlyFilesystem));
        assert!(!refused(ErrorKind::StorageFull) && !refused(ErrorKind::NotADirectory));
    }
}
