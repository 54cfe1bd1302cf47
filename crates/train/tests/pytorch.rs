//! The fixtures of `fixtures/model`: what PyTorch computes in f64 from the same weights and images, against both
//! executors. Weights and images come from a hash of their names, on both sides. Here, and not in the model crate, because
//! the last test needs the optimiser.

use relata_model::{
    Aggregation, Architecture, Backbone, BackboneKind, Buffers, CandleNetwork, Compute, Images, Mode, Network, PairLoss,
    Parameters, RelationHead, RelationHeadConfig, Stem, TorchTensor,
};

use relata_optim::{ADAM, OptimizerConfig, OptimizerSettings};
use safetensors::SafeTensors;
use std::collections::HashMap;

/// Features and running statistics, relative to the largest entry.
const FEATURES: f64 = 1e-4;
/// A tensor's gradient, relative to its norm.
const GRADIENT: f64 = 1e-3;
/// After up to three steps of Adam, in steps of the learning rate, for entries whose gradient is no rounding noise.
const ADAM_STEPS: f64 = 0.05;
/// Below this share of its tensor's rms, a gradient entry counts as noise: Adam turns its sign into a whole step.
const NOISE: f32 = 0.05;

/// The bits of a name at each index, as `fixtures/hashed.py` has them.
fn bits(name: &str) -> impl Fn(usize) -> u64 + use<> {
    let hash = name.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |h, b| (h ^ u64::from(b)).wrapping_mul(0x100_0000_01b3));
    move |index| {
        let mut z = hash.wrapping_add((index as u64 + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15));
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }
}

/// The same as numbers in [-1, 1).
fn values(name: &str) -> impl Fn(usize) -> f64 + use<> {
    let bits = bits(name);
    move |index| (bits(index) >> 40) as f64 / f64::from(1 << 23) - 1.0
}

/// The tensor of a state dict that the hash gives.
fn hashed(prefix: &str, tensor: &TorchTensor) -> Vec<f32> {
    let (name, shape) = (&tensor.name, &tensor.shape);
    let norm = name.split('.').rev().nth(1).is_some_and(|part| part.starts_with("bn")) || name.contains("downsample.1.");
    let scale: Box<dyn Fn(f64) -> f64> = if name.ends_with("running_mean") {
        Box::new(|v| 0.1 * v)
    } else if name.ends_with("running_var") {
        Box::new(|v| 1.0 + 0.5 * (v + 1.0) / 2.0)
    } else if norm && name.ends_with("weight") {
        Box::new(|v| 1.0 + 0.2 * v)
    } else if name.ends_with("bias") {
        Box::new(|v| 0.1 * v)
    } else if let [out, _, height, width] = shape[..] {
        Box::new(move |v| v * (6.0 / (height * width * out) as f64).sqrt())
    } else {
        let inputs = shape[1];
        Box::new(move |v| v * (3.0 / inputs as f64).sqrt())
    };
    let value = values(&format!("{prefix}/{name}"));
    (0..tensor.data.len()).map(|i| scale(value(i)) as f32).collect()
}

fn fill(parameters: &mut Parameters, prefix: &str) {
    let tensors: HashMap<String, (Vec<usize>, Vec<f32>)> =
        parameters.torch_tensors().iter().map(|t| (t.name.clone(), (t.shape.clone(), hashed(prefix, t)))).collect();
    parameters.load_torch(|name| tensors.get(name).map(|(shape, data)| (&shape[..], &data[..]))).unwrap();
}

struct Fixture {
    name: &'static str,
    bytes: Vec<u8>,
    metadata: HashMap<String, String>,
}

impl Fixture {
    fn read(name: &'static str) -> Self {
        let path = format!("{}/../../fixtures/model/{name}.safetensors", env!("CARGO_MANIFEST_DIR"));
        let bytes = std::fs::read(&path).unwrap_or_else(|error| panic!("{path}: {error}"));
        let metadata = SafeTensors::read_metadata(&bytes).unwrap().1.metadata().clone().unwrap();
        Self { name, bytes, metadata }
    }

    fn floats(&self, tensor: &str) -> Option<Vec<f32>> {
        let view = SafeTensors::deserialize(&self.bytes).unwrap().tensor(tensor).ok()?.data().to_vec();
        Some(view.chunks_exact(4).map(|b| f32::from_le_bytes(b.try_into().unwrap())).collect())
    }

    fn number(&self, key: &str) -> usize {
        self.metadata[key].parse().unwrap()
    }

