use std::fs::{self, File};
use std::io::{BufWriter, Cursor, Write};
use std::path::{Path, PathBuf};

use candle_datasets::hub::FileReader;
use image::ImageReader;
use md5::{Digest, Md5};
use parquet::record::{Field, Row};

use super::repository::Table;
use super::row_problem::RowProblem;
use super::source::{HubSource, HubSplit};
use crate::archive::hexadecimal;
use crate::{Error, Result};

/// Writes the rows of a split's files, in order, as the publisher's files of records; `wrote` is called with the number of bytes of each.
pub(super) fn write_split(
    source: &HubSource,
    split: &HubSplit,
    tables: &[&Table],
    folder: &Path,
    wrote: &mut dyn FnMut(usize),
) -> Result<()> {
    let rows = |table: &&Table| usize::try_from(table.reader.metadata().file_metadata().num_rows()).unwrap_or(0);
    check_rows(split, tables, tables.iter().map(rows).sum())?;
    let mut writer = RecordWriter { split, folder, files: Vec::new(), open: None };
    let (mut record, mut got) = (Vec::new(), 0);
    for table in tables {
        let mut row_number = 0;
        let failed = |row, problem| Error::HubRow { path: table.path.clone(), row, problem };
        let unreadable = |error: parquet::errors::ParquetError| RowProblem::Unreadable { reason: error.to_string() };
        // Group by group: the iterator over a whole file panics where a group cannot be opened.
        for group in 0..table.reader.num_row_groups() {
            let group = table.reader.get_row_group(group).map_err(|error| failed(row_number, unreadable(error)))?;
            for row in group.get_row_iter(None).map_err(|error| failed(row_number, unreadable(error)))? {
                let row = row.map_err(unreadable).and_then(|row| fill(source, &row, &mut record));
                row.map_err(|problem| failed(row_number, problem))?;
                writer.write(&record)?;
                wrote(record.len());
                row_number += 1;
            }
        }
        got += row_number;
    }
    check_rows(split, tables, got)?;
    writer.finish()
}

fn check_rows(split: &HubSplit, tables: &[&Table], got: usize) -> Result<()> {
    let expected = split.images();
    if got == expected {
        return Ok(());
    }
    let path = tables.first().map_or_else(PathBuf::new, |table| table.path.clone());
    Err(Error::HubRows { path, files: tables.len(), expected, got })
}

/// Puts the record of a row into `record`: labels, then the planes of red, green and blue, each row by row from the top.
fn fill(source: &HubSource, row: &Row, record: &mut Vec<u8>) -> Result<(), RowProblem> {
    record.clear();
    for &(column, classes) in source.labels {
        record.push(label(row, column, classes)?);
    }
    let rgb = decoded(image_bytes(row, source.image_column)?, source.side_px)?;
    for channel in 0..3 {
        record.extend(rgb.iter().skip(channel).step_by(3));
    }
    Ok(())
}

fn label(row: &Row, column: &'static str, classes: usize) -> Result<u8, RowProblem> {
    let got = match field(row, column) {
        Some(Field::Long(label)) => *label,
        Some(Field::Int(label)) => i64::from(*label),
        other => return Err(RowProblem::NoLabel { column, got: kind(other).into() }),
    };
    match u8::try_from(got) {
        Ok(label) if usize::from(label) < classes => Ok(label),
        _ => Err(RowProblem::Label { column, got, classes }),
    }
}

fn image_bytes<'a>(row: &'a Row, column: &'static str) -> Result<&'a [u8], RowProblem> {
    let found = field(row, column);
    if let Some(Field::Group(image)) = found
        && let Some(Field::Bytes(bytes)) = field(image, "bytes")
    {
        return Ok(bytes.data());
    }
    Err(RowProblem::NoImage { column, got: kind(found).into() })
}

fn field<'a>(row: &'a Row, column: &str) -> Option<&'a Field> {
    row.get_column_iter().find(|(name, _)| *name == column).map(|(_, field)| field)
}

