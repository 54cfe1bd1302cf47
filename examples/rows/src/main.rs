//! Relational reasoning on rows that are no images: stretches of time series, a small perceptron as backbone, and the paper's
//! relation head, loss and trainer as they are. `docs/EXTENDING.md` goes through it.
//!
//! The series are noisy waves of five forms (sine, square, sawtooth, spikes, beats), each with a frequency, a phase, a height
//! and an offset of its own. Labels are used for the scores alone.
//!
//! cargo run --release -- RUN_FOLDER

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use relata_artifact::RunFolder;
use relata_model::{Architecture, Backbone, Compute, Images, Mode, Network};
use relata_probe::{Features, Knn, LinearProbe};
use relata_train::{MethodConfig, RowViews, RowViewsConfig, Setup, TrainConfig, Trainer};
use std::error::Error;
use std::f32::consts::TAU;

/// F, numbers a row.
const STEPS: usize = 64;
const FORMS: [&str; 5] = ["sine", "square", "sawtooth", "spikes", "beats"];
/// By how many points both scores must beat random weights for the example to succeed.
const MARGIN_PCT: f64 = 15.0;

/// A form's height at a part of its turn, in [0, 1).
fn wave(form: usize, turn: f32) -> f32 {
    let sine = (TAU * turn).sin();
    match form {
        0 => sine,
        1 => sine.signum(),
        2 => 2.0 * turn - 1.0,
        3 => 1.8 * sine.powi(7),
        _ => 1.4 * sine * (TAU * 4.0 * turn).cos(),
    }
}

/// `[rows, STEPS]`, and the form of each.
fn series(rows: usize, seed: u64) -> (Vec<f32>, Vec<usize>) {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let (mut values, mut labels) = (Vec::new(), Vec::new());
    for row in 0..rows {
        let form = row % FORMS.len();
        let (cycles, phase) = (rng.random_range(2.0..4.0_f32), rng.random_range(0.0..1.0_f32));
        let (height, offset) = (rng.random_range(0.6..1.4_f32), rng.random_range(-0.3..0.3_f32));
        for step in 0..STEPS {
            let turn = (cycles * step as f32 / STEPS as f32 + phase).fract();
            values.push(height * wave(form, turn) + offset + rng.random_range(-0.4..0.4_f32));
        }
        labels.push(form);
    }
    (values, labels)
}

/// A view of a series: begun elsewhere, higher or lower, with noise of its own and a stretch of it gone.
fn draw_view(row: &[f32], rng: &mut ChaCha8Rng, view: &mut [f32]) {
    let (start, height) = (rng.random_range(0..STEPS), rng.random_range(0.7..1.3_f32));
    let (gap, gap_len) = (rng.random_range(0..STEPS), rng.random_range(0..STEPS / 4));
    for (step, to) in view.iter_mut().enumerate() {
        let seen = !(gap..gap + gap_len).contains(&step);
        *to = if seen { height * row[(start + step) % STEPS] + rng.random_range(-0.2..0.2_f32) } else { 0.0 };
    }
}

/// Accuracies of the linear probe and of nearest neighbours on the backbone's features of 2000 and 1000 new series, in per cent.
fn scores_pct(backbone: &mut dyn Backbone, compute: &Compute) -> Result<[f64; 2], Box<dyn Error>> {
    let mut features = |rows, seed| -> Result<Features, Box<dyn Error>> {
        let (values, labels) = series(rows, seed);
        let features = backbone.forward(Images::of_rows(&values, STEPS)?, Mode::Eval)?.to_vec();
        Ok(Features::new(features, backbone.architecture().width, labels, FORMS.map(String::from).to_vec())?)
    };
    let (train, test) = (features(2000, 2)?, features(1000, 3)?);
    let linear = LinearProbe::default().fit(&train, compute)?.score(&test)?;
    Ok([linear.accuracy_pct, Knn::default().score(&train, &test, compute)?.accuracy_pct])
}

fn main() -> Result<(), Box<dyn Error>> {
    let out = std::env::args().nth(1).ok_or("say where the run folder should be")?;
    let compute = Compute::new(0)?;
    let mut backbone = Network::new(Architecture::mlp(STEPS, &[128, 128], 64), 1, compute.clone());
    let random = scores_pct(&mut backbone, &compute)?;

    let (rows, _) = series(4000, 1);
    let mut trainer = Trainer::new(Setup {
        backbone: Box::new(backbone),
        loader: RowViews::new(rows, STEPS, RowViewsConfig { views: 8, batch_size: 64, seed: 1 }, draw_view)?,
        method: MethodConfig::default(),
        config: TrainConfig { epochs: 30, ..TrainConfig::default() },
        seed: 1,
        compute: compute.clone(),
        info: Default::default(),
    })?;
    let run = RunFolder::create(&out, false)?;
    trainer.run(&run, &mut ())?;

    let trained = scores_pct(trainer.backbone(), &compute)?;
    println!("linear probe {:.1} %, random weights {:.1} %", trained[0], random[0]);
    println!("kNN          {:.1} %, random weights {:.1} %; metrics and checkpoints in {out}", trained[1], random[1]);
    if trained[0] >= random[0] + MARGIN_PCT && trained[1] >= random[1] + MARGIN_PCT {
        Ok(())
    } else {
        Err("too little was learned".into())
    }
}
