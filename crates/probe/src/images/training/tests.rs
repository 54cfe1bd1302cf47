use std::sync::Arc;

use relata_artifact::RunFolder;
use relata_augment::{Pipeline, ViewFormat};
use relata_data::{Dataset, Image};
use relata_model::backbones::CONV4;
use relata_model::{Architecture, Backbone, Network, Stem};
use relata_ops::Compute;

use super::{EpochDone, LabelledImages, StateFile, TrainingObserver, TrainingStart, train_and_score};
use crate::{Error, Finetune, Knn, ProbeConfig, Protocol, Score, Supervised, TrainingProtocol};

fn finetune() -> Protocol {
    Protocol::of_training::<Finetune>()
}

fn supervised() -> Protocol {
    Protocol::of_training::<Supervised>()
}

/// Grey images of 8 x 8 pixels with a bright upper or lower half, marked in a corner.
struct Halves {
    len: usize,
    names: Vec<String>,
    /// An image that has no label.
    unlabelled: Option<usize>,
}

impl Dataset for Halves {
    fn len(&self) -> usize {
        self.len
    }

    fn image(&self, index: usize) -> relata_data::Result<Image> {
        let bright = |pixel: usize| (pixel / 8 < 4) == index.is_multiple_of(2);
        let mut rgb: Vec<u8> = (0..64).flat_map(|pixel| [if bright(pixel) { 200 } else { 60 + (index % 50) as u8 }; 3]).collect();
        rgb[0] = 255;
        Ok(Image::new(8, 8, rgb).unwrap())
    }

    fn label(&self, index: usize) -> Option<usize> {
        (!self.names.is_empty() && self.unlabelled != Some(index)).then_some(index % self.names.len().max(1))
    }

    fn class_names(&self) -> &[String] {
        &self.names
    }

    fn source(&self, index: usize) -> String {
        format!("half {index}")
    }

    fn fingerprint(&self) -> &str {
        "h0"
    }
}

fn images(classes: usize) -> LabelledImages {
    let names: Vec<String> = (0..classes).map(|c| c.to_string()).collect();
    let data = |len| -> Arc<dyn Dataset> { Arc::new(Halves { len, names: names.clone(), unlabelled: None }) };
    let augmentation =
        Pipeline::new(&Supervised::default().augmentation(8), ViewFormat { side_px: 8, mean: [0.5; 3], std: [0.25; 3] }).unwrap();
    LabelledImages { train: data(65), test: data(20), augmentation }
}

const FINETUNE: Finetune = Finetune {
    epochs: 8,
    batch_size: 16,
    lr: 1e-3,
    head_lr: 1e-2,
    weight_decay: 1e-5,
    flip: 0.5,
    affine: 0.5,
    cutout: 0.5,
    cutout_area: 0.111,
};
const SUPERVISED: Supervised = Supervised { epochs: 8, batch_size: 16, lr: 0.1, momentum: 0.9 };

fn config() -> ProbeConfig {
    ProbeConfig::default().with(&FINETUNE).and_then(|config| config.with(&SUPERVISED)).unwrap()
}

fn network(threads: usize) -> (Network, Compute) {
    let compute = Compute::new(threads).unwrap();
    (Network::new(Architecture::new(CONV4, Stem::Cifar), 3, compute.clone()), compute)
}

#[test]
fn both_protocols_learn_and_change_the_backbone() {
    for protocol in [finetune(), supervised()] {
        let (mut backbone, compute) = network(2);
        let before = backbone.parameters().values().to_vec();
        let mut losses = Vec::new();
        let mut hear = |epoch: EpochDone| losses.push((epoch.done, epoch.total, epoch.mean_loss));
        let score = train_and_score(protocol, &config(), &mut backbone, &images(2), &compute, None, &mut hear).unwrap();
        assert_eq!((&score.protocol, score.train_images, score.test_images), (protocol.info(), 65, 20));
        assert!(score.accuracy_pct > 90.0, "{protocol}: {}", score.accuracy_pct);
        assert!(losses.len() == 8 && losses[7].0 == 8 && losses[7].2 < 0.5 * losses[0].2, "{losses:?}");
        assert_ne!(before, backbone.parameters().values());
        assert_eq!((&score.settings["epochs"], &score.settings["batch_size"]), (&8.into(), &16.into()));
        assert!(score.other_scores.contains_key("expected_calibration_error_pct"));
    }
}

#[test]
fn any_number_of_threads_and_workers_gives_the_same_bits() {
    let run = |threads, workers| {
        let (mut backbone, compute) = network(threads);
        let config = ProbeConfig { workers, ..config() }.with(&Finetune { epochs: 2, ..FINETUNE }).unwrap();
        let score =
            train_and_score(finetune(), &config, &mut backbone, &images(2), &compute, None, &mut |_: EpochDone| {}).unwrap();
        (backbone.parameters().values().iter().map(|value| value.to_bits()).collect::<Vec<_>>(), score)
    };
    assert!(run(1, 0) == run(3, 2));
}

