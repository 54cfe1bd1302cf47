//! The fixtures of `fixtures/methods`: what PyTorch computes in f64 above the features, from the same features and weights.

mod deepinfomax;
mod relational;

use relata_model::{Activation, Buffers, Compute, ImageSize, Layout, Parameters};
use relata_testkit::{Tolerance, hash_uniforms};
use relata_train::{
    Barlow, BarlowConfig, BatchShape, Byol, ByolConfig, ContrastiveLoss, DeepCluster, DeepClusterConfig, DeepInfoMax,
    DeepInfoMaxConfig, Error, HeadShape, Method, Rotation, Simclr, SimclrConfig, Supervised, SupervisedConfig, ViewBatch,
};
use safetensors::SafeTensors;
use serde_json::Value;
use std::collections::HashMap;

/// Of f32 against f64, relative to a tensor's largest entry: sums of up to some hundred products.
const SHARE: f64 = 1e-5;

/// Of methods that look at features alone.
const NO_MAP: Layout = Layout { height: 0, width: 0, channels: 0, halo: 0 };

/// Of the views that rotation turns.
const SIZE: ImageSize = ImageSize { height: 5, width: 5, channels: 3 };

struct Fixture {
    method: &'static str,
    bytes: Vec<u8>,
    cases: serde_json::Map<String, Value>,
}

impl Fixture {
    fn read(method: &'static str) -> Self {
        let path = format!("{}/../../fixtures/methods/{method}.safetensors", env!("CARGO_MANIFEST_DIR"));
        let bytes = std::fs::read(&path).unwrap_or_else(|error| panic!("{path}: {error}"));
        let metadata = SafeTensors::read_metadata(&bytes).unwrap().1.metadata().clone().unwrap();
        let cases = serde_json::from_str(&metadata["cases"]).unwrap();
        Self { method, bytes, cases }
    }

    fn floats(&self, tensor: &str) -> Vec<f32> {
        let file = SafeTensors::deserialize(&self.bytes).unwrap();
        let view = file.tensor(tensor).unwrap_or_else(|error| panic!("{tensor}: {error}"));
        view.data().chunks_exact(4).map(|b| f32::from_le_bytes(b.try_into().unwrap())).collect()
    }

    fn size(&self, case: &str, key: &str) -> usize {
        self.cases[case][key].as_u64().unwrap() as usize
    }

    fn batch(&self, case: &str) -> BatchShape {
        BatchShape { images: self.size(case, "images"), views: self.size(case, "views") }
    }

    /// Room for one image more than the case has, so that no buffer is full.
    fn shape(&self, case: &str, classes: usize) -> HeadShape {
        let BatchShape { images, views } = self.batch(case);
        HeadShape {
            width: self.size(case, "width"),
            views,
            max_images: images + 1,
            images: images + 1,
            classes,
            size: SIZE,
            first_map: NO_MAP,
        }
    }

    fn features(&self, case: &str, rows: usize) -> Vec<f32> {
        self.features_of(case, rows, case)
    }

    /// Of the case's width, by a name of their own.
    fn features_of(&self, case: &str, rows: usize, name: &str) -> Vec<f32> {
        let len = rows * self.size(case, "width");
        hash_uniforms(&format!("{}-{name}/features", self.method), len).iter().map(|v| (1.5 * v) as f32).collect()
    }

    fn assert_close(&self, name: &str, actual: &[f32]) {
        let expected = self.floats(name);
        let largest = expected.iter().fold(0.0f64, |most, x| most.max(f64::from(x.abs())));
        assert_eq!(actual.len(), expected.len(), "{name}");
        for (at, (a, e)) in actual.iter().zip(&expected).enumerate() {
            let error = (f64::from(*a) - f64::from(*e)).abs() / largest.max(f64::MIN_POSITIVE);
            assert!(error <= SHARE, "{}, {name}, entry {at}: {a}, expected {e}: off by {error:.1e}", self.method);
        }
    }

