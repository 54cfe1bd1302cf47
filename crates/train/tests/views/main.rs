//! Where views come from: rows of numbers, sources of one's own and the loader of images, behind one seam.

mod images;

use candle_core::Tensor;
use rand::RngExt;
use relata_artifact::{Checkpoint, RunFolder};
use relata_model::{Architecture, Compute, ImageSize, ModelConfig, Network, ParameterKind, Parameters};
use relata_train::{
    BatchShape, CandleMethod, DeepClusterConfig, Error, Event, Flow, IntoMethod, IntoViewSource, Method, MethodConfig,
    MethodStep, Observer, Outcome, RelationalConfig, Result, RowViews, RowViewsConfig, Setup, SourceShape, TrainConfig, Trainer,
    ViewBuffer, ViewSource,
};
use std::collections::BTreeSet;
use std::path::Path;

const WIDTH: usize = 6;
const CONFIG: RowViewsConfig = RowViewsConfig { batch_size: 8, views: 3, seed: 7 };

/// `count` rows of two kinds, told apart by where their large numbers stand.
fn table(count: usize) -> Vec<f32> {
    let kind = |row: usize, column: usize| if row.is_multiple_of(2) == (column < WIDTH / 2) { 1.0 } else { -1.0 };
    (0..count * WIDTH).map(|at| kind(at / WIDTH, at % WIDTH) + ((at * 7919) % 101) as f32 / 200.0).collect()
}

fn row_views(count: usize) -> RowViews {
    RowViews::new(table(count), WIDTH, CONFIG, |row, rng, view| {
        for (to, from) in view.iter_mut().zip(row) {
            *to = from * rng.random_range(0.8..1.2) + rng.random_range(-0.2..0.2);
        }
    })
    .unwrap()
}

/// 26 rows in batches of 8: the last has 2.
fn labelled() -> RowViews {
    row_views(26).with_labels((0..26).map(|row| row % 2).collect(), 2).unwrap()
}

fn trainer<M: IntoMethod, V: IntoViewSource>(method: M, loader: V, threads: usize) -> Result<Trainer> {
    let compute = Compute::new(threads).unwrap();
    Trainer::new(Setup {
        backbone: Box::new(Network::new(Architecture::mlp(WIDTH, &[16], 9), 7, compute.clone())),
        loader,
        method,
        config: TrainConfig { epochs: 4, log_every: 3, ..TrainConfig::default() },
        seed: 7,
        compute,
        info: Default::default(),
    })
}

fn methods() -> Vec<MethodConfig> {
    vec![
        // More negatives than there are other rows in the last batch.
        RelationalConfig { shifts: 3, hidden: 24, ..RelationalConfig::default() }.into(),
        named("simclr"),
        named("supervised"),
        DeepClusterConfig { clusters: 2, hidden: 12 }.into(),
    ]
}

fn named(name: &str) -> MethodConfig {
    MethodConfig::named(name).unwrap()
}

fn folder(place: &Path, name: &str) -> RunFolder {
    RunFolder::create(place.join(name), false).unwrap()
}

fn last(folder: &RunFolder) -> Checkpoint {
    Checkpoint::load(&folder.checkpoint_path("last").unwrap()).unwrap()
}

#[track_caller]
fn assert_same_bits(left: &Checkpoint, right: &Checkpoint, what: &str) {
    assert_eq!(left.metadata, right.metadata, "{what}");
    let bits = |checkpoint: &Checkpoint| -> Vec<(String, Vec<u32>)> {
        checkpoint.tensors.iter().map(|t| (t.name.clone(), t.data.iter().map(|v| v.to_bits()).collect())).collect()
    };
    assert!(bits(left) == bits(right), "{what}");
}

/// Says stop after a step; hears what was left out.
#[derive(Default)]
struct Watcher {
    stop_at: Option<u64>,
    left_out: Vec<(usize, String)>,
}

impl Observer for Watcher {
    fn event(&mut self, event: &Event<'_>) -> Flow {
        match event {
            Event::Step(step) if Some(step.step) == self.stop_at => return Flow::Stop,
            Event::LeftOut { images, reason } => self.left_out.push((*images, reason.clone())),
            _ => {}
        }
        Flow::Continue
    }
}

#[test]
fn runs_on_rows_give_the_same_bits_at_any_number_of_threads_and_after_a_stop() {
    let place = tempfile::tempdir().unwrap();
    for method in methods() {
        let name = method.entry().name;
        let whole = folder(place.path(), &format!("{name}-whole"));
        trainer(method.clone(), labelled(), 1).unwrap().run(&whole, &mut ()).unwrap();
        // At the end of epoch 2, and in the midst of epoch 3.
        for stop in [8, 10] {
            let parts = folder(place.path(), &format!("{name}-{stop}"));
            let mut observer = Watcher { stop_at: Some(stop), ..Watcher::default() };
            let stopped = trainer(method.clone(), labelled(), 3).unwrap().run(&parts, &mut observer).unwrap();
            assert_eq!(stopped, Outcome::Stopped { step: stop });
            let mut resumed = trainer(method.clone(), labelled(), 2).unwrap();
            assert!(resumed.resume(&parts).unwrap());
            resumed.run(&parts, &mut ()).unwrap();
            assert_same_bits(&last(&whole), &last(&parts), name);
        }
    }
}

