use std::fs;
use std::io::ErrorKind;
use std::path::Path;

use crate::{Error, Result};

/// The names in the file `path`, one a line; `published` where the file is not there, as in copies without it.
pub(crate) fn class_names(path: &Path, published: &[&str]) -> Result<Vec<String>> {
    let text = match fs::read_to_string(path) {
        Ok(text) => text,
        Err(source) if source.kind() == ErrorKind::NotFound => published.join("\n"),
        Err(source) => return Err(Error::Io { path: path.to_owned(), source }),
    };
    let names: Vec<String> = text.lines().map(str::trim).filter(|name| !name.is_empty()).map(str::to_owned).collect();
    if names.len() != published.len() {
        return Err(Error::ClassNames { path: path.to_owned(), expected: published.len(), got: names.len() });
    }
    Ok(names)
}
