//! Against what PyTorch computed in f64: fixtures/model, made by fixtures/make_model_fixtures.py.

use super::*;
use crate::weights::hashed;
use crate::{Aggregation, BackboneKind, Stem, WeightFile};

/// f32 arithmetic through up to twenty layers, relative to the largest number of its kind; measured: 7e-6.
const TOLERANCE: f32 = 2e-5;

/// Largest difference, relative to the largest number expected.
fn difference(found: &[f32], expected: &[f32]) -> f32 {
    assert_eq!(found.len(), expected.len());
    let largest = expected.iter().fold(0.0_f32, |largest, value| largest.max(value.abs()));
    found.iter().zip(expected).map(|(found, expected)| (found - expected).abs()).fold(0.0, f32::max) / largest
}

struct Fixture {
    file: WeightFile,
    prefix: String,
}

impl Fixture {
    fn new(name: &str) -> Self {
        let path = format!("{}/../../fixtures/model/{name}.safetensors", env!("CARGO_MANIFEST_DIR"));
        let file = WeightFile::read(path).unwrap();
        Self { prefix: file.metadata["backbone"].clone(), file }
    }

    fn number(&self, key: &str) -> usize {
        self.file.metadata[key].parse().unwrap()
    }

    fn tensor(&self, name: &str) -> &[f32] {
        &self.file.tensor(name).unwrap().data
    }

    fn network(&self) -> CandleNetwork {
        let kind = BackboneKind::from_name(self.prefix.trim_end_matches("-cifar")).unwrap();
        let stem = if self.prefix.ends_with("-cifar") { Stem::Cifar } else { Stem::Imagenet };
        let architecture = Architecture::new(kind, stem);
        let mut parameters = architecture.parameters();
        hashed::fill(&mut parameters, &self.prefix);
        CandleNetwork::new(architecture, parameters, &Device::Cpu).unwrap()
    }
}

fn backbone_is_pytorch_s(name: &str) {
    let fixture = Fixture::new(name);
    let (rows, height, width) =
        (fixture.number("batch") * fixture.number("views"), fixture.number("height"), fixture.number("width"));
    let data = hashed::images(&fixture.prefix, rows, height, width);
    let images = Images::new(&data, rows, height, width).unwrap();
    let mut net = fixture.network();
    let close = |what: &str, found: &[f32], expected: &[f32]| {
        let difference = difference(found, expected);
        assert!(difference < TOLERANCE, "{name}, {what}: {difference}");
    };
    close("evaluation", net.forward(images, Mode::Eval).unwrap(), fixture.tensor("eval.features"));
    close("training", net.forward(images, Mode::Train).unwrap(), fixture.tensor("train.features"));
    for norm in net.parameters().norms() {
        close(&norm.name, &norm.mean, fixture.tensor(&format!("running.{}.running_mean", norm.name)));
        close(&norm.name, &norm.var, fixture.tensor(&format!("running.{}.running_var", norm.name)));
    }
    for (name, found, expected) in exact_gradients(&fixture, &net, images) {
        close(&name, &found, &expected);
    }
}

/// Digests of every parameter's gradient (its norm, then eight sums with random signs), found and expected. In f64, since f32
/// decides a few ReLUs and maxima otherwise, which moves the gradients of all layers before them (resnet18's by 2e-3).
fn exact_gradients(fixture: &Fixture, net: &CandleNetwork, images: Images<'_>) -> Vec<(String, Vec<f32>, Vec<f32>)> {
    let shape = (images.rows, images.size.height, images.size.width, 3);
    let images = Tensor::from_slice(images.data, shape, &Device::Cpu).unwrap();
    let images = expressions::nchw_from_nhwc(&images, DType::F64).unwrap();
    let leaves: Vec<Var> = net.leaves(DType::F64).unwrap().iter().map(|leaf| Var::from_tensor(leaf).unwrap()).collect();
    let tensors: Vec<Tensor> = leaves.iter().map(|leaf| leaf.as_tensor().clone()).collect();
    let ForwardResult { features, .. } = net.run(&images, &tensors, Mode::Train).unwrap();
    let d_features = Tensor::from_slice(fixture.tensor("dfeatures.cat.bce"), features.shape(), &Device::Cpu).unwrap();
    let gradients = (features * d_features.to_dtype(DType::F64).unwrap()).unwrap().sum_all().unwrap().backward().unwrap();
    let names: Vec<String> = serde_json::from_str(&fixture.file.metadata["parameters"]).unwrap();
    let expected = fixture.tensor("grad.cat.bce");
    let digest = |(spec, leaf): (&crate::ParameterSpec, &Var)| {
        let mut gradient = gradients.get(leaf).unwrap().clone();
        if gradient.rank() == 4 {
            gradient = gradient.permute((3, 2, 0, 1)).unwrap();
        }
        let gradient: Vec<f64> = gradient.flatten_all().unwrap().to_vec1().unwrap();
        let mut found = vec![gradient.iter().map(|value| value * value).sum::<f64>().sqrt() as f32];
        for projection in 0..8 {
            let signs = hashed::values(&format!("{}/projection{projection}", spec.name), gradient.len());
            found.push(
                gradient.iter().zip(signs).map(|(value, sign)| if sign < 0.0 { -value } else { *value }).sum::<f64>() as f32
            );
        }
        let row = names.iter().position(|name| *name == spec.name).unwrap();
        (spec.name.clone(), found, expected[9 * row..9 * row + 9].to_vec())
    };
    net.parameters().specs().iter().zip(&leaves).map(digest).collect()
}

#[test]
fn conv4_is_pytorch_s() {
    backbone_is_pytorch_s("conv4");
    backbone_is_pytorch_s("conv4-odd");
}

#[test]
fn resnet8_is_pytorch_s() {
    backbone_is_pytorch_s("resnet8");
    backbone_is_pytorch_s("resnet8-odd");
}

#[test]
fn resnet18_is_torchvision_s() {
    backbone_is_pytorch_s("resnet18");
}

#[test]
fn relation_head_and_losses_are_pytorch_s() {
    for name in ["conv4", "conv4-odd", "resnet8"] {
        let fixture = Fixture::new(name);
        let (images, views, width) = (fixture.number("batch"), fixture.number("views"), fixture.number("features"));
        for aggregation in Aggregation::ALL {
            let tensor = |name: &str, shape: &[usize]| {
                Tensor::from_vec(hashed::tensor("relation", name, shape), shape, &Device::Cpu).unwrap()
            };
            let head = [
                tensor("linear1.weight", &[256, aggregation.width(width)]),
                tensor("linear1.bias", &[256]),
                tensor("bn1.weight", &[256]),
                tensor("bn1.bias", &[256]),
                tensor("linear2.weight", &[1, 256]),
                tensor("linear2.bias", &[1]),
            ];
            for loss in ["bce", "focal"] {
                let features = fixture.tensor("train.features");
                let of = |features: &Tensor| {
                    let (logits, targets) = relation_logits(features, images, views, 1, aggregation, &head).unwrap();
                    if loss == "bce" {
                        bce_with_logits(&logits, &targets)
                    } else {
                        focal_with_logits(&logits, &targets, 2.0, 0.5)
                    }
                };
                let (found, d_features) = seam::loss_and_gradient(features, images * views, width, &Device::Cpu, of).unwrap();
                let key = format!("{}.{loss}", aggregation.name());
                let far = difference(&[found], fixture.tensor(&format!("loss.{key}")));
                let far = far.max(difference(&d_features, fixture.tensor(&format!("dfeatures.{key}"))));
                assert!(far < TOLERANCE, "{name}, {key}: {far}");
            }
        }
    }
}