/// What a column holds, for messages: never the bytes themselves.
fn kind(field: Option<&Field>) -> String {
    match field {
        None => "nothing: there is no such column".to_owned(),
        Some(Field::Null) => "null".to_owned(),
        Some(Field::Group(group)) => {
            let names: Vec<&str> = group.get_column_iter().map(|(name, _)| name.as_str()).collect();
            format!("a group of {}", names.join(", "))
        }
        Some(Field::Bytes(bytes)) => format!("{} bytes", bytes.len()),
        Some(Field::Str(text)) => format!("a text of {} bytes", text.len()),
        Some(other) => other.to_string(),
    }
}

/// Red, green and blue of each pixel, row by row from the top.
fn decoded(bytes: &[u8], side_px: usize) -> Result<Vec<u8>, RowProblem> {
    let broken = |error: image::ImageError| RowProblem::BrokenImage { reason: error.to_string() };
    let reader = || ImageReader::new(Cursor::new(bytes)).with_guessed_format().map_err(|error| broken(error.into()));
    // Before anything is allocated for it.
    let (width_px, height_px) = reader()?.into_dimensions().map_err(broken)?;
    if [width_px, height_px].map(usize::try_from) != [Ok(side_px); 2] {
        return Err(RowProblem::ImageSize { width_px, height_px, side_px });
    }
    Ok(reader()?.decode().map_err(broken)?.into_rgb8().into_raw())
}

/// Cuts a stream of records into the publisher's files.
struct RecordWriter<'a> {
    split: &'a HubSplit,
    folder: &'a Path,
    /// Those that are full, under names of their own.
    files: Vec<Written>,
    open: Option<Open>,
}

struct Written {
    path: PathBuf,
    md5: String,
}

struct Open {
    path: PathBuf,
    file: BufWriter<File>,
    md5: Md5,
    records: usize,
}

impl RecordWriter<'_> {
    fn write(&mut self, record: &[u8]) -> Result<()> {
        let open = match &mut self.open {
            Some(open) => open,
            none => {
                let path = self.folder.join(format!(".{}-{}", self.split.name, self.files.len()));
                let file = File::create_new(&path).map_err(|source| Error::Write { path: path.clone(), source })?;
                none.insert(Open { path, file: BufWriter::new(file), md5: Md5::new(), records: 0 })
            }
        };
        open.file.write_all(record).map_err(|source| Error::Write { path: open.path.clone(), source })?;
        open.md5.update(record);
        open.records += 1;
        if open.records == self.split.records
            && let Some(Open { path, mut file, md5, .. }) = self.open.take()
        {
            file.flush().map_err(|source| Error::Write { path: path.clone(), source })?;
            self.files.push(Written { path, md5: hexadecimal(&md5.finalize()) });
        }
        Ok(())
    }

    /// Gives every file its name: by its MD5 where the publisher has one of that, by its position where not.
    fn finish(self) -> Result<()> {
        let (mut names, mut strangers) = (self.split.files.to_vec(), Vec::new());
        for written in self.files {
            match names.iter().position(|(_, md5)| *md5 == Some(&*written.md5)) {
                Some(known) => rename(&written.path, &self.folder.join(names.remove(known).0))?,
                None => strangers.push(written),
            }
        }
        for (written, (name, expected)) in strangers.into_iter().zip(names) {
            if let Some(expected) = expected {
                let got = &written.md5;
                tracing::warn!(
                    "{name} has MD5 {got}, the publisher's has {expected}: the hub has its images in another order, or others; \
                     their number, size and labels were checked"
                );
            }
            rename(&written.path, &self.folder.join(name))?;
        }
        Ok(())
    }
}

fn rename(from: &Path, to: &Path) -> Result<()> {
    fs::rename(from, to).map_err(|source| Error::Write { path: to.to_owned(), source })
}