#[test]
fn the_learning_rate_drops_at_half_and_three_quarters_of_the_requested_epochs() {
    for (protocol, lr) in [(finetune(), 1e-3), (supervised(), 0.1)] {
        let (mut backbone, compute) = network(1);
        let mut rates = Vec::new();
        let mut hear = |epoch: EpochDone| rates.push(epoch.lr / lr);
        train_and_score(protocol, &config(), &mut backbone, &images(2), &compute, None, &mut hear).unwrap();
        let expected = [1.0, 1.0, 1.0, 1.0, 0.1, 0.1, 0.01, 0.01];
        assert!(rates.iter().zip(expected).all(|(rate, expected)| (rate / expected - 1.0).abs() < 1e-12), "{rates:?}");
        assert_eq!(rates.len(), 8);
    }
}

#[test]
fn a_share_of_the_labels_is_trained_on() {
    let (mut backbone, compute) = network(1);
    let config = ProbeConfig { label_fraction: 0.25, ..config() }.with(&Finetune { epochs: 1, ..FINETUNE }).unwrap();
    let score = train_and_score(finetune(), &config, &mut backbone, &images(2), &compute, None, &mut |_: EpochDone| {}).unwrap();
    assert_eq!((score.train_images, &score.settings["label_fraction"]), (16, &0.25.into()));
}

#[test]
fn what_cannot_be_trained_is_refused() {
    let run = |protocol, config: &ProbeConfig, classes| {
        let (mut backbone, compute) = network(1);
        train_and_score(protocol, config, &mut backbone, &images(classes), &compute, None, &mut |_: EpochDone| {}).unwrap_err()
    };
    assert!(matches!(run(Protocol::of::<Knn>(), &config(), 2), Error::FrozenProtocol { protocol: "knn" }));
    assert!(matches!(run(finetune(), &config(), 0), Error::Unlabelled { what } if what == "half 0"));
    assert!(matches!(run(finetune(), &config(), 1), Error::OneClass { rows: 65, .. }));
    let wrong = config().with(&Supervised { lr: 1e30, ..SUPERVISED }).unwrap();
    assert!(matches!(run(supervised(), &wrong, 2), Error::Diverged { .. } | Error::NotFinite { .. }));
    let wrong = config().with(&Finetune { batch_size: 1, ..FINETUNE }).unwrap();
    assert!(matches!(run(finetune(), &wrong, 2), Error::Setting { key, .. } if key == "probe.finetune.batch_size"));
}

#[test]
fn images_that_cannot_be_scored_are_refused_before_anything_is_trained() {
    let run = |test: Halves| {
        let (mut backbone, compute) = network(1);
        let mut watch = StopAfter { steps: 1, start: None, heard: Vec::new() };
        let images = LabelledImages { test: Arc::new(test), ..images(2) };
        train_and_score(finetune(), &config(), &mut backbone, &images, &compute, None, &mut watch).unwrap_err()
    };
    let named = |names: &[&str]| Halves { len: 4, names: names.iter().map(ToString::to_string).collect(), unlabelled: None };
    assert!(matches!(run(named(&["0", "other"])), Error::ClassNameDiffers { label: 1, .. }));
    assert!(matches!(run(named(&["0"])), Error::ClassCountDiffers { train: 2, test: 1 }));
    assert!(matches!(run(Halves { unlabelled: Some(3), ..named(&["0", "1"]) }), Error::Unlabelled { what } if what == "half 3"));
    assert!(matches!(run(named(&["0", "1"])), Error::Stopped { .. }));
}

/// Stops after that many steps, and remembers what it heard.
struct StopAfter {
    steps: usize,
    start: Option<TrainingStart>,
    heard: Vec<EpochDone>,
}

impl TrainingObserver for StopAfter {
    fn start(&mut self, start: TrainingStart) {
        self.start = Some(start);
    }

    fn epoch(&mut self, epoch: EpochDone) {
        self.heard.push(epoch);
    }

    fn wants_stop(&mut self) -> bool {
        self.steps -= 1;
        self.steps == 0
    }
}

/// A training of fresh weights that is stopped after `steps`; what it heard, its result, and all of the backbone's numbers.
fn kept(protocol: Protocol, config: &ProbeConfig, run: &RunFolder, steps: usize) -> (StopAfter, Result<Score, Error>, Vec<u32>) {
    let (mut backbone, compute) = network(2);
    let mut watch = StopAfter { steps, start: None, heard: Vec::new() };
    let state = StateFile { run, name: "training" };
    let score = train_and_score(protocol, config, &mut backbone, &images(2), &compute, Some(state), &mut watch);
    let numbers = backbone.parameters().torch_tensors().into_iter().flat_map(|tensor| tensor.data);
    (watch, score, numbers.map(f32::to_bits).collect())
}

