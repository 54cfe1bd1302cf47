//! A net compiled for one batch size and one image size: every buffer sized, every gradient given its place.

use crate::{Architecture, Error, ImageSize, Layer, Node, Op, Parameters, Result};
use relata_ops::{
    AveragePool, Buffer, Buffers, Conv2d, Epilogue, GradientSource, Isa, Layout, MaxPool, Normalisation, Pool,
    chunk_count_at_most,
};
use std::ops::Range;

/// One fused step of a plan.
#[derive(Debug)]
pub(super) struct Step {
    pub(super) input: Node,
    pub(super) output: Node,
    pub(super) kind: StepKind,
}

impl Step {
    /// The nodes that it reads.
    fn reads(&self) -> impl Iterator<Item = Node> {
        let residual = match &self.kind {
            StepKind::ConvNorm(layer) => layer.residual,
            _ => None,
        };
        std::iter::once(self.input).chain(residual)
    }
}

#[derive(Debug)]
pub(super) enum StepKind {
    ConvNorm(Box<ConvNorm>),
    MaxPool { pool: MaxPool, winners: Vec<u8> },
    AveragePool(AveragePool),
    GlobalAverage,
}

/// Convolution, batch norm, residual, ReLU and pool as one step.
#[derive(Debug)]
pub(super) struct ConvNorm {
    pub(super) conv: Conv2d,
    pub(super) epilogue: Epilogue,
    pub(super) source: GradientSource,
    pub(super) residual: Option<Node>,
    pub(super) relu: bool,
    /// Places in the flat parameters.
    pub(super) weight: Range<usize>,
    pub(super) norm_weight: Range<usize>,
    pub(super) norm_bias: Range<usize>,
    /// Index of the running statistics.
    pub(super) norm: usize,
    pub(super) packed: Buffer,
    /// Empty where the input needs no gradient.
    pub(super) packed_backward: Buffer,
    pub(super) sums: Vec<f64>,
    pub(super) normalisation: Normalisation,
    /// The convolution's output; in the backward pass its gradient takes its place. Empty in a plan for evaluation,
    /// where all steps share one.
    pub(super) z: Buffer,
}

/// Where the nodes' activations lie: in training each in a buffer of its own, for the way back; in evaluation in one that
/// nobody needs any more.
#[derive(Debug)]
pub(super) struct Places {
    /// Number of the buffer by node; of nodes that a fused pool made unnecessary without a meaning.
    pub(super) of_node: Vec<usize>,
    /// By buffer, whether it serves several nodes, whose halos lie elsewhere.
    pub(super) shared: Vec<bool>,
}

/// Takes buffers and gives them back, and keeps how large each has to be.
#[derive(Debug, Default)]
struct Slots {
    sizes: Vec<usize>,
    uses: Vec<usize>,
    free: Vec<usize>,
}

impl Slots {
    /// The free buffer that has to grow least, else a new one.
    fn take(&mut self, len: usize) -> usize {
        let growth = |slot: usize| (len.saturating_sub(self.sizes[slot]), self.sizes[slot]);
        let slot = match (0..self.free.len()).min_by_key(|&at| growth(self.free[at])) {
            Some(at) => self.free.swap_remove(at),
            None => {
                self.sizes.push(0);
                self.uses.push(0);
                self.sizes.len() - 1
            }
        };
        self.sizes[slot] = self.sizes[slot].max(len);
        self.uses[slot] += 1;
        slot
    }

    fn give_back(&mut self, slot: usize) {
        self.free.push(slot);
    }
}

/// A net compiled for at most `rows` images of one size.
#[derive(Debug)]
pub(super) struct Plan {
    /// Floats of scratch that each thread uses.
    pub(super) scratch: usize,
    pub(super) rows: usize,
    pub(super) size: ImageSize,
    pub(super) steps: Vec<Step>,
    pub(super) layouts: Vec<Layout>,
    /// Activations, by their nodes' places.
    pub(super) activations: Vec<Buffer>,
    pub(super) places: Places,
    /// Which gradient buffer a node uses while its gradient lives.
    pub(super) gradient_slots: Vec<Option<usize>>,
    pub(super) gradients: Vec<Buffer>,
    /// Of a backward pass: the nodes that have a gradient so far.
    pub(super) written: Vec<bool>,
    pub(super) workspace: Buffer,
    pub(super) shared_z: Buffer,
}

