//! `.csv` as `relata embed` writes it: RFC 4180 under a header `label,class,source,f0,f1,...`.

use std::path::Path;

use super::feature_file::{FeatureFile, finite, label};
use crate::{Error, Result};

pub(super) fn features(path: &Path, bytes: &[u8]) -> Result<FeatureFile> {
    let text = String::from_utf8_lossy(bytes);
    // Spreadsheets put a byte order mark in front.
    let text = text.strip_prefix('\u{feff}').unwrap_or(&text);
    let mut records = Records { rest: text, line: 1 };
    let header = records.next().map(|(_, fields)| fields).unwrap_or_default();
    let column = |name: &str| header.iter().position(|field| field == name);
    let columns = feature_columns(path, &header)?;
    let (label_at, class_at) = (column("label"), column("class"));
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

/// Places of `f0`, `f1`, ... in their order, wherever they stand; a column that somebody took out, or that is there twice, would give
/// other features under the same names.
fn feature_columns(path: &Path, header: &[String]) -> Result<Vec<usize>> {
    let number = |name: &str| {
        let digits = name.strip_prefix('f')?;
        digits.parse::<usize>().ok().filter(|number| number.to_string() == digits)
    };
    let mut features: Vec<(usize, usize)> =
        header.iter().enumerate().filter_map(|(column, name)| Some((number(name)?, column))).collect();
    features.sort_unstable();
    if let Some(pair) = features.windows(2).find(|pair| pair[0].0 == pair[1].0) {
        return Err(Error::CsvTwice { path: path.to_owned(), column: format!("f{}", pair[0].0) });
    }
    let gap = (0..features.len().max(1)).find(|&at| features.get(at).is_none_or(|(number, _)| *number != at));
    match gap {
        Some(gap) => Err(Error::CsvHeader { path: path.to_owned(), missing: format!("f{gap}") }),
        None => Ok(features.into_iter().map(|(_, column)| column).collect()),
    }
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
