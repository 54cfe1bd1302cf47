use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};

use crate::{Archive, Checksum, RowProblem, Split, UnknownSplit};

/// What can go wrong with data on disk. Every variant says what, where, and carries what was expected.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A file or folder could not be opened or read.
    #[error("cannot read {}", path.display())]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// The operating system's reason.
        source: std::io::Error,
    },
    /// A file or folder could not be written.
    #[error("cannot write {}", path.display())]
    Write {
        /// The file or folder.
        path: PathBuf,
        /// The operating system's reason.
        source: std::io::Error,
    },
    /// An image file that no decoder understands, or that is cut short.
    #[error("cannot decode {}: {reason}", path.display())]
    BrokenImage {
        /// The image file.
        path: PathBuf,
        /// The decoder's words.
        reason: String,
    },
    /// An image file with more pixels than the settings allow; nothing was allocated for it.
    #[error("image {} has {width_px} x {height_px} px: more than the limit of {limit}", path.display())]
    ImageTooLarge {
        /// The image file.
        path: PathBuf,
        /// Its width, as its header says.
        width_px: u32,
        /// Its height, as its header says.
        height_px: u32,
        /// The limit it breaks, in words.
        limit: String,
    },
    /// An image file larger than any image of the pixels that the settings allow; nothing was read of it.
    #[error("image file {} has {bytes} bytes: more than the {limit} that the largest image allowed could take", path.display())]
    FileTooLarge {
        /// The image file.
        path: PathBuf,
        /// Its size.
        bytes: u64,
        /// The limit.
        limit: u64,
    },
    /// What a setting names, a folder of images or a pack, is not there.
    #[error("cannot find {}: expected {expected}", path.display())]
    NoSuchPath {
        /// The file or folder looked for.
        path: PathBuf,
        /// What it should be.
        expected: &'static str,
    },
    /// A data set that is not where it should be, or not all there.
    #[error("cannot find {}: {hint}", path.display())]
    Missing {
        /// The file or folder looked for.
        path: PathBuf,
        /// What to do about it.
        hint: String,
    },
    /// A file of fixed-size records that does not hold a whole number of them, at least one.
    #[error("{} has {got_bytes} bytes: expected a whole number of records of {record_bytes} bytes, \
             but record {} is cut short; copy it again, or remove its folder and unpack the publisher's archive again",
            path.display(), got_bytes / record_bytes)]
    CutShort {
        /// The file.
        path: PathBuf,
        /// Bytes of one record.
        record_bytes: usize,
        /// Bytes of the file.
        got_bytes: usize,
    },
    /// A file of records of the published length, but with other bytes than its publisher's.
    #[error("{} has its published length, but MD5 {got} instead of {expected}: it is damaged; remove its folder, and unpack \
             the publisher's archive again", path.display())]
    DamagedFile {
        /// The file.
        path: PathBuf,
        /// The published file's MD5.
        expected: &'static str,
        /// Its own.
        got: String,
    },
    /// A label that no class has.
    #[error("{}, record {record}: label {got} is not in {} to {}: the file is damaged, or another data set's", path.display(), allowed.start(), allowed.end())]
    LabelOutOfRange {
        /// The file.
        path: PathBuf,
        /// Which record, counted from 0.
        record: usize,
        /// The label found.
        got: usize,
        /// The labels that there are.
        allowed: RangeInclusive<usize>,
    },
    /// A file of labels that holds more or fewer of them than there are images.
    #[error("{} holds {got} labels, but {} holds {expected} images: remove their folder, and unpack both from the same archive",
            path.display(), images.display())]
    LabelCount {
        /// The file of labels.
        path: PathBuf,
        /// The file of images.
        images: PathBuf,
        /// Number of images.
        expected: usize,
        /// Number of labels.
        got: usize,
    },
    /// A list of class names with too few or too many of them.
    #[error("{} names {got} classes: expected {expected}; remove its folder, and unpack the publisher's archive again", path.display())]
    ClassNames {
        /// The file.
        path: PathBuf,
        /// Names expected.
        expected: usize,
        /// Names found.
        got: usize,
    },
    /// A file that is not a pack, or not all of one.
    #[error("{} cannot be read as a pack: {reason}; pack the images again", path.display())]
    BadPack {
        /// The file.
        path: PathBuf,
        /// Why.
        reason: String,
    },
    /// A folder without a single image file.
    #[error("no images in {}: looked for files ending in {extensions}, also in its sub-folders", path.display())]
    EmptyFolder {
        /// The folder.
        path: PathBuf,
        /// The endings looked for.
        extensions: String,
    },
    /// An image of another size than all images of its data set have.
    #[error("image {} has {width_px} x {height_px} px: expected {side_px} x {side_px}, as the data set is published", path.display())]
    ImageSize {
        /// The image file.
        path: PathBuf,
        /// Its width.
        width_px: u32,
        /// Its height.
        height_px: u32,
        /// The side that every image of the data set has.
        side_px: u32,
    },
    /// A line of a list of labels that does not read as one.
    #[error("{}, line {line}: expected {expected}, found {got:?}", path.display())]
    Line {
        /// The list.
        path: PathBuf,
        /// The line, counted from 1.
        line: usize,
        /// What a line should hold.
        expected: &'static str,
        /// What it holds.
        got: String,
    },
    /// A data set's folder that is there, but not all that belongs into it, where the data set was to be brought.
    #[error("{} is there, but {}: move it away, and get the data set again", folder.display(), lacks(folder, missing))]
    Incomplete {
        /// The folder.
        folder: PathBuf,
        /// What is not in it. Empty where it is not a folder, but a file or a dangling link.
        missing: Vec<PathBuf>,
    },
    /// An archive that is not the one that its publisher offers.
    #[error("{} ({bytes} bytes) has {} {got}: expected {}; it is damaged or cut short: remove it and download it again",
            path.display(), expected.algorithm(), expected.digits())]
    Checksum {
        /// The archive.
        path: PathBuf,
        /// Its size.
        bytes: u64,
        /// The publisher's checksum.
        expected: Box<Checksum>,
        /// Its own, by the same algorithm.
        got: String,
    },
    /// An archive that cannot be unpacked.
    #[error("cannot unpack {}: {reason}; {}", path.display(), get_again(*offered))]
    BadArchive {
        /// The archive.
        path: PathBuf,
        /// Why.
        reason: String,
        /// Whether anybody offers it: else it is of the user's own making.
        offered: bool,
    },
    /// An archive that would write where it should not; nothing of it is left.
    #[error("{} is not to be trusted and was not unpacked: its entry {entry:?} {reason}", path.display())]
    UnsafeEntry {
        /// The archive.
        path: PathBuf,
        /// The entry's name.
        entry: String,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// An archive that unpacks to more than any data set does; nothing of it is left.
    #[error("{} unpacks to more than {limit}: it is not a data set, or larger than the limits", path.display())]
    ArchiveTooLarge {
        /// The archive.
        path: PathBuf,
        /// The limit it breaks, in words.
        limit: String,
    },
    /// A download that failed; what came is kept, and the next try goes on from there.
    #[error("cannot download {url}: {reason}; try again later, or get the file another way{} and put it at {}",
            in_brackets(checksum.as_deref()), path.display())]
    Download {
        /// The publisher's address.
        url: String,
        /// Where the file belongs.
        path: PathBuf,
        /// The publisher's checksum.
        checksum: Option<Box<Checksum>>,
        /// What happened last.
        reason: String,
    },
    /// A hub that cannot be asked, or that does not have the data set as it should.
    #[error("cannot get {url}: {reason}; try again later, or ask a mirror of the hub{}", or_archive(archive, path))]
    Hub {
        /// Where the hub shows the files.
        url: String,
        /// What happened.
        reason: String,
        /// The same data set as its publisher packs it.
        archive: Box<Archive>,
        /// Where the archive belongs.
        path: Box<Path>,
    },
    /// The hub's files of a split hold more or fewer rows than its publisher has images.
    #[error("{}{} hold {got} rows: expected {expected}, as the data set is published", path.display(), and_more(*files))]
    HubRows {
        /// The first of the files.
        path: PathBuf,
        /// Number of files.
        files: usize,
        /// Rows expected in all of them together.
        expected: usize,
        /// Rows found.
        got: usize,
    },
    /// A row of one of the hub's files that does not hold an image with its labels.
    #[error("{}, row {row}: {problem}", path.display())]
    HubRow {
        /// The file.
        path: PathBuf,
        /// The row, counted from 0.
        row: usize,
        /// What is wrong with it.
        problem: RowProblem,
    },
    /// A data set that nobody offers in a form that could be read as it is.
    #[error("{file} is not offered for download: put the images into class folders below {}", folder.display())]
    NotOffered {
        /// The archive's name.
        file: &'static str,
        /// The folder that the data set is read from.
        folder: PathBuf,
    },
    /// A list that says something twice.
    #[error("{}, line {line}: {name} is in line {first} already; remove one of the two", path.display())]
    DuplicateLine {
        /// The list.
        path: PathBuf,
        /// The second line, counted from 1.
        line: usize,
        /// The first.
        first: usize,
        /// What both name.
        name: String,
    },
    /// Two images of the same name, where a list names images by file name alone.
    #[error("{} and {} have the same name, and {} gives labels by names: remove one of the two",
            path.display(), other.display(), list.display())]
    SameName {
        /// The first image.
        path: PathBuf,
        /// The other.
        other: PathBuf,
        /// The list.
        list: PathBuf,
    },
    /// Folders that are called like splits, but not as these are called here.
    #[error("{} holds {folders}: such a folder is a class here, but its name is that of a split; call the folders train and test (or val)", path.display())]
    SplitNames {
        /// The folder.
        path: PathBuf,
        /// The folders in it.
        folders: String,
    },
    /// An image that its list of labels leaves out.
    #[error("{} has no line for the image {name}: remove their folder, and unpack both from the same archive", path.display())]
    Unannotated {
        /// The list.
        path: PathBuf,
        /// The image file's name.
        name: String,
    },
    /// A `WordNet` id that the data set has no class for.
    #[error("{} names class {wnid}, which is not listed in {}", path.display(), list.display())]
    UnknownWnid {
        /// The folder of the class, or the list that names it.
        path: PathBuf,
        /// The id.
        wnid: String,
        /// The list of all classes.
        list: PathBuf,
    },
    /// An image whose path is not UTF-8: two such paths could read alike, as classes and as images.
    #[error("the name of {path:?} is not UTF-8, and could be confused with another: rename it")]
    NameNotText {
        /// The image file; the escaped bytes show which of its names it is.
        path: PathBuf,
    },
    /// A folder that holds both images and folders of images: it could be meant either way.
    #[error(
        "{} holds both loose images (such as {loose}) and folders of images (such as {class}): \
         move the images into class folders, or the folders away", path.display()
    )]
    MixedFolder {
        /// The folder.
        path: PathBuf,
        /// A loose image in it.
        loose: String,
        /// A folder of images in it.
        class: String,
    },
    /// A class of the test images that the training images do not have.
    #[error("{} holds class {class}, which {} lacks", path.display(), train.display())]
    UnknownClass {
        /// The folder of the test images.
        path: PathBuf,
        /// The class, by its folder's name.
        class: String,
        /// The folder of the training images.
        train: PathBuf,
    },
    /// A data set that has no such split.
    #[error("{} has no {split} split: {reason}", path.display())]
    NoSuchSplit {
        /// The data set's folder.
        path: PathBuf,
        /// The split requested.
        split: Split,
        /// Why, and what would give it one.
        reason: String,
    },
    /// An index past the end.
    #[error("there is no image {index}: there are {len}")]
    IndexOutOfRange {
        /// The index.
        index: usize,
        /// Number of images.
        len: usize,
    },
    /// Images to be held out of others that cannot spare them.
    #[error("cannot hold {images} training images out for validation: {reason}")]
    HoldOut {
        /// How many.
        images: usize,
        /// What keeps them.
        reason: String,
    },
    /// A setting outside its range.
    #[error("{key} = {value} is not allowed: expected {allowed}")]
    Setting {
        /// The setting's name.
        key: &'static str,
        /// The value found.
        value: String,
        /// What would have been allowed.
        allowed: &'static str,
    },
    /// A data set name that nobody knows.
    #[error("unknown data set {name:?}: known are {}", known.join(", "))]
    UnknownDataset {
        /// The name found.
        name: String,
        /// Every known name.
        known: Vec<String>,
    },
    /// A setting that no data set has.
    #[error("unknown setting {key:?} of a data set: known are {}", known.join(", "))]
    UnknownSetting {
        /// The key found.
        key: String,
        /// Every known key.
        known: Vec<String>,
    },
    /// A split that there is not.
    #[error(transparent)]
    UnknownSplit(#[from] UnknownSplit),
}

