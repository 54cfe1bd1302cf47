use std::collections::HashSet;
use std::hash::{BuildHasher, RandomState};
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::{Args, Subcommand};
use relata_artifact::write_atomic;
#[cfg(feature = "fetch")]
use relata_data::{Archive, FetchOptions, HubSource};
use relata_data::{DataConfig, Dataset, OnBadImage, Presence, Report, Sheet, SheetOptions, Split};

use crate::config::Layer;
#[cfg(feature = "fetch")]
use crate::interrupt;
use crate::log::shown;
#[cfg(feature = "fetch")]
use crate::progress::ArchiveProgress;
use crate::progress::Counter;
use crate::words::{counted, mib};
use crate::{Config, Error, Result, images, output, picture};

#[derive(Debug, Args)]
#[command(after_help = crate::words::help("Examples:
  relata data list
  relata data fetch cifar10
  relata data verify cifar10 data.root=datasets
  relata data stats cifar10
  relata data preview shapes --out shapes.png
  relata data pack folder data.path=photos --out photos.pack"))]
pub struct Arguments {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Lists the data sets that can be read, and what of each is below data.root: all, some, its archive, or nothing
    #[command(after_help = crate::words::help("Examples:\n  relata data list\n  relata data list data.root=/mnt/datasets"))]
    List {
        /// Settings of data.*, such as data.root=datasets
        #[arg(value_name = "KEY=VALUE")]
        settings: Vec<String>,
    },
    /// Downloads a data set from its publisher, checks it and unpacks it below data.root
    #[cfg(feature = "fetch")]
    #[command(
        after_help = crate::words::help("Examples:\n  relata data fetch cifar10\n  relata data fetch stl10 data.root=/mnt/datasets\n  relata data fetch cifar100 --hub        (a build with the feature hub)\n\nA download that was cut off goes on where it stopped. An archive that lies in data.root already is used.")
    )]
    Fetch {
        /// The data set
        #[arg(value_name = "NAME")]
        name: String,
        /// Settings of data.*, such as data.root=datasets
        #[arg(value_name = "KEY=VALUE")]
        settings: Vec<String>,
        /// Gets cifar10, cifar100 or supercifar100 from the Hugging Face hub instead, or from its mirror at URL
        #[arg(
            long,
            value_name = "URL",
            num_args = 0..=1,
            require_equals = true,
            default_missing_value = HubSource::ENDPOINT,
            hide = cfg!(not(feature = "hub"))
        )]
        hub: Option<String>,
    },
    /// Reads every image of every split and lists all that is broken, missing, or not its publisher's
    #[command(
        after_help = crate::words::help("Examples:\n  relata data verify cifar10 data.root=datasets\n  relata data verify folder data.path=photos")
    )]
    Verify {
        /// The data set
        #[arg(value_name = "NAME")]
        name: String,
        /// Settings of data.*, such as data.root=datasets
        #[arg(value_name = "KEY=VALUE")]
        settings: Vec<String>,
    },
    /// Computes mean and standard deviation of each colour channel of a split, to normalise with
    #[command(
        after_help = crate::words::help("Examples:\n  relata data stats cifar10\n  relata data stats folder data.path=photos data.split=unlabelled")
    )]
    Stats {
        /// The data set
        #[arg(value_name = "NAME")]
        name: String,
        /// Settings of data.*, such as data.split=test
        #[arg(value_name = "KEY=VALUE")]
        settings: Vec<String>,
    },
    /// Writes all splits of a data set, decoded, into one file that is read many times faster, and says how much faster
    #[command(
        after_help = crate::words::help("Examples:\n  relata data pack folder data.path=photos --out photos.pack\n  relata train configs/folder/conv4-relational.toml data.dataset=pack data.path=photos.pack\n\nAn image takes width x height x 3 bytes. A split that is not there is left out, and said. A file of that name is replaced when the new one is whole.")
    )]
    Pack {
        /// The data set
        #[arg(value_name = "NAME")]
        name: String,
        /// Settings of data.*, such as data.path=photos
        #[arg(value_name = "KEY=VALUE")]
        settings: Vec<String>,
        /// The file
        #[arg(long, value_name = "FILE")]
        out: PathBuf,
    },
    /// Draws a sheet of images as a PNG, a row for each class; or images beside the views that training would see
    #[command(
        after_help = crate::words::help("Examples:\n  relata data preview tiny --out sheet.png\n  relata data preview stl10 data.split=unlabelled --images 12\n  relata data preview cifar10 --views augment.jitter.hue=0.5 --out views.png")
    )]
    Preview {
        /// The data set
        #[arg(value_name = "NAME")]
        name: String,
        /// Settings of data.* and, with --views, of augment.*, such as augment.jitter.hue=0.5
        #[arg(value_name = "KEY=VALUE")]
        settings: Vec<String>,
        /// Number of images of each class; with --views, of images, one a row
        #[arg(long, value_name = "N", default_value_t = 8)]
        images: usize,
        /// At most as many classes
        #[arg(long, value_name = "N", default_value_t = SheetOptions::default().rows, conflicts_with = "views")]
        rows: usize,
        /// Draws each image beside its views
        #[arg(long)]
        views: bool,
        /// The PNG
        #[arg(long, value_name = "FILE", default_value = "preview.png")]
        out: PathBuf,
    },
}

