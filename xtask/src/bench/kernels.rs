//! Convolutions of every backbone's layers on one thread, as a share of what the processor can multiply and add at best, and
//! beside what reading and writing their images alone would take, both measured between them in the same run.

mod clock;
mod memory;

use anyhow::Result;
use relata_ops::{Buffer, Conv2d, ConvSpec, Isa, Layout, multiply_add_at_peak};
use serde::Serialize;

use clock::best_seconds;

/// Side, input channels, output channels, kernel, stride: the distinct layers of conv4, the small ResNets at 32 px and
/// resnet18 and 34 at 96 px.
const LAYERS: &[(usize, usize, usize, usize, usize)] = &[
    (32, 3, 8, 3, 1),
    (16, 8, 16, 3, 1),
    (8, 16, 32, 3, 1),
    (4, 32, 64, 3, 1),
    (32, 3, 16, 3, 1),
    (32, 16, 16, 3, 1),
    (32, 16, 32, 3, 2),
    (32, 16, 32, 1, 2),
    (16, 32, 32, 3, 1),
    (16, 32, 64, 3, 2),
    (16, 32, 64, 1, 2),
    (8, 64, 64, 3, 1),
    (96, 3, 64, 7, 2),
    (24, 64, 64, 3, 1),
    (24, 64, 128, 3, 2),
    (24, 64, 128, 1, 2),
    (12, 128, 128, 3, 1),
    (12, 128, 256, 3, 2),
    (12, 128, 256, 1, 2),
    (6, 256, 256, 3, 1),
    (6, 256, 512, 3, 2),
    (6, 256, 512, 1, 2),
    (3, 512, 512, 3, 1),
];

/// GFLOP/s of a layer's three convolutions.
#[derive(Debug, Clone, Copy, Serialize)]
pub(super) struct Rates {
    pub(super) forward: f64,
    /// None of a first layer, whose images need no gradient.
    pub(super) data_gradient: Option<f64>,
    pub(super) weight_gradient: f64,
}

/// One layer, each figure the best of several runs in every round.
#[derive(Debug, Serialize)]
pub(super) struct Kernel {
    pub(super) name: String,
    pub(super) channels_in: usize,
    pub(super) rates: Rates,
    /// What the convolutions would reach if nothing but the way of their images from and to memory took time; none where they
    /// stay in the cache.
    pub(super) memory_allows: Option<Rates>,
    /// GFLOP/s of multiply-adds in registers, measured beside it.
    pub(super) peak: f64,
}

#[derive(Debug, Serialize)]
pub(super) struct Kernels {
    pub(super) isa: String,
    /// Whether the images stay in the cache, where that can be.
    pub(super) cached: bool,
    pub(super) layers: Vec<Kernel>,
}

/// Of a batch, which comes from memory, or of a few images that stay in the cache.
///
/// All layers are gone through `rounds` times and the best of each counts: what a neighbour takes of the memory's rate in one
/// second, it often leaves in another.
pub(super) fn measure(isa: Isa, cached: bool, rounds: u32) -> Result<Kernels> {
    let pool = rayon::ThreadPoolBuilder::new().num_threads(1).build()?;
    let round = || LAYERS.iter().map(|layer| measure_layer(isa, cached, *layer)).collect::<Result<Vec<_>>>();
    let mut layers = pool.install(round)?;
    for _ in 1..rounds {
        layers = layers.into_iter().zip(pool.install(round)?).map(|(best, layer)| best.or_better(layer)).collect();
    }
    Ok(Kernels { isa: isa.to_string(), cached, layers })
}

impl Rates {
    /// The better of each.
    fn or_better(self, other: Self) -> Self {
        Self {
            forward: self.forward.max(other.forward),
            data_gradient: self.data_gradient.zip(other.data_gradient).map(|(a, b)| a.max(b)),
            weight_gradient: self.weight_gradient.max(other.weight_gradient),
        }
    }
}

impl Kernel {
    /// The better of two measurements of one layer, each of its figures for itself.
    fn or_better(self, other: Self) -> Self {
        Self {
            rates: self.rates.or_better(other.rates),
            memory_allows: self.memory_allows.zip(other.memory_allows).map(|(a, b)| a.or_better(b)),
            peak: self.peak.max(other.peak),
            ..self
        }
    }
}

