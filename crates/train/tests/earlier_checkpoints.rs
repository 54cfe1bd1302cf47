//! Checkpoints of the version at commit 66c3094 (`fixtures/checkpoints`): runs that were stopped after step 10 of 16 are resumed by this
//! version and end with the bits that that version ended with. By the portable instruction set, so that they are the same on any
//! processor.

use rand::RngExt;
use relata_artifact::{Checkpoint, RunFolder};
use relata_augment::{LoaderConfig, Pipeline, ViewLoader};
use relata_data::{Shapes, ShapesOptions};
use relata_model::{Architecture, Compute, ModelConfig, Network};
use relata_ops::Isa;
use relata_train::{
    BarlowConfig, ByolConfig, DeepClusterConfig, MethodConfig, Outcome, RelationalConfig, RowViews, RowViewsConfig, Setup,
    SimclrConfig, TrainConfig, Trainer,
};
use sha2::{Digest, Sha256};
use std::fs;
use std::sync::Arc;

const WIDTH: usize = 6;
const SIDE: usize = 9;

fn compute() -> Compute {
    let portable = Isa::available().into_iter().find(|isa| isa.name() == "portable").unwrap();
    Compute::with_isa(1, portable).unwrap()
}

fn config() -> TrainConfig {
    TrainConfig { epochs: 4, log_every: 3, ..TrainConfig::default() }
}

/// 26 rows of two kinds, in batches of 8 with 3 views each.
fn rows() -> RowViews {
    let kind = |row: usize, column: usize| if row.is_multiple_of(2) == (column < WIDTH / 2) { 1.0 } else { -1.0 };
    let table = (0..26 * WIDTH).map(|at| kind(at / WIDTH, at % WIDTH) + ((at * 7919) % 101) as f32 / 200.0).collect();
    let config = RowViewsConfig { batch_size: 8, views: 3, seed: 7 };
    let views = RowViews::new(table, WIDTH, config, |row, rng, view| {
        for (to, from) in view.iter_mut().zip(row) {
            *to = from * rng.random_range(0.8..1.2) + rng.random_range(-0.2..0.2);
        }
    });
    views.unwrap().with_labels((0..26).map(|row| row % 2).collect(), 2).unwrap()
}

fn on_rows(method: impl Into<MethodConfig>) -> Trainer {
    let backbone = Box::new(Network::new(Architecture::mlp(WIDTH, &[16], 9), 7, compute()));
    let (method, info) = (method.into(), Default::default());
    Trainer::new(Setup { backbone, loader: rows(), method, config: config(), seed: 7, compute: compute(), info }).unwrap()
}

fn on_images(method: impl Into<MethodConfig>) -> Trainer {
    let data = Shapes::new(ShapesOptions { train_images: 26, side_px: SIDE, ..ShapesOptions::default() }).unwrap();
    let loader = LoaderConfig { batch_size: 8, views: 2, workers: 1, seed: 7, ..LoaderConfig::default() };
    let loader = ViewLoader::new(Arc::new(data), Pipeline::relational(SIDE).unwrap(), loader).unwrap();
    let backbone = ModelConfig::default().build(7, compute()).unwrap();
    let (method, info) = (method.into(), Default::default());
    Trainer::new(Setup { backbone, loader, method, config: config(), seed: 7, compute: compute(), info }).unwrap()
}

/// The first 8 bytes of the SHA-256 of all names and numbers.
fn digest(checkpoint: &Checkpoint) -> String {
    let mut hash = Sha256::new();
    for tensor in &checkpoint.tensors {
        hash.update(&tensor.name);
        tensor.data.iter().for_each(|value| hash.update(value.to_bits().to_le_bytes()));
    }
    hash.finalize()[..8].iter().map(|byte| format!("{byte:02x}")).collect()
}

#[track_caller]
fn assert_goes_on(name: &str, mut trainer: Trainer, expected: &str) {
    let place = tempfile::tempdir().unwrap();
    let folder = RunFolder::create(place.path().join(name), false).unwrap();
    let path = folder.checkpoint_path("last").unwrap();
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    let fixture = format!("{}/../../fixtures/checkpoints/{name}.safetensors", env!("CARGO_MANIFEST_DIR"));
    fs::copy(fixture, &path).unwrap();
    assert!(trainer.resume(&folder).unwrap());
    assert_eq!(trainer.steps(), 10);
    assert_eq!(trainer.run(&folder, &mut ()).unwrap(), Outcome::Finished { step: 16 });
    assert_eq!(digest(&Checkpoint::load(&path).unwrap()), expected, "{name}");
}

#[test]
fn relational_on_images_goes_on_with_the_same_bits() {
    let method = RelationalConfig { hidden: 8, ..RelationalConfig::default() };
    assert_goes_on("relational-conv4", on_images(method), "a653cec0c548703c");
}

#[test]
fn every_kind_of_head_and_state_goes_on_with_the_same_bits() {
    let relational = RelationalConfig { hidden: 8, shifts: 3, ..RelationalConfig::default() };
    assert_goes_on("relational", on_rows(relational), "feca43beadc4fb6c");
    assert_goes_on("simclr", on_rows(SimclrConfig { hidden: 8, output: 4, ..SimclrConfig::default() }), "e5f1eef1cf8a29b1");
    assert_goes_on("barlow", on_rows(BarlowConfig { hidden: 8, output: 4, ..BarlowConfig::default() }), "62496f3efbb1bdbd");
    assert_goes_on("byol", on_rows(ByolConfig { hidden: 8, output: 4, ..ByolConfig::default() }), "b2d8a8da95dd5f24");
    assert_goes_on("deepcluster", on_rows(DeepClusterConfig { clusters: 3, hidden: 8 }), "f9e0361df6b92065");
    assert_goes_on("supervised", on_rows(MethodConfig::named("supervised").unwrap()), "84e43f9f692c0abe");
}