    fn backbone(&self) -> &str {
        &self.metadata["backbone"]
    }

    fn architecture(&self) -> Architecture {
        let (kind, stem) = match self.backbone().strip_suffix("-cifar") {
            Some(kind) => (kind, Stem::Cifar),
            None => (self.backbone(), Stem::Imagenet),
        };
        Architecture::new(BackboneKind::from_name(kind).unwrap(), stem)
    }

    fn parameter_names(&self) -> Vec<String> {
        serde_json::from_str(&self.metadata["parameters"]).unwrap()
    }
}

#[derive(Clone, Copy, Debug)]
enum Executor {
    Fused,
    Candle,
}

struct Bench {
    fixture: Fixture,
    executor: Executor,
    backbone: Box<dyn Backbone>,
    images: Vec<f32>,
    rows: usize,
}

impl Bench {
    fn new(name: &'static str, executor: Executor) -> Self {
        let fixture = Fixture::read(name);
        let rows = fixture.number("batch") * fixture.number("views");
        let value = values(&fixture.metadata["images"]);
        let len = rows * fixture.number("height") * fixture.number("width") * 3;
        let images = (0..len).map(|i| (1.5 * value(i)) as f32).collect();
        let mut bench = Self { backbone: Self::build(&fixture, executor), fixture, executor, images, rows };
        bench.reset();
        bench
    }

    fn build(fixture: &Fixture, executor: Executor) -> Box<dyn Backbone> {
        let architecture = fixture.architecture();
        match executor {
            Executor::Fused => Box::new(Network::new(architecture, 0, Compute::new(2).unwrap())),
            Executor::Candle => {
                let parameters = architecture.parameters();
                Box::new(CandleNetwork::new(architecture, parameters, &candle_core::Device::Cpu).unwrap())
            }
        }
    }

    fn reset(&mut self) {
        let prefix = self.fixture.backbone().to_owned();
        fill(self.backbone.parameters_mut(), &prefix);
    }

    fn forward(&mut self, mode: Mode) -> Vec<f32> {
        let (height, width) = (self.fixture.number("height"), self.fixture.number("width"));
        let images = Images::new(&self.images, self.rows, height, width).unwrap();
        self.backbone.forward(images, mode).unwrap().to_vec()
    }

    fn head(&self, aggregation: Aggregation, loss: PairLoss) -> RelationHead {
        let config = RelationHeadConfig { aggregation, loss, ..RelationHeadConfig::default() };
        let (width, compute) = (self.backbone.architecture().width, Compute::new(2).unwrap());
        let (views, images) = (self.fixture.number("views"), self.fixture.number("batch"));
        let mut head = RelationHead::new(config, width, views, images, 0, compute, &mut Buffers::allocated()).unwrap();
        fill(head.parameters_mut(), "relation");
        head
    }

    fn assert_close(&self, what: &str, actual: &[f32], tolerance: f64) {
        let expected = self.fixture.floats(what).unwrap_or_else(|| panic!("no {what} in {}", self.fixture.name));
        assert_eq!(actual.len(), expected.len(), "{what}");
        let largest = expected.iter().fold(0.0f64, |m, x| m.max(f64::from(x.abs())));
        for (at, (a, e)) in actual.iter().zip(&expected).enumerate() {
            let error = (f64::from(*a) - f64::from(*e)).abs() / largest;
            let (name, executor) = (self.fixture.name, self.executor);
            assert!(error <= tolerance, "{name}, {executor:?}, {what}, entry {at}: {a}, expected {e}: off by {error:.1e}");
        }
    }
}

fn features_and_running_statistics(name: &'static str, executor: Executor) {
    let mut bench = Bench::new(name, executor);
    let features = bench.forward(Mode::Eval);
    bench.assert_close("eval.features", &features, FEATURES);
    let features = bench.forward(Mode::Train);
    bench.assert_close("train.features", &features, FEATURES);
    for norm in bench.backbone.parameters().norms() {
        bench.assert_close(&format!("running.{}.running_mean", norm.name), &norm.mean, FEATURES);
        bench.assert_close(&format!("running.{}.running_var", norm.name), &norm.var, FEATURES);
    }
}

