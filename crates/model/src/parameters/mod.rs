//! Named parameters in a fixed order, in one flat buffer, with their gradients in another.
//!
//! Names and shapes are PyTorch's; the numbers of a convolution lie as the kernels read them, `[k, k, C_in, C_out]`, and
//! are brought to and from PyTorch's `[C_out, C_in, k, k]` only where weight files are read or written.

mod torch;

pub use torch::TorchTensor;

use crate::Buffers;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;
use rand_distr::{Distribution, Normal, Uniform};
use std::ops::Range;

/// What a parameter is, which says how it starts and how it lies in PyTorch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ParameterKind {
    /// `[C_out, C_in, k, k]` in PyTorch, `[k, k, C_in, C_out]` here; starts as normal(0, sqrt(2 / (k·k·C_out))).
    ConvWeight,
    /// `[C]`, starts at 1.
    NormWeight,
    /// `[C]`, starts at 0.
    NormBias,
    /// `[out, in]`, starts as uniform(±1 / sqrt(in)), PyTorch's default.
    LinearWeight,
    /// `[out]`, starts as uniform(±1 / sqrt(in)); carries `in`.
    LinearBias {
        /// Inputs of the layer that the bias belongs to.
        inputs: usize,
    },
}

/// One parameter: its name, its shape, and its part of the numbers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ParameterSpec {
    /// State-dict name, such as `layer1.0.conv1.weight`.
    pub name: String,
    /// PyTorch's shape.
    pub shape: Vec<usize>,
    /// What it is.
    pub kind: ParameterKind,
    /// Its part of [`Parameters::values`] and [`Parameters::gradients`].
    pub range: Range<usize>,
}

/// Running statistics of one batch-norm layer.
#[derive(Debug, Clone, PartialEq)]
pub struct NormBuffers {
    /// State-dict prefix, such as `bn1`.
    pub name: String,
    /// `running_mean`, starts at 0.
    pub mean: Vec<f32>,
    /// `running_var`, starts at 1.
    pub var: Vec<f32>,
}

/// All parameters of a model, in the order of its layers.
///
/// Parameters made by [`Parameters::new`] with counted buffers have names, shapes and a length, but no numbers.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Parameters {
    specs: Vec<ParameterSpec>,
    counted: bool,
    values: Vec<f32>,
    gradients: Vec<f32>,
    norms: Vec<NormBuffers>,
    batches_tracked: u64,
}

/// All that a layer reads and writes of its [`Parameters`], borrowed at once.
#[derive(Debug)]
pub struct ParametersMut<'a> {
    /// As [`Parameters::values_mut`].
    pub values: &'a mut [f32],
    /// As [`Parameters::gradients_mut`].
    pub gradients: &'a mut [f32],
    /// As [`Parameters::norms_mut`].
    pub norms: &'a mut [NormBuffers],
}

impl Parameters {
    /// None yet. With counted `buffers`, those that are added get no memory. Their bytes do not go into [`Buffers::bytes`]: whoever
    /// trains or averages them keeps several copies, and multiplies [`Parameters::len`].
    #[must_use]
    pub fn new(buffers: &Buffers) -> Self {
        Self { counted: buffers.are_counted(), ..Self::default() }
    }

    /// Adds a parameter at the end; its numbers are zero until [`Parameters::initialise`]. Gives its index.
    pub fn add(&mut self, name: impl Into<String>, shape: &[usize], kind: ParameterKind) -> usize {
        let start = self.len();
        let range = start..start + shape.iter().product::<usize>();
        if !self.counted {
            self.values.resize(range.end, 0.0);
            self.gradients.resize(range.end, 0.0);
        }
        self.specs.push(ParameterSpec { name: name.into(), shape: shape.to_vec(), kind, range });
        self.specs.len() - 1
    }

    /// Adds a batch norm's weight, bias and running statistics. Gives the index of its running statistics.
    pub fn add_norm(&mut self, name: &str, channels: usize) -> usize {
        self.add(format!("{name}.weight"), &[channels], ParameterKind::NormWeight);
        self.add(format!("{name}.bias"), &[channels], ParameterKind::NormBias);
        let channels = if self.counted { 0 } else { channels };
        self.norms.push(NormBuffers { name: name.to_owned(), mean: vec![0.0; channels], var: vec![1.0; channels] });
        self.norms.len() - 1
    }

    /// The parameters' names, shapes and ranges, in order.
    #[must_use]
    pub fn specs(&self) -> &[ParameterSpec] {
        &self.specs
    }

    /// The numbers, one parameter after the other.
    #[must_use]
    pub fn values(&self) -> &[f32] {
        &self.values
    }

    /// The numbers, to be changed.
    pub fn values_mut(&mut self) -> &mut [f32] {
        &mut self.values
    }

    /// The gradients of the last backward pass, each at the index of its number.
    #[must_use]
    pub fn gradients(&self) -> &[f32] {
        &self.gradients
    }

