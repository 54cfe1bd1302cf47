//! A run's whole state as named tensors and text: weights as PyTorch has them, the optimiser's moments as they lie here.

use super::target::Target;
use crate::{Error, Method, Result};
use relata_artifact::{Checkpoint, RunFolder, TensorRef};
use relata_model::{Backbone, Parameters, TorchTensor};
use relata_optim::Optimizer;
use std::collections::BTreeMap;

/// Where a run stands between two steps.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct RunPosition {
    /// Steps taken.
    pub(crate) step: u64,
    /// The epoch of the next batch; the first is 0.
    pub(crate) epoch: u32,
    /// The next batch of that epoch.
    pub(crate) batch: usize,
}

/// All that a step changes.
pub(crate) struct RunState<'a> {
    pub(crate) backbone: &'a mut dyn Backbone,
    pub(crate) method: &'a mut dyn Method,
    pub(crate) backbone_optimizer: &'a mut Box<dyn Optimizer>,
    pub(crate) method_optimizer: &'a mut Box<dyn Optimizer>,
    pub(crate) target: Option<&'a mut Target>,
}

const STEP: &str = "train.step";
const EPOCH: &str = "train.epoch";
const BATCH: &str = "train.batch";
const SEED: &str = "train.seed";
const TRACKED: &str = "train.batches_tracked";
/// What a report calls method and backbone where no configuration names them: nothing is restored from these.
const HEAD: &str = "train.head";
const ARCHITECTURE: &str = "train.architecture";

pub(crate) fn save(
    folder: &RunFolder,
    name: &str,
    state: &RunState<'_>,
    position: RunPosition,
    seed: u64,
    info: &BTreeMap<String, String>,
) -> Result<()> {
    let head = state.method.head_name();
    let mut tensors: Vec<TorchTensor> = Vec::new();
    let mut parts = vec![("backbone".to_owned(), state.backbone.parameters()), (head.to_owned(), state.method.parameters())];
    if let Some(target) = &state.target {
        parts.extend([(target_of("backbone"), &target.backbone), (target_of(head), &target.method)]);
    }
    for (prefix, parameters) in parts {
        tensors.extend(parameters.torch_tensors().into_iter().map(|t| TorchTensor { name: format!("{prefix}.{}", t.name), ..t }));
    }
    let mut moments: Vec<(String, [usize; 1], &[f32])> = Vec::new();
    for (part, optimizer) in [("backbone", &*state.backbone_optimizer), (head, &*state.method_optimizer)] {
        for (moment, data) in optimizer.state() {
            moments.push((format!("optimizer.{part}.{moment}"), [data.len()], data));
        }
    }
    let mut all: Vec<TensorRef<'_>> =
        tensors.iter().map(|t| TensorRef { name: &t.name, shape: &t.shape, data: &t.data }).collect();
    all.extend(moments.iter().map(|(name, shape, data)| TensorRef { name, shape, data }));
    let own: Vec<(String, [usize; 1], Vec<f32>)> =
        state.method.state().into_iter().map(|(name, data)| (format!("{head}.{name}"), [data.len()], data)).collect();
    all.extend(own.iter().map(|(name, shape, data)| TensorRef { name, shape, data }));
    let mut metadata = info.clone();
    let numbers = [
        (STEP, position.step),
        (EPOCH, u64::from(position.epoch)),
        (BATCH, position.batch as u64),
        (SEED, seed),
        (TRACKED, state.backbone.parameters().batches_tracked()),
    ];
    metadata.extend(numbers.map(|(key, value)| (key.to_owned(), value.to_string())));
    for (key, name) in [(HEAD, head), (ARCHITECTURE, state.backbone.architecture().name.as_str())] {
        metadata.entry(key.to_owned()).or_insert_with(|| name.to_owned());
    }
    folder.save_checkpoint(name, &all, &metadata)?;
    Ok(())
}

/// Prefix of a part's average.
fn target_of(part: &str) -> String {
    format!("target.{part}")
}

/// Restores the state of `checkpoint`; nothing is changed where a part does not fit.
pub(crate) fn restore(name: &str, checkpoint: &Checkpoint, state: &mut RunState<'_>, seed: u64) -> Result<RunPosition> {
    let misfit = |reason: String| Error::Checkpoint { checkpoint: name.to_owned(), reason };
    let number = |key: &str| -> Result<u64> {
        let text = checkpoint.metadata.get(key).ok_or_else(|| misfit(format!("its metadata lacks {key}")))?;
        text.parse().map_err(|_| misfit(format!("its metadata has {key} = {text}, expected a number")))
    };
    let (step, epoch, batch) = (number(STEP)?, number(EPOCH)?, number(BATCH)?);
    let saved_seed = number(SEED)?;
    if saved_seed != seed {
        return Err(misfit(format!("it was trained with seed {saved_seed}, this run has seed {seed}")));
    }
    let head = state.method.head_name();
    let load = |prefix: &str, parameters: &Parameters| -> Result<Parameters> {
        let mut loaded = parameters.clone();
        loaded.load_torch(|name| {
            let tensor = checkpoint.tensor(&format!("{prefix}.{name}"))?;
            Some((&tensor.shape[..], &tensor.data[..]))
        })?;
        loaded.set_batches_tracked(number(TRACKED)?);
        Ok(loaded)
    };
    let backbone = load("backbone", state.backbone.parameters())?;
    let method = load(head, state.method.parameters())?;
    let target = match &state.target {
        Some(target) => Some((load(&target_of("backbone"), &target.backbone)?, load(&target_of(head), &target.method)?)),
        None => None,
    };
    let mut optimizers = [state.backbone_optimizer.clone(), state.method_optimizer.clone()];
    for (optimizer, part) in optimizers.iter_mut().zip(["backbone", head]) {
        let moment = |which: &str| {
            let name = format!("optimizer.{part}.{which}");
            checkpoint.tensor(&name).map(|tensor| &tensor.data[..]).ok_or_else(|| misfit(format!("it lacks {name}")))
        };
        let moments = optimizer.state().iter().map(|(which, _)| moment(which)).collect::<Result<Vec<_>>>()?;
        if !optimizer.restore(step, &moments) {
            return Err(misfit(format!("the optimizer's state of {part} has another length")));
        }
    }
    let own = |which: &'static str| {
        let name = format!("{head}.{which}");
        checkpoint.tensor(&name).map(|tensor| tensor.data.clone()).ok_or_else(|| format!("it lacks {name}"))
    };
    state.method.restore(&own).map_err(misfit)?;
    *state.backbone.parameters_mut() = backbone;
    *state.method.parameters_mut() = method;
    if let (Some(to), Some((backbone, method))) = (&mut state.target, target) {
        **to = Target { backbone, method };
    }
    let [backbone_optimizer, method_optimizer] = optimizers;
    (*state.backbone_optimizer, *state.method_optimizer) = (backbone_optimizer, method_optimizer);
    Ok(RunPosition { step, epoch: epoch as u32, batch: batch as usize })
}