    fn assert_gradients(&self, prefix: &str, method: &dyn Method) {
        self.assert_close(&format!("{prefix}.d_features"), method.d_features());
        for gradient in method.parameters().torch_gradients() {
            // The bias before a batch norm has no gradient but rounding noise; ours is zero.
            let constant = match self.method {
                "barlow" => gradient.name.ends_with("bias") && !gradient.name.starts_with("bn1"),
                "byol" => gradient.name.ends_with("linear1.bias") || gradient.name == "projector.linear2.bias",
                "relational" => method
                    .parameters()
                    .range(&gradient.name.replace("linear", "bn"))
                    .is_some_and(|_| gradient.name.starts_with("linear") && gradient.name.ends_with(".bias")),
                _ => gradient.name == "linear1.bias",
            };
            if constant {
                assert!(gradient.data.iter().all(|d| *d == 0.0));
            } else {
                self.assert_close(&format!("{prefix}.grad.{}", gradient.name), &gradient.data);
            }
        }
    }
}

/// The weights that the hash gives, as `fixtures/hashed.py` has them.
fn fill(parameters: &mut Parameters, prefix: &str) {
    let mut tensors = HashMap::new();
    for tensor in parameters.torch_tensors() {
        let scale: Box<dyn Fn(f64) -> f64> = match tensor.name.as_str() {
            name if name.ends_with(".running_var") => Box::new(|v| 1.0 + 0.5 * (v + 1.0) / 2.0),
            name if name.contains("bn") && name.ends_with(".weight") => Box::new(|v| 1.0 + 0.2 * v),
            name if name.ends_with("bias") || name.ends_with("running_mean") => Box::new(|v| 0.1 * v),
            _ => {
                let inputs = tensor.shape[1] as f64;
                Box::new(move |v| v * (3.0 / inputs).sqrt())
            }
        };
        let values = hash_uniforms(&format!("{prefix}{}", tensor.name), tensor.data.len());
        let data: Vec<f32> = values.into_iter().map(|v| scale(v) as f32).collect();
        tensors.insert(tensor.name, (tensor.shape, data));
    }
    parameters.load_torch(|name| tensors.get(name).map(|(shape, data)| (&shape[..], &data[..]))).unwrap();
}

fn simclr(fixture: &Fixture, case: &str, loss: ContrastiveLoss) -> Simclr {
    let temperature = fixture.cases[case]["temperature"].as_f64().unwrap();
    let (hidden, output) = (fixture.size(case, "hidden"), fixture.size(case, "output"));
    let config = SimclrConfig { loss, temperature, hidden, output };
    let mut method = Simclr::new(&config, fixture.shape(case, 0), 1, Compute::new(2).unwrap(), &mut Buffers::allocated());
    fill(method.parameters_mut(), "projection/");
    method
}

#[test]
fn both_losses_of_simclr_and_their_gradients_are_those_of_pytorch() {
    let fixture = Fixture::read("simclr");
    assert_eq!(fixture.cases.len(), 4);
    for case in fixture.cases.keys() {
        for (form, loss) in [("log-of-mean", ContrastiveLoss::LogOfMean), ("mean-of-log", ContrastiveLoss::MeanOfLog)] {
            let (mut method, batch) = (simclr(&fixture, case, loss), fixture.batch(case));
            let step = method.step(&fixture.features(case, batch.rows()), batch, &[]).unwrap();
            fixture.assert_close(&format!("{case}.{form}.loss"), &[step.loss as f32]);
            fixture.assert_gradients(&format!("{case}.{form}"), &method);
            let norm = &method.parameters().norms()[0];
            fixture.assert_close(&format!("{case}.running_mean"), &norm.mean);
            fixture.assert_close(&format!("{case}.running_var"), &norm.var);
        }
    }
}

#[test]
fn the_terms_of_barlow_twins_and_their_gradients_are_those_of_pytorch() {
    let fixture = Fixture::read("barlow");
    assert_eq!(fixture.cases.len(), 3);
    for case in fixture.cases.keys() {
        let redundancy = fixture.cases[case]["redundancy"].as_f64().unwrap();
        let config = BarlowConfig { redundancy, hidden: fixture.size(case, "hidden"), output: fixture.size(case, "output") };
        let mut method = Barlow::new(&config, fixture.shape(case, 0), 1, Compute::new(2).unwrap(), &mut Buffers::allocated());
        fill(method.parameters_mut(), "projector/");
        let batch = fixture.batch(case);
        let step = method.step(&fixture.features(case, batch.rows()), batch, &[]).unwrap();
        fixture.assert_close(&format!("{case}.loss"), &[step.loss as f32]);
        for (name, value) in &step.figures {
            fixture.assert_close(&format!("{case}.{name}"), &[*value as f32]);
        }
        fixture.assert_gradients(case, &method);
    }
}

