//! All that a run needs, checked and in memory before its folder is made.

use std::path::Path;
use std::sync::Arc;

use relata_artifact::{DataFingerprint, Provenance};
use relata_augment::{LoaderConfig, OnReadError, Pipeline, ViewLoader};
use relata_data::Dataset;
use relata_model::Compute;
use relata_train::{Setup, Trainer};

use super::memory::{self, Memory, Needs};
use crate::data::images::{self, Labelled, Opened};
use crate::scoring::online::OnlineKnn;
use crate::terminal::format::{counted, shown};
use crate::terminal::log::Log;
use crate::terminal::warnings::{self, Warnings};
use crate::{Config, Error, Result, network, provenance};

/// A run before its first step.
pub(super) struct RunPlan {
    pub(super) dataset: Arc<dyn Dataset>,
    pub(super) pipeline: Pipeline,
    pub(super) compute: Compute,
    /// What the probes will work on.
    pub(super) labelled: Option<Labelled>,
    /// Why no probes follow, if none do.
    pub(super) no_probes: Option<String>,
    /// What is measured while it trains.
    pub(super) online: Option<OnlineKnn>,
    /// What the libraries warned of: images that were left out, say.
    warnings: Warnings,
    loader: ViewLoader,
}

impl RunPlan {
    /// Opens the data and checks that everything fits. `config` is valid.
    pub(super) fn make(config: &Config) -> Result<Self> {
        let opened = images::open_for_training(&config.data)?;
        let dataset = Arc::clone(&opened.images);
        if dataset.len() < 2 {
            return Err(Error::Train(relata_train::Error::TooFewImages { images: dataset.len() }));
        }
        let (labelled, no_probes) = probes_of(config, &opened)?;
        for name in config.data.unread() {
            tracing::warn!("data.{name} is set, and data.dataset = {:?} does not read it", config.data.dataset);
        }
        let warnings = warnings::take();
        let pipeline = images::pipeline(config)?;
        let compute = Compute::new(config.threads)?;
        let loader = LoaderConfig {
            // A batch larger than the data would only be memory; the batches are the same.
            batch_size: config.train.batch_size.min(dataset.len()),
            views: config.augment.views,
            workers: config.train.workers(compute.threads()),
            prefetch: config.train.prefetch,
            seed: config.seed,
            on_read_error: match config.data.on_bad_image {
                relata_data::OnBadImage::Error => OnReadError::Fail,
                relata_data::OnBadImage::Skip => OnReadError::Skip,
            },
            ..LoaderConfig::default()
        };
        let loader = ViewLoader::new(Arc::clone(&dataset), pipeline.clone(), loader)?;
        let online = OnlineKnn::open(config, &opened, &pipeline, &compute)?;
        let plan = Self { dataset, pipeline, compute, labelled, no_probes, online, warnings, loader };
        memory::check(plan.needs(config))?;
        Ok(plan)
    }

    fn needs<'a>(&'a self, config: &'a Config) -> Needs<'a> {
        Needs {
            config,
            loader: self.loader.config(),
            side_px: self.pipeline.side_px(),
            dataset: &*self.dataset,
            compute: &self.compute,
            online: self.online.as_ref(),
        }
    }

    /// The trainer, before its first step.
    pub(super) fn trainer(&self, config: &Config) -> Result<Trainer> {
        let setup = Setup {
            backbone: config.model.build(config.seed, self.compute.clone())?,
            loader: self.loader.clone(),
            method: config.method.clone(),
            config: config.train.clone(),
            seed: config.seed,
            compute: self.compute.clone(),
            info: network::info(config)?.to_metadata(),
        };
        Ok(Trainer::new(setup)?)
    }

    /// Where the run comes from.
    pub(super) fn provenance(&self, config: &Config) -> Provenance {
        let name = &config.data.dataset;
        let fingerprint = |split: &str, dataset: &dyn Dataset| provenance::fingerprint(name, split, dataset);
        let own = config.data.split.name();
        let mut data: Vec<DataFingerprint> = vec![fingerprint(own, &*self.dataset)];
        if let Some(Labelled { train, test, split }) = &self.labelled {
            let others = [("train", train), (split, test)].into_iter().filter(|(split, _)| *split != own);
            data.extend(others.map(|(split, dataset)| fingerprint(split, &**dataset)));
        }
        let mut provenance = provenance::gather(config, &self.compute, data);
        if self.left_out() > 0 {
            provenance.extra.insert("images_left_out".to_owned(), self.left_out().into());
        }
        provenance
    }