pub(super) fn run(arguments: &Arguments) -> Result<()> {
    match &arguments.action {
        Action::List { settings } => {
            output::result(images::list(&config(&DataConfig::default().dataset, settings)?.data)?);
            Ok(())
        }
        #[cfg(feature = "fetch")]
        Action::Fetch { name, settings, hub } => fetch(&config(name, settings)?, hub.as_deref()),
        Action::Verify { name, settings } => verify(&config(name, settings)?),
        Action::Pack { name, settings, out } => pack(&config(name, settings)?, out),
        Action::Stats { name, settings } => stats(&config(name, settings)?),
        Action::Preview { name, settings, images, views: true, out, .. } => views(&config(name, settings)?, *images, out),
        Action::Preview { name, settings, images, rows, out, .. } => sheet(&config(name, settings)?, *images, *rows, out),
    }
}

fn config(name: &str, settings: &[String]) -> Result<Config> {
    let settings: Vec<String> = std::iter::once(format!("data.dataset={name}")).chain(settings.iter().cloned()).collect();
    let config = Config::from_layers(&[Layer::from_settings(&settings)?])?;
    config.validate()?;
    Ok(config)
}

#[cfg(feature = "fetch")]
fn fetch(config: &Config, hub: Option<&str>) -> Result<()> {
    let data = &config.data;
    let Some(archive) = relata_data::entry(&data.dataset)?.archive else {
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

#[cfg(feature = "hub")]
fn fetch_from_hub(data: &DataConfig, archive: &Archive, endpoint: &str, fetch: FetchOptions) -> Result<PathBuf> {
    let Some(source) = relata_data::entry(&data.dataset)?.hub else {
        let known: Vec<&str> =
            relata_data::catalogue().iter().filter(|entry| entry.hub.is_some()).map(|entry| entry.name).collect();
        return Err(Error::Usage(format!("--hub gets {}; {} comes without it", known.join(", "), data.dataset)));
    };
    let options = relata_data::HubOptions { endpoint: endpoint.to_owned(), fetch };
    let progress = ArchiveProgress::new(source.repository);
    Ok(relata_data::fetch_from_hub(&source, archive, &data.root, &options, &|at| progress.at(at))?)
}

#[cfg(all(feature = "fetch", not(feature = "hub")))]
fn fetch_from_hub(data: &DataConfig, _: &Archive, _: &str, _: FetchOptions) -> Result<PathBuf> {
    Err(Error::Usage(format!(
        "this build does not know the hub: get {} from its publisher, without --hub, or build with --features hub",
        data.dataset
    )))
}

/// Every split of a data set.
struct Splits {
    opened: Vec<(Split, Arc<dyn Dataset>)>,
    /// Those that cannot be opened, with the reason.
    failed: Vec<(Split, Error)>,
}

impl Splits {
    /// Opens all; the first error where none can be.
    fn open(data: &DataConfig) -> Result<Self> {
        // An archive that cannot be unpacked is one error, not one a split.
        images::unpack(data)?;
        let (mut opened, mut failed) = (Vec::new(), Vec::new());
        for split in Split::ALL {
            match images::open_split(data, split) {
                Ok(dataset) => opened.push((split, dataset)),
                Err(error) => failed.push((split, error)),
            }
        }
        if opened.is_empty() { Err(failed.swap_remove(0).1) } else { Ok(Self { opened, failed }) }
    }
}

fn verify(config: &Config) -> Result<()> {
    let name = images::name(&config.data);
    // Every image is to be read, whatever a run would leave out.
    let whole = DataConfig { limit: 0, validation: 0, stl10_fold: 0, on_bad_image: OnBadImage::Error, ..config.data.clone() };
    let (mut bad, mut all, mut damaged, mut lost) = (0, 0, 0, 0);
    let Splits { opened, failed } = Splits::open(&whole)?;
    let missing = missing(&whole, &failed)?;
    for line in &missing {
        output::result(format!("missing: {line}"));
    }
    for (split, error) in &failed {
        if !matches!(error, Error::Data(relata_data::Error::NoSuchSplit { .. } | relata_data::Error::Missing { .. })) {
            output::result(format!("broken: {name} {split}: {}", chain(error)));
            lost += 1;
        }
    }
    // Digests of where images come from: of a million, the names would take a hundred megabytes.
    let (mut seen, hasher) = (HashSet::new(), RandomState::new());
    for (split, dataset) in opened {
        // The unlabelled split is the others' images once more, unless the publisher has one.
        let source = |index| hasher.hash_one(dataset.source(index));
        if (0..dataset.len()).all(|index| seen.contains(&source(index))) {
            continue;
        }
        seen.extend((0..dataset.len()).map(source));
        let counter = Counter::new(split.name());
        let report = relata_data::verify(&*dataset, |done, of| counter.at(done, of));
        drop(counter);
        for broken in &report.broken {
            output::result(format!("broken: {broken}"));
        }
        for file in &report.damaged_files {
            output::result(format!("damaged: {file}"));
        }
        output::result(format!("{name} {split}: {}", in_words(&report, dataset.fingerprint())));
        (bad, all, damaged) = (bad + report.broken.len(), all + report.images, damaged + report.damaged_files.len());
    }
    let counts = [
        (bad, format!("{bad} of {} broken", are(all, "image"))),
        (damaged, format!("{} damaged", are(damaged, "file"))),
        (missing.len(), format!("{} missing", are(missing.len(), "piece"))),
        (lost, format!("{lost} of its splits cannot be opened")),
    ];
    let faults: Vec<String> = counts.into_iter().filter(|(count, _)| *count > 0).map(|(_, words)| words).collect();
    let lacking = damaged > 0 || !missing.is_empty();
    if faults.is_empty() { Ok(()) } else { Err(Error::NotWhole { name, faults, broken: bad > 0, lacking }) }
}

/// Every file and folder that is not there: what the splits found, which stop at the first each, and what a look finds.
fn missing(data: &DataConfig, failed: &[(Split, Error)]) -> Result<Vec<String>> {
    let mut paths: Vec<PathBuf> = match relata_data::presence(data)? {
        Presence::Incomplete { missing, .. } => missing,
        _ => Vec::new(),
    };
    for (_, error) in failed {
        if let Error::Data(relata_data::Error::Missing { path, .. }) = error
            && !paths.contains(path)
        {
            paths.push(path.clone());
        }
    }
    Ok(paths.iter().map(|path| shown(path)).collect())
}

/// `1 file is`, `2 files are`
fn are(count: usize, what: &str) -> String {
    format!("{} {}", counted(count, what), if count == 1 { "is" } else { "are" })
}

/// Images read to say how fast that is.
const TIMED_IMAGES: usize = 1000;

fn pack(config: &Config, out: &Path) -> Result<()> {
    let whole = DataConfig { limit: 0, validation: 0, stl10_fold: 0, ..config.data.clone() };
    let Splits { opened: splits, failed } = Splits::open(&whole)?;
    let mut left_out = Vec::new();
    for (split, error) in failed {
        match error {
            // Which are there is for the user to know; what is there and broken is not to be packed around.
            Error::Data(relata_data::Error::NoSuchSplit { .. } | relata_data::Error::Missing { .. }) => {
                left_out.push(format!("left out: the {split} split: {error}"));
            }
            _ => return Err(error),
        }
    }
    left_out.iter().for_each(output::note);
    let counter = Counter::new("packed");
    let packed = relata_data::pack(&splits, out, |done, of| counter.at(done, of))?;
    drop(counter);
    let place = shown(out);
    output::result(format!(
        "{place}: {} in {}, as data.dataset=pack data.path={place}",
        counted(packed.images, "image"),
        mib(packed.bytes)
    ));

    let Some((split, before)) = splits.first() else { return Ok(()) };
    let after = relata_data::Pack::open(out, *split)?;
    let mut rates = [Vec::new(), Vec::new()];
    for _ in 0..3 {
        rates[0].push(relata_data::images_per_second(&**before, TIMED_IMAGES)?);
        rates[1].push(relata_data::images_per_second(&after, TIMED_IMAGES)?);
    }
    let [before, after] = rates.map(|mut rates| {
        rates.sort_by(f64::total_cmp);
        rates[1]
    });
    output::result(format!("{after:.0} images/s instead of {before:.0}: {:.1} times as fast, in turns", after / before));
    Ok(())
}

/// An error and its causes, in a line.
fn chain(error: &dyn std::error::Error) -> String {
    let (mut text, mut cause) = (error.to_string(), error.source());
    while let Some(error) = cause {
        text.push_str(&format!(": {error}"));
        cause = error.source();
    }
    text
}

fn in_words(report: &Report, fingerprint: &str) -> String {
    let sides = |range: &Option<RangeInclusive<usize>>| match range {
        Some(range) if range.start() == range.end() => range.start().to_string(),
        Some(range) => format!("{}-{}", range.start(), range.end()),
        None => "?".to_owned(),
    };
    let classes = match (report.per_class.len(), report.per_class.iter().map(|(_, count)| count)) {
        (0, _) => "no labels".to_owned(),
        (classes, counts) => {
            let (least, most) = (*counts.clone().min().unwrap_or(&0), *counts.max().unwrap_or(&0));
            let images = match (classes, least == most) {
                (1, _) => counted(most, "image"),
                (_, true) => format!("{} each", counted(most, "image")),
                (_, false) => format!("{least}-{most} images"),
            };
            format!("{} of {images}", counted(classes, "class"))
        }
    };
    format!(
        "{}, {} broken, {} x {} px, {classes}, fingerprint {fingerprint}",
        counted(report.images, "image"),
        report.broken.len(),
        sides(&report.width_px),
        sides(&report.height_px)
    )
}

fn stats(config: &Config) -> Result<()> {
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

fn sheet(config: &Config, columns: usize, rows: usize, out: &Path) -> Result<()> {
    let dataset = images::open_split(&config.data, config.data.split)?;
    // Tiles as large as the images, enlarged by a whole factor: no white around them.
    let (wished, side_px) = (SheetOptions::default().tile_px, images::looks(config)?.side_px);
    let tile_px = side_px * (wished / side_px).max(1);
    let options = SheetOptions { columns: columns.max(1), rows: rows.max(1), tile_px, ..SheetOptions::default() };
    let Sheet { image, rows } = relata_data::contact_sheet(&*dataset, &options)?;
    write_atomic(out, &picture::png(image)?)?;
    let shown_images: usize = rows.iter().map(|(_, images)| images.len()).sum();
    let classes = dataset.class_names();
    let names: Vec<&str> = rows.iter().filter_map(|(label, _)| classes.get((*label)?)).map(String::as_str).collect();
    let of = format!("{} of {}", counted(shown_images, "image"), dataset.len());
    if names.is_empty() {
        output::result(format!("{}: {of}, without labels", shown(out)));
    } else {
        let some = if names.len() < classes.len() { format!(" of {}", classes.len()) } else { String::new() };
        output::result(format!("{}: {of}; {}{some} from top to bottom:", shown(out), counted(names.len(), "class")));
        output::result(names.join("\n"));
    }
    Ok(())
}

fn views(config: &Config, images: usize, out: &Path) -> Result<()> {
    let dataset = images::open_split(&config.data, config.data.split)?;
    let indices: Vec<usize> = (0..dataset.len().min(images.max(1))).collect();
    let views = config.augment.views.min(picture::MAX_VIEWS);
    let side_px = images::looks(config)?.side_px;
    let png = picture::views_png(&*dataset, &indices, &config.augment, side_px, config.seed, views)?;
    write_atomic(out, &png)?;
    let words = config.augment.in_words();
    output::result(format!("{}: {} images, each with {views} views ({words})", shown(out), indices.len()));
    Ok(())
}