impl Plan {
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
        let layers = &architecture.layers;
        // Nobody asks for a value of an evaluation pass: pools are fused there.
        let taps = if training { &architecture.taps[..] } else { &[] };
        let nodes = layers.len() + 1;
        let halos = halos(layers);
        let ImageSize { height, width, channels } = size;
        let mut layouts = vec![Layout { height, width, channels, halo: halos[0] }; nodes];
        let mut steps = Vec::new();
        let mut norm = 0;
        let mut index = 0;
        while index < layers.len() {
            let layer = &layers[index];
            let input = layouts[layer.input];
            let mut output = index + 1;
            let kind = match &layer.op {
                Op::ConvNorm { conv, conv_name, norm_name, residual, relu } => {
                    let pool = fused_pool(layers, index, taps);
                    if pool != Pool::None {
                        output += 1;
                    }
                    let z_halo = if layer.input == 0 { 0 } else { Conv2d::gradient_halo(*conv, input) };
                    let conv = Conv2d::new(isa, *conv, input, z_halo)?;
                    let z = conv.output();
                    let (out_h, out_w) = pool.output_sides(z.height, z.width);
                    layouts[output] = Layout { height: out_h, width: out_w, channels: z.channels, halo: halos[output] };
                    let range = |name: String| parameters.range(&name).ok_or(Error::MissingTensor { name, shape: Vec::new() });
                    let step = ConvNorm {
                        epilogue: Epilogue::new(isa, z, *relu, pool, layouts[output])?,
                        source: GradientSource { relu: *relu && residual.is_none(), pool },
                        residual: *residual,
                        relu: *relu,
                        weight: range(format!("{conv_name}.weight"))?,
                        norm_weight: range(format!("{norm_name}.weight"))?,
                        norm_bias: range(format!("{norm_name}.bias"))?,
                        norm,
                        packed: buffers.zeros(conv.forward_packed_len()),
                        packed_backward: buffers.zeros(if training && layer.input != 0 { conv.backward_packed_len() } else { 0 }),
                        sums: buffers.vec(if training { chunk_count_at_most(rows) * 2 * z.channels } else { 0 }),
                        normalisation: Normalisation::new(z.channels),
                        z: buffers.zeros(if training { rows * z.image_len() } else { 0 }),
                        conv,
                    };
                    norm += 1;
                    StepKind::ConvNorm(Box::new(step))
                }
                Op::MaxPool => {
                    let pool = MaxPool::new(isa, input, halos[output])?;
                    layouts[output] = pool.output;
                    let winners = buffers.vec(rows * pool.output.pixels() * pool.output.channels);
                    StepKind::MaxPool { pool, winners }
                }
                Op::GlobalAverage => {
                    layouts[output] = Layout::dense(1, 1, input.channels);
                    StepKind::GlobalAverage
                }
                Op::AveragePool2 if taps.contains(&layer.input) && readers(layers, layer.input) == 1 => {
                    let pool = AveragePool::new(isa, input, halos[output])?;
                    layouts[output] = pool.output;
                    StepKind::AveragePool(pool)
                }
                Op::AveragePool2 => {
                    return Err(Error::Unsupported {
                        what: "an average pool that does not follow a convolution of its own".into(),
                    });
                }
            };
            steps.push(Step { input: layer.input, output, kind });
            index = output;
            let last_two = steps.len().saturating_sub(2)..;
            if let [before, Step { input, kind: StepKind::ConvNorm(layer), .. }] = &steps[last_two.clone()]
                && before.input == *input
                && layer.residual != Some(before.output)
                && layer.conv.spec().kernel < layer.conv.spec().stride
            {
                // A shortcut's data gradient is zero at most pixels. It goes before its neighbour, so that on the way back it
                // comes after it, and is added to the few pixels that it reaches rather than written to all.
                steps[last_two].reverse();
            }
        }
        let (places, sizes) = place_activations(&steps, &layouts, rows, training);
        let activations = sizes.into_iter().map(|len| buffers.zeros(len)).collect();
        let mut shared_z = 0;
        let (mut workspace, mut scratch) = (0, 0);
        for step in &steps {
            if let StepKind::ConvNorm(layer) = &step.kind {
                shared_z = shared_z.max(rows * layer.conv.output().image_len());
                scratch = scratch.max(layer.conv.scratch_len());
                workspace = workspace.max((1..=rows).map(|n| layer.conv.gradient_workspace_len(n)).max().unwrap_or(0));
            }
        }
        let mut plan = Self {
            scratch,
            rows,
            size,
            layouts,
            activations,
            places,
            gradient_slots: vec![None; nodes],
            gradients: Vec::new(),
            written: vec![false; nodes],
            workspace: buffers.zeros(if training { workspace } else { 0 }),
            shared_z: buffers.zeros(if training { 0 } else { shared_z }),
            steps,
        };
        if training {
            plan.place_gradients(buffers)?;
        }
        Ok(plan)
    }

    /// A node's activation.
    pub(super) fn activation(&self, node: Node) -> &Buffer {
        &self.activations[self.places.of_node[node]]
    }

    /// Gives every node's gradient a buffer, walking the steps backwards: a buffer is taken when a gradient is first
    /// written, handed on to the residual's node where that has none yet, and free again when its step is done.
    fn place_gradients(&mut self, buffers: &mut Buffers) -> Result<()> {
        let refuse = |what: String| Err(Error::Unsupported { what });
        let mut slots = Slots::default();
        let mut live: Vec<Option<usize>> = vec![None; self.layouts.len()];
        let len = |node: Node| dense_len(self.rows, self.layouts[node]);
        let last = self.steps.last().map_or(0, |step| step.output);
        live[last] = Some(slots.take(len(last)));
        for step in self.steps.iter().rev() {
            let Some(slot) = live[step.output] else {
                return refuse(format!("value {}, which is never used, in training", step.output));
            };
            self.gradient_slots[step.output] = Some(slot);
            let mut handed_on = false;
            match &step.kind {
                StepKind::ConvNorm(layer) => {
                    // A layer that adds its own input to its output writes that input's gradient while it reads its output's.
                    if let Some(residual) = layer.residual.filter(|&residual| residual != 0 && residual != step.input)
                        && live[residual].is_none()
                    {
                        live[residual] = Some(slot);
                        handed_on = true;
                    }
                }
                _ if step.input == 0 => return refuse("a pool of the images themselves, in training".to_owned()),
                // A pool writes its input's gradient and does not add to it.
                _ if live[step.input].is_some() => {
                    let Step { input, output, .. } = step;
                    return refuse(format!("the pool of value {input} (layer {output}) before others that read it, in training"));
                }
                _ => {}
            }
            if step.input != 0 && live[step.input].is_none() {
                live[step.input] = Some(slots.take(len(step.input)));
            }
            if !handed_on {
                slots.give_back(slot);
            }
        }
        self.gradients = slots.sizes.into_iter().map(|len| buffers.zeros(len)).collect();
        Ok(())
    }
}

