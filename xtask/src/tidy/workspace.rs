//! The workspace as plain data: what the rules look at.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, ensure};
use cargo_metadata::{DependencyKind, MetadataCommand};

/// Everything that a rule may ask about.
pub(super) struct Workspace {
    pub(super) rooms: Vec<Room>,
    pub(super) files: Vec<File>,
}

/// A package of the workspace and what its manifest asks for.
#[derive(Default)]
pub(super) struct Room {
    /// As the manifest says it: `relata-data`.
    pub(super) name: String,
    /// Name, and whether it is for tests only; other workspace members and crates from elsewhere.
    pub(super) dependencies: Vec<(String, bool)>,
    /// Those of them that only a feature brings which is off by default.
    pub(super) by_feature: Vec<String>,
}

/// A file that git tracks, or would track: new files are checked before they are committed.
pub(super) struct File {
    /// Below the workspace's root, with `/`.
    pub(super) path: String,
    pub(super) bytes: u64,
    /// Empty for what is not UTF-8: rules about text do not apply to it.
    pub(super) text: String,
}

impl File {
    /// A file that needs no disk.
    #[cfg(test)]
    pub(super) fn new(path: &str, text: &str) -> Self {
        Self { path: path.to_owned(), bytes: text.len() as u64, text: text.to_owned() }
    }

    pub(super) fn is_rust(&self) -> bool {
        self.path.ends_with(".rs")
    }
}

impl Workspace {
    /// Reads `cargo metadata` and the files that `git` lists.
    pub(super) fn load(root: &Path) -> Result<Self> {
        let metadata = MetadataCommand::new().current_dir(root).no_deps().exec().context("cargo metadata failed")?;
        let rooms = metadata.workspace_packages().into_iter().map(|package| {
            let dependencies = package.dependencies.iter();
            let dependencies =
                dependencies.map(|dependency| (dependency.name.clone(), dependency.kind == DependencyKind::Development));
            let optional =
                package.dependencies.iter().filter(|dependency| dependency.optional).map(|dependency| &dependency.name);
            let by_feature = optional.filter(|name| !is_on_by_default(&package.features, name)).cloned().collect();
            Room { name: package.name.to_string(), dependencies: dependencies.collect(), by_feature }
        });
        let rooms = rooms.collect();

        let listed = Command::new("git")
            .args(["ls-files", "-z", "--cached", "--others", "--exclude-standard"])
            .current_dir(root)
            .output()
            .context("git cannot be started: tidy asks it which files belong to the project")?;
        ensure!(listed.status.success(), "git ls-files failed: {}", String::from_utf8_lossy(&listed.stderr).trim());
        let names = String::from_utf8(listed.stdout).context("a file name is not UTF-8")?;
        let mut files = Vec::new();
        for path in names.split('\0').filter(|path| !path.is_empty()) {
            let place = root.join(path);
            // Listed and not there: deleted, the deletion not yet committed.
            if !place.is_file() {
                continue;
            }
            let bytes = fs::read(&place).with_context(|| format!("{} cannot be read", place.display()))?;
            let length = bytes.len() as u64;
            let text = String::from_utf8(bytes).unwrap_or_default();
            files.push(File { path: path.to_owned(), bytes: length, text });
        }
        Ok(Self { rooms, files })
    }
}

/// Whether the optional dependency `name` comes with the default features.
fn is_on_by_default(features: &BTreeMap<String, Vec<String>>, name: &str) -> bool {
    let (mut on, mut to_follow) = (BTreeSet::new(), vec!["default"]);
    while let Some(feature) = to_follow.pop() {
        for item in features.get(feature).into_iter().flatten() {
            // `dep:x` and `x/feature` bring x, `x?/feature` does not.
            let brings = item.strip_prefix("dep:").or_else(|| item.split_once('/').map(|(dependency, _)| dependency));
            if brings.unwrap_or(item) == name {
                return true;
            }
            if on.insert(item) {
                to_follow.push(item);
            }
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_default_feature_brings_what_it_names_in_any_way() {
        let features = |of: &[(&str, &[&str])]| {
            let list = |items: &[&str]| items.iter().map(|item| (*item).to_owned()).collect();
            of.iter().map(|(name, items)| ((*name).to_owned(), list(items))).collect::<BTreeMap<_, Vec<String>>>()
        };
        let hub: (&str, &[&str]) = ("hub", &["dep:x"]);
        for on in [&["hub"][..], &["dep:x"], &["x"], &["x/fast"], &["web"]] {
            assert!(is_on_by_default(&features(&[("default", on), hub, ("web", &["hub"])]), "x"), "{on:?}");
        }
        for off in [&[][..], &["x?/fast"], &["dep:y", "web"]] {
            assert!(!is_on_by_default(&features(&[("default", off), hub, ("web", &["dep:xx"])]), "x"), "{off:?}");
        }
        assert!(!is_on_by_default(&features(&[hub]), "x"), "no default feature at all");
    }
}
