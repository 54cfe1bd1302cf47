//! The fused executor: a static plan of fused layers with an explicit forward and backward pass.
//!
//! The plan is compiled at the first batch of a size (or by [`Network::prepare`]) and holds every buffer; a batch that
//! is no larger, of the same sides, allocates nothing of its size. Results depend on weights, batch and instruction set
//! alone, never on the number of threads.

mod module;
mod plan;
mod slots;
#[cfg(test)]
mod tests;

use crate::tap::check_gradients;
use crate::{
    Activation, Activations, Architecture, Backbone, BackboneInfo, Error, ImageSize, Images, Mode, Parameters, Result, WeightFile,
};
use plan::NetworkPlan;
use relata_ops::{Buffers, Compute, Layout};
use std::path::Path;

/// A backbone run by fused kernels on the CPU.
#[derive(Debug)]
pub struct Network {
    architecture: Architecture,
    parameters: Parameters,
    compute: Compute,
    training: Option<NetworkPlan>,
    evaluation: Option<NetworkPlan>,
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
            let plan = NetworkPlan::compile(&self.architecture, &self.parameters, isa, rows, size, training, buffers)?;
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
        let plan = NetworkPlan::compile(architecture, &parameters, compute.isa(), rows, size, training, &mut buffers)?;
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
        let parameters = &mut self.parameters;
        self.compute.install(|| plan.backward(rows, d_features, &d_taps, parameters));
        Ok(())
    }
}