fn deepcluster(fixture: &Fixture, case: &str) -> (DeepCluster, Vec<usize>) {
    let (clusters, images) = (fixture.size(case, "clusters"), fixture.size(case, "all_images"));
    let share = hash_uniforms(&format!("deepcluster-{case}/assignments"), images);
    let assignments: Vec<usize> = share.iter().map(|v| ((v + 1.0) / 2.0 * clusters as f64).floor() as usize).collect();
    let config = DeepClusterConfig { clusters, hidden: fixture.size(case, "hidden") };
    let shape = HeadShape { images, ..fixture.shape(case, 0) };
    let mut method = DeepCluster::new(&config, shape, 1, Compute::new(2).unwrap(), &mut Buffers::allocated()).unwrap();
    fill(method.parameters_mut(), "clusters/");
    let state = |name: &str| match name {
        "assignments" => Ok(assignments.iter().map(|&cluster| cluster as f32).collect()),
        "changed_share" => Ok(vec![0.25]),
        other => Err(other.to_owned()),
    };
    method.restore(&state).unwrap();
    (method, assignments)
}

#[test]
fn deepcluster_s_weighted_loss_accuracy_and_gradients_are_those_of_pytorch() {
    let fixture = Fixture::read("deepcluster");
    assert_eq!(fixture.cases.len(), 3);
    for case in fixture.cases.keys() {
        let ((mut method, assignments), batch) = (deepcluster(&fixture, case), fixture.batch(case));
        assert_eq!(method.own_labels(), Some(&assignments[..]));
        let step = method.step(&fixture.features(case, batch.rows()), batch, &assignments[..batch.images]).unwrap();
        fixture.assert_close(&format!("{case}.loss"), &[step.loss as f32]);
        fixture.assert_close(&format!("{case}.accuracy"), &[step.figures[0].1 as f32]);
        assert_eq!(step.figures[1], ("changed_share", 0.25));
        fixture.assert_gradients(case, &method);
    }
}

#[test]
fn a_state_that_does_not_fit_changes_nothing() {
    let fixture = Fixture::read("deepcluster");
    let (mut method, _) = deepcluster(&fixture, "smallest");
    let before = method.state();
    let with = |assignments: &[f32], changed: &[f32]| {
        let (assignments, changed) = (assignments.to_vec(), changed.to_vec());
        move |name: &'static str| Ok(if name == "assignments" { assignments.clone() } else { changed.clone() })
    };
    let clusters = |value: f32| [0.0, 1.0, 2.0, 0.0, value, 2.0, 0.0, 1.0, 2.0];
    for value in [3.0, -1.0, 0.5, f32::NAN] {
        assert!(method.restore(&with(&clusters(value), &[0.5])).is_err(), "{value}");
    }
    assert!(method.restore(&with(&clusters(1.0)[1..], &[0.5])).is_err());
    assert!(method.restore(&with(&clusters(1.0), &[0.5, 0.5])).is_err());
    assert!(method.restore(&|name| Err(format!("it lacks {name}"))).is_err());
    assert_eq!(method.state(), before);
    method.restore(&with(&clusters(1.0), &[0.5])).unwrap();
    assert_eq!(method.state()[0].1, clusters(1.0));
}

