//! Convolution, batch norm, residual, ReLU, and a pool behind them, as one layer.

use super::kind::{
    BackwardPass, CandleLayer, CandleOutput, CandlePass, ForwardPass, FusedLayer, LayerKind, Node, SharedMemory, Site,
};
use crate::candle_net::expressions;
use crate::images::Mode;
use crate::{Buffers, Error, Layout, ParameterKind, Parameters, ParametersMut, Result};
use candle_core::Tensor;
use relata_ops::{
    BackwardShape, BatchNormParams, Buffer, Conv2d, ConvSpec, Epilogue, GradientSource, Isa, Normalisation, RunningStats,
    chunk_count_at_most,
};
use std::ops::Range;

/// PyTorch's default for `BatchNorm2d`.
const NORM_EPS: f32 = 1e-5;
/// PyTorch's default for `BatchNorm2d`.
const NORM_MOMENTUM: f32 = 0.1;

/// `relu(batch_norm(conv(input)) + residual)`, where sum and ReLU are optional.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConvNorm {
    /// The convolution.
    pub conv: ConvSpec,
    /// State-dict prefix of the convolution: `{conv_name}.weight`.
    pub conv_name: String,
    /// State-dict prefix of the batch norm: `{norm_name}.weight`, `.bias`, `.running_mean`, `.running_var`.
    pub norm_name: String,
    /// A value of the output's shape that is added before the ReLU.
    pub residual: Option<Node>,
    /// Whether a ReLU follows.
    pub relu: bool,
}

#[derive(Debug)]
struct FusedConvNorm {
    isa: Isa,
    conv: Conv2d,
    epilogue: Epilogue,
    source: GradientSource,
    /// Layout of the output, behind the pool.
    output: Layout,
    has_residual: bool,
    relu: bool,
    /// Ranges of the flat parameters.
    weight: Range<usize>,
    norm_weight: Range<usize>,
    norm_bias: Range<usize>,
    /// Index of the running statistics.
    norm: usize,
    packed: Buffer,
    /// Empty where the input needs no gradient.
    packed_backward: Buffer,
    sums: Vec<f64>,
    normalisation: Normalisation,
    /// The convolution's output; in the backward pass its gradient overwrites it. Empty in a plan for evaluation,
    /// where all layers share one.
    z: Buffer,
}

/// Indices into the parameters' specs and norms.
#[derive(Debug)]
struct CandleConvNorm {
    conv: ConvSpec,
    relu: bool,
    conv_weight: usize,
    norm_weight: usize,
    norm_bias: usize,
    norm: usize,
}

impl ConvNorm {
    fn weight_shape(&self) -> [usize; 4] {
        let ConvSpec { channels_in, channels_out, kernel, .. } = self.conv;
        [channels_out, channels_in, kernel, kernel]
    }

    /// Indices of weight, batch norm's weight and bias among the specs, and of the running statistics.
    fn find(&self, parameters: &Parameters) -> Result<([usize; 3], usize)> {
        let channels = [self.conv.channels_out];
        let find = |name: String, shape: &[usize]| {
            let missing = || Error::MissingTensor { name: name.clone(), shape: shape.to_vec() };
            let index = parameters.specs().iter().position(|spec| spec.name == name).ok_or_else(missing)?;
            let found = &parameters.specs()[index].shape;
            if found != shape {
                return Err(Error::TensorShape { name: name.clone(), expected: shape.to_vec(), found: found.clone() });
            }
            Ok(index)
        };
        let specs = [
            find(format!("{}.weight", self.conv_name), &self.weight_shape())?,
            find(format!("{}.weight", self.norm_name), &channels)?,
            find(format!("{}.bias", self.norm_name), &channels)?,
        ];
        let missing = || Error::MissingTensor { name: format!("{}.running_mean", self.norm_name), shape: channels.to_vec() };
        let norm = parameters.norms().iter().position(|norm| norm.name == self.norm_name).ok_or_else(missing)?;
        Ok((specs, norm))
    }
}

impl LayerKind for ConvNorm {
    fn residual(&self) -> Option<Node> {
        self.residual
    }

    fn output_channels(&self, input: usize) -> std::result::Result<usize, String> {
        let ConvSpec { channels_in, channels_out, kernel, stride, .. } = self.conv;
        if [kernel, stride, channels_out].contains(&0) {
            return Err("has a kernel, a stride or an output of 0".to_owned());
        }
        if channels_in != input {
            return Err(format!("reads {channels_in} channels of {input}"));
        }
        Ok(channels_out)
    }

    fn output_sides(&self, height: usize, width: usize) -> Option<(usize, usize)> {
        self.conv.output_side(height).zip(self.conv.output_side(width))
    }

    fn names(&self) -> Vec<&str> {
        vec![&self.conv_name, &self.norm_name]
    }

    fn activation(&self) -> Option<&str> {
        Some(&self.norm_name)
    }

    fn add_parameters(&self, parameters: &mut Parameters) {
        parameters.add(format!("{}.weight", self.conv_name), &self.weight_shape(), ParameterKind::ConvWeight);
        parameters.add_norm(&self.norm_name, self.conv.channels_out);
    }

    fn padding(&self) -> usize {
        self.conv.padding
    }

    fn can_pool(&self) -> bool {
        self.residual.is_none()
    }