    /// The gradients, to be changed.
    pub fn gradients_mut(&mut self) -> &mut [f32] {
        &mut self.gradients
    }

    /// Numbers and gradients, as an optimiser's step takes them.
    pub fn values_and_gradients_mut(&mut self) -> (&mut [f32], &mut [f32]) {
        (&mut self.values, &mut self.gradients)
    }

    /// Running statistics, in the order of the layers.
    #[must_use]
    pub fn norms(&self) -> &[NormBuffers] {
        &self.norms
    }

    /// Running statistics, to be changed.
    pub fn norms_mut(&mut self) -> &mut [NormBuffers] {
        &mut self.norms
    }

    /// Numbers, gradients and running statistics, as a layer's pass takes them.
    pub fn parts_mut(&mut self) -> ParametersMut<'_> {
        ParametersMut { values: &mut self.values, gradients: &mut self.gradients, norms: &mut self.norms }
    }

    /// Training batches that the running statistics have seen (`num_batches_tracked`).
    #[must_use]
    pub fn batches_tracked(&self) -> u64 {
        self.batches_tracked
    }

    /// Sets [`Parameters::batches_tracked`], as a checkpoint has it.
    pub fn set_batches_tracked(&mut self, batches: u64) {
        self.batches_tracked = batches;
    }

    /// Adds one to [`Parameters::batches_tracked`]: a training batch has moved the running statistics.
    pub fn count_batch(&mut self) {
        self.batches_tracked += 1;
    }

    /// A copy that has no gradients and cannot be trained: a target network's.
    #[must_use]
    pub fn without_gradients(&self) -> Self {
        Self { gradients: Vec::new(), ..self.clone() }
    }

    /// Exchanges numbers and running statistics with those of `other`, which must have the same layout. Gradients stay where they are.
    ///
    /// # Panics
    /// Where `other` has other parameters.
    pub fn swap_values(&mut self, other: &mut Self) {
        assert_eq!(self.specs, other.specs, "parameters are exchanged with those of the same layout");
        std::mem::swap(&mut self.values, &mut other.values);
        std::mem::swap(&mut self.norms, &mut other.norms);
        std::mem::swap(&mut self.batches_tracked, &mut other.batches_tracked);
    }

    /// Number of trained numbers.
    #[must_use]
    pub fn len(&self) -> usize {
        self.specs.last().map_or(0, |spec| spec.range.end)
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The range of a parameter by name.
    #[must_use]
    pub fn range(&self, name: &str) -> Option<Range<usize>> {
        self.specs.iter().find(|spec| spec.name == name).map(|spec| spec.range.clone())
    }

    /// Whether names, shapes and ranges are those of `other`.
    pub(crate) fn are_laid_out_as(&self, other: &Self) -> bool {
        let norms = |parameters: &Self| {
            parameters.norms.iter().map(|norm| (norm.name.clone(), norm.mean.len(), norm.var.len())).collect::<Vec<_>>()
        };
        let len = other.values.len();
        self.specs == other.specs && norms(self) == norms(other) && self.values.len() == len && self.gradients.len() == len
    }

    /// Draws the starting values, each parameter from its own stream of `seed`; running statistics start again. `part`
    /// keeps the streams of a model's parts (0: backbone, 1: head) apart.
    pub fn initialise(&mut self, seed: u64, part: u32) {
        if self.counted {
            return;
        }
        // An empty one has no inputs or outputs to scale by.
        for (index, spec) in self.specs.iter().enumerate().filter(|(_, spec)| !spec.range.is_empty()) {
            let mut rng = ChaCha8Rng::seed_from_u64(seed);
            rng.set_stream(u64::from(part) << 32 | index as u64);
            let values = &mut self.values[spec.range.clone()];
            let uniform = |inputs: usize| {
                let bound = 1.0 / (inputs as f32).sqrt();
                Uniform::new_inclusive(-bound, bound).expect("a finite interval")
            };
            match spec.kind {
                ParameterKind::ConvWeight => {
                    let fan_out = spec.shape[0] * spec.shape[2] * spec.shape[3];
                    let normal = Normal::new(0.0, (2.0 / fan_out as f32).sqrt()).expect("a finite deviation");
                    values.iter_mut().for_each(|v| *v = normal.sample(&mut rng));
                }
                ParameterKind::NormWeight => values.fill(1.0),
                ParameterKind::NormBias => values.fill(0.0),
                ParameterKind::LinearWeight => {
                    let uniform = uniform(spec.shape[1]);
                    values.iter_mut().for_each(|v| *v = uniform.sample(&mut rng));
                }
                ParameterKind::LinearBias { inputs } => {
                    let uniform = uniform(inputs);
                    values.iter_mut().for_each(|v| *v = uniform.sample(&mut rng));
                }
            }
        }
        for norm in &mut self.norms {
            norm.mean.fill(0.0);
            norm.var.fill(1.0);
        }
        self.batches_tracked = 0;
    }
}