#[test]
fn the_relation_head_learns_from_rows() {
    let place = tempfile::tempdir().unwrap();
    let run = folder(place.path(), "rows");
    let method = MethodConfig::from(RelationalConfig { hidden: 24, ..RelationalConfig::default() });
    let mut trainer = trainer(method, row_views(400), 2).unwrap();
    trainer.run(&run, &mut ()).unwrap();
    let accuracies: Vec<f64> = run.metrics().unwrap().iter().filter_map(|line| line.figure("pair_acc")).collect();
    // Half of the negatives are rows of one kind, which only their small noise tells apart: 0.75 is what the kinds give.
    let (first, last) = (accuracies[0], accuracies[accuracies.len() - 1]);
    assert!(first < 0.7 && last > first + 0.1, "{accuracies:?}");
}

#[test]
fn a_run_is_not_taken_up_again_with_other_rows() {
    let place = tempfile::tempdir().unwrap();
    let run = folder(place.path(), "run");
    let mut observer = Watcher { stop_at: Some(2), ..Watcher::default() };
    trainer(MethodConfig::default(), row_views(26), 1).unwrap().run(&run, &mut observer).unwrap();
    assert!(trainer(MethodConfig::default(), row_views(26), 1).unwrap().resume(&run).unwrap());
    let other = trainer(MethodConfig::default(), row_views(27), 1).unwrap().resume(&run);
    assert!(matches!(other, Err(Error::Checkpoint { .. })), "{other:?}");
    let mut changed = table(26);
    changed[5] += 0.5;
    let same_size = RowViews::new(changed, WIDTH, CONFIG, |row, _, view| view.copy_from_slice(row)).unwrap();
    assert!(trainer(MethodConfig::default(), same_size, 1).unwrap().resume(&run).is_err());
}

#[test]
fn a_batch_of_rows_depends_on_its_epoch_and_number_alone() {
    let (mut in_order, mut alone) = (row_views(26), row_views(26));
    let (mut left, mut right) = (ViewBuffer::default(), ViewBuffer::default());
    let mut seen = BTreeSet::new();
    for epoch in [0, 1] {
        let mut batches = 0;
        while in_order.fill(epoch, batches, &mut left).unwrap() {
            assert_eq!((left.index, left.rows.len()), (batches, 3 * WIDTH * left.images.len()));
            assert!(alone.fill(1 - epoch, 0, &mut right).unwrap() && alone.fill(epoch, batches, &mut right).unwrap());
            assert_eq!((&left.images, &left.rows), (&right.images, &right.rows));
            seen.extend(left.images.iter().map(|image| (epoch, *image)));
            batches += 1;
        }
        assert_eq!(batches, in_order.batches_per_epoch());
    }
    assert_eq!(seen.len(), 2 * 26, "each row once an epoch");
    // Views of a row differ, by view and by epoch; views of the plain source are the row.
    let views: Vec<&[f32]> = right.rows.chunks_exact(WIDTH * right.images.len()).collect();
    assert!(views[0] != views[1] && views[1] != views[2]);
    let mut plain = in_order.plain().unwrap();
    assert!(plain.fill(0, 0, &mut left).unwrap());
    assert_eq!((&left.rows[..], left.images.len(), plain.shape().views), (&table(24)[..], 24, 1));
    assert!(plain.fill(0, 1, &mut left).unwrap() && !plain.fill(0, 2, &mut left).unwrap());
}

#[test]
fn a_last_row_alone_is_left_out_and_said() {
    let place = tempfile::tempdir().unwrap();
    let mut observer = Watcher::default();
    let mut trainer = trainer(MethodConfig::default(), row_views(25), 1).unwrap();
    let outcome = trainer.run(&folder(place.path(), "run"), &mut observer).unwrap();
    assert_eq!(outcome, Outcome::Finished { step: 4 * 3 });
    assert_eq!(observer.left_out.iter().map(|(rows, _)| rows).sum::<usize>(), 4, "one an epoch: {:?}", observer.left_out);
}

