//! `read_folder FOLDER [THREADS [JPEG_SIDE_PX]]`: reads every image of a folder and says how fast, as one line of JSON;
//! `bench/peer_loader.py` runs it in turns with PIL.

#![allow(clippy::print_stdout)]

use std::path::Path;
use std::time::Instant;

use rayon::prelude::*;
use relata_data::{Dataset, Folder, FolderOptions, JPEG_DECODER, Split};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let folder = arguments.next().ok_or("read_folder FOLDER [THREADS]: which folder?")?;
    let threads = arguments.next().map_or(Ok(0), |threads| threads.parse())?;
    let jpeg_side_px = arguments.next().map_or(Ok(0), |side| side.parse())?;
    let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build()?;
    let options = FolderOptions { split: Split::Unlabelled, jpeg_side_px, ..FolderOptions::default() };
    let folder = Folder::open(Path::new(&folder), options)?;
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
