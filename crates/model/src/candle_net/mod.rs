//! The candle executor: the same list of layers as candle expressions under candle's autograd, on any device that candle
//! knows, and the independent reference of the fused executor and of the relation head.

pub(crate) mod expressions;
#[cfg(test)]
mod pytorch_tests;
mod relation;
#[cfg(test)]
mod relation_tests;
pub mod seam;
#[cfg(test)]
mod tests;

pub use relation::{RelationStatistics, bce_with_logits, focal_with_logits, relation_logits, relation_logits_with_statistics};

use crate::layers::{CandleLayer, CandlePass};
use crate::tap::check_gradients;
use crate::{Activation, Activations, Architecture, Backbone, Error, ImageSize, Images, Layout, Mode, Node, Parameters, Result};
use candle_core::{DType, Device, Tensor, Var};
use expressions::BatchStatistics;

/// Share of a new batch in the running statistics, PyTorch's default.
const MOMENTUM: f32 = 0.1;

/// A backbone run by candle.
///
/// Slower than the fused executor on a CPU, but at home on every device. Parameters live on the host, in
/// [`Parameters`], and go to the device at each forward pass: a change made through [`Backbone::parameters_mut`] is seen
/// by the next one.
#[derive(Debug)]
pub struct CandleNetwork {
    architecture: Architecture,
    parameters: Parameters,
    device: Device,
    layers: Vec<Box<dyn CandleLayer>>,
    last_readers: Vec<usize>,
    features: Vec<f32>,
    /// NHWC, of the last training pass.
    taps: Vec<(Layout, Vec<f32>)>,
    pending: Option<Pending>,
}

/// What a training forward pass leaves for the backward pass.
#[derive(Debug)]
struct Pending {
    features: Tensor,
    taps: Vec<Tensor>,
    leaves: Vec<Var>,
}

/// Of a forward pass, with each batch norm's index and batch statistics in training.
struct ForwardResult {
    features: Tensor,
    taps: Vec<Tensor>,
    statistics: Vec<(usize, BatchStatistics)>,
}

impl CandleNetwork {
    /// Takes parameters laid out as [`Architecture::parameters`] gives them.
    ///
    /// # Errors
    /// [`Error::MissingTensor`] or [`Error::TensorShape`] where they are another net's; as [`Architecture::check`].
    pub fn new(architecture: Architecture, parameters: Parameters, device: &Device) -> Result<Self> {
        architecture.check()?;
        let layers = architecture.layers.iter().map(|layer| layer.op.kind().to_candle(&parameters)).collect::<Result<_>>()?;
        let last_readers = last_readers(&architecture);
        let device = device.clone();
        let (features, taps) = (Vec::new(), Vec::new());
        Ok(Self { architecture, parameters, device, layers, last_readers, features, taps, pending: None })
    }

    /// The device it runs on.
    #[must_use]
    pub fn device(&self) -> &Device {
        &self.device
    }

    /// The parameters, the net given up.
    #[must_use]
    pub fn into_parameters(self) -> Parameters {
        self.parameters
    }

    /// Every parameter as a tensor, `[k, k, C_in, C_out]` for convolutions.
    fn leaves(&self, dtype: DType) -> Result<Vec<Tensor>> {
        let leaf = |spec: &crate::ParameterSpec| -> Result<Tensor> {
            let shape = match *spec.shape.as_slice() {
                [out, input, rows, columns] => vec![rows, columns, input, out],
                ref other => other.to_vec(),
            };
            let values = &self.parameters.values()[spec.range.clone()];
            Ok(Tensor::from_slice(values, shape, &self.device)?.to_dtype(dtype)?)
        };
        self.parameters.specs().iter().map(leaf).collect()
    }

    /// Images `[N, 3, H, W]` to features `[N, D]` and taps `[N, C, H, W]`, with each norm's batch statistics in training mode.
    fn run(&self, images: &Tensor, leaves: &[Tensor], mode: Mode) -> Result<ForwardResult> {
        let mut nodes: Vec<Option<Tensor>> = vec![Some(images.clone())];
        let mut statistics = Vec::new();
        for (index, layer) in self.architecture.layers.iter().enumerate() {
            let residual = layer.op.kind().residual().map(|node| read(&nodes, node));
            let (input, norms) = (read(&nodes, layer.input), self.parameters.norms());
            let output = self.layers[index].forward(&CandlePass { mode, input, residual, parameters: leaves, norms })?;
            statistics.extend(output.statistics);
            nodes.push(Some(output.value));
            for (node, _) in self.last_readers.iter().enumerate().filter(|&(_, &reader)| reader == index) {
                nodes[node] = None;
            }
        }
        let features = nodes.pop().flatten().unwrap_or_else(|| images.clone());
        let taps = self.architecture.taps.iter().map(|node| read(&nodes, *node).clone()).collect();
        Ok(ForwardResult { features, taps, statistics })
    }

