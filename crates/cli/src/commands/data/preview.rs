use std::path::Path;

use relata_artifact::write_atomic;
use relata_data::{ContactSheet, ContactSheetOptions};

use crate::data::{images, picture};
use crate::terminal::format::{counted, shown};
use crate::terminal::output;
use crate::{Config, Result};

pub(super) fn sheet(config: &Config, columns: usize, rows: usize, out: &Path) -> Result<()> {
    let dataset = images::open_split(&config.data, config.data.split)?;
    // Tiles as large as the images, enlarged by a whole factor: no white around them.
    let (wished, side_px) = (ContactSheetOptions::default().tile_px, images::view_format(config)?.side_px);
    let tile_px = side_px * (wished / side_px).max(1);
    let options = ContactSheetOptions { columns: columns.max(1), rows: rows.max(1), tile_px, ..ContactSheetOptions::default() };
    let ContactSheet { image, rows } = relata_data::contact_sheet(&*dataset, &options)?;
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

pub(super) fn views(config: &Config, images: usize, out: &Path) -> Result<()> {
    let dataset = images::open_split(&config.data, config.data.split)?;
    let indices: Vec<usize> = (0..dataset.len().min(images.max(1))).collect();
    let views = config.augment.views.min(picture::MAX_VIEWS);
    let side_px = images::view_format(config)?.side_px;
    let png = picture::views_png(&*dataset, &indices, &config.augment, side_px, config.seed, views)?;
    write_atomic(out, &png)?;
    let words = config.augment.in_words();
    output::result(format!("{}: {} images, each with {views} views ({words})", shown(out), indices.len()));
    Ok(())
}
