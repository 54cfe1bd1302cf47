//! Scores of a backbone, each beside the score of the same net with random weights.

use std::sync::Arc;
use std::time::Instant;

use relata_artifact::{FeatureHealth, FeatureSample, ProbeResult, RunFolder, read_checkpoint_metadata};
use relata_augment::Pipeline;
use relata_data::{Dataset, Split};
use relata_model::{Backbone, Compute};
use relata_probe::{
    EpochDone, Features, LabelledImages, ProbeConfig, Protocol, Score, ScoredOn, StateFile, TrainingObserver, TrainingStart,
    alignment, embed_two_views, evaluate_seeds, extract, health, over_seeds, train_and_score,
};
use serde_json::Value;

use super::neighbour_picture;
use super::neighbours::{self, Embedded};
use super::request::{self, Request};
use crate::data::images::{self, Labelled, VALIDATION};
use crate::terminal::format::{counted, duration};
use crate::terminal::log::Log;
use crate::terminal::progress::Counter;
use crate::terminal::{interrupt, output};
use crate::{Config, Error, Result, network};

/// What is to be scored.
pub(crate) struct Evaluation<'a> {
    pub(crate) run: &'a RunFolder,
    /// The run's own configuration.
    pub(crate) trained: &'a Config,
    /// The same, with data and probe settings as requested.
    pub(crate) config: &'a Config,
    pub(crate) checkpoint: &'a str,
    /// Seeds of the protocols.
    pub(crate) seeds: Vec<u64>,
    /// The command that goes on where it is interrupted.
    pub(crate) resume: String,
}

/// Features of both, by one backbone.
struct Pair {
    train: Features,
    test: Features,
}

