use super::*;
use crate::backbones::{CONV4, RESNET34};
use crate::{Architecture, Backbone, Compute, Network, ParameterKind, Stem};

const FIXTURES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../fixtures/model");

/// Written by PyTorch 2.9 in the format before 1.6:
/// ```python
/// base = torch.arange(12, dtype=torch.float32).reshape(3, 4) / 8
/// torch.save({
///     "backbone": collections.OrderedDict([
///         ("conv1.weight", base.t()),               # a view: strides 1, 4
///         ("bn1.weight", base[1]),                  # the same storage, from its fifth element
///         ("bn1.bias", torch.tensor([0.5, -2.0], dtype=torch.float16)),
///         ("bn1.num_batches_tracked", torch.tensor(7)),
///         ("mask", torch.tensor([True, False, True])),
///     ]),
///     "optimizer": {"state": {0: {"step": torch.tensor(3.0)}}, "param_groups": [{"lr": 1e-3, "betas": (0.9, 0.999)}]},
///     "epoch": 9,
/// }, "legacy.pth", _use_new_zipfile_serialization=False)
/// ```
const LEGACY: &[u8] = include_bytes!("legacy.pth");

/// A folder that goes when the test does.
struct Scratch(PathBuf);

impl Scratch {
    fn new(name: &str) -> Self {
        let folder = std::env::temp_dir().join(format!("relata-weights-{name}-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        Self(folder)
    }

    fn write(&self, name: &str, bytes: &[u8]) -> PathBuf {
        let path = self.0.join(name);
        std::fs::write(&path, bytes).unwrap();
        path
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

fn conv4() -> Parameters {
    let mut parameters = empty_conv4();
    hashed::fill(&mut parameters, "conv4");
    parameters
}

fn empty_conv4() -> Parameters {
    Architecture::new(CONV4, Stem::Imagenet).parameters()
}

fn renamed(tensors: &[TorchTensor], prefix: &str) -> Vec<TorchTensor> {
    tensors.iter().map(|tensor| TorchTensor { name: format!("{prefix}{}", tensor.name), ..tensor.clone() }).collect()
}

#[test]
fn a_reference_checkpoint_gives_the_backbone_and_the_head() {
    let file = WeightFile::read(format!("{FIXTURES}/conv4-reference.tar")).unwrap();
    for prefix in [None, Some("backbone"), Some("backbone.")] {
        let mut parameters = empty_conv4();
        file.load_into(prefix, &mut parameters).unwrap();
        assert!(parameters.values() == conv4().values() && parameters.norms() == conv4().norms(), "{prefix:?}");
        let counter = file.tensor("backbone.layer1.bn.num_batches_tracked").unwrap();
        assert_eq!(parameters.batches_tracked() as f32, counter.data[0]);
    }
    let mut head = Parameters::default();
    head.add("linear1.weight", &[256, 64], ParameterKind::LinearWeight);
    head.add("linear1.bias", &[256], ParameterKind::LinearBias { inputs: 64 });
    head.add_norm("bn1", 256);
    head.add("linear2.weight", &[1, 256], ParameterKind::LinearWeight);
    head.add("linear2.bias", &[1], ParameterKind::LinearBias { inputs: 256 });
    file.load_into(Some("relation"), &mut head).unwrap();
    for tensor in head.torch_tensors() {
        assert_eq!(tensor.data, hashed::tensor("relation", &tensor.name, &tensor.shape), "{}", tensor.name);
    }
}

#[test]
fn a_file_of_the_format_before_pytorch_1_6_is_read_with_its_views() {
    let scratch = Scratch::new("legacy");
    let file = WeightFile::read(scratch.write("legacy.pth", LEGACY)).unwrap();
    let names: Vec<&str> = file.tensors.iter().map(|tensor| tensor.name.as_str()).collect();
    let expected = ["bn1.bias", "bn1.num_batches_tracked", "bn1.weight", "conv1.weight"].map(|name| format!("backbone.{name}"));
    assert_eq!(names, expected, "the mask of booleans and the optimiser are passed over");
    let transposed = file.tensor("backbone.conv1.weight").unwrap();
    assert_eq!(transposed.shape, [4, 3]);
    assert_eq!(transposed.data, [0.0, 4.0, 8.0, 1.0, 5.0, 9.0, 2.0, 6.0, 10.0, 3.0, 7.0, 11.0].map(|v| v / 8.0));
    assert_eq!(file.tensor("backbone.bn1.weight").unwrap().data, [0.5, 0.625, 0.75, 0.875]);
    assert_eq!(file.tensor("backbone.bn1.bias").unwrap().data, [0.5, -2.0]);
    assert_eq!(file.tensor("backbone.bn1.num_batches_tracked").unwrap().data, [7.0]);
}

#[test]
fn what_is_written_as_safetensors_is_read_as_the_same_bits() {
    let scratch = Scratch::new("round-trip");
    let mut tensors = conv4().torch_tensors();
    tensors.push(TorchTensor {
        name: "odd".into(),
        shape: vec![2, 1, 3],
        data: vec![f32::MIN_POSITIVE / 2.0, -0.0, f32::MAX, f32::INFINITY, f32::from_bits(0x7fc0_1234), 0.1],
    });
    tensors.push(TorchTensor { name: "nothing".into(), shape: vec![0, 4], data: vec![] });
    let info = BackboneInfo { kind: CONV4, stem: Stem::Cifar, side: 32, mean: [0.491, 1e-9, -3.0], std: [0.247, 0.1, 1e20] };
    let path = scratch.0.join("weights.safetensors");
    write_safetensors(&path, &tensors, &info.to_metadata()).unwrap();
    let file = WeightFile::read(&path).unwrap();
    assert_eq!(file.backbone_info().unwrap(), Some(info));
    tensors.sort_by(|a, b| a.name.cmp(&b.name));
    let bits = |tensors: &[TorchTensor]| -> Vec<(String, Vec<usize>, Vec<u32>)> {
        tensors.iter().map(|t| (t.name.clone(), t.shape.clone(), t.data.iter().map(|v| v.to_bits()).collect())).collect()
    };
    assert_eq!(bits(&file.tensors), bits(&tensors));
    assert_eq!(std::fs::read(&path).unwrap().len() % 4, 0, "numbers lie aligned");
    let mut loaded = empty_conv4();
    file.load_into(None, &mut loaded).unwrap();
    assert_eq!(loaded, conv4());
}

#[test]
fn a_file_that_says_what_it_is_becomes_a_net() {
    let scratch = Scratch::new("net");
    let (kind, stem) = (CONV4, Stem::Imagenet);
    let info = BackboneInfo { kind, stem, side: 32, mean: [0.5; 3], std: [0.25; 3] };
    let path = scratch.0.join("net.safetensors");
    // As a checkpoint has it, beside what is not the backbone's.
    let mut tensors = renamed(&conv4().torch_tensors(), "backbone.");
    tensors.push(TorchTensor { name: "head.weight".into(), shape: vec![1], data: vec![0.5] });
    write_safetensors(&path, &tensors, &info.to_metadata()).unwrap();
    let (network, found) = Network::load(&path, Compute::new(1).unwrap()).unwrap();
    assert_eq!((network.parameters(), found), (&conv4(), info));

    write_safetensors(&path, &tensors, &BTreeMap::new()).unwrap();
    let error = Network::load(&path, Compute::new(1).unwrap()).unwrap_err();
    let Error::Weights { source, .. } = &error else { panic!("{error:?}") };
    assert_eq!(source.to_string(), "metadata relata.backbone: expected the name of a backbone, got nothing");
}

#[test]
fn other_widths_of_numbers_become_f32() {
    let scratch = Scratch::new("widths");
    let entry =
        |dtype: &str, start: usize, end: usize| format!(r#"{{"dtype":"{dtype}","shape":[2],"data_offsets":[{start},{end}]}}"#);
    let header = format!(
        r#"{{"a":{},"b":{},"c":{},"d":{},"e":{}}}"#,
        entry("F64", 0, 16),
        entry("F16", 16, 20),
        entry("BF16", 20, 24),
        entry("I64", 24, 40),
        entry("I32", 40, 48)
    );
    let mut bytes = (header.len() as u64).to_le_bytes().to_vec();
    bytes.extend(header.bytes());
    bytes.extend([1.5_f64, -2.0].iter().flat_map(|v| v.to_le_bytes()));
    bytes.extend([0x3E00_u16, 0xC000, 0x3FC0, 0xC000].iter().flat_map(|v| v.to_le_bytes()));
    bytes.extend([7_i64, -8].iter().flat_map(|v| v.to_le_bytes()));
    bytes.extend([0; 8]);
    let file = WeightFile::read(scratch.write("widths.safetensors", &bytes)).unwrap();
    for name in ["a", "b", "c"] {
        assert_eq!(file.tensor(name).unwrap().data, [1.5, -2.0], "{name}");
    }
    assert_eq!(file.tensor("d").unwrap().data, [7.0, -8.0]);
    assert!(file.tensor("e").is_none(), "no model here has 32-bit integers");
}

#[test]
fn wrappers_before_the_names_and_tensors_too_many_are_passed_over() {
    let scratch = Scratch::new("wrappers");
    let model = conv4();
    for (prefix, given) in [
        ("", None),
        ("module.", None),
        ("backbone.", Some("backbone")),
        ("feature_extractor.", None),
        ("net.", None),
        ("backbone.module.", None),
        ("backbone.module.", Some("backbone")),
        ("student.", Some("student")),
    ] {
        let mut tensors = renamed(&model.torch_tensors(), prefix);
        tensors.push(TorchTensor { name: format!("{prefix}fc.weight"), shape: vec![1, 2], data: vec![1.0, 2.0] });
        let path = scratch.write("weights.safetensors", &safetensors_bytes(&tensors, &BTreeMap::new()));
        let mut loaded = empty_conv4();
        WeightFile::read(path).unwrap().load_into(given, &mut loaded).unwrap();
        assert!(loaded == model, "{prefix} {given:?}");
    }
}

#[test]
fn the_prefix_under_which_all_is_found_wins() {
    let scratch = Scratch::new("two");
    let model = conv4();
    let mut tensors = renamed(&model.torch_tensors(), "backbone.");
    tensors.push(TorchTensor { name: "layer1.conv.weight".into(), shape: vec![1], data: vec![0.0] });
    let path = scratch.write("weights.safetensors", &safetensors_bytes(&tensors, &BTreeMap::new()));
    let mut loaded = empty_conv4();
    WeightFile::read(path).unwrap().load_into(None, &mut loaded).unwrap();
    assert_eq!(loaded, model);
}

#[test]
fn weights_of_another_net_name_the_file_and_the_first_tensor_and_change_nothing() {
    let scratch = Scratch::new("misfits");
    let mut tensors = conv4().torch_tensors();
    tensors.iter_mut().find(|tensor| tensor.name == "layer2.conv.weight").unwrap().shape = vec![8, 16, 3, 3];
    let path = scratch.write("shape.safetensors", &safetensors_bytes(&tensors, &BTreeMap::new()));
    let mut loaded = conv4();
    let Err(Error::Weights { path: named, source }) = WeightFile::read(&path).unwrap().load_into(None, &mut loaded) else {
        panic!("a shape that differs was taken");
    };
    assert_eq!(named, path);
    let Error::TensorShape { name, expected, found } = *source else { panic!("{source}") };
    assert_eq!((name.as_str(), expected, found), ("layer2.conv.weight", vec![16, 8, 3, 3], vec![8, 16, 3, 3]));
    assert_eq!(loaded, conv4());

    tensors.retain(|tensor| tensor.name != "layer3.bn.running_var");
    tensors.iter_mut().find(|tensor| tensor.name == "layer2.conv.weight").unwrap().shape = vec![16, 8, 3, 3];
    let path = scratch.write("missing.safetensors", &safetensors_bytes(&tensors, &BTreeMap::new()));
    let Err(Error::Weights { source, .. }) = WeightFile::read(path).unwrap().load_into(None, &mut loaded) else {
        panic!("a tensor that is absent was not missed");
    };
    assert!(matches!(*source, Error::MissingTensor { name, .. } if name == "layer3.bn.running_var"));
}

#[test]
fn a_file_cut_short_is_an_error_wherever_it_is_cut() {
    let scratch = Scratch::new("cut");
    let zip = std::fs::read(format!("{FIXTURES}/conv4-reference.tar")).unwrap();
    let safetensors = safetensors_bytes(&conv4().torch_tensors(), &BTreeMap::new());
    for (kind, whole) in [("zip", zip.as_slice()), ("safetensors", &safetensors), ("legacy", LEGACY)] {
        for step in 0..24 {
            let length = if step == 23 { whole.len() - 1 } else { whole.len() * step / 23 };
            if length >= whole.len() {
                continue;
            }
            let path = scratch.write(kind, &whole[..length]);
            let read = WeightFile::read(&path);
            assert!(matches!(read, Err(Error::WeightFile { path: named, .. }) if named == path), "{kind} of {length} bytes");
        }
    }
    assert!(matches!(WeightFile::read(scratch.0.join("absent")), Err(Error::WeightFile { .. })));
}

#[test]
fn metadata_that_are_not_understood_name_their_entry() {
    let info = BackboneInfo { kind: RESNET34, stem: Stem::Imagenet, side: 96, mean: [0.5; 3], std: [0.5; 3] };
    assert_eq!(BackboneInfo::from_metadata(&BTreeMap::new()).unwrap(), None);
    assert_eq!(BackboneInfo::from_metadata(&info.to_metadata()).unwrap(), Some(info));
    assert_eq!(info.architecture().width, 512);
    for (key, value) in [
        ("relata.backbone", "resnet9"),
        ("relata.stem", ""),
        ("relata.side", "-1"),
        ("relata.mean", "0.5,0.5"),
        ("relata.std", "0.5,x,1"),
        ("relata.std", "0.5,NaN,1"),
    ] {
        let mut metadata = info.to_metadata();
        metadata.insert(key.to_owned(), value.to_owned());
        let wrong = BackboneInfo::from_metadata(&metadata);
        assert!(matches!(wrong, Err(Error::Metadata { key: named, .. }) if named == key), "{key} = {value}");
    }
}
