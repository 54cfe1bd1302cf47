use crate::data::images;
use crate::terminal::output;
use crate::terminal::progress::Counter;
use crate::{Config, Result};

pub(super) fn stats(config: &Config) -> Result<()> {
    let dataset = images::open_split(&config.data, config.data.split)?;
    let counter = Counter::new(config.data.split.name());
    let statistics = relata_data::channel_statistics(&*dataset, |done, of| counter.at(done, of))?;
    drop(counter);
    let list = |values: [f64; 3]| values.map(|value| format!("{value:.4}")).join(", ");
    let (mean, std) = (list(statistics.mean), list(statistics.std));
    let (name, split) = (images::name(&config.data), config.data.split);
    output::result(format!("{name} {split}: {} images, {} pixels", statistics.images, statistics.pixels));
    output::result(format!("augment.mean=[{mean}] augment.std=[{std}]"));
    Ok(())
}
