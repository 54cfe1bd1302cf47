//! `metrics.jsonl`: one flat JSON object a line, appended while training runs.

use std::fs::{self, File};
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::{Error, Result, write_atomic};

/// One line of `metrics.jsonl`. Fields that are `None` are not written.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Metrics {
    /// Optimizer steps taken so far.
    pub step: u64,
    /// Epochs completed so far; a fraction in the middle of an epoch.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub epoch: Option<f64>,
    /// Training loss, mean over rows.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub loss: Option<f64>,
    /// Learning rate of the step.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lr: Option<f64>,
    /// Views trained on a second, over the time since the line before.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub views_per_s: Option<f64>,
    /// Seconds of training so far, those before a resume included.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub elapsed_s: Option<f64>,
    /// What the method reports beside its loss, by name: numbers, strings or truth values.
    #[serde(flatten)]
    pub extra: Map<String, Value>,
}

/// Prefix of the figures that were measured on the backbone between epochs. They belong to no step, and none is a score.
pub const ONLINE: &str = "online_";

impl Metrics {
    /// The method's own figure of that name.
    #[must_use]
    pub fn figure(&self, name: &str) -> Option<f64> {
        self.extra.get(name)?.as_f64()
    }

    /// Whether the line holds figures that were measured between epochs ([`ONLINE`]), and nothing of the training itself.
    #[must_use]
    pub fn is_online(&self) -> bool {
        self.loss.is_none() && self.extra.keys().any(|name| name.starts_with(ONLINE))
    }
}

/// Appends lines to `metrics.jsonl`, each handed to the operating system before the call returns.
#[derive(Debug)]
pub struct MetricsWriter {
    path: PathBuf,
    file: File,
}

impl MetricsWriter {
    /// Starts an empty file in place of whatever is there.
    ///
    /// # Errors
    /// [`Error::Io`].
    pub fn create(path: &Path) -> Result<Self> {
        write_atomic(path, b"")?;
        Self::append_to(path)
    }

    /// Continues a file after the checkpoint of `step`: lines of later steps, and half a line that a crash may have
    /// left at the end, are removed. A missing file counts as an empty one.
    ///
    /// # Errors
    /// [`Error::Json`] for a damaged line that is not the last, [`Error::Io`].
    pub fn resume(path: &Path, step: u64) -> Result<Self> {
        let bytes = read_or_empty(path)?;
        let mut kept = Vec::with_capacity(bytes.len());
        for (line, metrics) in lines(path, &bytes)? {
            if metrics.step <= step {
                kept.extend_from_slice(line);
                kept.push(b'\n');
            }
        }
        write_atomic(path, &kept)?;
        Self::append_to(path)
    }

    /// Appends one line: [`Metrics`], or any map or struct that becomes a flat JSON object with a whole number `step`.
    /// Numbers that are not finite become `null`, since JSON has no word for them.
    ///
    /// # Errors
    /// [`Error::MetricsLine`] for a value that is no such object, [`Error::Io`] (full disk).
    pub fn append(&mut self, line: &impl Serialize) -> Result<()> {
        let value = serde_json::to_value(line).map_err(|error| Error::MetricsLine { reason: error.to_string() })?;
        check_flat(&value)?;
        let mut text = value.to_string();
        text.push('\n');
        // One write call a line: a crash can cut the last line short, but never mix two.
        self.file.write_all(text.as_bytes()).map_err(Error::io("append to", &self.path))
    }

    /// Waits until all lines are on the disk; worth its time before a checkpoint.
    ///
    /// # Errors
    /// [`Error::Io`].
    pub fn sync(&self) -> Result<()> {
        self.file.sync_data().map_err(Error::io("sync", &self.path))
    }

    fn append_to(path: &Path) -> Result<Self> {
        let file = File::options().append(true).open(path).map_err(Error::io("append to", path))?;
        Ok(Self { path: path.to_owned(), file })
    }
}

/// Reads all whole lines, oldest first. A missing file is empty; half a line at the end, left by a crash, is skipped.
///
/// # Errors
/// [`Error::Json`] with the number of a damaged line that is not the last, [`Error::Io`].
pub(crate) fn read_metrics(path: &Path) -> Result<Vec<Metrics>> {
    let bytes = read_or_empty(path)?;
    Ok(lines(path, &bytes)?.into_iter().map(|(_, metrics)| metrics).collect())
}

fn read_or_empty(path: &Path) -> Result<Vec<u8>> {
    match fs::read(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(Vec::new()),
        other => other.map_err(Error::io("read", path)),
    }
}

fn lines<'a>(path: &Path, bytes: &'a [u8]) -> Result<Vec<(&'a [u8], Metrics)>> {
    let mut parsed = Vec::new();
    let mut pieces = bytes.split(|&byte| byte == b'\n').enumerate().peekable();
    while let Some((index, line)) = pieces.next() {
        if line.trim_ascii().is_empty() {
            continue;
        }
        match serde_json::from_slice(line) {
            Ok(metrics) => parsed.push((line, metrics)),
            Err(_) if pieces.peek().is_none() => {} // what follows the last newline was cut short
            Err(source) => {
                return Err(Error::Json { path: path.to_owned(), line: Some(index + 1), source });
            }
        }
    }
    Ok(parsed)
}

