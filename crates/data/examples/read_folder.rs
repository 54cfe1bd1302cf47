//! `read_folder FOLDER_OR_PACK [THREADS [JPEG_SIDE_PX]]`: reads every image and says how fast, as one line of JSON;
//! `bench/peer_loader.py` runs it in turns with PIL.

#![allow(clippy::print_stdout)]

use std::path::Path;
use std::time::Instant;

use rayon::prelude::*;
use relata_data::{DataConfig, JPEG_DECODER, Split, open};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let path = arguments.next().ok_or("read_folder FOLDER_OR_PACK [THREADS [JPEG_SIDE_PX]]: which one?")?;
    let threads = arguments.next().map_or(Ok(0), |threads| threads.parse())?;
    let jpeg_side_px: u64 = arguments.next().map_or(Ok(0), |side| side.parse())?;
    let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build()?;
    let dataset = if Path::new(&path).is_file() { "pack" } else { "folder" };
    let config = DataConfig { dataset: dataset.to_owned(), path: path.into(), ..DataConfig::default() };
    let config = config.with("jpeg_side_px", jpeg_side_px)?;
    let folder = open(&config, Split::Unlabelled)?;
    let read = |images: usize| {
        let bytes = (0..images).into_par_iter().map(|index| folder.image(index).map(|image| image.rgb().len()));
        pool.install(|| bytes.try_reduce(|| 0, |a, b| Ok(a + b)))
    };
    read(folder.len().min(64))?;
    let start = Instant::now();
    let bytes = read(folder.len())?;
    let seconds = start.elapsed().as_secs_f64();
    let (rate, images) = (folder.len() as f64 / seconds, folder.len());
    println!("{{\"images_per_s\": {rate:.1}, \"images\": {images}, \"bytes\": {bytes}, \"decoder\": \"{JPEG_DECODER}\"}}");
    Ok(())
}
