//! The crates of `examples/`: outside the workspace, as a user's crate is, so that what they need is what the house gives to all.

use std::env::consts::EXE_SUFFIX;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};

use super::command::{Project, cargo, must_pass};

/// Builds each without warnings and runs it to its own judgement: an example that learns too little fails.
///
/// They share the house's target folder, versions and profile. Third-party crates that have the same features there are not built
/// again; candle is, once for all examples.
pub(super) fn run(project: &Project<'_>) -> Result<String> {
    let runs = tempfile::tempdir().context("no temporary folder")?;
    let profile_folder = project.program.parent().context("xtask is in no folder")?;
    let target = profile_folder.parent().context("xtask is in no target folder")?;
    let names = names(project.root)?;
    for name in &names {
        let folder = project.root.join("examples").join(name);
        let _lock = LentLock::new(project.root, &folder)?;
        let mut build = cargo(project.root);
        build.args(["rustc", "--offline", "--release", "--manifest-path"]).arg(folder.join("Cargo.toml"));
        build.arg("--target-dir").arg(target).args(["--", "-D", "warnings"]);
        // As the house's profile has it.
        build.env("CARGO_PROFILE_RELEASE_DEBUG", "line-tables-only");
        must_pass(&mut build).with_context(|| format!("examples/{name} cannot be built"))?;
        let mut example = std::process::Command::new(profile_folder.join(format!("{name}{EXE_SUFFIX}")));
        example.current_dir(runs.path()).arg(runs.path().join(name));
        must_pass(&mut example).with_context(|| format!("examples/{name} failed"))?;
    }
    Ok(names.join(", "))
}

pub(super) fn formatting(project: &Project<'_>) -> Result<String> {
    for name in names(project.root)? {
        let manifest = project.root.join("examples").join(&name).join("Cargo.toml");
        let mut check = cargo(project.root);
        check.args(["fmt", "--check", "--manifest-path"]).arg(&manifest);
        must_pass(&mut check).with_context(|| format!("`cargo fmt --manifest-path {}` mends it", manifest.display()))?;
    }
    Ok(String::new())
}

/// The folders of `examples/` that are crates, by name.
fn names(root: &Path) -> Result<Vec<String>> {
    let folder = root.join("examples");
    let mut names = Vec::new();
    for entry in fs::read_dir(&folder).with_context(|| format!("{} cannot be read", folder.display()))? {
        let entry = entry?;
        if entry.path().join("Cargo.toml").is_file() {
            names.push(entry.file_name().to_string_lossy().into_owned());
        }
    }
    ensure!(!names.is_empty(), "{} holds no crate", folder.display());
    names.sort();
    Ok(names)
}

/// The house's lock file, lent to an example while it is built: the same versions, all of them fetched. Examples keep none of
/// their own in git, since nobody would remember to bring it up to date.
struct LentLock(PathBuf);

impl LentLock {
    fn new(root: &Path, example: &Path) -> Result<Self> {
        let lock = example.join("Cargo.lock");
        fs::copy(root.join("Cargo.lock"), &lock).with_context(|| format!("{} cannot be written", lock.display()))?;
        Ok(Self(lock))
    }
}

impl Drop for LentLock {
    fn drop(&mut self) {
        // Git ignores it: where it cannot be removed, nothing is wrong.
        drop(fs::remove_file(&self.0));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_folder_with_a_manifest_is_an_example() {
        let root = tempfile::tempdir().expect("a temporary folder");
        assert!(names(root.path()).is_err(), "no examples");
        for (folder, file) in [("b", "Cargo.toml"), ("a", "Cargo.toml"), ("notes", "read.me")] {
            let folder = root.path().join("examples").join(folder);
            fs::create_dir_all(&folder).expect("is writable");
            fs::write(folder.join(file), "").expect("is writable");
        }
        assert_eq!(names(root.path()).expect("two crates"), ["a", "b"]);
    }

    #[test]
    fn the_lock_is_lent_and_taken_back() {
        let root = tempfile::tempdir().expect("a temporary folder");
        let example = root.path().join("example");
        fs::create_dir(&example).expect("is writable");
        assert!(LentLock::new(root.path(), &example).is_err(), "the house has none");
        fs::write(root.path().join("Cargo.lock"), "versions").expect("is writable");
        let lock = LentLock::new(root.path(), &example).expect("is lent");
        assert_eq!(fs::read_to_string(example.join("Cargo.lock")).expect("is there"), "versions");
        drop(lock);
        assert!(!example.join("Cargo.lock").exists());
    }
}