#[test]
fn rows_that_cannot_be_trained_on_are_refused() {
    let copy = |values: Vec<f32>, config| RowViews::new(values, WIDTH, config, |row, _, view| view.copy_from_slice(row));
    assert!(matches!(copy(table(1), CONFIG), Err(Error::Size { what: "rows", .. })));
    assert!(matches!(copy(vec![0.0; 2 * WIDTH + 1], CONFIG), Err(Error::Size { what: "rows", .. })));
    assert!(matches!(copy(table(4), RowViewsConfig { batch_size: 1, ..CONFIG }), Err(Error::Setting { key: "batch_size", .. })));
    assert!(matches!(copy(table(4), RowViewsConfig { views: 0, ..CONFIG }), Err(Error::Setting { key: "views", .. })));
    let mut gap = table(4);
    gap[2 * WIDTH + 1] = f32::NAN;
    assert!(matches!(copy(gap, CONFIG), Err(Error::RowValue { row: 2, column: 1, .. })));
    assert!(matches!(row_views(4).with_labels(vec![0; 3], 1), Err(Error::Size { what: "labels", .. })));
    assert!(matches!(row_views(4).with_labels(vec![0, 1, 2, 1], 2), Err(Error::Size { what: "labels", .. })));
}

#[test]
fn methods_that_rows_do_not_suit_say_so() {
    let place = tempfile::tempdir().unwrap();
    let turned = trainer(named("rotation"), row_views(26), 1).unwrap().run(&folder(place.path(), "a"), &mut ());
    assert!(matches!(turned, Err(Error::Size { what: "views to be turned", .. })), "{turned:?}");
    let unlabelled = trainer(named("supervised"), row_views(26), 1).err();
    assert!(matches!(unlabelled, Some(Error::TooFewClasses { classes: 0 })), "{unlabelled:?}");
    let compute = Compute::new(1).unwrap();
    let images = Trainer::new(Setup {
        backbone: ModelConfig::default().build(7, compute.clone()).unwrap(),
        loader: row_views(26),
        method: MethodConfig::default(),
        config: TrainConfig::default(),
        seed: 7,
        compute,
        info: Default::default(),
    });
    let error = images.unwrap().run(&folder(place.path(), "b"), &mut ());
    assert!(matches!(error, Err(Error::Model(relata_model::Error::Size { .. }))), "{error:?}");
}

/// A source of one's own, from the trait alone: 2 views of each of 4 images a batch, 3 batches; `fault` spoils a batch. Of three
/// classes, the last image's being `last`.
struct Own {
    fault: fn(&mut ViewBuffer),
    last: Option<usize>,
}

const OWN: Own = Own { fault: |_| {}, last: Some(2) };

impl ViewSource for Own {
    fn shape(&self) -> SourceShape {
        SourceShape { images: 12, classes: 3, batch_size: 4, views: 2, size: ImageSize::row(WIDTH) }
    }

    fn batches_per_epoch(&self) -> usize {
        3
    }

    fn fingerprint(&self) -> String {
        "own".to_owned()
    }

    fn fill(&mut self, epoch: u32, from: usize, batch: &mut ViewBuffer) -> Result<bool> {
        batch.index = from;
        batch.images = (4 * from..4 * from + 4).collect();
        batch.rows = (0..8 * WIDTH).map(|at| ((at * 31 + from * 7 + epoch as usize * 5) % 17) as f32 / 8.0 - 1.0).collect();
        (self.fault)(batch);
        Ok(from < 3)
    }

    fn plain(&self) -> Result<Box<dyn ViewSource>> {
        Ok(Box::new(Self { ..*self }))
    }

    fn label(&self, image: usize) -> Option<usize> {
        if image == 11 { self.last } else { Some(image % 3) }
    }
}

#[test]
fn a_source_of_ones_own_trains_and_its_faults_are_errors() {
    let place = tempfile::tempdir().unwrap();
    let outcome = trainer(MethodConfig::default(), OWN, 1).unwrap().run(&folder(place.path(), "own"), &mut ());
    assert_eq!(outcome.unwrap(), Outcome::Finished { step: 12 });
    let faults: [fn(&mut ViewBuffer); 6] = [
        |batch| batch.rows.truncate(7 * WIDTH),
        |batch| batch.images.push(0),
        |batch| batch.images.clear(),
        |batch| {
            batch.images.truncate(1);
            batch.rows.truncate(2 * WIDTH);
        },
        |batch| batch.images[1] = 12,
        |batch| batch.index = 0,
    ];
    for (number, fault) in faults.into_iter().enumerate() {
        let mut trainer = trainer(MethodConfig::default(), Own { fault, ..OWN }, 1).unwrap();
        let outcome = trainer.run(&folder(place.path(), &number.to_string()), &mut ());
        assert!(matches!(outcome, Err(Error::Size { .. })), "fault {number}: {outcome:?}");
    }
}

