//! The built `relata`, run as a user runs it, on data sets of a few images.

mod bad_input;
mod commands;
mod compare;
mod data_sets;
mod hub;
mod killed;
mod online;
mod other_data;
mod results;
mod train;
#[cfg(unix)]
mod unfinished;

use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use relata_artifact::Checkpoint;

/// A temporary folder to run commands in.
pub(crate) struct Place {
    folder: tempfile::TempDir,
}

/// A training run of a second or less: few images, no probes.
pub(crate) const TINY: [&str; 5] =
    ["data.limit=64", "train.batch_size=16", "augment.views=2", "probe.after_train=false", "threads=2"];

impl Place {
    pub(crate) fn new() -> Self {
        Self { folder: tempfile::tempdir().expect("a temporary folder") }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_relata"));
        command.args(arguments).current_dir(self.folder.path()).stdin(Stdio::null());
        command
    }

    /// Runs a command to its end.
    pub(crate) fn run(&self, arguments: &[&str]) -> Ended {
        Ended::new(self.command(arguments).output().expect("relata starts"))
    }

    /// `train` with [`TINY`] settings and others.
    pub(crate) fn train(&self, arguments: &[&str]) -> Ended {
        self.run(&[&["train"][..], &TINY, arguments].concat())
    }
}

/// What a command came to.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Ended {
    fn new(output: Output) -> Self {
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        Self { code: output.status.code(), stdout: text(&output.stdout), stderr: text(&output.stderr) }
    }

    #[track_caller]
    pub(crate) fn succeeded(self) -> Self {
        assert_eq!(self.code, Some(0), "{self:?}");
        self
    }

    /// One error, with this code, that says these words; nothing on stdout.
    #[track_caller]
    pub(crate) fn failed(self, code: i32, words: &[&str]) -> Self {
        assert_eq!(self.code, Some(code), "{self:?}");
        assert_eq!(self.stderr.matches("error: ").count(), 1, "{}", self.stderr);
        for word in words {
            assert!(self.stderr.contains(word), "{word:?} is missing in: {}", self.stderr);
        }
        assert_eq!(self.stdout, "");
        self
    }
}

/// Every tensor of two checkpoints has the same bits.
#[track_caller]
pub(crate) fn assert_same_bits(left: &Path, right: &Path) {
    let (left, right) = (Checkpoint::load(left).unwrap(), Checkpoint::load(right).unwrap());
    assert_eq!(left.tensors.len(), right.tensors.len());
    for (a, b) in left.tensors.iter().zip(&right.tensors) {
        assert_eq!((&a.name, &a.shape), (&b.name, &b.shape));
        let differs = a.data.iter().zip(&b.data).position(|(a, b)| a.to_bits() != b.to_bits());
        assert_eq!(differs, None, "{} differs at this place", a.name);
    }
    assert_eq!(left.metadata, right.metadata);
}
