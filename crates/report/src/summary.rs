//! What was trained, on what and for how long: the few facts that sentences about a run need.

use relata_artifact::{MethodFacts, RunFacts, RunFolder, read_checkpoint_metadata};
use toml::{Table, Value};

use crate::Result;
use crate::numbers::{count, counted};

/// Where the trainer writes what the method's head and the backbone's architecture are called.
const HEAD: &str = "train.head";
const ARCHITECTURE: &str = "train.architecture";
const NEWEST: &str = "last";

/// What is not known is left out of the sentences.
#[derive(Debug, Default)]
pub(crate) struct Summary {
    pub(crate) method: Option<String>,
    pub(crate) backbone: Option<String>,
    pub(crate) dataset: Option<String>,
    pub(crate) views: Option<u64>,
    pub(crate) epochs: Option<u64>,
    pub(crate) epochs_done: Option<f64>,
    pub(crate) images: Option<u64>,
    /// What method, data set and online measurement say of themselves; nothing in runs of older versions.
    pub(crate) facts: RunFacts,
    /// Whether the run is its initial weights.
    pub(crate) is_untrained: bool,
}

impl Summary {
    /// From configuration, provenance and metrics; from the checkpoint what these leave out, as those of a method from elsewhere do.
    ///
    /// # Errors
    /// A file that is there but cannot be read.
    pub(crate) fn read(run: &RunFolder) -> Result<Self> {
        let (config, provenance, metrics) = (run.config_table()?, run.provenance()?.unwrap_or_default(), run.metrics()?);
        let mut summary = Self::of_config(&config);
        let split = text(&config, "data", "split");
        let trained_on = provenance
            .data
            .iter()
            .find(|data| Some(&data.name) == summary.dataset.as_ref() && split.as_ref().is_none_or(|split| *split == data.split));
        summary.images = trained_on.map(|data| data.images);
        summary.epochs_done = metrics.last().and_then(|line| line.epoch);
        summary.facts = provenance.facts;
        summary.fill_in_names(run)?;
        summary.is_untrained = match &summary.facts.method {
            Some(method) => !method.trains,
            None => metrics.is_empty() && run.last_step()? == Some(0),
        };
        Ok(summary)
    }

    fn of_config(config: &Table) -> Self {
        let whole = |section, key| value(config, section, key)?.as_integer().and_then(|n| u64::try_from(n).ok());
        Self {
            method: text(config, "method", "kind"),
            backbone: text(config, "model", "backbone"),
            dataset: text(config, "data", "dataset"),
            views: whole("augment", "views"),
            epochs: whole("train", "epochs"),
            ..Self::default()
        }
    }

    fn fill_in_names(&mut self, run: &RunFolder) -> Result<()> {
        let path = run.checkpoint_path(NEWEST)?;
        if (self.method.is_some() && self.backbone.is_some()) || !path.is_file() {
            return Ok(());
        }
        let mut metadata = read_checkpoint_metadata(&path)?;
        for (name, key) in [(&mut self.method, HEAD), (&mut self.backbone, ARCHITECTURE)] {
            if name.is_none() {
                *name = metadata.remove(key).filter(|name| !name.is_empty());
            }
        }
        Ok(())
    }

    /// The method as a reader says it.
    pub(crate) fn method_title(&self) -> &str {
        let described = self.facts.method.as_ref().map(|method| method.title.as_str()).filter(|title| !title.is_empty());
        let otherwise = if self.is_untrained { "No training" } else { self.method.as_deref().unwrap_or("Training") };
        described.unwrap_or(otherwise)
    }

    pub(crate) fn method_facts(&self) -> Option<&MethodFacts> {
        self.facts.method.as_ref()
    }

    /// Whether the training is known to have seen no label.
    pub(crate) fn saw_no_labels(&self) -> bool {
        self.facts.method.as_ref().is_some_and(|method| method.trains && !method.labels)
    }

    /// `20 epochs`, or `12 of 20 epochs so far`
    pub(crate) fn epochs_words(&self) -> Option<String> {
        if self.is_untrained {
            return None;
        }
        match (self.epochs_done, self.epochs) {
            (Some(done), Some(planned)) if done < planned as f64 => {
                let done = if done == done.floor() { format!("{done}") } else { format!("{done:.1}") };
                Some(format!("{done} of {} so far", counted(planned, "epoch")))
            }
            // More than is planned, where the plan was shortened.
            (Some(done), _) => Some(counted(done as u64, "epoch")),
            (None, planned) => planned.map(|planned| counted(planned, "epoch")),
        }
    }

    /// Epochs that were trained, or that are planned where there are no metrics; `None` in the middle of one.
    pub(crate) fn whole_epochs(&self) -> Option<u64> {
        match self.epochs_done {
            Some(done) => (done == done.floor()).then_some(done as u64),
            None => self.epochs,
        }
    }

    /// Whether there is anything to say about the training.
    pub(crate) fn is_known(&self) -> bool {
        self.method.is_some() || self.backbone.is_some() || self.dataset.is_some()
    }

    /// What was trained, one sentence.
    pub(crate) fn sentence(&self) -> String {
        let mut words = self.method_title().to_owned();
        if let Some(backbone) = &self.backbone {
            words.push_str(&format!(" on a {backbone} backbone"));
        }
        if self.is_untrained {
            words.push_str(": random weights.");
            return words;
        }
        let images = self.images.map(|images| format!("{} ", count(images))).unwrap_or_default();
        let unlabelled = if self.saw_no_labels() { "unlabelled " } else { "" };
        match &self.dataset {
            Some(dataset) => words.push_str(&format!(": {images}{unlabelled}images of {dataset}")),
            None if !images.is_empty() => words.push_str(&format!(": {images}{unlabelled}images")),
            None => {}
        }
        if let Some(views) = self.views {
            words.push_str(&format!(", {} of each", counted(views, "view")));
        }
        if let Some(epochs) = self.epochs_words() {
            words.push_str(&format!(", {epochs}"));
        }
        words.push('.');
        words
    }
}

fn value<'a>(config: &'a Table, section: &str, key: &str) -> Option<&'a Value> {
    config.get(section)?.get(key)
}

fn text(config: &Table, section: &str, key: &str) -> Option<String> {
    value(config, section, key)?.as_str().map(str::to_owned)
}