/// Whose turn it is: the user's (another setting, name or path), or the machine's (disk, network, a damaged file).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum ErrorKind {
    /// The request is wrong: a setting, a name, a split, or a path where nothing is.
    Usage,
    /// Something failed on the way: a file cannot be read or written, is damaged, or is not what it should be.
    Failure,
}

impl Error {
    /// Whether the request was wrong or its execution failed.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::Setting { .. }
            | Self::HoldOut { .. }
            | Self::UnknownDataset { .. }
            | Self::UnknownSetting { .. }
            | Self::UnknownSplit(_)
            | Self::NoSuchSplit { .. }
            | Self::NoSuchPath { .. }
            | Self::Missing { .. }
            | Self::Incomplete { .. }
            | Self::NotOffered { .. } => ErrorKind::Usage,
            Self::Io { .. }
            | Self::Write { .. }
            | Self::BrokenImage { .. }
            | Self::ImageTooLarge { .. }
            | Self::FileTooLarge { .. }
            | Self::CutShort { .. }
            | Self::DamagedFile { .. }
            | Self::LabelOutOfRange { .. }
            | Self::LabelCount { .. }
            | Self::ClassNames { .. }
            | Self::BadPack { .. }
            | Self::EmptyFolder { .. }
            | Self::ImageSize { .. }
            | Self::Line { .. }
            | Self::Checksum { .. }
            | Self::BadArchive { .. }
            | Self::UnsafeEntry { .. }
            | Self::ArchiveTooLarge { .. }
            | Self::Download { .. }
            | Self::Hub { .. }
            | Self::HubRows { .. }
            | Self::HubRow { .. }
            | Self::DuplicateLine { .. }
            | Self::SameName { .. }
            | Self::SplitNames { .. }
            | Self::Unannotated { .. }
            | Self::UnknownWnid { .. }
            | Self::NameNotText { .. }
            | Self::MixedFolder { .. }
            | Self::UnknownClass { .. }
            | Self::IndexOutOfRange { .. } => ErrorKind::Failure,
        }
    }
}

