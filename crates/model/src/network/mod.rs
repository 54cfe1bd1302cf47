//! The fused executor: a static plan of fused layers with an explicit forward and backward pass.
//!
//! The plan is compiled at the first batch of a size (or by [`Network::prepare`]) and holds every buffer; a batch that
//! is no larger, of the same sides, allocates nothing of its size. Results depend on weights, batch and instruction set
//! alone, never on the number of threads.

mod module;
mod plan;
#[cfg(test)]
mod tests;

use crate::tap::check_gradients;
use crate::{
    Activation, Activations, Architecture, Backbone, BackboneInfo, Error, ImageSize, Images, Mode, Parameters, ParametersMut,
    Result, WeightFile,
};
use plan::{ConvNorm, Places, Plan, Step, StepKind, dense_len};
use rayon::prelude::*;
use relata_ops::{
    BackwardShape, BatchNormParams, Buffer, Buffers, Compute, Isa, Layout, RunningStats, global_average, global_average_gradient,
};
use std::mem::take;
use std::path::Path;

/// PyTorch's default for `BatchNorm2d`.
const NORM_EPS: f32 = 1e-5;
/// PyTorch's default for `BatchNorm2d`.
const NORM_MOMENTUM: f32 = 0.1;

/// A backbone run by fused kernels on the CPU.
#[derive(Debug)]
pub struct Network {
    architecture: Architecture,
    parameters: Parameters,
    compute: Compute,
    training: Option<Plan>,
    evaluation: Option<Plan>,
    /// Rows of the forward pass that a backward pass may follow.
    pending: Option<usize>,
}

impl Network {
    /// A net with freshly drawn weights.
    #[must_use]
    pub fn new(architecture: Architecture, seed: u64, compute: Compute) -> Self {
        let mut parameters = architecture.parameters();
        parameters.initialise(seed, 0);
        Self::unchecked(architecture, parameters, compute)
    }

    /// A net with given weights.
    ///
    /// # Errors
    /// [`Error::OtherParameters`] where they are not laid out as [`Architecture::parameters`] does.
    pub fn with_parameters(architecture: Architecture, parameters: Parameters, compute: Compute) -> Result<Self> {
        if !parameters.are_laid_out_as(&architecture.parameters()) {
            return Err(Error::OtherParameters { backbone: architecture.describe() });
        }
        Ok(Self::unchecked(architecture, parameters, compute))
    }

    /// A net out of a weight file that says what it is, and how the images were prepared that it was trained on: a run's
    /// checkpoint, or what `export` and `import` wrote.
    ///
    /// # Errors
    /// As [`WeightFile::read`] and [`WeightFile::load_into`]; [`Error::Weights`] around [`Error::Metadata`] where the file does not
    /// say what it is.
    pub fn load(path: impl AsRef<Path>, compute: Compute) -> Result<(Self, BackboneInfo)> {
        let file = WeightFile::read(path)?;
        let info = file.expect_backbone_info()?;
        let architecture = info.architecture();
        let mut parameters = architecture.parameters();
        file.load_into(None, &mut parameters)?;
        Ok((Self::unchecked(architecture, parameters, compute), info))
    }

    fn unchecked(architecture: Architecture, parameters: Parameters, compute: Compute) -> Self {
        Self { architecture, parameters, compute, training: None, evaluation: None, pending: None }
    }

    /// Compiles the plan for batches of up to `rows` images of `size`, so that the first batch does not have to.
    ///
    /// # Errors
    /// Where the images are too small for the net or of other channels, or its list of layers cannot be run.
    pub fn prepare(&mut self, rows: usize, size: ImageSize, mode: Mode) -> Result<()> {
        let slot = match mode {
            Mode::Train => &mut self.training,
            Mode::Eval => &mut self.evaluation,
        };
        let fits = slot.as_ref().is_some_and(|plan| plan.rows >= rows && plan.size == size);
        if !fits {
            *slot = None;
            if mode == Mode::Train {
                self.pending = None;
            }
            let isa = self.compute.isa();
            let training = mode == Mode::Train;
            let buffers = &mut Buffers::allocated();
            let plan = Plan::compile(&self.architecture, &self.parameters, isa, rows, size, training, buffers)?;
            self.compute.reserve_scratch(plan.scratch);
            *slot = Some(plan);
        }
        Ok(())
    }

    /// Bytes that [`Network::prepare`] would take for such a net and batches of `rows` images of `size`: activations, gradients, packed weights,
    /// workspaces.
    ///
    /// # Errors
    /// As [`Network::prepare`].
    pub fn plan_bytes(architecture: &Architecture, compute: &Compute, rows: usize, size: ImageSize, mode: Mode) -> Result<usize> {
        let training = mode == Mode::Train;
        let mut buffers = Buffers::counted();
        let parameters = architecture.parameters_in(&buffers);
        let plan = Plan::compile(architecture, &parameters, compute.isa(), rows, size, training, &mut buffers)?;
        Ok(buffers.bytes() + compute.threads() * size_of::<f32>() * plan.scratch)
    }

