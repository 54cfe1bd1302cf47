use std::path::PathBuf;
use std::sync::Arc;

use clap::Args;
use relata_artifact::{NeighbourRow, write_atomic};
use relata_data::{DataConfig, Dataset, Split, Subset};
use relata_model::Compute;
use relata_probe::{ExtractOptions, check_export_path, embed, write_features};

use super::open_run::{open_run, with_settings};
use crate::data::images;
use crate::network::Loaded;
use crate::scoring::neighbour_picture::neighbours_png;
use crate::scoring::neighbours::{Embedded, examples, search};
use crate::terminal::format::{counted, shown};
use crate::terminal::output;
use crate::terminal::progress::Counter;
use crate::{Config, Error, Result, network};

/// Images that are drawn if nobody says which.
const ASKING_IMAGES: usize = 8;

#[derive(Debug, Args)]
#[command(after_help = crate::terminal::program::help("Examples:
  relata embed runs/shapes-conv4-relational-seed1 --data shapes --split test --out features.safetensors
  relata embed runs/photos --data folder --split train --out features.csv data.path=holiday
  relata embed runs/photos --data folder --split train --neighbours 6 --out alike.png data.path=holiday
  relata embed runs/cifar10-conv4-relational-seed1 --neighbours 10 --images 0,7,42 --out alike.png

With --neighbours a picture is written: each image, and beside it the images of the run's training data whose features are nearest
by cosine. A solid green frame marks an image of the same class, a dashed orange frame one of another."))]
pub struct Arguments {
    /// The run's folder
    #[arg(value_name = "RUN")]
    run: PathBuf,
    /// Settings of data.*, such as data.path=photos
    #[arg(value_name = "KEY=VALUE")]
    settings: Vec<String>,
    /// The data set; without it, the run's own
    #[arg(long, value_name = "NAME")]
    data: Option<String>,
    /// train, test, unlabelled, or validation (where data.validation holds images out); without it, test, or train where there is
    /// no test split
    #[arg(long, value_name = "SPLIT")]
    split: Option<String>,
    /// The checkpoint: last, or another name below the run's checkpoints folder, such as epoch-0050
    #[arg(long, value_name = "NAME", default_value = "last")]
    checkpoint: String,
    /// Draws images, each beside its N nearest training images, instead of writing features
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=50))]
    neighbours: Option<u16>,
    /// The images of the split to draw, counted from 0; without it, eight, spread over the classes
    #[arg(long, value_name = "0,1,2", value_delimiter = ',', requires = "neighbours")]
    images: Vec<usize>,
    /// The file to write: .safetensors, .npy or .csv; .png with --neighbours
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
}

pub(super) fn run(arguments: &Arguments) -> Result<()> {
    match arguments.neighbours {
        None => check_export_path(&arguments.out)?,
        Some(_) if arguments.out.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("png")) => {}
        Some(_) => {
            let message =
                format!("{} is no name for a picture: with --neighbours, --out must end in .png", shown(&arguments.out));
            return Err(Error::Usage(message));
        }
    }
    let (run, trained) = open_run(&arguments.run)?;
    let mut settings = arguments.settings.clone();
    settings.extend(arguments.data.iter().map(|name| format!("data.dataset={name}")));
    let config = with_settings(&trained, &settings)?;
    let (split, dataset) = open(&config.data, arguments.split.as_deref())?;
    let compute = Compute::new(config.threads)?;
    let loaded = network::load(&run, &trained, &arguments.checkpoint, compute.clone())?;
    match arguments.neighbours {
        Some(count) => neighbours(arguments, usize::from(count), &trained, &config, split, dataset, loaded, &compute),
        None => features(arguments, &config, dataset, loaded),
    }
}

