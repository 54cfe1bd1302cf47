//! Everything that can end a command: what it says, its exit code, and what to do next.

mod advice;
mod exit_code;

use std::path::PathBuf;

pub(crate) use exit_code::INTERRUPTED;

use crate::ConfigError;

/// Everything that can end a command, with an exit code and a word on what to do next.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The configuration is wrong.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The data cannot be read.
    #[error(transparent)]
    Data(#[from] relata_data::Error),
    /// Views cannot be made.
    #[error(transparent)]
    Augment(#[from] relata_augment::Error),
    /// The model, or a weight file, does not fit.
    #[error(transparent)]
    Model(#[from] relata_model::Error),
    /// The compute threads cannot be started.
    #[error(transparent)]
    Ops(#[from] relata_ops::Error),
    /// Training failed.
    #[error(transparent)]
    Train(#[from] relata_train::Error),
    /// A probe failed.
    #[error(transparent)]
    Probe(#[from] relata_probe::Error),
    /// The run folder cannot be read or written.
    #[error(transparent)]
    Artifact(#[from] relata_artifact::Error),
    /// The report cannot be made.
    #[error(transparent)]
    Report(#[from] relata_report::Error),
    /// A picture cannot be put together.
    #[error("cannot write a picture as PNG")]
    Picture(#[source] image::ImageError),
    /// Arguments that do not go together.
    #[error("{0}")]
    Usage(String),
    /// A run folder without the requested checkpoint.
    #[error("{} has no checkpoint {name:?}{}", run.display(), there_are(known))]
    NoCheckpoint {
        /// The run.
        run: PathBuf,
        /// The requested checkpoint.
        name: String,
        /// Those that there are.
        known: Vec<String>,
    },
    /// A resumed run whose images are no longer those that it was trained on.
    #[error("the {split} images of {name} have fingerprint {found}, but the run was trained on {expected}")]
    OtherData {
        /// The data set.
        name: String,
        /// Its split.
        split: String,
        /// The fingerprint in provenance.json.
        expected: String,
        /// The fingerprint now.
        found: String,
    },
    /// A request for a score on the test images that the run is, or was, trained on.
    #[error("data.split = \"test\": the run trains on the test images of {name}, so a score on them says nothing of new images")]
    TrainedOnTest {
        /// The data set.
        name: String,
    },
    /// A data set of which something is broken.
    #[error("{name} is not whole: {}; all of it is listed above", faults.join(", "))]
    NotWhole {
        /// The data set.
        name: String,
        /// How much of what: `3 of 60000 images are broken`.
        faults: Vec<String>,
        /// Whether there are broken images among them.
        broken: bool,
        /// Whether files are damaged or missing.
        lacking: bool,
    },
    /// A batch that the machine has no memory for.
    #[error("batches of {images} images in {views} views need {needed} of memory, and {free} are free{}", fitting(*largest_batch, *most_views, widths))]
    Memory {
        /// B.
        images: usize,
        /// K.
        views: usize,
        /// What the run would take.
        needed: String,
        /// What there is.
        free: String,
        /// The most images with these views that fit, if two do.
        largest_batch: Option<usize>,
        /// The most views of these images that fit, if two do.
        most_views: Option<usize>,
        /// The settings that most of it goes with, where that is the method's.
        widths: &'static [&'static str],
    },
    /// Runs of a comparison that failed; the others are done.
    #[error("{} of {of} runs failed: {}; the others are in the table", runs.len(), runs.join(", "))]
    RunsFailed {
        /// Their folders.
        runs: Vec<String>,
        /// Runs of the comparison.
        of: usize,
    },
    /// The user pressed Ctrl-C, or the process was told to end (SIGTERM, SIGHUP), and everything is saved.
    #[error("interrupted after {after}; everything is saved")]
    Interrupted {
        /// What was done by then: `step 120`.
        after: String,
        /// The command that goes on.
        resume: String,
    },
}

/// The crate's result.
pub type Result<T, E = Error> = std::result::Result<T, E>;

fn fitting(largest_batch: Option<usize>, most_views: Option<usize>, widths: &[&str]) -> String {
    let setting = |name: &str, value: Option<usize>| value.map(|value| format!("{name}={value}"));
    let fits: Vec<String> =
        [setting("train.batch_size", largest_batch), setting("augment.views", most_views)].into_iter().flatten().collect();
    match (&fits[..], widths) {
        ([], []) => "; smaller images or a smaller backbone might fit".to_owned(),
        ([], widths) => format!("; a smaller {} might fit", widths.join(" or ")),
        (fits, _) => format!("; what fits: {}", fits.join(", or ")),
    }
}

fn there_are(known: &[String]) -> String {
    if known.is_empty() {
        ": it has none yet, go on with the training".to_owned()
    } else {
        format!(": it has {}", known.join(", "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_setting_that_memory_goes_with_is_the_one_to_lessen() {
        let widths = ["method.barlow.hidden", "method.barlow.output"];
        assert_eq!(fitting(None, None, &widths), "; a smaller method.barlow.hidden or method.barlow.output might fit");
        assert_eq!(fitting(Some(8), None, &widths), "; what fits: train.batch_size=8");
        assert!(fitting(None, None, &[]).contains("a smaller backbone"));
    }
}
