//! A net compiled for one batch size and one image size: every buffer sized, every value and gradient given a buffer.

use super::slots::{Activations, Gradients, Use, dense_len};
use crate::images::{Images, Mode};
use crate::layers::{BackwardPass, ForwardPass, FusedLayer, Layer, Node, Site};
use crate::{Architecture, Buffers, ImageSize, Layout, Parameters, Result};
use rayon::prelude::*;
use relata_ops::{Buffer, Isa, Pool};
use std::mem::take;

/// One layer of a plan, and the values that it reads and gives.
#[derive(Debug)]
struct Step {
    input: Node,
    residual: Option<Node>,
    output: Node,
    layer: Box<dyn FusedLayer>,
}

impl Step {
    fn memory_use(&self) -> Use {
        let Self { input, residual, output, ref layer } = *self;
        Use { input, residual, output, adds_to_gradient: layer.adds_to_gradient() }
    }
}

/// A net compiled for at most `rows` images of one size.
#[derive(Debug)]
pub(super) struct NetworkPlan {
    /// Floats of scratch that each thread uses.
    pub(super) scratch: usize,
    pub(super) rows: usize,
    pub(super) size: ImageSize,
    pub(super) layouts: Vec<Layout>,
    steps: Vec<Step>,
    activations: Activations,
    gradients: Gradients,
    /// Of a backward pass.
    workspace: Buffer,
    /// Of an evaluation pass.
    shared: Buffer,
}

impl NetworkPlan {
    pub(super) fn compile(
        architecture: &Architecture,
        parameters: &Parameters,
        isa: Isa,
        rows: usize,
        size: ImageSize,
        training: bool,
        buffers: &mut Buffers,
    ) -> Result<Self> {
        // Says what does not fit by the layer's number; what follows would say it of a kernel.
        architecture.layouts(size)?;
        let (steps, layouts) = compile_steps(architecture, parameters, isa, rows, size, training, buffers)?;
        let uses: Vec<Use> = steps.iter().map(Step::memory_use).collect();
        let activations = Activations::new(&uses, &layouts, rows, training, buffers);
        let shared: Vec<_> = steps.iter().map(|step| step.layer.shared_memory(rows)).collect();
        let longest = |len: fn(&_) -> usize| shared.iter().map(len).max().unwrap_or(0);
        let workspace = buffers.zeros(if training { longest(|memory| memory.backward) } else { 0 });
        let evaluation = buffers.zeros(if training { 0 } else { longest(|memory| memory.evaluation) });
        let gradients = if training { Gradients::new(&uses, &layouts, rows, buffers)? } else { Gradients::none() };
        let scratch = longest(|memory| memory.scratch);
        Ok(Self { scratch, rows, size, layouts, steps, activations, gradients, workspace, shared: evaluation })
    }

    /// A value of the last forward pass.
    pub(super) fn activation(&self, node: Node) -> &Buffer {
        self.activations.of(node)
    }

    pub(super) fn forward(&mut self, images: Images<'_>, parameters: &mut Parameters, mode: Mode) {
        self.take_images(images);
        let n = images.rows;
        let Self { activations, layouts, steps, shared, .. } = self;
        for Step { input, residual, output, layer } in steps {
            let slot = activations.slot(*output);
            let mut out = take(&mut activations.buffers[slot]);
            layer.forward(ForwardPass {
                n,
                mode,
                input: activations.of(*input),
                residual: residual.map(|node| (&activations.of(node)[..], layouts[node])),
                out: &mut out,
                shared,
                parameters,
            });
            if activations.is_shared(*output) {
                layouts[*output].clear_halo(n, &mut out);
            }
            activations.buffers[slot] = out;
        }
    }

    /// Copies the batch into value 0, which has a halo.
    fn take_images(&mut self, images: Images<'_>) {
        let layout = self.layouts[0];
        let row = images.size.width * images.size.channels;
        let shared = self.activations.is_shared(0);
        let slot = self.activations.slot(0);
        let to = &mut self.activations.buffers[slot];
        if shared {
            layout.clear_halo(images.rows, to);
        }
        for (image, from) in images.data.chunks_exact(images.size.len()).enumerate() {
            let to = &mut to[image * layout.image_len()..][..layout.image_len()];
            for (y, from) in from.chunks_exact(row).enumerate() {
                to[layout.row(y)].copy_from_slice(from);
            }
        }
    }

