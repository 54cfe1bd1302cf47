//! Bars for work that takes a while: on a terminal alone.

use std::cell::Cell;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use relata_data::{Opening, Progress, Work};

use super::format::counted;
use super::{output, warnings};

/// Redraws a second.
const REDRAWS_HZ: u8 = 8;

/// A bar of its own for work over `what`, such as the images of a split; none without a terminal.
pub(crate) struct Counter {
    bar: Option<ProgressBar>,
}

impl Counter {
    pub(crate) fn new(what: &str) -> Self {
        let bar = bar("{prefix} [{bar:24}] {pos}/{len}").map(|bar| bar.with_prefix(what.to_owned()));
        Self { bar }
    }

    pub(crate) fn at(&self, done: usize, of: usize) {
        if let Some(bar) = &self.bar {
            bar.set_length(of as u64);
            bar.set_position(done as u64);
        }
    }
}

impl Drop for Counter {
    fn drop(&mut self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}

/// How far the opening of a data set is, where that takes a while: images listed, or read; nothing without a terminal. Counts the
/// images that are left out.
pub(crate) struct OpeningProgress {
    bar: Option<ProgressBar>,
}

impl OpeningProgress {
    pub(crate) fn new(name: &str) -> Self {
        let bar = bar("{prefix}: {msg}").map(|bar| bar.with_prefix(name.to_owned()));
        Self { bar }
    }

    pub(crate) fn at(&self, opening: Opening<'_>) {
        if let Opening::LeftOut(_) = opening {
            warnings::count_left_out();
        }
        let Some(bar) = &self.bar else { return };
        if let Some(message) = opening_words(opening) {
            bar.set_message(message);
        }
    }
}

impl Drop for OpeningProgress {
    fn drop(&mut self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}

/// `12000 images listed`; nothing for what is shown in another way.
fn opening_words(opening: Opening<'_>) -> Option<String> {
    match opening {
        Opening::Listed { images } => Some(format!("{} listed", counted(images, "image"))),
        Opening::Read { images, of } => Some(format!("{images} of {} read", counted(of, "image"))),
        _ => None,
    }
}

/// A bar for the work on a data set's archive, in bytes; without a terminal, a line as each kind of work begins.
pub(crate) struct ArchiveProgress {
    file: String,
    bar: Option<ProgressBar>,
    work: Cell<Option<Work>>,
}

impl ArchiveProgress {
    pub(crate) fn new(file: &str) -> Self {
        let bar = bar("{prefix} [{bar:24}] {bytes}/{total_bytes}  {bytes_per_sec}, {eta} left");
        Self { file: file.to_owned(), bar, work: Cell::new(None) }
    }

    pub(crate) fn at(&self, progress: Progress) {
        let began = self.work.replace(Some(progress.work)) != Some(progress.work);
        let words = match progress.work {
            Work::Download => "downloading",
            Work::Verify => "checking",
            Work::Unpack => "unpacking",
        };
        match &self.bar {
            None if began => output::note(format!("{words} {}", self.file)),
            None => {}
            Some(bar) => {
                if began {
                    bar.reset();
                    bar.set_prefix(format!("{words} {}", self.file));
                }
                bar.set_length(progress.of_bytes);
                bar.set_position(progress.done_bytes);
            }
        }
    }
}

impl Drop for ArchiveProgress {
    fn drop(&mut self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}

/// A bar on stderr that looks as `template` says; `None` without a terminal.
pub(crate) fn bar(template: &str) -> Option<ProgressBar> {
    let style = ProgressStyle::with_template(template).expect("a template of indicatif's own words").progress_chars("=> ");
    let target = ProgressDrawTarget::stderr_with_hz(REDRAWS_HZ);
    output::is_terminal().then(|| ProgressBar::with_draw_target(None, target).with_style(style))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_opening_of_a_folder_is_told_in_images() {
        let words = [Opening::Listed { images: 12_000 }, Opening::Read { images: 1, of: 7 }].map(opening_words);
        assert_eq!(words, [Some("12000 images listed".to_owned()), Some("1 of 7 images read".to_owned())]);
    }
}