#[test]
fn an_epoch_draws_the_last_layer_and_the_clusters_again_and_leaves_the_rest() {
    let shape = HeadShape { width: 6, views: 1, max_images: 8, images: 400, classes: 0, size: SIZE, first_map: NO_MAP };
    let config = DeepClusterConfig { clusters: 20, hidden: 256 };
    let mut method = DeepCluster::new(&config, shape, 1, Compute::new(2).unwrap(), &mut Buffers::allocated()).unwrap();
    let features: Vec<f32> = hash_uniforms("deepcluster/epoch", 400 * 6).iter().map(|v| *v as f32).collect();
    // One image could not be read.
    let images: Vec<usize> = (0..400).filter(|image| *image != 7).collect();
    let part = |method: &DeepCluster, name: &str| method.parameters().values()[method.parameters().range(name).unwrap()].to_vec();
    let first_layer = part(&method, "linear1.weight");
    let mut seen: Vec<(Vec<f32>, Vec<usize>)> = Vec::new();
    for epoch in 0..2 {
        method.start_epoch(epoch, &features[..399 * 6], &images).unwrap();
        assert_eq!(part(&method, "linear1.weight"), first_layer);
        assert!(part(&method, "linear2.bias").iter().all(|bias| *bias == 0.0));
        let weights = part(&method, "linear2.weight");
        let count = weights.len() as f64;
        let square = weights.iter().map(|w| f64::from(*w).powi(2)).sum::<f64>() / count;
        let mean = weights.iter().map(|w| f64::from(*w)).sum::<f64>() / count;
        // 5120 draws: five standard deviations of either.
        assert!((square.sqrt() - 0.01).abs() < 5e-4 && mean.abs() < 7e-4, "{mean} {square}");
        let labels = method.own_labels().unwrap().to_vec();
        assert!(labels.len() == 400 && labels[7] == 0 && (0..20).all(|cluster| labels.contains(&cluster)));
        seen.push((weights, labels));
    }
    assert!(seen[0].0 != seen[1].0 && seen[0].1 != seen[1].1);
    let changed = f64::from(method.state()[1].1[0]);
    let same_number = seen[0].1.iter().zip(&seen[1].1).filter(|(old, new)| old == new).count() as f64 / 400.0;
    // Clusters of evenly spread points depend on the start; by their numbers nearly all would have changed.
    assert!(changed > 0.1 && changed < 1.0 - same_number, "{changed} {same_number}");
}

fn byol(fixture: &Fixture, case: &str) -> Byol {
    let config = ByolConfig { hidden: fixture.size(case, "hidden"), output: fixture.size(case, "output"), ..Default::default() };
    Byol::new(&config, fixture.shape(case, 0), 1, Compute::new(2).unwrap(), &mut Buffers::allocated())
}

#[test]
fn byol_s_loss_figures_and_gradients_are_those_of_pytorch() {
    let fixture = Fixture::read("byol");
    assert_eq!(fixture.cases.len(), 3);
    for case in fixture.cases.keys() {
        let (mut method, batch) = (byol(&fixture, case), fixture.batch(case));
        fill(method.parameters_mut(), "target/");
        method.take_target(&fixture.features_of(case, batch.rows(), &format!("target-{case}")), batch).unwrap();
        fill(method.parameters_mut(), "byol/");
        let step = method.step(&fixture.features(case, batch.rows()), batch, &[]).unwrap();
        fixture.assert_close(&format!("{case}.loss"), &[step.loss as f32]);
        assert_eq!(step.figures.iter().map(|figure| figure.0).collect::<Vec<_>>(), ["cosine", "spread"]);
        for (name, value) in &step.figures {
            fixture.assert_close(&format!("{case}.{name}"), &[*value as f32]);
        }
        fixture.assert_gradients(case, &method);
    }
}

#[test]
fn byol_steps_only_with_a_target_of_the_same_batch() {
    let fixture = Fixture::read("byol");
    let (mut method, batch) = (byol(&fixture, "smallest"), fixture.batch("smallest"));
    let features = fixture.features("smallest", batch.rows());
    let less = BatchShape { images: batch.images - 1, ..batch };
    let fewer = &features[..less.rows() * 7];
    let expect = |result: Result<_, relata_train::Error>, wanted: Option<BatchShape>| {
        let error = result.unwrap_err();
        assert!(matches!(error, relata_train::Error::Target { got, .. } if got == wanted), "{error:?}");
    };
    expect(method.step(&features, batch, &[]), None);
    method.take_target(fewer, less).unwrap();
    expect(method.step(&features, batch, &[]), Some(less));
    method.take_target(&features, batch).unwrap();
    method.step(&features, batch, &[]).unwrap();
    expect(method.step(&features, batch, &[]), None);
    // A target that was refused leaves none behind.
    method.take_target(&features, batch).unwrap();
    assert!(matches!(method.take_target(fewer, batch).unwrap_err(), relata_train::Error::Model(_)));
    expect(method.step(&features, batch, &[]), None);
}

