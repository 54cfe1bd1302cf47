use std::collections::HashSet;
use std::hash::{BuildHasher, RandomState};
use std::ops::RangeInclusive;
use std::path::PathBuf;

use relata_data::{DataConfig, OnBadImage, Presence, Split, VerifyReport};

use super::splits::Splits;
use crate::data::images;
use crate::terminal::format::{counted, shown};
use crate::terminal::output;
use crate::terminal::progress::Counter;
use crate::{Config, Error, Result};

pub(super) fn verify(config: &Config) -> Result<()> {
    let name = images::name(&config.data);
    // Every image is to be read, whatever a run would leave out.
    let whole = DataConfig { on_bad_image: OnBadImage::Error, ..config.data.clone().whole() };
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

/// An error and its causes, in a line.
fn chain(error: &dyn std::error::Error) -> String {
    let (mut text, mut cause) = (error.to_string(), error.source());
    while let Some(error) = cause {
        text.push_str(&format!(": {error}"));
        cause = error.source();
    }
    text
}

fn in_words(report: &VerifyReport, fingerprint: &str) -> String {
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
