use relata_data::{DataConfig, DatasetEntry, Presence, catalogue, own_settings, presence};

use crate::Result;
use crate::terminal::format::{mib, shown};

/// What follows the help of `data list`: examples, and the settings that only some data sets read.
pub(super) fn help() -> String {
    let examples = "Examples:\n  relata data list\n  relata data list data.root=/mnt/datasets";
    let rows = own_settings().map(|setting| {
        let reads = |entry: &&DatasetEntry| entry.settings.contains(setting);
        let names: Vec<&str> = catalogue().iter().filter(reads).map(|entry| entry.name).collect();
        let default = format!("data.{}={}", setting.key, setting.default_value());
        format!("  {default:<26} {}: {}", names.join(", "), setting.about)
    });
    let rows = rows.collect::<Vec<_>>().join("\n");
    format!(
        "{}\n\nSettings that only some data sets read, with their defaults:\n{rows}",
        crate::terminal::program::help(examples)
    )
}

/// The data sets there are, as a table: name, what it is, and what of it is on disk.
pub(super) fn list(config: &DataConfig) -> Result<String> {
    let row = |entry: &DatasetEntry| {
        let found = presence(&DataConfig { dataset: entry.name.to_owned(), ..config.clone() })?;
        Ok(format!("{:<14} {}  [{}]", entry.name, entry.about, in_words(&found, entry)))
    };
    catalogue().iter().map(row).collect::<Result<Vec<_>>>().map(|rows| rows.join("\n"))
}

/// Files of a folder that are named each; of more, the number says enough.
const NAMED: usize = 8;

fn in_words(found: &Presence, entry: &DatasetEntry) -> String {
    let of = |bytes: u64, of_bytes: Option<u64>| match of_bytes {
        Some(of_bytes) if of_bytes != bytes => format!("{} of {}", mib(bytes), mib(of_bytes)),
        _ => mib(bytes),
    };
    match found {
        Presence::Embedded => "nothing to download".to_owned(),
        Presence::Unnamed => "data.path".to_owned(),
        Presence::Whole { path } => format!("there: {}", shown(path)),
        Presence::Incomplete { folder, missing } => {
            let names = missing.iter().take(NAMED).map(|path| path.strip_prefix(folder).unwrap_or(path).display().to_string());
            let more = missing.len().saturating_sub(NAMED);
            let more = if more > 0 { format!(" and {more} more") } else { String::new() };
            format!("not all there: {} lacks {}{more}", shown(folder), names.collect::<Vec<_>>().join(", "))
        }
        Presence::Packed { archive, bytes, of_bytes } if of_bytes.is_some_and(|of_bytes| of_bytes != *bytes) => {
            format!("not all there: {} has {}", shown(archive), of(*bytes, *of_bytes))
        }
        Presence::Packed { archive, .. } => format!("there: {}, unpacked when it is opened", shown(archive)),
        Presence::Begun { part, bytes, of_bytes } => {
            format!("download begun: {} has {}", shown(part), of(*bytes, *of_bytes))
        }
        Presence::Absent { path, archive: Some(archive) } => {
            let fetched = entry.archive().is_some_and(|archive| archive.url.is_some());
            let how = if fetched { "" } else { ", laid out by you" };
            format!("not there: {} or {}{how}", shown(path), archive.file_name().unwrap_or_default().display())
        }
        Presence::Absent { path, archive: None } => format!("not there: {}", shown(path)),
    }
}