    pub(super) fn backward(&mut self, n: usize, d_features: &[f32], d_taps: &[(Node, &[f32])], parameters: &mut Parameters) {
        let Self { activations, gradients, layouts, steps, workspace, .. } = self;
        let features = gradients.slot(layouts.len() - 1);
        gradients.buffers[features][..d_features.len()].copy_from_slice(d_features);
        // A value that several layers read has its gradient written by the last of them and added to by the others.
        gradients.written.fill(false);
        for Step { input, residual, output, layer } in steps.iter_mut().rev() {
            let (slot, input_slot) = (gradients.slot(*output), (*input != 0).then(|| gradients.slot(*input)));
            let mut d_out = take(&mut gradients.buffers[slot]);
            // All layers that read the value have given their part by now.
            for (_, d_tap) in d_taps.iter().filter(|(node, _)| node == output) {
                add(&mut d_out[..d_tap.len()], d_tap);
            }
            let mut d_in = input_slot.map(|slot| take(&mut gradients.buffers[slot]));
            layer.backward(BackwardPass {
                n,
                input: activations.of(*input),
                out: (activations.of(*output), layouts[*output]),
                d_out: &mut d_out,
                d_in: d_in.as_mut().map(|d_in| (&mut d_in[..], gradients.written[*input])),
                workspace,
                parameters,
            });
            if let (Some(slot), Some(d_in)) = (input_slot, d_in) {
                gradients.buffers[slot] = d_in;
            }
            gradients.written[*input] = true;
            // The images need no gradient; others have it handed on as it is, where the plan could arrange that.
            if let Some(residual) = residual.filter(|&residual| residual != 0) {
                let residual_slot = gradients.slot(residual);
                if residual_slot != slot {
                    let len = dense_len(n, layouts[residual]);
                    let (to, from) = (&mut gradients.buffers[residual_slot][..len], &d_out[..len]);
                    if gradients.written[residual] { add(to, from) } else { to.copy_from_slice(from) }
                }
                gradients.written[residual] = true;
            }
            gradients.buffers[slot] = d_out;
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

/// The layers in the order in which they run, pools fused, and the layout of every value.
fn compile_steps(
    architecture: &Architecture,
    parameters: &Parameters,
    isa: Isa,
    rows: usize,
    size: ImageSize,
    training: bool,
    buffers: &mut Buffers,
) -> Result<(Vec<Step>, Vec<Layout>)> {
    let layers = &architecture.layers;
    // Nobody reads a tap of an evaluation pass: pools are fused there.
    let taps = if training { &architecture.taps[..] } else { &[] };
    let halos = halos(layers);
    let ImageSize { height, width, channels } = size;
    let mut layouts = vec![Layout { height, width, channels, halo: halos[0] }; layers.len() + 1];
    let mut steps: Vec<Step> = Vec::new();
    let mut index = 0;
    while index < layers.len() {
        let Layer { input, ref op } = layers[index];
        let pool = fused_pool(layers, index, taps);
        let output = index + if pool == Pool::None { 1 } else { 2 };
        let site = Site {
            isa,
            rows,
            training,
            parameters,
            input: layouts[input],
            reads_images: input == 0,
            reads_tap: taps.contains(&input) && readers(layers, input) == 1,
            output_halo: halos[output],
            pool,
        };
        let layer = op.kind().compile(&site, buffers)?;
        layouts[output] = layer.output();
        let (residual, skips_pixels) = (op.kind().residual(), layer.skips_pixels());
        steps.push(Step { input, residual, output, layer });
        index = output;
        let last_two = steps.len().saturating_sub(2)..;
        if let [before, _] = &steps[last_two.clone()]
            && before.input == input
            && residual != Some(before.output)
            && skips_pixels
        {
            // A shortcut's data gradient is zero at most pixels. It goes before its neighbour, so that in the backward pass it
            // comes after it, and is added to the few pixels that it reaches rather than written to all.
            steps[last_two].reverse();
        }
    }
    Ok((steps, layouts))
}

/// The pool behind layer `index` that can be done in the same pass: it is next in the list, and alone in reading it, taps included.
fn fused_pool(layers: &[Layer], index: usize, taps: &[Node]) -> Pool {
    let node = index + 1;
    let fused = |next: &&Layer| {
        layers[index].op.kind().can_pool() && next.input == node && readers(layers, node) == 1 && !taps.contains(&node)
    };
    layers.get(index + 1).filter(fused).map_or(Pool::None, |next| next.op.kind().as_pool())
}

fn readers(layers: &[Layer], node: Node) -> usize {
    layers.iter().filter(|layer| layer.reads(node)).count()
}

/// The halo that each value needs: the widest padding of the layers that read it.
fn halos(layers: &[Layer]) -> Vec<usize> {
    let mut halos = vec![0; layers.len() + 1];
    for layer in layers {
        halos[layer.input] = halos[layer.input].max(layer.op.kind().padding());
    }
    halos
}
