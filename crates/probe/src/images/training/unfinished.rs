//! An unfinished training on disk: saved after every epoch and where it is stopped, continued by the same request alone.

use std::collections::BTreeMap;

use relata_artifact::{Checkpoint, RunFolder, TensorRef};
use relata_model::{Backbone, TorchTensor};
use relata_optim::Optimizer;

use crate::{Error, Result};

/// Where a training saves its state, until it is removed ([`RunFolder::remove_unfinished`]).
#[derive(Debug, Clone, Copy)]
pub struct StateFile<'a> {
    /// In which run's folder.
    pub run: &'a RunFolder,
    /// Under which name: one of its own for each training that a score needs.
    pub name: &'a str,
}

/// Where a training stands between two steps.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(super) struct TrainingPosition {
    /// The epoch of the next batch, from 0.
    pub(super) epoch: usize,
    /// The next batch of that epoch.
    pub(super) batch: usize,
    /// Steps taken.
    pub(super) steps: u64,
    /// Images of this epoch that were trained on, and the sum of their losses.
    pub(super) images: usize,
    pub(super) loss_sum: f64,
    /// Seconds that the training has taken.
    pub(super) seconds: f64,
}

/// All that a step changes.
pub(super) struct TrainingState<'a> {
    pub(super) backbone: &'a mut dyn Backbone,
    /// Weights `[classes, D]`, then biases.
    pub(super) head: &'a mut Vec<f32>,
    /// Of backbone and head.
    pub(super) optimizers: &'a mut [Box<dyn Optimizer>; 2],
}

const PARTS: [&str; 2] = ["backbone", "head"];

/// Metadata of a state: everything that its request said, as one text.
const REQUEST: &str = "request";
const TRACKED: &str = "batches_tracked";
const LOSS_SUM: &str = "loss_sum_bits";
const SECONDS: &str = "seconds";

impl StateFile<'_> {
    pub(super) fn save(&self, request: &str, state: &TrainingState<'_>, position: TrainingPosition) -> Result<()> {
        let backbone = state.backbone.parameters();
        let named = |tensor: TorchTensor| TorchTensor { name: format!("backbone.{}", tensor.name), ..tensor };
        let tensors: Vec<TorchTensor> = backbone.torch_tensors().into_iter().map(named).collect();
        let mut flat: Vec<(String, [usize; 1], &[f32])> = vec![("head".to_owned(), [state.head.len()], &state.head[..])];
        for (part, optimizer) in PARTS.iter().zip(&*state.optimizers) {
            flat.extend(optimizer.state().into_iter().map(|(what, data)| (moment(part, what), [data.len()], data)));
        }
        let mut all: Vec<TensorRef<'_>> =
            tensors.iter().map(|t| TensorRef { name: &t.name, shape: &t.shape, data: &t.data }).collect();
        all.extend(flat.iter().map(|(name, shape, data)| TensorRef { name, shape, data }));
        let numbers = [
            ("epoch", position.epoch as u64),
            ("batch", position.batch as u64),
            ("steps", position.steps),
            ("seen", position.images as u64),
            (TRACKED, backbone.batches_tracked()),
            // To the bit.
            (LOSS_SUM, position.loss_sum.to_bits()),
        ];
        let mut metadata: BTreeMap<_, _> = numbers.map(|(key, value)| (key.to_owned(), value.to_string())).into();
        metadata.insert(SECONDS.to_owned(), position.seconds.to_string());
        metadata.insert(REQUEST.to_owned(), request.to_owned());
        Ok(self.run.save_unfinished(self.name, &all, &metadata)?)
    }

    /// The state that is there, and whether it is one of the same request.
    pub(super) fn find(&self, request: &str) -> Result<Option<(Checkpoint, bool)>> {
        let found = self.run.unfinished(self.name)?;
        Ok(found.map(|state| {
            let same = state.metadata.get(REQUEST).is_some_and(|stored| stored == request);
            (state, same)
        }))
    }

    /// Puts a saved state into `state`; changes nothing where a part of it does not fit.
    pub(super) fn restore(&self, saved: &Checkpoint, state: &mut TrainingState<'_>) -> Result<TrainingPosition> {
        let does_not_fit =
            |reason: String| Error::Unfinished { path: self.run.unfinished_dir(), name: self.name.to_owned(), reason };
        let number = |key: &str| -> Result<u64> {
            let text = saved.metadata.get(key).ok_or_else(|| does_not_fit(format!("it lacks {key}")))?;
            text.parse().map_err(|_| does_not_fit(format!("{key} is {text}, expected a number")))
        };
        let data = |name: &str| -> Result<&[f32]> {
            saved.tensor(name).map(|tensor| &tensor.data[..]).ok_or_else(|| does_not_fit(format!("it lacks {name}")))
        };
        let position = TrainingPosition {
            epoch: number("epoch")? as usize,
            batch: number("batch")? as usize,
            steps: number("steps")?,
            images: number("seen")? as usize,
            loss_sum: f64::from_bits(number(LOSS_SUM)?),
            seconds: saved.metadata.get(SECONDS).and_then(|seconds| seconds.parse().ok()).unwrap_or(0.0),
        };
        let head = data("head")?;
        if head.len() != state.head.len() {
            return Err(does_not_fit(format!("its head has {} numbers, expected {}", head.len(), state.head.len())));
        }
        let mut optimizers = state.optimizers.clone();
        for (part, optimizer) in PARTS.iter().zip(&mut optimizers) {
            let names: Vec<String> = optimizer.state().iter().map(|(what, _)| moment(part, what)).collect();
            let moments = names.iter().map(|name| data(name)).collect::<Result<Vec<_>>>()?;
            if !optimizer.restore(position.steps, &moments) {
                return Err(does_not_fit(format!("its optimiser's state of {part} has another length")));
            }
        }
        let mut backbone = state.backbone.parameters().clone();
        backbone.load_torch(|name| {
            let tensor = saved.tensor(&format!("backbone.{name}"))?;
            Some((&tensor.shape[..], &tensor.data[..]))
        })?;
        backbone.set_batches_tracked(number(TRACKED)?);
        state.head.copy_from_slice(head);
        *state.backbone.parameters_mut() = backbone;
        *state.optimizers = optimizers;
        Ok(position)
    }
}

fn moment(part: &str, what: &str) -> String {
    format!("optimizer.{part}.{what}")
}

/// FNV-1a of the bits: different first weights have different digests.
pub(super) fn digest(values: &[f32]) -> u64 {
    values
        .iter()
        .flat_map(|value| value.to_le_bytes())
        .fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3))
}

#[cfg(test)]
mod tests {
    use super::digest;

    #[test]
    fn a_digest_sees_every_bit() {
        assert_eq!(digest(&[]), 0xcbf2_9ce4_8422_2325);
        let values = [0.0_f32, 1.0, 2.0];
        for at in 0..3 {
            let mut other = values;
            other[at] = f32::from_bits(other[at].to_bits() ^ 1);
            assert_ne!(digest(&values), digest(&other));
        }
        assert_ne!(digest(&[0.0]), digest(&[-0.0]));
    }
}
