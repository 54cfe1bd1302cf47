//! Lines of progress: on stderr, and in the run's `train.log`.

use std::cell::RefCell;
use std::fs::File;
use std::io::Write;
use std::time::SystemTime;

use indicatif::ProgressBar;
use relata_artifact::RunFolder;

use super::format::utc;
use super::output;
use crate::{Error, Result};

/// Where a command's notes go.
#[derive(Debug, Default)]
pub(crate) struct Log {
    file: Option<File>,
    /// The bar that is being shown, which must step aside for a line.
    bar: RefCell<Option<ProgressBar>>,
}

impl Log {
    /// To stderr and to the end of the run's `train.log`.
    ///
    /// # Errors
    /// Where the file cannot be opened.
    pub(crate) fn of_run(run: &RunFolder) -> Result<Self> {
        let path = run.log_path();
        let open = File::options().create(true).append(true).open(&path);
        let file = open.map_err(|source| Error::Artifact(relata_artifact::Error::Io { action: "write", path, source }))?;
        Ok(Self { file: Some(file), ..Self::default() })
    }

    /// A line for the user and the file.
    pub(crate) fn line(&self, text: impl AsRef<str>) {
        self.only_to_file(text.as_ref());
        self.only_to_user(text);
    }

    /// A line that is of interest now and not later.
    pub(crate) fn only_to_user(&self, text: impl AsRef<str>) {
        match &*self.bar.borrow() {
            Some(bar) => bar.suspend(|| output::note(text)),
            None => output::note(text),
        }
    }

    /// A line for the file alone.
    pub(crate) fn only_to_file(&self, text: impl AsRef<str>) {
        if let Some(mut file) = self.file.as_ref() {
            // The log is a help, not a result: a full disk shows in the checkpoints, which do fail.
            let _ = writeln!(file, "{} {}", utc(SystemTime::now()), text.as_ref());
        }
    }

    /// Shows a bar until the next one, or none.
    pub(crate) fn show(&self, bar: Option<ProgressBar>) {
        *self.bar.borrow_mut() = bar;
    }
}