fn check_flat(value: &Value) -> Result<()> {
    let refuse = |reason: String| Err(Error::MetricsLine { reason });
    let Some(object) = value.as_object() else {
        return refuse("no object".to_owned());
    };
    if let Some((key, _)) = object.iter().find(|(_, value)| value.is_array() || value.is_object()) {
        return refuse(format!("`{key}` is nested"));
    }
    match object.get("step") {
        Some(step) if step.is_u64() => Ok(()),
        Some(step) => refuse(format!("`step` is {step}")),
        None => refuse("`step` is missing".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn steps(path: &Path) -> Vec<u64> {
        read_metrics(path).unwrap().iter().map(|metrics| metrics.step).collect()
    }

    fn file_of(text: &[u8]) -> (tempfile::TempDir, PathBuf) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("metrics.jsonl");
        fs::write(&path, text).unwrap();
        (folder, path)
    }

    #[test]
    fn resume_drops_what_came_after_the_checkpoint() {
        let (_folder, path) = file_of(b"");
        let mut writer = MetricsWriter::create(&path).unwrap();
        for step in [10, 20, 30, 40] {
            writer.append(&json!({"step": step, "loss": 0.5})).unwrap();
        }
        let mut writer = MetricsWriter::resume(&path, 20).unwrap();
        writer.append(&json!({"step": 30, "loss": 0.25})).unwrap();
        assert_eq!(steps(&path), [10, 20, 30]);
        assert_eq!(read_metrics(&path).unwrap()[2].loss, Some(0.25));
    }

    #[test]
    fn half_a_line_at_the_end_is_tolerated_and_resumed_over() {
        for tail in [&b"{\"step\":3,\"lo"[..], b"{\"step\":3,\"name\":\"\xc3", b"\0\0\0\0"] {
            let (_folder, path) = file_of(&[b"{\"step\":1}\n{\"step\":2}\n", tail].concat());
            assert_eq!(steps(&path), [1, 2]);
            MetricsWriter::resume(&path, 9).unwrap().append(&json!({"step": 3})).unwrap();
            assert_eq!(steps(&path), [1, 2, 3]);
        }
    }

    #[test]
    fn a_damaged_line_in_the_middle_is_named() {
        let (_folder, path) = file_of(b"{\"step\":1}\n{\"step\n{\"step\":3}\n");
        assert!(matches!(read_metrics(&path), Err(Error::Json { line: Some(2), .. })));
        assert!(matches!(MetricsWriter::resume(&path, 9), Err(Error::Json { line: Some(2), .. })));
    }

    #[test]
    fn what_was_measured_between_epochs_is_not_training() {
        let line = |text: &str| serde_json::from_str::<Metrics>(text).unwrap().is_online();
        assert!(line(r#"{"step":9,"epoch":1.0,"online_knn_acc":0.5}"#));
        assert!(!line(r#"{"step":9,"epoch":1.0,"loss":0.5,"rotation_acc":0.5}"#));
        assert!(!line(r#"{"step":9,"offline":1.0}"#));
    }

    #[test]
    fn a_missing_file_is_empty() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(read_metrics(&folder.path().join("metrics.jsonl")).unwrap(), []);
    }

    #[test]
    fn only_flat_lines_with_a_step_are_written() {
        let (_folder, path) = file_of(b"");
        let mut writer = MetricsWriter::create(&path).unwrap();
        for bad in [json!({"loss": 1.0}), json!({"step": 1.5}), json!({"step": 1, "a": [1]}), json!(1)] {
            assert!(matches!(writer.append(&bad), Err(Error::MetricsLine { .. })), "{bad}");
        }
        assert!(fs::read(&path).unwrap().is_empty());
    }

    proptest! {
        #[test]
        fn written_then_read_is_the_same(
            rows in prop::collection::vec((any::<u64>(), prop::option::of(-1e300..1e300), "[a-z]{1,8}", -1e9..1e9), 0..20)
        ) {
            let folder = tempfile::tempdir().unwrap();
            let path = folder.path().join("metrics.jsonl");
            let written: Vec<Metrics> = rows
                .into_iter()
                .map(|(step, loss, key, value)| Metrics {
                    step,
                    loss,
                    extra: [(format!("my_{key}"), json!(value))].into_iter().collect(),
                    ..Metrics::default()
                })
                .collect();
            let mut writer = MetricsWriter::create(&path).unwrap();
            for line in &written {
                writer.append(line).unwrap();
            }
            let read = read_metrics(&path).unwrap();
            prop_assert_eq!(read.len(), written.len());
            for (read, written) in read.iter().zip(&written) {
                prop_assert_eq!(read.step, written.step);
                prop_assert_eq!(read.loss.is_some(), written.loss.is_some());
                let (read_loss, loss) = (read.loss.unwrap_or(0.0), written.loss.unwrap_or(0.0));
                // serde_json's default float parser may be off in the last bits.
                prop_assert!((read_loss - loss).abs() <= 4.0 * f64::EPSILON * loss.abs());
                prop_assert!(read.extra.keys().eq(written.extra.keys()));
            }
        }
    }
}
