//! TOML and JSON files.

use std::fs;
use std::io::ErrorKind;
use std::path::Path;

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::{Error, Result, write_atomic};

pub(super) fn make_parent(path: &Path) -> Result<()> {
    let parent = path.parent().unwrap_or(path);
    fs::create_dir_all(parent).map_err(Error::io("create", parent))
}

pub(super) fn parse_toml(path: &Path, text: &str) -> Result<toml::Table> {
    text.parse().map_err(|source| Error::Toml { path: path.to_owned(), source: Box::new(source) })
}

pub(super) fn write_json(path: &Path, value: &impl Serialize) -> Result<()> {
    let mut text = serde_json::to_vec_pretty(value).map_err(Error::json(path))?;
    text.push(b'\n');
    make_parent(path)?;
    write_atomic(path, &text)
}

pub(super) fn read_json<T: DeserializeOwned>(path: &Path) -> Result<Option<T>> {
    let bytes = read_if_there(path)?;
    bytes.map(|bytes| serde_json::from_slice(&bytes).map_err(Error::json(path))).transpose()
}

pub(super) fn read_if_there(path: &Path) -> Result<Option<Vec<u8>>> {
    match fs::read(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        other => other.map(Some).map_err(Error::io("read", path)),
    }
}
