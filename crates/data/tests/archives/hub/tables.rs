//! Parquet files as the hub makes them: a group of an image file's bytes and name, and whole numbers as labels.

use std::io::Cursor;
use std::sync::Arc;

use image::{ImageFormat, RgbImage};
use parquet::basic::Compression;
use parquet::data_type::{ByteArray, ByteArrayType, Int64Type};
use parquet::file::properties::WriterProperties;
use parquet::file::writer::SerializedFileWriter;
use parquet::schema::parser::parse_message_type;
use relata_testkit::hash_uniform;

/// An image file, if any, and the labels.
#[derive(Debug, Clone)]
pub(crate) struct Row {
    pub(crate) image: Option<Vec<u8>>,
    pub(crate) labels: Vec<i64>,
}

/// An image that no turn or flip leaves as it is: noise, brighter to the right and towards the bottom by unlike amounts, and a
/// mark in the corner.
pub(crate) fn picture(seed: usize, side_px: u32) -> RgbImage {
    let mut image = RgbImage::from_fn(side_px, side_px, |x, y| {
        let noise = |channel: u32| {
            let index = ((seed as u32 * side_px + y) * side_px + x) * 3 + channel;
            ((hash_uniform("picture", index as usize) + 1.0) * 20.0) as u8
        };
        image::Rgb([noise(0) + 5 * x as u8, noise(1) + 3 * y as u8, noise(2) + x as u8 + 2 * y as u8])
    });
    image.put_pixel(0, 0, image::Rgb([255, 254, 253]));
    image
}

pub(crate) fn png(image: &RgbImage) -> Vec<u8> {
    let mut bytes = Cursor::new(Vec::new());
    image.write_to(&mut bytes, ImageFormat::Png).unwrap();
    bytes.into_inner()
}

/// A row of [`picture`]`(seed)`.
pub(crate) fn row(seed: usize, side_px: u32, labels: &[i64]) -> Row {
    Row { image: Some(png(&picture(seed, side_px))), labels: labels.to_vec() }
}

/// A file with these columns of labels, in groups of two rows.
pub(crate) fn parquet(image_column: &str, labels: &[&str], rows: &[Row]) -> Vec<u8> {
    let columns: String = labels.iter().map(|name| format!("optional int64 {name};")).collect();
    let message = format!(
        "message schema {{ optional group {image_column} {{ optional binary bytes; optional binary path (UTF8); }} {columns} }}"
    );
    let schema = Arc::new(parse_message_type(&message).unwrap());
    let properties = Arc::new(WriterProperties::builder().set_compression(Compression::SNAPPY).build());
    let mut writer = SerializedFileWriter::new(Vec::new(), schema, properties).unwrap();
    for rows in rows.chunks(2) {
        let mut group = writer.next_row_group().unwrap();
        let levels: Vec<i16> = rows.iter().map(|row| if row.image.is_some() { 2 } else { 0 }).collect();
        let images: Vec<ByteArray> = rows.iter().filter_map(|row| row.image.clone()).map(ByteArray::from).collect();
        let paths: Vec<ByteArray> = images.iter().map(|_| ByteArray::from("image.png")).collect();
        for values in [images, paths] {
            let mut column = group.next_column().unwrap().unwrap();
            column.typed::<ByteArrayType>().write_batch(&values, Some(&levels), None).unwrap();
            column.close().unwrap();
        }
        for which in 0..labels.len() {
            let mut column = group.next_column().unwrap().unwrap();
            let values: Vec<i64> = rows.iter().map(|row| row.labels[which]).collect();
            column.typed::<Int64Type>().write_batch(&values, Some(&vec![1; rows.len()]), None).unwrap();
            column.close().unwrap();
        }
        group.close().unwrap();
    }
    writer.into_inner().unwrap()
}