/// The requested split; without a request, the test split, or all there is to learn from where nothing is held back, as in a flat folder.
fn open<'a>(config: &DataConfig, split: Option<&'a str>) -> Result<(&'a str, Arc<dyn Dataset>)> {
    let (test, train) = (Split::Test.name(), Split::Train.name());
    match images::open_named(config, split.unwrap_or(test)) {
        Err(Error::Data(relata_data::Error::NoSuchSplit { .. })) if split.is_none() => {
            output::note(format!("{} has no test split: taking its train split (--split train)", images::name(config)));
            Ok((train, images::open_named(config, train)?))
        }
        opened => Ok((split.unwrap_or(test), opened?)),
    }
}

fn features(arguments: &Arguments, config: &Config, dataset: Arc<dyn Dataset>, loaded: Loaded) -> Result<()> {
    let (mut backbone, pipeline) = (loaded.backbone, loaded.pipeline);
    let counter = Counter::new("features");
    let options = ExtractOptions { sources: true, ..config.probe.extract_options() };
    let features = embed(&mut *backbone, dataset, &pipeline, &options, &mut |done, of| counter.at(done, of))?;
    drop(counter);
    for path in write_features(&arguments.out, &features)? {
        let rows = features.rows();
        let words = if path == arguments.out {
            format!("{rows} x {}", features.width())
        } else if path.extension().is_some_and(|ending| ending == "npy") {
            format!("{rows} labels")
        } else {
            format!("what each of the {rows} rows is")
        };
        output::result(format!("{}: {words}", shown(&path)));
    }
    Ok(())
}

/// A picture of some images of `asked`, each with the training images of the run that it is nearest to.
fn neighbours(
    arguments: &Arguments,
    count: usize,
    trained: &Config,
    config: &Config,
    split: &str,
    asked: Arc<dyn Dataset>,
    loaded: Loaded,
    compute: &Compute,
) -> Result<()> {
    let asking = if arguments.images.is_empty() { examples(&*asked, ASKING_IMAGES) } else { arguments.images.clone() };
    let asked: Arc<dyn Dataset> = Arc::new(Subset::of(asked, asking.clone())?);
    // Where the data lie may have changed since the training; which data they are has not.
    let own = (&config.data.dataset, &config.data.path) == (&trained.data.dataset, &trained.data.path);
    let searched_data = if own { &config.data } else { &trained.data };
    let searched = images::open_split(&DataConfig { root: config.data.root.clone(), ..searched_data.clone() }, Split::Train)?;
    let (mut backbone, pipeline) = (loaded.backbone, loaded.pipeline);
    let options = config.probe.extract_options();
    let counter = Counter::new("features");
    let mut features = |dataset: &Arc<dyn Dataset>| {
        embed(&mut *backbone, Arc::clone(dataset), &pipeline, &options, &mut |done, of| counter.at(done, of))
    };
    let (of_asked, of_searched) = (features(&asked)?, features(&searched)?);
    drop(counter);
    let words = |data: &DataConfig, split: &str| format!("{}, {split} split", images::name(data));
    let asked = Embedded { dataset: &*asked, features: &of_asked, words: words(&config.data, split) };
    let searched = Embedded { dataset: &*searched, features: &of_searched, words: words(searched_data, Split::Train.name()) };
    let all: Vec<usize> = (0..asking.len()).collect();
    let found = search(&asked, &all, &searched, count, pipeline.side_px(), compute)?;
    for row in &found.record.rows {
        output::result(in_words(row));
    }
    write_atomic(&arguments.out, &neighbours_png(&found)?)?;
    let (images, nearest) = (counted(found.record.rows.len(), "image"), found.record.columns - 1);
    output::result(format!("{}: {images}, each with its {nearest} nearest of {}", shown(&arguments.out), found.record.searched));
    Ok(())
}

/// `test 7 (cat): train 12 (cat) 0.98, train 3 (dog) 0.97`
fn in_words(row: &NeighbourRow) -> String {
    let named = |image: &str, class: &Option<String>| match class {
        Some(class) => format!("{image} ({class})"),
        None => image.to_owned(),
    };
    let found = row.found.iter().map(|found| format!("{} {:.3}", named(&found.image, &found.class), found.similarity));
    format!("{}: {}", named(&row.image, &row.class), found.collect::<Vec<_>>().join(", "))
}