    fn compile(&self, site: &Site<'_>, buffers: &mut Buffers) -> Result<Box<dyn FusedLayer>> {
        let Site { isa, rows, training, input, pool, .. } = *site;
        let z_halo = if site.reads_images { 0 } else { Conv2d::gradient_halo(self.conv, input) };
        let conv = Conv2d::new(isa, self.conv, input, z_halo)?;
        let z = conv.output();
        let (height, width) = pool.output_sides(z.height, z.width);
        let output = Layout { height, width, channels: z.channels, halo: site.output_halo };
        let (specs, norm) = self.find(site.parameters)?;
        let [weight, norm_weight, norm_bias] = specs.map(|index| site.parameters.specs()[index].range.clone());
        let needs_gradient = training && !site.reads_images;
        Ok(Box::new(FusedConvNorm {
            isa,
            epilogue: Epilogue::new(isa, z, self.relu, pool, output)?,
            source: GradientSource { relu: self.relu && self.residual.is_none(), pool },
            output,
            has_residual: self.residual.is_some(),
            relu: self.relu,
            weight,
            norm_weight,
            norm_bias,
            norm,
            packed: buffers.zeros(conv.forward_packed_len()),
            packed_backward: buffers.zeros(if needs_gradient { conv.backward_packed_len() } else { 0 }),
            sums: buffers.vec(if training { chunk_count_at_most(rows) * 2 * z.channels } else { 0 }),
            normalisation: Normalisation::new(z.channels),
            z: buffers.zeros(if training { rows * z.image_len() } else { 0 }),
            conv,
        }))
    }

    fn to_candle(&self, parameters: &Parameters) -> Result<Box<dyn CandleLayer>> {
        let ([conv_weight, norm_weight, norm_bias], norm) = self.find(parameters)?;
        Ok(Box::new(CandleConvNorm { conv: self.conv, relu: self.relu, conv_weight, norm_weight, norm_bias, norm }))
    }
}

impl FusedLayer for FusedConvNorm {
    fn output(&self) -> Layout {
        self.output
    }

    fn shared_memory(&self, rows: usize) -> SharedMemory {
        SharedMemory {
            evaluation: rows * self.conv.output().image_len(),
            backward: (1..=rows).map(|n| self.conv.gradient_workspace_len(n)).max().unwrap_or(0),
            scratch: self.conv.scratch_len(),
        }
    }

    fn adds_to_gradient(&self) -> bool {
        true
    }

    fn skips_pixels(&self) -> bool {
        self.conv.spec().kernel < self.conv.spec().stride
    }

    fn forward(&mut self, pass: ForwardPass<'_>) {
        let ForwardPass { n, mode, input, residual, out, shared, parameters } = pass;
        let ParametersMut { values, norms, .. } = parameters.parts_mut();
        self.conv.pack_forward(&values[self.weight.clone()], &mut self.packed);
        let norm =
            BatchNormParams { weight: &values[self.norm_weight.clone()], bias: &values[self.norm_bias.clone()], eps: NORM_EPS };
        let buffers = &mut norms[self.norm];
        let z = match mode {
            Mode::Train => {
                self.conv.forward(n, input, &self.packed, &mut self.z, Some(&mut self.sums));
                let running = RunningStats { mean: &mut buffers.mean, var: &mut buffers.var, momentum: NORM_MOMENTUM };
                self.normalisation.from_batch(n, self.conv.output().pixels(), &self.sums, norm, running);
                &self.z[..]
            }
            Mode::Eval => {
                self.conv.forward(n, input, &self.packed, shared, None);
                self.normalisation.from_running(&buffers.mean, &buffers.var, norm);
                shared
            }
        };
        self.epilogue.forward(n, z, &self.normalisation, residual, out);
    }

    fn backward(&mut self, pass: BackwardPass<'_>) {
        let BackwardPass { n, input, out, d_out, d_in, workspace, parameters } = pass;
        let Self { conv, z, normalisation: norm, packed_backward: packed, .. } = self;
        let shape = BackwardShape { isa: self.isa, z: conv.output(), source: self.source };
        let cut_off = (self.has_residual && self.relu).then_some(out);
        let (values, gradients) = parameters.values_and_gradients_mut();
        // A batch norm's weight and bias lie one behind the other.
        let both = &mut gradients[self.norm_weight.start..self.norm_bias.end];
        let (d_weight, d_bias) = both.split_at_mut(self.norm_weight.len());
        shape.reduce(n, d_out, cut_off, z, norm, &mut self.sums, d_weight, d_bias);
        if d_in.is_some() {
            conv.pack_backward(&values[self.weight.clone()], packed);
        }
        let d_out_len = shape.gradient().image_len();
        let write = |first: usize, z: &mut [f32]| shape.write(&d_out[first * d_out_len..], z, norm);
        conv.backward(n, input, z, write, packed, d_in, workspace, &mut gradients[self.weight.clone()]);
    }
}

impl CandleLayer for CandleConvNorm {
    fn forward(&self, pass: &CandlePass<'_>) -> Result<CandleOutput> {
        let CandlePass { mode, input, residual, parameters, norms } = pass;
        let weight = parameters[self.conv_weight].permute((3, 2, 0, 1))?.contiguous()?;
        let (norm_weight, norm_bias) = (&parameters[self.norm_weight], &parameters[self.norm_bias]);
        let z = expressions::conv(input, &weight, self.conv)?;
        let (mut value, statistics) = match mode {
            Mode::Train => {
                let (output, batch) = expressions::batch_norm_train(&z, norm_weight, norm_bias)?;
                (output, Some((self.norm, batch)))
            }
            Mode::Eval => {
                let norm = &norms[self.norm];
                let tensor = |data: &[f32]| Tensor::new(data, input.device())?.to_dtype(input.dtype());
                let (mean, var) = (tensor(&norm.mean)?, tensor(&norm.var)?);
                (expressions::batch_norm_eval(&z, norm_weight, norm_bias, &mean, &var)?, None)
            }
        };
        if let Some(residual) = residual {
            value = (value + *residual)?;
        }
        if self.relu {
            value = expressions::relu(&value)?;
        }
        Ok(CandleOutput { value, statistics })
    }
}