    /// One line: what is trained on what.
    pub(super) fn summary(&self, config: &Config) -> String {
        let (images, views, side) = (self.dataset.len(), config.augment.views, self.pipeline.side_px());
        let backbone = config.model.architecture().describe();
        let epochs = match config.method.spec().needs().steps {
            true => counted(config.train.epochs as usize, "epoch"),
            false => "no training".to_owned(),
        };
        let (threads, isa) = (counted(self.compute.threads(), "thread"), self.compute.isa());
        format!(
            "{backbone} on {images} images of {}, {views} views of {side} px each, {epochs}, {threads} ({isa})",
            images::name(&config.data)
        )
    }

    fn left_out(&self) -> usize {
        self.warnings.left_out
    }

    /// Whatever else the user should know before it starts.
    pub(super) fn notes(&self, log: &Log) {
        for line in &self.warnings.lines {
            log.only_to_file(line);
        }
        if self.left_out() > 0 {
            log.line(format!("left out {}", counted(self.left_out(), "broken image")));
        }
        if let Some(reason) = &self.no_probes {
            log.line(format!("no probes will follow: {reason}"));
        }
    }

    /// The configuration, and what the run would take.
    pub(super) fn in_words(&self, config: &Config, out: &Path) -> Result<String> {
        let batches = self.loader.batches_per_epoch();
        let rows = self.loader.config().batch_size * config.augment.views * config.method.spec().needs().rows_per_view;
        let side = self.pipeline.side_px();
        let architecture = config.model.architecture();
        let memory = Memory::plan(self.needs(config))?;
        let probes = match (&self.no_probes, &self.labelled) {
            (None, Some(Labelled { train, test, split })) => {
                format!("fitted on {} images, scored on {} of the {split} split", train.len(), test.len())
            }
            (reason, _) => reason.clone().unwrap_or_default(),
        };
        let mut rows = vec![
            ("run folder", shown(out)),
            ("images", format!("{} of {} ({})", self.dataset.len(), images::name(&config.data), config.data.split)),
            (
                "steps",
                match config.method.spec().needs().steps {
                    true => format!("{batches} an epoch, {} in all", batches as u64 * u64::from(config.train.epochs)),
                    false => "none: nothing is trained".to_owned(),
                },
            ),
            ("rows a step", format!("{rows} views of {side} x {side} px")),
            (
                "backbone",
                format!(
                    "{}, {} parameters, features of {}",
                    architecture.describe(),
                    architecture.parameters().len(),
                    architecture.width
                ),
            ),
            ("memory", memory.map_or("as candle needs it".to_owned(), Memory::in_words)),
            (
                "threads",
                format!("{} ({}), {} for views", self.compute.threads(), self.compute.isa(), self.loader.config().workers),
            ),
            ("probes", probes),
        ];
        rows.extend(self.online.as_ref().map(|online| ("online kNN", online.in_words())));
        let width = rows.iter().map(|(name, _)| name.len()).max().unwrap_or(0);
        let lines: Vec<String> = rows.iter().map(|(name, value)| format!("# {name:<width$}  {value}")).collect();
        Ok(format!("{}\n\n{}", lines.join("\n"), config.to_toml().trim_end()))
    }
}

fn probes_of(config: &Config, opened: &Opened) -> Result<(Option<Labelled>, Option<String>)> {
    if !config.probe.after_train {
        return Ok((None, Some("probe.after_train is false".to_owned())));
    }
    match images::labelled(&config.data, Some(opened)) {
        Ok(Some(labelled)) if !several_classes(&*labelled.train) => Ok((None, Some("all images are of one class".to_owned()))),
        Ok(Some(labelled)) => {
            images::refuse_trained_on(&config.data, &config.data)?;
            Ok((Some(labelled), None))
        }
        Ok(None) => Ok((None, Some("the images have no labels".to_owned()))),
        // Images to learn from are there; that none are held back for scores is no reason not to learn from them.
        Err(Error::Data(error @ relata_data::Error::NoSuchSplit { .. })) => Ok((None, Some(error.to_string()))),
        Err(error) => Err(error),
    }
}

fn several_classes(dataset: &dyn Dataset) -> bool {
    let first = dataset.label(0);
    (1..dataset.len()).any(|image| dataset.label(image) != first)
}