    /// Moves the running statistics towards those of a batch: `0.9 · old + 0.1 · batch`, the variance unbiased (0 of a single value).
    fn update_running_stats(&mut self, statistics: &[(usize, BatchStatistics)]) -> Result<()> {
        for (norm, batch) in statistics {
            let norm = &mut self.parameters.norms_mut()[*norm];
            let unbiased = (batch.count as f64 / (batch.count as f64 - 1.0).max(1.0)) as f32;
            for (running, batch, factor) in [(&mut norm.mean, &batch.mean, 1.0), (&mut norm.var, &batch.var, unbiased)] {
                let batch = batch.to_vec1::<f32>()?;
                running.iter_mut().zip(batch).for_each(|(running, batch)| *running += MOMENTUM * (factor * batch - *running));
            }
        }
        self.parameters.count_batch();
        Ok(())
    }
}

impl Backbone for CandleNetwork {
    fn architecture(&self) -> &Architecture {
        &self.architecture
    }

    fn parameters(&self) -> &Parameters {
        &self.parameters
    }

    fn parameters_mut(&mut self) -> &mut Parameters {
        &mut self.parameters
    }

    fn set_taps(&mut self, names: &[String]) -> Result<()> {
        self.architecture = self.architecture.clone().with_taps(names)?;
        self.last_readers = last_readers(&self.architecture);
        (self.pending, self.taps) = (None, Vec::new());
        Ok(())
    }

    fn forward(&mut self, images: Images<'_>, mode: Mode) -> Result<&[f32]> {
        Ok(self.forward_with_taps(images, mode)?.features)
    }

    fn backward(&mut self, d_features: &[f32]) -> Result<()> {
        self.backward_with_taps(d_features, &[])
    }

    fn forward_with_taps(&mut self, images: Images<'_>, mode: Mode) -> Result<Activations<'_>> {
        self.pending = None;
        self.taps.clear();
        let layouts = self.architecture.layouts(images.size)?;
        let (rows, ImageSize { height, width, channels }) = (images.rows, images.size);
        let batch = Tensor::from_slice(images.data, (rows, height, width, channels), &self.device)?;
        let batch = expressions::nchw_from_nhwc(&batch, DType::F32)?;
        let leaves = self.leaves(DType::F32)?;
        match mode {
            Mode::Train => {
                let leaves = leaves.iter().map(Var::from_tensor).collect::<candle_core::Result<Vec<_>>>()?;
                let tensors: Vec<Tensor> = leaves.iter().map(|leaf| leaf.as_tensor().clone()).collect();
                let ForwardResult { features, taps, statistics } = self.run(&batch, &tensors, mode)?;
                self.update_running_stats(&statistics)?;
                self.features = features.flatten_all()?.to_vec1()?;
                for (tap, node) in taps.iter().zip(&self.architecture.taps) {
                    let nhwc = tap.permute((0, 2, 3, 1))?.flatten_all()?.to_vec1()?;
                    self.taps.push((layouts[*node], nhwc));
                }
                self.pending = Some(Pending { features, taps, leaves });
            }
            Mode::Eval => {
                let ForwardResult { features, .. } = self.run(&batch, &leaves, mode)?;
                self.features = features.flatten_all()?.to_vec1()?;
            }
        }
        let taps = self.taps.iter().map(|(layout, data)| Activation { data, layout: *layout }).collect();
        Ok(Activations { features: &self.features, taps })
    }

    fn backward_with_taps(&mut self, d_features: &[f32], d_taps: &[&[f32]]) -> Result<()> {
        let Pending { features, taps, leaves } = self.pending.take().ok_or(Error::NoForward)?;
        if d_features.len() != features.elem_count() {
            return Err(Error::Size {
                what: "gradient of the features",
                expected: format!("{:?} floats", features.dims()),
                got: format!("{} floats", d_features.len()),
            });
        }
        let d_features = Tensor::from_slice(d_features, features.shape(), &self.device)?;
        let layouts: Vec<Layout> = self.taps.iter().map(|tap| tap.0).collect();
        check_gradients(d_taps, d_features.dim(0)?, &layouts)?;
        let mut along = (features * d_features)?.sum_all()?;
        for ((tap, layout), d_tap) in taps.iter().zip(&layouts).zip(d_taps) {
            let d_tap = Tensor::from_slice(d_tap, (tap.dim(0)?, layout.height, layout.width, layout.channels), &self.device)?;
            along = (along + (tap * expressions::nchw_from_nhwc(&d_tap, DType::F32)?)?.sum_all()?)?;
        }
        let gradients = along.backward()?;
        for (spec, leaf) in self.parameters.specs().to_vec().iter().zip(&leaves) {
            let range = &mut self.parameters.gradients_mut()[spec.range.clone()];
            match gradients.get(leaf) {
                Some(gradient) => range.copy_from_slice(&gradient.flatten_all()?.to_vec1::<f32>()?),
                None => range.fill(0.0),
            }
        }
        Ok(())
    }
}

fn read(nodes: &[Option<Tensor>], node: Node) -> &Tensor {
    nodes[node].as_ref().expect("a node is kept until its last reader has run")
}

/// For each node, the last layer that reads it; taps, and nodes that nobody reads, are never dropped.
fn last_readers(architecture: &Architecture) -> Vec<usize> {
    let mut readers = vec![usize::MAX; architecture.layers.len() + 1];
    for (index, layer) in architecture.layers.iter().enumerate() {
        readers[layer.input] = index;
        if let Some(residual) = layer.op.kind().residual() {
            readers[residual] = index;
        }
    }
    architecture.taps.iter().for_each(|tap| readers[*tap] = usize::MAX);
    readers
}