#[test]
fn byol_s_momentum_rises_from_its_base_to_one_along_a_cosine() {
    let shape = HeadShape { width: 7, views: 2, max_images: 2, images: 2, classes: 0, size: SIZE, first_map: NO_MAP };
    let byol = Byol::new(
        &ByolConfig { momentum: 0.9, ..ByolConfig::default() },
        shape,
        1,
        Compute::new(1).unwrap(),
        &mut Buffers::allocated(),
    );
    // 1 - 0.1 (cos(pi k / 4) + 1) / 2; steps beyond the planned ones stay at the end.
    let expected = [0.9, 0.914_644_660_940_672_6, 0.95, 0.985_355_339_059_327_4, 1.0, 1.0];
    for (step, expected) in (0..).zip(expected) {
        let momentum = byol.target_momentum(step, 4);
        assert!((momentum - expected).abs() < 1e-12, "step {step}: {momentum}");
    }
}

#[test]
fn rotation_s_loss_accuracy_and_gradients_are_those_of_pytorch() {
    let fixture = Fixture::read("rotation");
    assert_eq!(fixture.cases.len(), 3);
    for case in fixture.cases.keys() {
        let (mut method, batch) =
            (Rotation::new(fixture.shape(case, 0), 1, Compute::new(2).unwrap(), &mut Buffers::allocated()), fixture.batch(case));
        fill(method.parameters_mut(), "rotation/linear.");
        let step = method.step(&fixture.features(case, 4 * batch.rows()), batch, &[]).unwrap();
        fixture.assert_close(&format!("{case}.loss"), &[step.loss as f32]);
        fixture.assert_close(&format!("{case}.accuracy"), &[step.figures[0].1 as f32]);
        fixture.assert_gradients(case, &method);
    }
}

#[test]
fn views_are_turned_as_pytorch_turns_them() {
    let fixture = Fixture::read("rotation");
    let views: Vec<f32> = hash_uniforms("rotation/images", 2 * 5 * 5 * 3).iter().map(|v| (1.5 * v) as f32).collect();
    let shape = HeadShape { width: 3, views: 1, max_images: 2, images: 2, classes: 0, size: SIZE, first_map: NO_MAP };
    let mut method = Rotation::new(shape, 1, Compute::new(2).unwrap(), &mut Buffers::allocated());
    let batch = ViewBatch { rows: &views, shape: BatchShape { images: 2, views: 1 }, size: ImageSize::square_rgb(5) };
    assert_eq!(method.prepare(batch).unwrap(), fixture.floats("turned"));
    let oblong = ViewBatch { size: ImageSize::new(3, 25, 1), ..batch };
    assert!(matches!(method.prepare(oblong), Err(Error::Size { .. })));
    let larger = ViewBatch { rows: &[0.0; 3 * 75], shape: BatchShape { images: 3, views: 1 }, ..batch };
    assert!(matches!(method.prepare(larger), Err(Error::Size { .. })));
    assert_eq!(method.needs().rows_per_view, 4);
}

#[test]
fn supervised_loss_accuracy_and_gradients_are_those_of_pytorch() {
    let fixture = Fixture::read("supervised");
    assert_eq!(fixture.cases.len(), 3);
    for case in fixture.cases.keys() {
        let (classes, batch) = (fixture.size(case, "classes"), fixture.batch(case));
        let share = hash_uniforms(&format!("supervised-{case}/labels"), batch.images);
        let labels: Vec<usize> = share.iter().map(|v| ((v + 1.0) / 2.0 * classes as f64).floor() as usize).collect();
        let config = SupervisedConfig::default();
        let mut method =
            Supervised::new(&config, fixture.shape(case, classes), 1, Compute::new(2).unwrap(), &mut Buffers::allocated())
                .unwrap();
        fill(method.parameters_mut(), "supervised/linear.");
        let step = method.step(&fixture.features(case, batch.rows()), batch, &labels).unwrap();
        fixture.assert_close(&format!("{case}.loss"), &[step.loss as f32]);
        fixture.assert_close(&format!("{case}.accuracy"), &[step.figures[0].1 as f32]);
        fixture.assert_gradients(case, &method);
    }
}