/// Norm and eight random-sign projections of every gradient: a difference of relative size e shows in the projections
/// with a deviation of e.
fn gradients(name: &'static str, executor: Executor) {
    let names = Fixture::read(name).parameter_names();
    let focal = PairLoss::Focal { gamma: 2.0, alpha: 0.5 };
    let mut checked = 0;
    let mut bench = Bench::new(name, executor);
    for aggregation in Aggregation::ALL {
        for (loss_name, loss) in [("bce", PairLoss::Bce), ("focal", focal)] {
            let key = format!("{}.{loss_name}", aggregation.name());
            let Some(expected) = bench.fixture.floats(&format!("grad.{key}")) else { continue };
            checked += 1;
            bench.reset();
            let features = bench.forward(Mode::Train);
            let mut head = bench.head(aggregation, loss);
            let outcome = head.step(bench.fixture.number("batch"), &features).unwrap();
            bench.assert_close(&format!("loss.{key}"), &[outcome.loss as f32], FEATURES);
            bench.assert_close(&format!("dfeatures.{key}"), head.d_features(), GRADIENT);
            if key == "cat.bce" {
                bench.assert_close("logits.cat.bce", head.logits(), FEATURES);
                let norm = &head.parameters().norms()[0];
                bench.assert_close("running.relation.bn1.running_mean", &norm.mean, FEATURES);
                bench.assert_close("running.relation.bn1.running_var", &norm.var, FEATURES);
            }
            bench.backbone.backward(head.d_features()).unwrap();
            let mut of = HashMap::new();
            for tensor in bench.backbone.parameters().torch_gradients() {
                of.insert(tensor.name.clone(), tensor.data);
            }
            for tensor in head.parameters().torch_gradients() {
                of.insert(format!("relation.{}", tensor.name), tensor.data);
            }
            assert_eq!(of.len(), names.len());
            for (parameter, row) in names.iter().zip(expected.chunks_exact(9)) {
                let gradient = &of[parameter];
                // The bias before a batch norm has no gradient but rounding noise; ours is zero.
                if parameter == "relation.linear1.bias" {
                    assert!(gradient.iter().all(|g| *g == 0.0));
                    continue;
                }
                let norm = gradient.iter().map(|g| f64::from(*g).powi(2)).sum::<f64>().sqrt();
                let mut sums = vec![norm];
                for j in 0..8 {
                    let bits = bits(&format!("{parameter}/projection{j}"));
                    let signed = |(i, g): (usize, &f32)| if bits(i) >> 63 == 1 { f64::from(*g) } else { -f64::from(*g) };
                    sums.push(gradient.iter().enumerate().map(signed).sum());
                }
                for (column, (sum, expected)) in sums.iter().zip(row).enumerate() {
                    let error = (sum - f64::from(*expected)).abs() / f64::from(row[0]);
                    assert!(error <= GRADIENT, "{name}, {executor:?}, {key}, {parameter}, column {column}: off by {error:.1e}");
                }
            }
        }
    }
    assert!(checked >= 2, "{name} checked nothing");
}

/// Which steps of Adam a fixture holds, and from what share of its tensor's rms on a gradient entry counts.
#[derive(Clone, Copy)]
enum Steps {
    /// PyTorch's own settings.
    Plain,
    /// An `eps` so large that rounding noise is no step: three steps of a deep net are determined, and every entry counts.
    Damped,
}