/// Floats of `rows` images without their halos.
pub(super) fn dense_len(rows: usize, layout: Layout) -> usize {
    rows * layout.pixels() * layout.channels
}

/// Gives every activation a buffer, and says how large each is.
fn place_activations(steps: &[Step], layouts: &[Layout], rows: usize, training: bool) -> (Places, Vec<usize>) {
    let mut slots = Slots::default();
    let mut of_node = vec![0; layouts.len()];
    of_node[0] = slots.take(rows * layouts[0].image_len());
    for (at, step) in steps.iter().enumerate() {
        of_node[step.output] = slots.take(rows * layouts[step.output].image_len());
        if !training {
            let mut read: Vec<Node> = step.reads().collect();
            read.dedup();
            let read_again = |node: &Node| steps[at + 1..].iter().any(|later| later.reads().any(|other| other == *node));
            read.iter().filter(|node| !read_again(node)).for_each(|&node| slots.give_back(of_node[node]));
        }
    }
    (Places { of_node, shared: slots.uses.iter().map(|&uses| uses > 1).collect() }, slots.sizes)
}

/// The pool behind layer `index` that can be done in the same pass: it is next in the list, and alone in reading it, taps included.
fn fused_pool(layers: &[Layer], index: usize, taps: &[Node]) -> Pool {
    let node = index + 1;
    let Op::ConvNorm { residual: None, .. } = &layers[index].op else { return Pool::None };
    let Some(next) = layers.get(index + 1) else { return Pool::None };
    let alone = readers(layers, node) == 1 && !taps.contains(&node);
    match next.op {
        Op::AveragePool2 if next.input == node && alone => Pool::Average2,
        Op::GlobalAverage if next.input == node && alone => Pool::Global,
        _ => Pool::None,
    }
}

fn readers(layers: &[Layer], node: Node) -> usize {
    layers.iter().filter(|layer| reads(layer, node)).count()
}

fn reads(layer: &Layer, node: Node) -> bool {
    layer.input == node || matches!(&layer.op, Op::ConvNorm { residual: Some(residual), .. } if *residual == node)
}

/// The halo that each node needs: the widest padding among the convolutions that read it.
fn halos(layers: &[Layer]) -> Vec<usize> {
    let mut halos = vec![0; layers.len() + 1];
    for layer in layers {
        if let Op::ConvNorm { conv, .. } = &layer.op {
            halos[layer.input] = halos[layer.input].max(conv.padding);
        }
    }
    halos
}