/// The definition in f64, on projections that are the features themselves but for a head: written apart from the kernel.
mod reference {
    use super::{BatchShape, ContrastiveLoss, Parameters};

    fn linear(x: &[Vec<f64>], weight: &[f64], bias: &[f64]) -> Vec<Vec<f64>> {
        let row = |x: &Vec<f64>| -> Vec<f64> {
            let dot = |w: &[f64]| w.iter().zip(x).map(|(w, x)| w * x).sum::<f64>();
            weight.chunks_exact(x.len()).zip(bias).map(|(w, b)| dot(w) + b).collect()
        };
        x.iter().map(row).collect()
    }

    /// Loss of features under a head of these parameters.
    pub(crate) fn simclr(
        features: &[f64],
        parameters: &Parameters,
        batch: BatchShape,
        temperature: f64,
        loss: ContrastiveLoss,
    ) -> f64 {
        let of = |name: &str| -> Vec<f64> {
            parameters.values()[parameters.range(name).unwrap()].iter().map(|v| f64::from(*v)).collect()
        };
        let n = batch.rows();
        let x: Vec<Vec<f64>> = features.chunks_exact(features.len() / n).map(<[f64]>::to_vec).collect();
        let mut h = linear(&x, &of("linear1.weight"), &of("linear1.bias"));
        let (gamma, beta) = (of("bn1.weight"), of("bn1.bias"));
        for c in 0..gamma.len() {
            let mean = h.iter().map(|row| row[c]).sum::<f64>() / n as f64;
            let var = h.iter().map(|row| (row[c] - mean).powi(2)).sum::<f64>() / n as f64;
            for row in &mut h {
                let a = gamma[c] * (row[c] - mean) / (var + 1e-5).sqrt() + beta[c];
                row[c] = if a < 0.0 { 0.01 * a } else { a };
            }
        }
        let z = linear(&h, &of("linear2.weight"), &of("linear2.bias"));
        let dot = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>();
        let similarity = |i: usize, j: usize| dot(&z[i], &z[j]) / (dot(&z[i], &z[i]) * dot(&z[j], &z[j])).sqrt() / temperature;
        let mut shares = Vec::new();
        for i in 0..n {
            let total: f64 = (0..n).filter(|k| *k != i).map(|k| similarity(i, k).exp()).sum();
            let positives = (0..n).filter(|j| *j != i && j % batch.images == i % batch.images);
            shares.extend(positives.map(|j| similarity(i, j).exp() / total));
        }
        let mean = |values: Vec<f64>| values.iter().sum::<f64>() / values.len() as f64;
        match loss {
            ContrastiveLoss::LogOfMean => -mean(shares).ln(),
            ContrastiveLoss::MeanOfLog => -mean(shares.iter().map(|p| p.ln()).collect()),
        }
    }
}

#[test]
fn simclr_s_gradient_is_the_slope_of_its_definition() {
    let fixture = Fixture::read("simclr");
    for case in ["smallest", "views"] {
        for loss in [ContrastiveLoss::LogOfMean, ContrastiveLoss::MeanOfLog] {
            let (mut method, batch) = (simclr(&fixture, case, loss), fixture.batch(case));
            let features = fixture.features(case, batch.rows());
            let value = method.step(&features, batch, &[]).unwrap().loss;
            let temperature = fixture.cases[case]["temperature"].as_f64().unwrap();
            let definition = |x: &[f64]| reference::simclr(x, method.parameters(), batch, temperature, loss);
            let x: Vec<f64> = features.iter().map(|v| f64::from(*v)).collect();
            assert!((definition(&x) - value).abs() <= SHARE * value, "{case}, {loss:?}: {value}");
            let gradient: Vec<f64> = method.d_features().iter().map(|d| f64::from(*d)).collect();
            let largest = gradient.iter().fold(0.0f64, |most, d| most.max(d.abs()));
            relata_testkit::assert_gradient(definition, &x, &gradient, Tolerance { abs: SHARE * largest, rel: 0.0 });
        }
    }
}