fn measure_layer(
    isa: Isa,
    cached: bool,
    (side, channels_in, channels_out, kernel, stride): (usize, usize, usize, usize, usize),
) -> Result<Kernel> {
    let padding = kernel / 2;
    let spec = ConvSpec { channels_in, channels_out, kernel, stride, padding };
    let input_layout = Layout { height: side, width: side, channels: channels_in, halo: padding };
    let layer = Conv2d::new(isa, spec, input_layout, Conv2d::gradient_halo(spec, input_layout))?;
    let flops = spec.forward_flops(layer.output());
    let n = if cached { images_in_cache(&layer) } else { (400_000_000 / flops).clamp(64, 256) as usize };
    let mut input = Buffer::zeros(n * layer.input().image_len());
    input.fill(0.5);
    let mut output = Buffer::zeros(n * layer.output().image_len());
    let weights = vec![0.1; spec.weight_len()];
    let (mut forward, mut backward) = (Buffer::zeros(layer.forward_packed_len()), Buffer::zeros(layer.backward_packed_len()));
    layer.pack_forward(&weights, &mut forward);
    layer.pack_backward(&weights, &mut backward);
    let mut d_input = Buffer::zeros(n * side * side * channels_in);
    let mut workspace = Buffer::zeros(layer.gradient_workspace_len(n));
    let mut d_weights = weights;
    let work = (flops * n as u64) as f64 / 1e9;
    let before = peak(isa);
    let forward = work / best_seconds(|| layer.forward(n, &input, &forward, &mut output, None));
    // As a step runs it: a shortcut's gradient is added to that of the convolution beside it.
    let shortcut = kernel < stride;
    let data_gradient =
        (channels_in != 3).then(|| work / best_seconds(|| layer.data_gradient(n, &output, &backward, &mut d_input, shortcut)));
    let weight_gradient = work / best_seconds(|| layer.weight_gradient(n, &input, &output, &mut workspace, &mut d_weights));
    let rates = Rates { forward, data_gradient, weight_gradient };
    let memory_allows = (!cached).then(|| memory_allows(&layer, flops, shortcut, data_gradient.is_some()));
    let name = format!("{side} px, {kernel} x {kernel}, {channels_in} → {channels_out}, stride {stride}");
    Ok(Kernel { name, channels_in, rates, memory_allows, peak: before.max(peak(isa)) })
}

/// By the bytes that each convolution must read and write, weights apart, and the rates at which memory is read and written.
fn memory_allows(layer: &Conv2d, flops: u64, shortcut: bool, data_gradient: bool) -> Rates {
    let bytes = |layout: Layout| 4.0 * layout.image_len() as f64;
    let memory = memory::rates();
    // A shortcut looks at one pixel of the four that its stride steps over, and adds to its gradient.
    let input = if shortcut { bytes(layer.input()) / layer.spec().stride.pow(2) as f64 } else { bytes(layer.input()) };
    let output = bytes(layer.output());
    let rate = |read: f64, written: f64| flops as f64 / (read / memory.read + written / memory.written) / 1e9;
    Rates {
        forward: rate(input, output),
        data_gradient: data_gradient.then(|| rate(output + if shortcut { input } else { 0.0 }, input)),
        weight_gradient: rate(input + output, 0.0),
    }
}

/// Images whose input and output fill most of a second-level cache; where the weights alone are more, so many that the
/// weights' way through the cache is little beside the products.
fn images_in_cache(layer: &Conv2d) -> usize {
    const FLOATS: usize = 3 << 16;
    if layer.spec().weight_len() > FLOATS {
        64
    } else {
        (FLOATS / (layer.input().image_len() + layer.output().image_len())).max(1)
    }
}

/// GFLOP/s of multiply-adds that stay in registers.
fn peak(isa: Isa) -> f64 {
    let mut flops = 0;
    let seconds = best_seconds(|| flops = multiply_add_at_peak(isa, 500_000));
    flops as f64 / seconds / 1e9
}