fn in_brackets(checksum: Option<&Checksum>) -> String {
    checksum.map_or_else(String::new, |checksum| format!(" ({checksum})"))
}

fn or_archive(archive: &Archive, path: &Path) -> String {
    archive.url.map_or_else(String::new, |url| {
        let checksum = in_brackets(archive.checksum().as_ref());
        format!("; or get {url}{checksum} another way and put it at {}, which serves as well", path.display())
    })
}

fn get_again(offered: bool) -> &'static str {
    if offered {
        "if it is damaged or cut short, remove it and download it again"
    } else {
        "pack the folder again: the folder itself, with all that belongs into it"
    }
}

/// The first three of what is missing, and how many there are more.
fn lacks(folder: &Path, missing: &[PathBuf]) -> String {
    const NAMED: usize = 3;
    if missing.is_empty() {
        return "is not a folder, or is a dangling link".to_owned();
    }
    let names: Vec<_> =
        missing.iter().take(NAMED).map(|path| path.strip_prefix(folder).unwrap_or(path).display().to_string()).collect();
    let more = if missing.len() > NAMED { format!(" and {} more", missing.len() - NAMED) } else { String::new() };
    format!("lacks {}{more}", names.join(", "))
}

fn and_more(files: usize) -> String {
    if files > 1 { format!(" and {} more", files - 1) } else { String::new() }
}

/// The crate's result.
pub type Result<T, E = Error> = std::result::Result<T, E>;