#[test]
fn an_image_alone_is_never_its_own_negative() {
    let first_map = Layout::dense(2, 2, 3);
    let shape = HeadShape { width: 7, views: 2, max_images: 2, images: 2, classes: 0, size: SIZE, first_map };
    let compute = Compute::new(1).unwrap();
    let alone = BatchShape { images: 1, views: 2 };
    let mut simclr = Simclr::new(&SimclrConfig::default(), shape, 1, compute.clone(), &mut Buffers::allocated());
    let error = simclr.step(&[0.5; 14], alone, &[]).unwrap_err();
    assert!(matches!(error, Error::TooFewImages { images: 1 }), "{error:?}");
    let mut deepinfomax = DeepInfoMax::new(&DeepInfoMaxConfig::default(), shape, 1, compute, &mut Buffers::allocated()).unwrap();
    let map = Activation { data: &[0.5; 24], layout: first_map };
    let error = deepinfomax.step_with_taps(&[0.5; 14], &[map], alone, &[]).unwrap_err();
    assert!(matches!(error, Error::TooFewImages { images: 1 }), "{error:?}");
}

#[test]
fn features_and_labels_that_do_not_fit_are_refused() {
    let shape = HeadShape { width: 7, views: 2, max_images: 2, images: 2, classes: 3, size: SIZE, first_map: NO_MAP };
    let compute = Compute::new(1).unwrap();
    let mut simclr = Simclr::new(&SimclrConfig::default(), shape, 1, compute.clone(), &mut Buffers::allocated());
    let mut barlow = Barlow::new(&BarlowConfig::default(), shape, 1, compute.clone(), &mut Buffers::allocated());
    let mut byol = Byol::new(&ByolConfig::default(), shape, 1, compute.clone(), &mut Buffers::allocated());
    let mut rotation = Rotation::new(shape, 1, compute.clone(), &mut Buffers::allocated());
    let mut supervised = Supervised::new(&SupervisedConfig::default(), shape, 1, compute, &mut Buffers::allocated()).unwrap();
    let two = DeepClusterConfig { clusters: 2, hidden: 5 };
    let mut clusters = DeepCluster::new(&two, shape, 1, Compute::new(1).unwrap(), &mut Buffers::allocated()).unwrap();
    let methods: [(&mut dyn Method, usize); 6] =
        [(&mut simclr, 1), (&mut barlow, 1), (&mut byol, 1), (&mut clusters, 1), (&mut rotation, 4), (&mut supervised, 1)];
    for (method, factor) in methods {
        for (images, rows) in [(2, 3), (3, 6)] {
            let (batch, features) = (BatchShape { images, views: 2 }, vec![0.5; factor * rows * 7]);
            let error = method.step(&features, batch, &vec![0; images]).unwrap_err();
            assert!(matches!(error, relata_train::Error::Model(relata_model::Error::Size { .. })), "{error:?}");
        }
    }
    let batch = BatchShape { images: 2, views: 2 };
    let methods: [(&mut dyn Method, usize); 2] = [(&mut supervised, 3), (&mut clusters, 2)];
    for (method, of) in methods {
        let error = method.step(&[0.5; 28], batch, &[0]).unwrap_err();
        assert!(
            matches!(&error, relata_train::Error::Size { expected, got, .. } if expected.contains("2 images") && got == "1"),
            "{error:?}"
        );
        let error = method.step(&[0.5; 28], batch, &[0, of]).unwrap_err();
        let is_range = matches!(error, relata_train::Error::LabelOutOfRange { image: 1, label, classes, .. } if (label, classes) == (of, of));
        assert!(is_range, "{error:?}");
        method.step(&[0.5; 28], batch, &[0, of - 1]).unwrap();
    }
}
