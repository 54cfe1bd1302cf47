//! `AdaptiveAvgPool2d(1)` and flatten: the features.

use super::kind::{BackwardPass, CandleLayer, CandleOutput, CandlePass, ForwardPass, FusedLayer, LayerKind, Site};
use crate::candle_net::expressions;
use crate::{Buffers, Layout, Parameters, Result};
use relata_ops::{Pool, global_average, global_average_gradient};

/// The mean of all pixels, channel by channel.
#[derive(Debug, Clone, Copy)]
pub(super) struct GlobalAverage;

#[derive(Debug)]
struct FusedGlobalAverage {
    input: Layout,
}

impl LayerKind for GlobalAverage {
    fn output_sides(&self, _: usize, _: usize) -> Option<(usize, usize)> {
        Some((1, 1))
    }

    fn gives_features(&self) -> bool {
        true
    }

    fn as_pool(&self) -> Pool {
        Pool::Global
    }

    fn compile(&self, site: &Site<'_>, _: &mut Buffers) -> Result<Box<dyn FusedLayer>> {
        Ok(Box::new(FusedGlobalAverage { input: site.input }))
    }

    fn to_candle(&self, _: &Parameters) -> Result<Box<dyn CandleLayer>> {
        Ok(Box::new(*self))
    }
}

impl FusedLayer for FusedGlobalAverage {
    fn output(&self) -> Layout {
        Layout::dense(1, 1, self.input.channels)
    }

    fn forward(&mut self, pass: ForwardPass<'_>) {
        global_average(pass.n, pass.input, self.input, pass.out);
    }

    fn backward(&mut self, pass: BackwardPass<'_>) {
        if let Some((d_in, _)) = pass.d_in {
            global_average_gradient(pass.n, pass.d_out, self.input.pixels(), self.input.channels, d_in);
        }
    }
}

impl CandleLayer for GlobalAverage {
    fn forward(&self, pass: &CandlePass<'_>) -> Result<CandleOutput> {
        Ok(expressions::global_average(pass.input)?.into())
    }
}
