//! A run's whole state as named tensors and text: weights as PyTorch has them, Adam's moments as they lie here.

use crate::{Error, Method, Result};
use relata_artifact::{Checkpoint, RunFolder, TensorRef};
use relata_model::{Backbone, Parameters, TorchTensor};
use relata_optim::Adam;
use std::collections::BTreeMap;

/// Where a run stands between two steps.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Position {
    /// Steps taken.
    pub(crate) step: u64,
    /// The epoch of the next batch; the first is 0.
    pub(crate) epoch: u32,
    /// The next batch of that epoch.
    pub(crate) batch: usize,
}

/// All that a step changes.
pub(crate) struct State<'a> {
    pub(crate) backbone: &'a mut dyn Backbone,
    pub(crate) method: &'a mut dyn Method,
    pub(crate) backbone_adam: &'a mut Adam,
    pub(crate) method_adam: &'a mut Adam,
}

const STEP: &str = "train.step";
const EPOCH: &str = "train.epoch";
const BATCH: &str = "train.batch";
const SEED: &str = "train.seed";
const TRACKED: &str = "train.batches_tracked";

pub(crate) fn save(
    folder: &RunFolder,
    name: &str,
    state: &State<'_>,
    position: Position,
    seed: u64,
    info: &BTreeMap<String, String>,
) -> Result<()> {
    let head = state.method.head_name();
    let mut tensors: Vec<TorchTensor> = Vec::new();
    for (prefix, parameters) in [("backbone", state.backbone.parameters()), (head, state.method.parameters())] {
        tensors.extend(parameters.torch_tensors().into_iter().map(|t| TorchTensor { name: format!("{prefix}.{}", t.name), ..t }));
    }
    let moments = [("backbone", &*state.backbone_adam), (head, &*state.method_adam)];
    let names: Vec<String> =
        moments.iter().flat_map(|(part, _)| ["mean", "square"].map(|moment| format!("optimizer.{part}.{moment}"))).collect();
    let flat: Vec<&[f32]> = moments.iter().flat_map(|(_, adam)| [adam.moments().0, adam.moments().1]).collect();
    let lengths: Vec<[usize; 1]> = flat.iter().map(|moment| [moment.len()]).collect();
    let mut all: Vec<TensorRef<'_>> =
        tensors.iter().map(|t| TensorRef { name: &t.name, shape: &t.shape, data: &t.data }).collect();
    for ((name, data), shape) in names.iter().zip(&flat).zip(&lengths) {
        all.push(TensorRef { name, shape, data });
    }
    let mut metadata = info.clone();
    let numbers = [
        (STEP, position.step),
        (EPOCH, u64::from(position.epoch)),
        (BATCH, position.batch as u64),
        (SEED, seed),
        (TRACKED, state.backbone.parameters().batches_tracked),
    ];
    metadata.extend(numbers.map(|(key, value)| (key.to_owned(), value.to_string())));
    folder.save_checkpoint(name, &all, &metadata)?;
    Ok(())
}

/// Takes up the state of `checkpoint`; nothing is changed where a part does not fit.
pub(crate) fn restore(name: &str, checkpoint: &Checkpoint, state: &mut State<'_>, seed: u64) -> Result<Position> {
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
        loaded.batches_tracked = number(TRACKED)?;
        Ok(loaded)
    };
    let backbone = load("backbone", state.backbone.parameters())?;
    let method = load(head, state.method.parameters())?;
    let mut adams = [state.backbone_adam.clone(), state.method_adam.clone()];
    for (adam, part) in adams.iter_mut().zip(["backbone", head]) {
        let moment = |which: &str| {
            let name = format!("optimizer.{part}.{which}");
            checkpoint.tensor(&name).map(|tensor| &tensor.data[..]).ok_or_else(|| misfit(format!("it lacks {name}")))
        };
        if !adam.restore(step, moment("mean")?, moment("square")?) {
            return Err(misfit(format!("the optimizer's state of {part} has another length")));
        }
    }
    *state.backbone.parameters_mut() = backbone;
    *state.method.parameters_mut() = method;
    let [backbone_adam, method_adam] = adams;
    (*state.backbone_adam, *state.method_adam) = (backbone_adam, method_adam);
    Ok(Position { step, epoch: epoch as u32, batch: batch as usize })
}
