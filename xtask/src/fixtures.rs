//! `cargo xtask fixtures`: the only way in which a fixture changes.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::{fs, io};

use anyhow::{Context, Result, bail, ensure};

/// Runs every fixture script with `python`, each in its own folder; the first that fails stops.
pub(crate) fn run(root: &Path, python: &Path) -> Result<()> {
    let scripts = scripts(root)?;
    ensure!(!scripts.is_empty(), "no fixture scripts below {}", root.display());
    for script in &scripts {
        let (Some(folder), Some(name)) = (script.parent(), script.file_name()) else {
            bail!("{} has no folder", script.display())
        };
        eprintln!("fixtures: {}", script.strip_prefix(root).unwrap_or(script).display());
        let status = Command::new(python)
            .arg(name)
            .current_dir(folder)
            // A fixture script leaves its fixture behind and nothing else.
            .env("PYTHONDONTWRITEBYTECODE", "1")
            .status()
            .with_context(|| format!("{} cannot be started; give a Python that has torch with --python", python.display()))?;
        ensure!(status.success(), "{} failed ({status}); its first lines say what it needs", script.display());
    }
    println!("fixtures: {} scripts run; `git diff --stat` shows what changed", scripts.len());
    Ok(())
}

/// `fixtures/make*.py` and `crates/*/fixtures/make*.py`, in order; other Python files there are what those import.
fn scripts(root: &Path) -> Result<Vec<PathBuf>> {
    let mut folders = vec![root.join("fixtures")];
    folders.extend(children(&root.join("crates"))?.into_iter().map(|folder| folder.join("fixtures")));
    let mut scripts = Vec::new();
    for folder in folders {
        scripts.extend(children(&folder)?.into_iter().filter(|file| {
            let name = file.file_name().and_then(|name| name.to_str()).unwrap_or_default();
            name.starts_with("make") && name.ends_with(".py")
        }));
    }
    Ok(scripts)
}

/// What stands in `folder`, sorted; nothing where it is not there.
fn children(folder: &Path) -> Result<Vec<PathBuf>> {
    let listed = fs::read_dir(folder).and_then(|entries| entries.map(|entry| entry.map(|entry| entry.path())).collect());
    let mut paths: Vec<PathBuf> = match listed {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Vec::new(),
        listed => listed.with_context(|| format!("{} cannot be listed", folder.display()))?,
    };
    paths.sort();
    Ok(paths)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scripts_are_those_that_make_something() {
        let root = tempfile::tempdir().expect("a temporary folder");
        for file in ["fixtures/make_model.py", "fixtures/hashed.py", "crates/a/fixtures/make.py", "crates/b/fixtures/make.json"] {
            let path = root.path().join(file);
            fs::create_dir_all(path.parent().expect("has a folder")).expect("is writable");
            fs::write(path, "").expect("is writable");
        }
        let found = scripts(root.path()).expect("is readable");
        let found: Vec<_> = found.iter().map(|path| path.strip_prefix(root.path()).expect("below the root")).collect();
        assert_eq!(found, [Path::new("fixtures/make_model.py"), Path::new("crates/a/fixtures/make.py")]);
    }

    #[test]
    fn a_script_that_fails_is_an_error() {
        let root = tempfile::tempdir().expect("a temporary folder");
        fs::create_dir(root.path().join("fixtures")).expect("is writable");
        fs::write(root.path().join("fixtures/make.py"), "").expect("is writable");
        assert!(run(root.path(), Path::new("false")).is_err());
        assert!(run(root.path(), Path::new("true")).is_ok());
    }
}
