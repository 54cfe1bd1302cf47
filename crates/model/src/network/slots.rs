//! Which buffer each value and each gradient of a plan lies in.

use crate::{Buffers, Error, Layout, Node, Result};
use relata_ops::Buffer;

/// A layer of a plan, as far as memory is concerned.
#[derive(Debug, Clone, Copy)]
pub(super) struct Use {
    pub(super) input: Node,
    pub(super) residual: Option<Node>,
    pub(super) output: Node,
    /// Whether the layer can add to its input's gradient; if not, it writes it.
    pub(super) adds_to_gradient: bool,
}

impl Use {
    /// The values that the layer reads.
    fn reads(self) -> impl Iterator<Item = Node> {
        std::iter::once(self.input).chain(self.residual)
    }
}

/// The values of a plan: in training each in a buffer of its own, for the backward pass; in evaluation in one that nobody
/// needs any more.
#[derive(Debug)]
pub(super) struct Activations {
    pub(super) buffers: Vec<Buffer>,
    /// The buffer of each value; without a meaning for values that a fused pool made unnecessary.
    slots: Vec<usize>,
    /// For each buffer, whether it serves several values, whose halos lie elsewhere.
    shared: Vec<bool>,
}

impl Activations {
    pub(super) fn new(uses: &[Use], layouts: &[Layout], rows: usize, training: bool, buffers: &mut Buffers) -> Self {
        let mut pool = SlotPool::default();
        let mut slots = vec![0; layouts.len()];
        slots[0] = pool.take(rows * layouts[0].image_len());
        for (at, layer) in uses.iter().enumerate() {
            slots[layer.output] = pool.take(rows * layouts[layer.output].image_len());
            if !training {
                let mut read: Vec<Node> = layer.reads().collect();
                read.dedup();
                let read_again = |node: &Node| uses[at + 1..].iter().any(|later| later.reads().any(|other| other == *node));
                read.iter().filter(|node| !read_again(node)).for_each(|&node| pool.give_back(slots[node]));
            }
        }
        let shared = pool.times_taken.iter().map(|&times| times > 1).collect();
        Self { buffers: pool.allocate(buffers), slots, shared }
    }

    /// The number of a value's buffer.
    pub(super) fn slot(&self, node: Node) -> usize {
        self.slots[node]
    }

    /// A value.
    pub(super) fn of(&self, node: Node) -> &Buffer {
        &self.buffers[self.slots[node]]
    }

    /// Whether a value's buffer holds other values at other times.
    pub(super) fn is_shared(&self, node: Node) -> bool {
        self.shared[self.slots[node]]
    }
}

/// The gradients of a plan's values, each in a buffer while it lives.
#[derive(Debug)]
pub(super) struct Gradients {
    pub(super) buffers: Vec<Buffer>,
    slots: Vec<Option<usize>>,
    /// In a backward pass: the values that have a gradient so far.
    pub(super) written: Vec<bool>,
}

impl Gradients {
    /// None: a plan for evaluation.
    pub(super) fn none() -> Self {
        Self { buffers: Vec::new(), slots: Vec::new(), written: Vec::new() }
    }

    /// Gives every value's gradient a buffer, going through the layers backwards: a buffer is taken when a gradient is first
    /// written, handed on to the residual's value where that has none yet, and free again when its layer is done.
    ///
    /// # Errors
    /// [`Error::Unsupported`] where a gradient would have no buffer, or a pool would have to add to one.
    pub(super) fn new(uses: &[Use], layouts: &[Layout], rows: usize, buffers: &mut Buffers) -> Result<Self> {
        let refuse = |what: String| Err(Error::Unsupported { what });
        let mut pool = SlotPool::default();
        let mut live: Vec<Option<usize>> = vec![None; layouts.len()];
        let mut slots = live.clone();
        let len = |node: Node| dense_len(rows, layouts[node]);
        let last = uses.last().map_or(0, |layer| layer.output);
        live[last] = Some(pool.take(len(last)));
        for &Use { input, residual, output, adds_to_gradient } in uses.iter().rev() {
            let Some(slot) = live[output] else {
                return refuse(format!("value {output}, which is never used, in training"));
            };
            slots[output] = Some(slot);
            if !adds_to_gradient && input == 0 {
                return refuse("a pool of the images themselves, in training".to_owned());
            }
            if !adds_to_gradient && live[input].is_some() {
                return refuse(format!("the pool of value {input} (layer {output}) before others that read it, in training"));
            }
            // A layer that adds its own input to its output writes that input's gradient while it reads its output's.
            let heir = residual.filter(|&residual| residual != 0 && residual != input && live[residual].is_none());
            if let Some(residual) = heir {
                live[residual] = Some(slot);
            }
            if input != 0 && live[input].is_none() {
                live[input] = Some(pool.take(len(input)));
            }
            if heir.is_none() {
                pool.give_back(slot);
            }
        }
        Ok(Self { buffers: pool.allocate(buffers), slots, written: vec![false; layouts.len()] })
    }

    /// The number of a gradient's buffer.
    pub(super) fn slot(&self, node: Node) -> usize {
        self.slots[node].expect("every value's gradient has a buffer")
    }
}

/// Floats of `rows` images without their halos.
pub(super) fn dense_len(rows: usize, layout: Layout) -> usize {
    rows * layout.pixels() * layout.channels
}

/// Takes buffers and gives them back, and keeps how large each has to be.
#[derive(Debug, Default)]
struct SlotPool {
    lens: Vec<usize>,
    times_taken: Vec<usize>,
    free: Vec<usize>,
}

impl SlotPool {
    /// The free buffer that has to grow least, else a new one.
    fn take(&mut self, len: usize) -> usize {
        let growth = |slot: usize| (len.saturating_sub(self.lens[slot]), self.lens[slot]);
        let slot = match (0..self.free.len()).min_by_key(|&at| growth(self.free[at])) {
            Some(at) => self.free.swap_remove(at),
            None => {
                self.lens.push(0);
                self.times_taken.push(0);
                self.lens.len() - 1
            }
        };
        self.lens[slot] = self.lens[slot].max(len);
        self.times_taken[slot] += 1;
        slot
    }

    fn give_back(&mut self, slot: usize) {
        self.free.push(slot);
    }

    fn allocate(self, buffers: &mut Buffers) -> Vec<Buffer> {
        self.lens.into_iter().map(|len| buffers.zeros(len)).collect()
    }
}