#[test]
fn labels_of_a_source_must_be_classes_that_it_has() {
    let place = tempfile::tempdir().unwrap();
    let supervised = named("supervised");
    let outcome = trainer(supervised.clone(), OWN, 1).unwrap().run(&folder(place.path(), "own"), &mut ());
    assert_eq!(outcome.unwrap(), Outcome::Finished { step: 12 });
    let error = trainer(supervised.clone(), Own { last: Some(3), ..OWN }, 1).err();
    assert!(matches!(error, Some(Error::LabelOutOfRange { image: 11, label: 3, classes: 3, .. })), "{error:?}");
    let error = trainer(supervised, Own { last: None, ..OWN }, 1).err();
    assert!(matches!(error, Some(Error::NoLabel { image: 11, .. })), "{error:?}");
    // Who does not ask for labels is not bothered by them.
    trainer(MethodConfig::default(), Own { last: Some(3), ..OWN }, 1).unwrap();
}

/// Half the mean square of features times a head's weight, plus a bias that is not used.
fn candle_method() -> impl Method {
    let mut head = Parameters::default();
    head.add("linear.weight", &[2, 9], ParameterKind::LinearWeight);
    head.add("unused", &[3], ParameterKind::NormBias);
    head.initialise(7, 1);
    CandleMethod::new("own", head, |features: &Tensor, head: &[Tensor], _: BatchShape| {
        (features.matmul(&head[0].t()?)?.sqr()?.mean_all()? * 0.5)?.affine(1.0, 1.0)
    })
}

#[test]
fn a_candle_method_gives_the_gradients_of_its_expression() {
    let mut method = candle_method();
    let features: Vec<f32> = (0..4 * 9).map(|at| ((at * 37) % 23) as f32 / 11.0 - 1.0).collect();
    let batch = BatchShape { images: 2, views: 2 };
    let step = method.step(&features, batch, &[]).unwrap();
    let weight: Vec<f64> = method.parameters().values()[..18].iter().map(|v| f64::from(*v)).collect();
    let product = |row: usize, out: usize| (0..9).map(|i| f64::from(features[row * 9 + i]) * weight[out * 9 + i]).sum::<f64>();
    let square: f64 = (0..8).map(|at| product(at / 2, at % 2).powi(2)).sum();
    assert!((step.loss - (1.0 + square / 16.0)).abs() < 1e-6);
    for (at, got) in method.d_features().iter().enumerate() {
        let expected: f64 = (0..2).map(|out| product(at / 9, out) * weight[out * 9 + at % 9] / 8.0).sum();
        assert!((f64::from(*got) - expected).abs() < 1e-6, "feature {at}");
    }
    for (at, got) in method.parameters().gradients().iter().enumerate() {
        let of_weight = |row: usize| product(row, at / 9) * f64::from(features[row * 9 + at % 9]) / 8.0;
        let expected = if at < 18 { (0..4).map(of_weight).sum() } else { 0.0 };
        assert!((f64::from(*got) - expected).abs() < 1e-6, "head {at}");
    }
}

#[test]
fn a_candle_method_is_saved_under_its_name_and_resumed() {
    let place = tempfile::tempdir().unwrap();
    let (whole, parts) = (folder(place.path(), "whole"), folder(place.path(), "parts"));
    trainer(candle_method(), row_views(26), 1).unwrap().run(&whole, &mut ()).unwrap();
    let mut observer = Watcher { stop_at: Some(6), ..Watcher::default() };
    trainer(candle_method(), row_views(26), 1).unwrap().run(&parts, &mut observer).unwrap();
    let mut resumed = trainer(candle_method(), row_views(26), 1).unwrap();
    assert!(resumed.resume(&parts).unwrap());
    resumed.run(&parts, &mut ()).unwrap();
    assert_same_bits(&last(&whole), &last(&parts), "resumed");
    assert_eq!(last(&whole).tensor("own.linear.weight").unwrap().shape, [2, 9]);
}

/// Has labels of its own for fewer images than there are.
struct Forgetful<M>(M);

impl<M: Method> Method for Forgetful<M> {
    fn head_name(&self) -> &'static str {
        self.0.head_name()
    }

    fn own_labels(&self) -> Option<&[usize]> {
        Some(&[0, 1])
    }

    fn step(&mut self, features: &[f32], batch: BatchShape, labels: &[usize]) -> Result<MethodStep> {
        self.0.step(features, batch, labels)
    }

    fn d_features(&self) -> &[f32] {
        self.0.d_features()
    }

    fn parameters(&self) -> &Parameters {
        self.0.parameters()
    }

    fn parameters_mut(&mut self) -> &mut Parameters {
        self.0.parameters_mut()
    }
}

#[test]
fn a_method_with_too_few_labels_of_its_own_is_an_error() {
    let place = tempfile::tempdir().unwrap();
    let outcome = trainer(Forgetful(candle_method()), OWN, 1).unwrap().run(&folder(place.path(), "run"), &mut ());
    assert!(matches!(outcome, Err(Error::Size { what: "the method's own labels", .. })), "{outcome:?}");
}