    /// The threads that it runs on.
    #[must_use]
    pub fn compute(&self) -> &Compute {
        &self.compute
    }
}

impl Backbone for Network {
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
        (self.training, self.pending) = (None, None);
        Ok(())
    }

    fn forward(&mut self, images: Images<'_>, mode: Mode) -> Result<&[f32]> {
        Ok(self.forward_with_taps(images, mode)?.features)
    }

    fn backward(&mut self, d_features: &[f32]) -> Result<()> {
        self.backward_with_taps(d_features, &[])
    }

    fn forward_with_taps(&mut self, images: Images<'_>, mode: Mode) -> Result<Activations<'_>> {
        self.prepare(images.rows, images.size, mode)?;
        self.pending = None;
        let plan = match mode {
            Mode::Train => self.training.as_mut(),
            Mode::Eval => self.evaluation.as_mut(),
        };
        let plan = plan.expect("prepare has compiled it");
        let parameters = &mut self.parameters;
        self.compute.install(|| plan.forward(images, parameters, mode));
        if mode == Mode::Train {
            self.parameters.count_batch();
            self.pending = Some(images.rows);
        }
        let features = &plan.activation(self.architecture.layers.len())[..images.rows * self.architecture.width];
        let tap = |node: &usize| {
            let layout = plan.layouts[*node];
            Activation { data: &plan.activation(*node)[..images.rows * layout.image_len()], layout }
        };
        let taps = if mode == Mode::Train { self.architecture.taps.iter().map(tap).collect() } else { Vec::new() };
        Ok(Activations { features, taps })
    }

    fn backward_with_taps(&mut self, d_features: &[f32], d_taps: &[&[f32]]) -> Result<()> {
        let rows = self.pending.take().ok_or(Error::NoForward)?;
        let expected = rows * self.architecture.width;
        if d_features.len() != expected {
            return Err(Error::Size {
                what: "features' gradient",
                expected: format!("{expected} floats"),
                got: format!("{} floats", d_features.len()),
            });
        }
        let plan = self.training.as_mut().ok_or(Error::NoForward)?;
        let taps = &self.architecture.taps;
        let layouts: Vec<Layout> = taps.iter().map(|node| plan.layouts[*node]).collect();
        check_gradients(d_taps, rows, &layouts)?;
        let d_taps: Vec<(usize, &[f32])> = taps.iter().copied().zip(d_taps.iter().copied()).collect();
        let (parameters, isa) = (&mut self.parameters, self.compute.isa());
        self.compute.install(|| plan.backward(rows, d_features, &d_taps, parameters, isa));
        Ok(())
    }
}

impl Plan {
    fn forward(&mut self, images: Images<'_>, parameters: &mut Parameters, mode: Mode) {
        self.take_images(images);
        let n = images.rows;
        let Places { of_node, shared } = &self.places;
        for step in &mut self.steps {
            let place = of_node[step.output];
            let mut out = take(&mut self.activations[place]);
            let (input, layout) = (&self.activations[of_node[step.input]], self.layouts[step.input]);
            match &mut step.kind {
                StepKind::ConvNorm(layer) => {
                    let residual = layer.residual.map(|node| (&self.activations[of_node[node]][..], self.layouts[node]));
                    layer.forward(n, input, residual, &mut out, &mut self.shared_z, parameters, mode);
                }
                StepKind::MaxPool { pool, winners } => pool.forward(n, input, &mut out, winners),
                StepKind::AveragePool(pool) => pool.forward(n, input, &mut out),
                StepKind::GlobalAverage => global_average(n, input, layout, &mut out),
            }
            if shared[place] {
                self.layouts[step.output].clear_halo(n, &mut out);
            }
            self.activations[place] = out;
        }
    }

    /// Copies the batch into node 0, which has a halo.
    fn take_images(&mut self, images: Images<'_>) {
        let layout = self.layouts[0];
        let row = images.size.width * images.size.channels;
        let place = self.places.of_node[0];
        let to = &mut self.activations[place];
        if self.places.shared[place] {
            layout.clear_halo(images.rows, to);
        }
        for (image, from) in images.data.chunks_exact(images.size.len()).enumerate() {
            let to = &mut to[image * layout.image_len()..][..layout.image_len()];
            for (y, from) in from.chunks_exact(row).enumerate() {
                to[layout.row(y)].copy_from_slice(from);
            }
        }
    }

