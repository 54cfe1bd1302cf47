//! What both executors have to know of a kind of layer.

use crate::candle_net::expressions::BatchStatistics;
use crate::images::Mode;
use crate::{Buffers, Layout, NormBuffers, Parameters, Result};
use candle_core::Tensor;
use relata_ops::{Isa, Pool};
use std::fmt::Debug;

/// A value in the net: 0 is the images, `i + 1` what layer `i` gives.
pub type Node = usize;

/// One kind of layer: its shapes and parameters, and how each executor gets a layer of it that runs.
///
/// Every kind is one file of `layers`, and one variant of [`super::Op`]. Nothing else in the crate knows the kinds apart.
pub(crate) trait LayerKind {
    /// A value that the layer reads beside its input.
    fn residual(&self) -> Option<Node> {
        None
    }

    /// Channels of the output for `input` channels; a sentence behind "layer 3" where the layer cannot be.
    fn output_channels(&self, input: usize) -> std::result::Result<usize, String> {
        Ok(input)
    }

    /// Height and width of the output; `None` where the input is too small.
    fn output_sides(&self, height: usize, width: usize) -> Option<(usize, usize)>;

    /// State-dict prefixes, which no other layer may have.
    fn names(&self) -> Vec<&str> {
        Vec::new()
    }

    /// The name by which the output can be tapped.
    fn activation(&self) -> Option<&str> {
        None
    }

    /// Whether the output is a row of features, so that the layer may stand last.
    fn gives_features(&self) -> bool {
        false
    }

    /// Adds the layer's parameters to those of the layers before it.
    fn add_parameters(&self, _parameters: &mut Parameters) {}

    /// Rows and columns of zeros that the layer reads around its input.
    fn padding(&self) -> usize {
        0
    }

    /// What the layer is to a layer in front of it that can pool its own output; [`Pool::None`] where it is no pool.
    fn as_pool(&self) -> Pool {
        Pool::None
    }

    /// Whether the layer can pool its own output, as a pool behind it says.
    fn can_pool(&self) -> bool {
        false
    }

    /// The layer with the buffers that the fused executor runs it on.
    ///
    /// # Errors
    /// Where the fused executor has no way to run it there.
    fn compile(&self, site: &Site<'_>, buffers: &mut Buffers) -> Result<Box<dyn FusedLayer>>;

    /// The layer as candle runs it, for parameters laid out as [`LayerKind::add_parameters`] does.
    ///
    /// # Errors
    /// Where `parameters` lack one of the layer's, or have it in another shape.
    fn to_candle(&self, parameters: &Parameters) -> Result<Box<dyn CandleLayer>>;
}

/// Where a layer stands in a plan of the fused executor.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Site<'a> {
    pub(crate) isa: Isa,
    /// The most images of a batch.
    pub(crate) rows: usize,
    /// Whether a backward pass may follow.
    pub(crate) training: bool,
    /// The net's.
    pub(crate) parameters: &'a Parameters,
    pub(crate) input: Layout,
    /// Whether the input is the images, which need no gradient.
    pub(crate) reads_images: bool,
    /// Whether the input is a tap that no other layer reads.
    pub(crate) reads_tap: bool,
    /// The halo that the layers behind need.
    pub(crate) output_halo: usize,
    /// The pool that the layer does in the same pass.
    pub(crate) pool: Pool,
}

/// A layer with its buffers, as the fused executor runs it.
pub(crate) trait FusedLayer: Debug + Send {
    /// Layout of the output.
    fn output(&self) -> Layout;

    /// Memory that the layer uses, and shares with the others.
    fn shared_memory(&self, _rows: usize) -> SharedMemory {
        SharedMemory::default()
    }

    /// Fills the output.
    fn forward(&mut self, pass: ForwardPass<'_>);

    /// Fills the gradients of the input and of the layer's parameters.
    fn backward(&mut self, pass: BackwardPass<'_>);

    /// Whether the backward pass can add to the input's gradient; a layer that cannot writes it.
    fn adds_to_gradient(&self) -> bool {
        false
    }

    /// Whether the input's gradient is zero at most pixels, because the windows leave them out.
    fn skips_pixels(&self) -> bool {
        false
    }
}

/// Lengths in floats of what the layers of a plan share: each length is the longest that a layer needs.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct SharedMemory {
    /// For a layer's output before its batch norm, in evaluation.
    pub(crate) evaluation: usize,
    /// For a backward pass.
    pub(crate) backward: usize,
    /// For each thread.
    pub(crate) scratch: usize,
}

/// What a layer reads and writes in a forward pass of the fused executor.
pub(crate) struct ForwardPass<'a> {
    /// Images in the batch.
    pub(crate) n: usize,
    pub(crate) mode: Mode,
    pub(crate) input: &'a [f32],
    pub(crate) residual: Option<(&'a [f32], Layout)>,
    pub(crate) out: &'a mut [f32],
    /// As long as [`SharedMemory::evaluation`]; empty in training.
    pub(crate) shared: &'a mut [f32],
    pub(crate) parameters: &'a mut Parameters,
}

/// What a layer reads and writes in a backward pass of the fused executor.
pub(crate) struct BackwardPass<'a> {
    /// Images in the batch.
    pub(crate) n: usize,
    pub(crate) input: &'a [f32],
    /// The layer's output, as the forward pass left it.
    pub(crate) out: (&'a [f32], Layout),
    /// The output's gradient. A layer with a residual leaves the residual's gradient here.
    pub(crate) d_out: &'a mut [f32],
    /// The input's gradient, and whether to add to it; `None` for the images.
    pub(crate) d_in: Option<(&'a mut [f32], bool)>,
    /// As long as [`SharedMemory::backward`].
    pub(crate) workspace: &'a mut [f32],
    pub(crate) parameters: &'a mut Parameters,
}

/// A layer as the candle executor runs it.
pub(crate) trait CandleLayer: Debug + Send {
    /// The output, and in training the statistics that a batch norm took of the batch.
    ///
    /// # Errors
    /// Where candle fails.
    fn forward(&self, pass: &CandlePass<'_>) -> Result<CandleOutput>;
}

/// What a layer gives in a forward pass of the candle executor.
pub(crate) struct CandleOutput {
    /// `[N, C, H, W]`; `[N, C]` of features.
    pub(crate) value: Tensor,
    /// In training, of the layer's batch norm: the index of its running statistics, and the batch's own.
    pub(crate) statistics: Option<(usize, BatchStatistics)>,
}

impl From<Tensor> for CandleOutput {
    fn from(value: Tensor) -> Self {
        Self { value, statistics: None }
    }
}

/// What a layer reads in a forward pass of the candle executor.
pub(crate) struct CandlePass<'a> {
    pub(crate) mode: Mode,
    /// `[N, C, H, W]`.
    pub(crate) input: &'a Tensor,
    pub(crate) residual: Option<&'a Tensor>,
    /// Every parameter of the net in its order, `[k, k, C_in, C_out]` for convolutions.
    pub(crate) parameters: &'a [Tensor],
    pub(crate) norms: &'a [NormBuffers],
}