impl Evaluation<'_> {
    /// The labelled splits; `None` where the data set has no labels.
    ///
    /// # Errors
    /// [`Error::TrainedOnTest`]; as [`images::labelled`].
    pub(crate) fn labelled(&self) -> Result<Option<Labelled>> {
        images::refuse_trained_on(&self.trained.data, &self.config.data)?;
        images::labelled(&self.config.data, None)
    }

    /// Runs the protocols and writes their results, and for the run's own data a sample of features.
    pub(crate) fn scores(
        &self,
        protocols: &[Protocol],
        labelled: &Labelled,
        compute: &Compute,
        log: &Log,
    ) -> Result<Vec<ProbeResult>> {
        // What lies among the results and is none is said before any work, not after it.
        self.run.probes()?;
        let (training, frozen): (Vec<_>, Vec<_>) = protocols.iter().partition(|protocol| protocol.trains_backbone());
        // First those that train, the upper bound of the others among them.
        for &protocol in &training {
            self.training_scores(protocol, labelled, compute, log)?;
        }
        // Not sooner: the same command would train the first again where the second was interrupted.
        for &protocol in &training {
            self.run.remove_unfinished(&self.unfinished_name(protocol)?)?;
        }
        if !frozen.is_empty() {
            self.frozen_scores(&frozen, labelled, compute, log)?;
        }
        self.results(protocols)
    }

    /// The score of a protocol that trains the whole net. Ctrl-C saves it where it stands, for the same command to go on with.
    fn training_scores(&self, protocol: Protocol, labelled: &Labelled, compute: &Compute, log: &Log) -> Result<()> {
        let graceful = interrupt::Graceful::start();
        let start = Instant::now();
        let (score, mut before_s) = self.trained_score(protocol, true, labelled, compute, log)?;
        let mut from_random = None;
        // An upper bound starts from random weights itself.
        if !protocol.is_upper_bound() {
            let (random, seconds) = self.trained_score(protocol, false, labelled, compute, log)?;
            (from_random, before_s) = (Some(random), before_s + seconds);
        }
        let seconds = before_s + start.elapsed().as_secs_f64();
        self.write(protocol, score.result(&self.scored(), from_random.as_ref(), seconds)?, log)?;
        let pressed = interrupt::requested();
        drop(graceful);
        if pressed { Err(self.interrupted(format!("{protocol} was done"))) } else { Ok(()) }
    }

    fn interrupted(&self, after: String) -> Error {
        Error::Interrupted { after, resume: self.resume.clone() }
    }

    /// What the names of the states of all trainings for a result start with.
    fn unfinished_name(&self, protocol: Protocol) -> Result<String> {
        let scored = self.scored();
        let result = ProbeResult {
            protocol: protocol.name().to_owned(),
            split: scored.split,
            checkpoint: scored.checkpoint,
            request: self.request(protocol),
            ..ProbeResult::default()
        };
        Ok(format!("{}-seed-", self.run.result_name(&result)?))
    }

    /// Scores of features that are computed once.
    fn frozen_scores(&self, protocols: &[Protocol], labelled: &Labelled, compute: &Compute, log: &Log) -> Result<()> {
        let start = Instant::now();
        let mut loaded = network::load(self.run, self.trained, self.checkpoint, compute.clone())?;
        let trained = self.features("features", &mut *loaded.backbone, &loaded.pipeline, labelled)?;
        let mut untrained = self.trained.model.build(self.trained.seed, compute.clone())?;
        let random = self.features("features of random weights", &mut *untrained, &loaded.pipeline, labelled)?;
        let extraction_s = start.elapsed().as_secs_f64();
        log.line(format!(
            "features of {} and {} images in {}",
            labelled.train.len(),
            labelled.test.len(),
            duration(extraction_s)
        ));
        let health = self.health(&trained.test, &mut *loaded.backbone, labelled, compute)?;
        health.warnings.iter().for_each(|warning| log.line(format!("note: {warning}")));
        let supervised = self.upper_bound_pct()?;
        for &protocol in protocols {
            let start = Instant::now();
            let score = evaluate_seeds(protocol, &self.config.probe, &self.seeds, &trained.train, &trained.test, compute)?;
            let lower_bound = evaluate_seeds(protocol, &self.config.probe, &self.seeds, &random.train, &random.test, compute)?;
            let seconds = start.elapsed().as_secs_f64() + extraction_s;
            let mut result = score.result(&self.scored(), Some(&lower_bound), seconds)?;
            result.baseline_supervised_pct = supervised;
            result.feature_health = Some(health.clone());
            self.write(protocol, result, log)?;
        }
        if self.checkpoint == LAST && self.scores_the_runs_own_images(protocols[0]) {
            let sample = relata_probe::feature_sample(&trained.test, SAMPLE_ROWS)?;
            self.run.write_feature_sample(&FeatureSample { split: labelled.split.to_owned(), ..sample })?;
            self.write_neighbours(&trained, labelled, loaded.pipeline.side_px(), compute)?;
        }
        Ok(())
    }

    /// For the report: a few test images and the training images that they are nearest to.
    fn write_neighbours(&self, features: &Pair, labelled: &Labelled, side_px: usize, compute: &Compute) -> Result<()> {
        let embedded = |dataset, features, split: &str| {
            let words = format!("{}, {split} split", images::name(&self.config.data));
            Embedded { dataset, features, words }
        };
        let asked = embedded(&*labelled.test, &features.test, labelled.split);
        let searched = embedded(&*labelled.train, &features.train, Split::Train.name());
        let asking = neighbours::examples(&*labelled.test, ASKING_IMAGES);
        let found = neighbours::search(&asked, &asking, &searched, NEIGHBOURS, side_px, compute)?;
        Ok(self.run.write_neighbours(&found.record, &neighbour_picture::tiles_png(&found)?)?)
    }

    /// The score of a protocol that trains the whole net, from the checkpoint's weights (`from_trained`) or from random ones, and the
    /// seconds that its trainings took before this command went on with them.
    fn trained_score(
        &self,
        protocol: Protocol,
        from_trained: bool,
        labelled: &Labelled,
        compute: &Compute,
        log: &Log,
    ) -> Result<(Score, f64)> {
        let info = network::info_of(self.run, self.trained, self.checkpoint)?;
        let augmentation = self.config.probe.augmentation(protocol, info.side)?;
        let augmentation = Pipeline::new(&augmentation, network::view_format(&info))?;
        let (train, test) = (Arc::clone(&labelled.train), Arc::clone(&labelled.test));
        let images = LabelledImages { train, test, augmentation };
        let from_trained = from_trained && !protocol.is_upper_bound();
        let weights = if from_trained { "trained" } else { "random" };
        let unfinished = self.unfinished_name(protocol)?;
        let mut before_s = 0.0;
        let score = over_seeds(&self.seeds, |seed| {
            let mut backbone = if from_trained {
                network::load(self.run, self.trained, self.checkpoint, compute.clone())?.backbone
            } else {
                self.trained.model.build(seed, compute.clone())?
            };
            let what = format!("{protocol} of {weights} weights, seed {seed}");
            let counter = Counter::new(&format!("{what}, epochs"));
            let mut watch = TrainingWatch { what: &what, counter, log, before_s: &mut before_s };
            let config = ProbeConfig { seed, ..self.config.probe.clone() };
            let name = format!("{unfinished}{seed}-{weights}");
            let state = Some(StateFile { run: self.run, name: &name });
            let score = train_and_score(protocol, &config, &mut *backbone, &images, compute, state, &mut watch);
            score.map_err(|error| match error {
                relata_probe::Error::Stopped { epochs, total, .. } => {
                    log.only_to_file(format!("{what}: interrupted after {epochs} of {}", counted(total, "epoch")));
                    self.interrupted(format!("{epochs} of {} of {what}", counted(total, "epoch")))
                }
                error => error.into(),
            })
        })?;
        Ok((score, before_s))
    }

    fn scored(&self) -> ScoredOn {
        ScoredOn {
            data: images::name(&self.config.data),
            split: images::scored_split(&self.config.data).to_owned(),
            checkpoint: self.checkpoint.to_owned(),
        }
    }

    /// Writes a result with its request and the step of the weights.
    fn write(&self, protocol: Protocol, mut result: ProbeResult, log: &Log) -> Result<()> {
        if self.saw_validation_images() {
            result.notes.push(SAW_VALIDATION.to_owned());
        }
        result.request = self.request(protocol);
        result.settings.extend(self.step()?.map(|step| (STEP.to_owned(), step)));
        self.run.write_result(&result)?;
        let random = result.baseline_random_pct.map_or_else(String::new, |pct| format!(", random weights {pct:.2} %"));
        log.only_to_file(format!("{protocol}: {:.2} %{random}", result.accuracy_pct));
        Ok(())
    }

    /// Figures of the test features that need no label. Views are made as in the run's training.
    fn health(
        &self,
        test: &Features,
        backbone: &mut dyn Backbone,
        labelled: &Labelled,
        compute: &Compute,
    ) -> Result<FeatureHealth> {
        let (pipeline, options) = (images::pipeline(self.trained)?, self.config.probe.extract_options());
        let (first, second) = embed_two_views(backbone, &labelled.test, &pipeline, self.trained.seed, VIEW_IMAGES, &options)?;
        Ok(FeatureHealth { alignment: Some(alignment(&first, &second)?), ..health(test, compute) })
    }

    /// The request of a result of `protocol`.
    fn request(&self, protocol: Protocol) -> Request {
        request::of(protocol, self.config, self.trained, &self.seeds)
    }

    /// Whether the images and labels are those that the run itself asks for.
    fn scores_the_runs_own_images(&self, protocol: Protocol) -> bool {
        request::same_images(&request::of(protocol, self.trained, self.trained, &self.seeds), &self.request(protocol))
    }

    /// Whether `protocol`'s result is there already, and of the weights as they are now.
    pub(crate) fn is_up_to_date(&self, protocol: Protocol) -> Result<bool> {
        let step = self.step()?;
        Ok(self.result(protocol)?.is_some_and(|result| result.settings.get(STEP) == step.as_ref()))
    }

    /// The results that are there, in the order of `protocols`.
    pub(crate) fn results(&self, protocols: &[Protocol]) -> Result<Vec<ProbeResult>> {
        protocols.iter().filter_map(|&protocol| self.result(protocol).transpose()).collect()
    }

    /// The requested result, whatever its file is called; the newest where there are two.
    fn result(&self, protocol: Protocol) -> Result<Option<ProbeResult>> {
        let request = self.request(protocol);
        let is_wanted = |result: &ProbeResult| {
            let from = (result.protocol.as_str(), result.checkpoint.as_str());
            from == (protocol.name(), self.checkpoint) && result.was_requested_with(&request)
        };
        let there = self.run.probes()?.into_iter().map(|(_, result)| result).filter(is_wanted);
        Ok(there.max_by_key(|result| result.settings.get(STEP).and_then(Value::as_u64)))
    }

    /// The accuracy of training with the labels of the same images, if it was done: by the same settings, or else by others.
    fn upper_bound_pct(&self) -> Result<Option<f64>> {
        let Some(protocol) = Protocol::all().find(|protocol| protocol.is_upper_bound()) else { return Ok(None) };
        let request = self.request(protocol);
        let results = self.run.probes()?.into_iter().map(|(_, result)| result);
        let bounds =
            results.filter(|result| result.protocol == protocol.name() && request::same_images(&result.request, &request));
        let bound = bounds.max_by_key(|result| result.was_requested_with(&request));
        Ok(bound.map(|result| result.accuracy_pct))
    }

    /// Steps that the checkpoint was trained for; `None` for weights from elsewhere.
    fn step(&self) -> Result<Option<Value>> {
        let metadata = read_checkpoint_metadata(&self.run.checkpoint_path(self.checkpoint)?)?;
        Ok(metadata.get("train.step").and_then(|step| step.parse::<u64>().ok()).map(Value::from))
    }

    fn features(&self, what: &str, backbone: &mut dyn Backbone, pipeline: &Pipeline, labelled: &Labelled) -> Result<Pair> {
        let options = self.config.probe.extract_options();
        let counter = Counter::new(what);
        let mut of = |dataset: &Arc<dyn Dataset>| {
            extract(backbone, Arc::clone(dataset), pipeline, &options, &mut |done, all| counter.at(done, all))
        };
        Ok(Pair { train: of(&labelled.train)?, test: of(&labelled.test)? })
    }

    /// Whether the run was trained on images that are now held out.
    fn saw_validation_images(&self) -> bool {
        let (data, own) = (&self.config.data, &self.trained.data);
        data.validation > 0 && images::same_data(data, own) && !data.picks_as(own)
    }
}

