//! Lines of progress: on stderr, and in the run's `train.log`.

use std::cell::RefCell;
use std::fs::File;
use std::io::Write;
use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

use indicatif::ProgressBar;
use relata_artifact::RunFolder;

use crate::{Error, Result, output};

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

/// A path as messages show it: from here, if it lies below.
pub(crate) fn shown(path: &Path) -> String {
    let here = std::env::current_dir().ok();
    let relative = here.and_then(|here| path.strip_prefix(here).ok().map(Path::to_owned));
    relative.as_deref().unwrap_or(path).display().to_string()
}

/// ISO 8601 in UTC, to the second.
pub(crate) fn utc(time: SystemTime) -> String {
    let seconds = time.duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
    let (days, rest) = (seconds / 86_400, seconds % 86_400);
    let (year, month, day) = civil_from_days(days);
    format!("{year:04}-{month:02}-{day:02}T{:02}:{:02}:{:02}Z", rest / 3600, rest / 60 % 60, rest % 60)
}

/// The date of a day since 1970-01-01 (Howard Hinnant, "chrono-compatible low-level date algorithms", civil_from_days).
fn civil_from_days(days: u64) -> (u64, u64, u64) {
    let days = days + 719_468; // from 0000-03-01, so that a leap day is the last of its year
    let (era, day_of_era) = (days / 146_097, days % 146_097);
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
    (era * 400 + year_of_era + u64::from(month <= 2), month, day)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn dates_are_those_of_the_calendar() {
        for (seconds, text) in [
            (0, "1970-01-01T00:00:00Z"),
            (951_782_399, "2000-02-28T23:59:59Z"),
            (951_782_400, "2000-02-29T00:00:00Z"),
            (1_709_251_199, "2024-02-29T23:59:59Z"),
            (1_735_689_600, "2025-01-01T00:00:00Z"),
            (4_107_542_400, "2100-03-01T00:00:00Z"),
        ] {
            assert_eq!(utc(UNIX_EPOCH + Duration::from_secs(seconds)), text);
        }
    }
}