fn steps_of_adam(name: &'static str, executor: Executor, kind: Steps) {
    let mut bench = Bench::new(name, executor);
    let mut head = bench.head(Aggregation::Cat, PairLoss::Bce);
    let (prefix, steps, config, noise) = match kind {
        Steps::Plain => ("adam", "adam_steps", OptimizerConfig::new(&ADAM, 1e-3), NOISE),
        Steps::Damped => {
            let [lr, eps] = ["damped_lr", "damped_eps"].map(|key| bench.fixture.metadata[key].parse().unwrap());
            let settings = OptimizerSettings { eps, ..OptimizerSettings::default() };
            let config = OptimizerConfig { settings, ..OptimizerConfig::new(&ADAM, lr) };
            ("damped", "damped_steps", config, f32::MIN_POSITIVE)
        }
    };
    let steps = bench.fixture.number(steps);
    assert!(steps > 0, "{name} holds no such steps");
    let mut adams = [bench.backbone.parameters().len(), head.parameters().len()].map(|len| config.build(len));
    let mut losses = Vec::new();
    for _ in 0..steps {
        let features = bench.forward(Mode::Train);
        losses.push(head.step(bench.fixture.number("batch"), &features).unwrap().loss as f32);
        bench.backbone.backward(head.d_features()).unwrap();
        for (adam, parameters) in adams.iter_mut().zip([bench.backbone.parameters_mut(), head.parameters_mut()]) {
            let (values, gradients) = parameters.values_and_gradients_mut();
            adam.step(config.lr, values, gradients);
        }
    }
    bench.assert_close(&format!("{prefix}.loss"), &losses, 1e-3);
    let mut of = HashMap::new();
    for tensor in bench.backbone.parameters().torch_tensors() {
        of.insert(tensor.name.clone(), tensor.data);
    }
    for tensor in head.parameters().torch_tensors() {
        of.insert(format!("relation.{}", tensor.name), tensor.data);
    }
    let stored = |what: &str| bench.fixture.floats(&format!("{prefix}.{what}")).unwrap();
    let (values, ratios) = (stored("values"), stored("gradient_ratio"));
    let (mut checked, mut all) = (0, 0);
    for (n, parameter) in bench.fixture.parameter_names().iter().enumerate() {
        let tensor = &of[parameter];
        for entry in 0..64 {
            all += 1;
            if ratios[n * 64 + entry] < noise {
                continue;
            }
            checked += 1;
            let at = (bits(&format!("{parameter}/entry"))(entry) % tensor.len() as u64) as usize;
            let error = f64::from((tensor[at] - values[n * 64 + entry]).abs()) / config.lr;
            assert!(error <= ADAM_STEPS, "{name}, {executor:?}, {parameter}[{at}]: {error:.1e} steps away");
        }
    }
    assert!(checked * 2 > all, "{name}: only {checked} of {all} entries had a gradient to speak of");
}

/// Every backbone, at sizes that are not square, the odd ones too.
const ALL: [&str; 13] = [
    "conv4",
    "conv4-odd",
    "resnet8",
    "resnet8-odd",
    "resnet18",
    "resnet18-cifar",
    "resnet18-small",
    "resnet32",
    "resnet32-small",
    "resnet34",
    "resnet34-small",
    "resnet56",
    "resnet56-small",
];

/// Those in which no ReLU's input is so near zero that f32 could land on its other side; in the others PyTorch's own f32
/// gradients are off from f64 by up to five parts in a hundred.
const SMOOTH: [&str; 9] = [
    "conv4",
    "conv4-odd",
    "resnet8",
    "resnet8-odd",
    "resnet18-cifar",
    "resnet18-small",
    "resnet32-small",
    "resnet34-small",
    "resnet56-small",
];

#[test]
fn fused_features_and_running_statistics_are_those_of_pytorch() {
    ALL.iter().for_each(|name| features_and_running_statistics(name, Executor::Fused));
}

#[test]
fn candle_features_and_running_statistics_are_those_of_pytorch() {
    SMOOTH.iter().for_each(|name| features_and_running_statistics(name, Executor::Candle));
}

#[test]
fn fused_gradients_are_those_of_pytorch() {
    SMOOTH.iter().for_each(|name| gradients(name, Executor::Fused));
}

/// candle's backward pass is slow: the smallest of each kind.
#[test]
fn candle_gradients_are_those_of_pytorch() {
    for name in
        ["conv4-odd", "resnet8-odd", "resnet32-small", "resnet56-small", "resnet18-small", "resnet18-cifar", "resnet34-small"]
    {
        gradients(name, Executor::Candle);
    }
}

/// Three steps, or one for nets so deep that f32 does not determine three with PyTorch's `eps` (docs/results/agreement.md).
#[test]
fn fused_weights_after_adam_are_those_of_pytorch() {
    SMOOTH.iter().for_each(|name| steps_of_adam(name, Executor::Fused, Steps::Plain));
}

/// The nets of which only damped steps are determined by the weights that they start from.
const DEEP: [&str; 5] = ["resnet18-cifar", "resnet18-small", "resnet32-small", "resnet34-small", "resnet56-small"];

/// Three steps of the deep nets, in which every entry is determined.
#[test]
fn fused_weights_after_three_damped_steps_are_those_of_pytorch() {
    DEEP.iter().for_each(|name| steps_of_adam(name, Executor::Fused, Steps::Damped));
}

#[test]
fn candle_weights_after_adam_are_those_of_pytorch() {
    ["conv4-odd", "resnet8-odd", "resnet32-small"].iter().for_each(|name| steps_of_adam(name, Executor::Candle, Steps::Plain));
    DEEP.iter().for_each(|name| steps_of_adam(name, Executor::Candle, Steps::Damped));
}
