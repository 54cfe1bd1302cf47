//! `AvgPool2d(2)`. Behind a convolution it is done by that layer; on its own it stands behind a tap.

use super::kind::{BackwardPass, CandleLayer, CandleOutput, CandlePass, ForwardPass, FusedLayer, LayerKind, Site};
use crate::candle_net::expressions;
use crate::{Buffers, Error, Layout, Parameters, Result};
use relata_ops::{AveragePool, Pool};

/// Means of 2 x 2 pixels; an odd last row or column is left out.
#[derive(Debug, Clone, Copy)]
pub(super) struct AveragePool2;

impl LayerKind for AveragePool2 {
    fn output_sides(&self, height: usize, width: usize) -> Option<(usize, usize)> {
        Some((height / 2, width / 2))
    }

    fn as_pool(&self) -> Pool {
        Pool::Average2
    }

    fn compile(&self, site: &Site<'_>, _: &mut Buffers) -> Result<Box<dyn FusedLayer>> {
        if !site.reads_tap {
            return Err(Error::Unsupported { what: "an average pool that does not follow a convolution of its own".to_owned() });
        }
        Ok(Box::new(AveragePool::new(site.isa, site.input, site.output_halo)?))
    }

    fn to_candle(&self, _: &Parameters) -> Result<Box<dyn CandleLayer>> {
        Ok(Box::new(*self))
    }
}

impl FusedLayer for AveragePool {
    fn output(&self) -> Layout {
        self.output
    }

    fn forward(&mut self, pass: ForwardPass<'_>) {
        AveragePool::forward(self, pass.n, pass.input, pass.out);
    }

    fn backward(&mut self, pass: BackwardPass<'_>) {
        if let Some((d_in, _)) = pass.d_in {
            self.gradient(pass.n, pass.d_out, d_in);
        }
    }
}

impl CandleLayer for AveragePool2 {
    fn forward(&self, pass: &CandlePass<'_>) -> Result<CandleOutput> {
        Ok(expressions::average_pool_2(pass.input)?.into())
    }
}