#[test]
fn a_training_stopped_and_continued_gives_the_bits_of_one_that_was_not() {
    let place = tempfile::tempdir().unwrap();
    for protocol in [finetune(), supervised()] {
        let config = config().with(&Finetune { epochs: 4, ..FINETUNE }).unwrap();
        let config = config.with(&Supervised { epochs: 4, ..SUPERVISED }).unwrap();
        let run = |name: &str| RunFolder::create(place.path().join(format!("{name}-{protocol}")), false).unwrap();
        let (whole, score, numbers) = kept(protocol, &config, &run("whole"), usize::MAX);
        assert_eq!(whole.start, Some(TrainingStart::New));
        let parts = run("parts");
        let (mut heard, mut stops) = (Vec::new(), 0);
        // 4 epochs of 4 batches, the 65th image dropped: stopped within epochs and, after 12 steps, at the end of one.
        let resumed = loop {
            let (part, result, numbers) = kept(protocol, &config, &parts, 3);
            heard.extend(part.heard);
            let Err(error) = result else { break (result.unwrap(), numbers) };
            stops += 1;
            let done = 3 * stops / 4;
            assert!(
                matches!(error, Error::Stopped { epochs, total: 4, .. } if epochs == done || 4 * (epochs + 1) == 3 * stops),
                "{error:?}"
            );
            let resumed = matches!(part.start, Some(TrainingStart::Resumed { total: 4, .. }));
            assert_eq!(resumed, stops > 1, "{:?}", part.start);
        };
        assert_eq!((stops, &resumed.0, resumed.1 == numbers), (5, &score.unwrap(), true), "{protocol}");
        assert_eq!(heard, whole.heard, "{protocol}: also its losses, to the bit");
        // A training that is done is not done again, until its state is removed.
        let (again, result, same) = kept(protocol, &config, &parts, usize::MAX);
        assert!(again.heard.is_empty() && result.unwrap() == resumed.0 && same == numbers);
        parts.remove_unfinished("training").unwrap();
        assert_eq!(kept(protocol, &config, &parts, 1).0.start, Some(TrainingStart::New));
    }
}

#[test]
fn a_state_of_another_request_is_not_continued() {
    let place = tempfile::tempdir().unwrap();
    let run = RunFolder::create(place.path().join("run"), false).unwrap();
    let base = config();
    let others = [
        base.clone().with(&Finetune { lr: 2e-3, ..FINETUNE }).unwrap(),
        base.clone().with(&Finetune { epochs: 9, ..FINETUNE }).unwrap(),
        ProbeConfig { seed: 5, ..base.clone() },
        ProbeConfig { label_fraction: 0.5, ..base.clone() },
    ];
    for config in others {
        assert!(matches!(kept(finetune(), &base, &run, 2).1, Err(Error::Stopped { .. })));
        let (watch, ..) = kept(finetune(), &config, &run, 2);
        assert_eq!(watch.start, Some(TrainingStart::Replaced), "{config:?}");
        run.remove_unfinished("training").unwrap();
    }
    kept(supervised(), &base, &run, 2).1.unwrap_err();
    assert_eq!(kept(finetune(), &base, &run, 2).0.start, Some(TrainingStart::Replaced));
}

#[test]
fn a_state_that_does_not_fit_is_named() {
    let place = tempfile::tempdir().unwrap();
    let run = RunFolder::create(place.path().join("run"), false).unwrap();
    kept(finetune(), &config(), &run, 2).1.unwrap_err();
    let saved = run.unfinished("training").unwrap().unwrap();
    for lost in ["head", "optimizer.backbone.square"] {
        let tensors: Vec<_> = saved.tensors.iter().filter(|tensor| tensor.name != lost).map(|tensor| tensor.as_ref()).collect();
        run.save_unfinished("training", &tensors, &saved.metadata).unwrap();
        let error = kept(finetune(), &config(), &run, 2).1.unwrap_err();
        assert!(matches!(error, Error::Unfinished { name, reason, .. } if name == "training" && reason.contains(lost)));
    }
}

#[test]
fn fine_tuning_augments_as_its_settings_say_and_the_score_says_so() {
    let (mut backbone, compute) = network(1);
    let config = config().with(&Finetune { epochs: 1, cutout_area: 0.25, ..FINETUNE }).unwrap();
    let words = "flip p 0.5, affine 18° shift 0.1 scale 0.9-1.1 shear 10° (p 0.5), cut-out of 0.25 (p 0.5)";
    let finetuned = config.augmentation(finetune(), 8).unwrap();
    assert_eq!(finetuned.in_words(), words);
    assert_eq!(config.augmentation(supervised(), 8).unwrap(), SUPERVISED.augmentation(8));
    assert!(matches!(config.augmentation(Protocol::of::<Knn>(), 8), Err(Error::FrozenProtocol { protocol: "knn" })));
    let augmentation = Pipeline::new(&finetuned, ViewFormat { side_px: 8, mean: [0.5; 3], std: [0.25; 3] }).unwrap();
    let images = LabelledImages { augmentation, ..images(2) };
    let score = train_and_score(finetune(), &config, &mut backbone, &images, &compute, None, &mut |_: EpochDone| {}).unwrap();
    assert_eq!(score.settings["augmentation"], words);
}
