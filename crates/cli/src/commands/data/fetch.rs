use std::path::PathBuf;

use relata_data::{Archive, DataConfig, FetchOptions};

use crate::terminal::format::shown;
use crate::terminal::progress::ArchiveProgress;
use crate::terminal::{interrupt, output};
use crate::{Config, Error, Result};

pub(super) fn fetch(config: &Config, hub: Option<&str>) -> Result<()> {
    let data = &config.data;
    let Some(archive) = relata_data::entry(&data.dataset)?.archive() else {
        return Err(Error::Usage(format!("{} needs no download", data.dataset)));
    };
    interrupt::advise(Some("what was downloaded is kept: the same command goes on from there".to_owned()));
    let options = relata_data::FetchOptions::default();
    let folder = match hub {
        Some(endpoint) => fetch_from_hub(data, &archive, endpoint, options)?,
        None => {
            let progress = ArchiveProgress::new(archive.file);
            relata_data::fetch(&archive, &data.root, &options, &|at| progress.at(at))?
        }
    };
    output::result(format!("{}: ready, as data.dataset={} data.root={}", shown(&folder), data.dataset, shown(&data.root)));
    Ok(())
}

/// `cifar10, cifar100, ...`: the data sets that the hub has.
fn on_the_hub() -> String {
    let names: Vec<&str> = relata_data::catalogue().iter().filter(|entry| entry.hub.is_some()).map(|entry| entry.name).collect();
    names.join(", ")
}

/// The help of `--hub`.
pub(super) fn hub_help() -> String {
    format!("Gets the data set from the Hugging Face hub instead, or from its mirror at URL: {}", on_the_hub())
}

#[cfg(feature = "hub")]
fn fetch_from_hub(data: &DataConfig, archive: &Archive, endpoint: &str, fetch: FetchOptions) -> Result<PathBuf> {
    let Some(source) = relata_data::entry(&data.dataset)?.hub else {
        return Err(Error::Usage(format!("--hub gets {}; {} comes without it", on_the_hub(), data.dataset)));
    };
    let options = relata_data::HubOptions { endpoint: endpoint.to_owned(), fetch };
    let progress = ArchiveProgress::new(source.repository);
    Ok(relata_data::fetch_from_hub(&source, archive, &data.root, &options, &|at| progress.at(at))?)
}

#[cfg(not(feature = "hub"))]
fn fetch_from_hub(data: &DataConfig, _: &Archive, _: &str, _: FetchOptions) -> Result<PathBuf> {
    Err(Error::Usage(format!(
        "this build does not know the hub: get {} from its publisher, without --hub, or build with --features hub",
        data.dataset
    )))
}
