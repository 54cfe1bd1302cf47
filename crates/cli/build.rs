//! Asks git for the commit that is being built, so that every run can name it. No checkout, no git: the commit stays unknown.

use std::path::Path;
use std::process::Command;

fn main() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let git = |arguments: &[&str]| {
        // Taking no locks, so that a build never gets in the way of a commit.
        let output = Command::new("git").arg("--no-optional-locks").arg("-C").arg(&root).args(arguments).output().ok()?;
        output.status.success().then(|| String::from_utf8_lossy(&output.stdout).trim().to_owned())
    };
    if let Some(commit) = git(&["rev-parse", "--short=12", "HEAD"]) {
        let dirty = git(&["status", "--porcelain", "--", "crates", "xtask", "Cargo.toml", "Cargo.lock"]);
        let mark = if dirty.is_some_and(|changes| !changes.is_empty()) { "-dirty" } else { "" };
        println!("cargo::rustc-env=RELATA_COMMIT={commit}{mark}");
    }
    println!("cargo::rerun-if-changed=build.rs");
    let head = git(&["rev-parse", "--path-format=absolute", "--git-path", "HEAD"]);
    let branch = git(&["symbolic-ref", "-q", "HEAD"]);
    let branch = branch.and_then(|name| git(&["rev-parse", "--path-format=absolute", "--git-path", &name]));
    let sources = [root.join("crates"), root.join("Cargo.toml")];
    let watched = head.into_iter().chain(branch).map(Into::into).chain(sources);
    // A path that is missing would make cargo run this again at every build.
    for path in watched.filter(|path| path.exists()) {
        println!("cargo::rerun-if-changed={}", path.display());
    }
}
