//! What a run takes of the machine's memory, known before its first step.

use relata_augment::LoaderConfig;
use relata_data::Dataset;
use relata_model::{Buffers, Compute, Executor, ImageSize, Layout, Mode, Network};
use relata_train::{HeadShape, IntoMethod};

use crate::process_memory::resident_bytes;
use crate::scoring::online::OnlineKnn;
use crate::terminal::format::mib_or_gib;
use crate::{Config, Error, Result};

/// Bytes of a training run, by what they are for.
#[derive(Debug, Clone, Copy)]
pub(super) struct Memory {
    /// Weights, their gradients and the optimiser's two means, of backbone and head, and the target's weights where there is one.
    parameters: usize,
    /// Of that, what the head takes.
    head: usize,
    /// Activations, their gradients, workspaces.
    backbone: usize,
    /// The method's own buffers.
    method: usize,
    /// Batches of views, ready or in the making.
    loader: usize,
    /// What is measured while it trains: images, features, neighbours.
    online: usize,
    /// What the program holds already.
    program: usize,
}

/// What the memory of a run depends on.
#[derive(Clone, Copy)]
pub(super) struct Needs<'a> {
    pub(super) config: &'a Config,
    pub(super) loader: &'a LoaderConfig,
    /// Of a view.
    pub(super) side_px: usize,
    pub(super) dataset: &'a dyn Dataset,
    pub(super) compute: &'a Compute,
    pub(super) online: Option<&'a OnlineKnn>,
}

impl Memory {
    /// Of a run; `None` where the executor's memory cannot be estimated.
    pub(super) fn plan(needs: Needs<'_>) -> Result<Option<Self>> {
        let Needs { config, loader, side_px, dataset, compute, online } = needs;
        if config.model.executor != Executor::Fused {
            return Ok(None);
        }
        let architecture = config.model.architecture();
        let size = ImageSize::square_rgb(side_px);
        let shape = HeadShape {
            width: architecture.width,
            views: loader.views,
            max_images: loader.batch_size,
            images: dataset.len(),
            classes: dataset.class_names().len(),
            size,
            first_map: architecture.first_map(size).map_or(Layout::dense(0, 0, 0), |(_, map)| map),
        };
        let mut buffers = Buffers::counted();
        let method = config.method.clone().into_method(shape, config.seed, compute.clone(), &mut buffers)?;
        let (needs_of_method, taps) = (method.needs(), method.taps(&architecture));
        let architecture = architecture.with_taps(&taps)?;
        let rows = shape.views * shape.max_images * needs_of_method.rows_per_view;
        let copies = (4 + usize::from(needs_of_method.target)) * size_of::<f32>();
        let head = copies * method.parameters().len();
        let pass = loader.to_evaluation();
        let (rows_of_pass, loader_of_pass) =
            if needs_of_method.features { (pass.batch_size, pass.bytes(side_px)) } else { (0, 0) };
        // One plan serves both.
        let backbone_of_pass = match rows_of_pass.max(online.map_or(0, OnlineKnn::rows)) {
            0 => 0,
            rows => Network::plan_bytes(&architecture, compute, rows, size, Mode::Eval)?,
        };
        Ok(Some(Self {
            parameters: copies * architecture.parameters_in(&Buffers::counted()).len() + head,
            head,
            backbone: Network::plan_bytes(&architecture, compute, rows, size, Mode::Train)? + backbone_of_pass,
            method: buffers.bytes(),
            loader: loader.bytes(side_px) + loader_of_pass,
            online: online.map_or(0, |online| online.bytes(architecture.width)),
            program: resident_bytes().unwrap_or(0),
        }))
    }

    pub(super) fn total(self) -> usize {
        self.parameters + self.backbone + self.method + self.loader + self.online + self.program
    }

    /// Whether most of it is what lies above the features.
    fn is_mostly_the_methods(self) -> bool {
        self.head + self.method > self.total() / 2
    }

    /// One line: the total, and its parts.
    pub(super) fn in_words(self) -> String {
        let online = if self.online > 0 { format!(", online kNN {}", mib_or_gib(self.online)) } else { String::new() };
        format!(
            "{}: parameters and optimiser {}, backbone {}, method {}, loader {}{online}, program and data {}",
            mib_or_gib(self.total()),
            mib_or_gib(self.parameters),
            mib_or_gib(self.backbone),
            mib_or_gib(self.method),
            mib_or_gib(self.loader),
            mib_or_gib(self.program)
        )
    }
}

/// Refuses a batch that the machine has no memory for, and names the largest that it has.
pub(super) fn check(needs: Needs<'_>) -> Result<()> {
    let loader = needs.loader;
    let needed =
        |loader: &LoaderConfig| -> Result<Option<usize>> { Ok(Memory::plan(Needs { loader, ..needs })?.map(Memory::total)) };
    let (Some(memory), Some(free)) = (Memory::plan(needs)?, available_bytes()) else { return Ok(()) };
    let total = memory.total();
    // What the program holds is no longer among what is free.
    let free = free + resident_bytes().unwrap_or(0);
    if total <= free {
        return Ok(());
    }
    let largest = |most: usize, with: &dyn Fn(usize) -> LoaderConfig| -> Result<Option<usize>> {
        let (mut fits, mut too_many) = (1, most);
        while too_many - fits > 1 {
            let middle = fits.midpoint(too_many);
            match needed(&with(middle))? {
                Some(total) if total > free => too_many = middle,
                _ => fits = middle,
            }
        }
        Ok((fits > 1).then_some(fits))
    };
    Err(Error::Memory {
        images: loader.batch_size,
        views: loader.views,
        needed: mib_or_gib(total),
        free: mib_or_gib(free),
        largest_batch: largest(loader.batch_size, &|batch_size| LoaderConfig { batch_size, ..loader.clone() })?,
        widths: if memory.is_mostly_the_methods() { needs.config.method.spec().width_keys() } else { &[] },
        most_views: largest(loader.views, &|views| LoaderConfig { views, ..loader.clone() })?,
    })
}

/// Bytes that can be taken without others having to give way, within what this process is allowed; `None` where the
/// system does not tell.
fn available_bytes() -> Option<usize> {
    use sysinfo::{MemoryRefreshKind, RefreshKind, System};
    let kind = RefreshKind::nothing().with_memory(MemoryRefreshKind::nothing().with_ram());
    let system = System::new_with_specifics(kind);
    let free = system.available_memory();
    let free = system.cgroup_limits().map_or(free, |limits| free.min(limits.free_memory));
    (free > 0).then_some(free as usize)
}
