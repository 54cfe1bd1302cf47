//! `load_folder FOLDER_OR_PACK [THREADS [VIEWS [SIDE_PX]]]`: makes an epoch's batches of views as training asks for them (VIEWS 0: of the
//! whole images, resized, as an evaluation does) and says how fast, as one line of JSON; `bench/peer_loader.py` runs it in turns with torchvision.

#![allow(clippy::print_stdout)] // An example's output.

use std::error::Error;
use std::path::Path;
use std::time::Instant;

use relata_augment::{LoaderConfig, Pipeline, ViewLoader};
use relata_data::{DataConfig, JPEG_DECODER, Split, open};

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let path = arguments.next().ok_or("load_folder FOLDER_OR_PACK [THREADS [VIEWS [SIDE_PX]]]: which one?")?;
    let mut number = |default| arguments.next().map_or(Ok(default), |text| text.parse::<usize>());
    let (workers, views, side_px) = (number(2)?, number(4)?, number(96)?);
    let dataset = if Path::new(&path).is_file() { "pack" } else { "folder" };
    let config = DataConfig { dataset: dataset.to_owned(), path: path.into(), ..DataConfig::default() };
    let dataset = open(&config, Split::Unlabelled)?;
    let loader = if views == 0 {
        let config = LoaderConfig { workers, ..LoaderConfig::evaluation(64) };
        ViewLoader::new(dataset, Pipeline::evaluation(side_px)?, config)?
    } else {
        ViewLoader::new(dataset, Pipeline::relational(side_px)?, LoaderConfig { views, workers, ..LoaderConfig::default() })?
    };
    let mut images = 0;
    let start = Instant::now();
    for batch in loader.epoch(0) {
        images += batch?.size();
    }
    let rate = images as f64 / start.elapsed().as_secs_f64();
    println!("{{\"images_per_s\": {rate:.1}, \"images\": {images}, \"decoder\": \"{JPEG_DECODER}\"}}");
    Ok(())
}
