//! `.csv` as `relata embed` writes it: RFC 4180 under a header `label,class,source,f0,f1,...`.

use std::path::Path;

use super::{FeatureFile, finite, label};
use crate::{Error, Result};

pub(super) fn features(path: &Path, bytes: &[u8]) -> Result<FeatureFile> {
    let text = String::from_utf8_lossy(bytes);
    let mut records = Records { rest: &text, line: 1 };
    let header = records.next().map(|(_, fields)| fields).unwrap_or_default();
    let place = |name: &str| header.iter().position(|field| field == name);
    let columns: Vec<usize> = (0..).map_while(|feature| place(&format!("f{feature}"))).collect();
    if columns.is_empty() {
        return Err(Error::CsvHeader { path: path.to_owned(), missing: "f0" });
    }
    let (label_at, class_at) = (place("label"), place("class"));
    let (mut values, mut labels, mut names) = (Vec::new(), Vec::new(), std::collections::BTreeMap::new());
    for (row, (line, fields)) in records.enumerate() {
        if fields.len() != header.len() {
            return Err(Error::CsvFields { path: path.to_owned(), line, expected: header.len(), got: fields.len() });
        }
        let wrong =
            |at: usize| Error::CsvValue { path: path.to_owned(), line, column: header[at].clone(), value: fields[at].clone() };
        for &at in &columns {
            let value: f64 = fields[at].trim().parse().map_err(|_| wrong(at))?;
            values.push(finite(path, columns.len(), values.len(), value)?);
        }
        if let Some(at) = label_at {
            let number = label(path, row, fields[at].trim().parse().map_err(|_| wrong(at))?)?;
            labels.push(number);
            if let Some(class_at) = class_at {
                let name = names.entry(number).or_insert_with(|| fields[class_at].clone());
                if *name != fields[class_at] {
                    let (first, second) = (name.clone(), fields[class_at].clone());
                    return Err(Error::CsvClass { path: path.to_owned(), line, label: number, first, second });
                }
            }
        }
    }
    let mut file = FeatureFile::new(path, values, columns.len())?;
    file.labels = label_at.map(|_| labels);
    file.names = names;
    Ok(file)
}

/// The records of a text, each with the line that it begins in; a quoted field may hold commas, quotes (doubled) and lines.
struct Records<'a> {
    rest: &'a str,
    line: usize,
}

impl Iterator for Records<'_> {
    type Item = (usize, Vec<String>);

    fn next(&mut self) -> Option<Self::Item> {
        if self.rest.is_empty() {
            return None;
        }
        let line = self.line;
        let (mut fields, mut field, mut quoted, mut end) = (Vec::new(), String::new(), false, self.rest.len());
        let mut letters = self.rest.char_indices().peekable();
        while let Some((at, letter)) = letters.next() {
            match letter {
                '"' if quoted && letters.peek().is_some_and(|(_, next)| *next == '"') => {
                    letters.next();
                    field.push('"');
                }
                '"' => quoted = !quoted,
                ',' if !quoted => fields.push(std::mem::take(&mut field)),
                '\n' if !quoted => {
                    end = at + 1;
                    break;
                }
                '\r' if !quoted => {}
                _ => field.push(letter),
            }
        }
        self.line += self.rest[..end].matches('\n').count();
        self.rest = &self.rest[end..];
        fields.push(field);
        Some((line, fields))
    }
}