/// Shows how a protocol trains, and tells it that the user pressed Ctrl-C.
struct TrainingWatch<'a> {
    what: &'a str,
    counter: Counter,
    log: &'a Log,
    before_s: &'a mut f64,
}

impl TrainingObserver for TrainingWatch<'_> {
    fn start(&mut self, start: TrainingStart) {
        let what = self.what;
        match start {
            TrainingStart::New => {}
            TrainingStart::Replaced => {
                self.log.line(format!("{what}: the unfinished training that is there has other settings: starting again"));
            }
            TrainingStart::Resumed { epochs, total, seconds } => {
                self.log.line(format!("{what}: going on after {epochs} of {}", counted(total, "epoch")));
                *self.before_s += seconds;
            }
        }
    }

    fn epoch(&mut self, epoch: EpochDone) {
        let EpochDone { done, total, mean_loss, .. } = epoch;
        self.counter.at(done, total);
        let line = format!("{}: epoch {done}/{total}: loss {mean_loss:.4}", self.what);
        // The bar says how far it is, where somebody sees it.
        if output::is_terminal() { self.log.only_to_file(line) } else { self.log.line(line) }
    }

    fn wants_stop(&mut self) -> bool {
        interrupt::requested()
    }
}

/// The newest checkpoint.
pub(crate) const LAST: &str = "last";
/// Among a result's settings: the step after which the weights were taken, so that a longer training is seen.
const STEP: &str = "step";
/// Test images of which two views are made.
const VIEW_IMAGES: usize = 1000;
/// Test images that the report shows with their neighbours, and how many of these.
const ASKING_IMAGES: usize = 6;
const NEIGHBOURS: usize = 8;
/// What a reader must know of such a score.
const SAW_VALIDATION: &str = "the backbone was trained with other images held out than these: it has seen some of them";
/// Points in the report's picture of features.
const SAMPLE_ROWS: usize = 900;

/// A short table: protocol, accuracy, random weights, difference.
pub(crate) fn score_table(results: &[ProbeResult]) -> String {
    // Images that settings are chosen by are not those that a result is published on.
    let accuracy = match results.iter().any(|result| result.split == VALIDATION) {
        true => "validation accuracy",
        false => "accuracy",
    };
    let mut rows = vec![["protocol", accuracy, "random weights", "difference"].map(str::to_owned).to_vec()];
    for result in results {
        let random = result.baseline_random_pct.map_or_else(String::new, |pct| format!("{pct:.2} %"));
        let gain = result.gain_points().map_or_else(String::new, |points| format!("{points:+.2}"));
        let deviation = result.accuracy_std_points.map_or_else(String::new, |points| format!(" ± {points:.2}"));
        rows.push(vec![result.protocol.clone(), format!("{:.2}{deviation} %", result.accuracy_pct), random, gain]);
    }
    output::table(&rows)
}
