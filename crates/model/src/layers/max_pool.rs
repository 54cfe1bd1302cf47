//! `MaxPool2d(3, 2, 1)`.

use super::kind::{BackwardPass, CandleLayer, CandleOutput, CandlePass, ForwardPass, FusedLayer, LayerKind, Site};
use crate::candle_net::expressions;
use crate::{Buffers, Layout, Parameters, Result};
use relata_ops::MaxPool;

/// The largest of 3 x 3 pixels at every second pixel, nothing beyond the edges.
#[derive(Debug, Clone, Copy)]
pub(super) struct MaxPool3x3;

/// With the index of each window's largest pixel, which the backward pass reads.
#[derive(Debug)]
struct FusedMaxPool {
    pool: MaxPool,
    winners: Vec<u8>,
}

impl LayerKind for MaxPool3x3 {
    fn output_sides(&self, height: usize, width: usize) -> Option<(usize, usize)> {
        Some((height.div_ceil(2), width.div_ceil(2)))
    }

    fn compile(&self, site: &Site<'_>, buffers: &mut Buffers) -> Result<Box<dyn FusedLayer>> {
        let pool = MaxPool::new(site.isa, site.input, site.output_halo)?;
        let winners = buffers.vec(site.rows * pool.output.pixels() * pool.output.channels);
        Ok(Box::new(FusedMaxPool { pool, winners }))
    }

    fn to_candle(&self, _: &Parameters) -> Result<Box<dyn CandleLayer>> {
        Ok(Box::new(*self))
    }
}

impl FusedLayer for FusedMaxPool {
    fn output(&self) -> Layout {
        self.pool.output
    }

    fn forward(&mut self, pass: ForwardPass<'_>) {
        self.pool.forward(pass.n, pass.input, pass.out, &mut self.winners);
    }

    fn backward(&mut self, pass: BackwardPass<'_>) {
        if let Some((d_in, _)) = pass.d_in {
            self.pool.gradient(pass.n, pass.d_out, &self.winners, d_in);
        }
    }
}

impl CandleLayer for MaxPool3x3 {
    fn forward(&self, pass: &CandlePass<'_>) -> Result<CandleOutput> {
        Ok(expressions::max_pool_3_2(pass.input)?.into())
    }
}
