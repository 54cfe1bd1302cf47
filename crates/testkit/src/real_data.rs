use std::path::{Path, PathBuf};

/// The environment variable that names the folder of unpacked data sets.
const VARIABLE: &str = "RELATA_DATASETS";

/// The folder `folder` (say `cifar-10-batches-bin`) below the one that `RELATA_DATASETS` names, for tests on real data.
///
/// `None` where the variable is not set: the line `SKIPPED <test>: RELATA_DATASETS is not set` goes to stderr, past the
/// test harness's capture, so that a skipped test is seen; the test then returns.
///
/// ```no_run
/// let Some(folder) = relata_testkit::real_data("cifar-10-batches-bin") else { return };
/// ```
///
/// # Panics
/// Where the variable is set but the folder is not there: that is a mistake, not a skip.
#[track_caller]
#[must_use]
pub fn real_data(folder: &str) -> Option<PathBuf> {
    let Some(root) = std::env::var_os(VARIABLE) else {
        announce_skip(&test_name(folder));
        return None;
    };
    let path = Path::new(&root).join(folder);
    assert!(path.is_dir(), "{VARIABLE} is set, but {} is not a folder", path.display());
    Some(path)
}

/// The test harness names each test's thread after it; the data set's folder stands in with `--test-threads=1`.
fn test_name(folder: &str) -> String {
    match std::thread::current().name() {
        Some(name) if name != "main" => name.to_owned(),
        _ => folder.to_owned(),
    }
}

/// Writes past the capture of `eprintln!`, which would hide the line of a test that passes.
fn announce_skip(test: &str) {
    use std::io::Write;
    // Nothing can be done about a closed stderr, and the skip stays a skip.
    let _ = writeln!(std::io::stderr(), "SKIPPED {test}: {VARIABLE} is not set");
}