    fn backward(&mut self, n: usize, d_features: &[f32], d_taps: &[(usize, &[f32])], parameters: &mut Parameters, isa: Isa) {
        let slot = |node: usize| self.gradient_slots[node].expect("every value's gradient has a place");
        self.gradients[slot(self.layouts.len() - 1)][..d_features.len()].copy_from_slice(d_features);
        // A value that several layers read has its gradient written by the last of them and added to by the others.
        self.written.fill(false);
        for Step { input, output, kind } in self.steps.iter_mut().rev() {
            let mut d_out = take(&mut self.gradients[slot(*output)]);
            // All that reads the value has given its part by now.
            for (_, d_tap) in d_taps.iter().filter(|(node, _)| node == output) {
                add(&mut d_out[..d_tap.len()], d_tap);
            }
            match kind {
                StepKind::ConvNorm(layer) => {
                    let out = (&self.activations[self.places.of_node[*output]][..], self.layouts[*output]);
                    let mut d_in = if *input == 0 { Buffer::default() } else { take(&mut self.gradients[slot(*input)]) };
                    let to = (*input != 0).then_some((&mut d_in[..], self.written[*input]));
                    layer.backward(
                        n,
                        &self.activations[self.places.of_node[*input]],
                        &mut d_out,
                        out,
                        to,
                        &mut self.workspace,
                        parameters,
                        isa,
                    );
                    if *input != 0 {
                        self.gradients[slot(*input)] = d_in;
                    }
                    self.written[*input] = true;
                    // Handed on as it is, where the plan could arrange that; images need none.
                    if let Some(residual) = layer.residual.filter(|&residual| residual != 0) {
                        if slot(residual) != slot(*output) {
                            let d_residual = &mut self.gradients[slot(residual)];
                            let len = dense_len(n, self.layouts[residual]);
                            let (to, from) = (&mut d_residual[..len], &d_out[..len]);
                            if self.written[residual] { add(to, from) } else { to.copy_from_slice(from) }
                        }
                        self.written[residual] = true;
                    }
                    self.gradients[slot(*output)] = d_out;
                }
                StepKind::MaxPool { pool, winners } => {
                    pool.gradient(n, &d_out, winners, &mut self.gradients[slot(*input)]);
                    self.gradients[slot(*output)] = d_out;
                }
                StepKind::AveragePool(pool) => {
                    pool.gradient(n, &d_out, &mut self.gradients[slot(*input)]);
                    self.gradients[slot(*output)] = d_out;
                }
                StepKind::GlobalAverage => {
                    let Layout { channels, .. } = self.layouts[*input];
                    let pixels = self.layouts[*input].pixels();
                    global_average_gradient(n, &d_out, pixels, channels, &mut self.gradients[slot(*input)]);
                    self.gradients[slot(*output)] = d_out;
                }
            }
            self.written[*input] = true;
        }
    }
}

/// `to += from`.
fn add(to: &mut [f32], from: &[f32]) {
    const AT_ONCE: usize = 1 << 14;
    to.par_chunks_mut(AT_ONCE).zip(from.par_chunks(AT_ONCE)).for_each(|(to, from)| {
        to.iter_mut().zip(from).for_each(|(to, from)| *to += from);
    });
}

impl ConvNorm {
    fn forward(
        &mut self,
        n: usize,
        input: &[f32],
        residual: Option<(&[f32], Layout)>,
        out: &mut [f32],
        shared_z: &mut [f32],
        parameters: &mut Parameters,
        mode: Mode,
    ) {
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
                self.conv.forward(n, input, &self.packed, shared_z, None);
                self.normalisation.from_running(&buffers.mean, &buffers.var, norm);
                shared_z
            }
        };
        self.epilogue.forward(n, z, &self.normalisation, residual, out);
    }

    /// From the gradient of the layer's output, `d_out`, to that of its input, added to `d_in` where its flag says so, and
    /// those of its parameters. The gradient of the convolution's output takes the place of z. With a residual, `d_out`
    /// becomes the residual's gradient.
    fn backward(
        &mut self,
        n: usize,
        input: &[f32],
        d_out: &mut [f32],
        out: (&[f32], Layout),
        d_in: Option<(&mut [f32], bool)>,
        workspace: &mut [f32],
        parameters: &mut Parameters,
        isa: Isa,
    ) {
        let Self { conv, z, normalisation: norm, packed_backward: packed, .. } = self;
        let shape = BackwardShape { isa, z: conv.output(), source: self.source };
        let cut_off = (self.residual.is_some() && self.relu).then_some(out);
        // A batch norm's weight and bias lie one behind the other.
        let (values, gradients) = parameters.values_and_gradients_mut();
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
